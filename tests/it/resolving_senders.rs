//! In whose name a message about a lead is sent.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::pb::{
    DefaultSender, Member, OwnerSkipped, ResolveSendersResponse, SenderStep, Settings, StreamSendersRequest,
};
use crate::support::*;

fn team() -> Settings {
    let sender = DefaultSender { name: "Team".to_owned(), email: "team@example.com".to_owned() };
    Settings { default_sender: Some(sender), ..Settings::default() }
}

/// Per lead: who sends, by which step, and why it is not the owner.
fn told(answer: &ResolveSendersResponse) -> Vec<(&str, Option<&str>, SenderStep, OwnerSkipped)> {
    let name = |position: i32| answer.senders[position as usize].name.as_str();
    let tell = |one: &'_ pb::SenderResolution| (one.sender.map(name), one.step(), one.owner_skipped());
    let leads = answer.resolutions.iter();
    leads
        .map(|one| {
            let (sender, step, skipped) = tell(one);
            (one.lead_id.as_str(), sender, step, skipped)
        })
        .collect()
}

async fn crew(world: &World) -> Account {
    let account = world.account();
    account.members(["anna", "ina", "leo", "mia"]).await;
    account.upsert([Member { email: String::new(), ..member("max") }]).ok().await;
    account
        .register([
            owned("L1", "anna"),
            owned("L2", "ina"),
            owned("L3", "leo"),
            owned("L4", "max"),
            lead("L5"),
            owned("L6", "anna"),
        ])
        .ok()
        .await;
    account.standing("leo", Standing::Leaving).await;
    account.deactivate("ina").ok().await;
    account
}

#[tokio::test]
async fn the_owner_sends_unless_inactive_or_without_an_address() {
    check(async |world| {
        let account = crew(world).await;
        let leads = ["L6", "L2", "L3", "L4", "L5", "L9", "L1"];
        let answer = account.senders(leads).ok().await;
        use {OwnerSkipped as Skipped, SenderStep as Step};
        assert_eq!(
            told(&answer),
            [
                ("L6", Some("Anna"), Step::Owner, Skipped::Unspecified),
                ("L2", None, Step::None, Skipped::Inactive),
                ("L3", Some("Leo"), Step::Owner, Skipped::Unspecified),
                ("L4", None, Step::None, Skipped::NoEmail),
                ("L5", None, Step::None, Skipped::Unassigned),
                ("L9", None, Step::None, Skipped::LeadUnknown),
                ("L1", Some("Anna"), Step::Owner, Skipped::Unspecified),
            ]
        );
        assert_eq!(answer.senders.len(), 2, "each sender once");
        let anna = answer.senders.iter().find(|sender| sender.member_id.as_deref() == Some("anna")).unwrap();
        assert_eq!(anna.email, "anna@example.com");
        account.set_settings(team()).ok().await;
        let answer = account.senders(leads).ok().await;
        let steps: Vec<_> = told(&answer).into_iter().map(|(_, sender, step, _)| (sender, step)).collect();
        let default = (Some("Team"), Step::AccountDefault);
        assert_eq!(
            steps,
            [
                (Some("Anna"), Step::Owner),
                default,
                (Some("Leo"), Step::Owner),
                default,
                default,
                (None, Step::None),
                (Some("Anna"), Step::Owner)
            ]
        );
        let team = answer.senders.iter().find(|sender| sender.name == "Team").unwrap();
        assert_eq!((team.member_id.as_deref(), team.email.as_str()), (None, "team@example.com"));
    })
    .await;
}

#[tokio::test]
async fn a_sender_as_of_an_earlier_moment_stays_what_it_was() {
    check(async |world| {
        let account = crew(world).await;
        let before_default = account.revision().await;
        let start = account.set_settings(team()).ok().await.revision;
        let leads = ["L1", "L2", "L5"];
        let then = account.senders(leads).ok().await;
        account.assign("L1", "mia").ok().await;
        account.forget(["L5"]).ok().await;
        account
            .upsert([Member {
                email: "new@example.com".to_owned(),
                standing: Standing::Active.into(),
                ..member("ina")
            }])
            .ok()
            .await;
        account
            .upsert([Member {
                display_name: "Anna B".to_owned(),
                standing: Standing::Inactive.into(),
                ..member("anna")
            }])
            .ok()
            .await;
        account.set_settings(Settings::default()).ok().await;
        assert_eq!(account.senders(leads).at_revision(start).ok().await.resolutions, then.resolutions);
        let again = account.senders(leads).at_revision(start).ok().await;
        assert_eq!((again.senders, again.revision), (then.senders, start));
        use {OwnerSkipped as Skipped, SenderStep as Step};
        let now = account.senders(leads).ok().await;
        assert_eq!(
            told(&now),
            [
                ("L1", Some("Mia"), Step::Owner, Skipped::Unspecified),
                ("L2", Some("Ina"), Step::Owner, Skipped::Unspecified),
                ("L5", None, Step::None, Skipped::LeadUnknown),
            ]
        );
        let earlier = account.senders(["L5"]).at_revision(before_default).ok().await;
        assert_eq!(told(&earlier), [("L5", None, Step::None, Skipped::Unassigned)]);
    })
    .await;
}

#[tokio::test]
async fn a_thousand_leads_resolve_in_one_snapshot() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        let ids: Vec<String> = (0..1_000).map(|number| format!("L{number}")).collect();
        account.register(ids.iter().map(|id| owned(id, "anna")).collect::<Vec<_>>()).ok().await;
        let answer = account.senders(&ids).ok().await;
        assert_eq!((answer.resolutions.len(), answer.senders.len(), answer.revision), (1_000, 1, 2));
        let one_too_many = ids.iter().map(String::as_str).chain(["L1000"]);
        account.senders(one_too_many).refused().await.is("INVALID_FIELD").names(&["lead_ids"]);
    })
    .await;
}

/// Everything that a stream tells: per lead the name of its sender, and the revision.
async fn streamed(call: Call<StreamSendersRequest>) -> (BTreeMap<String, Option<String>>, i64) {
    let mut stream = call.ok().await;
    let (mut senders, mut told, mut revisions) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    while let Some(message) = stream.message().await.unwrap() {
        senders.extend(message.senders.into_iter().map(|sender| sender.name));
        for one in message.resolutions {
            let name = one.sender.map(|number| senders[number as usize].clone());
            assert!(told.insert(one.lead_id.clone(), name).is_none(), "{} comes twice", one.lead_id);
        }
        revisions.insert(message.revision);
    }
    assert_eq!(revisions.len(), 1, "one snapshot has one revision");
    (told, *revisions.first().unwrap())
}

#[tokio::test]
async fn a_stream_tells_of_every_lead_what_a_single_answer_tells() {
    check(async |world| {
        let account = crew(world).await;
        account.set_settings(team()).ok().await;
        let (told, revision) = streamed(account.stream_senders()).await;
        let single = account.senders(told.keys()).ok().await;
        assert_eq!((told.len(), revision), (6, single.revision));
        for (lead, sender, ..) in self::told(&single) {
            assert_eq!(told[lead].as_deref(), sender, "{lead}");
        }
        let nothing = account.stream_senders().with(|request| {
            request.filter = Some(pb::LeadFilter { stages: vec!["Nowhere".to_owned()], ..Default::default() });
        });
        assert_eq!(streamed(nothing).await, (BTreeMap::new(), revision));
        let ahead = pb::Consistency { level: Some(pb::consistency::Level::AtLeastRevision(revision + 9)) };
        let ahead = account.stream_senders().with(|request| request.consistency = Some(ahead));
        ahead.refused().await.is("POSITION_IN_FUTURE");
    })
    .await;
}

#[tokio::test]
async fn a_stream_is_one_snapshot_while_leads_change_hands() {
    check(async |world| {
        let account = world.account();
        account.members(["anna", "ben"]).await;
        let leads: Vec<_> = (0..900).map(|number| format!("L{number}")).collect();
        account.register(leads.iter().map(|lead| owned(lead, "anna")).collect::<Vec<_>>()).ok().await;
        let handing_over = async {
            for round in 0..20 {
                let owner = ["ben", "anna"][round % 2];
                account.bulk(leads.iter().map(|lead| to(lead, owner)).collect::<Vec<_>>()).ok().await;
            }
        };
        let reading = async {
            for _ in 0..40 {
                let (told, revision) = streamed(account.stream_senders()).await;
                let senders: BTreeSet<_> = told.values().flatten().collect();
                assert_eq!((told.len(), senders.len()), (900, 1), "torn at revision {revision}: {senders:?}");
            }
        };
        tokio::join!(handing_over, reading);
    })
    .await;
}
