"""Plays a driver inside the process: sessions, transactions, paging and the commit digest, without HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from helpers.memory_log import Store
from qldb_emulator.clock import ManualClock
from qldb_emulator.context import CommandResult, RequestContext
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ids import RandomIds
from qldb_emulator.ion.codec import dumps, loads
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.journal.hashing import CommitDigest, statement_digest
from qldb_emulator.limits import STRICT, Limits
from qldb_emulator.settings import Settings

REGION = "us-east-1"
CONTEXT = RequestContext(REGION, "local", "4SnOdtcgpur5MmhXFEV3iE")
T = TypeVar("T")


def new_emulator(limits: Limits = STRICT, tick_ms: int = 1, seed: str = "test", **settings: Any) -> Emulator:
    """Return an ephemeral emulator whose clock moves a millisecond at every look.

    Its journals are in their own files, unless ``over_shared_log`` says otherwise.
    """
    clock = ManualClock(tick_ms=tick_ms)
    logs = Store().logs() if _SHARED.get() else None
    options = Settings(is_ephemeral=True, limits=limits, **settings)
    return Emulator(options, clock, RandomIds(clock, seed), logs=logs)


_SHARED: ContextVar[bool] = ContextVar("over a shared log", default=False)


@contextmanager
def over_shared_log(is_shared: bool = True) -> Iterator[None]:
    """Emulators made inside the block have their journals in a log that others might share (memory_log)."""
    token = _SHARED.set(is_shared)
    try:
        yield
    finally:
        _SHARED.reset(token)


class LocalTransaction:
    """An open transaction and the client's side of its commit digest."""

    def __init__(self, session: LocalSession) -> None:
        self._session = session
        self.id: str = session.send("StartTransaction")["TransactionId"]
        self.digest = CommitDigest(self.id)

    def execute_raw(self, statement: str, *parameters: Any) -> dict[str, Any]:
        """Return the result of ExecuteStatement as the wire has it."""
        self.digest.add(statement_digest(statement, [hash_value(value) for value in parameters]))
        holders = [{"IonBinary": dumps(value)} for value in parameters]
        return self._session.send("ExecuteStatement", TransactionId=self.id, Statement=statement, Parameters=holders)

    def execute(self, statement: str, *parameters: Any) -> list[Any]:
        """Return all rows, every page fetched."""
        result = self.execute_raw(statement, *parameters)
        page, rows = result["FirstPage"], []
        while True:
            rows += [loads(value) for value in page["Values"]]
            if page.get("NextPageToken") is None:
                return rows
            page = self._session.send("FetchPage", TransactionId=self.id, NextPageToken=page["NextPageToken"])["Page"]

    def commit(self) -> dict[str, Any]:
        return self.commit_raw().members

    def commit_raw(self) -> CommandResult:
        """Return the result of the commit with what is left to do after the response."""
        return self._session.ask("CommitTransaction", TransactionId=self.id, CommitDigest=self.digest.value)

    def abort(self) -> None:
        self._session.send("AbortTransaction")


class LocalSession:
    """A session on one ledger."""

    def __init__(self, emulator: Emulator, ledger: str, context: RequestContext = CONTEXT) -> None:
        self._emulator = emulator
        self._context = context
        self.token: str | None = None
        self.token = self.send("StartSession", LedgerName=ledger)["SessionToken"]

    def send(self, command: str, **members: Any) -> dict[str, Any]:
        return self.ask(command, **members).members

    def ask(self, command: str, **members: Any) -> CommandResult:
        """Do what ``send`` does, with what else the result holds."""
        return self._emulator.send_command(command, self.token, members, self._context)

    def begin(self) -> LocalTransaction:
        return LocalTransaction(self)

    def run(self, statement: str, *parameters: Any) -> list[Any]:
        """Run one statement in a transaction of its own."""
        return self.execute(lambda transaction: transaction.execute(statement, *parameters))

    def execute(self, work: Callable[[LocalTransaction], T]) -> T:
        """Work in one transaction, aborted when it raises."""
        transaction = self.begin()
        try:
            result = work(transaction)
        except BaseException:
            transaction.abort()
            raise
        transaction.commit()
        return result


def new_ledger(emulator: Emulator, name: str = "cars", permissions_mode: str = "ALLOW_ALL") -> LocalSession:
    """Return a ledger and a session on it."""
    emulator.call(
        "CreateLedger", {"Name": name, "PermissionsMode": permissions_mode, "DeletionProtection": False}, CONTEXT
    )
    return LocalSession(emulator, name)
