"""The console in a browser: the way from a new ledger to a proof, and every page's promises."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import AXE, Server, watched
from playwright.sync_api import Browser, Page, expect
from server import COMMAND, signing_keys

SAMPLE = "vehicle-registration"
VIN = "1N4AL11D75C109151"
PER_LEDGER = ("editor", "time", "proof", "journal", "workbench", "connect")


def at(server: Server, ledger: str, page: str) -> str:
    return f"{server.url}/_qldb/console/ledgers/{ledger}/{page}"


def run(page: Page, text: str) -> None:
    """Run a text in the editor by its keys."""
    page.fill("[data-text]", text)
    page.press("[data-text]", "Control+Enter")
    expect(page.locator("[data-results]")).to_have_attribute("aria-busy", "false")


@pytest.fixture(scope="module")
def car(server: Server) -> str:
    """A document of the sample with a past."""
    [[row]] = server.run(SAMPLE, f"SELECT metadata.id FROM _ql_committed_Vehicle AS c WHERE c.data.VIN = '{VIN}'")
    for colour in ("Black", "Red"):
        server.run(SAMPLE, f"UPDATE Vehicle SET Color = '{colour}' WHERE VIN = '{VIN}'")
    return row["id"]


# --- from a new ledger to a proof -------------------------------------------------------------------------------


def test_the_tutorial_from_a_new_ledger_to_a_proof_and_a_broken_chain(
    server: Server, page: Page, tmp_path: Path
) -> None:
    page.goto(server.url)
    page.click("text=Create a ledger")
    page.fill("input[name=Name]", "tutorial")
    page.click("button:text('Create')")
    page.click("h2 >> text=tutorial")
    page.wait_for_selector("[data-ready]")
    run(page, "CREATE TABLE cars;\nCREATE INDEX ON cars (VIN)")
    run(page, "INSERT INTO cars ?")
    assert page.locator("[data-parameters] input").count() == 1
    page.fill("[data-parameters] input", '{VIN: 123456789, Owner: "Maria Garcia", Since: 2012-03-01T}')
    run(page, "INSERT INTO cars ?")
    run(page, "UPDATE cars SET Owner = 'Richard Roe' WHERE VIN = 123456789")
    run(page, "SELECT * FROM cars WHERE VIN = 123456789")
    expect(page.locator(".grid td")).to_have_text(["123456789", "Richard Roe", "2012-03-01"])
    page.click("role=tab[name=Ion]")
    expect(page.locator(".result pre")).to_contain_text("Since: 2012-03-01")
    expect(page.locator("[data-reads]")).to_contain_text("the documents of cars with VIN = 123456789")

    page.click("nav >> text=Time")
    page.click(".picture section:nth-child(1) .line a")
    page.wait_for_selector(".version")
    assert [text.split()[1] for text in page.locator(".version h2").all_inner_texts()] == ["1", "0"]
    expect(page.locator(".version >> nth=0 >> .diff")).to_contain_text("Owner")
    page.click(".version >> nth=0 >> text=Prove this version")
    expect(page.locator("[data-stamp]")).to_have_text("Verified")
    expect(page.locator("[data-trusts]")).to_contain_text("SubtleCrypto")
    expect(page.locator("[data-chain] .sound").first).to_be_visible()

    with page.expect_download() as saved:
        page.click("[data-receipt]")
    receipt = tmp_path / "receipt.json"
    saved.value.save_as(receipt)

    page.select_option("[data-tamper-form] select", "Owner")
    page.fill("[data-tamper-form] input", "Mallory")
    page.click("button:text('Change it')")
    expect(page.locator("[data-stamp]")).to_have_text("Broken")
    expect(page.locator("[data-chain] li").first).to_have_class("broken")
    page.click("button:text('Undo')")
    expect(page.locator("[data-stamp]")).to_have_text("Verified")
    expect(page.locator("[data-chain] .broken")).to_have_count(0)

    page.goto(at(server, SAMPLE, "proof"))  # of another ledger: a receipt needs none
    page.set_input_files("[data-file]", receipt)
    expect(page.locator("[data-verdict]")).to_contain_text("The receipt holds")
    forged = json.loads(receipt.read_text())
    forged["digest"] = forged["proof"][0]["hash"]
    receipt.write_text(json.dumps(forged))
    page.set_input_files("[data-file]", receipt)
    expect(page.locator("[data-verdict]")).to_contain_text("does not hold")


# --- the editor -------------------------------------------------------------------------------------------------


@pytest.fixture
def editor(server: Server, page: Page) -> Page:
    page.goto(at(server, SAMPLE, "editor"))
    page.wait_for_selector("[data-ready]")
    return page


def test_a_mistake_is_underlined_where_it_is(editor: Page) -> None:
    editor.fill("[data-text]", "SELECT *\nFORM Vehicle")
    expect(editor.locator(".t-wrong")).to_have_text("FORM")
    expect(editor.locator("[data-problem]")).to_contain_text("at line 2, column 1")
    expect(editor.locator("[data-text]")).to_have_attribute("aria-invalid", "true")


def test_words_tables_and_fields_are_completed(editor: Page) -> None:
    editor.fill("[data-text]", "")
    editor.locator("[data-text]").press_sequentially("SELECT * FROM VehicleR")
    editor.press("[data-text]", "Enter")
    expect(editor.locator("[data-text]")).to_have_value("SELECT * FROM VehicleRegistration")


def test_a_scan_is_warned_of_and_an_index_is_not(editor: Page) -> None:
    editor.fill("[data-text]", "SELECT * FROM Vehicle WHERE Color = 'Blue'")
    expect(editor.locator("[data-scans]")).to_contain_text("every document of Vehicle")
    editor.fill("[data-text]", f"SELECT * FROM Vehicle WHERE VIN = '{VIN}'")
    expect(editor.locator("[data-scans]")).to_be_empty()


def test_a_transaction_its_timer_and_a_conflict_seen_in_requests(server: Server, editor: Page) -> None:
    editor.click("[data-begin]")
    expect(editor.locator("[data-left]")).to_contain_text("s left")
    run(editor, f"UPDATE Vehicle SET Color = 'Gold' WHERE VIN = '{VIN}'")
    server.run(SAMPLE, f"UPDATE Vehicle SET Color = 'White' WHERE VIN = '{VIN}'")
    editor.click("[data-commit]")
    expect(editor.locator("[data-problem]")).to_contain_text("a key of Vehicle.VIN was written by block")
    editor.goto(f"{server.url}/_qldb/console/requests?only=conflicts")
    editor.click("details.failed >> nth=0")
    expect(editor.locator("details.failed").first).to_contain_text("'Gold'")
    expect(editor.locator("details.failed").first).to_contain_text("a key of Vehicle.VIN was written by")


def test_many_rows_come_in_pages_and_download_streams_all(server: Server, page: Page) -> None:
    server.create("many")
    server.run("many", "CREATE TABLE T")
    for first in range(0, 320, 40):
        server.run("many", *[f"INSERT INTO T {{'n': {first + n}}}" for n in range(40)])
    page.goto(at(server, "many", "editor"))
    page.wait_for_selector("[data-ready]")
    run(page, "SELECT * FROM T")
    expect(page.locator(".result-head")).to_contain_text("first 200 rows")
    with page.expect_download() as saved:
        page.click("button:text('Download')")
    assert len(json.loads(Path(saved.value.path()).read_text())) == 320
    page.click("[data-begin]")
    run(page, "SELECT * FROM T")
    page.click("button:text('More rows')")
    expect(page.locator(".result-head")).to_contain_text("320 rows")
    page.click("[data-abort]")


def test_statements_are_remembered_and_saved(editor: Page) -> None:
    run(editor, "SELECT VALUE 42 FROM <<1>> AS x")
    editor.click("[data-save]")
    editor.reload()
    editor.wait_for_selector("[data-ready]")
    for place in ("[data-saved]", "[data-history]"):
        expect(editor.locator(f"{place} .insert").first).to_have_text("SELECT VALUE 42 FROM <<1>> AS x")


# --- time and journal -------------------------------------------------------------------------------------------


def test_the_picture_follows_commits_and_the_slider(server: Server, page: Page) -> None:
    server.create("live")
    server.run("live", "CREATE TABLE cars")
    page.goto(at(server, "live", "time"))
    expect(page.locator(".picture")).to_contain_text("No documents")
    document = server.insert("live", "cars", {"Owner": "Maria"})
    expect(page.locator(".picture section").nth(0)).to_contain_text("Maria")
    server.run("live", "UPDATE cars SET Owner = 'Richard'")
    expect(page.locator(".picture section").nth(0)).to_contain_text("Richard")
    expect(page.locator(".picture section").nth(1).locator(".line")).to_have_count(2)
    page.locator("input[name=at]").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".picture section").nth(0)).to_contain_text("Maria")
    page.keyboard.press("Home")
    expect(page.locator(".picture section").nth(0)).to_contain_text("No documents")
    assert document


def test_the_journal_is_searched_and_followed(server: Server, page: Page, car: str) -> None:
    page.goto(at(server, SAMPLE, "journal"))
    page.click("summary:text('Search')")
    page.fill("input[name=document]", car)
    page.click("button:text('Search')")
    assert page.locator(".link").count() >= 3
    page.goto(at(server, SAMPLE, "journal") + "?text=found+nowhere")
    expect(page.locator(".empty")).to_contain_text("No block among the")
    page.goto(at(server, SAMPLE, "journal"))
    page.check("[data-tail]")
    expect(page.locator("[data-tail-state]")).to_have_text("following")
    server.run(SAMPLE, "SELECT VALUE 'a new block' FROM <<1>> AS x")
    expect(page.locator(".link").first).to_contain_text("a new block")


# --- files ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip of a journal that the command line exported."""
    folder = tmp_path_factory.mktemp("archive")
    command = shlex.split(COMMAND)
    data = folder / "data"
    other = Server("--data-dir", str(data), "--sample", "vehicle-registration", "--log-level", "info")
    assert other.stop() == 0
    export = [*command, "export", SAMPLE, str(folder / "export"), "--data-dir", str(data)]
    subprocess.run(export, check=True, capture_output=True)
    return Path(shutil.make_archive(str(folder / "journal"), "zip", folder / "export"))


def test_an_archive_is_dropped_in_and_verified_and_a_forged_one_is_broken(
    server: Server, page: Page, archive: Path, tmp_path: Path
) -> None:
    page.goto(at(server, SAMPLE, "proof"))
    page.set_input_files("[data-file]", archive)
    expect(page.locator(".verdict.whole")).to_contain_text("every check held")
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(forged, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"Seattle", b"Gotham."))
    page.set_input_files("[data-file]", forged)
    expect(page.locator(".verdict.broken")).to_contain_text("What is wrong")
    nonsense = tmp_path / "nonsense.bin"
    nonsense.write_bytes(b"\x00\x01\x02")
    page.set_input_files("[data-file]", nonsense)
    expect(page.locator(".verdict.broken")).to_contain_text("could not be read")


def test_an_archive_is_imported_and_can_be_queried(server: Server, page: Page, archive: Path) -> None:
    page.goto(at(server, SAMPLE, "workbench"))
    page.set_input_files("[data-import-file]", archive)
    page.fill("[data-import] input[name=name]", "imported")
    page.click("button:text('Import')")
    expect(page.locator("[data-import-result]")).to_contain_text("It is the ledger")
    assert server.run("imported", "SELECT VIN FROM Vehicle WHERE VIN = '1N4AL11D75C109151'") == [[{"VIN": VIN}]]


# --- ledgers and workbench --------------------------------------------------------------------------------------


def test_a_ledger_is_tagged_protected_and_deleted_only_by_its_name(server: Server, page: Page) -> None:
    server.create("doomed")
    page.goto(server.url)
    card = page.locator(".card", has=page.locator("h2", has_text="doomed"))
    card.locator("summary").click()
    card.locator("input[name=key]").fill("team")
    card.locator("input[name=value]").fill("blue")
    card.locator("button:text-is('Tag')").click()
    expect(card.locator(".tag")).to_have_text("team = blue")
    card.locator("summary").click()
    card.locator("button:text('Protect from deletion')").click()
    expect(card.locator(".badge", has_text="protected")).to_be_visible()
    card.locator("summary").click()
    expect(card.locator("button:text-is('Delete')")).to_be_disabled()
    card.locator("button:text('Remove protection')").click()
    expect(card.locator(".badge", has_text="protected")).to_have_count(0)
    card.locator("summary").click()
    card.locator("[data-typed-name]").fill("something else")
    card.locator("button:text-is('Delete')").click()
    expect(card.locator(".danger output")).to_contain_text("Type doomed")
    card.locator("[data-typed-name]").fill("doomed")
    card.locator("button:text-is('Delete')").click()
    expect(card).to_have_count(0)
    with page.expect_download() as saved:
        page.locator(".card", has_text=SAMPLE).locator("[data-digest]").click()
    assert set(json.loads(Path(saved.value.path()).read_text())) == {"digest", "digestTipAddress", "ledger"}


def test_snapshots_forks_differences_and_faults(server: Server, page: Page) -> None:
    server.create("bench")
    server.run("bench", "CREATE TABLE cars")
    page.goto(at(server, "bench", "workbench"))
    page.fill("section:has(#w-snapshots) input[name=name]", "empty")
    page.click("button:text('Take a snapshot')")
    expect(page.locator("section:has(#w-snapshots) .line")).to_contain_text("empty")
    server.insert("bench", "cars", {"Owner": "Maria"})
    page.fill("[data-diff] input[name=from]", "empty")
    page.click("button:text('Compare')")
    expect(page.locator("[data-diff-result]")).to_contain_text("1 added, 0 changed, 0 removed")
    expect(page.locator("[data-diff-result] ins")).to_contain_text("Maria")
    page.fill("section:has(#w-fork) input[name=name]", "bench-fork")
    page.click("button:text('Fork')")
    page.wait_for_load_state()
    expect(page.locator("#ledger-switch option", has_text="bench-fork")).to_have_count(1)
    page.click("label:has([data-fault=capacity-exceeded])")
    expect(page.locator("[data-toast]")).to_have_text("capacity-exceeded is on.")
    assert [fault["kind"] for fault in server.get("/_qldb/faults")["faults"]] == ["capacity-exceeded"]
    page.click("label:has([data-fault=capacity-exceeded])")
    expect(page.locator("[data-toast]")).to_have_text("capacity-exceeded is off.")
    assert server.get("/_qldb/faults")["faults"] == []
    page.click("section:has(#w-snapshots) button:text('Restore')")
    page.click("dialog button:text('Yes')")
    page.wait_for_load_state()
    expect(page.locator("section:has(#w-snapshots) .line")).to_contain_text("2 blocks")
    assert server.run("bench", "SELECT * FROM cars") == [[]]


def test_a_ledger_is_filled_with_a_sample(server: Server, page: Page) -> None:
    server.create("filled")
    page.goto(at(server, "filled", "workbench"))
    page.click("button:text('Fill with its tables')")
    page.wait_for_load_state("networkidle")
    assert server.get("/_qldb/ledgers/filled")["tables"][0]["name"] == "Person"


def test_snippets_name_this_server_and_are_copied(server: Server, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(at(server, SAMPLE, "connect"))
    for text in page.locator(".snippet pre").all_inner_texts():
        assert server.url in text
    page.click("button[aria-label='Copy the snippet for curl']")
    expect(page.locator("[data-toast]")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").startswith(f"curl -s '{server.url}/_qldb/ledgers/{SAMPLE}")


# --- every page -------------------------------------------------------------------------------------------------


def every_page(server: Server, car: str) -> list[str]:
    found = [server.url, f"{server.url}/_qldb/console/requests"]
    return [*found, *[at(server, SAMPLE, p) for p in (*PER_LEDGER, f"documents/{car}", "blocks/3", "nothing")]]


# In the dark only the colours differ.
CHECKED = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "dark": {"type": "rule", "values": ["color-contrast"]},
}


@pytest.mark.parametrize("scheme", CHECKED)
def test_every_page_passes_axe(server: Server, browser: Browser, car: str, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci in compat_tests/console brings it")
    # Scripts of a test go past the policy, the page's own do not.
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    context.add_init_script(AXE.read_text())
    page = context.new_page()
    found = {}
    for url in every_page(server, car):
        page.goto(url)
        if url.endswith("/editor"):
            page.wait_for_selector("[data-ready]")
            run(page, "SELECT * FROM Vehicle")
        if url.endswith("/proof"):
            page.goto(
                f"{url}?document={car}&block={server.get(f'/_qldb/ledgers/{SAMPLE}/documents/{car}')['versions'][0]['sequenceNo']}"
            )
            expect(page.locator("[data-stamp]")).to_have_text("Verified")
        report = page.evaluate(f"axe.run({{runOnly: {CHECKED[scheme]}, resultTypes: ['violations']}})")
        for violation in report["violations"]:
            nodes = [node["html"][:140] + " " + node["failureSummary"][:200] for node in violation["nodes"][:3]]
            found[url.removeprefix(server.url), violation["id"]] = nodes
    context.close()
    assert found == {}


def test_no_page_is_wider_than_a_phone(server: Server, browser: Browser, car: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, is_mobile=True)
    page = context.new_page()
    wide = []
    for url in every_page(server, car):
        page.goto(url)
        if page.evaluate("document.documentElement.scrollWidth") > 360:
            wide.append(url)
    context.close()
    assert wide == []


def test_the_first_page_is_under_100_kb_and_comes_from_here(server: Server, page: Page) -> None:
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto(server.url, wait_until="networkidle")
    assert sum(sizes.values()) < 100_000
    assert [url for url in sizes if not url.startswith(server.url)] == []


def test_everything_is_reached_by_keyboard(server: Server, page: Page) -> None:
    page.goto(server.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"Ledgers", "Editor", "Time", "Proof", "Journal", "Requests", "Workbench", "Connect"} <= reached


HOSTILE = '<img src=x onerror="window.hit=1">\'"`${window.hit=1}</script><script>window.hit=1</script>{{7*7}}'


def test_what_a_ledger_holds_stays_text_on_every_page(server: Server, page: Page) -> None:
    server.create("hostile")
    server.run("hostile", "CREATE TABLE T")
    field = '"' + HOSTILE.replace('"', '""') + '"'
    document = server.insert(
        "hostile", "T", {HOSTILE: HOSTILE, "list": [HOSTILE], "deep": {HOSTILE: [{HOSTILE: HOSTILE}]}}
    )
    text = HOSTILE.replace("'", "''")
    server.run("hostile", f"UPDATE T AS t SET t.{field} = '{text} again'")
    server.run("hostile", f"CREATE INDEX ON T ({field})")
    tags = {"ResourceArn": "arn:aws:qldb:us-east-1:123456789012:ledger/hostile", "Tags": {HOSTILE[:120]: HOSTILE}}
    server.post("/_qldb/operations/TagResource", tags)
    transaction = server.post("/_qldb/ledgers/hostile/transactions")["transactionId"]
    place = f"/_qldb/ledgers/hostile/transactions/{transaction}"
    server.post(f"{place}/statements", {"statement": f"SELECT * FROM T WHERE {field} <> ?", "parameters": [HOSTILE]})
    server.run("hostile", f"UPDATE T AS t SET t.{field} = 'x'")
    with pytest.raises(Exception, match="409"):
        server.post(f"{place}/commit")
    server.post("/_qldb/ledgers/hostile/snapshots", {"name": "before"})
    pages = [server.url, f"{server.url}/_qldb/console/requests"]
    pages += [at(server, "hostile", p) for p in (*PER_LEDGER, f"documents/{document}", "blocks/3", "blocks/2")]
    pages += [at(server, "hostile", f"journal?text={HOSTILE[:30]}"), at(server, "hostile", f"time?table={HOSTILE}")]
    pages += [at(server, "hostile", f"documents/{HOSTILE.replace('/', '')}"), f"{server.url}/_qldb/console/{HOSTILE}"]
    for url in pages:
        page.goto(url)
        for each in page.locator("main details").all():
            each.evaluate("details => (details.open = true)")
    page.goto(at(server, "hostile", "editor"))
    page.wait_for_selector("[data-ready]")
    for view in ("Table", "Tree", "Ion", "JSON"):
        run(page, "SELECT * FROM history(T)")
        page.click(f"role=tab[name={view}]")
        for _ in range(3 if view == "Tree" else 0):  # branches are filled when they are opened
            page.locator(".tree details").evaluate_all("all => all.forEach(each => (each.open = true))")
        expect(page.locator(".result")).to_contain_text("onerror")
    page.goto(at(server, "hostile", "workbench"))
    page.fill("[data-diff] input[name=from]", "0")
    page.click("button:text('Compare')")
    expect(page.locator("[data-diff-result] ins")).to_contain_text("onerror")
    versions = server.get(f"/_qldb/ledgers/hostile/documents/{document}")["versions"]
    page.goto(at(server, "hostile", f"proof?document={document}&block={versions[0]['sequenceNo']}"))
    expect(page.locator("[data-stamp]")).to_have_text("Verified")
    assert page.evaluate("window.hit") is None


# --- who may what -----------------------------------------------------------------------------------------------


@pytest.fixture
def started() -> Iterator[Callable[..., Server]]:
    running: list[Server] = []

    def start(*options: str) -> Server:
        running.append(Server("--ephemeral", "--log-level", "info", *options))
        return running[-1]

    yield start
    for process in running:
        assert process.stop() == 0, "".join(process.log)


def test_with_keys_one_signs_in(browser: Browser, started: Callable[..., Server]) -> None:
    with signing_keys() as keys:
        server = started("--auth", keys)
    page = browser.new_page()
    wrong = watched(page)
    page.goto(server.url)
    page.fill("input[name=access_key]", "local")
    page.fill("input[name=secret_key]", "wrong")
    page.click("button:text('Sign in')")
    expect(page.locator("[role=alert]")).to_contain_text("No access key")
    page.fill("input[name=access_key]", "local")
    page.fill("input[name=secret_key]", "local")
    page.click("button:text('Sign in')")
    page.fill("input[name=Name]", "mine")
    page.click("button:text('Create')")
    page.click("h2 >> text=mine")
    page.wait_for_selector("[data-ready]")
    run(page, "CREATE TABLE T")
    expect(page.locator(".grid")).to_contain_text("tableId")
    page.click("text=Sign out local")
    expect(page.locator("h1")).to_have_text("Sign in")
    page.goto(at(server, "mine", "journal"))
    expect(page.locator("h1")).to_have_text("Sign in")
    page.close()
    assert wrong == []


def test_read_only_shows_everything_and_changes_nothing(browser: Browser, started: Callable[..., Server]) -> None:
    server = started("--console", "read-only", "--sample", SAMPLE)
    page = browser.new_page()
    wrong = watched(page)
    page.goto(server.url)
    expect(page.locator("text=Create a ledger")).to_have_count(0)
    expect(page.locator(".badge", has_text="read only")).to_be_visible()
    page.goto(at(server, SAMPLE, "editor"))
    page.wait_for_selector("[data-ready]")
    run(page, "SELECT * FROM Vehicle")
    expect(page.locator(".grid")).to_be_visible()
    run(page, "DELETE FROM Vehicle")
    expect(page.locator("[data-problem]")).to_contain_text("read only")
    page.close()
    assert wrong == []


def test_off_leaves_the_json_alone(browser: Browser, started: Callable[..., Server]) -> None:
    server = started("--console", "off")
    page = browser.new_page()
    page.goto(server.url)
    assert json.loads(page.inner_text("body"))["name"] == "qldb-emulator"
    assert page.goto(f"{server.url}/_qldb/console/ledgers").status == 404
    page.close()
