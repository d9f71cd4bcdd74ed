//! Callers in a closed loop: each sends its next call when the one before is answered.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tonic::transport::Channel;

/// What callers saw.
#[derive(Debug)]
pub struct Load {
    /// Items that were answered for, a second.
    pub per_second: f64,
    /// Microseconds a call took.
    pub latency: Histogram<u64>,
}

/// When a sample begins and ends.
#[derive(Debug, Clone, Copy)]
struct Span {
    begin: Instant,
    end: Instant,
}

/// Has callers call until the time is over. Calls that end within the warm-up do not count. A call says how many items it did.
pub async fn closed_loop<T, Call, Answer>(
    callers: usize,
    (warm, time): (Duration, Duration),
    targets: &[T],
    call: Call,
) -> Result<Load>
where
    T: Clone + Send + Sync + 'static,
    Call: Fn(T) -> Answer + Clone + Send + 'static,
    Answer: Future<Output = Result<u64>> + Send + 'static,
{
    let begin = Instant::now() + warm;
    let span = Span { begin, end: begin + time };
    let mut all = JoinSet::new();
    for caller in 0..callers {
        let target = targets.get(caller % targets.len()).context("nowhere to call")?.clone();
        all.spawn(one_caller(span, target, call.clone()));
    }
    let (mut items, mut latency) = (0, Histogram::new(3)?);
    while let Some(caller) = all.join_next().await {
        let (done, seen) = caller??;
        items += done;
        latency.add(seen)?;
    }
    Ok(Load { per_second: items as f64 / time.as_secs_f64(), latency })
}

async fn one_caller<T, Call, Answer>(span: Span, target: T, call: Call) -> Result<(u64, Histogram<u64>)>
where
    T: Clone,
    Call: Fn(T) -> Answer,
    Answer: Future<Output = Result<u64>>,
{
    let (mut items, mut latency) = (0, Histogram::new(3)?);
    loop {
        let sent = Instant::now();
        let done = call(target.clone()).await?;
        let answered = Instant::now();
        if answered >= span.end {
            return Ok((items, latency));
        }
        if answered >= span.begin {
            items += done;
            latency.record(u64::try_from((answered - sent).as_micros())?)?;
        }
    }
}

/// Connections to a server.
pub async fn connect(url: &str, connections: usize) -> Result<Vec<Channel>> {
    let mut channels = Vec::new();
    for _ in 0..connections {
        channels.push(Channel::from_shared(url.to_owned())?.tcp_nodelay(true).connect().await?);
    }
    Ok(channels)
}
