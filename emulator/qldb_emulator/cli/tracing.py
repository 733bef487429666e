"""OpenTelemetry for ``serve --traces URL``: where spans go.  Which spans there are: ``engine.workbench.traces``.

Everything of OpenTelemetry is imported here, and only with the option.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import __version__
from ..extras import install_command
from .failure import Failure

if TYPE_CHECKING:
    from ..engine.emulator import Emulator

TRACES_PATH = "/v1/traces"


class Tracing:
    """Sends spans to a collector in batches, beside the requests.

    url: of the collector, such as ``http://localhost:4318``; a path other than ``/`` is used as it is.  The
    OpenTelemetry variables for headers, sampling and resources hold as everywhere.  Raises Failure without the extra.
    """

    def __init__(self, url: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise Failure(f"--traces needs the extra otel ({error}): {install_command('otel')}") from error
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise Failure(f"--traces: {url!r} is no URL; a collector's looks like http://localhost:4318")
        endpoint = url.rstrip("/") + TRACES_PATH if parts.path in ("", "/") else url
        resource = Resource.create({"service.name": "qldb-emulator", "service.version": __version__})
        self._provider: Any = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))

    def follow(self, emulator: Emulator) -> None:
        """Make spans of what an emulator does."""
        from ..engine.workbench.traces import trace

        trace(emulator, self._provider.get_tracer("qldb_emulator", __version__))

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
