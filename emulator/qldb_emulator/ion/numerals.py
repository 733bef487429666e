"""Converts between integers, their decimal digits and :class:`~decimal.Decimal`, at any length.

Python refuses to convert more than 4300 digits at a time, and takes quadratic time between int and Decimal.  One
hostile document could keep the emulator busy for many seconds.  So longer numbers are halved until they are short.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal

EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, clamp=0, traps=[])
"""Never rounds.  Its flags mean nothing, so threads may share it."""

# A document has at most 128 KiB (documented: quotas), which an int of so many bytes, or decimal digits, fills.
# Converting takes more than linear time (0.1 s for the largest), so a larger number is refused when it is read.
MAX_NUMBER_BYTES = 131_072
MAX_DIGITS = 315_653
_SHORT_DIGITS = 4000
_SHORT_BITS = 13_000  # fewer than 4000 digits


def parse_int(digits: str) -> int:
    """Return the value of decimal digits, with an optional minus sign.  The caller has checked the form."""
    if len(digits) <= _SHORT_DIGITS:
        return int(digits)
    if digits[0] == "-":
        return -parse_int(digits[1:])
    half = len(digits) // 2
    power: int = 10**half
    return parse_int(digits[:-half]) * power + parse_int(digits[-half:])


def int_text(value: int) -> str:
    """Decimal digits, with a minus sign if negative."""
    return str(value) if value.bit_length() <= _SHORT_BITS else str(int_to_decimal(value))


def int_to_decimal(value: int) -> Decimal:
    """Return the decimal of exponent 0 with this value."""
    bits = value.bit_length()
    if bits <= _SHORT_BITS:
        return Decimal(value)
    if value < 0:
        return EXACT.minus(int_to_decimal(-value))
    half = bits // 2
    high, low = value >> half, value & ((1 << half) - 1)
    return EXACT.fma(int_to_decimal(high), EXACT.power(Decimal(2), half), int_to_decimal(low))


def decimal_to_int(value: Decimal) -> int:
    """Return the value of a decimal whose exponent is 0."""
    return int(value) if value.adjusted() < _SHORT_DIGITS else parse_int(str(value))
