"""The differences between two states of a ledger: documents added, changed, removed; tables too.

Both states are positions in journals.  Blocks are chained, so one equal block means that all before it are equal; only
documents in later blocks are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ...errors import ADMIN_REQUEST
from ...ion.codec import dumps_text, loads
from ...records import dataclass
from ...storage.ledger_file import LedgerFile
from ...storage.rows import RevisionRow
from ..control.lookup import any_ledger
from .snapshots import opened_snapshot

if TYPE_CHECKING:
    from ..parts import Parts

Members = dict[str, Any]
Change = tuple[str, RevisionRow | None, RevisionRow | None]
"""A document's id, and its revisions in two states; None where it does not exist or is deleted."""

NOW = "now"
WINDOW_BLOCKS = 100
"""Blocks whose revisions are read at a time (ours)."""


@dataclass(frozen=True, slots=True)
class State:
    """A ledger's file at a block."""

    file: LedgerFile
    sequence_no: int

    def table_names(self) -> dict[int, tuple[str, str]]:
        """Return (table id, name) of the tables that are not dropped, by their number."""
        rows = self.file.catalogue_rows(self.sequence_no)
        return {row.number: (row.table_id, row.name) for row in rows if row.status == "ACTIVE"}

    def document(self, document_id: str) -> RevisionRow | None:
        """Return a document's revision; None if it does not exist or is deleted."""
        info = self.file.document_info(document_id)
        return None if info is None else _living(self.file.revision_at(info.doc_no, self.sequence_no))

    def changed_after(self, sequence_no: int) -> Iterator[Change]:
        """Yield each document that blocks after one wrote, once, in the order of these blocks.

        A document is known as met before by its revision before this one, so nothing is held for each document.
        """
        for first in range(sequence_no, self.sequence_no, WINDOW_BLOCKS):
            last = min(first + WINDOW_BLOCKS, self.sequence_no)
            for row in self.file.revisions_of_blocks(first, last):
                earlier = None if row.version == 0 else self.file.revision_at(row.doc_no, row.seq - 1)
                if earlier is None or earlier.seq <= sequence_no:
                    now = self.file.revision_at(row.doc_no, self.sequence_no)
                    yield row.document_id, _living(earlier), _living(now)


def _living(row: RevisionRow | None) -> RevisionRow | None:
    """Return a revision; None for a deletion."""
    return None if row is None or (row.data is None and row.data_hash is None) else row


def diff_ledger(parts: Parts, region: str, ledger: str, before: str, after: str, max_documents: int) -> Members:
    """Compare two states of a ledger, each ``now``, a block's sequence number, or a snapshot's name.

    At most max_documents are listed; ``changes`` counts all.  Raises ADMIN_REQUEST, ADMIN_NOT_FOUND, LEDGER_NOT_FOUND.
    """
    with ExitStack() as stack:
        old = _state(parts, stack, region, ledger, before)
        new = _state(parts, stack, region, ledger, after)
        return compare(old, new, max_documents)


def _state(parts: Parts, stack: ExitStack, region: str, ledger: str, text: str) -> State:
    if text == NOW or text.isdecimal():
        live = any_ledger(parts, ledger, region)
        tip = live.tip().sequence_no
        sequence_no = tip if text == NOW else int(text)
        if sequence_no > tip:
            raise ADMIN_REQUEST(text=f"The ledger {ledger} has no block {sequence_no}: its last is {tip}")
        return State(live.file, sequence_no)
    file = stack.enter_context(opened_snapshot(parts, region, ledger, text))
    newest = file.tip()
    return State(file, newest.sequence_no if newest is not None else -1)


def compare(before: State, after: State, max_documents: int) -> Members:
    """Return the differences, as members for JSON; documents are Ion text."""
    common = common_block(before, after)
    names = {**before.table_names(), **after.table_names()}
    counts = {"added": 0, "changed": 0, "removed": 0}
    documents: list[Members] = []
    for document_id, old, new in _differences(before, after, common):
        kind = _kind(old, new)
        if kind is None:
            continue
        counts[kind] += 1
        if len(documents) < max_documents:
            # From each state's own file: a snapshot has data that was redacted in the ledger since.
            rows = before.document(document_id), after.document(document_id)
            documents.append(_described(kind, names, document_id, *rows))
    return {
        "from": {"blocks": before.sequence_no + 1},
        "to": {"blocks": after.sequence_no + 1},
        "commonBlocks": common + 1,
        "changes": counts,
        "tables": _table_changes(before, after),
        "documents": documents,
    }


def common_block(before: State, after: State) -> int:
    """Return the last block that both journals have; -1 if they have no block in common."""
    low, high = -1, min(before.sequence_no, after.sequence_no)
    while low < high:
        middle = (low + high + 1) // 2
        leaf = (0, middle)
        mine, others = before.file.merkle_nodes([leaf]), after.file.merkle_nodes([leaf])
        if mine == others and mine:
            low = middle
        else:
            high = middle - 1
    return low


def _differences(before: State, after: State, common: int) -> Iterator[Change]:
    """Yield the documents that were written after the common block, with their revisions before and after.

    What the shorter of both journals wrote is held in memory; in most cases that is nothing.
    """
    is_before_shorter = before.sequence_no <= after.sequence_no
    shorter, longer = (before, after) if is_before_shorter else (after, before)
    own = {document_id: (then, now) for document_id, then, now in shorter.changed_after(common)}
    for document_id, then, now in longer.changed_after(common):
        _, other = own.pop(document_id, (None, then))
        yield (document_id, other, now) if is_before_shorter else (document_id, now, other)
    for document_id, (then, now) in own.items():
        yield (document_id, now, then) if is_before_shorter else (document_id, then, now)


def _kind(before: RevisionRow | None, after: RevisionRow | None) -> str | None:
    """Return what happened to a document; None for nothing, also if it was added and removed in between."""
    if before is not None and after is not None:
        return None if before.hash == after.hash else "changed"
    return "added" if after is not None else "removed" if before is not None else None


def _described(
    kind: str,
    names: dict[int, tuple[str, str]],
    document_id: str,
    before: RevisionRow | None,
    after: RevisionRow | None,
) -> Members:
    row = after or before
    assert row is not None
    change: Members = {"change": kind, "table": names.get(row.table_no, ("", ""))[1], "documentId": document_id}
    if before is not None:
        change["before"] = _shown(before)
    if after is not None:
        change["after"] = _shown(after)
    return change


def _shown(row: RevisionRow) -> Members:
    shown: Members = {"version": row.version, "sequenceNo": row.seq}
    if row.data is not None:
        shown["data"] = dumps_text(loads(row.data))
    else:
        shown["redacted"] = True
    return shown


def _table_changes(before: State, after: State) -> Members:
    old, new = dict(before.table_names().values()), dict(after.table_names().values())
    return {
        "added": [name for table_id, name in new.items() if table_id not in old],
        "removed": [name for table_id, name in old.items() if table_id not in new],
    }
