//! `ownership doctor`.

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs it.
pub async fn run(_args: Args) -> anyhow::Result<()> {
    Ok(())
}
