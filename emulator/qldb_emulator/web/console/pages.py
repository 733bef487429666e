"""The pages: who may see which, what they show, and the headers that keep a ledger's contents from becoming a program.

Everything from a ledger goes through Jinja's escaping; there is no inline script and no inline style, and the
Content-Security-Policy forbids both.  Changes are made by requests to the JSON interface and the admin interface, which
refuse pages of other origins (``web.access``); sign-in cookies are SameSite=Strict besides.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from ... import __version__
from ...engine.arns import qldb_arn
from ...engine.control.lookup import any_ledger
from ...errors import ADMIN_NOT_FOUND, QldbError
from ...ion.codec import dumps_text, loads
from ...ion.values import Timestamp, struct_items
from ...journal.parse import block_from_ion
from ...storage.rows import RevisionRow
from ..interface import documents, journal
from ..interface.access import COOKIE, signed_in
from ..interface.call import MAX_SEQUENCE_NO, Call
from ..interface.errors import status_of
from ..interface.routes import call_of
from ..interface.sign_in import SIGN_IN_SECONDS
from ..interface.values import base64_text
from ..routes import PREFIX, Admin
from .differences import differences, shortened
from .seals import seal
from .snippets import snippets

if TYPE_CHECKING:
    from ...engine.ledger.ledger import Ledger
    from ...partiql.planning.catalogue import TableInfo

logger = logging.getLogger(__name__)

BASE = f"{PREFIX}/console"
STATIC = Path(__file__).parent / "static"

LEDGERS_SHOWN = 100
"""Ledgers of one page (ours: each has to be opened to be described)."""

BLOCKS_SHOWN = 30
VERSIONS_SHOWN = 20
DOCUMENTS_SHOWN = 25
"""Rows of one fragment of a page (ours: a page stays small however large the ledger is)."""

FIELDS_SHOWN = 10
FIELD_CHARACTERS = 80
"""Of a document in a list (ours); its own page has all of it."""

BLOCKS_LOOKED_AT = 2_000
"""Blocks in which the newest versions of a table are looked for (ours)."""

_WINDOW_BLOCKS = 50
_WINDOW_REVISIONS = 50 * 1_000  # more than the blocks of one window can hold, but for imported journals

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send forms with the origin null, which is refused
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Values = dict[str, Any]

# page -> (its title, whether it is about one ledger)
PAGES = {
    "ledgers": ("Ledgers", False),
    "editor": ("Editor", True),
    "time": ("Time", True),
    "proof": ("Proof", True),
    "journal": ("Journal", True),
    "requests": ("Requests", False),
    "workbench": ("Workbench", True),
    "connect": ("Connect", True),
}


def add_console(app: Flask, admin: Admin) -> None:
    """Add the pages to an app, if there is a console."""
    if admin.emulator.settings.console == "off":
        return
    pages = Blueprint("console", __name__, template_folder="templates", static_folder="static")
    console = Console(admin)
    for rule, view in (
        ("/", console.ledgers),
        (BASE, console.ledgers),
        (f"{BASE}/ledgers", console.ledgers),
        (f"{BASE}/requests", console.requests),
        (f"{BASE}/ledgers/<ledger>/editor", console.editor),
        (f"{BASE}/ledgers/<ledger>/time", console.time),
        (f"{BASE}/ledgers/<ledger>/time/picture", console.picture),
        (f"{BASE}/ledgers/<ledger>/documents/<document>", console.document),
        (f"{BASE}/ledgers/<ledger>/proof", console.proof),
        (f"{BASE}/ledgers/<ledger>/journal", console.journal),
        (f"{BASE}/ledgers/<ledger>/blocks/<block>", console.block),
        (f"{BASE}/ledgers/<ledger>/workbench", console.workbench),
        (f"{BASE}/ledgers/<ledger>/connect", console.connect),
    ):
        pages.add_url_rule(
            rule, f"{rule} page", console.guarded(view), methods=["GET"], provide_automatic_options=False
        )
    pages.add_url_rule(f"{BASE}/sign-in", "sign-in", console.sign_in_page, methods=["GET"])
    pages.add_url_rule(f"{BASE}/sign-in", "sign-in form", console.sign_in, methods=["POST"])
    pages.add_url_rule(f"{BASE}/sign-out", "sign-out", console.sign_out, methods=["POST"])
    pages.add_url_rule(f"{BASE}/static/<name>", "static file", console.static, methods=["GET"])
    pages.add_url_rule(f"{BASE}/<path:rest>", "not found", console.guarded(console.not_found), methods=["GET"])
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(pages)


class Console:
    """The pages of one server."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    # --- what every page has -----------------------------------------------------------------------------------

    def guarded(self, view: Callable[[Call], str]) -> Callable[..., BaseResponse]:
        """A view with sign-in, with errors as pages, and with its headers."""

        def answer(**path: str) -> BaseResponse:
            if self._admin.gateway.authenticator is not None and signed_in() is None:
                return _with_headers(redirect(f"{BASE}/sign-in?{urlencode({'to': request.full_path})}"))
            try:
                call = call_of(self._admin, path)
                return _with_headers(Response(view(call), content_type="text/html; charset=utf-8"))
            except QldbError as error:
                return self._problem(error.message, status_of(error))
            except Exception:
                logger.exception("the page %s failed", request.path)
                return self._problem("The server failed. Its log says how.", 500)

        return answer

    def _problem(self, message: str, status: int) -> BaseResponse:
        page = self._render("message.html", None, title="This page cannot be shown", message=message)
        return _with_headers(Response(page, status=status, content_type="text/html; charset=utf-8"))

    def _render(self, template: str, call: Call | None, page: str = "", **values: Any) -> str:
        emulator = self._admin.emulator
        settings = emulator.settings
        region = settings.region if call is None else call.region
        ledger = None if call is None else call.path.get("ledger")
        user = signed_in()

        def link(page: str, name: str | None = ledger, **query: Any) -> str:
            _, is_of_ledger = PAGES.get(page.split("/")[0], ("", True))
            path = f"{BASE}/ledgers/{quote(str(name), safe='')}/{page}" if is_of_ledger else f"{BASE}/{page}"
            if region != settings.region:
                query["region"] = region
            return f"{path}?{urlencode(query)}" if query else path

        return render_template(
            template,
            page=page,
            pages=PAGES,
            title=values.pop("title", PAGES.get(page, ("",))[0]),
            ledger=ledger,
            region=region,
            is_own_region=region == settings.region,
            known=[] if call is None else self._names(call)[:LEDGERS_SHOWN],
            is_read_only=settings.console == "read-only",
            has_admin=settings.has_admin,
            user=None if user is None else user.name,
            has_keys=self._admin.gateway.authenticator is not None,
            version=__version__,
            link=link,
            asset=asset,
            seal=seal,
            shortened=shortened,
            fields_of=fields_of,
            api=f"{PREFIX}/ledgers/{quote(ledger, safe='')}" if ledger else PREFIX,
            base=BASE,
            **values,
        )

    def _names(self, call: Call) -> list[str]:
        """The ledgers that may be described."""
        return [
            name for name in call.emulator.ledgers.names(call.region) if call.may("DescribeLedger", f"ledger/{name}")
        ]

    def static(self, name: str) -> BaseResponse:
        """A style sheet, module or picture.  Its name has its version, so browsers may keep it."""
        if name not in _assets():
            return Response("There is no such file", status=404, content_type="text/plain")
        kind = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[name.rsplit(".", 1)[-1]]
        answer = Response((STATIC / name).read_bytes(), content_type=f"{kind}; charset=utf-8")
        answer.add_etag()
        answer.headers["Cache-Control"] = "max-age=31536000, immutable" if "v" in request.args else "no-cache"
        return _with_headers(answer.make_conditional(request))

    def not_found(self, call: Call) -> str:
        """What is not there."""
        raise ADMIN_NOT_FOUND(text="There is no such page")

    # --- signing in --------------------------------------------------------------------------------------------

    def sign_in_page(self, message: str = "", status: int = 200) -> BaseResponse:
        """The form for an access key."""
        page = self._render("sign_in.html", None, title="Sign in", message=message, to=request.values.get("to", "/"))
        return _with_headers(Response(page, status=status, content_type="text/html; charset=utf-8"))

    def sign_in(self) -> BaseResponse:
        """Take an access key, and go where the browser wanted to go."""
        authenticator = self._admin.gateway.authenticator
        if authenticator is None:
            return _with_headers(redirect("/"))
        form = request.form
        sign_ins = current_app.extensions["qldb_sign_ins"]
        token = sign_ins.sign_in(authenticator, form.get("access_key", ""), form.get("secret_key", ""))
        if token is None:
            return self.sign_in_page("No access key of this server has this secret.", 403)
        to = form.get("to", "/")
        # Only to a page of this server: "//evil.example" would be another host.
        answer = redirect(to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/", 303)
        answer.set_cookie(
            COOKIE, token, max_age=SIGN_IN_SECONDS, httponly=True, samesite="Strict", secure=request.is_secure, path="/"
        )
        return _with_headers(answer)

    def sign_out(self) -> BaseResponse:
        """Forget the browser."""
        current_app.extensions["qldb_sign_ins"].sign_out(request.cookies.get(COOKIE, ""))
        answer = redirect(f"{BASE}/sign-in", 303)
        answer.delete_cookie(COOKIE, path="/")
        return _with_headers(answer)

    # --- pages -------------------------------------------------------------------------------------------------

    def ledgers(self, call: Call) -> str:
        """Every ledger of a region, in short."""
        names = self._names(call)
        after = call.query.get("after", "")
        shown = [name for name in names if name > after][:LEDGERS_SHOWN]
        rows = [_ledger_row(call, name) for name in shown]
        more = shown[-1] if shown and names.index(shown[-1]) + 1 < len(names) else None
        may_create = not call.is_read_only and call.may("CreateLedger", "ledger/new")
        return self._render(
            "ledgers.html", call, "ledgers", rows=rows, more=more, count=len(names), may_create=may_create
        )

    def editor(self, call: Call) -> str:
        """Statements and their rows."""
        described = documents.describe(call)
        return self._render("editor.html", call, "editor", about=described, seconds=_seconds(call))

    def time(self, call: Call) -> str:
        """Current, history and journal side by side, as of any block."""
        return self._render("time.html", call, "time", **self._picture(call))

    def picture(self, call: Call) -> str:
        """The part of the Time page that follows the slider."""
        return self._render("parts/picture.html", call, **self._picture(call))

    def _picture(self, call: Call) -> Values:
        ledger = call.ledger("SendCommand")
        tables = [table for table in ledger.catalogue.tables if table.status == "ACTIVE"]
        name = call.query.get("table") or (tables[0].name if tables else "")
        tip = ledger.tip().sequence_no
        at = documents.as_of(call, ledger)
        values: Values = {"tables": tables, "table": name, "tip": tip, "at": at, "is_live": at == tip}
        blocks = _blocks_until(call, ledger, at) if call.may("GetBlock", f"ledger/{ledger.name}") else []
        values |= {"blocks": blocks, "moment": blocks[0]["timestamp"] if blocks else "", "current": [], "history": []}
        if name:
            table = documents.find_table(ledger, name)
            call.check_table(ledger, "PartiQLHistoryFunction", table.table_id)
            found = documents.rows_as_of(ledger, table, at, call.number("after", 0, 2**52), DOCUMENTS_SHOWN, "ion-text")
            values |= {"current": found["documents"], "next": found["next"], "history": _recent(ledger, table, at)}
        return values

    def document(self, call: Call) -> str:
        """A document's versions as differences."""
        ledger = call.ledger("SendCommand")
        info, table = documents.find_document(call, ledger)
        before = call.number("before", MAX_SEQUENCE_NO)
        rows, has_more = documents.versions_before(ledger, info.doc_no, before, VERSIONS_SHOWN + 1)
        shown = rows[:VERSIONS_SHOWN]
        versions = [_version(ledger, row, rows[n + 1] if n + 1 < len(rows) else None) for n, row in enumerate(shown)]
        return self._render(
            "document.html",
            call,
            "time",
            title=f"Document {info.document_id}",
            document=info.document_id,
            table=table.name,
            versions=versions,
            is_live=info.until_seq > ledger.tip().sequence_no,
            next=shown[-1].seq if len(rows) > VERSIONS_SHOWN or has_more else None,
        )

    def proof(self, call: Call) -> str:
        """A revision, its way to the digest, and what the browser makes of it."""
        ledger = call.ledger("DescribeLedger")
        return self._render(
            "proof.html",
            call,
            "proof",
            document=call.query.get("document", ""),
            block=call.query.get("block", ""),
            tip=ledger.tip().sequence_no,
            strand=ledger.strand_id,
        )

    def journal(self, call: Call) -> str:
        """The chain of blocks, newest first; with a search, those that hold what is wanted."""
        ledger = call.ledger("GetBlock")
        searched = {name: call.query[name] for name in _SEARCH if call.query.get(name)}
        tip = ledger.tip().sequence_no
        newest = min(call.number("block", tip), call.number("before", MAX_SEQUENCE_NO) - 1, tip)
        if searched:
            first, stop = journal.range_of(call, ledger)
            found = journal.find_blocks(ledger, journal.Wanted(call), first, stop, BLOCKS_SHOWN)
        else:
            blocks = journal.newest_first(ledger, newest + 1, BLOCKS_SHOWN)
            last = blocks[-1]["sequenceNo"] if blocks else 0
            found = {"blocks": blocks, "next": last or None, "searched": None}
        is_part = "part" in call.query
        template = "parts/blocks.html" if is_part else "journal.html"
        return self._render(template, call, "journal", **found, tip=tip, wanted=searched, fields=_SEARCH)

    def block(self, call: Call) -> str:
        """One block, whole."""
        ledger = call.ledger("GetBlock")
        number = journal.sequence_number(call)
        value, data = journal.block_value(ledger, min(number, MAX_SEQUENCE_NO))
        block = block_from_ion(value)
        info: Any = block.transaction_info or {}
        return self._render(
            "block.html",
            call,
            "journal",
            title=f"Block {number}",
            block=journal.summary(data),
            entries=[base64_text(each) for each in block.entries_hash_list],
            entries_hash=base64_text(block.entries_hash),
            statements=[
                {"text": str(s["statement"]), "time": str(s["startTime"]), "digest": base64_text(s["statementDigest"])}
                for s in info.get("statements") or ()
            ],
            revisions=[_revision(each) for each in block.revisions or ()],
            tip=ledger.tip().sequence_no,
            ion=shortened(dumps_text(value), 20_000),
        )

    def requests(self, call: Call) -> str:
        """Recent statements, newest first."""
        log = call.emulator.statement_log
        rows: list[Values] = []
        if self._admin.emulator.settings.has_admin:
            found = log.rows(call.number("after", 0, 999_999_999), call.query.get("ledger") or None)
            seen = {row.ledger: call.may("SendCommand", f"ledger/{row.ledger}") for row in found}
            found = [row for row in found if seen[row.ledger]]
            rows = [{**row.members(), "outcome": log.outcome(row.transaction_id)} for row in reversed(found)]
            wanted = call.query.get("only")
            if wanted == "conflicts":
                rows = [row for row in rows if row["outcome"] and not row["outcome"]["committed"]]
            elif wanted == "scans":
                rows = [row for row in rows if row["scans"]]
            elif wanted == "errors":
                rows = [row for row in rows if "error" in row]
        template = "parts/requests.html" if "part" in call.query else "requests.html"
        return self._render(
            template,
            call,
            "requests",
            rows=rows,
            last=log.last_number(),
            only=call.query.get("only", ""),
            size=log.size,
        )

    def workbench(self, call: Call) -> str:
        """Snapshots, forks, differences, faults, seeds, exports, streams, imports."""
        ledger = call.ledger("DescribeLedger")
        return self._render("workbench.html", call, "workbench", **_workbench(call, ledger, self._admin))

    def connect(self, call: Call) -> str:
        """How programs reach this server."""
        ledger = any_ledger(call.emulator, call.path["ledger"], call.region)
        call.check("DescribeLedger", f"ledger/{ledger.name}")
        found = snippets(request.host_url.rstrip("/"), call.region, ledger.name)
        return self._render("connect.html", call, "connect", snippets=found)


_SEARCH = {
    "text": "Text",
    "document": "Document id",
    "transaction": "Transaction id",
    "table": "Table",
    "from": "From",
    "to": "To",
}


def _with_headers(answer: BaseResponse) -> BaseResponse:
    for name, value in HEADERS.items():
        answer.headers[name] = value
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer


@cache
def _assets() -> Mapping[str, str]:
    """The files of the console, each with a version that follows from what they all hold: modules import each other."""
    names = sorted(path.name for path in STATIC.iterdir() if path.suffix in (".css", ".js", ".svg"))
    digest = hashlib.sha256(b"".join((STATIC / name).read_bytes() for name in names)).hexdigest()[:12]
    return dict.fromkeys(names, digest)


def asset(name: str) -> str:
    """The address of a file of the console."""
    return f"{BASE}/static/{name}?v={_assets()[name]}"


def fields_of(ion_text: str | None) -> list[tuple[str, str]]:
    """The first fields of a document as (name, Ion text), each short enough for a list; nothing of a deletion."""
    value = loads(ion_text) if ion_text else None
    if not isinstance(value, dict):
        return [] if value is None else [("", shortened(dumps_text(value), FIELD_CHARACTERS))]
    shown = [
        (str(name), shortened(dumps_text(each), FIELD_CHARACTERS))
        for name, each in islice(struct_items(value), FIELDS_SHOWN)
    ]
    rest = len(value) - len(shown)
    return [*shown, ("…", f"{rest} more")] if rest > 0 else shown


def _seconds(call: Call) -> float:
    return call.emulator.settings.limits.transaction_seconds


def _ledger_row(call: Call, name: str) -> Values:
    try:
        ledger = any_ledger(call.emulator, name, call.region)
    except QldbError as error:
        return {"name": name, "problem": error.message}
    resource = f"ledger/{name}"
    sequence_no, catalogue = ledger.snapshot()
    return {
        "name": name,
        "problem": "",
        "state": ledger.state,
        "mode": ledger.permissions_mode,
        "is_protected": ledger.facts.deletion_protection,
        "is_read_only": ledger.is_read_only,
        "created": str(Timestamp.from_epoch_ms(ledger.facts.creation_ms)),
        "blocks": sequence_no + 1,
        "tables": [table.name for table in catalogue.tables if table.status == "ACTIVE"],
        "tags": dict(ledger.facts.tags),
        "hash": base64_text(tip.block_hash) if (tip := ledger.documents.tip()) else "",
        "may_change": not call.is_read_only and call.may("UpdateLedger", resource),
        "may_delete": not call.is_read_only and call.may("DeleteLedger", resource),
        "arn": qldb_arn(call.region, call.emulator.settings.account, resource),
    }


def _blocks_until(call: Call, ledger: Ledger, at: int) -> list[Values]:
    return journal.newest_first(ledger, at + 1, 12) if at >= 0 else []


def _recent(ledger: Ledger, table: TableInfo, at: int) -> list[Values]:
    """The newest revisions of a table by a block: looked for in the last blocks, so a large history costs nothing."""
    rows: list[RevisionRow] = []
    stop = at
    while stop >= 0 and stop > at - BLOCKS_LOOKED_AT and len(rows) < DOCUMENTS_SHOWN:
        first = max(-1, stop - _WINDOW_BLOCKS)
        rows = ledger.file.revisions_between(table.number, first, stop, _WINDOW_REVISIONS) + rows
        stop = first
    rows = rows[-DOCUMENTS_SHOWN:]
    return [
        {
            "documentId": row.document_id,
            "version": row.version,
            "sequenceNo": row.seq,
            "kind": documents.kind_of(row),
            "data": "" if row.data is None else dumps_text(loads(row.data)),
            "hash": base64_text(row.hash),
        }
        for row in reversed(rows)
    ]


def _version(ledger: Ledger, row: RevisionRow, before: RevisionRow | None) -> Values:
    about = documents.version(ledger, row, "ion-text")
    old = loads(before.data) if before is not None and before.data is not None else None
    changes = []
    if row.data is not None:
        changes = differences(old, loads(row.data), is_first=old is None)
    return {**about, "changes": changes, "previous": None if before is None else before.version}


def _revision(revision: Mapping[str, Any]) -> Values:
    metadata = revision.get("metadata")
    return {
        "hash": base64_text(revision["hash"]),
        "document": "" if metadata is None else str(metadata["id"]),
        "version": None if metadata is None else metadata["version"],
        "data": dumps_text(revision["data"]) if "data" in revision else "",
    }


def _workbench(call: Call, ledger: Ledger, admin: Admin) -> Values:
    from ...engine.workbench.faults import KINDS
    from ...engine.workbench.snapshots import list_snapshots
    from ...seeding.sample_files import SAMPLES

    def asked(operation: str, **members: Any) -> Values:
        """What an operation of the control plane answers; nothing where the policy does not allow it."""
        try:
            return call.emulator.call(operation, {"Name": ledger.name, **members}, call.context())
        except QldbError:
            return {}

    has_admin = admin.emulator.settings.has_admin
    streams = asked("ListJournalKinesisStreamsForLedger", LedgerName=ledger.name).get("Streams", [])
    return {
        "snapshots": list_snapshots(call.emulator, call.region, ledger.name) if has_admin else [],
        "faults": call.emulator.faults.list() if has_admin else [],
        "kinds": KINDS,
        "samples": SAMPLES,
        "exports": asked("ListJournalS3ExportsForLedger").get("JournalS3Exports", []),
        "streams": streams,
        "tip": ledger.tip().sequence_no,
        "can_reseed": admin.reseed is not None,
        "now": str(Timestamp.from_epoch_ms(call.emulator.clock.now_ms())),
    }
