//! Requests that are wrong as a whole: leads named twice, bytes that are no request, too many of them, no such method.

use std::time::Duration;

use prost::Message;

use crate::support::contract::methods;
use crate::support::pb::LeadUpdate;
use crate::support::raw::{frame, post};
use crate::support::*;

#[tokio::test]
async fn the_same_lead_twice_is_refused_and_both_places_are_named() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.leads(["L1", "L2"]).await;
        let update = |id: &str| {
            with(LeadUpdate::default(), |it| {
                it.lead_id = id.to_owned();
                it.observed_at = Some(at(now()));
            })
        };
        let refusals = [
            account.bulk([to("L1", "anna"), to("L2", "anna"), nobodys("L1")]).refused().await,
            account.register([lead("L1"), lead("X"), lead("L1")]).refused().await,
            account.update([update("L1"), update("L2"), update("L1")]).refused().await,
            account.forget(["L1", "L2", "L1"]).refused().await,
            account.owners(["L1", "L2", "L1"]).refused().await,
            account.senders(["L1", "L2", "L1"]).refused().await,
            account.upsert([member("L1"), member("L2"), member("L1")]).refused().await,
        ];
        for refusal in refusals {
            let refusal = refusal.is("DUPLICATE_ITEM").says("id", "L1").says("first_index", 0).says("second_index", 2);
            let [first, second] = refusal.fields.as_slice() else { panic!("{refusal:?}") };
            assert!(first.contains("[0]") && second.contains("[2]"), "{refusal:?}");
        }
        assert_eq!(account.revision().await, 2);
    })
    .await;
}

#[tokio::test]
async fn every_method_refuses_an_empty_request_and_bytes_that_are_none() {
    check(async |world| {
        for method in methods() {
            let empty = refusal(post(world.url(0), &method.path, &[], frame(&[])).await).is("INVALID_FIELD");
            assert!(empty.fields.contains(&"account_id".to_owned()), "{method:?}: {empty:?}");
            // A length that runs past the end, groups that never end, text that is not UTF-8.
            for bytes in [&[0x0a, 0xff, 0x01, b'x'][..], &[0x0b, 0x0b, 0x0b], &[0x0a, 2, 0xc3, 0x28]] {
                refusal(post(world.url(0), &method.path, &[], frame(bytes)).await).is("MALFORMED_REQUEST");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn fields_that_are_not_known_are_ignored() {
    check(async |world| {
        let account = world.account();
        account.leads(["L1"]).await;
        let mut bytes = account.get_lead("L1").request.encode_to_vec();
        // Field 2,000, a number: what a client of tomorrow may send.
        bytes.extend([0x80, 0x7d, 0x01]);
        let path = "/leadflip.ownership.v1.LeadService/GetLead";
        let status = post(world.url(0), path, &[], frame(&bytes)).await;
        assert_eq!(status.code(), Code::Ok, "{status:?}");
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    one_replica()
        .set("server.max_request_bytes", 10_000)
        .check(async |world| {
            let account = world.account();
            let heavy = |number: usize| with(lead(&format!("L{number:030}")), |it| it.stage = "x".repeat(60));
            let leads = |count: usize| (0..count).map(heavy).collect::<Vec<_>>();
            let refusal = account.register(leads(200)).refused().await;
            refusal.is("REQUEST_TOO_LARGE").says("max_bytes", 10_000);
            account.register(leads(80)).ok().await;
        })
        .await;
}

#[tokio::test]
async fn what_does_not_exist_is_called_so() {
    check(async |world| {
        let package = "/leadflip.ownership.v1";
        let paths = [format!("{package}.OwnershipService/Steal"), format!("{package}.Nothing/Assign")];
        for path in paths.iter().map(String::as_str).chain(["/x/y", "/"]) {
            refusal(post(world.url(0), path, &[], frame(&[])).await).is("METHOD_UNKNOWN");
        }
    })
    .await;
}

#[tokio::test]
async fn the_deadline_of_the_caller_holds() {
    check(async |world| {
        let account = world.account();
        account.members(["anna"]).await;
        account.leads(["L1"]).await;
        let body = frame(&account.assign("L1", "anna").request.encode_to_vec());
        let sql = world.sql().await;
        let held = sql.hold_head(&account.id).await;
        for timeout in ["1n", "20m", "300m"] {
            let start = std::time::Instant::now();
            let path = "/leadflip.ownership.v1.OwnershipService/Assign";
            let status = post(world.url(0), path, &[("grpc-timeout", timeout)], body.clone()).await;
            refusal(status).is("DEADLINE_EXCEEDED");
            assert!(start.elapsed() < Duration::from_secs(3), "{timeout} took {:?}", start.elapsed());
        }
        drop(held);
        eventually("writes go on", async || account.register([lead("after")]).await.ok()).await;
        assert_eq!(account.owner_of("L1").await, None);
    })
    .await;
}
