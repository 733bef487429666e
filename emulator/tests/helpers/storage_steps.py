"""Short functions that write blocks and read them back, for the tests of storage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from qldb_emulator.storage import LedgerFile, RevisionRow, Writer

HASH = bytes(range(32))


def tx_time(seq: int) -> int:
    """Return the txTime of every revision of a block."""
    return 1_000 + 10 * seq


@dataclass(frozen=True, slots=True)
class Put:
    """A document's new content, and the keys under which the table's indexes find it."""

    document_id: str
    data: bytes
    keys: Sequence[bytes | None] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    document_id: str


@dataclass(slots=True)
class _Known:
    row: RevisionRow
    keys: Sequence[bytes | None]


@dataclass(slots=True)
class Scribe:
    """Writes blocks into a ledger file and remembers what it needs to know for the next one."""

    file: LedgerFile
    next_seq: int = 0
    indexes: dict[int, list[int]] = field(default_factory=dict)
    known: dict[str, _Known] = field(default_factory=dict)

    def table(self, name: str, fields: Iterable[str] = ()) -> int:
        """Write a block that makes a table with indexes; return the table's number."""
        with self.file.write() as writer:
            seq = self._block(writer)
            table_no = writer.create_table(f"table-{name}", name, seq)
            self.indexes[table_no] = [
                writer.create_index(f"index-{name}-{field_name}", table_no, field_name, seq) for field_name in fields
            ]
        return table_no

    def block(self, table_no: int, *changes: Put | Delete, sync: bool = True) -> int:
        """Write a block that changes documents of one table; return its sequence number."""
        with self.file.write(sync) as writer:
            seq = self._block(writer)
            for change in changes:
                self.change(writer, seq, table_no, change)
        return seq

    def change(self, writer: Writer, seq: int, table_no: int, change: Put | Delete) -> None:
        """One change, inside a write transaction."""
        before = self.known.get(change.document_id)
        if before is None:
            doc_no, version = writer.insert_document(change.document_id, table_no, seq), 0
        else:
            doc_no, version = before.row.doc_no, before.row.version + 1
        data = change.data if isinstance(change, Put) else None
        row = RevisionRow(
            doc_no, change.document_id, table_no, version, seq, tx_time(seq), HASH, data, None, b"m%d" % version
        )
        writer.insert_revision(row)
        old_keys = before.keys if before else ()
        new_keys = change.keys if isinstance(change, Put) else ()
        numbers = self.indexes.get(table_no, [])
        old = {(number, key, doc_no) for number, key in zip(numbers, old_keys, strict=False) if key is not None}
        new = {(number, key, doc_no) for number, key in zip(numbers, new_keys, strict=False) if key is not None}
        writer.close_index_entries(sorted(old - new), seq)
        writer.put_index_entries(sorted(new - old), seq)
        self.known[change.document_id] = _Known(row, new_keys)

    def _block(self, writer: Writer) -> int:
        seq, self.next_seq = self.next_seq, self.next_seq + 1
        writer.insert_block(seq, f"transaction-{seq}", tx_time(seq) + 5, block_hash(seq), block_ion(seq))
        writer.insert_nodes([(1, seq, block_hash(seq))])
        return seq


def block_hash(seq: int) -> bytes:
    return seq.to_bytes(32, "big")


def block_ion(seq: int) -> bytes:
    return b"block %d" % seq


def flat(batches: Iterable[Sequence[RevisionRow]]) -> list[RevisionRow]:
    """Return all rows of all batches; none of the batches may be empty."""
    rows = []
    for batch in batches:
        assert batch
        rows += batch
    return rows


def contents(batches: Iterable[Sequence[RevisionRow]]) -> list[tuple[str, int, bytes | None]]:
    """Return (document id, version, data) of every row."""
    return [(row.document_id, row.version, row.data) for row in flat(batches)]
