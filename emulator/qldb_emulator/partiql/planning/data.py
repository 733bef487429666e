"""What a compiled statement reads, and what a DML statement asks to be written.

The engine's transaction implements :class:`Data`; tests implement it over dicts.  Nothing here runs.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple, Protocol

from ...ion.values import IonValue, Timestamp
from ...records import dataclass
from .catalogue import IndexInfo, TableInfo

View = Literal["user", "committed"]
ChangeKind = Literal["insert", "update", "delete"]


class Row(NamedTuple):
    """One document as a view shows it.

    value: the document itself in the user view; ``{blockAddress, hash, data, metadata}`` in the committed view and in
    a history.  Values are shared with caches: never change one in place.
    """

    document_id: str
    value: IonValue


class RawDocument(NamedTuple):
    """A stored document that is not decoded, used instead of a value: its self-contained Ion binary."""

    ion: bytes


class RawRevision(Protocol):
    """A revision of the committed view or of a history whose document is not decoded, used instead of a value."""

    def fields(self) -> dict[str, IonValue]:
        """Its fields except ``data``."""
        ...

    def ion(self) -> bytes:
        """All of it, as self-contained Ion binary."""
        ...


CertainMatch = Callable[[bytes], bool]
"""Whether a condition is certainly true for a stored document, given its binary.  False when only decoding can tell."""

Batches = Iterator[tuple[int, list[Row]]]
"""(how many rows were read, those of them that may match), one after the other, in the order of the rows."""

BATCH_ROWS = 256


class JoinedDocuments:
    """Documents in one piece, so that a text is searched in all of them at once.

    joined: their octets, one document after the other.  ends: where each ends.
    """

    __slots__ = ("ends", "joined")

    def __init__(self, documents: Sequence[bytes]) -> None:
        self.joined = b"".join(documents)
        self.ends = array("I", accumulate(map(len, documents)))

    def __len__(self) -> int:
        return len(self.ends)

    def document(self, position: int) -> bytes:
        """Return the document at a position."""
        return self.joined[self.ends[position - 1] if position else 0 : self.ends[position]]

    def split(self) -> list[bytes]:
        """Return the documents, each by itself."""
        joined, ends = self.joined, self.ends
        return [joined[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class Prefilter(Protocol):
    """Leaves out rows for which a condition is certainly not true (``execution.prefilter``)."""

    def batches(self, rows: Iterator[Row]) -> Batches:
        """Decoded rows, BATCH_ROWS at a time."""
        ...

    def positions(self, documents: Sequence[bytes] | JoinedDocuments) -> Sequence[int]:
        """Which of these documents (each self-contained Ion binary as our own writer makes it) may match."""
        ...


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table seen through a view."""

    view: View
    table: TableInfo


@dataclass(frozen=True, slots=True)
class Change:
    """What a DML statement does to one document.

    document_id: None for an insert (the engine makes the id).  value: the whole new document; None for a delete.
    writes: how many write operations the statement did on it: one per SET assignment, INSERT INTO or REMOVE; 1 for an
    insert or a delete (recorded: captured stream records, ``documents.<id>.statements``).
    rows: how many rows of the result are about it: one per SET item, else 1 (sample: the Node tutorial's own test of an
    UPDATE with two SET items; localstack #7433).
    """

    kind: ChangeKind
    table: TableInfo
    document_id: str | None
    value: IonValue | None
    writes: int = 1
    rows: int = 1


class Data(Protocol):
    """The state a statement sees: the transaction's snapshot and its own writes.

    Every method that reads marks what it reads when it is *called*, not when the first row is pulled: that mark is the
    transaction's read set.  The caller adds 1 to ``read_ios`` for every row it takes, at every level of a nested loop
    (recorded: a six-way join of three rows costs 1092 read IOs).
    """

    read_ios: int

    @property
    def transaction_id(self) -> str:
        """What ``TXID()`` gives."""
        ...

    def utc_now(self) -> Timestamp:
        """What ``UTCNOW()`` gives: UTC, milliseconds, the same throughout a statement."""
        ...

    def scan(self, source: TableSource, is_raw: bool = False) -> Iterator[Row]:
        """Every row of a table.  is_raw: in the committed view, a value may be a ``RawRevision``."""
        ...

    def prefiltered_scan(self, source: TableSource, prefilter: Prefilter) -> Batches:
        """Every row of a table in the user view, without those that a prefilter leaves out; BATCH_ROWS at a time.

        The caller adds all rows that were read to ``read_ios``.
        """
        ...

    def seek(
        self, source: TableSource, index: IndexInfo, values: Sequence[IonValue], certain: CertainMatch | None = None
    ) -> Iterator[Row]:
        """Rows whose indexed field may equal any of the values, each row once (the caller tests again).

        certain: a stored document that it accepts may give a row with a ``RawDocument`` as its value, which needs no
        further test.  In the committed view that is the whole revision.
        """
        ...

    def fetch(
        self,
        source: TableSource,
        document_ids: Sequence[IonValue],
        certain: CertainMatch | None = None,
        is_raw: bool = False,
    ) -> Iterator[Row]:
        """Rows of the documents with these ids, each once.  Values that are not ids are ignored.

        certain: as for ``seek``, in the user view.  is_raw: as for ``scan``.
        """
        ...

    def history(
        self,
        table: TableInfo,
        start: Timestamp | None,
        end: Timestamp | None,
        document_ids: Sequence[IonValue] | None,
        is_raw: bool = False,
    ) -> Iterator[Row]:
        """Revisions active in ``start <= time <= end`` (None: unbounded; end None with a start: now).

        document_ids: None for every document, else only these.  is_raw: a value may be a ``RawRevision``.
        """
        ...

    def catalogue_rows(self) -> Iterator[IonValue]:
        """The rows of ``information_schema.user_tables``."""
        ...
