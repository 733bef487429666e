"""Files lost, added, swapped or misnamed: each is a finding that names the block."""

from __future__ import annotations

import pytest
from helpers.ledgers import busy_ledger
from helpers.local_driver import REGION, new_emulator

from qldb_emulator.engine.outgoing.exports import put_started_manifest, write_export
from qldb_emulator.ion.codec import dumps_text, loads
from qldb_emulator.journal import exports
from qldb_emulator.journal.exports import Export, data_name
from qldb_emulator.verify import JournalReport, SourceError, choose_journal, journals, verify_container
from qldb_emulator.verify.containers import Memory

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def exported() -> Files:
    """An export of fifteen blocks in five files."""
    files: Files = {}

    def put(key: str, contents: bytes, content_type: str) -> None:
        files[key] = contents

    with new_emulator() as emulator, pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "FILE_BLOCKS", 3)
        busy_ledger(emulator)
        ledger = emulator.ledgers.find(REGION, "cars")
        export = Export("E" * 22, "cars", ledger.strand_id, 0, 0, 1 << 45, "b", "pre/fix", output_format="ION_TEXT")
        put_started_manifest(export, put)
        write_export(ledger.file, export, put)
    return files


@pytest.fixture
def files(exported: Files) -> Files:
    return dict(exported)


def verify(files: Files) -> JournalReport:
    container = Memory(files)
    return verify_container(container, choose_journal(container))


def data_names(files: Files) -> list[str]:
    return sorted((name for name in files if data_name(name)), key=lambda name: data_name(name).first)


def findings(files: Files) -> list[tuple[str, int | None]]:
    """Return (check, block) of every finding."""
    report = verify(files)
    assert report.verdict == "broken"
    return [(f.check, None if f.address is None else f.address.sequence_no) for f in report.findings]


def manifest_name(files: Files) -> str:
    return next(name for name in files if name.endswith("completed.manifest"))


def without_manifests(files: Files) -> Files:
    return {name: data for name, data in files.items() if not name.endswith("manifest")}


def set_keys(files: Files, keys: list[str]) -> None:
    files[manifest_name(files)] = dumps_text({"keys": keys}).encode()


def test_an_export_is_whole_with_and_without_its_manifests(files):
    assert verify(files).verdict == "whole"
    assert verify(without_manifests(files)).verdict == "whole"


def test_an_export_may_have_been_moved(files):
    moved = {f"some/where/{name.removeprefix('pre/')}": data for name, data in files.items()}
    assert verify(moved).verdict == "whole"
    assert verify({name.rsplit("/", 1)[-1]: data for name, data in files.items()}).verdict == "whole"


def test_a_lost_file_is_found_by_the_manifest_and_by_the_chain(files):
    del files[data_names(files)[2]]
    assert findings(files) == [("manifest", 6), ("sequence", 9), ("link", 9)]
    assert findings(without_manifests(files)) == [("sequence", 9), ("link", 9)]


def test_the_last_file_lost_is_found_by_the_manifest_or_the_digest(files):
    del files[data_names(files)[-1]]
    assert findings(files) == [("manifest", 12)]
    assert verify(without_manifests(files)).verdict == "whole"  # without a digest it cannot be known


def test_a_file_twice_is_found(files):
    name = data_names(files)[1]
    files[f"copy/{name}"] = files[name]
    assert findings(files)[:1] == [("manifest", 3)]
    assert ("link", 3) in findings(without_manifests(files))


def test_exchanged_contents_are_found(files):
    one, other = data_names(files)[1:3]
    files[one], files[other] = files[other], files[one]
    found = findings(files)
    assert ("file", 6) in found
    assert ("link", 6) in found


def test_a_name_that_claims_other_blocks_is_found(files):
    name = data_names(files)[-1]
    files[name.replace(".12-14.", ".12-15.")] = files.pop(name)
    assert ("file", 14) in findings(without_manifests(files))


def test_an_empty_file_is_found(files):
    files[data_names(files)[1]] = b""
    assert ("file", 3) in findings(files)


def test_a_file_with_anything_else_in_it_is_found(files):
    files[data_names(files)[1]] += b"{a:1}"
    assert ("format", 6) in findings(files)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (lambda keys: [*keys[:-1]], [("manifest", 12)]),
        (lambda keys: [*keys, keys[0].replace(".0-2.", ".15-17.")], [("manifest", 15)]),
        (lambda keys: [keys[1], keys[0], *keys[2:]], [("manifest", 0)]),
        (lambda keys: [keys[0], *keys], [("manifest", 0)] * 2),
    ],
    ids=["one left out", "one made up", "two exchanged", "one twice"],
)
def test_a_manifest_that_lies_is_found(files, keys, expected):
    set_keys(files, keys(data_names(files)))
    assert findings(files) == expected


@pytest.mark.parametrize("contents", [b"", b"{keys:", b"{keys:1}", b"[]", b"{keys:[1]}", b"\xff"])
def test_a_broken_manifest_is_found(files, contents):
    files[manifest_name(files)] = contents
    assert findings(files) == [("manifest", None)]


def test_files_of_an_export_that_did_not_complete_are_taken_with_a_note(files):
    del files[manifest_name(files)]
    files["pre/fixOOOOOOOOOOOOOOOOOOOOOO.started.manifest"] = b"{}"
    assert verify(files).verdict == "whole"


def test_two_exports_one_after_the_other_are_one_journal_and_can_be_told_apart(files):
    name = manifest_name(files)
    keys = data_names(files)
    set_keys(files, keys[:2])
    files[name.replace("E" * 22, "F" * 22)] = dumps_text({"keys": keys[2:]}).encode()
    assert verify(files).verdict == "whole"
    container = Memory(files)
    first = verify_container(container, choose_journal(container, export_id="E" * 22))
    assert (first.verdict, first.verification.counts.blocks) == ("whole", 6)
    second = verify_container(container, choose_journal(container, export_id="F" * 22))
    assert (second.verdict, second.verification.first.sequence_no) == ("incomplete", 6)


def test_files_without_telling_names_are_read_in_the_order_of_their_blocks(files):
    named = {f"{chr(122 - i)}.ion": files[name] for i, name in enumerate(data_names(files))}
    assert verify({**named, "readme.txt": b"not Ion {", "picture.png": b"\x89"}).verdict == "whole"


def test_what_an_archiver_adds_is_passed_over(files):
    name = data_names(files)[0]
    assert verify({**files, f"__MACOSX/{name}": b"x", f"a/._{name.rsplit('/', 1)[-1]}": b"x"}).verdict == "whole"


@pytest.mark.parametrize("files", [{}, {"a.ion": b"{a:1}"}, {"a.png": b"\x89"}, {"a.ion": b"{"}, {"a": b""}])
def test_a_source_without_blocks_is_no_source(files):
    with pytest.raises(SourceError):
        journals(Memory(files))


def test_the_keys_of_the_documentation_are_understood():
    name = data_name("journalExport/2019/04/15/22/JdxjkR9bSYB5jMHWcI464T.1-4.ion")
    assert (name.strand_id, name.first, name.last) == ("JdxjkR9bSYB5jMHWcI464T", 1, 4)
    assert data_name("journalExport/8UyXulxccYLAsbN1aon7e4.started.manifest") is None
    assert loads("{keys:[]}") == {"keys": []}
