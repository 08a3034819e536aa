//! The operating system as one load of credentials uses it, which notes if the process had no descriptor left.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::platform_api::{CommandOutput, FileContent, LookupError, Platform, SystemError};

pub(crate) struct Observed {
    platform: Arc<dyn Platform>,
    lacked_descriptors: Arc<AtomicBool>,
}

impl Observed {
    pub(crate) fn new(platform: Arc<dyn Platform>) -> Self {
        Self { platform, lacked_descriptors: Arc::default() }
    }

    /// Returns whether a file or a command failed because the process had no descriptor left.
    pub(crate) fn lacked_descriptors(&self) -> bool {
        self.lacked_descriptors.load(Ordering::Relaxed)
    }

    fn note<T: 'static>(
        &self,
        work: Pin<Box<dyn Future<Output = Result<T, SystemError>> + Send>>,
    ) -> Pin<Box<dyn Future<Output = Result<T, SystemError>> + Send>> {
        let lacked_descriptors = Arc::clone(&self.lacked_descriptors);
        Box::pin(async move {
            let done = work.await;
            if done.as_ref().is_err_and(|error| error.lacks_descriptors) {
                lacked_descriptors.store(true, Ordering::Relaxed);
            }
            done
        })
    }
}

impl Platform for Observed {
    fn lookup(&self, host: &str) -> Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>, LookupError>> + Send>> {
        self.platform.lookup(host)
    }

    fn is_out_of_descriptors(&self, error: &io::Error) -> bool {
        self.platform.is_out_of_descriptors(error)
    }

    fn run(&self, command: &str) -> Pin<Box<dyn Future<Output = Result<CommandOutput, SystemError>> + Send>> {
        self.note(self.platform.run(command))
    }

    fn read_file(&self, path: &Path) -> Pin<Box<dyn Future<Output = FileContent> + Send>> {
        self.note(self.platform.read_file(path))
    }

    fn replace_private_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.platform.replace_private_file(path, content)
    }
}
