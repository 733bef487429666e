"""However a journal is cut, the merged verdicts of its segments are the verdict of one pass."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from typing import Any

import pytest
from helpers.alterations import alterations
from helpers.journals import STRAND, sample, service_sample, statement, time
from helpers.segments import merged
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.ion.codec import dump_all, dumps, dumps_text
from qldb_emulator.ion.json import to_json
from qldb_emulator.journal.block import TransactionResult, build_block
from qldb_emulator.journal.model import BlockAddress
from qldb_emulator.verify import (
    MergeError,
    SavedDigest,
    Segment,
    SegmentVerdict,
    choose_journal,
    merge,
    plan,
    verify_container,
    verify_segment,
)
from qldb_emulator.verify.audit import JournalReport, judge
from qldb_emulator.verify.containers import Memory


def taken_over() -> list[Any]:
    """A journal of the service that goes on with blocks of ours."""
    blocks = service_sample()
    for number in range(3):
        tip = blocks[-1]
        result = TransactionResult(f"tx-more-{number}", [statement("SELECT 1", 7_000 + number)])
        blocks.append(build_block((tip.address, tip.block_hash), STRAND, result, time(8_000 + number)))
    return [block.to_ion() for block in blocks]


OURS = [block.to_ion() for block in sample()]
SERVICE = [block.to_ion() for block in service_sample()]
JOURNALS = {"ours": OURS, "service": SERVICE, "taken over": taken_over()}
TIP = 4

Form = Callable[[list[Any]], bytes]
FORMS: dict[str, Form] = {
    "binary, a symbol table each": lambda values: b"".join(map(dumps, values)),
    "binary, one symbol table": dump_all,
    "JSON": lambda values: "".join(to_json(value) + "\n" for value in values).encode(),
    "text": lambda values: "\n".join(map(dumps_text, values)).encode(),
}


def name_of(values: list[Any]) -> str:
    numbers = [value["blockAddress"]["sequenceNo"] if isinstance(value, dict) else 0 for value in values]
    return f"{STRAND}.{numbers[0]}-{numbers[-1]}.ion"


def one_pass(container: Memory, digest: SavedDigest | None) -> JournalReport:
    return verify_container(container, choose_journal(container), digest)


def files_of(values: list[Any], cuts: list[int], form: Form) -> dict[str, bytes]:
    stops = [0, *sorted(set(cuts)), len(values)]
    parts = [values[one:other] for one, other in pairwise(stops) if one < other]
    return {f"{number:02}/{name_of(part)}": form(part) for number, part in enumerate(parts)}


def is_addressed(value: Any) -> bool:
    """Whether a file's name can be made of it."""
    address = value.get("blockAddress") if isinstance(value, dict) else None
    return isinstance(address, dict) and type(address.get("sequenceNo")) is int and address["sequenceNo"] >= 0


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_split_merges_to_the_verdict_of_one_pass(data):
    values = list(JOURNALS[data.draw(st.sampled_from(sorted(JOURNALS)))])
    if data.draw(st.booleans()):
        number = data.draw(st.integers(0, len(values) - 1))
        _, altered = data.draw(st.sampled_from(list(alterations(values[number]))))
        if is_addressed(altered):
            values[number] = altered
    if data.draw(st.booleans()):
        del values[data.draw(st.integers(0, len(values) - 1))]
    if data.draw(st.booleans()):
        values.insert(data.draw(st.integers(0, len(values))), values[data.draw(st.integers(0, len(values) - 1))])
    form = FORMS[data.draw(st.sampled_from(sorted(FORMS)))]
    container = Memory(files_of(values, data.draw(st.lists(st.integers(1, len(values)))), form))
    tip = SavedDigest(bytes(32), BlockAddress(STRAND, TIP))
    digest = data.draw(st.sampled_from([None, tip]))
    size = data.draw(st.sampled_from([1, 300, 1_000, 3_000]))
    expected = one_pass(container, digest)
    found = merged(container, digest, size, data.draw(st.randoms(use_true_random=False)))
    assert found.as_dict() == expected.as_dict()


@pytest.mark.parametrize("form", sorted(FORMS))
def test_one_large_file_is_cut_into_as_many_pieces_as_it_has_blocks(form):
    container = Memory({"journal.ion": FORMS[form](OURS)})
    segments = list(plan(container, choose_journal(container), 1))
    assert len(segments) == len(OURS)
    assert segments[-1].pieces[-1].stop is None


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_journal_is_whole_by_segments_and_has_the_digest_of_a_tip_inside_a_segment(form):
    container = Memory({"journal": FORMS[form](SERVICE)})
    journal = choose_journal(container)
    for size in (1, 1_500, 1 << 30):
        parts = [verify_segment(container, segment, [TIP]) for segment in plan(container, journal, size)]
        report = judge("memory", journal, reduce(merge, parts))
        assert report.findings == ()
        assert (
            report.verification.digests
            == one_pass(container, SavedDigest(b"", BlockAddress(STRAND, TIP))).verification.digests
        )


@pytest.mark.parametrize("number", range(len(OURS)))
def test_every_alteration_is_found_in_a_segment_of_its_own(number):
    """Where the split isolates the altered block, and where it is in the middle of a segment."""
    missed = []
    for what, altered in alterations(OURS[number]):
        if not is_addressed(altered):
            continue
        values = [*OURS[:number], altered, *OURS[number + 1 :]]
        container = Memory({name_of(OURS): dump_all(values)})
        for size in (1, 2_500):
            parts = [verify_segment(container, segment) for segment in plan(container, choose_journal(container), size)]
            if not judge("", choose_journal(container), reduce(merge, parts)).findings:
                missed.append(what)
    assert missed == []


def test_findings_are_capped_in_each_segment_and_counted_in_full(monkeypatch):
    from qldb_emulator.verify import verdict as module

    monkeypatch.setattr(module, "FINDINGS_KEPT", 3)
    broken = [{**value, "transactionId": value["transactionId"] + "x"} for value in OURS]
    container = Memory({"journal": dump_all(broken)})
    expected = one_pass(container, None)
    found = merged(container, None, 1, random.Random(1))
    assert (len(found.findings), found.verification.findings_total) == (3, expected.verification.findings_total)
    assert found.findings == expected.findings


def test_verdicts_in_the_wrong_order_are_refused_and_none_is_neutral():
    container = Memory({"journal": dump_all(OURS)})
    first, second, *_ = (verify_segment(container, part) for part in plan(container, choose_journal(container), 1))
    assert merge(SegmentVerdict(), first) == first == merge(first, SegmentVerdict())
    for one, other in ((second, first), (first, first)):
        with pytest.raises(MergeError):
            merge(one, other)


def test_a_damaged_stretch_of_a_large_file_is_a_finding_and_the_other_pieces_are_verified():
    pieces = [dumps(value) for value in OURS]
    pieces[2] = pieces[2][:40] + b"\xff" * 8 + pieces[2][48:]
    container = Memory({"journal": b"".join(pieces)})
    journal = choose_journal(container)
    verdict = reduce(merge, (verify_segment(container, part) for part in plan(container, journal, 1)))
    report = judge("", journal, verdict)
    assert "file" in {finding.check for finding in report.findings}
    assert report.verdict == "broken"
    assert isinstance(next(iter(plan(container, journal, 1))), Segment)
    assert replace(verdict, files=()) == verdict
