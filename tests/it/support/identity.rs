//! Who a broker and those that it lets in prove to be: certificates, and the tokens of NATS.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use nkeys::KeyPair;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::authority::Authority;

const NAMES: [&str; 5] = ["ca.pem", "server.pem", "server.key", "client.pem", "client.key"];

/// An authority, and certificates of a broker and a client that it has signed.
pub struct Certificates(TempDir);

impl Certificates {
    /// New ones.
    pub fn new() -> Self {
        let (directory, authority) = (TempDir::new().unwrap(), Authority::default());
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        authority.server().put(directory.path(), "server");
        authority.program("spiffe://crm.example/ownership").put(directory.path(), "client");
        Self(directory)
    }

    /// One of [`NAMES`].
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts others in their place.
    pub fn replace_by(&self, others: &Self) {
        for name in NAMES {
            std::fs::copy(others.file(name), self.file(name)).unwrap();
        }
    }

    /// What a broker is configured with, which may ask its clients for a certificate.
    pub fn configuration(&self, verify: bool) -> String {
        let [ca, certificate, key] = ["ca.pem", "server.pem", "server.key"].map(|name| self.file(name));
        format!("tls {{ ca_file: {ca:?}, cert_file: {certificate:?}, key_file: {key:?}, verify: {verify} }}")
    }
}

/// An operator, an account of it, and a user of that: a broker that trusts the operator lets the user in.
///
/// Written here because nats-jwt makes no tokens of operators.
pub struct Operator {
    directory: TempDir,
    configuration: String,
}

impl Operator {
    /// New ones, and the credentials of the user in a file.
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
        let (system, user) = (KeyPair::new_account(), KeyPair::new_user());
        let everything = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
            "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
        });
        let trusted = token(&operator, &operator, json!({ "type": "operator", "system_account": system.public_key() }));
        let streams = token(&operator, &account, json!({ "type": "account", "limits": everything }));
        let none = json!({ "subs": -1, "conn": -1, "wildcards": true, "data": -1, "payload": -1 });
        let internal = token(&operator, &system, json!({ "type": "account", "limits": none }));
        let person = token(&account, &user, json!({ "type": "user", "subs": -1, "data": -1, "payload": -1 }));
        let credentials = format!(
            "-----BEGIN NATS USER JWT-----\n{person}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            user.seed().unwrap(),
        );
        std::fs::write(directory.path().join("user.creds"), credentials).unwrap();
        let configuration = format!(
            "operator: {trusted}\nresolver: MEMORY\nresolver_preload {{ {}: {streams}, {}: {internal} }}",
            account.public_key(),
            system.public_key(),
        );
        Self { directory, configuration }
    }

    /// What a broker is configured with that trusts it.
    pub fn configuration(&self) -> &str {
        &self.configuration
    }

    /// The credentials of the user.
    pub fn credentials_file(&self) -> PathBuf {
        self.directory.path().join("user.creds")
    }
}

/// A token in which one says what another may do.
fn token(issuer: &KeyPair, subject: &KeyPair, mut claims: Value) -> String {
    claims["version"] = 2.into();
    let (issuer_id, subject) = (issuer.public_key(), subject.public_key());
    let body = json!({ "jti": subject, "iat": 1_700_000_000, "iss": issuer_id, "name": "test", "sub": subject, "nats": claims });
    let part = |value: &Value| BASE64.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "typ": "JWT", "alg": "ed25519-nkey" })), part(&body));
    format!("{signed}.{}", BASE64.encode(issuer.sign(signed.as_bytes()).unwrap()))
}
