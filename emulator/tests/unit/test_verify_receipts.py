"""A receipt holds, or a finding says what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.journals import STRAND, Nodes, sample

from qldb_emulator.ion.values import Annotated, Clob
from qldb_emulator.journal import merkle, proofs
from qldb_emulator.journal.model import BlockAddress
from qldb_emulator.verify.receipts import (
    ProofFormatError,
    proof_from_ion,
    verify_block,
    verify_receipt,
    verify_revision,
)

BLOCKS = sample()
NODES = Nodes(BLOCKS)
TIP = BlockAddress(STRAND, 6)
DIGEST = merkle.digest(7, NODES.read)


def revision(number: int, document_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (BLOCKS[number].revisions or ())[proofs.revision_position(BLOCKS[number], document_id)]
    return found


def proof(number: int, document_id: str) -> list[bytes]:
    return proofs.revision_proof(BLOCKS[number], document_id, 6, NODES.read)


REVISIONS = [
    pytest.param(2, "doc1", id="redacted"),
    pytest.param(3, "doc2", id="first of three"),
    pytest.param(3, "doc4", id="last of three"),
    pytest.param(4, "doc1", id="second version"),
    pytest.param(4, "doc2", id="deletion"),
]


@pytest.mark.parametrize(("number", "document_id"), REVISIONS)
def test_a_revision_is_proved(number, document_id):
    item = revision(number, document_id)
    assert verify_revision(item, proof(number, document_id), DIGEST, TIP).findings == ()
    assert verify_receipt(item["hash"], proof(number, document_id), DIGEST).ok


@pytest.mark.parametrize("number", range(7))
def test_a_block_is_proved(number):
    path = proofs.block_proof(number, 6, NODES.read)
    assert verify_block(BLOCKS[number].to_ion(), path, DIGEST, TIP).findings == ()


def test_a_journal_of_one_block_is_its_own_digest():
    assert verify_block(BLOCKS[0].to_ion(), [], BLOCKS[0].block_hash, BLOCKS[0].address).ok


@pytest.mark.parametrize(("number", "document_id"), REVISIONS)
def test_every_altered_element_of_a_proof_is_refused(number, document_id):
    item, path = revision(number, document_id), proof(number, document_id)
    for position, element in enumerate(path):
        for byte in (0, 15, 31):
            bad = bytes(b ^ 1 if i == byte else b for i, b in enumerate(element))
            assert not verify_revision(item, [*path[:position], bad, *path[position + 1 :]], DIGEST)
        assert not verify_revision(item, path[:position] + path[position + 1 :], DIGEST), "dropped"
        assert not verify_revision(item, [*path[:position], element, *path[position:]], DIGEST), "doubled"
        for length in (0, 31, 33):
            short = (element * 2)[:length]
            report = verify_revision(item, [*path[:position], short, *path[position + 1 :]], DIGEST)
            assert [(f.check, f.detail) for f in report.findings] == [("format", f"proof[{position}]")]
    assert not verify_revision(item, [*path, b""], DIGEST), "an empty element is neutral to dot, not to us"
    assert not verify_revision(item, path, bytes(32))


def test_every_altered_field_of_a_revision_is_refused():
    item, path = revision(4, "doc1"), proof(4, "doc1")
    metadata = item["metadata"]
    for altered in (
        {**item, "data": {"a": 3}},
        {**item, "data": {"a": "2"}},
        {**item, "metadata": {**metadata, "version": 2}},
        {**item, "metadata": {**metadata, "id": "doc9"}},
        {**item, "metadata": {**metadata, "txId": "tx"}},
        {**item, "hash": bytes(32)},
        {name: value for name, value in item.items() if name != "data"},
        {name: value for name, value in item.items() if name != "metadata"},
        {"hash": item["hash"]},
    ):
        assert not verify_revision(altered, path, DIGEST, TIP)


@pytest.mark.parametrize(
    ("tip", "check"),
    [
        pytest.param(BlockAddress("other", 6), "strand", id="another strand"),
        pytest.param(BlockAddress(STRAND, 2), "sequence", id="a tip before the block"),
        pytest.param(BlockAddress(STRAND, 600), "length", id="a tip with a longer path"),
    ],
)
def test_a_proof_must_fit_the_addresses(tip, check):
    report = verify_revision(revision(4, "doc1"), proof(4, "doc1"), DIGEST, tip)
    assert [finding.check for finding in report.findings] == [check]
    report = verify_block(BLOCKS[4].to_ion(), proofs.block_proof(4, 6, NODES.read), DIGEST, tip)
    assert [finding.check for finding in report.findings] == [check]


def test_the_left_neighbour_of_an_odd_block_is_its_previous_block():
    path = proof(3, "doc2")
    position = len(path) - merkle.proof_length(3, 7) - 1
    assert path[position] == path[position + 1] == BLOCKS[2].block_hash
    path[position] = bytes(32)
    checks = [finding.check for finding in verify_revision(revision(3, "doc2"), path, DIGEST, TIP).findings]
    assert checks == ["link", "digest"]


def test_other_structs_than_blocks_and_revisions_are_findings():
    assert [finding.check for finding in verify_revision([], [], DIGEST).findings] == ["format"]
    assert [finding.check for finding in verify_block({}, [], DIGEST).findings] == ["format"]


def test_an_unsound_block_is_refused_even_if_its_hash_is_proved():
    struct = BLOCKS[4].to_ion()
    struct["transactionId"] = "another"
    report = verify_block(struct, proofs.block_proof(4, 6, NODES.read), DIGEST, TIP)
    assert {finding.check for finding in report.findings} == {"transaction", "header"}


def test_a_proof_is_read_from_its_ion_list():
    assert proof_from_ion([b"x" * 32]) == [b"x" * 32]
    for value in (None, b"x", [1], [Clob(b"x" * 32)], Annotated(["a"], [])):
        with pytest.raises(ProofFormatError, match="a proof is a list of blobs"):
            proof_from_ion(value)
