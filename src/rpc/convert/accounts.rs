//! Settings of an account.

use ownership_proto::v1 as pb;
use ownership_proto::v1::WriteContext;
use pb::settings::UnassignedOverdue as Overdue;

use super::reads::freshness;
use super::time::{duration, duration_micros};
use super::writes::{origin, outcome};
use super::{Invalid, id};
use crate::context::Freshness;
use crate::domain::command::Action;
use crate::domain::ids::{AccountId, CallerId, Revision};
use crate::domain::outcome::{Answer, Results};
use crate::domain::overdue::Limit;
use crate::domain::settings::{DefaultSender, Settings};
use crate::page::Read;
use crate::rpc::call::{Ask, Mismatch, Order, Write};

impl Ask for pb::GetSettingsRequest {
    type Question = Freshness;

    fn question(self) -> Result<(AccountId, Freshness), Invalid> {
        let Self { account_id, consistency } = self;
        Ok((id(account_id, format_args!("account_id"))?, freshness(consistency)))
    }
}

impl From<Read<(Settings, Revision)>> for pb::GetSettingsResponse {
    fn from(read: Read<(Settings, Revision)>) -> Self {
        let Read { revision, value: (settings, changed) } = read;
        Self { settings: Some(settings.into()), settings_revision: changed.0, revision: revision.0 }
    }
}

impl Write for pb::UpdateSettingsRequest {
    const METHOD: &'static str = "leadflip.ownership.v1.AccountService/UpdateSettings";
    type Subject = ();
    type Response = pb::UpdateSettingsResponse;

    fn context_mut(&mut self) -> Option<&mut WriteContext> {
        self.context.as_mut()
    }

    fn order(self, caller: &CallerId) -> Result<Order<()>, Invalid> {
        let Self { account_id, settings, expected_revision, context } = self;
        let settings = settings.ok_or_else(|| Invalid::not_set("settings"))?.into();
        let action = Action::UpdateSettings { settings, expected: expected_revision.map(Revision) };
        let account = id(account_id, format_args!("account_id"))?;
        Ok(Order { account, origin: origin(context, caller)?, action, subject: () })
    }

    fn response((): (), answer: Answer) -> Result<pb::UpdateSettingsResponse, Mismatch> {
        let Answer { revision, replayed, results } = answer;
        let Results::Settings(what) = results else { return Err(Mismatch) };
        Ok(pb::UpdateSettingsResponse { outcome: outcome(what), revision: revision.0, replayed })
    }
}

impl From<pb::Settings> for Settings {
    fn from(settings: pb::Settings) -> Self {
        let pb::Settings { default_sender, notify_new_owner, unassigned_overdue } = settings;
        let default_sender = default_sender.map(|pb::DefaultSender { name, email }| DefaultSender { name, email });
        let overdue = unassigned_overdue.map(|limit| match limit {
            Overdue::UnassignedOverdueAfter(span) => Limit::After(duration_micros(span)),
            Overdue::NeverUnassignedOverdue(()) => Limit::Never,
        });
        Self { default_sender, notify_new_owner, overdue, overdue_from: None }
    }
}

impl From<Settings> for pb::Settings {
    fn from(settings: Settings) -> Self {
        let Settings { default_sender, notify_new_owner, overdue, overdue_from: _ } = settings;
        let default_sender = default_sender.map(|DefaultSender { name, email }| pb::DefaultSender { name, email });
        let unassigned_overdue = overdue.map(|limit| match limit {
            Limit::After(micros) => Overdue::UnassignedOverdueAfter(duration(micros)),
            Limit::Never => Overdue::NeverUnassignedOverdue(()),
        });
        Self { default_sender, notify_new_owner, unassigned_overdue }
    }
}
