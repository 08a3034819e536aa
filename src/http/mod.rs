//! The module `http`: one signed HTTP exchange. Nothing outside `transport` names reqwest.

#![forbid(unsafe_code)]

pub(crate) mod body;
pub(crate) mod reuse;
pub(crate) mod secret_value;
pub(crate) mod signing;
pub(crate) mod tls_failure;
pub(crate) mod transport;
