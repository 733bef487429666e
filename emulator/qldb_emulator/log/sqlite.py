"""SQLite alone: the ledger's own file is the log.

The fold inserts a block's row in the SQLite transaction that holds everything derived from it, so that transaction is
the append, and its COMMIT takes the slot.  The data directory is locked, so there is no other server, and the verbs
that tell servers apart have nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..storage.directory import DataDirectory
from ..storage.ledger_file import LedgerFile
from .seam import READ_BLOCKS, BlockRow, Facts, Log, LogTip, Rewrite
from .servers import Servers


class SqliteLog:
    """The journal of one ledger, in its file.  See seam.Log."""

    is_shared: Literal[False] = False

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def tip(self) -> LogTip:
        tip = self._file.tip()
        return LogTip(-1, b"", 0) if tip is None else LogTip(tip.sequence_no, tip.block_hash, 0)

    def hash_at(self, sequence_no: int) -> bytes | None:
        return self._file.block_hash(sequence_no)

    def read(self, first: int, at_most: int = READ_BLOCKS) -> list[BlockRow]:
        return [BlockRow._make(row) for row in self._file.block_rows(first, at_most)]

    def append_at(self, rows: Iterable[BlockRow], rewrites: Iterable[Rewrite] = ()) -> None:
        """Do nothing: the fold wrote the rows and rewrites in the SQLite transaction that is about to be committed."""

    def fence(self) -> None:
        """A file that answers has done all that it was asked for."""

    def facts(self) -> tuple[int, Facts]:
        return 0, self._file.all_meta()

    def put_facts(self, version: int, changes: Facts) -> int:
        """Do nothing: the caller wrote the facts in the SQLite transaction that is about to be committed."""
        return version

    def close(self) -> None:
        """Do nothing: the ledger closes its file itself."""


class SqliteLogs:
    """All journals of a data directory: listing them is reading the directory.  See seam.Logs."""

    is_shared: Literal[False] = False
    servers: Servers | None = None

    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory

    def regions(self) -> list[str]:
        return self._directory.regions()

    def names(self, region: str) -> list[str]:
        return self._directory.ledgers(region)

    def facts_of(self, region: str, name: str) -> Facts | None:
        return {} if self._directory.exists(region, name) else None

    def create(self, region: str, name: str, facts: Facts) -> None:
        """Do nothing: the ledger file that is created next holds the journal and the facts."""

    def open(self, region: str, name: str, file: LedgerFile) -> Log:
        return SqliteLog(file)

    def delete(self, region: str, name: str, strand_id: str) -> None:
        """The journal goes with its file."""

    def close(self) -> None:
        """There is nothing to let go of."""
