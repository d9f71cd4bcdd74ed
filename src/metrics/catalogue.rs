//! Makes instruments, and remembers what it made: the list of metrics is what the constructor says.

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

/// From half a millisecond to the cap of a call's deadline, in seconds.
const LATENCIES: [f64; 15] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
const SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// What a metric counts or measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only ever rises.
    Counter,
    /// Rises and falls.
    UpDownCounter,
    /// The last reading.
    Gauge,
    /// How readings are distributed.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it counts or measures.
    pub kind: Kind,
    /// In what unit, as UCUM has it.
    pub unit: &'static str,
    /// By what it is told apart.
    pub attributes: &'static [&'static str],
    /// What a reading means.
    pub meaning: &'static str,
}

/// Makes the instruments of a meter.
pub(super) struct Maker<'a> {
    meter: &'a Meter,
    made: Vec<Entry>,
}

type Text = &'static str;
type Attributes = &'static [&'static str];

impl<'a> Maker<'a> {
    pub(super) fn new(meter: &'a Meter) -> Self {
        Self { meter, made: Vec::new() }
    }

    /// What was made.
    pub(super) fn made(self) -> Vec<Entry> {
        self.made
    }

    pub(super) fn counter(&mut self, name: Text, unit: Text, attributes: Attributes, meaning: Text) -> Counter<u64> {
        self.made.push(Entry { name, kind: Kind::Counter, unit, attributes, meaning });
        let counter = self.meter.u64_counter(name).with_unit(unit).with_description(meaning).build();
        if attributes.is_empty() {
            // What has never happened is seen not to have, and the first time it does is a rise.
            counter.add(0, &[]);
        }
        counter
    }

    pub(super) fn level(
        &mut self,
        name: Text,
        unit: Text,
        attributes: Attributes,
        meaning: Text,
    ) -> UpDownCounter<i64> {
        self.made.push(Entry { name, kind: Kind::UpDownCounter, unit, attributes, meaning });
        self.meter.i64_up_down_counter(name).with_unit(unit).with_description(meaning).build()
    }

    pub(super) fn gauge(&mut self, name: Text, unit: Text, attributes: Attributes, meaning: Text) -> Gauge<u64> {
        self.made.push(Entry { name, kind: Kind::Gauge, unit, attributes, meaning });
        self.meter.u64_gauge(name).with_unit(unit).with_description(meaning).build()
    }

    pub(super) fn span(&mut self, name: Text, meaning: Text) -> Gauge<f64> {
        self.made.push(Entry { name, kind: Kind::Gauge, unit: "s", attributes: &[], meaning });
        self.meter.f64_gauge(name).with_unit("s").with_description(meaning).build()
    }

    pub(super) fn latency(&mut self, name: Text, attributes: Attributes, meaning: Text) -> Histogram<f64> {
        self.made.push(Entry { name, kind: Kind::Histogram, unit: "s", attributes, meaning });
        let histogram = self.meter.f64_histogram(name).with_unit("s").with_description(meaning);
        histogram.with_boundaries(LATENCIES.to_vec()).build()
    }

    pub(super) fn size(&mut self, name: Text, unit: Text, meaning: Text) -> Histogram<u64> {
        self.made.push(Entry { name, kind: Kind::Histogram, unit, attributes: &[], meaning });
        let histogram = self.meter.u64_histogram(name).with_unit(unit).with_description(meaning);
        histogram.with_boundaries(SIZES.to_vec()).build()
    }
}
