"""Assigns a lead, then tells what becomes of it and others: calling.py TARGET ACCOUNT LEAD OWNER CREDENTIALS"""

import pathlib
import random
import sys
import time
import uuid

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status import rpc_status

from leadflip.ownership.v1 import ownership_pb2, ownership_service_pb2 as pb, ownership_service_pb2_grpc as rpc

SERVICE_CONFIG = pathlib.Path("proto/leadflip/ownership/v1/service_config.json").read_text()
# Seconds for a call, all repetitions together.
DEADLINE = 5
# Why a watch may end that can go on. The first is no reason of the service: the way to it broke.
RESUMABLE = {"", "DRAINING", "STORE_UNAVAILABLE", "KEYS_UNAVAILABLE", "IDENTITY_EXPIRED", "WATCH_LIMIT_REACHED", "WATCH_TOO_SLOW"}


def connect(target, directory):
    """A channel to every replica that the target names. Made once and shared: it has all connections."""
    options = [("grpc.service_config", SERVICE_CONFIG), ("grpc.keepalive_time_ms", 30_000)]
    return grpc.secure_channel(target, credentials(directory), options)


def credentials(directory):
    """Whom to trust, and who calls: what the certificate in the directory says, or else the token."""
    # Certificates are read once: make a new channel, and close the old one, when their files change.
    ca, certificate, key, token = (directory / name for name in ("ca.crt", "tls.crt", "tls.key", "token"))
    if certificate.exists():
        return grpc.ssl_channel_credentials(ca.read_bytes(), key.read_bytes(), certificate.read_bytes())

    # Asked for each call, since tokens are replaced before they expire.
    def bearer(_, give):
        give([("authorization", f"Bearer {token.read_text().strip()}")], None)

    return grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(ca.read_bytes()), grpc.metadata_call_credentials(bearer)
    )


def assign(service, account, lead, owner):
    """Makes a member the owner of a lead, once, however often the channel has to send the request."""
    context = ownership_pb2.WriteContext(request_id=str(uuid.uuid4()), reason="by hand")
    request = pb.AssignRequest(account_id=account, lead_id=lead, owner_id=owner, context=context)
    return service.Assign(request, timeout=DEADLINE)


def refusal(error):
    """Why a call was refused: reason, what belongs to it, and what is wrong with which field."""
    info, bad = ErrorInfo(), BadRequest()
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        detail.Unpack(info) or detail.Unpack(bad)
    return info.reason, dict(info.metadata), {field.field: field.description for field in bad.field_violations}


def watch(service, account, revision):
    """What changes after a revision, for ever."""
    position = {"after_revision": revision}
    while True:
        try:
            for message in service.WatchOwnerChanges(pb.WatchOwnerChangesRequest(account_id=account, **position)):
                kind = message.WhichOneof("message")
                if kind == "started":
                    position["history_id"] = message.started.history_id
                elif kind == "changes":
                    yield from message.changes.changes
                if kind:
                    # All up to here was told. Keep it with what you make of the changes.
                    position["after_revision"] = getattr(message, kind).revision
        except grpc.RpcError as error:
            if refusal(error)[0] not in RESUMABLE:
                raise
            print(f"the watch goes on soon: {error.details()}", file=sys.stderr)
        time.sleep(random.uniform(0, 2))


def main():
    target, account, lead, owner, directory = sys.argv[1:]
    with connect(target, pathlib.Path(directory)) as channel:
        service = rpc.OwnershipServiceStub(channel)
        try:
            revision = assign(service, account, lead, owner).revision
            print(f"{lead} is assigned to {owner} at revision {revision}", flush=True)
            for change in watch(service, account, revision):
                print(f"{change.lead_id} goes to {change.owner_id or 'nobody'} at revision {change.revision}", flush=True)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name} {refusal(error)}: {error.details()}")


main()
