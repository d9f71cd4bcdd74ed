//! What connections are encrypted with and who is let in, as configured.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::config::{Auth, Config, Jwt};
use crate::domain::caller::Role;
use crate::domain::ids::CallerId;
use crate::identity::{
    Algorithm, ClaimNames, Files, Gate, KeyOptions, KeysError, Options, PemError, Place, Tls, TokenOptions,
};
use crate::rpc::now;

/// Why nobody can be let in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing can be encrypted.
    #[error("server.tls cannot be used")]
    Tls(#[from] PemError),
    /// No token can be checked.
    #[error("auth.jwt cannot be used")]
    Keys(#[from] KeysError),
}

/// Encryption and authentication, as far as there is to be any.
pub(super) struct Identity {
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) gate: Option<Gate>,
    /// Keep certificates and keys up to date until this is dropped.
    _followers: JoinSet<()>,
}

/// Reads certificates and keys for the first time, and from then on when they change.
pub(super) async fn open(config: &Config) -> Result<Identity, Error> {
    let mut followers = JoinSet::new();
    let mut tls = None;
    if let Some(files) = files(config) {
        let loaded = Arc::new(Tls::load(files).await?);
        let (followed, interval) = (Arc::clone(&loaded), config.server.tls.check_interval);
        followers.spawn(async move { followed.follow(interval, now).await });
        tls = Some(loaded);
    }
    let mut gate = None;
    if config.authenticates() {
        let opened = Gate::open(options(&config.auth)).await?;
        let followed = opened.clone();
        followers.spawn(async move { followed.follow().await });
        gate = Some(opened);
    }
    Ok(Identity { tls, gate, _followers: followers })
}

/// Where certificates are, if connections are encrypted.
pub(crate) fn files(config: &Config) -> Option<Files> {
    let tls = &config.server.tls;
    let (certificate, key) = tls.certificate_file.clone().zip(tls.key_file.clone())?;
    let certificate_is_optional = config.auth.jwt.issuer.is_some();
    Some(Files { certificate, key, client_ca: tls.client_ca_file.clone(), certificate_is_optional })
}

fn options(auth: &Auth) -> Options {
    let named = |programs: &Option<String>, role| -> Vec<(CallerId, Role)> {
        let names = Auth::names(programs.as_deref()).filter_map(|name| CallerId::proven(name).ok());
        names.map(|name| (name, role)).collect()
    };
    let services = named(&auth.services, Role::Service);
    let programs: HashMap<_, _> = services.into_iter().chain(named(&auth.admins, Role::Admin)).collect();
    Options { tokens: tokens(&auth.jwt), programs }
}

/// What tokens must say, if any are accepted.
pub(crate) fn tokens(jwt: &Jwt) -> Option<TokenOptions> {
    let (issuer, audience) = jwt.issuer.clone().zip(jwt.audience.clone())?;
    Some(TokenOptions {
        issuer,
        audience,
        algorithms: jwt.algorithms().filter_map(|name| Algorithm::from_str(name).ok()).collect(),
        leeway: jwt.leeway,
        claims: ClaimNames {
            account: jwt.account_claim.clone(),
            member: jwt.member_claim.clone(),
            role: jwt.role_claim.clone(),
        },
        keys: KeyOptions { place: place(jwt)?, refresh_interval: jwt.refresh_interval, max_age: jwt.keys_max_age },
    })
}

fn place(jwt: &Jwt) -> Option<Place> {
    let url = jwt.keys_url.as_deref().and_then(|url| url.parse().ok());
    let served = url.map(|uri| Place::Url { uri, ca_file: jwt.keys_ca_file.clone() });
    served.or_else(|| jwt.keys_file.clone().map(Place::File))
}
