"""What running a server for others takes: logs, hooks, LocalStack's variables, metrics, traces, completion."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from helpers.support import ROOT

from qldb_emulator.cli import main
from qldb_emulator.cli.failure import Failure
from qldb_emulator.cli.hooks import Hooks
from qldb_emulator.cli.localstack import serve_defaults
from qldb_emulator.cli.logs import JsonLines
from qldb_emulator.driver import LedgerSession
from qldb_emulator.driver.local import LocalTransport
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.workbench.traces import trace
from qldb_emulator.errors import QldbError
from qldb_emulator.settings import Settings
from qldb_emulator.web.process_metrics import process_text

PACKAGING = ROOT / "packaging"


@contextmanager
def serving(folder: Path, *options: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """(process, url, lines of its log so far) of a server that is ready."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("QLDB_EMULATOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "qldb_emulator", "serve", "--port", "0", *options],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": str(ROOT / "emulator"), "HOME": str(folder), **variables},
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "Ready." in line:
            break
    found = re.search(r"Ready on (http://\S+?)(?:\\n|\s)", "".join(lines))
    assert found is not None, "".join(lines)
    try:
        yield process, found[1], lines
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


# --- logs ---------------------------------------------------------------------------------------------------------


def test_a_line_of_the_log_is_a_json_object(tmp_path: Path) -> None:
    with serving(tmp_path, "--ephemeral", "--log-format", "json") as (_, _, lines):
        rows = [json.loads(line) for line in lines]
    assert {"time", "level", "logger", "message", "thread"} == set(rows[-1])
    assert (rows[-1]["level"], rows[-1]["message"]) == ("info", "Ready.")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", rows[-1]["time"])


def test_an_exception_stays_in_its_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed: %s", ("é",), sys.exc_info())
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "failed: é"
    assert "ValueError: two\nlines" in json.loads(line)["exception"]


# --- LocalStack's variables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "defaults"),
    [
        ({}, {}),
        ({"PERSISTENCE": "1"}, {}),
        ({"PERSISTENCE": "0"}, {"ephemeral": True}),
        ({"DEBUG": "1"}, {"log_level": "debug"}),
        ({"DEBUG": "express:*"}, {}),
        ({"GATEWAY_LISTEN": "0.0.0.0:4566,0.0.0.0:443"}, {"host": "0.0.0.0", "port": 4566}),
        ({"GATEWAY_LISTEN": ":4566"}, {"port": 4566}),
        ({"GATEWAY_LISTEN": "[::1]:4566"}, {"host": "::1", "port": 4566}),
    ],
)
def test_localstacks_variables_are_defaults(variables: dict[str, str], defaults: dict[str, Any]) -> None:
    assert serve_defaults(variables) == defaults


@pytest.mark.parametrize("value", ["4566x", "0.0.0.0", "host:99999"])
def test_a_gateway_listen_that_is_no_address_is_refused(value: str) -> None:
    with pytest.raises(click.UsageError, match="GATEWAY_LISTEN"):
        serve_defaults({"GATEWAY_LISTEN": value})


def test_option_before_variable_before_localstacks_before_file(tmp_path: Path) -> None:
    """Each gives another region or port: what the server listens on and answers with tells which one counted."""
    (tmp_path / "qldb-emulator.toml").write_text(
        '[serve]\nhost = "127.0.0.9"\nephemeral = true\nregion = "eu-west-1"\n'
    )
    with serving(tmp_path, GATEWAY_LISTEN="127.0.0.2:1") as (_, url, lines):
        assert url.startswith("http://127.0.0.2:"), "GATEWAY_LISTEN before the file, --port before GATEWAY_LISTEN"
        assert not url.endswith(":1")
        assert "AWS_DEFAULT_REGION=eu-west-1" in "".join(lines), "the file, where nothing else says it"
    with serving(tmp_path, GATEWAY_LISTEN="127.0.0.2:1", QLDB_EMULATOR_HOST="127.0.0.3") as (_, url, _):
        assert url.startswith("http://127.0.0.3:"), "our variable before LocalStack's"


# --- hooks ----------------------------------------------------------------------------------------------------


def hook(folder: Path, moment: str, text: str, name: str = "1.sh") -> None:
    (folder / "init" / moment).mkdir(parents=True, exist_ok=True)
    (folder / "init" / moment / name).write_text(text)


def test_hooks_run_at_their_moments(tmp_path: Path) -> None:
    said = tmp_path / "said"
    ask = f"{sys.executable} -c 'import os, urllib.request as u, urllib.error as e\ntry: print(u.urlopen(os.environ["
    ask += '"QLDB_EMULATOR_URL"] + "/_qldb/ready").status)\nexcept e.HTTPError as x: print(x.code)\''
    hook(tmp_path, "boot.d", f"echo boot ${{QLDB_EMULATOR_URL:-none}} >> {said}")
    hook(tmp_path, "start.d", f"echo start $({ask}) >> {said}")
    hook(tmp_path, "start.d", "not a program", "notes.txt")
    hook(tmp_path, "ready.d", "CREATE TABLE Car;", "cars.partiql")
    hook(tmp_path, "shutdown.d", f"echo shutdown $({ask}) >> {said}")
    with serving(tmp_path, "--ephemeral", "--init-dir", "init") as (process, _, lines):
        assert any("notes.txt is left out" in line for line in lines)
        assert any("into the ledger cars" in line for line in lines)
    assert said.read_text().splitlines() == ["boot none", "start 503", "shutdown 200"]
    assert process.returncode == 0


@pytest.mark.parametrize("moment", ["boot.d", "start.d"])
def test_a_program_that_fails_ends_the_start(tmp_path: Path, moment: str) -> None:
    hook(tmp_path, moment, "exit 3")
    command = [sys.executable, "-m", "qldb_emulator", "serve", "--port", "0", "--ephemeral", "--init-dir", "init"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emulator")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "1.sh ended with exit code 3" in done.stderr


def test_a_shutdown_program_that_fails_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hook(tmp_path, "shutdown.d", "exit 3")
    stopped: list[bool] = []
    stop = Hooks(tmp_path / "init").before(lambda: stopped.append(True))
    stop()
    for thread in [thread for thread in __import__("threading").enumerate() if thread.name == "qldb-emulator-shutdown"]:
        thread.join(10)
    assert stopped == [True]
    assert "ended with exit code 3" in caplog.text


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    hook(tmp_path, "shutdown.d", "sleep 60")
    hooks = Hooks(tmp_path / "init")
    stopped: list[bool] = []
    stop = hooks.before(lambda: stopped.append(True))
    stop()
    assert stopped == []
    stop()
    assert stopped == [True]
    while hooks._child is None:  # the thread has not come that far
        pass
    hooks.cancel()


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    hook(tmp_path, "boot.d", "exec sleep 60")
    with pytest.raises(Failure, match="did not end within 0 seconds"):
        Hooks(tmp_path)._run(tmp_path / "init" / "boot.d" / "1.sh", None, 0.05)


# --- metrics --------------------------------------------------------------------------------------------------


def test_the_process_tells_what_it_uses() -> None:
    rows = dict(line.split() for line in process_text().splitlines() if not line.startswith("#"))
    assert float(rows["process_cpu_seconds_total"]) > 0
    if sys.platform.startswith("linux"):
        assert float(rows["process_resident_memory_bytes"]) > 1e6
        assert 0 < float(rows["process_open_fds"]) < float(rows["process_max_fds"])
        assert 1.7e9 < float(rows["process_start_time_seconds"]) < 4e9


def test_the_dashboard_shows_metrics_that_there_are(tmp_path: Path) -> None:
    dashboard = json.loads((PACKAGING / "grafana-dashboard.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b((?:qldb|process)_\w+)", target["expr"])
    }
    with serving(tmp_path, "--ephemeral") as (_, url, _):
        urllib.request.urlopen(f"{url}/", timeout=5).close()
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
            there = set(re.findall(r"^# TYPE (\S+)", answer.read().decode(), re.MULTILINE))
    assert {name.removesuffix("_bucket") for name in asked} <= there


# --- traces ---------------------------------------------------------------------------------------------------


def test_statements_plans_and_commits_are_spans() -> None:
    pytest.importorskip("opentelemetry.sdk", reason="needs the extra otel")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with Emulator(Settings(is_ephemeral=True)) as emulator:
        trace(emulator, provider.get_tracer("test"))
        transport = LocalTransport(emulator)
        transport.call("CreateLedger", {"Name": "cars", "PermissionsMode": "ALLOW_ALL"})
        session = LedgerSession(transport, "cars")
        session.run("CREATE TABLE Car")
        session.run("SELECT * FROM Car")
        session.run("SELECT * FROM Car")
        with pytest.raises(QldbError):
            session.run("SELECT * FROM Nothing")
        session.end()
    provider.shutdown()
    found = spans.get_finished_spans()
    assert [span.name for span in found] == ["plan", "statement", "commit"] * 3 + ["plan", "statement"]
    texts = [span.attributes["db.query.text"] for span in found if span.name == "statement"]
    assert texts == ["CREATE TABLE Car", "SELECT * FROM Car", "SELECT * FROM Car", "SELECT * FROM Nothing"]
    caches = [span.attributes["qldb.statement_cache"] for span in found if span.name == "plan"]
    assert caches == ["miss", "miss", "hit", "miss"]
    plan, statement = found[0], found[1]
    assert plan.parent.span_id == statement.context.span_id
    assert statement.attributes["db.namespace"] == "cars"
    assert found[-1].attributes["error.type"] == "BadRequestException"
    assert found[-1].status.status_code.name == "ERROR"


def test_without_traces_nothing_is_laid_around_a_command() -> None:
    """Zero cost: the command is the session's own method, and OpenTelemetry is not imported."""
    code = (
        "import sys; from qldb_emulator.engine.emulator import Emulator; from qldb_emulator.settings import Settings\n"
        "with Emulator(Settings(is_ephemeral=True)) as e:\n"
        "    assert e.sessions._commands['ExecuteStatement'] == e.sessions._execute_statement\n"
        "assert 'qldb_emulator.engine.workbench.traces' not in sys.modules\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emulator")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_collector_that_is_no_url_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra otel")
    done = CliRunner().invoke(main, ["serve", "--ephemeral", "--traces", "localhost"])
    assert done.exit_code == 1
    assert "is no URL" in done.output


# --- completion, man page, unit ---------------------------------------------------------------------------------


def test_completion_is_installed_where_bash_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert CliRunner().invoke(main, ["completion", "bash", "--install"]).exit_code == 0
    text = (tmp_path / ".local/share/bash-completion/completions/qldb-emulator").read_text()
    assert "qldb-emulator" in text


def test_zsh_looks_in_no_place_of_its_own() -> None:
    done = CliRunner().invoke(main, ["completion", "zsh", "--install"])
    assert (done.exit_code, "~/.zshrc" in done.output) == (1, True)


def test_commands_and_options_are_completed() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emulator"), "_QLDB_EMULATOR_COMPLETE": "bash_complete"}
    environment |= {"COMP_WORDS": "qldb-emulator serve --log-f", "COMP_CWORD": "2"}
    command = [sys.executable, "-c", "from qldb_emulator.cli import main; main(prog_name='qldb-emulator')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "plain,--log-format"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    unit = (PACKAGING / "qldb-emulator.service").read_text()
    # The program of the unit is not installed where tests run; the manual page is not, either.
    unit = unit.replace("/opt/qldb-emulator/bin/qldb-emulator", sys.executable).replace("Documentation=", "#")
    (tmp_path / "qldb-emulator.service").write_text(unit)
    command = ["systemd-analyze", "verify", str(tmp_path / "qldb-emulator.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
