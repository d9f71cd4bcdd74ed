//! `ownership bulk-assign`.

use ownership_proto::v1::bulk_assign_item::Target;
use ownership_proto::v1::{
    BulkAssignItem, BulkAssignRequest, BulkAssignResponse, BulkAssignResult, BulkAssignTally, FailureMode,
};
use serde_json::{Value, json};

use super::client::{Session, Verb, retrying};
use super::error::Error;
use super::lines::{LeadArgs, Line};
use super::write::{ConditionArgs, NotifyArgs, Series, WriteArgs};
use super::{Done, json as to_json, output, values};

/// Most items the service takes in one call.
pub(super) const CHUNK: usize = 1_000;
/// How many refused items are listed for a person.
const FAILED_SHOWN: usize = 20;

const EXAMPLES: &str = "\
Examples:
  ownership bulk-assign LEAD-1 LEAD-2 --to anna
  ownership bulk-assign --from leads.txt --to anna   one lead id per line
  ownership bulk-assign --from plan.csv              lines of lead_id,owner_id
  ownership bulk-assign --from - --unassign < leads.txt
  ownership list --owner anna --all --output json | jq -r '.leads[].lead_id' |
    ownership bulk-assign --from - --to ben --if-owner anna --skip-failed

Up to 1,000 leads are one transaction: all or none, unless --skip-failed. More are sent in transactions of 1,000 \
under one batch id; a run that stopped is completed by repeating it with the --request-id it printed.";

/// Arguments of `bulk-assign`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    leads: LeadArgs,
    /// Member who is to own the leads that name no owner themselves
    #[arg(long, value_name = "MEMBER", conflicts_with = "unassign")]
    to: Option<String>,
    /// Take the owners away
    #[arg(long)]
    unassign: bool,
    /// Apply the good items and report the bad ones; otherwise one bad item refuses the call
    #[arg(long)]
    skip_failed: bool,
    #[command(flatten)]
    condition: ConditionArgs,
    #[command(flatten)]
    notify: NotifyArgs,
    #[command(flatten)]
    write: WriteArgs,
}

impl Verb for Args {
    async fn run(mut self, session: &Session) -> Result<Done, Error> {
        let lines = std::mem::take(&mut self.leads).read()?;
        let items = lines.into_iter().map(|line| self.item(line)).collect::<Result<Vec<_>, _>>()?;
        let series = self.write.series();
        let mut report = Report::default();
        let bar = output::progress(items.len() as u64, "leads", items.len() > CHUNK);
        for (number, chunk) in items.chunks(CHUNK).enumerate() {
            let answer = self.send(session, &series, number, chunk).await;
            report.add(answer.map_err(|cause| stopped(cause, number * CHUNK, &series))?);
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        session.out.print(|| report.as_json(), || report.as_text())?;
        Ok(if report.tally.failed == 0 { Done::Fully } else { Done::Partly })
    }
}

impl Args {
    fn item(&self, line: Line) -> Result<BulkAssignItem, Error> {
        let target = match (line.owner_id, &self.to, self.unassign) {
            (Some(owner), _, true) => {
                return Err(Error::Usage(format!(
                    "{},{owner}: an owner is named, and --unassign is given",
                    line.lead_id
                )));
            }
            (None, _, true) => Target::Unassign(()),
            (Some(owner), _, false) => Target::OwnerId(owner),
            (None, Some(owner), false) => Target::OwnerId(owner.clone()),
            (None, None, false) => {
                let what = "pass --to MEMBER or --unassign, or name the owner on the line as lead_id,owner_id";
                return Err(Error::Usage(format!("no owner for {}: {what}", line.lead_id)));
            }
        };
        Ok(BulkAssignItem { lead_id: line.lead_id, target: Some(target), precondition: self.condition.precondition() })
    }

    async fn send(
        &self,
        session: &Session,
        series: &Series,
        number: usize,
        items: &[BulkAssignItem],
    ) -> Result<BulkAssignResponse, Error> {
        let mode = if self.skip_failed { FailureMode::SkipFailed } else { FailureMode::FailAll };
        let bulk = BulkAssignRequest {
            account_id: session.account(),
            items: items.to_vec(),
            failure_mode: mode.into(),
            context: series.context(number),
            notify_new_owner: self.notify.asked(),
        };
        let send = || async { session.ownership().bulk_assign(session.request(bulk.clone())).await };
        Ok(retrying(send).await?)
    }
}

/// The error of a later transaction says that the earlier ones stand.
fn stopped(cause: Error, done: usize, series: &Series) -> Error {
    if done == 0 {
        return cause;
    }
    let done = format!(
        "The first {} leads are done, the others are not. To go on, repeat the command with --request-id {}",
        values::grouped(i64::try_from(done).unwrap_or(i64::MAX)),
        series.key()
    );
    Error::Stopped { done, cause: Box::new(cause) }
}

/// The answers of all transactions together.
#[derive(Default)]
struct Report {
    results: Vec<BulkAssignResult>,
    tally: BulkAssignTally,
    batch_id: String,
    revisions: Vec<i64>,
    replayed: bool,
}

impl Report {
    fn add(&mut self, answer: BulkAssignResponse) {
        let tally = answer.tally.unwrap_or_default();
        self.tally.assigned += tally.assigned;
        self.tally.reassigned += tally.reassigned;
        self.tally.unassigned += tally.unassigned;
        self.tally.unchanged += tally.unchanged;
        self.tally.failed += tally.failed;
        self.results.extend(answer.results);
        self.batch_id = answer.batch_id;
        self.revisions.push(answer.revision);
        self.replayed |= answer.replayed;
    }

    fn failed(&self) -> impl Iterator<Item = [String; 3]> {
        let row = |result: &BulkAssignResult| {
            let error = result.error.clone()?;
            Some([result.lead_id.clone(), error.reason, error.message])
        };
        self.results.iter().filter_map(row)
    }

    fn as_json(&self) -> Value {
        json!({
            "results": self.results.iter().map(to_json::bulk_result).collect::<Vec<_>>(),
            "tally": {
                "assigned": self.tally.assigned,
                "reassigned": self.tally.reassigned,
                "unassigned": self.tally.unassigned,
                "unchanged": self.tally.unchanged,
                "failed": self.tally.failed,
            },
            "batch_id": self.batch_id,
            "revisions": self.revisions,
            "replayed": self.replayed,
        })
    }

    fn as_text(&self) -> String {
        let BulkAssignTally { assigned, reassigned, unassigned, unchanged, failed } = self.tally;
        let header = ["ASSIGNED", "REASSIGNED", "UNASSIGNED", "UNCHANGED", "FAILED"];
        let row = [assigned, reassigned, unassigned, unchanged, failed];
        let mut text = output::table(&header, &[0, 1, 2, 3, 4], [row.map(|count| count.to_string())]);
        if failed > 0 {
            text.push_str("\n\n");
            text.push_str(&output::table(&["LEAD", "REASON", "MESSAGE"], &[], self.failed().take(FAILED_SHOWN)));
        }
        let over = self.results.iter().filter(|result| !result.warnings.is_empty()).count();
        if over > 0 {
            text.push_str(&format!("\nwarning: {over} leads went to a member who is now over capacity"));
        }
        let revisions: Vec<String> = self.revisions.iter().map(i64::to_string).collect();
        text.push_str(&format!("\nbatch {}, revision {}", self.batch_id, revisions.join(", ")));
        text + super::assign::replay_note(self.replayed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(to: Option<&str>, unassign: bool) -> Args {
        Args {
            leads: LeadArgs::default(),
            to: to.map(Into::into),
            unassign,
            skip_failed: false,
            condition: ConditionArgs::default(),
            notify: NotifyArgs::default(),
            write: WriteArgs::default(),
        }
    }

    fn line(owner: Option<&str>) -> Line {
        Line { lead_id: "L".into(), owner_id: owner.map(Into::into) }
    }

    #[test]
    fn an_owner_on_the_line_wins_over_to() {
        let item = args(Some("anna"), false).item(line(Some("ben"))).unwrap();
        assert_eq!(item.target, Some(Target::OwnerId("ben".into())));
    }

    #[test]
    fn a_lead_without_any_target_is_refused_and_never_unassigned() {
        assert!(args(None, false).item(line(None)).is_err());
        assert!(args(None, true).item(line(Some("ben"))).is_err());
        assert_eq!(args(None, true).item(line(None)).unwrap().target, Some(Target::Unassign(())));
    }
}
