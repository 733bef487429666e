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
from functools import lru_cache
from itertools import chain, compress
from pathlib import Path
from typing import Any

from ..ion.codec import loads
from ..journal.encode import encode_revision
from ..records import dataclass
from .fields import Fields, Shape, Types, add_types_of_columns, joined_types
from .forms import FieldColumns, Form, columns_of
from .layout import CURRENT_OPERATIONS, TableLayout
from .rows import BlockRows, Leaves, RevisionRow, redacted_revision

ROWS_AT_ONCE = 100  # few, so that they are still in the cache of the processor when they are written: 3 % of the time
_BLOCKS = ""  # where a segment's file has the rows of blocks, which belong to no table
_CLOSINGS, _REDACTED = "\0closings", "\0redacted"
_LENGTH_BYTES = 8
_FORMAT = 2  # of marshal: later ones look up each object among those written before, which takes half of the time
_ID, _VERSION, _TO, _OPERATION, _DATA_HASH, _DATA, _ION, _FIELDS = (
    RevisionRow._fields.index(name)
    for name in ("id", "version", "operation", "operation", "data_hash", "data", "ion", "fields")
)

HistoryRow = tuple[Any, ...]
"""A row of a history: the values of HISTORY, then of the typed columns."""

Chunk = list[Sequence[Any]]
"""Some rows of a table, as its columns, all of one length: a column is read and written in less time than its cells."""


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
        self._put(_BLOCKS, rows.block)
        for table, row in rows.revisions:
            if self._only is not None and table.name not in self._only:
                continue
            self._revisions += 1
            self._names[table.table_id] = table.name
            self._put(table.table_id, row)
            if row.version:
                self._put(_CLOSINGS, (row.id, row.version - 1, row.valid_from))
        for redacted in rows.redacted:
            self._put(_REDACTED, redacted)

    def _put(self, section: str, row: tuple[Any, ...]) -> None:
        waiting = self._waiting.get(section)
        if waiting is None:
            waiting = self._waiting[section] = []
        waiting.append(row)
        if len(waiting) >= ROWS_AT_ONCE:
            self._pack(section, waiting)

    def _pack(self, section: str, waiting: list[tuple[Any, ...]]) -> None:
        columns: list[Any] = list(zip(*waiting, strict=True))
        if section in self._names:
            columns[_DATA], columns[_FIELDS] = documents = _documents(columns.pop(), columns[_DATA], columns[_FIELDS])
            types = self._types.setdefault(section, {})
            for shape, _, values in documents[1]:
                add_types_of_columns(types, shape, values)
        data = marshal.dumps(columns, _FORMAT)
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


def _documents(
    noted: Sequence[Leaves | None], texts: Sequence[str | None], fields: Sequence[Fields]
) -> tuple[Sequence[str | None], list[FieldColumns]]:
    """Return the JSON of some revisions and their fields, in the order in which shapes are seen.

    The parameters: as RevisionRow has them.
    """
    by_form: dict[Form | None, list[int]] = {}
    for row, each in enumerate(noted):
        by_form.setdefault(None if each is None else each[0], []).append(row)
    found: list[FieldColumns] = []
    for form, rows in by_form.items():
        if form is None:
            found += columns_of([fields[row] for row in rows], rows)
            continue
        made, columns = form.texts_and_columns([each[1] for row in rows if (each := noted[row]) is not None], rows)
        found += columns
        if len(rows) == len(noted):
            texts = made
        else:
            texts = list(texts)
            for row, text in zip(rows, made, strict=True):
                texts[row] = text
    found.sort(key=_first_row)
    return texts, found


def _first_row(columns: FieldColumns) -> int:
    return columns[1][0]


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

    def section(self, name: str) -> Iterator[list[Any]]:
        """The columns of a section, some rows at a time; the last one of a table's is FieldColumns."""
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

    def blocks(self) -> Iterator[Chunk]:
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
        for columns in spool.section(_CLOSINGS):
            self._connection.executemany("INSERT INTO closing VALUES (?, ?, ?)", zip(*columns, strict=True))
        for columns in spool.section(_REDACTED):
            self._connection.executemany("INSERT INTO redacted VALUES (?, ?)", zip(*columns, strict=True))
        execute("CREATE INDEX closing_of ON closing (id, version, valid_to)")
        execute("CREATE INDEX redacted_of ON redacted (id, version)")
        execute("COMMIT")
        (self._closings,) = execute("SELECT count(*) FROM closing").fetchone()
        (self._redactions,) = execute("SELECT count(*) FROM redacted").fetchone()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def ends(self, ids: Sequence[str], versions: Sequence[int]) -> list[int | None]:
        """When each of these revisions ended; None while it is the last."""
        # A broken journal can have several revisions of one version.  The first one to come is the end.
        return self._asked("valid_to FROM closing", ids, versions) if self._closings else [None] * len(ids)

    def redacted(self, ids: Sequence[str], versions: Sequence[int]) -> list[int]:
        """Which of these revisions a later block redacts: their places."""
        if not self._redactions:
            return []
        found = self._asked("1 FROM redacted", ids, versions)
        return [place for place, is_redacted in enumerate(found) if is_redacted]

    def _asked(self, what: str, ids: Sequence[str], versions: Sequence[int]) -> list[Any]:
        """The first row that there is for each of these revisions, None for nothing.  what: a column and its table."""
        parameters = list(chain.from_iterable(zip(ids, versions, strict=True)))
        found: list[Any] = [None] * len(ids)
        for place, value in self._connection.execute(_asking(what, len(ids)), parameters):
            found[place] = value
        return found


@lru_cache(2 * ROWS_AT_ONCE)
def _asking(what: str, count: int) -> str:
    """A statement that looks up so many revisions.  It takes a quarter less time than a statement for each."""
    asked = ", ".join([f"({place}, ?, ?)" for place in range(count)])
    one = f"SELECT {what} AS t WHERE t.id = asked.id AND t.version = asked.version ORDER BY 1 LIMIT 1"
    return f"WITH asked (place, id, version) AS (VALUES {asked}) SELECT place, ({one}) FROM asked"


def history_chunks(spool: Spool, settled: Settled, layout: TableLayout) -> Iterator[Chunk]:
    """The rows of a table's history in the order of blocks, some at a time."""
    typed = TypedValues(layout)
    for columns in spool.section(layout.table_id):
        ids, versions = columns[_ID], columns[_VERSION]
        redacted = [each for each in settled.redacted(ids, versions) if columns[_OPERATION][each] in CURRENT_OPERATIONS]
        if redacted:
            _redact(columns, redacted)
        *fixed, fields = columns
        yield [*fixed[:_TO], settled.ends(ids, versions), *fixed[_TO:], *typed.columns(fields, len(ids))]


def _redact(columns: list[Any], places: list[int]) -> None:
    """Take the data out of the revisions at these places."""
    for number in (_OPERATION, _DATA, _ION):
        columns[number] = list(columns[number])
    for place in places:
        columns[_OPERATION][place] = "R"
        columns[_DATA][place] = None
        columns[_ION][place] = redacted_ion(columns[_ION][place], columns[_DATA_HASH][place])
    columns[_FIELDS] = [_without(each, frozenset(places)) for each in columns[_FIELDS]]


def _without(columns: FieldColumns, places: frozenset[int]) -> FieldColumns:
    """The fields of the documents that are not at these places."""
    shape, rows, values = columns
    kept = [row not in places for row in rows]
    return shape, list(compress(rows, kept)), [list(compress(each, kept)) for each in values]


def redacted_ion(ion: bytes, data_hash: bytes | None) -> bytes:
    """A revision as Ion binary without its data."""
    return encode_revision(redacted_revision(loads(ion), data_hash))


def history_row(row: tuple[Any, ...], valid_to: int | None, columns: TypedValues) -> HistoryRow:
    """A revision's values in the order of the columns.  row: the values of a RevisionRow."""
    return (*row[:5], valid_to, *row[5:_FIELDS], *columns.of(row[_FIELDS]))


class TypedValues:
    """What the typed columns of a history have of a document's fields."""

    def __init__(self, layout: TableLayout) -> None:
        self._columns = [(column.path, column.kind) for column in layout.columns]
        self._places: dict[Shape, tuple[list[int], list[int]]] = {}

    def columns(self, fields: list[FieldColumns], count: int) -> list[Sequence[Any]]:
        """The typed columns of some documents.  count: how many."""
        if len(fields) == 1 and len(fields[0][1]) == count:
            return [[None] * count if each is None else each for each in self._found(*fields[0])]
        filled: list[list[Any]] = [[None] * count for _ in self._columns]
        for each in fields:
            for column, values in zip(filled, self._found(*each), strict=True):
                if values is not None:
                    for row, value in zip(each[1], values, strict=True):
                        column[row] = value
        return list(filled)

    def _found(self, shape: Shape, rows: Sequence[int], given: list[Sequence[Any]]) -> list[Sequence[Any] | None]:
        """A column for each that there is, None for one without values.  The parameters: FieldColumns."""
        places, texts = self._places.get(shape) or self._find(shape)
        found = [None if place < 0 else given[place] for place in places]
        for place in texts:
            found[place] = list(map(str, given[places[place]]))
        return found

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


def current_ones(history: Chunk) -> list[bool]:
    """Which rows of a history are part of the current state."""
    return [end is None and operation in CURRENT_OPERATIONS for end, operation in zip(*history[5:7], strict=True)]


def is_current(row: Sequence[Any]) -> bool:
    """Whether a row of a history is part of the current state."""
    return row[5] is None and row[6] in CURRENT_OPERATIONS
