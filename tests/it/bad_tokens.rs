//! Page tokens that were not given for the question they come with.

use crate::support::pb::{LeadFilter, LeadOrder};
use crate::support::*;

async fn filled(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ben", "cem"]).await;
    account.register([owned("L1", "anna"), owned("L2", "ben"), owned("L3", "cem"), lead("L4")]).ok().await;
    account
}

/// The four paged questions, each with a token.
struct Asked {
    account: Account,
}

impl Asked {
    fn list(&self, token: &str) -> Call<pb::ListByOwnerRequest> {
        self.account.list(anybody()).with(|request| {
            request.page_size = 1;
            request.page_token = token.to_owned();
        })
    }

    fn log(&self, token: &str) -> Call<pb::ListOwnerChangesRequest> {
        self.account.changes().with(|request| {
            request.page_size = 1;
            request.page_token = token.to_owned();
        })
    }

    fn picker(&self, token: &str) -> Call<pb::ListMembersRequest> {
        self.account.picker("").with(|request| {
            request.page_size = 1;
            request.page_token = token.to_owned();
        })
    }

    fn counts(&self, token: &str) -> Call<pb::CountByOwnerRequest> {
        self.account.counts().with(|request| {
            request.page_size = 1;
            request.page_token = token.to_owned();
        })
    }

    /// The token after each first page.
    async fn tokens(&self) -> [String; 4] {
        [
            self.list("").ok().await.next_page_token,
            self.log("").ok().await.next_page_token,
            self.picker("").ok().await.next_page_token,
            self.counts("").ok().await.next_page_token,
        ]
    }

    /// Puts a token to the question with this number, which has to refuse it.
    async fn refuses(&self, question: usize, token: &str) {
        let refusal = match question {
            0 => self.list(token).refused().await,
            1 => self.log(token).refused().await,
            2 => self.picker(token).refused().await,
            _ => self.counts(token).refused().await,
        };
        let refusal = refusal.is("PAGE_TOKEN_INVALID");
        assert!(refusal.metadata.is_empty(), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_token_that_was_not_made_here_is_refused() {
    check(async |world| {
        let asked = Asked { account: filled(world).await };
        let tokens = asked.tokens().await;
        for (question, token) in tokens.iter().enumerate() {
            assert!(!token.is_empty() && token.len() <= 1_024);
            for forged in [
                "x",
                "AAAA",
                "%%%",
                &token[..token.len() / 2],
                &token[1..],
                &format!("{token}{token}"),
                &format!("{token}A"),
            ] {
                asked.refuses(question, forged).await;
            }
            for place in 0..token.len() {
                let mut bytes = token.clone().into_bytes();
                bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
                let forged = String::from_utf8(bytes).unwrap();
                // The last character of an unpadded base64 text may carry bits that mean nothing: still no other token.
                asked.refuses(question, &forged).await;
            }
        }
        let long = asked.list(&"A".repeat(1_025)).refused().await.is("INVALID_FIELD");
        long.names(&["page_token"]);
    })
    .await;
}

#[tokio::test]
async fn a_token_of_another_account_or_method_is_refused() {
    check(async |world| {
        let (asked, other) = (Asked { account: filled(world).await }, Asked { account: filled(world).await });
        for (question, token) in other.tokens().await.iter().enumerate() {
            asked.refuses(question, token).await;
        }
        for (made_for, token) in asked.tokens().await.iter().enumerate() {
            for question in (0..4).filter(|question| *question != made_for) {
                asked.refuses(question, token).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_with_changed_arguments_is_refused() {
    check(async |world| {
        let asked = Asked { account: filled(world).await };
        let [list, log, picker, counts] = asked.tokens().await;
        let (list, log, picker) = (asked.list(&list), asked.log(&log), asked.picker(&picker));
        let closed = with(LeadFilter::default(), |it| it.closed = Some(true));
        let refusals = [
            list.clone().with(|it| it.owner = Some(nobody())).refused().await,
            list.clone().with(|it| it.set_order(LeadOrder::LeadId)).refused().await,
            list.with(|it| it.filter = Some(closed)).refused().await,
            log.clone().with(|it| it.newest_first = true).refused().await,
            log.clone().with(|it| it.lead_id = Some("L1".to_owned())).refused().await,
            log.with(|it| it.after_revision = 1).refused().await,
            picker.clone().with(|it| it.name_prefix = "a".to_owned()).refused().await,
            picker.with(|it| it.include_all_standings = true).refused().await,
            asked.counts(&counts).with(|it| it.owner_ids = vec!["anna".to_owned()]).refused().await,
        ];
        for refusal in refusals {
            refusal.is("PAGE_TOKEN_INVALID");
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_goes_with_another_page_size_another_replica_and_after_a_restart() {
    two_replicas()
        .check(async |world| {
            let asked = Asked { account: filled(world).await };
            let [list, log, picker, counts] = asked.tokens().await;
            let there = Asked { account: asked.account.through(world, 1) };
            let page = there.list(&list).at_least(2).with(|request| request.page_size = 9).ok().await;
            assert_eq!(page.leads.len(), 3);
            world.restart(0);
            let asked = Asked { account: asked.account.through(world, 0) };
            assert_eq!(asked.list(&list).with(|request| request.page_size = 9).ok().await.leads, page.leads);
            assert_eq!(asked.log(&log).ok().await.changes[0].ordinal, 1);
            assert_eq!(asked.picker(&picker).ok().await.members[0].member_id, "ben");
            assert_eq!(asked.counts(&counts).ok().await.counts[0].owner_id.as_deref(), Some("anna"));
        })
        .await;
}

#[tokio::test]
async fn a_token_of_a_history_that_is_over_is_refused() {
    check(async |world| {
        let asked = Asked { account: filled(world).await };
        let tokens = asked.tokens().await;
        world.replicas[0].kill();
        world.sql().await.run("update store_meta set value = 'another' where key = 'history_id'").await;
        world.restart(0);
        let asked = Asked { account: asked.account.through(world, 0) };
        for (question, token) in tokens.iter().enumerate() {
            asked.refuses(question, token).await;
        }
    })
    .await;
}
