//! Invokes AWS Lambda functions. Every outcome tells you whether the function ran, did not run, or whether that cannot
//! be known.
//!
//! This crate implements liblambda_invoke, a library with a C ABI (`include/lambda_invoke.h`). The types below are its
//! Rust API and give the same outcomes. `ARCHITECTURE.md` describes how it is built.
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
#[allow(unsafe_code, reason = "it drives calls on threads and across forks that belong to the caller")]
mod driver;
mod error;
#[allow(unsafe_code, reason = "it is the C ABI")]
mod ffi;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod large_future;
mod lock;
mod log;
mod outcome;
#[allow(unsafe_code, reason = "it calls the operating system")]
mod platform;
mod platform_api;
mod request;
mod response;
mod retry;
mod server_text;
mod status;
mod stream;

pub use crate::client::Client;
pub use crate::config::config::{Config, RetryMode};
pub use crate::config::credentials::Credentials;
pub use crate::driver::queue::{Completion, Queue};
pub use crate::error::Error;
pub use crate::log::LogLevel;
pub use crate::outcome::Outcome;
pub use crate::request::fields::InvocationRequest;
pub use crate::request::invocation::Invocation;
pub use crate::status::{Execution, Status};
pub use crate::stream::{Received, ResponseStream, StreamCanceller};

/// Compiles the Rust programs of the documents as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/src/languages/rust.md")]
struct Documents;
