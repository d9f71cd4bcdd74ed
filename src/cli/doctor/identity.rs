//! Whether connections can be encrypted, and callers be told apart, with what the configuration names.

use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::identity::REPLACED_BEFORE;
use crate::server::identity;
use crate::store::checkup::{Finding, Verdict};

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Reads certificates and keys as the service does.
pub(super) async fn findings(config: &Config, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(files) = identity::files(config) {
        findings.push(match files.examine().await {
            Ok(expires) => of_certificate((expires.0 - now.0).div_euclid(MICROS_PER_DAY)),
            Err(error) => unusable("certificate", error, "correct server.tls: the service does not start with this"),
        });
    }
    if let Some(tokens) = identity::tokens(&config.auth.jwt) {
        findings.push(match tokens.keys.examine(&tokens.algorithms).await {
            Ok(count) => Finding::new("keys", format!("{count} to check tokens with"), true, (Verdict::Bad, "")),
            Err(error) => unusable("keys", error, "correct auth.jwt: without keys no token is accepted"),
        });
    }
    findings
}

/// With the whole days that it is still good for.
fn of_certificate(days: i64) -> Finding {
    let otherwise = if days < 0 { Verdict::Bad } else { Verdict::Doubtful };
    let found = if days < 0 { "has expired".to_owned() } else { format!("good for {days} d") };
    let advice = "replace what server.tls.certificate_file names; the service takes it over by itself";
    Finding::new("certificate", found, days >= REPLACED_BEFORE, (otherwise, advice))
}

fn unusable(what: &'static str, error: impl Into<anyhow::Error>, advice: &'static str) -> Finding {
    Finding::new(what, format!("{:#}", error.into()), false, (Verdict::Bad, advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_to_be_replaced_before_it_ends() {
        let verdict = |days| of_certificate(days).verdict;
        assert_eq!(
            [30, 7, 6, 0, -1].map(verdict),
            [Verdict::Fine, Verdict::Fine, Verdict::Doubtful, Verdict::Doubtful, Verdict::Bad]
        );
    }
}
