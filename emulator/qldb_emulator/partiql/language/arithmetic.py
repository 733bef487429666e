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

from ...ion.values import IonValue
from . import faults
from .faults import shown
from .kinds import bare

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


def _number(value: IonValue) -> int | float | Decimal:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return value
    raise faults.EXPECTED_NUMBER(value=shown(value))


def decimal_of(value: int | float | Decimal) -> Decimal:
    """A number as a decimal of at most 38 digits (a decimal as it is).  Raises PartiqlError for nan and infinities."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise faults.NOT_A_DECIMAL()
    return ARITHMETIC.create_decimal(value)


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
    left, right = bare(left), bare(right)
    if left is None or right is None:
        return None
    if zero is not None and not _number(right):
        raise zero()
    a, b = _number(left), _number(right)
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
    try:
        return ARITHMETIC.remainder(a, b)
    except decimal.InvalidOperation as error:
        raise faults.MODULO_IMPOSSIBLE() from error


def add(left: IonValue, right: IonValue) -> int | float | Decimal | None:
    """``left + right``.  Raises PartiqlError for what is no number and for an int beyond 64 bits."""
    if type(left) is int and type(right) is int:
        return _checked_int(left + right)
    return _arithmetic(left, right, _int_add, _float_add, ARITHMETIC.add)


def subtract(left: IonValue, right: IonValue) -> int | float | Decimal | None:
    """``left - right``.  Raises PartiqlError for what is no number and for an int beyond 64 bits."""
    if type(left) is int and type(right) is int:
        return _checked_int(left - right)
    return _arithmetic(left, right, _int_subtract, _float_subtract, ARITHMETIC.subtract)


def multiply(left: IonValue, right: IonValue) -> int | float | Decimal | None:
    """``left * right``.  Raises PartiqlError for what is no number and for an int beyond 64 bits."""
    if type(left) is int and type(right) is int:
        return _checked_int(left * right)
    return _arithmetic(left, right, _int_multiply, _float_multiply, ARITHMETIC.multiply)


def divide(left: IonValue, right: IonValue) -> int | float | Decimal | None:
    """``left / right``; of two ints the integer part.  Raises PartiqlError for a zero and what is no number."""
    return _arithmetic(left, right, _int_divide, _float_divide, ARITHMETIC.divide, faults.DIVIDE_BY_ZERO)


def remainder(left: IonValue, right: IonValue) -> int | float | Decimal | None:
    """``left % right``, with the sign of left.  Raises PartiqlError for a zero and what is no number."""
    return _arithmetic(left, right, _int_remainder, _float_remainder, _decimal_remainder, faults.MODULO_BY_ZERO)


def negate(value: IonValue) -> int | float | Decimal | None:
    """``-value``; a decimal zero becomes a negative zero.  Raises PartiqlError for what is no number."""
    value = bare(value)
    if value is None:
        return None
    number = _number(value)
    if isinstance(number, int):
        return _checked_int(-number)
    return number.copy_negate() if isinstance(number, Decimal) else -number


def plus(value: IonValue) -> IonValue:
    """``+value``: the value itself.  Raises PartiqlError for what is no number."""
    number = bare(value)
    if number is None:
        return None
    _number(number)
    return value
