"""Admin routes for ledgers as a whole: snapshots, forks, differences, reset, recent statements, plans."""

from __future__ import annotations

from typing import Any

from ..engine.workbench.diff import NOW, diff_ledger
from ..engine.workbench.snapshots import (
    delete_snapshot,
    describe,
    fork_ledger,
    list_snapshots,
    reset_ledgers,
    restore_snapshot,
    take_snapshot,
)
from ..errors import ADMIN_REQUEST
from ..wire.parse import parse_call
from ..wire.serialize import encode_json
from .routes import AdminCall, Route

MAX_DOCUMENTS = 10_000
DEFAULT_DOCUMENTS = 1_000

Members = dict[str, Any]


def _reset(call: AdminCall) -> Members:
    ledger = call.text("ledger") if "ledger" in call.body else None
    region = call.region if "region" in call.query or ledger is not None else None
    wants_seed = call.body.get("seed", False)
    if not isinstance(wants_seed, bool):
        raise ADMIN_REQUEST(text="seed must be true or false: whether the init files run again")
    reseed = call.admin.reseed
    if wants_seed and reseed is None:
        raise ADMIN_REQUEST(text="there is nothing to seed with: the server was started without --seed and --sample")
    deleted = reset_ledgers(call.emulator, region, ledger)
    if wants_seed and reseed is not None:
        reseed()
    return {"deleted": deleted, "seeded": wants_seed}


def _ledgers(call: AdminCall) -> Members:
    ledgers = call.emulator.ledgers
    found = (
        ledgers.find(call.region, name) for name in ledgers.names(call.region)
    )  # with all blocks, which are counted
    return {"ledgers": [describe(ledger) for ledger in found if ledger is not None]}


def _fork(call: AdminCall) -> Members:
    name = call.text("name")
    # The rules of CreateLedger apply to a ledger's name.
    parse_call("POST", "/ledgers", "", encode_json({"Name": name, "PermissionsMode": "ALLOW_ALL"}))
    snapshot = call.text("snapshot") if "snapshot" in call.body else None
    return describe(fork_ledger(call.emulator, call.region, call.path["ledger"], name, snapshot))


def _take(call: AdminCall) -> Members:
    name = call.text("name")
    if name == NOW or name.isdigit():
        raise ADMIN_REQUEST(text=f"{name!r} cannot name a snapshot: it stands for a block")
    return take_snapshot(call.emulator, call.region, call.path["ledger"], name)


def _list(call: AdminCall) -> Members:
    return {"snapshots": list_snapshots(call.emulator, call.region, call.query.get("ledger"))}


def _delete(call: AdminCall) -> Members:
    return delete_snapshot(call.emulator, call.region, call.path["ledger"], call.path["snapshot"])


def _restore(call: AdminCall) -> Members:
    return restore_snapshot(call.emulator, call.region, call.path["ledger"], call.path["snapshot"])


def _diff(call: AdminCall) -> Members:
    before = call.query.get("from")
    if before is None:
        raise ADMIN_REQUEST(text="from is missing: a snapshot's name, a block's sequence number, or now")
    after = call.query.get("to", NOW)
    limit = call.number("limit", DEFAULT_DOCUMENTS, MAX_DOCUMENTS)
    return diff_ledger(call.emulator, call.region, call.path["ledger"], before, after, limit)


def _requests(call: AdminCall) -> Members:
    log = call.emulator.statement_log
    rows = log.rows(call.number("after", 0, 999_999_999), call.query.get("ledger"))
    shown = [{**row.members(), "outcome": log.outcome(row.transaction_id)} for row in rows]
    return {"last": log.last_number(), "statements": shown}


def _forget_requests(call: AdminCall) -> Members:
    call.emulator.statement_log.clear()
    return {"last": call.emulator.statement_log.last_number()}


_LEDGER = "/ledgers/<ledger>"
LEDGER_ROUTES = (
    Route("POST", "/reset", _reset, "Delete every ledger, or {ledger}; {seed: true} runs the init files again."),
    Route("GET", "/ledgers", _ledgers, "The ledgers of a region (?region=)."),
    Route("POST", f"{_LEDGER}/fork", _fork, "A new ledger {name} that begins as this one, or as its {snapshot}."),
    Route("GET", f"{_LEDGER}/diff", _diff, "What changed ?from= a snapshot or block ?to= another, or now."),
    Route("GET", "/snapshots", _list, "The snapshots of a region, or of one ?ledger=."),
    Route("POST", f"{_LEDGER}/snapshots", _take, "Keep the ledger as it is now under {name}."),
    Route("DELETE", f"{_LEDGER}/snapshots/<snapshot>", _delete, "Forget a snapshot."),
    Route("POST", f"{_LEDGER}/snapshots/<snapshot>/restore", _restore, "Make the ledger what the snapshot is."),
    Route("GET", "/requests", _requests, "Recent statements with parameters, plan and time (?after=, ?ledger=)."),
    Route("DELETE", "/requests", _forget_requests, "Forget them."),
)
