"""Journals in S3, with moto's S3 in the same process: more objects than one page of a listing has, and failures."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers.journals import STRAND, chain, changed, statement

from qldb_emulator.aws.clients import client
from qldb_emulator.cli import main
from qldb_emulator.ion.codec import dumps
from qldb_emulator.journal import merkle
from qldb_emulator.journal.block import NewRevision, TransactionResult
from qldb_emulator.verify import open_container

pytest.importorskip("moto", reason="needs the extra aws")
# moto and botocore use what newer Pythons deprecate; that is theirs.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

PAGE_KEYS = 1_000  # documented: the most keys that ListObjectsV2 gives at once
SMALL_PAGE_KEYS = 20  # of moto while a journal is read, so that a short one has several pages
OBJECTS = 2 * SMALL_PAGE_KEYS + 5


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[str, str]]:
    """The URL of an S3 with a journal of one block in each object, and the journal's digest.

    Beside it are more objects than S3 lists at once.
    """
    from moto.s3.models import s3_backends

    from qldb_emulator.aws.local import LocalAws

    blocks = list(
        chain(
            TransactionResult(
                f"tx{number}",
                [statement("INSERT INTO Cars ?", 0, number)],
                changed(f"doc{number}"),
                [NewRevision(f"doc{number}", 0, {"n": number})],
            )
            for number in range(OBJECTS)
        )
    )
    with LocalAws() as aws:
        made = client("s3", "us-east-1", aws.url)
        made.create_bucket(Bucket="many")
        (account,) = s3_backends.keys()
        partition = next(iter(s3_backends[account].values()))
        for block in blocks:  # straight into moto's memory: a request for each would take most of the test's time
            number = block.address.sequence_no
            name = f"journal/{block.address.strand_id}.{number}-{number}.ion"
            partition.put_object("many", name, dumps(block.to_ion()))
        for number in range(PAGE_KEYS + 5):
            partition.put_object("many", f"empty/{number}", b"")
        made.close()
        yield aws.url, base64.b64encode(merkle.root([block.block_hash for block in blocks])).decode()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", str(SMALL_PAGE_KEYS))


def test_every_page_of_a_listing_is_read(bucket):
    url, _ = bucket
    container = open_container("s3://many/empty/", None, url)
    assert len(list(container.items())) == PAGE_KEYS + 5
    container.close()


def test_a_journal_of_more_objects_than_a_page_lists_is_whole(bucket, small_pages):
    url, digest = bucket
    result = run("verify", "s3://many/journal/", "--s3-endpoint", url, "--digest", digest, "--json", "--jobs", 1)
    report = json.loads(result.output)
    assert (result.exit_code, report["verdict"], report["files"]) == (0, "whole", OBJECTS + 1)


def test_tables_of_a_journal_in_s3(bucket, small_pages, tmp_path: Path):
    url, digest = bucket
    target = f"csv:{tmp_path / 'out'}"
    assert run("tables", "s3://many/journal/", "--s3-endpoint", url, "--to", target, "--jobs", 1).exit_code == 0
    assert run("verify-tables", target, "--digest", digest).exit_code == 0


def test_an_object_that_is_gone_is_a_finding(bucket, small_pages):
    url, digest = bucket
    s3 = client("s3", "us-east-1", url)
    key = f"journal/{STRAND}.30-30.ion"
    kept = s3.get_object(Bucket="many", Key=key)["Body"].read()
    s3.delete_object(Bucket="many", Key=key)
    try:
        result = run("verify", "s3://many/journal/", "--s3-endpoint", url, "--digest", digest, "--jobs", 1)
        assert (result.exit_code, "30" in result.output) == (1, True), result.output
    finally:
        s3.put_object(Bucket="many", Key=key, Body=kept)
        s3.close()


@pytest.mark.parametrize("source", ["s3://many/nothing-here/", "s3://no-such-bucket/x", "s3://"])
def test_what_is_not_there_is_one_sentence(bucket, source, tmp_path: Path):
    url, _ = bucket
    for arguments in (("verify", source), ("tables", source, "--to", f"csv:{tmp_path / 'out'}")):
        result = run(*arguments, "--s3-endpoint", url)
        assert (result.exit_code, result.output.count("\n")) == (3, 1), result.output
    assert not (tmp_path / "out").exists()
