"""Signatures and permissions, with botocore as the signer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from click.testing import CliRunner

from qldb_emulator.auth.keys import AuthFileError, read_auth_file
from qldb_emulator.auth.policy import PolicyError, read_policy
from qldb_emulator.auth.signature import SignedRequest, verify
from qldb_emulator.cli import main
from qldb_emulator.clock import SystemClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.journal.hashing import CommitDigest, statement_digest
from qldb_emulator.settings import Settings
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW_MS = SystemClock().now_ms()
ACCOUNT = "123456789012"
CARS = f"arn:aws:qldb:us-east-1:{ACCOUNT}:ledger/cars"
CATALOG = CARS + "/information_schema/user_tables"


def signed(
    method: str = "POST", url: str = "http://127.0.0.1:7532/", body: bytes = b"{}", **headers: str
) -> SignedRequest:
    """Return a request as botocore signs it, now."""
    request = AWSRequest(
        method, url, data=body, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
    SigV4Auth(Credentials(KEY, SECRET), "qldb", "us-east-1").add_auth(request)
    prepared = request.prepare()
    found = {name.lower(): text if isinstance(text, str) else text.decode() for name, text in prepared.headers.items()}
    path, _, query = re.sub(r"^http://[^/]+", "", prepared.url).partition("?")
    return SignedRequest(method, path, query, {**found, "host": "127.0.0.1:7532"}, body)


def check(request: SignedRequest, now_ms: int | None = None, secret: str | None = SECRET) -> str:
    """Return the access key, or the error's class and text."""
    try:
        return verify(request, lambda key: secret if key == KEY else None, now_ms or SystemClock().now_ms())
    except QldbError as error:
        return f"{error.shape}: {error.message}"


@pytest.mark.parametrize(
    "request_",
    [
        signed(),
        signed(X_Amz_Target="QLDBSession.SendCommand", Content_Type="application/x-amz-json-1.0"),
        signed("GET", "http://127.0.0.1:7532/ledgers?max_results=2&next_token=abcd%3D%3D", b""),
        signed("GET", "http://127.0.0.1:7532/ledgers/my-ledger", b""),
        signed("POST", "http://127.0.0.1:7532/tags/arn%3Aaws%3Aqldb%3Aus-east-1%3A123456789012%3Aledger%2Fmy-ledger"),
        signed("DELETE", "http://127.0.0.1:7532/tags/arn?tagKeys=k&tagKeys=k%202%2F%C3%A9", b""),
        signed(X_Spaces="  a   b  ", Content_Type="text/plain; charset=utf-8"),
    ],
    ids=lambda request: f"{request.method} {request.path}?{request.query}",
)
def test_what_botocore_signs_is_accepted(request_: SignedRequest) -> None:
    assert check(request_) == KEY


MISMATCH = "InvalidSignatureException: The request signature we calculated does not match"


def changed(request: SignedRequest, **headers: str | None) -> SignedRequest:
    found = {**request.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return replace(request, headers={name: text for name, text in found.items() if text is not None})


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (replace(signed(), body=b'{"a": 1}'), MISMATCH),
        (replace(signed(), method="PUT"), MISMATCH),
        (replace(signed(), path="/ledgers"), MISMATCH),
        (replace(signed(), query="a=b"), MISMATCH),
        (changed(signed(), host="example.com"), MISMATCH),
        (changed(signed(X_Amz_Target="A.B"), x_amz_target="A.C"), MISMATCH),
        (changed(signed(X_Amz_Target="A.B"), x_amz_target=None), MISMATCH),
        (
            changed(signed(), x_amz_target="QLDBSession.SendCommand"),
            "IncompleteSignatureException: 'x-amz-target' must be a 'SignedHeader'",
        ),
        (changed(signed(), authorization=None), "MissingAuthenticationTokenException: Missing Authentication Token"),
        (changed(signed(), authorization="Bearer abc"), "IncompleteSignatureException: "),
        (changed(signed(), authorization="AWS4-HMAC-SHA256 nonsense"), "IncompleteSignatureException: "),
        (
            changed(signed(), authorization="AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0"),
            "IncompleteSignatureException: Credential must be",
        ),
        (changed(signed(), x_amz_date=None), "IncompleteSignatureException: "),
        (changed(signed(), x_amz_date="20261399T999999Z"), "IncompleteSignatureException: "),
        (changed(signed(), x_amz_content_sha256="0" * 64), "IncompleteSignatureException: "),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_was_changed_gets_nothing(request_: SignedRequest, expected: str) -> None:
    assert check(request_).startswith(expected)


def test_a_wrong_secret_and_an_unknown_key_get_nothing() -> None:
    assert check(signed(), secret="another").startswith(MISMATCH)
    assert check(signed(), secret=None) == (
        "UnrecognizedClientException: The security token included in the request is invalid."
    )


def test_every_character_of_a_signature_counts() -> None:
    request = signed()
    authorization = request.headers["authorization"]
    for position in range(1, 65):
        other = "0" if authorization[-position] != "0" else "1"
        wrong = (
            authorization[: len(authorization) - position] + other + authorization[len(authorization) - position + 1 :]
        )
        assert check(changed(request, authorization=wrong)).startswith(MISMATCH)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (14, KEY),
        (-14, KEY),
        (16, "InvalidSignatureException: Signature expired: "),
        (-16, "InvalidSignatureException: Signature not yet current: "),
    ],
)
def test_a_signature_is_good_for_fifteen_minutes(minutes: int, expected: str) -> None:
    assert check(signed(), SystemClock().now_ms() + minutes * 60_000).startswith(expected)


def test_a_signature_for_another_service_gets_nothing() -> None:
    request = signed()
    other = request.headers["authorization"].replace("/qldb/", "/s3/")
    assert check(changed(request, authorization=other)).startswith(
        "InvalidSignatureException: Credential should be scoped"
    )


# --- policies --------------------------------------------------------------------------------------------------


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any, resource: Any = "*", effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


@pytest.mark.parametrize(
    ("statements", "action", "resource", "expected"),
    [
        ([], "qldb:SendCommand", CARS, False),
        ([allow("qldb:SendCommand", CARS)], "qldb:SendCommand", CARS, True),
        ([allow("QLDB:sendcommand", CARS)], "qldb:SendCommand", CARS, True),
        ([allow("qldb:SendCommand", CARS.upper())], "qldb:SendCommand", CARS, False),
        ([allow("qldb:SendCommand", CARS)], "qldb:SendCommand", CARS + "s", False),
        ([allow("qldb:*")], "qldb:GetDigest", CARS, True),
        ([allow("qldb:PartiQL*", [CARS + "/table/*"])], "qldb:PartiQLSelect", CARS + "/table/x", True),
        (
            [allow("qldb:PartiQL*", [CARS + "/table/*"])],
            "qldb:PartiQLSelect",
            CATALOG,
            False,
        ),
        ([allow("*", "arn:aws:qldb:??-east-1:*:ledger/c?rs")], "qldb:SendCommand", CARS, True),
        ([allow("*"), allow("qldb:DeleteLedger", "*", "Deny")], "qldb:DeleteLedger", CARS, False),
        ([allow("*"), allow("qldb:DeleteLedger", "*", "Deny")], "qldb:GetDigest", CARS, True),
        ([{"Effect": "Allow", "NotAction": "qldb:Delete*", "Resource": "*"}], "qldb:DeleteLedger", CARS, False),
        ([{"Effect": "Allow", "NotAction": "qldb:Delete*", "Resource": "*"}], "qldb:GetDigest", CARS, True),
        ([{"Effect": "Allow", "Action": "*", "NotResource": CARS}], "qldb:GetDigest", CARS, False),
        ([allow("qldb.SendCommand")], "qldb:SendCommand", CARS, False),
    ],
)
def test_a_policy_decides(statements: list[dict[str, Any]], action: str, resource: str, expected: bool) -> None:
    assert read_policy(policy(*statements), "test").allows(action, resource) is expected


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ([], "a policy is an object"),
        ({"Version": "2012-10-17"}, "a policy is an object"),
        (policy({"Effect": "Perhaps", "Action": "*", "Resource": "*"}), "Effect must be"),
        (policy({"Effect": "Allow", "Resource": "*"}), "exactly one of Action"),
        (policy({"Effect": "Allow", "Action": "*"}), "exactly one of Resource"),
        (policy(allow([])), "must be a text or a list"),
        (policy(allow([1])), "must be a text or a list"),
        (policy({**allow("*"), "Condition": {"Bool": {"qldb:Purge": "true"}}}), "Condition is not supported"),
        (policy({**allow("*"), "Principal": "*"}), "Principal is not supported"),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(document: Any, part: str) -> None:
    with pytest.raises(PolicyError, match=part):
        read_policy(document, "test")


KEYS = {
    "admin": policy(allow("qldb:*")),
    "clerk": policy(
        allow("qldb:SendCommand", CARS),
        allow(["qldb:PartiQLSelect", "qldb:PartiQLInsert"], [CARS + "/table/*", CATALOG]),
        allow("qldb:DescribeLedger", CARS),
    ),
    "stranger": policy(allow("qldb:SendCommand", CARS.replace("cars", "boats"))),
}


@pytest.fixture
def auth_file(tmp_path: Path) -> Path:
    keys = [{"access_key": f"KEY{n}", "secret_key": f"secret {n}", "user": n, "policy": p} for n, p in KEYS.items()]
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"keys": keys}))
    return path


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "is not JSON"),
        ("[]", 'a list of "keys"'),
        ('{"keys": []}', 'a list of "keys"'),
        ('{"keys": [{"access_key": "a"}]}', "key 1: a key has exactly the members"),
        ('{"keys": [{"access_key": "a", "secret_key": 7, "user": "u", "policy": {}}]}', "secret_key must be a text"),
        ('{"keys": [{"access_key": "a", "secret_key": "s", "user": "u", "policy": {}}]}', "a policy is an object"),
    ],
)
def test_a_file_of_keys_that_cannot_be_read_stops_the_start(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "auth.json"
    path.write_text(text)
    with pytest.raises(AuthFileError, match=re.escape(part)):
        read_auth_file(path, SystemClock())
    result = CliRunner().invoke(main, ["serve", "--ephemeral", "--port", "0", "--auth", str(path)])
    assert (result.exit_code, part in result.output) == (1, True)


def test_an_access_key_twice_is_refused(auth_file: Path) -> None:
    keys = json.loads(auth_file.read_text())["keys"]
    auth_file.write_text(json.dumps({"keys": [*keys, keys[0]]}))
    with pytest.raises(AuthFileError, match="KEYadmin twice"):
        read_auth_file(auth_file, SystemClock())
    with pytest.raises(AuthFileError, match="cannot be read"):
        read_auth_file(auth_file.with_name("nowhere"), SystemClock())


# --- the whole way, with boto3 ------------------------------------------------------------------------------------


@pytest.fixture
def server(auth_file: Path) -> Iterator[Server]:
    with (
        Emulator(Settings(is_ephemeral=True)) as emulator,
        Server(create_dispatcher(emulator, read_auth_file(auth_file, SystemClock()))) as server,
    ):
        yield server


def client(server: Server, user: str, service: str = "qldb", secret: str | None = None) -> Any:
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=f"KEY{user}",
        aws_secret_access_key=secret or f"secret {user}",
        config=Config(retries={"total_max_attempts": 1}),
    )


def refused(call: Any, **members: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**members)
    return f"{error.value.response['Error']['Code']}: {error.value.response['Error']['Message']}"


class Statements:
    """A user's session, one transaction at a time."""

    def __init__(self, server: Server, user: str) -> None:
        self._send = client(server, user, "qldb-session").send_command
        self._token = self._send(StartSession={"LedgerName": "cars"})["StartSession"]["SessionToken"]

    def run(self, *statements: str) -> str:
        """ok, or the error of the first statement that is refused; nothing is committed."""
        transaction = self._send(SessionToken=self._token, StartTransaction={})["StartTransaction"]["TransactionId"]
        try:
            for statement in statements:
                members = {"TransactionId": transaction, "Statement": statement}
                self._send(SessionToken=self._token, ExecuteStatement=members)
        except ClientError as error:
            return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
        finally:
            self._send(SessionToken=self._token, AbortTransaction={})
        return "ok"


def test_the_control_plane_asks_for_the_operation(server: Server) -> None:
    admin, clerk = client(server, "admin"), client(server, "clerk")
    admin.create_ledger(Name="cars", PermissionsMode="STANDARD", Tags={"a": "b é"})
    assert clerk.describe_ledger(Name="cars")["Name"] == "cars"
    assert admin.list_tags_for_resource(ResourceArn=CARS)["Tags"] == {"a": "b é"}
    denied = f"AccessDeniedException: User: arn:aws:iam::{ACCOUNT}:user/clerk is not authorized to perform: "
    assert refused(clerk.get_digest, Name="cars") == f"{denied}qldb:GetDigest on resource: {CARS}"
    assert refused(clerk.list_ledgers) == f"{denied}qldb:ListLedgers on resource: *"
    assert refused(clerk.untag_resource, ResourceArn=CARS, TagKeys=["a"]).endswith(
        f"qldb:UntagResource on resource: {CARS}"
    )
    assert refused(client(server, "admin", secret="wrong").list_ledgers).startswith(MISMATCH)
    assert refused(client(server, "unknown").list_ledgers).startswith("UnrecognizedClientException: ")


def test_statements_ask_for_their_actions_in_the_standard_mode(server: Server) -> None:
    admin = client(server, "admin")
    admin.create_ledger(Name="cars", PermissionsMode="STANDARD")
    stranger = client(server, "stranger", "qldb-session")
    assert refused(stranger.send_command, StartSession={"LedgerName": "cars"}) == (
        f"AccessDeniedException: User: arn:aws:iam::{ACCOUNT}:user/stranger is not authorized to perform: "
        f"qldb:SendCommand on resource: {CARS}"
    )
    boss, clerk = Statements(server, "admin"), Statements(server, "clerk")
    create = [
        "CREATE TABLE T",
        "INSERT INTO T {'a': 1}",
        "UPDATE T SET a = 2",
        "DELETE FROM T",
        "CREATE INDEX ON T (a)",
    ]
    assert boss.run(*create, "SELECT * FROM history(T)", "DROP TABLE T") == "ok"
    assert clerk.run("SELECT * FROM information_schema.user_tables") == "ok"
    assert clerk.run("CREATE TABLE T").endswith(f"qldb:PartiQLCreateTable on resource: {CARS}/table/*")
    assert clerk.run("SELECT * FROM T").startswith("BadRequestException: ")

    admin.update_ledger_permissions_mode(Name="cars", PermissionsMode="ALLOW_ALL")
    assert clerk.run(*create) == "ok"


@pytest.mark.parametrize(
    ("statement", "action"),
    [
        ("SELECT * FROM T", None),
        ("INSERT INTO T {'a': 1}", None),
        ("UPDATE T SET a = 2", "PartiQLUpdate"),
        ("FROM T SET a = 2", "PartiQLUpdate"),
        ("DELETE FROM T", "PartiQLDelete"),
        ("SELECT * FROM history(T)", "PartiQLHistoryFunction"),
        ("DROP TABLE T", "PartiQLDropTable"),
        ("CREATE INDEX ON T (a)", "PartiQLCreateIndex"),
        ("SELECT * FROM T AS t, history(T) AS h", "PartiQLHistoryFunction"),
    ],
)
def test_each_statement_has_its_action(server: Server, statement: str, action: str | None) -> None:
    client(server, "admin").create_ledger(Name="cars", PermissionsMode="STANDARD")
    boss = Statements(server, "admin")
    transaction = boss._send(SessionToken=boss._token, StartTransaction={})["StartTransaction"]["TransactionId"]
    members = {"TransactionId": transaction, "Statement": "CREATE TABLE T"}
    boss._send(SessionToken=boss._token, ExecuteStatement=members)
    digest = CommitDigest(transaction)
    digest.add(statement_digest("CREATE TABLE T", [], hash_value("CREATE TABLE T")))
    commit = {"TransactionId": transaction, "CommitDigest": digest.value}
    boss._send(SessionToken=boss._token, CommitTransaction=commit)
    answer = Statements(server, "clerk").run(statement)
    if action is None:
        assert answer == "ok"
    else:
        assert re.search(rf"qldb:{action} on resource: {CARS}/table/[0-9A-Za-z]{{22}}$", answer)


def test_without_auth_any_signature_will_do() -> None:
    with Emulator(Settings(is_ephemeral=True)) as emulator, Server(create_dispatcher(emulator)) as server:
        assert client(server, "unknown").list_ledgers()["Ledgers"] == []
