//! The event stream of a streamed response (application/vnd.amazon.eventstream), and what can be wrong with it.

use crate::draw::Draw;

pub const FRAME_KINDS: [&str; 6] =
    ["frame-checksum", "frame-lengths", "frames-cut", "frame-unknown", "frame-exception", "frame-error-at-end"];

/// Whether a stream of this kind comes to its end.
pub fn is_whole(kind: &str) -> bool {
    !matches!(kind, "frame-checksum" | "frame-lengths" | "frames-cut" | "frame-exception")
}

/// Makes the stream that carries a content.
pub fn stream(kind: &str, content: &[u8], draw: &mut Draw) -> Vec<u8> {
    // From one byte to more than what is verified at once.
    let size = draw.one_of(&[1, 100, 5_000, 140_000, 1_000_000]).max(content.len() / 200);
    let mut frames: Vec<_> = content.chunks(size).map(|chunk| event("PayloadChunk", chunk)).collect();
    frames.push(match kind {
        "frame-error-at-end" => event("InvokeComplete", br#"{"ErrorCode":"Unhandled","ErrorDetails":"of the end"}"#),
        _ => event("InvokeComplete", b"{}"),
    });
    let place = draw.below(frames.len());
    match kind {
        "frame-checksum" => {
            let last = frames[place].len() - 1;
            frames[place][last] ^= 1 << draw.below(8);
        }
        "frame-lengths" => frames[place][draw.below(8)] ^= 1 << draw.below(8),
        "frame-unknown" => frames.insert(place, event("OfALaterModel", b"{}")),
        "frame-exception" => {
            let headers = [(":message-type", "exception"), (":exception-type", "ServiceException")];
            frames[place] = frame(&headers, br#"{"message":"in the middle"}"#);
        }
        "frames-cut" => {
            frames.truncate(place + 1);
            // Between two frames, or inside one.
            let length = if draw.percent(50) { 0 } else { draw.below(frames[place].len()) };
            frames[place].truncate(length);
        }
        _ => {}
    }
    frames.concat()
}

fn event(kind: &str, payload: &[u8]) -> Vec<u8> {
    frame(&[(":message-type", "event"), (":event-type", kind)], payload)
}

fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    const TEXT: u8 = 7;
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(name.len() as u8);
        head.extend_from_slice(name.as_bytes());
        head.push(TEXT);
        head.extend_from_slice(&(value.len() as u16).to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    let lengths = [16 + head.len() + payload.len(), head.len()].map(|length| (length as u32).to_be_bytes()).concat();
    let mut frame = [&lengths[..], &crc32fast::hash(&lengths).to_be_bytes(), &head, payload].concat();
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}
