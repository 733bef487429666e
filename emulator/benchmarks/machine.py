"""Describes the machine and the versions of a run, without which its figures mean little."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from qldb_emulator import __version__
from qldb_emulator.compiled import build

from .bench import Tools

_SYNCS = 50
_FAST_SYNC_MS = 0.02


def of_this_build(file: Path) -> Path:
    """Return where the results of this build go: of the compiled one to ``result.compiled.json``.

    One run after another, of both builds, is given the same name.
    """
    return file if build() != "compiled" else file.with_suffix(f".compiled{file.suffix}")


def facts(directory: Path, tools: Tools) -> dict[str, str]:
    """Name and value of everything a reader of the figures wants to know, in the order to show it."""
    found = {
        "emulator": f"{__version__}, commit {commit()}, {build()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processor": f"{processor()}, {os.cpu_count()} CPUs",
        "memory": memory(),
        "load": load(),
        "one sync of 4 KB": disk(directory),
    }
    found.update({name: importlib.metadata.version(name) for name in ("flask", "werkzeug")})
    if tools.client is not None:
        clients = ("pyqldb", "boto3", "botocore", "amazon.ion")
        found["client"] = ", ".join(f"{name} {version_in(tools.client, name)}" for name in clients)
    if tools.moto_server is not None:
        found["moto"] = version_in(tools.moto_server.parent / "python", "moto")
    if tools.libraries is not None:
        libraries = ("amazon.ion", "ionhash", "lark", "py-partiql-parser")
        found["libraries"] = ", ".join(f"{name} {version_in(tools.libraries, name)}" for name in libraries)
    if tools.node_modules is not None:
        found["node client"] = f"node {output(['node', '--version'])}, {package_versions(tools.node_modules)}"
    if tools.go_load is not None:
        lines = output(["go", "version", "-m", str(tools.go_load)]).split("\n")
        found["go client"] = ", ".join(
            [lines[0].split()[-1], *(_module(line) for line in lines if "qldb-driver" in line)]
        )
    return found


def _module(line: str) -> str:
    """Return name and version from a line of what ``go version -m`` prints: dep, path, version, checksum."""
    _, path, version = line.split()[:3]
    return f"{path.split('/')[-2]} {version}"


def commit() -> str:
    """Return the commit of the checkout, and whether it has changes."""
    here = str(Path(__file__).resolve().parent)
    revision = output(["git", "-C", here, "rev-parse", "--short", "HEAD"])
    if not revision:
        return "unknown"
    return f"{revision} with changes" if output(["git", "-C", here, "status", "--porcelain", ".."]) else revision


def processor() -> str:
    """Return the model of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def memory() -> str:
    """Return how much memory there is."""
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"
    except (ValueError, OSError):
        return "unknown"


def load() -> str:
    """Return how busy the machine is before anything is measured."""
    try:
        return ", ".join(f"{average:.2f}" for average in os.getloadavg())
    except OSError:
        return "unknown"


def disk(directory: Path) -> str:
    """Return how long the disk under the durable ledgers takes to sync, and whether that can be true."""
    middle = sync_ms(directory)
    doubt = "; too fast for a disk: durable commits are cheaper here than they are" if middle < _FAST_SYNC_MS else ""
    return f"{middle:.3f} ms{doubt}"


def sync_ms(directory: Path) -> float:
    """Milliseconds that the disk needs for a sync: what every durable commit must wait for."""
    taken = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(_SYNCS):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def version_in(python: Path, package: str) -> str:
    """Return the version of a package in the environment of a Python."""
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return output([str(python), "-c", code]) or "unknown"


def package_versions(node_modules: Path) -> str:
    """Return the versions of the Node.js packages that do the work."""
    names = ("amazon-qldb-driver-nodejs", "@aws-sdk/client-qldb-session", "ion-js")
    manifests = {name: json.loads((node_modules / name / "package.json").read_text()) for name in names}
    return ", ".join(f"{name} {manifest['version']}" for name, manifest in manifests.items())


def output(command: list[str]) -> str:
    """Return what a command prints; empty when it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
