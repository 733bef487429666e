"""A batched writer leaves the same rows as a direct one, and answers the same in between."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.storage_steps import Delete, Put, Scribe, block_hash, flat
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.storage import BatchWriter, LedgerFile, StorageError, Writer, batches

DOCUMENTS = [f"d{number}" for number in range(4)]
KEYS = (None, b"red", b"blue")

changes = st.dictionaries(
    st.sampled_from(DOCUMENTS),
    st.one_of(st.sampled_from(KEYS).map(lambda key: ("put", key)), st.just(("delete", None))),
    max_size=3,
)
questions = st.sampled_from(["nothing", "info", "revision", "scan", "index", "tip", "nodes", "redact", "replace"])
blocks = st.lists(st.tuples(changes, questions), min_size=1, max_size=10)


def answer_to(writer: Writer, table_no: int, seq: int, question: str) -> Any:
    """Return what a writer answers, or change what is there already."""
    match question:
        case "info":
            return [writer.document_info(each) for each in DOCUMENTS]
        case "revision":
            return [writer.revision_at(doc_no, seq) for doc_no in range(1, 5)]
        case "scan":
            return flat(writer.scan(table_no, seq))
        case "index":
            return flat(writer.seek_index(1, [b"red", b"blue"], seq))
        case "tip":
            return writer.tip()
        case "nodes":
            return writer.merkle_nodes([(level, number) for level in (0, 1) for number in range(seq + 2)])
        case "redact":
            first = writer.revision_at(1, seq)
            if first is not None:
                writer.redact_revision(first, bytes(32))
        case "replace":
            writer.replace_block(seq, b"another")
    return None


def written(file: LedgerFile, batched: bool, journal: list[tuple[dict[str, Any], str]]) -> list[Any]:
    """The answers on the way."""
    scribe = Scribe(file)
    table_no = scribe.table("Cars", ["VIN"])
    answers = []

    def write(writer: Writer) -> None:
        for changed, question in journal:
            seq = scribe.next_seq
            scribe._block(writer)
            for document_id, (step, key) in changed.items():
                change = Delete(document_id) if step == "delete" else Put(document_id, b"data %d" % seq, [key])
                scribe.change(writer, seq, table_no, change)
            answers.append(answer_to(writer, table_no, seq, question))

    with file.write() as writer:
        if batched:
            with BatchWriter(writer) as batch:
                write(batch)
        else:
            write(writer)
    return answers


def everything(file: LedgerFile) -> list[Any]:
    nodes = file.merkle_nodes([(level, number) for level in (0, 1) for number in range(20)])
    return [file.tip(), list(file.blocks()), nodes, list(file.dump_derived())]


@settings(max_examples=100, deadline=None)
@given(journal=blocks, waiting_bytes=st.sampled_from([1, 20, batches.BATCH_BYTES]))
def test_a_batch_leaves_the_rows_and_gives_the_answers_of_a_writer(journal, waiting_bytes):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "BATCH_BYTES", waiting_bytes)
        with (
            LedgerFile.create(Path(folder, "one"), "off", {}) as one,
            LedgerFile.create(Path(folder, "other"), "off", {}) as other,
        ):
            assert written(one, True, journal) == written(other, False, journal)
            assert everything(one) == everything(other)


@pytest.fixture
def file(tmp_path: Path) -> Any:
    with LedgerFile.create(tmp_path / "cars.qldb", "off", {}) as file:
        yield file


def test_an_exception_leaves_nothing(file: LedgerFile) -> None:
    def write() -> None:
        with file.write() as writer, BatchWriter(writer) as batch:
            batch.insert_block(0, "t", 0, block_hash(0), b"ion")
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert file.tip() is None


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda batch: batch.insert_block(0, "t", 0, block_hash(0), b"ion"), id="block"),
        pytest.param(lambda batch: batch.insert_nodes([(1, 0, block_hash(0))]), id="Merkle node"),
        pytest.param(lambda batch: batch.put_index_entries([(1, b"red", 3)], 5), id="index entry"),
    ],
)
def test_what_is_refused_is_refused_at_the_end(file: LedgerFile, write: Callable[[BatchWriter], None]) -> None:
    def write_twice() -> None:
        with file.write() as writer, BatchWriter(writer) as batch:
            write(batch)
            write(batch)

    with pytest.raises(StorageError, match="UNIQUE constraint failed"):
        write_twice()
    assert file.tip() is None


def test_a_batch_that_is_over_refuses_to_write(file: LedgerFile) -> None:
    with file.write() as writer:
        with BatchWriter(writer) as batch:
            pass
        with pytest.raises(StorageError, match="is over"):
            batch.tip()
