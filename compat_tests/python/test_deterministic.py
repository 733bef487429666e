"""The same program twice, each time against a new server with the same seed: the same journal, byte for byte."""

from __future__ import annotations

import json

import pytest
from conftest import REGION, control_plane
from pyqldb.driver.qldb_driver import QldbDriver
from server import ServerProcess


def run_program(*options: str) -> list[str]:
    """Every block of a small program's journal as Ion text, and the digest."""
    server = ServerProcess("--ephemeral", *options)
    try:
        qldb = control_plane(server)
        qldb.create_ledger(Name="cars", PermissionsMode="ALLOW_ALL", DeletionProtection=False)
        with QldbDriver("cars", endpoint_url=server.url, region_name=REGION) as driver:
            driver.execute_lambda(lambda t: t.execute_statement("CREATE TABLE Car"))
            driver.execute_lambda(lambda t: t.execute_statement("CREATE INDEX ON Car (VIN)"))
            for number in range(5):
                driver.execute_lambda(
                    lambda t, n=number: t.execute_statement("INSERT INTO Car ?", {"VIN": f"V{n}", "owner": "Maria"})
                )
            driver.execute_lambda(lambda t: t.execute_statement("UPDATE Car SET owner = ? WHERE VIN = 'V3'", "Raul"))
            assert len(driver.execute_lambda(lambda t: list(t.execute_statement("SELECT * FROM Car")))) == 5
        digest = qldb.get_digest(Name="cars")
        tip = digest["DigestTipAddress"]["IonText"]
        strand = tip.split('"')[1]
        last = int(tip.split("sequenceNo:")[1].rstrip("}"))
        blocks = [
            qldb.get_block(Name="cars", BlockAddress={"IonText": f'{{strandId:"{strand}",sequenceNo:{number}}}'})
            for number in range(last + 1)
        ]
        return [digest["Digest"].hex(), *(json.dumps(block["Block"]) for block in blocks)]
    finally:
        server.stop()


def test_the_same_seed_leaves_the_same_journal() -> None:
    first = run_program("--deterministic", "42")
    assert len(first) == 11  # digest, genesis, two definitions, five inserts, an update, a read
    assert run_program("--deterministic", "42") == first


@pytest.mark.parametrize("options", [("--deterministic", "43"), ()], ids=["another seed", "no seed"])
def test_anything_else_leaves_another(options: tuple[str, ...]) -> None:
    assert run_program(*options)[0] != run_program("--deterministic", "42")[0]
