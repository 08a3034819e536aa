//! The module `config`: what can be set, where settings are looked up, and how they are resolved.

#![forbid(unsafe_code)]

#[expect(clippy::module_inception, reason = "the folder is named after its central type")]
pub(crate) mod config;
pub(crate) mod credentials;
pub(crate) mod describe;
pub(crate) mod endpoint;
pub(crate) mod environment;
pub(crate) mod logging;
pub(crate) mod lookup;
pub(crate) mod profile;
pub(crate) mod proxy;
pub(crate) mod region;
pub(crate) mod retry;
pub(crate) mod setting;
pub(crate) mod settings;
pub(crate) mod shared_file;
pub(crate) mod shown_url;
pub(crate) mod tls;
pub(crate) mod user_agent;
