"""One server with S3 and Kinesis beside it for the session."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from server import ServerProcess


class ServerWithAws(ServerProcess):
    """A server whose S3 and Kinesis answer at ``aws_url``."""

    @property
    def aws_url(self) -> str:
        found = re.search(r"S3 and Kinesis: (http://\S+)", "".join(self.log))
        assert found is not None
        return found.group(1)


@pytest.fixture(scope="session")
def server() -> Iterator[ServerWithAws]:
    process = ServerWithAws("--ephemeral", "--with-aws", "--log-level", "info")
    yield process
    assert process.stop() == 0, "".join(process.log)
