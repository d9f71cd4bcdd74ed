//! The walls of the house, read from its sources. A rule without a machine lasts a month.

use std::collections::BTreeMap;

use crate::support::sources::{repository, rust_files, text};

/// Lines a file may have, its tests not counted.
const LINES: usize = 400;

const CAPABILITIES: [&str; 10] =
    ["ledger", "ownership", "leads", "members", "accounts", "history", "watch", "publish", "ageing", "identity"];

/// The lines of a file that are code of the service: without its tests, comments and literals of documentation.
fn code(path: &str) -> Vec<String> {
    let source = text(path);
    let body = source.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    body.lines().filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned).collect()
}

/// Whether a line names a crate or module as a path: `tonic::Status`, `use tonic;`, `crate::config::Config`.
fn names(line: &str, word: &str) -> bool {
    let boundary = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric() && letter != '_');
    line.match_indices(word).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + word.len()..]);
        let starts_a_path =
            word.starts_with("crate::") || !before.ends_with("::") || before.trim_start().starts_with("use ::");
        boundary(before.chars().next_back())
            && starts_a_path
            && (after.starts_with("::") || (imports(line) && boundary(after.chars().next())))
    })
}

fn imports(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("use ") || (line.starts_with("pub") && line.contains(" use "))
}

/// Every breach of "this may not name that", as file, line and word.
fn breaches(files: impl IntoIterator<Item = String>, banned: &[&str]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in files {
        for line in code(&file) {
            for word in banned.iter().filter(|word| names(&line, word)) {
                breaches.push(format!("{file} names {word}: {}", line.trim()));
            }
        }
    }
    breaches
}

fn files_of(module: &str) -> Vec<String> {
    let own = format!("src/{module}.rs");
    let below = format!("src/{module}/");
    rust_files("src").into_iter().filter(|file| *file == own || file.starts_with(&below)).collect()
}

/// The files of some modules outside of which something may not be named.
fn files_outside(modules: &[&str]) -> Vec<String> {
    let inside: Vec<String> = modules.iter().flat_map(|module| files_of(module)).collect();
    rust_files("src").into_iter().filter(|file| !inside.contains(file)).collect()
}

fn in_crate(modules: &[&str]) -> Vec<String> {
    modules.iter().map(|module| format!("crate::{module}")).collect()
}

#[track_caller]
fn none(breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn the_domain_knows_neither_io_nor_transport_nor_storage() {
    let files = files_of("domain");
    assert!(files.len() > 10, "{files:?}");
    let crates = [
        "tokio",
        "sea_orm",
        "sqlx",
        "tonic",
        "tracing",
        "ownership_proto",
        "prost_types",
        "std::time::SystemTime",
        "std::time::Instant",
    ];
    none(breaches(files.clone(), &crates));
    let above = in_crate(&[
        "store",
        "ledger",
        "rpc",
        "config",
        "cli",
        "server",
        "watch",
        "history",
        "publish",
        "identity",
        "metrics",
        "telemetry",
    ]);
    none(breaches(files, &above.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[test]
fn the_store_knows_neither_transport_nor_capabilities_nor_configuration() {
    let files = files_of("store");
    assert!(files.len() > 3, "{files:?}");
    none(breaches(files.clone(), &["tonic", "ownership_proto", "prost_types"]));
    let above = in_crate(&[&CAPABILITIES[..], &["config", "rpc", "cli", "server"]].concat());
    none(breaches(files, &above.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[test]
fn capabilities_know_neither_transport_nor_sql_nor_configuration() {
    for capability in CAPABILITIES {
        let files = files_of(capability);
        assert!(!files.is_empty(), "{capability} is gone: name what took its place");
        none(breaches(
            files,
            &[
                "sea_orm",
                "sqlx",
                "tonic",
                "ownership_proto",
                "prost_types",
                "crate::config",
                "crate::rpc",
                "crate::cli",
                "crate::server",
            ],
        ));
    }
}

#[test]
fn the_ledger_lies_below_all_other_capabilities() {
    let others = in_crate(&CAPABILITIES[1..]);
    none(breaches(files_of("ledger"), &others.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[test]
fn only_the_store_names_the_database_driver() {
    none(breaches(files_outside(&["store"]), &["sea_orm", "sqlx"]));
}

#[test]
fn only_rpc_server_and_command_line_name_the_transport() {
    none(breaches(
        files_outside(&["rpc", "server", "cli"]),
        &["tonic", "tonic_health", "tonic_reflection", "tonic_types"],
    ));
}

#[test]
fn only_the_admin_port_speaks_plain_http() {
    none(breaches(files_outside(&["server/admin"]), &["axum"]));
}

#[test]
fn only_telemetry_knows_where_telemetry_goes() {
    let exporters = ["opentelemetry_otlp", "opentelemetry_prometheus", "opentelemetry_appender_tracing", "prometheus"];
    none(breaches(files_outside(&["telemetry"]), &exporters));
}

#[test]
fn only_the_broker_names_its_client() {
    none(breaches(files_outside(&["publish/broker"]), &["async_nats"]));
}

#[test]
fn rpc_knows_no_sql() {
    none(breaches(files_of("rpc"), &["sea_orm", "sqlx", "crate::store"]));
}

#[test]
fn migrations_and_contract_never_import_the_service() {
    let files = rust_files("migrations").into_iter().chain(rust_files("proto"));
    let files = files.filter(|file| !file.contains("/target/"));
    none(breaches(files, &["ownership", "ownership::"]));
}

#[test]
fn service_and_client_know_each_other_by_the_contract_only() {
    none(breaches(rust_files("client"), &["ownership"]));
    none(breaches(rust_files("examples"), &["ownership"]));
    none(breaches(rust_files("src"), &["ownership_client"]));
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let all = ["src", "proto/src", "proto/build", "migrations/src", "client", "examples", "tests/it"]
        .iter()
        .flat_map(|below| rust_files(below));
    let length = |file: String| {
        (text(&file).split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().count(), file)
    };
    let long: BTreeMap<_, _> = all.map(length).filter(|(lines, _)| *lines > LINES).collect();
    assert!(long.is_empty(), "longer than {LINES} lines: {long:#?}");
}

#[test]
fn every_path_that_the_map_names_is_there() {
    let map = text("ARCHITECTURE.md");
    let is_path = |word: &&str| {
        let known = [".rs", ".md", ".proto", ".toml", "/"].iter().any(|end| word.ends_with(end));
        known && !word.contains(['<', '*', ' ', '{']) && !word.starts_with("http")
    };
    let words: Vec<&str> = map.split('`').skip(1).step_by(2).filter(is_path).collect();
    assert!(words.len() > 10, "the map names paths: {words:?}");
    // Within the part about a directory, the map names its files without it.
    let files: Vec<String> = ["src", "proto", "migrations", "client", "examples", "tests"]
        .iter()
        .flat_map(|below| rust_files(below))
        .collect();
    let inside = |word: &str| files.iter().any(|file| format!("/{file}").contains(&format!("/{word}")));
    let there = |word: &str| repository().join(word).exists() || inside(word);
    let gone: Vec<_> = words.into_iter().filter(|word| !there(word)).collect();
    assert!(gone.is_empty(), "the map names what is not there: {gone:?}");
}

#[test]
fn every_guarantee_is_shown_by_tests_that_are_there() {
    let page = text("README.md");
    let section = page.split("\n## ").find(|section| section.starts_with("What it guarantees")).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "));
    let guarantees: Vec<_> = rows.filter(|(_, shown_by)| *shown_by != "Shown by").collect();
    assert!(guarantees.len() > 30, "{guarantees:#?}");
    let is_there = |test: &str| {
        let (file, name) = test.split_once("::").unwrap_or_default();
        let source = repository().join(format!("tests/it/{file}.rs"));
        let source = std::fs::read_to_string(source).unwrap_or_default();
        let mut items = source.split("\n\n");
        items.any(|item| {
            ["#[test]", "#[tokio::test"].iter().any(|mark| item.contains(mark))
                && item.contains(&format!("fn {name}()"))
        })
    };
    for (guarantee, shown_by) in guarantees {
        let tests: Vec<_> = shown_by.split('`').skip(1).step_by(2).collect();
        let gone: Vec<_> = tests.iter().filter(|test| !is_there(test)).collect();
        assert!(!tests.is_empty() && gone.is_empty(), "{guarantee}: no test {gone:?}");
    }
}

#[test]
fn a_breach_would_be_noticed() {
    for line in ["use tonic::Status;", "    tonic::Code::Ok", "pub use tonic;", "fn a(x: &tonic::Status)"] {
        assert!(names(line, "tonic"), "{line}");
    }
    for line in ["use crate::rpc::tonic_like;", "let tonic = 1;", "use tonic_types::X;", "a.tonic()"] {
        assert!(!names(line, "tonic"), "{line}");
    }
    assert!(names("use crate::config::Config;", "crate::config"));
    assert!(!names("use crate::configured::Config;", "crate::config"));
}
