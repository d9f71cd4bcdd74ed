"""The calls of the checks, each with a deadline and for one account."""

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status import rpc_status

from leadflip.ownership.v1 import (
    lead_service_pb2 as leads_pb,
    lead_service_pb2_grpc as leads_rpc,
    member_service_pb2 as members_pb,
    member_service_pb2_grpc as members_rpc,
    ownership_service_pb2 as ownership_pb,
    ownership_service_pb2_grpc as ownership_rpc,
)

CALL_SECONDS = 20
WATCH_SECONDS = 60


class Service:
    def __init__(self, channel, account):
        self.account = account
        self.leads = leads_rpc.LeadServiceStub(channel)
        self.members = members_rpc.MemberServiceStub(channel)
        self.ownership = ownership_rpc.OwnershipServiceStub(channel)

    def upsert_members(self, members):
        request = members_pb.UpsertMembersRequest(account_id=self.account, members=members)
        return self.members.UpsertMembers(request, timeout=CALL_SECONDS)

    def register_leads(self, leads):
        request = leads_pb.RegisterLeadsRequest(account_id=self.account, leads=leads)
        return self.leads.RegisterLeads(request, timeout=CALL_SECONDS)

    def assign(self, lead_id, owner_id, **more):
        request = ownership_pb.AssignRequest(account_id=self.account, lead_id=lead_id, owner_id=owner_id, **more)
        return self.ownership.Assign(request, timeout=CALL_SECONDS)

    def bulk_assign(self, items):
        request = ownership_pb.BulkAssignRequest(account_id=self.account, items=items)
        return self.ownership.BulkAssign(request, timeout=CALL_SECONDS)

    def get_owner(self, lead_id):
        request = ownership_pb.GetOwnerRequest(account_id=self.account, lead_id=lead_id)
        return self.ownership.GetOwner(request, timeout=CALL_SECONDS)

    def list_pages(self, page_size, **arguments):
        request = ownership_pb.ListByOwnerRequest(account_id=self.account, page_size=page_size, **arguments)
        return pages(self.ownership.ListByOwner, request)

    def change_pages(self, page_size, **arguments):
        request = ownership_pb.ListOwnerChangesRequest(account_id=self.account, page_size=page_size, **arguments)
        return pages(self.ownership.ListOwnerChanges, request)

    def watch(self, **arguments):
        """An open stream; the caller cancels it."""
        request = ownership_pb.WatchOwnerChangesRequest(
            account_id=self.account, progress_interval=Duration(seconds=1), **arguments
        )
        return self.ownership.WatchOwnerChanges(request, timeout=WATCH_SECONDS)


def pages(method, request):
    """All pages, from the first to the one without a successor."""
    while True:
        page = method(request, timeout=CALL_SECONDS)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def nobody():
    return Empty()


def refusal(call):
    """Code, ErrorInfo and BadRequest of a call that has to fail."""
    try:
        answer = call()
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        assert status is not None, f"{error.code()} came without details"
        return error.code(), only(ErrorInfo, status), first(BadRequest, status)
    raise AssertionError(f"accepted: {answer}")


def only(kind, status):
    found = details(kind, status)
    assert len(found) == 1, f"{len(found)} {kind.__name__} in {status}"
    return found[0]


def first(kind, status):
    return next(iter(details(kind, status)), kind())


def details(kind, status):
    found = []
    for packed in status.details:
        detail = kind()
        if packed.Unpack(detail):
            found.append(detail)
    return found
