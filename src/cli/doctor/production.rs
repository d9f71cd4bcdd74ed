//! What an installation for production needs, beside a configuration without mistakes.

use crate::config::{Config, LogFormat};
use crate::store::checkup::{Finding, Verdict};

/// How many servers keep a stream that survives the loss of one.
const SAFE_REPLICAS: usize = 3;

/// Looks at a configuration as somebody does who is called at night.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = of_service(config);
    findings.extend(of_telemetry(config));
    findings.extend(of_events(config));
    findings
}

fn of_service(config: &Config) -> Vec<Finding> {
    let Config { server, admin, database, .. } = config;
    let url = &database.url;
    let by_itself = if database.migrates_on_start() { "yes" } else { "no" };
    vec![
        setting(
            "database.url",
            url.describe(),
            !url.is_sqlite(),
            "several replicas need Postgres; SQLite has one process",
        ),
        setting(
            "database.migrate_on_start",
            by_itself,
            url.is_sqlite() || !database.migrates_on_start(),
            "run `ownership migrate` before a release, so that replicas do not wait for the schema",
        ),
        setting(
            "server.drain_delay",
            humantime::format_duration(server.drain_delay).to_string(),
            !server.drain_delay.is_zero(),
            "set it to what load balancers take to send no more, such as 5s: otherwise calls are refused in each rollout",
        ),
        setting(
            "auth",
            on(config.authenticates()),
            config.authenticates(),
            "set auth.jwt.issuer or server.tls.client_ca_file: otherwise whoever reaches the service can use every account",
        ),
        setting(
            "server.tls",
            on(server.tls.is_on()),
            server.tls.is_on(),
            "set server.tls, unless something before the service encrypts: what is sent can be read on the way otherwise",
        ),
        setting(
            "server.reflection",
            on(server.reflection),
            !server.reflection,
            "turn it off, unless callers need to explore the service",
        ),
        setting(
            "admin.listen",
            if admin.enabled { admin.listen.to_string() } else { "off".to_owned() },
            admin.enabled && !admin.listen.ip().is_loopback(),
            "let the platform reach the admin port: it probes and scrapes there",
        ),
    ]
}

fn of_telemetry(config: &Config) -> Vec<Finding> {
    let telemetry = &config.telemetry;
    let json = telemetry.log_format == LogFormat::Json;
    let endpoint = telemetry.otlp_endpoint.clone();
    vec![
        setting(
            "telemetry.log_format",
            if json { "json" } else { "text" },
            json,
            "set it to json, which log collectors can take apart",
        ),
        setting(
            "telemetry.otlp_endpoint",
            endpoint.clone().unwrap_or_else(|| "none".to_owned()),
            endpoint.is_some(),
            "name a collector: without one there are no traces",
        ),
    ]
}

fn of_events(config: &Config) -> Vec<Finding> {
    let events = &config.events;
    let Some(urls) = &events.url else {
        return vec![setting("events.url", "none", false, "name a broker, unless nobody follows changes by events")];
    };
    let known = events.user.is_some() || events.credentials_file.is_some() || events.client_key_file.is_some();
    vec![
        setting(
            "events.url",
            urls.clone(),
            urls.split(',').all(|url| url.trim().starts_with("tls://")),
            "use tls://: what is published can be read on the way otherwise",
        ),
        setting(
            "events.user",
            on(known),
            known,
            "tell the broker who the service is: user, credentials file or certificate",
        ),
        setting(
            "events.stream_replicas",
            events.stream_replicas.to_string(),
            events.stream_replicas >= SAFE_REPLICAS,
            "keep the stream on three servers: on one it is lost with its disk, and has to be filled again",
        ),
    ]
}

fn setting(key: &'static str, found: impl Into<String>, fine: bool, advice: &'static str) -> Finding {
    Finding::new(key, found, fine, (Verdict::Doubtful, advice))
}

fn on(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DatabaseUrl;

    fn doubtful(config: &Config) -> Vec<&'static str> {
        let findings = findings(config).into_iter();
        findings.filter(|finding| finding.verdict != Verdict::Fine).map(|finding| finding.what).collect()
    }

    #[test]
    fn the_defaults_are_for_trying_out_and_an_installation_for_production_passes() {
        assert_eq!(
            doubtful(&Config::default()),
            [
                "database.url",
                "server.drain_delay",
                "auth",
                "server.tls",
                "server.reflection",
                "admin.listen",
                "telemetry.log_format",
                "telemetry.otlp_endpoint",
                "events.url",
            ]
        );
        let mut config = Config::default();
        config.database.url = DatabaseUrl::new("postgres://db/ownership");
        config.server.drain_delay = std::time::Duration::from_secs(5);
        config.server.reflection = false;
        config.server.tls.certificate_file = Some("/run/secrets/tls.crt".into());
        config.server.tls.key_file = Some("/run/secrets/tls.key".into());
        config.auth.jwt.issuer = Some("https://id.example".to_owned());
        config.admin.listen = "0.0.0.0:9464".parse().unwrap();
        config.telemetry.log_format = LogFormat::Json;
        config.telemetry.otlp_endpoint = Some("http://collector:4317".to_owned());
        config.events.url = Some("tls://nats:4222".to_owned());
        config.events.credentials_file = Some("/run/secrets/nats".into());
        config.events.stream_replicas = 3;
        assert_eq!(doubtful(&config), [""; 0]);

        config.database.migrate_on_start = Some(true);
        config.events.url = Some("nats://nats:4222".to_owned());
        config.events.stream_replicas = 1;
        assert_eq!(doubtful(&config), ["database.migrate_on_start", "events.url", "events.stream_replicas"]);
    }
}
