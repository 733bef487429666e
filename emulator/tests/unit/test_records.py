"""The fast dataclass decorator makes the same classes as the standard one."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from qldb_emulator.records import dataclass as quick
from qldb_emulator.records import maker, replace

REAL: Any = dataclasses.dataclass


def classes(make: Any) -> tuple[Any, Any, Any]:
    @make(frozen=True, slots=True)
    class Node:
        pos: int = dataclasses.field(default=1, compare=False, repr=False, kw_only=True)

    @make(frozen=True, slots=True)
    class Leaf(Node):
        """A node."""

        value: Any
        names: list[str] = dataclasses.field(default_factory=list)

    @make(slots=True)
    class Count:
        number: int
        seen: bool = dataclasses.field(init=False)

        def __post_init__(self) -> None:
            self.seen = False

    return Node, Leaf, Count


MADE = {"ours": classes(quick), "real": classes(REAL)}
each = pytest.mark.parametrize(("node", "leaf", "count"), MADE.values(), ids=MADE)


@each
def test_a_frozen_class(node: Any, leaf: Any, count: Any) -> None:
    value = leaf(7, ["a"], pos=3)
    assert (value.value, value.names, value.pos, node().pos) == (7, ["a"], 3, 1)
    assert leaf(7).names == []
    assert leaf(7).names is not leaf(7).names
    assert value == leaf(7, ["a"])
    assert value != leaf(8, ["a"])
    assert value != node()
    assert value != 7
    assert repr(value).endswith("Leaf(value=7, names=['a'])")
    assert hash(leaf(7, ())) == hash(leaf(7, ()))
    assert dataclasses.replace(value, value=8) == leaf(8, ["a"])
    assert [field.name for field in dataclasses.fields(leaf)] == ["pos", "value", "names"]
    assert copy.deepcopy(value) == value
    assert not hasattr(value, "__dict__")
    assert leaf.__doc__ == "A node."
    match value:
        case leaf(7, names):
            assert names == ["a"]
        case _:
            pytest.fail("positional patterns")
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.value = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        del value.value
    with pytest.raises(TypeError):
        leaf()


@each
def test_a_class_that_may_change(node: Any, leaf: Any, count: Any) -> None:
    value = count(1)
    value.number += 1
    assert value == (same := count(2))
    assert repr(same).endswith("Count(number=2, seen=False)")
    with pytest.raises(TypeError):
        hash(value)


@quick(frozen=True, slots=True)
class Sent:
    """At the top of a module, as pickle wants it."""

    number: int


def test_a_frozen_class_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Sent(3))) == Sent(3)


def test_a_maker_makes_what_the_call_of_the_class_makes() -> None:
    node, leaf, _ = MADE["ours"]
    make = maker(leaf)
    value = make(7, ["a"], pos=3)
    assert type(value) is leaf
    assert (value.value, value.names, value.pos) == (7, ["a"], 3)
    assert make(7, ["a"]) == leaf(7, ["a"])
    assert make(7).names is not make(7).names
    assert maker(node)().pos == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.value = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        del value.value
    with pytest.raises(TypeError):
        make()


def test_replace_gives_what_that_of_dataclasses_gives() -> None:
    _, leaf, count = MADE["ours"]
    value = leaf(7, ["a"], pos=3)
    for changes in ({}, {"value": 8}, {"names": [], "pos": 4}, {"value": None, "names": ["b"], "pos": 0}):
        changed = replace(value, **changes)
        expected = dataclasses.replace(value, **changes)
        assert (type(changed), changed) == (leaf, expected)
        assert changed.pos == expected.pos
        with pytest.raises(dataclasses.FrozenInstanceError):
            changed.value = 1
    assert (value, value.pos) == (leaf(7, ["a"]), 3)
    with pytest.raises(AttributeError):
        replace(value, colour="red")
    with pytest.raises(AssertionError, match="has to be called"):
        replace(count(1))


def test_what_a_maker_makes_can_be_copied_and_pickled() -> None:
    value = maker(Sent)(3)
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == dataclasses.replace(Sent(4), number=3)
