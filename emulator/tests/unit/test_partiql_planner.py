"""Names, tables and access paths: what a statement's plan reads, and which statements have no plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers.partiql_support import MemoryLedger

from qldb_emulator.ion.codec import loads
from qldb_emulator.partiql.language.errors import PartiqlError

VEHICLE = '{VIN:"v1",Year:2012,Owner:{id:"p1"},tags:["a","b"]}'
OTHER = '{VIN:"v2",Year:2013,Owner:{id:"p2"},tags:[]}'


@pytest.fixture
def ledger() -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.add_table("Vehicle", VEHICLE, OTHER, indexes=["VIN", "Owner"])
    ledger.add_table("Registration", '{VIN:"v1",city:"Seattle"}', '{VIN:"v2",city:"Kent"}', indexes=["VIN", "city"])
    ledger.add_table("Gone", "{a:1}", status="INACTIVE")
    return ledger


ACCESS_PATHS: dict[str, tuple[str, list[Any], list[tuple[Any, ...]]]] = {
    "an equality on an indexed field": (
        "SELECT * FROM Vehicle WHERE VIN = ?",
        ["v1"],
        [("seek", "Vehicle", "VIN", ['"v1"'])],
    ),
    "the sides of an equality may be swapped": (
        "SELECT * FROM Vehicle AS v WHERE 'v1' = v.VIN",
        [],
        [("seek", "Vehicle", "VIN", ['"v1"'])],
    ),
    "IN with a list of values": (
        "SELECT * FROM Vehicle WHERE VIN IN ('v1', ?)",
        ["v2"],
        [("seek", "Vehicle", "VIN", ['"v1"', '"v2"'])],
    ),
    "IN with a parameter that holds a list": (
        "SELECT * FROM Vehicle WHERE VIN IN ?",
        [["v1", "v2"]],
        [("seek", "Vehicle", "VIN", ['"v1"', '"v2"'])],
    ),
    "IN with a list that holds a null scans, for null is in it": (
        "SELECT * FROM Vehicle WHERE VIN IN ?",
        [["v1", None, "v2"]],
        [("scan", "Vehicle")],
    ),
    "IN with a parameter that holds no list scans": (
        "SELECT * FROM Vehicle WHERE VIN IN ?",
        ["v1"],
        [("scan", "Vehicle")],
    ),
    "a term of a conjunction": (
        "SELECT * FROM Vehicle WHERE \"Year\" > 2000 AND (VIN = 'v1' AND tags IS NOT NULL)",
        [],
        [("seek", "Vehicle", "VIN", ['"v1"'])],
    ),
    "the first indexed term of the text": (
        "SELECT * FROM Registration WHERE city = 'Kent' AND VIN = 'v2'",
        [],
        [("seek", "Registration", "city", ['"Kent"'])],
    ),
    "a whole struct": (
        "SELECT * FROM Vehicle WHERE Owner = {'id': 'p1'}",
        [],
        [("seek", "Vehicle", "Owner", ['{id:"p1"}'])],
    ),
    "an unknown value finds nothing without looking": ("SELECT * FROM Vehicle WHERE VIN = ?", [None], []),
    "a value that cannot be told scans, and the condition decides": (
        "SELECT * FROM Vehicle WHERE 1 = 2 AND VIN = 'a' || 1",
        [],
        [("scan", "Vehicle")],
    ),
    "a disjunction scans": ("SELECT * FROM Vehicle WHERE VIN = 'v1' OR VIN = 'v2'", [], [("scan", "Vehicle")]),
    "an inequality scans": ("SELECT * FROM Vehicle WHERE VIN <> 'v1'", [], [("scan", "Vehicle")]),
    "an order scans": ("SELECT * FROM Vehicle WHERE VIN < 'v2'", [], [("scan", "Vehicle")]),
    "BETWEEN scans": ("SELECT * FROM Vehicle WHERE VIN BETWEEN 'v1' AND 'v1'", [], [("scan", "Vehicle")]),
    "LIKE scans": ("SELECT * FROM Vehicle WHERE VIN LIKE 'v1%'", [], [("scan", "Vehicle")]),
    "null in an IN scans: no index has nulls": (
        "SELECT * FROM Vehicle WHERE VIN IN ('v1', NULL)",
        [],
        [("scan", "Vehicle")],
    ),
    "NOT IN scans": ("SELECT * FROM Vehicle WHERE VIN NOT IN ('v1')", [], [("scan", "Vehicle")]),
    "a path below the indexed field scans": ("SELECT * FROM Vehicle WHERE Owner.id = 'p1'", [], [("scan", "Vehicle")]),
    "a name in other letters scans": ("SELECT * FROM Vehicle WHERE vin = 'v1'", [], [("scan", "Vehicle")]),
    "a field compared with itself scans": ("SELECT * FROM Vehicle AS v WHERE v.VIN = v.VIN", [], [("scan", "Vehicle")]),
    "no condition scans": ("SELECT COUNT(*) FROM Vehicle", [], [("scan", "Vehicle")]),
    "a document id through BY": (
        "SELECT * FROM Vehicle BY pid WHERE pid = 'Vehicle-1'",
        [],
        [("fetch", "Vehicle", ["Vehicle-1"])],
    ),
    "document ids in a list, only texts": (
        "SELECT * FROM Vehicle BY pid WHERE pid IN ?",
        [["Vehicle-1", 7, loads("x::'Vehicle-0'")]],
        [("fetch", "Vehicle", ["Vehicle-0", "Vehicle-1"])],
    ),
    "the document id goes before an index": (
        "SELECT * FROM Vehicle BY pid WHERE VIN = 'v1' AND pid = 'Vehicle-1'",
        [],
        [("fetch", "Vehicle", ["Vehicle-1"])],
    ),
    "metadata.id in the committed view": (
        "SELECT * FROM _ql_committed_Vehicle AS c WHERE c.metadata.id = 'Vehicle-0'",
        [],
        [("fetch", "Vehicle", ["Vehicle-0"])],
    ),
    "metadata.id is a field like others in the user view": (
        "SELECT * FROM Vehicle WHERE metadata.id = 'Vehicle-0'",
        [],
        [("scan", "Vehicle")],
    ),
    "an index in the committed view": (
        "SELECT * FROM _ql_committed_Vehicle WHERE data.VIN = 'v2'",
        [],
        [("seek", "Vehicle", "VIN", ['"v2"'])],
    ),
    "a field outside data in the committed view": (
        "SELECT * FROM _ql_committed_Vehicle WHERE VIN = 'v2'",
        [],
        [("scan", "Vehicle")],
    ),
    "metadata.id in a history": (
        "SELECT * FROM history(Vehicle) WHERE metadata.id = ?",
        ["Vehicle-0"],
        [("history", "Vehicle", [None, None], ["Vehicle-0"])],
    ),
    "BY in a history": (
        "SELECT * FROM history(Vehicle) AS h BY hid WHERE hid = 'Vehicle-0'",
        [],
        [("history", "Vehicle", [None, None], ["Vehicle-0"])],
    ),
    "a range of time, partly a parameter": (
        "SELECT * FROM history(Vehicle, `2021-01-01T`, ?)",
        [loads("2022-01-01T00:00:00Z")],
        [("history", "Vehicle", ["2021-01-01", "2022-01-01T00:00:00Z"], None)],
    ),
    "no index in a history": (
        "SELECT * FROM history(Vehicle) WHERE data.VIN = 'v1'",
        [],
        [("history", "Vehicle", [None, None], None)],
    ),
    "the history of a dropped table, by its id": (
        "SELECT * FROM history('id-Gone-2')",
        [],
        [("history", "Gone", [None, None], None)],
    ),
    "the catalogue": ("SELECT * FROM information_schema.user_tables WHERE name = 'x'", [], [("catalogue", None)]),
    "the inner side of a join by the outer's values": (
        "SELECT * FROM Vehicle AS v, Registration AS r WHERE v.VIN = r.VIN",
        [],
        [
            ("scan", "Vehicle"),
            ("seek", "Registration", "VIN", ['"v1"']),
            ("seek", "Registration", "VIN", ['"v2"']),
        ],
    ),
    "a join by ON": (
        "SELECT * FROM Vehicle AS v JOIN Registration AS r ON r.VIN = v.VIN WHERE v.VIN = 'v2'",
        [],
        [("seek", "Vehicle", "VIN", ['"v2"']), ("seek", "Registration", "VIN", ['"v2"'])],
    ),
    "a join on the document id": (
        "SELECT * FROM Registration AS r, Vehicle AS v BY pid WHERE r.city = 'Kent' AND pid = 'Vehicle-1'",
        [],
        [("seek", "Registration", "city", ['"Kent"']), ("fetch", "Vehicle", ["Vehicle-1"])],
    ),
    "a nested collection's values": (
        "SELECT * FROM Vehicle AS v, v.tags AS g, Registration AS r WHERE v.VIN = 'v1' AND r.city = g",
        [],
        [
            ("seek", "Vehicle", "VIN", ['"v1"']),
            ("seek", "Registration", "city", ['"a"']),
            ("seek", "Registration", "city", ['"b"']),
        ],
    ),
    "an UPDATE": (
        "UPDATE Vehicle SET x = 1 WHERE VIN = 'v1'",
        [],
        [("seek", "Vehicle", "VIN", ['"v1"'])],
    ),
    "a DELETE": ("DELETE FROM Vehicle BY pid WHERE pid = 'no'", [], [("fetch", "Vehicle", ["no"])]),
    "a FROM-first statement": (
        "FROM Vehicle AS v, @v.tags AS g WHERE v.VIN = 'v1' AND g = 'a' REMOVE g",
        [],
        [("seek", "Vehicle", "VIN", ['"v1"'])],
    ),
}


@pytest.mark.parametrize(("text", "parameters", "accesses"), ACCESS_PATHS.values(), ids=ACCESS_PATHS)
def test_a_source_is_read_by(
    ledger: MemoryLedger, text: str, parameters: list[Any], accesses: list[tuple[Any, ...]]
) -> None:
    program = ledger.prepare(text)
    if program.kind == "query":
        list(program.rows(parameters, ledger))
    else:
        program.changes(parameters, ledger)
    assert ledger.accesses == accesses


def test_an_index_that_is_not_online_is_not_used(ledger: MemoryLedger) -> None:
    table = ledger.catalogue.active("Vehicle")
    assert table is not None
    building = tuple(replace(index, status="BUILDING") for index in table.indexes)
    ledger.catalogue = ledger.catalogue.replace(replace(table, indexes=building))
    ledger.query("SELECT * FROM Vehicle WHERE VIN = 'v1'")
    assert ledger.accesses == [("scan", "Vehicle")]


REFUSED = {
    "an unknown table": (
        "DELETE FROM NonExistentTable",
        "Semantic Error: at line 1, column 13: No such variable named 'NonExistentTable'; "
        "No such variable named 'NonExistentTable'",
    ),
    "an unknown table in a SELECT": (
        "select * from Vehicles",
        "Semantic Error: at line 1, column 15: No such variable named 'Vehicles'; No such variable named 'Vehicles'",
    ),
    "a table in other letters": (
        "SELECT * FROM vehicle",
        "Semantic Error: at line 1, column 15: No such variable named 'vehicle'; No such variable named 'vehicle'",
    ),
    "an unknown name with several sources": (
        "SELECT VIN FROM Vehicle AS v, Registration AS r",
        "Semantic Error: at line 1, column 8: No such variable named 'VIN'; No such variable named 'VIN'",
    ),
    "an alias that is local to another query": (
        "SELECT n FROM Vehicle AS v, (SELECT VALUE n FROM @v.tags AS n) AS x",
        "Semantic Error: at line 1, column 8: No such variable named 'n'; No such variable named 'n'",
    ),
    "an unknown local name": (
        "SELECT * FROM Vehicle AS v, @w.tags AS g",
        "Semantic Error: at line 1, column 30: No such variable named 'w'; No such variable named 'w'",
    ),
    "a bare name": (
        "1 + foo",
        "Semantic Error: at line 1, column 5: No such variable named 'foo'; No such variable named 'foo'",
    ),
    "a table in an expression": (
        "1 + Vehicle",
        "Semantic Error: at line 1, column 5: Global variable access is illegal in this context, variable name: "
        "'Vehicle'; Global variable access is illegal in this context",
    ),
    "a table in a nested query": (
        "SELECT * FROM Vehicle AS v WHERE EXISTS(SELECT * FROM Registration)",
        "Semantic Error: at line 1, column 55: Global variable access is illegal in this context, variable name: "
        "'Registration'; Global variable access is illegal in this context",
    ),
    "a table in a query in FROM": (
        "SELECT * FROM (SELECT * FROM Vehicle) AS v",
        "Semantic Error: at line 1, column 30: Global variable access is illegal in this context, variable name: "
        "'Vehicle'; Global variable access is illegal in this context",
    ),
    "a history in a nested query": (
        "SELECT (SELECT * FROM history(Vehicle)) FROM Registration",
        "Semantic Error: at line 1, column 31: Global variable access is illegal in this context, variable name: "
        "'Vehicle'; Global variable access is illegal in this context",
    ),
    "two equal aliases": (
        "SELECT * FROM Vehicle AS v, Registration AS v",
        "Semantic Error: at line 1, column 45: A variable named 'v' was already defined in this scope; "
        "A variable named 'v' was already defined in this scope",
    ),
    "a table joined with itself without aliases": (
        "SELECT * FROM Vehicle, Vehicle",
        "Semantic Error: at line 1, column 24: A variable named 'Vehicle' was already defined in this scope; "
        "A variable named 'Vehicle' was already defined in this scope",
    ),
    "names that differ in case only": (
        "SELECT V FROM Vehicle AS vV, Registration AS Vv WHERE vv.a = 1",
        None,
    ),
    "the history of a dropped table by its name": (
        "SELECT * FROM history(Gone)",
        "Semantic Error: at line 1, column 23: No such variable named 'Gone'; No such variable named 'Gone'",
    ),
    "the history of an unknown id": (
        "SELECT * FROM history('nope')",
        "Semantic Error: at line 1, column 23: No such variable named 'nope'; No such variable named 'nope'",
    ),
    "DML on the committed view": (
        "UPDATE _ql_committed_Vehicle SET a = 1",
        "Semantic Error: at line 1, column 8: DML statements are only supported in the default user view",
    ),
    "DML on the catalogue": (
        "INSERT INTO information_schema.user_tables {'a': 1}",
        None,
    ),
    "DML on two tables": (
        "FROM Vehicle AS v, Registration AS r SET v.a = 1",
        "Semantic Error: at line 1, column 20: Only one table can be used in a DML statement",
    ),
    "DML on a literal": ("UPDATE <<{'a': 1}>> AS x SET x.a = 1", None),
    "a target outside the document": (
        "FROM Vehicle AS v, <<1>> AS x SET x = 1",
        "Semantic Error: at line 1, column 35: The target is not a part of the document that the statement changes",
    ),
    "a document id as a target": (
        "UPDATE Vehicle BY pid SET pid = 'x'",
        "Semantic Error: at line 1, column 27: The target is not a part of the document that the statement changes",
    ),
    "a wildcard in a target": ("UPDATE Vehicle SET tags[*] = 'x'", None),
    "an unknown procedure": (
        "EXEC nope 1",
        "Evaluator Error: at line 1, column 1: No such stored procedure: nope ; No such stored procedure: nope",
    ),
    "a procedure with too few arguments": (
        "EXEC REDACT_REVISION ?",
        "Evaluator Error: at line 1, column 1: Incorrect number of arguments to procedure call, <UNKNOWN> : <UNKNOWN>; "
        "redact_revision takes exactly 3 arguments, received: 1",
    ),
    "an unknown function": (
        "SELECT nope(1) FROM Vehicle",
        "Evaluator Error: at line 1, column 8: No such function: nope ; No such function: nope",
    ),
    "COUNT(*) outside a select list": (
        "SELECT * FROM Vehicle WHERE COUNT(*) > 1",
        "Evaluator Error: at line 1, column 29: Invalid use of COUNT(*); COUNT(*) is not allowed in this context",
    ),
    "a bare name in a nested query": (
        "SELECT VALUE (SELECT VALUE g FROM tags AS g) FROM Vehicle",
        "Semantic Error: at line 1, column 35: No such variable named 'tags'; No such variable named 'tags'",
    ),
    "a table in the FROM of a nested query, below an alias of its name": (
        "SELECT VALUE (SELECT VALUE n.x FROM Vehicle.l AS n) FROM Vehicle",
        "Semantic Error: at line 1, column 37: Global variable access is illegal in this context, variable name: "
        "'Vehicle'; Global variable access is illegal in this context",
    ),
    "an alias in other letters": (
        "SELECT * FROM Vehicle AS vV, Registration AS Vv",
        "Semantic Error: at line 1, column 46: A variable named 'Vv' was already defined in this scope; "
        "A variable named 'Vv' was already defined in this scope",
    ),
    "an aggregate of an aggregate": ("SELECT SUM(COUNT(VIN)) FROM Vehicle", None),
    "an insert into a part of a document": (
        "INSERT INTO v.Owners VALUE ?",
        "Semantic Error: at line 1, column 13: No such variable named 'v'; No such variable named 'v'",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_a_statement_is_refused_for(ledger: MemoryLedger, text: str, message: str | None) -> None:
    with pytest.raises(PartiqlError) as caught:
        ledger.prepare(text)
    if message is not None:
        assert str(caught.value) == message
    if caught.value.category == "Semantic":
        assert caught.value.code == "432"


NAMES = {
    "a bare name is a field of the only source": ('SELECT VALUE VIN FROM Vehicle WHERE "Year" = 2012', ['"v1"']),
    "also when a table has that name": ("SELECT VALUE Registration FROM Vehicle", ["null", "null"]),
    "a field in other letters": ("SELECT VALUE vin FROM Vehicle", ['"v1"', '"v2"']),
    "but not when it is quoted": ('SELECT VALUE "vin" FROM Vehicle', ["null", "null"]),
    "the table's name is its alias": ("SELECT VALUE Vehicle.VIN FROM Vehicle", ['"v1"', '"v2"']),
    "a quoted table": ('SELECT VALUE VIN FROM "Vehicle"', ['"v1"', '"v2"']),
    "the committed view's name is its alias": (
        "SELECT VALUE _ql_committed_Vehicle.data.VIN FROM _ql_committed_Vehicle",
        ['"v1"', '"v2"'],
    ),
    "a path lends its last step": ("SELECT VALUE tags FROM Vehicle AS v, v.tags", ['"a"', '"b"']),
    "an alias in other letters": ("SELECT VALUE V.VIN FROM Vehicle AS v", ['"v1"', '"v2"']),
    "an outer alias in a nested query": (
        "SELECT VALUE (SELECT VALUE v.VIN || g FROM v.tags AS g) FROM Vehicle AS v",
        ['["v1a","v1b"]', "[]"],
    ),
    "a field of the inner value before an outer alias": (
        "SELECT VALUE (SELECT VALUE v FROM <<{'v': 1}, {'V': 2}, {'v': null}, {'w': 3}, 4>> AS x) "
        "FROM <<'outer'>> AS v",
        ['[1,2,null,"outer","outer"]'],
    ),
    "quoted, only a field of exactly that name": (
        """SELECT VALUE (SELECT VALUE "v" FROM <<{'v': 1}, {'V': 2}>> AS x) FROM <<'outer'>> AS v""",
        ['[1,"outer"]'],
    ),
    "the innermost value first, then the first source": (
        "SELECT VALUE (SELECT VALUE (SELECT VALUE v FROM <<y, 1>> AS z) FROM [{'v': 2}, 3] AS x, [{'v': 4}] AS y) "
        "FROM <<'outer'>> AS v",
        ["[[4,2],[4,4]]"],
    ),
    "such a field starts a path": (
        "SELECT VALUE (SELECT VALUE @v.a FROM <<{'v': {'a': 1}}, {}>> AS x) FROM <<{'a': 2}>> AS v",
        ["[1,2]"],
    ),
    "in WHERE, too": (
        "SELECT VALUE (SELECT VALUE x FROM <<{'v': 1}, {}>> AS x WHERE v = 1) FROM <<2>> AS v",
        ["[{v:1}]"],
    ),
    "but neither in FROM nor in ON": (
        "SELECT VALUE (SELECT VALUE y FROM <<{'v': 1}>> AS x, @v AS y JOIN <<{'v': 2}>> AS z ON v = 3) FROM <<3>> AS v",
        ["[3]"],
    ),
    "nor does an own alias ask the other sources": (
        "SELECT VALUE (SELECT VALUE y FROM <<{'y': 1}>> AS x, <<2>> AS y) FROM <<3>> AS v",
        ["[2]"],
    ),
    "a path from a table in FROM: the table's, not the alias's": (
        "SELECT VALUE g FROM Vehicle, Vehicle.tags AS g",
        ["null", "null"],
    ),
    "the same from the alias": ("SELECT VALUE g FROM Vehicle, @Vehicle.tags AS g", ['"a"', '"b"']),
    "@ before a table: the table": ("SELECT VALUE 1 FROM <<1>> AS n, @Registration AS r", ["1", "1"]),
    "a local name outside FROM: the field": ("SELECT VALUE @VIN FROM Vehicle WHERE @VIN = 'v1'", ['"v1"']),
    "an alias hides the table of that name": ("SELECT VALUE Vehicle FROM <<1>> AS Vehicle", ["1"]),
    "a table wins over an alias in FROM": (
        "SELECT VALUE Vehicle FROM <<1>> AS Registration, Registration AS Vehicle WHERE Vehicle.city = 'Kent'",
        ['{VIN:"v2",city:"Kent"}'],
    ),
    "unless the name is local": ("SELECT VALUE x FROM <<1>> AS Vehicle, @Vehicle AS x", ["1"]),
    "indexes of the catalogue": (
        "SELECT VALUE indexes.expr FROM information_schema.user_tables info, info.indexes indexes "
        "WHERE info.name = 'Vehicle'",
        ['"[VIN]"', '"[Owner]"'],
    ),
}


@pytest.mark.parametrize(("text", "rows"), NAMES.values(), ids=NAMES)
def test_a_name_means(ledger: MemoryLedger, text: str, rows: list[str]) -> None:
    assert ledger.query(text) == rows


def test_actions_name_what_may_have_to_be_allowed(ledger: MemoryLedger) -> None:
    vehicle, registration = ledger.catalogue.active("Vehicle"), ledger.catalogue.active("Registration")
    gone = ledger.catalogue.by_id("id-Gone-2")
    expected = {
        "SELECT * FROM Vehicle AS a, _ql_committed_Vehicle AS b, Registration AS c": (
            ("PartiQLSelect", vehicle),
            ("PartiQLSelect", registration),
        ),
        "SELECT * FROM history(Vehicle)": (("PartiQLHistoryFunction", vehicle),),
        "SELECT * FROM information_schema.user_tables": (("PartiQLSelect", None),),
        "INSERT INTO Vehicle {'a': 1}": (("PartiQLInsert", vehicle),),
        "UPDATE Vehicle SET a = 1": (("PartiQLSelect", vehicle), ("PartiQLUpdate", vehicle)),
        "DELETE FROM Vehicle": (("PartiQLSelect", vehicle), ("PartiQLDelete", vehicle)),
        "EXEC redact_revision ?, ?, ?": (("PartiQLRedact", None),),
        "CREATE TABLE t": (("PartiQLCreateTable", None),),
        "DROP TABLE Vehicle": (("PartiQLDropTable", vehicle),),
        'UNDROP TABLE "id-Gone-2"': (("PartiQLUndropTable", gone),),
        "CREATE INDEX ON Vehicle (a)": (("PartiQLCreateIndex", vehicle),),
        'DROP INDEX "x" ON Vehicle WITH (purge = true)': (("PartiQLDropIndex", vehicle),),
    }
    assert {text: ledger.prepare(text).actions for text in expected} == expected
