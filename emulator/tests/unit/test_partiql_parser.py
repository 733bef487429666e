"""Statements and the trees they make."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qldb_emulator.ion.values import Symbol
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.language.values import MISSING
from qldb_emulator.partiql.syntax.ast import (
    Aggregate,
    Assignment,
    BagConstructor,
    Between,
    Binary,
    Call,
    Case,
    Cast,
    Chain,
    CreateIndex,
    CreateTable,
    DateCall,
    Delete,
    DropIndex,
    DropTable,
    ElementsStep,
    Exec,
    Expr,
    FieldsStep,
    FieldStep,
    FromItem,
    History,
    In,
    IndexStep,
    Insert,
    InsertOperation,
    Is,
    Join,
    Like,
    ListConstructor,
    Literal,
    Parameter,
    Path,
    Pos,
    Query,
    RemoveOperation,
    Select,
    SelectAll,
    SelectItem,
    SetOperation,
    SexpConstructor,
    Statement,
    StructConstructor,
    Trim,
    TypeName,
    Unary,
    UndropTable,
    Update,
    Variable,
)
from qldb_emulator.partiql.syntax.parser import parse

a, b, c, d, t, u = (Variable(name) for name in "abcdtu")
one, two, three = Literal(1), Literal(2), Literal(3)


def dot(root: Expr, *names: str) -> Path:
    return Path(root, tuple(FieldStep(name) for name in names))


def expression(text: str) -> Expr:
    statement = parse(text)
    assert isinstance(statement, Query)
    return statement.expression


def same(left: object, right: object) -> bool:
    """Equality that tells 1 from True and from Decimal(1)."""
    return left == right and repr(left) == repr(right)


EXPRESSIONS: list[tuple[str, Expr]] = [
    # Literals
    ("NULL", Literal(None)),
    ("missing", Literal(MISSING)),
    ("True", Literal(True)),
    ("'a'", Literal("a")),
    ("1.50", Literal(Decimal("1.50"))),
    ("`sym`", Literal(Symbol("sym"), is_ion=True)),
    ("-1", Literal(-1)),
    ("- -1", Literal(1)),
    ("+1.5", Literal(Decimal("1.5"))),
    ("-0.0", Literal(Decimal("-0.0"))),
    ("-a", Unary("-", a)),
    ("+ - a", Unary("+", Unary("-", a))),
    ("-`1`", Literal(-1, is_ion=True)),
    ("-a.b", Unary("-", dot(a, "b"))),
    # Names and paths
    ('"A b"', Variable("A b", is_quoted=True)),
    ("@a.b", Path(Variable("a", is_local=True), (FieldStep("b"),))),
    ('@"a"', Variable("a", is_quoted=True, is_local=True)),
    ('a.b."C"', Path(a, (FieldStep("b"), FieldStep("C", is_quoted=True)))),
    ("a[0][b].*[*]", Path(a, (IndexStep(Literal(0)), IndexStep(b), FieldsStep(), ElementsStep()))),
    ("a['b'][`b`]", Path(a, (FieldStep("b", True), IndexStep(Literal(Symbol("b"), True))))),
    ("(a.b).c", dot(a, "b", "c")),
    ("(a[*]).c", Path(Path(a, (ElementsStep(),)), (FieldStep("c"),))),
    ("{'a': 1}.a", Path(StructConstructor(((Literal("a"), one),)), (FieldStep("a"),))),
    ("f(a).b[1]", Path(Call("f", (a,)), (FieldStep("b"), IndexStep(one)))),
    ("information_schema.user_tables", dot(Variable("information_schema"), "user_tables")),
    # Precedence
    ("a OR b AND NOT c = d", Chain("OR", (a, Chain("AND", (b, Unary("NOT", Binary("=", c, d))))))),
    ("NOT NOT a AND b", Chain("AND", (Unary("NOT", Unary("NOT", a)), b))),
    ("a = b < c", Binary("=", a, Binary("<", b, c))),
    ("a < b = c", Binary("=", Binary("<", a, b), c)),
    ("a = b = c", Binary("=", Binary("=", a, b), c)),
    ("a != b", Binary("<>", a, b)),
    ("a - b - c", Binary("-", Binary("-", a, b), c)),
    ("a - (b - c)", Binary("-", a, Binary("-", b, c))),
    ("a + b * c % d", Binary("+", a, Binary("%", Binary("*", b, c), d))),
    ("(a + b) / c", Binary("/", Binary("+", a, b), c)),
    ("a * -b", Binary("*", a, Unary("-", b))),
    ("a || b || c", Chain("||", (a, b, c))),
    ("a || b + c || d", Chain("||", (Binary("+", Chain("||", (a, b)), c), d))),
    ("(a || b) || c", Chain("||", (Chain("||", (a, b)), c))),
    ("a AND b AND c OR d", Chain("OR", (Chain("AND", (a, b, c)), d))),
    ("a AND (b AND c)", Chain("AND", (a, Chain("AND", (b, c))))),
    ("a = NOT b", Binary("=", a, Unary("NOT", b))),
    # Predicates
    ("a BETWEEN b AND c AND d", Chain("AND", (Between(a, b, c), d))),
    ("a NOT BETWEEN b + 1 AND c", Between(a, Binary("+", b, one), c, is_negated=True)),
    ("a = b BETWEEN c AND d", Binary("=", a, Between(b, c, d))),
    ("a IN (1)", In(a, ListConstructor((one,)))),
    ("a NOT IN (1, 2) OR b", Chain("OR", (In(a, ListConstructor((one, two)), is_negated=True), b))),
    ("a IN ?", In(a, Parameter(0))),
    ("a IN [1]", In(a, ListConstructor((one,)))),
    ("a IN <<1, 2>>", In(a, BagConstructor((one, two)))),
    ("a IN b.c AND d", Chain("AND", (In(a, dot(b, "c")), d))),
    ("a IN ((1))", In(a, ListConstructor((one,)))),
    ("a IN (SELECT VALUE b FROM c)", In(a, Select(FromItem(c), value=b))),
    ("a LIKE 'x%'", Like(a, Literal("x%"))),
    ("a NOT LIKE b ESCAPE '/' AND c", Chain("AND", (Like(a, b, Literal("/"), is_negated=True), c))),
    ("a IS NULL", Is(a, TypeName("null"))),
    ("a IS NOT MISSING = b", Binary("=", Is(a, TypeName("missing"), is_negated=True), b)),
    ("a.b IS character varying(3)", Is(dot(a, "b"), TypeName("character varying", (3,)))),
    # Special forms
    ("CASE a WHEN 1 THEN b ELSE c END", Case(a, ((one, b),), c)),
    ("case when a then b when c then d end", Case(None, ((a, b), (c, d)), None)),
    ("CAST(a AS Integer)", Cast(a, TypeName("integer"))),
    ("CAST(a AS INT)", Cast(a, TypeName("integer"))),
    ("CAST(a AS dec(5, 2))", Cast(a, TypeName("decimal", (5, 2)))),
    ("CAST(a AS DOUBLE PRECISION)", Cast(a, TypeName("double precision"))),
    ("CAST(a AS char(3))", Cast(a, TypeName("character", (3,)))),
    ("CAST(a AS varchar)", Cast(a, TypeName("character varying"))),
    ("CAST(a AS CHAR VARYING(3))", Cast(a, TypeName("character varying", (3,)))),
    ("CAST(a AS tuple)", Cast(a, TypeName("tuple"))),
    ("SUBSTRING(a, 1)", Call("substring", (a, one))),
    ("SUBSTRING(a, 1, 2)", Call("substring", (a, one, two))),
    ("SUBSTRING(a FROM 1)", Call("substring", (a, one))),
    ("Substring(a from 1 for 2)", Call("substring", (a, one, two))),
    ("TRIM(a)", Trim("", None, a)),
    ("TRIM(FROM a)", Trim("", None, a)),
    ("TRIM('x' FROM a)", Trim("", Literal("x"), a)),
    ("TRIM(LEADING FROM a)", Trim("leading", None, a)),
    ("TRIM(Trailing 'x' FROM a)", Trim("trailing", Literal("x"), a)),
    ("EXTRACT(Year FROM a)", DateCall("extract", "year", (a,))),
    ("DATE_ADD(day, -1, a)", DateCall("date_add", "day", (Literal(-1), a))),
    ("date_diff(TIMEZONE_HOUR, a, b)", DateCall("date_diff", "timezone_hour", (a, b))),
    ("COUNT(*)", Aggregate("count", None)),
    ("Count(DISTINCT a)", Aggregate("count", a, is_distinct=True)),
    ("SUM(ALL a + 1)", Aggregate("sum", Binary("+", a, one))),
    ('"count"(a)', Aggregate("count", a)),
    ("TXID()", Call("txid", ())),
    ("COALESCE(a, b, c)", Call("coalesce", (a, b, c))),
    ("char_length(a)", Call("char_length", (a,))),
    ("To_String(a, 'y')", Call("to_string", (a, Literal("y")))),
    ("no_such_function(a)", Call("no_such_function", (a,))),
    # Constructors
    ("[]", ListConstructor(())),
    ("[1, [2]]", ListConstructor((one, ListConstructor((two,))))),
    ("(1, 2)", ListConstructor((one, two))),
    ("list(1)", ListConstructor((one,))),
    ("<<>>", BagConstructor(())),
    ("<<1, <<2>>>>", BagConstructor((one, BagConstructor((two,))))),
    ("bag(1)", BagConstructor((one,))),
    ("sexp(1, 2)", SexpConstructor((one, two))),
    ("{}", StructConstructor(())),
    ("{'a': ?, b: {}}", StructConstructor(((Literal("a"), Parameter(0)), (b, StructConstructor(()))))),
]


@pytest.mark.parametrize(("text", "tree"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_an_expression_makes_its_tree(text: str, tree: Expr) -> None:
    assert same(tree, expression(text))


def select(source: FromItem | Join, *items: Expr, where: Expr | None = None) -> Select:
    return Select(source, where, tuple(SelectItem(item) for item in items), is_star=not items)


SELECTS: list[tuple[str, Select]] = [
    ("SELECT * FROM t", select(FromItem(t))),
    ("SELECT ALL a FROM t", select(FromItem(t), a)),
    ("SELECT a, b FROM t WHERE c = 1", select(FromItem(t), a, b, where=Binary("=", c, one))),
    ("SELECT a AS x, b y FROM t", Select(FromItem(t), items=(SelectItem(a, "x"), SelectItem(b, "y")))),
    ("SELECT a.*, b.c.* FROM t", Select(FromItem(t), items=(SelectAll(a), SelectAll(dot(b, "c"))))),
    ("SELECT VALUE a FROM t", Select(FromItem(t), value=a)),
    ("SELECT VALUE a.* FROM t", Select(FromItem(t), value=Path(a, (FieldsStep(),)))),
    ("SELECT * FROM t AS x AT y BY z", select(FromItem(t, "x", "y", "z"))),
    ('SELECT * FROM t "x y" BY "by"', select(FromItem(t, "x y", None, "by"))),
    ("SELECT * FROM t BY id", select(FromItem(t, by="id"))),
    ("SELECT * FROM UNPIVOT a AS v AT k", select(FromItem(a, "v", "k", is_unpivot=True))),
    ("SELECT * FROM <<1>>", select(FromItem(BagConstructor((one,))))),
    ("SELECT * FROM (t) AS x", select(FromItem(t, "x"))),
    ("SELECT * FROM (t AS x)", select(FromItem(t, "x"))),
    ("SELECT * FROM (SELECT * FROM t) AS x", select(FromItem(select(FromItem(t)), "x"))),
    ("SELECT * FROM (1, 2)", select(FromItem(ListConstructor((one, two))))),
    ("SELECT * FROM t, u", select(Join(FromItem(t), FromItem(u)))),
    ("SELECT * FROM t CROSS JOIN u", select(Join(FromItem(t), FromItem(u)))),
    ("SELECT * FROM t INNER CROSS JOIN u", select(Join(FromItem(t), FromItem(u)))),
    ("SELECT * FROM t JOIN u ON a = b", select(Join(FromItem(t), FromItem(u), Binary("=", a, b)))),
    (
        "SELECT * FROM t x INNER JOIN u AS y BY z ON a, @x.b c WHERE d",
        select(
            Join(
                Join(FromItem(t, "x"), FromItem(u, "y", by="z"), a),
                FromItem(Path(Variable("x", is_local=True), (FieldStep("b"),)), "c"),
            ),
            where=d,
        ),
    ),
    ("SELECT * FROM (t JOIN u ON a)", select(Join(FromItem(t), FromItem(u), a))),
    ("SELECT * FROM a, (t JOIN u ON b)", select(Join(Join(FromItem(a), FromItem(t)), FromItem(u), b))),
    (
        "SELECT * FROM a JOIN (t JOIN u ON b) ON c",
        select(Join(Join(FromItem(a), FromItem(t)), FromItem(u), Chain("AND", (b, c)))),
    ),
    ("SELECT * FROM a JOIN (t, u) ON c", select(Join(Join(FromItem(a), FromItem(t)), FromItem(u), c))),
    ("SELECT * FROM history(t)", select(FromItem(History(t)))),
    ('SELECT * FROM History ("t", `1`) h', select(FromItem(History(Variable("t", True), Literal(1, True)), "h"))),
    (
        "SELECT * FROM history('id', ?, ?) BY x",
        select(FromItem(History(Literal("id"), Parameter(0), Parameter(1)), by="x")),
    ),
    ('SELECT * FROM "history"(t)', select(FromItem(Call("history", (t,))))),
    ("SELECT history(t) FROM u", select(FromItem(u), Call("history", (t,)))),
]


@pytest.mark.parametrize(("text", "tree"), SELECTS, ids=[text for text, _ in SELECTS])
def test_a_select_makes_its_tree(text: str, tree: Select) -> None:
    assert same(tree, expression(text))


SET_A = SetOperation((Assignment(a, one),))

STATEMENTS: list[tuple[str, Statement]] = [
    ("INSERT INTO t VALUE ?", Insert(t, Parameter(0), True, parameter_count=1)),
    ("INSERT INTO t ?", Insert(t, Parameter(0), parameter_count=1)),
    (
        'insert into "T" <<?, ?>>;',
        Insert(Variable("T", True), BagConstructor((Parameter(0), Parameter(1))), parameter_count=2),
    ),
    ("INSERT INTO t {'a': 1}", Insert(t, StructConstructor(((Literal("a"), one),)))),
    ("INSERT INTO t `{a:1}`", Insert(t, Literal({"a": 1}, True))),
    ("INSERT INTO t [1]", Insert(t, ListConstructor((one,)))),
    ("INSERT INTO t [{}, {}]", Insert(t, ListConstructor((StructConstructor(()), StructConstructor(()))))),
    ("INSERT INTO t [?]", Insert(t, ListConstructor((Parameter(0),)), parameter_count=1)),
    ("INSERT INTO a.b[0] VALUE 1", Insert(Path(a, (FieldStep("b"), IndexStep(Literal(0)))), one, True)),
    ("UPDATE t SET a = 1", Update(FromItem(t), (SET_A,))),
    ("UPDATE t x BY y SET a = 1 WHERE b", Update(FromItem(t, "x", by="y"), (SET_A,), b)),
    (
        "UPDATE t SET t.a = 1, b['c'] = b - 1, c[0] = ?",
        Update(
            FromItem(t),
            (
                SetOperation(
                    (
                        Assignment(dot(t, "a"), one),
                        Assignment(Path(b, (FieldStep("c", True),)), Binary("-", b, one)),
                        Assignment(Path(c, (IndexStep(Literal(0)),)), Parameter(0)),
                    )
                ),
            ),
            parameter_count=1,
        ),
    ),
    (
        "UPDATE t AS x INSERT INTO x.a VALUE 1 AT 'b' WHERE b",
        Update(FromItem(t, "x"), (InsertOperation(dot(Variable("x"), "a"), one, Literal("b")),), b),
    ),
    (
        "UPDATE t AS x INSERT INTO x.a 1",
        Update(FromItem(t, "x"), (InsertOperation(dot(Variable("x"), "a"), one, is_single=False),)),
    ),
    ("UPDATE t AS x REMOVE x.c WHERE b", Update(FromItem(t, "x"), (RemoveOperation(dot(Variable("x"), "c")),), b)),
    ("FROM t AS x WHERE b REMOVE x", Update(FromItem(t, "x"), (RemoveOperation(Variable("x")),), b, True)),
    (
        "FROM t, @t.a b SET a = 1",
        Update(
            Join(FromItem(t), FromItem(Path(Variable("t", is_local=True), (FieldStep("a"),)), "b")),
            (SET_A,),
            is_from_first=True,
        ),
    ),
    ("FROM t INSERT INTO a VALUE 1", Update(FromItem(t), (InsertOperation(a, one),), None, True)),
    ("DELETE FROM t", Delete(FromItem(t))),
    (
        "DELETE FROM t AS x BY y WHERE y = ?",
        Delete(FromItem(t, "x", by="y"), Binary("=", Variable("y"), Parameter(0)), parameter_count=1),
    ),
    ("CREATE TABLE t", CreateTable("t")),
    ('CREATE TABLE "t u" WITH (aws_tags = `{\'a\':"b"}`);', CreateTable("t u", Literal({"a": "b"}, True))),
    ("Drop table t", DropTable("t")),
    ('UNDROP TABLE "5PLf9SXwndd63lPaSIa0O6"', UndropTable("5PLf9SXwndd63lPaSIa0O6")),
    ("CREATE INDEX on t(a)", CreateIndex("t", "a")),
    ('CREATE INDEX ON "t" ("Year");', CreateIndex("t", "Year")),
    ('DROP INDEX "4tPW3fUhaVhDinRgKRLhGU" ON t WITH (purge = TRUE)', DropIndex("4tPW3fUhaVhDinRgKRLhGU", "t")),
    (
        "EXEC Redact_Revision ?, 'a', 'b'",
        Exec("redact_revision", (Parameter(0), Literal("a"), Literal("b")), parameter_count=1),
    ),
    ("exec f 1;", Exec("f", (one,))),
    ("1 + 1", Query(Binary("+", one, one))),
    ("SELECT a FROM t;", Query(select(FromItem(t), a))),
]


@pytest.mark.parametrize(("text", "tree"), STATEMENTS, ids=[text for text, _ in STATEMENTS])
def test_a_statement_makes_its_tree(text: str, tree: Statement) -> None:
    statement = parse(text)
    assert same(tree, statement)
    assert tree.parameter_count == statement.parameter_count


def test_nodes_know_where_they_began() -> None:
    statement = parse("SELECT v.a,\n  b + 1 FROM t AS x,\r\n   u BY y WHERE c = ?")
    assert isinstance(statement, Query)
    query = statement.expression
    assert isinstance(query, Select)
    assert isinstance(query.source, Join)
    path, total = query.items
    assert isinstance(path, SelectItem)
    assert isinstance(path.value, Path)
    assert isinstance(total, SelectItem)
    assert isinstance(total.value, Binary)
    assert isinstance(query.where, Binary)
    assert [
        node.pos
        for node in (
            statement,
            query,
            path,
            path.value,
            path.value.steps[0],
            total,
            total.value,
            total.value.right,
            query.source.left,
            query.source,
            query.source.right,
            query.where,
            query.where.right,
        )
    ] == [
        Pos(1, 1),
        Pos(1, 1),
        Pos(1, 8),
        Pos(1, 8),
        Pos(1, 10),
        Pos(2, 3),
        Pos(2, 5),
        Pos(2, 7),
        Pos(2, 14),
        Pos(2, 20),
        Pos(3, 4),
        Pos(3, 19),
        Pos(3, 21),
    ]


DEEP = {
    "parentheses": lambda n: "(" * n + "1" + ")" * n,
    "lists": lambda n: "[" * n + "]" * n,
    "bags": lambda n: "<<" * n + ">>" * n,
    "structs": lambda n: "{'a':" * n + "1" + "}" * n,
    "NOTs": lambda n: "NOT " * n + "a",
    "signs": lambda n: "- " * n + "a",
    "nested SELECTs": lambda n: "(SELECT VALUE " * n + "1" + " FROM <<1>>)" * n,
    "sources": lambda n: "SELECT * FROM " + "(" * n + "t" + ")" * n,
    "nested sources": lambda n: "SELECT * FROM " + "(SELECT * FROM " * n + "t" + ")" * n,
    "calls": lambda n: "f(" * n + "1" + ")" * n,
    "calls in sums": lambda n: "f(" * n + "1" + ") + 1" * n,
    "indexes": lambda n: "a[" * n + "1" + "]" * n,
    "CASTs": lambda n: "CAST(" * n + "1" + " AS int)" * n,
    "CASEs": lambda n: "CASE WHEN " * n + "1" + " THEN 1 END" * n,
    "INs": lambda n: "a IN (" * n + "1" + ")" * n,
    "BETWEENs": lambda n: "a BETWEEN b AND (" * n + "a" + ")" * n,
    "every operator": lambda n: "a OR b AND NOT c = d < e + f * (" * n + "1" + ")" * n,
    "chains in parentheses": lambda n: "(" * n + "a" + " AND b)" * n,
    "a row of plus": lambda n: "a" + " + a" * n,
    "a row of IS": lambda n: "a" + " IS NULL" * n,
    "a row of joins": lambda n: "SELECT * FROM t" + ", t" * n,
}


def calling_from(frames: int, text: str) -> Statement:
    """Parse, compare, hash and show from far down the stack."""
    if frames:
        return calling_from(frames - 1, text)
    statement = parse(text)
    assert statement == parse(text)
    hash(statement)
    repr(statement)
    return statement


@pytest.mark.parametrize("nest", DEEP.values(), ids=DEEP)
def test_depth_is_bounded_and_what_is_allowed_takes_little_stack(nest) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PartiqlError, match=r"nested more than 200 levels deep, .* : .*; Nested too deeply") as caught:
        parse(nest(10_000))
    assert caught.value.category == "Parser"
    most = 199
    while True:
        try:
            parse(nest(most))
            break
        except PartiqlError:
            most -= 1
    assert most >= 20
    calling_from(100, nest(most))


def test_the_bound_is_the_callers() -> None:
    parse("((1))", max_depth=3)
    with pytest.raises(PartiqlError, match="more than 2 levels"):
        parse("((1))", max_depth=2)


def test_a_bound_beyond_the_stack_is_still_a_clear_error() -> None:
    with pytest.raises(PartiqlError, match="nested more than 1000000 levels deep"):
        parse("(" * 50_000, max_depth=1_000_000)


LONG = {
    "ANDs": "a = 1" + " AND a = 1" * 5_000,
    "ORs": "a" + " OR a" * 20_000,
    "concatenations": "a" + " || a" * 20_000,
    "an IN list": "a IN (" + "1, " * 20_000 + "1)",
    "a list": "[" + "'abcdefgh', " * 8_000 + "1]",
    "a path": "a" + ".b" * 40_000,
    "WHENs": "CASE " + "WHEN a THEN b " * 5_000 + "END",
    "assignments": "UPDATE t SET " + "a = 1, " * 10_000 + "b = 2",
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_rows_are_flat(text: str) -> None:
    calling_from(100, text)
