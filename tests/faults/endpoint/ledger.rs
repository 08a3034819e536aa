//! The ledger: what arrived, what was answered, and how often an honest service would have run each call.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// What a response that reaches its client whole must be reported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Ran,
    None,
    Queued,
    /// The promise leaves it open, or the client may not have received all of it.
    Open,
}

/// What the payload of a response must be if it is reported as LAMBDA_OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Exactly the bytes with this hash.
    Hash(u64),
    /// The response does not say where it ends.
    Any,
    /// The payload cannot be whole, so LAMBDA_OK is wrong.
    Broken,
}

/// One attempt whose head arrived.
pub struct Entry {
    pub id: u64,
    pub attempt: u64,
    pub label: String,
    pub executed: bool,
    pub expected: Expected,
    pub payload: Payload,
    /// Of the request, as far as it was read whole.
    pub request_hash: Option<u64>,
    /// How long before this request, or an earlier one of its connection, began to arrive an unsolicited response had been
    /// sent. If the request had left before that arrived, then nobody can tell the two responses apart.
    pub since_unsolicited: Option<Duration>,
}

pub struct Ledger {
    attempts: Mutex<HashMap<u64, u64>>,
    file: Mutex<BufWriter<File>>,
}

impl Ledger {
    pub fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self { attempts: Mutex::default(), file: Mutex::new(BufWriter::new(File::create(path)?)) })
    }

    /// Counts an attempt of a call, from 1.
    pub fn begin(&self, id: u64) -> u64 {
        let mut attempts = self.attempts.lock().unwrap();
        let count = attempts.entry(id).or_default();
        *count += 1;
        *count
    }

    pub fn enter(&self, entry: &Entry) {
        let Entry { id, attempt, label, .. } = entry;
        let payload = match entry.payload {
            Payload::Hash(hash) => format!("{hash:016x}"),
            Payload::Any => "any".into(),
            Payload::Broken => "broken".into(),
        };
        let expected = match entry.expected {
            Expected::Ran => "RAN",
            Expected::None => "NONE",
            Expected::Queued => "QUEUED",
            Expected::Open => "-",
        };
        let request = entry.request_hash.map_or("-".into(), |hash| format!("{hash:016x}"));
        let since = entry.since_unsolicited.map_or("-".into(), |since| since.as_micros().to_string());
        let executed = u8::from(entry.executed);
        let line = format!("{id}\t{attempt}\t{label}\t{executed}\t{expected}\t{payload}\t{request}\t{since}\n");
        self.file.lock().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// Notes a fault that no call can be named for, since its request was not read.
    pub fn enter_nameless(&self, label: &str) {
        let line = format!("-\t0\t{label}\t0\t-\tbroken\t-\t-\n");
        self.file.lock().unwrap().write_all(line.as_bytes()).unwrap();
    }

    pub fn flush(&self) {
        self.file.lock().unwrap().flush().unwrap();
    }
}

/// FNV-1a, which is a few lines in every language.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}
