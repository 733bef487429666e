"""The vehicle-registration tutorial, step by step, with the documents of the tutorial."""

from __future__ import annotations

from datetime import datetime

import pytest
from amazon.ion.simpleion import dumps, loads
from botocore.exceptions import ClientError

PERSON_IDS = "SELECT VALUE pid FROM Person BY pid WHERE GovId = ?"


def run(driver, statement, *parameters):
    return driver.execute_lambda(lambda t: list(t.execute_statement(statement, *parameters)))


def text(value) -> str:
    return dumps(value, binary=False, omit_version_marker=True)


@pytest.fixture
def tables(shared):
    return loads((shared / "sample-data" / "vehicle-registration.ion").read_text(), single_value=False)


@pytest.fixture
def registered(driver, tables):
    """The ledger as the tutorial leaves it after its first four steps."""
    for table in tables:
        assert len(run(driver, f"CREATE TABLE {table['table']}")) == 1
        for field in table["indexes"]:
            assert len(run(driver, f"CREATE INDEX ON {table['table']} ({field})")) == 1
    documents = {str(table["table"]): table["documents"] for table in tables}
    person_ids = [str(row["documentId"]) for row in run(driver, "INSERT INTO Person ?", documents["Person"])]
    for person_id, registration, licence in zip(
        person_ids, documents["VehicleRegistration"], documents["DriversLicense"], strict=True
    ):
        registration["Owners"]["PrimaryOwner"]["PersonId"] = person_id
        licence["PersonId"] = person_id
    for name in ("Vehicle", "VehicleRegistration", "DriversLicense"):
        assert len(run(driver, f"INSERT INTO {name} ?", loads(dumps(documents[name])))) == 5
    return person_ids


def test_a_ledger_is_created_listed_described_updated_and_deleted(qldb):
    created = qldb.create_ledger(Name="vehicle-registration", PermissionsMode="ALLOW_ALL")
    assert created["State"] == "CREATING"
    assert created["Arn"].endswith(":ledger/vehicle-registration")
    described = qldb.describe_ledger(Name="vehicle-registration")
    assert (described["State"], described["DeletionProtection"]) == ("ACTIVE", True)
    assert isinstance(described["CreationDateTime"], datetime)
    assert "vehicle-registration" in [item["Name"] for item in qldb.list_ledgers()["Ledgers"]]
    with pytest.raises(qldb.exceptions.ResourcePreconditionNotMetException):
        qldb.delete_ledger(Name="vehicle-registration")
    assert qldb.update_ledger(Name="vehicle-registration", DeletionProtection=False)["DeletionProtection"] is False
    qldb.delete_ledger(Name="vehicle-registration")
    with pytest.raises(qldb.exceptions.ResourceNotFoundException):
        qldb.describe_ledger(Name="vehicle-registration")


def test_ledgers_are_listed_page_by_page(qldb):
    names = [f"paged-{n}" for n in range(5)]
    for name in names:
        qldb.create_ledger(Name=name, PermissionsMode="STANDARD", DeletionProtection=False)
    seen, token = [], None
    while True:
        page = qldb.list_ledgers(MaxResults=2, **({"NextToken": token} if token else {}))
        assert len(page["Ledgers"]) <= 2
        seen += [item["Name"] for item in page["Ledgers"]]
        token = page.get("NextToken")
        if token is None:
            break
    assert [name for name in seen if name.startswith("paged-")] == names
    for name in names:
        qldb.delete_ledger(Name=name)


def test_the_tables_are_listed(driver, registered):
    assert sorted(driver.list_tables()) == ["DriversLicense", "Person", "Vehicle", "VehicleRegistration"]


def test_the_catalogue_shows_the_indexes(driver, registered):
    (row,) = run(driver, "SELECT * FROM information_schema.user_tables WHERE name = 'VehicleRegistration'")
    assert list(row) == ["tableId", "name", "indexes", "status"]
    assert [(index["expr"], index["status"]) for index in row["indexes"]] == [
        ("[VIN]", "ONLINE"),
        ("[LicensePlateNumber]", "ONLINE"),
    ]


def test_vehicles_are_found_by_their_owner(driver, registered):
    query = (
        "SELECT Vehicle FROM Vehicle INNER JOIN VehicleRegistration AS r "
        "ON Vehicle.VIN = r.VIN WHERE r.Owners.PrimaryOwner.PersonId = ?"
    )
    (row,) = run(driver, query, registered[1])
    assert row["Vehicle"]["VIN"] == "KM8SRDHF6EU074761"


def test_a_document_comes_back_as_it_went_in(driver, registered):
    (row,) = run(driver, "SELECT * FROM VehicleRegistration AS r WHERE r.VIN = ?", "3HGGK5G53FM761765")
    assert text(row) == (
        '{VIN:"3HGGK5G53FM761765",LicensePlateNumber:"CD820Z",State:"WA",City:"Everett",'
        "PendingPenaltyTicketAmount:442.30,ValidFromDate:2011-03-17T,ValidToDate:2021-03-24T,"
        f'Owners:{{PrimaryOwner:{{PersonId:"{registered[2]}"}},SecondaryOwners:[]}}}}'
    )


def test_a_secondary_owner_is_added(driver, registered):
    def add(transaction):
        vin, owner = "1N4AL11D75C109151", {"PersonId": registered[1]}
        known = transaction.execute_statement(
            "SELECT Owners.SecondaryOwners FROM VehicleRegistration AS v WHERE v.VIN = ?", vin
        )
        assert [list(row["SecondaryOwners"]) for row in known] == [[]]
        return list(
            transaction.execute_statement(
                "FROM VehicleRegistration v WHERE v.VIN = ? INSERT INTO v.Owners.SecondaryOwners VALUE ?", vin, owner
            )
        )

    assert len(driver.execute_lambda(add)) == 1
    (row,) = run(driver, "SELECT VALUE Owners FROM VehicleRegistration WHERE VIN = '1N4AL11D75C109151'")
    assert [dict(owner) for owner in row["SecondaryOwners"]] == [{"PersonId": registered[1]}]


def test_ownership_is_transferred_and_history_tells(driver, registered):
    vin = "1N4AL11D75C109151"
    (new_owner,) = run(driver, PERSON_IDS, "LOGANB486CG")
    assert new_owner == registered[1]
    updated = run(
        driver, "UPDATE VehicleRegistration AS r SET r.Owners.PrimaryOwner.PersonId = ? WHERE r.VIN = ?", new_owner, vin
    )
    history = run(
        driver, "SELECT * FROM history(VehicleRegistration) AS h WHERE h.metadata.id = ?", updated[0]["documentId"]
    )
    assert [row["metadata"]["version"] for row in history] == [0, 1]
    assert [row["data"]["Owners"]["PrimaryOwner"]["PersonId"] for row in history] == registered[:2]
    assert list(history[0]) == ["blockAddress", "hash", "data", "metadata"]


def test_a_licence_is_renewed_and_deregistered(driver, registered):
    number = "LEWISR261LL"
    renewed = run(
        driver,
        "UPDATE DriversLicense AS d SET d.ValidFromDate = ?, d.ValidToDate = ? WHERE d.LicenseNumber = ?",
        loads("2019-04-19T"),
        loads("2023-04-19T"),
        number,
    )
    # A row for each SET item: the Node tutorial's test "Can renew drivers license" asserts two (Sequence.test.ts).
    assert [row["documentId"] for row in renewed] == [renewed[0]["documentId"]] * 2
    (row,) = run(driver, "SELECT * FROM DriversLicense AS d WHERE d.LicenseNumber = ?", number)
    assert (row["ValidToDate"].year, row["ValidToDate"].month) == (2023, 4)
    assert len(run(driver, "DELETE FROM DriversLicense AS d WHERE d.LicenseNumber = ?", number)) == 1
    assert run(driver, "SELECT * FROM DriversLicense AS d WHERE d.LicenseNumber = ?", number) == []
    history = run(driver, "SELECT * FROM history(DriversLicense) WHERE metadata.id = ?", renewed[0]["documentId"])
    assert ["data" in row for row in history] == [True, True, False]


def test_the_tables_can_be_scanned(driver, registered):
    for table in ("Person", "Vehicle", "VehicleRegistration", "DriversLicense"):
        assert len(run(driver, f"SELECT * FROM {table}")) == 5
        assert len(run(driver, f"SELECT * FROM _ql_committed_{table}")) == 5


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "SELECT * FROM Nowhere",
            "Semantic Error: at line 1, column 15: No such variable named 'Nowhere'; No such variable named 'Nowhere'",
        ),
        ("SELECT FROM", None),
        ("CREATE TABLE Person", "Table with name: USER.Person already exists"),
        ("SELECT * FROM Person WHERE GovId = ?", "Query expects 1 parameters, but statement has 0"),
    ],
    ids=["unknown table", "syntax error", "table exists", "parameter count"],
)
def test_a_refused_statement_leaves_the_session_usable(driver, registered, statement, message):
    with pytest.raises(ClientError) as error:
        run(driver, statement)
    assert error.value.response["Error"]["Code"] == "BadRequestException"
    if message is not None:
        assert error.value.response["Error"]["Message"] == message
    assert len(run(driver, "SELECT * FROM Person")) == 5
