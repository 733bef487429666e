"""A log in a real PostgreSQL whose answers are lost on demand, as those of ``memory_log`` are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from helpers.memory_log import Store
from qldb_emulator.log.postgres import PostgresLog, PostgresLogs
from qldb_emulator.log.postgres_schema import SCHEMA
from qldb_emulator.log.seam import BlockRow, Facts, Rewrite
from qldb_emulator.storage import LedgerFile


class PostgresStore(Store):
    """What the servers share: one database."""

    def __init__(self, url: str, chance: float = 0.0, seed: int = 0) -> None:
        super().__init__(chance, seed)
        self.url = url

    def logs(self) -> Any:
        return FaultyLogs(self)

    def query(self, text: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(text, values)
            return cursor.fetchall() if cursor.description else []

    def cut(self, blocks: int, name: str = "cars", region: str = "us-east-1") -> None:
        ledger_id, seq = self.query(f"SELECT ledger_id, seq FROM {SCHEMA}.ledger WHERE name = %s", name)[0]
        with psycopg.connect(self.url) as connection:
            last = seq - blocks
            connection.execute(f"DELETE FROM {SCHEMA}.block WHERE ledger_id = %s AND seq > %s", (ledger_id, last))
            connection.execute(
                f"UPDATE {SCHEMA}.ledger SET seq = %s, hash = "
                f"(SELECT hash FROM {SCHEMA}.block WHERE ledger_id = %s AND seq = %s)",
                (last, ledger_id, last),
            )

    def rows(self, name: str = "cars", region: str = "us-east-1") -> list[BlockRow]:
        logs = PostgresLogs(self.url)
        log = logs.open(region, name, None)  # type: ignore[arg-type]
        rows = log.read(0, 1000)
        logs.close()
        return rows


class FaultyLog(PostgresLog):
    """The journal of a ledger, for one server."""

    store: PostgresStore

    def tip(self) -> Any:
        with self.store.lock:
            self.store.answer()
            self.store.arrive()
        return super().tip()

    def fence(self) -> None:
        with self.store.lock:
            self.store.fence()
        super().fence()

    def append_at(self, rows: Iterable[BlockRow], rewrites: Iterable[Rewrite] = ()) -> None:
        blocks, rewritten = list(rows), list(rewrites)
        with self.store.lock:
            self.store.write(lambda: PostgresLog.append_at(self, blocks, rewritten))

    def put_facts(self, version: int, changes: Facts) -> int:
        done: list[int] = []
        changes = dict(changes)
        with self.store.lock:
            self.store.write(lambda: done.append(PostgresLog.put_facts(self, version, changes)))
        return done[0]


class FaultyLogs(PostgresLogs):
    """All journals, for one server."""

    def __init__(self, store: PostgresStore) -> None:
        super().__init__(store.url)
        self._store = store

    def open(self, region: str, name: str, file: LedgerFile) -> FaultyLog:
        plain = super().open(region, name, file)
        log = FaultyLog(self.connections, plain._ledger_id, self.servers)
        log.store = self._store
        return log
