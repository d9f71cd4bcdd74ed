//! Calls, with what every test would have to write left out.

use std::fmt::Debug;
use std::future::IntoFuture;
use std::time::Duration;

use futures::future::BoxFuture;
use ownership_proto::v1::account_service_client::AccountServiceClient;
use ownership_proto::v1::lead_service_client::LeadServiceClient;
use ownership_proto::v1::member_service_client::MemberServiceClient;
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use ownership_proto::v1::*;
use prost_types::Timestamp;
use tonic::{Status, Streaming};

use super::{Channel, Refusal, refusal};

/// No call may take longer: the server's own deadline is far below.
const LIMIT: Duration = Duration::from_secs(60);

/// A request and how it is sent.
pub trait Rpc: Clone + Send + 'static {
    /// What a success returns.
    type Answer: Debug + Send;

    /// Sends it.
    fn send(self, channel: Channel) -> BoxFuture<'static, Result<Self::Answer, Status>>;
}

macro_rules! rpcs {
    ($($client:ident :: $method:ident($request:ident) -> $answer:ty;)*) => {$(
        impl Rpc for $request {
            type Answer = $answer;

            fn send(self, channel: Channel) -> BoxFuture<'static, Result<$answer, Status>> {
                Box::pin(async move { Ok($client::new(channel).$method(self).await?.into_inner()) })
            }
        }
    )*};
}

rpcs! {
    OwnershipServiceClient::assign(AssignRequest) -> AssignResponse;
    OwnershipServiceClient::bulk_assign(BulkAssignRequest) -> BulkAssignResponse;
    OwnershipServiceClient::unassign(UnassignRequest) -> UnassignResponse;
    OwnershipServiceClient::list_by_owner(ListByOwnerRequest) -> ListByOwnerResponse;
    OwnershipServiceClient::watch_owner_changes(WatchOwnerChangesRequest) -> Streaming<WatchOwnerChangesResponse>;
    OwnershipServiceClient::get_owner(GetOwnerRequest) -> GetOwnerResponse;
    OwnershipServiceClient::batch_get_owners(BatchGetOwnersRequest) -> BatchGetOwnersResponse;
    OwnershipServiceClient::list_owner_changes(ListOwnerChangesRequest) -> ListOwnerChangesResponse;
    OwnershipServiceClient::resolve_senders(ResolveSendersRequest) -> ResolveSendersResponse;
    OwnershipServiceClient::stream_senders(StreamSendersRequest) -> Streaming<StreamSendersResponse>;
    OwnershipServiceClient::count_by_owner(CountByOwnerRequest) -> CountByOwnerResponse;
    LeadServiceClient::register_leads(RegisterLeadsRequest) -> RegisterLeadsResponse;
    LeadServiceClient::update_leads(UpdateLeadsRequest) -> UpdateLeadsResponse;
    LeadServiceClient::forget_leads(ForgetLeadsRequest) -> ForgetLeadsResponse;
    LeadServiceClient::get_lead(GetLeadRequest) -> GetLeadResponse;
    MemberServiceClient::upsert_members(UpsertMembersRequest) -> UpsertMembersResponse;
    MemberServiceClient::get_member(GetMemberRequest) -> GetMemberResponse;
    MemberServiceClient::list_members(ListMembersRequest) -> ListMembersResponse;
    MemberServiceClient::deactivate_member(DeactivateMemberRequest) -> DeactivateMemberResponse;
    AccountServiceClient::get_settings(GetSettingsRequest) -> GetSettingsResponse;
    AccountServiceClient::update_settings(UpdateSettingsRequest) -> UpdateSettingsResponse;
}

/// A call that is not made yet. Await it for the bare result.
#[derive(Clone)]
pub struct Call<R> {
    pub channel: Channel,
    pub request: R,
}

impl<R: Rpc> IntoFuture for Call<R> {
    type Output = Result<R::Answer, Status>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let answer = self.request.send(self.channel);
        Box::pin(async { tokio::time::timeout(LIMIT, answer).await.expect("an answer within a minute") })
    }
}

impl<R: Rpc> Call<R> {
    /// Changes what has no verb.
    pub fn with(mut self, change: impl FnOnce(&mut R)) -> Self {
        change(&mut self.request);
        self
    }

    /// Makes the call, which has to succeed.
    pub async fn ok(self) -> R::Answer {
        match self.await {
            Ok(answer) => answer,
            Err(status) => panic!("{}: refused: {status:?}", std::any::type_name::<R>()),
        }
    }

    /// Makes the call, which has to be refused because of exactly this field.
    pub async fn refused_for(self, field: &str) {
        self.refused().await.is("INVALID_FIELD").says("violation_count", 1).names(&[field]);
    }

    /// Makes the call, which has to be refused.
    pub async fn refused(self) -> Refusal {
        match self.await {
            Ok(answer) => panic!("{}: not refused: {answer:?}", std::any::type_name::<R>()),
            Err(status) => refusal(status),
        }
    }
}

macro_rules! requests_with {
    ($name:ident { $field:ident: $type:ty } in $($request:ident),* $(,)?) => {
        /// The requests with this field.
        pub trait $name {
            /// The field.
            fn $field(&mut self) -> &mut $type;
        }
        $(impl $name for $request {
            fn $field(&mut self) -> &mut $type { &mut self.$field }
        })*
    };
}

requests_with!(Write { context: Option<WriteContext> } in AssignRequest, BulkAssignRequest, UnassignRequest,
    RegisterLeadsRequest, UpdateLeadsRequest, ForgetLeadsRequest, UpsertMembersRequest, DeactivateMemberRequest,
    UpdateSettingsRequest);
requests_with!(Conditional { precondition: Option<Precondition> } in AssignRequest, UnassignRequest);
requests_with!(Read { consistency: Option<Consistency> } in ListByOwnerRequest, GetOwnerRequest,
    BatchGetOwnersRequest, ResolveSendersRequest, StreamSendersRequest, CountByOwnerRequest, GetLeadRequest, GetMemberRequest,
    ListMembersRequest, GetSettingsRequest);
requests_with!(Past { as_of: Option<AsOf> } in GetOwnerRequest, BatchGetOwnersRequest, ResolveSendersRequest);

impl<R: Write> Call<R> {
    fn context(mut self, change: impl FnOnce(&mut WriteContext)) -> Self {
        change(self.request.context().get_or_insert_default());
        self
    }

    /// At most once.
    pub fn once(self, request_id: &str) -> Self {
        self.context(|context| context.request_id = request_id.to_owned())
    }

    /// From where.
    pub fn source(self, source: Source) -> Self {
        self.context(|context| context.source = source.into())
    }

    /// Why.
    pub fn reason(self, reason: &str) -> Self {
        self.context(|context| context.reason = reason.to_owned())
    }

    /// For whom.
    pub fn acting_for(self, member: &str) -> Self {
        self.context(|context| context.member_id = Some(member.to_owned()))
    }

    /// Together with what.
    pub fn batch(self, batch: &str) -> Self {
        self.context(|context| context.batch_id = Some(batch.to_owned()))
    }
}

/// What has a precondition.
pub trait When: Sized {
    /// Only if this holds.
    fn when(self, kind: precondition::Kind) -> Self;

    /// Only if the owner has not changed since.
    fn if_revision(self, revision: i64) -> Self {
        self.when(precondition::Kind::Revision(revision))
    }

    /// Only if this member owns it.
    fn if_owner(self, owner: &str) -> Self {
        self.when(precondition::Kind::OwnerId(owner.to_owned()))
    }

    /// Only if nobody owns it.
    fn if_unassigned(self) -> Self {
        self.when(precondition::Kind::Unassigned(()))
    }
}

impl<R: Conditional> When for Call<R> {
    fn when(mut self, kind: precondition::Kind) -> Self {
        *self.request.precondition() = Some(Precondition { kind: Some(kind) });
        self
    }
}

impl When for BulkAssignItem {
    fn when(mut self, kind: precondition::Kind) -> Self {
        self.precondition = Some(Precondition { kind: Some(kind) });
        self
    }
}

impl<R: Read> Call<R> {
    /// At least as fresh as this revision.
    pub fn at_least(mut self, revision: i64) -> Self {
        let level = Some(consistency::Level::AtLeastRevision(revision));
        *self.request.consistency() = Some(Consistency { level });
        self
    }

    /// Whatever the replica knows.
    pub fn hurried(mut self) -> Self {
        *self.request.consistency() = Some(Consistency { level: Some(consistency::Level::MinimizeLatency(())) });
        self
    }
}

impl<R: Past> Call<R> {
    /// Right after this revision.
    pub fn at_revision(mut self, revision: i64) -> Self {
        *self.request.as_of() = Some(AsOf { at: Some(as_of::At::Revision(revision)) });
        self
    }

    /// As of this time.
    pub fn at_time(mut self, time: Timestamp) -> Self {
        *self.request.as_of() = Some(AsOf { at: Some(as_of::At::Time(time)) });
        self
    }
}
