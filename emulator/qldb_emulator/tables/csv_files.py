"""CSV files with a header line, in UTF-8: no value is an empty field, an empty text ``""``, bytes are hexadecimal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from .layout import BLOCKS, BLOCKS_NAME, VERIFICATION, VERIFICATION_NAME, ColumnKind, Columns, Dialect
from .spool import Chunk, current_ones
from .targets import TargetError, appearing, check_free_directory, verification_chunk, verification_of
from .texts import Convert, converted, date_from_text, date_text, float_text, time_from_text, time_text

if TYPE_CHECKING:
    from .content import Content

SUFFIX = ".csv"


class CsvTarget:
    """A directory of CSV files."""

    dialect = Dialect()
    has_views = False
    keeps_scale = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.description = f"csv:{path}"

    def check_free(self) -> None:
        check_free_directory(self.path)

    def write(self, content: Content) -> None:
        with appearing(self.path, check_free_directory) as folder:
            folder.mkdir()
            _write(folder / f"{VERIFICATION_NAME}{SUFFIX}", VERIFICATION, [verification_chunk(content)])
            _write(folder / f"{BLOCKS_NAME}{SUFFIX}", BLOCKS, content.blocks())
            for layout in content.tables:
                with ExitStack() as stack:
                    history = _File(stack, folder / f"{layout.history}{SUFFIX}", layout.history_columns)
                    current = _File(stack, folder / f"{layout.current}{SUFFIX}", layout.current_columns)
                    for chunk in content.history(layout):
                        live = current_ones(chunk)
                        history.add(chunk)
                        current.add([list(compress(chunk[i], live)) for i in layout.current_positions])

    def verification(self) -> dict[str, Any]:
        return verification_of(list(self.read(VERIFICATION_NAME, VERIFICATION)), self.description)

    def read(self, table: str, columns: Columns) -> Iterator[tuple[Any, ...]]:
        path = self.path / f"{table}{SUFFIX}"
        try:
            with path.open(encoding="utf-8", newline="") as file:
                records = _records(file)
                header = [_unquoted(field) for field in next(records, [])]
                positions = [(header.index(name), kind) for name, kind in columns]
                for record in records:
                    yield tuple([_value(record[position], kind) for position, kind in positions])
        except (OSError, ValueError, IndexError) as error:
            raise TargetError(f"{path} cannot be read: {error}") from error

    def close(self) -> None:
        pass


class _File:
    """One file, which its stack closes."""

    def __init__(self, stack: ExitStack, path: Path, columns: Columns) -> None:
        self._file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
        self._kinds = [kind for _, kind in columns]
        self._write([[_quoted(name) for name, _ in columns]])

    def add(self, chunk: Chunk) -> None:
        """Write rows."""
        self._write(converted(chunk, self._kinds, FORMAT, ""))

    def _write(self, rows: Iterable[Iterable[str]]) -> None:
        self._file.write("".join([",".join(row) + "\r\n" for row in rows]))


def _write(path: Path, columns: Columns, chunks: Iterable[Chunk]) -> None:
    with ExitStack() as stack:
        file = _File(stack, path, columns)
        for chunk in chunks:
            file.add(chunk)


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


_FIELD = re.compile(r'("[^"]*(?:""[^"]*)*"|[^",\r\n]*)(,|\r?\n)')
_READ_CHARACTERS = 1 << 20


def _records(file: TextIO) -> Iterator[list[str]]:
    """The fields of each line with their quotes, which tell an empty text from no value.  Raises ValueError."""
    text, position, record = file.read(_READ_CHARACTERS), 0, list[str]()
    while True:
        found = _FIELD.match(text, position)
        if found is not None:
            record.append(found[1])
            position = found.end()
            if found[2] != ",":
                yield record
                record = []
            continue
        more = file.read(max(_READ_CHARACTERS, len(text) - position))  # a long field is tried again with twice the text
        if not more:
            if record or position < len(text):
                raise ValueError(
                    f"it ends in the middle of a line, or that is no CSV: {text[position : position + 40]!r}"
                )
            return
        text, position = text[position:] + more, 0


def _unquoted(field: str) -> str:
    return field[1:-1].replace('""', '"') if field.startswith('"') else field


def _value(field: str, kind: ColumnKind) -> Any:
    """A field as this package has it; one that was never written here as it is, for a check to find."""
    if not field:
        return None
    text = _unquoted(field)
    try:
        return _READ.get(kind, str)(text)
    except (ValueError, KeyError):
        return text


_READ: dict[str, Convert] = {
    "INT": int,
    "BYTES": bytes.fromhex,
    "TIME": time_from_text,
    "BOOL": {"true": True, "false": False}.__getitem__,
    "FLOAT": float,
    "DATE": date_from_text,
}
