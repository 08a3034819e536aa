//! Invoke AWS Lambda functions, and learn the truth about every call: did the function run, did it not, or does
//! nobody know?
//!
//! This crate is the inside of liblambda_invoke, a library with a C ABI (`include/lambda_invoke.h`); the types below are
//! its Rust face and give the same outcomes. `ARCHITECTURE.md` shows how it is
//! built.
//!
//! ```no_run
//! use lambda_invoke::{Client, Config, InvocationRequest, Status};
//!
//! let client = Client::new(&Config::default())?; // region, credentials and endpoint from the environment
//! let outcome = client.invoke(InvocationRequest {
//!     function_name: "hello".into(),
//!     payload: Some(br#"{"name":"Ada"}"#.to_vec()),
//!     ..InvocationRequest::default()
//! });
//! match outcome.status {
//!     Status::Ok => println!("{}", String::from_utf8_lossy(&outcome.payload)),
//!     _ => eprintln!("{} ({:?})", outcome.error_message.unwrap_or_default(), outcome.execution),
//! }
//! # Ok::<(), lambda_invoke::Error>(())
//! ```

#![deny(unsafe_code)]

mod call;
mod client;
mod config;
mod credentials;
mod deadline;
#[allow(unsafe_code, reason = "it makes calls progress on threads and across forks that are not ours")]
mod driver;
mod error;
#[allow(unsafe_code, reason = "it speaks C")]
mod ffi;
mod http;
mod lock;
mod log;
mod outcome;
#[allow(unsafe_code, reason = "it speaks with the operating system")]
mod platform;
mod platform_api;
mod request;
mod response;
mod retry;
mod server_text;
mod status;

pub use crate::client::Client;
pub use crate::config::config::{Config, RetryMode};
pub use crate::config::credentials::Credentials;
pub use crate::error::Error;
pub use crate::log::LogLevel;
pub use crate::outcome::Outcome;
pub use crate::request::fields::InvocationRequest;
pub use crate::request::invocation::Invocation;
pub use crate::status::{Execution, Status};

/// The programs that the documents show in Rust compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/src/languages/rust.md")]
struct Documents;
