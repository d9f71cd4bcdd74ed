"""What the service is asked for when the stream does not have it."""

import grpc
from google.protobuf.empty_pb2 import Empty
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status

from leadflip.ownership.v1 import changes_pb2, ownership_service_pb2 as pb, ownership_service_pb2_grpc as rpc
from table import Position

CALL_SECONDS = 20
PAGE = 1_000


# What is answered for any account.
AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAUTHENTICATED}
NOT_LET_IN = {"CALLER_UNKNOWN", "METHOD_NOT_ALLOWED", "METHOD_UNKNOWN"}


class Away(Exception):
    """The service is away, or does not let us in, or it is not the service that answers. Has nothing to do with an account."""


class Refused(Exception):
    """The service refuses something of this account."""


class OverOrUnknown(Refused):
    """The service's log does not have the position that was asked for."""

    def __init__(self, text, info):
        super().__init__(text)
        self.reason = info.reason
        self.head = int(info.metadata["head_revision"])


class Service:
    def __init__(self, channel):
        self.stub = rpc.OwnershipServiceStub(channel)

    async def is_present(self, account, position):
        """Whether the service's history is still the one of a position."""
        request = pb.ListOwnerChangesRequest(
            account_id=account, history_id=position.history_id, after_revision=position.revision, page_size=1
        )
        try:
            await self.call(self.stub.ListOwnerChanges, request)
        except OverOrUnknown as refusal:
            return refusal.reason != "HISTORY_MISMATCH"
        return True

    async def changes(self, account, position, until):
        """The changes after a position, up to a revision of the same history."""
        request = pb.ListOwnerChangesRequest(
            account_id=account,
            history_id=position.history_id,
            after_revision=position.revision,
            until_revision=until,
            page_size=PAGE,
        )
        return [change async for page in self.pages(self.stub.ListOwnerChanges, request) for change in page.changes]

    async def owners(self, account):
        """Who owns each lead, and the position that this is as of.

        The pages are each of their own revision. So what changed from the first to the last is read as well, and applied to the leads
        that do not have it yet.
        """
        request = pb.ListByOwnerRequest(account_id=account, any=Empty(), order=pb.LEAD_ORDER_LEAD_ID, page_size=PAGE)
        pages = [page async for page in self.pages(self.stub.ListByOwner, request)]
        start, end = (Position(page.history_id, page.revision) for page in (pages[0], pages[-1]))
        known = {lead.ownership.lead_id: lead.ownership for page in pages for lead in page.leads}
        owners = {lead: owner_of(ownership) for lead, ownership in known.items()}
        for change in await self.changes(account, start, end.revision):
            if change.lead_id in known and known[change.lead_id].revision >= change.revision:
                continue
            if change.kind == changes_pb2.CHANGE_KIND_FORGOTTEN:
                owners.pop(change.lead_id, None)
            else:
                owners[change.lead_id] = owner_of(change)
        return end, owners

    async def pages(self, method, request):
        while True:
            page = await self.call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def call(self, method, request):
        try:
            return await method(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise meaning(error) from error


def owner_of(message):
    return message.owner_id if message.HasField("owner_id") else None


def meaning(error):
    """What an answer that is an error means for whoever asked."""
    status = rpc_status.from_call(error)
    info, retry = (detail(status, kind) for kind in (ErrorInfo, RetryInfo))
    text = f"{error.code().name} {info.reason if info else ''}: {error.details()}"
    passes = error.code() in AWAY or error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and retry
    if info is None or passes or info.reason in NOT_LET_IN:
        return Away(text)
    return OverOrUnknown(text, info) if error.code() == grpc.StatusCode.OUT_OF_RANGE else Refused(text)


def detail(status, kind):
    found = kind()
    return next((found for detail in status.details if detail.Unpack(found)), None) if status else None
