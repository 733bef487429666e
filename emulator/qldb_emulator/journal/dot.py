"""The dot operator: every chain and tree of the journal is built with it."""

from __future__ import annotations

from hashlib import sha256

_FLIP_SIGN = bytes(byte ^ 0x80 for byte in range(256))  # signed order becomes unsigned order


def dot(a: bytes, b: bytes) -> bytes:
    """Return SHA-256 over two hashes, the smaller first; if one side is empty, return the other.

    The order is that of signed bytes compared from the last to the first.  Commutative, not associative.
    Source: recorded, and the code of five drivers.
    """
    if not a:
        return b
    if not b:
        return a
    # The last bytes differ 255 times in 256; only otherwise compare all bytes.
    if a[-1] != b[-1]:
        a_first = a[-1] ^ 0x80 < b[-1] ^ 0x80
    else:
        a_first = a[::-1].translate(_FLIP_SIGN) <= b[::-1].translate(_FLIP_SIGN)
    return sha256(a + b if a_first else b + a).digest()
