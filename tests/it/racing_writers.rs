//! Many at once, and every answer still in the one order of the log.

use std::collections::BTreeMap;
use std::time::Instant;

use futures::future::join_all;

use crate::support::fold::fold;
use crate::support::*;

#[tokio::test]
async fn of_fifty_who_claim_a_lead_one_wins_and_the_others_are_told_who() {
    two_replicas()
        .check(async |world| {
            let account = world.account();
            let names: Vec<String> = (0..50).map(|number| format!("m{number}")).collect();
            account.upsert(names.iter().map(|name| member(name)).collect::<Vec<_>>()).ok().await;
            account.leads(["L1"]).await;
            let claim =
                |(number, name): (usize, &String)| account.through(world, number).assign("L1", name).if_unassigned();
            let answers = join_all(names.iter().enumerate().map(|call| claim(call).into_future())).await;
            let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
            let [Ok(won)] = won.as_slice() else { panic!("{} won", won.len()) };
            let winner = won.ownership.as_ref().unwrap().owner_id.as_deref().unwrap();
            assert_eq!(lost.len(), 49);
            for status in lost {
                let refusal = refusal(status.unwrap_err()).is("OWNER_MISMATCH");
                refusal.says("current_owner_id", winner).says("current_revision", won.revision);
            }
            assert_eq!(account.timeline("L1").ok().await.changes.len(), 2);
        })
        .await;
}

#[tokio::test]
async fn of_sixteen_who_saw_the_same_revision_one_writes() {
    two_replicas()
        .check(async |world| {
            let account = world.account();
            account.members(["anna", "ben"]).await;
            account.leads(["L1"]).await;
            let mut seen = account.owner("L1").ok().await.ownership.unwrap().revision;
            for round in 0..5 {
                let owner = ["anna", "ben"][round % 2];
                let write = |number| account.through(world, number).assign("L1", owner).if_revision(seen);
                let answers = join_all((0..16).map(|number| write(number).into_future())).await;
                let won: Vec<_> = answers.into_iter().flatten().collect();
                assert_eq!(won.len(), 1, "round {round}");
                seen = won[0].revision;
            }
        })
        .await;
}

const LEADS: [&str; 8] = ["L0", "L1", "L2", "L3", "L4", "L5", "L6", "L7"];
const OWNERS: [&str; 4] = ["anna", "ben", "cem", "dora"];

/// A call that was answered: when it was sent and answered, at which revision, and what a read saw.
struct Seen {
    sent: Instant,
    answered: Instant,
    revision: i64,
    owners: Option<BTreeMap<String, Option<String>>>,
}

/// One caller, one call after the other: mostly writes, every third a read.
async fn work(account: Account, seed: u64) -> Vec<Seen> {
    let mut dice = Dice(seed);
    let mut seen = Vec::new();
    for step in 0..40 {
        let sent = Instant::now();
        let (revision, owners) = match step % 3 {
            0 => {
                let read = account.owners(LEADS).ok().await;
                let owners = read.ownerships.into_iter().map(|one| (one.lead_id, one.owner_id)).collect();
                (read.revision, Some(owners))
            }
            _ => (write(&account, &mut dice).await, None),
        };
        seen.push(Seen { sent, answered: Instant::now(), revision, owners });
    }
    seen
}

/// A random write; the revision it was answered with.
async fn write(account: &Account, dice: &mut Dice) -> i64 {
    let (lead, owner) = (*dice.pick(&LEADS), *dice.pick(&OWNERS));
    match dice.roll(4) {
        0 => account.unassign(lead).ok().await.revision,
        1 => {
            let items = LEADS.iter().filter(|_| dice.roll(2) == 0).map(|lead| to(lead, owner)).collect::<Vec<_>>();
            if items.is_empty() {
                return account.assign(lead, owner).ok().await.revision;
            }
            account.bulk(items).ok().await.revision
        }
        _ => account.assign(lead, owner).ok().await.revision,
    }
}

/// A watcher that hangs up again and again, and goes on elsewhere from where it was.
async fn follow(
    through: Vec<Account>,
    seed: u64,
    mut until: tokio::sync::watch::Receiver<i64>,
) -> Vec<pb::OwnerChange> {
    let (mut dice, mut heard, mut position) = (Dice(seed), Vec::new(), 0);
    loop {
        let end = *until.borrow_and_update();
        if end > 0 && position >= end {
            return heard;
        }
        let mut watching = dice.pick(&through).watch().after(position).every(1).open().await;
        for _ in 0..=dice.roll(6) {
            if let Heard::Changes(changes) = watching.next().await.unwrap() {
                heard.extend(changes);
            }
            position = watching.position;
            let end = *until.borrow_and_update();
            if end > 0 && position >= end {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_and_six_watchers_agree_with_the_log_in_real_time() {
    two_replicas()
        .check(async |world| {
            let account = world.account();
            account.upsert(OWNERS.map(member)).ok().await;
            account.register(LEADS.map(lead)).ok().await;
            let (end, until) = tokio::sync::watch::channel(0);
            let through = vec![account.clone(), account.through(world, 1)];
            let watchers: Vec<_> =
                (0..6).map(|seed| tokio::spawn(follow(through.clone(), seed, until.clone()))).collect();
            let writers: Vec<_> =
                (0..8).map(|seed| tokio::spawn(work(account.through(world, seed as usize), 100 + seed))).collect();
            let mut seen = Vec::new();
            for writer in writers {
                seen.extend(writer.await.unwrap());
            }
            let head = account.revision().await;
            end.send_replace(head);
            let truth = account.log(account.changes().with(|request| request.page_size = 1_000)).await;
            for watcher in watchers {
                assert_eq!(watcher.await.unwrap(), truth, "every watcher heard everything, once, in order");
            }
            in_real_time(&seen);
            reads_are_folds(&seen, world, &account.id).await;
        })
        .await;
}

/// What was sent after an answer arrived shows at least that answer's revision.
fn in_real_time(seen: &[Seen]) {
    let mut by_answer: Vec<&Seen> = seen.iter().collect();
    by_answer.sort_by_key(|call| call.answered);
    let mut by_sending: Vec<&Seen> = seen.iter().collect();
    by_sending.sort_by_key(|call| call.sent);
    let (mut answered, mut known) = (0, 0);
    for call in by_sending {
        while answered < by_answer.len() && by_answer[answered].answered < call.sent {
            known = known.max(by_answer[answered].revision);
            answered += 1;
        }
        assert!(call.revision >= known, "sent after {known} was answered, and shows {}", call.revision);
    }
}

/// Every read equals the fold of the log, as it stands in the database, at the read's own revision.
async fn reads_are_folds(seen: &[Seen], world: &World, account: &str) {
    let tables = world.tables().await;
    let facts = &tables.account(account).facts;
    let mut folds = BTreeMap::new();
    for call in seen {
        let Some(owners) = &call.owners else { continue };
        let fold = folds.entry(call.revision).or_insert_with(|| fold(facts, call.revision, &mut Vec::new()).owners());
        assert_eq!(owners, fold, "at revision {}", call.revision);
    }
}
