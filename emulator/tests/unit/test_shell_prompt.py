"""The shell's prompt as its user sees it: on a pseudo-terminal, against a running server."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.local_driver import new_emulator
from helpers.terminals import Terminal

from qldb_emulator.driver import LedgerSession
from qldb_emulator.driver.http import HttpTransport
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server

PROMPT = "people> "
ENDLESS = "SELECT COUNT(*) AS n FROM " + ", ".join(f"Person AS p{number}" for number in range(24)) + ";"
Open = Callable[..., Terminal]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with new_emulator() as emulator, Server(create_dispatcher(emulator)) as server:
        yield server.url


@pytest.fixture
def session(url: str) -> Iterator[LedgerSession]:
    """A session of our own on a ledger with three people."""
    transport = HttpTransport(url)
    transport.call("CreateLedger", {"Name": "people", "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False})
    own = LedgerSession(transport, "people")
    own.run("CREATE TABLE Person")
    own.run("CREATE INDEX ON Person (GovId)")
    people = [{"GovId": name * 3, "name": name, "Address": {"City": "Seattle"}} for name in "ABC"]
    own.run("INSERT INTO Person ?", people)
    yield own
    own.end()
    transport.call("DeleteLedger", {"Name": "people"})
    transport.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def at_prompt(session: LedgerSession, url: str, home: Path) -> Iterator[Open]:
    """Opens shells at their prompt; all are closed at the end."""
    home.mkdir()
    opened: list[Terminal] = []

    def open_shell(*options: str, columns: int = 80, lines: int = 24, **environment: str) -> Terminal:
        everything = {"HOME": str(home), "QLDB_EMULATOR_URL": url, "PAGER": "", **environment}
        terminal = Terminal(["shell", "people", "--pager", "off", *options], everything, columns, lines)
        opened.append(terminal)
        terminal.wait(PROMPT.strip())
        return terminal

    yield open_shell
    for terminal in opened:
        terminal.process.close(force=True)


def count(session: LedgerSession) -> int:
    return int(session.run("SELECT COUNT(*) AS n FROM Person").rows[0]["n"])  # type: ignore[index, call-overload, arg-type]


# --- when a statement runs -----------------------------------------------------------------------------------


def test_a_pasted_statement_of_two_lines_runs_whole_or_not_at_all(at_prompt: Open, session: LedgerSession) -> None:
    terminal = at_prompt()
    terminal.settle()
    terminal.paste("DELETE FROM Person\nWHERE GovId = 'AAA'\n")
    terminal.wait("'AAA'")
    terminal.settle()
    assert count(session) == 3
    terminal.type("\r")
    terminal.wait("(1 row)")
    assert count(session) == 2


def test_lines_that_are_typed_are_one_statement_until_its_semicolon(at_prompt: Open, session: LedgerSession) -> None:
    terminal = at_prompt()
    terminal.type("DELETE FROM Person\r")
    terminal.wait("    ...")
    assert count(session) == 3
    terminal.type("WHERE GovId = 'BBB';\r")
    terminal.wait("(1 row)")
    assert count(session) == 2


def test_an_empty_line_ends_a_statement_too(at_prompt: Open) -> None:
    terminal = at_prompt()
    terminal.type("SELECT name FROM Person\r\r")
    terminal.wait("(3 rows)")


@pytest.mark.parametrize(
    ("statement", "question"),
    [
        ("DELETE FROM Person;", "DELETE without WHERE deletes every document. Run it? [y/N]"),
        ("UPDATE Person SET name = 'x';", "An update without WHERE changes every document. Run it? [y/N]"),
        ("DROP TABLE Person;", "DROP TABLE makes the table Person inactive. Run it? [y/N]"),
    ],
)
def test_what_destroys_much_is_asked_about(
    at_prompt: Open, session: LedgerSession, statement: str, question: str
) -> None:
    terminal = at_prompt()
    terminal.type(statement + "\r")
    terminal.wait(question)
    terminal.type("n\r")
    terminal.wait("Not run")
    assert session.run("SELECT VALUE name FROM Person").rows == ["A", "B", "C"]
    terminal.type(statement + "\r")
    terminal.wait(lambda text: text.count(question) == 2)
    terminal.type("y\r")
    terminal.wait("row")


# --- Ctrl-C --------------------------------------------------------------------------------------------------


def test_ctrl_c_cancels_a_statement_and_the_session_goes_on(at_prompt: Open) -> None:
    terminal = at_prompt()
    terminal.type(ENDLESS + "\r")
    terminal.settle(1)
    terminal.type("\x03")
    terminal.wait("Cancelled")
    terminal.type("SELECT name FROM Person;\r")
    terminal.wait("(3 rows)")
    assert "already open" not in terminal.text


def test_ctrl_c_in_a_transaction_aborts_it(at_prompt: Open, session: LedgerSession) -> None:
    terminal = at_prompt()
    terminal.type("begin\r")
    terminal.wait("people*>")
    terminal.type("DELETE FROM Person WHERE GovId = 'AAA';\r")
    terminal.wait("(1 row)")
    terminal.type(ENDLESS + "\r")
    terminal.settle(1)
    terminal.type("\x03")
    terminal.wait("Cancelled; the transaction was aborted")
    terminal.type("begin\r")
    terminal.wait(lambda text: text.count("it expires after 30 seconds") == 2)
    terminal.type("commit\r")
    terminal.wait(lambda text: PROMPT.strip() in text.splitlines()[-2:] or text.rstrip().endswith("help"))
    assert count(session) == 3


def test_ctrl_c_at_the_prompt_discards_the_line(at_prompt: Open) -> None:
    terminal = at_prompt()
    terminal.type("SELECT nonsense")
    terminal.wait("nonsense")
    terminal.type("\x03")
    terminal.wait(lambda text: text.count(PROMPT.strip()) == 2)
    terminal.type("\x04")
    assert terminal.exit_code() == 0


# --- editing -------------------------------------------------------------------------------------------------


def test_the_history_keeps_statements_of_several_lines_with_their_comments(at_prompt: Open, home: Path) -> None:
    terminal = at_prompt()
    terminal.settle()
    terminal.paste("SELECT name -- the name\nFROM Person;")
    terminal.type("\r")
    terminal.wait("(3 rows)")
    terminal.type("\\q\r")
    assert terminal.exit_code() == 0
    history = home / ".qldb-emulator-history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    again = at_prompt()
    again.type("\x1b[A\x1b[A")  # the command to leave, then the statement
    again.wait("-- the name")
    again.type("\r")
    again.wait("(3 rows)")


def test_a_history_of_earlier_versions_is_kept(at_prompt: Open, home: Path) -> None:
    (home / ".qldb-emulator-history").write_text("SELECT 'old' FROM Person;\nSELECT 'new' FROM Person;\n")
    terminal = at_prompt()
    terminal.type("\x1b[A\x1b[A")
    terminal.wait("'old'")


def test_tables_and_fields_are_completed(at_prompt: Open) -> None:
    terminal = at_prompt(columns=100)
    terminal.type("SELECT * FROM Per")
    terminal.wait("Person  table")
    terminal.type("\t AS p WHERE p.")
    text = terminal.wait("Address  field")
    assert "SELECT * FROM Person AS p WHERE p." in text
    terminal.type("Gov")
    terminal.wait(lambda text: "GovId  field" in text and "Address" not in text)
    terminal.type("\t = 'AAA' AND p.Address.")
    terminal.wait("City ")
    terminal.type("\t = 'Seattle';\r")
    assert "p.GovId = 'AAA' AND p.Address.City = 'Seattle';" in terminal.wait("(1 row)")


def test_the_keys_are_those_of_vi_where_that_is_wanted(at_prompt: Open) -> None:
    terminal = at_prompt("--editing-mode", "vi")
    terminal.type("SELECT name FROM Person;")
    terminal.wait("vi insert")
    terminal.type("\x1b")
    terminal.wait("vi navigation")
    terminal.type("0xi")  # to the beginning, delete a letter, insert
    terminal.type("S\x1b")
    terminal.type("\r")
    terminal.wait("(3 rows)")


def test_statements_are_coloured_and_the_toolbar_counts_down(at_prompt: Open) -> None:
    terminal = at_prompt()
    terminal.type("SELECT")
    terminal.wait("SELECT")
    row = next(number for number, line in enumerate(terminal.screen.display) if "SELECT" in line)
    column = terminal.screen.display[row].index("SELECT")
    assert terminal.screen.buffer[row][column].fg != "default"
    terminal.type("\x03")
    terminal.type("begin\r")
    bar = terminal.wait(lambda text: " s left" in text and "transaction" in text).splitlines()[-1]
    left = int(bar.split(" s left")[0].split()[-1])
    assert 25 <= left <= 30
    assert "people" in bar
    terminal.wait(lambda text: f"{left - 1} s left" in text)


# --- what is shown -------------------------------------------------------------------------------------------


def test_an_error_has_a_caret_below_its_place(at_prompt: Open) -> None:
    terminal = at_prompt(columns=120)
    terminal.type("SELECT *\rFROM Nope;\r")
    lines = terminal.wait("Semantic Error").splitlines()
    place = next(number for number, line in enumerate(lines) if line == "  FROM Nope")
    assert lines[place + 1] == "       ^"


@pytest.mark.parametrize("columns", [80, 120])
def test_a_table_fits_the_terminal(at_prompt: Open, session: LedgerSession, columns: int) -> None:
    session.run("INSERT INTO Person ?", {"GovId": "x" * 100, "name": "東京タワー🗼", "note": "y" * 100})
    terminal = at_prompt(columns=columns, lines=30)
    terminal.type("SELECT GovId, name, note FROM Person WHERE note LIKE 'y%';\r")
    lines = terminal.wait("(1 row)").splitlines()
    row = next(line for line in lines if "東京" in line)
    header = next(line for line in lines if line.startswith("GovId"))
    cells = terminal.screen.display.index(next(line for line in terminal.screen.display if "東京" in line))
    buffer = terminal.screen.buffer
    header_row = cells - 2
    bars = [[column for column in range(columns) if buffer[r][column].data == "│"] for r in (header_row, cells)]
    assert bars[0] == bars[1]
    assert (len(bars[0]), "…" in row, "note" in header) == (2, True, True)


def test_control_characters_do_not_reach_the_terminal(at_prompt: Open, session: LedgerSession) -> None:
    session.run("INSERT INTO Person ?", {"GovId": "evil", "name": "\x1b]0;owned\x07\x1b[2J"})
    terminal = at_prompt()
    for form in ("table", "csv", "line", "json", "ion", "markdown"):
        terminal.type(f"\\f {form}\r")
        terminal.type("SELECT name FROM Person WHERE GovId = 'evil';\r")
        terminal.wait(lambda text, n=1: "owned" in text)
        terminal.settle(0.2)
    assert "\x1b]0;owned" not in terminal.raw
    assert "\x1b[2Jowned" not in terminal.raw
    assert "\\x1b" in terminal.text


def test_rows_are_shown_a_line_for_each_field(at_prompt: Open) -> None:
    terminal = at_prompt()
    terminal.type("\\x\r")
    terminal.wait("Expanded display is on")
    terminal.type("SELECT name, Address FROM Person WHERE GovId = 'AAA';\r")
    text = terminal.wait("(1 row)")
    assert '-[ row 1 ]-\nname    = A\nAddress = {City:"Seattle"}\n' in text


def test_a_long_result_goes_through_the_pager(at_prompt: Open, session: LedgerSession, tmp_path: Path) -> None:
    for start in range(0, 120, 40):
        session.run("INSERT INTO Person ?", [{"name": f"number {n}"} for n in range(start, start + 40)])
    terminal = at_prompt()
    terminal.type(f"\\pager tee {tmp_path / 'paged'}\r")
    terminal.wait("The pager is")
    terminal.type("SELECT name FROM Person;\r")
    terminal.wait("(123 rows)")
    paged = (tmp_path / "paged").read_text()
    assert (paged.count("\n"), "number 119" in paged) == (126, True)
    terminal.type("\\pager head -3\r")  # a pager that leaves early ends the statement, and nothing complains
    terminal.wait("The pager is head -3")
    terminal.type("SELECT name FROM Person;\r")
    terminal.settle(1)
    terminal.type("SELECT VALUE 'still here' FROM <<1>>;\r")
    assert "Error" not in terminal.wait("still here")


# --- commands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("\\show tables", "- Person"),
        ("show ledgers", "people"),
        ("\\status", "connected"),
        ("\\env", "terminator-required: on"),
        ("\\set edit-mode vi", "vi insert"),
        ("\\use -l people", "Ledger people at http"),
        (".tables", "Person  indexes: GovId"),
        ("\\?", "start a transaction (also: start transaction, start)"),
        ("\\nonsense", "Error: There is no command \\nonsense; \\? lists them"),
    ],
)
def test_the_commands_of_this_shell_and_of_awss(at_prompt: Open, keys: str, expected: str) -> None:
    terminal = at_prompt(lines=40, columns=120)
    terminal.type(f"{keys}\r")
    terminal.wait(expected)


def test_rows_go_to_a_file_and_back_and_favourites_are_kept(at_prompt: Open, home: Path, tmp_path: Path) -> None:
    terminal = at_prompt("-f", "csv", columns=120)
    terminal.type("\\ns names SELECT name FROM Person\r")
    terminal.wait("Kept names")
    terminal.type(f"\\output {tmp_path / 'rows.csv'}\r")
    terminal.wait("Rows go to")
    terminal.type("\\n names\r")
    terminal.type("\\output\r")
    terminal.wait("Rows go to the terminal")
    assert (tmp_path / "rows.csv").read_text() == "name\nA\nB\nC\n"
    terminal.type("\\q\r")
    assert terminal.exit_code() == 0
    again = at_prompt(columns=120)
    again.type("\\n names\r")
    again.wait("(3 rows)")
