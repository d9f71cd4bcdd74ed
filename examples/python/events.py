"""From a message of the stream to an event."""

from google.protobuf.message import DecodeError

from leadflip.ownership.v1 import events_pb2

SUBJECTS = "leadflip.ownership.v1.changes"

# A type of another version is another type.
TYPES = {
    "leadflip.ownership.v1.OwnersChanged": events_pb2.OwnersChanged,
    "leadflip.ownership.v1.LeadUnassignedOverdue": events_pb2.LeadUnassignedOverdue,
}


class Poison(Exception):
    """A message that can never be taken in."""


def read(message):
    headers = message.headers or {}
    if headers.get("ce-specversion") != "1.0":
        raise Poison("it is no CloudEvent of version 1.0")
    kind = TYPES.get(headers.get("ce-type"))
    if kind is None:
        raise Poison(f"its type is {headers.get('ce-type')}")
    try:
        event = kind.FromString(message.data)
    except DecodeError as error:
        raise Poison(f"its data cannot be read: {error}") from error
    if headers.get("ce-source") != f"/leadflip/ownership/{event.history_id}":
        raise Poison(f"its source is {headers.get('ce-source')}")
    if message.subject != f"{SUBJECTS}.{event.account_id}":
        raise Poison(f"it stands under {message.subject} and is about account {event.account_id}")
    if not 0 <= event.previous_revision < event.first_revision <= event.last_revision:
        raise Poison("its revisions are not in order")
    return event
