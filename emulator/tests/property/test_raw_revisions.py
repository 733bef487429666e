"""A row whose document's octets are copied equals the row that is decoded and written.

The ways of returning a stored document are compared: copied into a revision, copied with one more field, and by
statements of both kinds.
"""

from __future__ import annotations

from typing import Any

from helpers.ion_oracle import loads as loads_by_amazon
from helpers.ion_strategies import names, scalars, texts, timestamps, values
from helpers.local_driver import new_emulator, new_ledger
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.ion.binary_writer import VERSION_MARKER, texts_of, value_start, with_text_field
from qldb_emulator.ion.codec import dumps, dumps_text, loads
from qldb_emulator.ion.values import Annotated, Timestamp, struct_items, struct_of
from qldb_emulator.journal.encode import encode_metadata, encode_stored_revision

STRAND = "2UMqUE2BMluKQOXUZh7KzK"
ID = "Au1FcgY5cPl3uco7cQU9f8"
HASH = bytes(range(32))
# Names of a revision and of the system's symbol table are frequent, because they must keep their ids.
FIELD_NAMES = st.one_of(st.sampled_from(["data", "hash", "id", "strandId", "txId", "version", "symbols"]), names)
FIELDS = st.lists(st.tuples(FIELD_NAMES, st.one_of(values(), scalars())), max_size=8)
STRUCTS = FIELDS.map(struct_of)
DOCUMENTS = st.one_of(STRUCTS, st.builds(Annotated, st.lists(FIELD_NAMES, min_size=1, max_size=2), STRUCTS))
TIMES = st.integers(0, 4_000_000_000_000).map(Timestamp.from_epoch_ms)


def metadata(version: int, time: Timestamp) -> dict[str, Any]:
    return {"id": ID, "version": version, "txTime": time, "txId": STRAND}


def is_continued(document: bytes) -> bool:
    """Whether another table can begin with that of this document: its writer wrote one, or there is no symbol in it."""
    start = value_start(document)
    return start < len(document) and texts_of(document[:start]) is not None


@settings(deadline=None, max_examples=200)
@given(DOCUMENTS, st.integers(0, 2**62), st.integers(0, 2**40), TIMES)
def test_a_revision_with_the_octets_of_its_document(document: Any, seq: int, version: int, time: Timestamp) -> None:
    data, described = dumps(document), metadata(version, time)
    written = encode_stored_revision(STRAND, seq, HASH, data, encode_metadata(described))
    if written is None:
        assert not is_continued(data)  # an annotated document without a table of its own
        assert type(document) is Annotated
        return
    decoded = {
        "blockAddress": {"strandId": STRAND, "sequenceNo": seq},
        "hash": HASH,
        "data": document,
        "metadata": described,
    }
    assert dumps(loads(written)) == dumps(decoded)
    assert data[value_start(data) :] in written


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from(["data", "hash", "b"]), values(timestamps(2, 9998, 6), texts)))
def test_amazon_ion_reads_such_a_revision(document: Any) -> None:
    data = dumps(document)
    written = encode_stored_revision(STRAND, 7, HASH, data, encode_metadata(metadata(0, Timestamp.from_epoch_ms(0))))
    assert written is not None
    read = loads_by_amazon(written)
    assert list(read) == ["blockAddress", "hash", "data", "metadata"]
    assert list(read["data"]) == list(loads_by_amazon(data))
    assert read["metadata"]["txId"] == read["blockAddress"]["strandId"] == STRAND


@settings(deadline=None, max_examples=200)
@given(DOCUMENTS, FIELD_NAMES.filter(lambda name: type(name) is str))
def test_a_document_with_one_more_field(document: Any, name: str) -> None:
    written = with_text_field(dumps(document), name, ID)
    if type(document) is Annotated:
        assert written is None
        return
    assert written is not None
    assert dumps(loads(written)) == dumps(struct_of([*struct_items(document), (name, ID)]))


# A struct with the field 10, an int, after each of these tables.
_FOREIGN = {
    "a gap": '$ion_symbol_table::{symbols:[null,"a"]}',
    "a text twice": '$ion_symbol_table::{symbols:["a","a"]}',
    "a text of the system": '$ion_symbol_table::{symbols:["name"]}',
    "a shared table": '$ion_symbol_table::{imports:[{name:"t",version:1,max_id:2}],symbols:["a"]}',
    "an empty list of imports": '$ion_symbol_table::{imports:[],symbols:["a"]}',
    "a number": "$ion_symbol_table::{symbols:[1]}",
}


def test_tables_of_other_writers_are_decoded() -> None:
    for text in _FOREIGN.values():
        annotated = loads(f"x::{text}")
        table = Annotated(annotated.annotations[1:], annotated.value)
        opening = VERSION_MARKER + _written_table(table)
        document = opening + b"\xd3\x8a\x21\x05"
        assert loads(document) is not None
        assert texts_of(opening) is None
        described = encode_metadata(metadata(0, Timestamp.from_epoch_ms(0)))
        assert encode_stored_revision(STRAND, 7, HASH, document, described) is None
        assert with_text_field(document, "id", ID) is None


def _written_table(table: Annotated) -> bytes:
    """Return the binary of a symbol table, which cannot stand alone as a value: written inside a list."""
    listed = dumps([table])
    assert listed[4] >> 4 == 11, "only symbols of the system are in it"
    return listed[5 if listed[4] & 15 < 14 else 6 :]


def test_metadata_in_another_order_is_decoded() -> None:
    described = metadata(0, Timestamp.from_epoch_ms(0))
    turned = dict(reversed(described.items()))
    assert encode_stored_revision(STRAND, 7, HASH, dumps({"a": 1}), encode_metadata(turned)) is None
    with_more = dumps({**described, "more": 1})
    assert encode_stored_revision(STRAND, 7, HASH, dumps({"a": 1}), with_more) is None


@settings(deadline=None, max_examples=30)
@given(st.lists(FIELDS.map(dict), min_size=1, max_size=4), st.integers(0, 3))
def test_statements_that_copy_answer_like_those_that_decode(documents: list[dict[str, Any]], number: int) -> None:
    """The second of each pair has a projection that needs the decoded document."""
    with new_emulator() as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        session.run("CREATE INDEX ON T (k)")
        ids = [
            session.run("INSERT INTO T ?", {**document, "k": place})[0]["documentId"]
            for place, document in enumerate(documents)
        ]
        session.run("UPDATE T SET n = 1 WHERE k = 0")
        session.run("DELETE FROM T WHERE k = 1")
        wanted = ids[number % len(ids)]
        for copying, decoding, parameter in (
            ("SELECT * FROM _ql_committed_T AS r WHERE r.data.k = ?", "VALUE r FROM _ql_committed_T AS r", number),
            ("SELECT * FROM _ql_committed_T AS r WHERE r.metadata.id = ?", "VALUE r FROM _ql_committed_T AS r", wanted),
            ("SELECT * FROM history(T) AS r WHERE r.metadata.id = ?", "VALUE r FROM history(T) AS r", wanted),
            ("SELECT * FROM history(T) AS r WHERE r.metadata.version = ?", "VALUE r FROM history(T) AS r", 1),
            ("SELECT * FROM T AS r BY i WHERE i = ?", "r.*, i, r.nothing FROM T AS r BY i", wanted),
            ("SELECT * FROM T AS r BY i WHERE r.k = ?", "r.*, i, r.nothing FROM T AS r BY i", number),
        ):
            where = copying.partition(" WHERE ")[2]
            expected = session.run(f"SELECT {decoding} WHERE {where}", parameter)
            assert list(map(dumps_text, session.run(copying, parameter))) == list(map(dumps_text, expected))
        for source in ("_ql_committed_T", "history(T)"):
            expected = session.run(f"SELECT VALUE r FROM {source} AS r")
            assert list(map(dumps_text, session.run(f"SELECT * FROM {source} AS r"))) == list(map(dumps_text, expected))
