"""A ledger under random changes with unique values, for tests of redaction and ``verify``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from helpers.local_driver import LocalSession, new_ledger
from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ids import RandomIds
from qldb_emulator.settings import Settings

FIELDS = ("k", "l")
DOCUMENTS = 3


def begin(root: Path) -> Emulator:
    clock = ManualClock(tick_ms=1)
    return Emulator(Settings(data_dir=root, statement_log=1_000), clock, RandomIds(clock))


def token(number: int, size: int) -> str:
    """Return a value that occurs nowhere else; a large one moves the document to pages of its own."""
    return f"<secret-{number:06}>" * size


def bytes_of(root: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()


class Model:
    """A ledger under change, and which tokens must be gone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.emulator = begin(root)
        self.session = new_ledger(self.emulator)
        self.count = 0
        self.ids: list[str] = []
        self.past: list[tuple[str, int, str]] = []  # (document id, version, token)
        self.current: dict[str, tuple[int, str]] = {}
        self.gone: list[str] = []
        self.session.run("CREATE TABLE T")

    def restart(self) -> None:
        self.emulator.close()
        self.emulator = begin(self.root)
        self.session = LocalSession(self.emulator, "cars")

    def document(self, size: int) -> tuple[str, dict[str, Any]]:
        self.count += 1
        value = token(self.count, size)
        return value, {"k": value, "l": value[: len(token(0, 1))], "n": self.count}

    def insert(self, size: int) -> None:
        value, document = self.document(size)
        (row,) = self.session.run("INSERT INTO T ?", document)
        self.ids.append(row["documentId"])
        self.current[row["documentId"]] = (0, value)

    def update(self, which: int, size: int) -> None:
        if not self.ids:
            return
        id_ = self.ids[which % len(self.ids)]
        value, document = self.document(size)
        self.session.run("UPDATE T AS t BY id SET t.k = ?, t.l = ? WHERE id = ?", document["k"], document["l"], id_)
        version, before = self.current[id_]
        self.past.append((id_, version, before))
        self.current[id_] = (version + 1, value)

    def delete(self, which: int) -> None:
        if not self.ids:
            return
        id_ = self.ids.pop(which % len(self.ids))
        self.session.run("DELETE FROM T AS t BY id WHERE id = ?", id_)
        self.past.append((id_, *self.current.pop(id_)))

    def redact(self, which: int) -> None:
        if not self.past:
            return
        id_, version, value = self.past.pop(which % len(self.past))
        (table,) = self.session.run("SELECT VALUE tableId FROM information_schema.user_tables")
        (row,) = self.session.run(
            "SELECT h.blockAddress FROM history(T) AS h WHERE h.metadata.id = ? AND h.metadata.version = ?",
            id_,
            version,
        )
        self.session.run("EXEC REDACT_REVISION ?, ?, ?", row["blockAddress"], table, id_)
        self.gone.append(value[: len(token(0, 1))])

    def indexes(self) -> dict[str, str]:
        rows = self.session.run("SELECT VALUE indexes FROM information_schema.user_tables")
        return {each["expr"]: each["indexId"] for each in rows[0]}

    def toggle_index(self, which: int) -> None:
        field = FIELDS[which % len(FIELDS)]
        found = self.indexes().get(f"[{field}]")
        if found is None:
            self.session.run(f"CREATE INDEX ON T ({field})")
        else:
            self.session.run(f'DROP INDEX "{found}" ON T WITH (purge = true)')

    def toggle_table(self) -> None:
        (table,) = self.session.run("SELECT VALUE tableId FROM information_schema.user_tables")
        self.session.run("DROP TABLE T")
        self.session.run(f'UNDROP TABLE "{table}"')

    def read(self) -> None:
        """Fill the caches: a scan three times keeps a table decoded."""
        for _ in range(3):
            self.session.run("SELECT * FROM T WHERE n > 0")
        self.session.run("SELECT * FROM history(T)")


CHANGES = st.one_of(
    st.tuples(st.just("insert"), st.sampled_from([1, 1, 3, 400])),
    st.tuples(st.just("update"), st.integers(0, 9), st.sampled_from([1, 1, 3, 400])),
    st.tuples(st.just("update"), st.integers(0, 9), st.just(1)),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("toggle_index"), st.integers(0, 1)),
    st.tuples(st.just("toggle_index"), st.integers(0, 1)),
    st.tuples(st.just("redact"), st.integers(0, 99)),
    st.tuples(st.just("redact"), st.integers(0, 99)),
    st.tuples(st.just("toggle_table")),
    st.tuples(st.just("read")),
    st.tuples(st.just("restart")),
)
