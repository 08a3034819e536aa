//! Wing `response`: what an attempt came to, read from the head of the response and then from its body.

#![forbid(unsafe_code)]

pub(crate) mod classification;
pub(crate) mod json_fields;
pub(crate) mod json_text;
#[expect(clippy::module_inception, reason = "the wing is named after its central noun")]
pub(crate) mod response;
pub(crate) mod service_error;
