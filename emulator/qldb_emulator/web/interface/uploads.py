"""Uploaded files: kept for a while in a folder of the server, then verified or imported.

A file comes in pieces, each below the limit of a request's body, so an archive of gigabytes is never in memory.  After
a lost connection the client asks how much has arrived, and goes on from there.  A verification or an import ends when
its client is gone; an import leaves nothing then, and can be requested again while the file is there.
"""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...context import Principal, is_same_principal
from ...engine.ledger.fold import ApplyError
from ...engine.workbench.imports import NotImported, Wanted, import_audited, is_ledger_name
from ...errors import (
    ADMIN_NOT_FOUND,
    ADMIN_REQUEST,
    INVALID_PARAMETER,
    LEDGER_EXISTS,
    NOT_SUPPORTED,
    READ_ONLY,
    QldbError,
)
from ...records import dataclass
from ...storage.errors import StorageError
from ...verify import (
    Audit,
    Container,
    InputError,
    Journal,
    JournalReport,
    SavedDigest,
    SourceError,
    choose_journal,
    open_container,
    read_answer,
    read_blocks,
    read_digest,
    verify_block,
    verify_revision,
)
from ...verify.report import VERDICTS, facts, summary
from .call import Call, Lines, Members
from .values import NDJSON

if TYPE_CHECKING:
    from ...engine.emulator import Emulator

logger = logging.getLogger(__name__)

UPLOAD_BYTES = 8 * 1024**3
"""Total size of all files kept at once (ours: a full disk would stop the ledgers)."""

UPLOADS = 20
"""Files kept at once (ours); the oldest is deleted first."""

UPLOAD_IDLE_SECONDS = 3600.0
"""A file that no request named for so long is deleted when room is needed (ours: its client is gone)."""

FINDINGS_SHOWN = 50
_SOURCE_CHARACTERS = 200

Progress = Callable[[int], None]


@dataclass(slots=True)
class Upload:
    """A file on its way.  owner: who began it, None without --auth.  used: when.  size: bytes so far."""

    path: Path
    owner: Principal | None
    used: float
    size: int = 0


class Uploads:
    """The files of one server.  now: seconds of a monotonic clock.  Any thread may call."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def start(self, upload_id: str, owner: Principal | None) -> None:
        """A new, empty file."""
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="qldb-emulator-uploads-", ignore_cleanup_errors=True)
            self._remove_idle()
            while len(self._uploads) >= UPLOADS:
                self._remove(next(iter(self._uploads)))
            path = Path(self._folder.name) / upload_id
            path.touch()
            self._uploads[upload_id] = Upload(path, owner, self._now())

    def find(self, call: Call) -> Upload:
        """The file of the path.  Raises ADMIN_NOT_FOUND, also for a file of another user."""
        upload_id = call.path["upload"]
        found = self._uploads.get(upload_id)
        if found is None or not is_same_principal(found.owner, call.principal):
            raise ADMIN_NOT_FOUND(
                text=f"There is no upload {upload_id[:40]}: it was removed, or newer ones took its place"
            )
        found.used = self._now()
        return found

    def append(self, upload: Upload, offset: int, data: bytes) -> int:
        """Put a piece at the end; the size with it.  Raises ADMIN_REQUEST for another place, or too much."""
        with self._lock:
            if offset != upload.size:
                raise ADMIN_REQUEST(text=f"the upload has {upload.size} bytes, so the next piece begins there")
            if self._size() + len(data) > UPLOAD_BYTES:
                self._remove_idle()
            if self._size() + len(data) > UPLOAD_BYTES:
                raise ADMIN_REQUEST(text=f"uploads may have {UPLOAD_BYTES} bytes together")
            try:
                with upload.path.open("ab") as file:
                    file.write(data)
            except OSError as error:
                raise ADMIN_REQUEST(text=f"the upload cannot be kept: {error.strerror}") from error
            upload.size += len(data)
            return upload.size

    def remove(self, upload_id: str) -> None:
        """Delete a file.  Calling it again does nothing."""
        with self._lock:
            self._remove(upload_id)

    def _size(self) -> int:
        return sum(each.size for each in self._uploads.values())

    def _remove_idle(self) -> None:
        before = self._now() - UPLOAD_IDLE_SECONDS
        for upload_id in [name for name, each in self._uploads.items() if each.used < before]:
            self._remove(upload_id)

    def _remove(self, upload_id: str) -> None:
        upload = self._uploads.pop(upload_id, None)
        if upload is not None:
            upload.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove everything."""
        with self._lock:
            if self._folder is not None:
                self._folder.cleanup()


# --- operations -------------------------------------------------------------------------------------------------


def start_upload(call: Call, uploads: Uploads) -> Members:
    """Answer ``POST /uploads``.  With the name of a ledger, an import that will be refused is refused now."""
    if "name" in call.members:
        _check_import(call, call.text("name"))
    upload_id = call.emulator.ids.new_request_id()
    uploads.start(upload_id, call.principal)
    return {"uploadId": upload_id, "pieceBytes": call.emulator.settings.limits.request_bytes // 2}


def add_piece(call: Call, uploads: Uploads) -> Members:
    """``PUT /uploads/{upload}?offset=``."""
    return {"bytes": uploads.append(uploads.find(call), call.number("offset", 0, 2**40), call.body())}


def describe_upload(call: Call, uploads: Uploads) -> Members:
    """``GET /uploads/{upload}``: how much has arrived."""
    return {"bytes": uploads.find(call).size}


def remove_upload(call: Call, uploads: Uploads) -> Members:
    """``DELETE /uploads/{upload}``."""
    uploads.find(call)
    uploads.remove(call.path["upload"])
    return {"removed": True}


def verify_upload(call: Call, uploads: Uploads) -> Lines:
    """``POST /uploads/{upload}/verify``: lines of progress, then the report."""
    upload, chosen, source = uploads.find(call), _chosen(call), _source(call, "the file")

    def work(container: Container, journal: Journal, progress: Progress) -> Members:
        audit = Audit(source, journal, chosen.digest)
        for _ in audit.blocks(read_blocks(container, journal, progress)):
            pass
        return shown(audit.report())

    return Lines(_working(upload, chosen, work), NDJSON)


def import_upload(call: Call, uploads: Uploads) -> Lines:
    """``POST /uploads/{upload}/import``: lines of progress, then the report and the new ledger's name."""
    upload, chosen = uploads.find(call), _chosen(call)
    name, region, source = call.text("name"), call.region, _source(call, "an uploaded file")
    is_writable, even_if_broken = _flag(call, "writable"), _flag(call, "evenIfBroken")
    if is_writable and even_if_broken:
        raise ADMIN_REQUEST(text="evenIfBroken is for looking into a journal: it cannot be writable")
    _check_import(call, name)
    emulator: Emulator = call.emulator

    def work(container: Container, journal: Journal, progress: Progress) -> Members:
        audit = Audit(source, journal, chosen.digest)
        blocks = audit.blocks(read_blocks(container, journal, progress))
        wanted = Wanted(name, journal.strand_id, emulator.clock.now_ms(), is_writable, even_if_broken)
        try:
            report = import_audited(emulator.directory, region, wanted, audit, blocks)
        except NotImported as refused:
            return {**shown(refused.report), **_whole(refused.report), "ledger": None}
        except (ApplyError, StorageError) as error:
            raise ADMIN_REQUEST(text=f"The journal cannot become a ledger: {error}") from error
        return {**shown(report), **_whole(report), "ledger": name}

    return Lines(_working(upload, chosen, work), NDJSON)


def _check_import(call: Call, name: str) -> None:
    """Raise QldbError if a ledger of this name cannot be imported by this caller."""
    if call.is_read_only:
        raise READ_ONLY()
    if not is_ledger_name(name):
        text = f"{name[:100]!r} cannot be a ledger's name: 1 to 32 letters, digits and single hyphens"
        raise INVALID_PARAMETER(text=text, parameter="name")
    call.check("CreateLedger", f"ledger/{name}")
    if call.emulator.settings.journal is not None:
        raise NOT_SUPPORTED(
            what="an import into a server that shares its journals (use qldb-emulator import --journal)"
        )
    if call.emulator.ledgers.find(call.region, name) is not None:
        raise LEDGER_EXISTS(name=name)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What of a file is read, and what it is compared with."""

    digest: SavedDigest | None
    strand: str | None
    export: str | None


def _chosen(call: Call) -> _Chosen:
    """Raises ADMIN_REQUEST."""
    strand, export = (call.text(name) if name in call.members else None for name in ("strand", "export"))
    return _Chosen(_digest(call), strand, export)


def _source(call: Call, default: str) -> str:
    """What the report says about where the journal is from."""
    return call.text("source", default)[:_SOURCE_CHARACTERS]


def _flag(call: Call, name: str) -> bool:
    """Raises ADMIN_REQUEST."""
    value = call.members.get(name, False)
    if not isinstance(value, bool):
        raise ADMIN_REQUEST(text=f"{name} must be true or false")
    return value


def verify_answer(call: Call) -> Members:
    """Answer ``POST /verify``: a saved answer of GetRevision or GetBlock with its proof, and a digest."""
    try:
        saved = read_answer(json.dumps({k: call.members[k] for k in call.members if k != "digest"}).encode())
        digest = _digest(call)
        if digest is None or saved.proof is None:
            raise InputError("a receipt has a Revision or a Block, a Proof and a digest")
    except (InputError, TypeError) as error:
        raise ADMIN_REQUEST(text=str(error)) from error
    check = verify_revision if saved.kind == "revision" else verify_block
    report = check(saved.value, saved.proof, digest.digest, digest.tip)
    return {"verdict": "holds" if report.ok else "broken", "findings": [str(each) for each in report.findings]}


def shown(report: JournalReport) -> Members:
    """Return a report for a page: its verdict in words, its facts, the errors, and what is not proved."""
    return {
        "verdict": report.verdict,
        "text": VERDICTS[report.verdict],
        "facts": [{"name": name, "value": value} for name, value in facts(report)],
        "findings": [str(each) for each in report.findings[:FINDINGS_SHOWN]],
        "findingsTotal": report.verification.findings_total,
        "notProved": list(report.limits),
        "notes": list(report.notes),
    }


def _whole(report: JournalReport) -> Members:
    """Return a report for a terminal and for programs, as the command ``import`` prints it."""
    return {"summary": summary(report), "details": report.as_dict()}


def _digest(call: Call) -> SavedDigest | None:
    """Return the digest of the body: base64, hexadecimal, or GetDigest's answer.  Raises ADMIN_REQUEST."""
    given: Any = call.members.get("digest")
    if given is None or given == "":
        return None
    try:
        return read_digest(json.dumps(given) if isinstance(given, dict) else str(given))
    except (InputError, TypeError) as error:
        raise ADMIN_REQUEST(text=str(error)) from error


class _ClientIsGone(Exception):
    """The client closed the connection: the work ends, and its outcome goes nowhere."""


@dataclass(slots=True)
class _Told:
    """What a thread that works tells the one that answers, and the other way round."""

    done: threading.Event
    read: int = 0
    outcome: Members | None = None
    is_client_gone: bool = False


def _working(
    upload: Upload, chosen: _Chosen, work: Callable[[Container, Journal, Progress], Members]
) -> Iterator[bytes]:
    """Yield progress while work runs in a thread of its own, then its outcome."""
    told = _Told(threading.Event())
    thread = threading.Thread(target=_run, args=(upload, chosen, work, told), name="qldb-emulator-upload", daemon=True)
    thread.start()
    try:
        while not told.done.wait(0.25):
            yield _line({"progress": min(99, told.read * 100 // max(1, upload.size)), "bytes": told.read})
    finally:
        told.is_client_gone = not told.done.is_set()
        thread.join()
    if told.outcome is not None:
        yield _line(told.outcome)


def _run(upload: Upload, chosen: _Chosen, work: Callable[[Container, Journal, Progress], Members], told: _Told) -> None:
    def progress(count: int) -> None:
        told.read += count
        if told.is_client_gone:
            raise _ClientIsGone

    try:
        container = open_container(str(upload.path))
        try:
            journal = choose_journal(container, chosen.strand, chosen.export)
            told.outcome = {"report": work(container, journal, progress)}
        finally:
            container.close()
    except _ClientIsGone:
        logger.info("A client left while its upload was read; nothing was imported")
    except SourceError as error:
        text = str(error).replace(f"file {upload.path}", "the file").replace(str(upload.path), "the file")
        told.outcome = {"error": {"__type": "SourceError", "Message": text}}
    except QldbError as error:
        told.outcome = {"error": {"__type": error.shape, "Message": error.message}}
    except Exception:
        logger.exception("an upload could not be worked on")
        told.outcome = {"error": {"__type": "InternalFailure", "Message": "The server failed; its log says how."}}
    finally:
        told.done.set()


def _line(members: Members) -> bytes:
    return json.dumps(members).encode() + b"\n"
