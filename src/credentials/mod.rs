//! Wing `credentials`: where credentials come from, and how the calls of a client share them.

#![forbid(unsafe_code)]

pub(crate) mod cache;
pub(crate) mod chain;
pub(crate) mod process;
pub(crate) mod profile_chain;
pub(crate) mod sdk_http;
pub(crate) mod source;
