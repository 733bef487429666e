"""A segment's verdict as Ion and back, for a checkpoint file: only plain values, so that reading one runs no code."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..ion.values import IonValue
from ..journal.model import BlockAddress
from .checks import Counts, Finding
from .verdict import BlockEdge, FilePiece, Findings, Problem, SegmentVerdict

VERSION = 1


class VerdictFormatError(ValueError):
    """A value is not the verdict of a segment, or one of another version."""


def verdict_to_ion(verdict: SegmentVerdict) -> IonValue:
    """An Ion struct with everything a verdict says."""
    return {"version": VERSION, **_plain(verdict)}


def verdict_from_ion(value: IonValue) -> SegmentVerdict:
    """The verdict of such a struct.  Raises VerdictFormatError."""
    try:
        struct = dict(value)
        if struct.pop("version") != VERSION:
            raise VerdictFormatError("the verdict of a segment is of another version of this program")
        tips = {number: _nodes(nodes) for number, nodes in struct["tips"]}
        struct["start"], struct["stop"] = tuple(struct["start"]), tuple(struct["stop"])
        struct["first"], struct["last"] = _edge(struct["first"]), _edge(struct["last"])
        struct["counts"] = Counts(**struct["counts"])
        for name in ("findings", "if_service", "if_own"):
            struct[name] = _findings(struct[name])
        struct["span"] = None if struct["span"] is None else tuple(struct["span"])
        struct["nodes"], struct["tips"] = _nodes(struct["nodes"]), tips
        problem = struct["problem"]
        struct["problem"] = None if problem is None else Problem(tuple(problem["position"]), problem["text"])
        struct["forms"] = tuple(struct["forms"])
        struct["files"] = tuple(_file(each) for each in struct["files"])
        return SegmentVerdict(**struct)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, VerdictFormatError):
            raise
        raise VerdictFormatError(f"not the verdict of a segment: {error}") from error


def _plain(value: Any) -> IonValue:
    """Records as structs, tuples as lists, the table of tips as pairs."""
    if hasattr(value, "__dataclass_fields__"):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, dict):
        return [[key, _plain(each)] for key, each in value.items()]
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _nodes(nodes: IonValue) -> tuple[Any, ...]:
    return tuple(tuple(node) for node in nodes)


def _address(value: IonValue) -> BlockAddress | None:
    return None if value is None else BlockAddress(**value)


def _edge(value: IonValue) -> BlockEdge | None:
    if value is None:
        return None
    return BlockEdge(**{**value, "position": tuple(value["position"]), "address": BlockAddress(**value["address"])})


def _file(value: IonValue) -> FilePiece:
    return FilePiece(**{**value, "first_block": _edge(value["first_block"]), "last_block": _edge(value["last_block"])})


def _findings(value: IonValue) -> Findings:
    kept = [(tuple(position), Finding(**{**f, "address": _address(f["address"])})) for position, f in value["kept"]]
    return Findings(value["total"], kept)
