"""Whether a block in its stored form passes every check of ``checks``, without saying which one it fails.

A block that is not known to be sound is decoded, and ``checks`` says what is wrong, or that nothing is.  So what stands
here can only save time: it must never call a block sound in which ``checks`` finds something.
"""

from __future__ import annotations

from typing import Literal

from ..journal import merkle
from ..journal.dot import dot
from ..journal.hashing import HASH_OF_NOTHING, statements_hash
from ..journal.stored import StoredBlock, StoredRevision, StoredStatement
from .checks import Counts, Inspection

Kind = Literal["own", "service"]
"""Whose block it is: of this emulator or of QLDB."""


def kind_of_sound(block: StoredBlock) -> Kind | None:
    """Return whose block it is if it passes every check that concerns it alone; None if that is not known."""
    entries = block.entries_hash_list
    revisions = block.revisions
    if (
        merkle.root(entries) != block.entries_hash
        or dot(block.entries_hash, block.previous_block_hash) != block.block_hash
        or not _parts_hold(block)
    ):
        return None
    of_statements = _hash_of_statements(block.statements)
    known: tuple[bytes, ...] = () if revisions is None else (_root_of_revisions(revisions),)
    if block.info_hash is not None and entries == (block.header_hash, *known, of_statements, block.info_hash):
        return "own" if _is_in_order(block) else None
    if block.header_hash in entries or of_statements in entries:
        return None
    if block.info_hash is not None:
        known = (*known, block.info_hash)
    # What the service's hash of a deletion was made of is not known: those are left to ``checks``.
    has_deletion = any(each.data_hash is None for each in revisions or ())
    return None if has_deletion or not set(entries).issuperset(known) else "service"


# Most blocks have one statement and one revision.  Then the root is that of a single leaf: the leaf itself.


def _hash_of_statements(statements: list[StoredStatement]) -> bytes:
    if len(statements) == 1:
        return statements[0].digest
    return statements_hash([each.digest for each in statements])


def _root_of_revisions(revisions: list[StoredRevision]) -> bytes:
    if len(revisions) == 1:
        return revisions[0].hash
    return merkle.root([each.hash for each in revisions])


def _parts_hold(block: StoredBlock) -> bool:
    """Whether the revisions and the statements have their hashes, the revisions the transaction, too."""
    for revision in block.revisions or ():
        data_hash = HASH_OF_NOTHING if revision.data_hash is None else revision.data_hash
        if dot(revision.metadata_hash, data_hash) != revision.hash or revision.transaction_id != block.transaction_id:
            return False
    for statement in block.statements:
        if statement.digest != statement.text_hash and b"?" not in statement.text:
            return False
    return True


def _is_in_order(block: StoredBlock) -> bool:
    """Whether a block of ours has its documents and its times in order."""
    revisions = block.revisions or []
    tx_time = revisions[0].time_ms if revisions else block.time_ms
    for statement in block.statements:
        if statement.start_ms > tx_time:
            return False
    ids = []
    for revision in revisions:
        if revision.time_ms != tx_time:
            return False
        ids.append(revision.document_id)
    return tx_time <= block.time_ms and ids == sorted(block.documents)


def inspection_of_sound(block: StoredBlock) -> Inspection:
    """Return what inspecting a sound block of the service leads to, for ``findings_if_own``."""
    look = Inspection(block.decoded(), False, Counts(), sections=[0, 0, 0, 0])
    if block.revisions is not None:
        look.known["revisions"] = _root_of_revisions(block.revisions)
    if block.info_hash is not None:
        look.known["info"] = block.info_hash
    return look


def add_counts(counts: Counts, block: StoredBlock, kind: Kind) -> None:
    """Count what is in a sound block, as ``checks`` would."""
    counts.blocks += 1
    counts.entries += len(block.entries_hash_list)
    for revision in block.revisions or ():
        if revision.has_data:
            counts.revisions += 1
        elif revision.data_hash is not None:
            counts.redacted += 1
        else:
            counts.deletions += 1
    for statement in block.statements:
        counts.statements += 1
        if statement.digest == statement.text_hash:
            counts.digests_checked += 1
        else:
            counts.digests_unknown += 1
