//! Reading the configuration, and finding everything that is wrong with it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use config::{ConfigError, Environment, Value, ValueKind};

use super::{Config, given};

/// The keys whose values are secret. Each has a sibling, `KEY_file`, for a file that holds the value.
pub const SECRETS: [&str; 2] = ["database.url", "events.password"];

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is wrong:{}", list(.0))]
pub struct Error(pub Vec<Problem>);

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `server.listen`; the file when it cannot be read at all.
    pub key: String,
    /// What is wrong with it. Never holds the value of a secret.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

impl Config {
    /// The configuration of a file, if there is one, of the environment of this process, and of flags: keys and values.
    pub fn load(file: Option<&Path>, flags: &[(String, String)]) -> Result<Self, Error> {
        let (variables, problems) = given::variables(std::env::vars_os());
        Self::read(file, variables, flags, problems)
    }

    fn read(
        file: Option<&Path>,
        variables: HashMap<String, String>,
        flags: &[(String, String)],
        mut problems: Vec<Problem>,
    ) -> Result<Self, Error> {
        let environment = Environment::with_prefix("OWNERSHIP").prefix_separator("__").separator("__");
        let environment = environment.ignore_empty(true).source(Some(variables));
        let mut sources = config::Config::builder();
        match file.map(given::file) {
            Some(Ok(file)) => sources = sources.add_source(file),
            Some(Err(problem)) => problems.push(problem),
            None => {}
        }
        let given = sources
            .add_source(environment)
            .build()
            .map_err(|error| Error(vec![Problem { key: "environment".to_owned(), what: cause(&error) }]))?;
        let mut leaves = leaves(given.cache);
        leaves.extend(flags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))));
        Self::from_leaves(leaves, problems)
    }

    /// Tries each value by itself on top of the defaults, so that one bad value does not hide another.
    fn from_leaves(mut leaves: BTreeMap<String, Value>, mut problems: Vec<Problem>) -> Result<Self, Error> {
        problems.extend(read_secrets(&mut leaves));
        let (known, mut accepted) = (known_keys(), Vec::new());
        for (key, value) in leaves {
            let outcome = match known.get(&key) {
                Some(default) => fits(default, &value).and_then(|()| assemble(&[(&key, &value)])),
                None => Err(unknown(&key, &known)),
            };
            match outcome {
                Ok(_) => accepted.push((key, value)),
                Err(what) => problems.push(Problem { key, what }),
            }
        }
        let accepted: Vec<_> = accepted.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let config = assemble(&accepted).map_err(|what| Error(vec![Problem { key: "configuration".into(), what }]))?;
        problems.extend(config.problems());
        if problems.is_empty() { Ok(config) } else { Err(Error(problems)) }
    }

    /// Values that are of the right type and make no sense.
    fn problems(&self) -> Vec<Problem> {
        let Self { server, admin: _, auth, database, memory, door, log, watch, events, telemetry } = self;
        let second = Duration::from_secs(1);
        let milli = Duration::from_millis(1);
        let checks = [
            (
                "server.allow_insecure",
                server.allow_insecure || server.listen.ip().is_loopback() || self.authenticates(),
                "must be true to listen where others can reach the service while nobody has to prove who they are; \
                 better, set auth.jwt.issuer or server.tls.client_ca_file",
            ),
            (
                "server.default_deadline",
                (milli..=server.max_deadline).contains(&server.default_deadline),
                "must be at least 1ms and no longer than server.max_deadline",
            ),
            (
                "server.max_request_bytes",
                (1024..=64 * 1024 * 1024).contains(&server.max_request_bytes),
                "must be from 1024 to 67108864",
            ),
            ("server.max_connection_age", server.max_connection_age >= second, "must be at least 1s"),
            ("database.url", is_database(database.url.expose()), "must be sqlite:PATH or postgres://..."),
            ("database.max_connections", (2..=1000).contains(&database.max_connections), "must be from 2 to 1000"),
            ("memory.budget_bytes", memory.budget_bytes >= 1024 * 1024, "must be at least 1048576"),
            ("door.queue_depth", (1..=100_000).contains(&door.queue_depth), "must be from 1 to 100000"),
            ("door.max_batch", (1..=100_000).contains(&door.max_batch), "must be from 1 to 100000"),
            (
                "door.writers",
                door.writers >= 1 && door.writers < database.max_connections as usize,
                "must be at least 1 and less than database.max_connections",
            ),
            ("log.trim_interval", log.trim_interval >= 10 * milli, "must be at least 10ms"),
            ("watch.poll_interval", (milli..=60 * second).contains(&watch.poll_interval), "must be from 1ms to 60s"),
            (
                "watch.progress_interval",
                (second..=60 * second).contains(&watch.progress_interval),
                "must be from 1s to 60s",
            ),
            ("watch.send_timeout", watch.send_timeout >= milli, "must be at least 1ms"),
            ("watch.per_caller", watch.per_caller > 0, "must be at least 1"),
            (
                "telemetry.log",
                telemetry.log.parse::<tracing_subscriber::EnvFilter>().is_ok(),
                "must be a level or a list of directives",
            ),
            (
                "telemetry.otlp_endpoint",
                telemetry.otlp_endpoint.as_deref().is_none_or(is_http),
                "must be http://HOST:PORT, without a password",
            ),
        ];
        let checks = checks.into_iter().chain(server.tls.checks()).chain(events.checks());
        let checks = checks.chain(auth.checks(server.tls.client_ca_file.is_some()));
        let bad = checks.filter(|(_, holds, _)| !holds);
        bad.map(|(key, _, what)| Problem { key: key.to_owned(), what: what.to_owned() }).collect()
    }
}

fn is_database(url: &str) -> bool {
    ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme))
}

fn is_http(url: &str) -> bool {
    let named = |uri: &http::Uri| uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    url.parse::<http::Uri>().is_ok_and(|uri| named(&uri) && uri.scheme_str() == Some("http"))
}

/// Puts what stands in files in the place of the keys that name them. Returns what is wrong with those.
fn read_secrets(leaves: &mut BTreeMap<String, Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for secret in SECRETS {
        let key = format!("{secret}_file");
        let Some(file) = leaves.remove(&key) else { continue };
        let content = match leaves.contains_key(secret) {
            true => Err(format!("is set beside {secret}: set one of the two")),
            false => {
                file.into_string().map_err(|_| "must be the path of a file".to_owned()).and_then(|it| read_secret(&it))
            }
        };
        match content {
            Ok(content) => drop(leaves.insert(secret.to_owned(), Value::from(content))),
            Err(what) => problems.push(Problem { key, what }),
        }
    }
    problems
}

/// What a file holds, without the end of its line.
fn read_secret(file: &str) -> Result<String, String> {
    let content = std::fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    match content.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{file} is empty")),
        content if content.contains('\n') => Err(format!("{file} has more than one line")),
        content => Ok(content.to_owned()),
    }
}

/// Refuses what would be made fit: a fraction or a truth for a whole number, and a number for a truth.
fn fits(default: &Value, given: &Value) -> Result<(), String> {
    use ValueKind::{Boolean, Float, I64, I128, U64, U128};
    match (&default.kind, &given.kind) {
        (I64(_) | U64(_), Float(_) | Boolean(_)) => Err(format!("is {given}, and must be an integer")),
        (Boolean(_), Float(_) | I64(_) | I128(_) | U64(_) | U128(_)) => {
            Err(format!("is {given}, and must be true or false"))
        }
        _ => Ok(()),
    }
}

/// The defaults with some values in the place of theirs.
fn assemble(values: &[(&str, &Value)]) -> Result<Config, String> {
    let mut all = config::Config::builder().add_source(defaults());
    for (key, value) in values {
        all = all.set_override(key, (*value).clone()).map_err(|error| error.to_string())?;
    }
    // An error may quote the value: that of a secret must not get out.
    let secret = values.iter().any(|(key, _)| SECRETS.contains(key));
    let tell = |error: ConfigError| if secret { "must be a string".to_owned() } else { cause(&error) };
    all.build().and_then(config::Config::try_deserialize).map_err(tell)
}

fn defaults() -> config::Config {
    // A struct of numbers and strings always has a serial form.
    config::Config::try_from(&Config::default()).unwrap_or_default()
}

fn known_keys() -> BTreeMap<String, Value> {
    leaves(defaults().cache)
}

fn leaves(value: Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    collect(String::new(), value, &mut found);
    found
}

fn collect(path: String, value: Value, found: &mut BTreeMap<String, Value>) {
    let ValueKind::Table(table) = value.kind else {
        found.insert(path, value);
        return;
    };
    for (key, value) in table {
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        collect(path, value, found);
    }
}

/// What is wrong, without the key, which is told anyway.
fn cause(error: &ConfigError) -> String {
    match error {
        ConfigError::Type { unexpected, expected, .. } => format!("is {unexpected}, and must be {expected}"),
        ConfigError::At { error, .. } => cause(error),
        ConfigError::Message(text) if text == "invalid socket address syntax" => {
            "must be an IP address and a port, such as 127.0.0.1:50051".to_owned()
        }
        other => other.to_string(),
    }
}

fn unknown(key: &str, known: &BTreeMap<String, Value>) -> String {
    let section = format!("{key}.");
    if known.keys().any(|known| known.starts_with(&section)) {
        return "is a section and has no value itself".to_owned();
    }
    let name = |key: &str| key.rsplit('.').next().unwrap_or(key).to_lowercase();
    let meant = known.keys().find(|known| known.eq_ignore_ascii_case(key));
    match meant.or_else(|| known.keys().find(|known| name(known) == name(key))) {
        Some(meant) => format!("is no key; {meant} is"),
        None => "is no key".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, Error> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::read(None, variables.collect(), &[], Vec::new())
    }

    #[test]
    fn nothing_given_is_the_defaults() {
        assert_eq!(read(&[]), Ok(Config::default()));
    }

    #[test]
    fn variables_set_keys_of_every_type() {
        let config = read(&[
            ("OWNERSHIP__SERVER__LISTEN", "127.0.0.1:0"),
            ("OWNERSHIP__SERVER__REFLECTION", "false"),
            ("OWNERSHIP__SERVER__DRAIN", "1500ms"),
            ("OWNERSHIP__DATABASE__MIGRATE_ON_START", "true"),
            ("OWNERSHIP__LOG__HISTORY_RETENTION", "7days"),
            ("OWNERSHIP__TELEMETRY__LOG_FORMAT", "json"),
            ("OWNERSHIP__TELEMETRY__OTLP_ENDPOINT", ""),
            ("OWNERSHIP__MEMORY__BUDGET_BYTES", "2097152"),
            ("OWNERSHIP_SERVER", "http://not-ours"),
        ]);
        let config = config.unwrap();
        assert_eq!(config.server.listen.port(), 0);
        assert!(!config.server.reflection);
        assert_eq!(config.server.drain, Duration::from_millis(1500));
        assert!(config.database.migrates_on_start());
        assert_eq!(config.log.history_retention, Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(
            config.telemetry,
            super::super::Telemetry { log_format: super::super::LogFormat::Json, ..Default::default() }
        );
        assert_eq!(config.memory.budget_bytes, 2_097_152);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_under_its_key() {
        let Error(problems) = read(&[
            ("OWNERSHIP__SERVER__LISTEN", "localhost"),
            ("OWNERSHIP__SERVER__LISTENS", "x"),
            ("OWNERSHIP__SERVER__MAX_REQUEST_BYTES", "-1"),
            ("OWNERSHIP__WATCH__PER_CALLER", "0"),
            ("OWNERSHIP__WATCH__PROGRESS_INTERVAL", "soon"),
            ("OWNERSHIP__DOOR__BUDGET_BYTES", "1"),
        ])
        .unwrap_err();
        let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "door.budget_bytes",
                "server.listen",
                "server.listens",
                "server.max_request_bytes",
                "watch.progress_interval",
                "watch.per_caller",
            ]
        );
        assert_eq!(problems[0].what, "is no key; memory.budget_bytes is");
    }

    #[test]
    fn writers_leave_a_connection_to_readers() {
        let writers = |count| ("OWNERSHIP__DOOR__WRITERS", count);
        let Error(problems) = read(&[writers("10")]).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].to_string(), "door.writers: must be at least 1 and less than database.max_connections");
        assert!(read(&[writers("0")]).is_err());
        assert!(read(&[writers("10"), ("OWNERSHIP__DATABASE__MAX_CONNECTIONS", "11")]).is_ok());
        assert!(read(&[writers("1"), ("OWNERSHIP__DATABASE__MAX_CONNECTIONS", "2")]).is_ok());
    }

    #[test]
    fn an_address_that_others_reach_needs_consent() {
        let open = ("OWNERSHIP__SERVER__LISTEN", "0.0.0.0:50051");
        assert_eq!(read(&[open]).unwrap_err().0[0].key, "server.allow_insecure");
        assert!(read(&[open, ("OWNERSHIP__SERVER__ALLOW_INSECURE", "true")]).is_ok());
    }

    #[test]
    fn a_password_is_printed_neither_in_an_error_nor_in_the_configuration() {
        let url = ("OWNERSHIP__DATABASE__URL", "postgres://me:s3cr3t@db.example/ownership?x=s3cr3t");
        let config = read(&[url]).unwrap();
        assert!(!format!("{config:?}").contains("s3cr3t"));
        assert_eq!(config.database.url.describe(), "postgres://db.example/ownership");
        let wrong = read(&[("OWNERSHIP__DATABASE__URL", "mysql://me:s3cr3t@db")]).unwrap_err();
        assert!(!wrong.to_string().contains("s3cr3t"), "{wrong}");
    }

    #[test]
    fn a_broker_is_named_without_saying_who_asks_and_that_is_said_once() {
        let with = |more: &[(&str, &str)]| {
            let problems = read(more).err().map(|Error(problems)| problems).unwrap_or_default();
            problems.into_iter().map(|problem| problem.key).collect::<Vec<_>>()
        };
        let url = |url| ("OWNERSHIP__EVENTS__URL", url);
        assert_eq!(with(&[url("nats://a:4222,tls://b:4222")]), [""; 0]);
        for wrong in ["http://a:4222", "a:4222", "nats://me:s3cr3t@a:4222", "nats://a:4222,"] {
            assert_eq!(with(&[url(wrong)]), ["events.url"], "{wrong}");
        }
        let (user, password) = (("OWNERSHIP__EVENTS__USER", "me"), ("OWNERSHIP__EVENTS__PASSWORD", "s3cr3t"));
        let file = ("OWNERSHIP__EVENTS__CREDENTIALS_FILE", "/tmp/me.creds");
        assert_eq!(with(&[user]), ["events.password"]);
        assert_eq!(with(&[user, password, file]), ["events.credentials_file"]);
        let config = read(&[user, password]).unwrap();
        assert!(!format!("{config:?}").contains("s3cr3t"));
        assert_eq!(with(&[("OWNERSHIP__EVENTS__STREAM", "a.b")]), ["events.stream"]);
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_is_checked_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ownership.toml");
        std::fs::write(&path, "[server]\nlisten = '127.0.0.1:1'\ndrain = '1s'\n").unwrap();
        let read = || {
            let variables = HashMap::from([("OWNERSHIP__SERVER__LISTEN".to_owned(), "127.0.0.1:2".to_owned())]);
            Config::read(Some(&path), variables, &[], Vec::new())
        };
        let config = read().unwrap();
        assert_eq!((config.server.listen.port(), config.server.drain), (2, Duration::from_secs(1)));

        std::fs::write(&path, "[server]\nlisten = '127.0.0.1:1'\n[severs]\nx = 1\n").unwrap();
        assert_eq!(read().unwrap_err().0[0].key, "severs.x");
    }

    #[test]
    fn what_is_of_another_type_is_refused_and_not_made_fit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ownership.toml");
        let told = |content: &str, variables: HashMap<String, String>| {
            std::fs::write(&path, content).unwrap();
            let Error(problems) = Config::read(Some(&path), variables, &[], Vec::new()).unwrap_err();
            problems.iter().map(Problem::to_string).collect::<Vec<_>>()
        };
        let content = "
            memory = 3
            [server]
            Listen = '127.0.0.1:1'
            reflection = 1
            drain = 5
            [admin]
            listen = 'localhost:1'
            [watch]
            per_caller = 1.5
            [door]
            queue_depth = true
            [database]
            url = ['s3cr3t']
            [events]
            password_file = ['a']
        ";
        let expected = [
            "events.password_file: must be the path of a file",
            "admin.listen: must be an IP address and a port, such as 127.0.0.1:50051",
            "database.url: must be a string",
            "door.queue_depth: is true, and must be an integer",
            "memory: is a section and has no value itself",
            "server.Listen: is no key; server.listen is",
            "server.drain: invalid value: string \"5\", expected a duration",
            "server.reflection: is 1, and must be true or false",
            "watch.per_caller: is 1.5, and must be an integer",
        ];
        assert_eq!(told(content, HashMap::new()), expected);
        let variables = HashMap::from([("OWNERSHIP__DOOR__MAX_BATCH".to_owned(), "many".to_owned())]);
        let both = told("[server", variables);
        assert!(both[0].contains("parse error") && both[1].starts_with("door.max_batch: "), "{both:?}");
    }

    #[test]
    fn flags_win_over_the_environment_and_are_checked_too() {
        let with = |key: &str, value: &str| {
            let variables = HashMap::from([("OWNERSHIP__SERVER__DRAIN".to_owned(), "1s".to_owned())]);
            Config::read(None, variables, &[(key.to_owned(), value.to_owned())], Vec::new())
        };
        assert_eq!(with("server.drain", "2s").unwrap().server.drain, Duration::from_secs(2));
        assert_eq!(with("watch.per_caller", "3").unwrap().server.drain, Duration::from_secs(1));
        for (key, value) in [("server.drains", "2s"), ("server", "2s"), ("server.drain[0", "2s"), ("server.drain", "-")]
        {
            assert_eq!(with(key, value).unwrap_err().0[0].key, key);
        }
    }

    #[test]
    fn a_secret_can_stand_in_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url");
        std::fs::write(&file, "postgres://me:s3cr3t@db/ownership\n").unwrap();
        let name = ("OWNERSHIP__DATABASE__URL_FILE", file.to_str().unwrap());
        let config = read(&[name]).unwrap();
        assert_eq!(config.database.url.expose(), "postgres://me:s3cr3t@db/ownership");
        assert!(!serde_json::to_string(&config).unwrap().contains("s3cr3t"));

        let wrong = |variables: &[(&str, &str)]| read(variables).unwrap_err().to_string();
        assert!(wrong(&[name, ("OWNERSHIP__DATABASE__URL", "sqlite:x")]).contains("database.url_file: is set beside"));
        std::fs::write(&file, "mysql://me:s3cr3t@db\n").unwrap();
        let said =
            wrong(&[name, ("OWNERSHIP__EVENTS__PASSWORD_FILE", "/nowhere"), ("OWNERSHIP__DOOR__MAX_BATCH", "0")]);
        assert!(!said.contains("s3cr3t"), "{said}");
        for key in ["database.url: must be", "events.password_file: cannot read /nowhere", "door.max_batch"] {
            assert!(said.contains(key), "{key} in {said}");
        }
        std::fs::write(&file, "\n").unwrap();
        assert!(wrong(&[name]).contains("is empty"));
        std::fs::write(&file, "sqlite:a.db\nsqlite:b.db\n").unwrap();
        assert!(wrong(&[name]).contains("has more than one line"));
    }
}
