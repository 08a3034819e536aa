//! The module `response`: classifies an attempt by the head of its response, and then by the body.

#![forbid(unsafe_code)]

pub(crate) mod chunks;
pub(crate) mod classification;
pub(crate) mod event_stream;
pub(crate) mod json_fields;
pub(crate) mod json_text;
#[expect(clippy::module_inception, reason = "the folder is named after its central type")]
pub(crate) mod response;
pub(crate) mod service_error;
pub(crate) mod streamed;
