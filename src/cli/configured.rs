//! Where a command that runs the service, or prepares for it, has its configuration from.

use std::path::PathBuf;

use crate::config::{Config, Error};

/// The arguments.
#[derive(clap::Args, Debug, Default)]
pub(super) struct ConfigArgs {
    /// Configuration file (TOML); the environment wins over it, and flags win over both
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Database: sqlite:PATH or postgres://...; one with a password belongs into the environment or a file, where others
    /// do not see it
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Any key of the configuration, such as server.drain=5s; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

impl ConfigArgs {
    /// Reads it. Flags of the command itself stand for keys as well.
    pub(super) fn load(self, flags: &[(&str, Option<String>)]) -> Result<Config, Error> {
        let Self { file, database, settings } = self;
        let flags = flags.iter().cloned().chain([("database.url", database)]);
        let given = flags.filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Config::load(file.as_deref(), &settings.into_iter().chain(given).collect::<Vec<_>>())
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("is not KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
