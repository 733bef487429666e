"""A random interleaving of transactions, and the record of what each requested, read and became.

Several sessions take turns, one statement at a time, in one thread: every order is possible and every run repeats from
its seed.  Nothing here knows what the right answers are; that is the auditor's business.
"""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest import mock

from helpers.ledgers import digest
from helpers.local_driver import REGION, LocalSession, LocalTransaction, new_emulator, new_ledger
from helpers.memory_log import Store
from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger import retries
from qldb_emulator.errors import QldbError
from qldb_emulator.ids import RandomIds
from qldb_emulator.settings import Settings

Outcome = Literal["committed", "conflict", "aborted", "expired"]
TABLES = ("A", "B")
INDEXED = "k"
KEYS = (1, 2, 3, 4, 5, 6)
SESSIONS = 4
MAX_STATEMENTS = 5


@dataclass(slots=True)
class Step:
    """One statement.  name and arguments: what it asks, apart from its text.  rows: what it saw; None if it failed.

    error: the beginning of the error's text.
    """

    name: str
    arguments: tuple[Any, ...]
    rows: list[Any] | None = None
    error: str | None = None


@dataclass(slots=True)
class Record:
    """One transaction.  order: its place among the commits."""

    steps: list[Step] = field(default_factory=list)
    outcome: Outcome | None = None
    order: int = -1


# name -> (statement, names of its arguments in the order of the parameters); {table} is filled in.
STATEMENTS: dict[str, str] = {
    "scan": "SELECT d AS doc, id FROM {table} AS d BY id",
    "seek": "SELECT d AS doc, id FROM {table} AS d BY id WHERE d.k = ?",
    "seek_in": "SELECT d AS doc, id FROM {table} AS d BY id WHERE d.k IN (?, ?)",
    "fetch": "SELECT d AS doc, id FROM {table} AS d BY id WHERE id = ?",
    "filter": "SELECT d AS doc, id FROM {table} AS d BY id WHERE d.v = ?",
    "count": "SELECT COUNT(*) AS n FROM {table}",
    "join": "SELECT a.v AS av, b.v AS bv FROM A AS a, B AS b WHERE a.k = b.k",
    "committed": "SELECT metadata.id AS id, metadata.version AS version, data FROM _ql_committed_{table}",
    "history": "SELECT metadata.id AS id, metadata.version AS version, data FROM history({table})",
    "history_of": "SELECT metadata.id AS id, metadata.version AS version, data FROM history({table}) AS h "
    "WHERE h.metadata.id = ?",
    "catalogue": "SELECT name, status, indexes FROM information_schema.user_tables",
    "insert": "INSERT INTO {table} ?",
    "update_key": "UPDATE {table} SET v = ? WHERE k = ?",
    "move_key": "UPDATE {table} SET k = ? WHERE k = ?",
    "update_id": "UPDATE {table} AS d BY id SET d.v = ? WHERE id = ?",
    "delete_key": "DELETE FROM {table} WHERE k = ?",
    "delete_id": "DELETE FROM {table} BY id WHERE id = ?",
    "update_all": "UPDATE {table} SET v = v + ?",
    "create_table": "CREATE TABLE {table}",
    "drop_table": "DROP TABLE {table}",
    "create_index": "CREATE INDEX ON {table} (k)",
}
WEIGHTS = {
    "scan": 4,
    "seek": 10,
    "seek_in": 4,
    "fetch": 6,
    "filter": 2,
    "count": 2,
    "join": 2,
    "committed": 2,
    "history": 1,
    "history_of": 3,
    "catalogue": 1,
    "insert": 9,
    "update_key": 10,
    "move_key": 4,
    "update_id": 5,
    "delete_key": 3,
    "delete_id": 3,
    "update_all": 1,
    "create_table": 1,
    "drop_table": 1,
    "create_index": 1,
}


class Workload:
    """Runs one interleaving; ``records`` is its history.

    others: servers that share the emulator's journal and its clock; sessions are spread over all of them.
    """

    def __init__(self, seed: int, emulator: Emulator, *others: Emulator) -> None:
        self._random = random.Random(seed)
        self._emulator = emulator
        self.records: list[Record] = []
        self._ids: list[str] = []
        self._next_value = 0
        self._commits = 0
        first = new_ledger(emulator)
        servers = (emulator, *others)
        self._sessions = [first, *(LocalSession(servers[n % len(servers)], "cars") for n in range(1, SESSIONS))]
        self._open: list[tuple[LocalTransaction, Record] | None] = [None] * SESSIONS
        self._alone([Step("create_table", ("A",)), Step("create_index", ("A",)), Step("create_table", ("B",))])

    def _alone(self, steps: list[Step]) -> None:
        self._begin(0)
        for step in steps:
            self._run(0, step)
        self._commit(0)

    def run(self, steps: int) -> None:
        """Take so many turns, then let every open transaction try to commit."""
        for _ in range(steps):
            self.turn()
        for session in range(SESSIONS):
            if self._open[session] is not None:
                self._commit(session)

    def turn(self) -> None:
        """One session does one thing."""
        choice = self._random
        session = choice.randrange(SESSIONS)
        opened = self._open[session]
        if opened is None:
            self._begin(session)
        elif choice.random() < len(opened[1].steps) / MAX_STATEMENTS - 0.1:
            ending = choice.random()
            if ending < 0.88:
                self._commit(session)
            elif ending < 0.97:
                self._abort(session)
            else:
                self._expire()
        else:
            self._run(session, self._step())

    def _begin(self, session: int) -> None:
        record = Record()
        self.records.append(record)
        # One thread plays every session, so the transaction that this one would wait for cannot end meanwhile.
        with mock.patch.object(retries, "TURN_SECONDS", 0.0):
            self._open[session] = (self._sessions[session].begin(), record)

    def _step(self) -> Step:
        choice = self._random
        (name,) = choice.choices(list(WEIGHTS), list(WEIGHTS.values()))
        table = choice.choice(TABLES)
        self._next_value += 1
        key, other, value = choice.choice(KEYS), choice.choice(KEYS), self._next_value
        document_id = choice.choice(self._ids) if self._ids else "0" * 22
        arguments: dict[str, tuple[Any, ...]] = {
            "seek": (key,),
            "seek_in": (key, other),
            "fetch": (document_id,),
            "filter": (choice.randrange(value),),
            "history_of": (document_id,),
            "insert": ({"k": key, "v": value},),
            "update_key": (value, key),
            "move_key": (other, key),
            "update_id": (value, document_id),
            "delete_key": (key,),
            "delete_id": (document_id,),
            "update_all": (1000,),
        }
        return Step(name, (table, *arguments.get(name, ())))

    def _run(self, session: int, step: Step) -> None:
        opened = self._open[session]
        assert opened is not None
        transaction, record = opened
        record.steps.append(step)
        table, *parameters = step.arguments
        try:
            step.rows = transaction.execute(STATEMENTS[step.name].format(table=table), *parameters)
        except QldbError as error:
            expect(error.shape, "BadRequestException")
            step.error = error.message[:24]
        else:
            if step.name == "insert":
                self._ids.append(step.rows[0]["documentId"])

    def _commit(self, session: int) -> None:
        opened = self._open[session]
        assert opened is not None
        transaction, record = opened
        self._open[session] = None
        try:
            transaction.commit()
        except QldbError as error:
            expect(error.shape, "OccConflictException")
            record.outcome = "conflict"
        else:
            record.outcome = "committed"
            record.order = self._commits
            self._commits += 1

    def _abort(self, session: int) -> None:
        opened = self._open[session]
        assert opened is not None
        opened[0].abort()
        opened[1].outcome = "aborted"
        self._open[session] = None

    def _expire(self) -> None:
        """Time passes: every open transaction is over."""
        assert isinstance(self._emulator.clock, ManualClock)
        self._emulator.clock.advance(31)
        for session, opened in enumerate(self._open):
            if opened is None:
                continue
            transaction, record = opened
            try:
                transaction.execute("SELECT 1 FROM <<0>>")
            except QldbError as error:
                expect(error.message, f"Transaction {transaction.id} has expired")
            else:
                raise AssertionError("the transaction should have expired")
            record.outcome = "expired"
            self._open[session] = None


def expect(actual: str, expected: str) -> None:
    """Stop the workload at an error that nothing explains."""
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


def run_over_a_faulty_log(seed: int, steps: int, servers: int, chance: float = 0.25) -> list[Record]:
    """The history of one interleaving over servers that share a log which loses answers.

    Raises AssertionError unless every server derived the same rows and has the same digest in the end.
    """
    clock = ManualClock(tick_ms=1)
    store = Store(seed=seed)
    with ExitStack() as stack:
        emulators = [
            stack.enter_context(
                Emulator(Settings(is_ephemeral=True), clock, RandomIds(clock, f"{seed} {number}"), logs=store.logs())
            )
            for number in range(servers)
        ]
        workload = Workload(seed, *emulators)
        store.chance = chance
        workload.run(steps)
        store.chance = 0.0
        told = {digest(emulator) for emulator in emulators}
        assert len(told) == 1, "the servers have different digests"
        ledgers = [emulator.ledgers.find(REGION, "cars") for emulator in emulators]
        rows = [list(ledger.file.dump_derived()) for ledger in ledgers if ledger is not None]
        assert all(each == rows[0] for each in rows), "the servers derived different rows"
        return workload.records


def run_workload(seed: int, steps: int) -> list[Record]:
    """Return the history of one interleaving."""
    with new_emulator(seed=f"workload {seed}") as emulator:
        workload = Workload(seed, emulator)
        workload.run(steps)
        return workload.records
