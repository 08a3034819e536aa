//! Safe Rust that knows nothing of C: from the fields of an invocation to its outcome.

#![forbid(unsafe_code)]

pub(crate) mod aws_http;
pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod call;
pub(crate) mod chain;
pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod credential_process;
pub(crate) mod credentials;
pub(crate) mod describe;
pub(crate) mod endpoint;
pub(crate) mod environment;
pub(crate) mod error;
pub(crate) mod function_name;
pub(crate) mod invocation;
pub(crate) mod keyring;
pub(crate) mod log;
pub(crate) mod members;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod profile;
pub(crate) mod proxy;
pub(crate) mod region;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod retry;
pub(crate) mod service_error;
pub(crate) mod setting;
pub(crate) mod settings;
pub(crate) mod signing;
pub(crate) mod tls;
pub(crate) mod transport;
pub(crate) mod user_agent;
pub(crate) mod verdict;
pub(crate) mod wire;
