//! Where log events go: to the caller's sink, and to stderr if LAMBDA_INVOKE_LOG asks for it.

use crate::config::config::Config;
use crate::config::environment::Environment;
use crate::config::setting::{Origin, Setting};
use crate::error::quoted;
use crate::log::{Log, LogLevel, Sink};

/// Chooses how much goes to stderr; nothing else ever writes there.
const VARIABLE: &str = "LAMBDA_INVOKE_LOG";

/// The sinks of a client.
#[derive(Debug)]
pub(crate) struct Logging {
    pub(crate) log: Log,
    /// The most detailed level of any sink.
    pub(crate) level: Setting<Option<LogLevel>>,
    /// Why the variable does not count. A variable for debugging must not stop a program.
    pub(crate) ignored: Option<String>,
}

impl Logging {
    /// `stderr` receives the events that the variable asks for; `callers` makes a sink of the caller's fit to be called
    /// from anywhere.
    pub(crate) fn resolve(
        config: &Config,
        environment: &Environment<'_>,
        stderr: Sink,
        callers: fn(Sink) -> Sink,
    ) -> Self {
        let (on_stderr, ignored) = match stderr_level(environment) {
            Ok(level) => (level, None),
            Err(why) => (None, Some(why)),
        };
        let mut log = Log::default();
        if let Some((level, sink)) = &config.log {
            log.add(*level, callers(sink.clone()));
        }
        if let Some(level) = on_stderr {
            log.add(level, stderr);
        }
        let level = match (config.log.as_ref().map(|(level, _)| *level), on_stderr) {
            (None, None) => Setting::default(None),
            (set, on_stderr) if set > on_stderr => Setting::new(set, Origin::Setter("log")),
            (_, on_stderr) => Setting::new(on_stderr, Origin::Variable(VARIABLE)),
        };
        Self { log, level, ignored }
    }
}

fn stderr_level(environment: &Environment<'_>) -> Result<Option<LogLevel>, String> {
    let Some(level) = environment.get(VARIABLE).map_err(|error| error.message().to_owned())? else { return Ok(None) };
    LogLevel::parse(&level).ok_or_else(|| {
        format!(
            "{VARIABLE} is ignored: {} is not a level: expected off, error, warn, info, debug or trace",
            quoted(&level)
        )
    })
}
