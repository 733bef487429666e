"""Verification of a journal block by block: each finding says what is wrong, and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from helpers.journals import STRAND, as_service, chain, changed, sample, service_sample, statement, time

from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import Timestamp
from qldb_emulator.journal import hashing, merkle
from qldb_emulator.journal.block import NewRevision, TransactionResult, build_block
from qldb_emulator.journal.model import Block, BlockAddress
from qldb_emulator.verify import verdict as verdict_module
from qldb_emulator.verify.chain import JournalVerifier, VerificationReport
from qldb_emulator.verify.checks import Counts, check_block, is_own

SAMPLE = sample()
SERVICE = service_sample()


def verified(blocks: list[Block], **options: Any) -> VerificationReport:
    verifier = JournalVerifier(**options)
    for block in blocks:
        verifier.add(block)
    return verifier.report()


def sealed(block: Block, **parts: Any) -> Block:
    """Return the block with other parts, and the entries list and hashes made to fit, as a forger would."""
    block = replace(block, **parts)
    entries_hash = merkle.root(block.entries_hash_list)
    return replace(
        block, entries_hash=entries_hash, block_hash=hashing.block_hash(entries_hash, block.previous_block_hash)
    )


def test_a_journal_of_ours_is_clean_and_counted():
    report = verified(SAMPLE, tips={0, 3, 99}, versions={})
    assert report.findings == ()
    assert report.ok
    assert report.profile == "emulator"
    assert report.own_from == 0
    assert (report.first, report.last) == (BlockAddress(STRAND, 0), BlockAddress(STRAND, 6))
    assert report.counts == Counts(
        blocks=7,
        entries=26,
        revisions=4,
        deletions=1,
        deletions_unproven=0,
        redacted=1,
        system_items=2,
        statements=8,
        digests_checked=6,
        digests_unknown=2,
    )
    assert report.redactions_recorded == 1
    leaves = [block.block_hash for block in SAMPLE]
    assert report.digest == merkle.root(leaves)
    assert report.digests == {0: leaves[0], 3: merkle.root(leaves[:4])}


def test_a_journal_of_the_service_is_clean_although_two_entries_are_opaque():
    report = verified(SERVICE)
    assert (report.findings, report.profile, report.own_from) == ((), "service", None)


def test_a_journal_taken_over_from_the_service_goes_on_with_blocks_of_ours():
    tip = SERVICE[-1]
    result = TransactionResult("tx-next", [statement("SELECT 1", 7_000)])
    ours = build_block((tip.address, tip.block_hash), STRAND, result, time(8_000))
    report = verified([*SERVICE, ours])
    assert (report.findings, report.profile, report.own_from) == ((), "service, then emulator", 7)


def test_blocks_said_to_be_ours_must_have_our_entries():
    report = verified(SERVICE, own_from=0)
    assert {finding.check for finding in report.findings} == {"header", "statements"}
    assert report.findings_total == 2 * len(SERVICE)


def test_a_journal_may_begin_in_its_middle_and_says_that_it_has_no_digest():
    report = verified(SAMPLE[3:], tips={4}, versions={})
    assert report.ok
    assert (report.first, report.own_from) == (BlockAddress(STRAND, 3), 3)
    assert report.digest is None
    assert report.digests == {}
    assert report.digest_problem == "the journal begins at block 3: the digest covers all blocks from 0"


def test_an_empty_journal_has_no_findings_and_no_digest():
    report = verified([])
    assert report.ok
    assert (report.counts.blocks, report.profile, report.digest) == (0, "empty", None)
    assert report.digest_problem == "no block was read"


def test_a_report_is_a_snapshot_and_plain_for_json():
    verifier = JournalVerifier()
    verifier.add(SAMPLE[0])
    report = verifier.report()
    verifier.add(SAMPLE[1])
    assert report.counts.blocks == 1
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["ok"] is True
    assert plain["last"] == {"strand_id": STRAND, "sequence_no": 0}
    assert len(plain["digest"]) == 44


def test_only_the_first_findings_are_kept_but_all_are_counted(monkeypatch):
    monkeypatch.setattr(verdict_module, "FINDINGS_KEPT", 3)
    report = verified(SERVICE, own_from=0)
    assert (len(report.findings), report.findings_total) == (3, 14)


# --- Links -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", range(1, 6))
def test_a_block_left_out_shows(missing):
    report = verified([block for block in SAMPLE if block is not SAMPLE[missing]])
    assert [finding.check for finding in report.findings] == ["sequence", "link"]
    assert report.digest is None
    assert report.digest_problem == f"block {missing} is not in its place"


def test_blocks_exchanged_show():
    assert not verified([*SAMPLE[:2], SAMPLE[3], SAMPLE[2], *SAMPLE[4:]]).ok


def test_a_block_told_twice_shows():
    assert not verified([*SAMPLE[:3], *SAMPLE[2:]]).ok


def test_a_block_of_another_strand_shows():
    other = build_block((SAMPLE[0].address, SAMPLE[0].block_hash), "other", TransactionResult("t"), time(900))
    findings = check_block(other, SAMPLE[0])
    assert [(finding.check, finding.expected, finding.found) for finding in findings] == [("strand", STRAND, "other")]


def test_a_forged_block_that_is_sound_within_breaks_the_link_after_it():
    executed = [statement("INSERT INTO Cars VALUE {'a':9}", 1_990)]
    result = TransactionResult("tx-insert", executed, changed("doc1"), [NewRevision("doc1", 0, {"a": 9})])
    forged = build_block((SAMPLE[1].address, SAMPLE[1].block_hash), STRAND, result, time(2_000))
    findings = verified([*SAMPLE[:2], forged, *SAMPLE[3:]]).findings
    assert [(finding.check, finding.address) for finding in findings] == [("link", BlockAddress(STRAND, 3))]


def test_a_value_that_is_not_a_block_is_a_finding_and_the_rest_is_still_checked():
    verifier = JournalVerifier()
    verifier.add_value(SAMPLE[0].to_ion())
    broken = SAMPLE[1].to_ion()
    del broken["entriesHash"]
    assert [str(finding) for finding in verifier.add_value(broken)] == [
        "block 1: format (entriesHash): expected a block, found is missing"
    ]
    assert [finding.check for finding in verifier.add_value(SAMPLE[2].to_ion())] == ["sequence", "link"]
    assert [str(finding) for finding in verifier.add_value(7)] == [
        "block at an unknown address: format (block): expected a block, found must be a struct, not a int"
    ]
    assert verifier.add_value(SAMPLE[3].to_ion()) == []
    report = verifier.report()
    assert (report.findings_total, report.digest) == (4, None)
    assert "entriesHash is missing" in str(report.digest_problem)


# --- Inside a block ----------------------------------------------------------------------------------------


def edited(block: Block, edit: Callable[[list[dict[str, Any]]], None]) -> Block:
    revisions = [dict(revision) for revision in block.revisions or ()]
    edit(revisions)
    return replace(block, revisions=tuple(revisions))


def test_altered_data_shows_in_the_revision():
    block = edited(SAMPLE[3], lambda revisions: revisions[1].update(data={"b": 7}))
    for own in (block, as_service(block, block.previous_block_hash)):
        assert [(finding.check, finding.detail) for finding in check_block(own)] == [("revision", "revisions[1]")]


def test_data_that_was_taken_away_shows_in_ours_and_is_counted_in_the_services():
    block = edited(SAMPLE[3], lambda revisions: revisions[1].pop("data"))
    (finding,) = check_block(block)
    assert (finding.check, finding.detail) == ("revision", "revisions[1], deletion")
    verifier = JournalVerifier()
    assert verifier.add(as_service(block, b"")) == []
    assert verifier.report().counts.deletions_unproven == 1


@pytest.mark.parametrize("form", ["metadata alone", "metadata and hash of nothing", "metadata and null"])
def test_a_deletion_of_the_service_may_have_any_of_the_forms_that_were_guessed(form):
    def edit(revisions: list[dict[str, Any]]) -> None:
        revisions[1]["hash"] = hashing.deletion_candidates(revisions[1]["metadata"])[form]

    block = edited(SAMPLE[4], edit)
    entries = list(block.entries_hash_list)
    entries[1] = merkle.root([revision["hash"] for revision in block.revisions or ()])
    verifier = JournalVerifier()
    assert verifier.add(as_service(replace(block, entries_hash_list=tuple(entries)), b"")) == []
    assert verifier.report().counts.deletions_unproven == 0


def test_two_revisions_exchanged_show_although_dot_commutes():
    block = SAMPLE[4]
    swapped = replace(block, revisions=tuple(reversed(block.revisions or ())))
    assert [finding.check for finding in check_block(swapped)] == ["order"]


def test_a_revision_hidden_behind_its_hash_shows_in_ours():
    block = SAMPLE[3]
    first, *others = block.revisions or ()
    hidden = replace(block, revisions=({"hash": first["hash"]}, *others))
    assert [(finding.check, finding.expected, finding.found) for finding in check_block(hidden)] == [
        ("documents", "doc2, doc3, doc4", "doc3, doc4")
    ]


def test_an_own_block_without_transaction_info_shows():
    findings = check_block(replace(SAMPLE[1], transaction_info=None))
    assert [finding.check for finding in findings] == ["info", "layout"]


def test_a_service_block_without_transaction_info_is_as_expected():
    block = SERVICE[0]
    bare = sealed(block, transaction_info=None, entries_hash_list=block.entries_hash_list[:1])
    assert check_block(bare) == []


def test_an_empty_list_of_revisions_shows_as_it_does_to_the_java_verifier():
    assert [finding.check for finding in check_block(replace(SAMPLE[5], revisions=()))] == ["layout"]
    findings = check_block(replace(SERVICE[5], revisions=()))
    assert [(finding.check, finding.expected) for finding in findings] == [
        ("revisions", "an empty hash in entriesHashList")
    ]


def test_a_first_block_of_ours_has_nothing_before_it():
    first = sealed(SAMPLE[0], previous_block_hash=b"\x01" * 32)
    assert [finding.check for finding in check_block(first)] == ["link"]
    assert check_block(as_service(first, b"\x01" * 32)) == []


def with_times(start: Timestamp, tx: list[Timestamp], commit: Timestamp) -> Block:
    """Block 3 with other times and everything else made to fit."""
    block = SAMPLE[3]
    revisions = [dict(revision) for revision in block.revisions or ()]
    for revision, tx_time in zip(revisions, tx, strict=True):
        revision["metadata"] = {**revision["metadata"], "txTime": tx_time}
        revision["hash"] = hashing.revision_hash(revision["metadata"], revision["data"])
    info = dict(block.transaction_info or {})
    info["statements"] = [{**executed, "startTime": start} for executed in info["statements"]]
    entries = [
        hashing.header_hash(block.address, block.transaction_id, commit),
        merkle.root([revision["hash"] for revision in revisions]),
        block.entries_hash_list[2],
        hash_value(info),
    ]
    return sealed(
        block, timestamp=commit, revisions=tuple(revisions), transaction_info=info, entries_hash_list=tuple(entries)
    )


@pytest.mark.parametrize(
    ("start", "tx", "commit", "expected"),
    [
        pytest.param(time(1), [time(2)] * 3, time(3), None, id="in order"),
        pytest.param(time(1), [time(1)] * 3, time(1), None, id="all at once"),
        pytest.param(time(3), [time(2)] * 3, time(3), "startTime <= txTime <= blockTimestamp", id="start after tx"),
        pytest.param(time(1), [time(4)] * 3, time(3), "startTime <= txTime <= blockTimestamp", id="tx after commit"),
        pytest.param(time(1), [time(2), time(3), time(2)], time(3), "one txTime", id="two txTimes"),
        pytest.param(time(1), [time(2)] * 3, Timestamp("day", 2030, 1, 1), "milliseconds in UTC", id="day"),
    ],
)
def test_the_times_of_a_block_of_ours_are_in_order(start, tx, commit, expected):
    findings = check_block(with_times(start, tx, commit))
    assert [(finding.check, finding.expected) for finding in findings] == ([("times", expected)] if expected else [])


def test_a_wrong_digest_of_a_statement_without_parameters_shows():
    executed = statement("SELECT 1", 900)
    block = chain([TransactionResult("t", [replace(executed, digest=hash_value("SELECT 2"))])])[1]
    assert [finding.check for finding in check_block(block)] == ["statement"]


# --- Versions ----------------------------------------------------------------------------------------------


def versions_of(*versions: int) -> list[Block]:
    return chain(
        TransactionResult(f"t{n}", [statement("x", 0)], changed("d"), [NewRevision("d", version, {"n": n})])
        for n, version in enumerate(versions)
    )


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        pytest.param([0, 1, 2], [], id="dense"),
        pytest.param([1], [("0", "1")], id="first is not 0"),
        pytest.param([0, 2], [("1", "2")], id="gap"),
        pytest.param([0, 0], [("1", "0")], id="repeated"),
    ],
)
def test_versions_count_up_by_one(versions, found):
    report = verified(versions_of(*versions), versions={})
    assert [(f.expected, f.found) for f in report.findings if f.check == "version"] == found
    assert verified(versions_of(*versions)).ok, "not checked unless asked for"


def test_versions_may_begin_anywhere_when_the_journal_does():
    table: dict[str, int] = {}
    assert verified(versions_of(0, 1, 2)[2:], versions=table).ok
    assert table == {"d": 2}


# --- Whose block -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(7))
def test_blocks_are_told_apart(number):
    assert is_own(SAMPLE[number])
    assert not is_own(SERVICE[number])


def test_a_block_without_entries_has_no_known_writer():
    assert not is_own(replace(SAMPLE[0], entries_hash_list=()))


@pytest.mark.parametrize("number", range(7))
def test_a_block_of_ours_is_known_as_such_even_with_another_time(number):
    altered = replace(SAMPLE[number], timestamp=time(123))
    assert is_own(altered)
    assert "header" in {finding.check for finding in check_block(altered)}
