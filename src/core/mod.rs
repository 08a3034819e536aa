//! Safe Rust that knows nothing of C: from the fields of an invocation to its outcome.

#![forbid(unsafe_code)]

pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod call;
pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod credentials;
pub(crate) mod endpoint;
pub(crate) mod error;
pub(crate) mod function_name;
pub(crate) mod invocation;
pub(crate) mod members;
pub(crate) mod outcome;
pub(crate) mod region;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod retry;
pub(crate) mod service_error;
pub(crate) mod signing;
pub(crate) mod tls;
pub(crate) mod transport;
pub(crate) mod verdict;
pub(crate) mod wire;
