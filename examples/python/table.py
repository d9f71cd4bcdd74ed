"""The table of a consumer, and how far it has come."""

import contextlib
import sqlite3
from typing import NamedTuple

from leadflip.ownership.v1 import changes_pb2

SCHEMA = """
create table if not exists position (account_id text primary key, history_id text not null, revision integer not null);
create table if not exists owner (account_id text, lead_id text, owner_id text, primary key (account_id, lead_id));
create table if not exists parked (sequence integer, reason text, subject text, headers text, data blob,
    primary key (sequence, headers));
"""


class Position(NamedTuple):
    """Everything up to this revision of this history was seen."""

    history_id: str
    revision: int


class Table:
    def __init__(self, file):
        self.database = sqlite3.connect(file, isolation_level=None)
        self.database.execute("pragma journal_mode = wal")
        self.database.executescript(SCHEMA)

    @contextlib.contextmanager
    def transaction(self):
        self.database.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.database.execute("rollback")
            raise
        self.database.execute("commit")

    def position(self, account):
        query = "select history_id, revision from position where account_id = ?"
        row = self.database.execute(query, (account,)).fetchone()
        return row and Position(*row)

    def begin(self, account, before, position, owners):
        """Forgets what is kept of an account and takes it up as it is at a position, unless somebody else has meanwhile."""
        with self.transaction():
            if self.position(account) != before:
                return
            self.database.execute("delete from owner where account_id = ?", (account,))
            rows = [(account, lead, owner) for lead, owner in owners.items()]
            self.database.executemany("insert into owner values (?, ?, ?)", rows)
            self.database.execute("insert or replace into position values (?, ?, ?)", (account, *position))

    def apply(self, account, position, revision, changes):
        """Applies what comes after a position, unless somebody else has moved the account meanwhile."""
        move = "update position set revision = ? where account_id = ? and history_id = ? and revision = ?"
        with self.transaction():
            if self.database.execute(move, (revision, account, *position)).rowcount == 0:
                return
            for change in changes:
                if change.revision > position.revision:
                    self.change(account, change)

    def change(self, account, change):
        lead, owner = change.lead_id, change.owner_id if change.HasField("owner_id") else None
        if change.kind == changes_pb2.CHANGE_KIND_FORGOTTEN:
            self.database.execute("delete from owner where account_id = ? and lead_id = ?", (account, lead))
        else:
            self.database.execute("insert or replace into owner values (?, ?, ?)", (account, lead, owner))

    def park(self, message, reason):
        sequence, headers = message.metadata.sequence.stream, str(message.headers)
        row = (sequence, reason, message.subject, headers, message.data)
        self.database.execute("insert or replace into parked values (?, ?, ?, ?, ?)", row)
