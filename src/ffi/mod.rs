//! The C ABI: one file a noun, which converts and calls. The comments of the public items are those of the C header,
//! written for its readers.

// C's names, as the header has them.
#![allow(non_camel_case_types)]

mod client;
mod config;
mod credentials;
mod error;
mod guard;
mod handle;
mod invoke;
mod log;
mod request;
mod result;
mod setter_errors;
mod status;
mod string;
mod text;
mod user_data;
