"""Tags on ledgers, tables, the catalog and streams."""

from __future__ import annotations

import pytest
from helpers.control_support import Client, Outcome, close_emulators  # noqa: F401
from helpers.local_driver import CONTEXT, LocalSession

from qldb_emulator.errors import QldbError

REGION = CONTEXT.region
ARN = "arn:aws:qldb:us-east-1:123456789012:ledger/cars"


@pytest.fixture
def client() -> Client:
    client = Client(region=REGION)
    client.new_ledger("cars", PermissionsMode="STANDARD", Tags={"team": "fleet", "empty": ""})
    return client


def _tags(client: Client, arn: str) -> dict[str, str]:
    return client("ListTagsForResource", ResourceArn=arn)["Tags"]


def _table_id(client: Client, statement: str = "CREATE TABLE Car") -> str:
    return LocalSession(client.emulator, "cars").run(statement)[0]["tableId"]


def test_a_ledger_has_the_tags_it_was_made_with(client):
    assert _tags(client, ARN) == {"team": "fleet", "empty": ""}


def test_tags_are_added_overwritten_and_taken_away(client):
    assert client("TagResource", ResourceArn=ARN, Tags={"team": "cars", "k 2/é": "v"}) == {}
    assert _tags(client, ARN) == {"team": "cars", "empty": "", "k 2/é": "v"}
    assert client("UntagResource", ResourceArn=ARN, TagKeys=["k 2/é", "empty", "never there"]) == {}
    assert _tags(client, ARN) == {"team": "cars"}


@pytest.mark.parametrize("kind", ["table", "catalog"])
def test_tables_and_the_catalog_have_tags_of_their_own(client, kind):
    suffix = f"table/{_table_id(client)}" if kind == "table" else "information_schema/user_tables"
    arn = f"{ARN}/{suffix}"
    assert _tags(client, arn) == {}
    client("TagResource", ResourceArn=arn, Tags={"a": "b"})
    assert _tags(client, arn) == {"a": "b"}
    assert "a" not in _tags(client, ARN)


def test_create_table_with_aws_tags_sets_the_tags_of_the_table(client):
    table_id = _table_id(client, "CREATE TABLE Vehicle WITH (aws_tags = `{'environment': 'prod', owner: \"me\"}`)")
    assert _tags(client, f"{ARN}/table/{table_id}") == {"environment": "prod", "owner": "me"}


def test_tags_of_a_table_are_there_at_commit_and_not_before(client):
    session = LocalSession(client.emulator, "cars")
    transaction = session.begin()
    [row] = transaction.execute('CREATE TABLE Vehicle WITH (aws_tags = `{a: "b"}`)')
    arn = f"{ARN}/table/{row['tableId']}"
    assert client.refused("ListTagsForResource", ResourceArn=arn).status == 404
    transaction.commit()
    assert _tags(client, arn) == {"a": "b"}


def test_tags_of_a_table_follow_from_the_journal_and_later_changes_stay(client):
    first, second = (
        f"{ARN}/table/{_table_id(client, f'CREATE TABLE {name} WITH (aws_tags = `{{a: {chr(34)}b{chr(34)}}}`)')}"
        for name in ("One", "Two")
    )
    client("TagResource", ResourceArn=second, Tags={"a": "changed"})
    client.emulator.ledgers.find(REGION, "cars").rebuild()
    assert [_tags(client, arn) for arn in (first, second)] == [{"a": "b"}, {"a": "changed"}]


BAD_TABLE_TAGS = [
    ("[1]", "it must be a struct of strings"),
    ("{a: 1}", "it must be a struct of strings"),
    ("{'aws:x': \"b\"}", "keys that begin with aws: are reserved"),
    ('{a: "' + "v" * 257 + '"}', "a value at most 256"),
    ("{" + ", ".join(f'k{n}: "v"' for n in range(51)) + "}", "more than 50 tags"),
]


@pytest.mark.parametrize(("tags", "reason"), BAD_TABLE_TAGS, ids=["list", "number", "reserved", "long", "many"])
def test_aws_tags_that_cannot_be_are_refused(client, tags, reason):
    with pytest.raises(QldbError, match=reason) as raised:
        _table_id(client, f"CREATE TABLE Car WITH (aws_tags = `{tags}`)")
    assert raised.value.shape == "BadRequestException"


def test_the_51st_tag_is_refused_and_nothing_changes(client):
    client("TagResource", ResourceArn=ARN, Tags={f"k{number}": "" for number in range(48)})
    before = _tags(client, ARN)
    text = "A resource must not have more than 50 tags"
    expected = Outcome(400, "InvalidParameterException", text, ("Tags",))
    assert expected == client.refused("TagResource", ResourceArn=ARN, Tags={"one-more": ""})
    assert before == _tags(client, ARN)
    client("TagResource", ResourceArn=ARN, Tags={"k0": "overwritten"})
    tags = {f"k{number}": "" for number in range(51)}
    assert expected == client.refused("CreateLedger", Name="other", PermissionsMode="STANDARD", Tags=tags)


UNKNOWN = [
    "arn:aws:qldb:us-east-1:123456789012:ledger/bikes",
    "arn:aws:qldb:us-east-1:999999999999:ledger/cars",
    "arn:aws:qldb:eu-west-1:123456789012:ledger/cars",
    f"{ARN}/table/I1pH6SCujBW0JYpPoLQT02",
    "arn:aws:qldb:us-east-1:123456789012:stream/cars/I1pH6SCujBW0JYpPoLQT02",
    "arn:aws:qldb:us-east-1:123456789012:stream/bikes/I1pH6SCujBW0JYpPoLQT02",
]
MALFORMED = [
    "not an arn, but long enough",
    "arn:aws:s3:us-east-1:123456789012:ledger/cars",
    "arn:aws:qldb:us-east-1:1234:ledger/cars",
    f"{ARN}/table/short",
    f"{ARN}/",
    f"{ARN}/tables",
    "arn:aws:qldb:us-east-1:123456789012:ledger/",
    "arn:aws:qldb::123456789012:ledger/cars",
]
CALLS = [("TagResource", {"Tags": {"a": "b"}}), ("UntagResource", {"TagKeys": ["a"]}), ("ListTagsForResource", {})]


@pytest.mark.parametrize(("operation", "members"), CALLS, ids=[row[0] for row in CALLS])
def test_unknown_resources_are_not_found_and_malformed_arns_are_invalid(client, operation, members):
    for arn in UNKNOWN:
        outcome = client.refused(operation, ResourceArn=arn, **members)
        assert (404, "ResourceNotFoundException", arn) == (outcome.status, outcome.name, outcome.about[1])
    for arn in MALFORMED:
        outcome = client.refused(operation, ResourceArn=arn, **members)
        assert (outcome.status, outcome.name, outcome.about) == (400, "InvalidParameterException", ("ResourceArn",))


def test_reserved_keys_are_refused(client):
    outcome = client.refused("TagResource", ResourceArn=ARN, Tags={"aws:mine": "x"})
    assert (outcome.status, outcome.name, outcome.about) == (400, "InvalidParameterException", ("Tags",))
