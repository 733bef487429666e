"""What a statement did, for a developer: its plan and what it read, as the text of one response header.

It is made only if ``Settings.shows_plans`` is on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ...partiql.planning.explain import explain
from ..ledger.conflicts import ReadMark, WriteLog

if TYPE_CHECKING:
    from ...partiql.execution.compiler import Program
    from .transactions import Transaction

MAX_CHARACTERS = 4_000  # many clients refuse headers of more than 8 KiB
_CUT = " ..."
CONFLICT_CHARACTERS = 300
# Kinds of marks, most informative first: if a block wrote several marks, the first is reported.
_TELLING = ("table", "key", "document", "name", "catalogue")


def plan_header(transaction: Transaction, program: Program | None, marks: set[ReadMark], read_ios: int) -> str:
    """Return JSON in ASCII, at most MAX_CHARACTERS: ``{"plan": [line], "reads": [text], "readIOs": 3}``.

    marks: what the transaction has read since the statement began.  What does not fit is left out, and the text says
    so.
    """
    plan = [] if program is None else explain(program.plan).split("\n")
    reads = sorted(mark_text(mark, transaction) for mark in marks)
    while True:
        text = json.dumps({"plan": plan, "reads": reads, "readIOs": read_ios})
        if len(text) <= MAX_CHARACTERS:
            return text
        if len(reads) > 2:
            reads = [*reads[: len(reads) // 2 - 1], _CUT.strip()]
        elif len(plan) > 2:
            plan = [*plan[: len(plan) // 2], _CUT.strip()]
        else:
            plan, reads = _halved(plan), _halved(reads)


def _halved(lines: list[str]) -> list[str]:
    return [line if len(line) < 50 else line[: len(line) // 2] + _CUT for line in lines]


def mark_text(mark: ReadMark, transaction: Transaction) -> str:
    """Return a mark in the words of the plan's text."""
    kind = mark[0]
    tables = transaction.catalogue.tables
    if kind == "key":
        for table in tables:
            for index in table.indexes:
                if index.index_id == mark[1]:
                    return f"a key of {table.name}.{index.field_name}"
    if kind == "table":
        return "every document of " + next((table.name for table in tables if table.table_id == mark[1]), str(mark[1]))
    return "catalogue" if len(mark) == 1 else f"{kind} {mark[1]}"


def conflict_header(transaction: Transaction, writes: WriteLog) -> dict[str, str]:
    """Return why a commit was refused, for headers: what the transaction read, and the block that wrote it since.

    Empty if nothing is remembered, as for a conflict that a fault rule requested.
    """
    reads = sorted(transaction.reads, key=lambda mark: (_TELLING.index(mark[0]), repr(mark)))
    mark = writes.conflict(reads, transaction.snapshot)
    if mark is None:
        return {}
    # Names come from users, and this becomes a header, so escape them as JSON does.
    text = json.dumps(mark_text(mark, transaction))[1:-1]
    return {"conflict": text[:CONFLICT_CHARACTERS], "conflict-block": str(writes.last_write(mark))}
