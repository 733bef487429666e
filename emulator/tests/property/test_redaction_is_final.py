"""After a redaction no byte of the value is in any file of the ledger, or in the memory of the server.

Values are random tokens given as parameters: the text of a statement is part of the journal and cannot be redacted.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.changing_ledger import CHANGES, DOCUMENTS, Model, bytes_of, token
from helpers.local_driver import CONTEXT, REGION, LocalSession
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.cli import main
from qldb_emulator.engine.ledger import ledger as ledger_module
from qldb_emulator.engine.workbench.snapshots import fork_ledger, take_snapshot
from qldb_emulator.ion.codec import dumps
from qldb_emulator.storage.connections import BUSY_SECONDS
from qldb_emulator.storage.stored_rows import StoredRows


def found_in(root: Path, gone: list[str]) -> list[tuple[str, str]]:
    return [(path.name, value) for path, data in bytes_of(root) for value in gone if value.encode() in data]


@settings(max_examples=40, deadline=None)
@given(st.lists(CHANGES, min_size=5, max_size=40))
def test_no_byte_of_a_redacted_value_is_in_any_file(tmp_path_factory: pytest.TempPathFactory, changes: Any) -> None:
    root = tmp_path_factory.mktemp("data")
    model = Model(root)
    model.session.run("CREATE INDEX ON T (k)")
    for _ in range(DOCUMENTS):
        model.insert(1)
    for name, *arguments in changes:
        getattr(model, name)(*arguments)
    model.update(0, 1)
    model.redact(-1)
    # Already while the server runs; a snapshot and a fork that are taken now have nothing either.
    assert found_in(root, model.gone) == []
    take_snapshot(model.emulator, REGION, "cars", "later")
    fork_ledger(model.emulator, REGION, "cars", "copy")
    log = json.dumps([row.members() for row in model.emulator.statement_log.rows()])
    assert [value for value in model.gone if value in log] == []
    ledger = model.emulator.ledgers.find(REGION, "cars")
    assert ledger is not None
    tables = ledger.tables
    kept = repr([row for table in tables._decoded.values() for row in table.rows])
    kept += repr([piece.joined for table in tables._undecoded.values() for _, piece in table.pieces])
    kept += repr([ledger.cache._young, ledger.cache._old])
    assert [value for value in model.gone if value in kept] == []
    model.emulator.close()
    assert found_in(root, model.gone) == []
    assert found_in(root, [value[: len(token(0, 1))] for _, value in model.current.values()]) != [] or not model.current


def test_an_open_transaction_that_uses_a_dropped_index_still_finds_its_documents(tmp_path: Path) -> None:
    """Entries of a dropped index are purged when the ledger is opened again, not under a reader."""
    model = Model(tmp_path)
    model.session.run("CREATE INDEX ON T (k)")
    model.insert(1)
    reader = LocalSession(model.emulator, "cars").begin()
    model.toggle_index(0)
    assert len(reader.execute("SELECT * FROM T WHERE k = ?", token(1, 1))) == 1
    model.restart()
    ledger = model.emulator.ledgers.find(REGION, "cars")
    assert ledger is not None
    assert ledger.file.counts().index_entries == 0
    model.emulator.close()


def test_a_killed_server_leaves_nothing_in_the_log_either(tmp_path: Path) -> None:
    """The log is emptied with the redaction itself, not only when the server stops."""
    model = Model(tmp_path)
    model.insert(400)
    model.update(0, 1)
    model.redact(0)
    assert found_in(tmp_path, model.gone) == []
    model.emulator.close()


def test_the_parameter_that_the_journal_never_had_is_forgotten(tmp_path: Path) -> None:
    model = Model(tmp_path)
    model.insert(1)
    transaction = model.session.begin()
    transaction.execute("SELECT * FROM T WHERE k = ?", token(1, 1))
    transaction.abort()
    model.update(0, 1)
    assert token(1, 1) in json.dumps([row.members() for row in model.emulator.statement_log.rows()])
    model.redact(0)
    assert token(1, 1) not in json.dumps([row.members() for row in model.emulator.statement_log.rows()])
    assert dumps(token(1, 1)) not in b"".join(data for _, data in bytes_of(tmp_path))
    assert model.emulator.call("DescribeLedger", {"Name": "cars"}, CONTEXT)["State"] == "ACTIVE"
    model.emulator.close()


@pytest.mark.parametrize("at_once_bytes", [ledger_module.ERASED_AT_ONCE_BYTES, 0])
def test_copies_in_the_gaps_of_pages_are_gone_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once_bytes: int
) -> None:
    """SQLite moves rows between pages and leaves copies of them in unused space, whatever secure_delete says.

    A large file is rewritten when the ledger is closed; a snapshot taken before that has nothing either.
    """
    monkeypatch.setattr(ledger_module, "ERASED_AT_ONCE_BYTES", at_once_bytes)
    random = Random(2)
    sizes = [1, 1, 2, 3, 5, 8, 20, 60, 100]
    model = Model(tmp_path)
    model.session.run("CREATE INDEX ON T (k)")
    for _ in range(100):
        model.insert(random.choice(sizes))
    for _ in range(400):
        model.update(random.randrange(1000), random.choice(sizes))
        if random.random() < 0.3:
            model.redact(random.randrange(1000))
    assert at_once_bytes == 0 or found_in(tmp_path, model.gone) == []
    take_snapshot(model.emulator, REGION, "cars", "later")
    assert found_in(tmp_path / REGION / ".snapshots", model.gone) == []
    model.emulator.close()
    assert found_in(tmp_path, model.gone) == []


def test_an_export_made_after_a_redaction_and_its_import_have_nothing_of_it(tmp_path: Path) -> None:
    model = Model(tmp_path / "data")
    model.session.run("CREATE INDEX ON T (k)")
    for size in (1, 400):
        model.insert(size)
    for which in (0, 1):
        model.update(which, 1)
        model.redact(0)
    model.emulator.close()
    export, imported = tmp_path / "export", tmp_path / "imported"
    for command in (
        ["export", "cars", export, "--data-dir", tmp_path / "data"],
        ["import", export, "--as", "cars", "--data-dir", imported],
    ):
        result = CliRunner().invoke(main, [str(argument) for argument in command])
        assert result.exit_code == 0, result.output
    assert len(model.gone) == 2
    assert found_in(tmp_path, model.gone) == []


def test_a_redaction_beside_a_verification_is_finished_when_the_ledger_is_closed(tmp_path: Path) -> None:
    """The other process reads the file as it was, so the log cannot be emptied; commits do not wait for it."""
    model = Model(tmp_path)
    model.insert(1)
    model.update(0, 1)
    with StoredRows.open(tmp_path / REGION / "cars.qldb") as stored:
        started = time.monotonic()
        model.redact(0)
        assert time.monotonic() - started < BUSY_SECONDS
        assert stored.count("revision") == 2
    model.emulator.close()
    assert found_in(tmp_path, model.gone) == []
