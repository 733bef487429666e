"""A ledger's journal, read from a server with GetDigest and GetBlock, as every server of QLDB's API has them.

One request a block is slow beside reading the file, about 1,000 blocks a second on one machine.  In exchange no
admin interface is needed, and the keys in the environment sign the requests.
"""

from __future__ import annotations

import base64
import tempfile
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..driver.http import HttpTransport
from ..errors import QldbError
from ..ion.codec import dumps, loads
from ..journal.model import BlockAddress
from ..storage.rows import Tip
from .failure import Failure
from .options import Unreadable, progress


class FetchedJournal:
    """Every block up to a digest's tip, in a temporary file.  In memory are a place and a time for each block."""

    def __init__(self, ledger: str, url: str, digest: bytes, tip: BlockAddress) -> None:
        self.description = f"ledger {ledger} at {url}"
        self.digest = digest
        self.tip_address = tip
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._places = [0]
        self._times: list[int] = []
        self._last_hash = b""

    def append(self, block: Any) -> None:
        """Keep the next block.  Raises Failure for what is not a block."""
        try:
            time, block_hash = block["blockTimestamp"].epoch_ms(), bytes(block["blockHash"])
        except (KeyError, TypeError, AttributeError) as error:
            raise Failure(f"{self.description}: GetBlock answered with something that is not a block") from error
        data = dumps(block)
        self._file.write(data)
        self._places.append(self._places[-1] + len(data))
        self._times.append(time)
        self._last_hash = block_hash

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()

    def tip(self) -> Tip | None:
        """The last block."""
        return Tip(len(self._times) - 1, self._last_hash, self._times[-1]) if self._times else None

    @property
    def begins_ms(self) -> int:
        """The time of the first block."""
        return self._times[0] if self._times else 0

    def meta(self, key: str, default: Any = None) -> Any:
        """The strand's id.  A server says nothing of what else a ledger's file knows."""
        return self.tip_address.strand_id if key == "strand_id" else default

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[tuple[int, bytes]]:
        """(sequence number, Ion binary) of the blocks first..last, both included; last None: to the tip."""
        stop = len(self._times) if last is None else min(last + 1, len(self._times))
        for number in range(first, stop):
            self._file.seek(self._places[number])
            yield number, self._file.read(self._places[number + 1] - self._places[number])

    def last_block_before(self, timestamp_ms: int) -> int | None:
        """The newest block with a timestamp below the given one; None if there is none."""
        number = bisect_left(self._times, timestamp_ms) - 1
        return None if number < 0 else number

    def block_seqs_between(self, start_ms: int, end_ms: int) -> tuple[int, int] | None:
        """First and last block with start_ms <= timestamp < end_ms; None if there is none."""
        first, last = bisect_left(self._times, start_ms), self.last_block_before(end_ms)
        return None if last is None or first > last else (first, last)


class ServerBlocks:
    """The blocks of a ledger as a server has them now, one request for each: for a reader that goes on."""

    def __init__(self, server: HttpTransport, ledger: str) -> None:
        self.description = f"ledger {ledger} at {server.url}"
        self._server = server
        self._ledger = ledger

    @property
    def strand_id(self) -> str:
        """The strand's id.  Raises Unreadable, UnreachableError, as all methods do."""
        return self.digest()[1].strand_id

    def digest(self) -> tuple[bytes, BlockAddress]:
        """The digest of now, and its tip."""
        answer = self._call("GetDigest")
        address: Any = loads(answer["DigestTipAddress"]["IonText"])
        return base64.b64decode(answer["Digest"]), BlockAddress(str(address["strandId"]), int(address["sequenceNo"]))

    def first(self) -> int:
        """The number of the first block."""
        return 0

    def values(self, start: int, count: int) -> Iterator[Any]:
        """Up to count blocks from a number on."""
        tip = self.digest()[1]
        for number in range(start, min(start + count - 1, tip.sequence_no) + 1):
            yield self.block(tip.strand_id, number)

    def block(self, strand_id: str, number: int) -> Any:
        """One block as an Ion value."""
        place = f'{{strandId:"{strand_id}",sequenceNo:{number}}}'
        return loads(self._call("GetBlock", BlockAddress={"IonText": place})["Block"]["IonText"])

    def block_hash(self, number: int) -> bytes | None:
        """The hash of a block; None if there is no such block."""
        found = next(self.values(number, 1), None)
        return None if found is None else bytes(found["blockHash"])

    def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        """What the server refuses cannot be read: the same exit code as for a file."""
        try:
            return self._server.call(operation, {"Name": self._ledger, **members})
        except QldbError as error:
            raise Unreadable(error.message) from error


def fetch_journal(server: HttpTransport, ledger: str) -> FetchedJournal:
    """Every block of a ledger, up to the digest of now.  Raises Unreadable, UnreachableError, Failure."""
    blocks = ServerBlocks(server, ledger)
    digest, tip = blocks.digest()
    journal = FetchedJournal(ledger, server.url, digest, tip)
    try:
        with progress(tip.sequence_no + 1, "Fetching") as done:
            for number in range(tip.sequence_no + 1):
                journal.append(blocks.block(tip.strand_id, number))
                done(1)
    except BaseException:
        journal.close()
        raise
    return journal


@contextmanager
def fetched_export(server: HttpTransport, ledger: str) -> Iterator[tuple[Path, FetchedJournal]]:
    """A ledger's journal as an export in a temporary directory.  Raises Unreadable, UnreachableError, Failure."""
    from .export import FOREVER_MS, export_ledger

    with closing(fetch_journal(server, ledger)) as fetched, tempfile.TemporaryDirectory() as folder:
        directory = Path(folder, "journal")
        export_ledger(fetched, ledger, directory, "ION_BINARY", "", (0, FOREVER_MS))
        yield directory, fetched
