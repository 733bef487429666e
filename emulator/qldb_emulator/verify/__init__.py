"""Verification: every hash of a journal or a receipt is computed again from its bytes, never by the code that writes.

A journal goes in (a directory, a zip, a file, S3; or the blocks of a ledger); a report comes out: the verdict, every
finding, what could not be proved and why.  A journal can be cut into segments that are verified anywhere and merged.
Open ``checks.py`` first: what must hold in a block.  Then ``chain.py`` (a run of blocks), ``verdict.py`` (merging),
``audit.py`` (the report).
"""

from __future__ import annotations

from .audit import CHECKS, Audit, DigestCheck, JournalReport, Verdict
from .chain import JournalVerifier
from .checks import Counts, Finding, check_block
from .containers import Container, SourceError, open_container
from .exports import verify_container, verify_export, verify_source
from .inputs import InputError, SavedAnswer, SavedDigest, read_answer, read_digest, read_proof, read_tip
from .parallel import available_cores, process_pool
from .receipts import ReceiptReport, verify_block, verify_receipt, verify_revision
from .segments import Piece, Segment, Source, plan, verify_segment
from .sources import Journal, choose_journal, journals, read_values
from .verdict import MergeError, SegmentVerdict, VerificationReport, finish, merge

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
    "MergeError",
    "Piece",
    "ReceiptReport",
    "SavedAnswer",
    "SavedDigest",
    "Segment",
    "SegmentVerdict",
    "Source",
    "SourceError",
    "Verdict",
    "VerificationReport",
    "available_cores",
    "check_block",
    "choose_journal",
    "finish",
    "journals",
    "merge",
    "open_container",
    "plan",
    "process_pool",
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
    "verify_segment",
    "verify_source",
]
