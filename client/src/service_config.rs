//! What is published for callers without this crate, and what this crate does, are one policy.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message;
use prost_types::method_options::IdempotencyLevel;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};
use serde_json::{Value, json};

use crate::retry::{FAILURE, FULL, SUCCESS};
use crate::{Options, Retry};

const PUBLISHED: &str = include_str!("../../proto/leadflip/ownership/v1/service_config.json");
/// The one method that has no use for a policy: whoever watches goes on at a position, which a channel knows nothing of.
const WATCH: &str = "leadflip.ownership.v1.OwnershipService/WatchOwnerChanges";

fn published() -> Value {
    serde_json::from_str(PUBLISHED).unwrap()
}

fn methods() -> BTreeMap<String, MethodDescriptorProto> {
    let contract = FileDescriptorSet::decode(ownership_proto::FILE_DESCRIPTOR_SET).unwrap();
    let ours = contract.file.into_iter().filter(|file| file.package() == "leadflip.ownership.v1");
    let named = ours.flat_map(|file| file.service).flat_map(|service| {
        let path = format!("leadflip.ownership.v1.{}", service.name());
        service.method.into_iter().map(move |method| (format!("{path}/{}", method.name()), method))
    });
    named.collect()
}

/// What is published about each method, by its name. Fails if there is more than one thing.
fn policies(config: &Value) -> BTreeMap<String, &Value> {
    let mut policies = BTreeMap::new();
    for policy in config["methodConfig"].as_array().unwrap() {
        for name in policy["name"].as_array().unwrap() {
            let name = format!("{}/{}", name["service"].as_str().unwrap(), name["method"].as_str().unwrap());
            assert!(policies.insert(name.clone(), policy).is_none(), "{name} is there twice");
        }
    }
    policies
}

fn seconds(span: Duration) -> String {
    format!("{}s", span.as_secs_f64())
}

#[test]
fn every_method_is_called_as_this_crate_calls_it() {
    let (config, methods, options) = (published(), methods(), Options::default());
    let policies = policies(&config);
    assert_eq!(policies.keys().collect::<Vec<_>>(), methods.keys().collect::<Vec<_>>());
    let Retry { attempts, first_pause, longest_pause } = options.retry;
    let repeated = json!({
        "maxAttempts": attempts,
        "initialBackoff": seconds(first_pause),
        "maxBackoff": seconds(longest_pause),
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    });
    for (name, method) in methods {
        let policy = policies[&name];
        let is_repeated = name != WATCH;
        assert_eq!(policy.get("retryPolicy"), is_repeated.then_some(&repeated), "{name}");
        let level = method.options.as_ref().unwrap().idempotency_level();
        assert_ne!(level, IdempotencyLevel::IdempotencyUnknown, "{name} may not be repeated");
        // Streams have no end that could be waited for.
        let deadline = (!method.server_streaming()).then(|| json!(seconds(options.deadline)));
        assert_eq!(policy.get("timeout"), deadline.as_ref(), "{name}");
        assert!(policy.get("hedgingPolicy").is_none(), "{name} is sent to one replica at a time");
        // The library for Node passes over it, and what is published is to mean the same to everybody.
        assert!(
            policy.get("waitForReady").is_none(),
            "{name} fails with what is wrong, unless its caller would rather wait"
        );
    }
}

#[test]
fn all_replicas_are_used_in_turn_and_repetitions_are_limited_alike() {
    let config = published();
    assert_eq!(config["loadBalancingConfig"], json!([{ "round_robin": {} }]));
    let (full, share) = (FULL / FAILURE, SUCCESS as f64 / FAILURE as f64);
    assert_eq!(config["retryThrottling"], json!({ "maxTokens": full, "tokenRatio": share }));
}
