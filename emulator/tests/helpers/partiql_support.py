"""A ledger of dicts for tests of the language: the ``Data`` that a program asks, without engine or storage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from qldb_emulator.ion.codec import dumps_text, loads
from qldb_emulator.ion.compare import index_key
from qldb_emulator.ion.values import IonValue, Timestamp, strip_annotations
from qldb_emulator.partiql.execution.compiler import Program, compile_plan
from qldb_emulator.partiql.planning.catalogue import Catalogue, IndexInfo, TableInfo
from qldb_emulator.partiql.planning.data import Batches, CertainMatch, Change, Prefilter, Row, TableSource
from qldb_emulator.partiql.planning.planner import plan
from qldb_emulator.partiql.syntax.parser import parse


@dataclass
class MemoryLedger:
    """Tables of documents.  Every access is noted in ``accesses``, as (method, table name or None, details)."""

    catalogue: Catalogue = field(default_factory=Catalogue)
    documents: dict[str, dict[str, list[IonValue]]] = field(
        default_factory=dict
    )  # table id -> document id -> revisions
    accesses: list[tuple[Any, ...]] = field(default_factory=list)
    read_ios: int = 0
    transaction_id: str = "TxTxTxTxTxTxTxTxTxTxTx"

    def add_table(
        self, name: str, *documents: str | IonValue, indexes: Sequence[str] = (), status: Any = "ACTIVE"
    ) -> TableInfo:
        """Return a table with documents (Ion text or values), their ids ``name-0``, ``name-1`` ..."""
        infos = tuple(IndexInfo(f"index-{name}-{field_name}", field_name) for field_name in indexes)
        table = TableInfo(f"id-{name}-{len(self.catalogue.tables)}", name, status, infos)
        self.catalogue = self.catalogue.replace(table)
        values = [loads(d) if isinstance(d, str) else d for d in documents]
        self.documents[table.table_id] = {f"{name}-{i}": [value] for i, value in enumerate(values)}
        return table

    # --- Data ----------------------------------------------------------------------------------------------

    def utc_now(self) -> Timestamp:
        return Timestamp.from_epoch_ms(1_600_000_000_000)

    def scan(self, source: TableSource, is_raw: bool = False) -> Iterator[Row]:
        self.accesses.append(("scan", source.table.name))
        return iter(self._current(source))

    def prefiltered_scan(self, source: TableSource, prefilter: Prefilter) -> Batches:
        return prefilter.batches(self.scan(source))

    def seek(
        self, source: TableSource, index: IndexInfo, values: Sequence[IonValue], certain: CertainMatch | None = None
    ) -> Iterator[Row]:
        keys = {index_key(value) for value in values}
        self.accesses.append(("seek", source.table.name, index.field_name, [dumps_text(value) for value in values]))
        rows = [(row, row.value if source.view == "user" else row.value["data"]) for row in self._current(source)]
        return iter([r for r, v in rows if index.field_name in v and index_key(v[index.field_name]) in keys])

    def fetch(
        self,
        source: TableSource,
        document_ids: Sequence[IonValue],
        certain: CertainMatch | None = None,
        is_raw: bool = False,
    ) -> Iterator[Row]:
        wanted = {strip_annotations(value) for value in document_ids}
        self.accesses.append(("fetch", source.table.name, sorted(map(str, wanted))))
        return iter([row for row in self._current(source) if row.document_id in wanted])

    def history(
        self,
        table: TableInfo,
        start: Timestamp | None,
        end: Timestamp | None,
        document_ids: Sequence[IonValue] | None,
        is_raw: bool = False,
    ) -> Iterator[Row]:
        wanted = None if document_ids is None else sorted(str(strip_annotations(value)) for value in document_ids)
        times = [None if time is None else str(time) for time in (start, end)]
        self.accesses.append(("history", table.name, times, wanted))
        rows = [
            self._committed(document_id, version, value)
            for document_id, revisions in self.documents[table.table_id].items()
            if wanted is None or document_id in wanted
            for version, value in enumerate(revisions)
        ]
        return iter(rows)

    def catalogue_rows(self) -> Iterator[IonValue]:
        self.accesses.append(("catalogue", None))
        for table in self.catalogue.tables:
            indexes = [{"indexId": i.index_id, "expr": i.expr, "status": i.status} for i in table.indexes]
            yield {"tableId": table.table_id, "name": table.name, "indexes": indexes, "status": table.status}

    def _current(self, source: TableSource) -> list[Row]:
        rows = []
        for document_id, revisions in self.documents[source.table.table_id].items():
            if revisions[-1] is not None:
                row = self._committed(document_id, len(revisions) - 1, revisions[-1])
                rows.append(row if source.view == "committed" else Row(document_id, revisions[-1]))
        return rows

    def _committed(self, document_id: str, version: int, value: IonValue) -> Row:
        row = {"blockAddress": {"strandId": "strand", "sequenceNo": version}, "hash": b"hash"}
        if value is not None:
            row["data"] = value
        row["metadata"] = {"id": document_id, "version": version, "txTime": self.utc_now(), "txId": "tx"}
        return Row(document_id, row)

    # --- Running -------------------------------------------------------------------------------------------

    def prepare(self, text: str) -> Program:
        return compile_plan(plan(parse(text), self.catalogue))

    def query(self, text: str, *parameters: IonValue) -> list[str]:
        """Return the rows, each as Ion text."""
        return [dumps_text(row) for row in self.prepare(text).rows(parameters, self)]

    def changes(self, text: str, *parameters: IonValue) -> list[Change]:
        return self.prepare(text).changes(parameters, self)

    def run(self, text: str, *parameters: IonValue) -> list[str]:
        """Run a DML statement and apply it; the ids of the documents it wrote."""
        return [self._apply(change) for change in self.changes(text, *parameters)]

    def _apply(self, change: Change) -> str:
        revisions = self.documents[change.table.table_id]
        document_id = change.document_id or f"{change.table.name}-{len(revisions)}"
        revisions.setdefault(document_id, []).append(change.value)
        return document_id

    def current(self, name: str) -> list[str]:
        """Return the current documents of a table, as Ion text."""
        return self.query(f'SELECT * FROM "{name}"')
