"""A server and a browser for the session; a page for each test, which must end without an error in its console."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from server import ServerProcess

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SECONDS = 15

if CHROMIUM is None:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str:
    return f"browser: {CHROMIUM or 'none: install chromium; every test is left out'}"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if CHROMIUM is None and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


class Server(ServerProcess):
    """The server, and the JSON interface to prepare what a test looks at."""

    def post(self, path: str, body: Any = None) -> Any:
        """One request with JSON; the answer.  Raises HTTPError."""
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        with urllib.request.urlopen(self.url + path, timeout=SECONDS) as answer:
            return json.load(answer)

    def create(self, name: str) -> None:
        """A new ledger, not protected."""
        members = {"Name": name, "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False}
        self.post("/_qldb/operations/CreateLedger", members)

    def run(self, ledger: str, *statements: str, **members: Any) -> list[list[Any]]:
        """The rows of each statement of one transaction."""
        body = {"statements": [{"statement": each} for each in statements], **members}
        return [result["rows"] for result in self.post(f"/_qldb/ledgers/{ledger}/statements", body)["results"]]

    def insert(self, ledger: str, table: str, document: Any) -> str:
        """The id of a new document."""
        body = {"statement": f"INSERT INTO {table} ?", "parameters": [document]}
        return self.post(f"/_qldb/ledgers/{ledger}/statements", body)["rows"][0]["documentId"]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    process = Server("--ephemeral", "--admin", "--sample", "vehicle-registration", "--log-level", "info")
    yield process
    assert process.stop() == 0, "".join(process.log)
    assert not [line for line in process.log if "Traceback" in line], "".join(process.log)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


def watched(page: Page) -> list[str]:
    """What goes wrong in a page from now on.  An answer of status 400 or 409 is no failure: pages show its text."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: (
            wrong.append(message.text) if message.type == "error" and "status of 4" not in message.text else 0
        ),
    )
    page.set_default_timeout(SECONDS * 1000)
    return wrong


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 850}, accept_downloads=True)
    made = context.new_page()
    wrong = watched(made)
    yield made
    context.close()
    assert wrong == []
