"""The service models have the same facts as botocore's last ones, and botocore can use them."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import botocore
import botocore.loaders
import botocore.session
import pytest
from helpers.wire_support import MODEL_FILES

from qldb_emulator.limits import Limits
from qldb_emulator.wire.model import MODEL_DIRECTORY, command_shapes, load_service

BOTOCORE_DATA = Path(botocore.__file__).parent / "data"
PUBLISHED = {name: BOTOCORE_DATA / path.relative_to(MODEL_DIRECTORY) for name, path in MODEL_FILES.items()}
SERVICES = list(MODEL_FILES)


def _published(name: str) -> dict[str, Any]:
    path = PUBLISHED[name]
    packed = path.with_name(path.name + ".gz")
    if packed.exists():
        return json.loads(gzip.decompress(packed.read_bytes()))
    if path.exists():
        return json.loads(path.read_bytes())
    pytest.skip(f"botocore {botocore.__version__} has no {name} any more (the last that has is 1.40.60)")


def _facts(value: Any) -> Any:
    """Return a model without its prose and without an order where order says nothing."""
    if isinstance(value, dict):
        return {
            key: sorted(part) if key in ("required", "enum") else _facts(part)
            for key, part in value.items()
            if key != "documentation" or isinstance(part, dict)
        }
    return value


def _ours(name: str) -> dict[str, Any]:
    return json.loads(MODEL_FILES[name].read_text())


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("part", ["shapes", "operations"])
def test_every_shape_and_operation_says_what_the_published_model_says(name, part):
    published = _facts(_published(name)[part])
    ours = _facts(_ours(name)[part])
    assert sorted(published) == sorted(ours)
    for key in published:
        assert published[key] == ours[key], key


@pytest.mark.parametrize("name", SERVICES)
def test_the_metadata_is_the_published_one(name):
    assert _published(name)["metadata"] == _ours(name)["metadata"]


@pytest.mark.parametrize("name", SERVICES)
def test_the_documentation_is_our_own(name):
    def sentences(value: Any) -> set[str]:
        if isinstance(value, dict):
            found = {value["documentation"]} if isinstance(value.get("documentation"), str) else set()
            return found.union(*(sentences(part) for part in value.values()))
        return set()

    published = " ".join(re.sub(r"<[^>]*>", "", text) for text in sentences(_published(name)))
    assert [text for text in sentences(_ours(name)) if text in published] == []


@pytest.mark.parametrize("name", SERVICES)
def test_botocore_loads_our_model_from_its_data_path(name):
    loader = botocore.loaders.Loader(extra_search_paths=[str(MODEL_DIRECTORY)], include_default_search_paths=False)
    assert loader.list_available_services("service-2") == sorted(SERVICES)
    assert loader.load_service_model(name, "service-2") == _ours(name)


@pytest.mark.parametrize("name", SERVICES)
def test_botocore_makes_a_client_of_our_model_alone(name, monkeypatch):
    monkeypatch.setenv("AWS_DATA_PATH", str(MODEL_DIRECTORY))
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.insert(0, str(MODEL_DIRECTORY))
    client = session.create_client(
        name, "us-east-1", endpoint_url="http://localhost:1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    assert sorted(client.meta.service_model.operation_names) == sorted(load_service(name).operations)
    client.close()


def test_there_are_21_operations():
    assert [len(load_service(name).operations) for name in SERVICES] == [20, 1]


ROUTES = [
    ("CreateLedger", "POST", "/ledgers", {}),
    ("ListLedgers", "GET", "/ledgers", {}),
    ("DescribeLedger", "GET", "/ledgers/cars", {"name": "cars"}),
    ("UpdateLedger", "PATCH", "/ledgers/cars", {"name": "cars"}),
    ("UpdateLedgerPermissionsMode", "PATCH", "/ledgers/cars/permissions-mode", {"name": "cars"}),
    ("DeleteLedger", "DELETE", "/ledgers/cars", {"name": "cars"}),
    ("GetDigest", "POST", "/ledgers/cars/digest", {"name": "cars"}),
    ("GetBlock", "POST", "/ledgers/cars/block", {"name": "cars"}),
    ("GetRevision", "POST", "/ledgers/cars/revision", {"name": "cars"}),
    ("ExportJournalToS3", "POST", "/ledgers/cars/journal-s3-exports", {"name": "cars"}),
    ("DescribeJournalS3Export", "GET", "/ledgers/cars/journal-s3-exports/e", {"name": "cars", "exportId": "e"}),
    ("ListJournalS3Exports", "GET", "/journal-s3-exports", {}),
    ("ListJournalS3ExportsForLedger", "GET", "/ledgers/cars/journal-s3-exports", {"name": "cars"}),
    ("StreamJournalToKinesis", "POST", "/ledgers/cars/journal-kinesis-streams", {"name": "cars"}),
    ("DescribeJournalKinesisStream", "GET", "/ledgers/a/journal-kinesis-streams/s", {"name": "a", "streamId": "s"}),
    ("ListJournalKinesisStreamsForLedger", "GET", "/ledgers/cars/journal-kinesis-streams", {"name": "cars"}),
    ("CancelJournalKinesisStream", "DELETE", "/ledgers/a/journal-kinesis-streams/s", {"name": "a", "streamId": "s"}),
    ("TagResource", "POST", "/tags/arn:aws:qldb:r:1:ledger/cars", {"resourceArn": "arn:aws:qldb:r:1:ledger/cars"}),
    ("UntagResource", "DELETE", "/tags/arn:x/table/y", {"resourceArn": "arn:x/table/y"}),
    ("ListTagsForResource", "GET", "/tags/arn:x/y", {"resourceArn": "arn:x/y"}),
]


@pytest.mark.parametrize(("name", "method", "path", "labels"), ROUTES, ids=[row[0] for row in ROUTES])
def test_method_and_path_find_the_operation(name, method, path, labels):
    found = load_service("qldb").find(method, path)
    assert found is not None
    assert (name, labels) == (found[0].name, found[1])


def test_every_operation_has_a_route_in_the_table():
    assert sorted(load_service("qldb").operations) == sorted(row[0] for row in ROUTES)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/ledgers"),
        ("HEAD", "/ledgers"),
        ("get", "/ledgers"),
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/ledgers/a/b"),
        ("GET", "/ledgers/a/digest"),
        ("GET", "/ledgers\n"),
        ("GET", "/tags"),
        ("GET", "/v1/ledgers"),
        ("GET", "/Ledgers"),
    ],
)
def test_other_methods_and_paths_find_nothing(method, path):
    assert load_service("qldb").find(method, path) is None


def test_the_sizes_of_session_parameters_follow_the_limits_of_the_emulator():
    limits = Limits(statement_characters=10, parameter_binary_bytes=20, parameter_text_characters=30)
    execute = command_shapes(limits)["ExecuteStatement"]
    holder = execute.members["Parameters"].shape.item
    assert holder is not None
    assert execute.members["Statement"].shape.maximum == 10
    assert [holder.members[name].shape.maximum for name in ("IonBinary", "IonText")] == [20, 30]


def test_the_strict_limits_are_the_model():
    for name, shape in command_shapes(Limits()).items():
        assert load_service("qldb-session").shapes[shape.name] == shape, name
