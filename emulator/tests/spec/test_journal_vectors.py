"""Hashes, blocks, proofs and digests captured from the service, against ours.

Each file's README row says what verifies and what does not: its authors edited some samples, and those must be refused.
"""

from __future__ import annotations

from typing import Any

import pytest
from helpers.support import SHARED, needs_shared

from qldb_emulator.ion.codec import load_all
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import Timestamp
from qldb_emulator.journal import hashing, merkle, proofs
from qldb_emulator.journal.parse import address_from_ion, block_from_ion
from qldb_emulator.verify.chain import JournalVerifier
from qldb_emulator.verify.checks import check_block, is_own
from qldb_emulator.verify.receipts import verify_block, verify_receipt, verify_revision

pytestmark = needs_shared


def vectors(name: str) -> list[dict[str, Any]]:
    """Return the structs of a file of vectors; none when the folder is not there (the tests are skipped then)."""
    path = SHARED / "vectors" / f"{name}.ion"
    return list(load_all(path.read_text(encoding="utf-8"))) if path.is_file() else []


CLI: dict[str, Any] = next(iter(vectors("cli_block100")), {})


def by_source(rows: list[dict[str, Any]], key: str = "source") -> Any:
    return [pytest.param(row, id=f"{number} {row.get(key, '')[:60]}") for number, row in enumerate(rows)]


# --- One block of a real ledger, with both proofs and the digest ----------------------------------------------


def test_the_real_block_has_no_findings_and_is_recognised_as_one_of_the_service():
    block = block_from_ion(CLI["block"])
    assert check_block(block) == []
    assert not is_own(block)
    assert block.to_ion() == CLI["block"]


def test_the_real_block_and_its_revision_are_proved_up_to_the_real_digest():
    tip = address_from_ion(CLI["digestTipAddress"])
    assert verify_block(CLI["block"], CLI["blockProof"], CLI["digest"], tip).findings == ()
    revision = CLI["block"]["revisions"][0]
    assert verify_revision(revision, CLI["revisionProof"], CLI["digest"], tip).findings == ()


def test_our_in_block_path_is_the_one_the_service_gave():
    block = block_from_ion(CLI["block"])
    tree = len(CLI["blockProof"])
    position = proofs.revision_position(block, "JUJgkIcNbhS2goq8RqLuZ4")
    assert proofs.path_in_block(block, position) == CLI["revisionProof"][:-tree]
    assert merkle.proof_length(100, 124) == tree


def test_a_journal_may_begin_at_the_real_block_but_has_no_digest_then():
    verifier = JournalVerifier(versions={})
    assert verifier.add_value(CLI["block"]) == []
    report = verifier.report()
    assert (report.ok, report.profile, report.digest) == (True, "service", None)
    assert report.digest_problem == "the journal begins at block 100: the digest covers all blocks from 0"
    assert (report.counts.statements, report.counts.digests_checked) == (1, 1)


# --- A block taken from stream records ------------------------------------------------------------------------


def streamed_block(details: dict[str, Any]) -> dict[str, Any]:
    summary = dict(vectors("stream_block3")[0]["payload"])
    del summary["revisionSummaries"]
    return {**summary, "revisions": [details["payload"]["revision"]]}


def test_the_streamed_block_has_no_findings():
    assert check_block(block_from_ion(streamed_block(vectors("stream_block3")[2]))) == []


def test_the_streamed_block_as_its_author_edited_it_shows_the_edit():
    findings = check_block(block_from_ion(streamed_block(vectors("stream_block3")[1])))
    assert [(finding.check, finding.detail) for finding in findings] == [("revision", "revisions[0]")]


# --- Receipts, revisions, statements, headers -----------------------------------------------------------------


@pytest.mark.parametrize("receipt", by_source(vectors("receipts"), "name"))
def test_receipts_verify_or_not_as_captured(receipt):
    report = verify_receipt(receipt["revisionHash"], receipt["proof"], receipt["digest"])
    assert report.ok is receipt["expectVerifies"]
    assert bool(report) is receipt["expectVerifies"]


@pytest.mark.parametrize("receipt", by_source(vectors("receipts"), "name"))
def test_receipts_have_the_shape_their_addresses_call_for(receipt):
    index = receipt["blockAddress"]["sequenceNo"]
    tree = merkle.proof_length(index, receipt["digestTipAddress"]["sequenceNo"] + 1)
    in_block = len(receipt["proof"]) - tree
    assert in_block in (3, 4)  # one revision, or two
    if index & 1:
        assert receipt["proof"][in_block - 1] == receipt["proof"][in_block]


def test_two_tips_of_one_ledger_share_their_inner_nodes():
    receipts = {row["name"]: row for row in vectors("receipts")}
    at_19, at_35, at_38 = (receipts[f"invoice-{name}"]["proof"] for name in ("19-at-19", "19-at-35", "30-at-38"))
    left_half = at_19[-1]  # node (4,0): the leaves 0 to 15
    assert at_19[:5] == at_35[:5]
    assert left_half in at_35
    assert left_half in at_38


@pytest.mark.parametrize("vector", by_source(vectors("revisions")))
def test_revision_hashes_agree_with_captured_ones(vector):
    revision = vector["revision"]
    computed = hashing.revision_hash(revision["metadata"], revision["data"])
    assert (computed == revision["hash"]) is vector["expectVerifies"]


@pytest.mark.parametrize("vector", by_source(vectors("proofs_without_digest")))
def test_revisions_whose_digest_was_not_published_hold_as_far_as_they_go(vector):
    revision, proof = vector["revision"], vector["proof"]
    assert hashing.revision_hash(revision["metadata"], revision["data"]) == revision["hash"]
    assert proof[2] == proof[3]


@pytest.mark.parametrize("vector", by_source(vectors("statement_digests"), "statement"))
def test_statement_digests_are_the_hash_of_the_text_only_without_parameters(vector):
    assert (hashing.statement_digest(vector["statement"]) == vector["statementDigest"]) is vector["plainIonHash"]
    assert ("?" not in vector["statement"]) is vector["plainIonHash"]


@pytest.mark.parametrize("vector", by_source(vectors("doc_block_headers")))
def test_block_headers_of_the_guide_hold_or_not_as_noted(vector):
    block_hash = hashing.block_hash(vector["entriesHash"], vector["previousBlockHash"])
    assert (block_hash == vector["blockHash"]) is vector["expectBlock"]
    assert (merkle.root(vector["entriesHashList"]) == vector["entriesHash"]) is vector["expectEntries"]
    if "revisionHashes" in vector:
        assert merkle.root(vector["revisionHashes"]) == vector["entriesHashList"][vector["revisionsRootIndex"]]


def test_dot_agrees_with_a_pair_of_real_entries():
    """The row taken from the captured block.

    The other row, the Rust driver's vector, was copied into the file with one character wrong (``...q93bXv...`` where
    that driver's source has the bytes of ``...q937Xv...``); the unit tests have it from the source.
    """
    row = vectors("dot")[1]
    assert hashing.dot(row["a"], row["b"]) == row["dot"]


# --- Computed with the drivers' and samples' published algorithms -----------------------------------------------


def computed(kind: str) -> list[dict[str, Any]]:
    return [row for row in vectors("computed") if row["kind"] == kind]


@pytest.mark.parametrize("vector", by_source(computed("commit_digest"), "transactionId"))
def test_commit_digests_agree_with_the_drivers_algorithm(vector):
    digest = hashing.CommitDigest(vector["transactionId"])
    assert digest.value == vector.get("afterTransactionId", digest.value)
    for statement in vector["statements"]:
        hashes = [hash_value(parameter) for parameter in statement["parameters"]]
        digest.add(hashing.statement_digest(statement["statement"], hashes))
    assert digest.value == vector["digest"]


def test_the_redacted_form_of_the_real_revision_keeps_its_hash():
    (vector,) = computed("redacted_revision")
    assert hashing.revision_hash_of(vector["metadata"], vector["dataHash"]) == vector["hash"]
    redacted = dict(CLI["block"])
    redacted["revisions"] = [{name: vector[name] for name in ("blockAddress", "hash", "dataHash", "metadata")}]
    assert check_block(block_from_ion(redacted)) == []


def test_the_hashes_a_deletion_may_have_agree():
    (vector,) = computed("deleted_revision")
    candidates = hashing.deletion_candidates(vector["metadata"])
    assert candidates == {
        "metadata alone": vector["metadataHash"],
        "metadata and hash of nothing": vector["withSha256OfNothing"],
        "metadata and null": vector["withIonNull"],
    }
    assert hashing.deletion_hash(vector["metadata"]) == vector["withSha256OfNothing"]


def test_a_captured_time_can_be_told_apart_by_precision():
    """The header entry of ours covers the time as written: one digit more is another hash."""
    block = block_from_ion(CLI["block"])
    finer = Timestamp.from_utc_seconds(block.timestamp.utc_seconds(), block.timestamp.fraction + "0")
    assert hashing.header_hash(block.address, block.transaction_id, finer) != hashing.header_hash(
        block.address, block.transaction_id, block.timestamp
    )
