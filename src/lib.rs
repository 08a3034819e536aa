//! Invoke AWS Lambda functions, and learn the truth about every call: did the function run, did it not, or does
//! nobody know?
//!
//! This crate is the inside of liblambda_invoke, a library with a C ABI (`include/lambda_invoke.h`); the types below are
//! its Rust face and give the same outcomes. `ARCHITECTURE.md` shows the rooms:
//!
//! - `core`: what an invocation is, how it is signed, sent, judged and retried. Safe Rust that knows nothing of C.
//! - `engine`: who drives it: runtimes on the caller's own thread, names, signals, fork.
//! - `ffi`: the C ABI. It converts and calls.
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

mod client;
mod core;
#[allow(unsafe_code, reason = "it speaks with the operating system")]
mod engine;
#[allow(unsafe_code, reason = "it speaks C")]
mod ffi;

pub use client::Client;
pub use core::config::Config;
pub use core::credentials::Credentials;
pub use core::error::Error;
pub use core::invocation::Invocation;
pub use core::log::LogLevel;
pub use core::outcome::{Execution, Outcome, Status};
pub use core::request::InvocationRequest;
pub use core::retry::RetryMode;

/// The README's program in Rust compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
