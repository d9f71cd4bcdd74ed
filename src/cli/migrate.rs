//! `ownership migrate`.

use anyhow::Context;

use super::configured::ConfigArgs;
use super::output::{Format, Output};
use super::values;

/// Arguments of `migrate`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Brings the database up to date. Any number of these may run at once, also while the service runs.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = args.config.load(&[])?;
    let url = &config.database.url;
    let applied = ownership_migrations::migrate(url.expose()).await;
    let applied = applied.with_context(|| format!("cannot migrate {}", url.describe()))?;
    let text = || match applied.len() {
        0 => format!("{} is up to date", url.describe()),
        count => {
            let changes = values::counted(count, "change");
            format!("{} is up to date now, by {changes}:\n  {}", url.describe(), applied.join("\n  "))
        }
    };
    Ok(Output::stdout(Format::Table).print(|| serde_json::json!(applied), text)?)
}
