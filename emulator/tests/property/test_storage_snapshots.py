"""Whatever is written, a read at any block gives what a plain list of past states gives."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from helpers.storage_steps import Delete, Put, Scribe, flat, tx_time
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.storage import LedgerFile
from qldb_emulator.storage.rows import Batches, RevisionRow

TABLES = ("Cars", "Bikes")
DOCUMENTS = [f"d{number}" for number in range(6)]
KEYS = (None, b"", b"red", b"blue")

# What to do with a document in a block: the key it gets, or its deletion.
changes = st.one_of(st.sampled_from(KEYS).map(lambda key: ("put", key)), st.just(("delete", None)))
blocks = st.lists(st.dictionaries(st.sampled_from(DOCUMENTS), changes, max_size=4), min_size=1, max_size=12)
batches = st.sampled_from([1, 2, 3, 50])


@dataclass(frozen=True)
class Fact:
    """A revision as the model knows it."""

    document_id: str
    version: int
    seq: int
    data: bytes | None
    key: bytes | None


@dataclass
class Model:
    """For every block and table, the revisions by document in the order in which the documents came."""

    states: list[dict[str, dict[str, list[Fact]]]] = field(default_factory=list)

    def current(self, seq: int, table: str) -> list[Fact]:
        if seq < 0:
            return []
        lasts = [facts[-1] for facts in self.states[seq].get(table, {}).values()]
        return [fact for fact in lasts if fact.data is not None]

    def history(self, seq: int, table: str, start_ms: int | None, end_ms: int | None) -> list[Fact]:
        found = []
        for facts in self.states[seq].get(table, {}).values() if seq >= 0 else ():
            for fact, successor in zip(facts, [*facts[1:], None], strict=True):
                begun = end_ms is None or tx_time(fact.seq) <= end_ms
                over = start_ms is not None and successor is not None and tx_time(successor.seq) < start_ms
                if begun and not over:
                    found.append(fact)
        return found


def apply_to_model(model: Model, seq: int, table: str, puts: list[tuple[str, bytes | None, bytes | None]]) -> None:
    """A new state with these (document id, data, key) as further revisions."""
    last = model.states[-1] if model.states else {}
    state = {name: {id_: list(facts) for id_, facts in documents.items()} for name, documents in last.items()}
    documents = state.setdefault(table, {})
    for document_id, data, key in puts:
        facts = documents.setdefault(document_id, [])
        facts.append(Fact(document_id, len(facts), seq, data, key))
    model.states.append(state)


def as_facts(rows: list[RevisionRow]) -> list[tuple[str, int, int, bytes | None]]:
    return [(row.document_id, row.version, row.seq, row.data) for row in rows]


def plain(facts: list[Fact]) -> list[tuple[str, int, int, bytes | None]]:
    return [(fact.document_id, fact.version, fact.seq, fact.data) for fact in facts]


def questions(
    file: LedgerFile, model: Model, seq: int, number: int, index_no: int, batch: int
) -> Iterator[tuple[Batches, list[Fact]]]:
    """Yield (what the file answers, what it should answer) about one table at one block."""
    table = TABLES[number - 1]
    current = model.current(seq, table)
    yield file.scan(number, seq, batch), current
    by_id = {fact.document_id: fact for fact in current}
    yield file.seek_documents(number, DOCUMENTS, seq, batch), [by_id[id_] for id_ in DOCUMENTS if id_ in by_id]
    for key in KEYS[1:]:
        assert key is not None
        yield file.seek_index(index_no, [key], seq, batch), [fact for fact in current if fact.key == key]
    moments = [None, tx_time(seq // 2), tx_time(seq // 2) + 1, tx_time(seq)]
    for start_ms in moments:
        for end_ms in moments:
            expected = model.history(seq, table, start_ms, end_ms)
            yield file.history(number, seq, None, start_ms, end_ms, batch), expected
            yield file.history(number, seq, DOCUMENTS, start_ms, end_ms, batch), expected


@settings(max_examples=40, deadline=None)
@given(blocks=blocks, batch=batches)
def test_every_past_block_reads_as_it_was(blocks: list[dict[str, tuple[str, bytes | None]]], batch: int) -> None:
    """Also through iterators begun when their block was the newest, and drained after all later ones came."""
    with tempfile.TemporaryDirectory() as folder, LedgerFile.create(Path(folder) / "l.qldb", "off") as file:
        scribe, model, begun = Scribe(file), Model(), []
        for table in TABLES:
            number = scribe.table(table, ["colour"])
            apply_to_model(model, number - 1, table, [])
        for turn, block in enumerate(blocks):
            number = turn % len(TABLES) + 1
            puts = write_block(scribe, number, block)
            apply_to_model(model, scribe.next_seq - 1, TABLES[number - 1], puts)
            for answer, expected in questions(file, model, scribe.next_seq - 1, number, number, batch):
                begun.append((next(answer, []), answer, expected))
        for first, rest, expected in begun:
            assert as_facts([*first, *flat(rest)]) == plain(expected)
        for seq in range(-1, scribe.next_seq):
            for number in (1, 2):
                for answer, expected in questions(file, model, seq, number, number, batch):
                    assert as_facts(flat(answer)) == plain(expected)
                documents = [row[:4] for rows in file.scan_documents(number, seq, batch) for row in rows]
                rows = flat(file.scan(number, seq))
                assert documents == [(r.document_id, r.hash, r.data, r.doc_no) for r in rows if r.data is not None]
                scanned = [pair for batch in file.scan_data(number, seq) for pair in zip(*batch, strict=True)]
                assert scanned == [(doc_no, data) for _, _, data, doc_no in documents]
                wanted = [doc_no for doc_no, _ in scanned][::2]
                found = file.numbered_documents(number, wanted, seq) if wanted else []
                assert [row[:4] for row in found] == documents[::2]


def write_block(
    scribe: Scribe, number: int, block: dict[str, tuple[str, bytes | None]]
) -> list[tuple[str, bytes | None, bytes | None]]:
    """Write what is possible of a block: a document belongs to one table, and a deleted one does not come back."""
    made: list[Put | Delete] = []
    for document_id, (action, key) in block.items():
        known = scribe.known.get(document_id)
        if known is not None and (known.row.table_no != number or known.row.data is None):
            continue
        if action == "put":
            made.append(Put(document_id, b"%d %a" % (scribe.next_seq, key), [key]))
        elif known is not None:
            made.append(Delete(document_id))
    scribe.block(number, *made)
    return [
        (change.document_id, change.data, change.keys[0])
        if isinstance(change, Put)
        else (change.document_id, None, None)
        for change in made
    ]
