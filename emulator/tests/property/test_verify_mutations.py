"""Nothing in a journal of ours can be altered without a finding: every field of every block, one at a time."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.alterations import alterations
from helpers.journals import Nodes, chain, changed, sample, service_sample, statement
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.ion.codec import dumps, loads
from qldb_emulator.ion.values import Timestamp
from qldb_emulator.journal import merkle, proofs
from qldb_emulator.journal.block import NewRevision, TransactionResult
from qldb_emulator.journal.parse import block_from_ion
from qldb_emulator.verify.chain import JournalVerifier
from qldb_emulator.verify.receipts import verify_block, verify_revision

# --- Ours ----------------------------------------------------------------------------------------------------

OURS = [block.to_ion() for block in sample()]
SERVICE = [block.to_ion() for block in service_sample()]


def is_clean(values: list[Any]) -> bool:
    verifier = JournalVerifier()
    return not any(verifier.add_value(value) for value in values)


def undetected(journal: list[Any], number: int) -> list[str]:
    """Return the alterations of one block after which the journal is still found clean."""
    before, after = journal[:number], journal[number + 1 : number + 2]  # what follows the next block is not affected
    return [what for what, altered in alterations(journal[number]) if is_clean([*before, altered, *after])]


def test_the_unaltered_journals_are_clean():
    assert is_clean(OURS)
    assert is_clean(SERVICE)


def test_the_alterations_reach_every_part():
    places = {what for block in OURS for what, _ in alterations(block)}
    for part in (
        "block.blockAddress.sequenceNo one more",
        "block.entriesHashList[3] bit of byte 31",
        "block.transactionInfo.statements[1].startTime later",
        "block.transactionInfo.documents.doc1.statements[0] one more",
        "block.revisions[0].dataHash shorter",
        "block.revisions[1].data.b as decimal",
        "block.revisions[2].metadata.txTime finer",
        "block.revisions[1] exchanged with [0]",
        "block.redactionInfo.revisions[0].version one more",
    ):
        assert part in places


@pytest.mark.parametrize("number", range(len(OURS)))
def test_every_alteration_of_a_block_of_ours_is_found(number):
    assert undetected(OURS, number) == []


@pytest.mark.parametrize("number", range(len(OURS)))
def test_every_alteration_of_a_last_block_of_ours_is_found(number):
    """With no block after it: what only the next link would show must show by itself."""
    journal = OURS[: number + 1]
    assert [what for what, altered in alterations(journal[-1]) if is_clean([*journal[:-1], altered])] == []


@pytest.mark.parametrize("number", range(1, len(OURS)))
def test_every_alteration_is_found_in_a_journal_that_begins_with_the_block(number):
    assert [what for what, altered in alterations(OURS[number]) if is_clean([altered])] == []


# --- The service's -------------------------------------------------------------------------------------------

# What cannot be proved outside of the service's blocks, its formulas for two entries being unknown; parts may be
# absent in its blocks, a deletion's hash has no known form, and dot commutes.
UNPROVABLE = (
    "block.blockTimestamp ",
    "block.transactionId ",
    "block.transactionInfo dropped",
    "block.redactionInfo dropped",
    "block.revisions dropped",
    ".data dropped",
    ".dataHash dropped",
    " exchanged with [0]",
    " exchanged with [2]",
)
DELETION = (4, "block.revisions[1].metadata.")  # the one in the sample


@pytest.mark.parametrize("number", range(len(SERVICE)))
def test_an_alteration_of_a_service_block_is_found_unless_it_is_known_to_be_unprovable(number):
    unprovable = (*UNPROVABLE, DELETION[1]) if number == DELETION[0] else UNPROVABLE
    found_clean = undetected(SERVICE, number)
    assert [what for what in found_clean if not any(part in what for part in unprovable)] == []


# --- Any journal -----------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-1000, max_value=1000),
    st.floats(allow_nan=False),
    st.integers(0, 2**40).map(Timestamp.from_epoch_ms),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
DATA = st.none() | st.dictionaries(NAMES, VALUES, max_size=3)
STATEMENTS = st.lists(st.sampled_from(["SELECT * FROM t", "INSERT INTO t ?", "DELETE FROM t WHERE a = ?"]), max_size=3)


@st.composite
def journals(draw: st.DrawFn) -> list[TransactionResult]:
    """Transactions that change up to four documents over and over, make tables, or only read."""
    versions: dict[str, int] = {}
    results = []
    for number in range(draw(st.integers(0, 6))):
        revisions = []
        for document_id in sorted(draw(st.sets(st.sampled_from("wxyz"), max_size=4))):
            versions[document_id] = versions.get(document_id, -1) + 1
            revisions.append(NewRevision(document_id, versions[document_id], draw(DATA)))
        results.append(
            TransactionResult(
                f"tx{number}",
                [statement(text, 1_000 * number, *([number] if "?" in text else [])) for text in draw(STATEMENTS)],
                changed(*(revision.document_id for revision in revisions)),
                revisions,
                draw(st.lists(st.binary(min_size=32, max_size=32), max_size=2)),
            )
        )
    return results


@settings(max_examples=40, deadline=None)
@given(journals(), st.data())
def test_any_journal_is_clean_provable_and_shows_any_alteration(results, data):
    blocks = chain(results)
    values = [loads(dumps(block.to_ion())) for block in blocks]
    assert [block_from_ion(value) for value in values] == blocks

    verifier = JournalVerifier(versions={})
    for value in values:
        assert verifier.add_value(value) == []
    digest = verifier.report().digest
    nodes = Nodes(blocks)
    tip = blocks[-1].address
    assert digest == merkle.digest(len(blocks), nodes.read)

    block = data.draw(st.sampled_from(blocks))
    number = block.address.sequence_no
    assert verify_block(values[number], proofs.block_proof(number, tip.sequence_no, nodes.read), digest, tip).ok
    for revision in block.revisions or ():
        if "metadata" in revision:
            proof = proofs.revision_proof(block, revision["metadata"]["id"], tip.sequence_no, nodes.read)
            assert verify_revision(revision, proof, digest, tip).ok

    what, altered = data.draw(st.sampled_from(list(alterations(values[number]))))
    assert not is_clean([*values[:number], altered, *values[number + 1 :]]), what
