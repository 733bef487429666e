"""Proof lists: what GetBlock and GetRevision return together with the block or revision.

Source: recorded, eight receipts (journal.md 4.3).  A block proof is the path from ``blockHash`` to the digest.  A
revision proof is, in this order::

    siblings in the tree of the block's revisions
    siblings of that tree's root in the tree of entriesHashList
    previousBlockHash
    the block proof

Folding ``dot`` over the list, from the revision's (block's) hash, gives the digest.
"""

from __future__ import annotations

from .merkle import Read, path, proof, root
from .model import Block


class RevisionNotInBlockError(LookupError):
    """The block has no revision of the document."""


class BlockNotProvableError(ValueError):
    """The root over the block's revisions is not among its entries: the block is damaged."""


def block_proof(sequence_no: int, tip_sequence_no: int, read: Read) -> list[bytes]:
    """Return the proof of a block under the digest at a tip.  *read* returns the stored Merkle nodes.

    Requires 0 <= sequence_no <= tip_sequence_no; raises ProofRangeError.
    """
    return proof(sequence_no, tip_sequence_no + 1, read)


def revision_proof(block: Block, document_id: str, tip_sequence_no: int, read: Read) -> list[bytes]:
    """Return the proof of a document's revision in *block* under the digest at a tip.

    Raises RevisionNotInBlockError, BlockNotProvableError, ProofRangeError.
    """
    in_block = path_in_block(block, revision_position(block, document_id))
    return in_block + block_proof(block.address.sequence_no, tip_sequence_no, read)


def revision_position(block: Block, document_id: str) -> int:
    """Return the position of the document's revision in the block's ``revisions``.  Raises RevisionNotInBlockError."""
    for position, revision in enumerate(block.revisions or ()):
        metadata = revision.get("metadata")
        if metadata is not None and metadata["id"] == document_id:
            return position
    raise RevisionNotInBlockError(f"block {block.address.sequence_no} has no revision of document {document_id}")


def path_in_block(block: Block, position: int) -> list[bytes]:
    """Return the part of a revision's proof that leads to the block's hash.  Raises BlockNotProvableError."""
    hashes = [revision["hash"] for revision in block.revisions or ()]
    entries = block.entries_hash_list
    revisions_root = root(hashes)
    if revisions_root not in entries:
        number = block.address.sequence_no
        raise BlockNotProvableError(f"block {number}: the root of its revisions is not in entriesHashList")
    # Found by value: position 1 in every complete captured block, but verifiers only require that it is in the list.
    siblings = path(hashes, position) + path(entries, entries.index(revisions_root))
    if block.previous_block_hash:  # empty for the first block of a journal; dot ignores an empty side
        siblings.append(block.previous_block_hash)
    return siblings
