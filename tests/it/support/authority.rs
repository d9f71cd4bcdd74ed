//! An authority that makes certificates.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use time::{Duration, OffsetDateTime};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::issuer::replace;
use super::{Setup, one_replica};

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub struct Papers {
    pub certificate: String,
    pub key: String,
}

impl Default for Authority {
    fn default() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Not that of its certificates, which OpenSSL would take for self-signed ones.
        params.distinguished_name.push(DnType::CommonName, "authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }
}

impl Authority {
    /// What its certificates are checked against, in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Papers of a server on this machine, for a day.
    pub fn server(&self) -> Papers {
        self.server_until(Duration::days(1))
    }

    /// The same for as long.
    pub fn server_until(&self, validity: Duration) -> Papers {
        let names = vec![SanType::IpAddress([127, 0, 0, 1].into()), SanType::DnsName("localhost".try_into().unwrap())];
        self.papers(names, validity)
    }

    /// Papers of a server that has this name, for a day.
    pub fn server_named(&self, name: &str) -> Papers {
        self.papers(vec![SanType::DnsName(name.try_into().unwrap())], Duration::days(1))
    }

    /// Papers of a program that has this name, in SPIFFE's way, for a day.
    pub fn program(&self, name: &str) -> Papers {
        self.program_until(name, Duration::days(1))
    }

    /// The same for as long.
    pub fn program_until(&self, name: &str, validity: Duration) -> Papers {
        self.papers(vec![SanType::URI(name.try_into().unwrap())], validity)
    }

    fn papers(&self, names: Vec<SanType>, validity: Duration) -> Papers {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
        params.not_after = OffsetDateTime::now_utc() + validity;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Papers { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// A way to a server that this authority has made papers for.
    pub fn trusted(&self) -> ClientTlsConfig {
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.pem())).domain_name("localhost")
    }

    /// Whether a server agrees to speak one of these protocols.
    pub async fn agrees(&self, address: &str, protocols: &[&str]) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        let tcp = TcpStream::connect(address).await.unwrap();
        let Ok(mut connection) = connector.connect("localhost".try_into().unwrap(), tcp).await else { return false };
        // Whoever does not agree closes; whoever does begins to speak.
        connection.read(&mut [0; 1]).await.is_ok_and(|read| read == 1)
    }
}

impl Papers {
    /// Puts them where a server or a command finds them: certificate and key.
    pub fn put(&self, directory: &Path, name: &str) -> [PathBuf; 2] {
        let [certificate, key] = ["pem", "key"].map(|end| directory.join(format!("{name}.{end}")));
        replace(&key, &self.key);
        replace(&certificate, &self.certificate);
        [certificate, key]
    }

    /// To be shown by a caller.
    pub fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key)
    }
}

/// Programs that are callers of [`closed`] servers: one that works with leads, and one that sets accounts up.
pub const BOARD: &str = "spiffe://crm.example/ns/prod/sa/board";
pub const SETUP: &str = "spiffe://crm.example/ns/prod/sa/setup";

/// Servers with papers of an authority.
pub fn encrypted(authority: &Authority, directory: &Path) -> Setup {
    let [certificate, key] = authority.server().put(directory, "server");
    let setup = one_replica().called_over(authority.trusted());
    setup
        .set("server.tls.certificate_file", certificate.display())
        .set("server.tls.key_file", key.display())
        .set("server.tls.check_interval", "50ms")
}

/// The same, of which only programs with papers of that authority are callers.
pub fn closed(authority: &Authority, directory: &Path) -> Setup {
    let ca = directory.join("ca.pem");
    replace(&ca, authority.pem());
    encrypted(authority, directory)
        .called_over(authority.trusted().identity(authority.program(BOARD).identity()))
        .set("server.tls.client_ca_file", ca.display())
        .set("auth.services", BOARD)
        .set("auth.admins", SETUP)
}
