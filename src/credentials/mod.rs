//! The module `credentials`: where credentials come from, and how the calls of a client share them.

#![forbid(unsafe_code)]

pub(crate) mod cache;
pub(crate) mod chain;
pub(crate) mod container;
pub(crate) mod document;
pub(crate) mod imds;
pub(crate) mod loaded;
pub(crate) mod login;
pub(crate) mod observed;
pub(crate) mod process;
pub(crate) mod profile_chain;
pub(crate) mod provider;
pub(crate) mod sdk_http;
pub(crate) mod source;
pub(crate) mod sso;
pub(crate) mod sts;
pub(crate) mod timestamp;
pub(crate) mod token_file;
