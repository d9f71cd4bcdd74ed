//! What connections are encrypted with, and what the certificates of callers are checked against: files, which are read again
//! while the service runs, because certificates are replaced long before they expire.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use ring::digest::{Context, SHA256};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::time::sleep;

use super::certificate::Certificate;
use super::pem::{self, Error};
use super::renewal::Renewal;
use crate::domain::time::Timestamp;

/// The only protocol that is spoken.
pub const PROTOCOL: &[u8] = b"h2";

/// Where everything is, in PEM.
#[derive(Debug, Clone)]
pub struct Files {
    /// The certificate of the service, with those between it and its root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// What certificates of callers are checked against. Absent: callers are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether a connection may be made without a certificate, because callers can prove otherwise who they are.
    pub certificate_is_optional: bool,
}

/// What new connections are made with. Those that there are already keep what they were made with.
#[derive(Debug)]
pub struct Tls {
    files: Files,
    config: RwLock<Arc<ServerConfig>>,
}

/// The contents of the files.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Tls {
    /// Reads the files, which have to be right.
    pub async fn load(files: Files) -> Result<Self, Error> {
        let config = files.read().await?.config(&files)?;
        Ok(Self { files, config: RwLock::new(config) })
    }

    /// What a new connection is made with.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config.read())
    }

    /// Follows the files for ever. They are compared by what is in them: a mounted secret is replaced by moving a link, with any
    /// time of change.
    pub async fn follow(&self, interval: Duration) {
        let mut renewal = Renewal::of("certificate");
        let mut seen = self.files.read().await.ok().map(|contents| contents.fingerprint());
        loop {
            sleep(interval).await;
            match self.files.read().await {
                Ok(contents) if seen == Some(contents.fingerprint()) => {}
                Ok(contents) => {
                    seen = Some(contents.fingerprint());
                    self.replace(&contents, &mut renewal);
                }
                Err(error) => renewal.failed(&error),
            }
        }
    }

    fn replace(&self, contents: &Contents, renewal: &mut Renewal) {
        match contents.config(&self.files) {
            Ok(config) => {
                *self.config.write() = config;
                renewal.succeeded(true);
            }
            Err(error) => renewal.failed(&error),
        }
    }
}

impl Files {
    /// Until when the certificate of the service is good, if everything can be used.
    pub async fn examine(&self) -> Result<Timestamp, Error> {
        let contents = self.read().await?;
        contents.config(self)?;
        let own = pem::certificates(&contents.certificate, &self.certificate)?;
        let read = own.first().and_then(|own| Certificate::read(own).ok());
        read.map(|own| own.expires).ok_or_else(|| Error::Certificates(self.certificate.clone()))
    }

    async fn read(&self) -> Result<Contents, Error> {
        let client_ca = match &self.client_ca {
            Some(path) => Some(pem::read(path).await?),
            None => None,
        };
        Ok(Contents { certificate: pem::read(&self.certificate).await?, key: pem::read(&self.key).await?, client_ca })
    }
}

impl Contents {
    fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Context::new(&SHA256);
        for part in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            hash.update(&part.len().to_be_bytes());
            hash.update(part);
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hash.finish().as_ref());
        fingerprint
    }

    fn config(&self, files: &Files) -> Result<Arc<ServerConfig>, Error> {
        let certificate = pem::certificates(&self.certificate, &files.certificate)?;
        let key = pem::key(&self.key, &files.key)?;
        let builder = ServerConfig::builder().with_client_cert_verifier(self.verifier(files)?);
        let unfit = |source| Error::Unfit { path: files.certificate.clone(), source };
        // Also finds out whether they belong together: of two files that are replaced one after the other, one may be new.
        let mut config = builder.with_single_cert(certificate, key).map_err(unfit)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Arc::new(config))
    }

    fn verifier(&self, files: &Files) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let Some((pem, path)) = self.client_ca.as_ref().zip(files.client_ca.as_ref()) else {
            return Ok(WebPkiClientVerifier::no_client_auth());
        };
        let verifier = WebPkiClientVerifier::builder(Arc::new(pem::roots(pem, path)?));
        let verifier = if files.certificate_is_optional { verifier.allow_unauthenticated() } else { verifier };
        verifier.build().map_err(|_| Error::Certificates(path.clone()))
    }
}
