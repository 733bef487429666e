"""Every way to alter an Ion value in one place, for the tests of verification."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from qldb_emulator.ion.values import Annotated, Clob, MultiStruct, Symbol, Timestamp, TypedNull

Altered = Iterator[tuple[str, Any]]


def alterations(value: Any, where: str = "block") -> Altered:
    """Every value that differs from this one in one place."""
    if isinstance(value, dict):
        yield from _of_struct(value, where)
    elif isinstance(value, list):
        yield from _of_list(value, where)
    else:
        yield from ((f"{where} {what}", altered) for what, altered in _of_scalar(value))
    yield f"{where} annotated", Annotated(["x"], value)
    yield f"{where} null", None if value is not None else TypedNull.of("int")


def _of_struct(struct: dict[str, Any], where: str) -> Altered:
    yield f"{where} with another field", {**struct, "another": 1}
    for name, value in struct.items():
        yield f"{where}.{name} dropped", {k: v for k, v in struct.items() if k != name}
        yield f"{where}.{name} renamed", {k + "x" if k == name else k: v for k, v in struct.items()}
        yield f"{where}.{name} doubled", MultiStruct([*struct.items(), (name, value)])
        for what, altered in alterations(value, f"{where}.{name}"):
            yield what, {k: altered if k == name else v for k, v in struct.items()}


def _of_list(items: list[Any], where: str) -> Altered:
    for position, item in enumerate(items):
        at = f"{where}[{position}]"
        yield f"{at} dropped", items[:position] + items[position + 1 :]
        yield f"{at} doubled", [*items[:position], item, *items[position:]]
        for other in range(position):
            if items[other] != item:
                swapped = list(items)
                swapped[other], swapped[position] = item, items[other]
                yield f"{at} exchanged with [{other}]", swapped
        for what, altered in alterations(item, at):
            yield what, [*items[:position], altered, *items[position + 1 :]]
    yield f"{where} with another item", [*items, 1]


def _of_scalar(value: Any) -> Altered:
    if isinstance(value, bytes):
        for position in {0, len(value) // 2, len(value) - 1} if value else set():
            yield f"bit of byte {position}", bytes(b ^ 1 if i == position else b for i, b in enumerate(value))
        yield "shorter", value[:-1] if value else b"\0"
        yield "of other bytes", b"\0" * 32
        yield "as clob", Clob(value)
    elif isinstance(value, Timestamp):
        yield "later", Timestamp.from_epoch_ms(value.epoch_ms() + 1)
        yield "finer", Timestamp.from_utc_seconds(value.utc_seconds(), value.fraction + "0", value.offset)
        yield "of unknown offset", Timestamp.from_utc_seconds(value.utc_seconds(), value.fraction, None)
        yield "as string", str(value)
    elif isinstance(value, str):
        yield "longer", value + "x"
        yield "shorter", value[:-1]
        yield "as symbol", Symbol(value)
    elif isinstance(value, int):
        yield "one more", value + 1
        yield "as decimal", Decimal(value)
        yield "as string", str(value)
    else:
        yield "as string", "x"
