"""A session on one ledger: transactions, statements, paging, the commit digest, and retries after conflicts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Any, Protocol, TypeVar

from ..errors import QldbError
from ..ion.codec import dumps, loads
from ..ion.hash import hash_value
from ..ion.values import IonValue
from ..journal.hashing import CommitDigest, statement_digest
from ..records import dataclass

Members = dict[str, Any]
T = TypeVar("T")
MAX_ATTEMPTS = 5  # as the official drivers
REPEATED = ("OccConflictException", "InvalidSessionException")


class Transport(Protocol):
    """Carries requests to a server; values as ``context.RequestContext`` describes."""

    def send_command(self, command: str, token: str | None, members: Members) -> Members:
        """Send one command of the session API.  Raises QldbError, OSError."""
        ...

    def call(self, operation: str, members: Members) -> Members:
        """Call one control plane operation.  Raises QldbError, OSError."""
        ...

    def close(self) -> None:
        """Drop the connection, and with it a pending answer.  The next request opens a new one."""
        ...

    def twin(self) -> Transport:
        """Return another connection to the same server, for another thread."""
        ...


@dataclass(slots=True)
class Result:
    """A statement's result.  read_ios: over all pages.  server_ms: as measured by the server; 0 if it does not say."""

    rows: list[IonValue] = field(default_factory=list)
    read_ios: int = 0
    server_ms: int = 0


class Cursor:
    """The rows of one statement, a page at a time.

    read_ios, server_ms: over the pages that were fetched so far.  server_ms is 0 where the server does not say.
    """

    def __init__(self, send: Callable[..., Members], transaction_id: str, answer: Members) -> None:
        self._send = send
        self._transaction_id = transaction_id
        self.read_ios = 0
        self.server_ms = 0
        self._page: list[IonValue] = []
        self._token: str | None = None
        self._take(answer, answer["FirstPage"])

    def _take(self, answer: Members, page: Members) -> None:
        self._page = [_value(holder) for holder in page["Values"]]
        self._token = page.get("NextPageToken")
        self.read_ios += (answer.get("ConsumedIOs") or {}).get("ReadIOs", 0)
        self.server_ms += (answer.get("TimingInformation") or {}).get("ProcessingTimeMilliseconds", 0)

    @property
    def is_complete(self) -> bool:
        """Whether the server has no further page."""
        return self._token is None

    def pages(self) -> Iterator[list[IonValue]]:
        """Yield every page; fetch each when it is needed.  Works only once.  Raises QldbError."""
        yield self._page
        while self._token is not None:
            answer = self._send("FetchPage", TransactionId=self._transaction_id, NextPageToken=self._token)
            self._take(answer, answer["Page"])
            yield self._page


class OpenTransaction:
    """A transaction and the client's side of its commit digest."""

    def __init__(self, send: Callable[..., Members]) -> None:
        self._send = send
        self.id: str = send("StartTransaction")["TransactionId"]
        self._digest = CommitDigest(self.id)

    def open(self, statement: str, *parameters: IonValue) -> Cursor:
        """Run a statement; its further pages are fetched as they are read.  Raises QldbError.

        The transaction stays open, even after an error.
        """
        self._digest.add(statement_digest(statement, [hash_value(value) for value in parameters]))
        holders = [{"IonBinary": dumps(value)} for value in parameters]
        answer = self._send("ExecuteStatement", TransactionId=self.id, Statement=statement, Parameters=holders)
        return Cursor(self._send, self.id, answer)

    def execute(self, statement: str, *parameters: IonValue) -> Result:
        """Run a statement and fetch every page.  Raises QldbError; the transaction stays open."""
        cursor = self.open(statement, *parameters)
        rows = [row for page in cursor.pages() for row in page]
        return Result(rows, cursor.read_ios, cursor.server_ms)

    def commit(self) -> None:
        """Commit.  Raises QldbError; the transaction ends in any case."""
        self._send("CommitTransaction", TransactionId=self.id, CommitDigest=self._digest.value)

    def abort(self) -> None:
        """Abort."""
        self._send("AbortTransaction")


def _value(holder: Any) -> IonValue:
    return loads(holder if isinstance(holder, bytes) else holder.get("IonBinary") or holder["IonText"])


class LedgerSession:
    """A session, started again if the server has forgotten it.  Raises QldbError if the ledger does not exist."""

    def __init__(self, transport: Transport, ledger: str) -> None:
        self._transport = transport
        self.ledger = ledger
        self._token: str | None = None
        self._start()

    def _start(self) -> None:
        self._token = self._transport.send_command("StartSession", None, {"LedgerName": self.ledger})["SessionToken"]

    def _send(self, command: str, **members: Any) -> Members:
        return self._transport.send_command(command, self._token, members)

    def begin(self) -> OpenTransaction:
        """Start a transaction, in a new session if the old one has ended."""
        if self._token is None:
            self._start()
        try:
            return OpenTransaction(self._send)
        except QldbError as error:
            if error.shape != "InvalidSessionException":
                raise
            self._start()
            return OpenTransaction(self._send)

    def execute(self, work: Callable[[OpenTransaction], T]) -> T:
        """Run work in a transaction; repeat it after a conflict or a lost session, five times at most."""

        def work_and_commit(transaction: OpenTransaction) -> T:
            result = work(transaction)
            transaction.commit()
            return result

        return self._repeated(work_and_commit)

    @contextmanager
    def _ended_on_error(self, transaction: OpenTransaction) -> Iterator[None]:
        """Abort the transaction if the block fails.

        An interruption (Ctrl-C) may come while an answer is on its way.  The connection cannot be used for an abort
        then: the next answer on it would be that of the interrupted request.
        """
        try:
            yield
        except Exception:
            with contextlib.suppress(QldbError, OSError):
                transaction.abort()
            raise
        except BaseException:
            self.cancel()
            raise

    @contextmanager
    def open(self, statement: str, *parameters: IonValue) -> Iterator[Cursor]:
        """Run a statement in a transaction of its own; read its rows inside the block.  Raises QldbError.

        A result of one page is committed before the block begins, and repeated after a conflict as ``execute`` does.
        A longer one is committed when the block ends, once: rows that were yielded cannot be taken back.
        """

        def first_page(transaction: OpenTransaction) -> tuple[OpenTransaction, Cursor]:
            cursor = transaction.open(statement, *parameters)
            if cursor.is_complete:
                transaction.commit()
            return transaction, cursor

        transaction, cursor = self._repeated(first_page)
        if cursor.is_complete:
            yield cursor
            return
        with self._ended_on_error(transaction):
            yield cursor
            transaction.commit()

    def _repeated(self, work: Callable[[OpenTransaction], T]) -> T:
        """Run work, which commits by itself, in a new transaction; repeat it after a conflict or a lost session."""
        attempt = 0
        while True:
            attempt += 1
            try:
                transaction = self.begin()
                with self._ended_on_error(transaction):
                    return work(transaction)
            except QldbError as error:
                if error.shape not in REPEATED or attempt == MAX_ATTEMPTS:
                    raise

    def run(self, statement: str, *parameters: IonValue) -> Result:
        """Run one statement in a transaction of its own."""
        return self.execute(lambda transaction: transaction.execute(statement, *parameters))

    def cancel(self) -> None:
        """Cancel the running request: drop the connection and end the session.  The next transaction gets new ones.

        For use after an interruption.  The session is ended by a thread of its own: a server that is busy with the
        interrupted statement may answer late, and the user should have the prompt back at once.
        """
        token, self._token = self._token, None
        self._transport.close()
        if token is not None:
            arguments = (self._transport.twin(), token)
            threading.Thread(target=_end_session, args=arguments, name="end-session", daemon=True).start()

    def end(self) -> None:
        """End the session."""
        if self._token is not None:
            with contextlib.suppress(QldbError, OSError):
                self._send("EndSession")


def _end_session(transport: Transport, token: str) -> None:
    with contextlib.suppress(QldbError, OSError):
        transport.send_command("EndSession", token, {})
    transport.close()
