"""Columns of a table: how wide each is, measured as a terminal shows characters."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache

from wcwidth import wcswidth, wcwidth

from ...ion.codec import dumps_text
from ...ion.values import IonValue, strip_annotations
from ...records import dataclass
from ..failure import visible

MIN_WIDTH = 6  # of a column that is cut, in terminal cells
SEPARATOR_WIDTH = 3
_ELLIPSIS = "…"


@cache
def _character_width(character: str) -> int:
    return max(wcwidth(character), 0)


def text_width(text: str) -> int:
    """How many cells of a terminal a text takes: 2 for most of CJK and emoji."""
    if text.isascii():
        return len(text)
    width = wcswidth(text)
    return width if width >= 0 else sum(map(_character_width, text))


def cut(text: str, width: int) -> str:
    """The text, cut to *width* cells; what is cut ends with an ellipsis."""
    if text_width(text) <= width:
        return text
    end = len(text)
    while end and text_width(text[:end]) > width - 1:
        # Remove as many characters as are surely too many, at least one.
        end -= max(1, (text_width(text[:end]) - width + 1) // 2)
    return text[:end] + _ELLIPSIS


def cell_text(value: IonValue) -> str:
    """A cell: a string as it is, all else as Ion text on one line."""
    plain = strip_annotations(value)
    return str(plain) if plain is value and type(plain) is str else dumps_text(value)


def _shown(value: IonValue) -> str:
    return visible(cell_text(value)).replace("\n", "\\n").replace("\t", "\\t")


@dataclass(frozen=True, slots=True)
class Column:
    """width: in cells of a terminal.  is_right: numbers, aligned at the right."""

    name: str
    width: int
    is_right: bool

    def cell(self, value: IonValue, is_there: bool, is_cut: bool) -> str:
        """A cell of this column.  is_cut: to its width; otherwise a longer text stands out."""
        text = _shown(value) if is_there else ""
        return self.aligned(cut(text, self.width) if is_cut else text)

    def aligned(self, text: str) -> str:
        """The text filled with blanks to the column's width."""
        blanks = " " * max(0, self.width - text_width(text))
        return blanks + text if self.is_right else text + blanks


def minimal_width(names: Sequence[str]) -> int:
    """How wide a table with these columns is at least, in cells."""
    widths = [min(text_width(visible(name)), MIN_WIDTH) for name in names]
    return sum(widths) + SEPARATOR_WIDTH * (len(names) - 1)


def fitted(names: Sequence[str], rows: Sequence[dict[str, IonValue]], width: int | None) -> list[Column]:
    """The columns for these rows.  width: of the terminal, None for as wide as need be.

    The widest columns are cut first, so that the narrow ones stay whole.
    """
    wanted = []
    for name in names:
        texts = [_shown(row[name]) for row in rows if name in row]
        wanted.append(max([text_width(visible(name)), *map(text_width, texts)]))
    if width is not None:
        wanted = _shared(wanted, width - SEPARATOR_WIDTH * (len(names) - 1))
    rights = [width is not None and _has_numbers(name, rows) for name in names]
    return [Column(name, size, right) for name, size, right in zip(names, wanted, rights, strict=True)]


def widened(columns: Sequence[Column], rows: Sequence[dict[str, IonValue]], width: int | None) -> list[Column]:
    """The columns for further rows: wider where these need it and the terminal has room, else as they were.

    A later page has longer numbers, for example.  The columns then move, but no cell is cut without need.
    """
    needed = fitted([column.name for column in columns], rows, None)
    wider = [max(old.width, new.width) for old, new in zip(columns, needed, strict=True)]
    if width is not None and sum(wider) + SEPARATOR_WIDTH * (len(wider) - 1) > width:
        return list(columns)
    return [Column(column.name, size, column.is_right) for column, size in zip(columns, wider, strict=True)]


def _shared(wanted: list[int], room: int) -> list[int]:
    """The widths, reduced to fit into *room*: a common limit is sought that only the wider ones feel."""
    if sum(wanted) <= room:
        return wanted
    low, high = MIN_WIDTH, max(wanted)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(size, middle) for size in wanted) <= room:
            low = middle
        else:
            high = middle - 1
    limited = [min(size, low) for size in wanted]
    spare = room - sum(limited)
    for number, size in enumerate(wanted):
        if spare > 0 and size > limited[number]:
            limited[number] += 1
            spare -= 1
    return limited


def _has_numbers(name: str, rows: Sequence[dict[str, IonValue]]) -> bool:
    values = [strip_annotations(row[name]) for row in rows if name in row and row[name] is not None]
    return bool(values) and all(isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in values)


def ruled(columns: Sequence[Column], has_lines: bool) -> str:
    """The header and the line below it.  has_lines: drawn with the characters for boxes."""
    down, across, cross = (" │ ", "─", "─┼─") if has_lines else (" | ", "-", "-+-")
    header = down.join(column.aligned(cut(visible(column.name), column.width)) for column in columns).rstrip()
    return f"{header}\n{cross.join(across * column.width for column in columns)}\n"
