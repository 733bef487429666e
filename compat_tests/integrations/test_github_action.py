"""The GitHub Action's step, run as the runner runs it: with its variables, and files that it reads afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "integrations" / "github-action"


def step(folder: Path, **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str], dict[str, str]]:
    """(the step, what it added to the environment, its outputs)."""
    files = {name: folder / name.lower() for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT")}
    for path in files.values():
        path.touch()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "QLDB_", "PYTHONPATH"))},
        **{name: str(path) for name, path in files.items()},
        **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
        "GITHUB_ACTION_PATH": str(ACTION),
        "RUNNER_TEMP": str(folder),
        "HOME": str(folder),
    }
    command = yaml.safe_load((ACTION / "action.yml").read_text())["runs"]["steps"][0]["run"]
    done = subprocess.run(
        ["bash", "-e", "-c", command],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    added, outputs = (
        dict(line.split("=", 1) for line in files[name].read_text().splitlines())
        for name in ("GITHUB_ENV", "GITHUB_OUTPUT")
    )
    return done, added, outputs


def test_it_starts_a_server_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "cars.partiql").write_text("CREATE TABLE Car;")
    done, added, outputs = step(tmp_path, seed="cars.partiql\n", options="--limits relaxed")
    assert done.returncode == 0, done.stdout + done.stderr
    process = re.search(r"process (\d+)", done.stdout)
    assert process is not None
    try:
        assert added["AWS_ENDPOINT_URL_QLDB"] == added["AWS_ENDPOINT_URL_QLDB_SESSION"] == outputs["url"]
        assert (added["AWS_REGION"], added["AWS_ACCESS_KEY_ID"]) == ("us-east-1", "local")
        with urllib.request.urlopen(f"{outputs['url']}/_qldb/ready", timeout=5) as answer:
            assert json.load(answer)["status"] == "ready"
        command = Path((tmp_path / "github_path").read_text().strip()) / "qldb-emulator"
        shown = subprocess.run(
            [command, "ledgers", "list", "--url", outputs["url"]], capture_output=True, text=True, check=True
        )
        assert "cars" in shown.stdout
        assert "Ready." in Path(outputs["log"]).read_text()
    finally:
        os.kill(int(process[1]), signal.SIGTERM)


def test_a_server_that_does_not_start_fails_the_step(tmp_path: Path) -> None:
    done, _, _ = step(tmp_path, options="--limits nonsense")
    assert done.returncode == 1
    assert "::error::qldb-emulator did not start" in done.stdout
    assert "nonsense" in done.stdout


@pytest.mark.parametrize("name", ["seed", "options", "package"])
def test_every_input_reaches_the_step(name: str) -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    assert set(action["inputs"]) == {"seed", "options", "package"}
    assert action["runs"]["steps"][0]["env"][f"INPUT_{name.upper()}"] == f"${{{{ inputs.{name} }}}}"
