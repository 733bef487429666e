"""Without an engine: what would be asked of one.  With one, and the image: that the server answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
from qldb_testcontainers import INIT_FOLDER, PORT, QldbContainer

IMAGE = "qldb-emulator:latest"


def has_image() -> bool:
    return (
        shutil.which("docker") is not None
        and subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode == 0
    )


def test_what_the_engine_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The constructor looks for an engine, which the next test needs and this one does not.
    monkeypatch.setattr("testcontainers.core.container.DockerClient", lambda **_: None)
    container = QldbContainer(seeds=(tmp_path / "cars.partiql",))
    assert container.image == IMAGE
    assert [int(str(port).split("/")[0]) for port in container.ports] == [PORT]
    assert container.env == {"QLDB_EMULATOR_EPHEMERAL": "1"}
    assert container.volumes == {str(tmp_path / "cars.partiql"): {"bind": f"{INIT_FOLDER}/cars.partiql", "mode": "ro"}}


@pytest.mark.skipif(not has_image(), reason=f"needs a Docker engine with the image {IMAGE}")
def test_it_serves() -> None:
    with QldbContainer() as qldb, urllib.request.urlopen(f"{qldb.url}/_qldb/ready", timeout=5) as answer:
        assert json.load(answer)["status"] == "ready"
