"""All twenty operations through the AWS CLI, version 1, given its QLDB commands back by ``qldb-emulator env``."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from server import COMMAND, ServerProcess

NAME = "by-cli"
ARN = f"arn:aws:qldb:us-east-1:123456789012:ledger/{NAME}"
ROLE = "arn:aws:iam::123456789012:role/r"
Aws = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    process = ServerProcess("--ephemeral", "--with-aws")
    yield process
    assert process.stop() == 0, "".join(process.log)


@pytest.fixture(scope="module")
def aws_url(server: ServerProcess) -> str:
    found = re.search(r"S3 and Kinesis: (http://\S+)", "".join(server.log))
    assert found is not None
    return found.group(1)


@pytest.fixture(scope="module", autouse=True)
def environment(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the shell would export, in this process: the commands run in it, a start of Python spared each time."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ["HOME"] = str(tmp_path_factory.mktemp("home"))
    script = subprocess.run(
        [*shlex.split(COMMAND), "env", "--url", server.url], capture_output=True, text=True, check=True
    ).stdout
    for line in script.splitlines():
        name, value = shlex.split(line)[1].split("=", 1)
        os.environ[name] = value


@pytest.fixture
def aws(capfd: pytest.CaptureFixture[str]) -> Aws:
    from awscli.clidriver import create_clidriver  # looks at AWS_DATA_PATH when it is imported

    def run(*arguments: str, expected: int = 0) -> Any:
        status = create_clidriver().main([*arguments, "--output", "json"])
        output, problem = capfd.readouterr()
        assert expected == status, problem
        return problem.strip() if status else json.loads(output or "null")

    return run


def test_the_command_itself_runs(server: ServerProcess) -> None:
    program = Path(sys.executable).with_name("aws")
    done = subprocess.run([program, "qldb", "list-ledgers"], capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"Ledgers": []}), done.stderr


def test_the_life_of_a_ledger(aws: Aws) -> None:
    created = aws("qldb", "create-ledger", "--name", NAME, "--permissions-mode", "STANDARD", "--tags", "team=fleet")
    assert (created["State"], created["Arn"], created["DeletionProtection"]) == ("CREATING", ARN, True)
    described = aws("qldb", "describe-ledger", "--name", NAME)
    assert (described["State"], described["PermissionsMode"]) == ("ACTIVE", "STANDARD")
    mode = aws("qldb", "update-ledger-permissions-mode", "--name", NAME, "--permissions-mode", "ALLOW_ALL")
    assert mode == {"Name": NAME, "Arn": ARN, "PermissionsMode": "ALLOW_ALL"}
    problem = aws("qldb", "delete-ledger", "--name", NAME, expected=255)
    assert "(ResourcePreconditionNotMetException)" in problem
    assert f"Preventing deletion of ledger {NAME} with DeletionProtection enabled" in problem
    updated = aws("qldb", "update-ledger", "--name", NAME, "--no-deletion-protection")
    assert updated["DeletionProtection"] is False
    key = ["--kms-key", "AWS_OWNED_KMS_KEY"]
    encryption = aws("qldb", "update-ledger", "--name", NAME, *key)["EncryptionDescription"]
    assert encryption == {"KmsKeyArn": "AWS_OWNED_KMS_KEY", "EncryptionStatus": "UPDATING"}
    assert [row["Name"] for row in aws("qldb", "list-ledgers", "--max-results", "1")["Ledgers"]] == [NAME]


def test_tags(aws: Aws) -> None:
    assert aws("qldb", "list-tags-for-resource", "--resource-arn", ARN) == {"Tags": {"team": "fleet"}}
    aws("qldb", "tag-resource", "--resource-arn", ARN, "--tags", "team=cars,stage=test")
    aws("qldb", "untag-resource", "--resource-arn", ARN, "--tag-keys", "stage", "missing")
    assert aws("qldb", "list-tags-for-resource", "--resource-arn", ARN) == {"Tags": {"team": "cars"}}


def test_a_session(aws: Aws) -> None:
    started = aws("qldb-session", "send-command", "--start-session", f"LedgerName={NAME}")
    token = started["StartSession"]["SessionToken"]
    transaction = aws("qldb-session", "send-command", "--session-token", token, "--start-transaction", "{}")
    assert len(transaction["StartTransaction"]["TransactionId"]) == 22
    aws("qldb-session", "send-command", "--session-token", token, "--end-session", "{}")


def test_digest_block_and_revision(aws: Aws) -> None:
    digest = aws("qldb", "get-digest", "--name", NAME)
    tip = digest["DigestTipAddress"]["IonText"]
    holder = json.dumps({"IonText": tip})
    block = aws("qldb", "get-block", "--name", NAME, "--block-address", holder, "--digest-tip-address", holder)
    assert block["Block"]["IonText"].startswith("{blockAddress:" + tip)
    assert block["Proof"]["IonText"].startswith("[")
    document = "I1pH6SCujBW0JYpPoLQT02"
    problem = aws(
        "qldb", "get-revision", "--name", NAME, "--block-address", holder, "--document-id", document, expected=255
    )
    assert "(InvalidParameterException)" in problem
    assert "Document ID was not found in the block" in problem


def test_streams(aws: Aws, aws_url: str) -> None:
    kinesis = ["--endpoint-url", aws_url, "--stream-name", "cli"]
    aws("kinesis", "create-stream", *kinesis, "--shard-count", "1")
    arn = aws("kinesis", "describe-stream", *kinesis)["StreamDescription"]["StreamARN"]
    of_ledger = ["--ledger-name", NAME]
    stream_id = aws(
        "qldb",
        "stream-journal-to-kinesis",
        *of_ledger,
        "--role-arn",
        ROLE,
        "--inclusive-start-time",
        "2020-05-29T00:00:00Z",
        "--stream-name",
        "s",
        "--kinesis-configuration",
        f"StreamArn={arn}",
    )["StreamId"]
    described = aws("qldb", "describe-journal-kinesis-stream", *of_ledger, "--stream-id", stream_id)["Stream"]
    assert (described["Status"], described["InclusiveStartTime"]) == ("ACTIVE", 1590710400.0)
    assert described["KinesisConfiguration"] == {"StreamArn": arn, "AggregationEnabled": True}
    listed = aws("qldb", "list-journal-kinesis-streams-for-ledger", *of_ledger)["Streams"]
    assert [stream["StreamId"] for stream in listed] == [stream_id]
    cancelled = aws("qldb", "cancel-journal-kinesis-stream", *of_ledger, "--stream-id", stream_id)
    assert cancelled == {"StreamId": stream_id}


def test_exports(aws: Aws, aws_url: str) -> None:
    aws("s3api", "create-bucket", "--endpoint-url", aws_url, "--bucket", "exported")
    configuration = {
        "Bucket": "exported",
        "Prefix": "p/",
        "EncryptionConfiguration": {"ObjectEncryptionType": "SSE_S3"},
    }
    export_id = aws(
        "qldb",
        "export-journal-to-s3",
        "--name",
        NAME,
        "--role-arn",
        ROLE,
        "--inclusive-start-time",
        "2020-05-29T00:00:00Z",
        "--exclusive-end-time",
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "--s3-export-configuration",
        json.dumps(configuration),
    )["ExportId"]
    described = aws("qldb", "describe-journal-s3-export", "--name", NAME, "--export-id", export_id)
    assert described["ExportDescription"]["ExportId"] == export_id
    for command in (["list-journal-s3-exports"], ["list-journal-s3-exports-for-ledger", "--name", NAME]):
        assert [row["ExportId"] for row in aws("qldb", *command)["JournalS3Exports"]] == [export_id]


def test_the_ledger_goes(aws: Aws) -> None:
    assert aws("qldb", "delete-ledger", "--name", NAME) is None
    assert aws("qldb", "list-ledgers") == {"Ledgers": []}
    problem = aws("qldb", "describe-ledger", "--name", NAME, expected=255)
    assert "(ResourceNotFoundException) when calling the DescribeLedger operation" in problem
    assert f"The Ledger with name {NAME} is not found" in problem
