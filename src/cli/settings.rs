//! `ownership settings get|set`.

use ownership_proto::v1::{DefaultSender, GetSettingsRequest, Settings, UpdateSettingsRequest};
use serde_json::json;

use super::client::{Session, Verb};
use super::error::Error;
use super::write::WriteArgs;
use super::{Done, json as to_json, names};

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
    /// Replace the settings as a whole
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

async fn get(session: &Session) -> Result<Done, Error> {
    let get = GetSettingsRequest { account_id: session.account(), consistency: None };
    let answer = session.accounts().get_settings(session.request(get)).await?.into_inner();
    let settings = answer.settings.unwrap_or_default();
    let (changed, revision) = (answer.settings_revision, answer.revision);
    let document = json!({
        "settings": to_json::settings(&settings),
        "settings_revision": changed,
        "revision": revision,
    });
    session.out.print(|| document, || format!("{}\nsettings revision: {changed}", sender(&settings)))?;
    Ok(Done::Fully)
}

fn sender(settings: &Settings) -> String {
    match &settings.default_sender {
        Some(sender) => format!("default sender: {} <{}>", sender.name, sender.email),
        None => "default sender: none".to_owned(),
    }
}

#[derive(clap::Args, Debug)]
struct Set {
    /// Name to send as where a lead's owner cannot
    #[arg(long, value_name = "NAME", requires = "sender_email", required_unless_present = "no_sender")]
    sender_name: Option<String>,
    /// Address to send from where a lead's owner cannot
    #[arg(long, value_name = "ADDRESS", requires = "sender_name")]
    sender_email: Option<String>,
    /// Nobody sends where a lead's owner cannot
    #[arg(long, conflicts_with_all = ["sender_name", "sender_email"])]
    no_sender: bool,
    /// Only if the settings have not changed since this settings revision
    #[arg(long, value_name = "REVISION")]
    if_revision: Option<i64>,
    #[command(flatten)]
    write: WriteArgs,
}

impl Set {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let sender = self.sender_name.zip(self.sender_email);
        let settings = Settings { default_sender: sender.map(|(name, email)| DefaultSender { name, email }) };
        let update = UpdateSettingsRequest {
            account_id: session.account(),
            settings: Some(settings),
            expected_revision: self.if_revision,
            context: self.write.context(),
        };
        let answer = session.accounts().update_settings(session.request(update)).await?.into_inner();
        let outcome = names::outcome(answer.outcome);
        let document = json!({"outcome": outcome, "revision": answer.revision, "replayed": answer.replayed});
        let text = || format!("settings {}, revision {}", outcome.to_lowercase(), answer.revision);
        session.out.print(|| document, text)?;
        Ok(Done::Fully)
    }
}
