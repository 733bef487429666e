"""What a target is filled with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .layout import TableLayout
from .spool import Chunk, Settled, Spool, history_chunks


class Content:
    """Everything that a target is filled with.

    is_unique: whether no revision can be there twice, because the journal is not broken.
    """

    def __init__(
        self,
        verification: dict[str, Any],
        tables: list[TableLayout],
        spool: Spool,
        settled: Settled,
        is_unique: bool,
    ) -> None:
        self.verification = verification
        self.tables = tables
        self.is_unique = is_unique
        self._spool = spool
        self._settled = settled

    def blocks(self) -> Iterator[Chunk]:
        """Rows of ``blocks`` in order, some at a time."""
        return self._spool.blocks()

    def history(self, layout: TableLayout) -> Iterator[Chunk]:
        """Rows of a history in the order of blocks, some at a time."""
        return history_chunks(self._spool, self._settled, layout)
