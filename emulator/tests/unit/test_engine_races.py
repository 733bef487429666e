"""Ledgers deleted under requests, unwritable files, many requests on one session: clear errors, nothing broken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from helpers.local_driver import CONTEXT, LocalSession, LocalTransaction, new_ledger

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.settings import Settings
from qldb_emulator.storage.errors import StorageError


@pytest.fixture
def session(emulator: Emulator) -> LocalSession:
    session = new_ledger(emulator)
    session.run("CREATE TABLE T")
    session.run("CREATE INDEX ON T (k)")
    return session


def refusal(call: Callable[..., object], *arguments: object) -> tuple[str, str]:
    with pytest.raises(QldbError) as error:
        call(*arguments)
    return error.value.shape, error.value.message


def in_threads(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """Run work(0) ... work(count - 1) at the same time; what was raised."""
    raised: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def kinds(raised: list[BaseException]) -> set[tuple[str, str]]:
    return {(e.shape, e.message[:24]) if isinstance(e, QldbError) else (type(e).__name__, str(e)) for e in raised}


NO_SESSION = ("InvalidSessionException", "No such session")
NO_LEDGER = ("BadRequestException", "The Ledger with name cars"[:24])
CONFLICT = ("OccConflictException", "Optimistic concurrency c")


@pytest.mark.parametrize("ending", ["delete", "close"])
def test_a_ledger_may_go_away_under_its_users(emulator: Emulator, session: LocalSession, ending: str) -> None:
    for k in range(40):
        session.run("INSERT INTO T ?", {"k": k})
    ready = threading.Barrier(7)

    def work(number: int) -> None:
        own = LocalSession(emulator, "cars")
        ready.wait(10)
        if number == 6:
            if ending == "delete":
                emulator.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
            else:
                emulator.close()
            return
        for n in range(10_000):
            match number % 3:
                case 0:
                    own.run("INSERT INTO T ?", {"k": n})
                case 1:
                    own.run("SELECT COUNT(*) FROM T WHERE k = ?", n % 40)
                case _:
                    LocalSession(emulator, "cars").run("SELECT * FROM T")

    raised = in_threads(7, work)
    assert len(raised) == 6
    assert kinds(raised) <= {NO_SESSION, NO_LEDGER, CONFLICT}


def test_a_closed_emulator_has_no_ledgers(emulator: Emulator, session: LocalSession) -> None:
    emulator.close()
    assert refusal(session.begin) == NO_SESSION
    shape, text = refusal(LocalSession, emulator, "cars")
    assert (shape, text[:24]) == NO_LEDGER
    assert refusal(emulator.call, "DescribeLedger", {"Name": "cars"}, CONTEXT)[0] == "ResourceNotFoundException"
    assert emulator.call("ListLedgers", {}, CONTEXT)["Ledgers"] == []


def test_a_ledger_deleted_while_it_is_asked_is_not_found(emulator: Emulator, session: LocalSession) -> None:
    ready = threading.Barrier(4)

    def work(number: int) -> None:
        ready.wait(10)
        if number == 3:
            emulator.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
            return
        while True:
            emulator.call("GetDigest", {"Name": "cars"}, CONTEXT)

    raised = in_threads(4, work)
    assert kinds(raised) == {("ResourceNotFoundException", "The Ledger with name cars"[:24])}


def test_a_deleted_ledgers_name_can_be_used_at_once(emulator: Emulator, session: LocalSession) -> None:
    for _ in range(5):
        open_one = session.begin()
        open_one.execute("SELECT * FROM T")
        emulator.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        assert refusal(open_one.commit) == NO_SESSION


# --- files that fail -------------------------------------------------------------------------------------------


def test_a_full_disk_fails_the_commit_and_leaves_the_ledger_usable(emulator: Emulator, session: LocalSession) -> None:
    ledger = emulator.ledgers.find("us-east-1", "cars")
    assert ledger is not None
    connection: Any = ledger.file._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    before = emulator.call("GetDigest", {"Name": "cars"}, CONTEXT)
    connection.execute(f"PRAGMA max_page_count = {pages}")
    transaction = session.begin()
    transaction.execute("INSERT INTO T ?", {"k": 1, "text": "x" * 50_000})
    shape, text = refusal(transaction.commit)
    assert (shape, text.endswith("database or disk is full")) == ("LedgerFileUnusableException", True)
    assert emulator.call("GetDigest", {"Name": "cars"}, CONTEXT) == before
    assert session.run("SELECT * FROM T WHERE k = 1") == []

    connection.execute("PRAGMA max_page_count = 1000000")
    session.run("INSERT INTO T ?", {"k": 2})
    assert session.run("SELECT VALUE k FROM T") == [2]
    ledger.rebuild()
    assert session.run("SELECT VALUE k FROM T") == [2]


def test_a_commit_that_failed_when_it_had_happened_is_taken_as_it_is(emulator: Emulator, session: LocalSession) -> None:
    ledger = emulator.ledgers.find("us-east-1", "cars")
    assert ledger is not None
    write = ledger.file.write

    @contextmanager
    def failing(sync: bool = True) -> Iterator[Any]:
        with write(sync=sync) as writer:
            yield writer
        raise StorageError("The disk said no after all")

    reader = LocalSession(emulator, "cars").begin()
    reader.execute("SELECT * FROM T")
    ledger.file.write = failing  # type: ignore[method-assign, assignment]
    transaction = session.begin()
    transaction.execute("INSERT INTO T ?", {"k": 1})
    assert refusal(transaction.commit) == (
        "LedgerFileUnusableException",
        "The file of ledger cars cannot be used: The disk said no after all",
    )
    ledger.file.write = write  # type: ignore[method-assign]
    assert refusal(reader.commit)[0] == "OccConflictException"
    session.run("INSERT INTO T ?", {"k": 2})
    assert session.run("SELECT VALUE k FROM T") == [1, 2]


def test_a_tree_with_a_hole_fails_what_needs_it_and_nothing_else(emulator: Emulator, session: LocalSession) -> None:
    for k in range(5):
        session.run("INSERT INTO T ?", {"k": k})
    ledger = emulator.ledgers.find("us-east-1", "cars")
    assert ledger is not None
    connection: Any = ledger.file._connection
    connection.execute("DELETE FROM merkle_node WHERE level = 3")
    shape, text = refusal(emulator.call, "GetDigest", {"Name": "cars"}, CONTEXT)
    assert shape == "LedgerFileUnusableException"
    assert "the Merkle node at level 3, index 0 is missing" in text
    session.run("INSERT INTO T ?", {"k": 5})
    assert len(session.run("SELECT * FROM T")) == 6


def test_a_ledger_whose_next_block_has_no_place_in_its_tree_is_not_opened(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with Emulator(settings) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        session.run("INSERT INTO T {'k': 1}")
        ledger = emulator.ledgers.find("us-east-1", "cars")
        assert ledger is not None
        connection: Any = ledger.file._connection
        connection.execute("DELETE FROM merkle_node")
    with Emulator(settings) as emulator:
        describe = partial(emulator.call, "DescribeLedger", {"Name": "cars"}, CONTEXT)
        for call in (describe, partial(LocalSession, emulator, "cars"), describe):
            shape, text = refusal(call)
            assert shape == "LedgerFileUnusableException"
            assert "is damaged: the Merkle node at level 1, index 0 is missing" in text


# --- one session, many requests --------------------------------------------------------------------------------


def test_requests_of_one_session_take_turns(session: LocalSession) -> None:
    for start in range(0, 400, 40):
        session.run("INSERT INTO T ?", [{"k": k} for k in range(start, start + 40)])
    transaction = session.begin()
    cursors = [transaction.execute_raw("SELECT VALUE k FROM T")["FirstPage"] for _ in range(4)]
    counts = [0] * 4

    def work(number: int) -> None:
        if number < 4:  # fetches pages, as read-ahead does
            page = cursors[number]
            while True:
                counts[number] += len(page["Values"])
                if page.get("NextPageToken") is None:
                    return
                members = {"TransactionId": transaction.id, "NextPageToken": page["NextPageToken"]}
                page = session.send("FetchPage", **members)["Page"]
        transaction.execute("SELECT VALUE k FROM T WHERE k = ?", number)

    # The client's own digest is no part of this: statements arrive in any order.
    assert in_threads(12, work) == []
    assert counts == [400] * 4


def test_one_of_many_commits_of_one_transaction_succeeds(session: LocalSession) -> None:
    transaction = session.begin()
    transaction.execute("INSERT INTO T ?", {"k": 1})
    raised = in_threads(8, lambda _: transaction.commit() and None)
    assert kinds(raised) == {("BadRequestException", "No open transaction")}
    assert len(raised) == 7
    assert session.run("SELECT VALUE k FROM T") == [1]


def test_a_session_that_ended_while_a_request_waited_holds_no_transaction(
    emulator: Emulator, session: LocalSession
) -> None:
    ledger = emulator.ledgers.find("us-east-1", "cars")
    assert ledger is not None
    for _ in range(30):
        own = LocalSession(emulator, "cars")

        def work(number: int, own: LocalSession = own) -> None:
            own.send("EndSession" if number == 2 else "StartTransaction")

        assert kinds(in_threads(4, work)) <= {NO_SESSION, ("BadRequestException", "Transaction already open")}
        assert ledger.writes.open_count() == 0


def test_writers_of_one_key_lose_no_update(emulator: Emulator, session: LocalSession) -> None:
    session.run("INSERT INTO T ?", {"k": 1, "n": 0})
    won: list[int] = []

    def work(_: int) -> None:
        own = LocalSession(emulator, "cars")

        def bump(transaction: LocalTransaction) -> None:
            (n,) = transaction.execute("SELECT VALUE n FROM T WHERE k = 1")
            transaction.execute("UPDATE T SET n = ? WHERE k = 1", n + 1)

        for _ in range(25):
            try:
                own.execute(bump)
            except QldbError as error:
                if error.shape != "OccConflictException":
                    raise
            else:
                won.append(1)

    assert in_threads(6, work) == []
    assert session.run("SELECT VALUE n FROM T") == [len(won)]
    assert len(won) > 25
