"""Checks request values against their shapes and converts them to Python values, for both services.

A value that breaks a constraint raises :class:`Refused`; the caller turns it into the error of its service.
botocore checks almost none of this (wire.md 1.1): neither patterns, maxima and enums nor the sizes of maps.

The texts are ours.  Of the service's only the beginning is known: ``The parameter <name> is`` is recorded
(driver-nodejs #51).
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any

from .model import Shape

# Year 1 to year 9999: the range of an Ion timestamp.
MIN_TIMESTAMP_MS = -62_135_596_800_000
MAX_TIMESTAMP_MS = 253_402_300_799_999
_QUOTED_CHARACTERS = 64

CONSTRAINTS = {
    "required": "is required",
    "type": "is not valid: it must be {wanted}, but is {found}",
    "unicode": "is not valid: it holds half of a surrogate pair, which is no Unicode text",
    "base64": "is not valid: it must be base64",
    "too small": "is not valid: it has {size} {unit}; the minimum is {limit}",
    "too large": "is not valid: it has {size} {unit}; the maximum is {limit}",
    "too low": "is not valid: {size} is less than the minimum of {limit}",
    "too high": "is not valid: {size} is more than the maximum of {limit}",
    "pattern": "is not valid: {value} does not match {pattern}",
    "enum": "is not valid: {value} is not one of {choices}",
    "timestamp": "is not valid: it is no time between the years 1 and 9999",
}


class Refused(Exception):
    """A value broke a constraint.

    path: member names and 1-based list positions with dots between.  constraint: a key of CONSTRAINTS.
    limit, size: the numbers of a size or range constraint.  ``str()`` is the sentence for the client.
    """

    def __init__(self, path: str, constraint: str, **values: object) -> None:
        self.path = path
        self.constraint = constraint
        self.limit = values.get("limit")
        self.size = values.get("size")
        super().__init__(f"The parameter {path} {CONSTRAINTS[constraint].format(**values)}")


def read_value(shape: Shape, wire: object, path: str) -> Any:
    """Return the Python value of a wire value (JSON, or text from the URI), checked.  Never called with None.

    Raises Refused at the first broken constraint, members in the order of the model.  Unknown members are ignored,
    as AWS services do.
    """
    return _READERS[shape.type](shape, wire, path)


def _read_structure(shape: Shape, wire: object, path: str) -> dict[str, Any]:
    if not isinstance(wire, dict):
        raise _wrong_type("an object", wire, path)
    values = {}
    for member in shape.members.values():
        member_path = f"{path}.{member.name}" if path else member.name
        value = wire.get(member.name)
        if value is not None:
            values[member.name] = read_value(member.shape, value, member_path)
        elif member.required:
            raise Refused(member_path, "required")
    return values


def _read_list(shape: Shape, wire: object, path: str) -> list[Any]:
    assert shape.item is not None
    if not isinstance(wire, list):
        raise _wrong_type("a list", wire, path)
    _check_size(shape, len(wire), "elements", path)
    values = []
    for number, element in enumerate(wire, 1):
        if element is None:
            raise Refused(f"{path}.{number}", "required")
        values.append(read_value(shape.item, element, f"{path}.{number}"))
    return values


def _read_map(shape: Shape, wire: object, path: str) -> dict[str, Any]:
    assert shape.item is not None
    assert shape.key is not None
    if not isinstance(wire, dict):
        raise _wrong_type("an object", wire, path)
    _check_size(shape, len(wire), "entries", path)
    values = {}
    for key, value in wire.items():
        name = read_value(shape.key, key, f"{path}.key")
        # A tag without a value has an empty value (documented: tagging).
        values[name] = read_value(shape.item, "" if value is None else value, f"{path}.value")
    return values


def _read_string(shape: Shape, wire: object, path: str) -> str:
    if not isinstance(wire, str):
        raise _wrong_type("a string", wire, path)
    if not wire.isascii() and not is_unicode(wire):
        raise Refused(path, "unicode")
    if shape.enum and wire not in shape.enum:
        raise Refused(path, "enum", value=_quoted(wire), choices=", ".join(shape.enum))
    _check_size(shape, len(wire), "characters", path)
    if shape.pattern is not None and shape.pattern.fullmatch(wire) is None:
        raise Refused(path, "pattern", value=_quoted(wire), pattern=shape.pattern.pattern)
    return wire


def _read_blob(shape: Shape, wire: object, path: str) -> bytes:
    if not isinstance(wire, str):
        raise _wrong_type("a base64 string", wire, path)
    try:
        data = binascii.a2b_base64(wire, strict_mode=True)
    except ValueError as error:  # binascii.Error is one; a non-ASCII string raises a plain one
        raise Refused(path, "base64") from error
    _check_size(shape, len(data), "bytes", path)
    return data


def _read_number(shape: Shape, wire: object, path: str) -> int:
    if not isinstance(wire, int) or isinstance(wire, bool):
        raise _wrong_type("a whole number", wire, path)
    if shape.minimum is not None and wire < shape.minimum:
        raise Refused(path, "too low", size=wire, limit=shape.minimum)
    if shape.maximum is not None and wire > shape.maximum:
        raise Refused(path, "too high", size=wire, limit=shape.maximum)
    return wire


def _read_boolean(shape: Shape, wire: object, path: str) -> bool:
    if not isinstance(wire, bool):
        raise _wrong_type("true or false", wire, path)
    return wire


def _read_timestamp(shape: Shape, wire: object, path: str) -> int:
    """Return epoch seconds as a time.  botocore sends whole seconds, JavaScript and Java milliseconds, Go a float."""
    if not isinstance(wire, int | float) or isinstance(wire, bool):
        raise _wrong_type("a number of seconds since 1970", wire, path)
    if not MIN_TIMESTAMP_MS <= wire * 1000 <= MAX_TIMESTAMP_MS:
        raise Refused(path, "timestamp")
    return round(wire * 1000)


_READERS: dict[str, Callable[[Shape, object, str], Any]] = {
    "structure": _read_structure,
    "list": _read_list,
    "map": _read_map,
    "string": _read_string,
    "blob": _read_blob,
    "integer": _read_number,
    "long": _read_number,
    "boolean": _read_boolean,
    "timestamp": _read_timestamp,
}


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded: JSON escapes can spell half a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _check_size(shape: Shape, size: int, unit: str, path: str) -> None:
    if shape.minimum is not None and size < shape.minimum:
        raise Refused(path, "too small", size=size, unit=unit, limit=shape.minimum)
    if shape.maximum is not None and size > shape.maximum:
        raise Refused(path, "too large", size=size, unit=unit, limit=shape.maximum)


def _wrong_type(wanted: str, wire: object, path: str) -> Refused:
    kinds: list[tuple[type, str]] = [
        (bool, "a boolean"),
        (str, "a string"),
        (int, "a number"),
        (float, "a number"),
        (list, "a list"),
    ]
    found = next((name for kind, name in kinds if isinstance(wire, kind)), "an object")
    return Refused(path, "type", wanted=wanted, found=found)


def _quoted(text: str) -> str:
    return repr(text) if len(text) <= _QUOTED_CHARACTERS else repr(text[:_QUOTED_CHARACTERS]) + "..."
