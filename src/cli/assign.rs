//! `ownership assign`.

use ownership_proto::v1::{AssignRequest, AssignResponse, Outcome};
use serde_json::{Value, json};

use super::client::{Session, Verb};
use super::error::Error;
use super::write::{ConditionArgs, NotifyArgs, WriteArgs};
use super::{Done, json as to_json, names};

const EXAMPLES: &str = "\
Examples:
  ownership assign LEAD-1 --to anna
  ownership assign LEAD-1 --to anna --if-unassigned   claim it: one of several callers wins
  ownership assign LEAD-1 --to ben --if-owner anna --reason \"handover\"
  ownership assign LEAD-1 --to ben --notify           have ben told of it

Never touches the stage of the lead, and sends no notification itself: --notify is noted with the change, for the service \
that sends them. Assigning the present owner changes nothing.";

/// Arguments of `assign`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Args {
    /// Lead to assign
    #[arg(value_name = "LEAD")]
    lead_id: String,
    /// Member who is to own it
    #[arg(long, value_name = "MEMBER")]
    to: String,
    #[command(flatten)]
    condition: ConditionArgs,
    #[command(flatten)]
    notify: NotifyArgs,
    #[command(flatten)]
    write: WriteArgs,
}

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let assign = AssignRequest {
            account_id: session.account(),
            lead_id: self.lead_id,
            owner_id: self.to,
            precondition: self.condition.precondition(),
            context: self.write.context(),
            notify_new_owner: self.notify.asked(),
        };
        let answer = session.ownership().assign(session.request(assign)).await?.into_inner();
        let mut known = names::Names::default();
        if session.out.is_for_people() {
            let owner = answer.ownership.iter().filter_map(|it| it.owner_id.clone());
            known.look_up(session, owner.chain(answer.previous_owner_id.clone()).collect()).await;
        }
        session.out.print(|| as_json(&answer), || as_text(&answer, &known))?;
        Ok(Done::Fully)
    }
}

fn as_json(answer: &AssignResponse) -> Value {
    json!({
        "ownership": answer.ownership.as_ref().map(to_json::ownership),
        "outcome": names::outcome(answer.outcome),
        "previous_owner_id": answer.previous_owner_id,
        "revision": answer.revision,
        "warnings": answer.warnings.iter().map(|&warning| names::warning(warning)).collect::<Vec<_>>(),
        "replayed": answer.replayed,
    })
}

fn as_text(answer: &AssignResponse, known: &names::Names) -> String {
    let ownership = answer.ownership.clone().unwrap_or_default();
    let owner = known.owner(ownership.owner_id.as_ref());
    let before = known.owner(answer.previous_owner_id.as_ref());
    let mut text = match Outcome::try_from(answer.outcome) {
        Ok(Outcome::Unchanged) => format!("{} is owned by {owner} already: unchanged", ownership.lead_id),
        _ => format!("{}: {before} -> {owner}, revision {}", ownership.lead_id, answer.revision),
    };
    for &warning in &answer.warnings {
        text.push_str(&format!("\nwarning: {}", names::warning(warning)));
    }
    text + replay_note(answer.replayed)
}

/// Says that an answer is the one to an earlier call.
pub(super) fn replay_note(replayed: bool) -> &'static str {
    if replayed {
        "\nThis is the answer to an earlier call with the same request id; nothing was done now."
    } else {
        ""
    }
}
