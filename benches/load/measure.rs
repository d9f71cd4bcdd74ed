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
pub type Sampler<'a> = Box<dyn Fn() -> BoxFuture<'a, Result<f64>> + Send + Sync + 'a>;

/// One of the things that are compared.
pub struct Side<'a> {
    pub name: String,
    /// Of ours against this.
    pub goal: Goal,
    pub sample: Sampler<'a>,
}

impl<'a> Side<'a> {
    /// A side whose samples are futures.
    pub fn new<F>(name: impl Into<String>, goal: Goal, sample: impl Fn() -> F + Send + Sync + 'a) -> Self
    where
        F: Future<Output = Result<f64>> + Send + 'a,
    {
        Self { name: name.into(), goal, sample: Box::new(move || Box::pin(sample())) }
    }

    /// Ours, which has no goal by itself.
    pub fn ours<F>(sample: impl Fn() -> F + Send + Sync + 'a) -> Self
    where
        F: Future<Output = Result<f64>> + Send + 'a,
    {
        Self::new("ours", Goal::None, sample)
    }
}

/// Something to be measured.
#[tonic::async_trait]
pub trait Measurement: Send + Sync {
    /// What, for the table.
    fn what(&self) -> String;

    /// What its figures are.
    fn unit(&self) -> Unit;

    /// Starts what is needed. Ours first, then what it is compared with. A goal of ours is one that needs no comparison.
    async fn sides<'a>(&'a self, world: &'a World) -> Result<Vec<Side<'a>>>;

    /// The lines that the samples of each side make: ours against each of the others.
    fn rows(&self, sides: &[Side<'_>], samples: &[Vec<f64>]) -> Vec<Row> {
        let against =
            sides.iter().zip(samples).skip(1).map(|(side, limit)| {
                Row::compared(self.what(), self.unit(), side.goal, (&samples[0], &side.name, limit))
            });
        let alone = (sides.len() == 1).then(|| Row {
            what: self.what(),
            unit: self.unit(),
            ours: Figure::of(&samples[0]),
            limit: None,
            ratio: None,
            goal: sides[0].goal,
        });
        alone.into_iter().chain(against).collect()
    }
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
    pub limit: Option<(String, Figure)>,
    /// Median of the ratios of the rounds: what disturbs a round as a whole cancels out.
    pub ratio: Option<f64>,
    pub goal: Goal,
}

impl Row {
    /// Samples beside those of a limit.
    pub fn compared(what: String, unit: Unit, goal: Goal, (ours, name, limit): (&[f64], &str, &[f64])) -> Self {
        let ratios: Vec<_> = ours.iter().zip(limit).map(|(ours, limit)| ours / limit).collect();
        let ratio = Some(Figure::of(&ratios).median);
        Self { what, unit, ours: Figure::of(ours), limit: Some((name.to_owned(), Figure::of(limit))), ratio, goal }
    }

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
    bar.set_message(format!("{}: preparing", measurement.what()));
    let sides = measurement.sides(world).await?;
    let mut samples = vec![Vec::new(); sides.len()];
    for round in 1..=world.profile.rounds {
        for (side, taken) in sides.iter().zip(&mut samples) {
            bar.set_message(format!("{}: {}, round {round}", measurement.what(), side.name));
            taken.push((side.sample)().await.with_context(|| side.name.clone())?);
        }
    }
    Ok(measurement.rows(&sides, &samples))
}
