"""What can be wrong with the syntax of a statement, as data, and how a token is named in a message.

Calling a row makes the error to raise; ``{token}`` in its text is the token at fault as ``TYPE : value``.

The texts are the library's (partiql.md 7.3) unless a row says otherwise: ``generated; thrown``.
"""

from __future__ import annotations

from typing import Final

from ...errors import Source
from ...ion.values import Symbol
from ...records import dataclass
from ..language.errors import PartiqlError
from ..language.texts import ion_text, pretty_ion_text
from .lexer import END, IDENTIFIER, ION_LITERAL, LITERAL, QUOTED_IDENTIFIER, Tokens

_LIBRARY = "partiql.md 7.3: texts of the library"
_OWN = "no text is known"
_SHOWN_CHARACTERS = 1000  # ours: of a token's value in a message

_TYPE_OF_KIND: Final = {
    END: "EOF",
    IDENTIFIER: IDENTIFIER,
    QUOTED_IDENTIFIER: QUOTED_IDENTIFIER,
    LITERAL: LITERAL,
    ION_LITERAL: LITERAL,
    "true": LITERAL,
    "false": LITERAL,
    "null": "NULL",
    "missing": "MISSING",
    "as": "AS",
    "at": "AT",
    "by": "BY",
    "for": "FOR",
    "?": "QUESTION_MARK",
    "*": "STAR",
    ".": "DOT",
    ",": "COMMA",
    ";": "SEMICOLON",
    ":": "COLON",
    "(": "LEFT_PAREN",
    ")": "RIGHT_PAREN",
    "[": "LEFT_BRACKET",
    "]": "RIGHT_BRACKET",
    "{": "LEFT_CURLY",
    "}": "RIGHT_CURLY",
    "<<": "LEFT_DOUBLE_ANGLE_BRACKET",
    ">>": "RIGHT_DOUBLE_ANGLE_BRACKET",
    **dict.fromkeys(
        (
            "and",
            "or",
            "not",
            "is",
            "in",
            "between",
            "like",
            "union",
            "except",
            "intersect",
            "+",
            "-",
            "/",
            "%",
            "<",
            "<=",
            ">",
            ">=",
            "=",
            "<>",
            "!=",
            "||",
            "@",
        ),
        "OPERATOR",
    ),
}

# Words that are one token to the library.
_MERGED: Final = {
    tuple(words.split()): merged
    for words, merged in (
        ("not in", "not_in"),
        ("not between", "not_between"),
        ("not like", "not_like"),
        ("is not", "is_not"),
        ("intersect all", "intersect_all"),
        ("except all", "except_all"),
        ("union all", "union_all"),
        ("insert into", "insert_into"),
        ("character varying", "character_varying"),
        ("char varying", "character_varying"),
        ("double precision", "double_precision"),
        ("cross join", "cross_join"),
        ("inner join", "inner_join"),
        ("inner cross join", "cross_join"),
        ("left join", "left_join"),
        ("left outer join", "left_join"),
        ("left cross join", "left_cross_join"),
        ("left outer cross join", "left_cross_join"),
        ("right join", "right_join"),
        ("right outer join", "right_join"),
        ("right cross join", "right_cross_join"),
        ("right outer cross join", "right_cross_join"),
        ("full join", "outer_join"),
        ("outer join", "outer_join"),
        ("full outer join", "outer_join"),
        ("full cross join", "outer_cross_join"),
        ("outer cross join", "outer_cross_join"),
        ("full outer cross join", "outer_cross_join"),
    )
}
_RENAMED: Final = {
    "!=": "<>",
    "varchar": "character_varying",
    "char": "character",
    "dec": "decimal",
    "int": "integer",
    "bool": "boolean",
}


def token_type(tokens: Tokens, index: int) -> str:
    """The library's name for the type of a token: KEYWORD, OPERATOR, LEFT_PAREN ..."""
    return _TYPE_OF_KIND.get(tokens.kinds[index], "KEYWORD")


def token_value(tokens: Tokens, index: int) -> str:
    """A token's value as the library showed it: Ion text, words that belong together joined by ``_``."""
    kind, value = tokens.kinds[index], tokens.values[index]
    if kind in (LITERAL, ION_LITERAL):
        text = ion_text(value)
    elif kind == "?":
        text = str(value)
    elif kind in (IDENTIFIER, QUOTED_IDENTIFIER):
        text = ion_text(Symbol(value))
    elif kind in ("null", "missing"):
        text = "null"
    elif kind == END:
        text = END
    else:
        word = _merged(tokens, index) or _RENAMED.get(kind, kind)
        text = word if word.replace("_", "").isalpha() else f"'{word}'"
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _merged(tokens: Tokens, index: int) -> str | None:
    """The token that a word makes together with those behind it, None when it stands alone."""
    for length in (4, 3, 2):
        found = _MERGED.get(tuple(tokens.kinds[index : index + length]))
        if found is not None:
            return found
    return None


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """A row of the table of syntax errors.

    generated, thrown: ``str.format`` templates of the two halves of the text (thrown "": there is none); ``{token}``,
    ``{type}`` and ``{value}`` are the token at fault.
    """

    generated: str
    thrown: str = ""
    source: Source = "inferred"
    evidence: str = _LIBRARY

    def __call__(self, tokens: Tokens, index: int, **values: object) -> PartiqlError:
        kind, value = token_type(tokens, index), token_value(tokens, index)
        is_literal = tokens.kinds[index] in (LITERAL, ION_LITERAL)
        pretty = pretty_ion_text(tokens.values[index]) if is_literal and "{pretty}" in self.generated else value
        generated = self.generated.format(token=f"{kind} : {value}", type=kind, value=value, pretty=pretty, **values)
        return PartiqlError("Parser", tokens.pos(index), generated, self.thrown.format(**values) or None)


_PATH_COMPONENT = "Invalid path component, expecting either an IDENTIFIER or STAR, got: {type} with value: \n{pretty}"

# --- Expressions -------------------------------------------------------------------------------------------
MISSING_RIGHT_SIDE = SyntaxFault(
    "expected expression, {token}",
    "Missing right-hand side expression of infix operator",
    "recorded",
    "qldb-shell #174",
)
INVALID_PATH_COMPONENT = SyntaxFault(
    _PATH_COMPONENT,
    "Expected identifier for simple path",
    "recorded",
    "driver-python #49: the text breaks before the value",
)
INVALID_STEP = SyntaxFault(_PATH_COMPONENT, "Invalid path dot component")
STAR_IN_TARGET = SyntaxFault(_PATH_COMPONENT, "Invalid path dot component for simple path")
INVALID_INDEX_OF_TARGET = SyntaxFault(_PATH_COMPONENT, "Invalid path component for simple path")
UNEXPECTED_TERM = SyntaxFault("unexpected term found, {token}", "Unexpected term")
UNEXPECTED_KEYWORD = SyntaxFault("unexpected keyword found, {token}", "Unexpected keyword")
UNEXPECTED_OPERATOR = SyntaxFault("unexpected operator, {token}", "Unexpected operator")
ONLY_AT_TOP = SyntaxFault(
    "unexpected term found, {token}", "Keyword {word} only expected at the top level in the query"
)
EXEC_IN_EXPRESSION = SyntaxFault(
    "EXEC call found at unexpected location, {token}", "EXEC call found at unexpected location"
)
NO_NAME_AFTER_AT_SIGN = SyntaxFault(
    "identifier expected after `@` symbol, {token}", "Identifier must follow @-operator"
)
NO_EXPRESSION_AFTER = SyntaxFault("expected expression, {token}", "Expected expression after {word}")
EXPECTED_TOKEN = SyntaxFault("expected token of type, {expected}", "Expected {expected}")
EXPECTED_KEYWORD = SyntaxFault("expected keyword, {expected}", "Expected {expected} keyword")
EXPECTED_TYPE_NAME = SyntaxFault("expected type name, found, {token}", "Expected type name")
TYPE_ARITY = SyntaxFault(
    "Cast to type {name} has incorrect arity.Correct arity is {least}..{most}",
    "CAST for {name} must have arity of {least}..{most}",
)
TYPE_PARAMETER = SyntaxFault(
    "invalid value used for type parameter, {token}", "Type parameter must be an unsigned integer literal"
)
NO_WHEN = SyntaxFault("expected WHEN clause in CASE, {token}", "Expected a WHEN clause in CASE")
NO_PAREN_AFTER_CAST = SyntaxFault(
    "expected left parenthesis after CAST, {token}", "Missing left parenthesis after CAST"
)
NO_LEFT_PAREN = SyntaxFault("expected left parenthesis, {token}", "Expected LEFT_PAREN")
NO_RIGHT_PAREN = SyntaxFault("expected right parenthesis, {token}", "Expected RIGHT_PAREN")
NO_ARGUMENT_DELIMITER = SyntaxFault("expected argument delimiter, {token}", "Expected KEYWORD 'from' OR COMMA")
EXPECTED_EITHER = SyntaxFault("unexpected token, expected {first} or {second} but found {type}", "Expected {node}")
EXPECTED_DATE_PART = SyntaxFault("expected one of: [{parts}], {token}", "Expected one of: [{parts}]")
STAR_ARGUMENT = SyntaxFault(
    "function call, other than COUNT, with (*) as parameter is not supported, {token}", "{name}(*) is not allowed"
)
STAR_WITH_QUANTIFIER = SyntaxFault(
    "function call, other than COUNT, with (*) as parameter is not supported, {token}",
    "COUNT({quantifier} *) is not supported",
)
AGGREGATE_ARITY = SyntaxFault(
    "Aggregate function calls take 1 argument only, {token}", "Aggregate functions are always unary"
)
TOO_DEEP = SyntaxFault(
    "the statement is nested more than {most} levels deep, {token}", "Nested too deeply", "ours", _OWN
)

# --- SELECT and FROM ---------------------------------------------------------------------------------------
ALIAS_OF_STAR = SyntaxFault("unsupported Syntax, {token}", "Unsupported syntax for PROJECT_ALL")
STAR_NOT_ALONE = SyntaxFault(
    "Other expressions may not be present in the select list when '*' is used without dot notation., {token}",
    "Other expressions may not be present in the select list when '*' is used without dot notation.",
)
STAR_IN_SELECT_LIST = SyntaxFault("Invalid use of * in select list, {token}", "Invalid use of * in select list")
STAR_AFTER_BRACKETS = SyntaxFault(
    "Cannot mix [] and * in the same expression in a select list, {token}",
    "Cannot use [] and * together in SELECT list expression",
)
NO_FROM = SyntaxFault("missing FROM after SELECT list, {token}", "Expected FROM after SELECT list")
NO_ALIAS = SyntaxFault("expected identifier for alias, {token}", "Expected identifier for {word}-alias")
NO_ON = SyntaxFault("malformed use of FROM with JOIN, {token}", "Expected 'ON'")
HISTORY_TABLE = SyntaxFault(
    "unexpected token found, {token}", "Expected a table name or the id of a table", "ours", _OWN
)

# --- Statements --------------------------------------------------------------------------------------------
AFTER_EXPRESSION = SyntaxFault("unexpected token found, {token}", "Unexpected token after expression")
AFTER_SEMICOLON = SyntaxFault(
    "unexpected token found, {token}", "Unexpected token after semicolon. (Only one query is allowed.)"
)
NO_OPERATION = SyntaxFault("expected DML or SELECT operation after FROM, {token}", "Expected data manipulation")
NO_EQUALS = SyntaxFault("expected assignment for SET, {token}", "Expected '='")
DELETE_WITHOUT_FROM = SyntaxFault("unexpected token found, {token}", "Expected FROM after DELETE")
NO_PROCEDURE = SyntaxFault("No stored procedure provided, {token}", "No stored procedure provided")
PAREN_AFTER_PROCEDURE = SyntaxFault(
    "unexpected token found, {token}", "Unexpected LEFT_PAREN found following stored procedure call"
)
NOT_CREATABLE = SyntaxFault("unexpected token found, {token}", "Unexpected token following CREATE")
NOT_DROPPABLE = SyntaxFault("unexpected token found, {token}", "Unexpected token following DROP")
NOT_UNDROPPABLE = SyntaxFault(
    "unexpected token found, {token}", "Unexpected token following UNDROP", "inferred", "after the text for DROP"
)
NO_NAME = SyntaxFault("unexpected token found, {token}", "Expected identifier!")
NO_INDEX_ON = SyntaxFault("unexpected token found, {token}", "Expected ON")
NO_INDEX_TARGET = SyntaxFault("unexpected token found, {token}", "Index target must be an identifier")
NO_TABLE_TARGET = SyntaxFault("unexpected token found, {token}", "Table target must be an identifier")
NO_INDEX_KEYS = SyntaxFault("unexpected token found, {token}", "Expected parenthesis for keys")
INDEX_KEY = SyntaxFault("unexpected token found, {token}", "An index is on exactly one top-level field", "ours", _OWN)
NO_PURGE = SyntaxFault("unexpected token found, {token}", "Expected WITH (purge = true)", "ours", _OWN)
NO_TAGS = SyntaxFault("unexpected token found, {token}", "Expected WITH (aws_tags = ...)", "ours", _OWN)
AFTER_DDL = SyntaxFault("unexpected token found, {token}", "Unexpected tokens after {word} statement!")
