//! The load suite: what the service does under load, against limits that are measured in the same run. `benches/run` starts it.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::large_futures,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "a program of its own, which prints, and makes its own times and tasks"
)]

mod anatomy;
mod bare;
mod broker;
mod calls;
mod chart;
mod collector;
mod copy;
mod data;
mod docs;
mod drive;
mod fill;
mod measure;
mod measurements;
mod pgbench;
mod process;
mod processor;
mod profile;
mod report;
mod stages;
mod wire;
mod world;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use tikv_jemallocator::Jemalloc;

use measure::Measurement;
use report::{Results, Run};
use world::World;

/// What the client and the bare server take of the processor is not to be spent waiting for the allocator of the C library: what is
/// taken by one thread and given back by another has it lock.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Measures the service under load.
#[derive(Parser)]
struct Arguments {
    /// How much to measure.
    #[arg(long, value_enum, default_value = "short")]
    profile: ProfileName,
    /// Only measurements whose name contains this, or one of these.
    #[arg(long)]
    only: Vec<String>,
    /// Write table and chart into the documentation as well.
    #[arg(long)]
    docs: bool,
    /// Where to write the results.
    #[arg(long, default_value = "target/bench/latest.json")]
    json: PathBuf,
    /// Where to draw them.
    #[arg(long, default_value = "target/bench/latest.svg")]
    svg: PathBuf,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileName {
    Short,
    Long,
}

#[derive(Subcommand)]
enum Part {
    /// Serves as the bare server.
    #[command(hide = true)]
    Bare {
        /// What watches are sent.
        messages: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Part::Bare { messages }) = arguments.part {
        return bare::serve(messages.as_deref()).await;
    }
    if std::env::var_os("OWNERSHIP_BENCH_POSTGRES").is_none() {
        println!("load: skipped, it needs a database of its own: benches/run");
        return Ok(());
    }
    let profile = match arguments.profile {
        ProfileName::Short => profile::SHORT,
        ProfileName::Long => profile::LONG,
    };
    let only = &arguments.only;
    let wanted = |what: &str| only.is_empty() || only.iter().any(|part| what.contains(part.as_str()));
    let world = World::new(profile)?;
    let all = measurements::all().into_iter().filter(|one| wanted(&one.what())).collect();
    let (results, failed) = take_all(all, wanted(anatomy::WHAT), &world).await;
    let run = Run::of(&world).await?;
    println!("{}", report::text(&results));
    write(&arguments.json, &format!("{:#}\n", report::json(&results, &run)))?;
    write(&arguments.svg, &chart::svg(&results.rows))?;
    if arguments.docs {
        docs::write(&results, &run)?;
    }
    if failed.is_empty() { Ok(()) } else { bail!("not measured:\n{}", failed.join("\n")) }
}

/// Measures one after the other. One that fails does not spoil the others.
async fn take_all(all: Vec<Box<dyn Measurement>>, with_anatomy: bool, world: &World) -> (Results, Vec<String>) {
    let bar = ProgressBar::new(all.len() as u64 + u64::from(with_anatomy));
    if let Ok(style) = ProgressStyle::with_template("[{elapsed_precise}] {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(500));
    let (mut results, mut failed) = (Results::default(), Vec::new());
    for one in all {
        match measure::take(one.as_ref(), world, &bar).await {
            Ok(measured) => results.rows.extend(measured),
            Err(error) => failed.push(format!("{}: {error:#}", one.what())),
        }
        bar.inc(1);
    }
    if with_anatomy {
        bar.set_message(anatomy::WHAT);
        match anatomy::take(world).await {
            Ok(anatomy) => results.anatomy = Some(anatomy),
            Err(error) => failed.push(format!("{}: {error:#}", anatomy::WHAT)),
        }
    }
    bar.finish_and_clear();
    (results, failed)
}

fn write(path: &Path, content: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(path, content)?;
    println!("{}", path.display());
    Ok(())
}
