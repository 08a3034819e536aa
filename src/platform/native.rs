//! The operating system that this library runs on.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;

use crate::platform::{child_process, limits, name_lookup, private_file};
use crate::platform_api::{CommandOutput, LookupError, Platform};

/// Implements [`Platform`] with the functions of this folder.
pub(crate) struct Native;

impl Platform for Native {
    fn lookup(&self, host: &str) -> Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>, LookupError>> + Send>> {
        let found = name_lookup::lookup(host);
        Box::pin(async move {
            // The sender is dropped unused only if the thread could not continue.
            found.await.unwrap_or_else(|_| Err(name_lookup::temporary("the lookup was abandoned")))
        })
    }

    fn is_out_of_descriptors(&self, error: &io::Error) -> bool {
        limits::is_out_of_descriptors(error)
    }

    fn run(&self, command: &str) -> Pin<Box<dyn Future<Output = Result<CommandOutput, String>> + Send>> {
        Box::pin(child_process::run(command.to_owned()))
    }

    fn replace_private_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        private_file::replace(path, content)
    }
}
