"""What can go wrong while a statement is planned and evaluated, as data (``syntax_errors`` has the errors of syntax).

A row is a :class:`Fault`; calling it makes the error to raise::

    raise DIVIDE_BY_ZERO()
    raise INVALID_CAST(source="STRING", target="INT")
    raise NO_SUCH_VARIABLE.at(node.pos, name=node.name)

The errors carry no position (``pos`` is ``ast.NOWHERE``): the caller that knows the node puts its position there.

The texts are those of the library that QLDB ran, version 0.2.7: ``generated; thrown``.  ``compat_tests/partiql``
compares them with the library.  Many errors have no code there, and so no first half: ours is our own then (inferred).
"""

from __future__ import annotations

from ...errors import Source
from ...ion.values import Annotated, IonValue, TypedNull, ion_type
from ...records import dataclass
from ..syntax.ast import NOWHERE, Pos
from .errors import Category, PartiqlError
from .values import MISSING, Bag

_TOKEN = ", <UNKNOWN> : <UNKNOWN>"  # the library shows the token at fault, which its evaluator does not have
_NO_CODE = "up to 0.4 the library has no code for it, so only the second half of its text is known"


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table.

    generated, thrown: ``str.format`` templates of the two halves of the text (thrown "": there is none).
    is_whole: the text on the wire is ``generated`` alone, without category and place.
    """

    generated: str
    thrown: str = ""
    source: Source = "inferred"
    evidence: str = "the text of the library"
    category: Category = "Evaluator"
    is_whole: bool = False

    def __call__(self, **values: object) -> PartiqlError:
        """The error, without a position yet."""
        return self.at(NOWHERE, **values)

    def at(self, pos: Pos, **values: object) -> PartiqlError:
        """The error at a position."""
        return PartiqlError(
            self.category,
            pos,
            self.generated.format(**values),
            self.thrown.format(**values) if self.thrown else None,
            is_whole=self.is_whole,
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


_OURS = "no text is known"

# --- Names and plans ---------------------------------------------------------------------------------------
NO_SUCH_VARIABLE = Fault(
    "No such variable named '{name}'",
    "No such variable named '{name}'",
    "recorded",
    "driver-go tests, qldb-shell #174",
    "Semantic",
)
GLOBAL_NOT_ALLOWED = Fault(
    "Global variable access is illegal in this context, variable name: '{name}'",
    "Global variable access is illegal in this context",
    category="Semantic",
)
ALREADY_DEFINED = Fault(
    "A variable named '{name}' was already defined in this scope",
    "A variable named '{name}' was already defined in this scope",
    category="Semantic",
)
TOO_DEEP = Fault("The statement is nested too deeply", "", "ours", _OURS, "Semantic")
TOO_MANY_SELECTS = Fault("SELECT is nested more than {most} deep", "", "ours", _OURS, "Semantic")
HISTORY_NOT_IN_FROM = Fault("history() can only be used as a source in the FROM clause", "", "ours", _OURS, "Semantic")
HISTORY_TABLE = Fault("history() takes a table's name or its id in single quotes", "", "ours", _OURS, "Semantic")
HISTORY_TIME = Fault("The start and end of history() must be timestamps", "", "ours", _OURS)
ONE_TABLE = Fault("Only one table can be used in a DML statement", "", "ours", _OURS, "Semantic")
ONLY_USER_VIEW = Fault(
    "DML statements are only supported in the default user view", "", "documented", "working.userdata", "Semantic"
)
NO_PLACE = Fault("The target is not a part of the document that the statement changes", "", "ours", _OURS, "Semantic")
NO_SUCH_PROCEDURE = Fault("No such stored procedure: {name} ", "No such stored procedure: {name}")
PROCEDURE_ARGUMENTS = Fault(
    "Incorrect number of arguments to procedure call" + _TOKEN,
    "{name} takes exactly {count} arguments, received: {received}",
)
UNBOUND_NAME = Fault("Binding '{name}' does not exist", "No such binding: {name}")

# --- DML ---------------------------------------------------------------------------------------------------
NOT_A_DOCUMENT = Fault("A document must be a STRUCT, not {type}", "", "ours", _OURS)
POSITION_TYPE = Fault("A position must be an INT or a STRING, not {type}", "", "ours", _OURS)
PATH_NOT_RESOLVED = Fault(
    "Document path cannot be resolved: the remaining path was not found: DocumentPath(path=[{steps}])",
    "",
    "recorded",
    "driver-nodejs #78; how a name prints is inferred",
    is_whole=True,
)
NO_CONTAINER = Fault("The target is not in a STRUCT or LIST that can hold it", "", "ours", _OURS)
NO_POSITION = Fault("The position {at} is not in the list, which has {count} elements", "", "ours", _OURS)
NOT_A_COLLECTION = Fault("INSERT INTO without VALUE takes a LIST or a BAG, not {type}", "", "ours", _OURS)
INSERT_WITHOUT_NAME = Fault("To insert into a STRUCT, AT must give the field's name", "", "ours", _OURS)
INSERT_WITHOUT_POSITION = Fault("To insert into a LIST, AT must give a position", "", "ours", _OURS)
INSERT_INTO_SCALAR = Fault("The target of INSERT INTO is neither a LIST nor a STRUCT", "", "ours", _OURS)

# --- Operators ---------------------------------------------------------------------------------------------
EXPECTED_BOOLEAN = Fault("Unexpected value type", "Expected boolean: {value}", "inferred", _NO_CODE)
EXPECTED_NUMBER = Fault("Unexpected value type", "Expected number: {value}", "inferred", _NO_CODE)
EXPECTED_TEXT = Fault("Unexpected value type", "Expected text: {value}", "inferred", _NO_CODE)
EXPECTED_TIMESTAMP = Fault("Unexpected value type", "Expected timestamp: {value}", "inferred", _NO_CODE)
NOT_COMPARABLE = Fault("Unexpected value type", "Cannot compare values: {left}, {right}", "inferred", _NO_CODE)
NULL_COMPARED = Fault("Unexpected value type", "Null value cannot be compared: {left}, {right}", "inferred", _NO_CODE)
INT_OVERFLOW = Fault("Int overflow or underflow" + _TOKEN, "Int overflow or underflow")
DECIMAL_OVERFLOW = Fault("Decimal overflow or underflow", "Decimal overflow or underflow", "ours")
NOT_A_DECIMAL = Fault("Unexpected value type", "Internal error, Infinite or NaN", "inferred", _NO_CODE)
DIVIDE_BY_ZERO = Fault("/ by zero" + _TOKEN, "/ by zero")
MODULO_BY_ZERO = Fault("% by zero" + _TOKEN, "% by zero")
MODULO_IMPOSSIBLE = Fault("Decimal overflow or underflow", "Internal error, Division impossible", "inferred", _NO_CODE)
CONCAT_TYPES = Fault(
    "Incorrect type of arguments for operator '||', expected one of [SYMBOL, STRING] got [{left}, {right}]",
    "Wrong argument type for ||",
)
LIKE_TYPES = Fault(
    "Given: value = {value}, pattern =  {pattern}, escape char = {escape}",
    "LIKE expression must be given non-null strings as input",
)
LIKE_ESCAPE_SEQUENCE = Fault(
    "Given: pattern =  {pattern}, escape char = {escape}", "Invalid escape sequence : {pattern}"
)
LIKE_ESCAPE_EMPTY = Fault(
    "Invalid argument given to LIKE expression",
    "Cannot use empty character as ESCAPE character in a LIKE predicate: {escape}",
    "inferred",
    _NO_CODE,
)
LIKE_ESCAPE_SIZE = Fault(
    "Invalid argument given to LIKE expression", "Escape character must have size 1 : {escape}", "inferred", _NO_CODE
)
PATH_INDEX = Fault("Unexpected value type", "Cannot convert index to int/string: {value}", "inferred", _NO_CODE)
AMBIGUOUS_NAME = Fault("Binding name was '{name}'", "Multiple matches were found for the specified identifier")
GROUPED_NAME = Fault(
    "Variable '{name}' must appear in the GROUP BY clause or be used in an aggregation function",
    "Variable not in GROUP BY or aggregation function: {name}",
)
NESTED_AGGREGATE = Fault(
    "Invalid arguments for function call",
    "The arguments of an aggregate function cannot contain aggregate functions",
    "inferred",
    _NO_CODE,
)
COUNT_STAR = Fault("Invalid use of COUNT(*)", "COUNT(*) is not allowed in this context", "inferred", _NO_CODE)

# --- Functions ---------------------------------------------------------------------------------------------
NO_SUCH_FUNCTION = Fault("No such function: {name} ", "No such function: {name}")
_COUNT = "Incorrect number of arguments to function call"
ONE_ARGUMENT = Fault(_COUNT + _TOKEN, "{name} takes a single argument, received: {count}")
EXACT_ARGUMENTS = Fault(_COUNT + _TOKEN, "{name} takes exactly {least} arguments, received: {count}")
SOME_ARGUMENTS = Fault(_COUNT + _TOKEN, "{name} takes between {least} and {most} arguments, received: {count}")
NO_ARGUMENTS = Fault(_COUNT, "{name}() takes no arguments", "inferred", _NO_CODE)
COALESCE_ARGUMENTS = Fault(_COUNT + _TOKEN, "coalesce requires at least one argument")
EXISTS_ARGUMENTS = Fault(_COUNT, "Expected a single argument for exists but found: {count}", "inferred", _NO_CODE)
EXISTS_MISSING = Fault(
    "Invalid argument types for exists, expected: LIST or BAG or STRUCT got: MISSING",
    "invalid argument type for exists",
    "documented",
    "ql-functions.exists: an error, whose text is not shown",
)
SIZE_TYPE = Fault(
    "Invalid argument types for size, expected: LIST or BAG or STRUCT got: {actual}", "invalid argument type for size"
)
_ARGUMENTS = "Invalid arguments for function call"
TRIM_CHARACTERS = Fault(
    _ARGUMENTS,
    "with two arguments trim's first argument must be either the specification or a 'to remove' string",
    "inferred",
    _NO_CODE,
)
SUBSTRING_TYPE = Fault(_ARGUMENTS, "Argument {position} of substring was not {expected}.", "inferred", _NO_CODE)
SUBSTRING_LENGTH = Fault(_ARGUMENTS, "Argument 3 of substring has to be greater than 0.", "documented")
TO_STRING_TIMESTAMP = Fault(_ARGUMENTS, "First argument of to_string is not a timestamp.", "inferred", _NO_CODE)
TO_STRING_PATTERN = Fault(_ARGUMENTS, "Second argument of to_string is not a string.", "inferred", _NO_CODE)
TO_TIMESTAMP_TEXT = Fault(_ARGUMENTS, "First argument of to_timestamp is not a string.", "inferred", _NO_CODE)
TO_TIMESTAMP_PATTERN = Fault(_ARGUMENTS, "Second argument of to_timestamp is not a string.", "inferred", _NO_CODE)
DATE_PART = Fault("Invalid arguments for date part", "invalid date part for {name}: {part}", "inferred", _NO_CODE)
TIMESTAMP_BOUNDS = Fault("Timestamp is out of bounds", "{what}", "inferred", _NO_CODE)

# --- CAST --------------------------------------------------------------------------------------------------
INVALID_CAST = Fault("Cannot convert {source} to {target}", "Cannot convert {source} to {target}")
CAST_FAILED = Fault("Failed to convert {source} to {target}", "can't convert {what} value to {target}")

# --- Timestamps and their patterns -------------------------------------------------------------------------
ION_TIMESTAMP = Fault("Failed to parse Ion timestamp" + _TOKEN, "Timestamp was not a valid ion timestamp")
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
    "Failed to parse custom timestamp using the specified format pattern" + _TOKEN,
    "{what}",
)
OFFSET_SECONDS = Fault(
    "loss of precision when parsing timestamp" + _TOKEN,
    "The parsed timestamp has a UTC offset that not a multiple of 1 minute. This timestamp cannot be parsed accurately "
    "because the maximum resolution for an Ion timestamp offset is 1 minute.",
)
