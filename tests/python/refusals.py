"""What the consumer of examples/python makes of errors: which messages wait, which are parked. Talks to nobody."""

import logging
import sqlite3
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

# Before the directory of this program, which has a `service` too.
sys.path.insert(0, str(Path(__file__).parents[2] / "examples/python"))

from leadflip.ownership.v1 import changes_pb2, events_pb2, ownership_service_pb2 as pb
from owners import ATTEMPTS, BATCH, Consumer
from service import Service
from table import Table

HISTORY = "h"


class Message:
    """A message that remembers what was said of it."""

    subject = "leadflip.ownership.v1.changes.acme"

    def __init__(self, sequence=1):
        self.metadata = SimpleNamespace(sequence=SimpleNamespace(stream=sequence))
        change = changes_pb2.OwnerChange(revision=5, lead_id="L1", owner_id="anna")
        event = events_pb2.OwnersChanged(
            account_id="acme", history_id=HISTORY, previous_revision=4, first_revision=5, last_revision=5,
            fragment=1, fragment_count=1, changes=[change],
        )  # fmt: skip
        self.data = event.SerializeToString()
        self.headers = {
            "ce-specversion": "1.0",
            "ce-type": "leadflip.ownership.v1.OwnersChanged",
            "ce-source": f"/leadflip/ownership/{HISTORY}",
        }
        self.told = []

    async def ack(self):
        self.told.append("ack")

    async def ack_sync(self):
        self.told.append("ack_sync")

    async def nak(self, delay):
        self.told.append(delay)


class Answers:
    """A service that lists an account without leads, and fails first with these errors."""

    def __init__(self, listing=(), log=()):
        self.listing, self.log = list(listing), list(log)

    async def ListByOwner(self, request, timeout):
        return answer(self.listing, pb.ListByOwnerResponse(history_id=HISTORY, revision=4))

    async def ListOwnerChanges(self, request, timeout):
        return answer(self.log, pb.ListOwnerChangesResponse(history_id=HISTORY, revision=4))


def answer(errors, page):
    if errors:
        raise errors.pop(0)
    return page


def refusal(code, reason=None, **metadata):
    status = Status(code=code.value[0], message="no")
    if reason:
        info = Any()
        info.Pack(ErrorInfo(reason=reason, domain="ownership.leadflip", metadata=metadata))
        status.details.append(info)
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details="no")


class Refusals(unittest.IsolatedAsyncioTestCase):
    async def consumer(self, answers):
        self.table = Table(":memory:")
        async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
            service = Service(channel)
        service.stub = answers
        return Consumer(self.table, service)

    def parked(self):
        return [reason for (reason,) in self.table.database.execute("select reason from parked")]

    async def waits(self, times, **errors):
        """Each of so many errors makes the message wait; then it is taken in."""
        consumer, message = await self.consumer(Answers(**errors)), Message()
        for _ in range(times + 1):
            await consumer.take(message)
        self.assertEqual(message.told[-1], "ack", message.told)
        self.assertEqual((len(message.told), self.parked()), (times + 1, []))
        self.assertEqual(self.table.position("acme"), (HISTORY, 5))

    async def test_nothing_is_parked_while_the_service_is_away(self):
        codes = grpc.StatusCode
        away = [
            refusal(codes.UNAVAILABLE, "STORE_UNAVAILABLE"),
            refusal(codes.UNAVAILABLE),
            refusal(codes.DEADLINE_EXCEEDED),
            refusal(codes.UNAUTHENTICATED, "IDENTITY_EXPIRED"),
            refusal(codes.PERMISSION_DENIED, "CALLER_UNKNOWN"),
            refusal(codes.PERMISSION_DENIED),
        ] * ATTEMPTS
        await self.waits(len(away), listing=away)

    async def test_a_list_that_is_overtaken_by_a_restore_is_read_again(self):
        gone = refusal(grpc.StatusCode.OUT_OF_RANGE, "POSITION_IN_FUTURE", head_revision="3")
        await self.waits(1, log=[gone])

    async def test_what_the_service_refuses_is_parked_with_code_and_reason(self):
        refused = [refusal(grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_NOT_ALLOWED") for _ in range(ATTEMPTS)]
        consumer, message = await self.consumer(Answers(listing=refused)), Message()
        for _ in refused:
            await consumer.take(message)
        self.assertEqual(message.told, [1, 2, 4, 8, "ack_sync"])
        self.assertEqual(self.parked(), ["it was tried 5 times: PERMISSION_DENIED ACCOUNT_NOT_ALLOWED: no"])
        self.assertIsNone(self.table.position("acme"))
        # The next event shows the gap.
        await consumer.take(Message(2))
        self.assertEqual(self.table.position("acme"), (HISTORY, 5))

    async def test_what_another_instance_finishes_is_not_counted_for_ever(self):
        refused = [refusal(grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_NOT_ALLOWED") for _ in range(3 * BATCH)]
        consumer = await self.consumer(Answers(listing=refused))
        for sequence in range(len(refused)):
            await consumer.take(Message(sequence))
        self.assertEqual(len(consumer.attempts), BATCH)

    async def test_nothing_is_parked_while_the_database_is_locked(self):
        consumer, message = await self.consumer(Answers()), Message()
        position, locked = self.table.position, [sqlite3.OperationalError("database is locked")] * 2 * ATTEMPTS
        self.table.position = lambda account: answer(locked, None) or position(account)
        for _ in range(2 * ATTEMPTS + 1):
            await consumer.take(message)
        self.assertEqual((message.told, self.parked()), ([1] * 2 * ATTEMPTS + ["ack"], []))


if __name__ == "__main__":
    logging.disable()
    unittest.main()
