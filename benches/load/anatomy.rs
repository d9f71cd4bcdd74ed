//! Where the time of an Assign goes: stage by stage, as the service's own spans tell it, and who uses the processor meanwhile.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use opentelemetry_proto::tonic::trace::v1::Span;
use tonic::Request;
use tonic::transport::Channel;

use super::collector::Collector;
use super::data::{Shape, any};
use super::drive::closed_loop;
use super::stages::{LOADS, Line, Stage};
use super::wire::ASSIGN;
use super::world::{Database, Store, World};
use super::{calls, processor};

pub const WHAT: &str = "Assign, stage by stage";
/// Callers of each load.
pub const CALLERS: [usize; LOADS] = [1, 256];
/// Who uses the processor.
pub const USERS: [&str; 3] = ["client", "service", "Postgres"];
/// One call of so many is traced: tracing all would slow them down, and the service drops spans that come too fast.
const TRACED: usize = 4;

/// What an Assign is made of.
#[derive(Debug)]
pub struct Anatomy {
    pub stages: Vec<Line>,
    /// Microseconds of the processor for one call, of each user and load.
    pub processor: [[f64; LOADS]; USERS.len()],
}

/// Looks at Assign under each load, in all accounts.
pub async fn take(world: &World) -> Result<Anatomy> {
    let database = world.many(Store::Postgres).await?;
    let mut call = Stage::calls(ASSIGN.0.trim_start_matches('/'));
    let (mut seen, mut processor) = ([None; LOADS], [[0.0; LOADS]; USERS.len()]);
    for (load, callers) in CALLERS.into_iter().enumerate() {
        let (median, spans) = traced(world, &database, callers).await?;
        seen[load] = Some(median);
        call.add_all(load, &spans);
        let used = used(world, &database, callers).await?;
        processor.iter_mut().zip(used).for_each(|(user, used)| user[load] = used);
    }
    let mut stages = vec![Line { name: "as its caller sees it".to_owned(), depth: 0, millis: seen }];
    call.tell(1, &mut stages);
    ensure!(stages.len() > 2, "the service exported no spans within an Assign");
    Ok(Anatomy { stages, processor })
}

/// How long callers wait, in milliseconds, and the spans of their calls.
async fn traced(world: &World, database: &Database, callers: usize) -> Result<(f64, Vec<Span>)> {
    let collector = Collector::default();
    let service = world.serve_loaded(database, &[("telemetry.otlp_endpoint", &collector.start()?)]).await?;
    let (shape, (warm, time)) = (database.shape, world.profile.span());
    let call = move |channel| assign(channel, shape);
    closed_loop(callers, (Duration::ZERO, warm), &service.channels, call).await?;
    let began = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let load = closed_loop(callers, (Duration::ZERO, time), &service.channels, call).await?;
    let mut spans = collector.take();
    spans.retain(|span| u128::from(span.start_time_unix_nano) >= began);
    Ok((load.latency.value_at_quantile(0.5) as f64 / 1_000.0, spans))
}

/// Assigns, and says to the service whether the call is to be traced.
async fn assign(channel: Channel, shape: Shape) -> Result<u64> {
    let mut request = Request::new(calls::any_to_any(shape));
    let (trace, span) = (fastrand::u128(1..), fastrand::u64(1..));
    let parent = format!("00-{trace:032x}-{span:016x}-{:02x}", u8::from(any(TRACED) == 0));
    request.metadata_mut().insert("traceparent", parent.parse()?);
    ASSIGN.call(channel, request).await?;
    Ok(1)
}

/// Microseconds of the processor that each user takes for one call. On a service that exports nothing: exporting takes some, and so
/// does the collector, which is part of the client.
async fn used(world: &World, database: &Database, callers: usize) -> Result<[f64; USERS.len()]> {
    let service = world.serve_loaded(database, &[]).await?;
    let postgres = world.postmaster().await?;
    let until_now = || {
        let client = processor::of(std::process::id())?;
        anyhow::Ok([client, processor::of(service.id())?, processor::of_family(postgres)?])
    };
    let (shape, (warm, time)) = (database.shape, world.profile.span());
    let call = move |channel| calls::assign(channel, shape);
    closed_loop(callers, (Duration::ZERO, warm), &service.channels, call).await?;
    let before = until_now()?;
    // Counted in hundredths of a second.
    let load = closed_loop(callers, (Duration::ZERO, time * 3), &service.channels, call).await?;
    let after = until_now()?;
    Ok(std::array::from_fn(|user| (after[user] - before[user]).as_secs_f64() * 1e6 / load.latency.len() as f64))
}
