//! The library's log: its own events, passed to the sinks of one client.

use std::fmt;
use std::sync::Arc;

use crate::server_text::ServerText;

/// How detailed the log is. Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// A call failed.
    Error,
    /// Something was wrong, and the library coped with it.
    Warn,
    /// Rare and useful: where credentials came from.
    Info,
    /// Every attempt and its outcome.
    Debug,
    /// Everything else.
    Trace,
}

impl LogLevel {
    /// Returns the name in capitals, as logs usually print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }

    /// Parses a name, whatever its case. `Some(None)` is "off"; `None` is an unknown name.
    pub(crate) fn parse(name: &str) -> Option<Option<Self>> {
        if name.eq_ignore_ascii_case("off") {
            return Some(None);
        }
        let all = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];
        all.into_iter().find(|level| name.eq_ignore_ascii_case(level.as_str())).map(Some)
    }
}

/// Receives the level, the target (such as `lambda_invoke::credentials`) and the message of an event.
pub(crate) type Sink = Arc<dyn Fn(LogLevel, &str, &str) + Send + Sync>;

/// The sinks of a client, each with its most detailed level.
#[derive(Clone, Default)]
pub(crate) struct Log {
    sinks: Vec<(LogLevel, Sink)>,
    /// What every message begins with.
    label: Option<Arc<str>>,
}

impl Log {
    pub(crate) fn add(&mut self, max_level: LogLevel, sink: Sink) {
        self.sinks.push((max_level, sink));
    }

    /// Returns a log with the same sinks for one call: every message begins with the function and a number that
    /// identifies the call.
    pub(crate) fn for_call(&self, function: &str, number: u64) -> Self {
        match self.sinks.is_empty() {
            true => Self::default(),
            false => Self { sinks: self.sinks.clone(), label: Some(format!("{function} #{number}: ").into()) },
        }
    }

    /// Returns the most detailed level of all sinks.
    fn max_level(&self) -> Option<LogLevel> {
        self.sinks.iter().map(|(level, _)| *level).max()
    }

    pub(crate) fn error(&self, target: &str, message: impl FnOnce() -> String) {
        self.write(LogLevel::Error, target, message);
    }

    pub(crate) fn warn(&self, target: &str, message: impl FnOnce() -> String) {
        self.write(LogLevel::Warn, target, message);
    }

    pub(crate) fn info(&self, target: &str, message: impl FnOnce() -> String) {
        self.write(LogLevel::Info, target, message);
    }

    pub(crate) fn debug(&self, target: &str, message: impl FnOnce() -> String) {
        self.write(LogLevel::Debug, target, message);
    }

    pub(crate) fn trace(&self, target: &str, message: impl FnOnce() -> String) {
        self.write(LogLevel::Trace, target, message);
    }

    /// Passes an event on. `message` is only called if a sink takes this level.
    fn write(&self, level: LogLevel, target: &str, message: impl FnOnce() -> String) {
        if self.max_level().is_some_and(|max| level <= max) {
            let message = on_one_line(self.label.as_deref().unwrap_or_default().to_owned() + &message());
            for (_, sink) in self.sinks.iter().filter(|(max, _)| level <= *max) {
                sink(level, target, &message);
            }
        }
    }
}

/// Replaces control characters, so that text from a server cannot look like another event.
fn on_one_line(message: String) -> String {
    if message.contains(char::is_control) { ServerText::of(&message) } else { message }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.max_level()).finish()
    }
}

/// The targets of the messages.
pub(crate) mod target {
    pub(crate) const CONFIG: &str = "lambda_invoke::config";
    pub(crate) const CREDENTIALS: &str = "lambda_invoke::credentials";
    pub(crate) const CALL: &str = "lambda_invoke::call";
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_events_of_a_call_begin_with_its_function_and_number() {
        let received = Arc::new(Mutex::new(Vec::new()));
        let mut log = Log::default();
        let sink = Arc::clone(&received);
        log.add(LogLevel::Warn, Arc::new(move |_, _, message| sink.lock().unwrap().push(message.to_owned())));
        log.for_call("orders", 7).warn("t", || "a".to_owned());
        assert_eq!(*received.lock().unwrap(), ["orders #7: a"]);
    }

    #[test]
    fn each_sink_gets_its_levels_on_one_line() {
        let received = Arc::new(Mutex::new(Vec::new()));
        let mut log = Log::default();
        for level in [LogLevel::Warn, LogLevel::Trace] {
            let received = Arc::clone(&received);
            log.add(
                level,
                Arc::new(move |_, _, message| received.lock().unwrap().push(format!("{level:?} {message}"))),
            );
        }
        log.warn("t", || "a\nERROR b".to_owned());
        log.trace("t", || "c".to_owned());
        assert_eq!(*received.lock().unwrap(), ["Warn a ERROR b", "Trace a ERROR b", "Trace c"]);
    }
}
