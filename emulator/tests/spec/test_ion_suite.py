"""The Ion project's own conformance files (ion-tests): good ones survive, equal ones are equal, bad ones fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.support import SHARED, needs_shared

from qldb_emulator.ion.codec import IonError, dump_all, dumps_text, load_all
from qldb_emulator.ion.compare import ion_equal
from qldb_emulator.ion.hash import hash_binary, hash_value
from qldb_emulator.ion.values import Annotated, Timestamp

SUITE = SHARED / "ion-tests"

pytestmark = needs_shared

# What we read otherwise than the suite says, and why.
DEVIATIONS = {
    "good/utf16.ion": "text is UTF-8 here, as for every SDK of the service; the file has no byte order mark either",
    "good/utf32.ion": "as utf16.ion",
}


def files(folder: str) -> list[Any]:
    found = sorted(path for path in (SUITE / folder).rglob("*") if path.suffix in (".ion", ".10n"))
    return [
        pytest.param(path, id=name, marks=pytest.mark.xfail(reason=DEVIATIONS[name], strict=True, raises=IonError))
        if (name := str(path.relative_to(SUITE))) in DEVIATIONS
        else pytest.param(path, id=name)
        for path in found
    ]


def same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(ion_equal, a, b))


@pytest.mark.parametrize("path", files("good"))
def test_a_good_file_survives_binary_and_text(path: Path) -> None:
    values = list(load_all(path.read_bytes()))
    data = dump_all(values)
    assert same(list(load_all(data)), values)
    text = "\n".join(map(dumps_text, values))
    assert same(list(load_all(text)), values)
    assert dump_all(load_all(text)) == data
    for value in values:
        assert hash_binary(dump_all([value])) == hash_value(value)


@pytest.mark.parametrize("path", files("bad"))
def test_a_bad_file_is_refused(path: Path) -> None:
    with pytest.raises(IonError):
        list(load_all(path.read_bytes()))


def groups(path: Path) -> list[list[Any]]:
    """Return the sets of a file of (non-)equivalents; ``embedded_documents`` holds whole streams as strings."""
    found = []
    for value in load_all(path.read_bytes()):
        if type(value) is Annotated and value.annotations == ("embedded_documents",):
            found.append([list(load_all(text)) for text in value.value])
        else:
            found.append([[each] for each in value])
    return found


def pairs(group: list[Any]) -> list[tuple[Any, Any]]:
    return [(a, b) for index, a in enumerate(group) for b in group[index + 1 :]]


@pytest.mark.parametrize("path", files("good/equivs"))
def test_equivalents_are_equal(path: Path) -> None:
    assert groups(path)
    for group in groups(path):
        for a, b in pairs(group):
            assert same(a, b)
            assert [hash_value(each) for each in a] == [hash_value(each) for each in b]


@pytest.mark.parametrize("path", files("good/non-equivs"))
def test_non_equivalents_are_not_equal(path: Path) -> None:
    assert groups(path)
    for group in groups(path):
        for a, b in pairs(group):
            assert not same(a, b)
            assert [hash_value(each) for each in a] != [hash_value(each) for each in b]


@pytest.mark.parametrize("path", files("good/timestamp/equivTimeline"))
def test_timestamps_of_one_instant_have_it_in_common(path: Path) -> None:
    for group in load_all(path.read_bytes()):
        assert all(type(each) is Timestamp for each in group)
        assert len({each.instant() for each in group}) == 1
