//! The operating system that this library runs on.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;

use crate::platform::{child_process, file_read, limits, name_lookup, private_file};
use crate::platform_api::{CommandOutput, FileContent, LookupError, Platform, SystemError};

/// Implements [`Platform`] with the functions of this folder.
pub(crate) struct Native;

impl Platform for Native {
    fn lookup(&self, host: &str) -> Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>, LookupError>> + Send>> {
        Box::pin(name_lookup::lookup(host.to_owned()))
    }

    fn is_out_of_descriptors(&self, error: &io::Error) -> bool {
        limits::is_out_of_descriptors(error)
    }

    fn run(&self, command: &str) -> Pin<Box<dyn Future<Output = Result<CommandOutput, SystemError>> + Send>> {
        Box::pin(child_process::run(command.to_owned()))
    }

    fn read_file(&self, path: &Path) -> Pin<Box<dyn Future<Output = FileContent> + Send>> {
        Box::pin(file_read::read(path.to_owned()))
    }

    fn replace_private_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        private_file::replace(path, content)
    }
}
