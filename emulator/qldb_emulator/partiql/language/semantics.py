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

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from ...budget import check
from ...ion.compare import NotComparable, compare, kind, partiql_equal
from ...ion.values import STRUCT_TYPES, Annotated, IonValue, Sexp, struct_items
from . import faults
from .arithmetic import add, divide, multiply, negate, plus, remainder, subtract
from .faults import shown, type_name
from .kinds import TYPE_NAMES, bare, is_type, is_unknown, type_of_name
from .like import like_matcher
from .values import MISSING, Bag

__all__ = (
    "BINARY",
    "TYPE_NAMES",
    "UNARY",
    "Truth",
    "add",
    "and_",
    "between",
    "concat",
    "divide",
    "elements",
    "equal",
    "field",
    "field_any_case",
    "field_getter",
    "fields",
    "greater",
    "greater_equal",
    "in_",
    "index",
    "is_true",
    "is_type",
    "is_unknown",
    "less",
    "less_equal",
    "like",
    "like_escape",
    "like_matcher",
    "multiply",
    "negate",
    "not_",
    "not_equal",
    "or_",
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
    left, right = bare(left), bare(right)
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
    left, right = bare(left), bare(right)
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
        collection = bare(collection)
        if not isinstance(collection, list):
            return None
    has_unknown = False
    if len(collection) > _MANY:
        check()
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
    escape = bare(escape)
    return None if escape is None else _like(value, pattern, escape)


def _like(value: IonValue, pattern: IonValue, escape: IonValue) -> Truth:
    value, pattern = bare(value), bare(pattern)
    if value is None or pattern is None:
        return None
    if not (isinstance(value, str) and isinstance(pattern, str) and (escape is None or isinstance(escape, str))):
        raise faults.LIKE_TYPES(
            value=shown(value), pattern=shown(pattern), escape="none given" if escape is None else shown(escape)
        )
    return like_matcher(str(pattern), None if escape is None else str(escape))(value)


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
            if len(value) > _MANY:
                check()
            for other, found in struct_items(value):
                if other.lower() == lowered:
                    return found
        return MISSING

    return get


def index(value: IonValue, at: IonValue) -> IonValue:
    """``value[at]``: element *at* (from 0) of a list or sexp, or the field named *at* of a struct; else MISSING.

    Raises PartiqlError when *at* is known and neither an int nor text.
    """
    at = bare(at)
    if isinstance(at, int) and not isinstance(at, bool):
        value = bare(value)
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
