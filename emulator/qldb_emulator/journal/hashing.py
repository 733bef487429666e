"""The formula of every hash of the journal.

``h(v)`` is the Ion Hash of a value with SHA-256, ``a . b`` the dot operator.  All hashes have 32 bytes.

====================  ==============================================  ==========================================
hash                  formula                                         source
====================  ==============================================  ==========================================
revision              h(metadata) . h(data)                           recorded: 20 revisions, 2019 to 2024
revision, redacted    h(metadata) . dataHash                          documented: working.redaction
revision, deleted     h(metadata) . SHA256("")                        sample: the only form that the Java verifier takes
statement             h(text) . h(parameter 1) . h(parameter 2) ...   recorded without parameters, else inferred
commit digest         h(transaction id) . statement 1 . 2 ...         driver test: five drivers agree
entries               Merkle root over entriesHashList                recorded
block                 entries . previous block hash                   recorded
header (entry 0)      h({blockAddress, transactionId,                 ours, see below
                      blockTimestamp})
statements (entry 2)  Merkle root over the statement digests,         ours, see below
                      SHA256("") over none
====================  ==============================================  ==========================================

**Header and statements.**  In the service's blocks these two entries are internals that cannot be recomputed outside
(journal.md 1.4), so an emulator may put any 32 bytes there.  Ours are chosen so that a block's hash covers every byte
of its header: nothing else covers ``blockTimestamp`` and ``transactionId``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from ..ion.hash import hash_value
from ..ion.values import IonValue, Timestamp
from . import struct_hashes
from .dot import dot as dot
from .merkle import root
from .model import BlockAddress, Struct

HASH_BYTES = 32
HASH_OF_NOTHING = sha256(b"").digest()


def revision_hash(metadata: Struct, data: IonValue) -> bytes:
    """Return the hash of a revision with data."""
    return dot(struct_hashes.metadata_hash(metadata), hash_value(data))


def revision_hash_of(metadata: Struct, data_hash: bytes) -> bytes:
    """Return the hash of a revision whose data's hash is known: precomputed, or left by a redaction."""
    return dot(struct_hashes.metadata_hash(metadata), data_hash)


def deletion_hash(metadata: Struct) -> bytes:
    """Return the hash we write for the revision of a deletion."""
    return dot(struct_hashes.metadata_hash(metadata), HASH_OF_NOTHING)


def deletion_candidates(metadata: Struct) -> dict[str, bytes]:
    """Return form -> hash that a deletion may carry: no captured journal shows which form the service wrote."""
    metadata_hash = struct_hashes.metadata_hash(metadata)
    return {
        "metadata alone": metadata_hash,
        "metadata and hash of nothing": dot(metadata_hash, HASH_OF_NOTHING),
        "metadata and null": dot(metadata_hash, hash_value(None)),
    }


def statement_digest(text: str, parameter_hashes: Iterable[bytes] = (), text_hash: bytes | None = None) -> bytes:
    """Return the digest of an executed statement.

    parameter_hashes: the Ion Hash of each parameter, in order.  text_hash: ``h(text)`` if the caller keeps it.
    """
    result = struct_hashes.text_hash(text) if text_hash is None else text_hash
    for parameter_hash in parameter_hashes:
        result = dot(result, parameter_hash)
    return result


class CommitDigest:
    """The digest that client and server both accumulate over a transaction and compare at its commit."""

    __slots__ = ("_digest",)

    def __init__(self, transaction_id: str) -> None:
        self._digest = hash_value(transaction_id)

    def add(self, statement_digest: bytes) -> None:
        """Add a statement that was executed, even if it failed."""
        self._digest = dot(self._digest, statement_digest)

    @property
    def value(self) -> bytes:
        """The digest so far."""
        return self._digest


def header_hash(address: BlockAddress, transaction_id: str, timestamp: Timestamp) -> bytes:
    """Entry 0 of a block of ours."""
    return struct_hashes.header_hash(address.strand_id, address.sequence_no, transaction_id, timestamp)


def transaction_info_hash(info: Struct) -> bytes:
    """Return the entry of a block that covers its transactionInfo."""
    return struct_hashes.transaction_info_hash(info)


def statements_hash(statement_digests: Sequence[bytes]) -> bytes:
    """Return the entry of a block of ours that covers the statement digests."""
    return root(statement_digests) or HASH_OF_NOTHING


def block_hash(entries_hash: bytes, previous_block_hash: bytes) -> bytes:
    """Return the hash of a block; the previous hash is empty for the first block of a journal."""
    return dot(entries_hash, previous_block_hash)
