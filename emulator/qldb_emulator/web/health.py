"""Health, readiness, metrics: the routes of the admin interface that look at nothing of a request but its path.

They are answered without Flask, which a container's health check must not load.
"""

from __future__ import annotations

import time
from typing import Any

from .. import __version__
from ..compiled import build
from .gateway import PRODUCT
from .routes import AdminCall, Route, Text, Unready


def _health(call: AdminCall) -> dict[str, Any]:
    return {"status": "ok", "name": PRODUCT, "version": __version__, "build": build()}


def _ready(call: AdminCall) -> dict[str, Any]:
    if not call.admin.is_ready:
        raise Unready("The init files are still running")
    return {"status": "ready", "name": PRODUCT, "version": __version__}


def _localstack_health(call: AdminCall) -> dict[str, Any]:
    # The shape LocalStack answered with: what waits for it looks for "running" or "available".
    state = "running" if call.admin.is_ready else "starting"
    return {"services": {"qldb": state, "qldb-session": state}, "edition": PRODUCT, "version": __version__}


def _metrics(call: AdminCall) -> Text:
    emulator = call.emulator
    ledgers = emulator.ledgers.open_ledgers()
    gauges = [
        ("qldb_up_seconds", "Time since the start.", time.monotonic() - call.admin.started),
        ("qldb_sessions", "Sessions that have not ended.", float(emulator.sessions.count())),
        ("qldb_open_ledgers", "Ledgers in use since the start.", float(len(ledgers))),
        ("qldb_open_transactions", "Open transactions.", float(sum(x.writes.open_count() for x in ledgers))),
        ("qldb_blocks", "Blocks of the ledgers in use.", float(sum(x.tip().sequence_no + 1 for x in ledgers))),
    ]
    return Text(call.admin.gateway.metrics.text(gauges), "text/plain; version=0.0.4; charset=utf-8")


HEALTH_ROUTES = (
    Route("GET", "/health", _health, "Whether the process answers.", is_open=True),
    Route("GET", "/ready", _ready, "200 once the init files have run, 503 before.", is_open=True),
    Route("GET", "/metrics", _metrics, "Counts and times in Prometheus' text form.", is_open=True, is_root=True),
    Route(
        "GET", "/_localstack/health", _localstack_health, "The same, as LocalStack says it.", is_open=True, is_root=True
    ),
)
