"""The dot operator, on which every chain and tree of the journal is built."""

from __future__ import annotations

from hashlib import sha256

_FLIP_SIGN = bytes(byte ^ 0x80 for byte in range(256))  # signed order becomes unsigned order


def dot(a: bytes, b: bytes) -> bytes:
    """SHA-256 over two hashes, the smaller first; an empty side is neutral: the result is the other one.

    The order is that of signed bytes compared from the last to the first.  Commutative, not associative.
    Source: recorded, and the code of five drivers.
    """
    if not a:
        return b
    if not b:
        return a
    # Last bytes differ 255 times in 256; only else is the whole comparison worth building.
    if a[-1] != b[-1]:
        a_first = a[-1] ^ 0x80 < b[-1] ^ 0x80
    else:
        a_first = a[::-1].translate(_FLIP_SIGN) <= b[::-1].translate(_FLIP_SIGN)
    return sha256(a + b if a_first else b + a).digest()
