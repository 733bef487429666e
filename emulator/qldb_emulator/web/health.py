"""Health, readiness, metrics: the routes of the admin interface that need only the path of a request.

They are answered without Flask, which a container's health check must not load.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..compiled import build
from .gateway import PRODUCT
from .metrics import Family
from .process_metrics import process_text
from .routes import AdminCall, Route, Text, Unready

if TYPE_CHECKING:
    from ..engine.emulator import Emulator


def _health(call: AdminCall) -> dict[str, Any]:
    return {"status": "ok", "name": PRODUCT, "version": __version__, "build": build()}


def _ready(call: AdminCall) -> dict[str, Any]:
    if not call.admin.is_ready:
        raise Unready("The init files are still running")
    return {"status": "ready", "name": PRODUCT, "version": __version__}


def _localstack_health(call: AdminCall) -> dict[str, Any]:
    # The shape of LocalStack's answer: programs that wait for it look for "running" or "available".
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
    families = _of_shared_journals(emulator)
    if emulator.steward is not None:
        gauges.append(
            ("qldb_servers", "Servers that share the journals and are alive.", float(emulator.steward.alive()))
        )
    text = call.admin.gateway.metrics.text(gauges, families) + process_text()
    return Text(text, "text/plain; version=0.0.4; charset=utf-8")


def _of_shared_journals(emulator: Emulator) -> list[Family]:
    """What is to be watched where servers share journals: docs/cluster.md."""
    steward = emulator.steward
    if steward is None:
        return []
    ledgers = [({"region": x.region, "ledger": x.name}, x) for x in emulator.ledgers.open_ledgers()]
    lags, owned = steward.lags, set(steward.owned())
    behind = [(labels, float(lags.get((x.region, x.name), 0))) for labels, x in ledgers]
    mine = [(labels, float((x.region, x.name) in owned)) for labels, x in ledgers]
    lost = [(labels, float(x.committer.lost_slots)) for labels, x in ledgers]
    unknown = [(labels, float(x.committer.unknown_outcomes)) for labels, x in ledgers]
    return [
        Family("qldb_log_lag_blocks", "gauge", "Blocks in the log that this server had not folded yet.", behind),
        Family("qldb_log_owner", "gauge", "1 where this server owns the ledger.", mine),
        Family("qldb_log_lost_slots_total", "counter", "Appends that another server was faster with.", lost),
        Family("qldb_log_unknown_outcomes_total", "counter", "Appends whose answer was lost.", unknown),
    ]


HEALTH_ROUTES = (
    Route("GET", "/health", _health, "Whether the process answers.", is_open=True),
    Route("GET", "/ready", _ready, "200 once the init files have run, 503 before.", is_open=True),
    Route("GET", "/metrics", _metrics, "Counts and times in Prometheus' text form.", is_open=True, is_root=True),
    Route(
        "GET", "/_localstack/health", _localstack_health, "The same, as LocalStack says it.", is_open=True, is_root=True
    ),
)
