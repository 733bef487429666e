"""ExportJournalToS3 and the other export operations, with moto's S3 in the same process."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from helpers.ledgers import busy_ledger, digest, redact
from helpers.local_driver import CONTEXT, new_emulator, new_ledger

from qldb_emulator.aws.clients import AwsError, client
from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.outgoing import exports
from qldb_emulator.engine.workbench.snapshots import fork_ledger
from qldb_emulator.errors import QldbError
from qldb_emulator.ids import RandomIds
from qldb_emulator.ion.codec import load_all, loads
from qldb_emulator.journal.exports import Export
from qldb_emulator.settings import Settings
from qldb_emulator.verify import SavedDigest, read_tip, verify_export

pytest.importorskip("moto", reason="needs the extra aws")
# moto and botocore use what newer Pythons deprecate; that is theirs.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROLE = "arn:aws:iam::123456789012:role/export"
LONG_AGO_MS = -2_208_988_800_000  # 1900, as the migration sample passes


@pytest.fixture(scope="module")
def endpoint():
    from qldb_emulator.aws.local import LocalAws

    with LocalAws() as aws:
        client("s3", "us-east-1", aws.url).create_bucket(Bucket="journals")
        yield aws.url


@pytest.fixture
def s3(endpoint):
    made = client("s3", "us-east-1", endpoint)
    yield made
    for found in made.list_objects_v2(Bucket="journals").get("Contents", ()):
        made.delete_object(Bucket="journals", Key=found["Key"])
    made.close()


@pytest.fixture
def emulator(endpoint):
    with new_emulator(s3_endpoint=endpoint) as made:
        yield made


def request(emulator: Emulator, name: str = "cars", prefix: str = "", encryption=None, **members):
    return {
        "Name": name,
        "InclusiveStartTime": LONG_AGO_MS,
        "ExclusiveEndTime": emulator.clock.now_ms(),
        "S3ExportConfiguration": {
            "Bucket": members.pop("bucket", "journals"),
            "Prefix": prefix,
            "EncryptionConfiguration": encryption or {"ObjectEncryptionType": "NO_ENCRYPTION"},
        },
        "RoleArn": ROLE,
        **members,
    }


def export(emulator: Emulator, **members) -> str:
    export_id = emulator.call("ExportJournalToS3", request(emulator, **members), CONTEXT)["ExportId"]
    emulator.exports.wait()
    return export_id


def describe(emulator: Emulator, export_id: str, name: str = "cars"):
    answer = emulator.call("DescribeJournalS3Export", {"Name": name, "ExportId": export_id}, CONTEXT)
    return answer["ExportDescription"]


def objects(s3) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket="journals").get("Contents", ())
    return {each["Key"]: s3.get_object(Bucket="journals", Key=each["Key"])["Body"].read() for each in found}


@pytest.mark.parametrize("output_format", ["ION_TEXT", "ION_BINARY", "JSON"])
def test_an_export_has_the_documented_objects(emulator, s3, output_format):
    busy_ledger(emulator)
    export_id = export(emulator, prefix="a/b", OutputFormat=output_format)
    description = describe(emulator, export_id)
    assert description["Status"] == "COMPLETED"
    assert description["OutputFormat"] == output_format
    found = objects(s3)
    strand = loads(digest(emulator)[1])["strandId"]
    extension = "json" if output_format == "JSON" else "ion"
    data = [key for key in found if not key.endswith("manifest")]
    assert [key.rsplit("/", 1)[-1] for key in data] == [f"{strand}.0-14.{extension}"]
    assert set(found) == {
        f"a/b{export_id}.started.manifest",
        f"a/b{export_id}.{strand}.completed.manifest",
        *data,
    }
    started = loads(found[f"a/b{export_id}.started.manifest"])
    assert list(started) == [
        "ledgerName",
        "exportId",
        "inclusiveStartTime",
        "exclusiveEndTime",
        "bucket",
        "prefix",
        "objectEncryptionType",
        "outputFormat",
    ]
    assert loads(found[f"a/b{export_id}.{strand}.completed.manifest"]) == {"keys": data}
    assert [block["blockAddress"]["sequenceNo"] for block in load_all(found[data[0]])] == list(range(15))


def test_what_was_exported_is_verified_from_s3(emulator, s3, endpoint):
    busy_ledger(emulator)
    value, tip = digest(emulator)
    export(emulator, prefix="x/")
    saved = SavedDigest(value, read_tip(tip))
    report = verify_export("s3://journals/x/", saved, s3_endpoint=endpoint)
    assert (report.verdict, report.verification.counts.blocks) == ("whole", 15)


def test_the_format_stands_in_the_manifest_only_if_it_was_asked_for(emulator, s3):
    new_ledger(emulator)
    export_id = export(emulator)
    assert "outputFormat" not in loads(objects(s3)[f"{export_id}.started.manifest"])
    assert describe(emulator, export_id)["OutputFormat"] == "ION_TEXT"


def test_a_range_holds_its_start_and_not_its_end(emulator, s3):
    session = new_ledger(emulator)
    session.run("CREATE TABLE T")
    session.run("INSERT INTO T {'a': 1}")
    file = emulator.ledgers.find("us-east-1", "cars").file
    times = [loads(ion)["blockTimestamp"].epoch_ms() for _, ion in file.blocks()]
    export(emulator, InclusiveStartTime=times[1], ExclusiveEndTime=times[2])
    (key,) = [key for key in objects(s3) if not key.endswith("manifest")]
    assert key.endswith(".1-1.ion")


def test_a_range_without_blocks_gives_a_manifest_without_keys(emulator, s3):
    new_ledger(emulator)
    export_id = export(emulator, ExclusiveEndTime=LONG_AGO_MS + 1)
    assert describe(emulator, export_id)["Status"] == "COMPLETED"
    (completed,) = [value for key, value in objects(s3).items() if "completed" in key]
    assert loads(completed) == {"keys": []}


def test_many_blocks_make_many_files(emulator, s3, monkeypatch):
    from qldb_emulator.journal import exports as layout

    monkeypatch.setattr(layout, "FILE_BLOCKS", 4)
    busy_ledger(emulator)
    export(emulator)
    names = sorted(key.rsplit(".", 2)[1] for key in objects(s3) if not key.endswith("manifest"))
    assert names == ["0-3", "12-14", "4-7", "8-11"]


@pytest.mark.parametrize(
    ("encryption", "expected"),
    [
        ({"ObjectEncryptionType": "NO_ENCRYPTION"}, {}),
        ({"ObjectEncryptionType": "SSE_S3"}, {"ServerSideEncryption": "AES256"}),
        (
            {"ObjectEncryptionType": "SSE_KMS", "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/abc"},
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:us-east-1:123456789012:key/abc"},
        ),
    ],
    ids=["none", "s3", "kms"],
)
def test_the_encryption_asked_for_reaches_s3(emulator, monkeypatch, encryption, expected):
    calls = []

    class Recorder:
        def put_object(self, **parameters):
            calls.append(parameters)

    monkeypatch.setattr(exports, "client", lambda *_: Recorder())
    new_ledger(emulator)
    export_id = export(emulator, encryption=encryption)
    assert len(calls) == 3
    for call in calls:
        assert {name: call[name] for name in ("ServerSideEncryption", "SSEKMSKeyId") if name in call} == expected
    configuration = describe(emulator, export_id)["S3ExportConfiguration"]
    assert configuration["EncryptionConfiguration"] == encryption


@pytest.mark.parametrize(
    ("members", "shape", "text"),
    [
        ({"name": "none"}, "ResourceNotFoundException", "The Ledger with name none is not found"),
        (
            {"ExclusiveEndTime": LONG_AGO_MS - 1},
            "InvalidParameterException",
            "Start date must not be greater than end date",
        ),
        (
            {"ExclusiveEndTime": LONG_AGO_MS},
            "InvalidParameterException",
            "Start date must not be greater than end date",
        ),
        ({"ExclusiveEndTime": 1 << 45}, "InvalidParameterException", "End date cannot be in the future"),
        (
            {"bucket": "not-there"},
            "InvalidParameterException",
            "QLDB encountered an error validating S3 configuration: NoSuchBucket The specified bucket does not exist",
        ),
        (
            {"encryption": {"ObjectEncryptionType": "SSE_S3", "KmsKeyArn": "arn:aws:kms:us-east-1:1:key/a"}},
            "InvalidParameterException",
            "The supplied object encryption setting (S3EncryptionConfiguration) is not compatible with an AWS Key "
            "Management Service (AWS KMS) key",
        ),
        (
            {"encryption": {"ObjectEncryptionType": "SSE_KMS"}},
            "InvalidParameterException",
            "The parameter S3ExportConfiguration.EncryptionConfiguration.KmsKeyArn is required with SSE_KMS",
        ),
        (
            {"RoleArn": "arn:aws:iam::123456789012:user/me"},
            "InvalidParameterException",
            "The parameter RoleArn is not valid: it must be the ARN of an IAM role",
        ),
    ],
    ids=["no ledger", "start after end", "start is end", "future", "no bucket", "key not used", "no key", "no role"],
)
def test_a_wrong_request_is_refused_and_leaves_no_job(emulator, members, shape, text):
    new_ledger(emulator)
    with pytest.raises(QldbError) as error:
        export(emulator, **members)
    assert (error.value.shape, error.value.message) == (shape, text)
    assert emulator.call("ListJournalS3Exports", {}, CONTEXT) == {"JournalS3Exports": []}


def test_an_s3_that_is_not_there_is_named():
    with new_emulator(s3_endpoint="http://127.0.0.1:9") as emulator:
        new_ledger(emulator)
        with pytest.raises(QldbError, match="Unexpected response from Amazon S3 while validating") as error:
            export(emulator)
        assert "Could not connect" in error.value.message


def test_a_third_job_at_once_is_refused(emulator, s3, monkeypatch):
    new_ledger(emulator)
    go_on = threading.Event()
    real = exports.write_export

    def slow(*arguments):
        go_on.wait(10)
        return real(*arguments)

    monkeypatch.setattr(exports, "write_export", slow)
    ids = [emulator.call("ExportJournalToS3", request(emulator), CONTEXT)["ExportId"] for _ in range(2)]
    assert [describe(emulator, export_id)["Status"] for export_id in ids] == ["IN_PROGRESS"] * 2
    with pytest.raises(QldbError) as error:
        export(emulator)
    assert error.value.message == "Exceeded the limit of 2 concurrently running Journal export jobs"
    assert error.value.shape == "LimitExceededException"
    go_on.set()
    emulator.exports.wait()
    assert [describe(emulator, export_id)["Status"] for export_id in ids] == ["COMPLETED"] * 2
    export(emulator)


def test_jobs_are_listed_in_pages_for_a_ledger_and_for_all(emulator, s3):
    new_ledger(emulator)
    new_ledger(emulator, "boats")
    ids = [export(emulator, name=name) for name in ("cars", "boats", "cars")]
    first = emulator.call("ListJournalS3Exports", {"MaxResults": 2}, CONTEXT)
    second = emulator.call("ListJournalS3Exports", {"MaxResults": 2, "NextToken": first["NextToken"]}, CONTEXT)
    assert [job["ExportId"] for job in first["JournalS3Exports"] + second["JournalS3Exports"]] == ids
    assert "NextToken" not in second
    own = emulator.call("ListJournalS3ExportsForLedger", {"Name": "cars"}, CONTEXT)
    assert [job["ExportId"] for job in own["JournalS3Exports"]] == [ids[0], ids[2]]


def test_a_finished_job_is_forgotten_after_seven_days(emulator, s3):
    new_ledger(emulator)
    export_id = export(emulator)
    emulator.clock.advance(7 * 24 * 3600 - 60)
    assert describe(emulator, export_id)["Status"] == "COMPLETED"
    emulator.clock.advance(120)
    with pytest.raises(QldbError, match="is not found"):
        describe(emulator, export_id)


def test_an_s3_that_fails_later_cancels_the_job(emulator, s3, monkeypatch):
    new_ledger(emulator)

    def fail(*_):
        raise AwsError("SlowDown", "Please reduce your request rate.", True)

    monkeypatch.setattr(exports, "write_export", fail)
    assert describe(emulator, export(emulator))["Status"] == "CANCELLED"


def test_a_job_that_a_stop_interrupted_is_resumed(endpoint, s3, tmp_path: Path, monkeypatch):
    def interrupted(*_):
        raise exports.Stopped

    def open_emulator() -> Emulator:
        clock = ManualClock(tick_ms=1)
        return Emulator(Settings(data_dir=tmp_path, s3_endpoint=endpoint), clock, RandomIds(clock, "again"))

    with open_emulator() as emulator:
        busy_ledger(emulator)
        with monkeypatch.context() as patch:
            patch.setattr(exports, "write_export", interrupted)
            export_id = emulator.call("ExportJournalToS3", request(emulator), CONTEXT)["ExportId"]
            emulator.exports.wait()
    assert len(objects(s3)) == 1
    with open_emulator() as emulator:
        emulator.resume_streams()
        emulator.exports.wait()
        assert describe(emulator, export_id)["Status"] == "COMPLETED"
    assert len(objects(s3)) == 3


def test_the_export_of_a_fork_has_the_blocks_it_began_with_and_jobs_are_not_forked(emulator, s3, endpoint):
    busy_ledger(emulator)
    export(emulator, prefix="source/")
    fork_ledger(emulator, "us-east-1", "cars", "copy")
    assert emulator.call("ListJournalS3ExportsForLedger", {"Name": "copy"}, CONTEXT) == {"JournalS3Exports": []}
    export(emulator, name="copy", prefix="copy/")
    report = verify_export("s3://journals/copy/", s3_endpoint=endpoint)
    assert (report.verdict, report.verification.counts.blocks) == ("whole", 15)


def test_a_redaction_shows_in_later_exports_and_old_ones_stay(emulator, s3, endpoint):
    session = new_ledger(emulator)
    session.run("CREATE TABLE Car")
    session.run("INSERT INTO Car {'secret': 'word'}")
    session.run("UPDATE Car SET secret = 'gone'")
    export(emulator, prefix="before/")
    redact(session, "Car", 0)
    export(emulator, prefix="after/")
    found = objects(s3)
    (before,) = [value for key, value in found.items() if key.startswith("before/2")]
    (after,) = [value for key, value in found.items() if key.startswith("after/2")]
    assert b"secret:" in before
    (old,) = [block for block in load_all(after) if block["blockAddress"]["sequenceNo"] == 2]
    assert list(old["revisions"][0]) == ["blockAddress", "hash", "dataHash", "metadata"]
    report = verify_export("s3://journals/after/", s3_endpoint=endpoint)
    assert (report.verdict, report.verification.counts.redacted) == ("whole", 1)


def test_a_file_is_cut_at_its_bytes_and_at_a_gap(monkeypatch):
    from qldb_emulator.ion.codec import dumps
    from qldb_emulator.journal import exports as layout

    block = dumps({"a": "x" * 40})
    monkeypatch.setattr(layout, "FILE_BYTES", 2 * len(block))
    made = Export("E" * 22, "cars", "S" * 22, 0, 0, 0, "b", "", output_format="ION_BINARY")
    keys = [key for key, _, _ in made.objects([(number, block) for number in (0, 1, 2, 4, 5)])]
    assert [key.rsplit(".", 2)[1] for key in keys] == ["0-1", "2-2", "4-5"]
