"""The helpers for other people's tests: a server in the process, and one in a container (played by a small script)."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.local_driver import LocalSession

from qldb_emulator.errors import QldbError
from qldb_emulator.testing import LocalServer
from qldb_emulator.testing.container import ContainerError, QldbContainer


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as made:
        yield made


def test_a_fork_is_filled_apart_and_goes_away(server: LocalServer) -> None:
    server.create_ledger("cars", sample="vehicle-registration")
    fork = server.fork("cars")
    LocalSession(server.emulator, fork.name).run("DELETE FROM Person")
    assert [row.text for row in fork.statements()] == ["DELETE FROM Person"]
    assert len(LocalSession(server.emulator, "cars").run("SELECT * FROM Person")) == 5
    server.delete(fork.name)
    with pytest.raises(QldbError, match="is not found"):
        LocalSession(server.emulator, fork.name)


def test_deterministic_forks_repeat(server: LocalServer) -> None:
    server.create_ledger("cars", sample="vehicle-registration")
    ids = [
        LocalSession(server.emulator, server.fork("cars", deterministic=seed).name).run("INSERT INTO Person {'a': 1}")
        for seed in ("x", "x", "y")
    ]
    assert (ids[0] == ids[1], ids[0] == ids[2]) == (True, False)


def test_a_long_name_still_leaves_room_for_a_number(server: LocalServer) -> None:
    name = "a-very-long-ledger-name-with-32c"
    server.create_ledger(name)
    assert server.fork(name).name == "a-very-long-ledger-n-1"


def test_two_servers_share_nothing(server: LocalServer) -> None:
    server.create_ledger("cars")
    with LocalServer() as other:
        assert other.url != server.url
        with urllib.request.urlopen(f"{other.url}/ledgers", timeout=5) as answer:
            assert json.load(answer)["Ledgers"] == []


FAKE_DOCKER = """#!{python}
import sys
log = open({log!r}, "a")
print(*sys.argv[1:], file=log)
verb = sys.argv[1]
if verb == "run":
    if "missing" in sys.argv[-1]:
        sys.exit("no such image")
    print("c0ffee")
elif verb == "port":
    print("127.0.0.1:{port}")
elif verb == "logs":
    print("log of the server")
"""


def fake_docker(folder: Path, port: int) -> tuple[str, Path]:
    """A command that takes docker's arguments and writes them down; its containers are a server that runs already."""
    log = folder / "log"
    command = folder / "docker"
    command.write_text(FAKE_DOCKER.format(python=sys.executable, log=str(log), port=port))
    command.chmod(0o755)
    return str(command), log


def test_a_container_is_run_waited_for_and_removed(server: LocalServer, tmp_path: Path) -> None:
    command, log = fake_docker(tmp_path, int(server.url.rpartition(":")[2]))
    seed = tmp_path / "cars.partiql"
    with QldbContainer("image:1", [seed], {"QLDB_EMULATOR_DETERMINISTIC": "42"}, command=command) as container:
        assert container.url == server.url
        assert container.logs() == "log of the server\n"
    run, *_, remove = log.read_text().splitlines()
    assert run == (
        "run --detach --rm --publish 127.0.0.1::7532 --env QLDB_EMULATOR_EPHEMERAL=1 "
        f"--env QLDB_EMULATOR_DETERMINISTIC=42 --volume {seed}:/etc/localstack/init/ready.d/cars.partiql:ro image:1"
    )
    assert remove == "rm --force c0ffee"


def test_a_container_that_does_not_become_ready_is_removed_and_its_log_told(tmp_path: Path) -> None:
    command, log = fake_docker(tmp_path, 9)
    with pytest.raises(ContainerError, match="log of the server"):
        QldbContainer(start_seconds=0.1, command=command).start()
    assert log.read_text().splitlines()[-1] == "rm --force c0ffee"


@pytest.mark.parametrize(
    ("image", "command", "text"),
    [("missing", None, "run failed: no such image"), ("any", "no-such-command", "no command 'no-such-command'")],
    ids=["no image", "no docker"],
)
def test_what_keeps_a_container_from_starting_is_told(
    tmp_path: Path, image: str, command: str | None, text: str
) -> None:
    with pytest.raises(ContainerError, match=text):
        QldbContainer(image, command=command or fake_docker(tmp_path, 9)[0]).start()
