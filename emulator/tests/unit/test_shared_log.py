"""Several servers with one log: the guarantees of the journal's interface (docs/design/011-journal-seam.md)."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.ledgers import busy_ledger, digest, redact
from helpers.local_driver import CONTEXT, REGION, LocalSession, new_ledger
from helpers.memory_log import FAULTS, Fault, Store
from helpers.postgres import Postgres, postgres
from helpers.postgres_log import PostgresStore

from qldb_emulator.clock import SystemClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger import committer
from qldb_emulator.engine.ledger.following import next_blocks
from qldb_emulator.engine.ledger.ledger import Ledger
from qldb_emulator.engine.workbench.snapshots import reset_ledgers
from qldb_emulator.errors import QldbError
from qldb_emulator.ids import RandomIds
from qldb_emulator.ion.codec import loads
from qldb_emulator.settings import Settings
from qldb_emulator.storage import StorageError
from qldb_emulator.verify.chain import JournalVerifier

CONFLICT = "OccConflictException"


@contextmanager
def servers(store: Store, count: int = 2, **settings: Any) -> Iterator[list[Emulator]]:
    """Emulators over one store, each with an empty cache."""
    with ExitStack() as stack:
        yield [stack.enter_context(server(store, **settings)) for _ in range(count)]


def server(store: Store, data_dir: Path | None = None, **settings: Any) -> Emulator:
    options = Settings(data_dir=data_dir, is_ephemeral=data_dir is None, **settings)
    return Emulator(options, SystemClock(), RandomIds(SystemClock()), logs=store.logs())


def ledger_of(emulator: Emulator) -> Ledger:
    ledger = emulator.ledgers.find(REGION, "cars")
    assert ledger is not None
    return ledger


def same_journal(*emulators: Emulator) -> bool:
    """Whether servers have the same digest and derived the same rows, and their journal verifies."""
    digests = {digest(emulator) for emulator in emulators}
    rows = [list(ledger_of(emulator).file.dump_derived()) for emulator in emulators]
    verifier = JournalVerifier()
    for _, ion in ledger_of(emulators[0]).file.blocks():
        verifier.add_value(loads(ion))
    return len(digests) == 1 and all(row == rows[0] for row in rows) and verifier.report().ok


@pytest.fixture(params=["memory", "PostgreSQL"])
def store(request: pytest.FixtureRequest) -> Store:
    """What the servers share: in memory, and in a real database whose answers are lost on demand."""
    if request.param == "memory":
        return Store()
    return PostgresStore(request.getfixturevalue("database").database("journal"))


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def pair(store: Store) -> Iterator[tuple[Emulator, Emulator]]:
    with servers(store) as (first, second):
        new_ledger(first).run("CREATE TABLE T")
        yield first, second


def test_what_one_server_answered_the_other_sees(pair: tuple[Emulator, Emulator]) -> None:
    first, second = (LocalSession(emulator, "cars") for emulator in pair)
    for number in range(5):
        first.run("INSERT INTO T ?", {"k": number})
        assert second.run("SELECT VALUE k FROM T") == list(range(number + 1))
    second.run("CREATE INDEX ON T (k)")
    assert first.run("SELECT VALUE t.k FROM T AS t WHERE t.k = 3") == [3]
    assert same_journal(*pair)


def test_a_transaction_of_one_server_conflicts_with_one_of_the_other(pair: tuple[Emulator, Emulator]) -> None:
    first, second = (LocalSession(emulator, "cars") for emulator in pair)
    first.run("INSERT INTO T ?", {"k": 1})
    slow = first.begin()
    slow.execute("UPDATE T SET k = 2")
    second.run("UPDATE T SET k = 3")
    with pytest.raises(QldbError) as refusal:
        slow.commit()
    assert refusal.value.shape == CONFLICT
    assert first.run("SELECT VALUE k FROM T") == [3]
    assert same_journal(*pair)


def test_transactions_of_two_servers_that_share_nothing_both_commit(pair: tuple[Emulator, Emulator]) -> None:
    first, second = (LocalSession(emulator, "cars") for emulator in pair)
    slow = first.begin()
    slow.execute("INSERT INTO T ?", {"k": 1})
    second.run("INSERT INTO T ?", {"k": 2})
    slow.commit()  # its slot was taken: it gets the next one
    assert sorted(second.run("SELECT VALUE k FROM T")) == [1, 2]
    assert same_journal(*pair)


def test_a_transaction_whose_statements_all_failed_is_validated_against_other_servers(
    pair: tuple[Emulator, Emulator],
) -> None:
    """It leaves no block, so no slot tells that another server's block came first."""
    first, second = (LocalSession(emulator, "cars") for emulator in pair)
    blind = first.begin()
    with pytest.raises(QldbError, match="No such"):
        blind.execute("SELECT * FROM Other")
    second.run("CREATE TABLE Other")
    with pytest.raises(QldbError) as refusal:
        blind.commit()
    assert refusal.value.shape == CONFLICT


def test_every_kind_of_transaction_folds_to_the_same_rows_on_a_server_that_comes_later(store: Store) -> None:
    with servers(store) as (first, second):
        busy_ledger(first)
        assert same_journal(first, second)
        redact(LocalSession(second, "cars"), "Car", 0)
        assert same_journal(first, second)


def test_a_redaction_erases_the_data_from_the_log_and_on_every_server(
    store: Store, pair: tuple[Emulator, Emulator]
) -> None:
    first, second = (LocalSession(emulator, "cars") for emulator in pair)
    first.run("INSERT INTO T ?", {"k": "secret-word"})
    first.run("UPDATE T SET k = 'open'")
    second.run("SELECT * FROM T")
    redact(first, "T", 0)
    assert all(b"secret-word" not in row.ion for row in store.rows())
    (row,) = second.run("SELECT * FROM history(T) AS h WHERE h.metadata.version = 0")
    assert "data" not in row
    assert all(b"secret-word" not in ion for _, ion in ledger_of(pair[1]).file.blocks())
    assert same_journal(*pair)


def test_a_transaction_that_only_read_leaves_its_block_in_the_log_before_it_is_answered(
    store: Store, pair: tuple[Emulator, Emulator]
) -> None:
    session = LocalSession(pair[0], "cars")
    before = len(store.rows())
    session.run("SELECT * FROM T")
    assert len(store.rows()) == before + 1
    assert not ledger_of(pair[0]).committer.has_deferred


def test_the_control_plane_of_one_server_is_that_of_the_other(store: Store, pair: tuple[Emulator, Emulator]) -> None:
    first, second = pair
    arn = f"arn:aws:qldb:{REGION}:123456789012:ledger/cars"
    first.call("TagResource", {"ResourceArn": arn, "Tags": {"a": "1"}}, CONTEXT)
    second.call("TagResource", {"ResourceArn": arn, "Tags": {"b": "2"}}, CONTEXT)
    for emulator in pair:
        assert emulator.call("ListTagsForResource", {"ResourceArn": arn}, CONTEXT) == {"Tags": {"a": "1", "b": "2"}}
    second.call("UpdateLedger", {"Name": "cars", "DeletionProtection": True}, CONTEXT)
    with pytest.raises(QldbError, match="DeletionProtection"):
        first.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
    second.call("UntagResource", {"ResourceArn": arn, "TagKeys": ["a"]}, CONTEXT)
    with server(store) as third:
        assert third.call("ListTagsForResource", {"ResourceArn": arn}, CONTEXT) == {"Tags": {"b": "2"}}


def test_a_ledger_that_one_server_deleted_is_gone_on_the_other(store: Store, pair: tuple[Emulator, Emulator]) -> None:
    first, second = pair
    session = LocalSession(second, "cars")
    first.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
    with pytest.raises(QldbError, match="is not found"):
        second.call("DescribeLedger", {"Name": "cars"}, CONTEXT)
    with pytest.raises(QldbError, match="No such session"):
        session.begin()
    new_ledger(second).run("CREATE TABLE Another")
    (name,) = LocalSession(first, "cars").run("SELECT VALUE name FROM information_schema.user_tables")
    assert name == "Another"
    assert same_journal(*pair)


def test_a_name_is_given_once(pair: tuple[Emulator, Emulator]) -> None:
    with pytest.raises(QldbError, match="already exists"):
        new_ledger(pair[1])


def test_a_follower_on_one_server_gets_the_blocks_of_the_other(pair: tuple[Emulator, Emulator]) -> None:
    first, second = pair
    ledger = ledger_of(second)
    tip = ledger.tip().sequence_no
    LocalSession(first, "cars").run("INSERT INTO T ?", {"k": 1})
    assert [number for number, _ in next_blocks(ledger, tip + 1, 10, threading.Event())] == [tip + 1]


def test_a_server_that_starts_again_goes_on_from_its_file(store: Store, tmp_path: Path) -> None:
    with server(store, tmp_path) as first:
        new_ledger(first).run("CREATE TABLE T")
    with server(store) as second:
        LocalSession(second, "cars").run("INSERT INTO T ?", {"k": 1})
        with server(store, tmp_path) as first:
            assert LocalSession(first, "cars").run("SELECT VALUE k FROM T") == [1]
            assert same_journal(first, second)


# --- Faults --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("times", [1, 3])
def test_a_fault_neither_loses_a_transaction_nor_commits_it_twice(
    store: Store, pair: tuple[Emulator, Emulator], fault: Fault, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "UNKNOWN_OUTCOME_PAUSE_SECONDS", 0.0)
    first, second = (LocalSession(emulator, "cars") for emulator in pair)
    store.next_faults = [fault] * times
    first.run("INSERT INTO T ?", {"k": 1})
    assert store.happened[fault] == times or fault in ("lost after", "late")  # these are seen to have taken place
    assert store.happened[fault] >= 1
    store.next_faults = []
    assert second.run("SELECT VALUE k FROM T") == [1]
    second.run("INSERT INTO T ?", {"k": 2})
    assert sorted(first.run("SELECT VALUE k FROM T")) == [1, 2]
    assert same_journal(*pair)


def test_a_lost_answer_and_a_conflict_meanwhile_end_in_one_of_both(
    store: Store, pair: tuple[Emulator, Emulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block was not written, and another server's took the slot: the transaction has to be validated again."""
    monkeypatch.setattr(committer, "UNKNOWN_OUTCOME_PAUSE_SECONDS", 0.0)
    first, second = (LocalSession(emulator, "cars") for emulator in pair)
    first.run("INSERT INTO T ?", {"k": 1})
    slow = first.begin()
    slow.execute("UPDATE T SET k = 2")
    pause = type(ledger_of(pair[0]).committer)._settles_after

    def meanwhile(self: Any, error: Any) -> bool:
        monkeypatch.setattr(committer.Committer, "_settles_after", pause)
        second.run("UPDATE T SET k = 3")
        return pause(self, error)

    monkeypatch.setattr(committer.Committer, "_settles_after", meanwhile)
    store.next_faults = ["lost before"]
    with pytest.raises(QldbError) as refusal:
        slow.commit()
    assert refusal.value.shape == CONFLICT
    assert first.run("SELECT VALUE k FROM T") == [3]


def test_an_outcome_that_stays_unknown_is_told_as_that(
    store: Store, pair: tuple[Emulator, Emulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "UNKNOWN_OUTCOME_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(committer, "UNKNOWN_OUTCOME_SECONDS", -1.0)
    session = LocalSession(pair[0], "cars")
    with failing_log(store, monkeypatch), pytest.raises(QldbError, match="not known whether the transaction was comm"):
        session.run("INSERT INTO T ?", {"k": 1})
    session.run("INSERT INTO T ?", {"k": 2})
    assert 2 in session.run("SELECT VALUE k FROM T")
    assert same_journal(*pair)


@contextmanager
def failing_log(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The answer to the next write is lost, and then the log does not answer any more."""
    write = store.write

    def failing(work: Any) -> None:
        store.next_faults = ["lost after"]
        try:
            write(work)
        finally:
            store.is_down = True

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", failing)
        yield
    store.is_down = False


def test_nothing_is_answered_while_the_log_does_not_say_what_became_of_a_write(
    store: Store, pair: tuple[Emulator, Emulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "UNKNOWN_OUTCOME_PAUSE_SECONDS", 0.01)
    session = LocalSession(pair[0], "cars")
    answered = threading.Event()

    transaction = session.begin()
    transaction.execute("INSERT INTO T ?", {"k": 1})
    with failing_log(store, monkeypatch):
        thread = threading.Thread(target=lambda: (transaction.commit(), answered.set()))
        thread.start()
        assert not answered.wait(0.2)
    assert answered.wait(20)
    thread.join()
    assert LocalSession(pair[1], "cars").run("SELECT VALUE k FROM T") == [1]


def test_a_log_that_does_not_answer_is_told_and_nothing_was_committed(
    store: Store, pair: tuple[Emulator, Emulator]
) -> None:
    session = LocalSession(pair[0], "cars")
    transaction = session.begin()
    transaction.execute("INSERT INTO T ?", {"k": 1})
    store.is_down = True
    with pytest.raises(QldbError, match="the log is down"):
        transaction.commit()
    with pytest.raises(QldbError, match="the log is down"):
        session.begin()
    store.is_down = False
    assert session.run("SELECT VALUE k FROM T") == []


def test_a_ledger_whose_first_block_fails_is_not_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "UNKNOWN_OUTCOME_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(committer, "UNKNOWN_OUTCOME_SECONDS", -1.0)
    with servers(store) as (first, second):
        store.next_faults = ["lost before"] * 3
        with pytest.raises(QldbError, match="The journal of ledger cars cannot be used"):
            new_ledger(first)
        store.next_faults = []
        assert store.journals == {}
        new_ledger(second).run("CREATE TABLE T")
        assert same_journal(first, second)


def test_a_log_that_lost_blocks_is_refused_in_words(store: Store, pair: tuple[Emulator, Emulator]) -> None:
    session = LocalSession(pair[0], "cars")
    session.run("INSERT INTO T ?", {"k": 1})
    store.cut(1)
    with pytest.raises(QldbError, match="The log does not hold block 2"):
        session.begin()
    with pytest.raises(QldbError, match="restored from a backup"):
        pair[0].call("GetDigest", {"Name": "cars"}, CONTEXT)
    for number in (2, 3):
        LocalSession(pair[1], "cars").run("INSERT INTO T ?", {"k": number})  # this server never had the block
        with pytest.raises(QldbError, match="The log does not hold block 2"):
            session.begin()


def test_a_disk_that_fails_after_the_log_took_the_block_does_not_undo_the_commit(
    pair: tuple[Emulator, Emulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (LocalSession(emulator, "cars") for emulator in pair)
    file: Any = ledger_of(pair[0]).file
    write = file.write

    @contextmanager
    def failing(sync: bool = True) -> Iterator[Any]:
        monkeypatch.setattr(file, "write", write)
        with write(sync=sync) as writer:
            yield writer
            raise StorageError("The disk said no")

    monkeypatch.setattr(file, "write", failing)
    first.run("INSERT INTO T ?", {"k": 1})
    assert first.run("SELECT VALUE k FROM T") == [1] == second.run("SELECT VALUE k FROM T")
    assert same_journal(*pair)


def test_facts_whose_local_commit_failed_are_read_again_from_the_log(
    pair: tuple[Emulator, Emulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_of(pair[0])
    file: Any = ledger.file
    write = file.write

    @contextmanager
    def failing(**options: Any) -> Iterator[Any]:
        monkeypatch.setattr(file, "write", write)
        with write(**options) as writer:
            yield writer
            raise StorageError("The disk said no")

    monkeypatch.setattr(file, "write", failing)
    with pytest.raises(QldbError, match="The disk said no"):
        pair[0].call("UpdateLedger", {"Name": "cars", "DeletionProtection": True}, CONTEXT)
    told = [emulator.call("DescribeLedger", {"Name": "cars"}, CONTEXT)["DeletionProtection"] for emulator in pair]
    assert told == [True, True]


def test_a_ledger_is_deleted_by_its_strand_so_that_a_new_one_of_its_name_stays(
    store: Store, pair: tuple[Emulator, Emulator]
) -> None:
    first, second = pair
    old = ledger_of(first)
    second.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
    new_ledger(second).run("CREATE TABLE New")
    first.ledgers.delete(old)  # it was late: another server has done so
    assert LocalSession(first, "cars").run("SELECT VALUE name FROM information_schema.user_tables") == ["New"]
    new = ledger_of(first)
    first.ledgers.delete(old)
    first.ledgers._forget(REGION, "cars", old)
    assert ledger_of(first) is new
    assert not new.is_closed


def test_opening_a_ledger_folds_nothing_and_the_first_request_folds_all(store: Store) -> None:
    """The register's lock is held meanwhile, and a long journal must not keep other ledgers from being opened."""
    with servers(store) as (first, second):
        busy_ledger(first)
        opened: list[int] = []
        second.ledgers.on_open = lambda ledger: opened.append(ledger.last_sequence_no)
        assert ledger_of(second).last_sequence_no == ledger_of(first).last_sequence_no
        assert opened == [-1]
        assert same_journal(first, second)


def test_listing_ledgers_folds_no_journal_and_shows_what_other_servers_changed(store: Store) -> None:
    with servers(store) as (first, second):
        busy_ledger(first)
        for _ in range(2):
            assert [row["Name"] for row in second.call("ListLedgers", {}, CONTEXT)["Ledgers"]] == ["cars"]
        (opened,) = second.ledgers.open_ledgers()
        assert opened.last_sequence_no == -1
        first.call("UpdateLedger", {"Name": "cars", "DeletionProtection": True}, CONTEXT)
        assert second.ledgers.in_region(REGION) == [opened]
        assert opened.facts.deletion_protection
        first.call("UpdateLedger", {"Name": "cars", "DeletionProtection": False}, CONTEXT)
        second.call("CreateLedger", {"Name": "more", "PermissionsMode": "ALLOW_ALL"}, CONTEXT)
        with pytest.raises(QldbError, match="already exists"):
            second.call("CreateLedger", {"Name": "cars", "PermissionsMode": "ALLOW_ALL"}, CONTEXT)
        assert opened.last_sequence_no == -1
        first.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
        assert [row["Name"] for row in second.call("ListLedgers", {}, CONTEXT)["Ledgers"]] == ["more"]


def test_a_reset_deletes_ledgers_that_this_server_has_no_file_of(store: Store) -> None:
    with servers(store) as (first, second):
        new_ledger(first)
        new_ledger(first, "more")
        assert reset_ledgers(second) == ["cars", "more"]
        assert first.call("ListLedgers", {}, CONTEXT)["Ledgers"] == []


# --- All of it at once ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("chance", [0.0, 0.3])
def test_counters_raised_by_many_servers_lose_nothing(
    seed: int, chance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every acknowledged increment counts once, on every server, and no server reads an older value afterwards."""
    monkeypatch.setattr(committer, "UNKNOWN_OUTCOME_PAUSE_SECONDS", 0.0)
    store = Store(chance=0.0, seed=seed)
    with servers(store, 3) as emulators:
        setup = new_ledger(emulators[0])
        setup.run("CREATE TABLE T")
        setup.run("CREATE INDEX ON T (id)")
        for number in (0, 1):
            setup.run("INSERT INTO T ?", {"id": number, "held": 0})
        store.chance = chance
        acknowledged = [0, 0]
        lock = threading.Lock()
        problems: list[BaseException] = []

        def work(number: int) -> None:
            choose = random.Random(seed * 100 + number)
            session = LocalSession(emulators[number % 3], "cars")
            try:
                for _ in range(15):
                    counter = choose.randrange(2)
                    with lock:
                        at_least = acknowledged[counter]
                    try:
                        transaction = session.begin()
                        (held,) = transaction.execute("SELECT VALUE t.held FROM T AS t WHERE t.id = ?", counter)
                        assert held >= at_least, "a server reads what was acknowledged before"
                        transaction.execute("UPDATE T SET held = ? WHERE id = ?", held + 1, counter)
                        transaction.commit()
                    except QldbError as error:
                        if error.shape != CONFLICT:
                            raise
                        continue
                    with lock:
                        acknowledged[counter] += 1
            except BaseException as problem:
                problems.append(problem)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert problems == []
        store.chance = 0.0
        for emulator in emulators:
            assert LocalSession(emulator, "cars").run("SELECT VALUE held FROM T") == acknowledged
        assert sum(acknowledged) > 0
        assert same_journal(*emulators)
        if chance:
            assert set(store.happened) >= set(FAULTS)
