"""Which tables and columns a target has, and how they are called.

Names are those of the ledger as far as a target can have them.  In PostgreSQL they are in lower case, so that a query
needs no quotes.  A name that is taken, in any case of letters, gets ``_2``, ``_3`` and so on; a field called like one
of the fixed columns becomes ``field_<name>``.  A table dropped and made again has another id: it is another table.
Which name means what stands in ``_verification.tables``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from ..records import dataclass
from .fields import FieldType, Kind, Types, typed, types_from_plain, types_to_plain

SCHEMA_VERSION = 1
COLUMNS_MAX = 1_000  # of a table; PostgreSQL has at most 1,600, SQLite 2,000.  Other fields stay in data

ColumnKind = Kind | Literal["JSON"]
Columns = tuple[tuple[str, ColumnKind], ...]

HISTORY: Columns = (
    ("id", "TEXT"),
    ("version", "INT"),
    ("block", "INT"),
    ("transaction_id", "TEXT"),
    ("valid_from", "TIME"),
    ("valid_to", "TIME"),
    ("operation", "TEXT"),
    ("hash", "BYTES"),
    ("data_hash", "BYTES"),
    ("data", "JSON"),
    ("ion", "BYTES"),
)
CURRENT = ("id", "version", "block", "transaction_id", "valid_from", "data")
"""The fixed columns of a current state, which are columns of its history."""

BLOCKS: Columns = (
    ("block", "INT"),
    ("time", "TIME"),
    ("transaction_id", "TEXT"),
    ("hash", "BYTES"),
    ("previous_hash", "BYTES"),
    ("entries_hash", "BYTES"),
    ("entries", "BYTES"),
    ("revision_hashes", "BYTES"),
    ("transaction_info", "BYTES"),
    ("statements", "JSON"),
)
VERIFICATION: Columns = (
    ("schema_version", "INT"),
    ("program", "TEXT"),
    ("source", "TEXT"),
    ("strand_id", "TEXT"),
    ("verdict", "TEXT"),
    ("first_block", "INT"),
    ("last_block", "INT"),
    ("digest", "BYTES"),
    ("report", "JSON"),
    ("tables", "JSON"),
    ("state", "TEXT"),
)
"""One row.  state: the verdict so far as Ion text, for a follower to go on with."""

BLOCKS_NAME, VERIFICATION_NAME = "blocks", "_verification"
HISTORY_SUFFIX = "_history"
CURRENT_OPERATIONS = ("I", "U")

_UNUSABLE = re.compile("[\x00-\x1f\x7f/\\\\]")  # in names of files, or of columns that people type


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a target's names and texts can be.

    fold_case: names are written in lower case.  name_bytes: the longest name, in UTF-8.  holds_nul: whether a text may
    have the character U+0000.  reserved_prefix: no table may begin so.
    """

    fold_case: bool = False
    name_bytes: int = 200
    holds_nul: bool = True
    reserved_prefix: str = ""


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column with the values of one field.  path: the field, with a point between the names of nested ones."""

    name: str
    path: str
    type: FieldType

    @property
    def kind(self) -> Kind:
        return self.type.kind


@dataclass(frozen=True, slots=True)
class TableLayout:
    """A table of the ledger as tables of a target.  name: in the ledger; current, history: in the target."""

    table_id: str
    name: str
    current: str
    history: str
    types: Types
    columns: tuple[TypedColumn, ...]

    @property
    def history_columns(self) -> Columns:
        """Name and kind of every column of the history."""
        return (*HISTORY, *((column.name, column.kind) for column in self.columns))

    @property
    def current_columns(self) -> Columns:
        """Name and kind of every column of the current state."""
        kinds = dict(HISTORY)
        return (*((name, kinds[name]) for name in CURRENT), *((column.name, column.kind) for column in self.columns))

    @property
    def current_positions(self) -> tuple[int, ...]:
        """Which columns of the history the current state has."""
        names = [name for name, _ in HISTORY]
        return (*(names.index(name) for name in CURRENT), *range(len(HISTORY), len(HISTORY) + len(self.columns)))


class Names:
    """Gives names that are not taken."""

    def __init__(self, dialect: Dialect, taken: Iterable[str] = ()) -> None:
        self._dialect = dialect
        self._taken = {name.casefold() for name in taken}

    def give(self, wanted: str, suffixes: tuple[str, ...] = ("",)) -> str:
        """A name that is free with each of the suffixes; all of them are taken then."""
        base = _UNUSABLE.sub("_", wanted) or "unnamed"
        if self._dialect.fold_case:
            base = base.lower()
        prefix = self._dialect.reserved_prefix
        if prefix and base.casefold().startswith(prefix):
            base = f"t_{base}"
        room = self._dialect.name_bytes - max(len(suffix) for suffix in suffixes)
        number = 1
        while True:
            ending = "" if number == 1 else f"_{number}"
            name = _cut(base, room - len(ending)) + ending
            every = {f"{name}{suffix}".casefold() for suffix in suffixes}
            if not every & self._taken:
                self._taken |= every
                return name
            number += 1


def _cut(name: str, size: int) -> str:
    return name.encode()[:size].decode(errors="ignore")


def layouts(names: Mapping[str, str], types: Mapping[str, Types], dialect: Dialect) -> list[TableLayout]:
    """A layout for each table.  names: by table id, in the order in which the tables were first seen."""
    given = Names(dialect, (BLOCKS_NAME, VERIFICATION_NAME))
    found = []
    for table_id, name in names.items():
        current = given.give(name, ("", HISTORY_SUFFIX))
        found.append(layout_of(table_id, name, current, types.get(table_id, {}), dialect))
    return found


def layout_of(table_id: str, name: str, current: str, types: Types, dialect: Dialect) -> TableLayout:
    """The layout of a table whose name in the target is known."""
    columns = tuple(_columns(types, dialect))
    return TableLayout(table_id, name, current, f"{current}{HISTORY_SUFFIX}", types, columns)


def _columns(types: Types, dialect: Dialect) -> Iterator[TypedColumn]:
    fixed = {name for name, _ in HISTORY}
    given = Names(dialect, fixed)
    count = 0
    for path, field_type in typed(types):
        wanted = path.replace(".", "_")
        name = given.give(f"field_{wanted}" if wanted.casefold() in fixed else wanted)
        if (field_type.has_nul and not dialect.holds_nul) or count >= COLUMNS_MAX:
            continue
        count += 1
        yield TypedColumn(name, path, field_type)


def layouts_to_plain(found: Iterable[TableLayout]) -> list[dict[str, Any]]:
    """For ``_verification.tables``."""
    return [
        {
            "table_id": each.table_id,
            "name": each.name,
            "current": each.current,
            "history": each.history,
            "columns": {column.name: column.path for column in each.columns},
            "types": types_to_plain(each.types),
        }
        for each in found
    ]


def tables_text(found: Iterable[TableLayout], flatten: bool, only: Iterable[str] | None) -> str:
    """The column ``_verification.tables``.  only: the names of the tables that were wanted; None for all."""
    wanted = None if only is None else sorted(only)
    return json.dumps({"tables": layouts_to_plain(found), "flatten": flatten, "only": wanted})


def layouts_from_plain(plain: Iterable[dict[str, Any]], dialect: Dialect) -> list[TableLayout]:
    """From ``_verification.tables``."""
    return [
        layout_of(each["table_id"], each["name"], each["current"], types_from_plain(each["types"]), dialect)
        for each in plain
    ]
