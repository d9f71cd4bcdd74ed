//! Who may call.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Check, list};
use crate::domain::ids::CallerId;

/// `auth.*`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// The programs that may call as services, by the names in their client certificates: the one URI in it, such as
    /// `spiffe://crm.example/ns/prod/sa/board`, or without any its one DNS name. Several separated by commas. They may use every
    /// account. No token is accepted whose `sub` is such a name.
    pub services: Option<String>,
    /// The programs that may call as admins, likewise.
    pub admins: Option<String>,
    /// Tokens.
    pub jwt: Jwt,
}

/// `auth.jwt.*`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jwt {
    /// Who issues the tokens that callers prove with who they are: their `iss`, to the letter. Absent: no tokens are accepted.
    pub issuer: Option<String>,
    /// What stands for this service in their `aud`.
    pub audience: Option<String>,
    /// A file with the public keys of the issuer, a JSON Web Key Set. Or `auth.jwt.keys_url`.
    pub keys_file: Option<PathBuf>,
    /// Where the issuer publishes the same: `https://...`, or `http://...` on this machine.
    pub keys_url: Option<String>,
    /// A file with the certificates that the server of the keys is checked against, in PEM. Absent: those that the system trusts.
    pub keys_ca_file: Option<PathBuf>,
    /// How often the keys are read again. An unknown key is looked for at once, every 5 s at most. 10ms to 1h.
    #[serde(with = "humantime_serde")]
    pub refresh_interval: Duration,
    /// For how long keys are trusted that cannot be read again. After that no token is accepted.
    #[serde(with = "humantime_serde")]
    pub keys_max_age: Duration,
    /// How tokens may be signed, separated by commas: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA.
    pub algorithms: String,
    /// How far the clock of the issuer may be off. At most 60s.
    #[serde(with = "humantime_serde")]
    pub leeway: Duration,
    /// The claim with the account that the caller may use, or a list of several; `*` for every one, for services and admins.
    pub account_claim: String,
    /// The claim with the member that the caller is. Managers and members have one.
    pub member_claim: String,
    /// The claim with the role: `service`, `admin`, `manager` or `member`.
    pub role_claim: String,
}

impl Auth {
    /// The names of a list of programs.
    pub fn names(programs: Option<&str>) -> impl Iterator<Item = &str> {
        programs.into_iter().flat_map(list)
    }

    fn programs(&self) -> impl Iterator<Item = &str> {
        Self::names(self.services.as_deref()).chain(Self::names(self.admins.as_deref()))
    }

    /// What makes sense of these keys, and what does not. `certificates`: whether callers are asked for one.
    pub(super) fn checks(&self, certificates: bool) -> [Check; 11] {
        let jwt = &self.jwt;
        let takes_tokens = jwt.issuer.is_some();
        let goes_with_issuer = |is_set: bool| is_set == takes_tokens;
        let mut seen = HashSet::new();
        let (milli, hour) = (Duration::from_millis(1), Duration::from_secs(3600));
        [
            (
                "auth.services",
                self.programs().all(|name| CallerId::proven(name).is_ok()),
                "must be names of 1 to 255 visible ASCII characters, separated by commas, and not `ownership` or `anonymous`, \
                 which the service gives itself; auth.admins as well",
            ),
            ("auth.services", certificates || self.programs().next().is_none(), "goes with server.tls.client_ca_file"),
            (
                "auth.services",
                !certificates || takes_tokens || self.programs().next().is_some(),
                "must name who may call: with server.tls.client_ca_file alone nobody could",
            ),
            (
                "auth.admins",
                self.programs().all(|name| seen.insert(name)),
                "names somebody who stands there or in auth.services",
            ),
            ("auth.jwt.audience", goes_with_issuer(jwt.audience.is_some()), "goes with auth.jwt.issuer"),
            (
                "auth.jwt.keys_file",
                goes_with_issuer(jwt.keys_file.is_some() != jwt.keys_url.is_some()),
                "goes with auth.jwt.issuer, or auth.jwt.keys_url does: one of them says where its keys are",
            ),
            (
                "auth.jwt.keys_url",
                jwt.keys_url.as_deref().is_none_or(is_trustworthy),
                "must be https://HOST/PATH; http:// only on this machine, because whoever can change the keys can be anybody",
            ),
            (
                "auth.jwt.keys_ca_file",
                jwt.keys_ca_file.is_none() || jwt.keys_url.is_some(),
                "goes with auth.jwt.keys_url",
            ),
            (
                "auth.jwt.algorithms",
                jwt.algorithms().all(|name| ALGORITHMS.contains(&name)) && jwt.algorithms().next().is_some(),
                "must be names of asymmetric algorithms, separated by commas: RS256, ES256, EdDSA and so on",
            ),
            ("auth.jwt.leeway", jwt.leeway <= Duration::from_secs(60), "must be at most 60s"),
            (
                "auth.jwt.refresh_interval",
                (10 * milli..=hour).contains(&jwt.refresh_interval) && jwt.refresh_interval <= jwt.keys_max_age,
                "must be from 10ms to 1h, and no longer than auth.jwt.keys_max_age",
            ),
        ]
    }
}

impl Jwt {
    /// The names of the algorithms.
    pub fn algorithms(&self) -> impl Iterator<Item = &str> {
        list(&self.algorithms)
    }
}

/// What tokens may be signed with. Nothing that whoever can check it could sign with as well.
const ALGORITHMS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// Whether nobody on the way to a URL can change what is found there.
fn is_trustworthy(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    let is_here = |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    match url.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_here(host),
        _ => false,
    }
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            keys_file: None,
            keys_url: None,
            keys_ca_file: None,
            refresh_interval: Duration::from_secs(60),
            keys_max_age: Duration::from_secs(3600),
            algorithms: "RS256,PS256,ES256,EdDSA".to_owned(),
            leeway: Duration::from_secs(30),
            account_claim: "account_id".to_owned(),
            member_claim: "member_id".to_owned(),
            role_claim: "role".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(auth: &Auth, certificates: bool) -> Vec<&'static str> {
        auth.checks(certificates).into_iter().filter(|(_, holds, _)| !holds).map(|(key, _, _)| key).collect()
    }

    fn tokens() -> Jwt {
        let text = |text: &str| Some(text.to_owned());
        Jwt {
            issuer: text("https://id.example"),
            audience: text("ownership"),
            keys_file: Some("keys".into()),
            ..Jwt::default()
        }
    }

    fn with(jwt: Jwt) -> Auth {
        Auth { jwt, ..Auth::default() }
    }

    #[test]
    fn tokens_need_an_issuer_an_audience_and_one_place_of_keys() {
        assert_eq!(wrong(&Auth::default(), false), [""; 0]);
        assert_eq!(wrong(&with(tokens()), false), [""; 0]);
        assert_eq!(wrong(&with(Jwt { audience: None, ..tokens() }), false), ["auth.jwt.audience"]);
        assert_eq!(wrong(&with(Jwt { keys_file: None, ..tokens() }), false), ["auth.jwt.keys_file"]);
        let twice = Jwt { keys_url: Some("https://id.example/keys".to_owned()), ..tokens() };
        assert_eq!(wrong(&with(twice), false), ["auth.jwt.keys_file"]);
        assert_eq!(wrong(&with(Jwt { issuer: None, ..tokens() }), false), ["auth.jwt.audience", "auth.jwt.keys_file"]);
    }

    #[test]
    fn keys_come_over_a_connection_that_nobody_can_change() {
        let at = |url: &str| wrong(&with(Jwt { keys_file: None, keys_url: Some(url.to_owned()), ..tokens() }), false);
        for good in
            ["https://id.example/keys", "http://127.0.0.1:8080/keys", "http://[::1]/keys", "http://localhost/keys"]
        {
            assert_eq!(at(good), [""; 0], "{good}");
        }
        for bad in ["http://id.example/keys", "http://10.0.0.1/keys", "file:///keys", "id.example", ""] {
            assert_eq!(at(bad), ["auth.jwt.keys_url"], "{bad}");
        }
    }

    #[test]
    fn only_algorithms_with_two_keys_can_be_chosen() {
        for bad in ["none", "HS256", "RS256,HS256", "", "rs256"] {
            assert_eq!(
                wrong(&with(Jwt { algorithms: bad.to_owned(), ..tokens() }), false),
                ["auth.jwt.algorithms"],
                "{bad}"
            );
        }
        assert_eq!(wrong(&with(Jwt { algorithms: "ES384, EdDSA".to_owned(), ..tokens() }), false), [""; 0]);
    }

    #[test]
    fn programs_are_named_once_and_only_where_they_show_certificates() {
        let named = |services: &str, admins: &str| Auth {
            services: Some(services.to_owned()),
            admins: Some(admins.to_owned()),
            ..Auth::default()
        };
        assert_eq!(wrong(&named("spiffe://a/b, c.example", "spiffe://a/d"), true), [""; 0]);
        assert_eq!(wrong(&named("a", "b"), false), ["auth.services"]);
        assert_eq!(wrong(&Auth::default(), true), ["auth.services"]);
        assert_eq!(wrong(&named("a,b", "b"), true), ["auth.admins"]);
        for bad in ["a b", "ownership", "a,anonymous"] {
            assert_eq!(wrong(&named(bad, ""), true), ["auth.services"], "{bad}");
            assert_eq!(wrong(&named("", bad), true), ["auth.services"], "{bad}");
        }
    }
}
