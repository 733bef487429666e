"""Any Ion value through the engine: parameter, insert, select, update, history and back, equal by Ion Hash.

And found again: by ``=`` when it is not null, by ``IS NULL`` when it is, with an index as without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from helpers.ion_strategies import disguised, names, timestamps, values
from helpers.local_driver import LocalSession, LocalTransaction, new_emulator, new_ledger
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.ion.codec import dumps_text
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import SYMBOL_ZERO, Annotated, Timestamp, TypedNull, struct_of
from qldb_emulator.limits import RELAXED

KEYS = count()


@pytest.fixture(scope="module")
def session() -> Iterator[LocalSession]:
    with new_emulator(RELAXED) as emulator:
        session = new_ledger(emulator)
        for name in ("Plain", "Indexed"):
            session.run(f"CREATE TABLE {name}")
            session.run(f"CREATE INDEX ON {name} (k)")
        session.run("CREATE INDEX ON Indexed (v)")
        yield session


def is_null(value: Any) -> bool:
    bare = value.value if type(value) is Annotated else value
    return bare is None or type(bare) is TypedNull


def same(expected: Any, actual: Any) -> bool:
    return hash_value(expected) == hash_value(actual)


@settings(max_examples=120)
@given(first=values(), second=values())
def test_a_value_comes_back_as_it_was_sent(session: LocalSession, first: Any, second: Any) -> None:
    key = next(KEYS)

    def write(transaction: LocalTransaction) -> None:
        transaction.execute("INSERT INTO Indexed ?", {"k": key, "v": first})
        assert same(first, transaction.execute("SELECT v FROM Indexed WHERE k = ?", key)[0]["v"])

    session.execute(write)
    assert same({"k": key, "v": first}, session.run("SELECT * FROM Indexed WHERE k = ?", key)[0])
    assert same(first, session.run("SELECT VALUE t.v FROM Indexed AS t WHERE k = ?", key)[0])
    session.run("UPDATE Indexed SET v = ?, w = v WHERE k = ?", second, key)
    assert same({"k": key, "v": second, "w": first}, session.run("SELECT * FROM Indexed WHERE k = ?", key)[0])
    committed = session.run("SELECT r.data, r.metadata.id FROM _ql_committed_Indexed AS r WHERE r.data.k = ?", key)[0]
    assert same({"k": key, "v": second, "w": first}, committed["data"])
    history = session.run("SELECT VALUE h.data.v FROM history(Indexed) AS h WHERE h.metadata.id = ?", committed["id"])
    assert [hash_value(value) for value in history] == [hash_value(first), hash_value(second)]


@settings(max_examples=60)
@given(fields=st.lists(st.tuples(names, values()), max_size=6), notes=st.lists(names, max_size=2))
def test_a_document_keeps_repeated_fields_empty_names_and_annotations(
    session: LocalSession, fields: list[tuple[str, Any]], notes: list[str]
) -> None:
    key = next(KEYS)
    document = struct_of([*fields, ("k", key)])
    session.run("INSERT INTO Plain ?", Annotated(notes, document) if notes else document)
    id_of = "SELECT VALUE r.metadata.id FROM _ql_committed_Plain AS r WHERE r.data.k = ?"
    found = session.run(id_of, key)
    if not found:  # another field k comes first
        assert sum(name == "k" for name, _ in fields)
        return
    [value] = session.run("SELECT VALUE r.data FROM _ql_committed_Plain AS r BY i WHERE i = ?", found[0])
    assert same(Annotated(notes, document) if notes else document, value)


@settings(max_examples=60)
@given(sent=st.lists(values(), min_size=1, max_size=4), data=st.data())
def test_a_value_is_found_again_with_an_index_as_without(
    session: LocalSession, sent: list[Any], data: st.DataObject
) -> None:
    def work(transaction: LocalTransaction) -> None:
        for table in ("Plain", "Indexed"):
            transaction.execute(f"DELETE FROM {table}")

    session.execute(work)
    documents = [{"n": number, "v": value} for number, value in enumerate(sent)]
    for table in ("Plain", "Indexed"):
        session.run(f"INSERT INTO {table} ?", [*documents, {"n": len(sent)}])
    nulls = [number for number, value in enumerate(sent) if is_null(value)] + [len(sent)]
    for table in ("Plain", "Indexed"):
        assert session.run(f"SELECT VALUE n FROM {table} WHERE v IS NULL") == nulls
    for number, value in enumerate(sent):
        wanted = data.draw(disguised(value))
        scan = session.run("SELECT VALUE n FROM Plain WHERE v = ?", wanted)
        seek = session.run("SELECT VALUE n FROM Indexed WHERE v = ?", wanted)
        assert sorted(scan) == sorted(seek), dumps_text(wanted)
        assert (number in scan) is not is_null(value), dumps_text(wanted)
        within = session.run("SELECT VALUE n FROM Indexed WHERE v IN (?, 'nothing')", wanted)
        assert sorted(within) == (nulls if is_null(wanted) else sorted(scan))  # IN takes null for a value


@settings(max_examples=60)
@given(stamp=timestamps())
def test_a_timestamp_keeps_precision_and_offset(session: LocalSession, stamp: Timestamp) -> None:
    key = next(KEYS)
    session.run("INSERT INTO Plain ?", {"k": key, "t": stamp})
    [found] = session.run("SELECT VALUE t FROM Plain WHERE k = ?", key)
    assert (found.precision, found.offset, str(found)) == (stamp.precision, stamp.offset, str(stamp))


def test_a_symbol_without_text_survives(session: LocalSession) -> None:
    key = next(KEYS)
    document = struct_of([("k", key), (SYMBOL_ZERO, SYMBOL_ZERO), ("", Annotated([SYMBOL_ZERO, ""], "x"))])
    session.run("INSERT INTO Plain ?", document)
    [found] = session.run("SELECT * FROM Plain WHERE k = ?", key)
    assert same(document, found)
