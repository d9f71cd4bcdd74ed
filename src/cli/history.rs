//! `ownership history`.

use std::collections::BTreeSet;

use ownership_proto::v1::{
    AsOf, GetOwnerRequest, ListOwnerChangesRequest, ListOwnerChangesResponse, OwnerChange, Ownership,
};
use serde_json::json;

use super::client::{Session, Verb, retrying};
use super::error::Error;
use super::{Done, json as to_json, names, output, values};

const EXAMPLES: &str = "\
Examples:
  ownership history LEAD-1                      newest first
  ownership history LEAD-1 --oldest-first --all
  ownership history LEAD-1 --as-of 2026-01-31   who owned it then
  ownership history --after 120                 all leads, what came after revision 120";

/// Arguments of `history`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Args {
    /// Lead whose timeline to show; without, all leads of the account
    #[arg(value_name = "LEAD", required_unless_present = "after")]
    lead_id: Option<String>,
    /// Who owned the lead at a time or revision, instead of the timeline
    #[arg(long, value_name = "TIME|REVISION", value_parser = values::parse_as_of)]
    #[arg(requires = "lead_id", conflicts_with_all = ["oldest_first", "limit", "all", "after"])]
    as_of: Option<AsOf>,
    /// Oldest change first
    #[arg(long)]
    oldest_first: bool,
    /// Only what came after this revision
    #[arg(long, value_name = "REVISION")]
    after: Option<i64>,
    /// How many changes at most
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    /// All changes, page by page
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Verb for Args {
    async fn run(self, session: &Session) -> Result<Done, Error> {
        match (&self.as_of, &self.lead_id) {
            (Some(as_of), Some(lead_id)) => owner_at(session, *as_of, lead_id.clone()).await,
            _ => self.timeline(session).await,
        }
    }
}

async fn owner_at(session: &Session, as_of: AsOf, lead_id: String) -> Result<Done, Error> {
    let get = GetOwnerRequest {
        account_id: session.account(),
        lead_id,
        as_of: Some(as_of),
        consistency: None,
        include_card: true,
    };
    let answer = session.ownership().get_owner(session.request(get)).await?.into_inner();
    let ownership = answer.ownership.unwrap_or_default();
    let document = || {
        json!({
            "ownership": to_json::ownership(&ownership),
            "card": answer.card.as_ref().map(to_json::card),
            "revision": answer.revision,
        })
    };
    let known = names::Names::of(answer.card.as_slice());
    session.out.print(document, || sentence(&ownership, &known, answer.revision))?;
    Ok(Done::Fully)
}

fn sentence(ownership: &Ownership, known: &names::Names, revision: i64) -> String {
    let owner = known.owner(ownership.owner_id.as_ref());
    let since = values::short(ownership.owner_since.as_ref());
    format!("{} at revision {revision}: {owner}, since {since} (revision {})", ownership.lead_id, ownership.revision)
}

impl Args {
    async fn timeline(&self, session: &Session) -> Result<Done, Error> {
        let (changes, revision, more) = self.changes(session).await?;
        let mut known = names::Names::default();
        if session.out.is_for_people() {
            let ids: BTreeSet<&String> =
                changes.iter().flat_map(|it| it.owner_id.iter().chain(&it.previous_owner_id)).collect();
            known.look_up(session, ids.into_iter().cloned().collect()).await;
        }
        let document = || {
            let changes: Vec<_> = changes.iter().map(to_json::change).collect();
            json!({"changes": changes, "revision": revision, "more": more})
        };
        session.out.print(document, || as_text(&changes, &known, more))?;
        Ok(Done::Fully)
    }

    /// The changes, the revision of the first page, and whether there are more.
    async fn changes(&self, session: &Session) -> Result<(Vec<OwnerChange>, i64, bool), Error> {
        let limit = if self.all { usize::MAX } else { self.limit };
        let (mut changes, mut page_token, mut revision) = (Vec::new(), String::new(), None);
        while changes.len() < limit && (revision.is_none() || !page_token.is_empty()) {
            let list = ListOwnerChangesRequest {
                account_id: session.account(),
                lead_id: self.lead_id.clone(),
                filter: None,
                after_revision: self.after.unwrap_or_default(),
                until_revision: None,
                newest_first: !self.oldest_first,
                page_size: values::page_size(limit - changes.len()),
                page_token,
                history_id: String::new(),
            };
            let send = || async { session.ownership().list_owner_changes(session.request(list.clone())).await };
            let page: ListOwnerChangesResponse = retrying(send).await?;
            changes.extend(page.changes);
            page_token = page.next_page_token;
            revision.get_or_insert(page.revision);
        }
        Ok((changes, revision.unwrap_or_default(), !page_token.is_empty()))
    }
}

fn as_text(changes: &[OwnerChange], known: &names::Names, more: bool) -> String {
    let row = |change: &OwnerChange| {
        let (from, to) = names::sides(change, known);
        [
            change.revision.to_string(),
            values::short(change.occurred_at.as_ref()),
            change.lead_id.clone(),
            names::kind(change.kind),
            from,
            to,
            actor(change),
            names::source(change.source),
            change.reason.clone(),
        ]
    };
    let header = ["REVISION", "TIME (UTC)", "LEAD", "CHANGE", "FROM", "TO", "BY", "SOURCE", "REASON"];
    let table = output::table(&header, &[0], changes.iter().map(row));
    let note = if more { "; there are more: raise --limit or pass --all" } else { "" };
    format!("{table}\n{}{note}", values::counted(changes.len(), "change"))
}

/// Who did it, and for whom.
pub(super) fn actor(change: &OwnerChange) -> String {
    let actor = change.actor.clone().unwrap_or_default();
    match actor.member_id {
        Some(member) => format!("{} for {member}", actor.caller_id),
        None => actor.caller_id,
    }
}
