"""A QldbContainer for testcontainers-python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

PORT = 7532
INIT_FOLDER = "/etc/localstack/init/ready.d"


class QldbContainer(DockerContainer):
    """The emulator, ready when its seeds have run.

    seeds: files and folders that fill ledgers, laid into the container's init folder.
    """

    def __init__(self, image: str = "qldb-emulator:latest", seeds: tuple[Path, ...] = (), **options: Any) -> None:
        super().__init__(image, **options)
        self.with_exposed_ports(PORT)
        self.with_env("QLDB_EMULATOR_EPHEMERAL", "1")
        for path in seeds:
            self.with_volume_mapping(str(path.absolute()), f"{INIT_FOLDER}/{path.name}", "ro")
        self.waiting_for(HttpWaitStrategy(PORT, "/_qldb/ready").for_status_code(200))

    @property
    def url(self) -> str:
        """Where the server listens, seen from the test."""
        return f"http://{self.get_container_host_ip()}:{self.get_exposed_port(PORT)}"
