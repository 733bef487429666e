"""A table that is kept undecoded has the documents of a table that was just read, in the same batches."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qldb_emulator.engine.ledger.kept_tables import UNDECODED_OVERHEAD, Undecoded, UndecodedTable
from qldb_emulator.partiql.planning.data import BATCH_ROWS, JoinedDocuments
from qldb_emulator.storage.rows import RevisionRow

NUMBERS = st.one_of(
    st.integers(1, 3 * BATCH_ROWS), st.sampled_from([1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 9999])
)
CHANGES = st.lists(st.lists(st.tuples(NUMBERS, st.none() | st.binary(max_size=5)), max_size=8), max_size=5)


def revision(number: int, data: bytes | None) -> RevisionRow:
    return RevisionRow(number, f"id{number}", 1, 0, 1, 0, b"hash", data, None, b"")


def read(batches: Undecoded) -> list[tuple[list[int], list[bytes]]]:
    found: list[tuple[list[int], list[bytes]]] = []
    for numbers, documents in batches:
        assert len(numbers) == len(documents)
        whole = documents.split() if isinstance(documents, JoinedDocuments) else list(documents)
        if isinstance(documents, JoinedDocuments):
            assert whole == [documents.document(position) for position in range(len(documents))]
        found.append((list(numbers), whole))
    return found


def expected(model: dict[int, bytes]) -> list[tuple[list[int], list[bytes]]]:
    numbers = sorted(model)
    groups = [numbers[start : start + BATCH_ROWS] for start in range(0, len(numbers), BATCH_ROWS)]
    return [(group, [model[number] for number in group]) for group in groups]


@given(st.integers(0, 2 * BATCH_ROWS + 3), st.integers(1, 2), CHANGES)
def test_a_table_follows_its_changes(documents: int, step: int, changes: list[list[tuple[int, Any]]]) -> None:
    model = {number: b"document %d" % number for number in range(step, step * documents + 1, step)}
    table = UndecodedTable(1)
    for numbers, whole in expected(model):
        table.append(numbers, whole)
    for seq, some in enumerate(changes, 2):
        before, was = table.batches(), expected(model)
        for number, data in some:
            model.pop(number, None)
            if data is not None:
                model[number] = data
        table.advance(seq, [revision(number, data) for number, data in some])
        assert read(table.batches()) == expected(model)
        assert read(before) == was  # a scan that has begun goes on as it began
        assert (table.documents, table.size) == (len(model), sum(map(len, model.values())))
        assert table.memory == table.size + UNDECODED_OVERHEAD * table.documents
        assert (table.seq, table.since) == (seq, seq if some else table.since)
