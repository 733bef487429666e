"""Every limit, once, with its unit and its source.

``STRICT`` is what QLDB enforced.  A limit can be raised or lifted by option; code asks the :class:`Limits` it was
given, never this module's defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

KIB = 1024
MIB = 1024 * 1024


def limit(value: float, unit: str, source: str) -> int:
    """A dataclass field with a default, a unit and a source; the metadata feeds the documentation."""
    return field(default=value, metadata={"unit": unit, "source": source})  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one emulator.  Every number is inclusive: the value itself is still allowed."""

    statement_characters: int = limit(100_000, "characters", "documented: quotas")
    parameter_binary_bytes: int = limit(128 * KIB, "bytes of Ion binary", "documented: API model")
    parameter_text_characters: int = limit(1_048_576, "characters of Ion text", "documented: API model")
    document_bytes: int = limit(128 * KIB, "bytes of Ion binary", "documented: quotas")
    transaction_bytes: int = limit(4 * MIB, "bytes", "documented: quotas")
    transaction_documents: int = limit(40, "documents changed", "documented: quotas")
    transaction_redactions: int = limit(1, "redactions", "documented: redact_revision")
    transaction_seconds: int = limit(30, "seconds from StartTransaction", "documented: quotas")
    session_seconds: int = limit(
        15 * 60, "seconds from StartSession", "documented: driver-errors says 13 to 17 minutes"
    )
    sessions_per_ledger: int = limit(3_000, "sessions with an open transaction", "documented: quotas")
    active_tables: int = limit(20, "tables", "documented: quotas")
    total_tables: int = limit(40, "tables, dropped ones included", "documented: quotas")
    indexes_per_table: int = limit(5, "indexes", "documented: quotas")
    table_name_characters: int = limit(128, "characters", "documented: quotas")
    field_name_characters: int = limit(128, "characters of an indexed field's name", "documented: quotas")
    page_values: int = limit(200, "values", "inferred: partiql.md 9 Q16")
    page_bytes: int = limit(MIB, "bytes of Ion binary", "inferred: wire.md 2.7")
    expression_depth: int = limit(200, "nested expressions", "ours: keeps a statement from exhausting the stack")
    ion_depth: int = limit(200, "nested containers", "ours: keeps a value from exhausting the stack")
    request_bytes: int = limit(
        16 * MIB, "bytes of a request body", "ours: 40 parameters of 128 KiB in base64, with room"
    )
    ledgers_per_region: int = limit(0, "active ledgers; 0 = no limit (QLDB: 5)", "ours: wire.md 1.3")
    exports_per_ledger: int = limit(2, "exports in progress", "documented: export-journal")
    streams_per_ledger: int = limit(5, "active streams", "documented: quotas")
    tags_per_resource: int = limit(50, "tags", "documented: tagging")


STRICT = Limits()


def describe() -> list[tuple[str, object, str, str]]:
    """(name, strict value, unit, source) of every limit, in the order of the table."""
    return [(f.name, f.default, f.metadata["unit"], f.metadata["source"]) for f in fields(Limits)]


_BOUNDLESS = 1 << 60

# For replaying a journal: what was committed once was within the limits of its time.
UNLIMITED = Limits(**{f.name: _BOUNDLESS for f in fields(Limits)})
