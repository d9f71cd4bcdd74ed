//! What a command shows to the service, and what it checks the service against.

use std::path::{Path, PathBuf};

use http::uri::Authority;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use tonic::{Request, Status};

use super::error::Error;
use crate::config::Secret;

/// Who calls, and whom it trusts.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Credentials {
    /// Token to call with; a file does not show in the list of processes
    #[arg(long, value_name = "JWT", env = "OWNERSHIP_TOKEN", hide_env_values = true)]
    #[arg(global = true, help_heading = "Connection")]
    token: Option<Secret>,
    /// File with the token, read anew for each call; instead of --token
    #[arg(long, value_name = "FILE", env = "OWNERSHIP_TOKEN_FILE", hide_env_values = true)]
    #[arg(global = true, help_heading = "Connection")]
    token_file: Option<PathBuf>,
    /// File with the certificates that the service's is checked against, for https; otherwise those that the system trusts
    #[arg(long, value_name = "FILE", env = "OWNERSHIP_CA_FILE", hide_env_values = true)]
    #[arg(global = true, help_heading = "Connection")]
    ca_file: Option<PathBuf>,
    /// Name of the service, which is in its certificate, where it is reached by another one, as through a port that is forwarded
    #[arg(long, value_name = "NAME", env = "OWNERSHIP_AUTHORITY", hide_env_values = true)]
    #[arg(global = true, help_heading = "Connection")]
    authority: Option<Authority>,
    /// File with the certificate to show to the service
    #[arg(long, value_name = "FILE", env = "OWNERSHIP_CLIENT_CERTIFICATE_FILE", hide_env_values = true)]
    #[arg(global = true, help_heading = "Connection", requires = "client_key_file")]
    client_certificate_file: Option<PathBuf>,
    /// File with the key of that certificate
    #[arg(long, value_name = "FILE", env = "OWNERSHIP_CLIENT_KEY_FILE", hide_env_values = true)]
    #[arg(global = true, help_heading = "Connection")]
    client_key_file: Option<PathBuf>,
}

impl Credentials {
    /// How a connection is encrypted.
    pub(super) fn tls(&self) -> Result<ClientTlsConfig, Error> {
        let tls = match &self.ca_file {
            Some(path) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(path)?)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        let tls = match &self.authority {
            Some(authority) => tls.domain_name(authority.host()),
            None => tls,
        };
        match self.client_certificate_file.as_ref().zip(self.client_key_file.as_ref()) {
            Some((certificate, key)) => Ok(tls.identity(Identity::from_pem(read(certificate)?, read(key)?))),
            None => Ok(tls),
        }
    }

    /// Whom a call is for, if that is not whom the address names.
    pub(super) fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// What puts the token into each call.
    pub(super) fn bearer(&self) -> Bearer {
        match (&self.token, &self.token_file) {
            (Some(token), _) => Bearer::Token(token.clone()),
            (None, Some(file)) => Bearer::File(file.clone()),
            (None, None) => Bearer::Nobody,
        }
    }
}

/// Puts a token into each call.
#[derive(Debug, Clone)]
pub enum Bearer {
    /// No token.
    Nobody,
    /// This one.
    Token(Secret),
    /// The one that is in a file at the time: whoever puts it there replaces it before it expires.
    File(PathBuf),
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let header = match self {
            Self::Nobody => return Ok(request),
            Self::Token(token) => header(token.expose()),
            Self::File(path) => header(&std::fs::read_to_string(&*path).map_err(|error| {
                Status::unauthenticated(format!("the token in {} cannot be read: {error}", path.display()))
            })?),
        };
        request.metadata_mut().insert("authorization", header?);
        Ok(request)
    }
}

fn header(token: &str) -> Result<MetadataValue<Ascii>, Status> {
    let header = format!("Bearer {}", token.trim()).parse::<MetadataValue<Ascii>>();
    let mut header = header.map_err(|_| Status::unauthenticated("what was given as the token is none"))?;
    header.set_sensitive(true);
    Ok(header)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|cause| Error::File { path: path.display().to_string(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_as_it_is_in_its_file_at_the_time_and_printed_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let credentials = Credentials { token_file: Some(path.clone()), ..Credentials::default() };
        let mut bearer = credentials.bearer();
        assert!(bearer.call(Request::new(())).is_err());
        for token in ["one", "two"] {
            std::fs::write(&path, format!("{token}\n")).unwrap();
            let sent = bearer.call(Request::new(())).unwrap();
            assert_eq!(sent.metadata().get("authorization").unwrap(), &format!("Bearer {token}"));
            assert!(!format!("{sent:?}").contains(token), "{sent:?}");
        }
        let credentials = Credentials { token: Some("s3cret".to_owned().into()), ..credentials };
        assert!(!format!("{credentials:?}{:?}", credentials.bearer()).contains("s3cret"));
    }
}
