//! What the service promises, one file for each behaviour, shown by real servers over a real database.
//!
//! `OWNERSHIP_TEST_STORE` chooses the store (`sqlite`, the default, or `postgres`); `OWNERSHIP_TEST_POSTGRES_URL` names
//! the Postgres server, `OWNERSHIP_TEST_NATS_SERVER` the program of the broker, and `OWNERSHIP_TEST_PREVIOUS` that of the
//! release before. `OWNERSHIP_TEST_MAX_BATCH=1` turns sharing of transactions off in every server whose test does not say how many requests may share one.
//! `OWNERSHIP_TEST_SEED` repeats the moments at which a run that failed killed what it killed. `tests/run` starts a Postgres
//! server and runs everything on both stores.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::large_futures,
    unreachable_pub,
    reason = "a test stops where it is surprised, and makes its own ids, times and tasks"
)]

mod support;

mod admin_port;
mod ageing;
mod architecture;
mod asking_to_notify;
mod assigning;
mod assigning_in_bulk;
mod bad_input;
mod bad_questions;
mod bad_requests;
mod bad_tokens;
mod calling_by_the_docs;
mod calling_through_the_client;
mod clients_in_other_languages;
mod consuming_events;
mod counting;
mod derived_pages;
mod encrypting_connections;
mod error_contract;
mod examples;
mod exporting_telemetry;
mod fitting_into_memory;
mod forgetting_leads;
mod gathering_fragments;
mod going_away;
mod interleaving;
mod joining_lists_and_watches;
mod keeping_accounts_apart;
mod listing_by_owner;
mod looking_up_owners;
mod losing_commits;
mod losing_the_database;
mod losing_the_stream;
mod members_and_picker;
mod mixing_releases;
mod model;
mod operating;
mod parking_events;
mod permitting_consumers;
mod preconditions;
mod proving_identity;
mod publishing_events;
mod publishing_exactly_as_committed;
mod racing_writers;
mod real_data;
mod registering_leads;
mod resolving_senders;
mod retrying_safely;
mod rolling_out;
mod running_the_broker;
mod settings;
mod sharing_transactions;
mod staying_fresh;
mod surviving_kills;
mod taking_turns;
mod telling_callers_apart;
mod timeline;
mod trimming_history;
mod unassigning;
mod updating_leads;
mod verifying;
mod waking_replicas;
mod watching_changes;
mod watching_edges;
