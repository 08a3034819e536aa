//! What a provider returns when it has no credentials, and whether the search goes on then.

/// Why a provider returned no credentials.
#[derive(Debug)]
pub(crate) enum ProviderError {
    /// It is not available on this machine: the next provider is tried.
    NotAvailable(String),
    /// It was configured and failed: the search ends.
    Failed(String),
}

impl ProviderError {
    pub(crate) fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::NotAvailable(why) => Self::NotAvailable(change(why)),
            Self::Failed(why) => Self::Failed(change(why)),
        }
    }

    /// Puts what was tried before the reason.
    pub(crate) fn about(self, what: &str) -> Self {
        self.map(|why| format!("{what}: {why}"))
    }

    /// Ends the search, for a provider that the profile names.
    pub(crate) fn into_failed(self) -> Self {
        match self {
            Self::NotAvailable(why) | Self::Failed(why) => Self::Failed(why),
        }
    }
}
