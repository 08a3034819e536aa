//! The module `retry`: whether and when a call makes another attempt.

#![forbid(unsafe_code)]

pub(crate) mod clock;
pub(crate) mod policy;
pub(crate) mod quota;
