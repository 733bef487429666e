"""The programs of docs/clients.md, as they stand there: Python always, Node.js where its packages are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_clients_given_back import COMMAND, _as_exported

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "compat_tests" / "node"
VIN = "1N4AL11D75C109151"


def _program(language: str) -> str:
    page = (ROOT / "docs" / "clients.md").read_text()
    found = re.search(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(1)


@pytest.fixture
def exported(server) -> dict[str, str]:
    return _as_exported(f"$({COMMAND} env --url {server.url})")


def test_the_python_program(exported):
    done = subprocess.run([sys.executable, "-c", _program("python")], capture_output=True, text=True, env=exported)
    assert (done.stdout, done.returncode) == (f"{VIN}\n", 0), done.stderr


@pytest.mark.skipif(shutil.which("node") is None or not (NODE / "node_modules").is_dir(), reason="needs Node.js")
def test_the_node_program(exported):
    # Modules are looked for from where the program lies; standard input counts as the working directory.
    command = ["node", "--input-type=module", "-"]
    done = subprocess.run(command, input=_program("js"), cwd=NODE, capture_output=True, text=True, env=exported)
    assert (done.stdout, done.returncode) == (f"[ '{VIN}' ]\n", 0), done.stderr
