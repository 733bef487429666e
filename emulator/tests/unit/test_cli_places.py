"""An option that has no effect where a journal is, is refused by its name; it is never ignored in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.journals import sample
from helpers.ledgers import busy_ledger

from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import dumps
from qldb_emulator.settings import Settings

URL = "http://127.0.0.1:1"
NAME = ("cars", "--data-dir", "data")
FILE = ("data/us-east-1/cars.qldb",)
SERVER = ("cars", "--url", URL)
EXPORT = ("journal",)
TABLES = ("--to", "csv:out")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger, an export, and a report on each."""
    folder = tmp_path_factory.mktemp("places")
    with Emulator(Settings(data_dir=folder / "data")) as emulator:
        busy_ledger(emulator)
    blocks = sample()
    (folder / "journal").mkdir()
    name = f"{blocks[0].address.strand_id}.0-{len(blocks) - 1}.ion"
    (folder / "journal" / name).write_bytes(b"".join(dumps(block.to_ion()) for block in blocks))
    return folder


@pytest.fixture(autouse=True)
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    run("verify", *NAME, "--report", "of-ledger.json")
    run("verify", *EXPORT, "--report", "of-files.json")


def run(*words: str, **environment: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, list(words), env=environment)
    return done.exit_code, done.output


ONE_JOURNAL = "a ledger has one journal"
CASES = [
    *(
        ((*command, *place, *option), text)
        for command in (("verify",), ("tables", *TABLES))
        for place, option, text in (
            (NAME, ("--jobs", "2"), "read by one process"),
            (FILE, ("--jobs", "2"), "read by one process"),
            *((place, ("--strand", "x"), ONE_JOURNAL) for place in (NAME, FILE, SERVER)),
            *((place, ("--export", "x"), ONE_JOURNAL) for place in (NAME, FILE, SERVER)),
            *((place, ("--s3-endpoint", URL), "--s3-endpoint") for place in (NAME, FILE, SERVER, EXPORT)),
        )
    ),
    *((("verify", *place, "--checkpoint", "c"), "--checkpoint is for exports") for place in (NAME, FILE, SERVER)),
    *((("verify-report", "of-ledger.json", *place, "--jobs", "2"), "read by one process") for place in (NAME, FILE)),
    (("verify-report", "of-ledger.json", "--jobs", "2"), "--jobs says how a journal is read, and none is named"),
    (("verify-report", "of-ledger.json", "--url", URL), "--url says how a journal is read"),
    (("verify-report", "of-files.json", *EXPORT, "--url", URL), "--url is for the name of a ledger"),
    (("import", *EXPORT, "--as", "new", "--s3-endpoint", URL), "--s3-endpoint"),
    (("import", *EXPORT, "--as", "new", "--journal", "postgresql://x", "--data-dir", "d"), "--journal and --data-dir"),
]


@pytest.mark.parametrize(("words", "text"), CASES, ids=[" ".join(words) for words, _ in CASES])
def test_an_option_without_effect_is_refused(words, text):
    code, output = run(*words)
    assert (code, text in output) == (2, True), output
    assert not Path("out").exists()


@pytest.mark.parametrize("place", [FILE, EXPORT])
def test_where_ledgers_are_may_be_said_beside_a_path(place):
    assert run("verify", *place, "--data-dir", "elsewhere", "--region", "eu-west-1")[0] == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("-c", "SELECT 1 FROM T", "-i", "script.sql"), "--command and --input: the statements are in one of them"),
        (("-c", "SELECT 1 FROM T", "--aws-script"), "--aws-script is for statements in lines"),
    ],
)
def test_the_shell_takes_statements_from_one_place(words, text):
    Path("script.sql").write_text("SELECT 2 FROM T")
    code, output = run("shell", "cars", *words, "--url", URL)
    assert (code, text in output) == (2, True), output


@pytest.mark.parametrize("option", [("--delimiter", ";"), ("--detect-types",)])
def test_options_of_csv_are_refused_for_other_forms_before_a_server_is_asked(option):
    Path("people.json").write_text('{"name": "Maria"}')
    code, output = run("load", "cars", "people.json", "--table", "Person", "--create", *option, "--url", URL)
    assert (code, "are for CSV, and people.json is read as json" in output) == (2, True), output


@pytest.mark.parametrize("command", [("verify",), ("verify-report", "of-ledger.json")])
def test_one_process_is_what_a_ledger_has(command):
    assert run(*command, *NAME, "--jobs", "1")[0] in (0, 4)


@pytest.mark.parametrize("name", ["STRAND", "EXPORT_ID", "CHECKPOINT"])
def test_an_option_about_one_journal_is_no_setting_for_all_commands(name):
    assert run("verify", *NAME, **{f"QLDB_EMULATOR_VERIFY_{name}": "x"})[0] == 2


def test_a_setting_for_all_commands_is_for_those_that_have_a_use_for_it():
    settings = {"QLDB_EMULATOR_DATA_DIR": "data", "QLDB_EMULATOR_REGION": "eu-west-1", "QLDB_EMULATOR_S3_ENDPOINT": URL}
    assert run("verify", *EXPORT, **settings)[0] == 0
    assert run("verify", *FILE, **settings, QLDB_EMULATOR_VERIFY_JOBS="2")[0] == 0
    assert run("verify-report", "of-files.json", **settings, QLDB_EMULATOR_URL=URL)[0] == 4


def test_what_has_a_ledgers_name_and_is_no_file_is_said_to_be_none(tmp_path):
    (tmp_path / "us-east-1" / "cars.qldb").mkdir(parents=True)
    os.mkfifo(tmp_path / "us-east-1" / "pipe.qldb")
    for name in ("cars", "pipe"):
        path = tmp_path / "us-east-1" / f"{name}.qldb"
        expected = (3, f"Error: {path} is not a file\n")
        assert run("verify", name, "--data-dir", str(tmp_path)) == run("verify", str(path)) == expected
