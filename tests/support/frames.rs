//! Frames of event streams, as a service sends them.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};

/// Makes a frame, whose headers are all strings.
pub fn frame(headers: &[(&'static str, &'static str)], payload: &[u8]) -> Vec<u8> {
    let mut message = Message::new(payload.to_vec());
    for (name, value) in headers {
        message = message.add_header(Header::new(*name, HeaderValue::String((*value).into())));
    }
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

/// Makes the frame of an event.
pub fn event(name: &'static str, payload: &[u8]) -> Vec<u8> {
    frame(&[(":message-type", "event"), (":event-type", name), (":content-type", "x")], payload)
}
