"""An operation of the curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..alternate import Case
from .ledgers import Curve, Filled

Kind = Literal["read", "write", "start", "whole", "slow"]
"""How it is measured (see ``measure``).

read: often.  write: less often, for it makes the ledger longer.  start: a process.  whole: it goes through all of a
ledger.  slow: as whole, and takes minutes with a large one.
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that is measured on every ledger of the curve.

    at_most: what the time on the largest ledger may be of that on the smallest; None for what goes through a whole
    ledger and may grow.  each: then, what its time is divided by.  source: where the goal comes from.
    make: a case of one run.
    """

    name: str
    what: str
    kind: Kind
    make: Callable[[Curve, Filled], Case]
    at_most: float | None = None
    each: Literal["", "document", "block"] = ""
    source: str = "ours: only scans and exports may grow"

    def share(self, of: Filled) -> int:
        """Return what a figure of a ledger is divided by."""
        return {"": 1, "document": of.documents, "block": of.blocks}[self.each]
