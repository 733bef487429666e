"""The command line with a running server: its output, where the output goes, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from helpers.local_driver import new_emulator

from qldb_emulator.auth.keys import read_auth_file
from qldb_emulator.cli import COMMANDS, main
from qldb_emulator.clock import SystemClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with new_emulator(has_admin=True) as emulator, Server(create_dispatcher(emulator)) as server:
        yield server.url


@pytest.fixture
def run(url: str) -> Iterator[Run]:
    """Runs the command with the server in the environment; everything is deleted afterwards."""

    def runner(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
        return CliRunner().invoke(
            main, arguments, input=stdin, env={"QLDB_EMULATOR_URL": url, "QLDB_EMULATOR_REGION": None, **environment}
        )

    yield runner
    runner("reset", "--yes")


@pytest.fixture
def cars(run: Run) -> Run:
    assert run("ledgers", "create", "cars").exit_code == 0
    script = "CREATE TABLE Car; CREATE INDEX ON Car (VIN); INSERT INTO Car << {'VIN': '1', 'n': 1.50}, {'VIN': '2'} >>"
    assert run("shell", "cars", "-c", script).exit_code == 0
    return run


def test_help_names_every_command(run: Run) -> None:
    text = run("--help").stdout
    assert [name for name in COMMANDS if name not in text] == []


def all_commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from all_commands(found, f"{name} {child}")


EVERY_COMMAND = dict(all_commands(main, "qldb-emulator"))


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_every_command_and_every_option_says_what_it_is(name: str) -> None:
    command = EVERY_COMMAND[name]
    assert command.help
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_ledgers_are_created_listed_described_and_deleted(run: Run) -> None:
    assert run("ledgers", "create", "cars").stdout == "created cars\n"
    assert run("ledgers", "list").stdout == "cars  ACTIVE\n"
    assert [row["Name"] for row in json.loads(run("ledgers", "list", "--json").stdout)] == ["cars"]
    assert "PermissionsMode: ALLOW_ALL" in run("ledgers", "describe", "cars").stdout
    refused = run("ledgers", "delete", "cars")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "Error: The ledger cars is protected from deletion; --force deletes it all the same\n",
    )
    assert run("ledgers", "delete", "cars", "--force", "--yes").stdout == "deleted cars\n"
    assert run("ledgers", "list").stdout == "no ledgers\n"


def test_a_ledger_without_protection_is_deleted_without_force(run: Run) -> None:
    run("ledgers", "create", "cars", "--no-deletion-protection")
    run("ledgers", "create", "boats", QLDB_EMULATOR_DELETION_PROTECTION="0")
    for name in ("cars", "boats"):
        assert run("ledgers", "delete", name, "--yes").stdout == f"deleted {name}\n"


@pytest.mark.parametrize(
    ("words", "meant"), [(("ledgrs",), "ledgers"), (("led",), "ledgers"), (("snapshot", "tak"), "take")]
)
def test_a_misspelled_command_gets_a_suggestion(run: Run, words: tuple[str, ...], meant: str) -> None:
    answer = run(*words)
    assert (answer.exit_code, f"Did you mean {meant}?" in answer.stderr) == (2, True), answer.stderr


def test_many_ledgers_are_listed_over_all_pages(run: Run) -> None:
    for number in range(103):
        assert run("ledgers", "create", f"l{number}").exit_code == 0
    assert len(run("ledgers", "list").stdout.splitlines()) == 103


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("ion", '{VIN:"1",n:1.50}\n{VIN:"2"}\n'),
        ("json", '[{"VIN":"1","n":1.50},\n{"VIN":"2"}]\n'),
        ("jsonl", '{"VIN":"1","n":1.50}\n{"VIN":"2"}\n'),
        ("markdown", "| VIN | n |\n| --- | --- |\n| 1 | 1.50 |\n| 2 |  |\n"),
        ("line", "-[ row 1 ]-\nVIN = 1\nn   = 1.50\n-[ row 2 ]-\nVIN = 2\n"),
        ("csv", "VIN,n\n1,1.50\n2,\n"),
        ("table", "VIN | n\n----+-----\n1   | 1.50\n2   |\n"),
    ],
)
def test_rows_are_shown_in_every_format(cars: Run, form: str, expected: str) -> None:
    assert cars("shell", "cars", "-f", form, "-c", "SELECT * FROM Car").stdout == expected


def test_rows_that_are_no_structs_have_a_column_of_their_own(cars: Run) -> None:
    assert cars("shell", "cars", "-f", "csv", "-c", "SELECT VALUE VIN FROM Car").stdout == "value\n1\n2\n"


def test_parameters_are_ion(cars: Run) -> None:
    query = "SELECT VALUE n FROM Car WHERE VIN = ?"
    assert cars("shell", "cars", "-p", '"1"', "-c", query).stdout == "1.50\n"
    refused = cars("shell", "cars", "-p", "{", "-c", query)
    assert (refused.exit_code, "number 1 is not Ion" in refused.stderr) == (2, True)


def test_piped_statements_run_in_the_transaction_that_was_started(cars: Run) -> None:
    script = "start\nDELETE FROM Car;\nSELECT COUNT(*) AS n FROM Car;\nabort\nSELECT VALUE VIN FROM Car"
    answer = cars("shell", "cars", stdin=script)
    assert answer.stdout.splitlines()[-2:] == ['"1"', '"2"']
    cars("shell", "cars", stdin="start transaction;\nDELETE FROM Car;\ncommit")
    assert cars("shell", "cars", "-c", "SELECT * FROM Car").stdout == ""


def test_a_transaction_left_open_is_not_kept(cars: Run) -> None:
    answer = cars("shell", "cars", stdin="start\nDELETE FROM Car")
    assert "was not committed" in answer.stderr
    assert len(cars("shell", "cars", "-c", "SELECT * FROM Car").stdout.splitlines()) == 2


def test_statements_in_a_file_may_have_several_lines_comments_and_semicolons_in_strings(cars: Run, tmp_path) -> None:
    file = tmp_path / "script.partiql"
    file.write_text("-- first; comment\nINSERT INTO Car\n  {'VIN': 'a;b'};\n/* ; */ SELECT VALUE VIN\nFROM Car\n")
    assert cars("shell", "cars", "-i", str(file)).stdout.splitlines()[1:] == ['"1"', '"2"', '"a;b"']


def test_the_first_statement_that_fails_ends_a_script_and_names_its_line(cars: Run) -> None:
    answer = cars("shell", "cars", stdin="SELECT VALUE 1 FROM Car;\n\nSELECT * FROM Nope;\nDELETE FROM Car")
    assert (answer.exit_code, answer.stderr.startswith("Error: line 3: Semantic Error")) == (1, True)
    assert len(cars("shell", "cars", "-c", "SELECT * FROM Car").stdout.splitlines()) == 2


def test_the_catalogue_commands(cars: Run) -> None:
    assert cars("shell", "cars", stdin="\\d").stdout == "Car  indexes: VIN\n"
    assert "index on VIN  ONLINE" in cars("shell", "cars", stdin="\\d Car").stdout
    assert cars("shell", "cars", stdin="\\l").stdout == "cars\n"
    assert "by index on VIN" in cars("shell", "cars", stdin="\\explain SELECT * FROM Car WHERE VIN = '1'").stdout
    missing = cars("shell", "cars", stdin="\\d Nope")
    assert (missing.exit_code, "Table Nope is not found; the ledger has Car" in missing.stderr) == (1, True)


def test_explain_tells_an_index_from_a_scan(cars: Run) -> None:
    assert "by index on VIN" in cars("explain", "cars", "SELECT * FROM Car WHERE VIN = '1'").stdout
    assert "scan Car" in cars("explain", "cars", "SELECT * FROM Car WHERE n = 1").stdout


def test_a_snapshot_is_taken_compared_restored_forked_and_deleted(cars: Run) -> None:
    assert cars("snapshot", "take", "cars", "one").exit_code == 0
    cars("shell", "cars", "-c", "DELETE FROM Car WHERE VIN = '2'")
    assert "0 added, 0 changed, 1 removed" in cars("snapshot", "diff", "cars", "one").stdout
    assert "1 added, 0 changed, 0 removed" in cars("snapshot", "diff", "cars", "now", "one").stdout
    assert cars("fork", "cars", "copy", "--snapshot", "one").exit_code == 0
    assert len(cars("shell", "copy", "-c", "SELECT * FROM Car").stdout.splitlines()) == 2
    assert cars("snapshot", "restore", "cars", "one").exit_code == 0
    assert len(cars("shell", "cars", "-c", "SELECT * FROM Car").stdout.splitlines()) == 2
    assert cars("snapshot", "list").stdout.startswith("cars  one  ")
    assert cars("snapshot", "delete", "cars", "one").exit_code == 0


def test_a_reset_asks_first(cars: Run) -> None:
    refused = cars("reset", stdin="n\n")
    assert (refused.exit_code, "Aborted" in refused.stderr) == (1, True)
    assert cars("ledgers", "list").stdout == "cars  ACTIVE\n"
    assert cars("reset", stdin="y\n").exit_code == 0
    assert cars("ledgers", "list").stdout == "no ledgers\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("ledgers", "list"),
        ("shell", "cars", "-c", "x"),
        ("explain", "cars", "x"),
        ("reset", "--yes"),
        ("snapshot", "list"),
    ],
    ids=" ".join,
)
def test_without_a_server_every_command_says_so_and_exits_with_3(run: Run, arguments: tuple[str, ...]) -> None:
    answer = run(*arguments, QLDB_EMULATOR_URL="http://127.0.0.1:9")
    assert answer.exit_code == 3
    assert answer.stderr == (
        "Error: No emulator answers at http://127.0.0.1:9: Connection refused. Start one with: qldb-emulator serve\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("nothing",), 2, "No such command 'nothing'"),
        (("shell",), 2, "Missing argument 'LEDGER'"),
        (("shell", "none", "-c", "x"), 1, "The Ledger with name none is not found"),
        (("shell", "cars", "-p", "1"), 2, "--parameter needs exactly one --command"),
        (("shell", "cars", "-f", "xml"), 2, "'xml' is not one of"),
        (("ledgers", "create", "a--b"), 1, "a--b"),
        (("ledgers", "list", "--url", "foo:bar"), 3, "is not the address of a server"),
        (("ledgers", "list", "--url", "ftp://x"), 3, "is not the address of a server"),
        (("snapshot", "restore", "cars", "none"), 1, "has no snapshot none"),
        (("snapshot", "diff", "cars", "99999"), 1, "has no block 99999"),
        (("fork", "none", "copy"), 1, "is not found"),
        (("fork", "cars", "a--b"), 1, ""),
        (("reset", "--yes", "--seed"), 1, "nothing to seed with"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_input_is_one_sentence(cars: Run, arguments: tuple[str, ...], code: int, text: str) -> None:
    answer = cars(*arguments)
    assert (answer.exit_code, text in answer.stderr, answer.stdout) == (code, True, ""), answer.stderr
    assert answer.stderr.splitlines()[-1].startswith("Error: ")


def test_another_server_is_recognised(run: Run) -> None:
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *arguments: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = run("ledgers", "list", QLDB_EMULATOR_URL=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert (answer.exit_code, "is it an emulator?" in answer.stderr) == (3, True)


def test_doctor_says_what_is_wrong_and_how_to_fix_it(run: Run, url: str, tmp_path) -> None:
    nothing = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"), "")
    answer = run("doctor", "--json", HOME=str(tmp_path), PATH="/nonexistent", **nothing)
    found = {row["check"]: row for row in json.loads(answer.stdout)}
    assert answer.exit_code == 1
    assert (found["server"]["state"], found["clock"]["state"]) == ("ok", "ok")
    assert (found["credentials"]["state"], "AWS_ACCESS_KEY_ID" in found["credentials"]["fix"]) == ("bad", True)
    assert (found["region"]["state"], found["endpoint"]["state"]) == ("bad", "note")
    whole = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": url}
    assert run("doctor", HOME=str(tmp_path), **whole).exit_code == 0


def test_doctor_looks_at_the_active_environment(run: Run, tmp_path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"""#!/bin/sh\necho '["{python}", "3.12.1", {{"botocore": "1.44.5"}}]'\n""")
    python.chmod(0o755)
    text = run("doctor", VIRTUAL_ENV=str(tmp_path / "venv"), AWS_DATA_PATH="", HOME=str(tmp_path)).stdout
    assert f"Python 3.12.1 at {python}" in text
    assert "botocore 1.44.5 has no QLDB" in text


def test_doctor_of_an_environment_of_its_own_looks_at_the_python_that_a_shell_finds(
    run: Run, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As made by pipx, uv or scripts/qldb-emulator."""

    def python(folder: str, packages: str) -> Path:
        path = tmp_path / folder / "python3"
        path.parent.mkdir()
        path.write_text(f"""#!/bin/sh\necho '["{path}", "3.12.1", {packages}]'\n""")
        path.chmod(0o755)
        return path

    found = python("found", '{"botocore": "1.40.60", "pyqldb": "3.2.3"}')
    own = python("own", "{}")
    monkeypatch.setattr("sys.executable", str(own))
    where = {"VIRTUAL_ENV": "", "PATH": str(found.parent), "HOME": str(tmp_path)}
    assert f"Python 3.12.1 at {found}\n" in run("doctor", **where).stdout
    assert f"Python 3.12.1 at {own}\n" in run("doctor", **{**where, "PATH": ""}).stdout
    shared = python("shared", '{"botocore": "1.40.60"}')
    monkeypatch.setattr("sys.executable", str(shared))
    assert f"Python 3.12.1 at {shared}\n" in run("doctor", **where).stdout


def test_requests_are_signed_with_the_keys_that_official_clients_would_use(tmp_path) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "qldb:*", "Resource": "*"}]}
    keys = [{"access_key": "AKIDADMIN", "secret_key": "a secret", "user": "admin", "policy": policy}]
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"keys": keys}))
    signer = {"AWS_ACCESS_KEY_ID": "AKIDADMIN", "AWS_SECRET_ACCESS_KEY": "a secret", "AWS_REGION": "us-east-1"}
    with (
        Emulator(Settings(is_ephemeral=True)) as emulator,
        Server(create_dispatcher(emulator, read_auth_file(file, SystemClock()))) as server,
    ):

        def run(*arguments: str, **environment: str) -> Result:
            return CliRunner().invoke(main, arguments, env={"QLDB_EMULATOR_URL": server.url, **environment})

        assert run("ledgers", "create", "cars", **signer).exit_code == 0
        assert run("ledgers", "list", **signer).stdout == "cars  ACTIVE\n"
        assert run("shell", "cars", "-c", "CREATE TABLE Car; SELECT * FROM Car", **signer).exit_code == 0
        wrong = run("ledgers", "list", **{**signer, "AWS_SECRET_ACCESS_KEY": "another"})
        assert (wrong.exit_code, "signature" in wrong.stderr) == (1, True)
        assert run("ledgers", "list", AWS_ACCESS_KEY_ID="").exit_code == 1
