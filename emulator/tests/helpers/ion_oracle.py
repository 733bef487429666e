"""The oracles for our Ion layer: amazon.ion, in the installed version, and ionhash.

ionhash 1.2.1 is made for amazon.ion up to 0.9.3.  On newer ones it still hashes right, once two names that it imports
and that have gone are put back.
"""

from __future__ import annotations

import enum
from typing import Any

import amazon.ion.simple_types
import amazon.ion.util
from amazon.ion import simpleion

if not hasattr(amazon.ion.simple_types, "_IonNature"):
    amazon.ion.simple_types._IonNature = type("_IonNature", (), {})
    amazon.ion.util.Enum = enum.IntEnum  # gone in 0.10, back since, with a warning at each use

from ionhash import fast_value_hasher, hasher

_SHA256 = hasher.hashlib_hash_function_provider("sha256")


def loads(data: bytes | str) -> Any:
    """Return one value as amazon.ion reads it."""
    return simpleion.loads(data)


def dumps(value: Any) -> bytes:
    """Binary as amazon.ion writes it."""
    return bytes(simpleion.dumps(value, binary=True))


def dumps_text(value: Any) -> str:
    """Return text as amazon.ion writes it."""
    return str(simpleion.dumps(value, binary=False))


def hash_value(value: Any) -> bytes:
    """Return the Ion Hash of a value that amazon.ion read."""
    return bytes(fast_value_hasher.hash_value(value, _SHA256))
