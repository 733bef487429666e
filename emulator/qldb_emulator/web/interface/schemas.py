"""JSON Schemas of requests and answers, for the OpenAPI document (2020-12, as OpenAPI 3.1 has them)."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

ANY: Schema = {}
TEXT: Schema = {"type": "string"}
BASE64: Schema = {"type": "string", "contentEncoding": "base64"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
ROWS: Schema = {"type": "array", "items": ANY, "description": "Values; as `values` says."}
SEQUENCE_NO: Schema = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}


def struct(required: str = "", **members: Schema) -> Schema:
    """Return an object; ``required`` names members, separated by blanks, or is ``*`` for all of them."""
    names = list(members) if required == "*" else required.split()
    return {"type": "object", "properties": members, **({"required": names} if names else {})}


def array(item: Schema) -> Schema:
    """Return a list of one kind of value."""
    return {"type": "array", "items": item}


ONE_STATEMENT = struct(
    "statement",
    statement={"type": "string", "maxLength": 100_000, "description": "PartiQL."},
    parameters={"type": "array", "items": ANY, "description": "A value for each question mark."},
    ionParameters={"type": "array", "items": TEXT, "description": "The same as Ion texts, for types JSON has not."},
)
_LIMITS = {
    "maxRows": {"type": "integer", "minimum": 1, "maximum": 20_000, "default": 1_000},
    "seconds": {"type": "integer", "minimum": 1, "maximum": 30, "default": 30},
    "values": {"enum": ["json", "ion-text", "ion-binary"], "default": "json", "description": "The form of each row."},
}
STATEMENTS: Schema = {
    "anyOf": [
        {**ONE_STATEMENT, "properties": {**ONE_STATEMENT["properties"], **_LIMITS}},
        struct(
            "statements", statements={**array(ONE_STATEMENT), "minItems": 1, "maxItems": 100, "title": "statements"}
        ),
    ]
}
STATEMENT = struct("statement", statement={"type": "string"})

_RESULT = {"rows": ROWS, "readIOs": COUNT, "truncated": FLAG}
RESULT: Schema = {
    "anyOf": [
        struct("rows readIOs truncated transactionId", **_RESULT, transactionId=TEXT, milliseconds={"type": "number"}),
        struct(
            "results transactionId",
            results=array(struct("*", **_RESULT)),
            transactionId=TEXT,
            milliseconds={"type": "number"},
        ),
    ]
}
PAGE: Schema = {
    "anyOf": [
        struct("rows readIOs nextPage", rows=ROWS, readIOs=COUNT, nextPage={"type": ["string", "null"]}),
        struct("results", results=array(struct("*", **_RESULT))),
    ]
}
OPEN_TRANSACTION = struct("*", transactionId=TEXT, seconds={"type": "number"})
COMMITTED = struct("*", transactionId=TEXT, committed=FLAG)
EXPLANATION = struct("*", kind=TEXT, plan=TEXT, reads=TEXTS, scans=TEXTS, parameters=COUNT, tables=TEXTS)

_INDEX = struct("*", field=TEXT, indexId=TEXT, status=TEXT)
_FIELD = struct("*", name=TEXT, types=TEXTS, documents=COUNT)
_TABLE = struct(
    "name tableId status indexes",
    name=TEXT,
    tableId=TEXT,
    status=TEXT,
    indexes=array(_INDEX),
    fields=array(_FIELD),
)
DESCRIPTION = struct(
    "*",
    name=TEXT,
    region=TEXT,
    state=TEXT,
    permissionsMode=TEXT,
    readOnly=FLAG,
    strandId=TEXT,
    blocks=COUNT,
    tables=array(_TABLE),
)
_DOCUMENT = struct("*", documentId=TEXT, version=COUNT, sequenceNo=COUNT, data=ANY, redacted=FLAG)
DOCUMENTS = struct("*", table=TEXT, at={"type": "integer"}, documents=array(_DOCUMENT), next=NUMBER_OR_NULL)
_VERSION = struct(
    "*",
    version=COUNT,
    kind={"enum": ["insert", "update", "delete", "redacted"]},
    sequenceNo=COUNT,
    transactionId=TEXT,
    timestamp=TEXT,
    hash=BASE64,
    statements=TEXTS,
    data=ANY,
)
VERSIONS = struct(
    "*", documentId=TEXT, table=TEXT, tableId=TEXT, isLive=FLAG, versions=array(_VERSION), next=NUMBER_OR_NULL
)
SUMMARY = struct(
    "*",
    sequenceNo=COUNT,
    strandId=TEXT,
    transactionId=TEXT,
    timestamp=TEXT,
    blockHash=BASE64,
    previousBlockHash=BASE64,
    bytes=COUNT,
    revisions=COUNT,
    statements=TEXTS,
    documents=array(struct("*", documentId=TEXT, table=TEXT, statements=array(COUNT))),
    redactions=FLAG,
)
BLOCKS = struct("*", blocks=array(SUMMARY), tip=COUNT, next=NUMBER_OR_NULL)
SEARCH = struct("*", blocks=array(SUMMARY), searched=COUNT, next=NUMBER_OR_NULL)
BLOCK = struct("blockAddress transactionId blockHash", blockAddress=ANY, transactionId=TEXT, blockHash=BASE64)
EVENTS: Schema = {"type": "string", "description": "Server-sent events; data is a block in short."}
_ADDRESS = struct("*", strandId=TEXT, sequenceNo=COUNT)
DIGEST = struct("*", digest=BASE64, digestTipAddress=_ADDRESS, ledger=TEXT)
_STEP = struct("*", hash=BASE64, **{"in": {"enum": ["revisions", "entries", "previous block", "tree"]}})
PROOF = struct("*", blockAddress=_ADDRESS, tip=COUNT, ion=BASE64, proof=array(_STEP))

UPLOAD = struct("*", uploadId=TEXT, pieceBytes=COUNT)
PIECE = struct("*", bytes=COUNT)
REMOVED = struct("*", removed=FLAG)
OCTETS: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
_A_DIGEST: Schema = {"type": ["string", "object"], "description": "Base64, hexadecimal, or GetDigest's answer."}
NEW_UPLOAD = struct("", name=TEXT)
WITH_DIGEST = struct("", digest=_A_DIGEST, strand=TEXT, export=TEXT, source=TEXT)
IMPORT = struct(
    "name", name=TEXT, writable=FLAG, evenIfBroken=FLAG, digest=_A_DIGEST, strand=TEXT, export=TEXT, source=TEXT
)
LINES: Schema = {"type": "string", "description": "JSON lines: {progress}, then {report} or {error}."}
_IONTEXT = struct("IonText", IonText=TEXT)
RECEIPT = struct("digest", Revision=_IONTEXT, Block=_IONTEXT, Proof=_IONTEXT, digest=_A_DIGEST)
VERDICT = struct("*", verdict={"enum": ["holds", "broken"]}, findings=TEXTS)
ION_TEXT = struct("text", text=TEXT)
ION = struct("*", ion=BASE64)

SEED: Schema = {"anyOf": [struct("sample", sample=TEXT), struct("tables", tables=TEXT)]}
FILLED = struct("*", tables=TEXTS, documents=COUNT)

ERROR = struct(
    "__type",
    __type={"type": "string", "description": "The class, such as OccConflictException."},
    Message=TEXT,
    line={"type": "integer", "minimum": 1},
    column={"type": "integer", "minimum": 1},
    debug={"type": "object", "additionalProperties": TEXT},
)

_LIMIT = {"type": "integer", "minimum": 0, "maximum": 500, "default": 50}
_TIME = {"type": "string", "description": "Such as 2026-11-28T12:00:00Z, or milliseconds since 1970."}
QUERY: dict[str, tuple[str, Schema]] = {
    "values": ("The form of each value in a JSON answer.", {"enum": ["json", "ion-text", "ion-binary"]}),
    "page": ("What the last answer said in nextPage.", TEXT),
    "at": ("As of this block.", SEQUENCE_NO),
    "time": ("As of this moment.", _TIME),
    "after": ("What the last answer said in next.", {"type": "integer", "minimum": 0}),
    "tailAfter": ("Begin after this block; by default with the next one.", SEQUENCE_NO),
    "before": ("Below this block.", SEQUENCE_NO),
    "limit": ("How many.", _LIMIT),
    "document": ("A document's id.", TEXT),
    "transaction": ("A transaction's id.", TEXT),
    "table": ("A table's name.", TEXT),
    "text": ("A text, in whatever case.", TEXT),
    "from": ("Not before this moment.", _TIME),
    "to": ("Not after this moment.", _TIME),
    "offset": ("Where the piece begins: how many bytes came before.", COUNT),
    "tip": ("The sequence number of the digest's tip; the last block by default.", SEQUENCE_NO),
}
"""Name -> (description, schema).  ``tailAfter`` is sent as ``after``."""
