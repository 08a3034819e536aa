//! Event streams: the decoder, with every division of the input, and what the last event means.

use std::time::SystemTime;

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use bytes::{Buf, Bytes};
use http::HeaderMap;

use super::assert_shown;
use crate::response::event_stream::{DecodeError, Decoder, Event};
use crate::response::response::{Circumstances, Head};
use crate::response::streamed;
use crate::status::{Execution, Status};

/// So that short inputs have long frames too.
const MAX_VERIFIED: usize = 200;

/// The first byte of the input chooses how it is divided, and whether its checksums are corrected first, without which hardly
/// any input would be a frame.
pub(super) fn run(data: &[u8]) {
    let Some((first, stream)) = data.split_first() else { return };
    let stream = match first % 2 {
        0 => stream.to_vec(),
        _ => with_checksums(stream.to_vec()),
    };
    let whole = decode(&stream, stream.len());
    for size in [1, 2 + usize::from(first / 2)] {
        assert_eq!(decode(&stream, size), whole, "in pieces of {size}");
    }
    check_with_other_decoder(&stream, &whole);
    let circumstances =
        Circumstances { resolved_here: false, over_tls: true, is_streamed: true, received: SystemTime::UNIX_EPOCH };
    let head = Head::classify(200, HeaderMap::new(), circumstances);
    for outcome in whole.events.into_iter().filter_map(|event| streamed::outcome_of(event, &head)) {
        assert_eq!(outcome.execution, Execution::Ran);
        assert_eq!(outcome.error_message.is_none(), outcome.status == Status::Ok, "{outcome:?}");
        let texts = [&outcome.error_message, &outcome.error_type, &outcome.function_error];
        texts.into_iter().flatten().for_each(|text| assert_shown(text));
    }
}

/// Corrects the checksums of all frames that are complete.
fn with_checksums(mut stream: Vec<u8>) -> Vec<u8> {
    let mut from = 0;
    while let Some(prelude) = stream.get(from..from + 12) {
        let length = (&prelude[..4]).get_u32() as usize;
        let checksum = crc32fast::hash(&prelude[..8]);
        stream[from + 8..from + 12].copy_from_slice(&checksum.to_be_bytes());
        let Some(end) = from.checked_add(length).filter(|end| length >= 16 && *end <= stream.len()) else { break };
        let checksum = crc32fast::hash(&stream[from..end - 4]);
        stream[end - 4..end].copy_from_slice(&checksum.to_be_bytes());
        from = end;
    }
    stream
}

#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    /// Chunks that follow each other are one.
    events: Vec<Event>,
    error: Option<DecodeError>,
    ends_between_frames: bool,
}

fn decode(stream: &[u8], size: usize) -> Decoded {
    let mut decoder = Decoder::verifying(MAX_VERIFIED);
    let mut decoded = Decoded { events: Vec::new(), error: None, ends_between_frames: true };
    let mut fed = 0;
    for piece in stream.chunks(size.max(1)) {
        fed += piece.len();
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(Event::Chunk(chunk))) => match decoded.events.last_mut() {
                    Some(Event::Chunk(before)) => *before = [&before[..], &chunk[..]].concat().into(),
                    _ => decoded.events.push(Event::Chunk(chunk)),
                },
                Ok(Some(event)) => decoded.events.push(event),
                Ok(None) => break,
                Err(error) => {
                    decoded.error = Some(error);
                    return decoded;
                }
            }
            assert!(decoder.held() <= 2 * fed + 64, "{} bytes are held for {fed} that came", decoder.held());
        }
        assert!(input.is_empty(), "without an event all input is used up");
        assert!(decoder.held() <= 2 * fed + 64, "{} bytes are held for {fed} that came", decoder.held());
    }
    decoded.ends_between_frames = decoder.is_between_frames();
    decoded
}

/// AWS's own decoder finds the same payload in a stream that ours takes for valid.
fn check_with_other_decoder(stream: &[u8], decoded: &Decoded) {
    let (mut decoder, mut rest) = (MessageFrameDecoder::new(), stream);
    let mut payload = Vec::new();
    let error = loop {
        match decoder.decode_frame(&mut rest) {
            Ok(DecodedFrame::Complete(message)) => {
                let has = |name: &str, value: &str| {
                    let headers = message.headers().iter().filter(|header| header.name().as_str() == name);
                    let first = headers.map(|header| header.value().as_string()).next();
                    first.is_some_and(|text| text.is_ok_and(|text| text.as_str() == value))
                };
                if has(":message-type", "event") && has(":event-type", "PayloadChunk") {
                    payload.extend_from_slice(message.payload());
                }
            }
            Ok(DecodedFrame::Incomplete) => break None,
            Err(error) => break Some(error),
        }
    };
    if decoded.error.is_none() && decoded.ends_between_frames {
        assert!(error.is_none(), "AWS's decoder finds an error: {error:?}");
        let ours = decoded.events.iter().filter_map(|event| match event {
            Event::Chunk(chunk) => Some(&chunk[..]),
            _ => None,
        });
        assert_eq!(ours.collect::<Vec<_>>().concat(), payload);
    }
    // Checksums are found wrong by both.
    assert!(error.is_none() || decoded.error.is_some() || !decoded.ends_between_frames);
}
