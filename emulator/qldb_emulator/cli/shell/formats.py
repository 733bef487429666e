"""Rows of a result as text, a page at a time, so that a long result needs no memory.

======== ==================================================================================================
format   what it is
======== ==================================================================================================
ion      Ion text, a line for each row; on a terminal over several lines where a row is wider than it
json     one JSON array
jsonl    a JSON value on a line for each row
csv      RFC 4180 with a header; a missing field is empty, an empty string is ``""``
table    columns; on a terminal they are fitted to its width
markdown a table in Markdown
line     a line for each field
======== ==================================================================================================

Ion has more types than JSON and CSV: cells hold strings as they are and all else as Ion text.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ...ion.codec import dumps, dumps_text, load_all
from ...ion.json import to_json
from ...ion.values import IonValue, is_null, strip_annotations, struct_items
from ...records import dataclass
from .pretty import pretty
from .table import Column, cell_text, fitted, minimal_width, ruled, widened

FORMATS = ("ion", "json", "jsonl", "csv", "table", "markdown", "line")
SPOOLED_BYTES = 8 * 1024 * 1024  # of a result that must be read twice; more goes to a temporary file
Cells = dict[str, IonValue]


@dataclass(frozen=True, slots=True)
class Layout:
    """width: of the terminal, None for a file or a pipe.  is_expanded: a table is shown as lines; None: if too wide."""

    width: int | None = None
    has_lines: bool = False
    is_expanded: bool | None = False


class RowWriter(Protocol):
    """Turns the pages of one result into text."""

    def page(self, rows: Sequence[IonValue]) -> Iterator[str]:
        """The text of further rows."""
        ...

    def end(self) -> Iterator[str]:
        """What stands after the last row."""
        ...


def row_writer(form: str, layout: Layout) -> RowWriter:
    """A writer for one result.  form: one of FORMATS."""
    return _WRITERS[form](layout)


class _Lines:
    """A line for each row."""

    def __init__(self, text: Callable[[IonValue], str]) -> None:
        self._text = text

    def page(self, rows: Sequence[IonValue]) -> Iterator[str]:
        for row in rows:
            yield self._text(row) + "\n"

    def end(self) -> Iterator[str]:
        return iter(())


def _ion(layout: Layout) -> RowWriter:
    width = layout.width
    return _Lines(dumps_text if width is None else lambda row: pretty(row, width))


def _jsonl(_layout: Layout) -> RowWriter:
    return _Lines(to_json)


class _Json:
    """One array, a row on each line of it."""

    def __init__(self, _layout: Layout) -> None:
        self._is_begun = False

    def page(self, rows: Sequence[IonValue]) -> Iterator[str]:
        for row in rows:
            yield (",\n" if self._is_begun else "[") + to_json(row)
            self._is_begun = True

    def end(self) -> Iterator[str]:
        yield "]\n" if self._is_begun else "[]\n"


class _Csv:
    """The header names every field of every row, so the rows wait in a temporary file until the last one is known."""

    def __init__(self, _layout: Layout) -> None:
        self._names: dict[str, None] = {}
        self._rows = tempfile.SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115 - closed by end()

    def page(self, rows: Sequence[IonValue]) -> Iterator[str]:
        for row in rows:
            self._names.update(dict.fromkeys(cells_of(row)))
            data = dumps(row)
            self._rows.write(len(data).to_bytes(4, "big") + data)
        return iter(())

    def end(self) -> Iterator[str]:
        with self._rows as file:
            if not self._names:
                return
            yield ",".join(_csv_field(name) for name in self._names) + "\n"
            file.seek(0)
            while header := file.read(4):
                for row in load_all(file.read(int.from_bytes(header, "big"))):
                    cells = cells_of(row)
                    fields = [_csv_field(cell_text(cells[name])) if name in cells else "" for name in self._names]
                    yield ",".join(fields) + "\n"


def _csv_field(text: str) -> str:
    """A field, in quotes where a reader needs them to get exactly this text back."""
    if text == "" or text != text.strip() or any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def cells_of(row: IonValue) -> Cells:
    """The fields of a row by name, the last of a repeated name; a row that is not a struct is the field ``value``."""
    value = strip_annotations(row)
    if isinstance(value, dict) and not is_null(value):
        return {str(name): item for name, item in struct_items(value)}
    return {"value": row}


class _Table:
    """Columns by the fields of a page.  A later page that has other fields begins a new table."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._columns: list[Column] = []
        self._line: _Expanded | None = _Expanded(layout) if layout.is_expanded else None

    def page(self, rows: Sequence[IonValue]) -> Iterator[str]:
        if self._line is None and rows:
            yield from self._table(rows)
        elif self._line is not None:
            yield from self._line.page(rows)

    def _table(self, rows: Sequence[IonValue]) -> Iterator[str]:
        cells = [cells_of(row) for row in rows]
        names = list(dict.fromkeys(name for row in cells for name in row))
        is_terminal = self._layout.width is not None
        if not {column.name for column in self._columns}.issuperset(names):
            width = self._layout.width
            if width is not None and self._layout.is_expanded is None and minimal_width(names) > width:
                self._line = _Expanded(self._layout)
                yield from self._line.page(rows)
                return
            had_columns = bool(self._columns)
            self._columns = fitted(names, cells, width)
            yield ("\n" if had_columns else "") + ruled(self._columns, self._layout.has_lines)
        else:
            self._columns = widened(self._columns, cells, self._layout.width)
        for row in cells:
            separator = " │ " if self._layout.has_lines else " | "
            texts = [column.cell(row.get(column.name), column.name in row, is_terminal) for column in self._columns]
            yield separator.join(texts).rstrip() + "\n"

    def end(self) -> Iterator[str]:
        return iter(())


class _Markdown:
    """As _Table, with the marks of Markdown."""

    def __init__(self, _layout: Layout) -> None:
        self._names: list[str] = []

    def page(self, rows: Sequence[IonValue]) -> Iterator[str]:
        cells = [cells_of(row) for row in rows]
        names = list(dict.fromkeys(name for row in cells for name in row))
        if not set(self._names).issuperset(names):
            yield "\n" if self._names else ""
            self._names = names
            yield self._line(names)
            yield self._line(["---"] * len(names))
        for row in cells:
            yield self._line([cell_text(row[name]) if name in row else "" for name in self._names])

    @staticmethod
    def _line(texts: Sequence[str]) -> str:
        escaped = (text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "<br>") for text in texts)
        return "| " + " | ".join(escaped) + " |\n"

    def end(self) -> Iterator[str]:
        return iter(())


class _Expanded:
    """A line for each field, nested values over several lines."""

    def __init__(self, layout: Layout) -> None:
        self._width = layout.width
        self._count = 0

    def page(self, rows: Sequence[IonValue]) -> Iterator[str]:
        for row in rows:
            self._count += 1
            cells = cells_of(row)
            margin = max(map(len, cells), default=0)
            yield f"-[ row {self._count} ]-\n"
            for name, value in cells.items():
                indent = " " * (margin + 3)
                text = self._text(value, indent).replace("\n", "\n" + indent if isinstance(value, str) else "\n")
                yield f"{name.ljust(margin)} = {text}\n"

    def _text(self, value: IonValue, indent: str) -> str:
        if type(value) is str:
            return value
        return dumps_text(value) if self._width is None else pretty(value, self._width, indent)

    def end(self) -> Iterator[str]:
        return iter(())


_WRITERS: dict[str, Callable[[Layout], RowWriter]] = {
    "ion": _ion,
    "json": _Json,
    "jsonl": _jsonl,
    "csv": _Csv,
    "table": _Table,
    "markdown": _Markdown,
    "line": _Expanded,
}
