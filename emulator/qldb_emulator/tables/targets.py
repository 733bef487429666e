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
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..extras import install_command
from .layout import SCHEMA_VERSION, Columns, Dialect

if TYPE_CHECKING:
    from .content import Content

UNFINISHED = ".unfinished"


class TargetError(Exception):
    """A target cannot be written or read; a sentence for people."""


class Target(Protocol):
    """A place for tables.  Every method raises TargetError."""

    dialect: Dialect
    description: str
    has_views: bool
    """Whether the current state is a view, which cannot differ from its history by accident."""
    knows_empty: bool
    """Whether an empty text is not the same as no value."""

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


def check_version(row: dict[str, Any], description: str) -> None:
    """Raise TargetError when a target has another schema than this program writes."""
    version = row.get("schema_version")
    if version != SCHEMA_VERSION:
        raise TargetError(
            f"{description} has tables of schema version {version}; this program reads and writes version "
            f"{SCHEMA_VERSION}"
        )


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
    return TargetError(f"{path} cannot be written: {error.strerror or error}; it is as it was before")


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A path beside the wanted one that takes its name when the block ends well, and is gone when it does not."""
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        _remove(unfinished)
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        _remove(unfinished)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
