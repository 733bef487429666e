"""Sessions and the seven commands of SendCommand.

========================  ==========================================================  ============
event                     effect                                                      source
========================  ==========================================================  ============
StartTransaction twice    ``Transaction already open``; the open one survives         recorded
command without one       ``No open transaction``                                     recorded
statement fails           the transaction stays open                                  recorded
statement runs on         ends with its transaction's time, at an abort or the end    ours
                          of its session or ledger, and when its client is gone
another principal's       ``No such session``                                         inferred
OCC conflict              the transaction is gone, the session stays                  recorded
start after a conflict    waits for the transaction that began before, a second at    ours
                          most (``ledger.retries``)
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

from ...budget import Budget, enter, leave
from ...clock import Clock
from ...context import CommandResult, Principal, RequestContext, client_is_there, is_same_principal
from ...errors import (
    NO_OPEN_TRANSACTION,
    NO_SUCH_SESSION,
    OCC_CONFLICT,
    PAGE_TOKEN_NOT_VALID,
    SESSION_EXPIRED,
    SESSION_LEDGER_NOT_ACTIVE,
    SESSION_LEDGER_NOT_FOUND,
    SESSION_LIMIT,
    SESSION_TOKEN_MISSING,
    TRANSACTION_ALREADY_OPEN,
    TRANSACTION_EXPIRED,
    ClientGone,
    ConnectionDropped,
    QldbError,
)
from ...ids import IdSource
from ...log.seam import Deposed, LedgerGone
from ...partiql.language.errors import PartiqlError
from ...settings import Settings
from ...storage.errors import StorageError
from ...storage.ledger_file import IN_PLACE_SECONDS
from ...waiting import about_to_wait
from ..arns import qldb_arn
from ..ledger.register import Register, storage_problem
from ..ledger.retries import TURNS
from ..workbench.faults import KINDS, Event, Faults
from ..workbench.statement_log import StatementLog
from .cursors import Cursor, Page
from .permissions import Permit, authorize_command
from .plan_header import conflict_header, plan_header
from .statements import Execution, partiql_problem, statement_tables
from .transactions import Transaction

if TYPE_CHECKING:
    from ...partiql.execution.compiler import Program
    from ..ledger.ledger import Ledger

Members = dict[str, Any]
Command = Callable[["Session", float, Members], CommandResult]
"""(session, the time by its ledger's clock, members of the request) -> result.  Raises QldbError."""

# Commands that say that the client wants no more of a transaction: a statement that still runs in it stops.
_ENDING = ("AbortTransaction", "EndSession")
logger = logging.getLogger(__name__)


class Session:
    """One session: a token, its ledger and at most one open transaction.  Commands of one session run one at a time."""

    def __init__(self, session_id: str, ledger: Ledger, principal: Principal | None = None) -> None:
        self.id = session_id
        self.ledger = ledger
        self.started = ledger.clock.monotonic()
        self.lock = threading.Lock()
        self.transaction: Transaction | None = None
        self.is_ended = False
        self.is_moving = False  # its ledger has another owner: it ends when its transaction is over
        self.principal = principal
        self.abandoned: Transaction | None = None
        # One for all transactions: with one of its own, a transaction would lie in a cycle, and its memory would be
        # free only after a collection.
        self.budget = Budget(self.check_running, ledger.limits.statement_memory_bytes)
        self.running: Transaction | None = None  # whose statement runs
        self.is_client_gone = client_is_there  # of the command that runs now
        self.can_hold_answer = False  # the same
        self.turns = 0  # how many transactions have to wait for their turn, because one met a conflict
        self._has_turn = False

    def has_expired(self, now: float) -> bool:
        """Whether the session has exceeded its maximum age.  now: of its ledger's clock, monotonic."""
        return now - self.started > self.ledger.limits.session_seconds

    def belongs_to(self, principal: Principal | None) -> bool:
        """Whether the session was started by this principal: by any of its keys."""
        return is_same_principal(self.principal, principal)

    def end_transaction(self) -> None:
        """Forget the open transaction, if any."""
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            self.ledger.writes.close(transaction.id)
        if self._has_turn:
            self._has_turn = False
            self.ledger.retries.give(self)

    def wait_for_turn(self) -> None:
        """After a conflict: wait until the transaction that began before has ended (see ``ledger.retries``)."""
        if self.turns:
            self._has_turn = True
            self.ledger.retries.take(self)

    def check_running(self) -> None:
        """Raise what ends a running statement: the end of its time, transaction, session or ledger, a gone client.

        The statement itself calls it (see ``budget``); what it raises becomes the statement's answer.
        """
        if self.is_ended or self.ledger.is_closed:
            raise NO_SUCH_SESSION()
        transaction = self.running
        if transaction is None or transaction is not self.transaction or transaction is self.abandoned:
            raise NO_OPEN_TRANSACTION()
        if time.perf_counter() - transaction.running_since > self.ledger.limits.transaction_seconds:
            transaction.is_over = True  # by the machine's time, where the emulator's own stands still
        self.open_transaction(self.ledger.clock.monotonic())
        if self.is_client_gone():
            raise ClientGone

    def close_expired(self) -> None:
        """Free the resources of a transaction whose time is over; the next command in it gets the error.

        Requires the session's lock.
        """
        transaction = self.transaction
        if transaction is not None and transaction.has_expired(self.ledger.clock.monotonic()):
            transaction.is_over = True
            self.ledger.writes.close(transaction.id)

    def open_transaction(self, now: float, transaction_id: str | None = None) -> Transaction:
        """Return the open transaction.  Raises NO_OPEN_TRANSACTION or, once, TRANSACTION_EXPIRED.

        Its time is counted from StartTransaction, idle time included.
        """
        transaction = self.transaction
        if transaction is None:
            raise NO_OPEN_TRANSACTION()
        if transaction.has_expired(now):
            self.end_transaction()
            raise TRANSACTION_EXPIRED(id=transaction.id)
        if transaction_id is not None and transaction_id != transaction.id:
            raise NO_OPEN_TRANSACTION()
        return transaction


class Sessions:
    """All sessions of an emulator, in memory: a restart forgets them, and drivers recover by themselves."""

    # Ended sessions are removed at once; abandoned ones are removed after this many new ones have begun.
    SWEEP_EVERY = 256

    def __init__(
        self,
        ledgers: Register,
        settings: Settings,
        clock: Clock,
        ids: IdSource,
        faults: Faults,
        statement_log: StatementLog,
    ) -> None:
        self._ledgers = ledgers
        self._account = settings.account
        self._session_limit = settings.limits.sessions_per_ledger
        self._shows_plans = settings.shows_plans
        self._clock = clock
        self._ids = ids
        self._faults = faults
        self._statement_log = statement_log
        self._sessions: dict[str, Session] = {}
        self._started = 0
        self.name_token: Callable[[str, Ledger], str] = lambda token, ledger: token
        self._lock = threading.Lock()
        self._commands: dict[str, Command] = {
            "StartTransaction": self._start_transaction,
            "ExecuteStatement": self._execute_statement,
            "FetchPage": self._fetch_page,
            "CommitTransaction": self._commit_transaction,
            "AbortTransaction": self._abort_transaction,
        }

    def send(self, command: str, token: str | None, members: Members, context: RequestContext) -> CommandResult:
        """Run one command.  Raises QldbError; ConnectionDropped when a fault rule says so."""
        if self._faults.rules:
            return self._send_with_faults(command, token, members, context)
        return self._send(command, token, members, context)

    def _send(self, command: str, token: str | None, members: Members, context: RequestContext) -> CommandResult:
        principal = context.principal
        if command == "StartSession":
            if principal is not None:
                authorize_command(principal, members["LedgerName"], context.region, self._account)
            return self._start_session(members["LedgerName"], context)
        if token is None:
            raise SESSION_TOKEN_MISSING()
        session = self._sessions.get(token)
        # Without --auth, or with the key that started the session, there is nothing to compare.
        if session is None or (session.principal is not principal and not session.belongs_to(principal)):
            raise NO_SUCH_SESSION()
        ledger = session.ledger
        if principal is not None:
            authorize_command(principal, ledger.name, context.region, self._account)
        if command in _ENDING:
            session.abandoned = session.transaction  # a statement that runs in it ends, and frees the lock
        # Commands of one session run one at a time: a driver sends the next when it has the answer to the last.
        with session.lock:
            session.principal = principal  # another key of the same principal may have another policy
            session.is_client_gone = context.is_client_gone
            session.can_hold_answer = context.can_hold_answer
            if session.is_ended:  # it ended while this request waited for the lock
                raise NO_SUCH_SESSION()
            now = ledger.clock.monotonic()
            if session.has_expired(now):
                self._forget(token, session)
                raise SESSION_EXPIRED(id=session.id)
            if ledger.is_closed:
                self._forget(token, session)
                raise NO_SUCH_SESSION()
            if command == "EndSession":
                self._forget(token, session)
                return CommandResult({})
            try:
                return self._commands[command](session, now, members)
            except StorageError as error:
                if _has_lost_ledger(session, error):
                    self._forget(token, session)
                raise _storage_problem(session, error) from error
            finally:
                if session.is_ended:  # its ledger was deleted while the command ran
                    session.end_transaction()

    # --- faults ------------------------------------------------------------------------------------------

    def wrap(self, command: str, wrapper: Callable[[Command], Command]) -> None:
        """Lay something around a command, such as a span of its time.  Call it before requests come."""
        self._commands[command] = wrapper(self._commands[command])

    def _send_with_faults(
        self, command: str, token: str | None, members: Members, context: RequestContext
    ) -> CommandResult:
        session = None if token is None else self._sessions.get(token)
        if session is not None and not session.belongs_to(context.principal):
            session = None
        ledger_name = session.ledger.name if session is not None else members.get("LedgerName")
        strike = self._faults.strike(
            Event(command, ledger_name, lambda: _texts(session, members), lambda: _tables(session, members))
        )
        if strike.latency_ms:
            about_to_wait()
            self._clock.sleep(strike.latency_ms / 1000)
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
        """Raise the error of a fault, with the consequences that the error has in the service."""
        kind = KINDS[kind_name]
        assert kind.problem is not None
        transaction_id = ""
        if session is not None and token is not None:
            with session.lock:
                if kind.loses == "transaction":
                    transaction_id = session.open_transaction(self._clock.monotonic(), members["TransactionId"]).id
                    session.end_transaction()
                elif kind.loses == "session":
                    self._forget(token, session)
        raise kind.problem(id=transaction_id, limit=self._session_limit)

    # --- the register ------------------------------------------------------------------------------------

    def count(self) -> int:
        """Return how many sessions there are."""
        return len(self._sessions)

    def end_all(self, ledger: Ledger) -> None:
        """End every session of a ledger that is being deleted or replaced."""
        for token, session in list(self._sessions.items()):
            if session.ledger is ledger:
                self._forget(token, session)

    def move(self, ledger: Ledger) -> None:
        """Let the sessions of a ledger end, each after its transaction: the ledger has another owner now.

        Drivers answer ``No such session`` with a new session, and that one begins on the owner.
        """
        for session in list(self._sessions.values()):
            if session.ledger is ledger:
                session.is_moving = True

    def _forget(self, token: str, session: Session) -> None:
        session.is_ended = True
        session.end_transaction()
        with self._lock:
            self._sessions.pop(token, None)

    def _start_session(self, ledger_name: str, context: RequestContext) -> CommandResult:
        region = context.region
        ledger = self._ledgers.find_restored(region, ledger_name)
        if ledger is None:
            elsewhere = self._ledgers.elsewhere(region, ledger_name)
            raise SESSION_LEDGER_NOT_FOUND(name=ledger_name, elsewhere=elsewhere)
        if ledger.state != "ACTIVE":
            raise SESSION_LEDGER_NOT_ACTIVE(name=ledger_name, state=ledger.state)
        token = self.name_token(self._ids.new_token(), ledger)
        with self._lock:
            self._sessions[token] = Session(context.request_id, ledger, context.principal)
            self._started += 1
            expired = []
            if self._started % self.SWEEP_EVERY == 0:
                # Not one whose command runs: if that is a commit, it must be over before "No such session" is said.
                expired = [
                    (t, s)
                    for t, s in self._sessions.items()
                    if s.has_expired(s.ledger.clock.monotonic()) and not s.lock.locked()
                ]
        for old_token, session in expired:
            self._forget(old_token, session)
        return CommandResult({"SessionToken": token})

    def _start_transaction(self, session: Session, now: float, members: Members) -> CommandResult:
        if session.transaction is not None:
            session.open_transaction(now)  # raises TRANSACTION_EXPIRED, once
            raise TRANSACTION_ALREADY_OPEN()
        if session.is_moving:
            session.is_ended = True
            raise NO_SUCH_SESSION()
        ledger = session.ledger
        ledger.documents.check_in_place(IN_PLACE_SECONDS)
        limit = ledger.limits.sessions_per_ledger
        if ledger.writes.open_count() >= limit:
            self._end_expired_transactions(ledger)
            if ledger.writes.open_count() >= limit:
                raise SESSION_LIMIT(limit=limit)
        session.wait_for_turn()
        try:
            if ledger.log.is_shared:
                ledger.catch_up()  # so that the snapshot has everything that any server answered before
            transaction = session.transaction = Transaction(ledger, ledger.ids.new_id(), ledger.clock.monotonic())
        except BaseException:
            session.end_transaction()  # gives the turn away
            raise
        transaction.budget = session.budget
        return CommandResult({"TransactionId": transaction.id})

    def _end_expired_transactions(self, ledger: Ledger) -> None:
        """Free the resources of transactions whose clients have left.

        Skips a session whose lock is taken: its command finds out by itself that the time is over.
        """
        now = ledger.clock.monotonic()
        for session in list(self._sessions.values()):
            transaction = session.transaction
            is_over = session.ledger is ledger and transaction is not None and transaction.has_expired(now)
            if is_over and session.lock.acquire(blocking=False):
                try:
                    session.close_expired()
                finally:
                    session.lock.release()

    def _execute_statement(self, session: Session, now: float, members: Members) -> CommandResult:
        transaction = session.open_transaction(now, members["TransactionId"])
        text, holders = members["Statement"], members.get("Parameters") or ()
        permit = None if session.principal is None else self._permit(session.principal, session.ledger)
        before = set(transaction.reads) if self._shows_plans else None
        started = time.perf_counter()
        execution = Execution(transaction, permit)
        transaction.running_since = started
        session.running = transaction
        enter(session.budget)
        try:
            cursor, page = execution.run(text, holders)
        except QldbError as error:
            self._log(transaction, execution.program, text, holders, started, error=error)
            raise
        finally:
            leave()
            session.running = None
        self._log(transaction, execution.program, text, holders, started, read_ios=page.read_ios)
        debug = None
        if before is not None:
            read = transaction.reads - before
            debug = {"plan": plan_header(transaction, execution.program, read, page.read_ios)}
        # Hashing parameters can wait until the answer was sent: no answer before the commit's holds a hash.
        after = execution.sent.compute_digest if holders and execution.sent is not None else None
        return CommandResult({"FirstPage": _page(transaction, cursor, page), "ConsumedIOs": _ios(page)}, debug, after)

    def _permit(self, principal: Principal, ledger: Ledger) -> Permit:
        arn = qldb_arn(ledger.region, self._account, f"ledger/{ledger.name}")
        return Permit(principal, arn, self._account, ledger.permissions_mode)

    def _log(
        self,
        transaction: Transaction,
        program: Program | None,
        text: str,
        holders: Sequence[Members],
        started: float,
        **outcome: Any,
    ) -> None:
        self._statement_log.add(
            ledger=transaction.ledger.name,
            region=transaction.ledger.region,
            transaction_id=transaction.id,
            text=text,
            holders=holders,
            seconds=time.perf_counter() - started,
            program=program,
            **outcome,
        )

    @staticmethod
    def _fetch_page(session: Session, now: float, members: Members) -> CommandResult:
        transaction = session.open_transaction(now, members["TransactionId"])
        cursor = transaction.cursors.get(members["NextPageToken"])
        if cursor is None:
            raise PAGE_TOKEN_NOT_VALID()
        transaction.running_since = time.perf_counter()
        session.running = transaction
        enter(session.budget)
        try:
            page = cursor.page(members["NextPageToken"])
        except PartiqlError as error:
            raise partiql_problem(error) from error
        finally:
            leave()
            session.running = None
        return CommandResult({"Page": _page(transaction, cursor, page), "ConsumedIOs": _ios(page)})

    def _commit_transaction(self, session: Session, now: float, members: Members) -> CommandResult:
        transaction = session.open_transaction(now, members["TransactionId"])
        committer = session.ledger.committer
        try:
            transaction.check_digest(members["CommitDigest"])
            proposal = transaction.proposal()
            commit_no = 0 if proposal is None else committer.commit_unsynced(proposal)
            is_held = session.can_hold_answer and not committer.is_synced(commit_no)
            if not is_held:
                committer.sync(commit_no)
            if session.turns:
                session.turns -= 1
            self._statement_log.end(transaction.id, None)
        except QldbError as error:
            if error.shape == OCC_CONFLICT.shape:
                session.turns = TURNS
                error.debug |= conflict_header(transaction, committer.writes)
            self._statement_log.end(transaction.id, error)
            raise
        finally:
            session.end_transaction()  # also after a conflict or a wrong digest: the transaction cannot continue
        if transaction.redactions:  # parameters and texts may hold the redacted data
            self._statement_log.forget(session.ledger.region, session.ledger.name)
        result = {
            "TransactionId": transaction.id,
            "CommitDigest": members["CommitDigest"],
            "ConsumedIOs": {"ReadIOs": 0, "WriteIOs": 0},
        }
        # The block of a transaction that only read can wait until the answer was sent.
        after = partial(_flush_deferred, session.ledger) if committer.has_deferred else None
        before = partial(self._sync, session, commit_no) if is_held else None
        return CommandResult(result, None, after, before)

    @staticmethod
    def _sync(session: Session, commit_no: int) -> None:
        """Wait for the disk, outside the command.  Raises QldbError, the same as the command would."""
        try:
            session.ledger.committer.sync(commit_no)
        except StorageError as error:
            raise _storage_problem(session, error) from error

    @staticmethod
    def _abort_transaction(session: Session, now: float, members: Members) -> CommandResult:
        session.end_transaction()
        return CommandResult({})


def _has_lost_ledger(session: Session, error: StorageError) -> bool:
    """Whether a file cannot be read or written because its ledger was closed meanwhile; otherwise it failed."""
    return session.ledger.is_closed or isinstance(error, LedgerGone | Deposed)


def _storage_problem(session: Session, error: StorageError) -> QldbError:
    """Return the answer to a command that could not read or write its ledger's file."""
    if _has_lost_ledger(session, error):
        return NO_SUCH_SESSION()
    return storage_problem(session.ledger.name, error)


def _flush_deferred(ledger: Ledger) -> None:
    try:
        ledger.committer.flush_deferred()
    except StorageError as error:
        # The next commit reports it; until then no answer has promised anything that is missing.
        logger.warning("blocks of ledger %s that change nothing cannot be written yet: %s", ledger.name, error)


def _texts(session: Session | None, members: Members) -> list[str]:
    """Return, for fault rules, the statement's text, or those of the open transaction."""
    if "Statement" in members:
        return [members["Statement"]]
    transaction = None if session is None else session.transaction
    return [] if transaction is None else [statement.text for statement, _ in transaction.statements]


def _tables(session: Session | None, members: Members) -> set[str]:
    """Return, for fault rules, the names of the tables that the statement, or else the open transaction, uses."""
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
    # Rows that cost nothing to read still count as one read: drivers take 0 for "not reported" (wire.md 2.3).
    return {"ReadIOs": max(page.read_ios, 1) if page.values else page.read_ios, "WriteIOs": 0}
