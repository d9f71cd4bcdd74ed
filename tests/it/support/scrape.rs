//! What Prometheus sees.

use std::collections::{BTreeMap, BTreeSet};

use ownership::metrics::{Entry, Kind};

/// The name that a metric has in Prometheus.
pub fn prometheus_name(entry: &Entry) -> String {
    let unit = match entry.unit {
        "s" => "_seconds",
        "By" => "_bytes",
        counted => {
            assert!(counted.starts_with('{'), "{counted}: say here what Prometheus calls it");
            ""
        }
    };
    let total = if entry.kind == Kind::Counter { "_total" } else { "" };
    format!("{}{unit}{total}", entry.name.replace('.', "_"))
}

/// The text that was scraped, taken apart.
#[derive(Debug)]
pub struct Scraped {
    /// What kind each metric is, by name.
    pub kinds: BTreeMap<String, String>,
    /// By what the readings of each are told apart, but for the buckets of histograms.
    pub labels: BTreeMap<String, BTreeSet<String>>,
    lines: Vec<String>,
}

impl Scraped {
    pub fn of(text: &str) -> Self {
        let mut scraped = Self { kinds: BTreeMap::new(), labels: BTreeMap::new(), lines: Vec::new() };
        for line in text.lines() {
            if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
                scraped.kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (name, labels) =
                    line.split_once('{').map_or((line, ""), |(name, rest)| (name, rest.rsplit_once('}').unwrap().0));
                let name = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
                let labels =
                    labels.split("\",").filter_map(|label| label.split_once('=')).map(|(label, _)| label.to_owned());
                scraped.labels.entry(name.to_owned()).or_default().extend(labels.filter(|label| label != "le"));
                scraped.lines.push(line.to_owned());
            }
        }
        scraped
    }

    /// The sum of the readings of a metric whose labels say all of this.
    pub fn reading(&self, name: &str, labels: &[&str]) -> f64 {
        let of = |line: &&String| {
            line.split(['{', ' ']).next() == Some(name) && labels.iter().all(|label| line.contains(label))
        };
        self.lines.iter().filter(of).map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }
}
