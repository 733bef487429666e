"""Converts results to bytes by the shapes: the counterpart of ``validate``.

A result that does not fit its shape is a bug of ours: it raises AssertionError, which the gateway answers with 500.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable
from typing import Any

from .model import Operation, Shape

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def encode_json(document: object) -> bytes:
    """Return compact JSON, all ASCII: every client decodes escapes, and no client can guess a wrong encoding."""
    return _ENCODER.encode(document).encode("ascii")


def serialize_result(operation: Operation, result: dict[str, Any]) -> bytes:
    """Return the body of a control plane answer.  An operation without an output shape has an empty one."""
    if operation.output is None:
        assert not result, f"{operation.name} returns nothing, but got {sorted(result)}"
        return b""
    return encode_json(write_value(operation.output, result, operation.name))


def write_value(shape: Shape, value: Any, path: str) -> object:
    """Return the JSON form of a Python value.  Members that are None are left out."""
    return _WRITERS[shape.type](shape, value, path)


def _write_structure(shape: Shape, value: Any, path: str) -> dict[str, object]:
    assert isinstance(value, dict), f"{path} must be a dict"
    unknown = value.keys() - shape.members.keys()
    assert not unknown, f"{path} has no member {sorted(unknown)}"
    written = {}
    for member in shape.members.values():
        part = value.get(member.name)
        if part is not None:
            written[member.wire_name] = write_value(member.shape, part, f"{path}.{member.name}")
        else:
            assert not member.required, f"{path}.{member.name} is required"
    return written


def _write_list(shape: Shape, value: Any, path: str) -> list[object]:
    assert shape.item is not None
    return [write_value(shape.item, element, path) for element in value]


def _write_map(shape: Shape, value: Any, path: str) -> dict[str, object]:
    assert shape.item is not None
    return {key: write_value(shape.item, element, path) for key, element in value.items()}


def _write_string(shape: Shape, value: Any, path: str) -> str:
    assert isinstance(value, str), f"{path} must be a str"
    return value


def _write_blob(shape: Shape, value: Any, path: str) -> str:
    assert isinstance(value, bytes), f"{path} must be bytes"
    return binascii.b2a_base64(value, newline=False).decode("ascii")


def _write_number(shape: Shape, value: Any, path: str) -> int:
    assert isinstance(value, int), f"{path} must be an int"
    return value


def _write_boolean(shape: Shape, value: Any, path: str) -> bool:
    assert isinstance(value, bool), f"{path} must be a bool"
    return value


def _write_timestamp(shape: Shape, value: Any, path: str) -> float:
    """Return milliseconds as epoch seconds with up to three decimals, ``1568839243.951`` (recorded: AWS CLI)."""
    assert isinstance(value, int), f"{path} must be milliseconds"
    return value / 1000


_WRITERS: dict[str, Callable[[Shape, Any, str], object]] = {
    "structure": _write_structure,
    "list": _write_list,
    "map": _write_map,
    "string": _write_string,
    "blob": _write_blob,
    "integer": _write_number,
    "long": _write_number,
    "boolean": _write_boolean,
    "timestamp": _write_timestamp,
}
