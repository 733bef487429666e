"""A driver without HTTP: does what pyqldb does with an Emulator of this process, to time the engine alone."""

from __future__ import annotations

import time
from typing import Any, Protocol

from qldb_emulator.context import CommandResult, RequestContext
from qldb_emulator.ion.codec import dumps, loads
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import IonValue
from qldb_emulator.journal.hashing import CommitDigest, statement_digest

REGION = "us-east-1"
CONTEXT = RequestContext(REGION, "local", "1I4nTcCmIjUJ5c2tqG8Rqw")


class Commands(Protocol):
    """What a driver asks of an emulator: the one in this process, or ``HttpEmulator``."""

    def send_command(
        self, command: str, token: str | None, members: dict[str, Any], context: RequestContext, /
    ) -> CommandResult: ...


class LocalDriver:
    """One session on one ledger."""

    def __init__(self, emulator: Commands, ledger: str) -> None:
        self._emulator = emulator
        self._token: str | None = None
        self._token = self.send("StartSession", {"LedgerName": ledger})["SessionToken"]

    def send(self, command: str, members: dict[str, Any]) -> dict[str, Any]:
        """Send one command of the session."""
        return self.ask(command, members).members

    def ask(self, command: str, members: dict[str, Any]) -> CommandResult:
        """Do what ``send`` does, with what else the result holds."""
        return self._emulator.send_command(command, self._token, members, CONTEXT)

    def transaction(self) -> LocalTransaction:
        """Start a transaction."""
        return LocalTransaction(self)

    def run(self, *statements: str) -> None:
        """Statements without parameters, each in a transaction of its own."""
        for statement in statements:
            transaction = self.transaction()
            transaction.execute(statement)
            transaction.commit()

    def insert(self, table: str, documents: list[dict[str, IonValue]]) -> list[str]:
        """Insert documents in one transaction; their ids."""
        transaction = self.transaction()
        ids = [str(transaction.execute(f"INSERT INTO {table} ?", document)[0]["documentId"]) for document in documents]
        transaction.commit()
        return ids


class LocalTransaction:
    """An open transaction.  start_ns, execute_ns, commit_ns: what the engine took, our own hashing left out."""

    def __init__(self, driver: LocalDriver) -> None:
        self._driver = driver
        self.execute_ns = self.commit_ns = 0
        began = time.perf_counter_ns()
        self.id: str = driver.send("StartTransaction", {})["TransactionId"]
        self.start_ns = time.perf_counter_ns() - began
        self._digest = CommitDigest(self.id)

    def pages(self, statement: str, *parameters: IonValue) -> list[bytes]:
        """Execute a statement and fetch all its pages: every value as Ion binary."""
        members: dict[str, Any] = {"TransactionId": self.id, "Statement": statement}
        if parameters:
            members["Parameters"] = [{"IonBinary": dumps(value)} for value in parameters]
        self._digest.add(statement_digest(statement, [hash_value(value) for value in parameters]))
        began = time.perf_counter_ns()
        result = self._driver.ask("ExecuteStatement", members)
        page = result.members["FirstPage"]
        values: list[bytes] = list(page["Values"])
        while "NextPageToken" in page:
            fetch = {"TransactionId": self.id, "NextPageToken": page["NextPageToken"]}
            page = self._driver.send("FetchPage", fetch)["Page"]
            values.extend(page["Values"])
        self.execute_ns += time.perf_counter_ns() - began
        _finish(result)
        return values

    def execute(self, statement: str, *parameters: IonValue) -> list[IonValue]:
        """Do the same; return the answer decoded."""
        return [loads(value) for value in self.pages(statement, *parameters)]

    def commit(self) -> None:
        """Commit with the digest a driver would send."""
        members = {"TransactionId": self.id, "CommitDigest": self._digest.value}
        began = time.perf_counter_ns()
        result = self._driver.ask("CommitTransaction", members)
        self.commit_ns = time.perf_counter_ns() - began
        _finish(result)

    def abort(self) -> None:
        """Give the transaction up."""
        self._driver.send("AbortTransaction", {})


def _finish(result: CommandResult) -> None:
    """What a server does when it has sent the answer; a client does not wait for it, so it is not in the times."""
    if result.after_response is not None:
        result.after_response()
