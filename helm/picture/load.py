"""Callers for the picture of the dashboard: run by helm/picture/run."""

import argparse
import asyncio
import base64
import json
import math
import random
import subprocess
import time
from pathlib import Path

import grpc
from google.protobuf.message_factory import GetMessageClass

from leadflip.ownership.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    lead_service_pb2,
    lead_service_pb2_grpc,
    member_service_pb2,
    member_service_pb2_grpc,
    ownership_service_pb2,
    ownership_service_pb2_grpc,
)

SERVICES = [
    (account_service_pb2, account_service_pb2_grpc),
    (lead_service_pb2, lead_service_pb2_grpc),
    (member_service_pb2, member_service_pb2_grpc),
    (ownership_service_pb2, ownership_service_pb2_grpc),
]
ACCOUNTS = [f"account-{number}" for number in range(24)]
# Nobody uses them but for a moment, when others have to make room for them.
SELDOM = [f"seldom-{number}" for number in range(40)]
MEMBERS = [f"member-{number}" for number in range(12)]
LEADS = [f"lead-{number}" for number in range(600)]
STAGES = ["New", "Engaged", "Offered", "Won"]
WATCHES = 30
CALLS_A_SECOND = 90
# What callers are told to do: each call to the next replica, and again if that one goes away.
POLICY = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [{
        "name": [{}],
        "retryPolicy": {
            "maxAttempts": 4, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }],
}  # fmt: skip

# --- who calls


def base64url(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def openssl(*arguments, given=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=given, capture_output=True, check=True).stdout


class Issuer:
    """Signs tokens, with a key that the replicas read from a file."""

    def __init__(self, directory):
        self.key, self.published = directory / "key.pem", directory / "keys.json"

    def make(self):
        openssl("genrsa", "-out", self.key, 2048)
        self.publish()

    def publish(self, *more):
        modulus = bytes.fromhex(openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().partition("=")[2])
        ours = {"kty": "RSA", "alg": "RS256", "kid": "ours", "n": base64url(modulus), "e": "AQAB"}
        self.published.write_text(json.dumps({"keys": [ours, *({**ours, "kid": kid} for kid in more)]}))

    def break_it(self):
        self.published.write_text("no keys")

    def token(self, **claims):
        said = {"iss": "picture", "aud": "ownership", "sub": "load", "exp": int(time.time()) + 7200, **claims}
        head = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "ours"}, said))
        return f"{head}.{base64url(openssl('dgst', '-sha256', '-sign', self.key, given=head.encode()))}"


class Caller:
    """Calls methods by their names."""

    def __init__(self, channel, token):
        self.metadata = [("authorization", f"Bearer {token}")] if token else []
        self.methods = {}
        for messages, stubs in SERVICES:
            for service in messages.DESCRIPTOR.services_by_name.values():
                stub = getattr(stubs, f"{service.name}Stub")(channel)
                self.methods |= {method.name: (getattr(stub, method.name), GetMessageClass(method.input_type)) for method in service.methods}

    def begin(self, name, account, timeout=2, **fields):
        method, request = self.methods[name]
        return method(request(account_id=account, **fields), timeout=timeout, metadata=self.metadata)

    async def call(self, name, account, **fields):
        """The answer, or none if it was refused or failed: the dashboard shows why."""
        try:
            return await self.begin(name, account, **fields)
        except grpc.RpcError:
            return None

    async def watch(self, account):
        """For ever, anew when it ends."""
        while True:
            try:
                async for _ in self.begin("WatchOwnerChanges", account, timeout=None):
                    pass
            except grpc.RpcError:
                await asyncio.sleep(random.uniform(0.2, 2))


# --- what they do


def some(choices, least, most):
    return random.sample(choices, random.randint(least, most))


def context(source):
    return {"source": f"SOURCE_{source}"}


class Load:
    def __init__(self, service, member, nobody):
        self.service, self.member, self.nobody = service, member, nobody
        # How often, and what.
        self.kinds = [
            (45, lambda a: service.call("GetOwner", a, lead_id=random.choice(LEADS), include_card=True)),
            (8, lambda a: service.call("BatchGetOwners", a, lead_ids=some(LEADS, 20, 100))),
            (12, lambda a: service.call("ListByOwner", a, owner_id=random.choice(MEMBERS), page_size=50, include_total=True)),
            (3, lambda a: service.call("ListByOwner", a, unassigned={}, page_size=50)),
            (2, lambda a: service.call("CountByOwner", a)),
            (4, lambda a: service.call("GetLead", a, lead_id=random.choice(LEADS))),
            (3, lambda a: service.call("ListMembers", a)),
            (2, lambda a: service.call("ListOwnerChanges", a, lead_id=random.choice(LEADS))),
            (5, lambda a: service.call("ResolveSenders", a, lead_ids=some(LEADS, 10, 100))),
            (14, lambda a: self.assign(a, "UI")),
            (4, lambda a: self.assign(a, "AUTOMATION")),
            (2, lambda a: service.call("Unassign", a, lead_id=random.choice(LEADS), context=context("UI"))),
            (1, self.bulk),
            (3, self.update),
            # What is refused: an unknown lead, a claim that comes too late, a bad field, another's account, nobody's token.
            (1, lambda a: service.call("GetOwner", a, lead_id="unknown")),
            (1, lambda a: service.call("Assign", a, lead_id=random.choice(LEADS), owner_id="member-1", precondition={"unassigned": {}})),
            (0.3, lambda a: service.call("Assign", a, lead_id="", owner_id="member-1")),
            (0.4, lambda a: member.call("ForgetLeads", a, lead_ids=["lead-1"])),
            (0.3, lambda a: nobody.call("GetOwner", a, lead_id="lead-1")),
        ]

    async def fill(self, account, leads, notify=False):
        members = [{"member_id": id, "display_name": id.title(), "email": f"{id}@example.com"} for id in MEMBERS]
        await self.service.begin("UpsertMembers", account, timeout=30, members=members)
        settings = {"notify_new_owner": notify, "unassigned_overdue_after": {"seconds": 45}}
        await self.service.begin("UpdateSettings", account, timeout=30, settings=settings)
        await self.register(account, leads, "IMPORT", owned=0.97)

    async def register(self, account, leads, source, owned):
        new = [{"lead_id": lead, "stage": random.choice(STAGES), "closed": random.random() < 0.3} for lead in leads]
        for lead in new:
            if random.random() < owned:
                lead["owner_id"] = random.choice(MEMBERS)
        await self.service.call("RegisterLeads", account, leads=new, context=context(source))

    async def assign(self, account, source):
        fields = {"lead_id": random.choice(LEADS), "owner_id": random.choice(MEMBERS), "context": context(source)}
        await self.service.call("Assign", account, **fields)

    async def bulk(self, account):
        items = [{"lead_id": lead, "owner_id": random.choice(MEMBERS)} for lead in some(LEADS, 20, 200)]
        await self.service.call("BulkAssign", account, items=items, context=context("UI"))

    async def update(self, account):
        now = {"seconds": int(time.time())}
        updates = [{"lead_id": lead, "observed_at": now, "stage": random.choice(STAGES)} for lead in some(LEADS, 1, 20)]
        await self.service.call("UpdateLeads", account, updates=updates)

    async def calls(self, seconds):
        """More and less over time, each without waiting for those before."""
        weights, kinds = zip(*self.kinds, strict=True)
        # Most of the work is in few accounts.
        popular = [1 / (1 + at) ** 0.7 for at in range(len(ACCOUNTS))]
        began, under_way = time.monotonic(), set()
        while (passed := time.monotonic() - began) < seconds:
            wave = 1 + 0.6 * math.sin(2 * math.pi * passed / (seconds / 2.5))
            await asyncio.sleep(random.expovariate(CALLS_A_SECOND * wave))
            (kind,), (account,) = random.choices(kinds, weights), random.choices(ACCOUNTS, popular)
            task = asyncio.create_task(kind(account))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    async def backlog(self, seconds):
        """A form brings leads that nobody owns, which are given out bit by bit."""
        await asyncio.sleep(seconds * 0.25)
        leads = [f"form-{number}" for number in range(1200)]
        for first in range(0, len(leads), 100):
            await self.register("account-3", leads[first : first + 100], "FORM", owned=0)
            await asyncio.sleep(seconds / 120)
        for first in range(0, len(leads), 40):
            items = [{"lead_id": lead, "owner_id": random.choice(MEMBERS)} for lead in leads[first : first + 40]]
            await self.service.call("BulkAssign", "account-3", items=items, context=context("ROTATION"), notify_new_owner=True)
            await asyncio.sleep(seconds / 100)

    async def seldom(self, seconds):
        await asyncio.sleep(seconds * 0.7)
        for account in SELDOM:
            await self.fill(account, LEADS)
            await asyncio.sleep(seconds / 400)


async def keys_change(issuer, seconds):
    await asyncio.sleep(seconds * 0.2)
    issuer.publish("next")
    await asyncio.sleep(seconds * 0.2)
    issuer.break_it()
    await asyncio.sleep(seconds * 0.05)
    issuer.publish()


async def run(issuer, replicas, seconds):
    # Two addresses are no name that a request could be for.
    options = [("grpc.service_config", json.dumps(POLICY)), ("grpc.default_authority", "ownership")]
    channel = grpc.aio.insecure_channel(f"ipv4:{','.join(replicas)}", options)
    service = Caller(channel, issuer.token(role="admin", account_id="*"))
    member = Caller(channel, issuer.token(role="member", account_id=ACCOUNTS, member_id=MEMBERS[0]))
    load = Load(service, member, Caller(channel, None))
    for number, account in enumerate(ACCOUNTS):
        await load.fill(account, LEADS, notify=number % 2 == 0)
    watches = [asyncio.create_task(service.watch(ACCOUNTS[number % len(ACCOUNTS)])) for number in range(WATCHES)]
    await asyncio.gather(load.calls(seconds), load.backlog(seconds), load.seldom(seconds), keys_change(issuer, seconds))
    for watch in watches:
        watch.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["keys", "calls"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--replica", action="append", metavar="HOST:PORT")
    options = parser.parse_args()
    issuer = Issuer(options.directory)
    if options.what == "keys":
        issuer.make()
    else:
        asyncio.run(run(issuer, options.replica, options.seconds))


if __name__ == "__main__":
    main()
