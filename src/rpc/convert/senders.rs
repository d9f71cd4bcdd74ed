//! In whose name messages are sent. The answers are written by `encode`.

use ownership_proto::v1 as pb;

use super::filter::lead_filter;
use super::reads::{freshness, moment};
use super::{Invalid, distinct_ids, id};
use crate::domain::ids::AccountId;
use crate::ownership::{CampaignRequest, SendersRequest};
use crate::rpc::call::Ask;

impl Ask for pb::ResolveSendersRequest {
    type Question = SendersRequest;

    fn question(self) -> Result<(AccountId, SendersRequest), Invalid> {
        let Self { account_id, lead_ids, as_of, consistency } = self;
        let question = SendersRequest {
            leads: distinct_ids(lead_ids, "lead_ids")?,
            as_of: moment(as_of)?,
            freshness: freshness(consistency),
        };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

impl Ask for pb::StreamSendersRequest {
    type Question = CampaignRequest;

    fn question(self) -> Result<(AccountId, CampaignRequest), Invalid> {
        let Self { account_id, filter, consistency } = self;
        let (filter, min_time_in_stage) = lead_filter(filter)?;
        let question = CampaignRequest { filter, min_time_in_stage, freshness: freshness(consistency) };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}
