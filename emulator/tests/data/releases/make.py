"""Makes the ledger file that is kept of a release, with the code of that release:

    PYTHONPATH=emulator python emulator/tests/data/releases/make.py emulator/tests/data/releases/0.1.0

Run it once, when the version is released.  What it writes is never made again: the file shows what that version wrote.
It holds two tables, two indexes, updates, a deletion and a dropped table.
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
import tempfile
from pathlib import Path

from qldb_emulator.driver import LedgerSession
from qldb_emulator.driver.local import LocalTransport
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

STATEMENTS = (
    "CREATE TABLE Car",
    "CREATE INDEX ON Car (VIN)",
    "CREATE INDEX ON Car (owner)",
    "INSERT INTO Car << {'VIN': '1', 'owner': 'Maria', 'price': 12.50},"
    " {'VIN': '2', 'owner': 'Raul', 'bought': `2020-01-31T`},"
    " {'VIN': '3', 'owner': 'Brent', 'tags': ['a', {'b': `{{aGVsbG8=}}`}]} >>",
    "UPDATE Car SET owner = 'Richard' WHERE VIN = '1'",
    "UPDATE Car SET price = 13.00 WHERE VIN = '1'",
    "DELETE FROM Car WHERE VIN = '2'",
    "CREATE TABLE Garage",
    "INSERT INTO Garage {'name': 'north', 'cars': 2}",
    "DROP TABLE Garage",
    "CREATE TABLE Garage",
    "INSERT INTO Garage {'name': 'south', 'cars': 1}",
)
QUESTIONS = (
    "SELECT * FROM Car",
    "SELECT * FROM Car WHERE VIN = '1'",
    "SELECT * FROM history(Car)",
    "SELECT * FROM _ql_committed_Garage",
    "SELECT * FROM information_schema.user_tables",
)


def main() -> None:
    """Write cars.qldb and expected.json."""
    target = Path(sys.argv[1])
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        with Emulator(Settings(data_dir=Path(folder), deterministic_seed=target.name)) as emulator:
            transport = LocalTransport(emulator)
            transport.call("CreateLedger", {"Name": "cars", "PermissionsMode": "ALLOW_ALL", "Tags": {"team": "one"}})
            session = LedgerSession(transport, "cars")
            for statement in STATEMENTS:
                session.run(statement)
            expected = {"answers": {question: rows(session, question) for question in QUESTIONS}}
            session.end()
            digest = transport.call("GetDigest", {"Name": "cars"})
            expected["digest"] = text(digest["Digest"])
            expected["tip"] = digest["DigestTipAddress"]["IonText"]
        shutil.copy(Path(folder) / "us-east-1" / "cars.qldb", target / "cars.qldb")
    (target / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def rows(session: LedgerSession, question: str) -> list[str]:
    """The rows of an answer as Ion text."""
    from qldb_emulator.ion.codec import dumps_text

    return [dumps_text(row) for row in session.run(question).rows]


def text(digest: bytes | str) -> str:
    """A digest in base64, as the control plane has it."""
    return digest if isinstance(digest, str) else base64.b64encode(digest).decode()


if __name__ == "__main__":
    main()
