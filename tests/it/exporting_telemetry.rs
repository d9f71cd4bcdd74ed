//! What a collector sees.

use std::time::Duration;

use crate::support::*;

#[tokio::test]
async fn a_collector_sees_each_call_down_to_its_statements_and_counts_it_by_method_and_code() {
    let collector = Collector::default();
    one_replica()
        .set("telemetry.otlp_endpoint", collector.start())
        .check(async |world| {
            let account = world.account();
            account.members(["anna"]).await;
            account.leads(["L1"]).await;
            account.assign("L1", "anna").reason("s3cret").ok().await;
            account.assign("nosuch", "anna").refused().await.is("LEAD_NOT_FOUND");
            world.replicas[0].terminate();
            let status = world.replicas[0].ended(Duration::from_secs(20)).await.expect("it exits");
            assert!(status.success());
            world.restart(0);
        })
        .await;
    let spans = collector.spans();
    let method = "leadflip.ownership.v1.OwnershipService/Assign";
    let call = spans.iter().find(|span| span.name == method).expect("a span of the call");
    let within = |name: &str| spans.iter().any(|span| span.name == name && span.trace_id == call.trace_id);
    for statement in ["door", "begin", "write", "commit"] {
        assert!(within(statement), "{statement} in {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    }
    assert!(!format!("{spans:?}").contains("s3cret"), "what people write is not exported");
    let calls = collector.calls();
    let counted = |code: &str| {
        let found = calls.iter().find(|((of, with), _)| of.contains(method) && with.contains(&format!("\"{code}\"")));
        found.map(|(_, count)| *count)
    };
    assert_eq!((counted("OK"), counted("NOT_FOUND")), (Some(1), Some(1)), "{calls:?}");
}
