"""What the operators do with values.

Values are Ion values (``ion.values``), :data:`MISSING` and :class:`Bag`.  An *unknown* is MISSING or a null of any
type, annotated or not.  A truth value is ``True``, ``False`` or ``None`` (unknown, PartiQL's null).

==============================================  ==================================================================
logic                                           truth, is_true, is_true_when, and_, or_, not_
comparison -> True, False, None                 equal, not_equal, less, less_equal, greater, greater_equal
                                                equal_or_unknown, in_, not_below and not_above (BETWEEN): never None
text                                            like_pattern, like_match -> True, False, None; concat
arithmetic                                      add, subtract, multiply, divide, remainder, negate, plus
kind of value                                   is_unknown, is_type (IS), type_name
path steps                                      field (quoted), field_any_case (bare), index, elements, fields
                                                and field_getter(name, is_quoted): a step as a function of one argument
tables by operator                              BINARY["="] ... BINARY["%"], UNARY["-"]
==============================================  ==================================================================

The mode is the library's "legacy" mode: an operator with an unknown operand gives null, a type mistake is an error, a
missing field is MISSING.  BETWEEN, IN and CASE are not operators in this sense (version 0.2.7, which is followed):
BETWEEN an unknown is an error; IN and the WHEN of a simple CASE compare like MIN and MAX do, so null equals null.

Annotations of operands are ignored.  A value that is only passed on keeps its annotations.
Every error is a ``PartiqlError`` of category "Evaluator" from the table in ``faults``, without a position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from ...budget import check
from ...ion.compare import NotComparable, compare, kind, partiql_equal
from ...ion.values import STRUCT_TYPES, Annotated, IonValue, MadeStruct, MultiStruct, Sexp, struct_items, struct_size
from . import faults
from .arithmetic import add, divide, multiply, negate, plus, remainder, subtract
from .faults import type_name
from .kinds import TYPE_NAMES, bare, is_type, is_unknown, type_of_name
from .like import check_escape, like_matcher
from .order import natural_order
from .texts import ion_text, partiql_text
from .values import MISSING, Bag

__all__ = (
    "BINARY",
    "TYPE_NAMES",
    "UNARY",
    "Truth",
    "add",
    "and_",
    "concat",
    "divide",
    "elements",
    "equal",
    "equal_or_unknown",
    "field",
    "field_any_case",
    "field_getter",
    "fields",
    "greater",
    "greater_equal",
    "in_",
    "index",
    "is_true",
    "is_true_when",
    "is_type",
    "is_unknown",
    "less",
    "less_equal",
    "like_match",
    "like_pattern",
    "multiply",
    "negate",
    "not_",
    "not_above",
    "not_below",
    "not_equal",
    "or_",
    "parts",
    "plus",
    "remainder",
    "subtract",
    "truth",
    "type_name",
    "type_of_name",
)

Truth = bool | None
_MANY: Final = 64  # fields or elements: a longer loop over them reports its steps

# --- Logic ---------------------------------------------------------------------------------------------------


def truth(value: IonValue) -> Truth:
    """A value as a truth value: unknowns give None.  Raises PartiqlError for what is neither bool nor unknown."""
    if value is True or value is False or value is None:
        return value
    plain = bare(value)
    if plain is None or isinstance(plain, bool):
        return plain
    raise faults.EXPECTED_BOOLEAN(value=ion_text(value))


def is_true(value: IonValue) -> bool:
    """Whether a condition (WHERE, ON) holds: unknown does not.  Raises PartiqlError for a non-boolean."""
    return value is True or truth(value) is True


def is_true_when(value: IonValue) -> bool:
    """Whether the condition of a WHEN holds.  Raises PartiqlError for a non-boolean and for an unknown."""
    if value is True or value is False:
        return value
    plain = bare(value)
    if isinstance(plain, bool):
        return plain
    raise faults.EXPECTED_BOOLEAN(value=ion_text(value))


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
    left, right = bare(left), bare(right)
    if left is None or right is None:
        return None
    return partiql_equal(left, right)


def not_equal(left: IonValue, right: IonValue) -> Truth:
    """``left <> right``."""
    result = equal(left, right)
    return None if result is None else not result


def equal_or_unknown(left: IonValue, right: IonValue) -> bool:
    """As IN and CASE compare: like ``=``, but unknowns are equal to each other and to nothing else."""
    exact = type(left)
    if exact is type(right) and (exact is str or exact is int or exact is bool):
        return left == right  # type: ignore[no-any-return]
    left, right = bare(left), bare(right)
    if left is None or right is None:
        return left is right
    return partiql_equal(left, right)


def less(left: IonValue, right: IonValue) -> Truth:
    """``left < right``.  Raises PartiqlError for values of different classes."""
    exact = type(left)
    if exact is type(right) and (exact is int or exact is str):
        return left < right  # type: ignore[no-any-return]
    order = _compare(left, right)
    return None if order is None else order < 0


def less_equal(left: IonValue, right: IonValue) -> Truth:
    """``left <= right``.  Raises PartiqlError for values of different classes."""
    exact = type(left)
    if exact is type(right) and (exact is int or exact is str):
        return left <= right  # type: ignore[no-any-return]
    order = _compare(left, right)
    return None if order is None else order <= 0


def greater(left: IonValue, right: IonValue) -> Truth:
    """``left > right``.  Raises PartiqlError for values of different classes."""
    exact = type(left)
    if exact is type(right) and (exact is int or exact is str):
        return left > right  # type: ignore[no-any-return]
    order = _compare(left, right)
    return None if order is None else order > 0


def greater_equal(left: IonValue, right: IonValue) -> Truth:
    """``left >= right``.  Raises PartiqlError for values of different classes."""
    exact = type(left)
    if exact is type(right) and (exact is int or exact is str):
        return left >= right  # type: ignore[no-any-return]
    order = _compare(left, right)
    return None if order is None else order >= 0


def not_below(value: IonValue, low: IonValue) -> bool:
    """The first half of ``value BETWEEN low AND high``.  Raises PartiqlError for an unknown, or another class."""
    order = _compare(value, low)
    if order is None:
        raise faults.NULL_COMPARED(left=partiql_text(value), right=partiql_text(low))
    return order >= 0


def not_above(value: IonValue, high: IonValue) -> bool:
    """The second half of ``value BETWEEN low AND high``.  Raises PartiqlError for an unknown, or another class."""
    order = _compare(value, high)
    if order is None:
        raise faults.NULL_COMPARED(left=partiql_text(value), right=partiql_text(high))
    return order <= 0


_NUMERIC: Final = frozenset((int, float, Decimal))


def _compare(left: IonValue, right: IonValue) -> int | None:
    """Negative, 0 or positive; None when one is unknown.  Raises PartiqlError for values of different classes."""
    one, other = bare(left), bare(right)
    if type(one) in _NUMERIC and type(other) in _NUMERIC and one == one and other == other:  # except nan
        return (one > other) - (one < other)  # type: ignore[no-any-return]
    if one is None or other is None:
        return None
    if kind(one) != kind(other):
        raise faults.NOT_COMPARABLE(left=partiql_text(left), right=partiql_text(right))
    try:
        return compare(one, other)
    except NotComparable:  # lobs and containers
        first, second = natural_order(one), natural_order(other)
        return (first > second) - (first < second)


def in_(value: IonValue, collection: IonValue) -> bool:
    """``value IN collection``: never unknown.  The values of a struct count; in a scalar there is nothing."""
    if type(collection) is not list:
        collection = list(parts(collection))
    if len(collection) > _MANY:
        check()
    for element in collection:  # noqa: SIM110 a generator would take twice as long
        if equal_or_unknown(value, element):
            return True
    return False


# --- Text ----------------------------------------------------------------------------------------------------


Match = Callable[[str], bool]


def like_pattern(pattern: IonValue, escape: IonValue) -> Match | None:
    """A pattern of LIKE as a function of a text, escape None when none is written; None when one of them is unknown.

    Raises PartiqlError for an escape that is not one character, and a malformed escape in the pattern.  What is no
    text fails only when the function is called: with a value that is unknown there is no error.
    """
    plain, plain_escape = bare(pattern), bare(escape)
    if plain is None or (plain_escape is None and escape is not None):
        return None
    if not isinstance(plain, str) or (escape is not None and not isinstance(plain_escape, str)):
        fault = faults.LIKE_TYPES(
            value="<UNKNOWN>",
            pattern=ion_text(pattern),
            escape="none given" if escape is None else ion_text(escape),
        )

        def fail(text: str) -> bool:
            raise fault

        return fail
    if plain_escape is not None:
        check_escape(str(plain_escape))
    return like_matcher(str(plain), None if plain_escape is None else str(plain_escape))


def like_match(value: IonValue, match: Match | None) -> Truth:
    """``value LIKE pattern`` with the pattern as :func:`like_pattern` gives it.  Raises PartiqlError."""
    if match is None:
        return None
    if type(value) is str:
        return match(value)
    plain = bare(value)
    if plain is None:
        return None
    if not isinstance(plain, str):
        raise faults.LIKE_TYPES(value=ion_text(value), pattern="<UNKNOWN>", escape="none given")
    return match(str(plain))


def concat(left: IonValue, right: IonValue) -> str | None:
    """``left || right``: a string.  Raises PartiqlError when a known operand is neither string nor symbol."""
    left, right = bare(left), bare(right)
    if left is None or right is None:
        return None
    if isinstance(left, str) and isinstance(right, str):
        return str(left) + str(right)
    raise faults.CONCAT_TYPES(left=type_name(left), right=type_name(right))


# --- Path steps ----------------------------------------------------------------------------------------------


def field(value: IonValue, name: str) -> IonValue:
    """``value."name"`` or ``value['name']``: the first field of exactly this name, else MISSING."""
    if type(value) is Annotated:
        value = value.value
    return value.get(name, MISSING) if type(value) in STRUCT_TYPES else MISSING


def field_any_case(value: IonValue, name: str) -> IonValue:
    """``value.name``: the first field of exactly this name, else the only one that differs in case, else MISSING.

    Raises PartiqlError when several differ only in case.
    """
    return field_getter(name, False)(value)


def field_getter(name: str, is_quoted: bool) -> Callable[[IonValue], IonValue]:
    """A field step as a function of the value it is taken of.  The function raises PartiqlError: see above."""
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
            if len(value) > _MANY:
                check()
            is_found = False
            for other, candidate in struct_items(value):
                if other.lower() == lowered:
                    if is_found:
                        raise faults.AMBIGUOUS_NAME(name=name)
                    found, is_found = candidate, True
            return found
        return MISSING

    return get


def index(value: IonValue, at: IonValue) -> IonValue:
    """``value[at]``: element *at* (from 0) of a list or sexp or of a struct that the statement made, or the field named
    *at* of a struct; else MISSING.

    Raises PartiqlError when *at* is neither an int nor text.
    """
    plain = bare(at)
    if isinstance(plain, int) and not isinstance(plain, bool):
        value = bare(value)
        is_ordered = type(value) is list or type(value) is Sexp
        if is_ordered:
            return value[plain] if 0 <= plain < len(value) else MISSING
        is_made = type(value) is MadeStruct or (type(value) is MultiStruct and value.is_made)
        if is_made and 0 <= plain < struct_size(value):
            return list(struct_items(value))[plain][1]
        return MISSING
    if isinstance(plain, str):
        return field(value, str(plain))
    raise faults.PATH_INDEX(value=partiql_text(at))


def elements(value: IonValue) -> Iterator[IonValue]:
    """``value[*]``, and what a FROM source ranges over: a list's or bag's elements; any other value is its only one."""
    bare = value.value if type(value) is Annotated else value
    if type(bare) is list or type(bare) is Bag:
        yield from bare
    else:
        yield value


def parts(value: IonValue) -> Iterator[IonValue]:
    """The values in a list, sexp, bag or struct; a scalar has none."""
    plain = value.value if type(value) is Annotated else value
    if isinstance(plain, dict):
        yield from [part for _, part in struct_items(plain)]
    elif isinstance(plain, list):
        yield from plain


def fields(value: IonValue) -> Iterator[tuple[str, IonValue]]:
    """``value.*``, and what UNPIVOT ranges over: a struct's fields; any other value is alone, as ``_1``."""
    bare = value.value if type(value) is Annotated else value
    if isinstance(bare, dict):
        yield from struct_items(bare)
    else:
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
