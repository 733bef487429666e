"""The shell without a prompt: scripts, formats, confirmations, positions of errors, completions."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.ion_strategies import values
from helpers.local_driver import new_emulator
from helpers.support import ROOT, heed_interrupts
from hypothesis import given
from hypothesis import strategies as st

from qldb_emulator.cli import main
from qldb_emulator.cli.shell.carets import with_caret
from qldb_emulator.cli.shell.commands import COMMANDS, find_command, help_text
from qldb_emulator.cli.shell.completion import Fields, fields_of, suggestions
from qldb_emulator.cli.shell.formats import FORMATS, Layout, row_writer
from qldb_emulator.cli.shell.guard import danger
from qldb_emulator.cli.shell.highlight import PartiqlLexer
from qldb_emulator.cli.shell.pretty import pretty
from qldb_emulator.cli.shell.statements import is_whole, parts
from qldb_emulator.cli.shell.table import cut, text_width
from qldb_emulator.ion.codec import loads
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server

Run = Callable[..., Result]
ENDLESS = "FROM " + ", ".join(f"Car AS c{number}" for number in range(30))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with new_emulator(has_admin=True) as emulator, Server(create_dispatcher(emulator)) as server:
        yield server.url


@pytest.fixture
def run(url: str, tmp_path: Path) -> Iterator[Run]:
    """Runs ``shell cars`` on a ledger with two cars."""
    environment = {"QLDB_EMULATOR_URL": url, "HOME": str(tmp_path), "QLDB_EMULATOR_REGION": None}

    def runner(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(main, ["shell", "cars", *arguments], input=stdin, env=environment)

    CliRunner().invoke(main, ["ledgers", "create", "cars"], env=environment)
    made = runner("-c", "CREATE TABLE Car; INSERT INTO Car << {'VIN': '1', 'n': 1.50}, {'VIN': '2'} >>")
    assert made.exit_code == 0, made.output
    yield runner
    CliRunner().invoke(main, ["reset", "--yes"], env=environment)


def command(url: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Run the real command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emulator"), "QLDB_EMULATOR_URL": url}
    words = [sys.executable, "-m", "qldb_emulator", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(words, env=environment, text=True, preexec_fn=heed_interrupts, **{**pipes, **options})


# --- where statements end ------------------------------------------------------------------------------------


def is_command(text: str) -> bool:
    return find_command(text) is not None or text.startswith("\\")


def texts(text: str, is_line_mode: bool = False) -> list[str]:
    return [part.text for group in parts(text.split("\n"), is_command, is_line_mode) for part in group]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", True),
        ("SELECT 1", False),
        ("SELECT 1;", True),
        ("SELECT 1; -- why", True),
        ("SELECT 1;\nSELECT 2", False),
        ("SELECT 1\n", True),
        ("SELECT 1\n  ", True),
        ("DELETE FROM Person\nWHERE GovId = 'X'", False),
        ("SELECT ';", False),
        ("-- only a comment", False),
        ("begin", True),
        ("start transaction", True),
        ("\\d Person", True),
        (".tables", True),
    ],
)
def test_enter_runs_what_has_ended_and_nothing_else(text: str, whole: bool) -> None:
    assert is_whole(text, is_command, False) is whole


@pytest.mark.parametrize(
    ("text", "whole"), [("SELECT 1", True), ("INSERT INTO T <<", False), ("INSERT INTO T <<\n{'a': 1} >>", True)]
)
def test_in_line_mode_enter_runs_a_line_unless_a_bracket_is_open(text: str, whole: bool) -> None:
    assert is_whole(text, is_command, True) is whole


def test_scripts_are_cut_at_semicolons_and_commands() -> None:
    text = "SELECT\n1; SELECT 2;\n\\d\nbegin;\nSELECT ';\n\\d' ; commit\nSELECT 3"
    assert texts(text) == ["SELECT\n1", "SELECT 2", "\\d", "begin;", "SELECT ';\n\\d'", "commit\nSELECT 3"]


def test_in_line_mode_scripts_are_cut_at_lines_as_awss_shell_did() -> None:
    text = "start transaction\nSELECT 1\nINSERT INTO T <<\n{'a': 1} >>\n\\show tables\nSELECT 2; commit\n\n-- nothing"
    expected = ["start transaction", "SELECT 1", "INSERT INTO T <<\n{'a': 1} >>", "\\show tables", "SELECT 2", "commit"]
    assert texts(text, is_line_mode=True) == expected


def test_parts_come_as_soon_as_they_are_whole() -> None:
    def lines() -> Iterator[str]:
        yield "SELECT 1;"
        raise AssertionError("the second line was read before the first statement was given")

    assert next(parts(lines(), is_command, False))[0].text == "SELECT 1"


def test_parts_know_where_they_begin() -> None:
    found = [part for group in parts(["", "  SELECT 1; SELECT 2;", " SELECT 3"], is_command, False) for part in group]
    assert [(part.line, part.column) for part in found] == [(2, 3), (2, 13), (3, 2)]


# --- scripts -------------------------------------------------------------------------------------------------


def test_the_error_comes_before_the_note_on_the_open_transaction(run: Run) -> None:
    answer = run(stdin="begin\nDELETE FROM Car;\nSELECT * FROM Nope;\n")
    lines = answer.stderr.splitlines()
    assert lines[0].startswith("Error: line 3: Semantic Error")
    assert lines[1:3] == ["  SELECT * FROM Nope", "                ^"]
    assert lines[3] == "Error: the open transaction was not committed: nothing of it is kept"
    assert answer.exit_code == 1


def test_a_script_that_leaves_its_transaction_open_has_failed(run: Run) -> None:
    answer = run(stdin="begin\nDELETE FROM Car;\n")
    assert answer.stderr == "Error: the open transaction was not committed: nothing of it is kept\n"
    assert answer.exit_code == 1
    assert run(stdin="begin\nDELETE FROM Car;\nabort\n").exit_code == 0


def test_a_script_of_awss_shell_runs_with_an_option(run: Run) -> None:
    script = "start transaction\nDELETE FROM Car WHERE VIN = '1'\ncommit\nSELECT * FROM Nope\n\\show tables\n"
    answer = run("--aws-script", stdin=script + "SELECT VALUE VIN FROM Car\n")
    assert answer.stdout.splitlines()[-2:] == ["- Car", '"2"']
    assert answer.stderr.startswith("Error: line 4: Semantic Error")
    assert answer.exit_code == 1
    assert run("--aws-script", stdin="SELECT VALUE VIN FROM Car").exit_code == 0


def test_in_awss_scripts_an_error_skips_the_rest_of_its_line(run: Run) -> None:
    answer = run("--aws-script", stdin="SELECT * FROM Nope; DELETE FROM Car\nSELECT COUNT(*) AS n FROM Car\n")
    assert answer.stdout == "{n:2}\n"


def test_an_error_in_a_file_names_file_line_and_column(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "script.partiql"
    file.write_text("-- one\nSELECT VALUE 1 FROM <<1>>;  SELECT *\n\tFROM Nope;\n")
    answer = run("-i", str(file))
    assert answer.stderr.startswith(f"Error: {file}:3:7: Semantic Error")
    assert answer.stderr.splitlines()[1:] == ["   FROM Nope", "        ^"]
    file.write_text("SELECT 1 FROM <<1>>; SELECT * FROM Nope")
    assert run("-i", str(file)).stderr.startswith(f"Error: {file}:1:36: ")


def test_a_byte_that_is_not_utf8_is_one_sentence(run: Run) -> None:
    answer = run(stdin=b"SELECT 1 FROM <<1>>;\nSELECT '\xff'")
    assert (answer.exit_code, answer.stderr) == (1, "Error: standard input:2:9: the byte 0xff is not UTF-8\n")


def test_files_may_run_other_files(run: Run, tmp_path: Path) -> None:
    inner = tmp_path / "inner.partiql"
    inner.write_text("SELECT VALUE VIN FROM Car;\nSELECT * FROM Nope")
    answer = run(stdin=f"\\i {inner}")
    assert answer.stdout == '"1"\n"2"\n'
    assert f"{inner}:2:15: Semantic Error" in answer.stderr


@pytest.mark.parametrize("mode", ["refuse", "ask"])
def test_scripts_can_be_kept_from_destroying_much(run: Run, mode: str) -> None:
    answer = run("--destructive", mode, "-c", "DELETE FROM Car")
    expected = "Error: DELETE without WHERE deletes every document; not run (--destructive allow runs it)\n"
    assert (answer.exit_code, answer.stderr) == (1, expected)
    assert run("-c", "DELETE FROM Car").exit_code == 0


@pytest.mark.parametrize(
    ("statement", "is_dangerous"),
    [
        ("DELETE FROM Car", True),
        ("DELETE FROM Car AS c BY id", True),
        ("DELETE FROM Car WHERE TRUE", False),
        ("UPDATE Car SET n = 1", True),
        ("UPDATE Car AS c SET c.n = 1 WHERE c.n = 2", False),
        ("FROM Car AS c SET c.n = 1", True),
        ("FROM Car AS c WHERE c.n = 2 REMOVE c.n", False),
        ("DROP TABLE Car", True),
        ("DROP INDEX x ON Car WITH (purge = true)", False),
        ("SELECT * FROM Car", False),
        ("INSERT INTO Car {'a': 1}", False),
        ("DELETE FORM Car", False),
    ],
)
def test_what_is_dangerous(statement: str, is_dangerous: bool) -> None:
    assert (danger(statement) is not None) is is_dangerous


def test_quiet_scripts_say_nothing_but_rows_and_errors(run: Run) -> None:
    answer = run("--quiet", stdin="SELECT VALUE VIN FROM Car;\n\\x\n")
    assert (answer.stdout, answer.stderr) == ('"1"\n"2"\n', "")


# --- ending early --------------------------------------------------------------------------------------------


def test_rows_come_before_the_last_one_is_known(run: Run, url: str) -> None:
    with command(url, "shell", "cars", "-f", "jsonl", "-c", f"SELECT c0.VIN {ENDLESS}") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == '{"VIN":"1"}\n'
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "\nInterrupted\n")


def test_ctrl_c_in_one_line_is_130(run: Run, url: str) -> None:
    with command(
        url, "shell", "cars", "--timing", "-c", f"SELECT VALUE 1 FROM <<1>>; SELECT COUNT(*) AS n {ENDLESS}"
    ) as p:
        assert p.stderr is not None
        assert p.stderr.readline().startswith("1 row, ")  # the second statement runs
        p.send_signal(signal.SIGINT)
        _, errors = p.communicate(timeout=20)
    assert (p.returncode, errors) == (130, "\nInterrupted\n")
    assert run("-c", "SELECT COUNT(*) AS n FROM Car").stdout == "{n:2}\n"


@pytest.mark.parametrize(
    "arguments",
    [("shell", "cars", "-f", "jsonl", "-c", f"SELECT c0.VIN {ENDLESS}"), ("stream", "cars", "--follow")],
    ids=["shell", "stream"],
)
def test_a_reader_that_leaves_ends_a_command_silently(run: Run, url: str, arguments: Sequence[str]) -> None:
    with command(url, *arguments) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        if arguments[0] == "stream":
            run("-c", "INSERT INTO Car {'VIN': '3'}")  # the next record is written to a closed pipe
        errors = process.stderr.read() if process.stderr else ""
        process.wait(20)
    assert (process.returncode, errors) == (141, "")


def test_ctrl_c_ends_a_stream_with_130(run: Run, url: str) -> None:
    with command(url, "stream", "cars", "--follow") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "\nInterrupted\n")


# --- formats -------------------------------------------------------------------------------------------------


def written(form: str, pages: Sequence[Sequence[Any]], layout: Layout | None = None) -> str:
    writer = row_writer(form, layout or Layout())
    return "".join([*(text for page in pages for text in writer.page(page)), *writer.end()])


@given(st.lists(st.dictionaries(st.text(min_size=1), st.text() | st.integers(), min_size=1), min_size=1, max_size=4))
def test_csv_gives_every_text_back_exactly(rows: list[dict[str, Any]]) -> None:
    text = written("csv", [rows[:1], rows[1:]])
    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    names = list(dict.fromkeys(name for row in rows for name in row))
    assert found == [names, *([str(row.get(name, "")) for name in names] for row in rows)]


def test_csv_tells_an_empty_text_from_a_missing_field() -> None:
    assert written("csv", [[{"a": "", "b": 1}, {"b": 2}]]) == 'a,b\n"",1\n,2\n'


@given(st.lists(values(), max_size=4))
def test_json_is_one_array(rows: list[Any]) -> None:
    text = written("json", [rows[:2], rows[2:]])
    assert len(json.loads(text, strict=False)) == len(rows)
    assert len(written("jsonl", [rows]).split("\n")) == len(rows) + 1


@given(values(), st.integers(10, 100))
def test_pretty_ion_means_the_same(value: Any, width: int) -> None:
    assert repr(loads(pretty(value, width))) == repr(loads(pretty(value, 1_000_000)))


@pytest.mark.parametrize("form", FORMATS)
def test_no_rows_are_no_text_except_in_json(form: str) -> None:
    assert written(form, [[]]) == ("[]\n" if form == "json" else "")


def test_a_page_with_other_fields_begins_a_new_table() -> None:
    assert written("table", [[{"a": 1}], [{"a": 2}], [{"b": 3}]]) == "a\n-\n1\n2\n\nb\n-\n3\n"


@given(
    st.lists(st.dictionaries(st.sampled_from("abcde"), st.text(max_size=60), min_size=1), min_size=1),
    st.integers(60, 140),
)
def test_no_line_of_a_table_is_wider_than_the_terminal(rows: list[dict[str, Any]], width: int) -> None:
    text = written("table", [rows], Layout(width, True, None))
    assert max(map(text_width, text.split("\n"))) <= width


def test_a_table_that_cannot_fit_is_shown_as_lines() -> None:
    row = {f"field{number}": number for number in range(20)}
    assert written("table", [[row]], Layout(80, True, None)).startswith("-[ row 1 ]-\nfield0  = 0\n")


def test_columns_grow_with_later_pages_while_the_terminal_has_room() -> None:
    pages = [[{"n": 1, "a": "x"}], [{"n": 100, "a": "y"}], [{"n": 5, "a": "z" * 100}]]
    lines = written("table", pages, Layout(20)).splitlines()
    assert lines[:4] == ["n | a", "--+--", "1 | x", "100 | y"]
    assert lines[4] == "  5 | …"


def test_wide_characters_count_twice() -> None:
    table = written(
        "table", [[{"name": "東京", "n": 1}, {"name": "🗼", "n": 2}, {"name": "abc", "n": Decimal("1.5")}]], Layout(80)
    )
    assert table == "name |   n\n-----+----\n東京 |   1\n🗼   |   2\nabc  | 1.5\n"
    assert (cut("東京タワー", 5), cut("abc", 3)) == ("東京…", "abc")


def test_control_characters_pass_a_pipe_unchanged(run: Run) -> None:
    run("-p", '{VIN:"\\x1b[2J\\x07\\0"}', "-c", "INSERT INTO Car ?")
    answer = run("-f", "csv", "-c", "SELECT VIN FROM Car")
    assert answer.stdout == "VIN\n1\n2\n\x1b[2J\x07\x00\n"


def test_rows_can_go_to_a_file(run: Run, tmp_path: Path) -> None:
    assert run("-o", str(tmp_path / "rows"), "-c", "SELECT VALUE VIN FROM Car").stdout == ""
    assert (tmp_path / "rows").read_text() == '"1"\n"2"\n'
    refused = run("-o", str(tmp_path / "no" / "rows"), "-c", "SELECT VALUE VIN FROM Car")
    assert (refused.exit_code, "cannot be written: No such file or directory" in refused.stderr) == (1, True)


# --- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "statement", "expected"),
    [
        ("bad at line 1, column 3", "ab c", "bad at line 1, column 3\n  ab c\n    ^"),
        ("bad at line 2, column 1", "ab\nc", "line 2: bad at line 2, column 1\n  c\n  ^"),
        ("bad at line 1, column 3", "東x y", "bad at line 1, column 3\n  東x y\n     ^"),
        ("bad at line 1, column 4", "\ta\x1b", "bad at line 1, column 4\n   a\\x1b\n        ^"),
        ("bad at line 9, column 1", "ab", "bad at line 9, column 1"),
        ("bad", "ab", "bad"),
    ],
)
def test_the_caret_stands_below_the_place(message: str, statement: str, expected: str) -> None:
    assert with_caret(message, statement) == expected


# --- completion ----------------------------------------------------------------------------------------------


class People:
    """A ledger with two tables."""

    def tables(self) -> Sequence[str]:
        return ("Person", "Order")

    def fields(self, table: str) -> Fields:
        person = {"GovId": "x", "name": {"first": "y", "last": "z"}, "cars": [{"VIN": "v"}], "odd name": 1}
        return fields_of([person] if table == "Person" else [{"total": 1}] if table == "Order" else [])


def completed(text: str) -> list[str]:
    """Return the suggestions at the bar in the text."""
    cursor = text.index("|")
    return [row.text for row in suggestions(text.replace("|", ""), cursor, People())[1]]


@pytest.mark.parametrize(
    ("text", "expected", "unexpected"),
    [
        ("|", ["SELECT", "INSERT INTO", "begin", "commit"], ["Person", "WHERE"]),
        ("sel|", ["select"], ["SELECT"]),
        ("SELECT * FROM |", ["Person", '"Order"', "history(", "_ql_committed_Person"], ["GovId", "WHERE"]),
        ("SELECT * FROM Per|", ["Person"], ['"Order"']),
        ("SELECT * FROM Person, Or|", ['"Order"'], ["Person"]),
        ("SELECT * FROM history(|", ["Person"], []),
        ("INSERT INTO |", ["Person"], []),
        ("SELECT * FROM Person WHERE |", ["GovId", '"odd name"', "UPPER(", "EXISTS("], ["total"]),
        ("SELECT | FROM Person", ["GovId", "name", "COUNT("], ["total"]),
        ("SELECT p.| FROM Person AS p", ["GovId", "name", "cars", '"odd name"'], ["Person", "SELECT"]),
        ("SELECT p.name.| FROM Person p", ['"first"', '"last"'], ["GovId"]),
        ("SELECT name.f| FROM Person", ['"first"'], ['"last"']),
        ("SELECT c.| FROM Person AS p, p.cars AS c", ["VIN"], ["GovId"]),
        ("SELECT p.cars[0].| FROM Person AS p", ["VIN"], ["GovId"]),
        ("SELECT h.metadata.| FROM history(Person) AS h", ["id", "version", "txTime", "txId"], ["GovId"]),
        ("SELECT h.data.| FROM _ql_committed_Person AS h", ["GovId"], ["id"]),
        ("UPDATE Person AS p SET p.|", ["GovId"], []),
        ("CREATE INDEX ON |", ["Person"], ["GovId"]),
        ("CREATE INDEX ON Person (|", ["GovId"], ["UPPER("]),
        ('SELECT 1 FROM Person; SELECT o.| FROM "Order" AS o', ["total"], ["GovId"]),
        ("SELECT * FROM Person WHERE GovId = '|", [], ["GovId", "Person"]),
        ("SELECT * FROM Person WHERE GovId = 'a|'", [], ["AND"]),
        ("SELECT * -- Per|", [], ["Person"]),
        ("SELECT /* Per|", [], ["Person"]),
        ("SELECT * FROM Person WHERE name IS |", ["NULL", "MISSING", "NOT"], ["GovId"]),
        ("\\|", ["\\d", "\\f", "\\use"], ["SELECT"]),
        ("\\f |", ["csv", "markdown"], ["SELECT"]),
        ("\\d P|", ["Person"], ['"Order"']),
        ("\\explain SELECT * FROM P|", ["Person"], []),
    ],
)
def test_what_fits_at_the_cursor(text: str, expected: list[str], unexpected: list[str]) -> None:
    found = completed(text)
    assert [word for word in expected if word not in found] == []
    assert [word for word in unexpected if word in found] == []


@given(st.text(alphabet="SELECTFROMPersonaswhere .,;'\"`()[]{}<>/*-\\\n1a", max_size=60), st.integers(0, 60))
def test_completion_never_fails(text: str, cursor: int) -> None:
    suggestions(text, min(cursor, len(text)), People())


# --- colours, help -------------------------------------------------------------------------------------------


@given(st.text(alphabet="SELECTfromx1.5'\"`-/*;{}<> \n\tö", max_size=60))
def test_the_coloured_pieces_are_the_whole_text(text: str) -> None:
    assert "".join(piece for _, _, piece in PartiqlLexer().get_tokens_unprocessed(text)) == text


def test_the_help_tells_every_command() -> None:
    text = help_text()
    assert [command.names[0] for command in COMMANDS if command.names[0] not in text] == []
    assert all(find_command(name) for command in COMMANDS for name in command.names)


def test_what_only_a_prompt_needs_is_loaded_at_a_prompt_only() -> None:
    program = (
        "import sys; import qldb_emulator.cli.shell.command; print({'prompt_toolkit', 'pygments'} & {*sys.modules})"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emulator")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
