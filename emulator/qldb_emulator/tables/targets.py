"""Where tables go.

====================  ====================================================================  =========================
target                what is there                                                         needs the extra
====================  ====================================================================  =========================
``parquet:DIR``       a file for each table, ``blocks.parquet``, ``_verification.parquet``   ``parquet`` (pyarrow)
``csv:DIR``           the same as CSV with a header; bytes in hexadecimal                   -
``sqlite:FILE``       tables and views                                                      ``sqlite`` (sqlite-utils)
``postgresql://…``    tables and views in the connection's schema                           ``postgresql`` (psycopg 3)
====================  ====================================================================  =========================

A target is written whole or not at all: files under another name first, PostgreSQL in one transaction.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..extras import install_command
from .layout import SCHEMA_VERSION, VERIFICATION, VERIFICATION_NAME, Columns, Dialect
from .locks import InUseError, held_alone

if TYPE_CHECKING:
    from .content import Content
    from .spool import Chunk

UNFINISHED = ".unfinished"


class TargetError(Exception):
    """A target cannot be written or read; a sentence for people."""


class Target(Protocol):
    """A place for tables.  Every method raises TargetError."""

    dialect: Dialect
    description: str
    has_views: bool
    """Whether the current state is a view, which cannot differ from its history by accident."""
    keeps_scale: bool
    """Whether a decimal is read with as many zeros behind the point as it was written with."""

    def check_free(self) -> None:
        """Raise TargetError unless it can be written and nothing of ours is there."""

    def write(self, content: Content) -> None:
        """Write everything, or nothing."""

    def verification(self) -> dict[str, Any]:
        """The row of ``_verification``."""

    def read(self, table: str, columns: Columns) -> Iterator[tuple[Any, ...]]:
        """The rows of a table in the order of blocks, and of document ids within one."""

    def close(self) -> None:
        """Let go of files and connections."""


def missing(extra: str, library: str, error: ImportError) -> TargetError:
    """What to say when an extra is not installed."""
    return TargetError(f"this target needs {library}: {install_command(extra)} ({error})")


def verification_of(rows: Sequence[Sequence[Any]], description: str) -> dict[str, Any]:
    """The row of ``_verification`` by its columns.  rows: all that there are.

    Raises TargetError unless it is one, of the schema that this program writes.
    """
    if len(rows) != 1:
        raise TargetError(f"{description} has not one row in {VERIFICATION_NAME}")
    found = dict(zip((name for name, _ in VERIFICATION), rows[0], strict=True))
    version = found["schema_version"]
    if version != SCHEMA_VERSION:
        raise TargetError(
            f"{description} has tables of schema version {version}; this program reads and writes version "
            f"{SCHEMA_VERSION}"
        )
    return found


def verification_chunk(content: Content) -> Chunk:
    """The one row of ``_verification`` that a target is filled with."""
    return [[content.verification[name]] for name, _ in VERIFICATION]


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for what does not fit into memory, gone in the end.

    Raises TargetError when it cannot be used, as on a full disk.  What raises errors of files or of SQLite inside must
    do so for this folder alone.
    """
    place = tempfile.gettempdir()
    try:
        with tempfile.TemporaryDirectory(prefix="qldb-tables-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except (OSError, sqlite3.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise TargetError(
            f"The directory for temporary files, {place}, cannot be used: {reason}; nothing was written. "
            "TMPDIR names another one."
        ) from error


# --- Directories of files ------------------------------------------------------------------------------------


def check_free_directory(path: Path) -> None:
    """Raise TargetError unless a directory can appear here: nothing is there, or an empty directory."""
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise TargetError(f"{path} is there already and is not an empty directory; nothing was written")
        _check_writable(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def check_free_file(path: Path) -> None:
    """Raise TargetError unless a file can appear here."""
    try:
        if path.exists():
            raise TargetError(f"{path} is there already; nothing was written")
        _check_writable(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def _check_writable(path: Path) -> None:
    parent = path.absolute().parent
    if not parent.is_dir():
        raise TargetError(f"{path} cannot be written: there is no directory {parent}")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise TargetError(f"{path} cannot be written: {parent} may not be written to")


def cannot_write(path: Path, error: OSError) -> TargetError:
    """The sentence for a failing file system."""
    return TargetError(f"{path} cannot be written: {_reason(error)}; it is as it was before")


def _reason(error: OSError) -> str:
    """The system's words.  pyarrow puts its own around them, and the number of the error."""
    number = re.search(r"\[errno (\d+)\]", str(error))
    return error.strerror or str(error) if number is None else os.strerror(int(number[1]))


@contextmanager
def appearing(path: Path, check_free: Callable[[Path], None]) -> Iterator[Path]:
    """A path beside the wanted one that takes its name when the block ends well, and is gone when it does not.

    check_free: raises TargetError when something is there; called again, as another process may have been faster.
    """
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with held_alone(path):
            check_free(path)
            try:
                _remove(unfinished)  # of a process that was killed
                yield unfinished
                os.replace(unfinished, path)
            finally:
                _remove(unfinished)
    except InUseError:
        raise in_use(path) from None
    except OSError as error:
        raise cannot_write(path, error) from error


def in_use(path: Path) -> TargetError:
    """The sentence for a target that another process writes to."""
    return TargetError(f"{path} is being written by another process; nothing was written")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
