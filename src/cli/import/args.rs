//! The command line of `import`.

use std::path::PathBuf;

use super::columns::Field;
use super::dates::DateOrder;
use crate::cli::values;

const EXAMPLES: &str = "\
Examples:
  ownership import leads.csv --account acme
  ownership import deals.csv --map lead_id=\"Deal - ID\" --map owner=Closer --attribute product
  ownership import leads.csv --create-members --email-domain acme.com --errors refused.csv
  ownership import leads.csv --default-owner anna --dry-run
  ownership import examples/data/sales_pipeline.csv --teams examples/data/sales_teams.csv

Columns are found by the names that common CRM exports use (opportunity_id, Record ID, Lead Owner, Sales Agent, Deal \
Stage, Create Date, Close Date, ...), whatever their case and spacing; --map names others, for the fields lead_id, \
owner, stage, created_at, stage_entered_at, closed_at and closed. Owners are matched to members by id, \
e-mail address or name.

A lead that is known already is left as it is, and a run that was cut is completed by running the same command again. \
Bad rows are reported with their line; the good ones go in, and the exit code is 3.";

/// Arguments of `import`.
#[derive(clap::Args, Debug, Default)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Args {
    /// CSV file to import; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub(super) file: String,
    /// Check everything and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Why, in one line; shown on the timeline
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) format: FormatArgs,
    #[command(flatten)]
    pub(super) owners: OwnerArgs,
    #[command(flatten)]
    pub(super) report: ReportArgs,
}

#[derive(clap::Args, Debug, Default)]
pub(super) struct FormatArgs {
    /// Take a field from a column; an empty column says that the file has none. May be repeated
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = parse_map, help_heading = "File")]
    pub(super) map: Vec<(Field, String)>,
    /// Keep a column as an attribute of the lead; may be repeated
    #[arg(long = "attribute", value_name = "[NAME=]COLUMN", help_heading = "File")]
    pub(super) attributes: Vec<String>,
    /// A stage that is closed; may be repeated. Default: Won, Lost, Closed..., and rows with a close date
    #[arg(long = "closed-stage", value_name = "STAGE", help_heading = "File")]
    pub(super) closed_stages: Vec<String>,
    /// What the numbers of dates like 03/04/2026 mean
    #[arg(long, value_name = "ORDER", value_enum, help_heading = "File")]
    pub(super) dates: Option<DateOrder>,
    /// What separates the fields; default: what the header uses
    #[arg(long, value_name = "CHARACTER", value_parser = parse_delimiter, help_heading = "File")]
    pub(super) delimiter: Option<u8>,
}

#[derive(clap::Args, Debug, Default)]
pub(super) struct OwnerArgs {
    /// Owner of the new leads that name none
    #[arg(long, value_name = "MEMBER", help_heading = "Owners")]
    pub(super) default_owner: Option<String>,
    /// Add owners that are no members yet
    #[arg(long, help_heading = "Owners")]
    pub(super) create_members: bool,
    /// Add the members of a CSV file first: name or `sales_agent`, manager, e-mail
    #[arg(long, value_name = "FILE", help_heading = "Owners")]
    pub(super) teams: Option<String>,
    /// Give added members an address ID@DOMAIN
    #[arg(long, value_name = "DOMAIN", help_heading = "Owners")]
    pub(super) email_domain: Option<String>,
}

#[derive(clap::Args, Debug, Default)]
pub(super) struct ReportArgs {
    /// Write all refused rows to a CSV file
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(super) errors: Option<PathBuf>,
    /// How many refused rows to show
    #[arg(long, value_name = "COUNT", default_value_t = 20, help_heading = "Report")]
    pub(super) show: usize,
}

fn parse_map(text: &str) -> Result<(Field, String), String> {
    let (field, column) = values::parse_pair(text)?;
    Ok((<Field as clap::ValueEnum>::from_str(&field, true)?, column))
}

fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" | b"tab" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("one ASCII character, or tab".to_owned()),
    }
}
