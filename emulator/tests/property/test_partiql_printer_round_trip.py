"""parse(to_text(tree)) == tree, for trees of every shape that the parser can make."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qldb_emulator.ion.values import Symbol, Timestamp, TypedNull
from qldb_emulator.partiql.language.arithmetic import DECIMAL_DIGITS
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.language.values import MISSING
from qldb_emulator.partiql.syntax import ast
from qldb_emulator.partiql.syntax.lexer import Tokens
from qldb_emulator.partiql.syntax.parser import TYPE_NAMES, is_null_number, parse
from qldb_emulator.partiql.syntax.printer import to_text
from qldb_emulator.partiql.syntax.reserved import DATE_PARTS, KEYWORDS, TRIM_SIDES

Exprs = st.SearchStrategy[ast.Expr]

names = st.one_of(
    st.sampled_from(["a", "b", "year", "both", "history", "let", "Offset", "_1", "$x"]),
    st.text(string.ascii_letters + "_$", min_size=1, max_size=5).filter(lambda name: name.lower() not in KEYWORDS),
)
any_names = st.one_of(names, st.sampled_from(["select", "date", "A b", 'say "a"', "`", "--"]), st.text(max_size=5))
quotable = st.one_of(st.tuples(names, st.just(False)), st.tuples(any_names, st.just(True)))
variables = quotable.map(lambda pair: ast.Variable(*pair))
local_variables = quotable.map(lambda pair: ast.Variable(*pair, is_local=True))
field_steps = quotable.map(lambda pair: ast.FieldStep(*pair))
type_names = st.sampled_from(sorted(set(TYPE_NAMES.values()))).flatmap(
    lambda known: st.builds(ast.TypeName, st.just(known[0]), st.lists(st.integers(0, 99), max_size=known[1]).map(tuple))
)

date_parts = st.sampled_from(DATE_PARTS)


def decimals_of(most_digits: int) -> st.SearchStrategy[Decimal]:
    return st.builds(
        lambda digits, exponent, is_negative: Decimal((int(is_negative and any(digits)), tuple(digits), exponent)),
        st.lists(st.integers(0, 9), min_size=1, max_size=most_digits).filter(
            lambda digits: digits[0] or len(digits) == 1
        ),
        st.integers(-50, 50),
        st.booleans(),
    )


ion_values = st.one_of(
    st.sampled_from([Timestamp("day", 2019, 6, 5), Timestamp("second", 2019, 6, 5, 1, 2, 3, "400", 0)]),
    st.sampled_from([TypedNull.of("int"), None, True]),
    st.text(max_size=8),
    st.text(max_size=8).map(Symbol),
    st.integers(),
    decimals_of(most_digits=40),
    st.binary(max_size=8),
    st.lists(st.text("`'\"\\/*{}", max_size=6), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)
literals = st.one_of(
    # A tree never has a decimal of more digits: the lexer rounds it, as the library did.
    st.sampled_from([None, MISSING, True, False]),
    st.text(max_size=12),
    st.integers(),
    decimals_of(most_digits=DECIMAL_DIGITS),
).map(ast.Literal)
ion_literals = ion_values.map(lambda value: ast.Literal(value, is_ion=True))
leaves: Exprs = st.one_of(literals, ion_literals, variables, local_variables, st.just(ast.Parameter(0)))


def several(items: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, min_size=least, max_size=3).map(tuple)


def is_number(node: ast.Node) -> bool:
    """Whether a sign before this would become part of it."""
    if not isinstance(node, ast.Literal):
        return False
    return type(node.value) in (int, float, Decimal) or is_null_number(node.value)


def is_text(node: ast.Node) -> bool:
    """Whether this in brackets is a field's name."""
    return isinstance(node, ast.Literal) and not node.is_ion and type(node.value) is str


def has_wildcard(node: ast.Node) -> bool:
    wildcards = (ast.ElementsStep, ast.FieldsStep)
    return isinstance(node, ast.Path) and any(isinstance(step, wildcards) for step in node.steps)


def bigger(inner: Exprs) -> Exprs:
    """Expressions made of smaller ones."""
    optional = st.none() | inner
    index_steps = inner.filter(lambda node: not is_text(node)).map(ast.IndexStep)
    steps = st.one_of(field_steps, index_steps, st.just(ast.ElementsStep()), st.just(ast.FieldsStep()))
    roots = inner.filter(lambda node: not isinstance(node, ast.Path) or has_wildcard(node))
    lists = several(inner).map(ast.ListConstructor)
    selects = queries(inner)
    collections = st.one_of(
        lists,
        several(inner).map(ast.BagConstructor),
        st.just(ast.Parameter(0)),
        variables,
        selects,
        inner.map(lambda node: ast.Unary("NOT", node)),
    )
    binaries = st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"])
    function_names = st.one_of(
        st.sampled_from(["upper", "coalesce", "txid", "to_string", "trim", "history", "substring", "date", "my f"]),
        names.map(str.lower).filter(lambda name: name not in ("list", "bag", "sexp")),
    )
    return st.one_of(
        st.builds(ast.Path, roots, several(steps, 1)),
        st.builds(ast.Unary, st.sampled_from(["-", "+"]), inner.filter(lambda node: not is_number(node))),
        st.builds(ast.Unary, st.just("NOT"), inner),
        st.builds(ast.Binary, binaries, inner, inner),
        st.builds(ast.Chain, st.sampled_from(["AND", "OR", "||"]), several(inner, 2)),
        st.builds(ast.Between, inner, inner, inner, st.booleans()),
        st.builds(ast.In, inner, collections, st.booleans()),
        st.builds(ast.Like, inner, inner, optional, st.booleans()),
        st.builds(ast.Is, inner, type_names, st.booleans()),
        st.builds(ast.Case, optional, several(st.tuples(inner, inner), 1), optional),
        st.builds(ast.Cast, inner, type_names),
        st.builds(ast.Call, function_names, several(inner)),
        st.builds(ast.DateCall, st.just("extract"), date_parts, st.tuples(inner)),
        st.builds(ast.DateCall, st.sampled_from(["date_add", "date_diff"]), date_parts, st.tuples(inner, inner)),
        st.builds(ast.Trim, st.sampled_from(["", *TRIM_SIDES]), optional, inner),
        st.builds(ast.Aggregate, st.sampled_from(["count", "sum", "avg", "min", "max"]), inner, st.booleans()),
        st.just(ast.Aggregate("count", None)),
        lists,
        several(inner).map(ast.BagConstructor),
        several(inner).map(ast.SexpConstructor),
        several(st.tuples(inner, inner)).map(ast.StructConstructor),
        selects,
    )


def sources(inner: Exprs) -> st.SearchStrategy[ast.Source]:
    optional_names = st.none() | any_names
    times = st.one_of(st.just(()), st.tuples(inner), st.tuples(inner, inner))
    tables = st.one_of(variables, st.text(max_size=5).map(ast.Literal))
    histories = st.builds(lambda table, bounds: ast.History(table, *bounds), tables, times)
    # An expression that begins with a parenthesis would be read as a source in parentheses.
    values = st.one_of(inner.filter(lambda node: not to_text(node).startswith("(")), histories)
    items = st.builds(ast.FromItem, values, optional_names, optional_names, optional_names, st.booleans())
    items = items.filter(lambda item: not (item.is_unpivot and isinstance(item.value, ast.History)))

    def joined(first: ast.FromItem, rest: list[tuple[ast.FromItem, ast.Expr | None]]) -> ast.Source:
        source: ast.Source = first
        for item, condition in rest:
            source = ast.Join(source, item, condition)
        return source

    return st.builds(joined, items, st.lists(st.tuples(items, st.none() | inner), max_size=2))


def queries(inner: Exprs) -> st.SearchStrategy[ast.Select]:
    columns = inner.filter(lambda node: not has_wildcard(node))
    structs = st.one_of(variables, st.builds(ast.Path, variables, several(field_steps, 1)))
    items = st.one_of(st.builds(ast.SelectItem, columns, st.none() | any_names), structs.map(ast.SelectAll))
    where = st.none() | inner
    return st.one_of(
        st.builds(lambda source, where: ast.Select(source, where, is_star=True), sources(inner), where),
        st.builds(lambda source, where, value: ast.Select(source, where, (), value), sources(inner), where, inner),
        st.builds(ast.Select, sources(inner), where, several(items, 1)),
    )


@cache
def expressions_of(depth: int) -> Exprs:
    return bigger(small_expressions(depth - 1)) if depth else leaves


@st.composite
def small_expressions(draw: st.DrawFn, depth: int) -> ast.Expr:
    """Expressions up to so deep.  (A composite, because the strategies it draws from have reprs of many kilobytes.)"""
    return draw(expressions_of(draw(st.integers(0, depth))))


expressions = small_expressions(3)
target_steps = st.one_of(field_steps, st.integers(-9, 9).map(lambda number: ast.IndexStep(ast.Literal(number))))
targets = st.one_of(variables, st.builds(ast.Path, variables, several(target_steps, 1)))
optional_names = st.none() | any_names
target_items = st.builds(ast.FromItem, targets, optional_names, optional_names, optional_names)
operations = st.one_of(
    several(st.builds(ast.Assignment, targets, expressions), 1).map(ast.SetOperation),
    st.builds(ast.InsertOperation, targets, expressions, st.none() | expressions),
    st.builds(ast.InsertOperation, targets, expressions, st.none(), st.just(False)),
    targets.map(ast.RemoveOperation),
).map(lambda operation: (operation,))
where = st.none() | expressions


def may_follow_a_procedure(arguments: tuple[ast.Expr, ...]) -> bool:
    """A parenthesis there is refused, and a SELECT without parentheses takes a comma for its own."""
    if not arguments or isinstance(arguments[0], ast.Select):
        return len(arguments) < 2
    return not to_text(arguments[0]).startswith("(")


tables_of_insert = st.one_of(variables, st.builds(ast.Path, variables, several(field_steps, 1)))
statements: st.SearchStrategy[ast.Statement] = st.one_of(
    expressions.map(ast.Query),
    queries(expressions).map(ast.Query),
    st.builds(ast.Insert, tables_of_insert, expressions, st.booleans()),
    st.builds(ast.Update, target_items, operations, where),
    st.builds(ast.Update, sources(expressions), operations, where, st.just(True)),
    st.builds(ast.Delete, target_items, where),
    st.builds(ast.CreateTable, any_names, st.none() | ion_literals),
    st.builds(ast.DropTable, any_names),
    st.builds(ast.UndropTable, any_names),
    st.builds(ast.CreateIndex, any_names, any_names),
    st.builds(ast.DropIndex, any_names, any_names),
    st.builds(ast.Exec, any_names.map(str.lower), several(expressions).filter(may_follow_a_procedure)),
)


def numbered(node: Any, next_index: Callable[[], int]) -> Any:
    """Return the tree with its parameters numbered in the order of the text, as the parser does."""
    if isinstance(node, tuple):
        return tuple(numbered(item, next_index) for item in node)
    if isinstance(node, ast.Parameter):
        return ast.Parameter(next_index())
    if not isinstance(node, ast.Node):
        return node
    order = {
        ast.Select: ("value", "items", "source", "where"),
        ast.Trim: ("characters", "value"),
        ast.Update: ("source", "where", "operations") if getattr(node, "is_from_first", False) else None,
    }.get(type(node)) or type(node).__match_args__
    changed = {name: numbered(getattr(node, name), next_index) for name in order}
    return replace(node, **changed)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(statements)
def test_a_printed_tree_parses_to_itself(drawn: ast.Statement) -> None:
    indexes = count()
    tree: ast.Statement = numbered(drawn, lambda: next(indexes))
    tree = replace(tree, parameter_count=next(indexes))
    text = to_text(tree)
    again = parse(text)
    assert tree == again, text
    assert repr(tree) == repr(again), text  # which tells 1 from True


words = st.sampled_from(
    [
        *sorted(KEYWORDS),
        "a",
        "b",
        '"a b"',
        "1",
        "2.5",
        "'x'",
        "`1`",
        "?",
        ";",
        "@",
        "*",
        ".",
        ",",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        "<<",
        ">>",
        "=",
        "<>",
        "<",
        "+",
        "-",
        "/",
        "||",
        "history",
        "insert into",
        "select * from",
    ]
)


def error_of(text: str) -> PartiqlError | None:
    """Return the error of a text that is no statement; a statement must print to itself."""
    try:
        tree = parse(text)
    except PartiqlError as error:
        return error
    assert parse(to_text(tree)) == tree
    return None


@settings(max_examples=500, deadline=None)
@given(st.lists(words, max_size=25).map(" ".join))
def test_any_row_of_tokens_parses_or_is_a_parser_error_at_a_token(text: str) -> None:
    error = error_of(text)
    if error is not None:
        tokens = Tokens(text)
        assert error.category == "Parser"
        assert error.pos in [tokens.pos(index) for index in range(len(tokens.kinds))]


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60) | st.text("'\"`/*-\n\r{}[]<>|!1eE+. a?\\", max_size=40))
def test_any_text_is_a_statement_or_a_clear_error_inside_it(text: str) -> None:
    error = error_of(text)
    if error is not None:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert error.pos.column == 0 or 1 <= error.pos.column <= len(lines[error.pos.line - 1]) + 1 + ("\r\n" in text)
