"""The facts that the control plane keeps about a ledger; the only code that reads and writes their rows.

A fact is a row of the file's ``meta`` table: a name and a JSON value.  Most names are those of the fields below; a tag
set, a stream and an export each have a row of their own, whose name ends with an id.  Facts are not part of the
journal, with one exception: the tags that ``CREATE TABLE ... WITH (aws_tags = ...)`` gives a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from ...records import dataclass
from ...storage.reads import Reads
from ...storage.writer import Writer

if TYPE_CHECKING:
    from ...journal.exports import Export

KEPT_MS = 7 * 24 * 60 * 60 * 1000
"""How long a stream or export that ended is still listed, in milliseconds (documented)."""

Tags = Mapping[str, str]
Tagged = Literal["ledger", "catalog", "table", "stream"]
"""What can have tags."""

_TABLE_TAGS = "table_tags/"
_STREAM_TAGS = "stream_tags/"
_STREAM = "stream/"
_EXPORT = "export/"


@dataclass(frozen=True, slots=True)
class Stream:
    """One journal stream.  Times are milliseconds since 1970.

    next_seq: the first block that may not have been delivered.  has_begun: CREATED was delivered.
    """

    id: str
    name: str
    role_arn: str
    kinesis_arn: str
    is_aggregated: bool
    created_ms: int
    start_ms: int
    end_ms: int | None
    next_seq: int
    has_begun: bool = False
    status: str = "ACTIVE"
    error_cause: str | None = None
    impaired_ms: int | None = None
    ended_ms: int | None = None

    def is_kept(self, now_ms: int) -> bool:
        """Whether the stream is still listed."""
        return self.ended_ms is None or now_ms < self.ended_ms + KEPT_MS


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One journal export.  status: IN_PROGRESS, COMPLETED or CANCELLED.  finished_ms: None while in progress."""

    export: Export
    role_arn: str
    kms_key_arn: str | None
    status: str = "IN_PROGRESS"
    finished_ms: int | None = None

    def is_kept(self, now_ms: int) -> bool:
        """Whether the export is still listed."""
        return self.finished_ms is None or now_ms < self.finished_ms + KEPT_MS


@dataclass(frozen=True, slots=True)
class FilePosition:
    """How far a ledger was written to a stream file.  ledger: its name then; a fork's file starts at the beginning."""

    path: str
    ledger: str
    next_seq: int


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """The facts of one ledger.  Times are milliseconds since 1970.

    active_ms: until then the ledger is CREATING.  deleted_ms: of DeleteLedger.  gone_ms: from then on the ledger is
      DELETED; None when it is to stay.
    kms_key_arn: as given, or AWS_OWNED_KMS_KEY; None if none was given.  key_changed_ms: of the change.
      key_ready_ms: until then the key is UPDATING.
    is_read_only: imported for reading only: statements that write are refused, and reading writes no block.
    digest_problem: why the journal has no digest and no proofs: blocks are missing.  None for a complete journal.
    imported: where an imported journal came from, when, and what its verification said.
    table_tags, stream_tags, streams, exports: by id.
    """

    name: str
    strand_id: str
    creation_ms: int
    permissions_mode: str = "ALLOW_ALL"
    deletion_protection: bool = True
    active_ms: int = 0
    deleted_ms: int = 0
    gone_ms: int | None = None
    kms_key_arn: str | None = None
    key_changed_ms: int = 0
    key_ready_ms: int = 0
    is_read_only: bool = False
    digest_problem: str | None = None
    imported: Mapping[str, Any] | None = None
    stream_file: FilePosition | None = None
    tags: Tags = field(default_factory=dict)
    catalog_tags: Tags = field(default_factory=dict)
    table_tags: Mapping[str, Tags] = field(default_factory=dict)
    stream_tags: Mapping[str, Tags] = field(default_factory=dict)
    streams: Mapping[str, Stream] = field(default_factory=dict)
    exports: Mapping[str, ExportJob] = field(default_factory=dict)

    def tags_of(self, kind: Tagged, id_: str = "") -> Tags:
        """Return the tags of the ledger, of its catalog, or of a table or stream by id."""
        if kind == "ledger":
            return self.tags
        if kind == "catalog":
            return self.catalog_tags
        return (self.table_tags if kind == "table" else self.stream_tags).get(id_, {})

    def with_tags(self, kind: Tagged, id_: str, tags: Tags) -> LedgerFacts:
        """Return the facts with other tags of the ledger, of its catalog, or of a table or stream by id."""
        if kind == "ledger":
            return replace(self, tags=tags)
        if kind == "catalog":
            return replace(self, catalog_tags=tags)
        if kind == "table":
            return replace(self, table_tags={**self.table_tags, id_: tags})
        return replace(self, stream_tags={**self.stream_tags, id_: tags})

    def with_stream(self, stream: Stream) -> LedgerFacts:
        """Return the facts with a stream added or changed."""
        return replace(self, streams={**self.streams, stream.id: stream})

    def without_streams(self, ids: Iterable[str]) -> LedgerFacts:
        """Return the facts without some streams and their tags."""
        gone = set(ids)
        streams = {id_: stream for id_, stream in self.streams.items() if id_ not in gone}
        tags = {id_: tags for id_, tags in self.stream_tags.items() if id_ not in gone}
        return replace(self, streams=streams, stream_tags=tags)

    def with_export(self, job: ExportJob) -> LedgerFacts:
        """Return the facts with an export added or changed."""
        return replace(self, exports={**self.exports, job.export.export_id: job})

    def without_outgoing(self) -> LedgerFacts:
        """Return the facts without streams and exports."""
        return replace(self, streams={}, stream_tags={}, exports={})


# --- Rows ----------------------------------------------------------------------------------------------------

_SCALARS = {
    "name": "name",
    "strand_id": "strand_id",
    "creation_ms": "creation_ms",
    "permissions_mode": "permissions_mode",
    "deletion_protection": "deletion_protection",
    "active_ms": "active_ms",
    "deleted_ms": "deleted_ms",
    "gone_ms": "gone_ms",
    "kms_key_arn": "kms_key_arn",
    "key_changed_ms": "key_changed_ms",
    "key_ready_ms": "key_ready_ms",
    "is_read_only": "read_only",
    "digest_problem": "digest_problem",
    "imported": "import",
    "tags": "tags",
    "catalog_tags": "catalog_tags",
}
"""Field -> name of its row.  An absent row, or null, means the field's default."""

Rows = Mapping[str, Any]


def facts_from_rows(rows: Rows) -> LedgerFacts:
    """Return the facts in these rows; unknown names are ignored."""
    values = {name: rows[row] for name, row in _SCALARS.items() if rows.get(row) is not None}
    position = rows.get("stream_file")
    return LedgerFacts(
        **values,
        stream_file=None if position is None else FilePosition(**position),
        table_tags=_by_id(rows, _TABLE_TAGS),
        stream_tags=_by_id(rows, _STREAM_TAGS),
        streams={id_: Stream(**row) for id_, row in _by_id(rows, _STREAM).items()},
        exports={id_: _job_from_row(row) for id_, row in _by_id(rows, _EXPORT).items()},
    )


def rows_from_facts(facts: LedgerFacts) -> dict[str, Any]:
    """Return every row of these facts.  A field that is None has no row."""
    rows: dict[str, Any] = {row: getattr(facts, name) for name, row in _SCALARS.items()}
    rows["stream_file"] = None if facts.stream_file is None else asdict(facts.stream_file)
    rows |= {f"{_TABLE_TAGS}{id_}": tags for id_, tags in facts.table_tags.items()}
    rows |= {f"{_STREAM_TAGS}{id_}": tags for id_, tags in facts.stream_tags.items()}
    rows |= {f"{_STREAM}{id_}": asdict(stream) for id_, stream in facts.streams.items()}
    rows |= {f"{_EXPORT}{id_}": _row_from_job(job) for id_, job in facts.exports.items()}
    return {name: value for name, value in rows.items() if value is not None}


def changed_rows(before: LedgerFacts, after: LedgerFacts) -> dict[str, Any]:
    """Return the rows that differ, as they are after; None for a row that was removed."""
    old, new = rows_from_facts(before), rows_from_facts(after)
    changes = {name: value for name, value in new.items() if name not in old or old[name] != value}
    return changes | dict.fromkeys(name for name in old if name not in new)


def rows_after(facts: LedgerFacts, changes: Rows) -> LedgerFacts:
    """Return the facts after some rows were changed, or removed (None)."""
    rows = {**rows_from_facts(facts), **changes}
    return facts_from_rows({name: value for name, value in rows.items() if value is not None})


def read_facts(file: Reads) -> LedgerFacts:
    """Return the facts in a file."""
    return facts_from_rows(file.all_meta())


def write_rows(writer: Writer, changes: Rows) -> None:
    """Store changed rows, and remove those that are None."""
    writer.set_meta({name: value for name, value in changes.items() if value is not None})
    for name, value in changes.items():
        if value is None:
            writer.delete_meta(name)


def stored_table_tags(file: Reads, table_id: str) -> Tags | None:
    """Return the tags of a table; None if it never had any."""
    tags: Tags | None = file.meta(f"{_TABLE_TAGS}{table_id}")
    return tags


def write_table_tags(writer: Writer, table_id: str, tags: Tags) -> None:
    """Store the tags of a table."""
    writer.set_meta({f"{_TABLE_TAGS}{table_id}": tags})


def _by_id(rows: Rows, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in rows.items() if name.startswith(prefix)}


def _job_from_row(row: Mapping[str, Any]) -> ExportJob:
    from ...journal.exports import Export  # late: few ledgers have exports

    export = Export(**{each.name: row[each.name] for each in fields(Export)})
    return ExportJob(export, row["role_arn"], row["kms_key_arn"], row["status"], row["finished_ms"])


def _row_from_job(job: ExportJob) -> dict[str, Any]:
    own = {"status": job.status, "role_arn": job.role_arn, "kms_key_arn": job.kms_key_arn}
    return {**asdict(job.export), **own, "finished_ms": job.finished_ms}
