"""A small ledger with every kind of transaction, for tests of exports, imports and verification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helpers.local_driver import CONTEXT, LocalSession, new_ledger
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import loads


def busy_ledger(emulator: Emulator, name: str = "cars") -> LocalSession:
    """DDL, inserts, updates, deletions, a mixed transaction, reads, redactions; Ion of every kind."""
    session = new_ledger(emulator, name)
    session.execute(lambda t: [t.execute("CREATE TABLE Car"), t.execute("CREATE TABLE Owner")])
    session.run("CREATE INDEX ON Car (vin)")
    session.run(
        "INSERT INTO Car <<?, ?, ?>>",
        {"vin": "A1", "when": loads("2020-02-29T12:00:00.120+05:30"), "price": loads("1.50")},
        loads('{vin:"B2", kind:sedan, note:yes::{{aGk=}}, list:[1, (a b), null.int, 1e0]}'),
        {"vin": "C3", "owner": "Mária 😀"},
    )
    session.run("UPDATE Car SET owner = ? WHERE vin = ?", "Maria", "A1")
    session.run("SELECT * FROM Car WHERE vin = 'A1'")
    session.execute(
        lambda t: [
            t.execute("INSERT INTO Owner {'name': 'Maria'}"),
            t.execute("UPDATE Car AS c SET c.price = 2 WHERE c.vin = 'B2'"),
            t.execute("DELETE FROM Car AS c WHERE c.vin = 'C3'"),
            t.execute("SELECT * FROM Owner"),
        ]
    )
    redact(session, "Car", 0)
    session.run('DROP INDEX "' + index_id(session) + '" ON Car WITH (purge = true)')
    session.run("CREATE TABLE Gone")
    session.run("DROP TABLE Gone")
    return session


def index_id(session: LocalSession) -> str:
    """Return the id of the first index of table Car."""
    (row,) = session.run("SELECT VALUE t.indexes FROM information_schema.user_tables AS t WHERE t.name = 'Car'")
    found: str = row[0]["indexId"]
    return found


def redact(session: LocalSession, table: str, version: int) -> Mapping[str, Any]:
    """Redact the first superseded revision of this version."""
    rows = session.run(f"SELECT * FROM history({table}) AS h WHERE h.metadata.version = ?", version)
    every = session.run(f"SELECT h.metadata FROM history({table}) AS h")
    current = {row["metadata"]["id"]: row["metadata"]["version"] for row in every}
    row = next(row for row in rows if current[row["metadata"]["id"]] > version and "data" in row)
    (table_id,) = session.run(f"SELECT VALUE tableId FROM information_schema.user_tables WHERE name = '{table}'")
    session.run("EXEC REDACT_REVISION ?, ?, ?", row["blockAddress"], table_id, row["metadata"]["id"])
    redacted: Mapping[str, Any] = row
    return redacted


def digest(emulator: Emulator, name: str = "cars") -> tuple[bytes, str]:
    """Return a ledger's digest and the Ion text of its tip."""
    answer = emulator.call("GetDigest", {"Name": name}, CONTEXT)
    return answer["Digest"], answer["DigestTipAddress"]["IonText"]
