"""A block as ``read_stored`` finds it in its octets: its parts and their hashes, its documents undecoded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ..ids import ID_LENGTH
from ..ion.binary_reader import contents
from ..ion.codec import loads
from ..ion.symbols import MAX_DEPTH
from ..ion.values import IonValue, Timestamp
from .encode import encode_revision, metadata_of_octets, statement_of_octets, transaction_info_of_octets
from .hashing import HASH_BYTES
from .model import Block, BlockAddress, Struct
from .parse import block_from_ion


class StoredStatement:
    """A statement of a block.

    text: in UTF-8.  text_hash: the Ion Hash of the text.  start_ms: when it began, in milliseconds since the epoch.
    digest: as the block has it.
    """

    __slots__ = ("_text_head", "_time", "digest", "start_ms", "text", "text_hash")

    def __init__(
        self, text_head: bytes, text: bytes, text_hash: bytes, time: bytes, start_ms: int, digest: bytes
    ) -> None:
        """text_head: octets before the text, time: octets of start_ms."""
        self._text_head = text_head
        self._time = time
        self.text = text
        self.text_hash = text_hash
        self.start_ms = start_ms
        self.digest = digest

    def ion(self) -> bytes:
        """Return it as it stands in the binary of ``StoredBlock.transaction_info``."""
        return statement_of_octets(self._text_head, self.text, self._time, self.digest)

    def info(self, document_id: str, changed: bytes) -> bytes:
        """Return ``StoredBlock.transaction_info`` of a block with this statement alone, which changed one document.

        changed: ``ChangedTable.ion`` of it.
        """
        id_, time = document_id.encode(), self._time
        return _info_form(self._text_head, self.text, len(time), len(id_), changed) % (id_, time, self.digest)


_INFOS_KEPT = 256
_TEXT_KEPT = 1024  # the form of a longer one is made each time, so that the cache stays small


@lru_cache(_INFOS_KEPT)
def _info_form(text_head: bytes, text: bytes, time_octets: int, id_octets: int, changed: bytes) -> bytes:
    """Return transactionInfo of one statement and one document; ``%b`` for the document's id, the time, the digest.

    Most blocks have one of each, and programs send few texts.  The parameters: as of ``StoredStatement``, and lengths.
    """
    # The id is the first text in it.  The others are no texts, and what is round them has no octet of theirs twice.
    id_, time, digest = "\x7f" * id_octets, _NO_TEXT * time_octets, _NO_TEXT * HASH_BYTES
    whole = transaction_info_of_octets([statement_of_octets(text_head, text, time, digest)], [(id_, changed)])
    before, _, rest = whole.partition(id_.encode())
    to_time, _, rest = rest.partition(time)
    to_digest, _, rest = rest.partition(digest)
    return b"%b".join([part.replace(b"%", b"%%") for part in (before, to_time, to_digest, rest)])


_NO_TEXT = b"\xff"


class DocumentForm:
    """What documents have in common that differ in the contents of their scalars alone; one object for all of them.

    notes: of ``ion.hash.hash_noted_fields``.  texts: of their symbol ids.
    """

    __slots__ = ("notes", "texts")

    def __init__(self, notes: tuple[int, ...], texts: Sequence[str]) -> None:
        self.notes = notes
        self.texts = texts


Noted = tuple[DocumentForm, list[bytes]]
"""What a document is made of: its form, and the leaves of ``ion.hash.hash_noted_fields``."""


class StoredRevision:
    """A revision of a document.

    hash: as the block has it.
    document_id, version, time_ms, transaction_id: of its metadata; time_ms in milliseconds since the epoch.
    metadata_hash: the Ion Hash of its metadata.
    span: from where to where its data is in the binary of the block, type octet included; (0, 0) without data.
    opening: marker and symbol table that make the data self-contained, as our own writer writes both; None where only
    decoding the data and writing it leads there.
    whole: from where to where the revision itself is.  whole_opening: what makes it self-contained, as
    ``encode_revision`` writes it; None as for opening.
    data_hash: the Ion Hash of the data, computed; of a redacted revision, as the block has it; None for a deletion.
    noted: what the data is made of, if ``read_noted_block`` has read it and its form is one that may recur.
    """

    __slots__ = (
        *("_metadata", "data_hash", "document_id", "hash", "metadata_hash", "noted", "opening", "span", "time_ms"),
        *("transaction_id", "version", "whole", "whole_opening"),
    )

    def __init__(
        self,
        hash_: bytes,
        document_id: str,
        version: int,
        time_ms: int,
        transaction_id: str,
        metadata: tuple[bytes, ...],
        metadata_hash: bytes,
        span: tuple[int, int],
        opening: bytes | None,
        whole: tuple[int, int],
        whole_opening: bytes | None,
        data_hash: bytes | None,
    ) -> None:
        self.hash = hash_
        self.document_id = document_id
        self.version = version
        self.time_ms = time_ms
        self.transaction_id = transaction_id
        self._metadata = metadata
        self.metadata_hash = metadata_hash
        self.span = span
        self.opening = opening
        self.whole = whole
        self.whole_opening = whole_opening
        self.data_hash = data_hash
        self.noted: Noted | None = None

    @property
    def metadata(self) -> bytes:
        """Its metadata as self-contained Ion binary, as ``encode_metadata`` writes it."""
        return metadata_of_octets(self._metadata)

    @property
    def has_data(self) -> bool:
        """Whether its data is in the block: it is neither a deletion nor redacted."""
        return self.span[1] > 0


class ChangedTable:
    """What a block says about a document that it changed.

    ion: all of it, as it stands in the binary of ``StoredBlock.transaction_info``.
    """

    __slots__ = ("ion", "table_id", "table_name")

    def __init__(self, table_name: str, table_id: str, ion: bytes) -> None:
        self.table_name = table_name
        self.table_id = table_id
        self.ion = ion


class StoredBlock:
    """A block with the same parts as a ``Block``, as far as most readers need them; ``decoded`` gives the rest.

    ion: its self-contained binary.  time_ms: its time in milliseconds since the epoch.
    header_hash, info_hash: the Ion Hashes of header and transactionInfo, the latter None without one.
    statements, documents: of transactionInfo; documents by id.
    has_statements, has_documents: whether transactionInfo has these fields.
    symbols: the texts of its symbol ids.
    revisions: None if there is no such field.
    """

    __slots__ = (
        *("_decoded", "address", "block_hash", "documents", "entries_hash", "entries_hash_list", "header_hash"),
        *("has_documents", "has_statements", "info_hash", "ion", "previous_block_hash", "revisions", "statements"),
        *("symbols", "time_ms", "transaction_id"),
    )

    def __init__(
        self,
        ion: bytes,
        address: BlockAddress,
        transaction_id: str,
        time_ms: int,
        block_hash: bytes,
        entries_hash: bytes,
        previous_block_hash: bytes,
        entries_hash_list: tuple[bytes, ...],
        header_hash: bytes,
        symbols: Sequence[str],
    ) -> None:
        self.ion = ion
        self.address = address
        self.transaction_id = transaction_id
        self.time_ms = time_ms
        self.block_hash = block_hash
        self.entries_hash = entries_hash
        self.previous_block_hash = previous_block_hash
        self.entries_hash_list = entries_hash_list
        self.header_hash = header_hash
        self.symbols = symbols
        self.info_hash: bytes | None = None
        self.has_statements = self.has_documents = False
        self.statements: list[StoredStatement] = []
        self.documents: dict[str, ChangedTable] = {}
        self.revisions: list[StoredRevision] | None = None
        self._decoded: Block | None = None

    @property
    def timestamp(self) -> Timestamp:
        """Its time."""
        return Timestamp.from_epoch_ms(self.time_ms)

    def decoded(self) -> Block:
        """Return the same block with all of its values; decoded at the first call."""
        if self._decoded is None:
            self._decoded = block_from_ion(loads(self.ion))
        return self._decoded

    def data(self, revision: StoredRevision) -> bytes | None:
        """Return a revision's data as self-contained Ion binary; None when ``opening`` is None, or without data."""
        start, stop = revision.span
        return None if revision.opening is None or not stop else revision.opening + self.ion[start:stop]

    def data_value(self, revision: StoredRevision) -> IonValue:
        """Return a revision's data as a value; None without data."""
        start, stop = revision.span
        return contents(self.ion, start, stop, self.symbols, MAX_DEPTH, None)[0] if stop else None

    def revision(self, revision: StoredRevision) -> bytes:
        """Return a revision as self-contained Ion binary, as ``encode_revision`` writes it.

        The data of a block whose symbols are in another order than in ours is decoded and written again.
        """
        if revision.whole_opening is not None:
            start, stop = revision.whole
            return revision.whole_opening + self.ion[start:stop]
        value: Struct = {"blockAddress": self.address.to_ion(), "hash": revision.hash}
        if revision.has_data:
            value["data"] = self.data_value(revision)
        elif revision.data_hash is not None:
            value["dataHash"] = revision.data_hash
        value["metadata"] = loads(revision.metadata)
        return encode_revision(value)

    def transaction_info(self) -> bytes | None:
        """Return transactionInfo as ``encode_transaction_info`` writes it; None without one."""
        if self.info_hash is None:
            return None
        if len(self.statements) == 1 and len(self.documents) == 1:
            ((document_id, changed),) = self.documents.items()
            statement = self.statements[0]
            if len(document_id) == ID_LENGTH and len(statement.text) <= _TEXT_KEPT:  # no name has that length
                return statement.info(document_id, changed.ion)
        return transaction_info_of_octets(
            [each.ion() for each in self.statements] if self.has_statements else None,
            [(document_id, each.ion) for document_id, each in self.documents.items()] if self.has_documents else None,
        )
