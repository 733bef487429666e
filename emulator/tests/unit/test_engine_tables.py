"""The sources of a scan's rows (binary, decoded to be kept, kept already) have the same result."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.local_driver import LocalSession, new_emulator, new_ledger

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger import documents
from qldb_emulator.engine.ledger.ledger import Ledger
from qldb_emulator.engine.ledger.tables import PREFILTERED_SCANS_MAX
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import dumps_text, loads

SCAN = "SELECT VALUE k FROM T WHERE c = ?"


def filled(emulator: Emulator) -> LocalSession:
    session = new_ledger(emulator)
    session.run("CREATE TABLE T")
    for start in range(0, 600, 40):
        rows = [{"k": n, "c": f"colour {n % 3}", "n": n % 5} for n in range(start, start + 40)]
        session.run("INSERT INTO T ?", rows)
    return session


@pytest.fixture
def session(emulator: Emulator) -> LocalSession:
    return filled(emulator)


@pytest.fixture
def ledger(emulator: Emulator, session: LocalSession) -> Ledger:
    found = emulator.ledgers.find("us-east-1", "cars")
    assert found is not None
    return found


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every document that is decoded from now on."""
    seen: list[bytes] = []
    original = documents.loads_document

    def loads_document(data: bytes) -> Any:
        seen.append(data)
        return original(data)

    monkeypatch.setattr(documents, "loads_document", loads_document)
    return seen


def test_a_first_scan_decodes_only_what_passes(session: LocalSession, ledger: Ledger, decoded: list[bytes]) -> None:
    assert session.run("SELECT VALUE k FROM T WHERE k = 7 AND c = 'colour 1'") == [7]
    assert len(decoded) == 1
    assert ledger.tables.kept() == 0


def test_a_table_that_is_scanned_again_and_again_is_kept(
    session: LocalSession, ledger: Ledger, decoded: list[bytes]
) -> None:
    kept = []
    for _ in range(PREFILTERED_SCANS_MAX + 1):
        assert len(session.run(SCAN, "colour 1")) == 200
        kept.append(ledger.tables.kept())
    assert kept == [0] * PREFILTERED_SCANS_MAX + [1]
    decoded.clear()
    assert len(session.run(SCAN, "colour 2")) == 200
    assert decoded == []


def test_a_scan_of_every_row_keeps_the_table_the_first_time(session: LocalSession, ledger: Ledger) -> None:
    assert len(session.run("SELECT * FROM T")) == 600
    assert ledger.tables.kept() == 1


def test_scans_that_are_not_read_to_the_end_do_not_count(session: LocalSession, ledger: Ledger) -> None:
    for _ in range(PREFILTERED_SCANS_MAX + 2):
        transaction = session.begin()
        assert transaction.execute_raw("SELECT * FROM T WHERE n >= 0")["FirstPage"]["NextPageToken"]
        transaction.abort()
    assert ledger.tables.kept() == 0


def test_counting_decodes_nothing(session: LocalSession, ledger: Ledger, decoded: list[bytes]) -> None:
    assert session.run("SELECT COUNT(*) AS a, COUNT(*) AS b FROM T") == [{"a": 600, "b": 600}]
    assert decoded == []
    transaction = session.begin()
    transaction.execute("DELETE FROM T WHERE k = 3")
    transaction.execute("INSERT INTO T ?", [{"k": 1000}, {"k": 1001}])
    assert transaction.execute("SELECT COUNT(*) AS n FROM T") == [{"n": 601}]
    assert transaction.execute("SELECT COUNT(*) AS n FROM T WHERE c = 'colour 0'") == [{"n": 199}]
    transaction.abort()


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM T WHERE c = 'colour 1' AND k < 4", "SELECT COUNT(*) FROM T", "SELECT COUNT(*) FROM T WHERE n = 1"],
)
def test_the_reads_are_the_same_however_rows_are_come_by(session: LocalSession, ledger: Ledger, statement: str) -> None:
    counts = []
    for _ in range(PREFILTERED_SCANS_MAX + 2):
        transaction = session.begin()
        counts.append(transaction.execute_raw(statement)["ConsumedIOs"]["ReadIOs"])
        transaction.abort()
    assert ledger.tables.kept() == 1
    assert counts == [600] * len(counts)


def test_own_writes_are_in_their_place_before_the_table_is_kept_and_after(
    session: LocalSession, ledger: Ledger
) -> None:
    answers = []
    for _ in range(PREFILTERED_SCANS_MAX + 2):
        transaction = session.begin()
        transaction.execute("UPDATE T SET c = 'new' WHERE k = 300")
        transaction.execute("UPDATE T SET c = 'old' WHERE c = 'colour 0' AND k = 9")
        transaction.execute("DELETE FROM T WHERE c = 'colour 0' AND k = 12")
        transaction.execute("INSERT INTO T ?", {"k": 1000, "c": "new"})
        answers.append(
            [
                transaction.execute(SCAN, "new"),
                transaction.execute("SELECT VALUE k FROM T WHERE c = 'colour 0' AND k < 20"),
                transaction.execute("SELECT VALUE k FROM T WHERE k >= 298 AND k <= 301"),
            ]
        )
        transaction.abort()
    assert ledger.tables.kept() == 1
    assert answers == [[[300, 1000], [0, 3, 6, 15, 18], [298, 299, 300, 301]]] * len(answers)


def test_a_scan_does_not_push_looked_up_documents_out(decoded: list[bytes]) -> None:
    with new_emulator(cache_bytes=20_000) as emulator:  # room for a handful of documents, and for no table
        session = filled(emulator)
        (wanted,) = session.run("SELECT VALUE id FROM T BY id WHERE k = 5")
        lookup = "SELECT VALUE t.k FROM T AS t BY id WHERE id = ?"
        assert session.run(lookup, wanted) == [5]
        assert len(session.run(SCAN, "colour 1")) == 200
        assert len(session.run("SELECT * FROM T")) == 600
        decoded.clear()
        assert session.run(lookup, wanted) == [5]
        assert decoded == []


def test_an_error_behind_an_unknown_term_is_an_error_in_every_kind_of_scan(session: LocalSession) -> None:
    session.run("INSERT INTO T ?", {"k": 2000, "c": None, "n": "text"})
    session.run("INSERT INTO T ?", {"k": 2001, "c": loads("null.string"), "n": "text"})
    for statement in ("SELECT * FROM T WHERE c = 'none' AND n + 1 = 1", "SELECT * FROM T WHERE true AND n + 1 = 1"):
        for _ in range(PREFILTERED_SCANS_MAX + 2):
            with pytest.raises(QldbError):
                session.run(statement)
        session.run("SELECT * FROM T")


DOCUMENTS = {
    "plain": "{a: 1, b: 'x'}",
    "without a field": "{}",
    "with annotations": "note::{a: 1}",
    "with a field twice": "{a: 1, a: 2}",
    "with annotated and unusual parts": "{a: note::1.50, b: [sym, {{aGk=}}, null.int], c: (1 2)}",
}
"""Ion text."""


@pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS)
@pytest.mark.parametrize("condition", ["id = ?", "? = id", "id IN (?)", "id = ? AND id <> 'other'"])
def test_a_document_found_by_its_id_is_the_same_decoded_or_not(emulator: Emulator, text: str, condition: str) -> None:
    session = new_ledger(emulator)
    session.run("CREATE TABLE T")
    document = loads(text)
    (row,) = session.run("INSERT INTO T ?", document)
    wanted = row["documentId"]
    whole = f"SELECT t.* FROM T AS t BY id WHERE {condition}"
    # A condition on the document itself needs the decoded one.
    decoded = texts(session.run(f"{whole} AND t IS NOT NULL", wanted))
    assert len(decoded) == 1
    assert texts(session.run(whole, wanted)) == decoded
    assert session.run(whole, "another") == []
    transaction = session.begin()  # after a write of its own, the transaction decodes what it reads
    transaction.execute("INSERT INTO T {'a': 3}")
    assert texts(transaction.execute(whole, wanted)) == decoded


def texts(values: list[Any]) -> list[str]:
    return [dumps_text(value) for value in values]


def test_a_whole_document_found_by_its_id_is_not_decoded(decoded: list[bytes]) -> None:
    with new_emulator() as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        (row,) = session.run("INSERT INTO T {'a': 1}")
        decoded.clear()
        assert session.run("SELECT t.* FROM T AS t BY id WHERE id = ?", row["documentId"]) == [{"a": 1}]
        assert decoded == []
        assert session.run("SELECT t.* FROM T AS t BY id WHERE id = ? AND t.a <> 2", row["documentId"]) == [{"a": 1}]
        assert len(decoded) == 1


def test_a_document_found_by_its_id_counts_as_one_read(session: LocalSession) -> None:
    (wanted,) = session.run("SELECT VALUE id FROM T BY id WHERE k = 5")
    result = session.begin().execute_raw("SELECT t.* FROM T AS t BY id WHERE id = ?", wanted)
    assert result["ConsumedIOs"] == {"ReadIOs": 1, "WriteIOs": 0}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM T AS t BY id WHERE id = ?",
        "SELECT * FROM _ql_committed_T AS r WHERE r.data.a = ?",
        "SELECT * FROM _ql_committed_T AS r WHERE ? = r.data.a",
        "SELECT r.* FROM _ql_committed_T AS r WHERE r.metadata.id = ?",
        "SELECT * FROM _ql_committed_T AS r WHERE r.metadata.version = ?",
        "SELECT * FROM _ql_committed_T",
        "SELECT * FROM history(T)",
        "SELECT * FROM history(T) AS h WHERE h.metadata.id = ?",
    ],
)
def test_whole_rows_need_no_decoded_documents(decoded: list[bytes], statement: str) -> None:
    with new_emulator() as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        session.run("CREATE INDEX ON T (a)")
        (row,) = session.run("INSERT INTO T ?", loads("{a: 0, b: note::[sym, {hash: 1.50}]}"))
        decoded.clear()
        wanted = row["documentId"] if "id = ?" in statement else 0
        (found,) = session.run(statement, *([wanted] if "?" in statement else []))
        assert dumps_text(found.get("data", found)).startswith("{a:0,b:note::[sym,{hash:1.50}]")
        assert decoded == []


def test_an_erased_revision_is_shown_with_the_hash_of_its_document() -> None:
    with new_emulator() as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        session.run("INSERT INTO T {'a': 1}")
        session.run("UPDATE T SET a = 2")
        address, document_id = session.run(
            "SELECT h.blockAddress, h.metadata.id FROM history(T) AS h WHERE h.metadata.version = 0"
        )[0].values()
        (table_id,) = session.run("SELECT VALUE t.tableId FROM information_schema.user_tables AS t")
        session.run(f"EXEC REDACT_REVISION ?, '{table_id}', '{document_id}'", address)
        expected = texts(session.run("SELECT VALUE h FROM history(T) AS h"))
        assert "dataHash:" in expected[0]
        assert texts(session.run("SELECT * FROM history(T) AS h")) == expected
        by_hash = "SELECT * FROM history(T) AS h WHERE h.dataHash IS NOT MISSING"
        assert texts(session.run(by_hash)) == expected[:1]
