//! Settings of an account.

use ownership_proto::v1 as pb;
use ownership_proto::v1::WriteContext;

use super::reads::freshness;
use super::writes::{origin, outcome};
use super::{Invalid, id};
use crate::context::Freshness;
use crate::domain::command::Action;
use crate::domain::ids::{AccountId, CallerId, Revision};
use crate::domain::outcome::{Answer, Results};
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
        let pb::Settings { default_sender } = settings.ok_or_else(|| Invalid::not_set("settings"))?;
        let default_sender = default_sender.map(|pb::DefaultSender { name, email }| DefaultSender { name, email });
        let action =
            Action::UpdateSettings { settings: Settings { default_sender }, expected: expected_revision.map(Revision) };
        let account = id(account_id, format_args!("account_id"))?;
        Ok(Order { account, origin: origin(context, caller)?, action, subject: () })
    }

    fn response((): (), answer: Answer) -> Result<pb::UpdateSettingsResponse, Mismatch> {
        let Answer { revision, replayed, results } = answer;
        let Results::Settings(what) = results else { return Err(Mismatch) };
        Ok(pb::UpdateSettingsResponse { outcome: outcome(what), revision: revision.0, replayed })
    }
}

impl From<Settings> for pb::Settings {
    fn from(settings: Settings) -> Self {
        let Settings { default_sender } = settings;
        let default_sender = default_sender.map(|DefaultSender { name, email }| pb::DefaultSender { name, email });
        Self { default_sender }
    }
}
