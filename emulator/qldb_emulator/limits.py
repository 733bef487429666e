"""Every limit, once, with its unit and its source.

``STRICT`` is what QLDB enforced; ``RELAXED`` lifts what it documented as quotas and keeps what protects the process.
A limit can be set or lifted by option; code asks the :class:`Limits` it was given, never this module's defaults.
``docs/limits.md`` is made from this table by ``scripts/docs``.
"""

from __future__ import annotations

from dataclasses import field, fields, replace
from typing import Any

from .records import dataclass

KIB = 1024
MIB = 1024 * 1024


def limit(value: float, unit: str, source: str, error: str = "") -> Any:
    """Return a dataclass field with a default, a unit, a source, and the error that exceeding it answers."""
    return field(default=value, metadata={"unit": unit, "source": source, "error": error})


BAD_REQUEST = "BadRequestException"
INVALID_SESSION = "InvalidSessionException"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one emulator.  Every number is inclusive: the value itself is still allowed.

    error: the class that a client sees; bare names are BadRequestException's variants of the session API.
    """

    statement_characters: int = limit(100_000, "characters", "documented: quotas", BAD_REQUEST)
    parameter_binary_bytes: int = limit(128 * KIB, "bytes of Ion binary", "documented: API model", BAD_REQUEST)
    parameter_text_characters: int = limit(1_048_576, "characters of Ion text", "documented: API model", BAD_REQUEST)
    document_bytes: int = limit(128 * KIB, "bytes of Ion binary", "documented: quotas", BAD_REQUEST)
    transaction_bytes: int = limit(4 * MIB, "bytes", "documented: quotas", BAD_REQUEST)
    transaction_documents: int = limit(40, "documents changed", "documented: quotas", BAD_REQUEST)
    transaction_redactions: int = limit(1, "redactions", "documented: redact_revision", BAD_REQUEST)
    transaction_seconds: float = limit(30, "seconds from StartTransaction", "documented: quotas", INVALID_SESSION)
    session_seconds: float = limit(
        15 * 60, "seconds from StartSession", "documented: driver-errors says 13 to 17 minutes", INVALID_SESSION
    )
    sessions_per_ledger: int = limit(
        3_000, "sessions with an open transaction", "documented: quotas", "LimitExceededException at StartTransaction"
    )
    active_tables: int = limit(20, "tables", "documented: quotas", BAD_REQUEST)
    total_tables: int = limit(40, "tables, dropped ones included", "documented: quotas", BAD_REQUEST)
    indexes_per_table: int = limit(5, "indexes", "documented: quotas", BAD_REQUEST)
    table_name_characters: int = limit(128, "characters", "documented: quotas", BAD_REQUEST)
    field_name_characters: int = limit(128, "characters of an indexed field's name", "documented: quotas", BAD_REQUEST)
    page_values: int = limit(200, "values", "inferred: partiql.md 9 Q16", "none: another page follows")
    page_bytes: int = limit(MIB, "bytes of Ion binary", "inferred: wire.md 2.7", "none: another page follows")
    expression_depth: int = limit(
        200, "nested expressions", "ours: keeps a statement from exhausting the stack", BAD_REQUEST
    )
    statement_memory_bytes: int = limit(
        512 * MIB,
        "bytes, estimated, of a statement's intermediate results",
        "ours: keeps a statement from exhausting the memory",
        BAD_REQUEST,
    )
    ion_depth: int = limit(200, "nested containers", "ours: keeps a value from exhausting the stack", BAD_REQUEST)
    request_bytes: int = limit(
        16 * MIB,
        "bytes of a request body",
        "ours: 40 parameters of 128 KiB in base64, with room",
        "RequestEntityTooLargeException",
    )
    connections: int = limit(
        1_000, "connections at a time", "ours: each takes a thread", "TooManyConnectionsException, status 503"
    )
    ledgers_per_region: int = limit(
        0, "active ledgers; 0 = no limit (QLDB: 5)", "ours: wire.md 1.3", "LimitExceededException"
    )
    exports_per_ledger: int = limit(2, "exports in progress", "documented: export-journal", "LimitExceededException")
    streams_per_ledger: int = limit(5, "active streams", "documented: quotas", "ResourcePreconditionNotMetException")
    tags_per_resource: int = limit(50, "tags", "documented: tagging", "InvalidParameterException")


STRICT = Limits()


def describe() -> list[tuple[str, Any, str, str, str]]:
    """Return (name, strict value, unit, source, error) of every limit, in the order of the table."""
    return [(f.name, f.default, f.metadata["unit"], f.metadata["source"], f.metadata["error"]) for f in fields(Limits)]


_BOUNDLESS = 1 << 60

# For replaying a journal: its transactions were within the limits of their time.
UNLIMITED = Limits(**{f.name: _BOUNDLESS for f in fields(Limits)})

# Lifts the service's documented quotas; keeps what protects the process, and the size of pages.
RELAXED = replace(
    STRICT, **{f.name: _BOUNDLESS for f in fields(Limits) if f.metadata["source"].startswith("documented")}
)
PRESETS = {"strict": STRICT, "relaxed": RELAXED}
NONE = "none"
FIXED = ("expression_depth", "ion_depth")  # what keeps the stack whole is not to be chosen


def with_limit(limits: Limits, assignment: str) -> Limits:
    """Return limits with one changed, as ``name=value``; the value none lifts it.

    Raises ValueError with a clear text.
    """
    name, equals, text = (part.strip() for part in assignment.partition("="))
    known = {f.name: f for f in fields(Limits)}
    if not equals or name not in known:
        raise ValueError(f"{assignment!r} is not name=value with one of these names: {', '.join(known)}")
    if name in FIXED:
        raise ValueError(f"{name} is fixed: it keeps the process whole, so it must be {getattr(STRICT, name)}")
    changes: dict[str, Any] = {name: _BOUNDLESS}
    if text.lower() == NONE:
        return replace(limits, **changes)
    is_seconds = known[name].metadata["unit"].startswith("seconds")
    try:
        value = float(text) if is_seconds else int(text)
    except ValueError:
        value = -1
    smallest = 0 if name == "ledgers_per_region" else 0.001 if is_seconds else 1
    if not smallest <= value <= _BOUNDLESS:
        kind = "a number of seconds" if is_seconds else f"a whole number of at least {smallest}"
        raise ValueError(f"{name} must be {kind}, or {NONE}; not {text!r}")
    changes[name] = value
    return replace(limits, **changes)


def is_lifted(value: float) -> bool:
    """Whether this value means 'no limit'."""
    return value >= _BOUNDLESS


_PAGE = """# Limits

Made by `scripts/docs` from `emulator/qldb_emulator/limits.py`.

QLDB's quotas are enforced by default, so that a program that outgrows them fails here and not in production.  Every
number is inclusive.  `serve --limits relaxed` lifts the documented quotas and leaves what protects the process;
`serve --limit name=value` sets one limit and `--limit name=none` lifts it, as often as needed.  The
two depths are fixed:

```sh
scripts/serve --limits relaxed
scripts/serve --ephemeral --limit transaction_seconds=2 --limit transaction_documents=none
```

| limit | strict | relaxed | unit | beyond it | how it is known |
|---|---|---|---|---|---|
"""


def as_markdown() -> str:
    """Return the page ``docs/limits.md``."""
    relaxed = {f.name: getattr(RELAXED, f.name) for f in fields(Limits)}
    return _PAGE + "".join(
        f"| `{name}` | {value:,} | {'none' if is_lifted(relaxed[name]) else f'{relaxed[name]:,}'} "
        f"| {unit} | {error} | {source} |\n"
        for name, value, unit, source, error in describe()
    )
