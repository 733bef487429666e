"""Whether tables still are what the journal said: every row again from its ``ion``, every block up to the digest.

The journal itself is not needed.  What is proved, from the bottom up:

1. every column of a row is what follows from the revision in its ``ion``, and the revision's hash from that;
2. the hash is one of its block's revision hashes, and those lead to an entry of the block;
3. the documents that the block's transaction changed are exactly those with a row: none was taken away or added;
4. the entries lead to the block's hash, that to the next block's, and all of them to the digest.
"""

from __future__ import annotations

import json
import math
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

from ..ion.codec import IonError, dumps, loads
from ..journal import hashing, merkle
from ..journal.merkle import Node
from ..journal.model import BlockAddress
from ..journal.parse import BlockFormatError, revision_from_ion
from ..records import dataclass
from ..verify.checks import Finding, show
from ..verify.inputs import SavedDigest
from ..verify.verdict import FINDINGS_KEPT, add_nodes, root_of
from .layout import BLOCKS, BLOCKS_NAME, HISTORY, ColumnKind, TableLayout, layouts_from_plain
from .rows import BlockRow, revision_row
from .spool import TypedValues, history_row, is_current
from .targets import Target, TargetError

HASH_BYTES = hashing.HASH_BYTES
_ID, _VERSION, _BLOCK, _FROM, _TO, _ION = 0, 1, 2, 4, 5, 10
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

    def run(self) -> TablesVerdict:
        """All of it."""
        sources = [_Rows(self._target, layout) for layout in self._layouts]
        with tempfile.TemporaryDirectory(prefix="qldb-tables-") as folder:
            ends = _Ends(Path(folder, "ends"))
            try:
                for values in self._target.read(BLOCKS_NAME, BLOCKS):
                    block = BlockRow(*values)
                    self._check_block(block)
                    self._check_rows(block, sources, ends)
                for source in sources:
                    for row in source.rest():
                        self._note("address", row[_BLOCK], "a block in the table blocks", "none", _place(source, row))
                self._check_ends(ends)
            finally:
                ends.close()
        for layout in self._layouts:
            self._check_current(layout)
        digest, is_equal = self._check_digest()
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
        info = None if block.transaction_info is None else self._ion(block.transaction_info, number)
        if info is not None and hashing.transaction_info_hash(info) not in entries:
            self._note("info", number, "the hash of transaction_info in entries", "not there")
        add_nodes(self._nodes, [(0, number, block.hash)])
        tip = None if self._digest is None or self._digest.tip is None else self._digest.tip.sequence_no
        if number == tip:
            self._tip_nodes = list(self._nodes)
        self._previous = block

    def _ion(self, data: bytes, block: int, detail: str = "") -> Any:
        try:
            return loads(data)
        except IonError as error:
            self._note("format", block, "Ion", str(error), detail)
            return None

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
        info = {} if block.transaction_info is None else self._ion(block.transaction_info, block.block) or {}
        wanted = {layout.table_id for layout in self._layouts}
        found = {id_: each["tableId"] for id_, each in info.get("documents", {}).items()}
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
        expected = history_row(made, row[_TO], source.values)
        for (name, kind), one, other in zip(source.columns, expected, row, strict=True):
            if name == "ion" and other == dumps(revision):
                continue  # as versions before this one wrote it: the names in another order
            if not _same(one, other, kind, self._target.knows_empty):
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
                if not _same(left, right, kind, self._target.knows_empty):
                    self._note("tables", row[2], _shown(left), _shown(right), f"{where}, column {name}")

    def _check_digest(self) -> tuple[bytes | None, bool | None]:
        digest = root_of(self._nodes) if self._first == 0 and len(self._nodes) else None
        last = self._previous
        if last is not None and self._row["last_block"] != last.block:
            self._note("sequence", last.block, f"block {self._row['last_block']} at the end", f"block {last.block}")
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

    def _limits(self, digest: bytes | None, is_equal: bool | None) -> Iterator[str]:
        if digest is None:
            yield "The blocks do not begin at block 0, so no digest can be computed of them."
        if self._digest is None:
            yield (
                "No digest was given to compare with (--digest): the tables agree with themselves; that they are of "
                "the journal that once was, only a digest kept from that time can show."
            )
        elif is_equal is None:
            yield "The digest could not be compared: its tip is not among the blocks."
        if self._row["verdict"] != "whole":
            yield f"The journal was {self._row['verdict']} when the tables were made; _verification.report says why."


class _Rows:
    """The rows of a history in the order of blocks, taken block by block."""

    def __init__(self, target: Target, layout: TableLayout) -> None:
        self.layout = layout
        self.columns = layout.history_columns
        self.values = TypedValues(layout)
        self._rows = target.read(layout.history, self.columns)
        self._next: tuple[Any, ...] | None = next(self._rows, None)

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


def _same(expected: Any, found: Any, kind: ColumnKind, knows_empty: bool) -> bool:
    if expected == found:
        return True
    if not knows_empty and (expected or None) is None and (found or None) is None:
        return expected in (None, "", b"")
    if expected is None or found is None:
        return False
    try:
        if kind == "DECIMAL":
            return Decimal(expected) == Decimal(found)
        if kind == "FLOAT":
            return math.isnan(expected) and math.isnan(float(found))
    except (ArithmeticError, TypeError, ValueError):
        return False
    return False


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
