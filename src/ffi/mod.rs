//! The C ABI: one file per noun, which converts and calls. The comments of the public items become those of the C
//! header, and are written for its readers.

// The names of the types are those of the header.
#![allow(non_camel_case_types)]

#[cfg(any(test, fuzzing))]
pub(crate) mod call_sequences;
mod client;
mod config;
mod credentials;
mod error;
mod guard;
mod handle;
mod invoke;
mod log;
mod queue;
mod request;
mod result;
mod setter_errors;
mod status;
mod stream;
mod string;
mod text;
mod user_data;
