"""The statements of the launch talk, as printed, with the rows printed there."""

from __future__ import annotations

import json

import pytest
from amazon.ion.simpleion import dumps, loads
from verifier import digest_bytes, fold, revision_hash


def run(driver, statement, *parameters):
    return driver.execute_lambda(lambda t: list(t.execute_statement(statement, *parameters)))


def same(rows, text: str) -> bool:
    """Whether rows are the Ion values of a text, field order and types included."""
    return [dumps(row, binary=False) for row in rows] == [dumps(row, binary=False) for row in loads(text)]


@pytest.fixture
def talk(shared):
    return json.loads((shared / "statements" / "talk.json").read_text())


def test_the_cars_table(driver, talk):
    statements = [entry["statement"] for entry in talk["cars"]]
    rows_printed = talk["cars"][3]["rows"]
    create, insert, update, select, committed, history, delete = statements
    assert len(run(driver, create)) == 1
    assert [list(row) for row in run(driver, insert)] == [["documentId"]]
    assert [list(row) for row in run(driver, update)] == [["documentId"]]
    assert same(run(driver, select), rows_printed)
    (row,) = run(driver, committed)
    assert list(row) == ["blockAddress", "hash", "data", "metadata"]
    assert list(row["blockAddress"]) == ["strandId", "sequenceNo"]
    assert list(row["metadata"]) == ["id", "version", "txTime", "txId"]
    assert row["metadata"]["version"] == 1
    revisions = run(driver, history)
    assert [(r["metadata"]["version"], r["data"]["Owner"]) for r in revisions] == [
        (0, "Maria Garcia"),
        (1, "Richard Roe"),
    ]
    numbers = [r["blockAddress"]["sequenceNo"] for r in revisions]
    assert numbers == sorted(set(numbers))
    assert [list(row) for row in run(driver, delete)] == [["documentId"]]
    assert run(driver, select) == []
    assert [("data" in r, r["metadata"]["version"]) for r in run(driver, history)] == [(True, 0), (True, 1), (False, 2)]


def test_nested_documents(driver, talk):
    run(driver, "CREATE TABLE VehicleRegistration")
    run(driver, "INSERT INTO VehicleRegistration ?", loads(talk["nested_document"]))
    for entry in talk["nested"]:
        assert same(run(driver, entry["statement"]), entry["rows"])


def test_a_document_with_ion_literals(driver, talk):
    run(driver, "CREATE TABLE Vehicle")
    for document in talk["ion_documents"]:
        assert len(run(driver, f"INSERT INTO Vehicle {document}")) == 1
    (row,) = run(driver, "SELECT * FROM Vehicle")
    assert dumps(row["Specs"]["BatterySize"], binary=False) == dumps(loads("null.int"), binary=False)


def test_the_digital_passport_through_its_revisions(driver, qldb, ledger, talk):
    passport = talk["digital_passport"]
    for table in passport["tables"]:
        run(driver, f"CREATE TABLE {table}")
    first, *later = [loads(text) for text in passport["mileage_revisions"]]
    (mileage,) = run(driver, "INSERT INTO VehicleMileage ?", first)
    services = run(
        driver, "INSERT INTO VehicleServices <<?, ?>>", {"entry": "Fi6bnRHN10mCwcR"}, {"entry": "9aQv7Lr2MfXyT0k"}
    )
    document = loads(passport["passport"])
    document["lastState"]["mileage"] = mileage["documentId"]
    document["services"] = [row["documentId"] for row in services]
    run(driver, "INSERT INTO VehiclePassport ?", loads(dumps(document)))
    for revision in later:
        run(driver, "UPDATE VehicleMileage AS m BY id SET m = ? WHERE id = ?", revision, mileage["documentId"])
    history = run(driver, "SELECT * FROM history(VehicleMileage) AS h WHERE h.metadata.id = ?", mileage["documentId"])
    assert [row["data"]["mileage"]["value"] for row in history] == [2392, 3598, 4844]

    # The three steps printed in the talk.
    (row,) = run(
        driver,
        "SELECT r.metadata.id, r.blockAddress FROM _ql_committed_VehicleServices AS r WHERE r.data.entry = ?",
        "Fi6bnRHN10mCwcR",
    )
    assert row["id"] == services[0]["documentId"]
    digest = qldb.get_digest(Name=ledger)
    answer = qldb.get_revision(
        Name=ledger,
        BlockAddress={"IonText": dumps(row["blockAddress"], binary=False)},
        DocumentId=row["id"],
        DigestTipAddress=digest["DigestTipAddress"],
    )
    leaf = revision_hash(answer["Revision"]["IonText"])
    assert fold(leaf, answer["Proof"]["IonText"]) == digest_bytes(digest["Digest"])
