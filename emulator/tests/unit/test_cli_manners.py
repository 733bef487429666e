"""How every command behaves: configuration, confirmation, interruption, help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from helpers.local_driver import CONTEXT, LocalSession, new_emulator

from qldb_emulator.cli import main
from qldb_emulator.cli.words import counted, iso_time
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.outgoing import exports
from qldb_emulator.settings import Settings
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

    def runner(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
        everything = {"QLDB_EMULATOR_URL": url, "HOME": str(tmp_path), "XDG_CONFIG_HOME": None, **environment}
        return CliRunner().invoke(main, arguments, input=stdin, env=everything)

    runner("ledgers", "create", "cars", "--no-deletion-protection")
    yield runner
    runner("reset", "--yes")


# --- one address ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("fault", "list"), ("stream", "cars"), ("ledgers", "list"), ("shell", "cars", "-c", "SELECT 1 FROM <<1>>")],
    ids=" ".join,
)
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_QLDB_SESSION", "AWS_ENDPOINT_URL_QLDB", "QLDB_EMULATOR_URL"])
def test_every_command_follows_the_same_variables(
    run: Run, url: str, arguments: tuple[str, ...], variable: str
) -> None:
    nothing = dict.fromkeys(("QLDB_EMULATOR_URL", "AWS_ENDPOINT_URL_QLDB_SESSION", "AWS_ENDPOINT_URL_QLDB"))
    assert run(*arguments, **{**nothing, variable: url}).exit_code == 0
    answer = run(*arguments, **{**nothing, variable: "http://127.0.0.1:9"})
    assert (answer.exit_code, "http://127.0.0.1:9" in answer.stderr) == (3, True)


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def test_every_command_about_a_ledger_can_ask_a_server_and_takes_its_address_in_one_way() -> None:
    """Left out are commands that make or replace what a server has, and commands about files alone."""
    without = {"completion", "serve", "verify-receipt", "verify-tables", "journal", "models"}
    found = {}
    for path, command in _commands(main):
        for option in command.params:
            if option.name == "url" and "--url" in option.opts:
                found[path] = option.envvar
    assert {path[0] for path, _ in _commands(main)} - {path[0] for path in found} == without
    assert set(found.values()) == {"QLDB_EMULATOR_URL"}


def test_what_the_command_line_says_counts_before_the_address_in_the_environment(run: Run, tmp_path: Path) -> None:
    """run() sets QLDB_EMULATOR_URL, where there is a ledger cars."""
    run("shell", "cars", "-c", "CREATE TABLE Car")
    assert run("verify", "cars").exit_code == 0
    for arguments in (("verify", "cars"), ("export", "cars", "out"), ("tables", "cars", "--to", "csv:out")):
        assert run(*arguments, "--data-dir", "nowhere").exit_code == 3, arguments
        both = run(*arguments, "--data-dir", "nowhere", "--url", "http://127.0.0.1:9")
        assert (both.exit_code, "the ledger is in one of them" in both.stderr) == (2, True)
    assert run("export", "cars", "out").exit_code == 0
    assert "directory out" in run("verify", "out").stdout
    path = run("verify", "./out", "--url", "http://127.0.0.1:9")
    assert (path.exit_code, "--url is for the name of a ledger" in path.stderr) == (2, True)


@pytest.mark.parametrize(
    "command", [("verify", "cars"), ("export", "cars", "out"), ("follow", "cars", "--to", "sqlite:f")]
)
def test_a_ledger_that_may_be_on_a_server_is_looked_for_in_the_data_directory_only(
    run: Run, url: str, command: tuple[str, ...]
) -> None:
    """The endpoint of AWS's clients is set in most shells, and a file needs no server."""
    answer = run(*command, QLDB_EMULATOR_URL="", AWS_ENDPOINT_URL_QLDB=url)
    assert answer.exit_code == 3
    assert answer.stderr.endswith("; if it is on a server: --url $AWS_ENDPOINT_URL_QLDB\n")


# --- the configuration file ----------------------------------------------------------------------------------


def test_options_come_from_the_file_unless_they_are_given(run: Run, tmp_path: Path) -> None:
    (tmp_path / "qldb-emulator.toml").write_text(
        '[shell]\nformat = "csv"\n[ledgers.create]\npermissions-mode = "STANDARD"\n'
    )
    query = ("shell", "cars", "-c", "SELECT 1 AS n FROM <<1>>")
    assert run(*query).stdout == "n\n1\n"
    assert run(*query, "-f", "jsonl").stdout == '{"n":1}\n'
    assert run(*query, QLDB_EMULATOR_FORMAT="ion").stdout == "{n:1}\n"
    run("ledgers", "create", "boats")
    assert "PermissionsMode: STANDARD" in run("ledgers", "describe", "boats").stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[shell]\nfrmt = "csv"', "[shell] has no option 'frmt'"),
        ("[serv]\nport = 1", "there is no command 'serv'"),
        ("port = 1", "there is no command 'port'"),
        ("shell = 1", "[shell] must be a table of options"),
        ("[shell", "qldb-emulator.toml: "),
        ('[shell]\nformat = "xml"', "'xml' is not one of"),
    ],
)
def test_a_mistake_in_the_file_is_said(run: Run, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "qldb-emulator.toml").write_text(text)
    answer = run("shell", "cars", "-c", "SELECT 1 FROM <<1>>")
    assert (answer.exit_code, message in answer.stderr) == (2, True), answer.stderr


def test_a_file_that_is_named_must_be_there(run: Run) -> None:
    answer = run("ledgers", "list", QLDB_EMULATOR_CONFIG="/none.toml")
    assert (answer.exit_code, "QLDB_EMULATOR_CONFIG: /none.toml: no such file" in answer.stderr) == (2, True)


# --- confirmation --------------------------------------------------------------------------------------------


def test_deleting_a_ledger_asks(run: Run) -> None:
    assert run("ledgers", "delete", "cars", stdin="n\n").exit_code == 1
    without = run("ledgers", "delete", "cars")
    assert (without.exit_code, "--yes confirms it" in without.stderr) == (1, True)
    assert run("ledgers", "list").stdout == "cars  ACTIVE\n"
    assert run("ledgers", "delete", "nope").stderr == "Error: The Ledger with name nope is not found\n"
    assert run("ledgers", "delete", "cars", "--yes").stdout == "deleted cars\n"
    run("ledgers", "create", "cars", "--no-deletion-protection")
    assert run("ledgers", "delete", "cars", stdin="y\n").stdout == "deleted cars\n"


# --- interruption --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_there", [False, True])
def test_an_interrupted_export_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    with Emulator(Settings(data_dir=tmp_path / "data")) as emulator:
        members = {"Name": "cars", "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False}
        emulator.call("CreateLedger", members, CONTEXT)
        LocalSession(emulator, "cars").run("CREATE TABLE Car")
    target = tmp_path / "exports" / "mine"
    if is_there:
        target.mkdir(parents=True)
    real = exports.write_export

    def interrupted(file, export, put, stop=None):
        put("folder/half", b"half", "text")
        raise KeyboardInterrupt

    monkeypatch.setattr(exports, "write_export", interrupted)
    arguments = ("export", "cars", str(target), "--data-dir", str(tmp_path / "data"))
    assert run(*arguments).exit_code == 130
    assert list(tmp_path.glob("exports/mine/*")) == []
    assert target.exists() is is_there
    monkeypatch.setattr(exports, "write_export", real)
    assert run(*arguments).exit_code == 0


def test_no_such_file_is_said_of_a_path(run: Run) -> None:
    answer = run("verify", "./nope/export")
    assert (answer.exit_code, answer.stderr) == (3, "Error: ./nope/export: no such file or directory\n")


# --- a remote ledger -----------------------------------------------------------------------------------------


def test_a_ledger_is_exported_and_verified_over_the_api(run: Run, url: str, tmp_path: Path) -> None:
    run("shell", "cars", "-c", "CREATE TABLE Car; INSERT INTO Car {'VIN': '1'}; UPDATE Car SET VIN = '2'")
    exported = run("export", "cars", str(tmp_path / "out"), "--url", url)
    assert exported.stdout.startswith("Exported 4 blocks of ledger cars"), exported.output
    assert run("verify", str(tmp_path / "out")).exit_code == 0
    verified = run("verify", "cars", "--url", url)
    assert (verified.exit_code, "at block 3: equal" in verified.stdout) == (0, True), verified.output
    shared_out = run("verify", "cars", "--url", url, "--jobs", "2")
    assert (shared_out.exit_code, shared_out.stdout) == (verified.exit_code, verified.stdout)
    other = run("verify", "cars", "--url", url, "--digest", "A" * 43 + "=", "--tip", "3")
    assert (other.exit_code, "broken" in other.stdout) == (1, True)
    nope = run("verify", "nope", "--url", url)
    # Exit code 1 would say that the journal is broken.
    assert (nope.exit_code, nope.stderr) == (3, "Error: The Ledger with name nope is not found\n")
    assert run("export", "cars", str(tmp_path / "no"), "--url", "http://127.0.0.1:9").exit_code == 3
    assert not (tmp_path / "no").exists()


def test_tables_are_written_and_followed_over_the_api(run: Run, url: str, tmp_path: Path) -> None:
    run("shell", "cars", "-c", "CREATE TABLE Car; INSERT INTO Car {'VIN': '1'}")
    made = run("tables", "cars", "--to", "csv:out", "--url", url)
    assert made.exit_code == 0, made.output
    assert "Wrote 1 revision of 1 table and 3 blocks to csv:out:" in made.stdout
    assert f"source       ledger cars at {url}" in made.stdout
    assert run("verify-tables", "csv:out").exit_code == 4  # whole, without a digest to compare with
    assert run("follow", "cars", "--to", "sqlite:f", "--once").stdout == "sqlite:f is up to date; 3 new blocks.\n"
    run("shell", "cars", "-c", "UPDATE Car SET VIN = '2'")
    assert run("follow", "cars", "--to", "sqlite:f", "--once").stdout == "sqlite:f is up to date; 1 new block.\n"
    assert run("verify-tables", "sqlite:f").exit_code == 4
    run("ledgers", "create", "other")
    other = run("follow", "other", "--to", "sqlite:f", "--once")
    assert (other.exit_code, "has the tables of strand" in other.stderr) == (1, True)
    for command in (("tables", "nope", "--to", "csv:no"), ("follow", "nope", "--to", "sqlite:no", "--once")):
        answer = run(*command)
        assert (answer.exit_code, answer.stderr) == (3, "Error: The Ledger with name nope is not found\n")
    assert not (tmp_path / "no").exists()


def test_exports_that_are_read_as_one_are_named(run: Run, url: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("export", "cars", str(tmp_path / "out" / name), "--url", url)
    answer = run("verify", str(tmp_path / "out"))
    lines = answer.stderr.splitlines()
    assert lines[0] == "2 exports are read as one journal; --export ID chooses one:"
    chosen = run("verify", str(tmp_path / "out"), "--export", lines[1].split()[0])
    assert (chosen.exit_code, chosen.stderr) == (0, "")


# --- words ---------------------------------------------------------------------------------------------------


def test_help_of_groups_is_whole(run: Run) -> None:
    for group in ("ledgers", "snapshot", "fault", "models"):
        assert "..." not in run(group, "--help").stdout.split("Commands:")[1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_can_complete_commands(run: Run, shell: str) -> None:
    script = run("completion", shell).stdout
    assert "_QLDB_EMULATOR_COMPLETE" in script
    assert "qldb-emulator" in script


def test_bash_completes_commands_and_options(run: Run) -> None:
    words = {"_QLDB_EMULATOR_COMPLETE": "bash_complete", "COMP_WORDS": "qldb-emulator ledg", "COMP_CWORD": "1"}
    answer = CliRunner().invoke(main, [], prog_name="qldb-emulator", env=words)
    assert answer.stdout == "plain,ledgers\n"


def test_numbers_and_times() -> None:
    assert [counted(n, "block") for n in (0, 1, 2, 1_000)] == ["0 blocks", "1 block", "2 blocks", "1,000 blocks"]
    assert iso_time(1_577_836_800.5) == "2020-01-01T00:00:00.500Z"


def test_times_of_a_ledger_are_readable(run: Run) -> None:
    text = run("ledgers", "describe", "cars").stdout
    assert "CreationDateTime: 20" in text
    assert "DeletionProtection: false" in text
