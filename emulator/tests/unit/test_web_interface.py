"""The JSON interface: statements over plain HTTP, the journal, documents, proofs; in JSON and in Ion."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from helpers.local_driver import new_emulator, new_ledger
from openapi_spec_validator import validate

from qldb_emulator.auth.keys import read_auth_file
from qldb_emulator.auth.signature import SignedRequest, sign
from qldb_emulator.clock import SystemClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import dumps, dumps_text, loads
from qldb_emulator.verify import verify_block, verify_revision
from qldb_emulator.web.admin import ROUTES
from qldb_emulator.web.app import create_app
from qldb_emulator.web.interface import statements

LEDGER = "/_qldb/ledgers/cars"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with new_emulator() as made:
        session = new_ledger(made)
        session.run("CREATE TABLE Car")
        session.run("CREATE INDEX ON Car (VIN)")
        yield made


@pytest.fixture
def client(emulator: Emulator) -> FlaskClient:
    return create_app(emulator).test_client()


def run(client: FlaskClient, statement: str, *parameters: Any, **members: Any) -> Any:
    answer = client.post(
        f"{LEDGER}/statements", json={"statement": statement, "parameters": list(parameters), **members}
    )
    assert answer.status_code == 200, answer.text
    return answer.json


def insert(client: FlaskClient, **document: Any) -> str:
    [row] = run(client, "INSERT INTO Car ?", document)["rows"]
    return row["documentId"]


# --- statements -------------------------------------------------------------------------------------------------


def test_a_statement_gives_rows(client: FlaskClient) -> None:
    insert(client, VIN="1", Price=1.5)
    answer = run(client, "SELECT * FROM Car WHERE VIN = ?", "1")
    assert (answer["rows"], answer["truncated"]) == ([{"VIN": "1", "Price": 1.5}], False)


def test_numbers_are_exact_and_floats_have_an_exponent(client: FlaskClient) -> None:
    document = b'{"d": 1.50, "i": 123456789012345678901234567890, "f": 1e0}'
    body = b'{"statement": "INSERT INTO Car ?", "parameters": [%b]}' % document
    assert client.post(f"{LEDGER}/statements", data=body, content_type="application/json").status_code == 200
    answer = run(client, "SELECT VALUE c FROM Car AS c", values="ion-text")
    assert answer["rows"] == ["{d:1.50,i:123456789012345678901234567890,f:1e0}"]


def test_ion_texts_carry_what_json_cannot(client: FlaskClient) -> None:
    body = {"statement": "INSERT INTO Car ?", "ionParameters": ["{t:2017-08-21T,s:sym,n:null.int,b:{{aGk=}}}"]}
    assert client.post(f"{LEDGER}/statements", json=body).status_code == 200
    [row] = run(client, "SELECT * FROM Car", values="ion-binary")["rows"]
    assert dumps_text(loads(base64.b64decode(row))) == "{t:2017-08-21,s:sym,n:null.int,b:{{aGk=}}}"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/ion", b'{statement:"INSERT INTO Car ?",parameters:[{VIN:"9",t:2017T}]}'),
        ("application/ion", dumps(loads('{statement:"INSERT INTO Car ?",parameters:[{VIN:"9",t:2017T}]}'))),
    ],
)
def test_a_body_may_be_ion(client: FlaskClient, content_type: str, body: bytes) -> None:
    assert client.post(f"{LEDGER}/statements", data=body, content_type=content_type).status_code == 200
    assert run(client, "SELECT t FROM Car", values="ion-text")["rows"] == ["{t:2017T}"]


@pytest.mark.parametrize("accept", ["text/ion", "application/ion", "application/x-amzn-ion, */*"])
def test_an_answer_may_be_ion(client: FlaskClient, accept: str) -> None:
    insert(client, VIN="1")
    answer = client.post(f"{LEDGER}/statements", json={"statement": "SELECT * FROM Car"}, headers={"Accept": accept})
    assert answer.content_type.endswith("/ion")
    assert dumps_text(loads(answer.data)["rows"]) == '[{VIN:"1"}]'


def test_several_statements_are_one_transaction(client: FlaskClient) -> None:
    works = [
        {"statement": "INSERT INTO Car ?", "parameters": [{"VIN": "1"}]},
        {"statement": "SELECT VIN FROM Car"},
    ]
    answer = client.post(f"{LEDGER}/statements", json={"statements": works}).json
    assert [len(result["rows"]) for result in answer["results"]] == [1, 1]
    broken = [works[0], {"statement": "SELECT * FORM Car"}]
    assert client.post(f"{LEDGER}/statements", json={"statements": broken}).status_code == 400
    assert len(run(client, "SELECT * FROM Car")["rows"]) == 1


def test_rows_are_cut_where_the_request_says(client: FlaskClient) -> None:
    for number in range(5):
        insert(client, VIN=str(number))
    answer = run(client, "SELECT * FROM Car", maxRows=3)
    assert (len(answer["rows"]), answer["truncated"]) == (3, True)


def test_all_rows_come_as_lines_over_many_pages(client: FlaskClient) -> None:
    for first in range(0, 440, 40):
        works = [{"statement": "INSERT INTO Car ?", "parameters": [{"VIN": str(first + n)}]} for n in range(40)]
        assert client.post(f"{LEDGER}/statements", json={"statements": works}).status_code == 200
    answer = client.post(
        f"{LEDGER}/statements", json={"statement": "SELECT * FROM Car"}, headers={"Accept": "application/x-ndjson"}
    )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert len(lines) == 441
    assert lines[-1]["end"]["rows"] == 440
    assert sorted(line["row"]["VIN"] for line in lines[:-1]) == sorted(map(str, range(440)))


# --- an open transaction ----------------------------------------------------------------------------------------


def start(client: FlaskClient) -> str:
    answer = client.post(f"{LEDGER}/transactions").json
    assert answer["seconds"] == 30
    return f"{LEDGER}/transactions/{answer['transactionId']}"


def test_an_open_transaction_sees_its_writes_and_commits_them(client: FlaskClient) -> None:
    place = start(client)
    client.post(f"{place}/statements", json={"statement": "INSERT INTO Car {'VIN': '1'}"})
    assert run(client, "SELECT * FROM Car")["rows"] == []
    assert client.post(f"{place}/statements", json={"statement": "SELECT * FROM Car"}).json["rows"] == [{"VIN": "1"}]
    assert client.post(f"{place}/commit").json["committed"] is True
    assert run(client, "SELECT * FROM Car")["rows"] == [{"VIN": "1"}]


def test_a_failed_statement_leaves_the_transaction_open(client: FlaskClient) -> None:
    place = start(client)
    assert client.post(f"{place}/statements", json={"statement": "SELECT * FORM Car"}).status_code == 400
    client.post(f"{place}/statements", json={"statement": "INSERT INTO Car {'VIN': '1'}"})
    assert client.post(f"{place}/commit").status_code == 200


def test_an_aborted_transaction_leaves_nothing(client: FlaskClient) -> None:
    place = start(client)
    client.post(f"{place}/statements", json={"statement": "INSERT INTO Car {'VIN': '1'}"})
    assert client.delete(place).json["committed"] is False
    assert client.post(f"{place}/commit").status_code == 404
    assert run(client, "SELECT * FROM Car")["rows"] == []


def test_pages_of_an_open_transaction(client: FlaskClient) -> None:
    place = start(client)
    statement = f"SELECT VALUE x FROM [{'1,' * 249}1] AS x"
    page = client.post(f"{place}/statements", json={"statement": statement}).json
    assert (len(page["rows"]), page["nextPage"] is None) == (200, False)
    rest = client.get(f"{place}/pages", query_string={"page": page["nextPage"]}).json
    assert (len(rest["rows"]), rest["nextPage"]) == (50, None)


def test_a_conflict_is_409_and_says_with_what(client: FlaskClient) -> None:
    insert(client, VIN="1")
    place = start(client)
    client.post(f"{place}/statements", json={"statement": "UPDATE Car SET n = 1 WHERE VIN = '1'"})
    run(client, "UPDATE Car SET n = 2 WHERE VIN = '1'")
    answer = client.post(f"{place}/commit")
    assert (answer.status_code, answer.json["__type"]) == (409, "OccConflictException")
    assert answer.json["debug"]["conflict-block"] == "4"
    assert answer.json["debug"]["conflict"].startswith(("document ", "a key of Car.VIN"))
    assert client.post(f"{place}/commit").status_code == 404


def test_a_transaction_expires(emulator: Emulator, client: FlaskClient) -> None:
    place = start(client)
    emulator.clock.advance(31_000)
    answer = client.post(f"{place}/statements", json={"statement": "SELECT * FROM Car"})
    assert (answer.status_code, answer.json["__type"]) == (400, "InvalidSessionException")
    assert client.post(f"{place}/statements", json={"statement": "SELECT * FROM Car"}).status_code == 404


# --- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "kind", "place"),
    [
        ({"statement": "SELECT * FORM Car"}, 400, "BadRequestException", (1, 10)),
        ({"statement": "SELECT *\nFROM Car WHERE\n  1 +"}, 400, "BadRequestException", (3, 5)),
        ({"statement": "SELECT * FROM Nope"}, 400, "BadRequestException", (1, 15)),
        ({"statement": "SELECT * FROM Car WHERE VIN = ?"}, 400, "BadRequestException", None),
        ({"statement": 1}, 400, "AdminRequestException", None),
        ({}, 400, "AdminRequestException", None),
        ({"statements": []}, 400, "AdminRequestException", None),
        ({"statement": "SELECT 1", "parameters": 1}, 400, "AdminRequestException", None),
        ({"statement": "SELECT 1", "ionParameters": ["{"]}, 400, "AdminRequestException", None),
        ({"statement": "SELECT 1", "parameters": [], "ionParameters": []}, 400, "AdminRequestException", None),
        ({"statement": "SELECT 1", "maxRows": 0}, 400, "AdminRequestException", None),
        ({"statement": "SELECT 1", "seconds": 99}, 400, "AdminRequestException", None),
        ({"statement": "SELECT 1", "values": "xml"}, 400, "AdminRequestException", None),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_errors_have_class_text_and_place(
    client: FlaskClient, body: Any, status: int, kind: str, place: tuple[int, int] | None
) -> None:
    answer = client.post(f"{LEDGER}/statements", json=body)
    assert (answer.status_code, answer.json["__type"]) == (status, kind)
    assert answer.json["Message"]
    found = (answer.json["line"], answer.json["column"]) if "line" in answer.json else None
    assert found == place


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"statement": NaN}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_an_object_is_refused(client: FlaskClient, body: bytes) -> None:
    answer = client.post(f"{LEDGER}/statements", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["__type"]) == (400, "AdminRequestException")


def test_an_unknown_ledger_is_404(client: FlaskClient) -> None:
    for path in ("statements", "explain", "transactions", "digest"):
        answer = client.post(f"/_qldb/ledgers/nope/{path}", json={"statement": "SELECT 1"})
        assert answer.status_code == 404, path
    for path in ("", "/blocks", "/blocks/1", "/search?text=x", "/tables/T/documents", "/documents/x", "/tail"):
        assert client.get(f"/_qldb/ledgers/nope{path}").status_code == 404, path


@pytest.mark.parametrize("name", ["a%20b", "-x", "x" * 300, "%00", "a--b", "7"])
def test_a_name_that_no_ledger_can_have_is_404(client: FlaskClient, name: str) -> None:
    assert client.get(f"/_qldb/ledgers/{name}").status_code == 404
    assert client.post(f"/_qldb/ledgers/{name}/statements", json={"statement": "SELECT 1"}).status_code == 404
    assert client.get(f"/_qldb/console/ledgers/{name}/editor").status_code == 404


@pytest.mark.parametrize("region", ["-UV", "..", "a/b", "x" * 100, "é"])
def test_a_region_that_cannot_be_one_is_refused(client: FlaskClient, region: str) -> None:
    for path in (LEDGER, "/_qldb/console/ledgers"):
        assert client.get(path, query_string={"region": region}).status_code == 400


# --- explain ----------------------------------------------------------------------------------------------------


def test_a_plan_tells_scans_and_what_is_read(client: FlaskClient) -> None:
    found = client.post(f"{LEDGER}/explain", json={"statement": "SELECT * FROM Car WHERE Price > 3"}).json
    assert (found["kind"], found["tables"], len(found["scans"])) == ("query", ["Car"], 1)
    found = client.post(f"{LEDGER}/explain", json={"statement": "SELECT * FROM Car WHERE VIN = ?"}).json
    assert (found["scans"], found["parameters"]) == ([], 1)
    assert "by index on VIN" in found["plan"]


# --- the journal and documents ----------------------------------------------------------------------------------


def test_blocks_newest_first_and_whole(client: FlaskClient) -> None:
    insert(client, VIN="1")
    found = client.get(f"{LEDGER}/blocks?limit=2").json
    assert [block["sequenceNo"] for block in found["blocks"]] == [3, 2]
    assert (found["tip"], found["next"]) == (3, 2)
    assert found["blocks"][0]["statements"] == ["INSERT INTO Car ?"]
    assert found["blocks"][0]["previousBlockHash"] == found["blocks"][1]["blockHash"]
    rest = client.get(f"{LEDGER}/blocks?before=2").json
    assert ([block["sequenceNo"] for block in rest["blocks"]], rest["next"]) == ([1, 0], None)
    whole = client.get(f"{LEDGER}/blocks/3").json
    assert whole["revisions"][0]["data"] == {"VIN": "1"}
    stored = client.get(f"{LEDGER}/blocks/3", headers={"Accept": "application/ion"}).data
    assert loads(stored)["blockAddress"]["sequenceNo"] == 3
    assert client.get(f"{LEDGER}/blocks/4").status_code == 404
    assert client.get(f"{LEDGER}/blocks/x").status_code == 404


def test_search_by_text_document_transaction_table_and_time(client: FlaskClient) -> None:
    document = insert(client, VIN="Needle-1")
    insert(client, VIN="2")
    transaction = run(client, "UPDATE Car SET n = 1 WHERE VIN = '2'")["transactionId"]

    def found(query: str) -> list[int]:
        return [block["sequenceNo"] for block in client.get(f"{LEDGER}/search?{query}").json["blocks"]]

    assert found("text=needle-1") == [3]
    assert found(f"document={document}") == [3]
    assert found(f"transaction={transaction}") == [5]
    assert found("table=Car") == [5, 4, 3]
    assert found("table=Car&text=update") == [5]
    assert found("from=2030-01-01") == []
    assert found("to=1999T") == []
    assert found("text=needle-1&from=1999T&to=2100-01-01T00:00:00Z") == [3]
    assert client.get(f"{LEDGER}/search?from=yesterday").status_code == 400


def test_a_table_as_of_any_block_a_page_at_a_time(client: FlaskClient) -> None:
    for number in range(3):
        insert(client, VIN=str(number))
    run(client, "DELETE FROM Car WHERE VIN = '0'")

    def vins(query: str) -> list[str]:
        return [each["data"]["VIN"] for each in client.get(f"{LEDGER}/tables/Car/documents?{query}").json["documents"]]

    assert [vins(f"at={block}") for block in (2, 3, 5, 6)] == [[], ["0"], ["0", "1", "2"], ["1", "2"]]
    first = client.get(f"{LEDGER}/tables/Car/documents?at=5&limit=2").json
    assert vins(f"at=5&limit=2&after={first['next']}") == ["2"]
    assert vins("time=1999T") == []
    assert client.get(f"{LEDGER}/tables/Nope/documents").status_code == 404


def test_a_document_through_time(client: FlaskClient) -> None:
    document = insert(client, VIN="1")
    run(client, "UPDATE Car SET n = 1 WHERE VIN = '1'")
    run(client, "DELETE FROM Car WHERE VIN = '1'")
    found = client.get(f"{LEDGER}/documents/{document}").json
    assert [(v["version"], v["kind"], v["sequenceNo"]) for v in found["versions"]] == [
        (2, "delete", 5),
        (1, "update", 4),
        (0, "insert", 3),
    ]
    assert found["versions"][1]["statements"] == ["UPDATE Car SET n = 1 WHERE VIN = '1'"]
    assert found["versions"][1]["data"] == {"VIN": "1", "n": 1}
    assert found["isLive"] is False
    older = client.get(f"{LEDGER}/documents/{document}?limit=1&before=5").json
    assert ([v["version"] for v in older["versions"]], older["next"]) == ([1], 4)


def test_fields_are_sampled_with_their_types(client: FlaskClient) -> None:
    insert(client, VIN="1", n=1)
    insert(client, VIN="2", n="x")
    [table] = client.get(LEDGER).json["tables"]
    assert table["indexes"][0]["field"] == "VIN"
    assert {f["name"]: (f["types"], f["documents"]) for f in table["fields"]} == {
        "VIN": (["string"], 2),
        "n": (["int", "string"], 2),
    }


def test_a_proof_leads_to_the_digest(client: FlaskClient) -> None:
    document = insert(client, VIN="1")
    for number in range(6):
        insert(client, VIN=f"x{number}")
    kept = client.post(f"{LEDGER}/digest").json
    digest = base64.b64decode(kept["digest"])
    found = client.get(f"{LEDGER}/blocks/3/proof?document={document}").json
    hashes = [base64.b64decode(step["hash"]) for step in found["proof"]]
    assert verify_revision(loads(base64.b64decode(found["ion"])), hashes, digest).ok
    assert [step["in"] for step in found["proof"]][-1] == "tree"
    assert "previous block" in [step["in"] for step in found["proof"]]
    found = client.get(f"{LEDGER}/blocks/2/proof?tip=9").json
    hashes = [base64.b64decode(step["hash"]) for step in found["proof"]]
    assert verify_block(loads(base64.b64decode(found["ion"])), hashes, digest).ok
    assert client.get(f"{LEDGER}/blocks/3/proof?document={'x' * 22}").status_code == 400


def test_the_tail_begins_after_a_block(emulator: Emulator, client: FlaskClient) -> None:
    answer = client.get(f"{LEDGER}/tail?after=1", buffered=False)
    pieces = iter(answer.response)
    assert next(pieces) == b": connected\n\n"
    event = next(pieces).decode()
    assert event.startswith("id: 2\nevent: block\ndata: {")
    insert(client, VIN="1")
    event = next(piece for piece in pieces if piece).decode()
    assert json.loads(event.partition("data: ")[2])["statements"] == ["INSERT INTO Car ?"]
    answer.close()


# --- the control plane ------------------------------------------------------------------------------------------


def test_operations_of_the_control_plane(client: FlaskClient) -> None:
    def call(name: str, **members: Any) -> Any:
        return client.post(f"/_qldb/operations/{name}", json=members)

    assert call("CreateLedger", Name="new", PermissionsMode="STANDARD").json["State"] == "CREATING"
    assert call("CreateLedger", Name="new", PermissionsMode="STANDARD").status_code == 409
    assert call("DeleteLedger", Name="new").status_code == 412
    assert call("UpdateLedger", Name="new", DeletionProtection=False).status_code == 200
    assert sorted(each["Name"] for each in call("ListLedgers").json["Ledgers"]) == ["cars", "new"]
    assert call("DeleteLedger", Name="new").json == {}
    assert call("DescribeLedger", Name="new").status_code == 404
    assert call("CreateLedger", Name="-").status_code == 400
    assert call("Nothing").status_code == 404


# --- seeds ------------------------------------------------------------------------------------------------------


def test_a_ledger_is_filled_with_a_sample_or_with_a_files_tables(emulator: Emulator, client: FlaskClient) -> None:
    new_ledger(emulator, "other")
    place = "/_qldb/ledgers/other/seed"
    filled = client.post(place, json={"sample": "vehicle-registration"}).json
    assert (filled["tables"][0], filled["documents"] > 10) == ("Person", True)
    assert client.post(place, json={"tables": '{table: "T", documents: [{a: 2017T}]}'}).json["documents"] == 1
    assert client.post(place, json={"tables": '[{"table": "U", "documents": [{"a": 1}]}]'}).json["tables"] == ["U"]
    for body in ({}, {"sample": "none"}, {"tables": "{"}, {"tables": "1"}, {"sample": "vehicle-registration"}):
        assert client.post(place, json=body).status_code == 400, body


# --- read only --------------------------------------------------------------------------------------------------


def test_read_only_mode_refuses_what_writes_and_leaves_no_block() -> None:
    with new_emulator(console="read-only") as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE Car")
        client = create_app(emulator).test_client()
        for statement in ("INSERT INTO Car {'a': 1}", "CREATE TABLE T", "DELETE FROM Car"):
            answer = client.post(f"{LEDGER}/statements", json={"statement": statement})
            assert (answer.status_code, answer.json["__type"]) == (403, "ReadOnlyException")
        assert run(client, "SELECT * FROM Car")["rows"] == []
        assert client.get(f"{LEDGER}/blocks").json["tip"] == 1
        for name in ("CreateLedger", "DeleteLedger", "TagResource"):
            assert client.post(f"/_qldb/operations/{name}", json={"Name": "cars"}).status_code == 403
        assert client.post("/_qldb/operations/DescribeLedger", json={"Name": "cars"}).status_code == 200


def test_an_answer_has_a_bounded_size(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all its statements together; the first row always fits."""
    monkeypatch.setattr(statements, "MAX_ANSWER_BYTES", 1_000)
    rows = {"statement": "SELECT VALUE t FROM ? AS t", "parameters": [["a" * 300] * 5]}
    large = {"statement": "SELECT VALUE t FROM ? AS t", "parameters": [["a" * 3_000] * 2]}

    def counts(*work: object) -> list[tuple[int, bool]]:
        results = client.post(f"{LEDGER}/statements", json={"statements": work}).json["results"]
        return [(len(result["rows"]), result["truncated"]) for result in results]

    assert counts(rows, rows) == [(3, True), (0, True)]
    assert counts(large) == [(1, True)]


# --- under --auth -----------------------------------------------------------------------------------------------


def test_with_keys_a_request_needs_a_signature_and_its_policy_holds(emulator: Emulator, tmp_path: Path) -> None:
    clock = SystemClock()
    actions = ["qldb:SendCommand", "qldb:DescribeLedger"]
    policy = {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    key = {"access_key": "AK", "secret_key": "SK", "user": "maria", "policy": policy}
    (tmp_path / "auth.json").write_text(json.dumps({"keys": [key]}))
    client = create_app(emulator, read_auth_file(tmp_path / "auth.json", clock)).test_client()

    def ask(method: str, path: str, body: bytes = b"") -> Any:
        headers = {"host": "localhost", "content-type": "application/json"}
        signed = sign(SignedRequest(method, path, "", headers, body), "AK", "SK", "us-east-1", clock.now_ms())
        return client.open(path, method=method, data=body, headers={**headers, **signed})

    body = b'{"statement":"SELECT * FROM Car"}'
    unsigned = client.post(f"{LEDGER}/statements", data=body)
    assert (unsigned.status_code, unsigned.json["__type"]) == (401, "SignInException")
    assert ask("POST", f"{LEDGER}/statements", body).json["rows"] == []
    assert ask("GET", LEDGER).json["blocks"] > 2
    refused = ask("GET", f"{LEDGER}/blocks")
    assert (refused.status_code, refused.json["__type"]) == (403, "AccessDeniedException")
    assert ask("POST", "/_qldb/operations/DeleteLedger", b'{"Name":"cars"}').status_code == 403


def test_with_keys_an_upload_belongs_to_who_began_it(emulator: Emulator, tmp_path: Path) -> None:
    clock = SystemClock()
    policy = {"Statement": [{"Effect": "Allow", "Action": "qldb:*", "Resource": "*"}]}
    users = {"AK": "maria", "BK": "ben", "CK": "maria"}
    keys = [{"access_key": key, "secret_key": "SK", "user": user, "policy": policy} for key, user in users.items()]
    (tmp_path / "auth.json").write_text(json.dumps({"keys": keys}))
    client = create_app(emulator, read_auth_file(tmp_path / "auth.json", clock)).test_client()

    def ask(key: str, method: str, path: str, body: bytes = b"{}") -> Any:
        headers = {"host": "localhost", "content-type": "application/json"}
        signed = sign(SignedRequest(method, path, "", headers, body), key, "SK", "us-east-1", clock.now_ms())
        return client.open(path, method=method, data=body, headers={**headers, **signed})

    path = f"/_qldb/uploads/{ask('AK', 'POST', '/_qldb/uploads').json['uploadId']}"
    calls = [("PUT", path), ("POST", f"{path}/verify"), ("POST", f"{path}/import"), ("DELETE", path)]
    assert [ask("BK", *call).status_code for call in calls] == [404] * 4
    assert ask("AK", "PUT", path).json == {"bytes": 2}
    assert ask("CK", "DELETE", path).status_code == 200  # another key of the same user


# --- OpenAPI ----------------------------------------------------------------------------------------------------


def test_the_description_is_openapi_and_names_every_row(client: FlaskClient) -> None:
    document = client.get("/_qldb/openapi.json").json
    validate(document)
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, row in document["paths"].items() for method in row}
    for route in ROUTES:
        assert (route.method, route.rule.replace("<", "{").replace(">", "}")) in described
    names = [row["operationId"] for path in document["paths"].values() for row in path.values()]
    assert len(names) == len(set(names))
