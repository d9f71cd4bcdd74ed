//! Where keys are read from.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use tokio::time::timeout;

use super::pem;

/// How long reading keys may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that keys may take.
const MAX_BYTES: usize = 256 * 1024;

/// Where keys are.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a file.
    File(PathBuf),
    /// Behind a URL.
    Url {
        /// The URL.
        uri: Uri,
        /// A file with the certificates that the server's own is checked against, in PEM. Absent: those that the system trusts.
        ca_file: Option<PathBuf>,
    },
}

/// Why keys could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The file cannot be read.
    #[error("the file of keys cannot be read")]
    File(#[from] io::Error),
    /// The server cannot be reached.
    #[error("the server of keys cannot be reached")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    /// The server answers something else than keys. A redirect is not followed: it would move the trust.
    #[error("the server of keys answers {0}")]
    Answer(StatusCode),
    /// The answer broke off, or is too large.
    #[error("the answer of the server of keys cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("reading the keys took longer than {} s", PATIENCE.as_secs())]
    TooSlow,
}

/// Something that keys are read from.
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    Url(Uri, Box<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>>),
}

impl Source {
    pub(super) async fn open(place: Place) -> Result<Self, pem::Error> {
        match place {
            Place::File(path) => Ok(Self::File(path)),
            Place::Url { uri, ca_file } => {
                let mut roots = RootCertStore::empty();
                match ca_file {
                    Some(path) => roots = pem::roots(&pem::read(&path).await?, &path)?,
                    None => {
                        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                    }
                }
                let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
                let connector =
                    HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
                Ok(Self::Url(uri, Box::new(Client::builder(TokioExecutor::new()).build(connector))))
            }
        }
    }

    /// The bytes that are there now.
    pub(super) async fn read(&self) -> Result<Bytes, Unread> {
        let read = async {
            match self {
                Self::File(path) => Ok(tokio::fs::read(path).await?.into()),
                Self::Url(uri, client) => {
                    let answer = client.get(uri.clone()).await?;
                    if answer.status() != StatusCode::OK {
                        return Err(Unread::Answer(answer.status()));
                    }
                    let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
                    body.map(http_body_util::Collected::to_bytes).map_err(Unread::Body)
                }
            }
        };
        timeout(PATIENCE, read).await.unwrap_or(Err(Unread::TooSlow))
    }
}
