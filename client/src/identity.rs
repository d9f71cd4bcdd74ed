//! Who the caller is.

use std::path::PathBuf;

use futures::future::BoxFuture;

use crate::BoxError;

/// Says who calls. Asked before each attempt, so tokens may change at any time; whoever has to ask somebody else for one keeps it for as
/// long as it is good.
pub trait Identity: Send + Sync + 'static {
    /// The bearer token of the next call.
    fn token(&self) -> BoxFuture<'_, Result<String, BoxError>>;
}

/// A token in a file that somebody else keeps fresh, as Kubernetes does for service accounts.
#[derive(Debug, Clone)]
pub struct TokenFile(pub PathBuf);

impl Identity for TokenFile {
    fn token(&self) -> BoxFuture<'_, Result<String, BoxError>> {
        Box::pin(async { Ok(tokio::fs::read_to_string(&self.0).await?.trim().to_owned()) })
    }
}

/// The same token for ever.
impl Identity for String {
    fn token(&self) -> BoxFuture<'_, Result<String, BoxError>> {
        Box::pin(async { Ok(self.clone()) })
    }
}
