"""Blocks of transactions that only read are written after the answer: no client can tell, and nothing is missing."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import Any

import pytest
from helpers.ledgers import busy_ledger
from helpers.local_driver import CONTEXT, REGION, LocalSession, new_emulator, new_ledger

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger.committer import DEFERRED_MAX
from qldb_emulator.engine.ledger.following import next_blocks
from qldb_emulator.engine.ledger.ledger import Ledger
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import loads
from qldb_emulator.settings import Settings
from qldb_emulator.storage.errors import StorageError
from qldb_emulator.verify.chain import JournalVerifier
from qldb_emulator.web.app import create_app

SELECT = "SELECT * FROM T WHERE k = 1"


@pytest.fixture
def session(emulator: Emulator) -> LocalSession:
    session = new_ledger(emulator)
    session.run("CREATE TABLE T")
    session.run("INSERT INTO T ?", {"k": 1})
    return session


def ledger_of(emulator: Emulator) -> Ledger:
    ledger = emulator.ledgers.find(REGION, "cars")
    assert ledger is not None
    return ledger


def in_file(ledger: Ledger) -> int:
    """Return how many blocks are in the file now; a look that moves nothing."""
    tip = ledger.documents.tip()
    assert tip is not None
    return tip.sequence_no + 1


def read(session: LocalSession) -> Callable[[], None]:
    """Run a transaction that only reads; return what is to be done after the response to its commit."""
    transaction = session.begin()
    transaction.execute(SELECT)
    after_response = transaction.commit_raw().after_response
    assert after_response is not None
    return after_response


def test_a_reader_takes_its_place_at_the_commit_and_is_written_afterwards(
    emulator: Emulator, session: LocalSession
) -> None:
    ledger = ledger_of(emulator)
    before = in_file(ledger)
    after_response = read(session)
    assert (ledger.tip().sequence_no, in_file(ledger)) == (before, before)
    after_response()
    assert in_file(ledger) == before + 1
    assert not ledger.committer.has_deferred
    after_response()  # a second time does nothing
    assert in_file(ledger) == before + 1


def test_a_writer_has_nothing_to_do_afterwards(session: LocalSession) -> None:
    transaction = session.begin()
    transaction.execute("INSERT INTO T ?", {"k": 2})
    assert transaction.commit_raw().after_response is None


def digest(emulator: Emulator) -> None:
    tip = emulator.call("GetDigest", {"Name": "cars"}, CONTEXT)["DigestTipAddress"]
    emulator.call("GetBlock", {"Name": "cars", "BlockAddress": tip, "DigestTipAddress": tip}, CONTEXT)


def write(emulator: Emulator) -> None:
    LocalSession(emulator, "cars").run("INSERT INTO T ?", {"k": 3})


def ask_file(emulator: Emulator) -> None:
    ledger_of(emulator).file.tip()


def follow(emulator: Emulator) -> None:
    ledger = ledger_of(emulator)
    tip = ledger.tip().sequence_no
    assert [number for number, _ in next_blocks(ledger, tip, 1, threading.Event())] == [tip]


def rebuild(emulator: Emulator) -> None:
    ledger_of(emulator).rebuild()


@pytest.mark.parametrize("look", [digest, write, ask_file, follow, rebuild], ids=lambda look: look.__name__)
def test_every_reader_of_the_journal_finds_every_block(
    emulator: Emulator, session: LocalSession, look: Callable[[Emulator], None]
) -> None:
    ledger = ledger_of(emulator)
    for _ in range(3):
        read(session)
    look(emulator)
    assert in_file(ledger) == ledger.tip().sequence_no + 1
    assert audit_of(ledger)


def audit_of(ledger: Ledger) -> bool:
    """Whether the blocks in the file verify."""
    verifier = JournalVerifier()
    for _, ion in ledger.documents.blocks():
        verifier.add_value(loads(ion))
    return verifier.report().ok


def test_the_journal_is_the_same_whenever_its_blocks_are_written() -> None:
    journals = []
    for at_once in (True, False):
        with new_emulator() as emulator:
            session = busy_ledger(emulator)
            for number in range(5):
                transaction = session.begin()
                transaction.execute("SELECT * FROM Car")
                after_response = transaction.commit_raw().after_response
                if at_once:
                    assert after_response is not None
                    after_response()
                if number == 3:
                    session.run("INSERT INTO Car {'vin': 'Z9'}")
            journals.append(list(ledger_of(emulator).file.blocks()))
    assert journals[0] == journals[1]


def test_closing_writes_deferred_blocks(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with Emulator(settings) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        read(session)
        tip = ledger_of(emulator).tip()
    with Emulator(settings) as emulator:
        assert ledger_of(emulator).tip() == tip


@contextmanager
def failing_disk(ledger: Ledger) -> Iterator[None]:
    file: Any = ledger.documents
    write = file.write

    def refuse(**_: object) -> None:
        raise StorageError("The disk said no")

    file.write = refuse
    try:
        yield
    finally:
        file.write = write


def test_a_disk_that_fails_stops_readers_before_they_fill_the_memory(emulator: Emulator, session: LocalSession) -> None:
    ledger = ledger_of(emulator)
    with failing_disk(ledger):
        for _ in range(DEFERRED_MAX):
            read(session)()  # says so in the log, and raises nothing
        with pytest.raises(QldbError, match="The disk said no"):
            read(session)
        with pytest.raises(QldbError, match="The disk said no"):
            emulator.call("GetDigest", {"Name": "cars"}, CONTEXT)
    session.run("INSERT INTO T ?", {"k": 4})
    assert in_file(ledger) == ledger.tip().sequence_no + 1
    assert audit_of(ledger)


def test_any_server_of_the_app_does_it_when_it_closes_the_answer(emulator: Emulator, session: LocalSession) -> None:
    ledger = ledger_of(emulator)
    app = create_app(emulator)
    transaction = session.begin()
    transaction.execute(SELECT)
    members = {"TransactionId": transaction.id, "CommitDigest": b64encode(transaction.digest.value).decode()}
    body = dumps({"SessionToken": session.token, "CommitTransaction": members})
    response = app.test_client().post("/", data=body, headers={"X-Amz-Target": "QLDBSession.SendCommand"})
    assert response.status_code == 200
    assert ledger.committer.has_deferred
    response.close()
    assert not ledger.committer.has_deferred
