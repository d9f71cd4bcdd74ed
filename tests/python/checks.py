"""What a caller may rely on, in the order in which client.py asks for it."""

import uuid
from datetime import datetime, timedelta, timezone

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from leadflip.ownership.v1 import (
    changes_pb2 as changes_pb,
    lead_service_pb2 as leads_pb,
    member_service_pb2 as members_pb,
    ownership_pb2 as words,
    ownership_service_pb2 as ownership_pb,
)
from service import nobody, refusal

MEMBERS = ["ann", "bob", "cleo"]
LEADS = [f"lead-{number:02}" for number in range(50)]
PAGE = 7


def same(actual, expected, what):
    assert actual == expected, f"{what}: {actual!r} instead of {expected!r}"


def outcomes(results):
    return {words.Outcome.Name(result.outcome) for result in results}


def members_are_registered(service):
    answer = service.upsert_members(
        members_pb.Member(member_id=name, display_name=name.title(), email=f"{name}@example.com") for name in MEMBERS
    )
    same([result.member_id for result in answer.results], MEMBERS, "members")
    same(outcomes(answer.results), {"OUTCOME_REGISTERED"}, "outcomes")


def leads_are_registered_once(service):
    leads = [leads_pb.NewLead(lead_id=lead, created_at=created(number)) for number, lead in enumerate(LEADS)]
    first = service.register_leads(leads)
    same([result.lead_id for result in first.results], LEADS, "leads")
    same(outcomes(first.results), {"OUTCOME_REGISTERED"}, "outcomes")
    again = service.register_leads(leads)
    same(outcomes(again.results), {"OUTCOME_UNCHANGED"}, "outcomes of a repetition")
    same(again.revision, first.revision, "revision of a repetition")


def created(number):
    """Several leads share a moment, so that their order needs the lead id too."""
    moment = Timestamp()
    moment.FromDatetime(datetime(2024, 1, 1, tzinfo=timezone.utc) + timedelta(days=number // 4))
    return moment


def a_lead_is_assigned_reassigned_and_left_alone(service):
    lead = LEADS[0]
    before = service.get_owner(lead)
    assert not before.ownership.HasField("owner_id"), f"{lead} has an owner already"
    assigned = service.assign(lead, "ann")
    same(assigned.outcome, words.OUTCOME_ASSIGNED, "first assign")
    same(assigned.revision, before.revision + 1, "revision of the first assign")
    assert not assigned.HasField("previous_owner_id"), "a previous owner of an unassigned lead"
    same(service.assign(lead, "ann").outcome, words.OUTCOME_UNCHANGED, "same assign")
    moved = service.assign(lead, "bob")
    same((moved.outcome, moved.previous_owner_id), (words.OUTCOME_REASSIGNED, "ann"), "assign to another")
    same(moved.revision, assigned.revision + 1, "revision after an UNCHANGED")
    same(service.get_owner(lead).ownership, moved.ownership, "ownership")


def a_repeated_request_id_gets_the_first_answer(service):
    context = words.WriteContext(request_id=str(uuid.uuid4()), source=words.SOURCE_UI, reason="as agreed")
    first = service.assign(LEADS[1], "ann", context=context)
    service.assign(LEADS[1], "bob")
    again = service.assign(LEADS[1], "ann", context=context)
    same((first.replayed, again.replayed), (False, True), "replayed")
    same((again.revision, again.outcome), (first.revision, first.outcome), "replayed answer")
    same(service.get_owner(LEADS[1]).ownership.owner_id, "bob", "owner after the replay")


def a_bulk_is_one_revision(service):
    items = [ownership_pb.BulkAssignItem(lead_id=lead, owner_id="cleo") for lead in LEADS[2:32]]
    items.append(ownership_pb.BulkAssignItem(lead_id=LEADS[1], unassign=nobody()))
    before = service.get_owner(LEADS[0]).revision
    answer = service.bulk_assign(items)
    same(answer.revision, before + 1, "revision")
    same((answer.tally.assigned, answer.tally.unassigned, answer.tally.failed), (30, 1, 0), "tally")
    same([result.lead_id for result in answer.results], [item.lead_id for item in items], "order of the results")


def a_list_in_pages_has_every_lead_once(service):
    found = list(service.list_pages(PAGE, any=nobody(), include_total=True))
    sizes = [len(page.leads) for page in found]
    assert max(sizes) <= PAGE, f"pages of {sizes}"
    same(found[0].total, len(LEADS), "total")
    same([lead.lead_id for lead in ownerships(found)], LEADS, "leads, oldest first")


def ownerships(pages):
    return [lead.ownership for page in pages for lead in page.leads]


def a_list_of_one_owner_has_only_that_owners_leads(service):
    found = ownerships(service.list_pages(PAGE, owner_id="cleo"))
    same([lead.lead_id for lead in found], LEADS[2:32], "leads of cleo")
    same({lead.owner_id for lead in found}, {"cleo"}, "owners")
    unassigned = ownerships(service.list_pages(PAGE, unassigned=nobody()))
    same([lead.lead_id for lead in unassigned], LEADS[1:2] + LEADS[32:], "unassigned leads")


def a_watch_resumes_without_loss_or_repetition(service):
    start = service.get_owner(LEADS[0]).revision
    first = Watch(service.watch(after_revision=start), start)
    for lead in LEADS[2:8]:
        service.assign(lead, "ann")
    first.read(lambda: len(first.changes) >= 3)
    first.cancel()
    for lead in LEADS[8:14]:
        service.assign(lead, "bob")
    service.bulk_assign(ownership_pb.BulkAssignItem(lead_id=lead, unassign=nobody()) for lead in LEADS[2:14])
    head = service.get_owner(LEADS[0]).revision
    rest = Watch(service.watch(after_revision=first.position, history_id=first.history_id), first.position)
    rest.read(lambda: rest.position >= head)
    rest.cancel()
    logged = [change for page in service.change_pages(PAGE, after_revision=start) for change in page.changes]
    same(len(logged), 24, "changes in the log")
    same(list(map(brief, first.changes + rest.changes)), list(map(brief, logged)), "changes of both watches")


def brief(change):
    kind = changes_pb.ChangeKind.Name(change.kind)
    return change.revision, change.ordinal, change.lead_id, kind, change.previous_owner_id, change.owner_id


class Watch:
    """A stream of which each message has to continue where the one before ended."""

    def __init__(self, stream, after):
        self.stream = stream
        self.changes = []
        started = next(stream)
        same(started.WhichOneof("message"), "started", "first message")
        same(started.started.revision, after, "start")
        self.position, self.history_id = after, started.started.history_id

    def read(self, enough):
        while not enough():
            message = next(self.stream)
            kind = message.WhichOneof("message")
            assert kind in ("changes", "progress"), f"a message of kind {kind} after the first"
            body = getattr(message, kind)
            same(body.previous_revision, self.position, "position of the message before")
            assert body.revision >= self.position, f"from {self.position} back to {body.revision}"
            if kind == "changes":
                self.changes += body.changes
            self.position = body.revision

    def cancel(self):
        self.stream.cancel()


def an_unknown_lead_is_refused_by_name(service):
    code, info, _ = refusal(lambda: service.assign("nobody-knows-me", "ann"))
    same((code, info.reason), (grpc.StatusCode.NOT_FOUND, "LEAD_NOT_FOUND"), "refusal")
    same((info.domain, info.metadata["lead_id"]), ("ownership.leadflip", "nobody-knows-me"), "details")


def a_bad_field_is_refused_by_path(service):
    items = [
        ownership_pb.BulkAssignItem(lead_id=LEADS[0], owner_id="ann"),
        ownership_pb.BulkAssignItem(lead_id="not an id"),
    ]
    code, info, bad = refusal(lambda: service.bulk_assign(items))
    same((code, info.reason), (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"), "refusal")
    same([violation.field for violation in bad.field_violations], ["items[1].lead_id", "items[1].target"], "fields")


def a_stale_precondition_names_the_present_owner(service):
    seen = service.get_owner(LEADS[0]).ownership
    service.assign(LEADS[0], "cleo")
    stale = words.Precondition(revision=seen.revision)
    code, info, _ = refusal(lambda: service.assign(LEADS[0], "ann", precondition=stale))
    same((code, info.reason), (grpc.StatusCode.ABORTED, "REVISION_MISMATCH"), "refusal")
    same(info.metadata["current_owner_id"], "cleo", "owner in the details")
    same(service.get_owner(LEADS[0]).ownership.owner_id, "cleo", "owner afterwards")
