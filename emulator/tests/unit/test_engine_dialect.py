"""The dialect through the engine: texts and codes of errors as a client gets them, DDL with DML, depth, broken rows."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.local_driver import LocalSession, LocalTransaction, new_ledger

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import DOCUMENT_DEPTH, dumps_text


@pytest.fixture
def session(emulator: Emulator) -> LocalSession:
    session = new_ledger(emulator)
    session.run("CREATE TABLE T")
    session.run("CREATE INDEX ON T (a)")
    session.run("INSERT INTO T <<{'a': 1, 'n': 0}, {'a': 2, 'n': 1}>>")
    return session


def refusal(transaction: LocalTransaction, text: str, *parameters: Any) -> tuple[str, str | None, str]:
    """Return (shape, Code, message) of a statement that is refused."""
    with pytest.raises(QldbError) as caught:
        transaction.execute(text, *parameters)
    return caught.value.shape, caught.value.members.get("Code"), caught.value.message


def twice(text: str) -> str:
    return f"{text}; {text}"


UNKNOWN = "No such variable named '{}'"

# partiql.md 7: recorded texts first, then those of the library, then our own.
REFUSALS: dict[str, tuple[tuple[Any, ...], str | None, str]] = {
    "a table that exists": (("CREATE TABLE T",), "412", "Table with name: USER.T already exists"),
    "DELETE of no table": (
        ("DELETE FROM NonExistentTable",),
        "432",
        "Semantic Error: at line 1, column 13: " + twice(UNKNOWN.format("NonExistentTable")),
    ),
    "SELECT of no table": (
        ("select * from Vehicles",),
        "432",
        "Semantic Error: at line 1, column 15: " + twice(UNKNOWN.format("Vehicles")),
    ),
    "an operator without its right side": (
        ("SELECT * FROM T\nWHERE a = 1\nAND",),
        "400",
        "Parser Error: at line 3, column 1: expected expression, OPERATOR : and; "
        "Missing right-hand side expression of infix operator",
    ),
    "a parameter as a path step": (
        ("SELECT a.?\nFROM T AS a", 1),
        "400",
        "Parser Error: at line 1, column 10: Invalid path component, expecting either an IDENTIFIER or STAR, got: "
        "QUESTION_MARK with value: \n1; Invalid path dot component",
    ),
    "too few parameters": (
        ("INSERT INTO T <<?, ?, ?, ?>>", {}),
        None,
        "Query expects 4 parameters, but statement has 1",
    ),
    "too many parameters": (("1", 1), None, "Query expects 0 parameters, but statement has 1"),
    "DROP of no table": (
        ("DROP TABLE Nope",),
        "432",
        "Semantic Error: at line 1, column 12: " + twice(UNKNOWN.format("Nope")),
    ),
    "an index on no table": (
        ("CREATE INDEX ON Nope (a)",),
        "432",
        "Semantic Error: at line 1, column 17: " + twice(UNKNOWN.format("Nope")),
    ),
    "DROP INDEX of no table": (
        ('DROP INDEX "x" ON Nope WITH (purge = true)',),
        "432",
        "Semantic Error: at line 1, column 19: " + twice(UNKNOWN.format("Nope")),
    ),
    "an index that exists": (("CREATE INDEX ON T (a)",), "412", "Index on field a of table T already exists"),
    "no such index": (('DROP INDEX "x" ON T WITH (purge = true)',), None, "No index with id x on table T"),
    "DROP INDEX without purge": (
        ('DROP INDEX "x" ON T',),
        "400",
        "Parser Error: at line 1, column 20: unexpected token found, EOF : EOF; Expected WITH (purge = true)",
    ),
    "no such dropped table": (('UNDROP TABLE "x"',), None, "No inactive table with id: x"),
    "a reserved word as a table": (
        ("CREATE TABLE select",),
        "400",
        "Parser Error: at line 1, column 14: unexpected token found, KEYWORD : select; Expected identifier!",
    ),
    "a blank in a table's name": (
        ('CREATE TABLE "a b"',),
        None,
        "The table name 'a b' is not valid: it must have 1 to 128 letters, digits or underscores, the first no digit",
    ),
    "a second statement": (
        ("SELECT * FROM T; SELECT 1",),
        "400",
        "Parser Error: at line 1, column 18: unexpected token found, KEYWORD : select; "
        "Unexpected token after semicolon. (Only one query is allowed.)",
    ),
    "ORDER BY": (
        ("SELECT a FROM T ORDER BY a",),
        "400",
        "Parser Error: at line 1, column 17: unexpected token found, KEYWORD : order; "
        "Unexpected token after expression",
    ),
    "a table in a nested query": (
        ("SELECT (SELECT * FROM T AS u) FROM <<1>> AS x",),
        "432",
        "Semantic Error: at line 1, column 23: Global variable access is illegal in this context, variable name: 'T'; "
        "Global variable access is illegal in this context",
    ),
    "a name of two tables": (
        ("SELECT * FROM T AS a, T AS b WHERE c = 1",),
        "432",
        "Semantic Error: at line 1, column 36: " + twice(UNKNOWN.format("c")),
    ),
    "an alias twice": (
        ("SELECT * FROM T AS x, T AS x",),
        "432",
        "Semantic Error: at line 1, column 28: " + twice("A variable named 'x' was already defined in this scope"),
    ),
    "no such function": (
        ("SELECT abs(a) FROM T",),
        "400",
        "Evaluator Error: at line 1, column 8: No such function: abs ; No such function: abs",
    ),
    "zero divide": (
        ("SELECT 1/n FROM T",),
        "400",
        "Evaluator Error: at line 1, column 9: / by zero, <UNKNOWN> : <UNKNOWN>; / by zero",
    ),
    "a long int": (
        ("SELECT 9223372036854775808 FROM T",),
        "400",
        "Evaluator Error: at line 1, column 8: Int overflow or underflow, <UNKNOWN> : <UNKNOWN>; "
        "Int overflow or underflow",
    ),
    "no document": (
        ("INSERT INTO T <<{}, 5>>",),
        "400",
        "Evaluator Error: at line 1, column 15: A document must be a STRUCT, not INT",
    ),
    "DML in the committed view": (
        ("DELETE FROM _ql_committed_T",),
        "432",
        "Semantic Error: at line 1, column 13: DML statements are only supported in the default user view",
    ),
    "no such procedure": (
        ("EXEC foo 1",),
        "400",
        "Evaluator Error: at line 1, column 1: No such stored procedure: foo ; No such stored procedure: foo",
    ),
    "parentheses without end": (
        ("(" * 10_000,),
        "400",
        "Parser Error: at line 1, column 201: the statement is nested more than 200 levels deep, LEFT_PAREN : '('; "
        "Nested too deeply",
    ),
}


@pytest.mark.parametrize(("statement", "code", "text"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_its_text_and_code_and_changes_nothing(
    session: LocalSession, statement: tuple[Any, ...], code: str | None, text: str
) -> None:
    transaction = session.begin()
    transaction.execute("INSERT INTO T {'a': 3, 'n': 2}")
    looks = ("SELECT * FROM T", "SELECT * FROM information_schema.user_tables")
    before = [transaction.execute(look) for look in looks]
    assert refusal(transaction, *statement) == ("BadRequestException", code, text)
    assert [transaction.execute(look) for look in looks] == before
    transaction.commit()
    assert len(session.run("SELECT * FROM T")) == 3


def test_a_history_that_begins_in_the_future_is_refused_with_the_time_it_is(session: LocalSession) -> None:
    _, _, text = refusal(session.begin(), "SELECT * FROM history(T, `2222-01-01T`)")
    assert text.startswith("The start time of a history must not be after its end time: 2222-01-01 is after 20")


# --- Depth ---------------------------------------------------------------------------------------------------


def nested(depth: int) -> Any:
    """Lists in lists, so many."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_a_document_nests_so_deep_and_no_deeper(session: LocalSession) -> None:
    session.run("INSERT INTO T ?", {"deep": nested(DOCUMENT_DEPTH - 1)})
    shape, _, text = refusal(session.begin(), "INSERT INTO T ?", {"deep": nested(DOCUMENT_DEPTH)})
    session.send("AbortTransaction")
    transaction = session.begin()
    assert (shape, text) == (
        "BadRequestException",
        "Parameter 1 is not a valid Ion value: containers are nested too deeply",
    )
    wrapped = "INSERT INTO T {'deep': {'deeper': ?}}"
    assert refusal(transaction, wrapped, nested(DOCUMENT_DEPTH - 1)) == (
        "BadRequestException",
        None,
        f"The document nests containers more than {DOCUMENT_DEPTH} levels deep",
    )
    grown = "UPDATE T SET deep = [deep] WHERE deep IS NOT MISSING"
    assert "more than 200 levels deep" in refusal(transaction, grown)[2]
    transaction.commit()
    rows = session.run("SELECT * FROM history(T) AS h WHERE h.data.deep IS NOT MISSING")
    assert [row["data"] for row in rows] == [{"deep": nested(DOCUMENT_DEPTH - 1)}]


def test_a_result_that_is_too_deep_is_refused(session: LocalSession) -> None:
    session.run("INSERT INTO T ?", {"deep": nested(DOCUMENT_DEPTH - 1)})
    text = "SELECT VALUE " + "[" * 30 + "deep" + "]" * 30 + " FROM T WHERE deep IS NOT MISSING"
    assert refusal(session.begin(), text)[2].startswith("The result cannot be written: containers are nested too")


# --- Rows that fail ------------------------------------------------------------------------------------------


def test_a_row_that_fails_on_a_later_page_fails_that_page_each_time(session: LocalSession) -> None:
    transaction = session.begin()
    numbers = ", ".join(["1"] * 205 + ["0"])
    page = transaction.execute_raw(f"SELECT VALUE 1 / n FROM [{numbers}] AS n")["FirstPage"]
    assert len(page["Values"]) == 200
    for _ in range(2):
        with pytest.raises(QldbError) as caught:
            session.send("FetchPage", TransactionId=transaction.id, NextPageToken=page["NextPageToken"])
        assert (caught.value.shape, caught.value.message) == (
            "BadRequestException",
            "Evaluator Error: at line 1, column 16: / by zero, <UNKNOWN> : <UNKNOWN>; / by zero",
        )
    assert transaction.execute("SELECT VALUE a FROM T") == [1, 2]
    transaction.commit()


# --- DDL with DML ---------------------------------------------------------------------------------------------


def test_a_table_lives_in_one_transaction(session: LocalSession) -> None:
    transaction = session.begin()
    run = transaction.execute
    [created] = run("CREATE TABLE Person")
    assert run("CREATE INDEX ON Person (name)") == [created]
    run("INSERT INTO Person ?", {"name": "Ann", "age": 3})
    status = "SELECT VALUE indexes[0].status FROM information_schema.user_tables WHERE name = 'Person'"
    assert run(status) == ["BUILDING"]
    assert run("SELECT VALUE age FROM Person WHERE name = 'Ann'") == [3]
    run("UPDATE Person SET name = 'Bob' WHERE name = 'Ann'")
    assert run("SELECT VALUE age FROM Person WHERE name = 'Bob'") == [3]
    assert refusal(transaction, "CREATE TABLE Person")[1] == "412"
    transaction.commit()
    assert session.run(status) == ["ONLINE"]
    assert session.run("SELECT VALUE age FROM Person WHERE name = 'Bob'") == [3]


def test_a_name_is_free_when_its_table_is_dropped(session: LocalSession) -> None:
    def work(transaction: LocalTransaction) -> tuple[str, str]:
        [old] = transaction.execute("DROP TABLE T")
        assert refusal(transaction, "SELECT * FROM T")[1] == "432"
        [new] = transaction.execute("CREATE TABLE T")
        transaction.execute("INSERT INTO T {'a': 9}")
        assert transaction.execute("SELECT VALUE a FROM T") == [9]
        return old["tableId"], new["tableId"]

    old, new = session.execute(work)
    tables = session.run("SELECT tableId, status FROM information_schema.user_tables WHERE name = 'T'")
    assert {row["tableId"]: row["status"] for row in tables} == {old: "INACTIVE", new: "ACTIVE"}
    history = f"SELECT VALUE h.data.a FROM history('{old}') AS h"
    assert session.run(history) == [1, 2]
    assert session.run("SELECT VALUE h.data.a FROM history(T) AS h") == [9]
    assert refusal(session.begin(), f'UNDROP TABLE "{old}"')[1] == "412"
    session.send("AbortTransaction")
    session.run("DROP TABLE T")
    session.run(f'UNDROP TABLE "{old}"')
    assert session.run("SELECT VALUE n FROM T WHERE a = 2") == [1]
    assert session.run(history) == [1, 2]


@pytest.mark.parametrize("name", ["select", "Table", "_x", "a" * 128, "TABLE"])
def test_a_quoted_name_may_be_reserved(session: LocalSession, name: str) -> None:
    session.run(f'CREATE TABLE "{name}"')
    session.run(f'CREATE INDEX ON "{name}" ("where")')
    session.run(f'INSERT INTO "{name}" ?', {"where": 1, "from": 2})
    assert session.run(f'SELECT VALUE "from" FROM "{name}" WHERE "where" = 1') == [2]
    assert session.run(f'SELECT "{name}"."from" FROM "{name}"') == [{"from": 2}]
    session.run(f'DROP TABLE "{name}"')


def test_names_of_tables_are_case_sensitive(session: LocalSession) -> None:
    session.run("CREATE TABLE t")
    session.run("INSERT INTO t {'x': 1}")
    assert (session.run("SELECT * FROM t"), len(session.run("SELECT * FROM T"))) == ([{"x": 1}], 2)


def test_an_index_is_purged_and_made_again(session: LocalSession) -> None:
    [index] = session.run("SELECT VALUE indexes[0].indexId FROM information_schema.user_tables WHERE name = 'T'")
    session.run(f'DROP INDEX "{index}" ON T WITH (purge = true)')
    assert session.run("SELECT VALUE n FROM T WHERE a = 2") == [1]
    session.run("INSERT INTO T {'a': 2, 'n': 5}")
    session.run("CREATE INDEX ON T (a)")
    assert session.run("SELECT VALUE n FROM T WHERE a = 2") == [1, 5]


def test_limits_hold_for_ddl_of_one_transaction(session: LocalSession) -> None:
    transaction = session.begin()
    for field in "bcde":
        transaction.execute(f"CREATE INDEX ON T ({field})")
    assert "5 indexes" in refusal(transaction, "CREATE INDEX ON T (f)")[2]
    for number in range(19):
        transaction.execute(f"CREATE TABLE A{number}")
    assert "20 active tables" in refusal(transaction, "CREATE TABLE B")[2]
    for number in range(20):
        transaction.execute(f"DROP TABLE A{number % 19}" if number < 19 else "DROP TABLE T")
    for number in range(20):
        transaction.execute(f"CREATE TABLE C{number}")
        transaction.execute(f"DROP TABLE C{number}")
    assert "40 total tables" in refusal(transaction, "CREATE TABLE D")[2]
    transaction.commit()
    assert len(session.run("SELECT * FROM information_schema.user_tables")) == 40


# --- Statistics ----------------------------------------------------------------------------------------------


def test_the_six_way_join_of_three_documents_reads_1092(session: LocalSession) -> None:
    """3 + 9 + 27 + 81 + 243 + 729 (driver-java, driver-nodejs tests)."""
    session.run("CREATE TABLE Three")
    session.run("INSERT INTO Three <<{'a': 1}, {'a': 2}, {'a': 3}>>")
    transaction = session.begin()
    sources = ", ".join(f"Three AS t{number}" for number in range(6))
    result = transaction.execute_raw(f"SELECT * FROM {sources}")
    reads, rows, page = result["ConsumedIOs"]["ReadIOs"], len(result["FirstPage"]["Values"]), result["FirstPage"]
    while page.get("NextPageToken"):
        result = session.send("FetchPage", TransactionId=transaction.id, NextPageToken=page["NextPageToken"])
        page = result["Page"]
        reads, rows = reads + result["ConsumedIOs"]["ReadIOs"], rows + len(page["Values"])
    assert (reads, rows) == (1092, 729)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM T WHERE a = 1", 1),
        ("SELECT * FROM T WHERE n = 1", 2),
        ("SELECT * FROM T WHERE a = 7", 0),
        ("SELECT COUNT(*) FROM T", 2),
        ("1 + 1", 1),
        ("SELECT * FROM T AS x JOIN T AS y ON y.a = x.a", 4),
        ("SELECT * FROM history(T)", 2),
    ],
)
def test_reads_are_counted_and_never_none_for_a_row(session: LocalSession, text: str, expected: int) -> None:
    assert session.begin().execute_raw(text)["ConsumedIOs"] == {"ReadIOs": expected, "WriteIOs": 0}


def test_field_names_match_exactly_first_and_then_in_any_case(session: LocalSession) -> None:
    session.run("CREATE TABLE Cased")
    session.run("INSERT INTO Cased <<{'Name': 'A', 'name': 'b'}, {'NAME': 'c'}>>")
    assert session.run("SELECT VALUE name FROM Cased") == ["b", "c"]
    assert [dumps_text(row) for row in session.run('SELECT VALUE "name" FROM Cased')] == ['"b"', "null"]
    session.run("UPDATE Cased SET name = 'x'")
    assert session.run("SELECT * FROM Cased") == [{"Name": "A", "name": "x"}, {"NAME": "x"}]
