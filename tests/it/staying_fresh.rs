//! How fresh a read is, and what fits into memory.

use crate::support::*;

#[tokio::test]
async fn a_read_reflects_every_write_that_was_answered_on_any_replica() {
    two_replicas()
        .check(async |world| {
            let here = world.account();
            let there = here.through(world, 1);
            here.members(["anna", "ben"]).await;
            here.leads(["L1"]).await;
            for round in 0..30 {
                let (writer, reader) = if round % 2 == 0 { (&here, &there) } else { (&there, &here) };
                let owner = ["anna", "ben"][round / 2 % 2];
                let revision = writer.assign("L1", owner).ok().await.revision;
                let read = reader.owner("L1").ok().await;
                assert_eq!(read.ownership.unwrap().owner_id.as_deref(), Some(owner));
                assert!(read.revision >= revision);
            }
        })
        .await;
}

#[tokio::test]
async fn a_read_waits_for_the_revision_it_names() {
    two_replicas()
        .check(async |world| {
            let here = world.account();
            let there = here.through(world, 1);
            here.members(["anna"]).await;
            there.owners(["L1"]).ok().await;
            let revision = here.register([owned("L1", "anna")]).ok().await.revision;
            let read = there.owner("L1").at_least(revision).ok().await;
            assert_eq!((read.ownership.unwrap().owner_id.as_deref(), read.revision), (Some("anna"), revision));
            let future = there.owner("L1").at_least(revision + 1).refused().await.is("POSITION_IN_FUTURE");
            future.says("requested", revision + 1).says("head_revision", revision);
            for refusal in [
                there.list(anybody()).at_least(99).refused().await,
                there.counts().at_least(99).refused().await,
                there.senders(["L1"]).at_least(99).refused().await,
                there.get_lead("L1").at_least(99).refused().await,
                there.get_member("anna").at_least(99).refused().await,
                there.picker("").at_least(99).refused().await,
                there.settings().at_least(99).refused().await,
                there.owners(["L1"]).at_least(99).refused().await,
            ] {
                refusal.is("POSITION_IN_FUTURE").says("requested", 99);
            }
        })
        .await;
}

#[tokio::test]
async fn a_hurried_read_says_which_revision_it_shows_and_catches_up_by_itself() {
    two_replicas()
        .check(async |world| {
            let here = world.account();
            let there = here.through(world, 1);
            here.members(["anna"]).await;
            there.settings().ok().await;
            let revision = here.register([owned("L1", "anna")]).ok().await.revision;
            eventually("the other replica catches up", async || {
                let read = there.owners(["L1"]).hurried().ok().await;
                assert_eq!(read.ownerships.len() == 1, read.revision >= revision, "{read:?}");
                (read.revision == revision).then_some(())
            })
            .await;
        })
        .await;
}

/// A load of leads that weigh something.
async fn fill(account: &Account, count: usize) -> Result<(), tonic::Status> {
    let heavy = |number: usize| pb::NewLead {
        attributes: (0..16).map(|key| (format!("key_{key}"), format!("{number}-{key}-{}", "x".repeat(100)))).collect(),
        ..lead(&format!("L{number}"))
    };
    let all: Vec<_> = (0..count).map(heavy).collect();
    for chunk in all.chunks(200) {
        account.register(chunk.to_vec()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_small_budget_still_answers_for_many_accounts() {
    one_replica()
        .set("memory.budget_bytes", 4 * 1024 * 1024)
        .check(async |world| {
            let accounts: Vec<_> = (0..8).map(|_| world.account()).collect();
            for account in &accounts {
                fill(account, 400).await.unwrap();
            }
            for _ in 0..2 {
                for account in &accounts {
                    assert_eq!(account.counts().ok().await.counts[0].total, 400);
                }
            }
        })
        .await;
}

#[tokio::test]
async fn an_account_larger_than_the_budget_is_refused_and_others_are_not() {
    one_replica()
        .set("memory.budget_bytes", 1024 * 1024)
        .check(async |world| {
            let (large, small) = (world.account(), world.account());
            small.leads(["L1"]).await;
            let filled = fill(&large, 4_000).await;
            let refused = match filled {
                Err(status) => refusal(status),
                Ok(()) => large.counts().refused().await,
            };
            let refused = refused.is("ACCOUNT_TOO_LARGE").says("budget_bytes", 1024 * 1024);
            assert!(refused.number("needed_bytes") > 1024 * 1024);
            assert_eq!(small.owner_of("L1").await, None);
            let counted = Scraped::of(&world.replicas[0].ask("/metrics").await.1);
            assert!(counted.reading("ownership_book_refusals_total", &[]) > 0.0);
            assert_eq!(counted.reading("ownership_books_memory_limit_bytes", &[]), 1024.0 * 1024.0);
            // With memory enough, nothing is lost: the verifier looks at both.
            world.set("memory.budget_bytes", 512 * 1024 * 1024);
            world.restart(0);
            assert!(large.through(world, 0).counts().ok().await.counts[0].total > 0);
        })
        .await;
}

#[tokio::test]
async fn an_account_that_nobody_uses_leaves_memory_and_comes_back_as_it_was() {
    one_replica()
        .set("memory.idle_after", "300ms")
        .set("telemetry.log", "info,ownership=debug")
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.register([owned("L1", "anna")]).ok().await;
            let dropped = format!("dropped from memory account={}", account.id);
            eventually("it is dropped", async || world.replicas[0].log().contains(&dropped).then_some(())).await;
            assert_eq!(account.owner_of("L1").await.as_deref(), Some("anna"));
        })
        .await;
}
