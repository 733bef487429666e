"""What can go wrong while a statement is evaluated, as data.

A row is a :class:`Fault`; calling it makes the error to raise::

    raise DIVIDE_BY_ZERO()
    raise INVALID_CAST(source="STRING", target="INT")

The errors carry no position (``pos`` is ``ast.NOWHERE``): whoever knows the node puts its position there.

The texts are those of the library that QLDB ran (partiql.md 0 and 7): ``generated; thrown``.  Where the library had no
text of its own for the first half it repeated the token at fault, which an evaluator does not have; we leave it out.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Source
from ..ion.values import Annotated, IonValue, TypedNull, ion_type
from .ast import NOWHERE
from .errors import PartiqlError
from .values import MISSING, Bag

SHOWN_CHARACTERS = 100
_INT_CHARACTERS_LIMIT = 10**SHOWN_CHARACTERS


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table of evaluator errors.

    generated, thrown: ``str.format`` templates of the two halves of the text (thrown "": there is none).
    """

    generated: str
    thrown: str = ""
    source: Source = "inferred"
    evidence: str = "partiql.md 7.3: texts of the library"

    def __call__(self, **values: object) -> PartiqlError:
        return PartiqlError(
            "Evaluator",
            NOWHERE,
            self.generated.format(**values),
            self.thrown.format(**values) if self.thrown else None,
        )


def type_name(value: IonValue) -> str:
    """The PartiQL type of a value, as the library spelled it: MISSING NULL BOOL INT FLOAT DECIMAL ... BAG."""
    if type(value) is Annotated:
        value = value.value
    if value is MISSING:
        return "MISSING"
    if value is None or type(value) is TypedNull:
        return "NULL"
    if type(value) is Bag:
        return "BAG"
    return ion_type(value).upper()


def shown(value: IonValue) -> str:
    """A short text of a value for a message; a container is only named."""
    if type(value) is Annotated:
        value = value.value
    if isinstance(value, str):
        text = '"' + value[:SHOWN_CHARACTERS] + ('..."' if len(value) > SHOWN_CHARACTERS else '"')
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int):
        text = str(value) if abs(value) < _INT_CHARACTERS_LIMIT else "a large INT"
    elif isinstance(value, list | dict | bytes) or value is MISSING or value is None or type(value) is TypedNull:
        text = type_name(value)
    else:
        text = str(value)[:SHOWN_CHARACTERS]
    return text


# --- Operators ---------------------------------------------------------------------------------------------
EXPECTED_BOOLEAN = Fault("Unexpected value type", "Expected boolean: {value}")
EXPECTED_NUMBER = Fault("Unexpected value type", "Expected number: {value}")
INT_OVERFLOW = Fault("Int overflow or underflow", "Int overflow or underflow")
DECIMAL_OVERFLOW = Fault("Decimal overflow or underflow", "Decimal overflow or underflow", "ours")
NOT_A_DECIMAL = Fault("Unexpected value type", "Infinite or NaN", "inferred", "Java's BigDecimal(double)")
DIVIDE_BY_ZERO = Fault("/ by zero", "/ by zero")
MODULO_BY_ZERO = Fault("% by zero", "% by zero")
MODULO_IMPOSSIBLE = Fault(
    "Decimal overflow or underflow", "Division impossible", "inferred", "Java's BigDecimal.remainder"
)
CONCAT_TYPES = Fault(
    "Incorrect type of arguments for operator '||', expected one of [SYMBOL, STRING] got [{left}, {right}]",
    "Wrong argument type for ||",
)
LIKE_TYPES = Fault(
    "Given: value = {value}, pattern =  {pattern}, escape char = {escape}",
    "LIKE expression must be given non-null strings as input",
)
LIKE_ESCAPE_SEQUENCE = Fault(
    "Pattern contains an invalid or malformed escape sequence",
    "Invalid escape sequence : {pattern}",
)
LIKE_ESCAPE_EMPTY = Fault(
    "Pattern contains an invalid or malformed escape sequence",
    "Cannot use empty character as ESCAPE character in a LIKE predicate: {escape}",
)
LIKE_ESCAPE_SIZE = Fault(
    "Pattern contains an invalid or malformed escape sequence",
    "Escape character must have size 1 : {escape}",
)
PATH_INDEX = Fault("Unexpected value type", "Cannot convert index to int/string: {value}")
