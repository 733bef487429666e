"""A journal as tables: the same rows in every target, exact values, odd names, and targets that stay as they were."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.journals import STRAND, chain, changed, sample, service_sample, statement
from helpers.ledgers import busy_ledger, digest
from helpers.local_driver import LocalSession, new_ledger
from helpers.postgres import Postgres, postgres_if_installed

from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.binary_reader import extent
from qldb_emulator.ion.codec import dumps, dumps_text, loads, loads_document
from qldb_emulator.ion.values import Annotated, Symbol, Timestamp
from qldb_emulator.journal import hashing, merkle
from qldb_emulator.journal.block import ChangedDocument, NewRevision, Redaction, TransactionResult
from qldb_emulator.journal.encode import encode_block
from qldb_emulator.journal.model import BlockAddress
from qldb_emulator.journal.read_stored import read_noted_block
from qldb_emulator.settings import Settings
from qldb_emulator.tables import build, open_target, spool
from qldb_emulator.tables.forms import form_of
from qldb_emulator.tables.layout import BLOCKS, BLOCKS_NAME, layouts_from_plain
from qldb_emulator.tables.locks import held_alone

KINDS = ["parquet", "csv", "sqlite", "postgresql"]


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres | None]:
    with postgres_if_installed() as running:
        yield running


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, tmp_path: Path, server: Postgres | None) -> str:
    """A free target of each kind."""
    if request.param == "postgresql":
        if server is None:
            pytest.skip("needs PostgreSQL's server (apt-get install postgresql)")
        return server.database("tables")
    return f"{request.param}:{tmp_path / 'target'}"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The data directory of the ledger cars, and its digest."""
    folder = tmp_path_factory.mktemp("data")
    with Emulator(Settings(data_dir=folder)) as emulator:
        session = busy_ledger(emulator)
        session.run("DROP TABLE Owner")
        session.run("CREATE TABLE Owner")
        session.run("INSERT INTO Owner {'name': 'Second'}")
        value, _ = digest(emulator)
    return folder, base64.b64encode(value).decode()


def everything(target: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a target as plain values."""
    opened = open_target(target)
    try:
        layouts = layouts_from_plain(json.loads(opened.verification()["tables"])["tables"], opened.dialect)
        found = {}
        for layout in layouts:
            key = f"{layout.name} {layout.table_id}"
            found[key] = list(opened.read(layout.history, layout.history_columns))
            found[f"current {key}"] = list(opened.read(layout.current, layout.current_columns))
        return found
    finally:
        opened.close()


def journal_file(path: Path, results: list[TransactionResult]) -> Path:
    path.write_bytes(b"".join(dumps(block.to_ion()) for block in chain(results)))
    return path


def documents(*values: Any, table: str = "Cars", table_id: str = "BFJKdXgzt9oF4wjMbuxy4G") -> list[TransactionResult]:
    """A transaction for each document, each a document of its own."""
    return [
        TransactionResult(
            f"tx{number}",
            [statement("INSERT INTO x ?", 0, number)],
            {f"{table}{number}": ChangedDocument(table, table_id, (0,))},
            [NewRevision(f"{table}{number}", 0, value)],
        )
        for number, value in enumerate(values)
    ]


# --- What is written -------------------------------------------------------------------------------------------


def test_a_ledger_becomes_tables_and_every_row_is_proved(ledger, target):
    folder, value = ledger
    result = run("tables", "cars", "--to", target, "--data-dir", folder)
    assert result.exit_code == 0, result.output
    result = run("verify-tables", target, "--digest", value)
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "The tables are whole: every row was proved.")
    assert run("verify-tables", target).exit_code == 4
    wrong = base64.b64encode(bytes(32)).decode()
    assert run("verify-tables", target, "--digest", wrong).exit_code == 1


@pytest.mark.parametrize("output_format", ["ION_BINARY", "ION_TEXT"])
def test_a_ledger_and_its_export_give_the_same_rows(ledger, target, tmp_path, output_format):
    folder, _ = ledger
    assert run("export", "cars", tmp_path / "export", "--data-dir", folder, "--format", output_format).exit_code == 0
    assert run("tables", tmp_path / "export", "--to", target, "--jobs", 2).exit_code == 0
    assert run("tables", "cars", "--to", f"parquet:{tmp_path / 'other'}", "--data-dir", folder).exit_code == 0
    assert comparable(everything(target)) == comparable(everything(f"parquet:{tmp_path / 'other'}"))


def every_cell(target: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that a target has but for ``_verification``, which names the source."""
    opened = open_target(target)
    try:
        return {**everything(target), "blocks": list(opened.read(BLOCKS_NAME, BLOCKS))}
    finally:
        opened.close()


def test_binary_text_json_and_the_ledger_itself_give_the_same_tables_to_the_last_byte(target, tmp_path):
    """All values of these documents are such that JSON holds them."""
    folder = tmp_path / "data"
    with Emulator(Settings(data_dir=folder)) as emulator:
        session = new_ledger(emulator, "cars")
        session.run("CREATE TABLE Car")
        session.run("CREATE INDEX ON Car (vin)")
        session.run("INSERT INTO Car ?", {"vin": "A", "n": 1, "when": [True, None, {"x": "é"}], "name": "statement"})
        session.run("INSERT INTO Car <<?, ?>>", {"vin": "B", "n": -5}, {"tableId": "C", "other": {"vin": 2}})
        session.execute(lambda t: [t.execute("SELECT * FROM Car"), t.execute("UPDATE Car SET n = ?", 7)])
        session.run("SELECT * FROM Car WHERE vin = ?", "A")
        session.run("DELETE FROM Car WHERE vin = 'B'")
    expected = f"parquet:{tmp_path / 'expected'}"
    assert run("tables", "cars", "--to", expected, "--data-dir", folder).exit_code == 0
    for output_format in ("ION_BINARY", "ION_TEXT", "JSON"):
        export = tmp_path / output_format
        assert run("export", "cars", export, "--data-dir", folder, "--format", output_format).exit_code == 0
        one = free(target, output_format.lower())
        assert run("tables", export, "--to", one).exit_code == 0
        assert every_cell(one) == every_cell(expected), output_format


def many_documents() -> list[TransactionResult]:
    """Inserts of documents of few forms, some with values of their own kind, then an update, a deletion, redactions."""
    table, ids = "BFJKdXgzt9oF4wjMbuxy4G", [f"{number:022}" for number in range(330)]
    values: list[dict[str, Any]] = []
    for n in range(len(ids)):
        value = {"vin": f'é%s"{n}', "n": n, "price": Decimal(n).scaleb(-2), "when": Timestamp("day", 2020, 1, 2)}
        if n == 150:
            value["n"] = 2**70
        elif n == 160:
            value["when"] = Timestamp("year", 2020)
        elif n % 7 == 3:
            value |= {"none": None, "is": n % 2 == 0, "in": {"list": [n, "x"], "": -n}, "kind": Symbol("k")}
        elif n % 7 == 5:
            value["real"] = Annotated(["unit"], float(n))
        values.append(value)
    results = [
        TransactionResult(
            f"tx{n}",
            [statement("INSERT INTO x ?", n * 1000)],
            {id_: ChangedDocument("Cars", table, (0,))},
            [NewRevision(id_, 0, loads_document(dumps(value)))],  # as the engine has it
        )
        for n, (id_, value) in enumerate(zip(ids, values, strict=True))
    ]
    for version, value in ((1, {"vin": "new"}), (2, None)):
        results.append(
            TransactionResult(
                f"tx-{version}",
                [statement("x", 400_000)],
                {ids[7]: ChangedDocument("Cars", table, (0,))},
                [NewRevision(ids[7], version, value)],
            )
        )
    redactions = [Redaction(BlockAddress(STRAND, n + 1), table, ids[n], 0) for n in (7, 101, 108, 160)]
    return [*results, TransactionResult("tx-redact", [statement("x", 500_000)], redactions=redactions)]


def test_documents_that_are_made_into_columns_together_give_the_rows_of_decoded_ones(target, tmp_path):
    blocks = chain(many_documents())
    ions = [encode_block(block) for block in blocks]
    (tmp_path / "binary").write_bytes(b"".join(ions))
    (tmp_path / "text").write_text("\n".join([dumps_text(block.to_ion()) for block in blocks]))
    one, other = free(target, "one"), f"parquet:{tmp_path / 'other'}"
    assert run("tables", tmp_path / "binary", "--to", one).exit_code == 0
    assert run("tables", tmp_path / "text", "--to", other).exit_code == 0
    assert comparable(everything(one)) == comparable(everything(other))
    assert run("verify-tables", one).exit_code == 4
    read = [each for ion in ions if (each := read_noted_block(ion, extent(ion, 4)[1])) is not None]
    noted = [revision.noted for each in read for revision in each.revisions or () if revision.noted is not None]
    assert len([form for form, _ in noted if form_of(form) is not None]) > 200


def free(target: str, name: str) -> str:
    """Another free target of the same kind."""
    if not target.startswith("postgresql:"):
        return f"{target}-{name}"
    import psycopg

    with closing(psycopg.connect(target, autocommit=True)) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"')
    return f"{target}?options=-csearch_path%3D{name}"


def comparable(tables: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[list[Any]]]:
    """Without what a target may show in its own way: zeros behind the point."""

    def plain(value: Any) -> Any:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            return Decimal(value)
        return value

    return {key: [list(map(plain, row)) for row in rows] for key, rows in tables.items()}


def test_history_and_current_state_are_what_the_ledger_answers(ledger, target, tmp_path):
    folder = Path(shutil.copytree(ledger[0], tmp_path / "data"))  # the questions add blocks
    run("tables", "cars", "--to", target, "--data-dir", folder)
    found = everything(target)
    with Emulator(Settings(data_dir=folder)) as emulator:
        session = LocalSession(emulator, "cars")
        history = session.run("SELECT * FROM history(Car)")
        current = session.run("SELECT * FROM _ql_committed_Car")
    (key,) = [key for key in found if key.startswith("Car ")]
    told = {(row["metadata"]["id"], row["metadata"]["version"]): row for row in history}
    assert {(row[0], row[1]) for row in found[key]} == set(told)
    for row in found[key]:
        revision = loads(row[10])
        assert dumps(revision) == dumps(told[row[0], row[1]])
    assert {(row[0], row[1]) for row in found[f"current {key}"]} == {
        (row["metadata"]["id"], row["metadata"]["version"]) for row in current
    }
    assert sorted({row[6] for row in found[key]}) == ["D", "I", "R", "U"]


def test_a_table_dropped_and_made_again_is_another_table(ledger, tmp_path):
    folder, _ = ledger
    run("tables", "cars", "--to", f"sqlite:{tmp_path / 'a.db'}", "--data-dir", folder)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        assert connection.execute("SELECT name FROM Owner").fetchall() == [("Maria",)]
        assert connection.execute("SELECT name FROM Owner_2").fetchall() == [("Second",)]
    connection.close()


def test_only_some_tables(ledger, target):
    folder, value = ledger
    assert run("tables", "cars", "--to", target, "--data-dir", folder, "--only", "Car").exit_code == 0
    assert {key.split()[-2] for key in everything(target)} == {"Car"}
    assert run("verify-tables", target, "--digest", value).exit_code == 0


# --- Values ------------------------------------------------------------------------------------------------------

VALUES = [
    '{a:1, big:9223372036854775808, price:1.50, t:2020-02-29T12:00:00.120+05:30, d:2020-02-29, f:1e0, s:"x", b:true}',
    "{a:-7, big:1, price:123456789012345678901234567890.5, t:1969-12-31T23:59:59.999999Z, d:0001-01-01, f:nan}",
    "{a:null, price:3, s:symbol, b:false, blob:{{AAE=}}, when:2020T, nano:2020-01-01T00:00:00.123456789Z}",
    '{s:"", nested:{x:1, y:{z:"deep"}}, list:[1,2], drift:1, annotated:note::5}',
    '{drift:"text", f:+inf, s:"tab\\tline\\nback\\\\slash \\"quoted\\" \\u00e9 \\U0001F600", price:1d-20}',
]


def test_values_are_exact_in_every_target(target, tmp_path):
    source = journal_file(tmp_path / "journal", documents(*map(loads, VALUES)))
    assert run("tables", source, "--to", target).exit_code == 0
    found = everything(target)
    (key,) = [key for key in found if key.startswith("Cars ")]
    opened = open_target(target)
    (layout,) = layouts_from_plain(json.loads(opened.verification()["tables"])["tables"], opened.dialect)
    opened.close()
    names = {column.path: number + 11 for number, column in enumerate(layout.columns)}
    values = {path: [row[number] for row in found[key]] for path, number in names.items()}
    assert values["a"] == [1, -7, None, None, None]
    assert [v and Decimal(v) for v in values["big"]] == [Decimal(2**63), 1, None, None, None]
    assert [v and Decimal(v) for v in values["price"]] == [
        Decimal("1.50"),
        Decimal("123456789012345678901234567890.5"),
        Decimal(3),
        None,
        Decimal("1E-20"),
    ]
    assert values["t"] == [1582957800120000, -1, None, None, None]
    assert values["d"] == [18321, -719162, None, None, None]
    assert values["b"] == [True, None, False, None, None]
    assert values["blob"] == [None, None, b"\0\1", None, None]
    assert values["when"][2] == "2020T"
    assert values["nano"][2] == "2020-01-01T00:00:00.123456789Z"
    assert values["s"][4] == 'tab\tline\nback\\slash "quoted" é 😀'
    assert values["s"][3] == ""
    assert values["annotated"][3] == 5
    assert (values["f"][0], str(values["f"][1]), values["f"][4]) == (1.0, "nan", float("inf"))
    assert "drift" not in names
    assert not {"nested", "list", "nested.x"} & set(names)
    assert json.loads(found[key][3][9])["nested"] == {"x": 1, "y": {"z": "deep"}}
    assert run("verify-tables", target).exit_code == 4


def test_structs_give_columns_when_asked(target, tmp_path):
    source = journal_file(tmp_path / "journal", documents(*map(loads, VALUES)))
    assert run("tables", source, "--to", target, "--flatten").exit_code == 0
    opened = open_target(target)
    (layout,) = layouts_from_plain(json.loads(opened.verification()["tables"])["tables"], opened.dialect)
    opened.close()
    assert {"nested_x": "nested.x", "nested_y_z": "nested.y.z"}.items() <= {
        c.name: c.path for c in layout.columns
    }.items()
    assert run("verify-tables", target).exit_code == 4


def test_names_that_are_reserved_or_collide_or_are_odd(target, tmp_path):
    fields = (
        "{id:\"own\", version:\"v\", Hash:1, hash:2, select:3, 'a \"b\"':4, '':5, 'x/y':6, '50%':7, '50%%s':8, block:9}"
    )
    results = [
        *documents(loads(fields), table="order", table_id="T1"),
        *documents({"a": 1}, table="Order", table_id="T2"),
        *documents({"a": 1}, table="blocks", table_id="T3"),
        *documents({"a": 1}, table="_verification", table_id="T4"),
        *documents({"a": 1}, table="order_history", table_id="T5"),
        *documents({"a": 1}, table="sqlite_master", table_id="T6"),
        *documents({"a": 1}, table="x" * 100, table_id="T7"),
        *documents({"a": 1}, table="x" * 99 + "y", table_id="T8"),
        *documents({"a": 1}, table="SELECT", table_id="T9"),
    ]
    source = journal_file(tmp_path / "journal", results)
    result = run("tables", source, "--to", target)
    assert result.exit_code == 0, result.output
    found = everything(target)
    assert len(found) == 2 * 9
    assert all(len(rows) == 1 for rows in found.values())
    (key,) = [key for key in found if key.endswith(" T1") and not key.startswith("current")]
    assert sorted(str(value) for value in found[key][0][11:]) == sorted(
        ["own", "v", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    )
    assert run("verify-tables", target).exit_code == 4


def test_a_text_with_nul_has_no_column_where_there_can_be_none(target, tmp_path):
    source = journal_file(tmp_path / "journal", documents({"a": "x\0y", "b": 1}))
    assert run("tables", source, "--to", target).exit_code == 0
    assert run("verify-tables", target).exit_code == 4


def test_two_revisions_in_one_millisecond_and_an_end(target, tmp_path):
    results = [
        TransactionResult(f"t{n}", [statement("x", 0)], changed("d"), [NewRevision("d", n, {"n": n})]) for n in range(3)
    ]
    blocks = chain(results)
    data = b"".join(dumps(block.to_ion()) for block in blocks)
    (tmp_path / "journal").write_bytes(data)
    run("tables", tmp_path / "journal", "--to", target)
    (key,) = [key for key in everything(target) if key.startswith("Cars")]
    rows = everything(target)[key]
    assert [row[1] for row in rows] == [0, 1, 2]
    assert [row[5] for row in rows] == [rows[1][4], rows[2][4], None]


def test_a_redaction_in_a_later_block_takes_the_data_of_an_earlier_one(target, tmp_path):
    """As when the first part of a journal was exported before the redaction."""
    results = [
        TransactionResult("t0", [statement("x", 0)], changed("d"), [NewRevision("d", 0, {"secret": "s3cret"})]),
        TransactionResult("t1", [statement("x", 0)], changed("d"), [NewRevision("d", 1, {"public": 1})]),
        TransactionResult(
            "t2",
            [statement("x", 0)],
            redactions=[Redaction(BlockAddress("KmA3ZZca7vAIiJAK9S5Iwl", 1), "BFJKdXgzt9oF4wjMbuxy4G", "d", 0)],
        ),
    ]
    run("tables", journal_file(tmp_path / "journal", results), "--to", target)
    (key,) = [key for key in everything(target) if key.startswith("Cars")]
    rows = everything(target)[key]
    assert [row[6] for row in rows] == ["R", "U"]
    assert rows[0][9] is None
    assert b"s3cret" not in rows[0][10]
    assert run("verify-tables", target).exit_code == 4


@pytest.mark.parametrize("blocks", [sample(), service_sample()], ids=["ours", "service"])
def test_journals_of_both_kinds(target, tmp_path, blocks):
    (tmp_path / "journal").write_bytes(b"".join(dumps(block.to_ion()) for block in blocks))
    value = merkle.root([block.block_hash for block in blocks])
    assert run("tables", tmp_path / "journal", "--to", target).exit_code == 0
    assert run("verify-tables", target, "--digest", value.hex()).exit_code == 0


# --- What must not be --------------------------------------------------------------------------------------------


def broken_journal(path: Path) -> Path:
    blocks = [dumps(block.to_ion()) for block in sample()]
    del blocks[3]
    path.write_bytes(b"".join(blocks))
    return path


def test_a_broken_journal_writes_nothing_unless_told_to(target, tmp_path):
    source = broken_journal(tmp_path / "journal")
    result = run("tables", source, "--to", target)
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "Nothing was written.")
    assert run("verify-tables", target).exit_code == 3
    assert run("tables", source, "--to", target, "--even-if-broken").exit_code == 0
    assert run("verify-tables", target).exit_code == 1


def test_a_target_in_use_stays_as_it_was(target, tmp_path):
    source = journal_file(tmp_path / "journal", documents({"a": 1}))
    assert run("tables", source, "--to", target).exit_code == 0
    before = everything(target)
    other = journal_file(tmp_path / "other", documents({"b": 2}))
    result = run("tables", other, "--to", target)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert everything(target) == before


@pytest.mark.parametrize("kind", ["parquet", "csv", "sqlite"])
def test_targets_that_cannot_be_written(kind, tmp_path):
    source = journal_file(tmp_path / "journal", documents({"a": 1}))
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "mine.txt").write_text("mine")
    for path in (occupied, tmp_path / "no" / "where", Path("/proc/nowhere")):
        result = run("tables", source, "--to", f"{kind}:{path}")
        assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert [path.name for path in occupied.iterdir()] == ["mine.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal", "occupied"]


@pytest.mark.parametrize("kind", ["parquet", "csv", "sqlite"])
@pytest.mark.skipif(not Path("/dev/full").exists() or sys.platform != "linux", reason="needs Linux")
def test_a_full_disk_leaves_nothing(kind, tmp_path, monkeypatch):
    """A file system that holds one megabyte."""
    import resource

    source = journal_file(tmp_path / "journal", documents(*({"a": "x" * 5_000 + str(n)} for n in range(400))))
    target = tmp_path / "target"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    from qldb_emulator.tables import targets

    real = targets.appearing

    def limited(*arguments: Any) -> Any:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        return real(*arguments)

    for module in ("parquet", "csv_files", "sqlite"):
        monkeypatch.setattr(f"qldb_emulator.tables.{module}.appearing", limited)
    try:
        result = run("tables", source, "--to", f"{kind}:{target}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert "errno" not in result.output, "the system's words, not those of a library"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_for_temporary_files_is_one_sentence(tmp_path, monkeypatch, jobs):
    """A file in the place of the folder is an error of the same kind that no rights get round."""
    source = journal_file(tmp_path / "journal", documents({"a": 1}))
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    result = run("tables", source, "--to", f"csv:{tmp_path / 'target'}", "--jobs", jobs)
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert "TMPDIR" in result.output
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("where", ["finish", "settled"])
def test_a_temporary_disk_that_fills_up_leaves_the_target_as_it_was(tmp_path, monkeypatch, where):
    source = journal_file(tmp_path / "journal", documents({"a": 1}))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device") if where == "finish" else sqlite3.OperationalError("disk is full")

    monkeypatch.setattr(spool.SpoolWriter if where == "finish" else spool.Settled, _FULL[where], full)
    result = run("tables", source, "--to", f"csv:{tmp_path / 'target'}", "--jobs", 1)
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert "temporary files" in result.output
    assert not (tmp_path / "target").exists()


_FULL = {"finish": "finish", "settled": "__init__"}


def test_a_table_that_the_journal_does_not_have_is_an_error(target, tmp_path):
    source = journal_file(tmp_path / "journal", documents({"a": 1}))
    result = run("tables", source, "--to", target, "--only", "Cars", "--only", "Nope")
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert "Nope" in result.output
    assert run("tables", source, "--to", target, "--only", "Cars").exit_code == 0


@pytest.mark.parametrize("name", ["", "x", "parquet:", "mysql://x", "parquet", "sqlite:"])
def test_what_is_no_target(name, tmp_path):
    source = journal_file(tmp_path / "journal", documents({"a": 1}))
    result = run("tables", source, "--to", name)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)


def test_a_server_that_is_not_there(tmp_path):
    source = journal_file(tmp_path / "journal", documents({"a": 1}))
    result = run("tables", source, "--to", "postgresql://me:secret@127.0.0.1:1/x")
    assert (result.exit_code, "secret" in result.output, result.output.count("\n")) == (1, False, 1)


def test_a_connection_lost_in_the_middle_leaves_the_database_as_it_was(server, tmp_path, monkeypatch):
    if server is None:
        pytest.skip("needs PostgreSQL's server (apt-get install postgresql)")
    from qldb_emulator.tables import postgresql

    url = server.database("lost")
    source = journal_file(tmp_path / "journal", documents({"a": 1}, {"a": 2}))
    real = postgresql.copy_lines

    def copy_lines(*arguments: Any) -> str:
        if len(arguments[1]) > len(BLOCKS):  # of a history, while its COPY runs
            server.kill()
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(postgresql, "copy_lines", copy_lines)
        result = run("tables", source, "--to", url)
    server.start()
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert run("verify-tables", url).exit_code == 3
    assert run("tables", source, "--to", url).exit_code == 0


def test_tables_of_another_schema_version_are_refused(tmp_path):
    source = journal_file(tmp_path / "journal", documents({"a": 1}))
    path = tmp_path / "a.db"
    run("tables", source, "--to", f"sqlite:{path}")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE _verification SET schema_version = 99")
    connection.commit()
    connection.close()
    result = run("verify-tables", f"sqlite:{path}")
    assert (result.exit_code, "version 99" in result.output) == (3, True)


def test_a_block_that_does_not_name_a_table_cannot_be_mapped(tmp_path):
    blocks = sample()
    value = service_sample()[2].to_ion()
    del value["transactionInfo"]["documents"]
    entries = list(value["entriesHashList"])
    entries[-1] = hashing.transaction_info_hash(value["transactionInfo"])
    (tmp_path / "journal").write_bytes(dumps(blocks[0].to_ion()) + dumps(value))
    result = run("tables", tmp_path / "journal", "--to", f"csv:{tmp_path / 'out'}")
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert not (tmp_path / "out").exists()


# --- Alterations of the tables -------------------------------------------------------------------------------------

ALTERATIONS = [
    "UPDATE Car_history SET vin = 'Z9' WHERE vin = 'B2'",
    "UPDATE Car_history SET data = replace(data, 'B2', 'B3')",
    "UPDATE Car_history SET operation = 'U' WHERE operation = 'I'",
    "UPDATE Car_history SET valid_from = '2001-01-01T00:00:00.000000Z' WHERE version = 0",
    "UPDATE Car_history SET valid_to = NULL",
    "UPDATE Car_history SET valid_to = '2999-01-01T00:00:00.000000Z' WHERE valid_to IS NOT NULL",
    "UPDATE Car_history SET block = block + 1",
    "UPDATE Car_history SET hash = zeroblob(32) WHERE version = 0",
    "UPDATE Car_history SET data_hash = zeroblob(32) WHERE operation = 'R'",
    "UPDATE Car_history SET ion = (SELECT ion FROM Car_history WHERE version = 1 LIMIT 1) WHERE version = 0",
    "UPDATE Car_history SET id = 'x' || id",
    "DELETE FROM Car_history WHERE version = 1",
    "DELETE FROM Car_history",
    "INSERT INTO Car_history SELECT 'new', version, block, transaction_id, valid_from, valid_to, operation, hash, "
    'data_hash, data, ion, vin, "when", price, kind, note, owner FROM Car_history LIMIT 1',
    "DELETE FROM blocks WHERE block = 5",
    "DELETE FROM blocks WHERE block = (SELECT max(block) FROM blocks)",
    "UPDATE blocks SET revision_hashes = zeroblob(32) WHERE length(revision_hashes) = 32",
    "UPDATE blocks SET previous_hash = zeroblob(32) WHERE block = 3",
    "UPDATE blocks SET transaction_info = NULL",
    'DROP VIEW Car; CREATE VIEW Car AS SELECT id, version, block, transaction_id, valid_from, data, vin, "when", '
    "price, kind, note, owner FROM Car_history WHERE valid_to IS NULL AND operation IN ('I', 'U') AND vin <> 'B2'",
]


@pytest.mark.parametrize("sql", ALTERATIONS)
def test_an_altered_table_is_found_out(ledger, tmp_path, sql):
    folder, value = ledger
    path = tmp_path / "a.db"
    run("tables", "cars", "--to", f"sqlite:{path}", "--data-dir", folder)
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.commit()
    connection.close()
    result = run("verify-tables", f"sqlite:{path}", "--digest", value)
    assert result.exit_code == 1, result.output
    assert "What is wrong" in result.output


def test_an_empty_ledger_has_blocks_and_no_tables(target, tmp_path):
    with Emulator(Settings(data_dir=tmp_path / "data")) as emulator:
        new_ledger(emulator, "empty")
    assert run("tables", "empty", "--to", target, "--data-dir", tmp_path / "data").exit_code == 0
    assert everything(target) == {}


@pytest.mark.parametrize("kind", ["parquet", "csv", "sqlite"])
def test_a_target_that_another_process_is_writing_is_left_to_it(tmp_path, kind):
    source = journal_file(tmp_path / "journal.ion", documents({"a": 1}))
    target = tmp_path / "target"
    with held_alone(target):
        result = run("tables", source, "--to", f"{kind}:{target}")
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert "is being written by another process; nothing was written" in result.output
    assert not target.exists()
    assert run("tables", source, "--to", f"{kind}:{target}").exit_code == 0
    assert [path.name for path in tmp_path.glob("target*")] == ["target"]


@pytest.mark.parametrize("kind", ["parquet", "csv", "sqlite"])
def test_what_appeared_while_the_journal_was_read_is_not_written_over(tmp_path, kind, monkeypatch):
    """Another process was faster."""
    source = journal_file(tmp_path / "journal.ion", documents({"a": 1}))
    target = tmp_path / "target"
    real = build.write_target

    def late(*arguments: Any) -> Any:
        target.mkdir()
        (target / "theirs").write_text("kept")
        return real(*arguments)

    monkeypatch.setattr(build, "write_target", late)
    result = run("tables", source, "--to", f"{kind}:{target}")
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert (target / "theirs").read_text() == "kept"
