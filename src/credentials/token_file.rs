//! Reads the files that contain a token.

use std::path::Path;

use zeroize::Zeroizing;

use crate::platform_api::Platform;

/// Reads a token from a file. The error names it.
pub(crate) async fn read(file: &Path, platform: &dyn Platform) -> Result<Zeroizing<String>, String> {
    let content = platform.read_file(file).await.map_err(|why| format!("{}: {why}", file.display()))?;
    let text = std::str::from_utf8(&content).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Zeroizing::new(text.to_owned()))
}
