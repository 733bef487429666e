"""An exported journal becomes a ledger again: the same digest, documents, history and answers."""

from __future__ import annotations

import base64
import json
import shutil
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.journals import service_sample
from helpers.ledgers import busy_ledger, digest, redact
from helpers.local_driver import CONTEXT, REGION, LocalSession, new_emulator, new_ledger

from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger import fold_many
from qldb_emulator.engine.workbench import imports
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import dumps, dumps_text, load_all, loads
from qldb_emulator.journal.model import Block
from qldb_emulator.settings import Settings


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def emulator_at(directory: Path) -> Emulator:
    return Emulator(Settings(data_dir=directory))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A data directory with the ledger cars."""
    with emulator_at(tmp_path / "source") as emulator:
        busy_ledger(emulator)
    return tmp_path / "source"


def exported(source: Path, to: Path, output_format: str = "ION_TEXT", *options: object) -> Path:
    result = run("export", "cars", to, "--data-dir", source, "--format", output_format, *options)
    assert result.exit_code == 0, result.output
    return to


def imported(source: Path, to: Path, *options: object, name: str = "cars") -> Result:
    return run("import", source, "--as", name, "--data-dir", to, *options)


def everything(emulator: Emulator, name: str = "cars") -> list[Any]:
    """Return all that queries can tell of a ledger."""
    session = LocalSession(emulator, name)
    catalogue = session.run("SELECT * FROM information_schema.user_tables")
    answers = [dumps_text(row) for row in catalogue]
    for table in (row["name"] for row in catalogue if row["status"] == "ACTIVE"):
        for source in (table, f"_ql_committed_{table}", f"history({table})"):
            answers += [dumps_text(row) for row in session.run(f"SELECT * FROM {source}")]
    return answers


def data_file(directory: Path) -> Path:
    (found,) = [path for path in directory.rglob("*.*") if path.suffix in (".ion", ".json")]
    return found


@pytest.mark.parametrize("output_format", ["ION_TEXT", "ION_BINARY"])
def test_what_was_exported_and_imported_is_the_same_ledger(source, tmp_path, output_format):
    with emulator_at(source) as emulator:
        value, tip = digest(emulator)
        stored = list(emulator.ledgers.find("us-east-1", "cars").file.dump_derived())
    export = exported(source, tmp_path / "export", output_format)
    result = imported(export, tmp_path / "target", "--digest", base64.b64encode(value).decode(), "--tip", tip)
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "The journal is whole: every check held.")
    with emulator_at(tmp_path / "target") as emulator:
        assert digest(emulator) == (value, tip)
        assert list(emulator.ledgers.find("us-east-1", "cars").file.dump_derived()) == stored
        answers = everything(emulator)
    with emulator_at(source) as emulator:
        assert everything(emulator) == answers


@pytest.mark.parametrize(
    "form", ["directory", "zip", "file", "file of another name", "without manifests", "digest file"]
)
def test_a_source_may_have_any_form(source, tmp_path, form):
    export = exported(source, tmp_path / "export")
    target: Path = export
    options: tuple[object, ...] = ()
    if form == "zip":
        target = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", export))
    elif form == "file":
        target = data_file(export)
    elif form == "file of another name":
        target = tmp_path / "journal"
        shutil.copy(data_file(export), target)
    elif form == "without manifests":
        for manifest in export.rglob("*.manifest"):
            manifest.unlink()
    elif form == "digest file":
        with emulator_at(source) as emulator:
            value, tip = digest(emulator)
        kept = tmp_path / "digest.json"
        kept.write_text(json.dumps({"Digest": base64.b64encode(value).decode(), "DigestTipAddress": {"IonText": tip}}))
        options = ("--digest", kept)
    result = imported(target, tmp_path / "target", *options)
    assert result.exit_code == 0, result.output
    with emulator_at(source) as one, emulator_at(tmp_path / "target") as other:
        assert digest(one) == digest(other)


def test_thousands_of_files_are_one_journal(source, tmp_path, monkeypatch):
    from qldb_emulator.journal import exports

    monkeypatch.setattr(exports, "FILE_BLOCKS", 1)
    export = exported(source, tmp_path / "export")
    assert len(list(export.rglob("*.ion"))) == 15
    assert imported(export, tmp_path / "target").exit_code == 0


def test_json_gives_the_same_digest_and_the_report_says_what_is_not_proved(source, tmp_path):
    with emulator_at(source) as emulator:
        value, _ = digest(emulator)
    export = exported(source, tmp_path / "export", "JSON")
    result = imported(export, tmp_path / "target", "--digest", value.hex())
    assert (result.exit_code, result.output.splitlines()[0]) == (
        0,
        "Nothing is wrong, but not everything could be proved.",
    )
    assert "The data of 3 of 5 revisions leads to its hash" in result.output
    with emulator_at(tmp_path / "target") as emulator:
        assert digest(emulator)[0] == value
        assert len(LocalSession(emulator, "cars").run("SELECT * FROM history(Car)")) == 6
    assert run("verify", "cars", "--data-dir", tmp_path / "target").exit_code == 4


def test_the_html_report_says_what_was_compared_and_needs_nothing_else(source, tmp_path):
    export = exported(source, tmp_path / "export", "JSON")
    page = tmp_path / "report.html"
    assert run("verify", export, "--html", page).exit_code == 4
    text = page.read_text()
    assert ">not compared</span>" in text
    assert "held, except 2 that could not be proved" in text
    assert "Nothing is wrong, but not everything could be proved." in text
    assert not any(word in text for word in ("<script", "http://", "https://", "src="))
    result = run("verify", export, "--html", tmp_path / "no" / "where.html")
    assert (result.exit_code, "cannot be written" in result.output) == (3, True)


def test_a_hostile_name_stays_text_in_the_report(tmp_path):
    blocks = service_sample()
    value = blocks[0].to_ion()
    value["blockAddress"] = {"strandId": "<script>alert(1)</script>", "sequenceNo": 0}
    file = tmp_path / "hostile.ion"
    file.write_bytes(dumps(value))
    page = tmp_path / "report.html"
    assert run("verify", file, "--html", page).exit_code in (0, 1)
    assert "<script" not in page.read_text()
    value["blockAddress"] = {"strandId": "\x1b[2Jnothing to see", "sequenceNo": 0}
    file.write_bytes(dumps(value))
    result = run("verify", file)
    assert "nothing to see" in result.output
    assert "\x1b" not in result.output


def test_an_imported_ledger_is_read_only(source, tmp_path):
    export = exported(source, tmp_path / "export")
    imported(export, tmp_path / "target")
    with emulator_at(tmp_path / "target") as emulator:
        session = LocalSession(emulator, "cars")
        before = digest(emulator)
        for statement in (
            "INSERT INTO Car {'a': 1}",
            "DELETE FROM Car",
            "CREATE TABLE T",
            "EXEC REDACT_REVISION `{strandId:\"a\",sequenceNo:1}`, 'a', 'b'",
        ):
            with pytest.raises(QldbError, match="was imported to be read only") as error:
                session.run(statement)
            assert error.value.shape == "BadRequestException"
        assert session.run("SELECT VALUE vin FROM Car") != []
        assert digest(emulator) == before


def test_a_writable_ledger_goes_on_where_its_journal_ended(source, tmp_path):
    export = exported(source, tmp_path / "export")
    assert imported(export, tmp_path / "target", "--writable").exit_code == 0
    with emulator_at(tmp_path / "target") as emulator:
        session = LocalSession(emulator, "cars")
        session.run("INSERT INTO Car {'vin': 'D4'}")
        session.run("UPDATE Owner SET name = 'Marie'")
        redact(session, "Owner", 0)
        assert loads(digest(emulator)[1])["sequenceNo"] > 15
    assert run("verify", "cars", "--data-dir", tmp_path / "target").exit_code == 0


def write_blocks(path: Path, blocks: list[Block], output_format: str = "text") -> Path:
    if output_format == "text":
        path.write_text("\n".join(dumps_text(block.to_ion()) for block in blocks))
    else:
        path.write_bytes(b"".join(dumps(block.to_ion()) for block in blocks))
    return path


def test_a_journal_of_the_service_becomes_a_ledger(tmp_path):
    file = write_blocks(tmp_path / "service.ion", service_sample())
    result = imported(file, tmp_path / "target")
    assert result.exit_code == 0, result.output
    assert "written by  service" in result.output
    with emulator_at(tmp_path / "target") as emulator:
        rows = LocalSession(emulator, "cars").run("SELECT * FROM history(Cars)")
        assert {row["metadata"]["id"] for row in rows} >= {"doc1"}


def test_a_journal_that_begins_in_its_middle_has_no_digest(source, tmp_path):
    export = exported(source, tmp_path / "export")
    blocks = list(load_all(data_file(export).read_bytes()))
    tail = tmp_path / "tail.ion"
    tail.write_bytes(b"".join(map(dumps, blocks[4:])))
    assert run("verify", tail).exit_code == 4
    result = imported(tail, tmp_path / "target", "--writable", "--digest", "0" * 64)
    assert result.exit_code == 0
    assert "The journal begins at block 4" in result.output
    assert "The digest could not be compared" in result.output
    with emulator_at(tmp_path / "target") as emulator:
        strand = blocks[0]["blockAddress"]["strandId"]
        address = {"IonText": f'{{strandId:"{strand}",sequenceNo:6}}'}
        emulator.call("GetBlock", {"Name": "cars", "BlockAddress": address}, CONTEXT)
        for operation, members in (
            ("GetDigest", {}),
            ("GetBlock", {"BlockAddress": address, "DigestTipAddress": address}),
        ):
            with pytest.raises(QldbError, match="has no digest and no proofs: the journal begins at block 4") as error:
                emulator.call(operation, {"Name": "cars", **members}, CONTEXT)
            assert error.value.shape == "ResourcePreconditionNotMetException"
        address = {"IonText": f'{{strandId:"{strand}",sequenceNo:2}}'}
        with pytest.raises(QldbError, match="The provided block address is not valid"):
            emulator.call("GetBlock", {"Name": "cars", "BlockAddress": address}, CONTEXT)
        LocalSession(emulator, "cars").run("INSERT INTO Car {'vin': 'D4'}")
        emulator.ledgers.find("us-east-1", "cars").rebuild()
    assert run("verify", "cars", "--data-dir", tmp_path / "target").exit_code == 4


def break_gap(blocks):
    del blocks[5]


def break_flip(blocks):
    next(revision for revision in blocks[3]["revisions"] if "data" in revision)["data"]["vin"] = "other"


def break_order(blocks):
    blocks[4], blocks[5] = blocks[5], blocks[4]


def break_twice(blocks):
    blocks.insert(5, blocks[5])


@pytest.mark.parametrize("damage", [break_gap, break_flip, break_order, break_twice])
def test_a_broken_journal_leaves_nothing(source, tmp_path, damage):
    export = exported(source, tmp_path / "export", "ION_TEXT")
    path = data_file(export)
    blocks = list(load_all(path.read_bytes()))
    damage(blocks)
    path.write_text("\n".join(map(dumps_text, blocks)))
    result = imported(export, tmp_path / "target")
    assert result.exit_code == 1
    assert result.output.rstrip().endswith("Nothing was imported.")
    assert list((tmp_path / "target").rglob("*cars*")) == []
    looked_into = imported(export, tmp_path / "target", "--even-if-broken")
    assert looked_into.exit_code == 1
    with emulator_at(tmp_path / "target") as emulator:
        assert LocalSession(emulator, "cars").run("SELECT * FROM history(Car)")
    if damage is not break_flip:
        assert "has no digest" in _digest_error(tmp_path / "target")


def _digest_error(directory: Path) -> str:
    with emulator_at(directory) as emulator, pytest.raises(QldbError) as error:
        digest(emulator)
    return error.value.message


def test_a_digest_of_another_journal_is_refused(source, tmp_path):
    export = exported(source, tmp_path / "export")
    result = imported(export, tmp_path / "target", "--digest", "ab" * 32, "--tip", "3")
    assert result.exit_code == 1
    assert "block 3: digest (the digest kept): expected" in result.output
    assert not (tmp_path / "target" / "us-east-1" / "cars.qldb").exists()


def test_an_interrupted_import_leaves_nothing(source, tmp_path, monkeypatch):
    export = exported(source, tmp_path / "export")
    real, calls = fold_many.append_block, []

    def interrupted(*arguments, **named):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(fold_many, "append_block", interrupted)
    monkeypatch.setattr(imports, "TRANSACTION_BYTES", 2_000)
    result = CliRunner().invoke(main, ["import", str(export), "--as", "cars", "--data-dir", str(tmp_path / "target")])
    assert result.exit_code == 130
    assert list((tmp_path / "target").rglob("*cars*")) == []


def test_what_a_killed_import_left_is_removed(tmp_path):
    left = tmp_path / "us-east-1" / "cars.qldb.unfinished"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    left.with_name("cars.qldb.unfinished-wal").write_bytes(b"half")
    with emulator_at(tmp_path):
        assert list(left.parent.iterdir()) == []


def test_a_data_directory_in_use_is_named(source, tmp_path):
    export = exported(source, tmp_path / "export")
    with emulator_at(tmp_path / "target"):
        result = imported(export, tmp_path / "target")
    assert result.exit_code == 1
    assert "is in use by process" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["import", "{export}", "--as", "bad--name"], 2, "cannot be a ledger's name"),
        (["import", "{export}", "--as", "cars", "--tip", "3"], 2, "--tip says where a digest ends"),
        (["import", "{export}", "--as", "cars", "--digest", "zz"], 2, "neither base64 nor hexadecimal"),
        (["import", "{nothing}", "--as", "cars"], 3, "No such file or directory"),
        (["import", "{empty}", "--as", "cars"], 3, "has no file with a journal block"),
        (["import", "{export}", "--as", "cars", "--strand", "x"], 3, "has no strand x"),
        (["import", "{export}", "--as", "cars", "--export", "x"], 3, "no completed manifest of an export x"),
        (["export", "cars", "{export}", "--data-dir", "{source}"], 1, "is not empty"),
        (["export", "none", "{new}", "--data-dir", "{source}"], 3, "Ledger none is not found"),
        (["export", "cars", "{new}", "--data-dir", "{source}", "--region", "eu-west-1"], 3, "in region us-east-1"),
        (["export", "cars", "{new}", "--data-dir", "{source}", "--start", "x"], 2, "is not a time"),
        (["export", "cars", "{new}", "--data-dir", "{source}", "--prefix", "../x"], 2, "within the directory"),
        (["verify", "none", "--data-dir", "{source}"], 3, "Ledger none is not found"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_said_in_one_sentence(source, tmp_path, arguments, code, text):
    exported(source, tmp_path / "export")
    (tmp_path / "empty").mkdir()
    places = {name: str(tmp_path / name) for name in ("export", "nothing", "empty", "new", "source")}
    result = run(
        *[argument.format(**places) for argument in arguments],
        *(["--data-dir", tmp_path / "target"] if arguments[0] == "import" else []),
    )
    assert (result.exit_code, text in result.output) == (code, True), result.output
    assert "Traceback" not in result.output


def test_a_name_that_is_taken_is_said(source, tmp_path):
    export = exported(source, tmp_path / "export")
    result = imported(export, source)
    assert (result.exit_code, "There is already a ledger" in result.output) == (1, True)


def test_a_running_ledger_is_verified_and_exported(tmp_path):
    with emulator_at(tmp_path / "source") as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE Car")
        assert run("verify", "cars", "--data-dir", tmp_path / "source").exit_code == 0
        session.run("INSERT INTO Car {'a': 1}")
        exported(tmp_path / "source", tmp_path / "export")
        assert run("verify", tmp_path / "export").exit_code == 0


def test_rows_that_were_changed_behind_the_journal_are_found(source):
    import sqlite3

    path = source / "us-east-1" / "cars.qldb"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE revision SET data = ? WHERE version = 1 AND data IS NOT NULL", (dumps({"a": 1}),))
    connection.close()
    result = run("verify", path)
    assert (result.exit_code, "tables (revision.data, revision of document" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ("UPDATE merkle_node SET hash = zeroblob(32) WHERE level = 1 AND idx = 0", "nodes (level 1, index 0)"),
        ("DELETE FROM merkle_node WHERE level = 1 AND idx = 2", "nodes (level 1, index 2)"),
        ("UPDATE block SET block_hash = zeroblob(32) WHERE seq = 1", "nodes (level 0, index 1)"),
    ],
)
def test_a_node_that_only_a_proof_would_need_is_compared_too(source, damage, text):
    import sqlite3

    path = source / "us-east-1" / "cars.qldb"
    assert run("verify", path).exit_code == 0
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
    connection.close()
    result = run("verify", path)
    assert (result.exit_code, text in result.output) == (1, True), result.output


def test_two_ledgers_in_one_place_must_be_chosen_from(source, tmp_path):
    with emulator_at(source) as emulator:
        new_ledger(emulator, "boats")
    exported(source, tmp_path / "all" / "cars")
    result = run("export", "boats", tmp_path / "all" / "boats", "--data-dir", source)
    assert result.exit_code == 0
    result = run("verify", tmp_path / "all")
    assert (result.exit_code, "choose one with --strand" in result.output) == (3, True)
    strand = result.output.rsplit(" ", 1)[-1].strip()
    assert run("verify", tmp_path / "all", "--strand", strand).exit_code == 0


def test_a_zip_is_not_trusted(source, tmp_path):
    export = exported(source, tmp_path / "export")
    cases = {
        "path": ("../cars.ion", b"x", "leads out of it"),
        "absolute": ("/etc/x.ion", b"x", "leads out of it"),
        "bomb": ("S.0-1.ion", b" " * 200_000_000, "looks like a zip bomb"),
    }
    for name, (entry, contents, text) in cases.items():
        packed = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(data_file(export), "1SUYDrJtOH9KDMdrYlHWRx.0-14.ion")
            archive.writestr(entry, contents)
        result = run("verify", packed)
        assert (result.exit_code, text in result.output) == (3, True), result.output
    packed = Path(shutil.make_archive(str(tmp_path / "flipped"), "zip", export))
    data = bytearray(packed.read_bytes())
    data[len(data) // 3] ^= 1
    packed.write_bytes(data)
    assert run("verify", packed).exit_code in (1, 3)


def test_a_ledger_whose_import_is_not_finished_cannot_be_created_meanwhile():
    with new_emulator() as emulator:
        with emulator.directory.appearing(REGION, "cars"):
            with pytest.raises(QldbError) as caught:
                new_ledger(emulator)
            assert caught.value.shape == "ResourceAlreadyExistsException"
        assert emulator.directory.ledgers(REGION) == ["cars"]
