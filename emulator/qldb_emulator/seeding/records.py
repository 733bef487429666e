"""Files of records, read one record at a time: CSV, JSON, JSON Lines, Ion, Parquet.

========= =====================================================================================================
form      a record is
========= =====================================================================================================
csv       a line; the first line names the fields.  An empty cell is a missing field, every other one a string
json      an item of the one array, or each value of several, or the one object
jsonl     a line
ion       a top-level value, in text or binary; or an item of the one list
parquet   a row; needs pyarrow
========= =====================================================================================================
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from ..extras import install_command
from ..ion.codec import IonError, is_binary, load_all, loads
from ..ion.values import IonValue, strip_annotations

FORMS = ("csv", "json", "jsonl", "ion", "parquet")
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".ion": "ion",
    ".10n": "ion",
    ".parquet": "parquet",
}
_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")  # a leading zero is part of a name, such as a postal code
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+\Z")
_PARQUET_ROWS = 1_000  # rows in memory at once


class RecordsError(ValueError):
    """The file has another form than its name says, or a mistake.  The text begins with file:line:column if known."""


class Record(NamedTuple):
    """place: ``file:line``, or ``file, record N`` in forms without lines.  done: bytes of the file read so far."""

    place: str
    value: IonValue
    done: int


def form_of(path: Path) -> str:
    """Return the form that a name's ending means.  Raises RecordsError."""
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise RecordsError(f"{path}: the name does not end in one of {' '.join(_SUFFIXES)}; --format names the format")
    return found


def read_records(path: Path, form: str, detects_types: bool = False, delimiter: str | None = None) -> Iterator[Record]:
    """Yield the records of a file in order, each a struct.  Raises RecordsError, OSError.

    detects_types: of CSV; a column whose cells are all integers, decimals or true and false has values of that type.
    delimiter: of CSV, the character between fields; by default a comma, or a tab in a file named .tsv.
    """
    if form == "csv":
        found = _csv(path, detects_types, delimiter)
    else:
        found = {"json": _json, "jsonl": _json_lines, "ion": _ion, "parquet": _parquet}[form](path)
    for record in found:
        if not isinstance(strip_annotations(record.value), dict):
            raise RecordsError(f"{record.place}: a record must be a struct, as every document")
        yield record


# --- CSV -----------------------------------------------------------------------------------------------------


_OTHER_DELIMITERS = (";", "\t", "|")


def _rows(path: Path, delimiter: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of every row.  Raises RecordsError."""
    delimiter = delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            yield from ((reader.line_num, row) for row in reader if row)
        except csv.Error as error:
            raise RecordsError(f"{path}:{reader.line_num}: {error}") from error
        except UnicodeDecodeError as error:
            raise RecordsError(f"{path}:{reader.line_num + 1}: {_not_utf8(error)}") from error


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"the byte 0x{error.object[error.start]:02x} is not UTF-8"


def _csv(path: Path, detects_types: bool, delimiter: str | None) -> Iterator[Record]:
    rows = _rows(path, delimiter)
    _, names = next(rows, (0, []))
    other = next((each for each in _OTHER_DELIMITERS if len(names) == 1 and each in names[0]), None)
    if other is not None and delimiter is None:
        shown = other.replace("\t", "\\t")
        text = f"the header is one field, {names[0]!r}; give --delimiter '{shown}' if that separates fields"
        raise RecordsError(f"{path}:1: {text}")
    repeated = {name for name in names if names.count(name) > 1}
    if not names or repeated:
        what = f"the header names {sorted(repeated)[0]!r} twice" if repeated else "there is no header"
        raise RecordsError(f"{path}:1: {what}")
    kinds = _kinds(path, names, delimiter) if detects_types else ["string"] * len(names)
    size, seen = path.stat().st_size, 0
    for line, cells in rows:
        if len(cells) != len(names):
            raise RecordsError(f"{path}:{line}: {len(cells)} cells, but the header has {len(names)}")
        seen += sum(len(cell) + 1 for cell in cells)  # nearly: what quotes and multi-byte characters add is left out
        fields = zip(names, cells, kinds, strict=True)
        value: IonValue = {name: _cell(text, kind) for name, text, kind in fields if text != ""}
        yield Record(f"{path}:{line}", value, min(seen, size))


def _kinds(path: Path, names: list[str], delimiter: str | None) -> list[str]:
    """Return the kind of each column, from all of its cells: the first kind that fits them all."""
    possible = [["int", "decimal", "bool"] for _ in names]
    is_filled = [False] * len(names)
    rows = _rows(path, delimiter)
    next(rows, None)
    for _, cells in rows:
        for number, text in enumerate(cells[: len(names)]):
            if text:
                is_filled[number] = True
                possible[number] = [kind for kind in possible[number] if _fits(text, kind)]
    return [(kinds or ["string"])[0] if filled else "string" for kinds, filled in zip(possible, is_filled, strict=True)]


def _fits(text: str, kind: str) -> bool:
    if kind == "bool":
        return text in ("true", "false")
    return bool(_INT.match(text)) or (kind == "decimal" and bool(_DECIMAL.match(text)))


def _cell(text: str, kind: str) -> IonValue:
    if kind == "int":
        return int(text)
    if kind == "decimal":
        return Decimal(text)
    return text == "true" if kind == "bool" else text


# --- JSON and Ion --------------------------------------------------------------------------------------------


def _json(path: Path) -> Iterator[Record]:
    data = path.read_bytes()
    text = _decoded(data, path)
    try:
        values = list(load_all(text))  # JSON is Ion; read as Ion, a number keeps every digit
    except IonError as error:
        raise RecordsError(_json_problem(path, text, 1, str(error))) from error
    if len(values) == 1 and isinstance(values[0], list):
        values = list(values[0])
    yield from _numbered(path, values, len(data))


def _json_lines(path: Path) -> Iterator[Record]:
    done = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            done += len(line)
            if not line.strip():
                continue
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise RecordsError(f"{path}:{number}:{error.start + 1}: {_not_utf8(error)}") from error
            try:
                value = loads(text)
            except IonError as error:
                # Without its end, so that what is missing is missing on this line and not at the start of the next.
                raise RecordsError(_json_problem(path, text.rstrip(), number, str(error))) from error
            yield Record(f"{path}:{number}", value, done)


def _json_problem(path: Path, text: str, first_line: int, otherwise: str) -> str:
    """Return the position of a mistake as Python's JSON reader reports it: with the line and a caret."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        line = text.split("\n")[error.lineno - 1].rstrip()
        place = f"{path}:{first_line + error.lineno - 1}:{error.colno}"
        return f"{place}: it is not JSON: {error.msg}\n  {line}\n  {' ' * (error.colno - 1)}^"
    except RecursionError:
        pass
    return f"{path}:{first_line}: it is not JSON: {otherwise}"


def _ion(path: Path) -> Iterator[Record]:
    data = path.read_bytes()
    try:
        values = list(load_all(data if is_binary(data) else _decoded(data, path)))
    except IonError as error:
        raise RecordsError(f"{path}: it is not Ion: {error}") from error
    if len(values) == 1 and isinstance(values[0], list):
        values = list(values[0])
    yield from _numbered(path, values, len(data))


def _numbered(path: Path, values: list[IonValue], size: int) -> Iterator[Record]:
    """Yield records without lines.  The whole file was read, so its bytes are divided evenly among them."""
    for number, value in enumerate(values, 1):
        yield Record(f"{path}, record {number}", value, size * number // len(values))


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise RecordsError(f"{path}:{line}:{column}: {_not_utf8(error)}") from error


# --- Parquet -------------------------------------------------------------------------------------------------


def _parquet(path: Path) -> Iterator[Record]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise RecordsError(f"{path}: reading Parquet needs pyarrow: {install_command('parquet')}") from error
    size, number = path.stat().st_size, 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            total = max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(_PARQUET_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    place = f"{path}, row {number}"
                    yield Record(place, _from_python(row, place), size * number // total)
    except pyarrow.ArrowException as error:
        raise RecordsError(f"{path}: it is not Parquet: {error}") from error


def _from_python(value: Any, place: str) -> IonValue:
    """Return a value of pyarrow's as Ion; times without a zone count as UTC.  Raises RecordsError."""
    if isinstance(value, dict):
        return {str(name): _from_python(item, place) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_from_python(item, place) for item in value]
    if value is None or isinstance(value, bool | int | float | str | bytes | Decimal):
        return value
    if hasattr(value, "isoformat") and hasattr(value, "year"):  # a date, or a date and a time
        text = value.isoformat()
        return loads(f"{text}Z" if "T" in text and value.tzinfo is None else text)
    raise RecordsError(f"{place}: Ion has no type for {type(value).__name__}")
