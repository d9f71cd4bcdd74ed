//! Pages that are made from the code are as they would be made now.

use std::fmt::Write;

use ownership::config::SECRETS;
use ownership::metrics::{self, Entry, Kind};

use crate::support::golden::{is_committed, row};
use crate::support::keys::{Key, sections};
use crate::support::prometheus_name;
use crate::support::sources::text;

#[test]
fn the_page_of_the_configuration_has_every_key() {
    let lines: Vec<_> = text("src/config.rs")
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .map(str::to_owned)
        .collect();
    let mut page = format!("# Configuration\n\n{}\n", lines.join("\n"));
    for section in sections() {
        write!(page, "\n## `{}.*`\n\n{}\n\n", section.path, section.meaning).unwrap();
        page += &row(["Key, and variable", "Value", "Default", "Meaning"]);
        page += &row(["---"; 4]);
        for Key { path, meaning, kind, secret, default } in section.keys {
            let kind = if secret { format!("{kind}, or in a file: `{path}_file`") } else { kind };
            let variable = format!("OWNERSHIP__{}", path.to_uppercase().replace('.', "__"));
            let default = default.map_or_else(|| "none".to_owned(), |default| format!("`{default}`"));
            page += &row([&*format!("`{path}`<br>`{variable}`"), &kind, &default, &meaning]);
        }
    }
    is_committed("docs/configuration.md", &page);
}

#[test]
fn a_key_is_secret_if_its_type_is() {
    let keys = sections().into_iter().flat_map(|section| section.keys);
    let secret: Vec<_> = keys.filter(|key| key.secret).map(|key| key.path).collect();
    assert_eq!(secret, SECRETS);
}

#[test]
fn the_page_for_callers_has_the_programs_that_are_run() {
    let page = text("docs/calling.md");
    let mut made = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        writeln!(made, "{line}").unwrap();
        if let Some(file) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) {
            let fence = lines.next().expect("a block of code follows the name of its file");
            writeln!(made, "{fence}\n{}```", text(file)).unwrap();
            lines.by_ref().find(|line| *line == "```").expect("the block ends");
        }
    }
    is_committed("docs/calling.md", &made);
}

const METRICS: &str = "\
# Metrics

What the service measures. With `telemetry.otlp_endpoint` it is sent to a collector; Prometheus scrapes `/metrics` of the admin port.
No metric is told apart by account, lead or member: those who run the service see how much happens, not to whom. Times have the
buckets that the service is built for, from half a millisecond to thirty seconds. Of the process itself, on Linux, there are beside them in
`/metrics` those that Prometheus has for all programs: `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds` and so on.

";

#[test]
fn the_page_of_the_metrics_has_every_instrument() {
    let mut page = METRICS.to_owned();
    page += &row(["Name, and name in Prometheus", "Kind", "Unit", "Told apart by", "Meaning"]);
    page += &row(["---"; 5]);
    for entry in metrics::all() {
        let Entry { name, kind, unit, attributes, meaning } = entry;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::UpDownCounter => "up-down counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let names = format!("`{name}`<br>`{}`", prometheus_name(&entry));
        let attributes: Vec<_> = attributes.iter().map(|attribute| format!("`{attribute}`")).collect();
        page += &row([&*names, kind, &format!("`{unit}`"), &attributes.join(", "), meaning]);
    }
    is_committed("docs/metrics.md", &page);
}
