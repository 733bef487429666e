"""Sessions and the seven commands of SendCommand.

========================  ==========================================================  ============
event                     effect                                                      source
========================  ==========================================================  ============
StartTransaction twice    ``Transaction already open``; the open one survives         recorded
command without one       ``No open transaction``                                     recorded
statement fails           the transaction stays open                                  recorded
OCC conflict              the transaction is gone, the session stays                  recorded
abort, any time           success                                                     inferred
expired transaction       ``Transaction <id> has expired`` once; then it is gone      documented
expired session           ``Session <id> has expired``; then ``No such session``      documented
wrong transaction id      ``No open transaction``                                     inferred
second commit             ``No open transaction``                                     inferred
ledger deleted, closed    ``No such session``                                         inferred
server restarted          ``No such session``                                         documented
server killed             may lack the last blocks of transactions that only read     ours
========================  ==========================================================  ============
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ...context import Principal, RequestContext
from ...errors import (
    LEDGER_FILE_UNUSABLE,
    NO_OPEN_TRANSACTION,
    NO_SUCH_SESSION,
    PAGE_TOKEN_NOT_VALID,
    SESSION_EXPIRED,
    SESSION_LEDGER_NOT_ACTIVE,
    SESSION_LEDGER_NOT_FOUND,
    SESSION_LIMIT,
    SESSION_TOKEN_MISSING,
    TRANSACTION_ALREADY_OPEN,
    TRANSACTION_EXPIRED,
    ConnectionDropped,
    QldbError,
)
from ...partiql.language.errors import PartiqlError
from ...storage.errors import StorageError
from ..workbench.faults import KINDS, Event
from .cursors import Cursor, Page
from .permissions import Permit, authorize_command
from .plan_header import explained
from .statements import execute_statement, partiql_problem, statement_tables
from .transactions import Transaction

if TYPE_CHECKING:
    from ..emulator import Emulator
    from ..ledger.ledger import Ledger

Members = dict[str, Any]
logger = logging.getLogger(__name__)


class Session:
    """One session: a token, its ledger and at most one open transaction.  Commands of one session run one at a time."""

    def __init__(self, session_id: str, ledger: Ledger) -> None:
        self.id = session_id
        self.ledger = ledger
        self.started = ledger.clock.monotonic()
        self.lock = threading.Lock()
        self.transaction: Transaction | None = None
        self.is_ended = False
        self.principal: Principal | None = None

    def has_expired(self) -> bool:
        """Whether the session is older than sessions get."""
        return self.ledger.clock.monotonic() - self.started > self.ledger.limits.session_seconds

    def end_transaction(self) -> None:
        """Forget the open transaction, if any."""
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            self.ledger.writes.close(transaction.id)

    def open_transaction(self, transaction_id: str | None = None) -> Transaction:
        """The open transaction.  Raises NO_OPEN_TRANSACTION or, once, TRANSACTION_EXPIRED."""
        transaction = self.transaction
        if transaction is None:
            raise NO_OPEN_TRANSACTION()
        if transaction.has_expired():
            self.end_transaction()
            raise TRANSACTION_EXPIRED(id=transaction.id)
        if transaction_id is not None and transaction_id != transaction.id:
            raise NO_OPEN_TRANSACTION()
        return transaction


class Sessions:
    """All sessions of an emulator, in memory: a restart forgets them and drivers recover by themselves."""

    # Ended sessions go at once; ones that clients forgot go when this many new ones have begun.
    SWEEP_EVERY = 256

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._sessions: dict[str, Session] = {}
        self._started = 0
        self._lock = threading.Lock()
        self._commands: dict[str, Callable[[Session, Members], Members]] = {
            "StartTransaction": self._start_transaction,
            "ExecuteStatement": self._execute_statement,
            "FetchPage": self._fetch_page,
            "CommitTransaction": self._commit_transaction,
            "AbortTransaction": self._abort_transaction,
        }

    def send(self, command: str, token: str | None, members: Members, context: RequestContext) -> Members:
        """Run one command and return its result members, all but TimingInformation.

        Raises QldbError; ConnectionDropped when a fault rule says so.
        """
        if self._emulator.faults:
            return self._send_with_faults(command, token, members, context)
        return self._send(command, token, members, context)

    def _send(self, command: str, token: str | None, members: Members, context: RequestContext) -> Members:
        if command == "StartSession":
            authorize_command(members["LedgerName"], context, self._emulator.settings.account)
            return self._start_session(members["LedgerName"], context)
        if token is None:
            raise SESSION_TOKEN_MISSING()
        session = self._sessions.get(token)
        if session is None:
            raise NO_SUCH_SESSION()
        authorize_command(session.ledger.name, context, self._emulator.settings.account)
        with session.lock:
            session.principal = context.principal
            if session.is_ended:  # while this request waited for the lock
                raise NO_SUCH_SESSION()
            if session.has_expired():
                self._forget(token, session)
                raise SESSION_EXPIRED(id=session.id)
            if session.ledger.is_closed:
                self._forget(token, session)
                raise NO_SUCH_SESSION()
            if command == "EndSession":
                self._forget(token, session)
                return {}
            try:
                return self._commands[command](session, members)
            except StorageError as error:
                raise self._storage_problem(token, session, error) from error
            finally:
                if session.is_ended:  # its ledger was deleted while the command ran
                    session.end_transaction()

    def _storage_problem(self, token: str, session: Session, error: StorageError) -> QldbError:
        """A file that cannot be read or written: of a ledger that was closed meanwhile, or a real failure."""
        if session.ledger.is_closed:
            self._forget(token, session)
            return NO_SUCH_SESSION()
        return LEDGER_FILE_UNUSABLE(name=session.ledger.name, reason=error)

    # --- faults ------------------------------------------------------------------------------------------

    def _send_with_faults(self, command: str, token: str | None, members: Members, context: RequestContext) -> Members:
        session = None if token is None else self._sessions.get(token)
        ledger_name = session.ledger.name if session is not None else members.get("LedgerName")
        strike = self._emulator.faults.strike(
            Event(command, ledger_name, lambda: _texts(session, members), lambda: _tables(session, members))
        )
        if strike.latency_ms:
            self._emulator.clock.sleep(strike.latency_ms / 1000)
        if strike.kind is None:
            return self._send(command, token, members, context)
        if strike.kind == "drop-after":
            with contextlib.suppress(QldbError):
                self._send(command, token, members, context)
            raise ConnectionDropped
        if strike.kind == "drop-before":
            raise ConnectionDropped
        self._fail(strike.kind, token, session, members)
        raise AssertionError("a fault either fails or drops")

    def _fail(self, kind_name: str, token: str | None, session: Session | None, members: Members) -> None:
        """Raise the error of a fault, with what it takes along."""
        kind = KINDS[kind_name]
        assert kind.problem is not None
        transaction_id = ""
        if session is not None and token is not None:
            with session.lock:
                if kind.loses == "transaction":
                    transaction_id = session.open_transaction(members["TransactionId"]).id
                    session.end_transaction()
                elif kind.loses == "session":
                    self._forget(token, session)
        raise kind.problem(id=transaction_id, limit=self._emulator.settings.limits.sessions_per_ledger)

    # --- the register ------------------------------------------------------------------------------------

    def count(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    def end_all(self, ledger: Ledger) -> None:
        """End every session of a ledger that is going away."""
        for token, session in list(self._sessions.items()):
            if session.ledger is ledger:
                self._forget(token, session)

    def _forget(self, token: str, session: Session) -> None:
        session.is_ended = True
        session.end_transaction()
        with self._lock:
            self._sessions.pop(token, None)

    def _start_session(self, ledger_name: str, context: RequestContext) -> Members:
        region = context.region
        ledger = self._emulator.ledgers.find(region, ledger_name)
        if ledger is None:
            elsewhere = self._emulator.ledgers.elsewhere(region, ledger_name)
            raise SESSION_LEDGER_NOT_FOUND(name=ledger_name, elsewhere=elsewhere)
        if ledger.state != "ACTIVE":
            raise SESSION_LEDGER_NOT_ACTIVE(name=ledger_name, state=ledger.state)
        token = self._emulator.ids.new_token()
        with self._lock:
            self._sessions[token] = Session(context.request_id, ledger)
            self._started += 1
            expired = []
            if self._started % self.SWEEP_EVERY == 0:
                expired = [(t, s) for t, s in self._sessions.items() if s.has_expired()]
        for old_token, session in expired:
            self._forget(old_token, session)
        return {"SessionToken": token}

    @staticmethod
    def _start_transaction(session: Session, members: Members) -> Members:
        if session.transaction is not None:
            if not session.transaction.has_expired():
                raise TRANSACTION_ALREADY_OPEN()
            session.open_transaction()  # raises the expiry
        ledger = session.ledger
        if ledger.writes.open_count() >= ledger.limits.sessions_per_ledger:
            raise SESSION_LIMIT(limit=ledger.limits.sessions_per_ledger)
        session.transaction = Transaction(ledger, ledger.ids.new_id())
        return {"TransactionId": session.transaction.id}

    def _execute_statement(self, session: Session, members: Members) -> Members:
        transaction = session.open_transaction(members["TransactionId"])
        text, holders = members["Statement"], members.get("Parameters") or ()
        transaction.permit = (
            None
            if session.principal is None
            else Permit(session.principal, session.ledger, self._emulator.settings.account)
        )
        shows_plans = self._emulator.settings.shows_plans
        before = set(transaction.reads) if shows_plans else None
        started = time.perf_counter()
        try:
            cursor = execute_statement(transaction, text, holders)
            page = cursor.page(None)
        except QldbError as error:
            self._log(transaction, text, holders, started, error=error)
            raise
        self._log(transaction, text, holders, started, read_ios=page.read_ios)
        result: Members = {"FirstPage": _page(transaction, cursor, page), "ConsumedIOs": _ios(page)}
        if holders:
            result["afterwards"] = transaction.asked[-1].settle
        if before is not None:
            result["debug"] = {"plan": explained(transaction, transaction.reads - before, page.read_ios)}
        return result

    def _log(
        self, transaction: Transaction, text: str, holders: Sequence[Members], started: float, **outcome: Any
    ) -> None:
        self._emulator.statement_log.add(
            ledger=transaction.ledger.name,
            region=transaction.ledger.region,
            transaction_id=transaction.id,
            text=text,
            holders=holders,
            seconds=time.perf_counter() - started,
            program=transaction.program,
            **outcome,
        )

    @staticmethod
    def _fetch_page(session: Session, members: Members) -> Members:
        transaction = session.open_transaction(members["TransactionId"])
        cursor = transaction.cursors.get(members["NextPageToken"])
        if cursor is None:
            raise PAGE_TOKEN_NOT_VALID()
        try:
            page = cursor.page(members["NextPageToken"])
        except PartiqlError as error:
            raise partiql_problem(error) from error
        return {"Page": _page(transaction, cursor, page), "ConsumedIOs": _ios(page)}

    def _commit_transaction(self, session: Session, members: Members) -> Members:
        transaction = session.open_transaction(members["TransactionId"])
        try:
            session.ledger.commit(transaction, members["CommitDigest"])
            self._emulator.statement_log.end(transaction.id, None)
        except QldbError as error:
            self._emulator.statement_log.end(transaction.id, error)
            raise
        finally:
            session.end_transaction()  # also after a conflict or a wrong digest: there is nothing left to go on with
        result: Members = {
            "TransactionId": transaction.id,
            "CommitDigest": members["CommitDigest"],
            "ConsumedIOs": {"ReadIOs": 0, "WriteIOs": 0},
        }
        if session.ledger.has_put_off:
            result["afterwards"] = partial(_write_out, session.ledger)
        return result

    @staticmethod
    def _abort_transaction(session: Session, members: Members) -> Members:
        session.end_transaction()
        return {}


def _write_out(ledger: Ledger) -> None:
    try:
        ledger.write_out()
    except StorageError as error:
        # Whoever commits next is told; until then nobody has been promised anything that is not there.
        logger.warning("blocks of ledger %s that change nothing cannot be written yet: %s", ledger.name, error)


def _texts(session: Session | None, members: Members) -> list[str]:
    """For fault rules: the statement's text, or those of the open transaction."""
    if "Statement" in members:
        return [members["Statement"]]
    transaction = None if session is None else session.transaction
    return [] if transaction is None else [statement.text for statement, _ in transaction.statements]


def _tables(session: Session | None, members: Members) -> set[str]:
    """For fault rules: the names of the tables that the statement, or else the open transaction, uses."""
    transaction = None if session is None else session.transaction
    if transaction is None:
        return set()
    if "Statement" in members:
        return statement_tables(transaction, members["Statement"])
    return transaction.table_names()


def _page(transaction: Transaction, cursor: Cursor, page: Page) -> Members:
    members: Members = {"Values": page.values}
    if page.next_token is not None:
        transaction.cursors[page.next_token] = cursor
        members["NextPageToken"] = page.next_token
    return members


def _ios(page: Page) -> Members:
    # Rows that cost nothing to read still count as one: drivers take 0 for "not reported" (wire.md 2.3).
    return {"ReadIOs": max(page.read_ios, 1) if page.values else page.read_ios, "WriteIOs": 0}
