"""Verification of journals, exports and receipts; also a library::

    from qldb_emulator.verify import read_digest, verify_export

    report = verify_export("export.zip", read_digest("FzPQN...="))
    assert report.verdict == "whole", report.findings

Nothing here uses the code that writes ledgers.
"""

from __future__ import annotations

from collections.abc import Callable

from .audit import CHECKS, Audit, DigestCheck, JournalReport, Verdict
from .chain import JournalVerifier, VerificationReport
from .checks import Counts, Finding, check_block
from .containers import Container, SourceError, open_container
from .inputs import InputError, SavedAnswer, SavedDigest, read_answer, read_digest, read_proof, read_tip
from .receipts import ReceiptReport, verify_block, verify_receipt, verify_revision
from .sources import Journal, journals, read_values

__all__ = [
    "CHECKS",
    "Audit",
    "Container",
    "Counts",
    "DigestCheck",
    "Finding",
    "InputError",
    "Journal",
    "JournalReport",
    "JournalVerifier",
    "ReceiptReport",
    "SavedAnswer",
    "SavedDigest",
    "SourceError",
    "Verdict",
    "VerificationReport",
    "check_block",
    "choose_journal",
    "journals",
    "open_container",
    "read_answer",
    "read_digest",
    "read_proof",
    "read_tip",
    "read_values",
    "verify_block",
    "verify_container",
    "verify_export",
    "verify_receipt",
    "verify_revision",
]


def verify_export(
    target: str,
    digest: SavedDigest | None = None,
    strand_id: str | None = None,
    export_id: str | None = None,
    region: str | None = None,
    s3_endpoint: str | None = None,
) -> JournalReport:
    """Verify an export: a directory, a zip, a file, or ``s3://bucket/prefix``.

    strand_id, export_id: which, when there are several.  Raises SourceError when it cannot be read.
    """
    container = open_container(target, region, s3_endpoint)
    try:
        return verify_container(container, choose_journal(container, strand_id, export_id), digest)
    finally:
        container.close()


def verify_container(
    container: Container,
    journal: Journal,
    digest: SavedDigest | None = None,
    progress: Callable[[int], None] | None = None,
) -> JournalReport:
    """Verify one journal of an open container.  progress: is told of bytes as they are read.  Raises SourceError."""
    audit = Audit(container.description, journal, digest)
    for _ in audit.blocks(read_values(container, journal, progress)):
        pass
    return audit.report()


def choose_journal(container: Container, strand_id: str | None = None, export_id: str | None = None) -> Journal:
    """The one journal of a container, or the one of a strand.  Raises SourceError."""
    found = journals(container, export_id)
    if strand_id is not None and strand_id not in found:
        raise SourceError(f"{container.description} has no strand {strand_id}; it has {', '.join(found)}")
    if strand_id is None and len(found) > 1:
        raise SourceError(
            f"{container.description} has the journals of {len(found)} ledgers; choose one with --strand: "
            f"{', '.join(found)}"
        )
    return found[strand_id] if strand_id is not None else next(iter(found.values()))
