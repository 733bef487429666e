"""What ``_verification`` says, compared with what the tables say themselves.

==============================  ====================================================================================
column                          compared with
==============================  ====================================================================================
strand_id                       the strand in each revision, and in the header that a block of ours hashes (in check)
first_block, last_block         the first and the last row of ``blocks``
digest                          the digest over the blocks, unless the journal was broken when the tables were made
verdict, source                 the same in ``report``
tables                          the types of all documents, and the names and columns that follow from these types
state                           its last block and its Merkle nodes
program, the rest of report     nothing: no table can confirm what the writer said of itself
==============================  ====================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..ion.codec import IonError, dumps_text, loads
from ..journal.merkle import Node
from ..records import dataclass
from ..verify.checks import show
from ..verify.verdict_ion import VerdictFormatError, verdict_from_ion, verdict_to_ion
from .fields import Types, joined_type
from .layout import TableLayout, layouts_to_plain, tables_text
from .rows import BlockRow

VERDICTS = ("whole", "incomplete", "broken")


@dataclass(frozen=True, slots=True)
class Found:
    """What the tables say.  first, last: rows of ``blocks``.  digest, nodes: over the blocks."""

    first: int | None
    last: BlockRow | None
    digest: bytes | None
    nodes: tuple[Node, ...]


Wrong = tuple[str, str, str]
"""Column of ``_verification``, what was expected, what was found."""


def wrong_claims(row: dict[str, Any], found: Found) -> Iterator[Wrong]:
    """What is wrong in ``_verification``, its column ``tables`` left out."""
    last = None if found.last is None else found.last.block
    for column, expected in (("first_block", found.first), ("last_block", last)):
        if row[column] != expected:
            yield column, _number(expected), _number(row[column])
    if row["verdict"] != "broken" and row["digest"] != found.digest:
        yield "digest", _hash(found.digest), _hash(row["digest"])
    yield from _report(row)
    problem = _problem_of_state(row["state"], found)
    if problem:
        yield "state", "the verdict on these blocks", problem


def _report(row: dict[str, Any]) -> Iterator[Wrong]:
    try:
        report = json.loads(row["report"])
        told = {name: report[name] for name in ("verdict", "source", "strand_id")}
    except (ValueError, KeyError, TypeError):
        yield "report", "a report", "something else"
        return
    for name, value in told.items():
        if row[name] != value:
            yield name, str(value), str(row[name])
    if row["verdict"] not in VERDICTS:
        yield "verdict", " or ".join(VERDICTS), str(row["verdict"])


def _problem_of_state(state: Any, found: Found) -> str:
    try:
        verdict = verdict_from_ion(loads(state))
    except (IonError, VerdictFormatError, TypeError, ValueError) as error:
        return str(error)
    if dumps_text(verdict_to_ion(verdict)) != state:
        return "another text of a verdict"
    last = None if verdict.last is None else (verdict.last.address.sequence_no, verdict.last.block_hash)
    if last != (None if found.last is None else (found.last.block, found.last.hash)):
        return "the verdict up to another block"
    if verdict.problem is None and verdict.nodes != found.nodes:
        return "Merkle nodes of other blocks"
    return ""


def wrong_tables(text: Any, layouts: list[TableLayout], about: dict[str, Any]) -> Iterator[Wrong]:
    """What is wrong in the column ``tables``.  layouts, about: as read from it."""
    expected = tables_text(layouts, about["flatten"], about["only"])
    if text != expected:
        plain = {each["history"]: each for each in layouts_to_plain(layouts)}
        names = [str(each.get("history")) for each in about["tables"] if plain.get(each.get("history")) != each]
        yield "tables", "names and columns as they follow from the types", ", ".join(names) or "another text"


def wrong_types(layout: TableLayout, seen: Types, is_redacted: bool) -> Iterator[Wrong]:
    """Fields whose type in the column ``tables`` is not that of the documents.

    seen: the types of the documents that are there.  is_redacted: whether there were others, with fields and types that
    no document has any more.
    """
    for path in dict.fromkeys((*layout.types, *seen)):
        stored, found = layout.types.get(path), seen.get(path)
        if stored == found:
            continue
        if is_redacted and stored is not None and (found is None or joined_type(stored, found) == stored):
            continue
        expected, shown = ("no such field" if each is None else each.kind for each in (found, stored))
        yield "tables", f"{expected} for the field {path} of {layout.name}", shown


def _number(value: Any) -> str:
    return "none" if value is None else str(value)


def _hash(value: Any) -> str:
    return "none" if value is None else show(value)
