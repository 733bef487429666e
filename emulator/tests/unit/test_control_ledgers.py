"""Ledgers through the control plane, called as botocore does, compared with recorded answers of the service."""

from __future__ import annotations

import datetime

import pytest
from helpers.control_support import Client, Outcome, close_emulators  # noqa: F401
from helpers.local_driver import new_emulator

from qldb_emulator.clock import ManualClock
from qldb_emulator.context import RequestContext
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.ids import RandomIds
from qldb_emulator.limits import Limits
from qldb_emulator.settings import Settings

CREATED_MS = 1568839243951
CREATED = datetime.datetime(2019, 9, 18, 20, 40, 43, 951000, tzinfo=datetime.UTC)
ARN = "arn:aws:qldb:us-west-2:123456789012:ledger/myExampleLedger"
KEY = "arn:aws:kms:us-west-2:123456789012:key/a1b2c3d4-5678-90ab-cdef-EXAMPLE11111"
EXAMPLE = {"Name": "myExampleLedger", "PermissionsMode": "STANDARD"}


def _client(state_delay_ms: int = 0) -> Client:
    clock = ManualClock(CREATED_MS)
    settings = Settings(is_ephemeral=True, state_delay_ms=state_delay_ms)
    return Client(Emulator(settings, clock, RandomIds(clock, "t")))


def _advance(client: Client, seconds: float) -> None:
    assert isinstance(client.emulator.clock, ManualClock)
    client.emulator.clock.advance(seconds)


# --- Recorded answers (wire.md 1.2) ----------------------------------------------------------------------


def test_create_ledger_answers_as_recorded():
    expected = {
        "State": "CREATING",
        "Arn": ARN,
        "DeletionProtection": True,
        "CreationDateTime": CREATED,
        "Name": "myExampleLedger",
        "PermissionsMode": "STANDARD",
    }
    assert expected == _client()("CreateLedger", **EXAMPLE)
    assert {**expected, "KmsKeyArn": KEY} == _client()("CreateLedger", **EXAMPLE, KmsKey=KEY)


def test_describe_ledger_answers_as_recorded():
    client = _client()
    client("CreateLedger", **EXAMPLE, KmsKey=KEY)
    assert client("DescribeLedger", Name="myExampleLedger") == {
        "CreationDateTime": CREATED,
        "Arn": ARN,
        "State": "ACTIVE",
        "Name": "myExampleLedger",
        "DeletionProtection": True,
        "PermissionsMode": "STANDARD",
        "EncryptionDescription": {"KmsKeyArn": KEY, "EncryptionStatus": "ENABLED"},
    }


def test_update_ledger_answers_as_recorded():
    client = _client()
    client("CreateLedger", **EXAMPLE)
    answer = {
        "CreationDateTime": CREATED,
        "Arn": ARN,
        "DeletionProtection": False,
        "Name": "myExampleLedger",
        "State": "ACTIVE",
    }
    assert answer == client("UpdateLedger", Name="myExampleLedger", DeletionProtection=False)
    updating = {"KmsKeyArn": "AWS_OWNED_KMS_KEY", "EncryptionStatus": "UPDATING"}
    assert {**answer, "EncryptionDescription": updating} == client(
        "UpdateLedger", Name="myExampleLedger", KmsKey="AWS_OWNED_KMS_KEY"
    )
    assert answer == client("UpdateLedger", Name="myExampleLedger")


def test_list_ledgers_answers_as_recorded():
    client = _client()
    client("CreateLedger", **EXAMPLE)
    _advance(client, 299.606)
    client("CreateLedger", Name="myExampleLedger2", PermissionsMode="STANDARD")
    second = CREATED + datetime.timedelta(milliseconds=299606)
    assert {
        "Ledgers": [
            {"State": "ACTIVE", "CreationDateTime": CREATED, "Name": "myExampleLedger"},
            {"State": "ACTIVE", "CreationDateTime": second, "Name": "myExampleLedger2"},
        ]
    } == client("ListLedgers")


def test_update_permissions_mode_answers_its_three_members():
    client = _client()
    client("CreateLedger", **EXAMPLE)
    answer = client("UpdateLedgerPermissionsMode", Name="myExampleLedger", PermissionsMode="ALLOW_ALL")
    assert answer == {"Name": "myExampleLedger", "Arn": ARN, "PermissionsMode": "ALLOW_ALL"}
    assert client("DescribeLedger", Name="myExampleLedger")["PermissionsMode"] == "ALLOW_ALL"


# --- Keys ---------------------------------------------------------------------------------------------------------

KEY_ARN = "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
KEYS = [
    (
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ),
    ("alias/mine", "arn:aws:kms:us-west-2:123456789012:alias/mine"),
    (KEY, KEY),
]


@pytest.mark.parametrize(("key", "arn"), KEYS, ids=["id", "alias", "arn"])
def test_a_key_is_answered_as_a_full_arn(key, arn):
    assert arn == _client()("CreateLedger", **EXAMPLE, KmsKey=key)["KmsKeyArn"]


@pytest.mark.parametrize("key", ["no key", "arn:aws:s3:us-west-2:123456789012:key/x", "arn:aws:kms:::", "a/b"])
def test_an_invalid_key_is_refused(key):
    outcome = _client().refused("CreateLedger", **EXAMPLE, KmsKey=key)
    assert (outcome.status, outcome.name, outcome.about) == (400, "InvalidParameterException", ("KmsKey",))


def test_a_changed_key_is_updating_for_as_long_as_states_take_and_aws_own_key_is_not_shown():
    client = _client(state_delay_ms=2000)
    client("CreateLedger", **EXAMPLE)
    _advance(client, 2)
    status = lambda: client("DescribeLedger", Name="myExampleLedger").get("EncryptionDescription")  # noqa: E731
    assert status() is None
    client("UpdateLedger", Name="myExampleLedger", KmsKey=KEY)
    assert status() == {"KmsKeyArn": KEY, "EncryptionStatus": "UPDATING"}
    _advance(client, 2)
    assert status() == {"KmsKeyArn": KEY, "EncryptionStatus": "ENABLED"}
    client("UpdateLedger", Name="myExampleLedger", KmsKey="AWS_OWNED_KMS_KEY")
    assert status() == {"KmsKeyArn": "AWS_OWNED_KMS_KEY", "EncryptionStatus": "UPDATING"}
    _advance(client, 2)
    assert status() is None


# --- States -------------------------------------------------------------------------------------------------------

CREATING = Outcome(409, "ResourceInUseException", "Ledger is being created", ("Ledger", "myExampleLedger"))
DELETING = Outcome(409, "ResourceInUseException", "Ledger is being deleted", ("Ledger", "myExampleLedger"))
NOT_READY = Outcome(
    412, "ResourcePreconditionNotMetException", "Ledger is being created", ("Ledger", "myExampleLedger")
)
NOT_FOUND = Outcome(
    404,
    "ResourceNotFoundException",
    "The Ledger with name myExampleLedger is not found",
    ("Ledger", "myExampleLedger"),
)
CHANGES = [
    ("CreateLedger", {"PermissionsMode": "STANDARD"}),
    ("UpdateLedger", {"DeletionProtection": False}),
    ("UpdateLedgerPermissionsMode", {"PermissionsMode": "ALLOW_ALL"}),
    ("DeleteLedger", {}),
]
READS = [
    ("GetDigest", {}),
    ("GetBlock", {"BlockAddress": {"IonText": "{}"}}),
    ("GetRevision", {"BlockAddress": {"IonText": "{}"}, "DocumentId": "I1pH6SCujBW0JYpPoLQT02"}),
]


@pytest.fixture
def slow() -> Client:
    client = _client(state_delay_ms=60_000)
    client("CreateLedger", **EXAMPLE, DeletionProtection=False)
    return client


@pytest.mark.parametrize(("operation", "members"), CHANGES, ids=[row[0] for row in CHANGES])
def test_a_ledger_on_its_way_in_or_out_is_in_use(slow, operation, members):
    assert slow.refused(operation, Name="myExampleLedger", **members) == CREATING
    _advance(slow, 60)
    slow("DeleteLedger", Name="myExampleLedger")
    assert slow.refused(operation, Name="myExampleLedger", **members) == DELETING


@pytest.mark.parametrize(("operation", "members"), READS, ids=[row[0] for row in READS])
def test_the_contents_of_a_ledger_on_its_way_in_or_out_cannot_be_had(slow, operation, members):
    assert slow.refused(operation, Name="myExampleLedger", **members) == NOT_READY
    _advance(slow, 60)
    slow("DeleteLedger", Name="myExampleLedger")
    assert slow.refused(operation, Name="myExampleLedger", **members) == NOT_FOUND


def test_states_pass_by_and_a_deleted_ledger_is_gone_at_last(slow):
    state = lambda: slow("DescribeLedger", Name="myExampleLedger")["State"]  # noqa: E731
    assert state() == "CREATING"
    _advance(slow, 60)
    assert state() == "ACTIVE"
    assert slow("DeleteLedger", Name="myExampleLedger") == {}
    assert state() == "DELETING"
    assert [row["State"] for row in slow("ListLedgers")["Ledgers"]] == ["DELETING"]
    _advance(slow, 60)
    assert slow.refused("DescribeLedger", Name="myExampleLedger") == NOT_FOUND
    assert slow("ListLedgers")["Ledgers"] == []
    slow("CreateLedger", **EXAMPLE)


def test_a_session_starts_on_an_active_ledger_only(slow):
    context = RequestContext("us-west-2", None, "4SnOdtcgpur5MmhXFEV3iE")
    start = lambda: slow.emulator.send_command("StartSession", None, {"LedgerName": "myExampleLedger"}, context)  # noqa: E731
    with pytest.raises(QldbError, match="its state is CREATING"):
        start()
    _advance(slow, 60)
    token = start().members["SessionToken"]
    slow("DeleteLedger", Name="myExampleLedger")
    with pytest.raises(QldbError, match="No such session"):
        slow.emulator.send_command("StartTransaction", token, {}, context)
    with pytest.raises(QldbError, match="its state is DELETING"):
        start()


def test_states_survive_a_restart(tmp_path):
    clock = ManualClock(CREATED_MS)
    settings = Settings(data_dir=tmp_path, state_delay_ms=60_000)
    with Emulator(settings, clock, RandomIds(clock, "t")) as emulator:
        Client(emulator)("CreateLedger", **EXAMPLE, DeletionProtection=False)
    clock.advance(30)
    with Emulator(settings, clock, RandomIds(clock, "t")) as emulator:
        client = Client(emulator)
        assert client("DescribeLedger", Name="myExampleLedger")["State"] == "CREATING"
        clock.advance(30)
        assert client("DescribeLedger", Name="myExampleLedger")["State"] == "ACTIVE"
        client("DeleteLedger", Name="myExampleLedger")
    clock.advance(60)
    with Emulator(settings, clock, RandomIds(clock, "t")) as emulator:
        assert Client(emulator)("ListLedgers")["Ledgers"] == []
        assert not list((tmp_path / "us-west-2").glob("*.qldb"))


# --- Errors -------------------------------------------------------------------------------------------------------


def test_a_name_can_be_had_once():
    client = _client()
    client("CreateLedger", **EXAMPLE)
    expected = Outcome(
        409, "ResourceAlreadyExistsException", "Ledger name already exists", ("Ledger", "myExampleLedger")
    )
    assert expected == client.refused("CreateLedger", **EXAMPLE)


def test_deletion_protection_is_on_by_default_and_prevents_deletion():
    client = _client()
    client("CreateLedger", **EXAMPLE)
    expected = Outcome(
        412,
        "ResourcePreconditionNotMetException",
        "Preventing deletion of ledger myExampleLedger with DeletionProtection enabled",
        ("Ledger", "myExampleLedger"),
    )
    assert expected == client.refused("DeleteLedger", Name="myExampleLedger")
    client("UpdateLedger", Name="myExampleLedger", DeletionProtection=False)
    assert client("DeleteLedger", Name="myExampleLedger") == {}


def test_the_quota_of_ledgers_is_a_limit_for_each_region():
    client = Client(limits=Limits(ledgers_per_region=5))
    for number in range(5):
        client.new_ledger(f"ledger-{number}")
    expected = Outcome(400, "LimitExceededException", "Exceeded the limit of 5 active ledgers", ("Ledger",))
    assert expected == client.refused("CreateLedger", **EXAMPLE)
    Client(client.emulator, "eu-west-1").new_ledger()
    client("DeleteLedger", Name="ledger-3")
    client("CreateLedger", **EXAMPLE)


# --- Regions and accounts -----------------------------------------------------------------------------------------


def test_a_ledger_of_another_region_is_not_found_and_the_error_says_where_it_is():
    emulator = new_emulator()
    for region in ("eu-west-1", "ap-northeast-1"):
        Client(emulator, region).new_ledger("cars")
    west = Client(emulator, "us-west-2")
    text = "The Ledger with name cars is not found in region us-west-2; it is in ap-northeast-1, eu-west-1"
    assert Outcome(404, "ResourceNotFoundException", text, ("Ledger", "cars")) == west.refused(
        "DescribeLedger", Name="cars"
    )
    assert west("ListLedgers") == {"Ledgers": []}
    with pytest.raises(QldbError, match="it is in ap-northeast-1, eu-west-1") as raised:
        emulator.send_command(
            "StartSession", None, {"LedgerName": "cars"}, RequestContext("us-west-2", None, "4SnOdtcgpur5MmhXFEV3iE")
        )
    assert raised.value.shape == "BadRequestException"


def test_ledgers_of_one_name_in_two_regions_are_two_ledgers():
    emulator = new_emulator()
    east, west = Client(emulator, "us-east-1"), Client(emulator, "us-west-2")
    east.new_ledger("cars")
    west.new_ledger("cars")
    east("DeleteLedger", Name="cars")
    assert west("DescribeLedger", Name="cars")["State"] == "ACTIVE"


ARNS = [
    ("us-east-1", "arn:aws:qldb:us-east-1:999999999999:ledger/cars"),
    ("eu-west-2", "arn:aws:qldb:eu-west-2:999999999999:ledger/cars"),
    ("cn-north-1", "arn:aws-cn:qldb:cn-north-1:999999999999:ledger/cars"),
    ("us-gov-west-1", "arn:aws-us-gov:qldb:us-gov-west-1:999999999999:ledger/cars"),
]


@pytest.mark.parametrize(("region", "arn"), ARNS, ids=[row[0] for row in ARNS])
def test_arns_have_the_region_of_the_request_its_partition_and_the_account_of_the_emulator(region, arn):
    assert arn == Client(region=region, account="999999999999").new_ledger("cars")


# --- Paging -------------------------------------------------------------------------------------------------------


def test_ledgers_are_listed_page_by_page_and_a_token_of_another_region_is_refused():
    client = Client()
    names = [f"ledger-{number}" for number in range(7)]
    for name in names:
        client.new_ledger(name)
    first = client("ListLedgers", MaxResults=3)
    second = client("ListLedgers", MaxResults=3, NextToken=first["NextToken"])
    third = client("ListLedgers", MaxResults=3, NextToken=second["NextToken"])
    assert names == [row["Name"] for page in (first, second, third) for row in page["Ledgers"]]
    assert "NextToken" not in third
    expected = Outcome(400, "InvalidParameterException", "The parameter NextToken is not valid", ("NextToken",))
    assert expected == Client(client.emulator, "eu-west-1").refused("ListLedgers", NextToken=first["NextToken"])
