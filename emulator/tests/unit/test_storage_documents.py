"""What a ledger file answers about documents, history, indexes and catalogue, at every block."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.storage_steps import HASH, Delete, Put, Scribe, block_hash, block_ion, contents, flat, tx_time

from qldb_emulator.storage import LIVE, LedgerFile, Reads, RevisionRow, StorageError, TableRow


@pytest.fixture
def scribe(tmp_path: Path) -> Iterator[Scribe]:
    with LedgerFile.create(tmp_path / "cars.qldb", "off") as file:
        yield Scribe(file)


@pytest.fixture
def cars(scribe: Scribe) -> int:
    """Block 0 makes the table, 1 inserts a and b, 2 changes a, 3 deletes b, 4 inserts c."""
    table_no = scribe.table("Cars", ["VIN"])
    scribe.block(table_no, Put("a", b"a0", [b"red"]), Put("b", b"b0", [b"red"]))
    scribe.block(table_no, Put("a", b"a1", [b"blue"]))
    scribe.block(table_no, Delete("b"))
    scribe.block(table_no, Put("c", b"c0", [b"red"]))
    return table_no


SCANS = {
    -1: [],
    0: [],
    1: [("a", 0, b"a0"), ("b", 0, b"b0")],
    2: [("a", 1, b"a1"), ("b", 0, b"b0")],
    3: [("a", 1, b"a1")],
    4: [("a", 1, b"a1"), ("c", 0, b"c0")],
    LIVE - 1: [("a", 1, b"a1"), ("c", 0, b"c0")],
}


@pytest.mark.parametrize("batch", [1, 2, 100])
@pytest.mark.parametrize("at_seq", SCANS)
def test_scan_gives_what_was_current_at_the_block(scribe: Scribe, cars: int, at_seq: int, batch: int) -> None:
    assert SCANS[at_seq] == contents(scribe.file.scan(cars, at_seq, batch))


@pytest.mark.parametrize(
    ("keys", "at_seq", "expected"),
    [
        pytest.param([b"red"], 0, [], id="before the documents"),
        pytest.param([b"red"], 1, [("a", 0, b"a0"), ("b", 0, b"b0")], id="two documents of one key"),
        pytest.param([b"red"], 2, [("b", 0, b"b0")], id="one has moved to another key"),
        pytest.param([b"red"], 3, [], id="the other is deleted"),
        pytest.param([b"red"], 4, [("c", 0, b"c0")], id="a new one came"),
        pytest.param([b"blue"], 2, [("a", 1, b"a1")], id="the new key"),
        pytest.param([b"blue"], 1, [], id="the new key before the change"),
        pytest.param([b"red", b"blue", b"red"], 4, [("c", 0, b"c0"), ("a", 1, b"a1")], id="keys in order, each once"),
        pytest.param([b"green"], 4, [], id="a key that never was"),
        pytest.param([], 4, [], id="no keys"),
    ],
)
@pytest.mark.parametrize("batch", [1, 100])
def test_seek_index_gives_the_documents_of_the_keys_at_the_block(
    scribe: Scribe, cars: int, keys: list[bytes], at_seq: int, expected: list[object], batch: int
) -> None:
    (index_no,) = scribe.indexes[cars]
    assert expected == contents(scribe.file.seek_index(index_no, keys, at_seq, batch))


def test_documents_of_a_key_come_in_the_order_of_insertion_whenever_they_lost_it(scribe: Scribe) -> None:
    table_no = scribe.table("Cars", ["colour"])
    ids = [f"d{number}" for number in range(6)]
    at_seq = scribe.block(table_no, *(Put(id_, b"old", [b"red"]) for id_ in ids))
    for id_ in ("d4", "d1", "d3"):
        scribe.block(table_no, Put(id_, b"new", [b"blue"]))
    (index_no,) = scribe.indexes[table_no]
    for batch in (1, 4, 100):
        rows = flat(scribe.file.seek_index(index_no, [b"red"], at_seq, batch))
        assert ids == [row.document_id for row in rows]


@pytest.mark.parametrize(
    ("ids", "at_seq", "expected"),
    [
        pytest.param(["a"], 1, [("a", 0, b"a0")], id="first revision"),
        pytest.param(["a"], 2, [("a", 1, b"a1")], id="second revision"),
        pytest.param(["a"], 0, [], id="not there yet"),
        pytest.param(["b"], 3, [], id="deleted"),
        pytest.param(["b"], 2, [("b", 0, b"b0")], id="not deleted yet"),
        pytest.param(["c", "x", "a", "c"], 4, [("c", 0, b"c0"), ("a", 1, b"a1")], id="order of the ids, each once"),
    ],
)
@pytest.mark.parametrize("batch", [1, 100])
def test_seek_documents_gives_those_alive_at_the_block(
    scribe: Scribe, cars: int, ids: list[str], at_seq: int, expected: list[object], batch: int
) -> None:
    assert expected == contents(scribe.file.seek_documents(cars, ids, at_seq, batch))


def test_a_document_is_not_found_in_another_table(scribe: Scribe, cars: int) -> None:
    other = scribe.table("Bikes")
    assert contents(scribe.file.seek_documents(other, ["a"], scribe.next_seq)) == []
    assert contents(scribe.file.history(other, scribe.next_seq, ["a"])) == []
    assert contents(scribe.file.scan(other, scribe.next_seq)) == []


WHOLE_HISTORY = [("a", 0, b"a0"), ("a", 1, b"a1"), ("b", 0, b"b0"), ("b", 1, None), ("c", 0, b"c0")]


@pytest.mark.parametrize("batch", [1, 2, 100])
@pytest.mark.parametrize(
    ("at_seq", "start_ms", "end_ms", "expected"),
    [
        pytest.param(-1, None, None, [], id="before the first block"),
        pytest.param(1, None, None, ["a0", "b0"], id="snapshot hides later revisions"),
        pytest.param(4, None, None, ["a0", "a1", "b0", "b1", "c0"], id="everything, the deletion too"),
        pytest.param(4, tx_time(2), None, ["a0", "a1", "b0", "b1", "c0"], id="replaced exactly at the start: still in"),
        pytest.param(4, tx_time(2) + 1, None, ["a1", "b0", "b1", "c0"], id="replaced before the start: out"),
        pytest.param(4, tx_time(9), None, ["a1", "b1", "c0"], id="after everything: what is current"),
        pytest.param(4, None, tx_time(1), ["a0", "b0"], id="begun exactly at the end: in"),
        pytest.param(4, None, tx_time(1) - 1, [], id="begun after the end: out"),
        pytest.param(4, tx_time(2), tx_time(2), ["a0", "a1", "b0"], id="one moment, in which a was replaced"),
        pytest.param(4, tx_time(1) + 1, tx_time(2) - 1, ["a0", "b0"], id="between two blocks"),
        pytest.param(1, tx_time(9), None, ["a0", "b0"], id="a successor beyond the snapshot does not count"),
    ],
)
def test_history_keeps_the_revisions_active_in_the_time(
    scribe: Scribe, cars: int, at_seq: int, start_ms: int | None, end_ms: int | None, expected: list[str], batch: int
) -> None:
    rows = flat(scribe.file.history(cars, at_seq, None, start_ms, end_ms, batch))
    assert expected == [f"{row.document_id}{row.version}" for row in rows]
    by_id = flat(scribe.file.history(cars, at_seq, ["c", "a", "b", "a", "x"], start_ms, end_ms, batch))
    assert rows == by_id


def test_history_of_one_document_gives_its_revisions_only(scribe: Scribe, cars: int) -> None:
    assert contents(scribe.file.history(cars, 4, ["b"])) == [("b", 0, b"b0"), ("b", 1, None)]


def test_a_revision_comes_back_as_it_was_written(scribe: Scribe, cars: int) -> None:
    expected = RevisionRow(1, "a", cars, 1, 2, tx_time(2), HASH, b"a1", None, b"m1")
    assert [expected] == flat(scribe.file.seek_documents(cars, ["a"], 4))
    assert expected == scribe.file.revision_at(1, 4)
    assert [expected] == scribe.file.block_revisions(2)


@pytest.mark.parametrize(("at_seq", "version"), [(-1, None), (2, 0), (3, 1), (9, 1)])
def test_revision_at_gives_a_deletion_too(scribe: Scribe, cars: int, at_seq: int, version: int | None) -> None:
    row = scribe.file.revision_at(2, at_seq)
    assert version == (row.version if row else None)


def test_document_info_knows_the_dead(scribe: Scribe, cars: int) -> None:
    assert (2, "b", cars, 1, 3, 3, 1) == scribe.file.document_info("b")
    assert (1, "a", cars, 1, LIVE, 2, 1) == scribe.file.document_info("a")
    assert scribe.file.document_info("x") is None


def test_revisions_of_a_block_are_those_of_that_block(scribe: Scribe, cars: int) -> None:
    of_block = {seq: [row.document_id for row in scribe.file.block_revisions(seq)] for seq in range(6)}
    assert of_block == {0: [], 1: ["a", "b"], 2: ["a"], 3: ["b"], 4: ["c"], 5: []}


# --- iterators beside commits ---------------------------------------------------------------------------------
def test_iterators_begun_before_a_commit_do_not_see_it(scribe: Scribe) -> None:
    """Whatever has ended, moved or come between two batches: the answer is that of the block asked for."""
    table_no = scribe.table("Cars", ["colour"])
    ids = [f"d{number}" for number in range(20)]
    at_seq = scribe.block(table_no, *(Put(id_, b"old", [b"red"]) for id_ in ids))
    (index_no,) = scribe.indexes[table_no]
    file = scribe.file
    open_iterators = [
        file.scan(table_no, at_seq, 3),
        file.seek_index(index_no, [b"red"], at_seq, 3),
        file.seek_documents(table_no, ids, at_seq, 3),
        file.history(table_no, at_seq, None, None, None, 3),
        file.history(table_no, at_seq, ids, None, None, 3),
        file.history(table_no, at_seq, ids, 0, 10**9, 3),
    ]
    found = [list(next(iterator)) for iterator in open_iterators]
    scribe.block(table_no, *(Put(id_, b"new", [b"blue"]) for id_ in ids[10:]), *(Delete(id_) for id_ in ids[:10]))
    scribe.block(table_no, Put("later", b"new", [b"red"]))
    for rows, iterator in zip(found, open_iterators, strict=True):
        rows += flat(iterator)
        assert [(id_, 0, b"old") for id_ in ids] == [(row.document_id, row.version, row.data) for row in rows]


def test_an_iterator_goes_on_in_another_thread(scribe: Scribe, cars: int) -> None:
    """A page of a result may be fetched by any thread of the server."""
    iterator = scribe.file.scan(cars, 4, 1)
    first = next(iterator)
    rest: list[list[RevisionRow]] = []
    thread = threading.Thread(target=lambda: rest.extend(iterator))
    thread.start()
    thread.join()
    assert SCANS[4] == contents([first, *rest])


def first_revision(reads: Reads) -> RevisionRow:
    row = reads.revision_at(1, 1)
    assert row is not None
    return row


# --- redaction --------------------------------------------------------------------------------------------------
def test_a_redacted_revision_keeps_its_hashes_and_loses_its_data(scribe: Scribe, cars: int) -> None:
    with scribe.file.write() as writer:
        writer.redact_revision(first_revision(writer), b"hash of a0")
        writer.replace_block(1, b"without the data")
    row = flat(scribe.file.history(cars, 4, ["a"]))[0]
    assert (row.version, row.hash, row.data, row.data_hash) == (0, HASH, None, b"hash of a0")
    assert scribe.file.block_bytes(1) == b"without the data"
    assert block_hash(4) == scribe.file.tip().block_hash  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("doc_no", "seq", "expected"),
    [
        pytest.param(1, 1, 2, id="replaced"),
        pytest.param(1, 2, None, id="current"),
        pytest.param(2, 1, 3, id="deleted"),
        pytest.param(2, 3, None, id="deletion"),
        pytest.param(9, 1, None, id="no such document"),
    ],
)
def test_the_block_that_replaced_a_revision_is_known(
    scribe: Scribe, cars: int, doc_no: int, seq: int, expected: int | None
) -> None:
    assert expected == scribe.file.next_revision_seq(doc_no, seq)


def test_the_keys_of_erased_data_are_erased_too(scribe: Scribe, cars: int) -> None:
    """A short key holds the value itself.  Only the entry that ended where told goes; the others stay."""
    (index_no,) = scribe.indexes[cars]
    with scribe.file.write() as writer:
        writer.erase_index_entries([(index_no, b"red", 1), (index_no, b"red", 3), (index_no, b"blue", 1)], 2)
    entries = [row[:4] for table, row in scribe.file.dump_derived() if table == "index_entry"]
    assert [(index_no, b"blue", LIVE, 1), (index_no, b"red", 3, 2), (index_no, b"red", LIVE, 3)] == entries


def test_the_keys_of_erased_data_are_erased_from_a_dropped_index_too(scribe: Scribe, cars: int) -> None:
    """Entries of a dropped index do not end, so those that began before the next revision go."""
    (index_no,) = scribe.indexes[cars]
    with scribe.file.write() as writer:
        writer.drop_index(index_no, 5)
        writer.erase_index_entries([(index_no, b"red", 3), (index_no, b"blue", 1)], 6)
    assert index_keys(scribe) == [(b"red", 1), (b"red", 2)]


def index_keys(scribe: Scribe) -> list[tuple[bytes, int]]:
    with scribe.file.write() as writer:
        return list(writer.connection().execute("SELECT key, doc_no FROM index_entry ORDER BY doc_no, key"))


@pytest.mark.parametrize(("doc_no", "seq"), [(1, 3), (9, 1), (1, 0)])
def test_redacting_a_revision_that_is_not_there_is_refused(scribe: Scribe, cars: int, doc_no: int, seq: int) -> None:
    problem = f"Document {doc_no} has no revision in block {seq}"
    with pytest.raises(StorageError, match=problem), scribe.file.write() as writer:
        writer.redact_revision(first_revision(writer)._replace(doc_no=doc_no, seq=seq), HASH)


def test_replacing_a_block_that_is_not_there_is_refused(scribe: Scribe, cars: int) -> None:
    with pytest.raises(StorageError, match="no block 77"), scribe.file.write() as writer:
        writer.replace_block(77, b"")


# --- the journal ------------------------------------------------------------------------------------------------
def test_blocks_come_in_order_and_in_ranges(scribe: Scribe, cars: int) -> None:
    all_blocks = [(seq, block_ion(seq)) for seq in range(5)]
    assert all_blocks == list(scribe.file.blocks())
    assert all_blocks == list(scribe.file.blocks(batch=2))
    assert all_blocks[1:4] == list(scribe.file.blocks(1, 3, batch=2))
    assert list(scribe.file.blocks(5)) == []
    assert list(scribe.file.blocks(3, 2)) == []
    assert block_ion(3) == scribe.file.block_bytes(3)
    assert scribe.file.block_bytes(5) is None


def test_the_tip_is_the_newest_block(scribe: Scribe) -> None:
    assert scribe.file.tip() is None
    scribe.table("Cars")
    assert (0, block_hash(0), 1_005) == scribe.file.tip()


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "expected"),
    [
        pytest.param(0, 10_000, (0, 4), id="all"),
        pytest.param(1_005, 1_045, (0, 3), id="start included, end excluded"),
        pytest.param(1_006, 1_046, (1, 4), id="a millisecond later"),
        pytest.param(1_016, 1_025, None, id="between two blocks"),
        pytest.param(0, 1_005, None, id="before the first"),
        pytest.param(1_046, 10_000, None, id="after the last"),
        pytest.param(1_030, 1_010, None, id="turned round"),
    ],
)
def test_blocks_are_found_by_time(
    scribe: Scribe, cars: int, start_ms: int, end_ms: int, expected: tuple[int, int] | None
) -> None:
    assert expected == scribe.file.block_seqs_between(start_ms, end_ms)


@pytest.mark.parametrize(("before_ms", "expected"), [(1_005, None), (1_006, 0), (1_045, 3), (99_999, 4)])
def test_the_last_block_before_a_time(scribe: Scribe, cars: int, before_ms: int, expected: int | None) -> None:
    assert expected == scribe.file.last_block_before(before_ms)


def test_blocks_of_one_millisecond_are_all_found(scribe: Scribe) -> None:
    with scribe.file.write() as writer:
        for seq in range(3):
            writer.insert_block(seq, "t", 500, HASH, b"")
    assert scribe.file.block_seqs_between(500, 501) == (0, 2)


def test_blocks_are_found_by_time_where_others_are_missing(scribe: Scribe) -> None:
    """In an imported journal of which only parts were kept."""
    times = {3: 30, 4: 30, 9: 90, 17: 170, 18: 171}
    with scribe.file.write() as writer:
        for seq, milliseconds in times.items():
            writer.insert_block(seq, "t", milliseconds, HASH, b"")
    for milliseconds in range(180):
        before = [seq for seq, time in times.items() if time < milliseconds]
        assert scribe.file.last_block_before(milliseconds) == (before[-1] if before else None)
    assert scribe.file.block_seqs_between(30, 171) == (3, 17)
    assert scribe.file.block_seqs_between(31, 172) == (9, 18)
    assert scribe.file.block_seqs_between(172, 1_000) is None


def test_merkle_nodes_that_are_not_stored_are_not_in_the_answer(scribe: Scribe, cars: int) -> None:
    wanted = [(0, 2), (1, 3), (2, 0), (0, 99)]
    assert {(0, 2): block_hash(2), (1, 3): block_hash(3)} == scribe.file.merkle_nodes(wanted)


@pytest.mark.parametrize("seq", [-1, LIVE])
def test_a_sequence_number_out_of_range_is_refused(scribe: Scribe, seq: int) -> None:
    with pytest.raises(StorageError, match="outside"), scribe.file.write() as writer:
        writer.insert_block(seq, "t", 0, HASH, b"")


# --- the catalogue ----------------------------------------------------------------------------------------------
def test_the_catalogue_is_as_of_a_block(scribe: Scribe) -> None:
    file = scribe.file
    cars = scribe.table("Cars", ["VIN"])
    (index_no,) = scribe.indexes[cars]
    with file.write() as writer:
        writer.change_table(cars, 1, status="INACTIVE")
        bikes = writer.create_table("id-bikes", "Bikes", 1)
        made = writer.create_index("id-index", bikes, "frame", 1)
    with file.write() as writer:
        writer.change_table(cars, 2, status="ACTIVE", name="Autos")
    with file.write() as writer:
        writer.drop_index(made, 3)

    vin = (index_no, "index-Cars-VIN", cars, "VIN", "ONLINE", 0)
    catalogues = {
        -1: [],
        0: [(cars, "table-Cars", "Cars", "ACTIVE", 0, (vin,))],
        1: [
            (cars, "table-Cars", "Cars", "INACTIVE", 0, (vin,)),
            (bikes, "id-bikes", "Bikes", "ACTIVE", 1, ((made, "id-index", bikes, "frame", "ONLINE", 1),)),
        ],
        2: [
            (cars, "table-Cars", "Autos", "ACTIVE", 0, (vin,)),
            (bikes, "id-bikes", "Bikes", "ACTIVE", 1, ((made, "id-index", bikes, "frame", "ONLINE", 1),)),
        ],
        3: [
            (cars, "table-Cars", "Autos", "ACTIVE", 0, (vin,)),
            (bikes, "id-bikes", "Bikes", "ACTIVE", 1, ()),
        ],
    }
    assert catalogues == {at_seq: file.catalogue_rows(at_seq) for at_seq in catalogues}
    assert all(isinstance(row, TableRow) for row in file.catalogue_rows(3))


def test_several_changes_in_one_block_leave_the_last(scribe: Scribe) -> None:
    """CREATE, DROP and UNDROP TABLE may stand in one transaction."""
    with scribe.file.write() as writer:
        number = writer.create_table("id", "Cars", 0)
        index_no = writer.create_index("id-index", number, "VIN", 0)
        for status in ("INACTIVE", "ACTIVE", "INACTIVE"):
            writer.change_table(number, 0, status=status)
        writer.drop_index(index_no, 0)
    assert [(number, "id", "Cars", "INACTIVE", 0, ())] == scribe.file.catalogue_rows(0)


def test_a_table_adopts_the_id_an_imported_journal_knows_it_by(scribe: Scribe) -> None:
    number = scribe.table("Cars")
    with scribe.file.write() as writer:
        writer.adopt_table_id(number, "real id")
    assert [row.table_id for row in scribe.file.catalogue_rows(0)] == ["real id"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda writer: writer.change_table(9, 1, status="INACTIVE"), id="table"),
        pytest.param(lambda writer: writer.adopt_table_id(9, "x"), id="table id"),
        pytest.param(lambda writer: writer.drop_index(9, 1), id="index"),
    ],
)
def test_changing_what_is_not_there_is_refused(scribe: Scribe, change) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(StorageError, match="There is no"), scribe.file.write() as writer:
        change(writer)


def test_a_dropped_index_serves_earlier_snapshots_until_it_is_purged(scribe: Scribe, cars: int) -> None:
    (index_no,) = scribe.indexes[cars]
    assert not scribe.file.has_entries_of_dropped_indexes()
    with scribe.file.write() as writer:
        writer.drop_index(index_no, 5)
    assert scribe.file.has_entries_of_dropped_indexes()
    assert contents(scribe.file.seek_index(index_no, [b"red"], 4)) == [("c", 0, b"c0")]
    with scribe.file.write() as writer:
        writer.purge_dropped_indexes()
    assert contents(scribe.file.seek_index(index_no, [b"red"], 4)) == []
    assert scribe.file.counts().index_entries == 0


def test_purging_leaves_indexes_in_use_alone(scribe: Scribe, cars: int) -> None:
    with scribe.file.write() as writer:
        writer.purge_dropped_indexes()
    assert scribe.file.counts().index_entries == 4


# --- writers ----------------------------------------------------------------------------------------------------
def test_a_writer_reads_what_it_wrote_and_others_do_not(scribe: Scribe, cars: int) -> None:
    with scribe.file.write() as writer:
        scribe.change(writer, 5, cars, Put("d", b"d0", [b"red"]))
        assert [row.document_id for row in flat(writer.scan(cars, 5))] == ["a", "c", "d"]
        assert [row.document_id for row in flat(scribe.file.scan(cars, 5))] == ["a", "c"]
    assert [row.document_id for row in flat(scribe.file.scan(cars, 5))] == ["a", "c", "d"]


def test_many_blocks_go_into_one_transaction(scribe: Scribe) -> None:
    table_no = scribe.table("Cars", ["VIN"])
    with scribe.file.write() as writer:
        for seq in range(1, 4):
            numbers = writer.insert_documents([f"d{seq}-{n}" for n in range(3)], table_no, seq)
            writer.insert_revisions(
                RevisionRow(number, f"d{seq}-{n}", table_no, 0, seq, tx_time(seq), HASH, b"x", None, b"m")
                for n, number in enumerate(numbers)
            )
    assert list(range(1, 10)) == [row.doc_no for row in flat(scribe.file.scan(table_no, 3))]


@pytest.mark.parametrize(
    "write_twice",
    [
        pytest.param(lambda writer: writer.insert_document("a", 1, 5), id="document id"),
        pytest.param(lambda writer: writer.insert_block(4, "t", 0, HASH, b""), id="block"),
        pytest.param(lambda writer: writer.insert_nodes([(1, 0, HASH)]), id="Merkle node"),
        pytest.param(lambda writer: writer.create_table("table-Cars", "Other", 5), id="table id"),
        pytest.param(lambda writer: writer.put_index_entries([(1, b"red", 3)], 5), id="live index entry"),
        pytest.param(lambda writer: writer.insert_revision(writer.revision_at(1, 4)), id="second revision in a block"),
    ],
)
def test_what_must_be_there_once_is_not_written_twice(scribe: Scribe, cars: int, write_twice) -> None:  # type: ignore[no-untyped-def]
    before = list(scribe.file.dump_derived())

    def write() -> None:
        with scribe.file.write() as writer:
            writer.set_meta({"state": "changed"})
            write_twice(writer)

    with pytest.raises(StorageError, match="UNIQUE constraint failed"):
        write()
    assert before == list(scribe.file.dump_derived())
    assert scribe.file.meta("state") is None


def test_clearing_and_writing_again_gives_the_same_rows(scribe: Scribe, cars: int) -> None:
    """What a rebuild rests on: the same writes give the same rows, numbers included."""
    before = list(scribe.file.dump_derived())
    kept = (scribe.file.tip(), list(scribe.file.blocks()), scribe.file.merkle_nodes([(0, 0), (0, 4)]))
    with scribe.file.write() as writer:
        writer.set_meta({"name": "cars"})
        scribe.change(writer, 5, cars, Put("d", b"d0"))  # a number that is given again
        writer.clear_derived()
        assert list(writer.dump_derived()) == []
        table_no = writer.create_table("table-Cars", "Cars", 0)
        writer.create_index("index-Cars-VIN", table_no, "VIN", 0)
        scribe.known.clear()
        scribe.change(writer, 1, table_no, Put("a", b"a0", [b"red"]))
        scribe.change(writer, 1, table_no, Put("b", b"b0", [b"red"]))
        scribe.change(writer, 2, table_no, Put("a", b"a1", [b"blue"]))
        scribe.change(writer, 3, table_no, Delete("b"))
        scribe.change(writer, 4, table_no, Put("c", b"c0", [b"red"]))
    assert before == list(scribe.file.dump_derived())
    assert kept == (scribe.file.tip(), list(scribe.file.blocks()), scribe.file.merkle_nodes([(0, 0), (0, 4)]))
    assert scribe.file.all_meta() == {"name": "cars"}


def test_counts_tell_the_dead_from_the_living(scribe: Scribe, cars: int) -> None:
    counts = scribe.file.counts()
    assert counts == (5, 1, 1, 3, 2, 5, 4)
    assert (counts.documents, counts.live_documents) == (3, 2)
