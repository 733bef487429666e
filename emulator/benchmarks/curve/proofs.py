"""Verification: digests and proofs."""

from __future__ import annotations

from ..alternate import Case
from ..cases import block_proof, digest, revision_proof
from .ledgers import Curve, Filled
from .operation import Operation


def any_digest(curve: Curve, of: Filled) -> Case:
    return digest(curve.emulator, of.name)


def any_block(curve: Curve, of: Filled) -> Case:
    strand_id = curve.ledger(of).strand_id
    return block_proof(curve.emulator, of.name, strand_id, lambda: curve.random.randrange(of.blocks))


def any_revision(curve: Curve, of: Filled) -> Case:
    return revision_proof(curve.emulator, of.name, lambda: curve.random.randrange(of.documents))


OPERATIONS = (
    Operation("digest", "GetDigest", "read", any_digest, 2.0, source="design 10; measurements.md G9"),
    Operation(
        "block-proof",
        "GetBlock with proof, any block",
        "read",
        any_block,
        2.0,
        source="design 10; measurements.md G10",
    ),
    Operation(
        "revision-proof",
        "GetRevision with proof, any document",
        "read",
        any_revision,
        2.0,
        source="design 10; measurements.md G10",
    ),
)
