//! What the service itself says: the log of changes, in whole revisions, and who owns what.

use std::collections::BTreeMap;

use ownership_proto::v1::list_by_owner_request::Owner;
use ownership_proto::v1::{
    ChangeKind, LeadOrder, ListByOwnerRequest, ListByOwnerResponse, ListOwnerChangesRequest, OwnerChange, Ownership,
};
use tonic::Status;

use super::handler::Position;
use crate::{Client, Error};

/// The largest page.
const PAGE: i32 = 1_000;

/// The changes of a span of revisions.
pub(super) struct Log<'a> {
    client: &'a Client,
    /// The next page. `None`: there is none.
    next: Option<ListOwnerChangesRequest>,
    /// The beginning of a revision that may go on on the next page.
    rest: Vec<OwnerChange>,
}

impl<'a> Log<'a> {
    /// The changes after a position, up to a revision of the same history.
    pub(super) fn between(client: &'a Client, account_id: &str, after: &Position, until: i64) -> Self {
        let first = ListOwnerChangesRequest {
            account_id: account_id.to_owned(),
            after_revision: after.revision,
            until_revision: Some(until),
            history_id: after.history_id.clone(),
            page_size: PAGE,
            ..Default::default()
        };
        Self { client, next: Some(first), rest: Vec::new() }
    }

    /// More changes: whole revisions. `None`: that was all.
    pub(super) async fn more(&mut self) -> Result<Option<Vec<OwnerChange>>, Error> {
        while let Some(mut request) = self.next.take() {
            let page = self.client.call(request.clone()).await?;
            self.rest.extend(page.changes);
            if !page.next_page_token.is_empty() {
                request.page_token = page.next_page_token;
                self.next = Some(request);
            }
            let whole = self.whole();
            if !whole.is_empty() {
                return Ok(Some(whole));
            }
        }
        Ok(None)
    }

    /// Takes what is whole from what was read.
    fn whole(&mut self) -> Vec<OwnerChange> {
        let begun = match (&self.next, self.rest.last()) {
            (Some(_), Some(last)) => last.revision,
            _ => return std::mem::take(&mut self.rest),
        };
        let whole = self.rest.partition_point(|change| change.revision < begun);
        let rest = self.rest.split_off(whole);
        std::mem::replace(&mut self.rest, rest)
    }
}

/// Whether the service's present history is the one of a position.
pub(super) async fn present_history(client: &Client, account_id: &str, position: &Position) -> Result<(), Error> {
    let ask = ListOwnerChangesRequest {
        account_id: account_id.to_owned(),
        history_id: position.history_id.clone(),
        after_revision: position.revision,
        page_size: 1,
        ..Default::default()
    };
    client.call(ask).await.map(drop)
}

/// Where an account stands.
pub(super) async fn head(client: &Client, account_id: &str) -> Result<Position, Error> {
    let ask = ListByOwnerRequest { page_size: 1, ..everything(account_id) };
    Ok(position(&client.call(ask).await?))
}

/// Who owns each lead of an account, all at one position.
///
/// The pages of a list are each of their own revision. So the changes between the first and the last page are read as well, and
/// applied to the leads that do not have them yet.
pub(super) async fn owners(client: &Client, account_id: &str) -> Result<(Position, Vec<Ownership>), Error> {
    let mut pages = Pages::of(client, account_id);
    let first = pages.next().await?.unwrap_or_default();
    let (start, mut end) = (position(&first), position(&first));
    let mut leads: BTreeMap<String, Ownership> = BTreeMap::new();
    let mut page = Some(first);
    while let Some(read) = page {
        if read.history_id != start.history_id {
            return Err(Status::unavailable("the database was replaced while the list was read").into());
        }
        end = position(&read);
        let owners = read.leads.into_iter().filter_map(|lead| lead.ownership);
        leads.extend(owners.map(|ownership| (ownership.lead_id.clone(), ownership)));
        page = pages.next().await?;
    }
    let mut log = Log::between(client, account_id, &start, end.revision);
    while let Some(changes) = log.more().await? {
        changes.into_iter().for_each(|change| bring_up_to_date(&mut leads, change));
    }
    Ok((end, leads.into_values().collect()))
}

/// Applies a change to a list, unless its lead was read after it.
fn bring_up_to_date(leads: &mut BTreeMap<String, Ownership>, change: OwnerChange) {
    if leads.get(&change.lead_id).is_some_and(|known| known.revision >= change.revision) {
        return;
    }
    if change.kind() == ChangeKind::Forgotten {
        leads.remove(&change.lead_id);
        return;
    }
    let OwnerChange { revision, lead_id, owner_id, occurred_at, .. } = change;
    leads.insert(lead_id.clone(), Ownership { lead_id, owner_id, owner_since: occurred_at, revision });
}

fn position(page: &ListByOwnerResponse) -> Position {
    Position { history_id: page.history_id.clone(), revision: page.revision }
}

/// All leads of an account, in the one order in which none moves.
fn everything(account_id: &str) -> ListByOwnerRequest {
    ListByOwnerRequest {
        account_id: account_id.to_owned(),
        owner: Some(Owner::Any(())),
        order: LeadOrder::LeadId.into(),
        page_size: PAGE,
        ..Default::default()
    }
}

/// The same, page by page.
struct Pages<'a> {
    client: &'a Client,
    next: Option<ListByOwnerRequest>,
}

impl<'a> Pages<'a> {
    fn of(client: &'a Client, account_id: &str) -> Self {
        Self { client, next: Some(everything(account_id)) }
    }

    async fn next(&mut self) -> Result<Option<ListByOwnerResponse>, Error> {
        let Some(mut request) = self.next.take() else { return Ok(None) };
        let page = self.client.call(request.clone()).await?;
        if !page.next_page_token.is_empty() {
            request.page_token.clone_from(&page.next_page_token);
            self.next = Some(request);
        }
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(revision: i64, lead: &str, owner: Option<&str>) -> OwnerChange {
        let (lead_id, owner_id) = (lead.to_owned(), owner.map(str::to_owned));
        OwnerChange { revision, lead_id, owner_id, kind: ChangeKind::Assigned.into(), ..Default::default() }
    }

    fn forgotten(revision: i64, lead: &str) -> OwnerChange {
        OwnerChange { kind: ChangeKind::Forgotten.into(), ..change(revision, lead, None) }
    }

    #[test]
    fn a_list_takes_only_the_changes_that_its_rows_do_not_have() {
        let row = |lead: &str, revision| Ownership { lead_id: lead.to_owned(), revision, ..Default::default() };
        let mut leads: BTreeMap<String, Ownership> =
            [row("L1", 3), row("L2", 8), row("L3", 4), row("L6", 9)].map(|row| (row.lead_id.clone(), row)).into();
        for change in [
            change(5, "L1", Some("anna")),
            // L2 was forgotten and registered again before its page was read.
            change(6, "L2", Some("ben")),
            forgotten(7, "L2"),
            change(8, "L2", None),
            forgotten(9, "L3"),
            // L6 had changed before its page was read.
            change(8, "L6", Some("ben")),
            // L4 came after its page was read, L5 came and went.
            change(9, "L4", Some("anna")),
            change(9, "L5", None),
            forgotten(10, "L5"),
        ] {
            bring_up_to_date(&mut leads, change);
        }
        let told: Vec<_> =
            leads.values().map(|row| (row.lead_id.as_str(), row.owner_id.as_deref(), row.revision)).collect();
        assert_eq!(told, [("L1", Some("anna"), 5), ("L2", None, 8), ("L4", Some("anna"), 9), ("L6", None, 9)]);
    }
}
