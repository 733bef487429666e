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
========================  ==========================================================  ============
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..context import RequestContext
from ..errors import (
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
)
from .cursors import Cursor, Page
from .statements import execute_statement
from .transactions import Transaction

if TYPE_CHECKING:
    from .emulator import Emulator
    from .ledgers import Ledger

Members = dict[str, Any]


class Session:
    """One session: a token, its ledger and at most one open transaction.  Commands of one session run one at a time."""

    def __init__(self, session_id: str, ledger: Ledger) -> None:
        self.id = session_id
        self.ledger = ledger
        self.started = ledger.clock.monotonic()
        self.lock = threading.Lock()
        self.transaction: Transaction | None = None

    def has_expired(self) -> bool:
        """Whether the session is older than sessions get."""
        return self.ledger.clock.monotonic() - self.started > self.ledger.limits.session_seconds

    def end_transaction(self) -> None:
        """Forget the open transaction, if any."""
        if self.transaction is not None:
            self.ledger.writes.close(self.transaction.id)
            self.transaction = None

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
        """Run one command and return its result members, all but TimingInformation."""
        if command == "StartSession":
            return self._start_session(members["LedgerName"], context)
        if token is None:
            raise SESSION_TOKEN_MISSING()
        session = self._sessions.get(token)
        if session is None:
            raise NO_SUCH_SESSION()
        with session.lock:
            if session.has_expired():
                self._forget(token, session)
                raise SESSION_EXPIRED(id=session.id)
            if session.ledger.is_closed:
                self._forget(token, session)
                raise NO_SUCH_SESSION()
            if command == "EndSession":
                self._forget(token, session)
                return {}
            return self._commands[command](session, members)

    def count(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    def end_all(self, ledger: Ledger) -> None:
        """End every session of a ledger that is going away."""
        for token, session in list(self._sessions.items()):
            if session.ledger is ledger:
                self._forget(token, session)

    def _forget(self, token: str, session: Session) -> None:
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

    @staticmethod
    def _execute_statement(session: Session, members: Members) -> Members:
        transaction = session.open_transaction(members["TransactionId"])
        cursor = execute_statement(transaction, members["Statement"], members.get("Parameters") or ())
        page = cursor.page(None)
        return {"FirstPage": _page(transaction, cursor, page), "ConsumedIOs": _ios(page)}

    @staticmethod
    def _fetch_page(session: Session, members: Members) -> Members:
        transaction = session.open_transaction(members["TransactionId"])
        cursor = transaction.cursors.get(members["NextPageToken"])
        if cursor is None:
            raise PAGE_TOKEN_NOT_VALID()
        page = cursor.page(members["NextPageToken"])
        return {"Page": _page(transaction, cursor, page), "ConsumedIOs": _ios(page)}

    @staticmethod
    def _commit_transaction(session: Session, members: Members) -> Members:
        transaction = session.open_transaction(members["TransactionId"])
        try:
            session.ledger.commit(transaction, members["CommitDigest"])
        finally:
            session.end_transaction()  # also after a conflict or a wrong digest: there is nothing left to go on with
        return {
            "TransactionId": transaction.id,
            "CommitDigest": transaction.digest.value,
            "ConsumedIOs": {"ReadIOs": 0, "WriteIOs": 0},
        }

    @staticmethod
    def _abort_transaction(session: Session, members: Members) -> Members:
        session.end_transaction()
        return {}


def _page(transaction: Transaction, cursor: Cursor, page: Page) -> Members:
    members: Members = {"Values": page.values}
    if page.next_token is not None:
        transaction.cursors[page.next_token] = cursor
        members["NextPageToken"] = page.next_token
    return members


def _ios(page: Page) -> Members:
    # Rows that cost nothing to read still count as one: drivers take 0 for "not reported" (wire.md 2.3).
    return {"ReadIOs": max(page.read_ios, 1) if page.values else page.read_ios, "WriteIOs": 0}
