"""The parameters and answers of the admin interface's routes, for the OpenAPI document."""

from __future__ import annotations

from dataclasses import field

from ...records import dataclass
from .schemas import ANY, COUNT, FLAG, NUMBER_OR_NULL, SEQUENCE_NO, TEXT, TEXTS, Schema, array, struct
from .values import JSON


@dataclass(frozen=True, slots=True)
class Described:
    """One row.  query: name -> (whether it is required, its schema).  body: None if the request has no body."""

    answer: Schema
    query: dict[str, tuple[bool, Schema]] = field(default_factory=dict)
    body: Schema | None = None
    content_type: str = JSON


_REGION = {"region": (False, TEXT)}
_LEDGER = struct("*", name=TEXT, region=TEXT, state=TEXT, strandId=TEXT, blocks=COUNT, tables=TEXTS)
_SNAPSHOT = struct("*", ledger=TEXT, name=TEXT, blocks=COUNT, lastBlockMs=NUMBER_OR_NULL, bytes=COUNT)
_STATE = struct("blocks", blocks=COUNT)
_SIDE = struct("version sequenceNo", version=COUNT, sequenceNo=COUNT, data=TEXT, redacted=FLAG)
_CHANGE = struct(
    "change table documentId",
    change={"enum": ["added", "changed", "removed"]},
    table=TEXT,
    documentId=TEXT,
    before=_SIDE,
    after=_SIDE,
)
_DIFF = struct(
    "from to commonBlocks changes tables documents",
    **{"from": _STATE},
    to=_STATE,
    commonBlocks=COUNT,
    changes=struct("*", added=COUNT, changed=COUNT, removed=COUNT),
    tables=struct("*", added=TEXTS, removed=TEXTS),
    documents=array(_CHANGE),
)
_REQUEST = struct(
    "number ledger region transactionId statement parameters durationMs readIOs scans",
    number=COUNT,
    ledger=TEXT,
    region=TEXT,
    transactionId=TEXT,
    statement=TEXT,
    parameters=TEXTS,
    durationMs={"type": "number"},
    readIOs=COUNT,
    scans=TEXTS,
    plan=TEXT,
    parametersLeftOut=COUNT,
    error=struct("*", type=TEXT, message=TEXT),
    outcome=ANY,
)
_FAULT = struct(
    "kind",
    kind=TEXT,
    commands=TEXTS,
    ledger={"type": ["string", "null"]},
    table={"type": ["string", "null"]},
    statement={"type": ["string", "null"]},
    count={"type": ["integer", "null"]},
    probability={"type": ["number", "null"]},
    latency_ms={"type": ["integer", "null"]},
    seed={"type": ["string", "null"]},
)
_STATUS = struct("status", status=TEXT, name=TEXT, version=TEXT)
_NAME = struct("name", name=TEXT)

ADMIN_SCHEMAS: dict[tuple[str, str], Described] = {
    ("GET", "/"): Described(struct("*", routes=array(struct("*", method=TEXT, path=TEXT, about=TEXT)), admin=FLAG)),
    ("GET", "/health"): Described(struct("status build", status=TEXT, name=TEXT, version=TEXT, build=TEXT)),
    ("GET", "/ready"): Described(_STATUS),
    ("GET", "/metrics"): Described(TEXT, content_type="text/plain"),
    ("GET", "/_localstack/health"): Described({"type": "object"}),
    ("POST", "/faults"): Described({"type": "object"}, body=_FAULT),
    ("GET", "/faults"): Described(struct("*", faults=array({"type": "object"}))),
    ("DELETE", "/faults"): Described(struct("*", cleared=COUNT)),
    ("DELETE", "/faults/<fault_id>"): Described(struct("*", cleared=COUNT)),
    ("POST", "/reset"): Described(struct("*", deleted=TEXTS, seeded=FLAG), _REGION, struct("", ledger=TEXT, seed=FLAG)),
    ("GET", "/ledgers"): Described(struct("*", ledgers=array(_LEDGER)), _REGION),
    ("POST", "/ledgers/<ledger>/fork"): Described(_LEDGER, _REGION, struct("name", name=TEXT, snapshot=TEXT)),
    ("GET", "/ledgers/<ledger>/diff"): Described(
        _DIFF,
        {
            **_REGION,
            "from": (True, TEXT),
            "to": (False, TEXT),
            "limit": (False, {"type": "integer", "minimum": 0, "maximum": 10_000}),
        },
    ),
    ("GET", "/snapshots"): Described(struct("*", snapshots=array(_SNAPSHOT)), {**_REGION, "ledger": (False, TEXT)}),
    ("POST", "/ledgers/<ledger>/snapshots"): Described(_SNAPSHOT, _REGION, _NAME),
    ("DELETE", "/ledgers/<ledger>/snapshots/<snapshot>"): Described(_SNAPSHOT, _REGION),
    ("POST", "/ledgers/<ledger>/snapshots/<snapshot>/restore"): Described(_LEDGER, _REGION),
    ("GET", "/requests"): Described(
        struct("*", last=COUNT, statements=array(_REQUEST)),
        {"after": (False, {"type": "integer", "minimum": 0, "maximum": 999_999_999}), "ledger": (False, TEXT)},
    ),
    ("DELETE", "/requests"): Described(struct("*", last=COUNT)),
    ("GET", "/ledgers/<ledger>/stream"): Described(
        TEXT,
        {
            **_REGION,
            "from": (False, SEQUENCE_NO),
            "follow": (False, {"enum": ["true", "false"]}),
            "format": (False, {"enum": ["sse", "ndjson"]}),
        },
        content_type="text/event-stream",
    ),
}
"""(method, path of a row of ``admin.ROUTES``) -> its parameters and answer."""
