"""A damaged file never leads to an exception without a name, and to no wrong answer that ``verify`` does not find.

docs/design/010-what-verify-compares.md has the rates over many flips, from the same code (bit_flips.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from bit_flips import Flips

SEEDS = range(25)


@pytest.fixture(scope="module")
def flips(tmp_path_factory: pytest.TempPathFactory) -> Flips:
    return Flips(tmp_path_factory.mktemp("flips"))


def test_nothing_is_wrong_while_no_bit_flips(flips: Flips) -> None:
    results, is_found = flips.check(flips.data)
    assert {outcome for _, outcome, _ in results} == {"right"}
    assert not is_found


def test_answers_are_right_or_a_named_error_or_verify_finds_the_damage(flips: Flips) -> None:
    bad = []
    for seed in SEEDS:
        results, is_found = flips.flip(seed)
        for result in results:
            if result[1] == "bare exception" or (result[1] == "wrong" and not is_found):
                bad.append((seed, *result))
    assert bad == []


@pytest.mark.parametrize("question", ["scan", "filter", "index", "id", "committed", "history", "GetRevision"])
def test_a_flip_in_a_document_is_a_named_error_wherever_it_is_read(flips: Flips, question: str) -> None:
    """Every copy of one document's text is damaged: in its block, and in its row."""
    wrong = []
    place = 0
    while (place := flips.data.find(b"document 30 ", place + 1)) >= 0:
        data = bytearray(flips.data)
        data[place] ^= 1
        results, _ = flips.check(bytes(data))
        wrong += [each for each in results if each[0] == question and each[1] not in ("right", "named error")]
    assert wrong == []


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(86, id="JSON of a fact"),
        pytest.param(157, id="a message of SQLite that quotes damaged text"),
        pytest.param(1208, id="NULL for a hash"),
    ],
)
def test_what_once_led_to_an_exception_without_a_name(flips: Flips, seed: int) -> None:
    results, _ = flips.flip(seed)
    assert "bare exception" not in {outcome for _, outcome, _ in results}


def test_a_file_cut_short_or_of_zeros_is_a_named_error(flips: Flips, tmp_path: Path) -> None:
    size = len(flips.data)
    for data in (flips.data[: size // 2], flips.data[:100], bytes(size), flips.data[: size // 2] + bytes(size // 2)):
        results, is_found = flips.check(data)
        assert {outcome for _, outcome, _ in results} <= {"right", "named error"}
        assert is_found
