"""Journals in PostgreSQL, or an engine that speaks as it does: one database, any number of servers.

The argument is in docs/design/011-journal-seam.md, the tables are in ``postgres_schema``, and what an error of
PostgreSQL means is told in ``postgres_connections``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import psycopg
from psycopg import errors

from ..storage.ledger_file import LedgerFile
from . import postgres_schema as sql
from .postgres_connections import Connections
from .postgres_prepared import bigint, bigint_of
from .postgres_servers import PostgresServers
from .seam import (
    READ_BLOCKS,
    BlockRow,
    Facts,
    LedgerGone,
    LedgerTaken,
    LogError,
    LogTip,
    Rewrite,
    SlotTaken,
)


class PostgresLog:
    """The journal of one ledger.  See seam.Log.

    The engine calls every method but ``read``, ``hash_at`` and ``facts`` with the ledger's commit lock, so ``_epoch``
    needs none.
    """

    is_shared: Literal[True] = True

    def __init__(self, connections: Connections, ledger_id: str, servers: PostgresServers) -> None:
        self._connections = connections
        self._ledger_id = ledger_id
        self._id = ledger_id.encode()
        self._servers = servers
        self._epoch = -1

    def tip(self) -> LogTip:
        server_id = self._servers.server_id
        row = self._connections.read_row(sql.TIP, (self._id, None if server_id is None else server_id.encode()))
        if row is None:
            raise LedgerGone("The ledger was deleted")
        seq, facts_version, epoch = bigint_of(row[0]), bigint_of(row[2]), bigint_of(row[3])
        block_hash, is_member = row[1], row[4] == b"\x01"
        if is_member:
            # A server that was taken for dead keeps the epoch of before, so it can append nothing more.  Its clients
            # were told already what became of their transactions.
            self._epoch = epoch
        return LogTip(seq, block_hash, facts_version, not is_member)

    def hash_at(self, sequence_no: int) -> bytes | None:
        asked = (self._ledger_id, sequence_no)
        row = self._connections.read(lambda c: c.execute(sql.HASH_AT, asked, binary=True).fetchone())
        return None if row is None else bytes(row[0])

    def read(self, first: int, at_most: int = READ_BLOCKS) -> list[BlockRow]:
        asked = (self._ledger_id, first, at_most)
        rows = self._connections.read(lambda c: c.execute(sql.READ, asked, binary=True).fetchall())
        return [BlockRow._make(row) for row in rows]

    def append_at(self, rows: Iterable[BlockRow], rewrites: Iterable[Rewrite] = ()) -> None:
        blocks, rewritten = list(rows), list(rewrites)
        if len(blocks) == 1 and not rewritten:
            count = self._connections.write_rows(sql.APPEND_ONE, self._of_one(blocks[0]))
        else:
            count = self._append_many(blocks, rewritten)
        if count == 0:
            raise SlotTaken(f"Slot {blocks[0].sequence_no} is taken, or another server fenced the ledger")

    def _append_many(self, blocks: Sequence[BlockRow], rewrites: Sequence[Rewrite]) -> int:
        values = {"ledger_id": self._ledger_id, "epoch": self._epoch, **_of_many(blocks)}

        def append(connection: psycopg.Connection[Any]) -> int:
            if not rewrites:
                return int(connection.execute(sql.APPEND, values).rowcount)
            with connection.transaction():
                count = int(connection.execute(sql.APPEND, values).rowcount)
                if count:
                    for rewrite in rewrites:
                        connection.execute(sql.REWRITE, (rewrite.ion, self._ledger_id, rewrite.sequence_no))
                return count

        return self._connections.write(append)

    def _of_one(self, block: BlockRow) -> tuple[bytes, ...]:
        """The values of sql.APPEND_ONE."""
        return (
            self._id,
            bigint(self._epoch),
            bigint(block.sequence_no),
            block.block_hash,
            block.previous_hash,
            block.transaction_id.encode(),
            bigint(block.timestamp_ms),
            block.ion,
        )

    def fence(self) -> None:
        # Waits for an append that holds the ledger's row; one that comes later finds another epoch than its own.  The
        # COMMIT of this one waits until the synchronous standby has everything before it.
        self._connections.write(lambda c: c.execute(sql.NEXT_EPOCH, (self._ledger_id,)))

    def facts(self) -> tuple[int, Facts]:
        rows = self._connections.read(lambda c: c.execute(sql.FACTS, (self._ledger_id,)).fetchall())
        if not rows:
            raise LedgerGone("The ledger was deleted")
        return rows[0][0], {key: json.loads(value) for _, key, value in rows if key is not None}

    def put_facts(self, version: int, changes: Facts) -> int:
        rows = [(self._ledger_id, key, json.dumps(value)) for key, value in changes.items()]

        def put(connection: psycopg.Connection[Any]) -> int | None:
            with connection.transaction():
                found = connection.execute(sql.NEXT_FACTS, (self._ledger_id, version, self._epoch)).fetchone()
                if found is None:
                    return None
                connection.cursor().executemany(sql.PUT_FACT, rows)
                new_version: int = found[0]
                return new_version

        new_version = self._connections.write(put)
        if new_version is None:
            raise SlotTaken("Another server changed the facts of the ledger first")
        return new_version

    def close(self) -> None:
        """Connections belong to all journals."""


class PostgresLogs:
    """All journals of a database.  See seam.Logs.

    url: as libpq reads it.  The tables are made when they are not there.
    Raises LogError when the database cannot be used.
    """

    is_shared: Literal[True] = True

    def __init__(self, url: str) -> None:
        self.connections = Connections(url)
        self.servers = PostgresServers(self.connections)
        try:
            self._prepare()
        except BaseException:
            self.connections.close()
            raise

    def _prepare(self) -> None:
        """Make the tables, or look whether they are ours.  Raises LogError."""
        read = self.connections.read
        if read(lambda c: c.execute(sql.EXISTS).fetchone()) != (True,):
            try:
                self.connections.write(_create_tables)
            except LogError as error:
                # Two servers that begin at the same time: one of them makes the tables.
                if read(lambda c: c.execute(sql.EXISTS).fetchone()) != (True,):
                    hint = "; make them once as a user with CREATE on the database" if _is_denied(error) else ""
                    raise LogError(f"The tables of the journal cannot be made: {error}{hint}") from error
        (version,) = read(lambda c: c.execute(sql.READ_VERSION).fetchone()) or (0,)
        if version != sql.VERSION:
            raise LogError(
                f"The journal in PostgreSQL at {self.connections.place} has version {version}, "
                f"and this server knows version {sql.VERSION}. Use the version of qldb-emulator that made it"
            )

    def regions(self) -> list[str]:
        return [region for (region,) in self.connections.read(lambda c: c.execute(sql.REGIONS).fetchall())]

    def names(self, region: str) -> list[str]:
        return [name for (name,) in self.connections.read(lambda c: c.execute(sql.NAMES, (region,)).fetchall())]

    def facts_of(self, region: str, name: str) -> Facts | None:
        rows = self.connections.read(lambda c: c.execute(sql.FACTS_OF, (region, name)).fetchall())
        return {key: json.loads(value) for key, value in rows if key is not None} if rows else None

    def create(self, region: str, name: str, facts: Mapping[str, Any]) -> None:
        ledger_id = facts["strand_id"]
        rows = [(ledger_id, key, json.dumps(value)) for key, value in facts.items()]

        def make(connection: psycopg.Connection[Any]) -> bool:
            try:
                with connection.transaction():
                    connection.execute(sql.CREATE_LEDGER, (ledger_id, region, name))
                    connection.cursor().executemany(sql.PUT_FACT, rows)
            except errors.UniqueViolation:
                return False
            return True

        if not self.connections.write(make):
            raise LedgerTaken(f"There is a ledger {name} already")

    def open(self, region: str, name: str, file: LedgerFile) -> PostgresLog:
        row = self.connections.read(lambda c: c.execute(sql.LEDGER_ID, (region, name)).fetchone())
        if row is None:
            raise LedgerGone("The ledger was deleted")
        return PostgresLog(self.connections, row[0], self.servers)

    def delete(self, region: str, name: str, strand_id: str) -> None:
        self.connections.write(lambda c: _delete(c, sql.DELETE_LEDGER, (strand_id,)))

    # --- whole journals, for ``qldb-emulator journal`` ---------------------------------------------------

    def put_whole(self, region: str, name: str, facts: Mapping[str, Any], blocks: Iterable[BlockRow]) -> int:
        """Take over a journal: all of it or nothing.  Returns how many blocks.  Raises LedgerTaken."""
        ledger_id = facts["strand_id"]

        def put(connection: psycopg.Connection[Any]) -> int:
            seq, block_hash = -1, b""
            with connection.transaction():
                connection.execute(sql.CREATE_LEDGER, (ledger_id, region, name))
                connection.cursor().executemany(
                    sql.PUT_FACT, [(ledger_id, key, json.dumps(value)) for key, value in facts.items()]
                )
                with connection.cursor().copy(sql.COPY_BLOCKS) as copy:
                    copy.set_types(sql.COPY_TYPES)
                    for row in blocks:
                        seq, block_hash = row.sequence_no, row.block_hash
                        previous = row.previous_hash or None
                        values = (ledger_id, seq, block_hash, seq - 1, previous, row.transaction_id)
                        copy.write_row((*values, row.timestamp_ms, row.ion))
                connection.execute(sql.SET_TIP, (seq, block_hash, ledger_id))
            return seq + 1

        try:
            return self.connections.write(put)
        except LogError as error:
            if isinstance(error.__cause__, errors.UniqueViolation):
                raise LedgerTaken(f"There is a ledger {name} already, or one of the same strand") from error
            raise

    def remove_at(self, ledger_id: str, tip: LogTip) -> None:
        """Remove a journal that ends with this block and has these facts.  Raises SlotTaken when it has changed."""
        asked = (ledger_id, tip.sequence_no, tip.facts_version)
        if not self.connections.write(lambda c: _delete(c, sql.DELETE_LEDGER_AT, asked)):
            raise SlotTaken("The ledger was changed meanwhile; a server still uses it")

    def close(self) -> None:
        self.connections.close()


def _is_denied(error: LogError) -> bool:
    return isinstance(error.__cause__, errors.InsufficientPrivilege)


def _of_many(blocks: Sequence[BlockRow]) -> dict[str, Any]:
    """The values of sql.APPEND."""
    first, last = blocks[0], blocks[-1]
    return {
        "first_seq": first.sequence_no,
        "first_hash": first.previous_hash,
        "last_seq": last.sequence_no,
        "last_hash": last.block_hash,
        "seqs": [block.sequence_no for block in blocks],
        "hashes": [block.block_hash for block in blocks],
        "previous_hashes": [block.previous_hash or None for block in blocks],
        "transaction_ids": [block.transaction_id for block in blocks],
        "times": [block.timestamp_ms for block in blocks],
        "ions": [block.ion for block in blocks],
    }


def _delete(connection: psycopg.Connection[Any], statement: str, asked: tuple[Any, ...]) -> bool:
    """Delete a ledger's row, and what belongs to it; whether there was one.  asked: begins with the ledger's id."""
    with connection.transaction():
        # The ledger's row first: an append that waits for it then finds no ledger.
        if not connection.execute(statement, asked).rowcount:
            return False
        connection.execute(sql.DELETE_BLOCKS, asked[:1])
        connection.execute(sql.DELETE_FACTS, asked[:1])
        return True


def _create_tables(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        connection.execute(sql.CREATE)
