"""Whether tables still are what the journal said: every row again from its ``ion``, every block up to the digest.

The journal itself is not needed.  What is proved, from the bottom up:

1. every column of a row is what follows from the revision in its ``ion``, and the revision's hash from that;
2. the hash is one of its block's revision hashes, and those lead to an entry of the block;
3. the documents that the block's transaction changed are exactly those with a row: none was taken away or added;
4. the entries lead to the block's hash, that to the next block's, and all of them to the digest;
5. the other columns of a block follow from its transaction, its entries and its revisions.  The time of a block that
   QLDB wrote is an exception: only the block's hash covers it, by an entry that cannot be computed;
6. ``_verification`` says what the tables say (``claims``).
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

from ..ion.codec import IonError, dumps, loads
from ..ion.json import to_json
from ..ion.values import Timestamp
from ..journal import hashing, merkle
from ..journal.merkle import Node
from ..journal.model import BlockAddress, Struct
from ..journal.parse import BlockFormatError, revision_from_ion, transaction_info_from_ion
from ..records import dataclass
from ..verify.checks import Finding, show
from ..verify.inputs import SavedDigest
from ..verify.verdict import FINDINGS_KEPT, add_nodes, root_of
from .claims import Found, wrong_claims, wrong_tables, wrong_types
from .fields import Fields, Types, add_types
from .layout import BLOCKS, BLOCKS_NAME, HISTORY, ColumnKind, Columns, TableLayout, layouts_from_plain
from .rows import BlockRow, RevisionRow, revision_row
from .spool import ROWS_AT_ONCE, TypedValues, history_row, is_current
from .targets import Target, TargetError, temporary_folder

HASH_BYTES = hashing.HASH_BYTES
_ID, _VERSION, _BLOCK, _TRANSACTION, _FROM, _TO, _ION = 0, 1, 2, 3, 4, 5, 10
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class TablesVerdict:
    """What the check of a target came to.

    digest: over the blocks, None when they do not begin at block 0.  digest_ok: whether it is the one that was kept,
    None when none was given or it cannot be compared.  limits: what is not proved, in sentences.
    """

    target: str
    blocks: int
    rows: int
    tables: int
    digest: bytes | None
    digest_ok: bool | None
    findings: tuple[Finding, ...]
    findings_total: int
    limits: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """As of a journal: whole, incomplete, broken."""
        return "broken" if self.findings_total else "incomplete" if self.limits else "whole"


def verify_tables(target: Target, digest: SavedDigest | None = None, progress: Progress | None = None) -> TablesVerdict:
    """Check every row of a target.  progress: is told of rows.  Raises TargetError when it cannot be read."""
    return _Check(target, digest, progress).run()


class _Check:
    def __init__(self, target: Target, digest: SavedDigest | None, progress: Progress | None) -> None:
        self._target = target
        self._digest = digest
        self._progress = progress
        self._row = target.verification()
        try:
            about = json.loads(self._row["tables"])
            self._about = about
            self._layouts = layouts_from_plain(about["tables"], target.dialect)
            self._flatten = bool(about["flatten"])
            self._is_partial = about["only"] is not None
        except (ValueError, KeyError, TypeError) as error:
            raise TargetError(f"{target.description}: the column _verification.tables cannot be read") from error
        self._strand = str(self._row["strand_id"])
        self._findings: list[Finding] = []
        self._total = self._rows = self._blocks = 0
        self._first: int | None = None
        self._nodes: list[Node] = []
        self._tip_nodes: list[Node] | None = None
        self._previous: BlockRow | None = None
        self._is_ours = False

    def run(self) -> TablesVerdict:
        """All of it."""
        sources = [_Rows(self._target, layout) for layout in self._layouts]
        with temporary_folder() as folder:
            ends = _Ends(folder / "ends")
            try:
                for values in self._target.read(BLOCKS_NAME, BLOCKS):
                    if not self._is_typed(values, BLOCKS, "table blocks", ("transaction_info",)):
                        continue
                    block = BlockRow(*values)
                    self._check_block(block)
                    self._check_rows(block, sources, ends)
                for source in sources:
                    for row in source.rest():
                        self._note("address", row[_BLOCK], "a block in the table blocks", "none", _place(source, row))
                    for row in source.untyped:
                        self._is_typed(row, source.columns, _place(source, row), source.nullable)
                    for wrong in wrong_types(source.layout, source.types(), source.is_redacted):
                        self._note_claim(*wrong)
                self._check_ends(ends)
            finally:
                ends.close()
        for layout in self._layouts:
            self._check_current(layout)
        digest, is_equal = self._check_digest()
        self._check_claims(digest)
        return TablesVerdict(
            target=self._target.description,
            blocks=self._blocks,
            rows=self._rows,
            tables=len(self._layouts),
            digest=digest,
            digest_ok=is_equal,
            findings=tuple(self._findings),
            findings_total=self._total,
            limits=tuple(self._limits(digest, is_equal)),
        )

    def _note(self, check: str, block: int | None, expected: str, found: str, detail: str = "") -> None:
        self._total += 1
        if len(self._findings) < FINDINGS_KEPT:
            address = None if block is None else BlockAddress(self._strand, block)
            self._findings.append(Finding(check, address, expected, found, detail))

    def _expect(self, check: str, block: int, expected: bytes, found: bytes, detail: str = "") -> None:
        if expected != found:
            self._note(check, block, show(expected), show(found), detail)

    # --- Blocks --------------------------------------------------------------------------------------------

    def _check_block(self, block: BlockRow) -> None:
        number, previous = block.block, self._previous
        self._blocks += 1
        entries = _hashes(block.entries)
        self._expect("entriesHash", number, merkle.root(entries), block.entries_hash)
        self._expect("blockHash", number, hashing.dot(block.entries_hash, block.previous_hash or b""), block.hash)
        if previous is None:
            self._first = number
        else:
            if number != previous.block + 1:
                self._note("sequence", number, str(previous.block + 1), str(number))
            self._expect("link", number, previous.hash, block.previous_hash or b"")
        revisions = _hashes(block.revision_hashes)
        if revisions and merkle.root(revisions) not in entries:
            self._note("revisions", number, f"{show(merkle.root(revisions))} in entries", "not there")
        self._check_info(block, entries)
        add_nodes(self._nodes, [(0, number, block.hash)])
        tip = None if self._digest is None or self._digest.tip is None else self._digest.tip.sequence_no
        if number == tip:
            self._tip_nodes = list(self._nodes)
        self._previous = block

    def _check_info(self, block: BlockRow, entries: list[bytes]) -> None:
        """What the transaction and the header of a block say."""
        number = block.block
        info = self._info(block)
        if block.transaction_info is not None and hashing.transaction_info_hash(info) not in entries:
            self._note("info", number, "the hash of transaction_info in entries", "not there")
        statements = info.get("statements", ())
        expected = to_json([each["statement"] for each in statements])
        if block.statements != expected:
            self._note("tables", number, _shown(expected), _shown(block.statements), "table blocks, column statements")
        # Of blocks of ours the first entry covers the header.  From the first one that is ours, all are.
        milliseconds, rest = divmod(block.time, 1000)
        time = Timestamp.from_epoch_ms(milliseconds)
        address = BlockAddress(self._strand, number)
        has_header = not rest and hashing.header_hash(address, block.transaction_id, time) in entries
        digests = [each["statementDigest"] for each in statements]
        has_statements = bool(digests) or (block.transaction_info is not None and not info)
        self._is_ours = self._is_ours or has_header or (has_statements and hashing.statements_hash(digests) in entries)
        if self._is_ours and not has_header:
            self._note("header", number, "the hash of strand, number, transaction_id and time in entries", "not there")
        if self._is_ours and block.transaction_info is None:
            self._note("info", number, "a transaction_info", "none")

    def _info(self, block: BlockRow) -> Struct:
        """The transactionInfo of a block; empty when it has none, or one that cannot be read, which is a finding."""
        if block.transaction_info is None:
            return {}
        try:
            return transaction_info_from_ion(loads(block.transaction_info))
        except (IonError, BlockFormatError) as error:
            self._note("format", block.block, "a transactionInfo", str(error))
            return {}

    def _is_typed(self, row: tuple[Any, ...], columns: Columns, where: str, nullable: Iterable[str]) -> bool:
        """Whether every cell has a value of its column's type; one that has none may be null if it is nullable."""
        wrong = _untyped(row, columns, frozenset(nullable))
        if wrong is not None:
            name, kind, value = wrong
            block = row[[name for name, _ in columns].index("block")]
            self._note("tables", block if type(block) is int else None, kind, _shown(value), f"{where}, column {name}")
        return wrong is None

    # --- Rows ----------------------------------------------------------------------------------------------

    def _check_rows(self, block: BlockRow, sources: list[_Rows], ends: _Ends) -> None:
        hashes = set(_hashes(block.revision_hashes))
        expected = self._documents(block)
        for source in sources:
            for row in source.of(block.block):
                self._rows += 1
                if self._progress is not None:
                    self._progress(1)
                self._check_row(source, row, hashes)
                if row[_TRANSACTION] != block.transaction_id:
                    detail = f"{_place(source, row)}, column transaction_id"
                    self._note(
                        "transaction", block.block, _shown(block.transaction_id), _shown(row[_TRANSACTION]), detail
                    )
                table_id = expected.pop(row[_ID], None)
                if table_id != source.layout.table_id:
                    found = "no such change" if table_id is None else f"a change in table {table_id}"
                    self._note(
                        "documents", block.block, "a document that the block changes", found, _place(source, row)
                    )
                ends.add(row)
        for document_id, table_id in expected.items():
            self._note("documents", block.block, "a row", "none", f"table {table_id}, document {document_id}")

    def _documents(self, block: BlockRow) -> dict[str, str]:
        """The documents with a row, by what the block says: id -> table id."""
        wanted = {layout.table_id for layout in self._layouts}
        found = {id_: each["tableId"] for id_, each in self._info(block).get("documents", {}).items()}
        return {id_: table for id_, table in found.items() if table in wanted or not self._is_partial}

    def _check_row(self, source: _Rows, row: tuple[Any, ...], hashes: set[bytes]) -> None:
        where, number = _place(source, row), row[_BLOCK]
        try:
            revision = revision_from_ion(loads(row[_ION]))
            metadata = revision["metadata"]
            made = revision_row(revision, self._flatten)
        except (IonError, BlockFormatError, KeyError, TypeError) as error:
            self._note("format", number, "a revision in the column ion", str(error), where)
            return
        if made.hash not in hashes:
            self._note("revision", number, "a hash of the block's revisions", show(made.hash), where)
        if made.data_hash is not None:
            self._expect("revision", number, hashing.revision_hash_of(metadata, made.data_hash), made.hash, where)
        # The hash of a deletion written by QLDB has no form that is known; the block covers it.
        strand = revision["blockAddress"]["strandId"]
        if strand != self._strand:
            self._note("strand", number, _shown(strand), _shown(self._strand), f"{where}, _verification.strand_id")
        source.see(made)
        expected = history_row(made, row[_TO], source.values)
        for (name, kind), one, other in zip(source.columns, expected, row, strict=True):
            if name == "ion" and other == dumps(revision):
                continue  # as versions before this one wrote it: the names in another order
            if not _same(one, other, kind, self._target.keeps_scale):
                self._note("tables", number, _shown(one), _shown(other), f"{where}, column {name}")

    # --- What follows ----------------------------------------------------------------------------------------

    def _check_ends(self, ends: _Ends) -> None:
        for document_id, version, block, found, expected in ends.wrong():
            detail = f"document {document_id}, version {version}, column valid_to"
            self._note("tables", block, _shown(expected), _shown(found), detail)

    def _check_current(self, layout: TableLayout) -> None:
        """The current state, against the last revisions of the history."""
        history = _Rows(self._target, layout)
        expected = (tuple([row[i] for i in layout.current_positions]) for row in history.rest() if is_current(row))
        columns = layout.current_columns
        found = self._target.read(layout.current, columns)
        end = object()
        for one, other in _zip_longest(expected, found, end):
            row = other if one is end else one
            where = f"table {layout.current}, document {row[0]}"
            if one is end or other is end:
                what = ("a row", "none") if other is end else ("no row", "a row")
                self._note("tables", row[2], *what, where)
                return
            for (name, kind), left, right in zip(columns, one, other, strict=True):
                if not _same(left, right, kind, self._target.keeps_scale):
                    self._note("tables", row[2], _shown(left), _shown(right), f"{where}, column {name}")

    def _check_digest(self) -> tuple[bytes | None, bool | None]:
        digest = root_of(self._nodes) if self._first == 0 and len(self._nodes) else None
        last = self._previous
        kept = self._digest
        if kept is None:
            return digest, None
        found = digest
        if kept.tip is not None:
            found = None if self._tip_nodes is None or self._first != 0 else root_of(self._tip_nodes)
        if found is None:
            return digest, None
        if found != kept.digest:
            block = kept.tip.sequence_no if kept.tip is not None else None if last is None else last.block
            self._note("digest", block, show(kept.digest), show(found), "the digest kept")
        return digest, found == kept.digest

    def _check_claims(self, digest: bytes | None) -> None:
        """What ``_verification`` says."""
        found = Found(self._first, self._previous, digest, tuple(self._nodes))
        for wrong in wrong_claims(self._row, found):
            self._note_claim(*wrong)
        for wrong in wrong_tables(self._row["tables"], self._layouts, self._about):
            self._note_claim(*wrong)

    def _note_claim(self, column: str, expected: str, found: str) -> None:
        self._note("tables", None, expected, found, f"_verification.{column}")

    def _limits(self, digest: bytes | None, is_equal: bool | None) -> Iterator[str]:
        if digest is None:
            yield "The blocks do not begin at block 0, so no digest can be computed of them."
        if self._digest is None:
            yield (
                "No digest was given to compare with (--digest). The tables agree with themselves. Only a digest that "
                "was kept from the journal's time can show that they are of that journal."
            )
        elif is_equal is None:
            yield "The digest could not be compared: its tip is not among the blocks."
        if self._row["verdict"] != "whole":
            yield f"The journal was {self._row['verdict']} when the tables were made; _verification.report says why."


class _Rows:
    """The rows of a history in the order of blocks, taken block by block.

    untyped: rows with a cell that has no value of its column's type; they are not given out.
    nullable: the columns that may be null.  is_redacted: whether a row that was seen is redacted.
    """

    def __init__(self, target: Target, layout: TableLayout) -> None:
        self.layout = layout
        self.columns = layout.history_columns
        self.values = TypedValues(layout)
        self.nullable = frozenset((*_NULLABLE, *(column.name for column in layout.columns)))
        self.untyped: list[tuple[Any, ...]] = []
        self.is_redacted = False
        self._types: Types = {}
        self._seen: list[Fields] = []
        self._rows = self._typed(target)
        self._next: tuple[Any, ...] | None = next(self._rows, None)

    def _typed(self, target: Target) -> Iterator[tuple[Any, ...]]:
        for row in target.read(self.layout.history, self.columns):
            if _untyped(row, self.columns, self.nullable) is None:
                yield row
            elif len(self.untyped) < FINDINGS_KEPT:
                self.untyped.append(row)

    def see(self, row: RevisionRow) -> None:
        """Take a row's document into account for the types of the fields."""
        self.is_redacted = self.is_redacted or row.operation == "R"
        self._seen.append(row.fields)
        if len(self._seen) >= ROWS_AT_ONCE:
            self.types()

    def types(self) -> Types:
        """Of the fields of all documents that were seen."""
        add_types(self._types, self._seen)
        self._seen.clear()
        return self._types

    def of(self, block: int) -> Iterator[tuple[Any, ...]]:
        """The rows of a block, and those of blocks before it that were not taken."""
        while self._next is not None and self._next[_BLOCK] <= block:
            row, self._next = self._next, next(self._rows, None)
            yield row

    def rest(self) -> Iterator[tuple[Any, ...]]:
        """What was not taken."""
        first = () if self._next is None else (self._next,)
        return chain(first, self._rows)


class _Ends:
    """Versions with their beginnings and ends, to be compared when all are known.  On disk."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "CREATE TABLE revision (id TEXT, version INTEGER, block INTEGER, start INTEGER, stop INTEGER)",
            "BEGIN",
        ):
            self._connection.execute(statement)

    def add(self, row: tuple[Any, ...]) -> None:
        values = (row[_ID], row[_VERSION], row[_BLOCK], row[_FROM], row[_TO])
        self._connection.execute("INSERT INTO revision VALUES (?, ?, ?, ?, ?)", values)

    def wrong(self) -> Iterator[tuple[str, int, int, int | None, int | None]]:
        """Every revision that does not end with the next one: id, version, block, its end, the right one."""
        self._connection.execute("CREATE INDEX revision_of ON revision (id, version)")
        sql = (
            "SELECT a.id, a.version, a.block, a.stop, b.start FROM revision a LEFT JOIN revision b "
            "ON b.id = a.id AND b.version = a.version + 1 WHERE a.stop IS NOT b.start ORDER BY a.block"
        )
        yield from self._connection.execute(sql)

    def close(self) -> None:
        self._connection.close()


def _hashes(data: bytes | None) -> list[bytes]:
    data = data or b""
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def _place(source: _Rows, row: tuple[Any, ...]) -> str:
    return f"table {source.layout.history}, document {row[_ID]}, version {row[_VERSION]}"


_NULLABLE = ("valid_to", "data_hash", "data")
_PYTHON_TYPES: dict[ColumnKind, type | tuple[type, ...]] = {
    "BOOL": bool,
    "INT": int,
    "DECIMAL": str,
    "FLOAT": (float, str),
    "TEXT": str,
    "JSON": str,
    "TIME": int,
    "DATE": int,
    "BYTES": bytes,
}


def _untyped(row: tuple[Any, ...], columns: Columns, nullable: frozenset[str]) -> tuple[str, str, Any] | None:
    """The first cell whose value is not of its column's type: name and kind of the column, value.  None for none."""
    for (name, kind), value in zip(columns, row, strict=True):
        if value is None:
            if name not in nullable:
                return name, kind, value
        elif not isinstance(value, _PYTHON_TYPES[kind]):
            return name, kind, value
    return None


def _same(expected: Any, found: Any, kind: ColumnKind, keeps_scale: bool) -> bool:
    if expected == found:
        return True
    if expected is None or found is None:
        return False
    try:
        if kind == "DECIMAL":
            one, other = Decimal(expected), Decimal(found)
            return one == other and (not keeps_scale or _scale(one) == _scale(other))
        if kind == "FLOAT":
            return math.isnan(expected) and math.isnan(float(found))
    except (ArithmeticError, TypeError, ValueError):
        return False
    return False


def _scale(value: Decimal) -> int:
    """The number of digits behind the point."""
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _shown(value: Any) -> str:
    if value is None:
        return "no value"
    return show(value) if isinstance(value, bytes) and len(value) <= HASH_BYTES else repr(value)[:120]


def _zip_longest(left: Iterator[Any], right: Iterator[Any], end: object) -> Iterator[tuple[Any, Any]]:
    while True:
        one, other = next(left, end), next(right, end)
        if one is end and other is end:
            return
        yield one, other


assert HISTORY[_ION][0] == "ion"
