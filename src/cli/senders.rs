//! `ownership senders`.

use ownership_proto::v1::{
    AsOf, OwnerSkipped, ResolveSendersRequest, ResolveSendersResponse, Sender, SenderResolution, SenderStep,
};
use serde_json::{Value, json};

use super::bulk::CHUNK;
use super::client::{Session, Verb, retrying};
use super::error::Error;
use super::lines::LeadArgs;
use super::{Done, output, values};

const EXAMPLES: &str = "\
Examples:
  ownership senders LEAD-1 LEAD-2
  ownership senders --from leads.txt --as-of 2026-01-31   as a campaign of that day resolves them

An inactive member is never a sender. More than 1,000 leads are resolved in several reads, each a snapshot of its own; \
name a revision with --as-of to have one for all.";

/// Arguments of `senders`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    leads: LeadArgs,
    /// As of a time or revision
    #[arg(long, value_name = "TIME|REVISION", value_parser = values::parse_as_of)]
    as_of: Option<AsOf>,
}

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let (mut rows, mut revision) = (Vec::new(), None);
        for lead_ids in self.leads.read_ids()?.chunks(CHUNK) {
            let resolve = ResolveSendersRequest {
                account_id: session.account(),
                lead_ids: lead_ids.to_vec(),
                as_of: self.as_of,
                consistency: None,
            };
            let send = || async { session.ownership().resolve_senders(session.request(resolve.clone())).await };
            let answer = retrying(send).await?;
            revision.get_or_insert(answer.revision);
            rows.extend(resolved(answer));
        }
        let document = || json!({"senders": rows.iter().map(as_json).collect::<Vec<_>>(), "revision": revision});
        session.out.print(document, || as_text(&rows))?;
        Ok(Done::Fully)
    }
}

/// Puts each sender beside the leads it is for.
fn resolved(answer: ResolveSendersResponse) -> Vec<(SenderResolution, Option<Sender>)> {
    let ResolveSendersResponse { senders, resolutions, .. } = answer;
    let sender = |place: i32| usize::try_from(place).ok().and_then(|place| senders.get(place)).cloned();
    resolutions.into_iter().map(|it| (it.clone(), it.sender.and_then(sender))).collect()
}

fn as_json((resolution, sender): &(SenderResolution, Option<Sender>)) -> Value {
    let sender = sender.as_ref();
    json!({
        "lead_id": resolution.lead_id,
        "sender": sender.map(|it| json!({"member_id": it.member_id, "name": it.name, "email": it.email})),
        "step": step(resolution.step),
        "owner_skipped": skipped(resolution.owner_skipped),
    })
}

fn as_text(rows: &[(SenderResolution, Option<Sender>)]) -> String {
    let row = |(resolution, sender): &(SenderResolution, Option<Sender>)| {
        let sender = sender.clone().unwrap_or_default();
        let skipped = skipped(resolution.owner_skipped).unwrap_or_default();
        [resolution.lead_id.clone(), sender.name, sender.email, step(resolution.step), skipped]
    };
    output::table(&["LEAD", "SENDER", "E-MAIL", "RULE", "OWNER SKIPPED"], &[], rows.iter().map(row))
}

fn step(value: i32) -> String {
    let name = SenderStep::try_from(value).map(|step| step.as_str_name().trim_start_matches("SENDER_STEP_"));
    name.map_or_else(|_| value.to_string(), ToOwned::to_owned)
}

fn skipped(value: i32) -> Option<String> {
    match OwnerSkipped::try_from(value) {
        Ok(OwnerSkipped::Unspecified) => None,
        Ok(skipped) => Some(skipped.as_str_name().trim_start_matches("OWNER_SKIPPED_").to_owned()),
        Err(_) => Some(value.to_string()),
    }
}
