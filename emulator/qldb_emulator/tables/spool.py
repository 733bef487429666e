"""The rows of a journal on disk, between the one pass that reads it and the writing of the tables.

Which type a column has, when a revision ends and which are redacted is known only when the last block is read.  So each
segment's rows go to a file of its own, table by table, and what is settled later (ends and redactions) to an index.
Both are on disk: memory does not grow with the journal.
"""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from ..ion.codec import loads
from ..journal.encode import encode_revision
from ..records import dataclass
from .fields import NO_FIELDS, Fields, Shape, Types, add_types, joined_types
from .layout import CURRENT_OPERATIONS, TableLayout
from .rows import BlockRows, RevisionRow, redacted_revision

ROWS_AT_ONCE = 500
_BLOCKS = ""  # where a segment's file has the rows of blocks, which belong to no table
_CLOSINGS, _REDACTED = "\0closings", "\0redacted"
_LENGTH_BYTES = 8
_OPERATION, _FIELDS = RevisionRow._fields.index("operation"), RevisionRow._fields.index("fields")

HistoryRow = tuple[Any, ...]
"""A row of a history: the values of HISTORY, then of the typed columns."""


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """The rows of one segment.  sections: name -> (first byte, number of bytes).

    names: table id -> name, in the order in which they are seen.  types: of the fields, by table id.
    """

    path: str
    sections: dict[str, tuple[int, int]]
    names: dict[str, str]
    types: dict[str, Types]
    blocks: int
    revisions: int


class SpoolWriter:
    """Collects the rows of one segment and writes them to a file."""

    def __init__(self, path: Path, only: frozenset[str] | None) -> None:
        """only: names of the tables that are wanted; None: all."""
        self._path = path
        self._only = only
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}
        self._parts: dict[str, list[bytes]] = {}
        self._names: dict[str, str] = {}
        self._types: dict[str, Types] = {}
        self._blocks = self._revisions = self.size = 0

    def add(self, rows: BlockRows) -> None:
        """Take in the rows of a block."""
        self._blocks += 1
        self._put(_BLOCKS, tuple(rows.block))
        for table, row in rows.revisions:
            if self._only is not None and table.name not in self._only:
                continue
            self._revisions += 1
            self._names[table.table_id] = table.name
            self._put(table.table_id, tuple(row))
            if row.version:
                self._put(_CLOSINGS, (row.id, row.version - 1, row.valid_from))
        for redacted in rows.redacted:
            self._put(_REDACTED, tuple(redacted))

    def _put(self, section: str, row: tuple[Any, ...]) -> None:
        waiting = self._waiting.setdefault(section, [])
        waiting.append(row)
        if len(waiting) >= ROWS_AT_ONCE:
            self._pack(section, waiting)

    def _pack(self, section: str, waiting: list[tuple[Any, ...]]) -> None:
        if section in self._names:
            add_types(self._types.setdefault(section, {}), [row[_FIELDS] for row in waiting])
        data = marshal.dumps(waiting)
        self._parts.setdefault(section, []).append(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
        self.size += len(data)
        waiting.clear()

    def finish(self) -> SpoolFile:
        """Write the file."""
        sections = {}
        position = 0
        with self._path.open("wb") as file:
            for section, waiting in self._waiting.items():
                if waiting:
                    self._pack(section, waiting)
                length = sum(map(len, self._parts[section]))
                file.writelines(self._parts[section])
                sections[section] = position, length
                position += length
        return SpoolFile(str(self._path), sections, self._names, self._types, self._blocks, self._revisions)


@dataclass(slots=True)
class Spool:
    """The rows of a whole journal: one file for each segment, in order."""

    files: list[SpoolFile] = field(default_factory=list)

    @property
    def names(self) -> dict[str, str]:
        """Table id -> the last name it had, in the order in which tables are first seen."""
        found: dict[str, str] = {}
        for file in self.files:
            found.update(file.names)
        return found

    @property
    def types(self) -> dict[str, Types]:
        """Of the fields, by table id."""
        found: dict[str, Types] = {}
        for file in self.files:
            for table_id, types in file.types.items():
                found[table_id] = joined_types(found[table_id], types) if table_id in found else types
        return found

    def section(self, name: str) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a section, some at a time."""
        for each in self.files:
            start, length = each.sections.get(name, (0, 0))
            if not length:
                continue
            with open(each.path, "rb") as file:
                file.seek(start)
                while length:
                    size = int.from_bytes(file.read(_LENGTH_BYTES), "big")
                    yield marshal.loads(file.read(size))
                    length -= size + _LENGTH_BYTES

    def blocks(self) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of blocks, in order, some at a time."""
        return self.section(_BLOCKS)


class Settled:
    """What later blocks say of revisions: when they end, and whether they are redacted.  On disk."""

    def __init__(self, path: Path, spool: Spool) -> None:
        """Read the ends and redactions out of a spool."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
            self._connection.execute(f"PRAGMA {pragma}")
        execute = self._connection.execute
        execute("CREATE TABLE closing (id TEXT, version INTEGER, valid_to INTEGER)")
        execute("CREATE TABLE redacted (id TEXT, version INTEGER)")
        execute("BEGIN")
        for rows in spool.section(_CLOSINGS):
            self._connection.executemany("INSERT INTO closing VALUES (?, ?, ?)", rows)
        for rows in spool.section(_REDACTED):
            self._connection.executemany("INSERT INTO redacted VALUES (?, ?)", rows)
        execute("CREATE INDEX closing_of ON closing (id, version, valid_to)")
        execute("CREATE INDEX redacted_of ON redacted (id, version)")
        execute("COMMIT")
        (self._closings,) = execute("SELECT count(*) FROM closing").fetchone()
        (self._redactions,) = execute("SELECT count(*) FROM redacted").fetchone()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def ends(self, rows: list[tuple[Any, ...]]) -> list[int | None]:
        """When each of these revisions ended; None while it is the last."""
        if not self._closings:
            return [None] * len(rows)
        sql = "SELECT valid_to FROM closing WHERE id = ? AND version = ? LIMIT 1"
        return [None if found is None else found[0] for found in self._found(sql, rows)]

    def redacted_rows(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The same rows, without the data that later blocks redact."""
        if not self._redactions:
            return rows
        found = self._found("SELECT 1 FROM redacted WHERE id = ? AND version = ? LIMIT 1", rows)
        return [
            row if none is None or row[_OPERATION] not in CURRENT_OPERATIONS else redacted_row(RevisionRow._make(row))
            for row, none in zip(rows, found, strict=True)
        ]

    def _found(self, sql: str, rows: list[tuple[Any, ...]]) -> list[Any]:
        """The first row that a statement has for each revision; None for none."""
        execute = self._connection.execute
        return [execute(sql, row[:2]).fetchone() for row in rows]


def history_rows(spool: Spool, settled: Settled, layout: TableLayout) -> Iterator[list[HistoryRow]]:
    """The rows of a table's history in the order of blocks, some at a time."""
    columns = TypedValues(layout)
    for rows in spool.section(layout.table_id):
        yield [
            history_row(row, ended, columns)
            for row, ended in zip(settled.redacted_rows(rows), settled.ends(rows), strict=True)
        ]


def redacted_row(row: RevisionRow) -> RevisionRow:
    """A row whose data a later block takes away."""
    revision = redacted_revision(loads(row.ion), row.data_hash)
    return row._replace(operation="R", data=None, ion=encode_revision(revision), fields=NO_FIELDS)


def history_row(row: tuple[Any, ...], valid_to: int | None, columns: TypedValues) -> HistoryRow:
    """A revision's values in the order of the columns.  row: the values of a RevisionRow."""
    return (*row[:5], valid_to, *row[5:_FIELDS], *columns.of(row[_FIELDS]))


class TypedValues:
    """What the typed columns of a history have of a document's fields."""

    def __init__(self, layout: TableLayout) -> None:
        self._columns = [(column.path, column.kind) for column in layout.columns]
        self._places: dict[Shape, tuple[list[int], list[int]]] = {}

    def of(self, fields: Fields) -> list[Any]:
        """A value for each column, None for nothing."""
        shape, values = fields
        places, texts = self._places.get(shape) or self._find(shape)
        found: list[Any] = [None if place < 0 else values[place] for place in places]
        for place in texts:
            found[place] = str(found[place])
        return found

    def _find(self, shape: Shape) -> tuple[list[int], list[int]]:
        """Where the value of each column is among those of a shape, -1 for nowhere; which columns take it as text."""
        kinds = shape[1]
        of_path = {path: place for place, (path, kind) in enumerate(zip(*shape, strict=True)) if kind != "MIXED"}
        places = [of_path.get(path, -1) for path, _ in self._columns]
        texts = [
            number
            for number, ((_, kind), place) in enumerate(zip(self._columns, places, strict=True))
            if kind == "DECIMAL" and place >= 0 and kinds[place] != "DECIMAL"
        ]
        self._places[shape] = places, texts
        return places, texts


def is_current(row: Sequence[Any]) -> bool:
    """Whether a row of a history is part of the current state."""
    return row[5] is None and row[6] in CURRENT_OPERATIONS
