//! The methods of the service.

use futures::future::BoxFuture;
use ownership_proto::v1::account_service_client::AccountServiceClient;
use ownership_proto::v1::lead_service_client::LeadServiceClient;
use ownership_proto::v1::member_service_client::MemberServiceClient;
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use ownership_proto::v1::*;
use tonic::{Request, Status, Streaming};

use crate::Connection;

/// A page of 1,000 leads with all their attributes stays below this.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A request of the service: the type tells which method it is for.
pub trait Rpc: Clone + Send + 'static {
    /// What a success returns.
    type Answer: Send;

    /// The full name of the method.
    const METHOD: &'static str;

    /// Whether the answer is a stream. A stream has no end that could be waited for.
    const STREAMS: bool;

    /// Gives a write that has no request id one, so that it can be repeated and still happens once.
    fn identify(&mut self);

    /// Sends it once.
    fn send(request: Request<Self>, through: Connection) -> BoxFuture<'static, Result<Self::Answer, Status>>;
}

#[expect(clippy::disallowed_methods, reason = "the id of a call whose caller has brought none")]
fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

macro_rules! rpcs {
    ($($service:literal by $client:ident { $($kind:ident $method:ident($request:ident) -> $answer:ident as $name:literal;)* })*) => {
        $($(
            impl Rpc for $request {
                type Answer = rpcs!(@answer $kind $answer);
                const METHOD: &'static str = concat!("leadflip.ownership.v1.", $service, "/", $name);
                const STREAMS: bool = rpcs!(@streams $kind);

                fn identify(&mut self) {
                    rpcs!(@identify $kind self);
                }

                fn send(request: Request<Self>, through: Connection) -> BoxFuture<'static, Result<Self::Answer, Status>> {
                    let mut client = $client::new(through).max_decoding_message_size(MAX_ANSWER_BYTES);
                    Box::pin(async move { Ok(client.$method(request).await?.into_inner()) })
                }
            }
        )*)*

        #[cfg(test)]
        const METHODS: &[&str] = &[$($(<$request as Rpc>::METHOD),*),*];
    };
    (@answer stream $answer:ident) => { Streaming<$answer> };
    (@answer $kind:ident $answer:ident) => { $answer };
    (@streams stream) => { true };
    (@streams $kind:ident) => { false };
    (@identify write $request:expr) => {
        let context = $request.context.get_or_insert_default();
        if context.request_id.is_empty() {
            context.request_id = new_id();
        }
    };
    (@identify $kind:ident $request:expr) => {};
}

rpcs! {
    "OwnershipService" by OwnershipServiceClient {
        write assign(AssignRequest) -> AssignResponse as "Assign";
        write bulk_assign(BulkAssignRequest) -> BulkAssignResponse as "BulkAssign";
        write unassign(UnassignRequest) -> UnassignResponse as "Unassign";
        read list_by_owner(ListByOwnerRequest) -> ListByOwnerResponse as "ListByOwner";
        stream watch_owner_changes(WatchOwnerChangesRequest) -> WatchOwnerChangesResponse as "WatchOwnerChanges";
        read get_owner(GetOwnerRequest) -> GetOwnerResponse as "GetOwner";
        read batch_get_owners(BatchGetOwnersRequest) -> BatchGetOwnersResponse as "BatchGetOwners";
        read list_owner_changes(ListOwnerChangesRequest) -> ListOwnerChangesResponse as "ListOwnerChanges";
        read resolve_senders(ResolveSendersRequest) -> ResolveSendersResponse as "ResolveSenders";
        stream stream_senders(StreamSendersRequest) -> StreamSendersResponse as "StreamSenders";
        read count_by_owner(CountByOwnerRequest) -> CountByOwnerResponse as "CountByOwner";
    }
    "LeadService" by LeadServiceClient {
        write register_leads(RegisterLeadsRequest) -> RegisterLeadsResponse as "RegisterLeads";
        write update_leads(UpdateLeadsRequest) -> UpdateLeadsResponse as "UpdateLeads";
        write forget_leads(ForgetLeadsRequest) -> ForgetLeadsResponse as "ForgetLeads";
        read get_lead(GetLeadRequest) -> GetLeadResponse as "GetLead";
    }
    "MemberService" by MemberServiceClient {
        write upsert_members(UpsertMembersRequest) -> UpsertMembersResponse as "UpsertMembers";
        read get_member(GetMemberRequest) -> GetMemberResponse as "GetMember";
        read list_members(ListMembersRequest) -> ListMembersResponse as "ListMembers";
        write deactivate_member(DeactivateMemberRequest) -> DeactivateMemberResponse as "DeactivateMember";
    }
    "AccountService" by AccountServiceClient {
        read get_settings(GetSettingsRequest) -> GetSettingsResponse as "GetSettings";
        write update_settings(UpdateSettingsRequest) -> UpdateSettingsResponse as "UpdateSettings";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_method_of_the_contract_can_be_called() {
        let contract = FileDescriptorSet::decode(ownership_proto::FILE_DESCRIPTOR_SET).unwrap();
        let ours = contract.file.iter().filter(|file| file.package() == "leadflip.ownership.v1");
        let services = ours.flat_map(|file| &file.service);
        let methods = services.flat_map(|service| {
            service.method.iter().map(|method| format!("leadflip.ownership.v1.{}/{}", service.name(), method.name()))
        });
        let here: BTreeSet<String> = METHODS.iter().map(|&method| method.to_owned()).collect();
        assert_eq!(here, methods.collect());
    }

    #[test]
    fn a_write_keeps_the_request_id_it_brings_and_gets_one_where_it_brings_none() {
        let mut assign = AssignRequest::default();
        assign.identify();
        let first = assign.context.clone().unwrap().request_id;
        assert_eq!(first.len(), 36);
        assign.identify();
        assert_eq!(assign.context.unwrap().request_id, first);
    }
}
