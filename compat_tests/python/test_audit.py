"""From a ledger to an export in S3, to a verdict, to a ledger again: boto3, pyqldb and the command line."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from pathlib import Path

import boto3
import pytest
from amazon.ion.simpleion import dumps, loads
from conftest import REGION, control_plane
from pyqldb.driver.qldb_driver import QldbDriver
from server import COMMAND, ServerProcess

BUCKET = "journals"
ROLE = "arn:aws:iam::123456789012:role/export"


def run(driver, statement, *parameters):
    return driver.execute_lambda(lambda t: list(t.execute_statement(statement, *parameters)))


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [*shlex.split(COMMAND), *map(str, arguments)]
    result = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in result.stderr, result.stderr
    return result


class World:
    """A server with an S3 beside it, a ledger with a history, and an export of it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.server = ServerProcess("--data-dir", str(self.data), "--with-aws")
        self.s3_url = re.search(r"AWS_ENDPOINT_URL_S3=(\S+)", "".join(self.server.log)).group(1)
        self.qldb = control_plane(self.server)
        self.s3 = boto3.client("s3", endpoint_url=self.s3_url, region_name=REGION)
        self.s3.create_bucket(Bucket=BUCKET)
        self.qldb.create_ledger(Name="cars", PermissionsMode="ALLOW_ALL", DeletionProtection=False)
        self.driver = QldbDriver("cars", endpoint_url=self.server.url, region_name=REGION)
        run(self.driver, "CREATE TABLE Car")
        run(self.driver, "CREATE INDEX ON Car (vin)")
        cars = {"vin": "A1", "price": loads("1.50")}, {"vin": "B2", "kind": loads("sedan")}  # a symbol is lost in JSON
        run(self.driver, "INSERT INTO Car <<?, ?>>", *cars)
        run(self.driver, "UPDATE Car SET owner = 'Maria' WHERE vin = ?", "A1")
        run(self.driver, "DELETE FROM Car WHERE vin = 'B2'")

    def digest(self) -> dict:
        answer = self.qldb.get_digest(Name="cars")
        return {"Digest": answer["Digest"].hex(), "DigestTipAddress": answer["DigestTipAddress"]}

    def export(self, prefix: str, **members: object) -> dict:
        request = {
            "InclusiveStartTime": 0,
            "ExclusiveEndTime": int(time.time()),
            "S3ExportConfiguration": {
                "Bucket": BUCKET,
                "Prefix": prefix,
                "EncryptionConfiguration": {"ObjectEncryptionType": "SSE_S3"},
            },
            "RoleArn": ROLE,
            **members,
        }
        export_id = self.qldb.export_journal_to_s3(Name="cars", **request)["ExportId"]
        for _ in range(100):
            job = self.qldb.describe_journal_s3_export(Name="cars", ExportId=export_id)["ExportDescription"]
            if job["Status"] != "IN_PROGRESS":
                return job
            time.sleep(0.05)
        raise AssertionError(job)

    def keys(self, prefix: str) -> list[str]:
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    time.sleep(1.1)  # an export ends in the past, and boto3 sends whole seconds
    yield made
    made.driver.close()
    assert made.server.stop() == 0


@pytest.mark.parametrize("output_format", ["ION_TEXT", "ION_BINARY", "JSON"])
def test_an_export_of_boto3_is_in_s3_and_verified_there(world, output_format):
    prefix = f"{output_format}/"
    job = world.export(prefix, OutputFormat=output_format)
    assert (job["Status"], job["OutputFormat"]) == ("COMPLETED", output_format)
    assert len(world.keys(prefix)) == 3
    result = command("verify", f"s3://{BUCKET}/{prefix}", "--s3-endpoint", world.s3_url, "--json")
    report = json.loads(result.stdout)
    assert (result.returncode, report["verdict"]) == ((4, "incomplete") if output_format == "JSON" else (0, "whole"))
    assert report["journal"]["counts"]["blocks"] > 5


def test_jobs_are_listed(world):
    job = world.export("listed/")
    listed = world.qldb.list_journal_s3_exports()["JournalS3Exports"]
    assert job["ExportId"] in [each["ExportId"] for each in listed]
    listed = world.qldb.list_journal_s3_exports_for_ledger(Name="cars", MaxResults=1)
    assert len(listed["JournalS3Exports"]) == 1


def test_a_bucket_that_is_not_there_is_refused(world):
    with pytest.raises(world.qldb.exceptions.InvalidParameterException, match="validating S3 configuration: NoSuchBu"):
        world.export(
            "x/",
            S3ExportConfiguration={
                "Bucket": "no-such-bucket",
                "Prefix": "",
                "EncryptionConfiguration": {"ObjectEncryptionType": "SSE_S3"},
            },
        )


def test_an_export_becomes_a_ledger_that_pyqldb_reads(world, tmp_path):
    saved = tmp_path / "digest.json"
    saved.write_text(json.dumps(world.digest()))
    time.sleep(1.1)
    world.export("import/")
    source = f"s3://{BUCKET}/import/"
    options = ("--s3-endpoint", world.s3_url, "--data-dir", tmp_path / "data", "--digest", saved)
    result = command("import", source, "--as", "archive", *options)
    assert (result.returncode, result.stdout.splitlines()[0]) == (0, "The journal is whole: every check held.")
    history = run(world.driver, "SELECT * FROM history(Car)")
    server = ServerProcess("--data-dir", str(tmp_path / "data"))
    try:
        with QldbDriver("archive", endpoint_url=server.url, region_name=REGION) as driver:
            again = run(driver, "SELECT * FROM history(Car)")
            assert dumps(again, binary=False) == dumps(history, binary=False)
            with pytest.raises(Exception, match="was imported to be read only"):
                run(driver, "INSERT INTO Car {'vin': 'C3'}")
        report = tmp_path / "report.html"
        result = command("verify", "archive", "--data-dir", tmp_path / "data", "--digest", saved, "--html", report)
        assert result.returncode == 0, result.stdout
        assert "every check held" in report.read_text()
    finally:
        assert server.stop() == 0


def test_a_receipt_of_boto3_is_verified_offline_and_a_redaction_leaves_it_true(world, tmp_path):
    row = next(
        row
        for row in run(world.driver, "SELECT * FROM history(Car)")
        if row["metadata"]["version"] == 0 and "data" in row and row["data"]["vin"] == "A1"
    )
    address = {"IonText": dumps(row["blockAddress"], binary=False, omit_version_marker=True)}
    digest = world.digest()

    def receipt() -> dict:
        answer = world.qldb.get_revision(
            Name="cars",
            BlockAddress=address,
            DocumentId=row["metadata"]["id"],
            DigestTipAddress=digest["DigestTipAddress"],
        )
        return {name: answer[name] for name in ("Revision", "Proof")}

    saved, kept = tmp_path / "revision.json", tmp_path / "digest.json"
    saved.write_text(json.dumps(receipt()))
    kept.write_text(json.dumps(digest))
    result = command("verify-receipt", "--revision", saved, "--digest", kept)
    assert (result.returncode, result.stdout) == (
        0,
        "The receipt holds: the revision is what its hash says, and its proof leads to the digest.\n",
    )
    (table,) = run(world.driver, "SELECT tableId FROM information_schema.user_tables WHERE name = 'Car'")
    run(world.driver, "EXEC REDACT_REVISION ?, ?, ?", row["blockAddress"], table["tableId"], row["metadata"]["id"])
    after = receipt()
    assert "dataHash" in after["Revision"]["IonText"]
    assert '"A1"' not in after["Revision"]["IonText"]  # in quotes: an id may hold the two letters
    saved.write_text(json.dumps(after))
    assert command("verify-receipt", "--revision", saved, "--digest", kept).returncode == 0
    broken = after["Revision"]["IonText"].replace("version:0", "version:1")
    saved.write_text(json.dumps({**after, "Revision": {"IonText": broken}}))
    result = command("verify-receipt", "--revision", saved, "--digest", kept)
    assert (result.returncode, "revision (hash): expected" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("s3://not-there/x", "NoSuchBucket The specified bucket does not exist"),
        (f"s3://{BUCKET}/empty/", "has no file with a journal block"),
        ("s3://", "names no bucket"),
    ],
)
def test_an_s3_source_that_cannot_be_read_is_said_in_one_sentence(world, source, reason):
    result = command("verify", source, "--s3-endpoint", world.s3_url)
    assert (result.returncode, reason in result.stderr) == (3, True), result.stderr
    result = command("import", source, "--as", "x", "--s3-endpoint", world.s3_url, "--data-dir", world.data)
    assert (result.returncode, reason in result.stderr) == (3, True), result.stderr


def test_a_ledger_in_use_is_exported_and_verified_but_not_imported_into(world, tmp_path):
    result = command("export", "cars", tmp_path / "out", "--data-dir", world.data, "--format", "ION_BINARY")
    assert result.returncode == 0, result.stderr
    assert command("verify", tmp_path / "out").returncode == 0
    result = command("import", tmp_path / "out", "--as", "copy", "--data-dir", world.data)
    assert (result.returncode, "is in use by process" in result.stderr) == (1, True)
