//! Comparing: the service and what it is measured against, in turn.

use anyhow::{Context, Result};
use futures::future::BoxFuture;
use indicatif::ProgressBar;

use super::world::World;

/// What a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// More is better.
    PerSecond,
    /// Less is better, as in all that follow.
    Millis,
    Bytes,
    Mebibytes,
}

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// Ours over the limit.
    RatioAtLeast(f64),
    /// Ours over the limit.
    RatioAtMost(f64),
    /// Ours itself.
    AtMost(f64),
    /// Told, not judged.
    None,
}

/// Takes one sample.
pub type Sampler<'a> = Box<dyn Fn() -> BoxFuture<'a, Result<f64>> + 'a>;

/// One of the things that are compared.
pub struct Side<'a> {
    pub name: &'static str,
    /// Of ours against this.
    pub goal: Goal,
    pub sample: Sampler<'a>,
}

impl<'a> Side<'a> {
    /// A side whose samples are futures.
    pub fn new<F>(name: &'static str, goal: Goal, sample: impl Fn() -> F + 'a) -> Self
    where
        F: Future<Output = Result<f64>> + Send + 'a,
    {
        Self { name, goal, sample: Box::new(move || Box::pin(sample())) }
    }
}

/// Something to be measured.
pub trait Measurement {
    /// What, for the table.
    fn what(&self) -> String;

    /// What its figures are.
    fn unit(&self) -> Unit;

    /// Ours first, then what it is compared with. A goal of ours is one that needs no comparison.
    fn sides<'a>(&'a self, world: &'a World) -> Vec<Side<'a>>;
}

/// The samples of one side.
#[derive(Debug, Clone)]
pub struct Figure {
    pub median: f64,
    /// From the least to the most, as a part of the median.
    pub spread: f64,
}

impl Figure {
    fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let median = median(&sorted);
        let spread = sorted.last().zip(sorted.first()).map_or(0.0, |(most, least)| (most - least) / median);
        Self { median, spread }
    }
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    pub what: String,
    pub unit: Unit,
    pub ours: Figure,
    /// Name and figure of what it is compared with.
    pub limit: Option<(&'static str, Figure)>,
    /// Median of the ratios of the rounds: what disturbs a round as a whole cancels out.
    pub ratio: Option<f64>,
    pub goal: Goal,
}

impl Row {
    /// Whether something else used the machine meanwhile, by the look of it.
    pub fn is_disturbed(&self) -> bool {
        let limit = self.limit.as_ref().map_or(0.0, |(_, figure)| figure.spread);
        self.ours.spread.max(limit) > 0.25
    }

    /// Whether the goal is reached, if there is one.
    pub fn is_met(&self) -> Option<bool> {
        match (self.goal, self.ratio) {
            (Goal::RatioAtLeast(least), Some(ratio)) => Some(ratio >= least),
            (Goal::RatioAtMost(most), Some(ratio)) => Some(ratio <= most),
            (Goal::AtMost(most), _) => Some(self.ours.median <= most),
            (Goal::RatioAtLeast(_) | Goal::RatioAtMost(_) | Goal::None, _) => None,
        }
    }
}

/// Measures all sides in turn, round by round.
pub async fn take(measurement: &dyn Measurement, world: &World, bar: &ProgressBar) -> Result<Vec<Row>> {
    let sides = measurement.sides(world);
    let mut samples = vec![Vec::new(); sides.len()];
    for _ in 0..world.profile.rounds {
        for (side, taken) in sides.iter().zip(&mut samples) {
            bar.set_message(format!("{}: {}", measurement.what(), side.name));
            taken.push((side.sample)().await.with_context(|| side.name)?);
            bar.inc(1);
        }
    }
    Ok(rows(measurement, &sides, &samples))
}

fn rows(measurement: &dyn Measurement, sides: &[Side<'_>], samples: &[Vec<f64>]) -> Vec<Row> {
    let row = |goal, limit, ratio| Row {
        what: measurement.what(),
        unit: measurement.unit(),
        ours: Figure::of(&samples[0]),
        limit,
        ratio,
        goal,
    };
    let against = sides.iter().zip(samples).skip(1).map(|(side, limit)| {
        let ratios: Vec<_> = samples[0].iter().zip(limit).map(|(ours, limit)| ours / limit).collect();
        row(side.goal, Some((side.name, Figure::of(limit))), Some(Figure::of(&ratios).median))
    });
    let alone = (sides.len() == 1 || sides[0].goal != Goal::None).then(|| row(sides[0].goal, None, None));
    alone.into_iter().chain(against).collect()
}
