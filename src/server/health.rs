//! Whether the service can answer, as it is told: to gRPC's health service and to the admin port, always the same.

use std::sync::Arc;

use ownership_proto::v1::account_service_server::SERVICE_NAME as ACCOUNTS;
use ownership_proto::v1::lead_service_server::SERVICE_NAME as LEADS;
use ownership_proto::v1::member_service_server::SERVICE_NAME as MEMBERS;
use ownership_proto::v1::ownership_service_server::SERVICE_NAME as OWNERSHIP;
use parking_lot::Mutex;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::metrics;

/// What health is asked about: the server as a whole, and each service.
const NAMES: [&str; 5] = ["", OWNERSHIP, LEADS, MEMBERS, ACCOUNTS];

/// Why the service cannot answer: in words for those who run it, without anything that depends on the installation.
pub(super) type Why = &'static str;

pub(super) const STARTING: Why = "starting";
pub(super) const SCHEMA_IS_OLD: Why = "the database lacks changes that this version needs: run `ownership migrate`";
pub(super) const NO_DATABASE: Why = "the database does not answer";
pub(super) const STOPPING: Why = "shutting down";

/// Tells it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Health {
    reporter: HealthReporter,
    state: Arc<Mutex<Result<(), Why>>>,
}

impl Health {
    /// Not ready yet.
    pub(super) async fn starting(reporter: HealthReporter) -> Self {
        let health = Self { reporter, state: Arc::new(Mutex::new(Err(STARTING))) };
        // A reporter begins by claiming to serve.
        health.tell(Err(STARTING)).await;
        health
    }

    /// Whether the service can answer.
    pub(super) fn state(&self) -> Result<(), Why> {
        *self.state.lock()
    }

    /// From now on it can, or cannot.
    pub(super) async fn tell(&self, state: Result<(), Why>) {
        *self.state.lock() = state;
        metrics::get().ready(state.is_ok());
        let status = if state.is_ok() { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in NAMES {
            self.reporter.set_service_status(name, status).await;
        }
    }

    /// Lets go of who watches health over gRPC: their streams would keep connections open for ever.
    pub(super) async fn let_go(&mut self) {
        for name in NAMES {
            self.reporter.clear_service_status(name).await;
        }
    }
}
