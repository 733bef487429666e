"""The 22-character ids of QLDB, and all randomness.

An id is two 64-bit halves, each written as 11 base-62 digits (0-9 A-Z a-z).  The high half is one random byte
followed by seven bytes of ``unix seconds << 14 | 14 more bits``; the low half is random.  Source: 50 captured ids,
journal.md 7.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
from typing import Protocol

from .clock import Clock

ID_LENGTH = 22
_HALF_LENGTH = 11
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
_ID_PATTERN = re.compile(r"[0-9A-Za-z]{22}\Z")
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_SIX_DIGITS = 62**6
_TIME_BITS = 56
_SUBSECOND_BITS = 14
_FIRST_DIGIT_BELOW = 2**64 // 62 ** (_HALF_LENGTH - 1)
_DIGITS = bytes(ord(_ALPHABET[octet % 62]) for octet in range(256))
_FIRST_DIGITS = bytes(ord(_ALPHABET[octet % _FIRST_DIGIT_BELOW]) for octet in range(256))
SESSION_TOKEN_BYTES = 96  # the length of tokens in issue threads


def _encode_half(value: int) -> str:
    # Two digits at a time, and no loop: a transaction needs four ids, so this code must be fast.
    high, low = divmod(value, _SIX_DIGITS)
    pairs = _PAIRS
    return (
        f"{_ALPHABET[high // 14_776_336]}{pairs[high // 3844 % 3844]}{pairs[high % 3844]}"
        f"{pairs[low // 14_776_336]}{pairs[low // 3844 % 3844]}{pairs[low % 3844]}"
    )


def encode_id(high: int, low: int) -> str:
    """Return the id of two 64-bit halves.  Requires 0 <= half < 2**64."""
    return _encode_half(high) + _encode_half(low)


def decode_id(text: str) -> tuple[int, int]:
    """Return the two halves of an id.  Raises ValueError if the text is not an id."""
    if not _ID_PATTERN.match(text):
        raise ValueError(f"not an id: {text!r}")
    halves = []
    for part in (text[:_HALF_LENGTH], text[_HALF_LENGTH:]):
        value = 0
        for character in part:
            value = value * 62 + _VALUE[character]
        halves.append(value)
    return halves[0], halves[1]


def is_id(text: str) -> bool:
    """Whether a text has the form of an id (22 base-62 characters), by the service's own check."""
    return _ID_PATTERN.match(text) is not None


def derive_id(transaction_id: str, statement_index: int, kind: str) -> str:
    """Return the id of what a statement creates, from its place in the journal alone.

    A block carries no ids of tables and indexes, so they must follow from what it does carry.  The time part is the
    transaction's, as far as it has one: an imported journal may call its transactions anything.  Pure: the same
    arguments give the same id for ever.
    """
    digest = hashlib.sha256(f"{kind}:{transaction_id}:{statement_index}".encode()).digest()
    high = decode_id(transaction_id)[0] if is_id(transaction_id) else 0
    time_part = high & ((1 << _TIME_BITS) - 1)
    return encode_id(digest[0] << _TIME_BITS | time_part, int.from_bytes(digest[1:9], "big"))


class IdSource(Protocol):
    """Where new ids and tokens come from."""

    def new_id(self) -> str:
        """Return a fresh 22-character id."""
        ...

    def new_request_id(self) -> str:
        """Return a fresh id for a request; never part of a journal."""
        ...

    def new_token(self) -> str:
        """Return a fresh session token: base64 text."""
        ...


class RandomIds:
    """Ids from a clock and a random generator: the system's by default, seeded for a deterministic emulator."""

    def __init__(self, clock: Clock, seed: str | None = None) -> None:
        self._clock = clock
        self.reseed(seed)

    def reseed(self, seed: str | None) -> None:
        """Start again: with the same seed and clock, the same ids follow."""
        # Not for secrets: ids must differ, but may be guessable; a seeded run must repeat.
        self._random = random.Random(seed if seed is not None else os.urandom(32))
        # Health checks and retried requests come in any order; they must not change the ids in the journal.
        self._requests = random.Random(f"{seed}/requests" if seed is not None else os.urandom(32))

    def new_id(self) -> str:
        seconds, milliseconds = divmod(self._clock.now_ms(), 1000)
        bits = self._random.getrandbits(72)  # one call into C, so no other thread comes between
        time_part = (seconds << _SUBSECOND_BITS) | (milliseconds << _SUBSECOND_BITS) // 1000
        high = (bits >> 64) << _TIME_BITS | time_part
        return encode_id(high, bits & 0xFFFF_FFFF_FFFF_FFFF)

    def new_request_id(self) -> str:
        # All random digits at once, the first of each half below the limit of 64 bits: this is on every request's path.
        octets = self._requests.randbytes(ID_LENGTH)
        first, rest = octets[:2].translate(_FIRST_DIGITS).decode("ascii"), octets[2:].translate(_DIGITS).decode("ascii")
        return f"{first[0]}{rest[:10]}{first[1]}{rest[10:]}"

    def new_token(self) -> str:
        return base64.b64encode(self._random.randbytes(SESSION_TOKEN_BYTES)).decode("ascii")
