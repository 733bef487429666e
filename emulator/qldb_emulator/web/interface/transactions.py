"""Transactions of clients without a driver: the server keeps the session and the commit digest for them.

Every command takes the same path as a driver's (``Emulator.send_command``), so permissions, fault rules, limits and the
statement log hold here as well.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...context import is_same_principal
from ...errors import ADMIN_NOT_FOUND, ADMIN_REQUEST, LIMIT_OPEN_TRANSACTIONS, READ_ONLY, QldbError
from ...ion.codec import dumps
from ...ion.hash import hash_value
from ...ion.values import IonValue
from ...journal.hashing import CommitDigest, statement_digest
from ...partiql.language.errors import PartiqlError
from ...records import dataclass
from .call import Call
from .values import parse_texts

if TYPE_CHECKING:
    from ...context import Principal
    from ...engine.ledger.ledger import Ledger

Members = dict[str, Any]

OPEN_TRANSACTIONS = 200
"""Open transactions of one server that were started through this interface (ours: clients forget them)."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows as Ion binary.  next_token: None on the last page.  read_ios: of this page alone."""

    rows: list[bytes]
    next_token: str | None
    read_ios: int


class HttpTransaction:
    """An open transaction in a session of its own.  Its commands run one at a time."""

    def __init__(self, call: Call) -> None:
        """Raises QldbError."""
        self.ledger = call.path["ledger"]
        self.region = call.region
        self.principal: Principal | None = call.principal
        self.expires = call.emulator.clock.monotonic() + call.emulator.settings.limits.transaction_seconds
        started = call.emulator.send_command("StartSession", None, {"LedgerName": self.ledger}, call.context())
        self._token: str = started.members["SessionToken"]
        try:
            self.id: str = self._send(call, "StartTransaction")["TransactionId"]
        except QldbError:
            self.end(call)
            raise
        self._digest = CommitDigest(self.id)
        self._lock = threading.Lock()

    def _send(self, call: Call, command: str, **members: Any) -> Members:
        """Run one command; return its members.  Work that could wait until after the answer is done at once."""
        result = call.emulator.send_command(command, self._token, members, call.context())
        if result.after_response is not None:
            result.after_response()
        return result.members

    def execute(self, call: Call, statement: str, parameters: Sequence[IonValue]) -> Page:
        """Run a statement.  Raises QldbError; the transaction stays open."""
        if call.is_read_only:
            check_only_reads(call.ledger("SendCommand"), statement)
        digest = statement_digest(statement, [hash_value(value) for value in parameters])
        holders = [{"IonBinary": dumps(value)} for value in parameters]
        with self._lock:  # two statements at once could be hashed in another order than the server ran them
            self._digest.add(digest)
            answer = self._send(
                call, "ExecuteStatement", TransactionId=self.id, Statement=statement, Parameters=holders
            )
        return _page(answer, "FirstPage")

    def fetch(self, call: Call, token: str) -> Page:
        """Return the next page of a statement's rows.  Raises QldbError."""
        return _page(self._send(call, "FetchPage", TransactionId=self.id, NextPageToken=token), "Page")

    def commit(self, call: Call) -> None:
        """Commit; in read-only mode, where nothing can have been written, end without a block.  Raises QldbError."""
        try:
            if call.is_read_only:
                self._send(call, "AbortTransaction")
                return
            self._send(call, "CommitTransaction", TransactionId=self.id, CommitDigest=self._digest.value)
        finally:
            self.end(call)

    def end(self, call: Call) -> None:
        """End the session and its open transaction."""
        with contextlib.suppress(QldbError):  # it has ended already: expired, or its ledger was deleted
            self._send(call, "EndSession")


def _page(answer: Members, name: str) -> Page:
    page = answer[name]
    return Page(page["Values"], page.get("NextPageToken"), answer["ConsumedIOs"]["ReadIOs"])


def check_only_reads(ledger: Ledger, statement: str) -> None:
    """Raise READ_ONLY for a statement that would write; the engine refuses one that cannot be parsed."""
    _, catalogue = ledger.snapshot()
    try:
        program = ledger.statements.prepare(statement, catalogue, ledger.limits.expression_depth)
    except PartiqlError:
        return
    if program.kind != "query":
        raise READ_ONLY()


class OpenTransactions:
    """The transactions that clients hold open between requests.  Any thread may call."""

    def __init__(self) -> None:
        self._open: dict[str, HttpTransaction] = {}
        self._lock = threading.Lock()

    def start(self, call: Call) -> HttpTransaction:
        """Start one.  Raises QldbError; LIMIT_OPEN_TRANSACTIONS if there are too many."""
        self._sweep(call)
        if len(self._open) >= OPEN_TRANSACTIONS:
            raise LIMIT_OPEN_TRANSACTIONS(limit=OPEN_TRANSACTIONS)
        transaction = HttpTransaction(call)
        with self._lock:
            self._open[transaction.id] = transaction
        return transaction

    def find(self, call: Call) -> HttpTransaction:
        """Return the transaction of the path.  Raises ADMIN_NOT_FOUND, also for a transaction of another user."""
        transaction = self._open.get(call.path["transaction"])
        if (
            transaction is None
            or (transaction.ledger, transaction.region) != (call.path["ledger"], call.region)
            or not is_same_principal(transaction.principal, call.principal)
        ):
            text = f"There is no open transaction {call.path['transaction'][:100]}: it was ended, or has expired"
            raise ADMIN_NOT_FOUND(text=text)
        return transaction

    def forget(self, transaction: HttpTransaction) -> None:
        """The transaction is over."""
        with self._lock:
            self._open.pop(transaction.id, None)

    def _sweep(self, call: Call) -> None:
        """End the sessions of transactions whose time is over and whose clients never came back."""
        now = call.emulator.clock.monotonic()
        with self._lock:
            expired = [each for each in self._open.values() if each.expires < now]
            for each in expired:
                del self._open[each.id]
        for each in expired:
            each.end(call)


@contextlib.contextmanager
def one_transaction(call: Call) -> Iterator[HttpTransaction]:
    """Yield a transaction for one request; it always ends here, and the caller commits it."""
    transaction = HttpTransaction(call)
    try:
        yield transaction
    finally:
        transaction.end(call)


def statement_and_parameters(item: Any) -> tuple[str, list[IonValue]]:
    """Return the statements to run: ``statement`` with ``parameters`` (values) or ``ionParameters`` (texts).

    Raises ADMIN_REQUEST.
    """
    if not isinstance(item, dict) or not isinstance(item.get("statement"), str):
        raise ADMIN_REQUEST(text="a statement is an object with a text 'statement' and a list 'parameters'")
    parameters, texts = item.get("parameters"), item.get("ionParameters")
    if parameters is not None and texts is not None:
        raise ADMIN_REQUEST(text="give parameters or ionParameters, not both")
    given = texts if parameters is None else parameters
    if given is None:
        return str(item["statement"]), []
    if not isinstance(given, list):
        raise ADMIN_REQUEST(text="the parameters must be a list")
    return str(item["statement"]), parse_texts(given) if parameters is None else list(given)
