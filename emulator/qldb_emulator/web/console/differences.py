"""What changed between two versions of a document, field by field.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ...ion.codec import dumps_text
from ...ion.values import IonValue, struct_items
from ...records import dataclass

SHOWN_CHARACTERS = 400
"""Of a value in a difference (ours); the document itself has all of it."""

MAX_CHANGES = 500
"""Differences of one pair of versions that are listed (ours)."""

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.  path: ``Owners.SecondaryOwners[0].PersonId``.  before, after: Ion text, empty where absent."""

    kind: Kind
    path: str
    before: str
    after: str


_ABSENT = object()


def differences(before: IonValue, after: IonValue, is_first: bool = False) -> list[Change]:
    """The differences in the order of the fields.  is_first: there is nothing before; every field is added."""
    found = []
    for change in _walk("", _ABSENT if is_first else before, after):
        found.append(change)
        if len(found) == MAX_CHANGES:
            break
    return found


def _walk(path: str, before: object, after: object) -> Iterator[Change]:
    if isinstance(after, dict) and (isinstance(before, dict) or (before is _ABSENT and not path)):
        yield from _structs(path, {} if before is _ABSENT else before, after)  # type: ignore[arg-type]
    elif isinstance(before, list) and isinstance(after, list) and type(before) is type(after):
        for position in range(max(len(before), len(after))):
            old = before[position] if position < len(before) else _ABSENT
            new = after[position] if position < len(after) else _ABSENT
            yield from _walk(f"{path}[{position}]", old, new)
    elif before is _ABSENT:
        yield Change("added", path, "", _text(after))
    elif after is _ABSENT:
        yield Change("removed", path, _text(before), "")
    elif dumps_text(before) != dumps_text(after):
        yield Change("changed", path, _text(before), _text(after))


def _structs(path: str, before: dict[str, IonValue], after: dict[str, IonValue]) -> Iterator[Change]:
    old, new = dict(struct_items(before)), dict(struct_items(after))
    for name in dict.fromkeys((*old, *new)):
        yield from _walk(f"{path}.{name}" if path else str(name), old.get(name, _ABSENT), new.get(name, _ABSENT))


def _text(value: IonValue) -> str:
    return shortened(dumps_text(value))


def shortened(text: str, characters: int = SHOWN_CHARACTERS) -> str:
    """A text that is cut where it is too long to be shown, and says so."""
    return text if len(text) <= characters else f"{text[:characters]}…"
