"""Verification: every hash of a journal or a receipt again from its bytes, never by the code that writes blocks.

In: a directory, a zip, a file, an S3 prefix or the blocks of a ledger; a receipt; a digest that was kept.
Out: a report: the verdict, every finding, what could not be proved and why; signed and stamped if it is wanted.
A journal can be cut into segments, which are verified anywhere; ``verdict`` merges what they come to.
Open ``checks`` first: what must hold in a block.
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
from .sources import Journal, choose_journal, journals, read_blocks, read_values
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
    "read_blocks",
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
