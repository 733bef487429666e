"""The text of plans: an access path for every source, what is filtered above.  It is part of what users see."""

from __future__ import annotations

import pytest
from partiql_support import MemoryLedger


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
    assert ledger.prepare(text).plan.explain() == expected.strip("\n")
