"""``qldb-emulator import --url``: an archive, sent to a running server in pieces, which verifies and imports it.

A zip or a file is sent as it is.  A directory or what is in S3 is packed into a temporary zip first, with the files
of the chosen journal only.  Neither is ever in memory as a whole.  After a lost connection the upload goes on where it
was.
"""

from __future__ import annotations

import base64
import contextlib
import json
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..driver.http import HttpTransport, UnreachableError
from ..errors import QldbError
from ..journal.exports import STARTED
from . import options
from .failure import Failure
from .options import Unreadable

if TYPE_CHECKING:
    from ..verify import Container, Journal, SavedDigest

Members = dict[str, Any]
RETRY_SECONDS = (0.5, 1, 2, 5, 10)  # after a lost connection; then the command gives up
_COPIED_BYTES = 1024 * 1024


def import_into_server(
    server: HttpTransport,
    source: str,
    container: Container,
    journal: Journal,
    saved: SavedDigest | None,
    name: str,
    export_id: str | None,
    is_writable: bool,
    even_if_broken: bool,
) -> Members:
    """Import a journal into a server; return its report, whose ``ledger`` is None when nothing was imported.

    However this ends, the server keeps no copy of the upload.  Raises QldbError, UnreachableError, Failure.
    """
    started = server.interface("POST", "/uploads", json.dumps({"name": name}).encode())
    path = f"/uploads/{started['uploadId']}"
    try:
        with _archive(source, container, journal) as file:
            _send(server, path, file, int(started["pieceBytes"]))
        members = {
            "name": name,
            "writable": is_writable,
            "evenIfBroken": even_if_broken,
            "strand": journal.strand_id,
            "source": f"{container.description}, uploaded",
            **({} if export_id is None else {"export": export_id}),
            **({} if saved is None else {"digest": _digest(saved)}),
        }
        return _imported(server, f"{path}/import", members, journal, name)
    finally:
        with contextlib.suppress(QldbError, UnreachableError):  # the command's own error is the one to show
            server.interface("DELETE", path)


@contextlib.contextmanager
def _archive(source: str, container: Container, journal: Journal) -> Iterator[IO[bytes]]:
    """The file to send.  Raises Unreadable."""
    from ..verify.containers import DamagedError, SourceError

    path = Path(source)
    try:
        if path.is_file():
            with path.open("rb") as file:
                yield file
            return
        with tempfile.TemporaryFile() as packed:
            wanted = {part.name for part in journal.parts} | {each.name for each in journal.manifests}
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for item in container.items():
                    if item.name in wanted or item.name.endswith(STARTED):
                        _pack(container, item.name, archive)
            yield packed
    except (SourceError, DamagedError) as error:
        raise Unreadable(str(error)) from error
    except OSError as error:
        if isinstance(error, UnreachableError):
            raise
        raise Unreadable(f"{source} cannot be sent: {error.strerror or error}") from error


def _pack(container: Container, name: str, archive: zipfile.ZipFile) -> None:
    with container.open(name) as stream, archive.open(name, "w", force_zip64=True) as target:
        while data := stream.read(_COPIED_BYTES):
            target.write(data)


def _send(server: HttpTransport, path: str, file: IO[bytes], piece_bytes: int) -> None:
    """Send a file piece by piece.  Raises QldbError, UnreachableError, Unreadable."""
    size = file.seek(0, 2)
    place = failures = 0
    with options.progress(size, "Sending") as done:
        while place < size:
            file.seek(place)
            piece = file.read(piece_bytes)
            if not piece:
                raise Unreadable("The archive became shorter while it was sent")
            try:
                arrived = _arrived(server, path, place, piece)
                failures = 0
            except UnreachableError:
                if failures == len(RETRY_SECONDS):
                    raise
                time.sleep(RETRY_SECONDS[failures])
                failures += 1
                continue
            done(arrived - place)
            place = arrived


def _arrived(server: HttpTransport, path: str, place: int, piece: bytes) -> int:
    """Send a piece; how many bytes the server has then.

    A piece whose answer was lost has arrived, and the server refuses it a second time.
    """
    try:
        answer = server.interface("PUT", f"{path}?offset={place}", piece, "application/octet-stream")
    except QldbError:
        answer = server.interface("GET", path)
        if int(answer["bytes"]) <= place:
            raise
    return int(answer["bytes"])


def _imported(server: HttpTransport, path: str, members: Members, journal: Journal, name: str) -> Members:
    """Let the server import what was sent.  Raises QldbError, UnreachableError, Failure."""
    read = 0
    try:
        with options.progress(journal.size, "Importing") as done:
            for line in server.interface_lines("POST", path, json.dumps(members).encode()):
                if "error" in line:
                    raise Failure(str(line["error"].get("Message")))
                if "report" in line:
                    report: Members = line["report"]
                    return report
                told = int(line.get("bytes", 0))
                done(told - read)
                read = told
    except UnreachableError as error:
        raise UnreachableError(
            f"{error}. The server then imports nothing; to be sure: ledgers describe {name}"
        ) from error
    raise UnreachableError(f"{server.url} ended its answer without a report")


def _digest(saved: SavedDigest) -> Any:
    """A digest in the form of GetDigest's answer; without a tip as base64."""
    text = base64.b64encode(saved.digest).decode()
    if saved.tip is None:
        return text
    address = f'{{strandId:"{saved.tip.strand_id}",sequenceNo:{saved.tip.sequence_no}}}'
    return {"Digest": text, "DigestTipAddress": {"IonText": address}}
