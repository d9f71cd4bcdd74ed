"""Keeps a table of who owns which lead, from the events of the ownership service. It knows nothing but the contract.

tests/python/run.sh generates the stubs and runs it: tests/python/run.sh examples/python/owners.py --help
"""

import argparse
import asyncio
import logging
import sqlite3
import sys

import grpc
import nats
from nats.errors import TimeoutError as NothingToDo
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import APIError

from events import SUBJECTS, Poison, read
from service import Away, OverOrUnknown, Refused, Service
from table import Table

STREAM = "LEADFLIP_OWNERSHIP_V1"
BATCH = 20
# How often an event is tried that the service refuses what it needs, and the pause after the first time, which doubles.
ATTEMPTS = 5
PAUSE = 1


class Consumer:
    def __init__(self, table, service):
        self.table = table
        self.service = service
        # By the numbers of messages.
        self.attempts = {}

    async def take(self, message):
        """Takes a message in, or puts it away, and tells the broker. Whatever happens before that, it comes again."""
        try:
            await self.settle(message)
        except (Away, sqlite3.OperationalError) as reason:
            # Has nothing to do with the message, so it does not count.
            logging.warning("message %s waits: %s", number(message), reason)
            await message.nak(delay=PAUSE)

    async def settle(self, message):
        try:
            await self.follow(read(message))
        except Poison as reason:
            await self.park(message, reason)
        except Refused as reason:
            await self.refused(message, reason)
        else:
            self.attempts.pop(number(message), None)
            await message.ack()

    async def park(self, message, reason):
        self.table.park(message, str(reason))
        logging.error("message %s was parked: %s", number(message), reason)
        self.attempts.pop(number(message), None)
        await message.ack_sync()

    async def refused(self, message, reason):
        """Counts an attempt. A message that is tried for ever would in the end keep those of all other accounts from coming."""
        attempts = self.attempts.pop(number(message), 0) + 1
        if attempts == ATTEMPTS:
            return await self.park(message, f"it was tried {attempts} times: {reason}")
        self.attempts[number(message)] = attempts
        # No more than BATCH are under way. What has not failed for longest was finished by another instance.
        if len(self.attempts) > BATCH:
            del self.attempts[next(iter(self.attempts))]
        logging.warning("message %s is tried again: %s", number(message), reason)
        await message.nak(delay=PAUSE * 2 ** (attempts - 1))

    async def follow(self, event):
        """Brings the table to where the event ends. Says nothing about how: an event that was seen is there already."""
        account = event.account_id
        while True:
            position = self.table.position(account)
            if position is None:
                await self.begin(account, position)
            elif position.history_id != event.history_id:
                if await self.service.is_present(account, position):
                    return  # The event is of a history that is over.
                await self.begin(account, position)
            elif event.last_revision <= position.revision:
                return
            elif event.previous_revision > position.revision:
                await self.repair(account, position, event.previous_revision)
            elif event.fragment < event.fragment_count:
                return  # A part of a revision changes nothing. With the last one, all of it is read.
            elif event.fragment_count > 1:
                await self.repair(account, position, event.last_revision)
            else:
                self.table.apply(account, position, event.last_revision, list(getattr(event, "changes", ())))
                return

    async def begin(self, account, before):
        position, owners = await self.service.owners(account)
        self.table.begin(account, before, position, owners)

    async def repair(self, account, position, until):
        """Applies what the log has after a position, up to a revision."""
        try:
            changes = await self.service.changes(account, position, until)
        except OverOrUnknown as refusal:
            if refusal.head >= position.revision and refusal.reason == "POSITION_IN_FUTURE":
                raise Poison(f"the log ends at revision {refusal.head}, before what it follows") from refusal
            await self.begin(account, position)
        else:
            self.table.apply(account, position, until, changes)


def number(message):
    return message.metadata.sequence.stream


async def subscription(broker, options):
    """The durable consumer, as soon as there is a broker with a stream."""
    # The broker would drop what it has delivered `max_deliver` times without a word to anybody.
    config = ConsumerConfig(
        ack_policy=AckPolicy.EXPLICIT, ack_wait=options.ack_wait, max_deliver=-1, max_ack_pending=BATCH
    )
    while True:
        try:
            return await broker.pull_subscribe(f"{SUBJECTS}.*", durable=options.name, stream=STREAM, config=config)
        except (APIError, NothingToDo) as error:
            logging.warning("the stream cannot be consumed yet: %s", error)
            await asyncio.sleep(0.5)


async def follow(messages, consumer):
    """Takes in what comes, until the durable consumer is gone, as it is when the stream was deleted."""
    while True:
        try:
            batch = await messages.fetch(BATCH, timeout=5)
        except NothingToDo:
            continue
        except APIError as error:
            logging.warning("the stream is opened again: %s", error)
            return
        # One after the other: so the events of each account are taken in in their order.
        for message in batch:
            await consumer.take(message)


async def run(options):
    async with grpc.aio.insecure_channel(options.server) as channel:
        consumer = Consumer(Table(options.database), Service(channel))
        connection = await nats.connect(options.nats, max_reconnect_attempts=-1)
        while True:
            await follow(await subscription(connection.jetstream(), options), consumer)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="127.0.0.1:50051", metavar="HOST:PORT")
    parser.add_argument("--nats", default="nats://127.0.0.1:4222", metavar="URL")
    parser.add_argument("--database", default="owners.db", metavar="FILE")
    parser.add_argument("--name", default="owners", help="of the durable consumer")
    parser.add_argument("--ack-wait", default=30, type=float, metavar="SECONDS", help="before a message comes again")
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s", level=logging.INFO)
    asyncio.run(run(arguments()))
