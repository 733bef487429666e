"""Traces a request through the source: which files it enters, and how often it switches between them.

``python -m benchmarks.way`` traces two requests in one process: a SELECT by index, and the commit of one INSERT.  The
same requests have run before, so every cache is warm.  A file is *entered* when a function of it is called.  A *switch*
is a call or a return that goes on in another file than the one before.  The fewer of both, the fewer files a reader of
the code has to keep open.

engine: from ``Emulator.send_command`` on.  request: from the gateway on, which has the bytes of the request.
own: the switches that begin or end in a file of the engine; the others are the rooms below it.
"""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import qldb_emulator
from qldb_emulator.context import RequestContext
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import dumps
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.journal.hashing import CommitDigest, statement_digest
from qldb_emulator.settings import Settings
from qldb_emulator.web.gateway import Gateway
from qldb_emulator.web.http1 import Request

PACKAGE = Path(qldb_emulator.__file__).parent
CONTEXT = RequestContext("us-east-1", None, "4SnOdtcgpur5MmhXFEV3iE")
SELECT = "SELECT * FROM T WHERE k = ?"
INSERT = "INSERT INTO T ?"


class Way:
    """What a profiler saw: the files of the package, in the order in which control came to them."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    @contextmanager
    def traced(self) -> Iterator[None]:
        """Watch what happens inside the block."""
        sys.setprofile(self._see)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        if event not in ("call", "return"):
            return
        running = frame if event == "call" else frame.f_back
        name = "" if running is None else running.f_code.co_filename
        if name.startswith(str(PACKAGE)):
            file = str(Path(name).relative_to(PACKAGE))
            if not self.steps or self.steps[-1] != file:
                self.steps.append(file)

    @property
    def files(self) -> list[str]:
        """Each file once, in the order of its first turn."""
        return list(dict.fromkeys(self.steps))

    @property
    def switches(self) -> int:
        """How often control went from one file to another."""
        return max(len(self.steps) - 1, 0)

    @property
    def own_switches(self) -> int:
        """The switches that begin or end in a file of the engine."""
        pairs = zip(self.steps, self.steps[1:], strict=False)
        return sum(any(step.startswith("engine/") for step in pair) for pair in pairs)


class Client:
    """Plays a driver, by calls into the engine or by request bodies through the gateway."""

    def __init__(self, emulator: Emulator, through_gateway: bool) -> None:
        self._emulator = emulator
        self._gateway = Gateway(emulator) if through_gateway else None
        result = emulator.send_command("StartSession", None, {"LedgerName": "cars"}, CONTEXT)
        self.token: str = result.members["SessionToken"]

    def start(self) -> str:
        """StartTransaction; the transaction's id."""
        result = self._emulator.send_command("StartTransaction", self.token, {}, CONTEXT)
        id_: str = result.members["TransactionId"]
        return id_

    def request(self, command: str, **members: Any) -> Callable[[], Any]:
        """Return a request, ready to be sent."""
        if self._gateway is None:
            return lambda: self._emulator.send_command(command, self.token, members, CONTEXT)
        body = json.dumps({"SessionToken": self.token, command: members}, default=_base64).encode()
        request = Request("POST", "/", "/", "", False, {}, None, body)
        gateway = self._gateway
        return lambda: gateway.send_command(request)

    def select(self) -> Way:
        """Run a transaction with the SELECT; return the way of its ExecuteStatement."""
        transaction = self.start()
        way = self._execute(transaction, SELECT, 1)
        self._commit(transaction, SELECT, 1)
        ledger = self._emulator.ledgers.find("us-east-1", "cars")
        assert ledger is not None
        ledger.file.tip()  # writes the block of this transaction, so that no later commit has to
        return way

    def insert(self, key: int) -> Way:
        """Run a transaction with the INSERT; return the way of its CommitTransaction."""
        transaction = self.start()
        self._execute(transaction, INSERT, {"k": key, "name": "Ada"})
        return self._commit(transaction, INSERT, {"k": key, "name": "Ada"})

    def _execute(self, transaction: str, text: str, parameter: Any) -> Way:
        holders = [{"IonBinary": dumps(parameter)}]
        send = self.request("ExecuteStatement", TransactionId=transaction, Statement=text, Parameters=holders)
        return _followed(send)

    def _commit(self, transaction: str, text: str, parameter: Any) -> Way:
        digest = CommitDigest(transaction)
        digest.add(statement_digest(text, [hash_value(parameter)]))
        return _followed(self.request("CommitTransaction", TransactionId=transaction, CommitDigest=digest.value))


def _followed(send: Callable[[], Any]) -> Way:
    way = Way()
    with way.traced():
        send()
    return way


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def ways() -> Iterator[tuple[str, Way]]:
    """Yield (name, way) of every traced request."""
    with Emulator(Settings(is_ephemeral=True)) as emulator:
        emulator.call(
            "CreateLedger", {"Name": "cars", "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False}, CONTEXT
        )
        setup = Client(emulator, through_gateway=False)
        for text in ("CREATE TABLE T", "CREATE INDEX ON T (k)"):
            transaction = setup.start()
            digest = CommitDigest(transaction)
            digest.add(statement_digest(text, []))
            for command, members in (
                ("ExecuteStatement", {"TransactionId": transaction, "Statement": text}),
                ("CommitTransaction", {"TransactionId": transaction, "CommitDigest": digest.value}),
            ):
                emulator.send_command(command, setup.token, members, CONTEXT)
        for name, through_gateway in (("engine", False), ("request", True)):
            client = Client(emulator, through_gateway)
            for key in (1, 2, 3):
                insertion, selection = client.insert(key), client.select()
            yield f"{name}: SELECT by index", selection
            yield f"{name}: commit of an INSERT", insertion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", action="store_true", help="list every step, not only the files")
    arguments = parser.parse_args()
    for name, way in ways():
        print(f"{name}: {len(way.files)} files, {way.switches} switches, {way.own_switches} own")
        for file in way.steps if arguments.steps else way.files:
            print(f"    {file}")


if __name__ == "__main__":
    main()
