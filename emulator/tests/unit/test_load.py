"""Loads files of records into tables: every form, the limits, and the errors for mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.local_driver import new_emulator
from hypothesis import given
from hypothesis import strategies as st

from qldb_emulator.cli import main
from qldb_emulator.ion.codec import dumps
from qldb_emulator.limits import STRICT
from qldb_emulator.seeding.loading import TRANSACTION_BYTES, batches
from qldb_emulator.seeding.records import Record, read_records
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with new_emulator(has_admin=True) as emulator, Server(create_dispatcher(emulator)) as server:
        yield server.url


@pytest.fixture
def run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)

    def runner(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=stdin, env={"QLDB_EMULATOR_URL": url, "HOME": str(tmp_path)})

    runner("ledgers", "create", "shop")
    yield runner
    runner("reset", "--yes")


def rows(run: Run) -> list[Any]:
    return sorted(json.loads(run("shell", "shop", "-f", "json", "-c", "SELECT * FROM Item").stdout), key=str)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("items.csv", 'code,price\r\n007,1.50\r\n"a ""b"",c",\r\n'),
        ("items.tsv", 'code\tprice\n007\t1.50\n"a ""b"",c"\t\n'),
        ("items.jsonl", '{"code": "007", "price": "1.50"}\n\n{"code": "a \\"b\\",c"}\n'),
        ("items.json", '[{"code": "007", "price": "1.50"},\n {"code": "a \\"b\\",c"}]'),
        ("items.ion", "{code:\"007\",price:\"1.50\"}\n{code:'''a \"b\",c'''}"),
    ],
)
def test_every_form_gives_the_same_documents(run: Run, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    answer = run("load", "shop", name, "--table", "Item", "--create")
    assert (answer.exit_code, answer.stdout) == (0, "Inserted 2 documents into Item\n"), answer.output
    assert rows(run) == [{"code": "007", "price": "1.50"}, {"code": 'a "b",c'}]


@pytest.mark.parametrize(("delimiter", "shown"), [(";", ";"), ("\t", "\\t"), ("|", "|")])
def test_csv_with_another_delimiter_is_refused_until_it_is_named(
    run: Run, tmp_path: Path, delimiter: str, shown: str
) -> None:
    (tmp_path / "items.csv").write_text(f"code{delimiter}price\n007{delimiter}1,50\n")
    refused = run("load", "shop", "items.csv", "--table", "Item", "--create")
    name = repr(f"code{delimiter}price")
    hint = f"the header is one field, {name}; give --delimiter '{shown}' if that separates fields"
    assert (refused.exit_code, hint in refused.stderr) == (1, True), refused.stderr
    assert run("load", "shop", "items.csv", "--table", "Item", "--delimiter", shown).exit_code == 0
    assert rows(run) == [{"code": "007", "price": "1,50"}]


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n"])
def test_a_delimiter_is_one_character(run: Run, tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "items.csv").write_text("code\n007\n")
    answer = run("load", "shop", "items.csv", "--table", "Item", "--delimiter", delimiter)
    assert (answer.exit_code, "is not one character" in answer.stderr) == (2, True), answer.stderr


def test_parquet_keeps_its_types(run: Run, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow, the extra parquet")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"n": [1, None], "price": [Decimal("1.50"), Decimal("2.00")], "tags": [["a"], []]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "items.parquet")
    assert run("load", "shop", "items.parquet", "--table", "Item", "--create").exit_code == 0
    text = run("shell", "shop", "-c", "SELECT * FROM Item").stdout
    assert text == '{n:1,price:1.50,tags:["a"]}\n{price:2.00,tags:[]}\n'


def test_types_of_csv_are_detected_by_column(run: Run, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("n,price,ok,zip,mixed\n1,2,true,0123,5\n-7,2.50,false,1000,x\n")
    assert run("load", "shop", "items.csv", "-t", "Item", "--create", "--detect-types").exit_code == 0
    text = run("shell", "shop", "-c", "SELECT * FROM Item").stdout.splitlines()
    assert text == [
        '{n:1,price:2.,ok:true,zip:"0123",mixed:"5"}',
        '{n:-7,price:2.50,ok:false,zip:"1000",mixed:"x"}',
    ]


def test_many_records_are_committed_forty_at_a_time(run: Run, tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(100)))
    run("load", "shop", "items.jsonl", "-t", "Item", "--create", "--quiet")
    blocks = run("shell", "shop", "-f", "jsonl", "-c", "SELECT VALUE blockAddress.sequenceNo FROM _ql_committed_Item")
    numbers = blocks.stdout.split()
    assert sorted(numbers.count(number) for number in set(numbers)) == [20, 40, 40]


@given(st.lists(st.integers(1, 120_000), min_size=1, max_size=90))
def test_batches_fit_the_limits_and_lose_nothing(sizes: list[int]) -> None:
    made = [Record(str(number), {"text": "x" * size}, 0) for number, size in enumerate(sizes)]
    found = list(batches(made))
    assert [record for transaction in found for statement in transaction for record in statement] == made
    for transaction in found:
        assert sum(map(len, transaction)) <= STRICT.transaction_documents
        parameters = [len(dumps([record.value for record in statement])) for statement in transaction]
        assert max(parameters) <= STRICT.parameter_binary_bytes
        assert sum(parameters) <= TRANSACTION_BYTES


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.json",
            b'[{"n": 1},\n {"n" 2}]',
            "a.json:2:7: it is not JSON: Expecting ':' delimiter\n   {\"n\" 2}]\n        ^",
        ),
        ("a.jsonl", b'{"n": 1}\n{"n": }\n', 'a.jsonl:2:7: it is not JSON: Expecting value\n  {"n": }\n        ^'),
        ("a.jsonl", b'{"n": 1}\n{"n":\n', 'a.jsonl:2:6: it is not JSON: Expecting value\n  {"n":\n       ^'),
        ("a.jsonl", b'{"n": 1}\n7\n', "a.jsonl:2: a record must be a struct, as every document"),
        ("a.jsonl", b'{"n": 1}\n{"n": "\xff"}\n', "a.jsonl:2:8: the byte 0xff is not UTF-8"),
        ("a.csv", b"a,b\n1,2\n3\n", "a.csv:3: 1 cells, but the header has 2"),
        ("a.csv", b"a,a\n1,2\n", "a.csv:1: the header names 'a' twice"),
        ("a.csv", b"", "a.csv:1: there is no header"),
        ("a.ion", b"{a:", "a.ion: it is not Ion"),
        ("a.txt", b"", "a.txt: the name does not end in one of .csv"),
        (
            "a.jsonl",
            b'{"t": "' + b"x" * 140_000 + b'"}',
            "a.jsonl:1: 140,021 bytes of Ion; a document has at most",
        ),
    ],
)
def test_a_mistake_is_named_by_its_place(run: Run, tmp_path: Path, name: str, text: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(text)
    answer = run("load", "shop", name, "-t", "Item", "--create")
    assert (answer.exit_code, message in answer.stderr) == (1, True), answer.stderr


def test_what_was_inserted_before_a_mistake_is_said(run: Run, tmp_path: Path) -> None:
    lines = [f'{{"n": {n}}}' for n in range(50)] + ["{"]
    (tmp_path / "items.jsonl").write_text("\n".join(lines))
    answer = run("load", "shop", "items.jsonl", "-t", "Item", "--create")
    assert answer.stderr.splitlines()[-1] == "40 documents inserted before it"
    assert len(rows(run)) == 40


def test_a_missing_table_is_the_servers_error_with_the_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("a\n1\n2\n")
    answer = run("load", "shop", "items.csv", "-t", "Item")
    assert "items.csv:2 to items.csv:3: Semantic Error" in answer.stderr


def test_the_prompt_has_it_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("a\n1\n2\n")
    answer = run("shell", "shop", stdin="CREATE TABLE Item;\n\\load items.csv Item\nSELECT VALUE a FROM Item")
    assert answer.stdout.splitlines()[-2:] == ['"1"', '"2"']


@given(
    st.lists(st.dictionaries(st.sampled_from("ab"), st.text(min_size=1).filter(lambda t: "\0" not in t)), max_size=5)
)
def test_csv_of_the_shell_is_read_back(found: list[dict[str, str]]) -> None:
    import tempfile

    from qldb_emulator.cli.shell.formats import Layout, row_writer

    found = [row for row in found if row]
    writer = row_writer("csv", Layout())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write("".join([*writer.page(found), *writer.end()]))
        if found:
            assert [record.value for record in read_records(path, "csv")] == found
