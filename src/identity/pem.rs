//! Files with certificates and keys.

use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no certificate in it, or one that is damaged.
    #[error("{} holds no certificates in PEM", .0.display())]
    Certificates(PathBuf),
    /// There is no private key in it, or one that is damaged.
    #[error("{} holds no private key in PEM", .0.display())]
    Key(PathBuf),
    /// They do not belong together, or TLS cannot use them.
    #[error("{} and its key cannot be used", path.display())]
    Unfit {
        /// The file of the certificate.
        path: PathBuf,
        /// What TLS said.
        #[source]
        source: rustls::Error,
    },
}

pub(super) async fn read(path: &Path) -> Result<Vec<u8>, Error> {
    tokio::fs::read(path).await.map_err(|source| Error::Read { path: path.to_owned(), source })
}

pub(super) fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| Error::Certificates(path.to_owned()))
}

pub(super) fn roots(pem: &[u8], path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, path)? {
        roots.add(certificate).map_err(|_| Error::Certificates(path.to_owned()))?;
    }
    Ok(roots)
}

pub(super) fn key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| Error::Key(path.to_owned()))
}
