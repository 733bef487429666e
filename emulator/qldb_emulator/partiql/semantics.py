"""What the operators do to values that are already there.

Values are Ion values (``ion.values``), :data:`MISSING` and :class:`Bag`.  An *unknown* is MISSING or a null of any
type, annotated or not.  A truth value is ``True``, ``False`` or ``None`` (unknown, PartiQL's null).

==============================================  ==================================================================
logic                                           truth, is_true, and_, or_, not_
comparison -> True, False, None                 equal, not_equal, less, less_equal, greater, greater_equal, between, in_
text                                            like, like_escape -> True, False, None; concat
arithmetic                                      add, subtract, multiply, divide, remainder, negate, plus
kind of value                                   is_unknown, is_type (IS), type_name
path steps                                      field (quoted), field_any_case (bare), index, elements, fields
                                                and field_getter(name, is_quoted): a step as a function of one argument
tables by operator                              BINARY["="] ... BINARY["%"], UNARY["-"]
==============================================  ==================================================================

The mode is the library's "legacy" mode, which QLDB's pages describe: an operator with a MISSING operand gives null, a
type mistake is an error, a missing field is MISSING.  Deviations, all on the side of clients (partiql.md 9 Q11):
ordering across classes is unknown instead of an error.

Annotations of operands play no part; a value that is only passed through keeps its own.
Every error is a ``PartiqlError`` of category "Evaluator" from the table in ``faults``, without a position.
"""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Final

from ..ion.compare import NotComparable, compare, kind, partiql_equal
from ..ion.values import STRUCT_TYPES, Annotated, IonValue, Sexp, TypedNull, struct_items
from . import faults
from .faults import shown, type_name
from .values import MISSING, Bag

Truth = bool | None

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

# --- Kinds of values -----------------------------------------------------------------------------------------


def is_unknown(value: IonValue) -> bool:
    """Whether a value is MISSING or a null of any type."""
    return value is None or _bare(value) is None


def _bare(value: IonValue) -> IonValue:
    """The value without its annotations; ``None`` for every unknown."""
    if type(value) is Annotated:
        value = value.value
    return None if value is MISSING or type(value) is TypedNull else value


_TYPE_OF_NAME: Final[dict[str, str]] = {
    # name in the text -> type of the library; the SQL names stand for Ion types (ql-reference.docs)
    "missing": "MISSING",
    "null": "NULL",
    "bool": "BOOL",
    "boolean": "BOOL",
    "int": "INT",
    "integer": "INT",
    "smallint": "INT",
    "float": "FLOAT",
    "real": "FLOAT",
    "double_precision": "FLOAT",
    "double precision": "FLOAT",
    "decimal": "DECIMAL",
    "dec": "DECIMAL",
    "numeric": "DECIMAL",
    "timestamp": "TIMESTAMP",
    "symbol": "SYMBOL",
    "string": "STRING",
    "char": "STRING",
    "character": "STRING",
    "varchar": "STRING",
    "character_varying": "STRING",
    "character varying": "STRING",
    "list": "LIST",
    "struct": "STRUCT",
    "tuple": "STRUCT",
    "bag": "BAG",
    "sexp": "SEXP",
    "blob": "BLOB",
    "clob": "CLOB",
}

TYPE_NAMES: Final = frozenset(_TYPE_OF_NAME)


def type_of_name(name: str) -> str:
    """The library's type for a type name of the text ("integer" -> "INT").  Raises KeyError for an unknown name."""
    return _TYPE_OF_NAME[name]


def is_type(value: IonValue, name: str, arguments: tuple[int, ...] = ()) -> bool:
    """``value IS name``: never unknown.  MISSING is null too; a typed null is of type null and of no other.

    Arguments narrow: ``decimal(p, s)`` must hold the value without rounding, ``char(n)`` is exactly, ``varchar(n)`` at
    most n characters.
    """
    wanted = _TYPE_OF_NAME[name]
    actual = type_name(value)
    if wanted == "NULL":
        return actual in ("NULL", "MISSING")
    if actual != wanted:
        return False
    return not arguments or _fits(_bare(value), name, arguments)


def _fits(value: IonValue, name: str, arguments: tuple[int, ...]) -> bool:
    if isinstance(value, Decimal):
        precision, scale = arguments[0], arguments[1] if len(arguments) > 1 else 0
        normal = value.normalize(_EXACT) if value else Decimal(0)
        exponent = int(normal.as_tuple().exponent)
        return -exponent <= scale and (not value or normal.adjusted() + 1 <= precision - scale)
    if isinstance(value, str):
        return len(value) == arguments[0] if name in ("char", "character") else len(value) <= arguments[0]
    return True


_EXACT: Final = decimal.Context(prec=decimal.MAX_PREC, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)

# --- Logic ---------------------------------------------------------------------------------------------------


def truth(value: IonValue) -> Truth:
    """A value as a truth value: unknowns give None.  Raises PartiqlError for what is neither bool nor unknown."""
    if value is True or value is False or value is None:
        return value
    plain = _bare(value)
    if plain is None or isinstance(plain, bool):
        return plain
    raise faults.EXPECTED_BOOLEAN(value=shown(value))


def is_true(value: IonValue) -> bool:
    """Whether a condition (WHERE, ON, WHEN) holds: unknown does not.  Raises PartiqlError for a non-boolean."""
    return value is True or truth(value) is True


def and_(left: IonValue, right: IonValue) -> Truth:
    """``left AND right``.  False wins over unknown.  Raises PartiqlError for a non-boolean."""
    left = truth(left)
    if left is False:
        return False
    right = truth(right)
    return False if right is False else (True if left and right else None)


def or_(left: IonValue, right: IonValue) -> Truth:
    """``left OR right``.  True wins over unknown.  Raises PartiqlError for a non-boolean."""
    left = truth(left)
    if left is True:
        return True
    right = truth(right)
    return True if right is True else (None if left is None or right is None else False)


def not_(value: IonValue) -> Truth:
    """``NOT value``.  Raises PartiqlError for a non-boolean."""
    value = truth(value)
    return None if value is None else not value


# --- Comparison ----------------------------------------------------------------------------------------------


def equal(left: IonValue, right: IonValue) -> Truth:
    """``left = right``: by value class (partiql.md 4.1); values of different classes are not equal; never an error."""
    exact = type(left)
    if exact is type(right) and (exact is str or exact is int or exact is bool):
        return left == right  # type: ignore[no-any-return]
    left, right = _bare(left), _bare(right)
    if left is None or right is None:
        return None
    return partiql_equal(left, right)


def not_equal(left: IonValue, right: IonValue) -> Truth:
    """``left <> right``."""
    result = equal(left, right)
    return None if result is None else not result


def less(left: IonValue, right: IonValue) -> Truth:
    """``left < right``; None across classes and for kinds of values that have no order."""
    exact = type(left)
    if exact is type(right) and (exact is int or exact is str):
        return left < right  # type: ignore[no-any-return]
    order = _compare(left, right)
    return None if order is None else order < 0


def less_equal(left: IonValue, right: IonValue) -> Truth:
    """``left <= right``; None as for ``<``."""
    exact = type(left)
    if exact is type(right) and (exact is int or exact is str):
        return left <= right  # type: ignore[no-any-return]
    order = _compare(left, right)
    return None if order is None else order <= 0


def greater(left: IonValue, right: IonValue) -> Truth:
    """``left > right``; None as for ``<``."""
    return less(right, left)


def greater_equal(left: IonValue, right: IonValue) -> Truth:
    """``left >= right``; None as for ``<``."""
    return less_equal(right, left)


def between(value: IonValue, low: IonValue, high: IonValue) -> Truth:
    """``value BETWEEN low AND high``, bounds included; None when any comparison is unknown."""
    above, below = less_equal(low, value), less_equal(value, high)
    return None if above is None or below is None else above and below


_NUMERIC: Final = frozenset((int, float, Decimal))


def _compare(left: IonValue, right: IonValue) -> int | None:
    """Negative, 0 or positive; None where there is no answer (an unknown, different classes, no order)."""
    left, right = _bare(left), _bare(right)
    if type(left) in _NUMERIC and type(right) in _NUMERIC and left == left and right == right:  # but for nan
        return (left > right) - (left < right)  # type: ignore[no-any-return]
    if left is None or right is None or kind(left) != kind(right):
        return None
    try:
        return compare(left, right)
    except NotComparable:
        return None


def in_(value: IonValue, collection: IonValue) -> Truth:
    """``value IN collection`` (list, sexp or bag; anything else is unknown).

    No match is unknown when the value or an element is unknown, as SQL has it.
    """
    if type(collection) is not list:
        collection = _bare(collection)
        if not isinstance(collection, list):
            return None
    has_unknown = False
    for element in collection:
        found = equal(value, element)
        if found:
            return True
        if found is None:
            has_unknown = True
    return None if has_unknown else False


# --- Text ----------------------------------------------------------------------------------------------------


def like(value: IonValue, pattern: IonValue) -> Truth:
    """``value LIKE pattern``.  Raises PartiqlError when a known operand is no text."""
    if type(value) is str and type(pattern) is str:
        return like_matcher(pattern, None)(value)
    return _like(value, pattern, None)


def like_escape(value: IonValue, pattern: IonValue, escape: IonValue) -> Truth:
    """``value LIKE pattern ESCAPE escape``.  Raises PartiqlError for operands that are no text and a bad escape."""
    escape = _bare(escape)
    return None if escape is None else _like(value, pattern, escape)


def _like(value: IonValue, pattern: IonValue, escape: IonValue) -> Truth:
    value, pattern = _bare(value), _bare(pattern)
    if value is None or pattern is None:
        return None
    if not (isinstance(value, str) and isinstance(pattern, str) and (escape is None or isinstance(escape, str))):
        raise faults.LIKE_TYPES(
            value=shown(value), pattern=shown(pattern), escape="none given" if escape is None else shown(escape)
        )
    return like_matcher(str(pattern), None if escape is None else str(escape))(value)


@lru_cache(maxsize=256)
def like_matcher(pattern: str, escape: str | None) -> Callable[[str], bool]:
    """A pattern as a function of the text; takes time proportional to text times pattern at worst.

    Raises PartiqlError for an escape that is not one character, or that stands before anything but ``%``, ``_`` or
    itself.
    """
    runs = [_find_run(run) for run in _like_runs(pattern, escape)]
    lengths = [length for length, _, _ in runs]
    total = sum(lengths)
    if len(runs) == 1:
        _, _, at = runs[0]
        return lambda text: len(text) == total and at(text, 0)
    first_length, _, starts = runs[0]
    last_length, _, ends = runs[-1]
    middle = [(length, find) for length, find, _ in runs[1:-1] if length]

    def matches(text: str) -> bool:
        size = len(text)
        if size < total or not starts(text, 0) or not ends(text, size - last_length):
            return False
        position, stop = first_length, size - last_length
        for length, find in middle:
            position = find(text, position, stop)
            if position < 0:
                return False
            position += length
        return True

    return matches


_ANY_CHARACTER: Final = None
_Run = list[str | None]  # characters; None stands for "_"


def _like_runs(pattern: str, escape: str | None) -> list[_Run]:
    """The parts of a pattern between its ``%``."""
    if escape is not None:
        _check_escape(escape)
    runs: list[_Run] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            escaped = next(characters, "")
            if escaped not in ("%", "_", escape):
                raise faults.LIKE_ESCAPE_SEQUENCE(pattern=shown(pattern)[1:-1])
            runs[-1].append(escaped)
        elif character == "%":
            runs.append([])
        else:
            runs[-1].append(_ANY_CHARACTER if character == "_" else character)
    return runs


def _check_escape(escape: str) -> None:
    if not escape:
        raise faults.LIKE_ESCAPE_EMPTY(escape=escape)
    if len(escape) != 1:
        raise faults.LIKE_ESCAPE_SIZE(escape=shown(escape)[1:-1])


def _find_run(
    run: _Run,
) -> tuple[int, Callable[[str, int, int], int], Callable[[str, int], bool]]:
    """(length, find(text, start, stop) -> position or -1, whether it stands at a position)."""
    length = len(run)
    if _ANY_CHARACTER not in run:
        word = "".join(character for character in run if character is not None)
        return length, lambda text, *bounds: text.find(word, *bounds), lambda text, at: text.startswith(word, at)
    expression = re.compile("".join("." if c is _ANY_CHARACTER else re.escape(c) for c in run), re.DOTALL)

    def find(text: str, start: int, stop: int) -> int:
        found = expression.search(text, start, stop)
        return found.start() if found else -1

    return length, find, lambda text, at: expression.match(text, at) is not None


def concat(left: IonValue, right: IonValue) -> str | None:
    """``left || right``: a string.  Raises PartiqlError when a known operand is neither string nor symbol."""
    left, right = _bare(left), _bare(right)
    if left is None or right is None:
        return None
    if isinstance(left, str) and isinstance(right, str):
        return str(left) + str(right)
    raise faults.CONCAT_TYPES(left=type_name(left), right=type_name(right))


# --- Arithmetic ----------------------------------------------------------------------------------------------


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
    left, right = _bare(left), _bare(right)
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
    value = _bare(value)
    if value is None:
        return None
    number = _number(value)
    if isinstance(number, int):
        return _checked_int(-number)
    return number.copy_negate() if isinstance(number, Decimal) else -number


def plus(value: IonValue) -> IonValue:
    """``+value``: the value itself.  Raises PartiqlError for what is no number."""
    bare = _bare(value)
    if bare is None:
        return None
    _number(bare)
    return value


# --- Path steps ----------------------------------------------------------------------------------------------


def field(value: IonValue, name: str) -> IonValue:
    """``value."name"`` or ``value['name']``: the first field of exactly this name, else MISSING."""
    if type(value) is Annotated:
        value = value.value
    return value.get(name, MISSING) if type(value) in STRUCT_TYPES else MISSING


def field_any_case(value: IonValue, name: str) -> IonValue:
    """``value.name``: the first field of exactly this name, else the first that differs only in case, else MISSING."""
    return field_getter(name, False)(value)


def field_getter(name: str, is_quoted: bool) -> Callable[[IonValue], IonValue]:
    """A field step as a function of the value it is taken of."""
    if is_quoted:
        return lambda value: field(value, name)
    lowered = name.lower()

    def get(value: IonValue) -> IonValue:
        if type(value) is Annotated:
            value = value.value
        if type(value) in STRUCT_TYPES:
            found = value.get(name, MISSING)
            if found is not MISSING:
                return found
            for other, found in struct_items(value):
                if other.lower() == lowered:
                    return found
        return MISSING

    return get


def index(value: IonValue, at: IonValue) -> IonValue:
    """``value[at]``: element *at* (from 0) of a list or sexp, or the field named *at* of a struct; else MISSING.

    Raises PartiqlError when *at* is known and neither an int nor text.
    """
    at = _bare(at)
    if isinstance(at, int) and not isinstance(at, bool):
        value = _bare(value)
        is_ordered = type(value) is list or type(value) is Sexp
        return value[at] if is_ordered and 0 <= at < len(value) else MISSING
    if isinstance(at, str):
        return field(value, str(at))
    if at is None:
        return MISSING
    raise faults.PATH_INDEX(value=shown(at))


def elements(value: IonValue) -> Iterator[IonValue]:
    """``value[*]``, and what a FROM source ranges over: a list's or bag's elements; any other value is its only one."""
    bare = value.value if type(value) is Annotated else value
    if type(bare) is list or type(bare) is Bag:
        yield from bare
    else:
        yield value


def fields(value: IonValue) -> Iterator[tuple[str, IonValue]]:
    """``value.*``, and what UNPIVOT ranges over: a struct's fields; any other value but MISSING is alone, as ``_1``."""
    bare = value.value if type(value) is Annotated else value
    if isinstance(bare, dict):
        yield from struct_items(bare)
    elif bare is not MISSING:
        yield "_1", value


BINARY: Final[dict[str, Callable[[IonValue, IonValue], IonValue]]] = {
    "AND": and_,
    "OR": or_,
    "=": equal,
    "<>": not_equal,
    "<": less,
    "<=": less_equal,
    ">": greater,
    ">=": greater_equal,
    "||": concat,
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
}

UNARY: Final[dict[str, Callable[[IonValue], IonValue]]] = {"NOT": not_, "-": negate, "+": plus}
