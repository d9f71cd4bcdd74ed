//! An issuer of tokens, with keys of its own; it shares no code with what checks them.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Setup, now};

/// What the tokens of all tests say they come from and are for.
pub const ISSUER: &str = "https://id.example";
pub const AUDIENCE: &str = "ownership.example";

/// A key that tokens are signed with.
pub struct Issuer {
    id: String,
    key: EcdsaKeyPair,
}

/// Seconds from now, as tokens have it.
pub fn seconds_from_now(seconds: i64) -> i64 {
    now() / 1_000_000 + seconds
}

/// What a good token says.
pub fn claims(role: &str, account: impl Into<Value>) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": format!("some-{role}"), "exp": seconds_from_now(3600),
        "role": role, "account_id": account.into(),
    });
    if ["manager", "member"].contains(&role) {
        claims["member_id"] = "anna".into();
    }
    claims
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    /// A new key under this id.
    pub fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), key }
    }

    /// The public key as it is published.
    pub fn jwk(&self) -> Value {
        let (x, y) = self.public()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.id, "x": encoded(x), "y": encoded(y)})
    }

    /// Its bytes.
    pub fn public(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    /// A token that says this.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": "ES256", "typ": "JWT", "kid": self.id}), claims)
    }

    /// The same under another header.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encoded(signature))
    }

    /// A token for everything, everywhere.
    pub fn service(&self) -> String {
        self.token(&claims("service", "*"))
    }
}

/// A token that is signed with a shared secret.
pub fn hmac_token(secret: &[u8], id: &str, claims: &Value) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": id});
    let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", encoded(signature))
}

/// Replaces a file at once, as a mounted secret is.
pub fn replace(path: &Path, contents: impl AsRef<[u8]>) {
    let next = path.with_extension("next");
    std::fs::write(&next, contents).unwrap();
    std::fs::rename(next, path).unwrap();
}

/// Keys as they are published.
pub fn key_set(issuers: &[&Issuer]) -> String {
    json!({"keys": issuers.iter().map(|issuer| issuer.jwk()).collect::<Vec<_>>()}).to_string()
}

/// A file with keys.
pub struct KeyFile {
    path: PathBuf,
    _directory: TempDir,
}

impl KeyFile {
    /// With those of some issuers.
    pub fn of(issuers: &[&Issuer]) -> Self {
        let directory = TempDir::new().unwrap();
        let file = Self { path: directory.path().join("keys.json"), _directory: directory };
        file.publish(issuers);
        file
    }

    /// From now on these.
    pub fn publish(&self, issuers: &[&Issuer]) {
        self.say(&key_set(issuers));
    }

    /// From now on this.
    pub fn say(&self, contents: &str) {
        replace(&self.path, contents);
    }
}

impl Setup {
    /// Servers that take tokens which are signed with the keys in a file. The test itself calls with one for everything.
    pub fn trusting(self, keys: &KeyFile, token: &str) -> Self {
        self.taking_tokens(token).set("auth.jwt.keys_file", keys.path.display())
    }

    /// As `trusting`; where the keys are is still to be said.
    pub fn taking_tokens(self, token: &str) -> Self {
        let setup = self.set("auth.jwt.issuer", ISSUER).set("auth.jwt.audience", AUDIENCE).set("auth.jwt.leeway", "0s");
        setup.called_with(token)
    }
}

/// A server that publishes keys, and can be told to do it badly. It has a thread of its own: tests wait for servers that ask it.
#[derive(Clone, Default)]
pub struct KeyServer(Arc<Mutex<Publication>>);

#[derive(Default)]
struct Publication {
    answer: String,
    asked: usize,
}

impl KeyServer {
    /// Starts to publish some keys. The address is where.
    pub fn start(&self, issuers: &[&Issuer]) -> String {
        self.publish(issuers);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let server = self.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                // Who asked may be gone.
                let _ = server.answer(connection.unwrap());
            }
        });
        url
    }

    /// From now on these.
    pub fn publish(&self, issuers: &[&Issuer]) {
        self.say("200 OK", &key_set(issuers));
    }

    /// From now on this.
    pub fn say(&self, status: &str, body: &str) {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        self.0.lock().answer = answer;
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.0.lock().asked
    }

    fn answer(&self, connection: TcpStream) -> io::Result<()> {
        let mut lines = BufReader::new(&connection).lines();
        while !lines.next().transpose()?.unwrap_or_default().is_empty() {}
        let answer = {
            let mut publication = self.0.lock();
            publication.asked += 1;
            publication.answer.clone()
        };
        (&connection).write_all(answer.as_bytes())
    }
}
