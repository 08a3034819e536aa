//! The module `request`: the fields of an invocation, and the HTTP request that they become.

#![forbid(unsafe_code)]

pub(crate) mod fields;
pub(crate) mod function_name;
pub(crate) mod http;
pub(crate) mod invocation;
