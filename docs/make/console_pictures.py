"""Pictures of every page of the console: light, dark and on a phone.  Needs Playwright and a Chromium.

::

    python docs/make/console_pictures.py URL FOLDER [--ledger NAME] [--pages editor,proof] [--looks light,dark,phone]
    python docs/make/console_pictures.py URL docs/pictures --docs        # those of docs/console.md, small

URL is of a server that was started with ``--ephemeral --sample vehicle-registration``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 860}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 860}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "device_scale_factor": 1},
}
OF_DOCS = {("editor", "light"), ("time", "dark"), ("broken", "light"), ("editor", "phone")}
STATEMENT = "SELECT v.VIN, v.Make, v.Model, r.City FROM Vehicle AS v, VehicleRegistration AS r\nWHERE v.VIN = r.VIN"


class Server:
    """What the pictures show, made over the JSON interface."""

    def __init__(self, url: str, ledger: str) -> None:
        self.url, self.ledger = url, ledger

    def run(self, *statements: str, **members: Any) -> Any:
        """Run statements in one transaction."""
        body = {"statements": [{"statement": each} for each in statements], "values": "json", **members}
        return self.post(f"/_qldb/ledgers/{self.ledger}/statements", body)

    def post(self, path: str, body: Any = None) -> Any:
        """One request."""
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def prepare(self) -> tuple[str, int]:
        """A car with a past, and a conflict in the requests; the car's document id and one of its blocks."""
        found = self.run("SELECT metadata.id FROM _ql_committed_Vehicle AS c WHERE c.data.VIN = '1N4AL11D75C109151'")
        document = found["results"][0]["rows"][0]["id"]
        for colour in ("Fluid Black", "Ruby Red", "Silver"):
            self.run(f"UPDATE Vehicle SET Color = '{colour}' WHERE VIN = '1N4AL11D75C109151'")
        place = f"/_qldb/ledgers/{self.ledger}/transactions"
        transaction = self.post(place)["transactionId"]
        update = "UPDATE Vehicle SET Color = 'Gold' WHERE VIN = '1N4AL11D75C109151'"
        self.post(f"{place}/{transaction}/statements", {"statement": update})
        self.run("UPDATE Vehicle SET Color = 'White' WHERE VIN = '1N4AL11D75C109151'")
        with contextlib.suppress(urllib.error.HTTPError):  # the conflict that the picture is to show
            self.post(f"{place}/{transaction}/commit")
        with urllib.request.urlopen(f"{self.url}/_qldb/ledgers/{self.ledger}/documents/{document}") as answer:
            return document, json.load(answer)["versions"][0]["sequenceNo"]


def pictures(page: Page, server: Server, document: str, block: int) -> Any:
    """(name, what brings the page into the state of the picture)."""
    base = f"{server.url}/_qldb/console/ledgers/{server.ledger}"

    def editor() -> None:
        page.goto(f"{base}/editor")
        page.wait_for_selector("[data-ready]")
        page.fill("[data-text]", STATEMENT)
        page.click("[data-run]")
        page.wait_for_selector(".grid")
        page.wait_for_selector("[data-plan]:not([hidden])")

    def mistake() -> None:
        page.goto(f"{base}/editor")
        page.wait_for_selector("[data-ready]")
        page.fill("[data-text]", "SELECT *\nFORM Vehicle\nWHERE Color = ?")
        page.wait_for_selector(".t-wrong")

    def proof() -> None:
        page.goto(f"{base}/proof?document={document}&block={block}")
        page.wait_for_selector(".stamp:not(:empty)")
        page.wait_for_selector("[data-chain] li")
        page.wait_for_timeout(600)

    def broken() -> None:
        proof()
        page.select_option("[data-tamper-form] select", "Color")
        page.fill("[data-tamper-form] input", "Pink")
        page.click("[data-tamper-form] button.danger")
        page.wait_for_selector(".stamp.broken")
        page.wait_for_selector("[data-chain] .broken")
        page.wait_for_timeout(600)

    def conflict() -> None:
        page.goto(f"{server.url}/_qldb/console/requests")
        page.click("details.failed >> nth=0")

    def at(path: str) -> Any:
        return lambda: page.goto(f"{base}/{path}")

    return {
        "ledgers": lambda: page.goto(server.url),
        "editor": editor,
        "mistake": mistake,
        "time": at("time?table=Vehicle"),
        "document": at(f"documents/{document}"),
        "proof": proof,
        "broken": broken,
        "journal": at("journal"),
        "block": at(f"blocks/{block}"),
        "requests": conflict,
        "workbench": at("workbench"),
        "connect": at("connect"),
    }


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ledger", default="vehicle-registration")
    parser.add_argument("--pages", default="")
    parser.add_argument("--looks", default=",".join(LOOKS))
    parser.add_argument("--docs", action="store_true", help="only what docs/console.md shows, as JPEG")
    parser.add_argument("--whole", action="store_true", help="the page as far as it goes, not the window")
    options = parser.parse_args()
    server = Server(options.url.rstrip("/"), options.ledger)
    document, block = server.prepare()
    options.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for look in options.looks.split(","):
            page = browser.new_page(**LOOKS[look])
            page.on("console", lambda message: print("console:", message.type, message.text))
            page.on("pageerror", lambda error: print("error:", error))
            for name, show in pictures(page, server, document, block).items():
                if options.pages and name not in options.pages.split(","):
                    continue
                if options.docs and (name, look) not in OF_DOCS:
                    continue
                show()
                page.wait_for_timeout(250)
                if options.docs:
                    page.screenshot(path=options.folder / f"{name}-{look}.jpg", type="jpeg", quality=45)
                else:
                    page.screenshot(path=options.folder / f"{name}-{look}.png", full_page=options.whole)
                print(name, look)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
