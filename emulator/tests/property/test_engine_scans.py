"""Scans of tables in memory have the same rows as scans of the file, whatever was written in between."""

from __future__ import annotations

from helpers.local_driver import LocalSession, new_emulator, new_ledger
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import dumps_text, loads
from qldb_emulator.ion.values import IonValue

TEXTS = (
    "blue",
    "red",
    "2",
    "-1",
    "0.5",
    "a::'blue'",
    '"blue"',
    "1",
    "1.0",
    "1e0",
    "true",
    "null",
    "[1]",
    "{c:1}",
    "2020T",
)
FIELDS = st.fixed_dictionaries({}, optional={"c": st.sampled_from(TEXTS), "C": st.sampled_from(TEXTS)})
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), FIELDS),
        st.tuples(st.just("update"), st.sampled_from(TEXTS), st.sampled_from(TEXTS)),
        st.tuples(st.just("delete"), st.sampled_from(TEXTS)),
        st.tuples(st.just("look"), st.sampled_from(TEXTS)),
    ),
    max_size=12,
)
QUERIES = ("SELECT * FROM T WHERE c = ?", "SELECT * FROM T AS t BY id WHERE ? = t.c AND id <> ''", "SELECT * FROM T")


def look(session: LocalSession, text: str) -> list[list[str]]:
    answers = []
    for query in QUERIES:
        rows = session.run(query, *([loads(text)] if "?" in query else []))
        answers.append([dumps_text(row) for row in rows])
    return answers


def outcome(session: LocalSession, text: str, parameter: IonValue) -> list[str] | str:
    """The rows, or what went wrong."""
    try:
        return [dumps_text(row) for row in session.run(text, parameter)]
    except QldbError as error:
        return str(error).split(";")[-1]


def apply(session: LocalSession, step: tuple[object, ...]) -> None:
    if step[0] == "insert":
        assert isinstance(step[1], dict)
        session.run("INSERT INTO T ?", {name: loads(text) for name, text in step[1].items()})
    elif step[0] == "update":
        session.run('UPDATE T SET "c" = ? WHERE c = ?', loads(str(step[1])), loads(str(step[2])))
    else:
        session.run("DELETE FROM T WHERE c = ?", loads(str(step[1])))


def begun(seed: str, cache_bytes: int) -> tuple[Emulator, LocalSession]:
    emulator = new_emulator(seed=seed, cache_bytes=cache_bytes)
    session = new_ledger(emulator)
    session.run("CREATE TABLE T")
    return emulator, session


@settings(deadline=None, max_examples=25)
@given(STEPS)
def test_scans_with_and_without_kept_tables_agree(steps: list[tuple[object, ...]]) -> None:
    kept_emulator, kept = begun("same", 1 << 26)
    bare_emulator, bare = begun("same", 0)
    with kept_emulator, bare_emulator:
        for step in steps:
            if step[0] == "look":
                assert look(kept, str(step[1])) == look(bare, str(step[1]))
            else:
                apply(kept, step)
                apply(bare, step)
        for text in TEXTS:
            assert look(kept, text) == look(bare, text)


LOOKS = (
    "SELECT * FROM T AS t BY id WHERE t.c = ?",
    "SELECT VALUE n FROM T WHERE n >= 2 AND c = ?",
    "SELECT VALUE n FROM T WHERE n < 5 AND ? IS NOT NULL",
    "SELECT COUNT(*) FROM T WHERE ? IS NOT NULL",
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("INSERT INTO T ?"), st.integers(0, 9)),
        st.tuples(st.just("UPDATE T SET c = 'red' WHERE n = ?"), st.integers(0, 9)),
        st.tuples(st.just("DELETE FROM T WHERE n = ?"), st.integers(0, 9)),
        st.tuples(st.just("INSERT INTO U ?"), st.integers(0, 9)),
        st.tuples(st.just("begin"), st.just(0)),
        st.tuples(st.just("look"), st.sampled_from([0, 1])),
        st.tuples(st.just("look with writes"), st.just(0)),
    ),
    max_size=16,
)


def play(changes: list[tuple[str, int]], cache_bytes: int) -> tuple[list[list[str]], int]:
    """Return every answer, and how often a look found a table that is kept undecoded."""
    emulator, session = begun("undecoded", cache_bytes)
    answers: list[list[str]] = []
    kept = 0
    with emulator:
        session.run("CREATE TABLE U")
        session.run("INSERT INTO T ?", [{"n": n % 10, "c": "blue", "p": "p" * 100} for n in range(30)])
        old = LocalSession(emulator, "cars").begin()
        ledger = emulator.ledgers.find("us-east-1", "cars")
        assert ledger is not None
        for change, n in [("look", 0), ("look", 0), *changes, ("look", 0), ("look", 1)]:
            if change == "begin":
                old.abort()
                old = LocalSession(emulator, "cars").begin()
            elif change.startswith("look"):
                looking = old if n else session.begin()
                if change == "look with writes":
                    looking.execute("UPDATE T SET c = 'blue' WHERE n = 3")
                for text in LOOKS:
                    answers.append([dumps_text(row) for row in looking.execute(text, "blue")])
                if looking is not old:
                    looking.abort()
                kept += ledger.tables.kept_undecoded()
                assert ledger.tables.memory() <= max(cache_bytes, 0)
            elif change.startswith("INSERT"):
                session.run(change, {"n": n, "c": "blue", "p": "p" * 100})
            else:
                session.run(change, n)
    return answers, kept


@settings(deadline=None, max_examples=25)
@given(CHANGES)
def test_scans_with_and_without_undecoded_tables_agree(changes: list[tuple[str, int]]) -> None:
    answers, kept = play(changes, 12_000)  # some 50 documents undecoded, or ten decoded
    assert kept > 0
    assert (answers, 0) == play(changes, 0)


def test_an_older_snapshot_is_not_shown_newer_rows() -> None:
    emulator, session = begun("old", 1 << 26)
    with emulator:
        session.run("INSERT INTO T ?", {"c": 1})
        other = LocalSession(emulator, "cars")
        old = other.begin()
        session.run("INSERT INTO T ?", {"c": 2})
        session.run("UPDATE T SET c = 3 WHERE c = 1")
        assert session.run("SELECT VALUE c FROM T") == [3, 2]
        assert old.execute("SELECT VALUE c FROM T") == [1]
        assert old.execute("SELECT VALUE c FROM T WHERE c = 1") == [1]


def test_a_table_larger_than_the_budget_is_not_kept() -> None:
    emulator, session = begun("small", 2_000)
    with emulator:
        for start in range(0, 120, 40):
            session.run("INSERT INTO T ?", [{"c": n, "text": "x" * 50} for n in range(start, start + 40)])
        for _ in range(2):
            assert session.run("SELECT VALUE c FROM T WHERE c = 100") == [100]
        ledger = emulator.ledgers.find("us-east-1", "cars")
        assert ledger is not None
        assert ledger.tables.kept() == 0


@settings(deadline=None, max_examples=25)
@given(st.lists(FIELDS, max_size=8))
def test_the_prefilter_leaves_out_no_row_that_matches_or_fails(documents: list[dict[str, str]]) -> None:
    emulator, session = begun("prefilter", 1 << 26)
    with emulator:
        if documents:
            session.run("INSERT INTO T ?", [{name: loads(text) for name, text in d.items()} for d in documents])
        session.run("INSERT INTO T ?", loads('whole::{c:"blue"}'))
        for text in TEXTS:
            for condition in ("c = ?", "c < ?", "? < c", "c >= ?", "c <= ? AND c = c", "c = c AND c > ?"):
                filtered = outcome(session, f"SELECT * FROM T WHERE {condition}", loads(text))
                assert filtered == outcome(session, f"SELECT * FROM T WHERE true AND {condition}", loads(text))


@settings(deadline=None, max_examples=25)
@given(st.lists(FIELDS, max_size=8), st.lists(FIELDS, max_size=3))
def test_documents_found_by_an_index_are_the_same_decoded_or_not(
    documents: list[dict[str, str]], pending: list[dict[str, str]]
) -> None:
    emulator, session = begun("whole", 1 << 26)
    with emulator:
        session.run("CREATE INDEX ON T (c)")
        session.run("INSERT INTO T ?", loads('whole::{c:"blue"}'))
        for each in documents:
            session.run("INSERT INTO T ?", {name: loads(text) for name, text in each.items()})
        transaction = session.begin()
        for others in ([], pending):
            for each in others:
                transaction.execute("INSERT INTO T ?", {name: loads(text) for name, text in each.items()})
            for text in TEXTS:
                for condition in ("c = ?", "? = c", "c = ? AND c = c"):
                    whole = transaction.execute(f"SELECT * FROM T WHERE {condition}", loads(text))
                    decoded = transaction.execute(f"SELECT VALUE t FROM T AS t WHERE {condition}", loads(text))
                    assert list(map(dumps_text, whole)) == [
                        text.removeprefix("whole::") for text in map(dumps_text, decoded)
                    ]
