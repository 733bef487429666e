"""Tables kept up to date from a running ledger: each block once, through crashes of either side.

A step is one transaction of the target: it reads how far the target is, takes the blocks after that, verifies them,
writes their rows and the new position, and commits.  So the position and the rows are always those of one block, and
what a crash interrupts is done again from there.  Several followers of one target do no harm: each step begins where
the last one ended.  ``locks`` keeps one that ends from removing a new file that another one has open.

A new field gets a column.  A field whose type changes loses its column, or gets one of the wider type, which is then
filled from the revisions again: the tables are always what ``tables`` would have written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from ..ion.codec import loads
from ..ion.hash import hash_value
from ..ion.values import IonValue
from ..journal.encode import encode_revision
from ..journal.model import Block
from ..records import dataclass
from ..verify.audit import judge
from ..verify.chain import JournalVerifier
from ..verify.sources import Journal
from ..verify.verdict import FilePiece, SegmentVerdict, merge
from ..verify.verdict_ion import VerdictFormatError, verdict_from_ion
from .build import Options, verification_row
from .fields import Types, add_types, fields_of
from .layout import (
    BLOCKS,
    BLOCKS_NAME,
    HISTORY_SUFFIX,
    VERIFICATION,
    VERIFICATION_NAME,
    Names,
    TableLayout,
    TypedColumn,
    layout_of,
    layouts_from_plain,
)
from .rows import BlockRows, RevisionRow, redacted_revision, rows_of
from .spool import TypedValues, history_row
from .stores import Store
from .targets import TargetError

STEP_BLOCKS = 500  # in one transaction of the target


class FollowError(TargetError):
    """The target cannot follow this ledger: it is of another, or the ledger is broken."""


Read = Callable[[int, int], Iterable[IonValue]]
"""The blocks from one number on, so many at most, as Ion values."""


@dataclass(frozen=True, slots=True)
class _State:
    """How far a target is."""

    verdict: SegmentVerdict
    layouts: dict[str, TableLayout]

    @property
    def next_block(self) -> int:
        last = self.verdict.last
        return 0 if last is None else last.address.sequence_no + 1


class Follower:
    """Brings a target up to date with a ledger."""

    def __init__(self, store: Store, strand_id: str, source: str, options: Options) -> None:
        """source: of the blocks, in words.  options: as of ``tables``; they must not change later."""
        self._store = store
        self._strand_id = strand_id
        self._source = source
        self._options = options

    def step(self, read: Read, first_block: int = 0) -> int:
        """Take in the next blocks there are, in one transaction.  How many they were.

        first_block: of the ledger, for a target that is empty.  Raises FollowError, TargetError, TableMapError.
        """
        with self._store.transaction():
            row = self._store.verification()
            state = _State(SegmentVerdict(), {}) if row is None else self._state(row)
            after = first_block if state.verdict.last is None else state.next_block
            values = list(read(after, STEP_BLOCKS))
            if row is not None and not values:
                return 0
            blocks, verdict = self._verified(state.verdict, values, after)
            if row is None:
                self._store.create(VERIFICATION_NAME, VERIFICATION, "")
                self._store.create(BLOCKS_NAME, BLOCKS, "block")
            rows = [rows_of(block, self._options.flatten) for block in blocks]
            layouts = self._write(state.layouts, rows)
            report = judge(self._source, Journal(self._strand_id, (), ()), verdict)
            if report.verdict == "broken":
                raise FollowError(f"{self._source} is broken: {report.findings[0]}")
            self._store.replace_verification(verification_row(report, verdict, layouts.values(), self._options))
            return len(blocks)

    def check_last(self, block_hash_of: Callable[[int], bytes | None]) -> None:
        """Raise FollowError when the last block that the target has is not the ledger's.

        block_hash_of: the ledger's block hash of a number; None when it has no such block.
        """
        row = self._store.verification()
        last = None if row is None else self._state(row).verdict.last
        if last is None:
            return
        found = block_hash_of(last.address.sequence_no)
        if found is not None and found != last.block_hash:
            raise FollowError(
                f"{self._store.description} followed another ledger: block {last.address.sequence_no} of "
                f"{self._source} has another hash"
            )
        if found is None:
            raise FollowError(
                f"{self._store.description} is at block {last.address.sequence_no}, which {self._source} does not have"
            )

    def _state(self, row: dict[str, Any]) -> _State:
        if row["strand_id"] != self._strand_id:
            raise FollowError(
                f"{self._store.description} has the tables of strand {row['strand_id']}, and {self._source} is strand "
                f"{self._strand_id}"
            )
        try:
            about = json.loads(row["tables"]) if isinstance(row["tables"], str) else row["tables"]
            verdict = verdict_from_ion(loads(row["state"]))
            layouts = layouts_from_plain(about["tables"], self._store.dialect)
        except (ValueError, KeyError, TypeError, VerdictFormatError) as error:
            raise FollowError(f"{self._store.description}: _verification cannot be read: {error}") from error
        only = None if self._options.only is None else sorted(self._options.only)
        if (about["flatten"], about["only"]) != (self._options.flatten, only):
            raise FollowError(
                f"{self._store.description} was begun with other options: --flatten and --only must stay the same"
            )
        return _State(verdict, {layout.table_id: layout for layout in layouts})

    def _verified(
        self, before: SegmentVerdict, values: list[IonValue], after: int
    ) -> tuple[list[Block], SegmentVerdict]:
        """The blocks among the values, and the verdict on the journal up to them."""
        if not values:
            return [], before
        verifier = JournalVerifier(at_start=False)
        number, start, _, _ = before.stop
        is_first = before.last is None
        piece = FilePiece(max(number, 0), self._source, self._strand_id, 0, None, begins=is_first, ends=False)
        verifier.begin_file(piece, 0 if is_first else max(after, start + 1))
        blocks = []
        for value in values:
            block, findings = verifier.take(value)
            if block is None:
                raise FollowError(f"{self._source} is broken: {findings[0]}")
            blocks.append(block.decoded())
        return blocks, merge(before, verifier.verdict())

    # --- Rows ------------------------------------------------------------------------------------------------

    def _write(self, layouts: dict[str, TableLayout], rows: list[BlockRows]) -> dict[str, TableLayout]:
        """Write the rows of blocks.  The layouts afterwards."""
        store, only = self._store, self._options.only
        store.insert(BLOCKS_NAME, BLOCKS, [each.block for each in rows])
        by_table: dict[str, list[RevisionRow]] = {}
        names: dict[str, str] = {}
        for each in rows:
            for table, row in each.revisions:
                if only is None or table.name in only:
                    by_table.setdefault(table.table_id, []).append(row)
                    names[table.table_id] = table.name
        found = dict(layouts)
        for table_id, revisions in by_table.items():
            layout = self._prepared(found, table_id, names[table_id], revisions)
            found[table_id] = layout
            self._write_revisions(layout, revisions)
        for each in rows:
            for redacted in each.redacted:
                for layout in found.values():
                    self._redact(layout, redacted.id, redacted.version)
        return found

    def _prepared(
        self, layouts: dict[str, TableLayout], table_id: str, name: str, revisions: list[RevisionRow]
    ) -> TableLayout:
        """The layout of a table that can hold these revisions, too; the target's tables are changed to it."""
        known = layouts.get(table_id)
        types: Types = {} if known is None else dict(known.types)
        add_types(types, [row.fields for row in revisions])
        store = self._store
        if known is None:
            taken = [BLOCKS_NAME, VERIFICATION_NAME]
            taken += [name for each in layouts.values() for name in (each.current, each.history)]
            current = Names(store.dialect, taken).give(name, ("", HISTORY_SUFFIX))
            layout = layout_of(table_id, name, current, types, store.dialect)
            store.create(layout.history, layout.history_columns, "id, version")
            store.add_indexes(layout)
            store.create_view(layout)
            return layout
        layout = layout_of(table_id, name, known.current, types, store.dialect)
        self._change_columns(known, layout)
        return layout

    def _change_columns(self, before: TableLayout, after: TableLayout) -> None:
        old = {column.name: (column.path, column.kind) for column in before.columns}
        new = {column.name: (column.path, column.kind) for column in after.columns}
        if old == new:
            return
        gone = [name for name in old if new.get(name) != old[name]]
        added = [column for column in after.columns if old.get(column.name) != new[column.name]]
        if gone or not self._store.replaces_views:
            self._store.drop_view(before)
        for name in gone:
            self._store.drop_column(after.history, name)
        for column in added:
            self._store.add_column(after.history, column.name, column.kind)
        refill = [column for column in added if column.path in before.types]
        if refill:
            self._refill(after, refill)
        self._store.create_view(after)

    def _refill(self, layout: TableLayout, columns: list[TypedColumn]) -> None:
        """Give columns the values of the revisions that are there."""
        names = {column.name for column in columns}
        every = TypedValues(layout)
        for id_, version, ion in self._store.ions(layout.history):
            found = every.of(fields_of(loads(ion).get("data"), self._options.flatten))
            values = {
                column.name: (value, column.kind)
                for column, value in zip(layout.columns, found, strict=True)
                if value is not None and column.name in names
            }
            if values:
                self._store.update(layout.history, values, id_, version)

    def _write_revisions(self, layout: TableLayout, revisions: list[RevisionRow]) -> None:
        columns = TypedValues(layout)
        rows = [history_row(row, None, columns) for row in revisions]
        self._store.insert(layout.history, layout.history_columns, rows)
        for row in revisions:
            if row.version:
                self._store.update(layout.history, {"valid_to": (row.valid_from, "TIME")}, row.id, row.version - 1)

    def _redact(self, layout: TableLayout, id_: str, version: int) -> None:
        ion = self._store.ion_of(layout.history, id_, version)
        if ion is None:
            return
        revision = loads(ion)
        if "data" not in revision:
            return
        redacted = encode_revision(redacted_revision(revision, hash_value(revision["data"])))
        values: dict[str, tuple[Any, Any]] = {
            "operation": ("R", "TEXT"),
            "data": (None, "JSON"),
            "ion": (redacted, "BYTES"),
            **{column.name: (None, column.kind) for column in layout.columns},
        }
        self._store.update(layout.history, values, id_, version)
