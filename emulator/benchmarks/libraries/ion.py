"""Ion compared with amazon.ion in its ordinary mode, and Ion Hash with ionhash, on one document."""

from __future__ import annotations

import enum

import amazon.ion.simple_types  # type: ignore[import-not-found, import-untyped, unused-ignore]
import amazon.ion.util  # type: ignore[import-not-found, import-untyped, unused-ignore]
from amazon.ion import simpleion  # type: ignore[import-not-found, import-untyped, unused-ignore]

from qldb_emulator.ion.codec import dumps, loads
from qldb_emulator.ion.hash import hash_value

from ..documents import registration
from .sides import Sides, often

# ionhash 1.2.1 is made for amazon.ion up to 0.9.3, and hashes right on newer ones once two names are put back.
amazon.ion.simple_types._IonNature = type("_IonNature", (), {})
amazon.ion.util.Enum = enum.IntEnum

from ionhash import fast_value_hasher, hasher  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: E402

_SHA256 = hasher.hashlib_hash_function_provider("sha256")


def document() -> bytes:
    """Return a registration as Ion binary with its own symbol table."""
    return dumps(registration(7))


def same(_: int) -> Sides:
    """Our reader against itself."""
    data = document()
    return often(lambda: loads(data)), often(lambda: loads(data))


def decode(_: int) -> Sides:
    """From Ion binary to a value."""
    data = document()
    assert simpleion.dumps(simpleion.loads(data), binary=False) == simpleion.dumps(
        simpleion.loads(dumps(loads(data))), binary=False
    )
    return often(lambda: loads(data)), often(lambda: simpleion.loads(data))


def hashing(_: int) -> Sides:
    """From a value, which is at hand on both sides, to its hash."""
    data = document()
    ours, theirs = loads(data), simpleion.loads(data)
    assert hash_value(ours) == bytes(fast_value_hasher.hash_value(theirs, _SHA256))
    return often(lambda: hash_value(ours)), often(lambda: fast_value_hasher.hash_value(theirs, _SHA256))
