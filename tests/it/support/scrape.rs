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
    /// By what readings are told apart.
    pub labels: BTreeSet<String>,
    lines: Vec<String>,
}

impl Scraped {
    pub fn of(text: &str) -> Self {
        let mut scraped = Self { kinds: BTreeMap::new(), labels: BTreeSet::new(), lines: Vec::new() };
        for line in text.lines() {
            if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
                scraped.kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let labels = line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
                let names = labels.split("\",").filter_map(|label| label.split_once('='));
                scraped.labels.extend(names.map(|(name, _)| name.to_owned()));
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
