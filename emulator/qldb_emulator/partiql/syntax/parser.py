"""Statement text to syntax tree: recursive descent, with precedence climbing for operators.

The dialect is QLDB's (partiql.md 1); precedence and the places where errors are found are the library's (partiql.md 0):

    OR, AND, NOT, = <> IS IN, < <= > >= BETWEEN LIKE, + - ||, * / %, signs, paths    (loosest first)

Depth is bounded, so that neither the parser nor anything that walks the tree exhausts the stack: no more than
``max_depth`` expressions and joins stand inside one another, whether by brackets or as a row of left-associative
operators (``a + b + c`` is two deep); a struct, a CASE, an ``[index]`` and the list of an IN count as two, a nested
SELECT as four with its parentheses.  Rows of AND, OR and ``||`` make one flat :class:`~.ast.Chain` and may be as long
as the statement.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from typing import Final

from ...ion.values import TypedNull
from ..language.errors import PartiqlError
from ..language.values import MISSING
from . import ast, nodes
from . import syntax_errors as fault
from .ast import Expr
from .lexer import END, IDENTIFIER, ION_LITERAL, LITERAL, QUOTED_IDENTIFIER, Tokens
from .reserved import DATE_PARTS, TRIM_SIDES

DEFAULT_DEPTH: Final = 200
# How many levels these count beyond the usual one, because whatever walks the tree takes more steps through them.
_MORE_OF_SELECT, _MORE_OF_TWO_PARTS = 2, 1

# --- Operators ---------------------------------------------------------------------------------------------
_OR, _AND, _NOT, _EQUALITY, _COMPARISON, _ADDITION, _MULTIPLICATION = 10, 20, 30, 40, 50, 60, 70
RANKS: Final = {
    "or": _OR,
    "and": _AND,
    "=": _EQUALITY,
    "<>": _EQUALITY,
    "!=": _EQUALITY,
    "is": _EQUALITY,
    "in": _EQUALITY,
    "<": _COMPARISON,
    "<=": _COMPARISON,
    ">": _COMPARISON,
    ">=": _COMPARISON,
    "between": _COMPARISON,
    "like": _COMPARISON,
    "+": _ADDITION,
    "-": _ADDITION,
    "||": _ADDITION,
    "*": _MULTIPLICATION,
    "/": _MULTIPLICATION,
    "%": _MULTIPLICATION,
    "not": 1_000,  # of NOT IN, NOT BETWEEN, NOT LIKE: the word after it decides
}
_NEGATABLE: Final = frozenset({"in", "between", "like"})

# --- Names -------------------------------------------------------------------------------------------------
_NAMES: Final = frozenset({IDENTIFIER, QUOTED_IDENTIFIER})
_BEFORE_ALIAS: Final = frozenset({*_NAMES, "as"})
_BEFORE_OTHER_ALIAS: Final = frozenset({"at", "by"})
# Behind a parenthesis in FROM: these begin an expression in parentheses, anything else a source in parentheses.
_EXPRESSION_IN_FROM: Final = frozenset({LITERAL, ION_LITERAL, "true", "false", "select"})
# The library had these as keywords, QLDB's list has not: no alias without AS, so that the clause is what is refused.
_NO_BARE_ALIAS: Final = frozenset({"let", "offset", "returning"})
FUNCTION_KEYWORDS: Final = frozenset(
    {
        "exists",
        "char_length",
        "character_length",
        "octet_length",
        "bit_length",
        "upper",
        "lower",
        "size",
        "coalesce",
        "nullif",
    }
)
_AGGREGATES: Final = frozenset({"count", "avg", "max", "min", "sum"})

# Type names as written -> (canonical name, how many arguments at most).  documented: ql-functions.cast; partiql.md 4.4
TYPE_NAMES: Final = {
    "missing": ("missing", 0),
    "null": ("null", 0),
    "bool": ("boolean", 0),
    "boolean": ("boolean", 0),
    "smallint": ("smallint", 0),
    "int": ("integer", 0),
    "integer": ("integer", 0),
    "float": ("float", 1),
    "real": ("real", 0),
    "double precision": ("double precision", 0),
    "dec": ("decimal", 2),
    "decimal": ("decimal", 2),
    "numeric": ("numeric", 2),
    "timestamp": ("timestamp", 0),
    "char": ("character", 1),
    "character": ("character", 1),
    "varchar": ("character varying", 1),
    "character varying": ("character varying", 1),
    "char varying": ("character varying", 1),
    "string": ("string", 0),
    "symbol": ("symbol", 0),
    "clob": ("clob", 0),
    "blob": ("blob", 0),
    "struct": ("struct", 0),
    "tuple": ("tuple", 0),
    "list": ("list", 0),
    "sexp": ("sexp", 0),
    "bag": ("bag", 0),
}


_NUMBERS: Final = frozenset((int, Decimal, float))
_NULL_NUMBERS: Final = frozenset(("int", "decimal", "float"))


def is_null_number(value: object) -> bool:
    """Whether a value is ``null.int``, ``null.decimal`` or ``null.float``."""
    return type(value) is TypedNull and value.ion_type in _NULL_NUMBERS


def parse(text: str, max_depth: int = DEFAULT_DEPTH) -> ast.Statement:
    """The syntax tree of exactly one statement; one ``;`` may follow it.

    Raises PartiqlError (Lexer or Parser) for everything that is no statement of the dialect.
    """
    parser = _Parser(Tokens(text), max_depth)
    try:
        return parser.statement()
    except RecursionError:  # only with a max_depth beyond what the interpreter's stack holds
        raise parser.too_deep() from None


class _Parser:
    """Reads tokens from left to right; ``at`` is the index of the next one."""

    __slots__ = ("at", "deferred", "depth", "height", "kinds", "max_depth", "places", "tokens", "values")

    def __init__(self, tokens: Tokens, max_depth: int) -> None:
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.values = tokens.values
        self.places = tokens.places
        self.max_depth = max_depth
        self.at = 0
        self.depth = 0  # of the expression being read, from above
        self.height = 0  # of the highest expression read since this was last set to 0, from below
        self.deferred: PartiqlError | None = None  # an error that counts only if nothing behind it is wrong

    # --- Tokens --------------------------------------------------------------------------------------------

    def error(self, row: fault.SyntaxFault, index: int | None = None, **values: object) -> PartiqlError:
        """The error of a row, at a token (the next one unless given)."""
        return row(self.tokens, self.at if index is None else index, **values)

    def accept(self, kind: str) -> bool:
        """Whether the next token is of this kind; it is then taken."""
        if self.kinds[self.at] == kind:
            self.at += 1
            return True
        return False

    def expect(self, kind: str, type_name: str) -> None:
        """Take a token of this kind or raise."""
        if self.kinds[self.at] != kind:
            raise self.error(fault.EXPECTED_TOKEN, expected=type_name)
        self.at += 1

    def expect_keyword(self, word: str) -> None:
        """Take this keyword or raise."""
        if self.kinds[self.at] != word:
            raise self.error(fault.EXPECTED_KEYWORD, expected=word.upper())
        self.at += 1

    def name(self, row: fault.SyntaxFault, **values: object) -> str:
        """Take a name, quoted or not, or raise."""
        if self.kinds[self.at] not in _NAMES:
            raise self.error(row, self.at, **values)
        self.at += 1
        text: str = self.values[self.at - 1]
        return text

    # --- Depth ---------------------------------------------------------------------------------------------

    def deepen(self, levels: int) -> None:
        """Go down; the caller takes the same off ``depth`` at the end."""
        self.depth += levels
        if self.depth > self.max_depth:
            raise self.too_deep()

    def grow(self, levels: int) -> None:
        """Count nodes put around what was read since ``height`` was last set."""
        self.height += levels
        if self.height > self.max_depth:
            raise self.too_deep()

    def too_deep(self) -> PartiqlError:
        return self.error(fault.TOO_DEEP, most=self.max_depth)

    # --- Statements ----------------------------------------------------------------------------------------

    def statement(self) -> ast.Statement:
        """The whole text."""
        kind = self.kinds[0]
        if "exec" in self.kinds and self.kinds.count("exec") > (kind == "exec"):
            raise self.error(fault.EXEC_IN_EXPRESSION, self.kinds.index("exec", 1))
        reader = _STATEMENTS.get(kind)
        if reader is None or (kind == "insert" and self.kinds[1] != "into"):
            statement: ast.Statement = nodes.query(
                self.expression(), parameter_count=self.tokens.parameter_count, pos=self.places[0]
            )
        else:
            statement = reader(self)
        self.end(fault.AFTER_EXPRESSION)
        if self.deferred is not None:
            raise self.deferred
        return statement

    def misplaced(self) -> Expr:
        """A statement inside an expression: read like any other, and refused when all is read."""
        start = self.at
        _MISPLACED[self.kinds[start]](self)
        row = fault.ONLY_AT_TOP if start else fault.UNEXPECTED_KEYWORD
        self.defer(self.error(row, start, word=fault.token_value(self.tokens, start)))
        return nodes.literal(None, pos=self.places[start])

    def insert_term(self) -> Expr:
        """INSERT INTO inside an expression."""
        return self.misplaced() if self.kinds[self.at + 1] == "into" else self.unexpected()

    def unexpected(self) -> Expr:
        raise self.no_term()

    def defer(self, error: PartiqlError) -> None:
        """Raise an error at the end of the statement, unless another comes first."""
        self.deferred = self.deferred or error

    def end(self, row: fault.SyntaxFault, **values: object) -> None:
        """Raise unless nothing but one ``;`` follows."""
        if self.accept(";") and self.kinds[self.at] != END:
            raise self.error(fault.AFTER_SEMICOLON)
        if self.kinds[self.at] != END:
            raise self.error(row, self.at, **values)

    def insert(self) -> ast.Statement:
        start = self.at
        self.at = start + 2
        table = self.target(is_of_insert=True)
        is_single = self.accept("value")
        value = self.expression()
        if is_single and self.kinds[self.at] == "at":  # the library reads a position, which a table has not
            self.defer(self.error(fault.AFTER_EXPRESSION))
            self.at += 1
            self.expression()
        return ast.Insert(table, value, is_single, parameter_count=self.tokens.parameter_count, pos=self.places[start])

    def update(self) -> ast.Statement:
        start = self.at
        at = self.at = start + 1
        source = self.aliased(self.target(), at)
        operation = self.operation()
        return ast.Update(
            source, (operation,), self.where(), parameter_count=self.tokens.parameter_count, pos=self.places[start]
        )

    def update_from_first(self) -> ast.Statement:
        start = self.at
        self.at = start + 1
        source = self.source()
        where = self.where()
        return ast.Update(
            source,
            (self.operation(),),
            where,
            True,
            parameter_count=self.tokens.parameter_count,
            pos=self.places[start],
        )

    def delete(self) -> ast.Statement:
        start = self.at
        self.at = start + 1
        if not self.accept("from"):
            raise self.error(fault.DELETE_WITHOUT_FROM)
        at = self.at
        source = self.aliased(self.target(), at)
        return ast.Delete(source, self.where(), parameter_count=self.tokens.parameter_count, pos=self.places[start])

    def where(self) -> Expr | None:
        return self.expression() if self.accept("where") else None

    def operation(self) -> ast.Operation:
        """SET, INSERT INTO or REMOVE; a statement has one of them."""
        at, kind = self.at, self.kinds[self.at]
        if kind == "set":
            return self.set_operation()
        if kind == "remove":
            self.at += 1
            return ast.RemoveOperation(self.target(), pos=self.places[at])
        if kind == "insert" and self.kinds[at + 1] == "into":
            self.at += 2
            target = self.target()
            is_single = self.accept("value")
            value = self.expression()
            key = self.expression() if is_single and self.accept("at") else None
            return ast.InsertOperation(target, value, key, is_single, pos=self.places[at])
        raise self.error(fault.NO_OPERATION)

    def set_operation(self) -> ast.SetOperation:
        start = self.at
        self.at += 1
        assignments = []
        while True:
            at = self.at
            target = self.target()
            if not self.accept("="):
                raise self.error(fault.NO_EQUALS)
            assignments.append(nodes.assignment(target, self.expression(), pos=self.places[at]))
            if not self.accept(","):
                return ast.SetOperation(tuple(assignments), pos=self.places[start])

    def target(self, is_of_insert: bool = False) -> ast.Variable | ast.Path:
        """What DML writes to: a name, then steps that are names, literals or variables.

        is_of_insert: a bracket begins the list to insert, unless it holds one literal and something follows it.
        """
        at = self.at
        kinds = self.kinds
        if kinds[at] not in _NAMES:
            raise self.error(fault.INVALID_PATH_COMPONENT)
        root = nodes.variable(self.values[at], kinds[at] == QUOTED_IDENTIFIER, pos=self.places[at])
        self.at += 1
        steps: list[ast.Step] = []
        while kinds[self.at] == "." or kinds[self.at] == "[":
            if is_of_insert and kinds[self.at] == "[" and not self.is_step_of_insert():
                break
            step = self.step()
            if isinstance(step, ast.FieldsStep):
                raise self.error(fault.STAR_IN_TARGET, self.at - 1)
            if isinstance(step, ast.ElementsStep) or (
                isinstance(step, ast.IndexStep) and not _is_simple_index(step.index)
            ):
                raise self.error(fault.INVALID_INDEX_OF_TARGET, self.index_of(step) + 1)
            steps.append(step)
        return nodes.path(root, tuple(steps), pos=root.pos) if steps else root

    def is_step_of_insert(self) -> bool:
        """Whether the bracket that comes next belongs to the target of INSERT INTO, not to its value."""
        following = self.kinds[self.at + 1 : self.at + 4]
        return following[:2] == [LITERAL, "]"] and following[2] not in (END, ";")

    def index_of(self, node: ast.Node) -> int:
        """The index of the token at which a node began.

        Tokens stand in order, so it is looked up by halves: 9,000 stars in a select list took seconds otherwise.
        """
        return bisect_left(self.places, node.pos)

    # --- DDL and EXEC --------------------------------------------------------------------------------------

    def create(self) -> ast.Statement:
        start = self.at
        self.at = start + 2
        kind = self.kinds[start + 1]
        if kind == "table":
            statement = self.create_table()
        elif kind == "index":
            statement = self.create_index()
        else:
            raise self.error(fault.NOT_CREATABLE, start + 1)
        self.end(fault.AFTER_DDL, word="CREATE")
        return statement

    def create_table(self) -> ast.Statement:
        name = self.name(fault.NO_NAME)
        tags = None
        if self.accept("with"):
            self.expect("(", "LEFT_PAREN")
            if self.kinds[self.at] not in _NAMES or self.values[self.at] != "aws_tags":
                raise self.error(fault.NO_TAGS)
            self.at += 1
            self.expect("=", "OPERATOR")
            tags = self.expression()
            self.expect(")", "RIGHT_PAREN")
        return ast.CreateTable(name, tags, parameter_count=self.tokens.parameter_count, pos=self.places[0])

    def create_index(self) -> ast.Statement:
        if not self.accept("on"):
            raise self.error(fault.NO_INDEX_ON)
        table_at = self.at
        table = self.name(fault.NO_INDEX_TARGET)
        if not self.accept("("):
            raise self.error(fault.NO_INDEX_KEYS)
        field_name = self.name(fault.INVALID_PATH_COMPONENT)
        if self.kinds[self.at] in (",", ".", "["):
            raise self.error(fault.INDEX_KEY)
        self.expect(")", "RIGHT_PAREN")
        return ast.CreateIndex(
            table, field_name, parameter_count=self.tokens.parameter_count, pos=self.places[table_at]
        )

    def drop(self) -> ast.Statement:
        start = self.at
        self.at = start + 2
        kind = self.kinds[start + 1]
        if kind == "table":
            # The errors about a table that is not there stand at its name, as for DELETE (recorded: driver-go).
            statement: ast.Statement = ast.DropTable(
                self.name(fault.NO_NAME), parameter_count=self.tokens.parameter_count, pos=self.places[2]
            )
        elif kind == "index":
            statement = self.drop_index()
        else:
            raise self.error(fault.NOT_DROPPABLE, start + 1)
        self.end(fault.AFTER_DDL, word="DROP")
        return statement

    def drop_index(self) -> ast.Statement:
        index_id = self.name(fault.NO_NAME)
        if not self.accept("on"):
            raise self.error(fault.NO_INDEX_ON)
        table_at = self.at
        table = self.name(fault.NO_TABLE_TARGET)
        for kind in ("with", "(", IDENTIFIER, "=", "true", ")"):
            if self.kinds[self.at] != kind or (kind == IDENTIFIER and self.values[self.at] != "purge"):
                raise self.error(fault.NO_PURGE)
            self.at += 1
        return ast.DropIndex(index_id, table, parameter_count=self.tokens.parameter_count, pos=self.places[table_at])

    def undrop(self) -> ast.Statement:
        self.at = 1
        if not self.accept("table"):
            raise self.error(fault.NOT_UNDROPPABLE)
        table_id = self.name(fault.NO_NAME)
        self.end(fault.AFTER_DDL, word="UNDROP")
        return ast.UndropTable(table_id, parameter_count=self.tokens.parameter_count, pos=self.places[0])

    def exec(self) -> ast.Statement:
        self.at = 1
        if self.kinds[1] in (END, ";"):
            raise self.error(fault.NO_PROCEDURE)
        name = self.name(fault.NO_NAME).lower()
        if self.kinds[self.at] == "(":
            raise self.error(fault.PAREN_AFTER_PROCEDURE)
        arguments = () if self.kinds[self.at] == END else self.expressions()
        return ast.Exec(name, arguments, parameter_count=self.tokens.parameter_count, pos=self.places[0])

    # --- SELECT --------------------------------------------------------------------------------------------

    def select(self) -> Expr:
        start = self.at
        self.at += 1
        self.deepen(_MORE_OF_SELECT)
        self.accept("all")
        value: Expr | None = None
        items: tuple[ast.SelectItem | ast.SelectAll, ...] = ()
        is_star = False
        if self.accept("value"):
            value = self.expression()
        elif self.kinds[self.at] == "*" and self.kinds[self.at + 1] != ",":
            self.at += 1
            is_star = True
        else:
            items = self.select_list()
        if not self.accept("from"):
            raise self.error(fault.NO_FROM)
        source = self.source()
        where = self.where()
        self.depth -= _MORE_OF_SELECT
        self.grow(_MORE_OF_SELECT)
        return nodes.select(source, where, items, value, is_star, pos=self.places[start])

    def select_list(self) -> tuple[ast.SelectItem | ast.SelectAll, ...]:
        items: list[ast.SelectItem | ast.SelectAll] = []
        star = None
        while True:
            if self.kinds[self.at] == "*":
                star = self.at if star is None else star
                self.at += 1
            else:
                items.append(self.select_item())
            if not self.accept(","):
                break
        if star is not None:  # `SELECT *` alone has been read elsewhere
            raise self.error(fault.STAR_NOT_ALONE, star)
        return tuple(items)

    def select_item(self) -> ast.SelectItem | ast.SelectAll:
        start = self.at
        value = self.expression()
        if isinstance(value, ast.Path):
            if "*" in self.kinds[start : self.at]:
                self.check_wildcards(value)
            last = value.steps[-1]
            if isinstance(last, ast.FieldsStep):
                rest = value.steps[:-1]
                inner = nodes.path(value.root, rest, pos=value.pos) if rest else value.root
                at = self.at
                if self.alias("as") is not None:
                    self.defer(self.error(fault.ALIAS_OF_STAR, at))
                return ast.SelectAll(inner, pos=self.places[start])
        return nodes.select_item(value, self.alias("as"), pos=self.places[start])

    def check_wildcards(self, path: ast.Path) -> None:
        """Raise when a path of a select list has a wildcard anywhere but as ``.*`` at its end."""
        steps = sorted(_steps_inside(path), key=lambda step: step.pos)
        for step in steps:
            if isinstance(step, ast.ElementsStep):
                raise self.error(fault.STAR_IN_SELECT_LIST, self.index_of(step) + 1)
        last = path.steps[-1]
        for step in steps:
            if isinstance(step, ast.FieldsStep) and step is not last:
                raise self.error(fault.STAR_IN_SELECT_LIST, self.index_of(step) + 1)
        if isinstance(last, ast.FieldsStep):
            for step in steps:
                at = self.index_of(step)
                if self.kinds[at] == "[":  # an index, or a field's name in brackets
                    raise self.error(fault.STAR_AFTER_BRACKETS, at)

    # --- FROM ----------------------------------------------------------------------------------------------

    def source(self) -> ast.Source:
        """A FROM list: items joined by commas and inner joins, from left to right."""
        left = self.from_item()
        while True:
            at, kinds = self.at, self.kinds
            kind = kinds[at]
            if kind == ",":
                self.at += 1
            elif kind == "join" or (kind == "inner" and kinds[at + 1] == "join"):
                self.at += 1 if kind == "join" else 2
                left = self.join_on(left, at)
                continue
            elif kind == "cross" and kinds[at + 1] == "join":
                self.at += 2
            elif kind == "inner" and kinds[at + 1] == "cross" and kinds[at + 2] == "join":
                self.at += 3
            else:
                return left
            left = self.join(left, self.from_item(), None, at)

    def join_on(self, left: ast.Source, at: int) -> ast.Join:
        right = self.from_item()
        if not self.accept("on"):
            raise self.error(fault.NO_ON)
        return self.join(left, right, self.expression(), at)

    def join(self, left: ast.Source, right: ast.Source, condition: Expr | None, at: int) -> ast.Join:
        """left JOIN right; a join in parentheses on the right is unrolled, which inner joins allow."""
        self.grow(1)
        pos = self.places[at]
        if isinstance(right, ast.FromItem):
            return ast.Join(left, right, condition, pos=pos)
        joins = []
        while isinstance(right, ast.Join):
            joins.append(right)
            right = right.left
        joined = ast.Join(left, right, None, pos=pos)
        for inner in reversed(joins):
            both = inner.condition
            if inner is joins[0] and condition is not None:
                both = condition if both is None else nodes.chain("AND", (both, condition), pos=pos)
            joined = ast.Join(joined, inner.right, both, pos=inner.pos)
        return joined

    def from_item(self) -> ast.Source:
        """One source with its aliases; a join only when it stands in parentheses."""
        start, kinds = self.at, self.kinds
        kind = kinds[start]
        if kind == "unpivot":
            self.at += 1
            return self.aliased(self.expression(), start, is_unpivot=True)
        if kind == "(" and kinds[start + 1] not in _EXPRESSION_IN_FROM:
            self.at += 1
            self.deepen(1)
            inner = self.source()
            self.depth -= 1
            self.expect(")", "RIGHT_PAREN")
            if isinstance(inner, ast.Join) or inner.alias or inner.at or inner.by:
                return inner
            return self.aliased(inner.value, start, inner.is_unpivot)
        if kind == IDENTIFIER and kinds[start + 1] == "(" and self.values[start].lower() == "history":
            return self.aliased(self.history(), start)
        return self.aliased(self.expression(), start)

    def aliased(self, value: Expr, start: int, is_unpivot: bool = False) -> ast.FromItem:
        """A source that has been read, with the aliases that follow it: ``[AS] a AT b BY c``."""
        alias = self.alias("as") if self.kinds[self.at] in _BEFORE_ALIAS else None
        alias_pos = None if alias is None else self.places[self.at - 1]
        if self.kinds[self.at] not in _BEFORE_OTHER_ALIAS:
            return nodes.from_item(value, alias, None, None, is_unpivot, alias_pos=alias_pos, pos=self.places[start])
        at, at_pos = self.alias("at"), self.places[self.at - 1]
        by, by_pos = self.alias("by"), self.places[self.at - 1]
        return ast.FromItem(
            value,
            alias,
            at,
            by,
            is_unpivot,
            alias_pos=alias_pos,
            at_pos=at_pos,
            by_pos=by_pos,
            pos=self.places[start],
        )

    def alias(self, word: str) -> str | None:
        """The name after AS, AT or BY; the word AS may be left out."""
        kind = self.kinds[self.at]
        if kind == word:
            self.at += 1
            return self.name(fault.NO_ALIAS, word=word.upper())
        if word == "as" and kind in _NAMES:
            text: str = self.values[self.at]
            if kind == QUOTED_IDENTIFIER or text.lower() not in _NO_BARE_ALIAS:
                self.at += 1
                return text
        return None

    def history(self) -> ast.History:
        """``history(table [, start [, end]])``, the next token being its name."""
        start, kinds = self.at, self.kinds
        self.at += 2
        at = self.at
        table: Expr
        if kinds[at] in _NAMES:
            table = nodes.variable(self.values[at], kinds[at] == QUOTED_IDENTIFIER, pos=self.places[at])
        elif kinds[at] == LITERAL and isinstance(self.values[at], str):
            table = nodes.literal(self.values[at], pos=self.places[at])
        else:
            raise self.error(fault.HISTORY_TABLE)
        self.at += 1
        first = self.expression() if self.accept(",") else None
        second = self.expression() if first is not None and self.accept(",") else None
        self.expect(")", "RIGHT_PAREN")
        return ast.History(table, first, second, pos=self.places[start])

    # --- Expressions ---------------------------------------------------------------------------------------

    def expression(self, floor: int = 0) -> Expr:
        """An expression of operators that bind more tightly than *floor*."""
        depth = self.depth + 1
        if depth > self.max_depth:
            raise self.too_deep()
        self.depth = depth
        highest = self.height
        self.height = 0
        kinds = self.kinds
        at = self.at
        kind = kinds[at]
        if kind == IDENTIFIER and kinds[at + 1] != "(":  # as ``variable`` has it
            self.at = at + 1
            left: Expr = nodes.variable(self.values[at], pos=self.places[at])
        else:
            reader = _TERMS.get(kind)
            if reader is None:
                raise self.no_term()
            left = reader(self)
        kind = kinds[self.at]
        if (kind == "." or kind == "[") and kinds[at] not in _PREFIXES:
            left = self.path(left)
            kind = kinds[self.at]
        height = self.height + 1
        while True:
            rank = RANKS.get(kind, 0)
            if rank > _MULTIPLICATION:  # NOT: the word after it decides
                following = kinds[self.at + 1]
                rank = RANKS[following] if following in _NEGATABLE else 0
            if rank <= floor:
                self.depth = depth - 1
                self.height = height if height > highest else highest
                return left
            self.height = height
            left = _OPERATORS[kind](self, left, rank)
            height = self.height + 1
            if height > self.max_depth:
                raise self.too_deep()
            kind = kinds[self.at]

    def right_side(self, rank: int, operator: int) -> Expr:
        """What stands to the right of an infix operator, whose last word is the token before the next."""
        if self.kinds[self.at] == END:
            raise self.error(fault.MISSING_RIGHT_SIDE, operator)
        return self.expression(rank)

    def binary(self, left: Expr, rank: int) -> Expr:
        at = self.at
        self.at = at + 1
        kind = self.kinds[at]
        return nodes.binary("<>" if kind == "!=" else kind, left, self.right_side(rank, at), pos=self.places[at])

    def chain(self, left: Expr, rank: int) -> Expr:
        at, kind = self.at, self.kinds[self.at]
        operands, operators = [left], []
        while self.accept(kind):
            operators.append(self.places[self.at - 1])
            operands.append(self.right_side(rank, self.at - 1))
        return nodes.chain(kind.upper(), tuple(operands), operators=tuple(operators), pos=self.places[at])

    def is_type(self, left: Expr, rank: int) -> Expr:
        at = self.at
        self.at += 1
        is_negated = self.accept("not")
        return ast.Is(left, self.type_name(), is_negated, pos=self.places[at])

    def membership(self, left: Expr, rank: int, is_negated: bool = False) -> Expr:
        at = self.at - 1 if is_negated else self.at
        self.at += 1
        kinds = self.kinds
        collection: Expr
        if kinds[self.at] == "(" and kinds[self.at + 1] not in ("select", "values"):
            opening = self.at
            self.at += 1
            self.deepen(_MORE_OF_TWO_PARTS)
            collection = nodes.list_constructor(self.expressions(), pos=self.places[opening])
            self.depth -= _MORE_OF_TWO_PARTS
            self.grow(_MORE_OF_TWO_PARTS)
            self.expect(")", "RIGHT_PAREN")
        else:
            collection = self.right_side(rank, at)
        return ast.In(left, collection, is_negated, pos=self.places[at])

    def between(self, left: Expr, rank: int, is_negated: bool = False) -> Expr:
        at = self.at - 1 if is_negated else self.at
        self.at += 1
        low = self.right_side(rank, at)
        self.expect_keyword("and")
        self.expect_more("AND")
        return ast.Between(left, low, self.expression(rank), is_negated, pos=self.places[at])

    def like(self, left: Expr, rank: int, is_negated: bool = False) -> Expr:
        at = self.at - 1 if is_negated else self.at
        self.at += 1
        pattern = self.right_side(rank, at)
        escape = None
        if self.accept("escape"):
            self.expect_more("ESCAPE")
            escape = self.expression(rank)
        return ast.Like(left, pattern, escape, is_negated, pos=self.places[at])

    def negated(self, left: Expr, rank: int) -> Expr:
        """NOT IN, NOT BETWEEN, NOT LIKE."""
        self.at += 1
        return _NEGATED[self.kinds[self.at]](self, left, rank, True)

    def expect_more(self, word: str) -> None:
        """Raise when the statement ends behind the word just taken."""
        kinds, at = self.kinds, self.at
        if kinds[at] == END or (kinds[at] == ";" and kinds[at + 1] == END):
            raise self.error(fault.NO_EXPRESSION_AFTER, self.at - 1, word=word)

    def expressions(self) -> tuple[Expr, ...]:
        """One or more expressions with commas between them."""
        found = [self.expression()]
        while self.accept(","):
            found.append(self.expression())
        return tuple(found)

    # --- Terms ---------------------------------------------------------------------------------------------

    def no_term(self) -> PartiqlError:
        """The error for a token that begins no expression."""
        kind = self.kinds[self.at]
        type_name = fault.token_type(self.tokens, self.at)
        if kind == "undrop" and self.at > 0:
            return self.error(fault.ONLY_AT_TOP, word=kind)
        if type_name == "KEYWORD":
            return self.error(fault.UNEXPECTED_KEYWORD)
        return self.error(fault.UNEXPECTED_OPERATOR if type_name == "OPERATOR" else fault.UNEXPECTED_TERM)

    def literal(self) -> Expr:
        at = self.at
        self.at = at + 1
        return nodes.literal(self.values[at], pos=self.places[at])

    def ion_literal(self) -> Expr:
        at = self.at
        self.at = at + 1
        return nodes.literal(self.values[at], True, pos=self.places[at])

    def word_literal(self) -> Expr:
        """NULL, MISSING, TRUE, FALSE."""
        at = self.at
        self.at = at + 1
        return nodes.literal(_WORD_LITERALS[self.kinds[at]], pos=self.places[at])

    def parameter(self) -> Expr:
        at = self.at
        self.at = at + 1
        return nodes.parameter(self.values[at] - 1, pos=self.places[at])

    def variable(self) -> Expr:
        """A name, or the call of a function of that name."""
        at = self.at
        if self.kinds[at + 1] == "(":
            return self.aggregate() if self.values[at].lower() in _AGGREGATES else self.call()
        self.at = at + 1
        return nodes.variable(self.values[at], self.kinds[at] == QUOTED_IDENTIFIER, pos=self.places[at])

    def local(self) -> Expr:
        """``@name``."""
        at = self.at + 1
        kind = self.kinds[at]
        if kind not in _NAMES:
            raise self.error(fault.NO_NAME_AFTER_AT_SIGN)
        self.at = at + 1
        return nodes.variable(self.values[at], kind == QUOTED_IDENTIFIER, True, pos=self.places[at])

    def negation(self) -> Expr:
        at = self.at
        if self.kinds[at + 1] in _NEGATABLE:  # NOT IN and the like are one word to the library
            raise self.no_term()
        self.at = at + 1
        return ast.Unary("NOT", self.expression(_NOT), pos=self.places[at])

    def sign(self) -> Expr:
        """``-`` and ``+``, which become part of a number they stand before."""
        start = self.at
        kinds = self.kinds
        while kinds[self.at] == "-" or kinds[self.at] == "+":
            self.at += 1
        signs = self.at - start
        self.deepen(signs)
        first = kinds[self.at]
        reader = _TERMS.get(first)
        if reader is None:
            raise self.no_term()
        operand = reader(self)
        if (kinds[self.at] == "." or kinds[self.at] == "[") and first != "not":
            operand = self.path(operand)
        self.depth -= signs
        self.grow(signs)
        for at in range(start + signs - 1, start - 1, -1):
            operand = self.signed(kinds[at], operand, at)
        return operand

    def signed(self, sign: str, operand: Expr, at: int) -> Expr:
        """A sign before a number becomes a part of it, before anything else it is an operator."""
        if isinstance(operand, ast.Literal):
            number = operand.value
            if sign == "+" and (type(number) in _NUMBERS or is_null_number(number)):
                return operand
            if type(number) is int:
                return nodes.literal(-number, operand.is_ion, pos=operand.pos)
            if type(number) is Decimal:  # minus zero is a negative zero, also when it was one before
                number = number.copy_negate() if number else number.copy_abs().copy_negate()
                return nodes.literal(number, operand.is_ion, pos=operand.pos)
            if type(number) is float:
                return nodes.literal(-number, operand.is_ion, pos=operand.pos)
        return ast.Unary(sign, operand, pos=self.places[at])

    def path(self, root: Expr) -> Expr:
        """The steps after a term."""
        steps: list[ast.Step] = []
        kinds, values, places = self.kinds, self.values, self.places
        at = self.at
        while True:
            if kinds[at] == "." and kinds[at + 1] == IDENTIFIER:  # as ``step`` has it
                steps.append(nodes.field_step(values[at + 1], pos=places[at + 1]))
                at += 2
            elif kinds[at] == "." or kinds[at] == "[":
                self.at = at
                steps.append(self.step())
                at = self.at
            else:
                break
        self.at = at
        if isinstance(root, ast.Path) and not any(
            isinstance(step, ast.ElementsStep | ast.FieldsStep) for step in root.steps
        ):
            return nodes.path(root.root, root.steps + tuple(steps), pos=root.pos)
        return nodes.path(root, tuple(steps), pos=root.pos)

    def step(self) -> ast.Step:
        at = self.at
        kinds = self.kinds
        if kinds[at] == ".":
            kind = kinds[at + 1]
            self.at = at + 2
            if kind in _NAMES:
                return nodes.field_step(self.values[at + 1], kind == QUOTED_IDENTIFIER, pos=self.places[at + 1])
            if kind == "*":
                return ast.FieldsStep(pos=self.places[at])
            raise self.error(fault.INVALID_STEP, at + 1)
        self.at = at + 1
        step: ast.Step
        if self.accept("*"):
            step = ast.ElementsStep(pos=self.places[at])
        else:
            self.deepen(_MORE_OF_TWO_PARTS)
            index = self.expression()
            self.depth -= _MORE_OF_TWO_PARTS
            self.grow(_MORE_OF_TWO_PARTS)
            if isinstance(index, ast.Literal) and type(index.value) is str and not index.is_ion:
                step = nodes.field_step(index.value, True, pos=self.places[at])
            else:
                step = ast.IndexStep(index, pos=self.places[at])
        self.expect("]", "RIGHT_BRACKET")
        return step

    def parenthesized(self) -> Expr:
        """``(a)`` is a; ``(a, b)`` is a list."""
        at = self.at
        self.at = at + 1
        first = self.expression()
        if self.accept(")"):
            return first
        items = [first]
        while self.accept(","):
            items.append(self.expression())
        self.expect(")", "RIGHT_PAREN")
        return nodes.list_constructor(tuple(items), pos=self.places[at])

    def list_constructor(self) -> Expr:
        at = self.at
        self.at = at + 1
        items = () if self.kinds[self.at] == "]" else self.expressions()
        self.expect("]", "RIGHT_BRACKET")
        return nodes.list_constructor(items, pos=self.places[at])

    def bag_constructor(self) -> Expr:
        at = self.at
        self.at = at + 1
        items = () if self.kinds[self.at] == ">>" else self.expressions()
        self.expect(">>", "RIGHT_DOUBLE_ANGLE_BRACKET")
        return nodes.bag_constructor(items, pos=self.places[at])

    def struct_constructor(self) -> Expr:
        at = self.at
        self.at = at + 1
        self.deepen(_MORE_OF_TWO_PARTS)
        fields = []
        if self.kinds[self.at] != "}":
            while True:
                name = self.expression()
                self.expect(":", "COLON")
                fields.append((name, self.expression()))
                if not self.accept(","):
                    break
        self.expect("}", "RIGHT_CURLY")
        self.depth -= _MORE_OF_TWO_PARTS
        self.grow(_MORE_OF_TWO_PARTS)
        return nodes.struct_constructor(tuple(fields), pos=self.places[at])

    def case(self) -> Expr:
        at = self.at
        self.at = at + 1
        self.deepen(_MORE_OF_TWO_PARTS)
        operand = None if self.kinds[self.at] == "when" else self.expression()
        if self.kinds[self.at] != "when":
            raise self.error(fault.NO_WHEN)
        whens = []
        while self.accept("when"):
            condition = self.expression()
            self.expect_keyword("then")
            whens.append((condition, self.expression()))
        default = self.expression() if self.accept("else") else None
        self.expect_keyword("end")
        self.depth -= _MORE_OF_TWO_PARTS
        self.grow(_MORE_OF_TWO_PARTS)
        return ast.Case(operand, tuple(whens), default, pos=self.places[at])

    # --- Calls ---------------------------------------------------------------------------------------------

    def function_keyword(self) -> Expr:
        """A keyword that is the name of a function, and nothing else."""
        if self.kinds[self.at + 1] != "(":
            raise self.error(fault.UNEXPECTED_KEYWORD)
        return self.call()

    def call(self) -> Expr:
        """``name(a, b)``, the next tokens being the name and the parenthesis."""
        at = self.at
        name: str = self.values[at].lower()
        self.at = at + 2
        kind = self.kinds[self.at]
        if kind == "*":
            raise self.error(fault.STAR_ARGUMENT, name=self.values[at] if self.kinds[at] in _NAMES else name)
        arguments = () if kind == ")" else self.expressions()
        self.expect(")", "RIGHT_PAREN")
        constructor = _CONSTRUCTORS.get(name)
        if constructor is not None:
            return constructor(arguments, pos=self.places[at])
        return ast.Call(name, arguments, pos=self.places[at])

    def aggregate(self) -> Expr:
        at = self.at
        name: str = self.values[at].lower()
        if self.kinds[at + 1] != "(":
            raise self.error(fault.UNEXPECTED_KEYWORD)
        self.at = first = at + 2
        if name == "count" and self.accept("*"):
            self.expect(")", "RIGHT_PAREN")
            return ast.Aggregate(name, None, pos=self.places[at])
        is_distinct = self.accept("distinct")
        is_qualified = is_distinct or self.accept("all")
        if self.kinds[self.at] == "*":
            if name == "count" and is_qualified:
                quantifier = "DISTINCT" if is_distinct else "ALL"
                raise self.error(fault.STAR_WITH_QUANTIFIER, first, quantifier=quantifier)
            raise self.error(fault.STAR_ARGUMENT, first, name=name)
        if self.kinds[self.at] == ")" and not (name == "count" and is_qualified):
            raise self.error(fault.AGGREGATE_ARITY, first)
        arguments = self.expressions()
        self.expect(")", "RIGHT_PAREN")
        if len(arguments) != 1:
            raise self.error(fault.AGGREGATE_ARITY, first)
        return ast.Aggregate(name, arguments[0], is_distinct, pos=self.places[at])

    def cast(self) -> Expr:
        at = self.at
        self.at = at + 1
        if not self.accept("("):
            raise self.error(fault.NO_PAREN_AFTER_CAST)
        value = self.expression()
        self.expect("as", "AS")
        type_name = self.type_name()
        self.expect(")", "RIGHT_PAREN")
        return ast.Cast(value, type_name, opening=self.places[at + 1], pos=self.places[at])

    def type_name(self) -> ast.TypeName:
        at = self.at
        written = self.kinds[at]
        if written != END:
            two_words = f"{written} {self.kinds[at + 1]}"
            if two_words in TYPE_NAMES:
                written = two_words
                self.at += 1
        if written not in TYPE_NAMES:
            raise self.error(fault.EXPECTED_TYPE_NAME)
        self.at += 1
        name, most = TYPE_NAMES[written]
        arguments: tuple[Expr, ...] = ()
        after = self.at
        if self.accept("("):
            arguments = self.expressions()
            self.expect(")", "RIGHT_PAREN")
        if len(arguments) > most:
            raise self.error(fault.TYPE_ARITY, after, name=name.replace(" ", "_"), least=0, most=most)
        sizes = []
        for argument in arguments:
            if not isinstance(argument, ast.Literal) or type(argument.value) is not int or argument.value < 0:
                raise self.error(fault.TYPE_PARAMETER, at)
            sizes.append(argument.value)
        return ast.TypeName(name, tuple(sizes), pos=self.places[at])

    def opening(self) -> None:
        """Take the parenthesis after a function with a syntax of its own."""
        self.at += 1
        if not self.accept("("):
            raise self.error(fault.NO_LEFT_PAREN)

    def substring(self) -> Expr:
        """``SUBSTRING(s, n [, m])`` and ``SUBSTRING(s FROM n [FOR m])``."""
        at = self.at
        self.opening()
        arguments = [self.expression()]
        if self.kinds[self.at] not in ("from", ","):
            raise self.error(fault.NO_ARGUMENT_DELIMITER)
        delimiter, type_name = ("for", "FOR") if self.kinds[self.at] == "from" else (",", "COMMA")
        self.at += 1
        arguments.append(self.expression())
        if self.accept(delimiter):
            arguments.append(self.expression())
            self.expect(")", "RIGHT_PAREN")
        elif not self.accept(")"):
            kind = _node_type(arguments[-1])
            raise self.error(fault.EXPECTED_EITHER, first=type_name, second="RIGHT_PAREN", node=kind)
        return ast.Call("substring", tuple(arguments), pos=self.places[at])

    def trim(self) -> Expr:
        """``TRIM([[LEADING|TRAILING|BOTH] [characters] FROM] value)``."""
        at = self.at
        self.opening()
        side = ""
        is_sided = self.kinds[self.at] == IDENTIFIER and self.values[self.at].lower() in TRIM_SIDES
        if is_sided:
            side = self.values[self.at].lower()
            self.at += 1
        characters: Expr | None = None
        if self.accept("from"):
            value = self.expression()
        else:
            value = self.expression()
            if is_sided:
                self.expect_keyword("from")
                characters, value = value, self.expression()
            elif self.accept("from"):
                characters, value = value, self.expression()
        if not self.accept(")"):
            raise self.error(fault.NO_RIGHT_PAREN)
        return ast.Trim(side, characters, value, pos=self.places[at])

    def date_part(self) -> str:
        if self.kinds[self.at] == IDENTIFIER:
            word: str = self.values[self.at].lower()
            if word in DATE_PARTS:
                self.at += 1
                return word
        raise self.error(fault.EXPECTED_DATE_PART, parts=", ".join(DATE_PARTS))

    def extract(self) -> Expr:
        """``EXTRACT(part FROM timestamp)``."""
        at = self.at
        self.opening()
        part = self.date_part()
        self.expect_keyword("from")
        value = self.expression()
        self.expect(")", "RIGHT_PAREN")
        return ast.DateCall("extract", part, (value,), pos=self.places[at])

    def date_arithmetic(self) -> Expr:
        """``DATE_ADD(part, n, timestamp)`` and ``DATE_DIFF(part, from, to)``."""
        at = self.at
        self.opening()
        part = self.date_part()
        self.expect(",", "COMMA")
        first = self.expression()
        self.expect(",", "COMMA")
        second = self.expression()
        self.expect(")", "RIGHT_PAREN")
        return ast.DateCall(self.kinds[at], part, (first, second), pos=self.places[at])


def _is_simple_index(index: Expr) -> bool:
    """Whether the index of a target is what the library takes for an atom: a literal or a bare name."""
    return isinstance(index, ast.Literal) or (isinstance(index, ast.Variable) and not index.is_local)


def _steps_inside(node: object) -> list[ast.Step]:
    """Every step of every path inside an expression, nested ones included."""
    found: list[ast.Step] = []
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, tuple):
            stack.extend(part)
        elif isinstance(part, ast.Node):
            if isinstance(part, ast.FieldStep | ast.IndexStep | ast.ElementsStep | ast.FieldsStep):
                found.append(part)
            stack.extend([getattr(part, each.name) for each in fields(part)])
    return found


_NODE_TYPES: Final[tuple[tuple[type, str], ...]] = (
    (ast.Literal, "ATOM"),
    (ast.Path, "PATH"),
    (ast.Unary, "UNARY"),
    (ast.Between, "TERNARY"),
    (ast.Cast, "CAST"),
    (ast.Case, "CASE"),
    (ast.Parameter, "PARAMETER"),
    (ast.ListConstructor, "LIST"),
    (ast.BagConstructor, "BAG"),
    (ast.StructConstructor, "STRUCT"),
    (ast.Binary, "BINARY"),
    (ast.Chain, "BINARY"),
    (ast.Is, "BINARY"),
    (ast.In, "BINARY"),
)


def _node_type(node: Expr) -> str:
    """What the library calls an expression."""
    if isinstance(node, ast.Variable):
        return "UNARY" if node.is_local else "ATOM"
    if isinstance(node, ast.Like):
        return "BINARY" if node.escape is None else "TERNARY"
    if isinstance(node, ast.Select):
        return "SELECT_LIST" if node.value is None else "SELECT_VALUE"
    if isinstance(node, ast.Aggregate):
        if node.argument is None:
            return "CALL_AGG_WILDCARD"
        return "CALL_DISTINCT_AGG" if node.is_distinct else "CALL_AGG"
    return next((name for kind, name in _NODE_TYPES if isinstance(node, kind)), "CALL")


_WORD_LITERALS: Final = {"null": None, "missing": MISSING, "true": True, "false": False}
_CONSTRUCTORS: Final[dict[str, Callable[..., Expr]]] = {
    "list": ast.ListConstructor,
    "bag": ast.BagConstructor,
    "sexp": ast.SexpConstructor,
}

_STATEMENTS: Final[dict[str, Callable[[_Parser], ast.Statement]]] = {
    "insert": _Parser.insert,
    "update": _Parser.update,
    "from": _Parser.update_from_first,
    "delete": _Parser.delete,
    "create": _Parser.create,
    "drop": _Parser.drop,
    "undrop": _Parser.undrop,
    "exec": _Parser.exec,
}

_MISPLACED: Final[dict[str, Callable[[_Parser], object]]] = {
    **dict.fromkeys(("insert", "set", "remove"), _Parser.operation),
    "update": _Parser.update,
    "from": _Parser.update_from_first,
    "delete": _Parser.delete,
    "create": _Parser.create,
    "drop": _Parser.drop,
}

_TERMS: Final[dict[str, Callable[[_Parser], Expr]]] = {
    IDENTIFIER: _Parser.variable,
    QUOTED_IDENTIFIER: _Parser.variable,
    "@": _Parser.local,
    LITERAL: _Parser.literal,
    ION_LITERAL: _Parser.ion_literal,
    "?": _Parser.parameter,
    **dict.fromkeys(_WORD_LITERALS, _Parser.word_literal),
    "(": _Parser.parenthesized,
    "[": _Parser.list_constructor,
    "<<": _Parser.bag_constructor,
    "{": _Parser.struct_constructor,
    "not": _Parser.negation,
    "-": _Parser.sign,
    "+": _Parser.sign,
    "select": _Parser.select,
    "insert": _Parser.insert_term,
    **dict.fromkeys(("update", "from", "delete", "create", "drop", "set", "remove"), _Parser.misplaced),
    "case": _Parser.case,
    "cast": _Parser.cast,
    "substring": _Parser.substring,
    "trim": _Parser.trim,
    "extract": _Parser.extract,
    "date_add": _Parser.date_arithmetic,
    "date_diff": _Parser.date_arithmetic,
    **dict.fromkeys(_AGGREGATES, _Parser.aggregate),
    **dict.fromkeys(FUNCTION_KEYWORDS, _Parser.function_keyword),
    **dict.fromkeys(_CONSTRUCTORS, _Parser.function_keyword),
}

_PREFIXES: Final = ("not", "-", "+")  # their operand takes the steps behind it

_OPERATORS: Final[dict[str, Callable[[_Parser, Expr, int], Expr]]] = {
    **dict.fromkeys(RANKS, _Parser.binary),
    **dict.fromkeys(("and", "or", "||"), _Parser.chain),
    "is": _Parser.is_type,
    "in": _Parser.membership,
    "between": _Parser.between,
    "like": _Parser.like,
    "not": _Parser.negated,
}
_NEGATED: Final[dict[str, Callable[[_Parser, Expr, int, bool], Expr]]] = {
    "in": _Parser.membership,
    "between": _Parser.between,
    "like": _Parser.like,
}
