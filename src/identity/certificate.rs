//! What a certificate says about the program that shows it.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate as Parsed;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::domain::ids::CallerId;
use crate::domain::time::Timestamp;

/// A certificate that was verified when the connection was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The one name in it, if there is exactly one.
    pub name: Option<CallerId>,
    /// From when on it is not valid any more.
    pub expires: Timestamp,
}

/// What the connection of a call has shown. In the extensions of every request.
#[derive(Debug, Clone, Default)]
pub struct Peer(pub Option<Arc<Certificate>>);

/// The bytes are no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate")]
pub struct NotACertificate;

impl Certificate {
    /// What is said by a certificate that TLS has verified.
    pub fn read(der: &CertificateDer<'_>) -> Result<Self, NotACertificate> {
        let parsed = Parsed::from_der(der).map_err(|_| NotACertificate)?.tbs_certificate;
        let names =
            parsed.get::<SubjectAltName>().map_err(|_| NotACertificate)?.map(|(_, SubjectAltName(names))| names);
        let last = parsed.validity.not_after.to_unix_duration();
        let expires = i64::try_from(last.as_micros()).unwrap_or(i64::MAX);
        // The last second still counts.
        Ok(Self { name: name_of(&names.unwrap_or_default()), expires: Timestamp(expires.saturating_add(1_000_000)) })
    }
}

/// The URI, as SPIFFE has it; where there is none, the DNS name. Of several, none can be said to be the right one.
fn name_of(names: &[GeneralName]) -> Option<CallerId> {
    let uris: Vec<&str> = names.iter().filter_map(uri).collect();
    let names = if uris.is_empty() { names.iter().filter_map(dns_name).collect() } else { uris };
    let [name] = names[..] else { return None };
    CallerId::parse(name).ok()
}

fn uri(name: &GeneralName) -> Option<&str> {
    if let GeneralName::UniformResourceIdentifier(uri) = name { Some(uri.as_str()) } else { None }
}

fn dns_name(name: &GeneralName) -> Option<&str> {
    if let GeneralName::DnsName(name) = name { Some(name.as_str()) } else { None }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn read(names: Vec<SanType>) -> Certificate {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.not_after = date_time_ymd(2100, 1, 1);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(made.der()).unwrap()
    }

    fn uri(uri: &str) -> SanType {
        SanType::URI(uri.try_into().unwrap())
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().unwrap())
    }

    #[test]
    fn a_certificate_names_a_program_by_its_one_uri_or_its_one_dns_name() {
        let board = "spiffe://crm.example/ns/prod/sa/board";
        let name = |names| read(names).name.map(String::from);
        assert_eq!(name(vec![uri(board)]).as_deref(), Some(board));
        assert_eq!(name(vec![dns("board.prod"), uri(board)]).as_deref(), Some(board));
        assert_eq!(name(vec![dns("board.prod")]).as_deref(), Some("board.prod"));
        assert_eq!(name(vec![uri(board), uri("spiffe://crm.example/other")]), None);
        assert_eq!(name(vec![dns("a"), dns("b")]), None);
        assert_eq!(name(Vec::new()), None);
    }

    #[test]
    fn a_certificate_is_good_for_its_last_second_and_no_longer() {
        assert_eq!(read(Vec::new()).expires, Timestamp(4_102_444_801_000_000));
        assert_eq!(Certificate::read(&CertificateDer::from(b"none".as_slice())), Err(NotACertificate));
    }
}
