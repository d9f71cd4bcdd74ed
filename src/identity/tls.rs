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
use crate::metrics;

/// The only protocol that is spoken.
pub const PROTOCOL: &[u8] = b"h2";
/// How many days before its end a certificate should have been replaced.
pub const REPLACED_BEFORE: i64 = 7;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

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
    used: RwLock<Used>,
}

/// What was made of the files when they could be used last.
#[derive(Debug)]
struct Used {
    config: Arc<ServerConfig>,
    expires: Timestamp,
    fingerprint: [u8; 32],
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
        let used = files.read().await?.used(&files)?;
        Ok(Self { files, used: RwLock::new(used) })
    }

    /// What a new connection is made with.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.used.read().config)
    }

    /// Follows the files for ever, and tells for how long the certificate is still good.
    pub async fn follow(&self, interval: Duration, now: impl Fn() -> Timestamp) {
        let mut renewal = Renewal::of("certificate");
        self.warn_of_end(now());
        loop {
            metrics::get().certificate_expires(self.seconds_left(now()));
            sleep(interval).await;
            match self.renew().await {
                Ok(is_new) => {
                    renewal.succeeded(is_new);
                    if is_new {
                        self.warn_of_end(now());
                    }
                }
                Err(error) => renewal.failed(&error),
            }
        }
    }

    /// Whether the files are others than those in use, and so are used from now on. They are compared by what is in them: a mounted
    /// secret is replaced by moving a link, with any time of change.
    async fn renew(&self) -> Result<bool, Error> {
        let contents = self.files.read().await?;
        if self.used.read().fingerprint == contents.fingerprint() {
            return Ok(false);
        }
        let used = contents.used(&self.files)?;
        *self.used.write() = used;
        Ok(true)
    }

    fn seconds_left(&self, now: Timestamp) -> i64 {
        (self.used.read().expires.0 - now.0).div_euclid(1_000_000)
    }

    fn warn_of_end(&self, now: Timestamp) {
        let days = self.seconds_left(now).div_euclid(SECONDS_PER_DAY);
        if days < 0 {
            tracing::warn!("the certificate of the service has expired: whoever checks it does not connect");
        } else if days < REPLACED_BEFORE {
            tracing::warn!(days, "the certificate of the service expires soon");
        }
    }
}

impl Files {
    /// Until when the certificate of the service is good, if everything can be used.
    pub async fn examine(&self) -> Result<Timestamp, Error> {
        Ok(self.read().await?.used(self)?.expires)
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

    fn used(&self, files: &Files) -> Result<Used, Error> {
        let certificate = pem::certificates(&self.certificate, &files.certificate)?;
        let own = certificate.first().and_then(|own| Certificate::read(own).ok());
        let expires = own.ok_or_else(|| Error::Certificates(files.certificate.clone()))?.expires;
        let key = pem::key(&self.key, &files.key)?;
        let builder = ServerConfig::builder().with_client_cert_verifier(self.verifier(files)?);
        let unfit = |source| Error::Unfit { path: files.certificate.clone(), source };
        // Also finds out whether they belong together: of two files that are replaced one after the other, one may be new.
        let mut config = builder.with_single_cert(certificate, key).map_err(unfit)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Used { config: Arc::new(config), expires, fingerprint: self.fingerprint() })
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn put(directory: &Path) -> Files {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let [certificate, key] = ["crt", "key"].map(|end| directory.join("tls").with_extension(end));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Files { certificate, key, client_ca: None, certificate_is_optional: false }
    }

    #[tokio::test]
    async fn what_is_replaced_before_it_is_followed_is_taken_over_too() {
        let directory = tempfile::TempDir::new().unwrap();
        let tls = Tls::load(put(directory.path())).await.unwrap();
        let first = tls.config();
        put(directory.path());
        let replaced = async {
            while Arc::ptr_eq(&first, &tls.config()) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let follow = tls.follow(Duration::from_millis(1), Timestamp::default);
        tokio::select! {
            () = follow => {}
            () = replaced => {}
            () = sleep(Duration::from_secs(10)) => panic!("the first ones are still in use"),
        }
    }
}
