"""Questions about expressions that can be answered without names: what they contain, what values they can have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache

from ...ion.values import Annotated, IonValue, struct_items
from ..language.values import MISSING, Bag
from ..syntax import ast
from .plan import OuterSlot, Slot


@cache
def _field_names(node_type: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(node_type) if f.name != "pos")


def walk(node: object, stop_at: type | tuple[type, ...] = ()) -> Iterator[object]:
    """A node and every node inside it, in any order, but none inside nodes of the types *stop_at*."""
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            stack.extend(node)
        elif is_dataclass(node) and not isinstance(node, type):
            yield node
            if not isinstance(node, stop_at):
                stack.extend([getattr(node, name) for name in _field_names(type(node))])


def slots_used(node: object) -> set[int]:
    """The slots an expression reads, nested queries included."""
    return {part.number for part in walk(node) if isinstance(part, Slot)}


def fields_used(node: object, slot: int) -> set[str] | None:
    """The fields of the value in a slot that an expression reads, in lower case; None if it may read any."""
    found: set[str] = set()
    unknown = 0
    for part in walk(node):
        if isinstance(part, Slot) and part.number == slot:
            unknown += 1
        elif isinstance(part, ast.Path) and isinstance(part.root, Slot) and part.root.number == slot:
            step = part.steps[0]
            if isinstance(step, ast.FieldStep):
                found.add(step.name.lower())
                unknown -= 1  # for the root, which is walked, too
    return None if unknown else found


def has_aggregate(node: object) -> bool:
    """Whether an expression contains an aggregate function, not counting nested SELECTs."""
    return any(isinstance(part, ast.Aggregate) for part in walk(node, stop_at=ast.Select))


def conjuncts(condition: ast.Expr | None) -> tuple[ast.Expr, ...]:
    """The terms of a condition that must all be true, in order."""
    if condition is None:
        return ()
    if isinstance(condition, ast.Chain) and condition.operator == "AND":
        return tuple(term for operand in condition.operands for term in conjuncts(operand))
    return (condition,)


def holds_bag_or_missing(value: IonValue) -> bool:
    """Whether a value is or contains something that Ion does not have."""
    if type(value) is Annotated:
        value = value.value
    if value is MISSING or type(value) is Bag:
        return True
    if isinstance(value, dict):
        return any(holds_bag_or_missing(part) for _, part in struct_items(value))
    if isinstance(value, list):
        return any(holds_bag_or_missing(part) for part in value)
    return False


_PLAIN_RESULTS = (
    ast.Parameter,
    ast.Unary,
    ast.Binary,
    ast.Chain,
    ast.Between,
    ast.In,
    ast.Like,
    ast.Is,
    ast.DateCall,
    ast.Trim,
    ast.Aggregate,
)


def is_plain(node: ast.Expr) -> bool:
    """Whether an expression can only be an Ion value or MISSING, and never contains a bag."""
    if isinstance(node, _PLAIN_RESULTS):
        return True
    if isinstance(node, Slot):
        return node.is_plain
    if isinstance(node, OuterSlot):
        return node.outer.is_plain and all(slot.is_plain for slot in node.between)
    if isinstance(node, ast.Literal):
        return node.value is MISSING or not holds_bag_or_missing(node.value)
    if isinstance(node, ast.Path):
        return is_plain(node.root) and all(isinstance(step, ast.FieldStep | ast.IndexStep) for step in node.steps)
    if isinstance(node, ast.Call):
        return all(is_plain(argument) for argument in node.arguments)
    if isinstance(node, ast.Cast):
        return node.type.name != "bag" and is_plain(node.value)
    if isinstance(node, ast.StructConstructor):
        return all(is_plain(value) for _, value in node.fields)  # MISSING fields are left out
    return False
