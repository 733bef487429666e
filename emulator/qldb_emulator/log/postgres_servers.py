"""The servers that share journals in PostgreSQL.  See servers.Servers."""

from __future__ import annotations

from typing import Any

import psycopg

from . import postgres_schema as sql
from .postgres_connections import Connections
from .servers import FORGET_SECONDS, LIFE_SECONDS, STUCK_SECONDS, OwnedLedger, Peer


class PostgresServers:
    """See servers.Servers.  server_id: read by every journal of this server."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.server_id: str | None = None

    def join(self, server_id: str, url: str) -> None:
        def enter(connection: psycopg.Connection[Any]) -> None:
            connection.execute(sql.FORGET_SERVERS, (FORGET_SECONDS,))
            connection.execute(sql.JOIN_SERVERS, (server_id, url, LIFE_SECONDS))

        self._connections.write_lightly(enter)
        self.server_id = server_id

    def beat(self) -> bool:
        count = self._connections.write_lightly(lambda c: c.execute(sql.BEAT, (LIFE_SECONDS, self.server_id)).rowcount)
        return bool(count)

    def leave(self) -> None:
        def go(connection: psycopg.Connection[Any]) -> None:
            connection.execute(sql.LEAVE, (self.server_id,))
            # Last: a commit that waits for a standby keeps the row of its ledger.
            connection.execute(sql.DISOWN, (self.server_id,))

        self._connections.write_lightly(go)

    def break_off(self) -> None:
        self._connections.break_off()

    def peers(self) -> dict[str, Peer]:
        rows = self._connections.read(lambda c: c.execute(sql.PEERS).fetchall())
        return {row[0]: Peer._make(row) for row in rows}

    def ledgers(self) -> list[OwnedLedger]:
        return [OwnedLedger._make(row) for row in self._connections.read(lambda c: c.execute(sql.LEDGERS).fetchall())]

    def claim(self, ledger_id: str) -> str | None:
        def own(connection: psycopg.Connection[Any]) -> str | None:
            connection.execute(sql.CLAIM, {"server_id": self.server_id, "ledger_id": ledger_id})
            row = connection.execute(sql.OWNER, (ledger_id,)).fetchone()
            return None if row is None else row[0]

        return self._connections.write_lightly(own)

    def take_over(self, ledger_id: str, owner: str) -> bool:
        asked = {"server_id": self.server_id, "ledger_id": ledger_id, "owner": owner}
        return bool(self._connections.write_lightly(lambda c: c.execute(sql.TAKE_OVER, asked).rowcount))

    def waiting_ledgers(self) -> list[tuple[str, str]]:
        return self._connections.read(lambda c: c.execute(sql.WAITING).fetchall())

    def stuck(self) -> str | None:
        seconds = self._connections.longest_write()
        if seconds < STUCK_SECONDS:
            return None
        rows = self._connections.read(lambda c: c.execute(sql.WAITS_FOR_STANDBY).fetchall())
        if rows[0][0]:
            return "PostgreSQL waits for its synchronous standby, which does not answer; commits wait with it"
        return f"a write has been waiting for PostgreSQL for {seconds:.0f} s"

    def settle(self, server_id: str, ledger_id: str, transaction_id: str) -> bool:
        def finish(connection: psycopg.Connection[Any]) -> bool:
            with connection.transaction():
                connection.execute(sql.LEAVE, (server_id,))
                # Waits for an append that is under way.  The look that follows sees what it did.
                connection.execute(sql.NEXT_EPOCH, (ledger_id,))
                row = connection.execute(sql.HAS_TRANSACTION, (ledger_id, transaction_id)).fetchone()
            return row is not None and bool(row[0])

        return self._connections.write(finish)
