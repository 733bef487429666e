"""The last statements, in memory: their texts and parameters, how they were run, how long they took.

Writing a row costs a tuple; parameters and plans become text when a row is shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from ...errors import QldbError
from ...records import dataclass

if TYPE_CHECKING:
    from ...partiql.execution.compiler import Program

Members = dict[str, Any]
MAX_SIZE = 64 * 1024  # characters of text and bytes of parameters: the log must not fill the memory


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One statement.

    number: from 1 on.  holders: its parameters as received.  program: None if it has none.  left_out: how many
    parameters were too large to keep.
    """

    number: int
    ledger: str
    region: str
    transaction_id: str
    text: str
    holders: Sequence[Members]
    seconds: float
    program: Program | None
    read_ios: int = 0
    error: QldbError | None = None
    left_out: int = 0

    def scans(self) -> list[str]:
        """Return the tables that the statement reads as a whole, each once."""
        return [] if self.program is None else list(dict.fromkeys(_scanned(self.program.plan.root)))

    def members(self) -> Members:
        """Return the row for JSON."""
        from ...partiql.planning.explain import explain

        members: Members = {
            "number": self.number,
            "ledger": self.ledger,
            "region": self.region,
            "transactionId": self.transaction_id,
            "statement": self.text,
            "parameters": [_shown(holder) for holder in self.holders],
            "durationMs": round(self.seconds * 1000, 3),
            "readIOs": self.read_ios,
            "scans": self.scans(),
        }
        if self.left_out:
            members["parametersLeftOut"] = self.left_out
        if self.program is not None:
            members["plan"] = explain(self.program.plan)
        if self.error is not None:
            members["error"] = {"type": self.error.shape, "message": self.error.message}
        return members


@dataclass(slots=True)
class StatementLog:
    """A ring of the last rows.  size: 0 keeps none."""

    size: int
    _rows: deque[StatementRow] = field(init=False)
    _count: int = 0
    _ends: dict[str, QldbError | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rows = deque(maxlen=self.size)

    def add(self, text: str, holders: Sequence[Members], **values: Any) -> None:
        """Keep a statement; of a very large one, only the beginning of its text."""
        if not self.size:
            return
        self._count += 1
        left_out = 0
        if len(text) + sum(map(_size, holders)) > MAX_SIZE:
            text, left_out, holders = text[:MAX_SIZE], len(holders), ()
        self._rows.append(StatementRow(self._count, text=text, holders=holders, left_out=left_out, **values))

    def end(self, transaction_id: str, error: QldbError | None) -> None:
        """Note that a transaction was committed, or that its commit was refused with an error."""
        if not self.size:
            return
        self._ends[transaction_id] = error
        if len(self._ends) > self.size:  # forget transactions without a row
            self._ends.pop(next(iter(self._ends)), None)

    def outcome(self, transaction_id: str) -> Members | None:
        """Return the outcome of a transaction's commit; None if no outcome is remembered."""
        if transaction_id not in self._ends:
            return None
        error = self._ends[transaction_id]
        if error is None:
            return {"committed": True}
        return {"committed": False, "type": error.shape, "message": error.message, "debug": dict(error.debug)}

    def rows(self, after: int = 0, ledger: str | None = None) -> list[StatementRow]:
        """Return the rows with a greater number, oldest first."""
        return [row for row in list(self._rows) if row.number > after and ledger in (None, row.ledger)]

    def last_number(self) -> int:
        """Return the number of the newest row; 0 before the first."""
        return self._count

    def forget(self, region: str, ledger: str) -> None:
        """Forget the rows of one ledger; numbers go on."""
        kept = [row for row in list(self._rows) if (row.region, row.ledger) != (region, ledger)]
        self._rows = deque(kept, maxlen=self.size)

    def clear(self) -> None:
        """Forget every row; numbers go on."""
        self._rows.clear()
        self._ends.clear()


def _scanned(node: object) -> Iterator[str]:
    """Yield the tables of every Scan, and of every HistoryScan without ids, in a plan."""
    from ...partiql.planning.plan import HistoryScan, Scan

    if isinstance(node, Scan):
        yield node.source.table.name
    elif isinstance(node, HistoryScan) and node.probe is None:
        yield f"history({node.table.name})"
    elif isinstance(node, tuple):
        for item in node:
            yield from _scanned(item)
    elif is_dataclass(node):
        for part in fields(node):
            yield from _scanned(getattr(node, part.name))


def _size(holder: Members) -> int:
    return sum(map(len, holder.values()))


def _shown(holder: Members) -> str:
    from ...ion.codec import IonError, dumps_text, loads

    data = holder.get("IonBinary") or holder.get("IonText") or b""
    try:
        return dumps_text(loads(data))
    except IonError as error:
        return f"not Ion: {error}"
