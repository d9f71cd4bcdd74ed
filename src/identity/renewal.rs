//! What is read again and again, because others replace it while the service runs.

use std::error::Error;

use crate::metrics;

/// Tells how renewing something goes: each success, and each new complaint once.
#[derive(Debug)]
pub(super) struct Renewal {
    what: &'static str,
    complaint: Option<String>,
}

impl Renewal {
    pub(super) fn of(what: &'static str) -> Self {
        Self { what, complaint: None }
    }

    /// It was read again, and was another one or the same.
    pub(super) fn succeeded(&mut self, is_new: bool) {
        if is_new {
            tracing::info!(what = self.what, "renewed");
            metrics::get().renewed(self.what, "replaced");
        } else if self.complaint.is_some() {
            tracing::info!(what = self.what, "can be read again");
        }
        self.complaint = None;
    }

    /// It cannot be read, or not be used. What there was before stays in use.
    pub(super) fn failed(&mut self, error: &(dyn Error + 'static)) {
        metrics::get().renewed(self.what, "failed");
        let complaint = error.to_string();
        if self.complaint.as_ref() != Some(&complaint) {
            tracing::warn!(what = self.what, error, "cannot be renewed; what there may be from before stays in use");
            self.complaint = Some(complaint);
        }
    }
}
