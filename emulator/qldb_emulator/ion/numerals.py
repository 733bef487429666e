"""Whole numbers to and from decimal digits, of any length.

Python refuses more than 4300 digits at a time (a guard against quadratic work); longer numerals are halved
until they fit.
"""

from __future__ import annotations

_CHUNK_DIGITS = 4000
_CHUNK_BITS = 13_000  # fewer than 4000 digits


def parse_int(digits: str) -> int:
    """The value of decimal digits, with an optional minus sign.  The caller has checked the form."""
    if len(digits) <= _CHUNK_DIGITS:
        return int(digits)
    if digits[0] == "-":
        return -parse_int(digits[1:])
    half = len(digits) // 2
    power: int = 10**half
    return parse_int(digits[:-half]) * power + parse_int(digits[-half:])


def int_text(value: int) -> str:
    """Decimal digits, with a minus sign if negative."""
    if value.bit_length() <= _CHUNK_BITS:
        return str(value)
    if value < 0:
        return "-" + int_text(-value)
    half = int(value.bit_length() * 0.150514)  # half of the digits: log10(2) / 2 each bit
    high, low = divmod(value, 10**half)
    return int_text(high) + int_text(low).zfill(half)
