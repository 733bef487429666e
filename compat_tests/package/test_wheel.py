"""The wheel as a user gets it: built from the checkout, installed into a bare environment, started."""

from __future__ import annotations

import email
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # Built from a copy: setuptools leaves build folders where it works.
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "packaging" / "man", source / "packaging" / "man")
    package = "emulator/qldb_emulator"
    shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True)
    (made,) = folder.glob("qldb_emulator-*.whl")
    return made


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``qldb-emulator`` in an environment that has nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", wheel], check=True)
    return folder / "bin" / "qldb-emulator"


def test_the_wheel_has_all_it_needs_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    needed = [
        "qldb_emulator/py.typed",
        "qldb_emulator/aws_models/qldb/2019-01-02/service-2.json",
        "qldb_emulator/aws_models/qldb-session/2019-07-11/service-2.json",
        "qldb_emulator/seeding/samples/vehicle-registration.ion",
        "qldb_emulator/pytest_plugin.py",
        "qldb_emulator/web/console/templates/parts/blocks.html",
        "qldb_emulator/web/console/static/console.css",
        "qldb_emulator/web/console/static/icons.svg",
    ]
    assert [name for name in needed if name not in names] == []
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"qldb_emulator"}
    outside = [name.partition(".data/")[2] for name in names if ".data/" in name]
    assert outside == ["data/share/man/man1/qldb-emulator.1"], "the manual page, where man looks"


def test_its_metadata_is_whole(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA")]
    metadata = email.message_from_bytes(archive.read(name))
    assert (metadata["Name"], metadata["License-Expression"], metadata["Requires-Python"]) == (
        "qldb-emulator",
        "Apache-2.0",
        ">=3.11",
    )
    assert {"aws", "test"} <= set(metadata.get_all("Provides-Extra"))
    needed = {line.split(">")[0].split(";")[0] for line in metadata.get_all("Requires-Dist") if "extra" not in line}
    assert needed == {"flask", "click", "prompt_toolkit", "pygments", "wcwidth"}
    entries = archive.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert "qldb-emulator = qldb_emulator.cli:main" in entries
    assert "qldb_emulator = qldb_emulator.pytest_plugin" in entries


def test_the_command_says_its_version(command: Path) -> None:
    answer = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("qldb-emulator, version ")


def test_help_costs_none_of_the_servers_imports(command: Path) -> None:
    python = command.with_name("python")
    code = (
        "import sys; from click.testing import CliRunner; from qldb_emulator.cli import main;"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0;"
        "print(sorted({'flask', 'sqlite3', 'boto3', 'qldb_emulator.engine'} & set(sys.modules)))"
    )
    assert subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.fixture
def server(command: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    process = subprocess.Popen(
        [command, "serve", "--ephemeral", "--port", "0", "--sample", "vehicle-registration"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    url = next(line.split("Ready on ")[1].split()[0] for line in process.stderr if "Ready on " in line)
    yield url, process
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_it_serves_and_stops(command: Path, server: tuple[str, subprocess.Popen[str]]) -> None:
    url, _ = server
    with urllib.request.urlopen(f"{url}/_qldb/ready", timeout=5) as answer:
        assert answer.status == 200
    page = urllib.request.Request(url, headers={"Accept": "text/html"})
    with urllib.request.urlopen(page, timeout=5) as answer:
        assert "vehicle-registration</a></h2>" in answer.read().decode()
    query = ["shell", "vehicle-registration", "--url", url, "-c", "SELECT VALUE FirstName FROM Person"]
    rows = subprocess.run([command, *query], capture_output=True, text=True, check=True).stdout
    assert sorted(rows.split()) == ['"Alexis"', '"Brent"', '"Melvin"', '"Raul"', '"Salvatore"']


def test_what_it_takes_from_start_to_ready_is_told(command: Path) -> None:
    """No bound: machines differ.  ``pytest -s`` shows it; scripts/bench measures it against others."""
    started = time.perf_counter()
    process = subprocess.Popen([command, "serve", "--ephemeral", "--port", "0"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    next(line for line in process.stderr if "Ready on " in line)
    print(f"\nstart to ready: {(time.perf_counter() - started) * 1000:.0f} ms")
    process.terminate()
    process.communicate(timeout=20)
