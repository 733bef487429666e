"""Rows of a result as text: Ion, JSON, a table, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from ..ion.codec import dumps_text
from ..ion.json import to_json
from ..ion.values import IonValue, strip_annotations, struct_items

FORMATS = ("ion", "json", "table", "csv")
_MAX_CELL = 60


def shown(rows: Sequence[IonValue], form: str) -> str:
    """The rows in one of FORMATS, lines joined by newlines; empty for no rows."""
    return _WRITERS[form](rows) if rows else ""


def _ion(rows: Sequence[IonValue]) -> str:
    return "\n".join(dumps_text(row) for row in rows)


def _json(rows: Sequence[IonValue]) -> str:
    return "\n".join(to_json(row) for row in rows)


def _columns(rows: Sequence[IonValue]) -> tuple[list[str], list[dict[str, str]]]:
    """Names in the order in which they first appear, and each row's cells; a row that is no struct is ``value``."""
    names: dict[str, None] = {}
    cells = []
    for row in rows:
        value = strip_annotations(row)
        line = {}
        for name, item in struct_items(value) if isinstance(value, dict) else [("value", row)]:
            line[str(name)] = _cell(item)
            names[str(name)] = None
        cells.append(line)
    return list(names), cells


def _cell(value: IonValue) -> str:
    plain = strip_annotations(value)
    return str(plain) if plain is value and type(plain) is str else dumps_text(value)


def _table(rows: Sequence[IonValue]) -> str:
    names, cells = _columns(rows)
    lines = [names, *[[_short(line.get(name, "")) for name in names] for line in cells]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    text = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(text)


def _short(text: str) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= _MAX_CELL else text[: _MAX_CELL - 1] + "…"


def _csv(rows: Sequence[IonValue]) -> str:
    names, cells = _columns(rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells)
    return out.getvalue().rstrip("\n")


_WRITERS: dict[str, Callable[[Sequence[IonValue]], str]] = {"ion": _ion, "json": _json, "table": _table, "csv": _csv}
