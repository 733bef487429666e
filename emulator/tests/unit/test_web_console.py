"""The console's pages without a browser: who gets them, their headers, signing in, differences, seals."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from helpers.local_driver import new_emulator, new_ledger

from qldb_emulator.auth.keys import read_auth_file
from qldb_emulator.clock import SystemClock
from qldb_emulator.engine.arns import qldb_arn
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import loads
from qldb_emulator.web.app import create_app
from qldb_emulator.web.console.differences import differences
from qldb_emulator.web.console.pages import PAGES, STATIC
from qldb_emulator.web.console.seals import seal
from qldb_emulator.web.console.snippets import snippets

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
BASE = "/_qldb/console"
CARS = f"{BASE}/ledgers/cars"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with new_emulator(has_admin=True) as made:
        session = new_ledger(made)
        session.run("CREATE TABLE Car")
        session.run("INSERT INTO Car ?", {"VIN": "1", "Owner": {"Name": "Maria"}})
        yield made


@pytest.fixture
def client(emulator: Emulator) -> FlaskClient:
    return create_app(emulator).test_client()


# --- who gets pages ---------------------------------------------------------------------------------------------


def test_a_browser_gets_the_console_and_a_program_the_json(client: FlaskClient) -> None:
    assert client.get("/", headers=BROWSER).mimetype == "text/html"
    for accept in ("*/*", "application/json", ""):
        assert client.get("/", headers={"Accept": accept}).json["name"] == "qldb-emulator"


def test_off_means_no_pages() -> None:
    with new_emulator(console="off") as emulator:
        client = create_app(emulator).test_client()
        assert client.get("/", headers=BROWSER).json["name"] == "qldb-emulator"
        assert client.get(f"{BASE}/ledgers").status_code == 404


@pytest.mark.parametrize("page", [name for name, (_, is_of_ledger) in PAGES.items() if is_of_ledger])
def test_every_page_of_a_ledger_answers(client: FlaskClient, page: str) -> None:
    answer = client.get(f"{CARS}/{page}")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert f'aria-current="page"><svg class="icon" aria-hidden="true"><use href="{BASE}/static/icons.svg' in answer.text


@pytest.mark.parametrize(
    ("query", "numbers"),
    [("", [2, 1, 0]), ("?block=1", [1, 0]), ("?block=0", [0]), ("?block=99", [2, 1, 0]), ("?before=2", [1, 0])],
)
def test_the_journal_begins_with_a_block_of_a_number(client: FlaskClient, query: str, numbers: list[int]) -> None:
    text = client.get(f"{CARS}/journal{query}").text
    assert 'name="block"' in text
    assert [int(number) for number in re.findall(r'data-block="([0-9]+)"', text)] == numbers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{BASE}/nothing", 404),
        (f"{BASE}/ledgers/nope/editor", 404),
        (f"{CARS}/blocks/99", 404),
        (f"{CARS}/blocks/x", 404),
        (f"{CARS}/documents/none", 404),
        (f"{CARS}/time?table=none", 404),
        (f"{CARS}/journal?from=yesterday", 400),
        (f"{CARS}/editor?region=../..", 400),
        (f"{BASE}/static/..%2Fpages.py", 404),
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(client: FlaskClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status


# --- safety -----------------------------------------------------------------------------------------------------


class _Inline(HTMLParser):
    """Scripts and styles that stand in a page itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if (tag == "script" and "src" not in names) or tag == "style" or "style" in names:
            self.found.append(f"{tag} {names}")
        self.found += [f"{tag} {name}" for name in names if name.startswith("on")]


def every_page(client: FlaskClient) -> dict[str, Any]:
    paths = ["/", f"{BASE}/requests", f"{CARS}/blocks/2", f"{BASE}/nothing"]
    paths += [f"{CARS}/{name}" for name, (_, is_of_ledger) in PAGES.items() if is_of_ledger]
    return {path: client.get(path, headers=BROWSER) for path in paths}


def test_pages_forbid_and_hold_no_inline_scripts_and_styles(client: FlaskClient) -> None:
    for path, answer in every_page(client).items():
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy, path
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        parser = _Inline()
        parser.feed(answer.text)
        assert parser.found == [], path


def test_names_and_texts_are_escaped(emulator: Emulator, client: FlaskClient) -> None:
    hostile = "<script>alert('\"&')</script>"
    new_ledger(emulator, "other")
    client.post(
        "/_qldb/ledgers/cars/statements", json={"statement": "INSERT INTO Car ?", "parameters": [{hostile: hostile}]}
    )
    client.post("/_qldb/ledgers/cars/statements", json={"statement": "SELECT VALUE '<script>' FROM <<1>> AS x"})
    for path, answer in every_page(client).items():
        assert "<script>" not in answer.text, path
    assert "&lt;script&gt;" in client.get(f"{CARS}/time").text


def test_static_files_are_versioned_and_nothing_comes_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/", headers=BROWSER).text
    for address in re.findall(r'(?:src|href)="([^"]+\.(?:js|css|svg)(?:\?[^"]*)?)"', page):
        assert re.match(rf"{BASE}/static/[a-z.]+\?v=[0-9a-f]{{12}}", address)
        answer = client.get(address.split("#")[0])
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "max-age=31536000, immutable")
    for file in STATIC.iterdir():
        found = [word for word in ("//cdn", "http://", "https://") if word in file.read_text()]
        assert found == [] or file.suffix == ".svg" or file.name == "seal.js", file  # the name of SVG's namespace


# --- read only and signing in -----------------------------------------------------------------------------------


def test_read_only_pages_offer_no_change_and_pages_cannot_use_the_admin_interface() -> None:
    with new_emulator(has_admin=True, console="read-only") as emulator:
        new_ledger(emulator)
        client = create_app(emulator).test_client()
        for page in ("/", f"{CARS}/workbench"):
            text = client.get(page, headers=BROWSER).text
            assert "data-call" not in text
            assert "read only" in text
        own = {"Origin": "http://localhost"}
        answer = client.post("/_qldb/ledgers/cars/snapshots", json={"name": "a"}, headers=own)
        assert (answer.status_code, answer.json["__type"]) == (403, "ReadOnlyException")
        assert client.post("/_qldb/ledgers/cars/snapshots", json={"name": "a"}).status_code == 200


@pytest.fixture
def keyed(emulator: Emulator, tmp_path: Path) -> FlaskClient:
    """A server with two keys: maria may do everything, and carl look at the ledger's journal only."""

    def key(name: str, *actions: str) -> dict[str, Any]:
        policy = {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
        return {"access_key": name.upper(), "secret_key": f"secret of {name}", "user": name, "policy": policy}

    keys = [key("maria", "qldb:*"), key("carl", "qldb:DescribeLedger", "qldb:GetBlock")]
    (tmp_path / "auth.json").write_text(json.dumps({"keys": keys}))
    return create_app(emulator, read_auth_file(tmp_path / "auth.json", SystemClock())).test_client()


def sign_in(client: FlaskClient, name: str, secret: str | None = None, to: str = "/") -> Any:
    form = {"access_key": name.upper(), "secret_key": secret or f"secret of {name}", "to": to}
    return client.post(f"{BASE}/sign-in", data=form)


def test_without_signing_in_nothing_is_shown(keyed: FlaskClient) -> None:
    answer = keyed.get(f"{CARS}/journal")
    assert (answer.status_code, answer.location) == (
        302,
        f"{BASE}/sign-in?to=%2F_qldb%2Fconsole%2Fledgers%2Fcars%2Fjournal%3F",
    )
    assert keyed.get("/_qldb/ledgers/cars/blocks").status_code == 401
    assert keyed.get(f"{BASE}/sign-in").status_code == 200


def test_signing_in_needs_the_secret_and_its_cookie_is_locked_up(keyed: FlaskClient) -> None:
    assert sign_in(keyed, "maria", "wrong").status_code == 403
    assert sign_in(keyed, "stranger", "").status_code == 403
    answer = sign_in(keyed, "maria", to=f"{CARS}/journal")
    assert (answer.status_code, answer.location) == (303, f"{CARS}/journal")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert keyed.get(f"{CARS}/journal").status_code == 200
    assert keyed.get("/_qldb/ledgers/cars/blocks").status_code == 200
    keyed.post(f"{BASE}/sign-out")
    assert keyed.get("/_qldb/ledgers/cars/blocks").status_code == 401


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_to_pages_of_this_server_only(keyed: FlaskClient, to: str) -> None:
    assert sign_in(keyed, "maria", to=to).location == "/"


def test_a_policy_decides_what_is_shown(keyed: FlaskClient) -> None:
    sign_in(keyed, "carl")
    assert keyed.get(f"{CARS}/journal").status_code == 200
    assert "cars" in keyed.get("/", headers=BROWSER).text
    assert "Create a ledger" not in keyed.get("/", headers=BROWSER).text
    for path in (f"{CARS}/time", "/_qldb/ledgers/cars/tables/Car/documents"):
        assert keyed.get(path).status_code == 403
    answer = keyed.post("/_qldb/ledgers/cars/statements", json={"statement": "SELECT * FROM Car"})
    assert (answer.status_code, answer.json["__type"]) == (403, "AccessDeniedException")


def test_only_who_may_read_all_tables_learns_that_there_is_no_such_document(emulator: Emulator, tmp_path: Path) -> None:
    session = new_ledger(emulator, "kept", "STANDARD")
    documents = {}
    for table in ("Shown", "Kept"):
        session.run(f"CREATE TABLE {table}")
        [row] = session.run(f"INSERT INTO {table} ?", {"a": 1})
        documents[table] = row["documentId"]
    [shown] = session.run("SELECT VALUE t.tableId FROM information_schema.user_tables AS t WHERE t.name = 'Shown'")
    arn = qldb_arn(emulator.settings.region, emulator.settings.account, "ledger/kept")
    keys = []
    for name, table in (("maria", "*"), ("carl", shown)):
        actions = [("qldb:SendCommand", arn), ("qldb:PartiQLHistoryFunction", f"{arn}/table/{table}")]
        statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in actions]
        policy = {"Statement": statements}
        keys.append({"access_key": name.upper(), "secret_key": f"secret of {name}", "user": name, "policy": policy})
    (tmp_path / "auth.json").write_text(json.dumps({"keys": keys}))
    client = create_app(emulator, read_auth_file(tmp_path / "auth.json", SystemClock())).test_client()

    def answers(name: str, base: str) -> list[int]:
        sign_in(client, name)
        asked = (documents["Shown"], documents["Kept"], "1234567890123456789012")
        return [client.get(f"{base}/ledgers/kept/documents/{document}").status_code for document in asked]

    for base in ("/_qldb", BASE):
        assert answers("maria", base) == [200, 200, 404]
        assert answers("carl", base) == [200, 403, 403]


def test_requests_are_those_of_ledgers_that_the_policy_allows(keyed: FlaskClient, emulator: Emulator) -> None:
    new_ledger(emulator, "other").run("SELECT VALUE 'theirs' FROM <<1>> AS x")
    for name, sees in (("maria", True), ("carl", False)):  # carl may not send commands
        sign_in(keyed, name)
        assert ("&#39;theirs&#39;" in keyed.get(f"{BASE}/requests").text) is sees


# --- differences, seals, snippets -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("{a:1}", "{a:1}", []),
        ("{a:1}", "{a:2}", [("changed", "a", "1", "2")]),
        ("{a:1}", "{a:1.0}", [("changed", "a", "1", "1.0")]),
        ("{a:1}", "{a:1,b:x}", [("added", "b", "", "x")]),
        ("{a:1,b:2}", "{b:2}", [("removed", "a", "1", "")]),
        ("{a:{b:[1,2]}}", "{a:{b:[1,3,4]}}", [("changed", "a.b[1]", "2", "3"), ("added", "a.b[2]", "", "4")]),
        ("{a:[1]}", "{a:{b:1}}", [("changed", "a", "[1]", "{b:1}")]),
        ("{a:null}", "{a:null.int}", [("changed", "a", "null", "null.int")]),
    ],
)
def test_differences_of_versions(before: str, after: str, expected: list[tuple[str, ...]]) -> None:
    found = differences(loads(before), loads(after))
    assert [(c.kind, c.path, c.before, c.after) for c in found] == expected


def test_a_first_version_adds_every_field() -> None:
    found = differences(None, loads("{a:1,b:{c:2}}"), is_first=True)
    assert [(c.kind, c.path, c.after) for c in found] == [("added", "a", "1"), ("added", "b", "{c:2}")]


def test_a_seal_is_the_same_for_the_same_hash_and_mirrored() -> None:
    one, other = seal("A" * 43 + "="), seal("/" * 43 + "=")
    assert one == seal("A" * 43 + "=")
    assert one != other
    assert other.count("<rect") == 25
    assert "<rect" not in seal("no hash") + seal("")


def test_snippets_hold_the_address_and_the_ledger() -> None:
    found = snippets("http://localhost:1", "eu-west-1", "cars")
    assert all("http://localhost:1" in each.text for each in found)
    python = next(each for each in found if each.language == "Python")
    compile(python.text, "snippet", "exec")


# --- modules ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed: the modules' syntax is not checked")
@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_a_module_is_well_formed(path: Path) -> None:
    done = subprocess.run(
        ["node", "--check", "--input-type=module"], input=path.read_text(), text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
