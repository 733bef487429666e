"""What queries give: rows, columns, values, reads, errors with positions; and how much they can bear."""

from __future__ import annotations

import threading
from itertools import islice

import pytest
from helpers.partiql_support import MemoryLedger

from qldb_emulator.ion.codec import dumps_text, loads
from qldb_emulator.ion.values import Annotated, IonValue, Symbol
from qldb_emulator.partiql.execution.compiler import compile_plan
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.planning.planner import plan
from qldb_emulator.partiql.syntax.parser import parse

DOCUMENT = (
    '{VIN:"v1",Year:2012,price:90.50,nothing:null.int,kind:a::b,tags:["x","y"],'
    'Owner:{id:"p1",Name:"Maria"},when:2017-08-21T,sum:(+ 1 2)}'
)


@pytest.fixture
def ledger() -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.add_table("Vehicle", DOCUMENT)
    ledger.add_table("N", "{n:1}", "{n:2,m:2}", "{n:3,m:null}")
    ledger.add_table("Empty")
    return ledger


RESULTS = {
    # --- columns (partiql.md 2.3)
    "a path's last step names the column": ("SELECT v.Owner.id FROM Vehicle AS v", ['{id:"p1"}']),
    "an alias names the column": ("SELECT v.VIN AS x FROM Vehicle AS v", ['{x:"v1"}']),
    "the rest is numbered by position": (
        "SELECT VIN, 1 + 1, Year, tags[0] FROM Vehicle",
        ['{VIN:"v1",_2:2,Year:2012,_4:"x"}'],
    ),
    "COUNT(*) is _1": ("SELECT COUNT(*) FROM N", ["{_1:3}"]),
    "the column is named as written": ("SELECT vin FROM Vehicle", ['{vin:"v1"}']),
    "two columns of one name": ("SELECT n, n FROM N WHERE n = 1", ["{n:1,n:1}"]),
    "an alias without steps": ("SELECT v FROM N AS v WHERE n = 1", ["{v:{n:1}}"]),
    # --- absence
    "a missing field is left out": ("SELECT n, m FROM N", ["{n:1}", "{n:2,m:2}", "{n:3,m:null}"]),
    "a typed null stays": ("SELECT nothing FROM Vehicle", ["{nothing:null.int}"]),
    "a value that is missing is null": ("SELECT VALUE m FROM N", ["null", "2", "null"]),
    "missing in a list is null": ("SELECT VALUE [n, m] FROM N WHERE n = 1", ["[1,null]"]),
    "missing in a struct is left out": ("SELECT VALUE {'n': n, 'm': m} FROM N WHERE n = 1", ["{n:1}"]),
    "WHERE keeps only what is true": ("SELECT VALUE n FROM N WHERE m = 2 OR m <> 2", ["2"]),
    "IS NULL is true for missing": ("SELECT VALUE n FROM N WHERE m IS NULL", ["1", "3"]),
    "IS MISSING is not true for null": ("SELECT VALUE n FROM N WHERE m IS MISSING", ["1"]),
    "IN constants compares by value": (
        "SELECT VALUE x IN (1, 'a') FROM [1, 1.0, 'a', true, null] AS x",
        [
            "true",
            "true",
            "true",
            "false",
            "false",
        ],
    ),
    "NOT IN constants": ("SELECT VALUE x NOT IN (1, 'a') FROM [1, 2, null] AS x", ["false", "true", "true"]),
    "IN finds null": ("SELECT VALUE x IN (1, null) FROM [1, 2, null, missing] AS x", ["true", "false", "true", "true"]),
    "IN looks into no scalar": ("[1 IN 1, 'y' NOT IN 5, 1 IN {'a': 1}]", ["[false,true,true]"]),
    "aggregates of collections": ("[COUNT([1, 1, 2]), SUM(<<1, 2>>), MAX(DISTINCT [1.5, 1])]", ["[3,3,1.5]"]),
    "a subquery is a bag": ("[1 = (SELECT COUNT(1) FROM <<1>>), SIZE((SELECT COUNT(1) FROM <<1>>))]", ["[false,1]"]),
    "containers have an order": ("[[1] < [2], `{{YQ==}}` < `{{Yg==}}`, {'a': 1} < {'a': 2}]", ["[true,true,true]"]),
    "a bound that does not count": ("1 BETWEEN 2 AND 'x'", ["false"]),
    "the n-th field of a made struct": ("[{'a': 1}[0], `{a:1}`[0]]", ["[1,null]"]),
    "with repeated names": ("[{'a': 1, 'a': 2}[1], {'a': 1, 'a': 2}[2], `{a:1,a:2}`[1]]", ["[2,null,null]"]),
    "the n-th column of a row": ("SELECT r[0], r[1] FROM (SELECT 1 AS a, 2 AS a FROM <<0>>) AS r", ["{_1:1,_2:2}"]),
    "a spread row has no positions": (
        "SELECT r[0], s[0] FROM (SELECT * FROM <<{'a': 1}>> AS x) AS r, (SELECT x.* FROM <<{'a': 1, 'a': 2}>> AS x) s",
        ["{}"],
    ),
    "made names count columns": ("SELECT x.*, y.* FROM <<{'a': 1, 'b': 2}>> AS x, <<2>> AS y", ["{a:1,b:2,_3:2}"]),
    "a spread value keeps its annotations": ("SELECT * FROM <<`a::1`>> AS v", ["{_1:a::1}"]),
    "an empty struct is spread as itself": ("SELECT x.a.* FROM <<{'a': {}}>> AS x", ["{_1:{}}"]),
    "parentheses end a wildcard": ("({'a': {'b': 1}}.*).b", ["null"]),
    "minus zero": ("[-0.0, - -0.0, 0.0 + -0.0]", ["[-0.0,-0.0,0.0]"]),
    "the scale of a remainder": ("[0 % 1.0, 1 % (-2.5), `1e300` % 1.0]", ["[0.,1.,0d262]"]),
    # --- stars
    "the document as it is": ("SELECT * FROM Vehicle", [dumps_text(loads(DOCUMENT))]),
    "with the document's id": ("SELECT * FROM N BY pid WHERE n = 1", ['{n:1,pid:"N-0"}']),
    "with the ordinal": ("SELECT * FROM [5, 6] AS v AT i", ["{_1:5,i:0}", "{_1:6,i:1}"]),
    "of a join, names repeated": ("SELECT * FROM N AS a, N AS b WHERE a.n = 1 AND b.n = 2", ["{n:1,n:2,m:2}"]),
    "of a source that is no struct": ("SELECT * FROM N AS a, [7] AS b WHERE a.n = 1", ["{n:1,_2:7}"]),
    "of an alias": ("SELECT a.*, 1 AS x FROM N AS a WHERE n = 2", ["{n:2,m:2,x:1}"]),
    "of an alias with its id": ("SELECT id, a.* FROM N AS a BY id WHERE n = 1", ['{id:"N-0",n:1}']),
    "of a path": ("SELECT Owner.* FROM Vehicle", ['{id:"p1",Name:"Maria"}']),
    "of a path in the committed view": ("SELECT data.* FROM _ql_committed_N WHERE data.n = 1", ["{n:1}"]),
    "of something missing": ("SELECT a.x.* FROM N AS a WHERE n = 1", ["{}"]),
    # --- values keep what they are
    "annotations, symbols, scale, precision, s-expressions": (
        'SELECT kind, price, "when", "sum" FROM Vehicle',
        ["{kind:a::b,price:90.50,when:2017-08-21,sum:(+ 1 2)}"],
    ),
    "a bag is a list": ("SELECT VALUE <<n, n>> FROM N WHERE n = 1", ["[1,1]"]),
    "a nested query is a list": (
        "SELECT VIN, (SELECT VALUE t FROM v.tags AS t) AS t FROM Vehicle AS v",
        ['{VIN:"v1",t:["x","y"]}'],
    ),
    "a bag in a struct in a list": ("SELECT VALUE [{'b': <<n>>}] FROM N WHERE n = 1", ["[{b:[1]}]"]),
    # --- FROM
    "a struct is its only element": ("SELECT VALUE o.id FROM Vehicle AS v, v.Owner AS o", ['"p1"']),
    "elements and their ordinals": ("SELECT t, i FROM Vehicle AS v, v.tags AS t AT i", ['{t:"x",i:0}', '{t:"y",i:1}']),
    "a bag has no ordinals": ("SELECT t, i FROM <<1>> AS t AT i", ["{t:1}"]),
    "fields": ("SELECT x, k FROM Vehicle AS v, UNPIVOT v.Owner AS x AT k", ['{x:"p1",k:"id"}', '{x:"Maria",k:"Name"}']),
    "an empty list": ("SELECT * FROM [] AS x", []),
    "a literal": ("SELECT 1 FROM <<{}>>", ["{_1:1}"]),
    "a parameter": ("SELECT VALUE x FROM ? AS x", ["1", "2"]),
    "a nested query as a source": ("SELECT VALUE q.k + 1 FROM (SELECT x AS k FROM [1, 2] AS x) AS q", ["2", "3"]),
    "ON": ("SELECT a.n, b.m FROM N AS a JOIN N AS b ON a.n = b.m", ["{n:2,m:2}"]),
    "CROSS JOIN": (
        "SELECT VALUE a || b FROM ['x', 'y'] AS a CROSS JOIN ['1', '2'] AS b",
        ['"x1"', '"x2"', '"y1"', '"y2"'],
    ),
    "wildcards": ("SELECT VALUE [v.tags[*], v.Owner.*] FROM Vehicle AS v", ['[["x","y"],["p1","Maria"]]']),
    # --- aggregates
    "aggregates": (
        "SELECT COUNT(*) AS c, COUNT(m) AS k, SUM(n) AS s, AVG(n) AS a, MIN(n) AS lo, MAX(n) AS hi FROM N",
        ["{c:3,k:1,s:6,a:2.,lo:1,hi:3}"],
    ),
    "aggregates over nothing": ("SELECT COUNT(*) AS c, SUM(n) AS s, MIN(n) AS m FROM Empty", ["{c:0,s:null,m:null}"]),
    "aggregates with arithmetic and constants": (
        "SELECT SUM(n) * 10 + COUNT(*) AS x, 'k' AS k FROM N",
        ['{x:63,k:"k"}'],
    ),
    "DISTINCT": ("SELECT COUNT(DISTINCT x) AS c FROM [1, 1.0, '1', null] AS x", ["{c:2}"]),
    "aggregates see WHERE": ("SELECT COUNT(*) FROM N WHERE n > 1", ["{_1:2}"]),
    "an aggregate of a nested query": (
        "SELECT VALUE (SELECT COUNT(*) AS c FROM v.tags) FROM Vehicle AS v",
        ["[{c:2}]"],
    ),
    "a nested aggregate as an operand": ("SELECT VALUE SUM((SELECT VALUE 1 FROM v.tags)) FROM Vehicle AS v", ["2"]),
    # --- bare expressions
    "a bare expression": ("1 + 1", ["2"]),
    "a bare list": ("[1, missing]", ["[1,null]"]),
    "a bare missing": ("missing", ["null"]),
    "context": (
        "SELECT TXID() AS t, UTCNOW() AS u FROM <<0>>",
        ['{t:"TxTxTxTxTxTxTxTxTxTxTx",u:2020-09-13T12:26:40.000Z}'],
    ),
    "CASE": ("SELECT VALUE CASE n WHEN 1 THEN 'one' WHEN 2 THEN 'two' END FROM N", ['"one"', '"two"', "null"]),
    "searched CASE": ("SELECT VALUE CASE WHEN m IS MISSING THEN 'no' ELSE m END FROM N", ['"no"', "2", "null"]),
}


@pytest.mark.parametrize(("text", "rows"), RESULTS.values(), ids=RESULTS)
def test_a_query_gives(ledger: MemoryLedger, text: str, rows: list[str]) -> None:
    parameters: list[IonValue] = [[1, 2]] if "?" in text else []
    assert ledger.query(text, *parameters) == rows


def test_a_six_way_join_of_three_documents_reads_1092_times(ledger: MemoryLedger) -> None:
    rows = ledger.query("SELECT * FROM N as a, N as b, N as c, N as d, N as e, N as f")
    assert (len(rows), ledger.read_ios) == (729, 1092)


def test_rows_flow_lazily(ledger: MemoryLedger) -> None:
    rows = ledger.prepare("SELECT * FROM N AS a, N AS b WHERE a.n <> 7").rows((), ledger)
    assert ledger.read_ios == 0
    assert len(list(islice(rows, 2))) == 2
    assert ledger.read_ios == 3


def test_a_source_is_marked_as_read_before_the_first_row_is_pulled(ledger: MemoryLedger) -> None:
    ledger.prepare("SELECT * FROM N WHERE n = 1").rows((), ledger)
    assert ledger.accesses == [("scan", "N")]


def test_the_document_itself_is_the_row_of_a_star(ledger: MemoryLedger) -> None:
    stored = ledger.documents["id-Vehicle-0"]["Vehicle-0"][0]
    assert next(ledger.prepare("SELECT * FROM Vehicle").rows((), ledger)) is stored


def test_annotated_structs_are_walked_into(ledger: MemoryLedger) -> None:
    ledger.add_table("A", Annotated(("note",), {"a": Annotated(("x",), {"b": Symbol("s")})}))
    assert ledger.query("SELECT VALUE a.b FROM A") == ["s"]
    assert ledger.query("SELECT * FROM A") == ["{a:x::{b:s}}"]


POSITIONS = {
    "an operator": ("SELECT VALUE n +\n  'x' FROM N", 1, 16),
    "a function": ("SELECT VALUE\n SIZE(n) FROM N", 2, 2),
    "a cast": ("SELECT CAST('x' AS int) FROM N", 1, 12),
    "a condition that is no truth value": ("SELECT * FROM Vehicle AS v WHERE v.VIN", 1, 34),
    "a term of a conjunction": ("SELECT * FROM Vehicle AS v WHERE 1 = 1 AND v.VIN", 1, 40),
    "an ON condition": ("SELECT * FROM N AS a JOIN N AS b ON a.n", 1, 37),
    "a concatenation": ("SELECT 'a' || n FROM N", 1, 12),
    "a time of a history": ("SELECT * FROM history(N, 'x')", 1, 26),
    "an aggregate": ("SELECT SUM(VIN) FROM Vehicle", 1, 1),
    "LIKE": ("SELECT * FROM N WHERE n LIKE 'x'", 1, 25),
    "an index": ("SELECT tags[true] FROM Vehicle", 1, 13),
}


@pytest.mark.parametrize(("text", "line", "column"), POSITIONS.values(), ids=POSITIONS)
def test_an_error_says_where(ledger: MemoryLedger, text: str, line: int, column: int) -> None:
    with pytest.raises(PartiqlError) as caught:
        ledger.query(text)
    assert (caught.value.pos, caught.value.category) == ((line, column), "Evaluator")


FAILING = {
    "an order across classes": ("'a' < 1", "Cannot compare values: 'a', 1"),
    "a bag as a number": ("1 + (SELECT 1 FROM <<1>>)", "Expected number: [{_1:1}]"),
    "BETWEEN an unknown": ("1 BETWEEN null AND 2", "Null value cannot be compared: 1, NULL"),
    "WHEN an unknown": ("CASE WHEN null THEN 1 END", "Expected boolean: null"),
    "an unknown index": ("[1][null]", "Cannot convert index to int/string: NULL"),
    "a field's name that is no text": ("{1: 2}", "Expected text: 1"),
    "an aggregate of text": ("MAX(['a', 'b'])", 'Expected number: "a"'),
    "LIKE a constant, though there is no row": (
        "SELECT VALUE 1 FROM <<>> AS a WHERE 1 LIKE 'a'",
        "LIKE expression must be given non-null strings as input",
    ),
    "a row's name beside an aggregate": (
        "SELECT n, COUNT(*) FROM N",
        "Variable not in GROUP BY or aggregation function: N",
    ),
    "a name in two other spellings": (
        "SELECT v.AA FROM <<{'aA': 1, 'Aa': 2}>> AS v",
        "Multiple matches were found for the specified identifier",
    ),
}


@pytest.mark.parametrize(("text", "thrown"), FAILING.values(), ids=FAILING)
def test_a_query_fails_as_in_the_library(ledger: MemoryLedger, text: str, thrown: str) -> None:
    with pytest.raises(PartiqlError) as caught:
        ledger.query(text)
    assert caught.value.thrown == thrown


def in_thread(run: object) -> None:
    """Run in a thread, whose stack is as the server's threads have it; errors come back."""
    failures: list[BaseException] = []

    def body() -> None:
        try:
            run()  # type: ignore[operator]
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


DEEP = {
    "ten thousand terms of OR": lambda: "n = 7 OR " * 10_000 + "n = 1",
    "ten thousand terms of AND": lambda: "n <> 7 AND " * 10_000 + "n = 1",
    "two thousand alternatives of AND": lambda: "n = 7 AND m = 1 OR " * 2_000 + "n = 1",
    "five thousand concatenations": lambda: "'x' || " * 5_000 + "'x' <> '' AND n = 1",
    "ten thousand values of IN": lambda: "n IN (" + "5, " * 10_000 + "1)",
    "190 additions": lambda: "1 + " * 190 + "1 = 191 AND n = 1",
    "190 nested lists": lambda: "[" * 190 + "]" * 190 + " IS LIST AND n = 1",
    "190 nested calls": lambda: "COALESCE(" * 190 + "n" + ")" * 190 + " = 1",
    "190 nested CASEs": lambda: "CASE WHEN true THEN " * 95 + "n" + " END" * 95 + " = 1",
    "190 negations": lambda: "NOT " * 190 + "n = 1",
    "20 nested queries": lambda: "EXISTS(SELECT 1 FROM [1] AS x WHERE " * 20 + "N.n = 1" + ")" * 20,
}


@pytest.mark.parametrize("condition", DEEP.values(), ids=DEEP)
def test_depth_and_length_are_no_danger(ledger: MemoryLedger, condition: object) -> None:
    text = f"SELECT VALUE n FROM N WHERE {condition()}"  # type: ignore[operator]

    def run() -> None:
        assert ledger.query(text) == ["1"]

    in_thread(run)


def test_a_thousand_sources_are_no_danger(ledger: MemoryLedger) -> None:
    sources = ", ".join(f"[{n}] AS v{n}" for n in range(150))
    assert ledger.query(f"SELECT VALUE v149 FROM {sources}") == ["149"]


def test_a_caller_whose_stack_is_deep_gets_an_error_that_says_so(ledger: MemoryLedger) -> None:
    statement = parse("COALESCE(" * 150 + "1" + ")" * 150)

    def below(frames: int) -> str:
        if frames:
            return below(frames - 1)
        try:
            return dumps_text(next(compile_plan(plan(statement, ledger.catalogue)).rows((), ledger)))
        except PartiqlError as error:
            return str(error)

    def run() -> None:
        outcomes = {below(frames) for frames in range(300, 900, 25)}
        assert outcomes == {"1", "Semantic Error: at line 1, column 1: The statement is nested too deeply"}

    in_thread(run)


def test_too_many_nested_queries_are_refused(ledger: MemoryLedger) -> None:
    def run() -> None:
        with pytest.raises(PartiqlError, match=r"SELECT is nested more than \d+ deep"):
            ledger.query("SELECT VALUE (" * 40 + "1" + ") FROM <<0>>" * 40)

    in_thread(run)


def test_a_program_may_run_in_many_sessions_at_once(ledger: MemoryLedger) -> None:
    program = ledger.prepare("SELECT a.n AS x, b.n AS y, ? AS p FROM N AS a, N AS b WHERE a.n < b.n")
    first, second = program.rows(["first"], ledger), program.rows(["second"], ledger)
    rows = [dumps_text(row) for pair in zip(first, second, strict=True) for row in pair]
    assert rows == [f'{{x:{x},y:{y},p:"{p}"}}' for x, y in ((1, 2), (1, 3), (2, 3)) for p in ("first", "second")]
