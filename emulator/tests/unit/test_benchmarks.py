"""The benchmarks' table and arithmetic.  Figures are never tested: a timed test fails on a busy machine."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from benchmarks import scale
from benchmarks.alternate import alternate
from benchmarks.bench import Bench, BenchError, Tools
from benchmarks.families import FAMILIES, fixtures
from benchmarks.ratios import Spread, ratio, spread
from benchmarks.report import FamilyResult, Result, as_json, family_text
from benchmarks.rows import Family, Row, Samples, control
from benchmarks.runner import all_rows, run
from benchmarks.runner import measured as measured_row
from benchmarks.stub import Answers
from qldb_emulator.ion.codec import loads

ROWS = all_rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_says_what_it_compares_what_is_wanted_and_who_wants_it(row: Row) -> None:
    assert row.what
    assert row.against
    assert row.source
    assert 0 <= row.at_least < row.goal


def test_no_two_rows_have_one_name() -> None:
    assert [name for name, count in Counter(row.name for row in ROWS).items() if count > 1] == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_has_a_control_that_compares_a_thing_with_itself(family: Family) -> None:
    assert (family.control.at_least, family.control.goal) == (0.97, 1.03)
    assert family.rows


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([2.0], Spread(2.0, 2.0, 2.0)),
        ([3.0, 1.0, 2.0], Spread(2.0, 1.0, 3.0)),
        ([4.0, 1.0, 2.0, 3.0], Spread(2.5, 1.0, 4.0)),
    ],
    ids=["one", "odd", "even"],
)
def test_a_spread_is_the_median_and_the_ends(figures: list[float], expected: Spread) -> None:
    assert expected == spread(figures)


def test_a_ratio_is_taken_repetition_by_repetition() -> None:
    # The machine was half as fast in the second repetition, for both: the quotient of the means would say 1.33.
    assert Spread(1.25, 1.0, 1.5) == ratio([1.0, 3.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("left", "right", "text"),
    [
        ([1.0], [1.0, 2.0], "1 repetitions on the left, 2 on the right"),
        ([], [], "no figures"),
        ([1.0], [0.0], "no time at all"),
    ],
    ids=["lengths", "empty", "zero"],
)
def test_a_ratio_that_means_nothing_is_refused(left: list[float], right: list[float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ratio(left, right)


def test_cases_take_turns_and_the_means_belong_to_them() -> None:
    ran: list[str] = []

    def case(name: str, nanoseconds: float):
        def run_once() -> float:
            ran.append(name)
            return nanoseconds

        return run_once

    assert alternate([case("a", 5.0), case("b", 7.0)], 2, 10, Random(1)) == [(5.0, 5.0), (7.0, 7.0)]
    rounds = [tuple(ran[i : i + 2]) for i in range(0, len(ran), 2)]
    assert {("a", "b"), ("b", "a")} == set(rounds)
    assert len(rounds) == 2 * (10 + 1)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((1.0,), (0.98,), True),
        ((1.2,), (1.0,), False),
        ((1.0,), (0.9,), False),
        ((0.8, 1.0, 1.2), (1.0,), False),
    ],
    ids=["quiet", "busy before", "busy after", "restless"],
)
def test_a_table_says_whether_it_can_be_trusted(
    before: tuple[float, ...], after: tuple[float, ...], expected: bool
) -> None:
    family = FamilyResult("family", (measured(*before), measured(*after)), ())
    assert ("NOT TRUSTED" not in family_text(family)) == expected
    assert as_json({}, "tiny", [family])["families"][0]["trusted"] == expected


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [((1.0,), "met"), ((0.9, 1.0, 1.2), "met?"), ((1.2,), "MISSED"), ((1.0, 1.2, 1.4), "MISSED?")],
    ids=["met", "met, restless", "missed", "missed, restless"],
)
def test_a_verdict_says_when_it_is_in_doubt(ratios: tuple[float, ...], expected: str) -> None:
    assert measured(*ratios).verdict == expected


@pytest.mark.parametrize(("has_failed", "word"), [(True, "FAILED"), (False, "skipped")], ids=["failed", "skipped"])
def test_a_row_that_was_not_measured_says_why(has_failed: bool, word: str) -> None:
    row = measured(1.0).row
    family = FamilyResult("family", (Result(row, None, "no such server", has_failed),), ())
    assert f"{word}: no such server" in family_text(family)
    assert as_json({}, "tiny", [family])["families"][0]["rows"][0]["problem"] == "no such server"


def measured(*ratios: float) -> Result:
    samples = Samples(ratios, (1.0,) * len(ratios), "ms")
    return Result(control("control", "a thing", lambda bench: samples), samples)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ion-decode", "the environment of the libraries is not there"),
        ("parse-select", "the environment of the libraries is not there"),
        ("start-moto", "moto's server is not there"),
    ],
)
def test_a_row_whose_tool_is_not_there_fails_and_says_which(name: str, text: str, tmp_path: Path) -> None:
    (row,) = [row for row in ROWS if row.name == name]
    with Bench(scale.TINY, tmp_path, Tools(), seed=1) as bench:
        result = measured_row(bench, row)
    assert (True, text) == (result.has_failed, result.problem)


@pytest.mark.parametrize("after", [(2, 5), (1, 6)], ids=["thread", "descriptor"])
def test_a_fixture_that_leaves_something_behind_is_no_result(
    after: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = iter([(1, 5), after])
    monkeypatch.setattr(fixtures, "held", lambda: next(held))
    with pytest.raises(BenchError, match="before a fixture"):
        fixtures.local_server()


@pytest.mark.parametrize("inserted", [1, 40])
def test_the_stub_answers_an_insert_with_an_id_for_each_document(inserted: int) -> None:
    body = b'{"SessionToken":"AAAA","ExecuteStatement":{"TransactionId":"1","Statement":"INSERT INTO T ?"}}'
    answer = json.loads(Answers(inserted).answer(body).partition(b"\r\n\r\n")[2])
    values = answer["ExecuteStatement"]["FirstPage"]["Values"]
    ids = {loads(b64decode(value["IonBinary"]))["documentId"] for value in values}
    assert inserted == len(ids)


IN_PROCESS = {row.name for family in FAMILIES if family.name.endswith("in process") for row in family.rows}


def test_every_row_in_process_runs(tmp_path: Path) -> None:
    families = list(run(scale.TINY, tmp_path, Tools(), IN_PROCESS, seed=1))
    results = [result for family in families for result in family.all_results()[1:-1]]
    assert {result.row.name for result in results} == IN_PROCESS
    assert [result.problem for result in results if result.problem] == []
