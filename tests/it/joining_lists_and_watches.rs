//! The recipe of the contract: list page by page, watch from the revision of the first page, apply what is newer than
//! the row. While others write, it ends with the true state. And what the command line says of a list is enough to go on from it.

use std::collections::BTreeMap;

use crate::support::pb::OwnerChange;
use crate::support::*;

/// The revision that last changed the owner of each lead, and the owner.
type Rows = BTreeMap<String, (i64, Option<String>)>;

/// Lists everything in small pages; returns the revision of the first.
async fn list(account: &Account) -> (i64, Rows) {
    let (mut rows, mut token, mut start) = (Rows::new(), String::new(), None);
    while start.is_none() || !token.is_empty() {
        let page = account.list(anybody()).with(|it| {
            it.set_order(pb::LeadOrder::LeadId);
            it.page_size = 4;
            it.page_token = token;
        });
        let page = page.ok().await;
        start.get_or_insert(page.revision);
        for one in page.leads.into_iter().filter_map(|lead| lead.ownership) {
            let again = rows.insert(one.lead_id, (one.revision, one.owner_id));
            assert_eq!(again, None, "each lead once");
        }
        token = page.next_page_token;
    }
    (start.unwrap(), rows)
}

fn apply(rows: &mut Rows, change: OwnerChange) {
    let row = rows.get_mut(&change.lead_id).unwrap();
    if change.revision > row.0 {
        *row = (change.revision, change.owner_id);
    }
}

/// Assigns at random, one after the other.
async fn wander(account: Account, leads: Vec<String>, steps: usize) {
    let mut dice = Dice(7);
    for _ in 0..steps {
        let lead: &String = dice.pick(&leads);
        account.assign(lead, ["anna", "ben"][dice.roll(2)]).ok().await;
    }
}

#[tokio::test]
async fn a_list_and_the_watch_that_follows_it_have_neither_gap_nor_overlap() {
    two_replicas()
        .check(async |world| {
            let account = world.account();
            account.members(["anna", "ben"]).await;
            let ids: Vec<String> = (0..30).map(|number| format!("L{number:02}")).collect();
            account.register(ids.iter().map(|id| lead(id)).collect::<Vec<_>>()).ok().await;
            let writing = tokio::spawn(wander(account.through(world, 1), ids.clone(), 150));
            let (start, mut rows) = list(&account).await;
            let mut watching = account.watch().after(start).open().await;
            writing.await.unwrap();
            for change in watching.until(account.revision().await).await {
                apply(&mut rows, change);
            }
            assert_eq!(rows, list(&account).await.1);
        })
        .await;
}

#[tokio::test]
async fn a_list_of_the_command_line_says_from_where_in_which_history_the_log_goes_on() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.leads(["L1", "L2"]).await;
        let history = account.changes().ok().await.history_id;
        let list = ["list", "--any", "--all", "--order", "id", "--output", "json"];
        let output = run(&[&list[..], &["--account", &account.id, "--server", world.url(0)]].concat(), &[]);
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!((told["leads"].as_array().unwrap().len(), told["history_id"].as_str()), (2, Some(history.as_str())));
        let revision = account.assign("L2", "anna").ok().await.revision;
        let after = account.changes().with(|it| {
            it.after_revision = told["revision"].as_i64().unwrap();
            it.history_id = history.clone();
        });
        let changes = after.ok().await.changes;
        assert_eq!(changes.iter().map(|change| change.revision).collect::<Vec<_>>(), [revision]);
    })
    .await;
}
