//! `ownership settings get|set`.

use std::time::Duration;

use ownership_proto::v1::settings::UnassignedOverdue as Overdue;
use ownership_proto::v1::{DefaultSender, GetSettingsRequest, GetSettingsResponse, Settings, UpdateSettingsRequest};
use serde_json::json;

use super::client::{Session, Verb};
use super::error::Error;
use super::write::WriteArgs;
use super::{Done, json as to_json, names, values};

/// Arguments of `settings`.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub struct Args {
    #[command(subcommand)]
    verb: SettingsVerb,
}

#[derive(clap::Subcommand, Debug)]
enum SettingsVerb {
    /// Show the settings
    Get,
    /// Change settings
    Set(Set),
}

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        match self.verb {
            SettingsVerb::Get => get(session).await,
            SettingsVerb::Set(verb) => verb.run(session).await,
        }
    }
}

async fn read(session: &Session) -> Result<GetSettingsResponse, Error> {
    let get = GetSettingsRequest { account_id: session.account(), consistency: None };
    Ok(session.accounts().get_settings(session.request(get)).await?.into_inner())
}

async fn get(session: &Session) -> Result<Done, Error> {
    let answer = read(session).await?;
    let settings = answer.settings.unwrap_or_default();
    let (changed, revision) = (answer.settings_revision, answer.revision);
    let document = json!({
        "settings": to_json::settings(&settings),
        "settings_revision": changed,
        "revision": revision,
    });
    session.out.print(|| document, || format!("{}\nsettings revision: {changed}", as_text(&settings)))?;
    Ok(Done::Fully)
}

fn as_text(settings: &Settings) -> String {
    let sender = match &settings.default_sender {
        Some(sender) => format!("{} <{}>", sender.name, sender.email),
        None => "none".to_owned(),
    };
    let notify = if settings.notify_new_owner { "yes" } else { "no" };
    let overdue = overdue(settings).unwrap_or_else(|| "1day, the default".to_owned());
    format!("default sender: {sender}\nnotify new owners: {notify}\nunassigned leads are overdue after: {overdue}")
}

/// After how long an unassigned lead is overdue, as it is written: `4h` or `never`. Absent: nobody has said.
pub(super) fn overdue(settings: &Settings) -> Option<String> {
    Some(match settings.unassigned_overdue? {
        Overdue::NeverUnassignedOverdue(()) => NEVER.to_owned(),
        Overdue::UnassignedOverdueAfter(span) => {
            humantime::format_duration(Duration::try_from(span).unwrap_or_default()).to_string()
        }
    })
}

const NEVER: &str = "never";
const DEFAULT: &str = "default";

/// After how long an unassigned lead is to be overdue; absent: as if nobody had said.
#[derive(Debug, Clone, Copy)]
struct OverdueAfter(Option<Overdue>);

fn parse_overdue(text: &str) -> Result<OverdueAfter, String> {
    Ok(OverdueAfter(match text {
        DEFAULT => None,
        NEVER => Some(Overdue::NeverUnassignedOverdue(())),
        span => Some(Overdue::UnassignedOverdueAfter(values::parse_span(span)?)),
    }))
}

const EXAMPLES: &str = "\
Examples:
  ownership settings set --sender-name Sales --sender-email sales@example.com
  ownership settings set --notify             new owners are to be notified
  ownership settings set --overdue-after 4h   others are told of leads unassigned for so long
  ownership settings set --overdue-after never

What is not named stays as it is.";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
struct Set {
    /// Name to send as where a lead's owner cannot
    #[arg(long, value_name = "NAME", requires = "sender_email", group = "change")]
    sender_name: Option<String>,
    /// Address to send from where a lead's owner cannot
    #[arg(long, value_name = "ADDRESS", requires = "sender_name")]
    sender_email: Option<String>,
    /// Nobody sends where a lead's owner cannot
    #[arg(long, conflicts_with_all = ["sender_name", "sender_email"], group = "change")]
    no_sender: bool,
    /// Have those who get leads notified, where an assign does not say
    #[arg(long, group = "change")]
    notify: bool,
    /// Have nobody notified, where an assign does not say
    #[arg(long, conflicts_with = "notify", group = "change")]
    no_notify: bool,
    /// After how long without an owner others are told of a lead: 1s to 365d, `never`, or `default`, which is a day
    #[arg(long, value_name = "SPAN", value_parser = parse_overdue, group = "change")]
    overdue_after: Option<OverdueAfter>,
    /// Only if the settings have not changed since this settings revision
    #[arg(long, value_name = "REVISION")]
    if_revision: Option<i64>,
    #[command(flatten)]
    write: WriteArgs,
}

impl Set {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let known = read(session).await?;
        // What was read is what is written back. A repeat has to be the same call, whatever is read then.
        let read = (!self.write.may_be_repeated()).then_some(known.settings_revision);
        let update = UpdateSettingsRequest {
            account_id: session.account(),
            expected_revision: self.if_revision.or(read),
            context: self.write.context(),
            settings: Some(self.applied_to(known.settings.unwrap_or_default())),
        };
        let answer = session.accounts().update_settings(session.request(update)).await?.into_inner();
        let outcome = names::outcome(answer.outcome);
        let document = json!({"outcome": outcome, "revision": answer.revision, "replayed": answer.replayed});
        let text = || format!("settings {}, revision {}", outcome.to_lowercase(), answer.revision);
        session.out.print(|| document, text)?;
        Ok(Done::Fully)
    }

    fn applied_to(self, known: Settings) -> Settings {
        let sender = self.sender_name.zip(self.sender_email);
        let sender = sender.map(|(name, email)| DefaultSender { name, email });
        Settings {
            default_sender: sender.or(known.default_sender.filter(|_| !self.no_sender)),
            notify_new_owner: self.notify || (known.notify_new_owner && !self.no_notify),
            unassigned_overdue: self.overdue_after.map_or(known.unassigned_overdue, |OverdueAfter(after)| after),
        }
    }
}
