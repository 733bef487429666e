"""moto's S3 and Kinesis in this process, on a port of their own, so that exports and streams work offline.

What they hold is in memory and gone at exit.
"""

from __future__ import annotations

import importlib.util
import logging
import socket
from types import TracebackType
from typing import Any

from .clients import AwsMissingError

HOST = "127.0.0.1"


class LocalAws:
    """A running moto server.  ``url`` is the endpoint of all its services.

    Raises AwsMissingError when moto is not installed, OSError when the port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        if importlib.util.find_spec("moto") is None:
            raise AwsMissingError("moto")
        try:
            from moto.server import ThreadedMotoServer
        except ImportError as error:  # moto without its server extra
            raise AwsMissingError("moto[server,s3,kinesis]") from error
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for every request would bury our own
        with socket.create_server((HOST, port)):
            pass  # if the port is taken, moto would wait for ever
        self._server: Any = ThreadedMotoServer(ip_address=HOST, port=port, verbose=False)
        self._server.start()
        host, bound = self._server.get_host_and_port()
        self.url = f"http://{host}:{bound}"

    def stop(self) -> None:
        """Stop answering."""
        self._server.stop()

    def __enter__(self) -> LocalAws:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
