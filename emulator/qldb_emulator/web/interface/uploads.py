"""Uploaded files: kept for a while in a folder of the server, then verified or imported.

A file comes in pieces, each below the limit of a request's body, so an archive of gigabytes is never in memory.
"""

from __future__ import annotations

import json
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...context import Principal, is_same_principal
from ...engine.ledger.fold import ApplyError
from ...engine.workbench.imports import NotImported, Wanted, import_audited, is_ledger_name
from ...errors import ADMIN_NOT_FOUND, ADMIN_REQUEST, INVALID_PARAMETER, LEDGER_EXISTS, READ_ONLY, QldbError
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
from ...verify.report import VERDICTS, facts
from .call import Call, Lines, Members
from .values import NDJSON

if TYPE_CHECKING:
    from ...engine.emulator import Emulator

logger = logging.getLogger(__name__)

UPLOAD_BYTES = 8 * 1024**3
"""Total size of all files kept at once (ours: a full disk would stop the ledgers)."""

UPLOADS = 20
"""Files kept at once (ours); the oldest is deleted first."""

FINDINGS_SHOWN = 50

Progress = Callable[[int], None]


@dataclass(slots=True)
class Upload:
    """A file on its way.  owner: who began it, None without --auth.  size: bytes so far."""

    path: Path
    owner: Principal | None
    size: int = 0


class Uploads:
    """The files of one server.  Any thread may call."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def start(self, upload_id: str, owner: Principal | None) -> None:
        """A new, empty file."""
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="qldb-emulator-uploads-", ignore_cleanup_errors=True)
            while len(self._uploads) >= UPLOADS:
                self._remove(next(iter(self._uploads)))
            self._uploads[upload_id] = Upload(Path(self._folder.name) / upload_id, owner)

    def find(self, call: Call) -> Upload:
        """The file of the path.  Raises ADMIN_NOT_FOUND, also for a file of another user."""
        upload_id = call.path["upload"]
        found = self._uploads.get(upload_id)
        if found is None or not is_same_principal(found.owner, call.principal):
            raise ADMIN_NOT_FOUND(
                text=f"There is no upload {upload_id[:40]}: it was removed, or newer ones took its place"
            )
        return found

    def append(self, upload: Upload, offset: int, data: bytes) -> int:
        """Put a piece at the end; the size with it.  Raises ADMIN_REQUEST for another place, or too much."""
        with self._lock:
            if offset != upload.size:
                raise ADMIN_REQUEST(text=f"the upload has {upload.size} bytes, so the next piece begins there")
            if sum(each.size for each in self._uploads.values()) + len(data) > UPLOAD_BYTES:
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
    """Answer ``POST /uploads``."""
    upload_id = call.emulator.ids.new_request_id()
    uploads.start(upload_id, call.principal)
    return {"uploadId": upload_id, "pieceBytes": call.emulator.settings.limits.request_bytes // 2}


def add_piece(call: Call, uploads: Uploads) -> Members:
    """``PUT /uploads/{upload}?offset=``."""
    return {"bytes": uploads.append(uploads.find(call), call.number("offset", 0, 2**40), call.body())}


def remove_upload(call: Call, uploads: Uploads) -> Members:
    """``DELETE /uploads/{upload}``."""
    uploads.find(call)
    uploads.remove(call.path["upload"])
    return {"removed": True}


def verify_upload(call: Call, uploads: Uploads) -> Lines:
    """``POST /uploads/{upload}/verify``: lines of progress, then the report."""
    upload = uploads.find(call)
    digest = _digest(call)

    def work(container: Container, journal: Journal, progress: Progress) -> Members:
        audit = Audit("the file", journal, digest)
        for _ in audit.blocks(read_blocks(container, journal, progress)):
            pass
        return shown(audit.report())

    return Lines(_working(upload, work), NDJSON)


def import_upload(call: Call, uploads: Uploads) -> Lines:
    """``POST /uploads/{upload}/import``: lines of progress, then the report and the new ledger's name."""
    upload = uploads.find(call)
    digest, name, region = _digest(call), call.text("name"), call.region
    is_writable = bool(call.members.get("writable", False))
    if call.is_read_only:
        raise READ_ONLY()
    if not is_ledger_name(name):
        text = f"{name[:100]!r} cannot be a ledger's name: 1 to 32 letters, digits and single hyphens"
        raise INVALID_PARAMETER(text=text, parameter="name")
    call.check("CreateLedger", f"ledger/{name}")
    emulator: Emulator = call.emulator
    if emulator.ledgers.find(region, name) is not None:
        raise LEDGER_EXISTS(name=name)

    def work(container: Container, journal: Journal, progress: Progress) -> Members:
        audit = Audit("an uploaded file", journal, digest)
        values = audit.blocks(read_blocks(container, journal, progress))
        try:
            wanted = Wanted(name, journal.strand_id, emulator.clock.now_ms(), is_writable)
            report = import_audited(emulator.directory, region, wanted, audit, values)
        except NotImported as refused:
            return {**shown(refused.report), "ledger": None}
        except (ApplyError, StorageError) as error:
            raise ADMIN_REQUEST(text=f"The journal cannot become a ledger: {error}") from error
        return {**shown(report), "ledger": name}

    return Lines(_working(upload, work), NDJSON)


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


def _digest(call: Call) -> SavedDigest | None:
    """Return the digest of the body: base64, hexadecimal, or GetDigest's answer.  Raises ADMIN_REQUEST."""
    given: Any = call.members.get("digest")
    if given is None or given == "":
        return None
    try:
        return read_digest(json.dumps(given) if isinstance(given, dict) else str(given))
    except (InputError, TypeError) as error:
        raise ADMIN_REQUEST(text=str(error)) from error


def _working(upload: Upload, work: Callable[[Container, Journal, Progress], Members]) -> Iterator[bytes]:
    """Yield progress while work runs in a thread of its own, then its outcome."""
    done = threading.Event()
    told: dict[str, Any] = {"read": 0}
    thread = threading.Thread(target=_run, args=(upload, work, told, done), name="qldb-emulator-upload", daemon=True)
    thread.start()
    while not done.wait(0.25):
        yield _line({"progress": min(99, told["read"] * 100 // max(1, upload.size)), "bytes": told["read"]})
    thread.join()
    yield _line(told["outcome"])


def _run(
    upload: Upload,
    work: Callable[[Container, Journal, Progress], Members],
    told: dict[str, Any],
    done: threading.Event,
) -> None:
    def progress(count: int) -> None:
        told["read"] += count

    try:
        container = open_container(str(upload.path))
        try:
            told["outcome"] = {"report": work(container, choose_journal(container), progress)}
        finally:
            container.close()
    except SourceError as error:
        told["outcome"] = {
            "error": {"__type": "SourceError", "Message": str(error).replace(str(upload.path), "the file")}
        }
    except QldbError as error:
        told["outcome"] = {"error": {"__type": error.shape, "Message": error.message}}
    except Exception:
        logger.exception("an upload could not be worked on")
        told["outcome"] = {"error": {"__type": "InternalFailure", "Message": "The server failed; its log says how."}}
    finally:
        done.set()


def _line(members: Members) -> bytes:
    return json.dumps(members).encode() + b"\n"
