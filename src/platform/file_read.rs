//! Reads files during a call. A file may be on a network that is down, or a pipe that nobody writes to, so it is read on a
//! thread: neither the call's deadline nor a fork waits for it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::platform::blocking_work::BlockingWork;
use crate::platform::limits::system_error;
use crate::platform::per_process::PerProcess;
use crate::platform_api::FileContent;

/// Larger than any file of a token.
const MAX_BYTES: u64 = 1024 * 1024;

/// Per process, since a forked child has none of its parent's threads and must not wait for them.
static READS: PerProcess<BlockingWork<PathBuf, FileContent>> = PerProcess::new();

/// Reads a file. The error does not name it.
pub(crate) async fn read(file: PathBuf) -> FileContent {
    let reads =
        READS.get_or(|| BlockingWork::new("lambda-read", |file| content(file), |why| Err(why.to_owned().into())));
    reads.run(file).await
}

fn content(file: &Path) -> FileContent {
    let file = File::open(file).map_err(|error| system_error("", &error))?;
    // At full length from the beginning: a buffer that grew would leave copies of secrets behind.
    let length = file.metadata().map_or(0, |metadata| metadata.len()).clamp(4_096, MAX_BYTES + 1);
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1));
    file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(|error| system_error("", &error))?;
    if content.len() as u64 > MAX_BYTES {
        return Err(format!("is larger than {MAX_BYTES} bytes").into());
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Result<usize, String> {
        content(Path::new(file)).map(|content| content.len()).map_err(|error| error.message)
    }

    #[test]
    fn a_file_is_read_up_to_a_limit() {
        let file = std::env::temp_dir().join(format!("lambda_invoke-read-{}", std::process::id()));
        for (length, is_read) in [(0, true), (5_000, true), (MAX_BYTES, true), (MAX_BYTES + 1, false)] {
            std::fs::write(&file, vec![b'x'; length as usize]).unwrap();
            assert_eq!(read(file.to_str().unwrap()).ok(), is_read.then_some(length as usize), "{length}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(read(file.to_str().unwrap()).unwrap_err().contains("No such file"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_an_end_is_refused() {
        assert!(read("/dev/zero").unwrap_err().contains("larger than"));
    }
}
