"""CSV files with a header line, in UTF-8: no value is an empty field, an empty text ``""``, bytes are hexadecimal."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .layout import BLOCKS, BLOCKS_NAME, VERIFICATION, VERIFICATION_NAME, ColumnKind, Columns, Dialect
from .spool import is_current
from .targets import TargetError, appearing, cannot_write, check_free_directory, check_version
from .texts import Convert, converted, date_from_text, date_text, float_text, time_from_text, time_text

if TYPE_CHECKING:
    from .content import Content

SUFFIX = ".csv"


class CsvTarget:
    """A directory of CSV files."""

    dialect = Dialect()
    has_views = False
    knows_empty = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.description = f"csv:{path}"

    def check_free(self) -> None:
        check_free_directory(self.path)

    def write(self, content: Content) -> None:
        with appearing(self.path) as folder:
            folder.mkdir()
            row = tuple(content.verification[name] for name, _ in VERIFICATION)
            _write(folder / f"{VERIFICATION_NAME}{SUFFIX}", VERIFICATION, [[row]])
            _write(folder / f"{BLOCKS_NAME}{SUFFIX}", BLOCKS, content.blocks())
            for layout in content.tables:
                with ExitStack() as stack:
                    history = _File(stack, folder / f"{layout.history}{SUFFIX}", layout.history_columns)
                    current = _File(stack, folder / f"{layout.current}{SUFFIX}", layout.current_columns)
                    for rows in content.history(layout):
                        live = [row for row in rows if is_current(row)]
                        history.add(rows)
                        current.add([[row[i] for i in layout.current_positions] for row in live])

    def verification(self) -> dict[str, Any]:
        rows = list(self.read(VERIFICATION_NAME, VERIFICATION))
        if len(rows) != 1:
            raise TargetError(f"{self.description} has not one row in {VERIFICATION_NAME}")
        found = dict(zip((name for name, _ in VERIFICATION), rows[0], strict=True))
        check_version(found, self.description)
        return found

    def read(self, table: str, columns: Columns) -> Iterator[tuple[Any, ...]]:
        path = self.path / f"{table}{SUFFIX}"
        csv.field_size_limit(sys.maxsize)
        try:
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.reader(file, strict=True)
                header = next(reader, [])
                positions = [(header.index(name), kind) for name, kind in columns]
                for row in reader:
                    yield tuple([_value(row[position], kind) for position, kind in positions])
        except (OSError, ValueError, IndexError, csv.Error) as error:
            raise TargetError(f"{path} cannot be read: {error}") from error

    def close(self) -> None:
        pass


class _File:
    """One file, which its stack closes."""

    def __init__(self, stack: ExitStack, path: Path, columns: Columns) -> None:
        self._path = path
        self._file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
        self._kinds = [kind for _, kind in columns]
        self._write([[_quoted(name) for name, _ in columns]])

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows."""
        if rows:
            self._write(converted(rows, self._kinds, FORMAT, ""))

    def _write(self, rows: Iterable[Iterable[str]]) -> None:
        try:
            self._file.write("".join([",".join(row) + "\r\n" for row in rows]))
        except OSError as error:
            raise cannot_write(self._path, error) from error


def _write(path: Path, columns: Columns, chunks: Iterable[Sequence[Sequence[Any]]]) -> None:
    with ExitStack() as stack:
        file = _File(stack, path, columns)
        for rows in chunks:
            file.add(rows)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


FORMAT: dict[str, Convert] = {
    "TEXT": _quoted,
    "JSON": _quoted,
    "BYTES": lambda value: value.hex() or '""',
    "INT": str,
    "DECIMAL": str,
    "TIME": time_text,
    "DATE": date_text,
    "BOOL": lambda value: "true" if value else "false",
    "FLOAT": float_text,
}


def _value(text: str, kind: ColumnKind) -> Any:
    """A field as this package has it; one that was never written here as it is, for a check to find."""
    try:
        return _read(text, kind)
    except (ValueError, KeyError):
        return text


def _read(text: str, kind: ColumnKind) -> Any:
    if not text:
        return None
    if kind == "INT":
        return int(text)
    if kind == "BYTES":
        return bytes.fromhex(text)
    if kind == "TIME":
        return time_from_text(text)
    if kind == "BOOL":
        return {"true": True, "false": False}[text]
    if kind == "FLOAT":
        return float(text)
    return date_from_text(text) if kind == "DATE" else text
