//! What the rest of the library needs from the operating system.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;

use zeroize::Zeroizing;

/// What the modules that know no operating system need from it; the module `platform` implements it.
pub(crate) trait Platform: Send + Sync + 'static {
    /// Resolves a name to addresses; their ports are ignored.
    fn lookup(&self, host: &str) -> Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>, LookupError>> + Send>>;

    /// Returns whether the error means that the process, or the machine, has no descriptor left.
    fn is_out_of_descriptors(&self, error: &io::Error) -> bool;

    /// Runs a command in a shell until it ends. Dropping the future kills it. The error explains why the command could
    /// not be run.
    fn run(&self, command: &str) -> Pin<Box<dyn Future<Output = Result<CommandOutput, SystemError>> + Send>>;

    /// Reads a file of moderate size. The error explains why it could not be read, and does not name it.
    fn read_file(&self, path: &Path) -> Pin<Box<dyn Future<Output = FileContent> + Send>>;

    /// Replaces a file at once, so that no reader finds it half written. Only the user can read it.
    fn replace_private_file(&self, path: &Path, content: &[u8]) -> io::Result<()>;
}

/// Explains an error which means that the process, or the machine, has no descriptor left; `None` for any other error.
pub(crate) type OutOfDescriptors = fn(&io::Error) -> Option<String>;

/// The content of a file, or why it could not be read.
pub(crate) type FileContent = Result<Zeroizing<Vec<u8>>, SystemError>;

/// Why the system did not do something.
#[derive(Clone, Debug)]
pub(crate) struct SystemError {
    pub(crate) message: String,
    /// It may do it once the process has a descriptor left.
    pub(crate) lacks_descriptors: bool,
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<String> for SystemError {
    fn from(message: String) -> Self {
        Self { message, lacks_descriptors: false }
    }
}

/// Why a name has no address.
#[derive(Clone, Debug)]
pub(crate) struct LookupError {
    pub(crate) kind: LookupErrorKind,
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupErrorKind {
    /// The name does not exist, or has no address.
    Permanent,
    /// Another lookup may succeed.
    Temporary,
    /// The process has no descriptor left to look it up with.
    NoDescriptors,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for LookupError {}

/// The output and the exit of a command.
pub(crate) struct CommandOutput {
    pub(crate) success: bool,
    /// The exit status in the system's words.
    pub(crate) how: String,
    pub(crate) stdout: Zeroizing<Vec<u8>>,
    pub(crate) stderr: Zeroizing<Vec<u8>>,
}
