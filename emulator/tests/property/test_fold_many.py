"""Blocks that are applied together leave the rows that they leave one by one, whatever the journal and its cuts."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from helpers.ledgers import redact
from helpers.local_driver import REGION, LocalSession, new_emulator, new_ledger
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qldb_emulator.engine.ledger import fold_many
from qldb_emulator.engine.ledger.fold import ApplyError, apply_block
from qldb_emulator.engine.workbench import imports
from qldb_emulator.engine.workbench.imports import FoldState, fold
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import loads
from qldb_emulator.journal import read_stored
from qldb_emulator.journal.merkle import RightEdge
from qldb_emulator.journal.parse import block_from_ion
from qldb_emulator.journal.read_stored import block_from_binary
from qldb_emulator.partiql.planning.catalogue import Catalogue
from qldb_emulator.storage.errors import StorageError
from qldb_emulator.storage.ledger_file import LedgerFile

VALUES = st.sampled_from([loads(text) for text in ("null", "1", "1.0", '"red"', '"é"', "sym", "{b:1}", "ann::1", "[]")])
DOCUMENTS = st.dictionaries(st.sampled_from(["a", "A", "b"]), VALUES, max_size=3)
TABLES = st.sampled_from(["Car", "Owner"])
INSERTS = st.one_of(
    st.tuples(st.just("INSERT INTO {} ?"), TABLES, DOCUMENTS),
    st.tuples(st.just("INSERT INTO {} <<?, ?, {{'b': 7}}>>"), TABLES, DOCUMENTS, DOCUMENTS),
)
OTHERS = st.one_of(
    st.tuples(st.just("UPDATE {} AS t SET t.a = ?"), TABLES, VALUES),
    st.tuples(st.just("DELETE FROM {} AS t WHERE t.a = ?"), TABLES, VALUES),
    st.tuples(st.just("SELECT * FROM {}"), TABLES),
    st.tuples(st.just("CREATE TABLE {}"), TABLES),
    st.tuples(st.just("CREATE INDEX ON {} (a)"), TABLES),
    st.tuples(st.just("DROP TABLE {}"), TABLES),
    st.tuples(st.just("undrop"), TABLES),
    st.tuples(st.just("redact"), TABLES),
)
STEPS = st.lists(st.one_of(INSERTS, INSERTS, OTHERS), max_size=14)
CUTS = st.lists(st.integers(0, 20), max_size=3)

INSERT = ("INSERT INTO {} ?", "Car", {"a": 1})
# From the fourth block on, the second document is first seen in a later version, in a table that is known already.
BEFORE_AND_AFTER = [
    INSERT,
    ("INSERT INTO {} ?", "Car", {"a": 2}),
    ("DELETE FROM {} AS t WHERE t.a = ?", "Car", 1),
    ("UPDATE {} AS t SET t.a = ?", "Car", 3),
]

Journal = list[bytes]


@pytest.fixture(autouse=True)
def every_block_is_read_from_its_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those whose symbols were not seen often."""
    monkeypatch.setattr(read_stored, "_SEEN_BEFORE", 0)


def play(session: LocalSession, steps: list[Any]) -> None:
    session.run("CREATE TABLE Car")
    for step, table, *parameters in steps:
        with contextlib.suppress(QldbError, StopIteration, ValueError):
            match step:
                case "redact":
                    redact(session, table, 0)
                case "undrop":
                    dropped = f"SELECT VALUE tableId FROM information_schema.user_tables WHERE name = '{table}'"
                    for table_id in session.run(dropped)[-1:]:
                        session.run(f'UNDROP TABLE "{table_id}"')
                case _:
                    session.run(step.format(table), *parameters)


def repeated(ion: bytes, sequence_no: int) -> bytes:
    """Return a block again, with the same documents and octets, in another place.  Both places are in 1..255."""
    address = block_from_ion(loads(ion)).address
    before = re.compile(
        rb"(%b.)\x21%b" % (address.strand_id.encode(), re.escape(bytes([address.sequence_no]))), re.DOTALL
    )
    moved = before.sub(lambda found: found[1] + bytes([0x21, sequence_no]), ion)
    assert block_from_ion(loads(moved)).address.sequence_no == sequence_no
    return moved


def blocks_of(journal: Journal) -> Iterator[tuple[Any, bytes]]:
    return ((block_from_binary(ion), ion) for ion in journal)


def together(file: LedgerFile, journal: Journal, cuts: list[int]) -> None:
    state = FoldState()
    for start, stop in pairwise([0, *sorted(cuts), len(journal)]):
        fold(file, blocks_of(journal[start:stop]), state)


def one_by_one(file: LedgerFile, journal: Journal) -> None:
    catalogue, edge, last = Catalogue(), RightEdge(), -1
    for block, ion in blocks_of(journal):
        number = block.address.sequence_no
        with file.write(sync=False) as writer:
            catalogue = apply_block(writer, catalogue, block, ion, edge if number == last + 1 else None).catalogue
        edge, last = (edge if number == last + 1 else None), number


def everything(file: LedgerFile) -> list[Any]:
    nodes = file.merkle_nodes([(level, number) for level in range(5) for number in range(40)])
    return [list(file.dump_derived()), list(file.blocks()), nodes]


def outcome(work: Any, file: LedgerFile) -> Any:
    """Return all rows, or why the journal was refused."""
    try:
        work()
    except (ApplyError, StorageError) as problem:
        return str(problem).replace(str(file.path), "")
    return everything(file)


def compare(journal: Journal, cuts: list[int]) -> Any:
    with (
        TemporaryDirectory() as folder,
        LedgerFile.create(Path(folder, "one"), "off", {}) as one,
        LedgerFile.create(Path(folder, "other"), "off", {}) as other,
    ):
        expected = outcome(lambda: one_by_one(one, journal), one)
        assert outcome(lambda: together(other, journal, cuts), other) == expected
        return expected


def journal_of(steps: list[Any]) -> tuple[Journal, list[Any]]:
    """Return the blocks of a ledger in which these statements ran, and its derived rows."""
    with new_emulator() as emulator:
        play(new_ledger(emulator), steps)
        file = emulator.ledgers.find(REGION, "cars").file
        return [ion for _, ion in file.blocks()], list(file.dump_derived())


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, cuts=CUTS, collected=st.sampled_from([1, 2_000, fold_many.COLLECTED_BYTES]))
@example(steps=[INSERT, ("CREATE INDEX ON {} (a)", "Car"), INSERT], cuts=[], collected=fold_many.COLLECTED_BYTES)
def test_a_journal_leads_to_the_rows_of_its_commits(steps, cuts, collected):
    journal, rows = journal_of(steps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_many, "COLLECTED_BYTES", collected)
        assert compare(journal, [min(cut, len(journal)) for cut in cuts])[0] == rows


@settings(max_examples=60, deadline=None)
@given(
    steps=STEPS,
    again=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=4),
    begins=st.integers(0, 6),
    transaction=st.sampled_from([2_000, imports.TRANSACTION_BYTES]),
)
@example(steps=BEFORE_AND_AFTER, again=[], begins=4, transaction=imports.TRANSACTION_BYTES)
def test_repeated_and_missing_blocks_lead_to_the_same_rows_or_the_same_refusal(steps, again, begins, transaction):
    journal, _ = journal_of(steps)
    rest = journal[1:]
    for which, where in again:
        rest.insert(where % len(rest) + 1, rest[which % len(rest)])
    journal = [journal[0], *[repeated(ion, number) for number, ion in enumerate(rest, 1)]][begins % len(journal) :]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imports, "TRANSACTION_BYTES", transaction)
        compare(journal, [])


def test_insertions_take_the_way_of_many_and_a_repeated_one_the_way_of_each(monkeypatch):
    derived: list[int] = []
    real = fold_many.derive

    def noting(writer: Any, catalogue: Any, block: Any, is_marked: bool = True) -> Any:
        derived.append(block.address.sequence_no)
        return real(writer, catalogue, block, is_marked)

    monkeypatch.setattr(fold_many, "derive", noting)
    inserts = [("INSERT INTO {} ?", "Car", {"a": number, "b": "x" * number}) for number in range(20)]
    journal, _ = journal_of([("CREATE INDEX ON {} (a)", "Car"), *inserts])
    compare(journal, [])
    assert derived == [1, 2]  # CREATE TABLE, CREATE INDEX
    derived.clear()
    twice = [*journal, repeated(journal[-1], len(journal))]
    compare(twice, [])
    assert derived == list(range(1, len(twice)))  # also those that were collected before it
