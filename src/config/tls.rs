//! How connections are encrypted.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Check;

/// `server.tls.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// A file with the certificate that the service shows, and those between it and its root, in PEM. Absent: connections are not
    /// encrypted.
    pub certificate_file: Option<PathBuf>,
    /// A file with the key of that certificate.
    pub key_file: Option<PathBuf>,
    /// A file with the certificates that those of callers are checked against. Every connection has to be made with one, unless
    /// callers can prove by a token who they are. Absent: callers are not asked for any.
    pub client_ca_file: Option<PathBuf>,
    /// How often the files are looked at, so that new ones are used without a restart. 10ms to 1h.
    #[serde(with = "humantime_serde")]
    pub check_interval: Duration,
}

impl Tls {
    /// Whether connections are encrypted.
    pub fn is_on(&self) -> bool {
        self.certificate_file.is_some()
    }

    /// What makes sense of these keys, and what does not.
    pub(super) fn checks(&self) -> [Check; 3] {
        let (shortest, longest) = (Duration::from_millis(10), Duration::from_secs(3600));
        [
            ("server.tls.key_file", self.key_file.is_some() == self.is_on(), "goes with server.tls.certificate_file"),
            (
                "server.tls.client_ca_file",
                self.client_ca_file.is_none() || self.is_on(),
                "goes with server.tls.certificate_file",
            ),
            (
                "server.tls.check_interval",
                (shortest..=longest).contains(&self.check_interval),
                "must be from 10ms to 1h",
            ),
        ]
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self { certificate_file: None, key_file: None, client_ca_file: None, check_interval: Duration::from_secs(10) }
    }
}
