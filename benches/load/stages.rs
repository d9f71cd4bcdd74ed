//! What the spans of many calls say about one: its stages in their order, one within the other, and what lies between them.

use std::collections::HashMap;

use opentelemetry_proto::tonic::trace::v1::Span;

/// Loads that are compared.
pub const LOADS: usize = 2;
/// What lies between two spans is told from here on, in nanoseconds: below it there is nothing but the spans themselves.
const WORTH_TELLING: u64 = 10_000;

/// A line of the table.
#[derive(Debug)]
pub struct Line {
    pub name: String,
    /// How many stages it is within.
    pub depth: usize,
    /// Median of each load.
    pub millis: [Option<f64>; LOADS],
}

/// A stage, and those within it.
#[derive(Debug, Default)]
pub struct Stage {
    name: String,
    /// Whether it is what lies between two spans.
    is_between: bool,
    /// How long after the stage around it it began, in nanoseconds.
    began: Vec<u64>,
    /// How long it took, by load.
    took: [Vec<u64>; LOADS],
    within: Vec<Stage>,
}

impl Stage {
    /// The calls of a method, none yet.
    pub fn calls(method: &str) -> Self {
        Self { name: method.to_owned(), ..Self::default() }
    }

    /// Adds all calls among the spans of a load.
    pub fn add_all(&mut self, load: usize, spans: &[Span]) {
        let mut within: HashMap<_, Vec<_>> = HashMap::new();
        for span in spans {
            within.entry(span.parent_span_id.as_slice()).or_default().push(span);
        }
        within.values_mut().for_each(|spans| spans.sort_by_key(|span| span.start_time_unix_nano));
        let calls: Vec<_> = spans.iter().filter(|span| span.name == self.name).collect();
        for call in calls {
            self.add(load, call, call.start_time_unix_nano, &within);
        }
    }

    fn add(&mut self, load: usize, span: &Span, around: u64, all: &HashMap<&[u8], Vec<&Span>>) {
        let (begin, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
        self.took(load, around, begin, end);
        let Some(parts) = all.get(span.span_id.as_slice()) else { return };
        let (mut at, mut last) = (begin, "");
        for part in parts {
            self.part(format!("until {}", part.name), true).took(load, begin, at, part.start_time_unix_nano);
            self.part(part.name.clone(), false).add(load, part, begin, all);
            (at, last) = (part.end_time_unix_nano, &part.name);
        }
        self.part(format!("after {last}"), true).took(load, begin, at, end);
    }

    fn took(&mut self, load: usize, around: u64, begin: u64, end: u64) {
        self.began.push(begin.saturating_sub(around));
        self.took[load].push(end.saturating_sub(begin));
    }

    fn part(&mut self, name: String, is_between: bool) -> &mut Self {
        let place = self.within.iter().position(|part| part.name == name).unwrap_or_else(|| {
            self.within.push(Self { name, is_between, ..Self::default() });
            self.within.len() - 1
        });
        &mut self.within[place]
    }

    /// Adds the stage to the lines of a table, and those within it in the order in which they begin.
    pub fn tell(&self, depth: usize, lines: &mut Vec<Line>) {
        let medians = self.took.each_ref().map(|took| median(took));
        if self.is_between && medians.iter().flatten().all(|nanos| *nanos < WORTH_TELLING) {
            return;
        }
        let millis = medians.map(|nanos| nanos.map(|nanos| nanos as f64 / 1e6));
        lines.push(Line { name: self.name.clone(), depth, millis });
        let mut within: Vec<_> = self.within.iter().collect();
        within.sort_by_key(|part| median(&part.began));
        within.iter().for_each(|part| part.tell(depth + 1, lines));
    }
}

fn median(all: &[u64]) -> Option<u64> {
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}
