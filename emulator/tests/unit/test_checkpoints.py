"""Verifications and imports that were interrupted go on, on several processes too, and come to the same."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.ledgers import busy_ledger, digest
from helpers.local_driver import new_emulator

from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import dumps, load_all
from qldb_emulator.settings import Settings
from qldb_emulator.verify import parallel, segments, verify_export


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, (SystemExit, KeyboardInterrupt)), result.exception
    return result


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One file of fifteen blocks, which is cut into a segment for each."""
    monkeypatch.setattr(segments, "SEGMENT_BYTES_MIN", 1)
    monkeypatch.setattr(segments, "SEGMENT_BYTES_MAX", 1)
    path = tmp_path / "journal.ion"
    with new_emulator() as emulator:
        busy_ledger(emulator)
        file = emulator.ledgers.find("us-east-1", "cars").file
        path.write_bytes(b"".join(ion for _, ion in file.blocks()))
    return path


def interrupted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, calls: int) -> None:
    """The function is interrupted when it is called once more than so often."""
    real, count = getattr(module, name), 0

    def limited(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count > calls:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(module, name, limited)


@pytest.mark.parametrize("calls", [0, 1, 7, 14])
def test_a_verification_goes_on_where_it_was_interrupted(journal, tmp_path, monkeypatch, calls):
    expected = json.loads(run("verify", journal, "--json", "--jobs", 1).stdout)
    checkpoint = tmp_path / "checkpoint"
    with monkeypatch.context() as patch:
        interrupted(patch, parallel, "verify_segment", calls)
        assert run("verify", journal, "--jobs", 1, "--checkpoint", checkpoint).exit_code != 0
    assert len(list(load_all(checkpoint.read_bytes()))) == 1 + calls
    with checkpoint.open("ab") as file:
        file.write(b"{segment:")  # what a crash leaves of a line
    with monkeypatch.context() as patch:
        interrupted(patch, parallel, "verify_segment", 15 - calls)
        result = run("verify", journal, "--json", "--jobs", 1, "--checkpoint", checkpoint)
    assert json.loads(result.stdout) == expected
    assert not checkpoint.exists()


def test_a_checkpoint_of_another_journal_or_none_is_refused(journal, tmp_path, monkeypatch):
    checkpoint = tmp_path / "checkpoint"
    with monkeypatch.context() as patch:
        interrupted(patch, parallel, "verify_segment", 3)
        run("verify", journal, "--jobs", 1, "--checkpoint", checkpoint)
    other = tmp_path / "other.ion"
    other.write_bytes(journal.read_bytes()[:-1])
    for source, contents in ((other, checkpoint.read_bytes()), (journal, b"junk\n"), (journal, b"{a:1}\n")):
        checkpoint.write_bytes(contents)
        result = run("verify", source, "--jobs", 1, "--checkpoint", checkpoint)
        assert (result.exit_code, result.output.count("\n")) == (3, 1), result.output
        assert checkpoint.read_bytes() == contents


@pytest.mark.parametrize("command", [("verify", "--jobs", "1"), ("import", "--as", "cars")], ids=["verify", "import"])
def test_a_checkpoint_of_a_version_that_cut_in_other_places_is_refused(journal, tmp_path, monkeypatch, command):
    name, *options = command
    options += ["--data-dir", tmp_path / "data", "--checkpoint", tmp_path / "checkpoint"]
    with monkeypatch.context() as patch:
        patch.setattr(segments, "PLAN_VERSION", segments.PLAN_VERSION - 1)
        interrupted(patch, *((parallel, "verify_segment", 3) if name == "verify" else (segments, "piece_values", 3)))
        run(name, journal, *options)
    result = run(name, journal, *options)
    assert (result.exit_code in (1, 3), "remove it to start again" in result.output) == (True, True), result.output


@pytest.mark.parametrize("calls", [0, 1, 7, 14])
@pytest.mark.parametrize("durability", ["kept", "lost"])
def test_an_import_goes_on_where_it_was_interrupted(journal, tmp_path, monkeypatch, calls, durability):
    checkpoint = tmp_path / "half.qldb"
    assert run("import", journal, "--as", "cars", "--data-dir", tmp_path / "whole").exit_code == 0
    options = ("import", journal, "--as", "cars", "--data-dir", tmp_path / "parts", "--checkpoint", checkpoint)
    with monkeypatch.context() as patch:
        interrupted(patch, segments, "piece_values", calls)
        assert run(*options).exit_code != 0
    assert not list((tmp_path / "parts").glob("*/cars.qldb"))
    if durability == "lost":  # killed between the rows of a segment and the note that it is done
        from qldb_emulator.storage.ledger_file import LedgerFile

        with LedgerFile.open(checkpoint) as file, file.write() as writer:
            progress = file.meta("import_progress")
            if progress["segments"]:
                writer.set_meta({"import_progress": {"about": progress["about"], "segments": 0, "problems": []}})
    result = run(*options)
    assert (result.exit_code, "whole" in result.output) == (0, True), result.output
    assert not checkpoint.exists()
    found = []
    for name in ("whole", "parts"):
        with Emulator(Settings(data_dir=tmp_path / name)) as emulator:
            file = emulator.ledgers.find("us-east-1", "cars").file
            facts = {key: value for key, value in file.all_meta().items() if key != "import"}
            found.append((digest(emulator), list(file.dump_derived()), facts))
    assert found[0] == found[1]


def test_a_broken_journal_is_not_imported_by_segments(journal, tmp_path):
    values = list(load_all(journal.read_bytes()))
    journal.write_bytes(b"".join(dumps(value) for value in values[:5] + values[6:]))
    checkpoint = tmp_path / "half.qldb"
    options = ("import", journal, "--as", "cars", "--data-dir", tmp_path / "data", "--checkpoint", checkpoint)
    result = run(*options)
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "Nothing was imported.")
    assert not list((tmp_path / "data").glob("*/cars.qldb"))


def test_a_file_of_something_else_is_no_checkpoint_of_an_import(journal, tmp_path):
    run("import", journal, "--as", "cars", "--data-dir", tmp_path / "data")
    mine = tmp_path / "data" / "us-east-1" / "cars.qldb"
    before = mine.read_bytes()
    options = ("import", journal, "--as", "other", "--data-dir", tmp_path / "data", "--checkpoint", mine)
    result = run(*options)
    assert (result.exit_code, "not the checkpoint" in result.output) == (1, True)
    assert mine.read_bytes() == before


def test_any_executor_runs_the_segments(journal):
    expected = verify_export(str(journal)).as_dict()
    with ThreadPoolExecutor(3) as executor:
        assert verify_export(str(journal), jobs=3, executor=executor).as_dict() == expected
    assert verify_export(str(journal), jobs=2).as_dict() == expected


def test_dask_runs_the_segments(journal, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs the extra dask")
    expected = verify_export(str(journal)).as_dict()
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert verify_export(str(journal), jobs=2, executor=client.get_executor()).as_dict() == expected


@pytest.mark.parametrize("command", [("verify",), ("tables", "--to", "sqlite:tables.db")], ids=["verify", "tables"])
def test_several_processes_are_refused_for_a_ledger_file_and_not_when_a_setting_asks(journal, tmp_path, command):
    run("import", journal, "--as", "cars", "--data-dir", tmp_path / "data")
    name, *options = command
    options = [option.replace("tables.db", str(tmp_path / "tables.db")) for option in options]
    arguments = (name, "cars", *options, "--data-dir", tmp_path / "data")
    refused = run(*arguments, "--jobs", 2)
    assert (refused.exit_code, "a ledger is read by one process" in refused.output) == (2, True)
    assert run(*arguments, "--jobs", 1).exit_code == 0
    (tmp_path / "tables.db").unlink(missing_ok=True)
    setting = CliRunner().invoke(
        main, [str(each) for each in arguments], env={f"QLDB_EMULATOR_{name.upper()}_JOBS": "2"}
    )
    assert setting.exit_code == 0, setting.output


def test_a_file_that_vanishes_while_several_processes_read_is_one_sentence(journal, tmp_path, monkeypatch):
    real = segments.plan

    def plan(*arguments: Any, **named: Any) -> Any:
        found = list(real(*arguments, **named))
        journal.unlink(missing_ok=True)
        return found

    monkeypatch.setattr("qldb_emulator.verify.exports.plan", plan)
    result = run("verify", journal, "--jobs", 2)
    assert (result.exit_code, result.output.count("\n")) == (3, 1), result.output
