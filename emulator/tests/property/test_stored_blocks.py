"""A block read from its octets is the one that decoding gives; verifying octets says what verifying values says.

The reference is the full decode: ``loads``, ``block_from_ion`` and the hashes of values.
"""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from helpers.alterations import alterations
from helpers.ion_strategies import values
from helpers.journals import chain, changed, sample, service_sample, statement
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from qldb_emulator.ion import hash as ion_hash
from qldb_emulator.ion.codec import IonError, dump_all, dumps, loads, loads_document
from qldb_emulator.ion.hash import hash_fields, hash_noted_fields, hash_value
from qldb_emulator.ion.stream import read_items
from qldb_emulator.ion.values import Timestamp
from qldb_emulator.journal import hashing
from qldb_emulator.journal.block import ExecutedStatement, NewRevision, TransactionResult, build_block
from qldb_emulator.journal.encode import encode_block, encode_metadata, encode_revision, encode_transaction_info
from qldb_emulator.journal.model import Block
from qldb_emulator.journal.parse import BlockFormatError, block_from_ion
from qldb_emulator.journal.read_stored import read_block
from qldb_emulator.journal.stored import StoredBlock
from qldb_emulator.verify import JournalVerifier, SegmentVerdict

ENOUGH = 6  # how often a block must be seen until its symbol table counts as one that recurs


def stored(ion: bytes) -> StoredBlock | None:
    """Read a block as if others of its form had been read before."""
    for _ in range(ENOUGH):
        read_block(ion)
    return read_block(ion)


def reference(ion: bytes) -> Block | None:
    """Decode a block; None if it is not a block."""
    try:
        return block_from_ion(loads(ion))
    except (IonError, BlockFormatError):
        return None


def check_same(found: StoredBlock, block: Block) -> None:
    """Every part and every hash of one is that of the other."""
    for name in ("address", "transaction_id", "timestamp", "block_hash", "entries_hash", "previous_block_hash"):
        assert getattr(found, name) == getattr(block, name), name
    assert found.entries_hash_list == block.entries_hash_list
    assert found.time_ms == block.timestamp.epoch_ms()
    assert dumps(found.decoded().to_ion()) == dumps(block.to_ion())
    assert block.redaction_info is None
    assert found.header_hash == hashing.header_hash(block.address, block.transaction_id, block.timestamp)
    info = block.transaction_info
    assert found.info_hash == (None if info is None else hashing.transaction_info_hash(info))
    assert [(each.text.decode(), each.text_hash, each.start_ms, each.digest) for each in found.statements] == [
        (each["statement"], hash_value(each["statement"]), each["startTime"].epoch_ms(), each["statementDigest"])
        for each in (info or {}).get("statements", ())
    ]
    assert {name: (each.table_name, each.table_id) for name, each in found.documents.items()} == {
        name: (each["tableName"], each["tableId"]) for name, each in (info or {}).get("documents", {}).items()
    }
    assert (found.revisions is None) == (block.revisions is None)
    for one, other in zip(found.revisions or (), block.revisions or (), strict=True):
        metadata = other["metadata"]
        assert (one.document_id, one.version, one.transaction_id) == (
            metadata["id"],
            metadata["version"],
            metadata["txId"],
        )
        assert one.time_ms == metadata["txTime"].epoch_ms()
        assert other["blockAddress"] == block.address.to_ion()
        assert one.hash == other["hash"]
        assert one.metadata == encode_metadata(metadata)
        assert one.metadata_hash == hash_value(metadata)
        assert one.has_data == ("data" in other)
        assert one.data_hash == (hash_value(other["data"]) if "data" in other else other.get("dataHash"))
        if one.opening is not None:
            assert found.data(one) == dumps(other["data"])
        data = found.data_value(one)
        assert dumps(data) == dumps(other.get("data"))
        assert found.revision(one) == encode_revision(other)
    ion = found.transaction_info()
    assert (ion is None) == (info is None)
    if ion is not None:
        assert ion == encode_transaction_info(info)


def verified(journal: list[bytes], quick: Any) -> list[SegmentVerdict]:
    """The verdicts on blocks in a stream of Ion binary: as a whole journal, and as a segment of one."""
    verifiers = [JournalVerifier(), JournalVerifier(at_start=False)]
    for value, _ in read_items(BytesIO(b"".join(journal)).read, quick=quick):
        for verifier in verifiers:
            verifier.take(value)
    return [verifier.verdict() for verifier in verifiers]


OURS = [encode_block(block) for block in sample()]
SERVICE = [encode_block(block) for block in service_sample()]


def test_parts_are_cut_out_of_blocks_of_ours_as_they_would_be_written():
    """So tables have the same bytes, whether a journal came as binary or as text."""
    ids = [f"{number:022}" for number in range(3)]
    results = [
        TransactionResult("t1", [statement("x", 0)], changed(ids[0]), [NewRevision(ids[0], 0, document("{a:1, b:x}"))]),
        TransactionResult("t2", [statement("x", 0)], changed(ids[0]), [NewRevision(ids[0], 1, None)]),
        TransactionResult(
            "t3",
            [statement("x", 0)],
            changed(ids[1], ids[2]),
            [NewRevision(ids[1], 0, document("{id:1}")), NewRevision(ids[2], 0, document('{id:"é"}'))],
        ),
    ]
    cut = 0
    for ion in map(encode_block, chain(results)):
        found, block = stored(ion), reference(ion)
        assert found is not None
        assert block is not None
        for one, other in zip(found.revisions or (), block.revisions or (), strict=True):
            assert found.revision(one) == encode_revision(other)
            cut += one.whole_opening is not None
    assert cut == 4


@pytest.mark.parametrize(
    ("text", "id_", "time"),
    [
        ("INSERT INTO t ?", "7" * 22, 0),
        ("100 %s %b % \x7f", "\x7f" * 22, 1_600_000_000_123),
        ("\x7f" * 300, "statement", 1_600_000_000_200),
        ("x" * 2000, "x" * 22, 1),
        ("", "documents" * 2 + "1234", 1 << 40),
    ],
)
def test_transaction_info_is_put_together_as_it_would_be_written(text, id_, time):
    statements = [ExecutedStatement(text, Timestamp.from_epoch_ms(time), hashing.statement_digest(text))]
    result = TransactionResult("t1", statements, changed(id_), [NewRevision(id_, 0, {"a": 1})])
    ion = encode_block(build_block((None, b""), "s" * 22, result, Timestamp.from_epoch_ms(time)))
    found, block = stored(ion), reference(ion)
    assert found is not None
    assert block is not None
    check_same(found, block)


def document(text: str) -> Any:
    """A document as the engine stores it."""
    return loads_document(dumps(loads(text)))


# --- Blocks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ion", [*OURS, *SERVICE, *map(dumps, [each.to_ion() for each in sample()])])
def test_a_block_is_read_as_it_is_decoded(ion):
    found, block = stored(ion), reference(ion)
    assert block is not None
    is_usual = block.redaction_info is None and all("metadata" in each for each in block.revisions or ())
    assert (found is not None) == is_usual
    if found is not None:
        check_same(found, block)


def usual_block(number: int = 0) -> bytes:
    """A block with an insert, a delete and a redacted revision of earlier."""
    data = [{"a": number, "b": ["text", None, 1.5]}, None, {"c": {"a": True}, "b": Timestamp.from_epoch_ms(0)}]
    revisions = [NewRevision(f"{letter}{'x' * 21}", number, each) for letter, each in zip("abc", data, strict=True)]
    documents = changed(*(each.document_id for each in revisions))
    result = TransactionResult(f"{number:022}", [statement("INSERT INTO t ?", 1, 2)], documents, revisions)
    (_, block) = chain([result])
    return encode_block(block)


def test_documents_of_several_shapes_need_no_more_than_their_ids_to_differ():
    """The table of every block is another one; still all but the first few are read from their octets."""
    ions = [usual_block(number) for number in range(10)]
    assert [read_block(ion) for ion in ions[:ENOUGH]]
    for ion in ions[ENOUGH:]:
        found = read_block(ion)
        assert found is not None
        check_same(found, block_from_ion(loads(ion)))


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("a text that is not ASCII", lambda block: replace(block, transaction_id="ä" * 22)),
        ("a time to the second", lambda block: replace(block, timestamp=Timestamp("second", 2020, 1, 1, offset=0))),
        ("a time with an offset", lambda block: replace(block, timestamp=Timestamp.from_utc_seconds(5, "125", 60))),
        ("an address of a revision that is not the block's", lambda block: replace(block, address=sample()[2].address)),
    ],
)
def test_a_block_of_another_form_is_left_to_the_full_decode(what, change):
    block = change(block_from_ion(loads(usual_block())))
    ion = encode_block(block)
    assert reference(ion) == block
    assert stored(ion) is None


# --- Damage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("journal", [OURS, SERVICE])
def test_every_alteration_leads_to_the_same_verdict(journal):
    for number, ion in enumerate(journal):
        for what, altered in alterations(loads(ion)):
            changed_ion = dumps(altered)
            found, block = stored(changed_ion), reference(changed_ion)
            assert found is None or block is not None, what
            if found is not None and block is not None:
                check_same(found, block)
            around = [*journal[max(number - 1, 0) : number], changed_ion, *journal[number + 1 : number + 2]]
            assert verified(around, read_block) == verified(around, None), what


IONS = st.sampled_from([*OURS, *SERVICE, usual_block(), usual_block(300)])


@settings(max_examples=400, deadline=None)
@given(IONS, st.data())
def test_damaged_octets_are_accepted_only_as_the_block_that_they_decode_to(ion, data):
    octets = bytearray(ion)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(octets) - 1))
        kind = data.draw(st.sampled_from(["change", "change", "change", "remove", "insert"]))
        if kind == "change":
            octets[at] ^= data.draw(st.integers(1, 255))
        elif kind == "remove":
            del octets[at]
        else:
            octets.insert(at, data.draw(st.integers(0, 255)))
    damaged = bytes(octets)
    found, block = stored(damaged), reference(damaged)
    assert found is None or block is not None
    if found is not None and block is not None:
        check_same(found, block)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(OURS) - 1), st.data())
def test_a_journal_with_damaged_octets_has_the_same_verdict_either_way(number, data):
    octets = bytearray(OURS[number])
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    journal = [*OURS[:number], bytes(octets), *OURS[number + 1 :]]

    def outcome(quick: Any) -> Any:
        try:
            return verified(journal, quick)
        except IonError as error:
            return str(error)

    assert outcome(read_block) == outcome(None)


# --- Any journal ---------------------------------------------------------------------------------------------------

DOCUMENTS = st.dictionaries(st.sampled_from(["a", "b", "name", "data", "x" * 22]), values(), max_size=3)
TEXTS = st.sampled_from(["SELECT * FROM t", "INSERT INTO t ?", "x" * 200, "\x0b\x0c\x0e", "ö"])


@st.composite
def journals(draw: st.DrawFn) -> list[TransactionResult]:
    """Transactions with documents of any shape; a document has an id as the service's, or another."""
    versions: dict[str, int] = {}
    results = []
    for number in range(draw(st.integers(1, 5))):
        revisions = []
        for document_id in sorted(draw(st.sets(st.sampled_from(["w" * 22, "x" * 22, "name", "y"]), max_size=3))):
            versions[document_id] = versions.get(document_id, -1) + 1
            revisions.append(NewRevision(document_id, versions[document_id], draw(st.none() | DOCUMENTS)))
        statements = [statement(text, 100 * number, *([1] if "?" in text else [])) for text in draw(st.lists(TEXTS))]
        documents = changed(*(each.document_id for each in revisions))
        results.append(TransactionResult(f"{number:022}", statements, documents, revisions))
    return results


@settings(max_examples=100, deadline=None)
@given(journals(), st.booleans())
def test_any_journal_is_read_and_verified_as_by_the_full_decode(results, by_general_writer):
    blocks = chain(results)
    journal = [dumps(each.to_ion()) if by_general_writer else encode_block(each) for each in blocks]
    for ion in journal:
        found = stored(ion)
        if found is not None:
            check_same(found, block_from_ion(loads(ion)))
    verdicts = verified(journal, read_block)
    assert verdicts == verified(journal, None)
    assert not any(verdict.findings.total for verdict in verdicts)


@settings(deadline=None)
@given(st.lists(journals().map(chain), min_size=1, max_size=3))
def test_blocks_that_share_one_symbol_table_are_read_too(chains):
    """Other writers declare symbols once for many values."""
    blocks = [block for each in chains for block in each]
    ion = dump_all([block.to_ion() for block in blocks])
    assert verified([ion], read_block) == verified([ion], None)
    joined = [encode_block(blocks[0]), ion, encode_block(blocks[-1])]
    assert verified(joined, read_block) == verified(joined, None)


# --- Documents -------------------------------------------------------------------------------------------------------


@settings(max_examples=400)
@given(st.binary(max_size=40))
@example(b"\x84\x21\x05")
@example(b"\x84\x22\x00\x05")  # an int with a zero in front
@example(b"\x84\x81\xff")  # no UTF-8
@example(b"\x84\x6f")
@example(b"\x84\x65\xc0\x0f\xe0\x82\x9f")  # the 31st of February
@example(b"\x84\xe4\x81\x84\x21\x01")
@example(b"\x84\xd1\x80")
@example(b"\x84\x8e\x81x")
def test_hashing_over_octets_refuses_what_the_reader_refuses(octets):
    """The struct with these contents, system symbols its only names."""
    ion = (
        b"\xe0\x01\x00\xea"
        + (b"\xde" + bytes((0x80 | len(octets),)) if len(octets) > 13 else bytes((0xD0 | len(octets),)))
        + octets
    )
    assume(ion[4] != 0xD1)
    try:
        expected: Any = loads(ion)
    except IonError:
        expected = None
    used: list[int] = []
    try:
        found = hash_fields(ion, len(ion) - len(octets), len(ion), loads_symbols(), 50, used)
    except (IonError, IndexError, UnicodeDecodeError) as error:
        assert expected is None
        with pytest.raises(type(error), match=f"^{re.escape(str(error))}$"):
            hash_noted_fields(ion, len(ion) - len(octets), len(ion), loads_symbols(), 50, [], [])
        return
    assert expected is not None
    assert found == hash_value(expected)
    notes: list[int] = []
    assert hash_noted_fields(ion, len(ion) - len(octets), len(ion), loads_symbols(), 50, notes, []) == found
    assert [note for note in notes if note >= ion_hash.OTHER_OCTETS] == used
    if ion_hash.OTHER_OCTETS not in used:
        assert dumps(expected) == ion


def loads_symbols() -> Any:
    """The system's symbols."""
    from qldb_emulator.ion.symbols import SYSTEM_SYMBOLS

    return SYSTEM_SYMBOLS
