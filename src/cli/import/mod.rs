//! `ownership import`: registers the leads of a CSV file, as CRM systems export them.

use anyhow::Context;
use ownership_proto::v1::{ErrorReason, Standing};
use tonic::Code;

use super::client::{ClientArgs, ServerArgs, Session, Verb};
use super::credentials::Credentials;
use super::error::{Error, Refusal};
use super::output::{self, Format};
use super::{Done, member};

mod args;
mod columns;
mod dates;
mod members;
mod report;
mod rows;
mod send;
mod source;
mod teams;
#[cfg(test)]
mod tests;

pub use args::Args;
use args::{FormatArgs, OwnerArgs};
use columns::{Columns, Wishes};
use members::Directory;
pub use report::Summary;
use rows::{Rows, Rules};
use send::Shipment;
use source::Source;

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let source = Source::named(&self.file)?;
        let teams = self.owners.teams.as_deref().map(Source::named).transpose()?;
        let import = Import { session, source, teams, args: &self, progress: true };
        let summary = import.run().await?;
        if let Some(path) = &self.report.errors {
            summary.write_refused(path)?;
        }
        let show = self.report.show;
        session.out.print(|| summary.as_json(show), || summary.as_text(show))?;
        Ok(if summary.refused.is_empty() { Done::Fully } else { Done::Partly })
    }
}

/// Loads the example data set into an account, the way a user would import it.
pub async fn load_demo(server: &str, account: &str, progress: bool) -> anyhow::Result<Summary> {
    let credentials = Credentials::default();
    let server = ServerArgs { server: server.to_owned(), timeout: DEMO_TIMEOUT, output: Format::Table, credentials };
    let session = Session::open(&ClientArgs { account: Some(account.to_owned()), server }).await?;
    let args = Args {
        format: FormatArgs { attributes: vec!["product".into(), "account".into()], ..FormatArgs::default() },
        owners: OwnerArgs { email_domain: Some("example.com".into()), ..OwnerArgs::default() },
        ..Args::default()
    };
    let source = Source::Embedded {
        name: "sales_pipeline.csv",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/sales_pipeline.csv")),
    };
    let teams = Source::Embedded {
        name: "sales_teams.csv",
        bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/sales_teams.csv")),
    };
    let import = Import { session: &session, source, teams: Some(teams), args: &args, progress };
    import.run().await.context("cannot load the example data set")
}

const DEMO_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// One import: a file, an account, and what the user wants of them.
struct Import<'a> {
    session: &'a Session,
    source: Source,
    teams: Option<Source>,
    args: &'a Args,
    progress: bool,
}

impl Import<'_> {
    /// Reads the file twice: once to check it all, so that nothing is written if it cannot be understood, once to send.
    async fn run(&self) -> Result<Summary, Error> {
        let rules = rules(&self.source, self.args)?;
        let mut directory = self.directory().await?;
        let mut summary = self.check(&rules, &mut directory)?;
        self.check_default_owner(&directory)?;
        if self.args.dry_run {
            summary.members_added = directory.planned().len() as u64;
            return Ok(summary);
        }
        self.send(&rules, &mut directory, &mut summary).await?;
        summary.refused.sort_by_key(|row| row.line);
        Ok(summary)
    }

    async fn directory(&self) -> Result<Directory, Error> {
        let (members, _) = member::all(self.session, "", true).await?;
        let owners = &self.args.owners;
        let mut directory = Directory::new(&members, owners.create_members, owners.email_domain.clone());
        if let Some(teams) = &self.teams {
            teams::read(teams, &mut directory)?;
        }
        Ok(directory)
    }

    /// The first reading: counts the rows and gathers the bad ones.
    fn check(&self, rules: &Rules, directory: &mut Directory) -> Result<Summary, Error> {
        let mut summary = Summary {
            file: self.source.name(),
            columns: rules.columns.describe(),
            dry_run: self.args.dry_run,
            ..Summary::default()
        };
        let mut rows = Rows::new(self.source.csv(self.args.format.delimiter)?, rules, directory);
        while let Some(row) = rows.next().map_err(|cause| self.source.error(cause.into()))? {
            summary.rows += 1;
            summary.refused.extend(row.err());
        }
        Ok(summary)
    }

    /// Nothing may be written, members neither, when the default owner cannot receive leads. The service checks
    /// it again.
    fn check_default_owner(&self, directory: &Directory) -> Result<(), Error> {
        let Some(owner) = &self.args.owners.default_owner else {
            return Ok(());
        };
        let (reason, what) = match directory.standing(owner) {
            Some(Standing::Active | Standing::Unspecified) => return Ok(()),
            Some(Standing::Inactive) => (ErrorReason::OwnerInactive, "is inactive"),
            Some(Standing::Leaving) => (ErrorReason::OwnerLeaving, "is leaving"),
            None => (ErrorReason::OwnerUnknown, "is not a member of the account"),
        };
        Err(Error::Refused(Box::new(Refusal {
            code: Code::FailedPrecondition,
            message: format!("the default owner {} {what}; nothing was written", shorten(owner)),
            reason: Some(reason.as_str_name().trim_start_matches("ERROR_REASON_").to_owned()),
            metadata: [("owner_id".to_owned(), owner.clone())].into(),
            details: Vec::new(),
        })))
    }

    /// The second reading: sends the members, then the rows that the first one found good.
    async fn send(&self, rules: &Rules, directory: &mut Directory, summary: &mut Summary) -> Result<(), Error> {
        let digest = self.source.digest()?;
        let (reason, default_owner) = (self.args.reason.clone(), self.args.owners.default_owner.clone());
        let mut shipment = Shipment::new(self.session, &digest, reason, default_owner);
        summary.batch_id = shipment.batch_id();
        let good = summary.rows - summary.refused.len() as u64;
        shipment.members(&directory.planned(), summary).await?;
        let bar = output::progress(good, "leads", self.progress);
        let mut rows = Rows::new(self.source.csv(self.args.format.delimiter)?, rules, directory);
        while let Some(row) = rows.next().map_err(|cause| self.source.error(cause.into()))? {
            if let Ok(row) = row {
                let sent = shipment.lead(row, summary).await?;
                if sent > 0 {
                    bar.inc(sent);
                }
            }
        }
        bar.inc(shipment.flush(summary).await?);
        bar.finish_and_clear();
        Ok(())
    }
}

/// How to read the rows of a file: what its header says, and what the user says about it.
fn rules(source: &Source, args: &Args) -> Result<Rules, Error> {
    let format = &args.format;
    let mut reader = source.csv(format.delimiter)?;
    let header = reader.byte_headers().map_err(|cause| source.error(cause.into()))?;
    if header.is_empty() {
        return Err(Error::Usage(format!("{}: the file is empty", source.name())));
    }
    let header = header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    let wishes = Wishes {
        map: format.map.clone(),
        attributes: format.attributes.clone(),
        owner_may_be_absent: args.owners.default_owner.is_some(),
    };
    let columns = Columns::find(header, &wishes);
    let columns = columns.map_err(|why| Error::Usage(format!("{}: {why}", source.name())))?;
    let stages = &format.closed_stages;
    let closed_stages = (!stages.is_empty()).then(|| stages.clone());
    Ok(Rules { columns, closed_stages, dates: format.dates })
}

/// The beginning of a text from a file, fit for a line on a screen.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 64;
    let start: String = text.chars().take(SHOWN).map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect();
    if text.chars().nth(SHOWN).is_some() { start + "..." } else { start }
}
