"""Numbers: the operators + - * / %, the signs, and the tower they climb.

Ints have 64 bits: a result beyond them is an error.  Decimals are exact to 38 digits, half to even, which was the
library's math context.  An int with an int gives an int, a decimal on either side a decimal, everything else a float.
An unknown operand gives null.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from ...ion.numerals import EXACT
from ...ion.values import IonValue
from . import faults
from .kinds import bare
from .texts import ion_text

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
DECIMAL_DIGITS: Final = 38  # the library's math context: 38 digits, half even

ARITHMETIC: Final = decimal.Context(
    prec=DECIMAL_DIGITS,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=decimal.MIN_EMIN,
    Emax=decimal.MAX_EMAX,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)

_CUT: Final = decimal.Context(
    prec=DECIMAL_DIGITS, rounding=decimal.ROUND_DOWN, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX
)


def _number(value: IonValue, plain: IonValue) -> int | float | Decimal:
    """*plain*, which is *value* without its annotations, if it is a number."""
    if isinstance(plain, int | float | Decimal) and not isinstance(plain, bool):
        return plain
    raise faults.EXPECTED_NUMBER(value=ion_text(value))


def number_of(value: IonValue) -> int | float | Decimal:
    """The number that a value is.  Raises PartiqlError for other values than numbers."""
    return _number(value, bare(value))


def compare_numbers(left: int | float | Decimal, right: int | float | Decimal) -> int:
    """-1, 0 or 1, as MIN and MAX have it: in the type that ``+`` would have.  Of floats nan is the greatest.

    Raises PartiqlError for a decimal and a float that is not finite.
    """
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        left, right = decimal_of(left), decimal_of(right)
    elif isinstance(left, float) or isinstance(right, float):
        return _compare_floats(_float_of(left), _float_of(right))
    return (left > right) - (left < right)


def _compare_floats(left: float, right: float) -> int:
    one, other = (math.isnan(left), left, math.copysign(1, left)), (math.isnan(right), right, math.copysign(1, right))
    if one[0] or other[0]:
        return one[0] - other[0]
    return (one > other) - (one < other)


def decimal_of(value: int | float | Decimal) -> Decimal:
    """A number as a decimal of at most 38 digits (a decimal as it is).  Raises PartiqlError for nan and infinities."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise faults.NOT_A_DECIMAL()
    return _plain_zero(ARITHMETIC.create_decimal(value))


def _checked_int(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise faults.INT_OVERFLOW()


def _float_of(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise faults.INT_OVERFLOW() from error


def _plain_zero(value: Decimal) -> Decimal:
    """BigDecimal, which did the arithmetic of QLDB, has no negative zero."""
    return value if value else value.copy_abs()


_Ints = Callable[[int, int], int]
_Floats = Callable[[float, float], float]
_Decimals = Callable[[Decimal, Decimal], Decimal]


def _arithmetic(
    left: IonValue, right: IonValue, ints: _Ints, floats: _Floats, decimals: _Decimals, zero: faults.Fault | None = None
) -> int | float | Decimal | None:
    """The tower of numbers: int with int is an int, a decimal on a side makes a decimal, else a float."""
    one, other = bare(left), bare(right)
    if one is None or other is None:
        return None
    if zero is not None and not _number(right, other):
        raise zero()
    a, b = _number(left, one), _number(right, other)
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        try:
            return _plain_zero(decimals(decimal_of(a), decimal_of(b)))
        except decimal.DecimalException as error:
            raise faults.DECIMAL_OVERFLOW() from error
    if isinstance(a, int) and isinstance(b, int):
        return _checked_int(ints(a, b))
    return floats(_float_of(a), _float_of(b))


def _int_add(a: int, b: int) -> int:
    return a + b


def _int_subtract(a: int, b: int) -> int:
    return a - b


def _int_multiply(a: int, b: int) -> int:
    return a * b


def _int_divide(a: int, b: int) -> int:
    """Toward zero, as Java divides."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _int_remainder(a: int, b: int) -> int:
    """With the sign of the dividend, as Java has it."""
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def _float_add(a: float, b: float) -> float:
    return a + b


def _float_subtract(a: float, b: float) -> float:
    return a - b


def _float_multiply(a: float, b: float) -> float:
    return a * b


def _float_divide(a: float, b: float) -> float:
    return a / b


def _float_remainder(a: float, b: float) -> float:
    return math.fmod(a, b) if math.isfinite(a) else math.nan


def _decimal_remainder(a: Decimal, b: Decimal) -> Decimal:
    """Java's ``BigDecimal.remainder`` with 38 digits: the value is exact, the scale is that of Java's algorithm."""
    quotient = _integral_quotient(a, b)
    return EXACT.subtract(a, EXACT.multiply(quotient, b))


def _integral_quotient(a: Decimal, b: Decimal) -> Decimal:
    """Java's ``BigDecimal.divideToIntegralValue``: the integer part of a / b, with a scale near a's less b's."""
    preferred = _exponent(a) - _exponent(b)
    if not a or abs(a) < abs(b):
        return _power(0, preferred)
    digits = EXACT.divide_int(a, b) if a.adjusted() - b.adjusted() < DECIMAL_DIGITS else None
    if digits is None or digits.adjusted() >= DECIMAL_DIGITS:
        whole = _CUT.divide(a, b)
        if abs(EXACT.subtract(a, EXACT.multiply(whole, b))) >= abs(b):
            raise faults.MODULO_IMPOSSIBLE()
        return _stripped(whole, preferred)
    if preferred < 0:
        room = DECIMAL_DIGITS - len(digits.as_tuple().digits)
        return EXACT.quantize(digits, _power(1, -min(room, -preferred))) if room > 0 else digits
    return _stripped(digits, preferred)


def _stripped(value: Decimal, preferred: int) -> Decimal:
    """The value without zeros at its end, as far as its exponent is below the preferred one."""
    sign, digits, _ = value.as_tuple()
    exponent = _exponent(value)
    figures = list(digits)
    while exponent < preferred and len(figures) > 1 and figures[-1] == 0:
        figures.pop()
        exponent += 1
    return Decimal((sign, tuple(figures), exponent))


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def _power(digit: int, exponent: int) -> Decimal:
    return Decimal((0, (digit,), exponent))


def add(left: IonValue, right: IonValue) -> int | float | Decimal | None:
    """``left + right``.  Raises PartiqlError for other values than numbers and for an int beyond 64 bits."""
    if type(left) is int and type(right) is int:
        return _checked_int(left + right)
    return _arithmetic(left, right, _int_add, _float_add, ARITHMETIC.add)


def subtract(left: IonValue, right: IonValue) -> int | float | Decimal | None:
    """``left - right``.  Raises PartiqlError for other values than numbers and for an int beyond 64 bits."""
    if type(left) is int and type(right) is int:
        return _checked_int(left - right)
    return _arithmetic(left, right, _int_subtract, _float_subtract, ARITHMETIC.subtract)


def multiply(left: IonValue, right: IonValue) -> int | float | Decimal | None:
    """``left * right``.  Raises PartiqlError for other values than numbers and for an int beyond 64 bits."""
    if type(left) is int and type(right) is int:
        return _checked_int(left * right)
    return _arithmetic(left, right, _int_multiply, _float_multiply, ARITHMETIC.multiply)


def divide(left: IonValue, right: IonValue) -> int | float | Decimal | None:
    """``left / right``; of two ints the integer part.  Raises PartiqlError for a zero or other values than numbers."""
    return _arithmetic(left, right, _int_divide, _float_divide, ARITHMETIC.divide, faults.DIVIDE_BY_ZERO)


def remainder(left: IonValue, right: IonValue) -> int | float | Decimal | None:
    """``left % right``, with the sign of left.  Raises PartiqlError for a zero and for other values than numbers."""
    return _arithmetic(left, right, _int_remainder, _float_remainder, _decimal_remainder, faults.MODULO_BY_ZERO)


def negate(value: IonValue) -> int | float | Decimal | None:
    """``-value``; a decimal zero becomes a negative zero, whatever its sign was.  Raises PartiqlError for no number."""
    plain = bare(value)
    if plain is None:
        return None
    number = _number(value, plain)
    if isinstance(number, int):
        return _checked_int(-number)
    if isinstance(number, Decimal):
        return number.copy_abs().copy_negate() if not number else number.copy_negate()
    return -number


def plus(value: IonValue) -> IonValue:
    """``+value``: the value itself.  Raises PartiqlError for other values than numbers."""
    number = bare(value)
    if number is None:
        return None
    _number(value, number)
    return value
