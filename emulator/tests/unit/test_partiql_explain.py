"""The text of plans: an access path for every source, what is filtered above.  It is part of what users see."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from helpers.partiql_support import MemoryLedger

from qldb_emulator.partiql.planning.explain import explain, reads


@pytest.fixture(scope="module")
def ledger() -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.add_table("Vehicle", indexes=["VIN"])
    ledger.add_table("Registration", indexes=["VIN", "PlateNumber"])
    return ledger


PLANS = {
    "an index": (
        "SELECT v.VIN, v.Color AS c FROM Vehicle AS v WHERE v.VIN = ? AND v.Color <> 'Red'",
        """
select v.VIN, v.Color AS c
  filter v.VIN = ? AND v.Color <> 'Red'
    v: seek Vehicle by index on VIN, v.VIN = ?
""",
    ),
    "a scan": (
        "SELECT * FROM Vehicle WHERE VIN = ? OR Color = ?",
        """
select *
  filter VIN = ? OR Color = ?
    Vehicle: scan Vehicle
""",
    ),
    "no filter": (
        "SELECT COUNT(*) FROM Vehicle",
        """
aggregate COUNT(*)
  Vehicle: scan Vehicle
""",
    ),
    "a document id": (
        "SELECT * FROM Vehicle BY pid WHERE pid IN ('a', 'b')",
        """
select *
  filter pid IN ('a', 'b')
    Vehicle: seek Vehicle by document id, pid IN ('a', 'b')
""",
    ),
    "the committed view": (
        "SELECT VALUE r.metadata.version FROM _ql_committed_Registration AS r WHERE r.data.PlateNumber = 'X'",
        """
select value r.metadata.version
  filter r.data.PlateNumber = 'X'
    r: seek committed view of Registration by index on PlateNumber, r.data.PlateNumber = 'X'
""",
    ),
    "a history": (
        "SELECT * FROM history(Vehicle, `2021-01-01T`, ?) AS h WHERE h.metadata.id = 'x'",
        """
select *
  filter h.metadata.id = 'x'
    h: seek history of Vehicle by document id, h.metadata.id = 'x', revisions active from `2021-01-01` to ?
""",
    ),
    "a whole history": (
        "SELECT * FROM history(Vehicle)",
        """
select *
  _1: scan history of Vehicle
""",
    ),
    "the catalogue": (
        "SELECT VALUE i.indexId FROM information_schema.user_tables AS t, t.indexes AS i WHERE t.name = 'Vehicle'",
        """
select value i.indexId
  filter t.name = 'Vehicle'
    join, in this order
      t: scan information_schema.user_tables
      i: elements of t.indexes
""",
    ),
    "a join": (
        "SELECT * FROM Vehicle AS v JOIN Registration AS r ON v.VIN = r.VIN, UNPIVOT r.Owners AS o AT k WHERE k = 'x'",
        """
select *
  filter k = 'x'
    join, in this order
      v: scan Vehicle
      r: seek Registration by index on VIN, v.VIN = r.VIN
        on v.VIN = r.VIN
      o: fields of r.Owners
""",
    ),
    "nested queries": (
        "SELECT v.VIN, (SELECT VALUE t FROM v.tags AS t) AS t FROM Vehicle AS v, (SELECT n FROM [1] AS n) AS q "
        "WHERE EXISTS(SELECT * FROM v.tags AS x WHERE x = 'a')",
        """
select v.VIN, (SELECT VALUE t FROM v.tags AS t) AS t
  filter EXISTS((SELECT * FROM v.tags AS x WHERE x = 'a'))
    nested query
      filter x = 'a'
        x: elements of v.tags
    join, in this order
      v: scan Vehicle
      q: elements of nested query
        nested query
          n: elements of [1]
  nested query
    t: elements of v.tags
""",
    ),
    "an expression": ("1 + 2 * 3", "value 1 + 2 * 3"),
    "INSERT": (
        "INSERT INTO Vehicle <<{'VIN': ?}>>",
        """
insert into Vehicle
  documents <<{'VIN': ?}>>
""",
    ),
    "INSERT of one": (
        "INSERT INTO Vehicle VALUE ?",
        """
insert into Vehicle
  document ?
""",
    ),
    "UPDATE": (
        "UPDATE Vehicle AS v SET v.Color = 'Red', Mileage = 1 WHERE v.VIN = 'x'",
        """
update Vehicle
  set v.Color
  set Mileage
  filter v.VIN = 'x'
    v: seek Vehicle by index on VIN, v.VIN = 'x'
""",
    ),
    "FROM first": (
        "FROM Registration AS r, @r.Owners AS o WHERE o.id = 1 REMOVE o",
        """
update Registration
  remove o
  filter o.id = 1
    join, in this order
      r: scan Registration
      o: elements of @r.Owners
""",
    ),
    "DELETE": (
        "DELETE FROM Vehicle BY id WHERE id = ?",
        """
delete from Vehicle
  filter id = ?
    Vehicle: seek Vehicle by document id, id = ?
""",
    ),
    "DDL": ("CREATE INDEX ON Vehicle (Color)", "define CREATE INDEX ON Vehicle (Color)"),
    "EXEC": ("EXEC redact_revision ?, 'a', 'b'", "exec redact_revision"),
}


@pytest.mark.parametrize(("text", "expected"), PLANS.values(), ids=PLANS)
def test_a_plan_reads(ledger: MemoryLedger, text: str, expected: str) -> None:
    assert explain(ledger.prepare(text).plan) == expected.strip("\n")


READS = {
    "nothing": ("1 + 1", []),
    "an index": (
        "SELECT * FROM Vehicle WHERE VIN IN ('a', 'b')",
        [
            "the documents of Vehicle with VIN IN ('a', 'b'), and any that come to have it",
            "what the name Vehicle stands for, and its indexes",
        ],
    ),
    "a scan and a probe": (
        "SELECT * FROM Vehicle AS v JOIN Registration AS r ON v.VIN = r.VIN",
        [
            "every document of Vehicle: a scan",
            "the documents of Registration with v.VIN = r.VIN, and any that come to have it",
            "what the name Vehicle stands for, and its indexes",
            "what the name Registration stands for, and its indexes",
        ],
    ),
    "a document of the committed view": (
        "SELECT * FROM _ql_committed_Vehicle WHERE metadata.id = ?",
        ["the documents of Vehicle with metadata.id = ?", "what the name Vehicle stands for, and its indexes"],
    ),
    "a history": (
        "SELECT * FROM history(Vehicle)",
        ["every document of Vehicle: a scan of its history", "what the name Vehicle stands for, and its indexes"],
    ),
    "the catalogue": ("SELECT * FROM information_schema.user_tables", ["which tables and indexes there are"]),
    "an insert": ("INSERT INTO Vehicle ?", ["what the name Vehicle stands for, and its indexes"]),
    "DDL": ("CREATE TABLE Person", ["which tables and indexes there are"]),
}


@pytest.mark.parametrize(("text", "expected"), READS.values(), ids=READS)
def test_a_plan_says_what_it_conflicts_with(ledger: MemoryLedger, text: str, expected: list[str]) -> None:
    assert reads(ledger.prepare(text).plan) == expected


# How the first source of V, with an index on a, is read for a condition: partiql.md 5, rule by rule.
PATHS = {
    "a = 1": "index on a",
    "1 = a": "index on a",
    "v.a = ?": "index on a",
    'v."a" = ?': "index on a",
    "v['a'] = ?": "index on a",
    "a IN (1, 2)": "index on a",
    "a IN ?": "index on a",
    "a IN [1, 2]": "index on a",
    "a IN <<1>>": "index on a",
    "a = 1 AND b > 2": "index on a",
    "b > 2 AND (c = 3 AND a = 1)": "index on a",
    "a = 1 AND id = 'x'": "document id",
    "id = ?": "document id",
    "id IN (?, ?)": "document id",
    "a = LOWER(?)": "index on a",
    "a = 1 OR a = 2": "scan",
    "a = 1 OR b = 2": "scan",
    "NOT a = 1": "scan",
    "a NOT IN (1, 2)": "scan",
    "a <> 1": "scan",
    "a < 1": "scan",
    "a BETWEEN 1 AND 1": "scan",
    "a LIKE 'x'": "scan",
    "a IS NULL": "scan",
    "a = b": "scan",
    "a.b = 1": "scan",
    "a[0] = 1": "scan",
    "b = 1": "scan",
    "LOWER(a) = 'x'": "scan",
    "a + 0 = 1": "scan",
    "EXISTS(SELECT * FROM v.a AS x WHERE x = 1)": "scan",
    "building = 1": "scan",
    "A = 1": "scan",
}


@pytest.mark.parametrize(("condition", "path"), PATHS.items(), ids=list(PATHS))
@pytest.mark.parametrize(
    ("form", "committed"),
    [
        ("SELECT * FROM V AS v BY id WHERE {}", False),
        ("SELECT * FROM _ql_committed_V AS r WHERE {}", True),
        ("UPDATE V AS v BY id SET z = 1 WHERE {}", False),
        ("DELETE FROM V AS v BY id WHERE {}", False),
        ("FROM V AS v BY id WHERE {} SET v.z = 1", False),
    ],
    ids=["select", "committed", "update", "delete", "from"],
)
def test_only_equality_uses_an_index(condition: str, path: str, form: str, committed: bool) -> None:
    ledger = MemoryLedger()
    table = ledger.add_table("V", indexes=["a", "building"])
    indexes = (table.indexes[0], replace(table.indexes[1], status="BUILDING"))
    ledger.catalogue = ledger.catalogue.replace(replace(table, indexes=indexes))
    if committed:
        condition = re.sub(r"\b(v\.)?(a|b|c|A|building)\b(?!')", r"r.data.\2", condition.replace("v['a']", "v.a"))
        condition = re.sub(r"v\.\"r\.data\.a\"", 'r.data."a"', condition).replace("id ", "metadata.id ")
        condition = condition.replace("r.data.a.r.data.b", "r.data.a.b")
    plan = explain(ledger.prepare(form.format(condition)).plan)
    assert ("scan" if ": scan " in plan else "document id" if "by document id" in plan else "index on a") == path


@pytest.mark.parametrize(
    ("condition", "first", "second"),
    [
        ("v.a = r.a", "scan", "index on a"),
        ("r.a = v.b", "scan", "index on a"),
        ("v.a = 1 AND r.a = v.a", "index on a", "index on a"),
        ("r.a IN v.items", "scan", "index on a"),
        ("v.a = r.b", "scan", "scan"),
        ("r.a = r.b", "scan", "scan"),
        ("r.a = v.a OR r.b = v.b", "scan", "scan"),
        ("v.a = 1", "index on a", "scan"),
    ],
)
@pytest.mark.parametrize(
    "form", ["V AS v JOIN V AS r ON {}", "V AS v, V AS r WHERE {}", "V AS v CROSS JOIN V AS r WHERE {}"]
)
def test_a_join_probes_what_the_left_side_knows(condition: str, first: str, second: str, form: str) -> None:
    ledger = MemoryLedger()
    ledger.add_table("V", indexes=["a"])
    text = explain(ledger.prepare("SELECT * FROM " + form.format(condition)).plan)
    found = dict(re.findall(r"^\s+([vr]): (scan|seek) V", text, re.MULTILINE))
    assert found == {"v": "scan" if first == "scan" else "seek", "r": "scan" if second == "scan" else "seek"}
