"""Symbol tables: they map the ids in a stream to texts.

A table is a sequence of texts; the position is the symbol id.  Position 0, gaps, and symbols imported from a shared
table hold SYMBOL_ZERO: QLDB had no catalogue of shared tables, so the text of an imported symbol is never known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from ..limits import STRICT
from .values import SYMBOL_ZERO, IonError, IonValue, Symbol, ion_type, is_null, strip_annotations, struct_items

# How deep containers may nest.  A document obeys limits.ion_depth, which the engine enforces; the block, the revision
# list and the revision around it need a little more.
ENVELOPE_DEPTH = 16
DOCUMENT_DEPTH = STRICT.ion_depth
MAX_DEPTH = DOCUMENT_DEPTH + ENVELOPE_DEPTH

SYMBOL_TABLE_ID = 3
SYSTEM_SYMBOLS: tuple[str, ...] = (
    SYMBOL_ZERO,
    "$ion",
    "$ion_1_0",
    "$ion_symbol_table",
    "name",
    "version",
    "imports",
    "symbols",
    "max_id",
    "$ion_shared_symbol_table",
)
SYMBOL_TABLE = SYSTEM_SYMBOLS[SYMBOL_TABLE_ID]
VERSION_MARKER_TEXT = SYSTEM_SYMBOLS[2]

MAX_SYMBOL_ID = 2**62  # len() cannot return more than 2**63 - 1
TOO_DEEP = "containers are nested too deeply"


def is_symbol_table(annotations: tuple[str, ...], value: IonValue) -> bool:
    """Whether a top-level value is a local symbol table instead of data."""
    return bool(annotations) and annotations[0] == SYMBOL_TABLE and isinstance(value, dict)


class ImportingTable(Sequence[str]):
    """The table of a stream that imports shared tables: an import may claim any number of symbols in a few bytes,
    so they are counted, not stored.

    imported: how many; their ids follow the system's.  local: the texts of the ids after those.
    """

    __slots__ = ("imported", "local")

    def __init__(self, imported: int, local: list[str]) -> None:
        self.imported = imported
        self.local = local

    def __len__(self) -> int:
        return len(SYSTEM_SYMBOLS) + self.imported + len(self.local)

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        assert isinstance(number, int)
        if number < len(SYSTEM_SYMBOLS):
            return SYSTEM_SYMBOLS[number]
        number -= len(SYSTEM_SYMBOLS) + self.imported
        return SYMBOL_ZERO if number < 0 else self.local[number]


def next_table(current: Sequence[str], declaration: IonValue) -> Sequence[str]:
    """Return the table in force after a local symbol table declaration; ``current`` is left alone.

    Raises IonError for a repeated ``symbols`` or ``imports`` field, or an import whose extent cannot be known.
    """
    parts = _declared_parts(declaration)
    texts = _texts(strip_annotations(parts.get("symbols")))
    imports = strip_annotations(parts.get("imports"))
    imported = 0
    if isinstance(imports, Symbol) and imports == SYMBOL_TABLE:
        if isinstance(current, ImportingTable):
            imported, texts = current.imported, current.local + texts
        else:
            texts = [*current[len(SYSTEM_SYMBOLS) :], *texts]
    elif ion_type(imports) == "list" and not is_null(imports):
        imported = _imported_count(imports)
    return ImportingTable(imported, texts) if imported else [*SYSTEM_SYMBOLS, *texts]


def _texts(symbols: IonValue) -> list[str]:
    """Return the texts of a declaration's list; any other value in it is a gap, an id without text."""
    if ion_type(symbols) != "list" or is_null(symbols):
        return []
    plain = map(strip_annotations, symbols)
    return [text if type(text) is str else SYMBOL_ZERO for text in plain]


def _declared_parts(declaration: IonValue) -> dict[str, IonValue]:
    parts: dict[str, IonValue] = {}
    for name, value in struct_items(declaration):
        if name in ("symbols", "imports"):
            if name in parts:
                raise IonError(f"a symbol table has the field {name} twice")
            parts[name] = value
    return parts


def _imported_count(imports: list[IonValue]) -> int:
    """Return how many ids the imported tables take."""
    count = 0
    for each in imports:
        shared = strip_annotations(each)
        if not isinstance(shared, dict):
            continue
        name = strip_annotations(shared.get("name"))
        if type(name) is not str or name in ("", "$ion"):
            continue
        max_id = strip_annotations(shared.get("max_id"))
        if type(max_id) is not int or max_id < 0:
            raise IonError(f"the symbol table imports {name!r} without a valid max_id")
        count += max_id
    if count > MAX_SYMBOL_ID:
        raise IonError(f"the symbol table imports {count} symbols")
    return count
