"""Parquet files: exact decimals, timestamps in UTC to the microsecond, one file for each table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .layout import BLOCKS, BLOCKS_NAME, VERIFICATION, VERIFICATION_NAME, ColumnKind, Columns, Dialect, TableLayout
from .spool import Chunk, current_ones
from .targets import TargetError, appearing, check_free_directory, missing, verification_chunk, verification_of

if TYPE_CHECKING:
    from .content import Content

ROWS_IN_GROUP = 10_000  # some 20 MB of Python values
DECIMAL_DIGITS_MAX = 76  # of Parquet's widest decimal; longer ones are texts
SUFFIX = ".parquet"
# Fixed columns that neither compress nor repeat: hashes, and other values of which each row has its own.
HASHES = frozenset({"hash", "data_hash", "previous_hash", "entries_hash", "entries", "revision_hashes"})
UNIQUE = frozenset({"id", "transaction_id", "data", "ion", "transaction_info"})


class ParquetTarget:
    """A directory of Parquet files."""

    dialect = Dialect()
    has_views = False
    keeps_scale = False

    def __init__(self, path: Path) -> None:
        """Raises TargetError when pyarrow is not installed."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise missing("parquet", "pyarrow", error) from error
        self._arrow: Any = pyarrow
        self._parquet: Any = pyarrow.parquet
        self.path = path
        self.description = f"parquet:{path}"

    def check_free(self) -> None:
        check_free_directory(self.path)

    def write(self, content: Content) -> None:
        with appearing(self.path, check_free_directory) as folder:
            folder.mkdir()
            self._write(folder, VERIFICATION_NAME, VERIFICATION, [verification_chunk(content)])
            self._write(folder, BLOCKS_NAME, BLOCKS, content.blocks())
            for layout in content.tables:
                self._write_table(folder, layout, content)

    def _write_table(self, folder: Path, layout: TableLayout, content: Content) -> None:
        sizes = _sizes(layout)
        positions = layout.current_positions
        with (
            self._writer(folder, layout.history, layout.history_columns, sizes) as history,
            self._writer(folder, layout.current, layout.current_columns, sizes) as current,
        ):
            for group in _groups(content.history(layout)):
                live = current_ones(group)
                arrays = history.add(group)
                found = [arrays[position] for position in positions]
                if not all(live):  # else they need no copy
                    mask = self._arrow.array(live)
                    found = [array.filter(mask) for array in found]
                current.write(found)

    def _write(self, folder: Path, name: str, columns: Columns, chunks: Iterable[Chunk]) -> None:
        with self._writer(folder, name, columns, {}) as writer:
            for group in _groups(chunks):
                writer.add(group)

    def _writer(self, folder: Path, name: str, columns: Columns, sizes: Sizes) -> _Writer:
        types = [self._type(kind, sizes.get(column)) for column, kind in columns]
        return _Writer(self._arrow, self._parquet, folder / f"{name}{SUFFIX}", columns, types)

    def _type(self, kind: ColumnKind, size: tuple[int, int] | None) -> Any:
        arrow = self._arrow
        if kind == "DECIMAL" and size is not None:
            digits, scale = size
            return arrow.decimal128(digits, scale) if digits <= 38 else arrow.decimal256(digits, scale)
        return {
            "BOOL": arrow.bool_(),
            "INT": arrow.int64(),
            "FLOAT": arrow.float64(),
            "TIME": arrow.timestamp("us", tz="UTC"),
            "DATE": arrow.date32(),
            "BYTES": arrow.binary(),
        }.get(kind, arrow.string())

    def verification(self) -> dict[str, Any]:
        return verification_of(list(self.read(VERIFICATION_NAME, VERIFICATION)), self.description)

    def read(self, table: str, columns: Columns) -> Iterator[tuple[Any, ...]]:
        path = self.path / f"{table}{SUFFIX}"
        names = [name for name, _ in columns]
        try:
            with self._parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=names):
                    lists = [self._values(batch.column(name), kind) for name, kind in columns]
                    yield from zip(*lists, strict=True)
        except (OSError, KeyError, self._arrow.ArrowException) as error:
            raise TargetError(f"{path} cannot be read: {error}") from error

    def _values(self, column: Any, kind: ColumnKind) -> list[Any]:
        arrow = self._arrow
        if kind == "TIME":
            column = column.cast(arrow.int64())
        elif kind == "DATE":
            column = column.cast(arrow.int32())
        values: list[Any] = column.to_pylist()
        return [None if value is None else str(value) for value in values] if kind == "DECIMAL" else values

    def close(self) -> None:
        pass


Sizes = dict[str, tuple[int, int]]
"""Column -> digits and scale of its decimals."""


def _sizes(layout: TableLayout) -> Sizes:
    """Of the columns with decimals that Parquet can hold as such."""
    found = {}
    for column in layout.columns:
        digits = column.type.digits + column.type.scale
        if column.kind == "DECIMAL" and digits <= DECIMAL_DIGITS_MAX:
            found[column.name] = digits, column.type.scale
    return found


class _Writer:
    """One file, row group by row group."""

    def __init__(self, arrow: Any, parquet: Any, path: Path, columns: Columns, types: list[Any]) -> None:
        self._arrow = arrow
        self._types = types
        fields = [arrow.field(name, each) for (name, _), each in zip(columns, types, strict=True)]
        self._schema = arrow.schema(fields)
        repeated = [name for name, _ in columns if name not in HASHES and name not in UNIQUE]
        self._writer = parquet.ParquetWriter(
            path,
            self._schema,
            compression={name: "none" if name in HASHES else "zstd" for name, _ in columns},
            use_dictionary=repeated,
            write_statistics=repeated,  # least and greatest of a group help no reader where values come in no order
        )

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._writer.close()

    def add(self, chunk: Chunk) -> list[Any]:
        """Write rows of canonical values.  Their columns as arrays.

        Each column is taken out of the chunk when it is an array, so that memory does not hold all columns twice.
        """
        arrow = self._arrow
        arrays = []
        for number, each in enumerate(self._types):
            values, chunk[number] = chunk[number], ()
            if arrow.types.is_decimal(each):
                values = [None if value is None else Decimal(value) for value in values]
            arrays.append(arrow.array(values, type=each))
        self.write(arrays)
        return arrays

    def write(self, arrays: list[Any]) -> None:
        """Write columns."""
        if len(arrays[0]):
            self._writer.write_table(self._arrow.table(arrays, schema=self._schema))


def _groups(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The rows of chunks in chunks of ROWS_IN_GROUP or somewhat more.

    Keeps no other reference to their columns, so that a column is gone when it is taken out of its chunk.
    """
    group: list[Any] = []
    for chunk in chunks:
        _extend(group, chunk)
        if len(group[0]) >= ROWS_IN_GROUP:
            yield group
            group = []
    if group:
        yield group


def _extend(group: list[Any], chunk: Chunk) -> None:
    if not group:
        group += map(list, chunk)
        return
    for column, more in zip(group, chunk, strict=True):
        column += more
