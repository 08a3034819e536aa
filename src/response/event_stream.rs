//! Decodes an event stream (application/vnd.amazon.eventstream) as it arrives, within bounded memory.
//!
//! aws-smithy-eventstream decodes the headers of a frame. It takes whole frames only, and copies their payload, but a frame
//! may have 16 MB. So the payload stays where it was received, and its checksum is computed here. A frame of up to
//! [`MAX_VERIFIED`] bytes is handed out only after its checksum was verified, a longer one as it arrives.

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::{Header, Message};
use bytes::{BufMut, Bytes};

/// The longest frame that is verified before any of it is handed out.
const MAX_VERIFIED: usize = 128 * 1024;
/// The longest event that is gathered, which every event but a PayloadChunk is.
const MAX_GATHERED: usize = 512 * 1024;
/// The format's limits. Source: the specification of amazon.eventstream.
const MAX_HEADERS: usize = 128 * 1024;
const MAX_PAYLOAD: usize = 16 * 1024 * 1024;

/// Two lengths and their checksum.
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

/// What a stream carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Bytes of the response; perhaps only a part of the frame's.
    Chunk(Bytes),
    /// The end, as a JSON document.
    Complete(Bytes),
    /// An exception in the service's model, with its JSON document.
    Exception { code: String, document: Bytes },
    /// An error outside the model.
    Error { code: String, message: String },
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// Why the bytes are not an event stream.
    Malformed(String),
    NoMemory,
}

/// Decodes one stream.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// See [`MAX_VERIFIED`].
    max_verified: usize,
    /// The beginning of a frame that came in several pieces.
    gathered: Vec<u8>,
    long: Option<LongFrame>,
}

/// A frame that is decoded before all of it has arrived.
#[derive(Debug)]
struct LongFrame {
    kind: Kind,
    checksum: crc32fast::Hasher,
    payload_left: usize,
    /// The payload, unless it is handed out or skipped.
    payload: Vec<u8>,
}

/// What a frame is, by its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Chunk,
    Complete,
    Exception(String),
    Error {
        code: String,
        message: String,
    },
    /// An initial response, or an event that this version of the model does not have.
    Ignored,
}

/// A frame's lengths.
#[derive(Clone, Copy, Debug)]
struct Prelude {
    frame: usize,
    headers: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { max_verified: MAX_VERIFIED, gathered: Vec::new(), long: None }
    }
}

#[cfg(any(test, fuzzing))]
impl Decoder {
    /// Makes a decoder for which shorter frames are long.
    pub(crate) fn verifying(max_verified: usize) -> Self {
        Self { max_verified, ..Self::default() }
    }

    /// Returns the bytes that are allocated for what was not handed out.
    pub(crate) fn held(&self) -> usize {
        self.gathered.capacity() + self.long.as_ref().map_or(0, |long| long.payload.capacity())
    }
}

impl Decoder {
    /// Returns the next event, taken from the beginning of `input`. `None`: the input is used up.
    pub(crate) fn decode(&mut self, input: &mut Bytes) -> Result<Option<Event>, DecodeError> {
        loop {
            if let Some(long) = &mut self.long {
                if long.payload_left > 0 {
                    match long.take(input)? {
                        Some(event) => return Ok(Some(event)),
                        None if input.is_empty() => return Ok(None),
                        None => continue,
                    }
                }
                let Some(checksum) = self.fill(input, CHECKSUM)? else { return Ok(None) };
                if let Some(event) = self.long.take().map_or(Ok(None), |long| long.finish(&checksum))? {
                    return Ok(Some(event));
                }
                continue;
            }
            let Some(prelude) = self.prelude(input)? else { return Ok(None) };
            if prelude.frame <= self.max_verified {
                let Some(frame) = self.fill(input, prelude.frame)? else { return Ok(None) };
                if let Some(event) = prelude.decode(frame)? {
                    return Ok(Some(event));
                }
            } else {
                let Some(head) = self.fill(input, PRELUDE + prelude.headers)? else { return Ok(None) };
                self.long = Some(LongFrame::new(prelude, &head)?);
            }
        }
    }

    /// Returns whether the stream may end here: not inside a frame.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.gathered.is_empty() && self.long.is_none()
    }

    /// Reads the lengths of the next frame and leaves them where they are. `None`: they have not arrived.
    fn prelude(&mut self, input: &mut Bytes) -> Result<Option<Prelude>, DecodeError> {
        if self.gathered.len() < PRELUDE && !self.gathered.is_empty() {
            self.gather(input, PRELUDE)?;
        }
        let begun = if self.gathered.is_empty() { &input[..] } else { &self.gathered[..] };
        if let Some(prelude) = begun.first_chunk() {
            return Prelude::read(prelude).map(Some);
        }
        self.gather(input, PRELUDE)?;
        Ok(None)
    }

    /// Takes `length` bytes, with what was gathered as their beginning. `None`: they have not arrived.
    fn fill(&mut self, input: &mut Bytes, length: usize) -> Result<Option<Bytes>, DecodeError> {
        if self.gathered.is_empty() && input.len() >= length {
            return Ok(Some(input.split_to(length)));
        }
        self.gather(input, length)?;
        Ok((self.gathered.len() == length).then(|| Bytes::from(std::mem::take(&mut self.gathered))))
    }

    /// Moves input to what was gathered, until that has `length` bytes.
    fn gather(&mut self, input: &mut Bytes, length: usize) -> Result<(), DecodeError> {
        let missing = length - self.gathered.len();
        append(&mut self.gathered, &input.split_to(missing.min(input.len())))
    }
}

impl LongFrame {
    /// `head` is the prelude and the headers.
    fn new(prelude: Prelude, head: &[u8]) -> Result<Self, DecodeError> {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(head);
        let kind = Kind::of(head)?;
        let payload_left = prelude.frame - PRELUDE - prelude.headers - CHECKSUM;
        if payload_left > MAX_GATHERED && !matches!(kind, Kind::Chunk | Kind::Ignored) {
            return Err(malformed(format!(
                "an event that is not a PayloadChunk has {payload_left} bytes; at most {MAX_GATHERED} are read"
            )));
        }
        Ok(Self { kind, checksum, payload_left, payload: Vec::new() })
    }

    /// Takes what has arrived of the payload.
    fn take(&mut self, input: &mut Bytes) -> Result<Option<Event>, DecodeError> {
        let piece = input.split_to(self.payload_left.min(input.len()));
        self.checksum.update(&piece);
        self.payload_left -= piece.len();
        match self.kind {
            Kind::Chunk if !piece.is_empty() => return Ok(Some(Event::Chunk(piece))),
            Kind::Chunk | Kind::Ignored => {}
            _ => append(&mut self.payload, &piece)?,
        }
        Ok(None)
    }

    /// Compares the checksums.
    fn finish(self, expected: &[u8]) -> Result<Option<Event>, DecodeError> {
        compare(self.checksum.finalize(), expected)?;
        // What a chunk had is handed out already.
        Ok(self.kind.event(self.payload.into()).filter(|event| !matches!(event, Event::Chunk(_))))
    }
}

impl Prelude {
    fn read(bytes: &[u8; PRELUDE]) -> Result<Self, DecodeError> {
        let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (frame, headers, checksum) = (number(0), number(4), number(8));
        let computed = crc32fast::hash(&bytes[..8]);
        if checksum != computed {
            return Err(malformed(format!(
                "the checksum of a frame's prelude is 0x{checksum:X}, but that of its bytes is 0x{computed:X}"
            )));
        }
        let (frame, headers) = (frame as usize, headers as usize);
        if frame > PRELUDE + MAX_HEADERS + MAX_PAYLOAD + CHECKSUM || headers > MAX_HEADERS {
            return Err(malformed(format!(
                "a frame claims {frame} bytes and {headers} bytes of headers; at most {MAX_PAYLOAD} bytes of payload and \
                 {MAX_HEADERS} bytes of headers are allowed"
            )));
        }
        if PRELUDE + headers + CHECKSUM > frame {
            return Err(malformed(format!("a frame of {frame} bytes claims {headers} bytes of headers")));
        }
        Ok(Self { frame, headers })
    }

    /// Decodes the frame that begins with this prelude.
    fn decode(self, mut frame: Bytes) -> Result<Option<Event>, DecodeError> {
        let expected = frame.split_off(self.frame - CHECKSUM);
        compare(crc32fast::hash(&frame), &expected)?;
        let payload = frame.split_off(PRELUDE + self.headers);
        Ok(Kind::of(&frame)?.event(payload))
    }
}

impl Kind {
    /// `head` is the prelude and the headers.
    fn of(head: &[u8]) -> Result<Self, DecodeError> {
        let message = without_payload(&head[PRELUDE..])?;
        let text = |name: &str| {
            let header = message.headers().iter().find(|header| header.name().as_str() == name);
            header.map(Header::value).and_then(|value| value.as_string().ok()).map(|text| text.as_str())
        };
        let required =
            |name: &str| text(name).ok_or_else(|| malformed(format!("an event has no {name} header, or not a string")));
        Ok(match required(":message-type")? {
            "event" => match required(":event-type")? {
                "PayloadChunk" => Self::Chunk,
                "InvokeComplete" => Self::Complete,
                _ => Self::Ignored,
            },
            "exception" => Self::Exception(required(":exception-type")?.to_owned()),
            "error" => Self::Error {
                code: text(":error-code").unwrap_or_default().to_owned(),
                message: text(":error-message").unwrap_or_default().to_owned(),
            },
            other => return Err(malformed(format!("{other:?} is not a :message-type"))),
        })
    }

    fn event(self, payload: Bytes) -> Option<Event> {
        match self {
            Self::Chunk => Some(Event::Chunk(payload)),
            Self::Complete => Some(Event::Complete(payload)),
            Self::Exception(code) => Some(Event::Exception { code, document: payload }),
            Self::Error { code, message } => Some(Event::Error { code, message }),
            Self::Ignored => None,
        }
    }
}

/// Compares the checksum of a frame's bytes with that at its end.
fn compare(computed: u32, expected: &[u8]) -> Result<(), DecodeError> {
    if computed.to_be_bytes() == *expected {
        return Ok(());
    }
    let expected: String = expected.iter().map(|byte| format!("{byte:02X}")).collect();
    Err(malformed(format!("the checksum of a frame is 0x{expected}, but that of its bytes is 0x{computed:X}")))
}

/// Decodes the headers of a frame, as those of one without a payload.
fn without_payload(headers: &[u8]) -> Result<Message, DecodeError> {
    let length = |length: usize| u32::try_from(length).map_err(|_| malformed("the headers are too long"));
    let mut frame = Vec::new();
    frame.try_reserve_exact(PRELUDE + headers.len() + CHECKSUM).map_err(|_| DecodeError::NoMemory)?;
    frame.put_u32(length(PRELUDE + headers.len() + CHECKSUM)?);
    frame.put_u32(length(headers.len())?);
    frame.put_u32(crc32fast::hash(&frame));
    frame.put_slice(headers);
    frame.put_u32(crc32fast::hash(&frame));
    read_message_from(Bytes::from(frame)).map_err(malformed)
}

fn append(into: &mut Vec<u8>, bytes: &[u8]) -> Result<(), DecodeError> {
    into.try_reserve(bytes.len()).map_err(|_| DecodeError::NoMemory)?;
    into.extend_from_slice(bytes);
    Ok(())
}

fn malformed(why: impl ToString) -> DecodeError {
    DecodeError::Malformed(why.to_string())
}

#[cfg(test)]
#[path = "../../tests/support/frames.rs"]
mod frames;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::frames::{event, frame};
    use super::*;

    fn decode<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<Event>, Result<bool, DecodeError>) {
        decode_with(Decoder::default(), pieces)
    }

    /// Decodes pieces; chunks that follow each other become one.
    fn decode_with<'p>(
        mut decoder: Decoder,
        pieces: impl IntoIterator<Item = &'p [u8]>,
    ) -> (Vec<Event>, Result<bool, DecodeError>) {
        let mut events: Vec<Event> = Vec::new();
        for piece in pieces {
            let mut input = Bytes::copy_from_slice(piece);
            loop {
                match decoder.decode(&mut input) {
                    Ok(Some(Event::Chunk(chunk))) => match events.last_mut() {
                        Some(Event::Chunk(before)) => *before = [&before[..], &chunk[..]].concat().into(),
                        _ => events.push(Event::Chunk(chunk)),
                    },
                    Ok(Some(event)) => events.push(event),
                    Ok(None) => break,
                    Err(error) => return (events, Err(error)),
                }
            }
            assert!(input.is_empty());
        }
        (events, Ok(decoder.is_between_frames()))
    }

    const LONG: usize = MAX_VERIFIED + 10;

    fn stream() -> (Vec<u8>, Vec<Event>) {
        let long = vec![b'l'; LONG];
        let bytes = [
            event("initial-response", b"{}"),
            event("PayloadChunk", b"one"),
            event("PayloadChunk", b""),
            event("NotOfThisModel", &long),
            event("PayloadChunk", &long),
            frame(&[(":message-type", "exception"), (":exception-type", "E")], b"{}"),
            frame(&[(":message-type", "error"), (":error-code", "C"), (":error-message", "m")], b""),
            event("InvokeComplete", &long),
            event("InvokeComplete", b"{}"),
        ];
        let events = vec![
            Event::Chunk(Bytes::from([b"one", &long[..]].concat())),
            Event::Exception { code: "E".into(), document: Bytes::from_static(b"{}") },
            Event::Error { code: "C".into(), message: "m".into() },
            Event::Complete(long.into()),
            Event::Complete(Bytes::from_static(b"{}")),
        ];
        (bytes.concat(), events)
    }

    #[test]
    fn the_same_events_come_whatever_the_pieces() {
        let (bytes, events) = stream();
        for size in [1, 2, 3, 5, 11, 12, 13, 16, 17, 100, 4096, 65_537, bytes.len()] {
            let (found, end) = decode(bytes.chunks(size));
            assert_eq!(end, Ok(true), "pieces of {size}");
            assert!(found == events, "pieces of {size}");
        }
    }

    #[test]
    fn a_payload_is_not_copied() {
        for length in [10, LONG] {
            let mut input = Bytes::from(event("PayloadChunk", &vec![b'x'; length]));
            let received = input.as_ptr_range();
            let Ok(Some(Event::Chunk(chunk))) = Decoder::default().decode(&mut input) else { panic!("no chunk") };
            assert!(received.contains(&chunk.as_ptr()), "{length} bytes");
        }
    }

    #[test]
    fn every_damaged_byte_is_found() {
        for frame in [event("PayloadChunk", b"some bytes"), event("PayloadChunk", &vec![7; LONG])] {
            let places = (0..200).chain(frame.len() - 8..frame.len());
            for at in places.filter(|at| *at < frame.len()) {
                let mut damaged = frame.clone();
                damaged[at] ^= 1 << (at % 8);
                let (events, end) = decode([&damaged[..]]);
                assert!(end.is_err(), "byte {at} of {}", frame.len());
                assert!(frame.len() > LONG || events.is_empty(), "a short chunk is verified first");
            }
        }
    }

    #[test]
    fn a_frame_that_claims_too_much_costs_nothing() {
        for (frame, headers) in [(u32::MAX, 0), (0x8000_0000, 10), (1 << 20, 1 << 19), (20, 100), (15, 0), (0, 0)] {
            let mut bytes = [u32::to_be_bytes(frame), u32::to_be_bytes(headers)].concat();
            bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
            let mut decoder = Decoder::default();
            assert!(decoder.decode(&mut Bytes::from(bytes)).is_err(), "{frame} {headers}");
            assert_eq!(decoder.gathered.capacity(), 0);
        }
        let complete = event("InvokeComplete", &vec![b'x'; MAX_GATHERED + 1]);
        assert!(matches!(decode([&complete[..]]), (events, Err(_)) if events.is_empty()));
    }

    #[test]
    fn events_without_the_headers_of_events_are_refused() {
        for headers in [
            &[][..],
            &[(":message-type", "event")],
            &[(":event-type", "PayloadChunk")],
            &[(":message-type", "exception")],
            &[(":message-type", "brand-new"), (":event-type", "PayloadChunk")],
        ] {
            for payload in [&b"x"[..], &[b'x'; LONG]] {
                assert!(decode([&frame(headers, payload)[..]]).1.is_err(), "{headers:?}");
            }
        }
    }

    /// What becomes of a vector.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Found {
        /// A whole frame. It is not an event, since it has no :message-type.
        Whole,
        Event,
        Damaged,
    }

    fn found(decoder: Decoder, bytes: &[u8], size: usize) -> Found {
        match decode_with(decoder, bytes.chunks(size)) {
            (events, Ok(true)) if !events.is_empty() => Found::Event,
            (events, Err(DecodeError::Malformed(why))) if events.is_empty() => {
                if why.contains("an event has no :message-type") { Found::Whole } else { Found::Damaged }
            }
            // A length that was damaged: the rest never comes.
            (_, Ok(false)) => Found::Damaged,
            other => panic!("{other:?}"),
        }
    }

    fn check_vector(name: &str, bytes: &[u8], expected: Found) {
        for size in [1, 7, bytes.len()] {
            assert_eq!(found(Decoder::default(), bytes, size), expected, "{name} in pieces of {size}");
            // Of a long frame the headers are read before its checksum has come.
            let long = found(Decoder::verifying(0), bytes, size);
            assert!(long == expected || (expected, long) == (Found::Damaged, Found::Whole), "{name}: {long:?}");
        }
    }

    /// AWS's vectors for this format, which its SDKs share. Source: the tests of botocore.
    #[test]
    fn awss_vectors_are_decoded_and_their_damaged_ones_found() {
        use Found::{Damaged, Event, Whole};
        for (name, hex, expected) in [
            ("empty_message", "000000100000000005c248eb7d98c8ff", Whole),
            ("int8_header", "0000001700000007298601580462797465 02ffc2f869dc", Whole),
            ("int16_header", "0000001900000009710e923e0573686f727403ffffb27cb6cc", Whole),
            ("int32_header", "0000001d0000000d83e3f0e707696e746567657204ffffffff8b8e12eb", Whole),
            ("int64_header", "0000001e0000000e5d4adb8d046c6f6e6705ffffffffffffffff4bc232da", Whole),
            ("payload_no_headers", "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936", Whole),
            (
                "payload_one_str_header",
                "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b27666f6f273a27\
                 626172277d8d9c08b1",
                Whole,
            ),
            (
                "all_headers_types",
                "000000620000005203b5cb9c013000013101013202020133030003013404000000040135050000000000000005013606000562797465\
                 73013707000475746638013808000000000000000801390930313233343536373839616263646566 63353671",
                Whole,
            ),
            (
                "error_event_message",
                "0000005200000042bf23637e0d3a6d6573736167652d747970650700056572726f720b3a6572726f722d636f6465070004636f6465\
                 0e3a6572726f722d6d6573736167650700076d6573736167656b6cea3d",
                Event,
            ),
            ("corrupted_payload", "0000001d00000000fd528c5a5b27666f6f273a27626172277dc3653936", Damaged),
            (
                "corrupted_length",
                "0000003e0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b27666f6f273a27\
                 626172277d8d9c08b1",
                Damaged,
            ),
            (
                "corrupted_headers",
                "0000003d0000002007fd83960c636f6e74656e742b747970650700106170706c69636174696f6e2f6a736f6e7b27666f6f273a27\
                 626172277d8d9c08b1",
                Damaged,
            ),
            (
                "corrupted_header_length",
                "0000003dff00010207fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b27666f6f273a27\
                 626172277d8d9c08b1",
                Damaged,
            ),
            // botocore rejects a frame that has a header twice; AWS's decoder for Rust, and so this one, reads the first.
            ("duplicate_header", "00000024000000144bb982d00474657374046173646604746573740461736466f3f47563", Whole),
        ] {
            let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
            let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
            check_vector(name, &digits.chunks(2).map(byte).collect::<Vec<_>>(), expected);
        }
    }

    /// The vectors that aws-smithy-eventstream is published with.
    #[test]
    fn the_vectors_of_awss_decoder_for_rust_are_decoded_and_their_damaged_ones_found() {
        let mut seen = 0;
        for entry in fs::read_dir(package("aws-smithy-eventstream").join("test_data")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let expected = if name.starts_with("valid_") { Found::Whole } else { Found::Damaged };
            check_vector(name, &fs::read(&path).unwrap(), expected);
            seen += 1;
        }
        assert!(seen >= 11, "{seen} vectors");
    }

    /// Returns the folder of a dependency's sources.
    fn package(name: &str) -> PathBuf {
        let output = |command: &mut Command| {
            let done = command.output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8(done.stdout).unwrap()
        };
        let version = output(Command::new("rustc").arg("-vV"));
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let mut metadata = Command::new(env!("CARGO"));
        // Without the filter cargo would fetch the packages of all other systems too.
        metadata.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", host]);
        let metadata = output(metadata.current_dir(env!("CARGO_MANIFEST_DIR")));
        let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
        let found = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == name).unwrap();
        Path::new(found["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
    }
}
