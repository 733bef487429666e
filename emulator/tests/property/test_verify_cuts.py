"""A large file is cut where reading can begin, so its pieces have the values of the whole, whatever its texts hold."""

from __future__ import annotations

import io
import json
import random
import zipfile
from itertools import chain, pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from helpers.journals import STRAND, sample
from helpers.segments import merged
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qldb_emulator.ion.codec import IonError, dump_all, dumps_text
from qldb_emulator.ion.compare import ion_equal
from qldb_emulator.ion.json import to_json
from qldb_emulator.ion.stream import read_stream
from qldb_emulator.verify import (
    Finding,
    SavedDigest,
    choose_journal,
    open_container,
    plan,
    verify_container,
    verify_export,
)
from qldb_emulator.verify import cuts as cuts_module
from qldb_emulator.verify.containers import Memory
from qldb_emulator.verify.cuts import cuts

BLOCKS = [block.to_ion() for block in sample()]
JSON_LINES = [to_json(block) + "\n" for block in BLOCKS]
TEXT_LINES = [dumps_text(block) + "\n" for block in BLOCKS]
LOOKS_LIKE_A_BLOCK = '{"blockAddress":{"strandId":"x","sequenceNo":7}}'

FRAGMENTS = [
    LOOKS_LIKE_A_BLOCK,
    "{blockAddress:{strandId:'x',sequenceNo:7}}",
    '{"blockAddress":\n{"strandId":"x",\n"sequenceNo":7\n}\n}\n',  # over several lines
    '{"blockAddress":{"strandId":"a } b { \\" \\n { \\\\","sequenceNo":7},"x":"\'\'\'"}',
    f'{{"blockAddress":{{"strandId":"x","sequenceNo":7}},x:\'\'\'\n{LOOKS_LIKE_A_BLOCK}\n\'\'\'}}',
    f"/*\n{LOOKS_LIKE_A_BLOCK}\n*/",
    f"// }}\n{LOOKS_LIKE_A_BLOCK}",
    f"[{{}}\n,{LOOKS_LIKE_A_BLOCK}\n]",
    f"[{{}}\n{LOOKS_LIKE_A_BLOCK}\n]",  # no comma: broken
    f"({{}}\n{LOOKS_LIKE_A_BLOCK}\n)",
    "{a:{{+/8=}},b:{{}}}",
    '{a:{{"}{"}}}',
    "'a b'::{x:'}'}",
    "a::",
    "$ion_1_0",
    '$ion_symbol_table::{symbols:["blockAddress"]}',
    "'$ion_symbol_table'::{symbols:[\"b\"]}",
    "'\\x24ion_symbol_table'::{symbols:[\"c\"]}",
    '$3::{symbols:["d"]}',
    "$10",
    "{$10:1}",
    "'''a'''",
    "'''{'''",
    "''::{}",
    '"}\\\n{"',
    '"{"',
    "'{'",
    "{",
    "}",
    "]",
    '"',
    "'",
    "{{",
    "}}",
    "\\",
    "/",
    "\x00",
    "\u2028{}",
]
SEPARATORS = ["\n", "\n", "\n", " ", "", ",\n", "\r\n", "\n\n \n", "\r", "\t\n"]


def text_of(parts: list[tuple[str, str]]) -> bytes:
    return "".join(fragment + separator for fragment, separator in parts).encode()


def values_of(data: bytes) -> list[Any]:
    return list(read_stream(io.BytesIO(data).read))


def pieces_of(data: bytes, wanted: int) -> list[bytes]:
    starts = [0, *(cut.start for cut in cuts(io.BytesIO(data), wanted)), len(data)]
    return [data[one:other] for one, other in pairwise(starts)]


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(FRAGMENTS), st.sampled_from(SEPARATORS)), max_size=12),
    st.sampled_from([1, 1, 60, 200]),
    st.integers(0, 400),
    st.sampled_from([1 << 20, 7, 50]),
    st.sampled_from([1 << 20, 40]),
)
@example([(LOOKS_LIKE_A_BLOCK, "\n"), ("[{}", "\n"), (LOOKS_LIKE_A_BLOCK, "\n"), ("]", "\n")], 1, 0, 7, 1 << 20)
@example([(LOOKS_LIKE_A_BLOCK, "\n"), ("a::", "\n"), (LOOKS_LIKE_A_BLOCK, "\n")], 1, 0, 7, 1 << 20)
def test_the_pieces_of_any_text_have_the_values_of_the_whole(parts, wanted, truncated, scanned, longest):
    """A broken text has a broken piece.  scanned, longest: the bytes that the search reads at once, and of a value."""
    data = text_of(parts)
    data = data[: len(data) - truncated] if truncated < len(data) else data
    with mock.patch.multiple(cuts_module, _SCAN_BYTES=scanned, MAX_VALUE_BYTES=longest):
        pieces = pieces_of(data, wanted)
    try:
        expected = values_of(data)
    except IonError:
        with pytest.raises(IonError):
            list(chain.from_iterable(map(values_of, pieces)))
        return
    found = list(chain.from_iterable(map(values_of, pieces)))
    assert len(found) == len(expected)
    assert all(map(ion_equal, found, expected))


def place_of(finding: Finding) -> tuple[Any, ...]:
    return finding.check, finding.address, finding.detail


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_verdict_is_that_of_one_pass_whatever_is_damaged(data):
    """Without damage the whole report is; with damage its first finding is, and pieces behind it are read as well."""
    lines = data.draw(st.sampled_from([JSON_LINES, TEXT_LINES]))
    parts = [line.encode() for line in lines]
    junk = [b"\xff\xfe", b"\x00", b'"', b"{", b"}", b"'''", b"/*", b"\n", *(each.encode() for each in FRAGMENTS)]
    for _ in range(data.draw(st.integers(0, 2))):
        number = data.draw(st.integers(0, len(parts) - 1))
        at = data.draw(st.integers(0, len(parts[number])))
        parts[number] = parts[number][:at] + data.draw(st.sampled_from(junk)) + parts[number][at:]
    whole = b"".join(parts)
    container = Memory({f"{STRAND}.0-{len(BLOCKS) - 1}.json": whole[: data.draw(st.integers(1, len(whole)))]})
    expected = verify_container(container, choose_journal(container))
    found = merged(container, None, data.draw(st.sampled_from([1, 1_000])), data.draw(st.randoms()))
    assert found.verdict == expected.verdict
    if any(finding.check == "file" for finding in expected.findings):
        assert place_of(found.findings[0]) == place_of(expected.findings[0])
        assert found.verification.counts.blocks >= expected.verification.counts.blocks
    else:
        assert found.as_dict() == expected.as_dict()


@pytest.mark.parametrize("lines", [JSON_LINES, TEXT_LINES], ids=["JSON", "Ion text"])
@pytest.mark.parametrize("end", ["", "\r", "\n", " \n\t\n"])
def test_text_with_a_block_on_each_line_is_cut_before_each(lines, end):
    data = "".join(line[:-1] + end + "\n" for line in lines).encode()
    assert len(pieces_of(data, 1)) == len(BLOCKS)
    assert len(pieces_of(data[:-1], 1)) == len(BLOCKS)


def test_text_with_a_block_on_several_lines_is_cut_between_blocks():
    spread = [json.dumps(json.loads(line), indent=1) + "\n" for line in JSON_LINES]
    pieces = pieces_of("".join(spread).encode(), 1)
    assert [piece.decode() for piece in pieces] == spread


@pytest.mark.parametrize(
    "before",
    ["/* a comment */", "// one", '$ion_symbol_table::{symbols:["a"]}', "'''a'''", "$10", "'\\x24'", '"a\\\nb"', "''"],
)
def test_text_is_not_cut_behind_what_only_reading_it_can_tell(before):
    lines = [LOOKS_LIKE_A_BLOCK, LOOKS_LIKE_A_BLOCK, before, LOOKS_LIKE_A_BLOCK, LOOKS_LIKE_A_BLOCK]
    data = "\n".join(lines).encode()
    second = len(LOOKS_LIKE_A_BLOCK) + 1
    for wanted in range(1, len(data)):
        assert [cut.start for cut in cuts(io.BytesIO(data), wanted)] in ([], [second])


def test_a_value_is_not_cut_from_its_annotation():
    data = f"{LOOKS_LIKE_A_BLOCK}\na::\n{LOOKS_LIKE_A_BLOCK}\n".encode()
    assert all(len(pieces_of(data, wanted)) == 1 for wanted in range(1, len(data)))


def test_a_cut_knows_the_line_it_is_at():
    data = ("\n" + "".join(JSON_LINES)).encode()
    assert [cut.lines for cut in cuts(io.BytesIO(data), 1)] == list(range(2, len(BLOCKS) + 1))


# --- Zips --------------------------------------------------------------------------------------------------------


def zip_of(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


FORMS = {"binary": dump_all(BLOCKS), "JSON": "".join(JSON_LINES).encode(), "text": "".join(TEXT_LINES).encode()}


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED], ids=["deflated", "stored"])
def test_a_large_entry_of_a_zip_is_cut_and_comes_to_the_same(tmp_path, form, compression):
    path = zip_of(tmp_path / "export.zip", {"journal": FORMS[form]}, compression)
    container = open_container(str(path))
    journal = choose_journal(container)
    assert 2 <= len(list(plan(container, journal, 1))) <= 8
    expected = verify_container(container, journal, SavedDigest(bytes(32)))
    found = merged(container, None, 1, random.Random(1))
    assert found.verification.digest == expected.verification.digest
    assert found.verification.counts == expected.verification.counts
    assert found.findings == ()
    container.close()


def test_each_entry_of_a_zip_can_be_a_task_of_its_own(tmp_path):
    files = {f"{STRAND}.{n}-{n}.json": line.encode() for n, line in enumerate(JSON_LINES)}
    path = zip_of(tmp_path / "export.zip", files)
    container = open_container(str(path))
    assert len(list(plan(container, choose_journal(container), 1))) == len(BLOCKS)
    container.close()


def test_pieces_of_an_entry_are_read_in_any_order(tmp_path):
    data = FORMS["JSON"]
    container = open_container(str(zip_of(tmp_path / "a.zip", {"journal": data, "other": data[::-1]})))
    pieces = [(0, 10), (10, 900), (2_000, 3_000), (900, 1_000), (3_000, None), (0, None), (5, 7), (7, 8), (6, 9)]
    for start, stop in pieces:
        with container.open("journal", start, stop) as stream:
            assert stream.read(1 << 20) == data[start:stop]
        with container.open("other", 1, 3) as stream:
            assert stream.read(1 << 20) == data[::-1][1:3]
    with container.open("journal", 100, 200) as stream:
        assert stream.read(7) == data[100:107]  # not to its end
    with container.open("journal", 105, 300) as stream:
        assert stream.read(1 << 20) == data[105:300]
    container.close()


COMPRESSIONS = {"deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("at", [4, 40, 400, -30])
def test_a_damaged_entry_of_a_zip_is_a_finding_in_any_piece(tmp_path, at, compression, monkeypatch):
    from qldb_emulator.verify import segments

    name = f"{STRAND}.0-{len(BLOCKS) - 1}.json"
    path = zip_of(tmp_path / "export.zip", {name: FORMS["JSON"]}, COMPRESSIONS[compression])
    octets = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start, size = 30 + len(name), archive.infolist()[0].compress_size
    octets[start + (at % size)] ^= 0xFF
    path.write_bytes(octets)
    container = open_container(str(path))
    expected = verify_container(container, choose_journal(container))
    container.close()
    monkeypatch.setattr(segments, "SEGMENT_BYTES_MIN", 1)
    monkeypatch.setattr(segments, "SEGMENT_BYTES_MAX", 1)
    found = verify_export(str(path), jobs=2)
    assert (expected.verdict, found.verdict) == ("broken", "broken")
    assert verify_export(str(path), jobs=1).as_dict() == found.as_dict()
