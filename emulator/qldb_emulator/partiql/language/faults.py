"""What can go wrong while a statement is evaluated, as data.

A row is a :class:`Fault`; calling it makes the error to raise::

    raise DIVIDE_BY_ZERO()
    raise INVALID_CAST(source="STRING", target="INT")

The errors carry no position (``pos`` is ``ast.NOWHERE``): the caller that knows the node puts its position there.

The texts are those of the library that QLDB ran (partiql.md 0 and 7): ``generated; thrown``.  Where the library had no
text of its own for the first half it repeated the token at fault, which an evaluator does not have; we leave it out.
"""

from __future__ import annotations

from ...errors import Source
from ...ion.values import Annotated, IonValue, TypedNull, ion_type
from ...records import dataclass
from ..syntax.ast import NOWHERE
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

# --- Functions ---------------------------------------------------------------------------------------------
NO_SUCH_FUNCTION = Fault("No such function: {name} ", "No such function: {name}")
_COUNT = "Incorrect number of arguments to function call"
ONE_ARGUMENT = Fault(_COUNT, "{name} takes a single argument, received: {count}")
EXACT_ARGUMENTS = Fault(_COUNT, "{name} takes exactly {least} arguments, received: {count}")
SOME_ARGUMENTS = Fault(_COUNT, "{name} takes between {least} and {most} arguments, received: {count}")
ARGUMENT_TYPES = Fault(
    "Invalid argument types for {name}, expected: {expected} got: {actual}",
    "Invalid type for argument {position} of {name}.",
)
SUBSTRING_LENGTH = Fault(
    "Invalid arguments for function call", "Argument 3 of substring has to be greater than 0.", "documented"
)
DATE_PART = Fault("Invalid arguments for date part", "invalid datetime part for {name}: {part}")
TIMESTAMP_BOUNDS = Fault("Timestamp is out of bounds", "The year of the result must be between 1 and 9999")
AGGREGATE_TYPE = Fault(
    "Invalid arguments for function call",
    "Aggregate function {name} expects arguments of NUMBER type but the following value was provided: {value}, "
    "with type of {type}",
)

# --- CAST --------------------------------------------------------------------------------------------------
INVALID_CAST = Fault("Cannot convert {source} to {target}", "Cannot convert {source} to {target}")
CAST_FAILED = Fault("Failed to convert {source} to {target}", "can't convert {what} value to {target}")

# --- Timestamps and their patterns -------------------------------------------------------------------------
ION_TIMESTAMP = Fault("Failed to parse Ion timestamp", "Timestamp was not a valid ion timestamp")
FORMAT_PATTERN = Fault("Invalid timestamp format pattern: '{pattern}'.", "Invalid DateTime format pattern")
PATTERN_TOKEN = Fault(
    "Timestamp format pattern contains invalid token: '{pattern}'.", "Invalid token in timestamp format pattern"
)
PATTERN_SYMBOL = Fault(
    "Timestamp format pattern contains invalid symbol: '{pattern}'.", "Invalid symbol in timestamp format pattern"
)
PATTERN_UNTERMINATED = Fault(
    "Timestamp format pattern contains unterminated token: '{pattern}'.",
    "Unterminated token in timestamp format pattern",
)
PATTERN_INCOMPLETE = Fault(
    "Timestamp format pattern '{pattern}' requires additional fields '{fields}'.",
    "timestamp format pattern missing fields",
)
PATTERN_DUPLICATE = Fault(
    "The format pattern '{pattern}' contains multiple format specifiers representing the timestamp field '{field}'.",
    "timestamp format pattern duplicate fields",
)
_CLOCK = (
    "The format pattern '{pattern}' contains a 12-hour hour of day format symbol but doesn't also contain an AM/PM "
    "field, or it contains a 24-hour hour of day format specifier and contains an AM/PM field."
)
PATTERN_CLOCK_WITHOUT_AM_PM = Fault(
    _CLOCK, "timestamp format pattern contains 12-hour hour of day field but doesn't contain an am/pm field."
)
PATTERN_CLOCK_WITH_AM_PM = Fault(
    _CLOCK, "timestamp format pattern contains 24-hour hour of day field and also contains an am/pm field."
)
PATTERN_NOT_FOR_PARSING = Fault(
    "The format pattern '{pattern}' contains a valid format symbol that cannot be applied to timestamp parsing.",
    "timestamp format pattern missing fields",
)
CUSTOM_TIMESTAMP = Fault(
    "Failed to parse custom timestamp using the specified format pattern", "Text {text} could not be parsed{where}"
)
OFFSET_SECONDS = Fault(
    "loss of precision when parsing timestamp",
    "The parsed timestamp has a UTC offset that not a multiple of 1 minute. This timestamp cannot be parsed accurately "
    "because the maximum resolution for an Ion timestamp offset is 1 minute.",
)
