//! `ownership unassign`.

use ownership_proto::v1::{Outcome, UnassignRequest, UnassignResponse};
use serde_json::{Value, json};

use super::assign::replay_note;
use super::client::{Session, Verb};
use super::error::Error;
use super::write::{ConditionArgs, WriteArgs};
use super::{Done, json as to_json, names};

const EXAMPLES: &str = "\
Examples:
  ownership unassign LEAD-1
  ownership unassign LEAD-1 --if-owner anna --reason \"on leave\"

Unassigning an unassigned lead changes nothing.";

/// Arguments of `unassign`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Args {
    /// Lead to take the owner from
    #[arg(value_name = "LEAD")]
    lead_id: String,
    #[command(flatten)]
    condition: ConditionArgs,
    #[command(flatten)]
    write: WriteArgs,
}

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        let unassign = UnassignRequest {
            account_id: session.account(),
            lead_id: self.lead_id,
            precondition: self.condition.precondition(),
            context: self.write.context(),
        };
        let answer = session.ownership().unassign(session.request(unassign)).await?.into_inner();
        let mut known = names::Names::default();
        if session.out.is_for_people() {
            known.look_up(session, answer.previous_owner_id.iter().cloned().collect()).await;
        }
        session.out.print(|| as_json(&answer), || as_text(&answer, &known))?;
        Ok(Done::Fully)
    }
}

fn as_json(answer: &UnassignResponse) -> Value {
    json!({
        "ownership": answer.ownership.as_ref().map(to_json::ownership),
        "outcome": names::outcome(answer.outcome),
        "previous_owner_id": answer.previous_owner_id,
        "revision": answer.revision,
        "replayed": answer.replayed,
    })
}

fn as_text(answer: &UnassignResponse, known: &names::Names) -> String {
    let lead_id = answer.ownership.as_ref().map(|it| it.lead_id.as_str()).unwrap_or_default();
    let before = known.owner(answer.previous_owner_id.as_ref());
    let text = match Outcome::try_from(answer.outcome) {
        Ok(Outcome::Unchanged) => format!("{lead_id} is owned by nobody already: unchanged"),
        _ => format!("{lead_id}: {before} -> {}, revision {}", names::NOBODY, answer.revision),
    };
    text + replay_note(answer.replayed)
}
