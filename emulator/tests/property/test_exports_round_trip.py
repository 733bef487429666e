"""Exported and imported random ledgers are equal; a change of any byte of a file is detected."""

from __future__ import annotations

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from helpers.ledgers import busy_ledger, redact
from helpers.local_driver import REGION, LocalSession, new_emulator, new_ledger
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.outgoing.exports import put_started_manifest, write_export
from qldb_emulator.engine.workbench.imports import fold
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import dumps_text, loads
from qldb_emulator.ion.compare import ion_equal
from qldb_emulator.journal.exports import FORMATS, Export, OutputFormat
from qldb_emulator.journal.merkle import digest
from qldb_emulator.storage.ledger_file import LedgerFile
from qldb_emulator.verify import Audit, Finding, SourceError, choose_journal, read_values, verify_container
from qldb_emulator.verify.containers import Memory

ION_VALUES = st.sampled_from(
    [
        loads(text)
        for text in (
            "null",
            "null.string",
            "true",
            "-1",
            "12345678901234567890",
            "1.50",
            "1e0",
            "nan",
            "2020-01-01",
            "2020T",
            "2020-01-01T10:00:00.123456+01:00",
            "sym",
            '"text é😀"',
            "{{aGk=}}",
            '{{"clob"}}',
            "[1,[2]]",
            "(a b)",
            "{a:{b:1}}",
            "ann::{a:1}",
            "{a:1,a:2}",
            '""',
            "[]",
        )
    ]
)
NAMES = st.sampled_from(["a", "b", "id", "when"])
DOCUMENTS = st.one_of(
    st.dictionaries(NAMES, ION_VALUES, max_size=3),
    st.sampled_from([loads(text) for text in ("ann::{a:1}", "a::b::{}", "{a:1,a:2}", "ann::{b:1,b:x::2}")]),
)
TABLES = st.sampled_from(["Car", "Owner"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("INSERT INTO {} ?"), TABLES, DOCUMENTS),
        st.tuples(st.just("UPDATE {} AS t SET t.b = ?"), TABLES, ION_VALUES),
        st.tuples(st.just("DELETE FROM {} AS t WHERE t.a = ?"), TABLES, ION_VALUES),
        st.tuples(st.just("SELECT * FROM {}"), TABLES),
        st.tuples(st.just("CREATE TABLE {}"), TABLES),
        st.tuples(st.just("CREATE INDEX ON {} (a)"), TABLES),
        st.tuples(st.just("DROP TABLE {}"), TABLES),
        st.tuples(st.just("redact"), TABLES),
    ),
    max_size=14,
)

# A block that cannot be read back could not be redacted, verified or imported.
ANNOTATED = [
    ("INSERT INTO {} <<?, {{'b': 1}}>>", "Car", loads("ann::{a:1}")),
    ("UPDATE {} AS t SET t.b = ?", "Car", 2),
    ("redact", "Car"),
]

PLACES = st.integers(0, 1_000_000)


def play(session: LocalSession, steps: list[Any]) -> None:
    session.run("CREATE TABLE Car")
    for step, table, *parameters in steps:
        with contextlib.suppress(QldbError, StopIteration, ValueError):
            if step == "redact":
                redact(session, table, 0)
            else:
                session.run(step.format(table), *parameters)


def exported(file: LedgerFile, output_format: OutputFormat) -> Memory:
    files: dict[str, bytes] = {}

    def put(key: str, contents: bytes, content_type: str) -> None:
        files[key] = contents

    strand_id = file.meta("strand_id")
    export = Export("E" * 22, "cars", strand_id, 0, 0, 1 << 45, "b", "x/", output_format=output_format)
    put_started_manifest(export, put)
    write_export(file, export, put)
    return Memory(files)


def queries(emulator: Emulator, name: str) -> list[Any]:
    session = LocalSession(emulator, name)
    rows = session.run("SELECT * FROM information_schema.user_tables")
    for table in [row["name"] for row in rows if row["status"] == "ACTIVE"]:
        for source in (table, f"_ql_committed_{table}", f"history({table})"):
            rows += session.run(f"SELECT * FROM {source}")
    return rows


@settings(max_examples=15, deadline=None)
@given(steps=STEPS, output_format=st.sampled_from(["ION_TEXT", "ION_BINARY"]))
@example(steps=ANNOTATED, output_format="ION_TEXT")
@example(steps=ANNOTATED, output_format="ION_BINARY")
def test_an_imported_export_answers_as_the_ledger_does(steps, output_format):
    with new_emulator() as emulator, TemporaryDirectory() as folder:
        play(new_ledger(emulator), steps)
        ledger = emulator.ledgers.find(REGION, "cars")
        size = ledger.tip().sequence_no + 1
        container = exported(ledger.file, output_format)
        audit = Audit("memory", choose_journal(container))
        copy = Path(folder, "copy.qldb")
        with LedgerFile.create(copy, "off", {**ledger.file.all_meta(), "name": "copy"}) as file:
            fold(file, audit.blocks(read_values(container, choose_journal(container))))
            report = audit.report()
            assert report.verdict == "whole", report.findings
            expected = digest(size, ledger.file.merkle_nodes)
            assert report.verification.digest == expected == digest(size, file.merkle_nodes)
            assert list(file.dump_derived()) == list(ledger.file.dump_derived())
            blocks = [(number, loads(ion)) for number, ion in file.blocks()]
            originals = [(number, loads(ion)) for number, ion in ledger.file.blocks()]
            assert [number for number, _ in blocks] == [number for number, _ in originals]
            assert all(ion_equal(one, other) for (_, one), (_, other) in zip(blocks, originals, strict=True))
        copy.rename(emulator.directory.path(REGION, "copy"))
        assert list(map(dumps_text, queries(emulator, "copy"))) == list(map(dumps_text, queries(emulator, "cars")))


@settings(max_examples=15, deadline=None)
@given(steps=STEPS)
@example(steps=ANNOTATED)
def test_json_is_never_found_broken_and_its_digest_is_the_ledgers(steps):
    with new_emulator() as emulator:
        play(new_ledger(emulator), steps)
        ledger = emulator.ledgers.find(REGION, "cars")
        container = exported(ledger.file, "JSON")
        report = verify_container(container, choose_journal(container))
        assert report.verdict in ("whole", "incomplete"), report.findings
        assert report.verification.digest == digest(ledger.tip().sequence_no + 1, ledger.file.merkle_nodes)


class Files(dict[str, tuple[str, bytes, list[Any]]]):
    """By format: the name, bytes and values of the one data file of a busy ledger."""

    def __repr__(self) -> str:
        return "the files"  # not a hundred kilobytes


@pytest.fixture(scope="module")
def files() -> Files:
    found = Files()
    with new_emulator() as emulator:
        busy_ledger(emulator)
        file = emulator.ledgers.find(REGION, "cars").file
        for output_format in FORMATS:
            container = exported(file, output_format)
            (item,) = [item for item in container.items() if not item.name.endswith("manifest")]
            with container.open(item.name) as stream:
                data = stream.read(item.size)
            journal = choose_journal(container)
            found[output_format] = item.name, data, [value for _, value, _ in read_values(container, journal)]
    return found


@settings(max_examples=150, deadline=None)
@given(place=PLACES, mask=st.integers(1, 255), output_format=st.sampled_from(["ION_TEXT", "ION_BINARY"]))
def test_a_changed_byte_is_found_and_its_block_named(files, place, mask, output_format):
    name, contents, values = files[output_format]
    changed = bytearray(contents)
    changed[place % len(contents)] ^= mask
    container = Memory({name: bytes(changed)})
    try:
        journal = choose_journal(container)
        read = [value for _, value, _ in read_values(container, journal)]
        report = verify_container(container, journal)
    except SourceError:
        return
    if (
        len(read) == len(values)
        and not any(isinstance(value, Finding) for value in read)
        and (all(map(ion_equal, values, read)))
    ):
        assert report.verdict == "whole"  # blank space, or another way to write the same
        return
    assert report.verdict == "broken"
    assert all(finding.expected or finding.found for finding in report.findings)
    assert all(finding.address is not None for finding in report.findings)


@settings(max_examples=60, deadline=None)
@given(place=PLACES, output_format=st.sampled_from(list(FORMATS)))
def test_a_file_that_is_cut_off_is_found(files, place, output_format):
    name, contents, values = files[output_format]
    container = Memory({name: contents[: place % (len(contents) - 1)]})
    try:
        report = verify_container(container, choose_journal(container))
    except SourceError:
        return
    assert report.verdict == "broken"
    assert report.verification.counts.blocks < len(values)
