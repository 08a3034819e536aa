//! A streamed response: hands out its chunks, and classifies it by how it ends. The rows of "Did it run?" for responses
//! whose head said that the function ran.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::task::yield_now;

use crate::http::transport::{BodyFailure, Response};
use crate::outcome::Outcome;
use crate::response::chunks::Chunks;
use crate::response::classification::Classification;
use crate::response::event_stream::{DecodeError, Decoder, Event};
use crate::response::json_text;
use crate::response::response::{Head, decoded_log};
use crate::server_text::ServerText;
use crate::status::{Execution, Status};

/// So much of the body is gathered before it is handed out, where it has arrived. Events without bytes for the reader count
/// too: they must not hold back the chunks before them.
const AT_ONCE: usize = 256 * 1024;

/// The InvokeComplete event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Complete {
    /// `None`: the function succeeded.
    error_code: Option<String>,
    error_type: Option<String>,
    error_message: Option<String>,
    log: Option<Vec<u8>>,
}

/// Why a stream did not come to its end.
#[derive(Debug, PartialEq, Eq)]
struct Broken {
    status: Status,
    code: Option<String>,
    why: String,
}

/// Hands out the chunks of a response as they arrive, and classifies it at its end.
pub(crate) async fn read(head: &Head, mut response: Response, chunks: &Chunks) -> Classification {
    conclude(head, to_the_end(head, &mut response, chunks).await)
}

async fn to_the_end(head: &Head, response: &mut Response, chunks: &Chunks) -> Result<Complete, Broken> {
    let mut decoder = Decoder::default();
    let mut next = response.chunk().await;
    let mut gathered = 0;
    loop {
        let end = match next {
            Ok(Some(input)) => {
                gathered += input.len();
                decode(&mut decoder, input, chunks)
            }
            Ok(None) => Some(Err(Broken::cut(head, &decoder))),
            Err(BodyFailure::Io(why)) => Some(Err(Broken { status: Status::Io, code: None, why })),
            Err(BodyFailure::NoMemory | BodyFailure::TooLarge) => Some(Err(Broken::no_memory())),
        };
        // Before it waits for the reader, the call takes what has arrived: a chunk of HTTP often has a single event.
        if end.is_none()
            && gathered < AT_ONCE
            && chunks.may_grow()
            && let Some(arrived) = arrived(response).await
        {
            next = arrived;
            continue;
        }
        chunks.hand_out().await;
        gathered = 0;
        match end {
            Some(Ok(complete)) => {
                // The end of the response usually arrives together with the last event. Once the connection has noticed
                // it, later calls can use the connection.
                arrived(response).await;
                return Ok(complete);
            }
            Some(Err(broken)) => return Err(broken),
            None => next = response.chunk().await,
        }
    }
}

/// Passes on the chunks of what has arrived. Returns how the stream ends, if it does.
fn decode(decoder: &mut Decoder, mut input: Bytes, chunks: &Chunks) -> Option<Result<Complete, Broken>> {
    loop {
        match decoder.decode(&mut input) {
            Ok(Some(event)) => match meaning(event) {
                ControlFlow::Continue(chunk) if chunk.is_empty() => {}
                ControlFlow::Continue(chunk) => chunks.push(chunk),
                ControlFlow::Break(end) => return Some(end),
            },
            Ok(None) => return None,
            Err(DecodeError::Malformed(why)) => {
                return Some(Err(Broken::protocol(format!("it is not an event stream: {why}"))));
            }
            Err(DecodeError::NoMemory) => return Some(Err(Broken::no_memory())),
        }
    }
}

/// Returns the next bytes of the body if they have arrived. A turn of the runtime passes on what the connection has read.
async fn arrived(response: &mut Response) -> Option<Result<Option<Bytes>, BodyFailure>> {
    for turn in 0..2 {
        if turn > 0 {
            yield_now().await;
        }
        let mut chunk = pin!(response.chunk());
        if let Poll::Ready(chunk) = poll_fn(|context| Poll::Ready(chunk.as_mut().poll(context))).await {
            return Some(chunk);
        }
    }
    None
}

/// Returns the bytes of a chunk, or else how the stream ends.
fn meaning(event: Event) -> ControlFlow<Result<Complete, Broken>, Bytes> {
    match event {
        Event::Chunk(chunk) => ControlFlow::Continue(chunk),
        Event::Complete(document) => ControlFlow::Break(Complete::read(&document)),
        Event::Exception { code, document } => ControlFlow::Break(Err(Broken::exception(code, &document))),
        Event::Error { code, message } => ControlFlow::Break(Err(Broken::error(&code, &message))),
    }
}

/// Classifies a stream that ends with this event, if it is not a chunk.
#[cfg(any(test, fuzzing))]
pub(crate) fn outcome_of(event: Event, head: &Head) -> Option<Outcome> {
    Some(conclude(head, meaning(event).break_value()?).outcome)
}

fn conclude(head: &Head, end: Result<Complete, Broken>) -> Classification {
    let mut outcome = Outcome::empty(Status::Ok, Execution::Ran);
    outcome.function_error = head.function_error();
    match end {
        Ok(complete) => {
            outcome.log = complete.log.or_else(|| head.log());
            outcome.function_error = outcome.function_error.or_else(|| complete.error_code.clone());
            if let Some(kind) = &outcome.function_error {
                outcome.status = Status::FunctionError;
                outcome.error_message = complete
                    .error_message
                    .or_else(|| Some(format!("the function failed ({kind}) and InvokeComplete has no ErrorDetails")));
                outcome.error_type = complete.error_type.or(complete.error_code);
            }
        }
        Err(broken) => {
            outcome.log = head.log();
            outcome.status = broken.status;
            outcome.error_type = broken.code;
            outcome.error_message =
                Some(format!("the function ran, but the rest of its response was lost: {}", broken.why));
        }
    }
    head.complete(&mut outcome);
    Classification::end(outcome)
}

impl Complete {
    /// Reads the event's document, whose fields begin with a lower-case letter at some servers.
    fn read(document: &[u8]) -> Result<Self, Broken> {
        const NAMES: [&str; 6] = ["ErrorCode", "errorCode", "ErrorDetails", "errorDetails", "LogResult", "logResult"];
        if document.is_empty() {
            return Ok(Self::default());
        }
        let found = json_text::find(document, NAMES).filter(|found| found.is_whole);
        let Some(found) = found else {
            return Err(Broken::protocol("its InvokeComplete event is not a JSON object".into()));
        };
        let [code, code_too, details, details_too, log, log_too] = found.values;
        let some_text = |value: Option<&[u8]>, other: Option<&[u8]>| {
            value.or(other).and_then(json_text::text).filter(|text| !text.is_empty())
        };
        let details = some_text(details, details_too);
        let [error_type, error_message] = details
            .as_deref()
            .and_then(|details| json_text::find(details.as_bytes(), ["errorType", "errorMessage"]))
            .map(|found| found.values)
            .unwrap_or_default();
        let (error_type, error_message) =
            (error_type.and_then(json_text::string_text), error_message.and_then(json_text::text));
        Ok(Self {
            error_code: some_text(code, code_too),
            error_type,
            error_message: error_message.or(details),
            log: some_text(log, log_too).and_then(|log| decoded_log(log.as_bytes())),
        })
    }
}

impl Broken {
    fn protocol(why: String) -> Self {
        Self { status: Status::Protocol, code: None, why }
    }

    fn no_memory() -> Self {
        Self { status: Status::NoMemory, code: None, why: "there is no memory for it".to_owned() }
    }

    /// The stream ended before InvokeComplete. If nothing tells the end of the response from a connection that broke,
    /// then the connection broke.
    fn cut(head: &Head, decoder: &Decoder) -> Self {
        let place = if decoder.is_between_frames() { "before InvokeComplete" } else { "inside a frame" };
        let status = if head.has_certain_end() { Status::Protocol } else { Status::Io };
        Self { status, code: None, why: format!("the stream ended {place}") }
    }

    fn exception(code: String, document: &Bytes) -> Self {
        let found = json_text::find(document, ["message", "Message"]);
        let [message, other] = found.map(|found| found.values).unwrap_or_default();
        let message = message.or(other).and_then(json_text::text).unwrap_or_default();
        Self::error(&code, &message)
    }

    fn error(code: &str, message: &str) -> Self {
        let (code, message) = (ServerText::of(code), ServerText::of(message));
        let why = match message.is_empty() {
            true => format!("the service ended the stream with {code}"),
            false => format!("the service ended the stream with {code}: {message}"),
        };
        Self { status: Status::Service, code: Some(code).filter(|code| !code.is_empty()), why }
    }
}
