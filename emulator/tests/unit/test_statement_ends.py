"""No statement runs for ever or fills the memory: each ends with its transaction, session, ledger or client."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from helpers.local_driver import CONTEXT, LocalSession, new_ledger

from qldb_emulator.budget import Budget, enter, leave
from qldb_emulator.context import RequestContext
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import ClientGone, QldbError
from qldb_emulator.ion.codec import IonError, dumps, loads
from qldb_emulator.limits import MIB, STRICT
from qldb_emulator.partiql.execution import dml
from qldb_emulator.partiql.language.like import like_matcher
from qldb_emulator.partiql.planning.catalogue import Catalogue
from qldb_emulator.partiql.prepare import StatementCache
from qldb_emulator.partiql.syntax.ast import FieldStep
from qldb_emulator.partiql.syntax.parser import parse
from qldb_emulator.settings import Settings
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server

LIMIT_SECONDS = 0.3
# How much later than its limit a statement may end: looks are frequent, but the machine may be busy.
GRACE_SECONDS = 15.0  # far below for ever, far above what a busy machine adds
SMALL_BYTES = 4 * MIB


def _names(count: int, item: str = "[1,2]") -> str:
    return ", ".join(f"{item} AS x{number}" for number in range(count))


def _doubling(count: int, brackets: str = "[]", name: str = "x") -> str:
    """Sources of which each holds the one before twice: a value of 2 to the power of count parts."""
    left, right = brackets[: len(brackets) // 2], brackets[len(brackets) // 2 :]
    pairs = [f"[{left}{name}{n - 1},{name}{n - 1}{right}] AS {name}{n}" for n in range(1, count)]
    return ", ".join([f"[1] AS {name}0", *pairs])


LONG = "a" * 120_000
NEVER_ENDING: dict[str, tuple[Any, ...]] = {
    "a cross join": (f"SELECT VALUE 1 FROM {_names(60)} WHERE x0=3 AND x59=x58",),
    "a cross join that is counted": (f"SELECT COUNT(1) FROM {_names(60)}",),
    "a cross join of a table": (f"SELECT VALUE 1 FROM {', '.join(f'T AS t{n}' for n in range(20))} WHERE t0.n = -1",),
    "a subquery for every row": (
        f"SELECT VALUE 1 FROM {_names(20)} WHERE (SELECT VALUE 1 FROM [1,2] AS z WHERE z=5) = 1",
    ),
    "a history": (f"SELECT VALUE 1 FROM {', '.join(f'history(T) AS t{n}' for n in range(20))} WHERE t0.hash = 1",),
    "an unpivoted join": (
        "SELECT VALUE 1 FROM ? AS z, UNPIVOT z AS a AT b, UNPIVOT z AS c AT d, UNPIVOT z AS e AT f WHERE a=2",
        {f"f{n}": 1 for n in range(5_000)},
    ),
    "an UPDATE": (f"FROM T AS t, {_names(60)} SET t.a = 1",),
    "a value compared": (f"SELECT VALUE x40 = y40 FROM {_doubling(41)}, {_doubling(41, name='y')}",),
    "a bag compared": (f"SELECT VALUE x40 = y40 FROM {_doubling(41, '<<>>')}, {_doubling(41, '<<>>', 'y')}",),
    "a wildcard in any case": (
        f"SELECT {','.join(['x.Q'] * 3_000)} FROM <<?>> AS x",
        {f"f{n}": 1 for n in range(14_000)},
    ),
    "IN a long list": (
        "SELECT VALUE 1 FROM ? AS a, ? AS b WHERE [a] IN ?",
        *[list(range(20_000))] * 3,
    ),
    "LIKE a long pattern": ("SELECT VALUE x LIKE ? FROM <<?>> AS x", f"%{'a_' * 50_000}b%", "a" * 130_000),
}
TOO_LARGE: dict[str, tuple[Any, ...]] = {
    "a subquery's rows": (f"SELECT VALUE (SELECT VALUE 1 FROM {_names(60)}) FROM [1] AS y",),
    "a text": (f"SELECT VALUE {'||'.join(['x'] * 19_000)} FROM <<?>> AS x", LONG),
    "a text of texts": (
        f"SELECT VALUE {'||'.join(['y'] * 9_000)} FROM (SELECT VALUE {'||'.join(['x'] * 9_000)} FROM <<?>> AS x) AS y",
        "abc" * 10,
    ),
    "a row": (f"SELECT {','.join(['x'] * 19_000)} FROM <<?>> AS x", LONG),
    "casts": (f"SELECT {','.join(['CAST(x AS symbol)'] * 4_000)} FROM <<?>> AS x", LONG),
    "functions": (f"SELECT {','.join(['upper(x)'] * 9_000)} FROM <<?>> AS x", LONG),
    "a value of itself, written": (f"SELECT VALUE x60 FROM {_doubling(61)}",),
    "a bag of itself, written": (f"SELECT VALUE x60 FROM {_doubling(61, '<<>>')}",),
    "distinct values": (f"SELECT COUNT(DISTINCT [{', '.join(f'x{n}' for n in range(17))}]) FROM {_names(17)}",),
}
TOO_DEEP = ", ".join(f"[{'[' * 60}x{n - 1}{']' * 60}] AS x{n}" for n in range(1, 91))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    limits = replace(STRICT, transaction_seconds=LIMIT_SECONDS, statement_memory_bytes=64 * MIB)
    with Emulator(Settings(is_ephemeral=True, limits=limits)) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        session.run("INSERT INTO T << {'n': 1}, {'n': 2}, {'n': 3} >>")
        yield emulator


@pytest.fixture
def patient() -> Iterator[Emulator]:
    """One whose transactions last long enough to be ended in another way."""
    with Emulator(Settings(is_ephemeral=True, limits=replace(STRICT, statement_memory_bytes=SMALL_BYTES))) as emulator:
        new_ledger(emulator).run("CREATE TABLE T")
        yield emulator


def _fails(work: Callable[[], Any]) -> QldbError:
    with pytest.raises(QldbError) as caught:
        work()
    return caught.value


@pytest.mark.parametrize("statement", NEVER_ENDING.values(), ids=NEVER_ENDING)
def test_a_statement_ends_with_its_transaction(emulator, statement):
    transaction = LocalSession(emulator, "cars").begin()
    started = time.monotonic()
    error = _fails(lambda: transaction.execute(*statement))
    assert time.monotonic() - started < LIMIT_SECONDS + GRACE_SECONDS
    assert (error.shape, error.message) == ("InvalidSessionException", f"Transaction {transaction.id} has expired")


@pytest.mark.parametrize("statement", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_statement_that_would_fill_the_memory_is_refused(patient, statement):
    error = _fails(lambda: LocalSession(patient, "cars").begin().execute(*statement))
    text = f"The statement needs more than {SMALL_BYTES} bytes of memory for its intermediate results"
    assert (error.shape, error.message) == ("BadRequestException", text)


@pytest.mark.parametrize("query", ["VALUE x90", "MAX(x90)", "VALUE x90 = x89", "COUNT(DISTINCT x90)"])
def test_values_nested_without_end_are_an_error_and_no_failure_of_ours(patient, query):
    error = _fails(lambda: LocalSession(patient, "cars").begin().execute(f"SELECT {query} FROM [1] AS x0, {TOO_DEEP}"))
    assert (error.shape, "nested too deeply" in error.message) == ("BadRequestException", True)


def test_what_a_row_was_made_of_does_not_count_for_the_next(patient):
    rows = LocalSession(patient, "cars").run(
        "SELECT VALUE (SELECT COUNT(x) FROM ? AS x) FROM ? AS y WHERE (SELECT COUNT(x) FROM ? AS x) = 1 OR y > 0",
        list(range(1_000)),
        list(range(1, 1_001)),
        list(range(10)),
    )
    assert len(rows) == 1_000


def test_what_an_exists_asks_for_is_not_kept(patient):
    rows = LocalSession(patient, "cars").run(
        "SELECT VALUE y FROM ? AS y WHERE EXISTS(SELECT VALUE x||x FROM <<?, ?>> AS x)", list(range(100)), LONG, LONG
    )
    assert len(rows) == 100


def test_a_limit_of_memory_is_only_met_by_what_is_large(patient):
    text = LocalSession(patient, "cars").run("SELECT VALUE x||x||x||x FROM <<?>> AS x", LONG)
    assert text == [LONG * 4]


# --- Ended by others --------------------------------------------------------------------------------------------------


def _run_until_ended(session: LocalSession, end: Callable[[], Any]) -> BaseException:
    """Return what a statement without end answers when something else ends it."""
    transaction, answers = session.begin(), []

    def run() -> None:
        try:
            transaction.execute(*NEVER_ENDING["a cross join"])
        except Exception as error:
            answers.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.1)
    assert thread.is_alive()
    end()
    thread.join(GRACE_SECONDS)
    assert not thread.is_alive()
    return answers[0]


@pytest.mark.parametrize("command", ["AbortTransaction", "EndSession"])
def test_an_abort_or_the_end_of_its_session_ends_it(patient, command):
    session = LocalSession(patient, "cars")
    error = _run_until_ended(session, lambda: session.send(command))
    assert (error.shape, error.message) == ("BadRequestException", "No open transaction")


def test_the_deletion_of_its_ledger_ends_it(patient):
    error = _run_until_ended(
        LocalSession(patient, "cars"), lambda: patient.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
    )
    assert (error.shape, error.message) == ("InvalidSessionException", "No such session")


def test_the_end_of_the_emulator_ends_it(patient):
    error = _run_until_ended(LocalSession(patient, "cars"), patient.close)
    assert error.message == "No such session"


def test_it_ends_when_its_client_is_gone_and_the_transaction_stays(patient):
    gone: list[bool] = []
    context = RequestContext(CONTEXT.region, None, CONTEXT.request_id, None, lambda: bool(gone))
    session = LocalSession(patient, "cars", context)
    assert isinstance(_run_until_ended(session, lambda: gone.append(True)), ClientGone)
    gone.clear()
    assert _fails(lambda: session.send("StartTransaction")).message == "Transaction already open"


def test_a_manual_clock_that_stands_still_does_not_keep_a_statement(emulator):
    emulator.ledgers.find("us-east-1", "cars").clock = _Frozen()
    transaction = LocalSession(emulator, "cars").begin()
    assert "has expired" in _fails(lambda: transaction.execute(*NEVER_ENDING["a cross join"])).message


class _Frozen:
    def now_ms(self) -> int:
        return 1_600_000_000_000

    def monotonic(self) -> float:
        return 5.0


# --- Places, the cache, numbers --------------------------------------------------------------------------------------


def test_the_place_of_an_expired_transaction_is_free():
    limits = replace(STRICT, transaction_seconds=0.05, sessions_per_ledger=5)
    with Emulator(Settings(is_ephemeral=True, limits=limits)) as emulator:
        sessions = [new_ledger(emulator)] + [LocalSession(emulator, "cars") for _ in range(5)]
        abandoned = [session.begin() for session in sessions[:5]]
        assert _fails(sessions[5].begin).shape == "LimitExceededException"
        time.sleep(0.1)
        sessions[5].begin()
        assert _fails(abandoned[0].commit).message == f"Transaction {abandoned[0].id} has expired"


def test_the_statement_cache_is_bounded_in_bytes():
    cache, catalogue = StatementCache(), Catalogue()
    texts = [f"SELECT {','.join(['x.a'] * 900)} FROM <<{number}>> AS x" for number in range(13)]
    programs = [cache.prepare(text, catalogue, 200) for text in texts]
    assert sum(map(cache.size_of, cache._prepared)) == cache._bytes <= StatementCache.MAX_BYTES
    assert cache.prepare(texts[-1], catalogue, 200) is programs[-1]
    assert cache.prepare(texts[0], catalogue, 200) is not programs[0]


def test_a_number_of_a_million_digits_is_refused_and_of_a_document_s_size_is_read():
    for text in ("9" * 1_000_000, "-" + "9" * 1_000_000, "1." + "0" * 1_000_000, "0x" + "f" * 1_000_000):
        with pytest.raises(IonError, match="a number of more than 315653 characters"):
            loads(text)
    assert loads("1" + "0" * 315_000) == 10**315_000


def test_like_finds_in_a_long_run_what_it_finds_in_a_short_one():
    pattern = "a_c" * 100
    matches = like_matcher(f"%{pattern}%", None)
    text = "abc" * 100
    assert matches(f"xx{text}yy")
    assert matches(text)
    assert not matches(text[1:])
    assert not matches(text.replace("c", "d"))
    assert like_matcher(f"{'_' * 300}%", None)("x" * 300)
    assert not like_matcher(f"{'_' * 300}%", None)("x" * 299)
    assert like_matcher(f"%{'_' * 300}z", None)("x" * 300 + "z")


# --- Over HTTP --------------------------------------------------------------------------------------------------


def _send(server: Server, body: dict[str, Any], timeout: float = 30) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=timeout)
    connection.request("POST", "/", json.dumps(body), {"X-Amz-Target": "QLDBSession.SendCommand"})
    return connection


def _start_statement(server: Server, session: LocalSession) -> http.client.HTTPConnection:
    transaction, (text,) = session.begin(), NEVER_ENDING["a cross join"]
    execute = {"TransactionId": transaction.id, "Statement": text}
    return _send(server, {"SessionToken": session.token, "ExecuteStatement": execute})


def test_a_server_stops_whatever_statements_run(patient):
    server = Server(create_dispatcher(patient))
    server.start()
    connections = [_start_statement(server, LocalSession(patient, "cars")) for _ in range(5)]
    time.sleep(0.2)
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < GRACE_SECONDS
    for connection in connections:
        connection.close()


def test_a_client_that_closes_its_connection_ends_its_statement(patient, caplog):
    caplog.set_level("INFO")
    with Server(create_dispatcher(patient)) as server:
        session = LocalSession(patient, "cars")
        connection = _start_statement(server, session)
        time.sleep(0.2)
        connection.close()
        deadline = time.monotonic() + GRACE_SECONDS
        while "its client is gone" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        session.send("AbortTransaction")
        assert session.run("SELECT VALUE 1 FROM <<1>> AS x") == [1]


def test_writing_many_lists_of_middle_size_is_reported() -> None:
    """``SELECT x.*, x.*, ...`` puts one stored list into a row thousands of times: none of them is long by itself."""
    looks: list[None] = []

    def look() -> None:
        looks.append(None)
        budget.is_due = True  # as if the time to look had come again at once

    budget = Budget(look, float("inf"))
    budget.is_due = True
    enter(budget)
    try:
        dumps([list(range(300))] * 2_000)
    finally:
        leave()
    assert len(looks) > 100


def _stars(count: int) -> None:
    parse(f"SELECT {','.join(['x.*'] * count)} FROM T AS x")


def _fields_set(count: int) -> None:
    draft = dml._StructDraft((), [])
    for number in range(count):
        draft.put(FieldStep(f"a{number}", False), number)


@pytest.mark.parametrize("work", [_stars, _fields_set])
def test_eight_times_the_parts_do_not_take_the_square_of_it(work: Callable[[int], None]) -> None:
    """Neither is interrupted, so it must be short.  The square would be 64 times."""

    def seconds(count: int) -> float:
        started = time.thread_time()
        work(count)
        return time.thread_time() - started

    few, many = (min(seconds(count) for _ in range(3)) for count in (1_000, 8_000))
    assert many < 40 * max(few, 0.0005)
