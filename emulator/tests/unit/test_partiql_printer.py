"""The text of trees: as short as the parser allows."""

from __future__ import annotations

import pytest

from qldb_emulator.partiql.syntax.ast import Call, Literal, Variable
from qldb_emulator.partiql.syntax.parser import parse
from qldb_emulator.partiql.syntax.printer import name_text, to_text

ITSELF = [
    "SELECT * FROM Vehicle AS v WHERE v.VIN = ?",
    "SELECT VALUE a.b[0] FROM t BY id",
    'SELECT a AS "select", b.*, COUNT(*) FROM t, @t.b AS c AT i WHERE NOT a AND b OR c',
    "SELECT * FROM a JOIN b AS c BY d ON a.x = d, (SELECT VALUE 1 FROM <<{}>>) AS e",
    "SELECT * FROM history('id', `2019-06-05`, ?) AS h",
    "SELECT * FROM UNPIVOT a AS v AT k",
    "a + b * (c - d) - (e - f)",
    "(a OR b) AND c",
    "a || b || (c || d)",
    "(a || b) || c",
    "NOT (a AND b)",
    "- -a",
    "-(-1).a",
    "(1).a",
    "a NOT IN (1, 2) OR b IN [] OR c IN ? OR d IN (SELECT VALUE e FROM f)",
    "a IN NOT b",
    "a NOT LIKE '%''x' ESCAPE '/' AND b NOT BETWEEN 1 AND 2",
    "a IS NOT DECIMAL(5, 2)",
    "CASE a WHEN 1 THEN 'x' ELSE NULL END",
    "CAST(a AS CHARACTER VARYING(3))",
    "TRIM(LEADING 'x' FROM a)",
    "EXTRACT(YEAR FROM a)",
    "DATE_ADD(DAY, -1, a)",
    "SUBSTRING(a, 1, 2)",
    "COUNT(DISTINCT a)",
    "SEXP(1, [], <<2>>, {'a': MISSING, b: TRUE})",
    "5. + 1.50 + 1E+2",
    '`{a:"`"}`',
    "INSERT INTO t VALUE {'a': 1}",
    "INSERT INTO t <<?, ?>>",
    "INSERT INTO t ([1])",
    "UPDATE t AS a BY id SET a.x = 1, y = 2 WHERE id = ?",
    "UPDATE t AS a INSERT INTO a.z VALUE 3 AT 0 WHERE id = ?",
    "UPDATE t AS a INSERT INTO a.z <<3, 4>>",
    "UPDATE t AS a REMOVE w",
    "FROM t AS a WHERE b REMOVE a",
    "DELETE FROM t",
    'CREATE TABLE t WITH (aws_tags = `{a:"b"}`)',
    'CREATE TABLE "table"',
    "DROP TABLE t",
    'UNDROP TABLE "5PLf9SXwndd63lPaSIa0O6"',
    'CREATE INDEX ON t ("date")',
    'DROP INDEX "4tPW3fUhaVhDinRgKRLhGU" ON t WITH (purge = true)',
    "EXEC redact_revision ?, 'a', 'b'",
]


@pytest.mark.parametrize("text", ITSELF)
def test_a_tree_prints_to_the_text_it_came_from(text: str) -> None:
    assert to_text(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("select a from t inner join u on b cross join v;", "SELECT a FROM t JOIN u ON b, v"),
        ("((a)) and ((b = c)) -- why", "a AND b = c"),
        ("a != b", "a <> b"),
        ("substring(a from 1 for 2)", "SUBSTRING(a, 1, 2)"),
        ("trim(a)", "TRIM(FROM a)"),
        ("cast(a as int)", "CAST(a AS INTEGER)"),
        ("a['b']", 'a."b"'),
        ("a in [1]", "a IN (1)"),
        ('"upper"(a)', "UPPER(a)"),
        ('"Trim"(a)', '"trim"(a)'),
    ],
)
def test_what_means_the_same_prints_the_same(text: str, printed: str) -> None:
    assert to_text(parse(text)) == printed


@pytest.mark.parametrize(
    ("name", "text"),
    [("a", "a"), ("year", "year"), ("a b", '"a b"'), ("select", '"select"'), ('a"b', '"a""b"'), ("", '""')],
)
def test_a_name_is_quoted_when_it_must_be(name: str, text: str) -> None:
    assert name_text(name) == text


def test_a_function_named_like_the_source_history_is_quoted() -> None:
    assert to_text(Call("history", (Variable("t"),))) == '"history"(t)'


def test_part_of_a_tree_has_a_text_too() -> None:
    assert to_text(Literal("it's")) == "'it''s'"
