"""The target that a user names, with its library imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .targets import Target, TargetError


def open_target(text: str) -> Target:
    """The target that a user names.  Raises TargetError, also when a library is missing."""
    scheme, colon, rest = text.partition(":")
    if scheme in ("postgresql", "postgres") and rest.startswith("//"):
        from .postgresql import PostgresTarget

        return PostgresTarget(text)
    if not colon or not rest or scheme not in _BY_PATH:
        raise TargetError(
            f"{text!r} is no target: parquet:DIRECTORY, csv:DIRECTORY, sqlite:FILE or postgresql://... is expected"
        )
    return _BY_PATH[scheme](Path(rest))


def _parquet(path: Path) -> Target:
    from .parquet import ParquetTarget

    return ParquetTarget(path)


def _csv(path: Path) -> Target:
    from .csv_files import CsvTarget

    return CsvTarget(path)


def _sqlite(path: Path) -> Target:
    from .sqlite import SqliteTarget

    return SqliteTarget(path)


_BY_PATH: dict[str, Callable[[Path], Target]] = {"parquet": _parquet, "csv": _csv, "sqlite": _sqlite}
