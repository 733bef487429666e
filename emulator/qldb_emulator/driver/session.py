"""A session on one ledger: transactions, statements, paging, the commit digest, and repeating after a conflict."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
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


class Transport(Protocol):
    """How requests get to a server; values as ``context.RequestContext`` describes."""

    def send_command(self, command: str, token: str | None, members: Members) -> Members:
        """One command of the session API.  Raises QldbError, OSError."""
        ...

    def call(self, operation: str, members: Members) -> Members:
        """One control plane operation.  Raises QldbError, OSError."""
        ...


@dataclass(slots=True)
class Result:
    """What a statement answered.  read_ios: over all pages.  server_ms: as the server measured it, where it says."""

    rows: list[IonValue] = field(default_factory=list)
    read_ios: int = 0
    server_ms: int = 0


class OpenTransaction:
    """A transaction and the client's side of its commit digest."""

    def __init__(self, send: Callable[..., Members]) -> None:
        self._send = send
        self.id: str = send("StartTransaction")["TransactionId"]
        self._digest = CommitDigest(self.id)

    def execute(self, statement: str, *parameters: IonValue) -> Result:
        """Run a statement and fetch every page.  Raises QldbError; the transaction stays open."""
        self._digest.add(statement_digest(statement, [hash_value(value) for value in parameters]))
        holders = [{"IonBinary": dumps(value)} for value in parameters]
        answer = self._send("ExecuteStatement", TransactionId=self.id, Statement=statement, Parameters=holders)
        result, page = Result(), answer["FirstPage"]
        while True:
            result.rows += [_value(holder) for holder in page["Values"]]
            result.read_ios += (answer.get("ConsumedIOs") or {}).get("ReadIOs", 0)
            result.server_ms += (answer.get("TimingInformation") or {}).get("ProcessingTimeMilliseconds", 0)
            token = page.get("NextPageToken")
            if token is None:
                return result
            answer = self._send("FetchPage", TransactionId=self.id, NextPageToken=token)
            page = answer["Page"]

    def commit(self) -> None:
        """Commit.  Raises QldbError; the transaction is over in any case."""
        self._send("CommitTransaction", TransactionId=self.id, CommitDigest=self._digest.value)

    def abort(self) -> None:
        """Abort."""
        self._send("AbortTransaction")


def _value(holder: Any) -> IonValue:
    return loads(holder if isinstance(holder, bytes) else holder.get("IonBinary") or holder["IonText"])


class LedgerSession:
    """A session, started anew when the server has forgotten it.  Raises QldbError when there is no such ledger."""

    def __init__(self, transport: Transport, ledger: str) -> None:
        self._transport = transport
        self.ledger = ledger
        self._start()

    def _start(self) -> None:
        self._token = self._transport.send_command("StartSession", None, {"LedgerName": self.ledger})["SessionToken"]

    def _send(self, command: str, **members: Any) -> Members:
        return self._transport.send_command(command, self._token, members)

    def begin(self) -> OpenTransaction:
        """Start a transaction, in a new session when the old one is gone."""
        try:
            return OpenTransaction(self._send)
        except QldbError as error:
            if error.shape != "InvalidSessionException":
                raise
            self._start()
            return OpenTransaction(self._send)

    def execute(self, work: Callable[[OpenTransaction], T]) -> T:
        """Run work in a transaction, again after a conflict or when the session is lost, five times at most."""
        attempt = 0
        while True:
            attempt += 1
            transaction = self.begin()
            try:
                result = work(transaction)
                transaction.commit()
                return result
            except BaseException as error:
                with contextlib.suppress(QldbError, OSError):
                    transaction.abort()
                is_passing = isinstance(error, QldbError) and error.shape in (
                    "OccConflictException",
                    "InvalidSessionException",
                )
                if not is_passing or attempt == MAX_ATTEMPTS:
                    raise

    def run(self, statement: str, *parameters: IonValue) -> Result:
        """One statement in a transaction of its own."""
        return self.execute(lambda transaction: transaction.execute(statement, *parameters))

    def end(self) -> None:
        """End the session."""
        with contextlib.suppress(QldbError, OSError):
            self._send("EndSession")
