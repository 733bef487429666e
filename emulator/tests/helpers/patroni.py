"""Two PostgreSQL nodes under Patroni with one etcd, on free ports of this machine: what fails over, and how."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from helpers.cluster import free_port
from helpers.postgres import USER, programs

# The shortest that Patroni allows: a primary that is silent for so long counts as lost.
TTL_SECONDS = 20
LOOP_SECONDS = 2
RETRY_SECONDS = 3
READY_SECONDS = 120.0


def is_installed() -> bool:
    """Whether everything is there (apt-get install postgresql patroni etcd-server)."""
    return programs() is not None and all(shutil.which(name) for name in ("patroni", "etcd"))


class Node:
    """One PostgreSQL and its Patroni."""

    def __init__(self, name: str, folder: Path, etcd: str) -> None:
        self.name = name
        self.port, self.rest = free_port(), free_port()
        self._folder = folder / name
        self._folder.mkdir()
        self._user = USER if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        configuration = self._folder / "patroni.yml"
        configuration.write_text(json.dumps(self._configuration(etcd)))  # JSON is YAML
        configuration.chmod(0o644)

    def _configuration(self, etcd: str) -> dict[str, Any]:
        everyone = ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
        shared = {"max_connections": 60, "wal_log_hints": "on", "shared_buffers": "32MB"}
        dcs = {
            "ttl": TTL_SECONDS,
            "loop_wait": LOOP_SECONDS,
            "retry_timeout": RETRY_SECONDS,
            "synchronous_mode": True,
            "synchronous_mode_strict": True,
            "postgresql": {"use_pg_rewind": True, "parameters": shared},
        }
        bin_folder = programs()
        return {
            "scope": "qldb",
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}", "connect_address": f"127.0.0.1:{self.rest}"},
            "etcd3": {"host": etcd},
            "bootstrap": {"dcs": dcs, "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, {"auth": "trust"}]},
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self._folder / "data"),
                "bin_dir": str(bin_folder),
                "pgpass": str(self._folder / "pgpass"),
                "pg_hba": everyone,
                "authentication": {
                    "superuser": {"username": USER, "password": "p"},
                    "replication": {"username": "replicator", "password": "p"},
                    "rewind": {"username": USER, "password": "p"},
                },
                "parameters": {"unix_socket_directories": str(self._folder)},
            },
        }

    def start(self) -> None:
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                ["patroni", str(self._folder / "patroni.yml")],
                user=self._user,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """The machine is gone: Patroni first, so that it does not notice, then PostgreSQL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None
        pid = int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
        with suppress(OSError, ValueError, IndexError):
            os.kill(int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGQUIT)

    def log(self) -> str:
        return (self._folder / "log").read_text()


class Patroni:
    """Two nodes, one of which is the primary.  url: leads to whichever it is."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        self.url = f"postgresql://{USER}@{hosts}/postgres?target_session_attrs=read-write"

    def members(self) -> dict[str, dict[str, Any]]:
        """What Patroni says of its nodes, by name; empty while none answers."""
        for node in self.nodes:
            url = f"http://127.0.0.1:{node.rest}/cluster"
            with suppress(OSError, ValueError), urllib.request.urlopen(url, timeout=3) as answer:
                return {member["name"]: member for member in json.load(answer)["members"]}
        return {}

    def primary(self) -> Node | None:
        """The node that takes writes now."""
        for node in self.nodes:
            url = f"http://127.0.0.1:{node.rest}/primary"
            with suppress(OSError), urllib.request.urlopen(url, timeout=3):
                return node
        return None

    def wait_until_whole(self) -> None:
        """Wait until there is a primary, and a synchronous standby that runs."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            members = self.members().values()
            roles = {(member["role"], member["state"]) for member in members}
            if any(role == "leader" for role, _ in roles) and any(
                role == "sync_standby" and state in ("running", "streaming") for role, state in roles
            ):
                return
            assert time.monotonic() < deadline, f"Patroni's nodes: {roles}\n" + "\n".join(
                n.log()[-3000:] for n in self.nodes
            )
            time.sleep(0.2)

    def wait_for_another(self, gone: Node) -> Node:
        """Wait until another node takes writes."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            found = self.primary()
            if found is not None and found is not gone:
                return found
            assert time.monotonic() < deadline, "no other node was promoted"
            time.sleep(0.1)


@contextmanager
def patroni() -> Iterator[Patroni]:
    """Two nodes that are whole; gone in the end."""
    folder = Path(tempfile.mkdtemp(prefix="qldb-patroni-"))
    folder.chmod(0o755)
    client, peer = free_port(), free_port()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        etcd = subprocess.Popen(
            [
                *("etcd", "--data-dir", str(folder / "etcd"), "--log-level", "error"),
                *("--listen-client-urls", f"http://127.0.0.1:{client}"),
                *("--advertise-client-urls", f"http://127.0.0.1:{client}"),
                *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
                *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"),
                *("--initial-cluster", f"default=http://127.0.0.1:{peer}"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        stack.callback(etcd.wait, 10)
        stack.callback(etcd.terminate)
        nodes = [Node(name, folder, f"127.0.0.1:{client}") for name in ("one", "two")]
        made = Patroni(nodes)
        for node in nodes:
            stack.callback(node.stop)
            node.start()
        made.wait_until_whole()
        yield made
