//! COPY, as the database's own client reads it: nothing is made of a row but bytes.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::world::{Database, World};

/// How long it takes to read all rows to their end, by psql's own clock: without its start.
pub async fn copy(world: &World, database: &Database, statement: &str) -> Result<Duration> {
    let mut command = world.postgres_program("psql");
    command.args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"]).arg(&database.url);
    for line in ["\\o /dev/null", "\\timing on", statement] {
        command.args(["--command", line]);
    }
    command.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let time = text.lines().find_map(|line| line.strip_prefix("Time: ")).context("psql printed no time")?;
    let millis: f64 = time.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(Duration::from_secs_f64(millis / 1_000.0))
}
