"""What transactions see, write and conflict over, and what their blocks hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from helpers.local_driver import CONTEXT, LocalSession, LocalTransaction, new_ledger

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import loads
from qldb_emulator.journal.parse import block_from_ion
from qldb_emulator.limits import STRICT


@pytest.fixture
def session(emulator: Emulator) -> LocalSession:
    session = new_ledger(emulator)
    session.run("CREATE TABLE T")
    session.run("CREATE INDEX ON T (k)")
    session.run("INSERT INTO T << {'k': 1, 'v': 10}, {'k': 2, 'v': 20}, {'k': 3, 'v': 30} >>")
    return session


def message(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(QldbError) as error:
        call(*arguments)
    return error.value.message


# --- own writes ----------------------------------------------------------------------------------------------


def test_only_the_transaction_itself_sees_its_writes(emulator: Emulator, session: LocalSession) -> None:
    other = LocalSession(emulator, "cars")
    transaction = session.begin()
    transaction.execute("INSERT INTO T ?", {"k": 4, "v": 40})
    transaction.execute("UPDATE T SET v = 11 WHERE k = 1")
    transaction.execute("DELETE FROM T WHERE k = 2")
    assert transaction.execute("SELECT * FROM T") == [{"k": 1, "v": 11}, {"k": 3, "v": 30}, {"k": 4, "v": 40}]
    assert transaction.execute("SELECT VALUE v FROM T WHERE k = 4") == [40]
    assert transaction.execute("SELECT VALUE v FROM T WHERE k = 2") == []
    assert other.run("SELECT VALUE v FROM T") == [10, 20, 30]
    transaction.commit()
    assert other.run("SELECT VALUE v FROM T") == [11, 30, 40]


def test_an_own_key_change_moves_the_row_between_keys(session: LocalSession) -> None:
    transaction = session.begin()
    transaction.execute("UPDATE T SET k = 9 WHERE k = 1")
    assert transaction.execute("SELECT VALUE v FROM T WHERE k = 1") == []
    assert transaction.execute("SELECT VALUE v FROM T WHERE k = 9") == [10]
    assert transaction.execute("SELECT VALUE v FROM T WHERE k IN (9, 2)") == [20, 10]


def test_an_abort_leaves_nothing(session: LocalSession) -> None:
    transaction = session.begin()
    transaction.execute("DELETE FROM T")
    transaction.execute("CREATE TABLE U")
    transaction.abort()
    assert session.run("SELECT VALUE k FROM T") == [1, 2, 3]
    assert "No such variable" in message(session.run, "SELECT * FROM U")


def test_an_open_cursor_does_not_see_later_writes(session: LocalSession) -> None:
    session.run("CREATE TABLE Many")
    for start in range(0, 240, 40):
        session.run("INSERT INTO Many ?", [{"n": n} for n in range(start, start + 40)])
    transaction = session.begin()
    page = transaction.execute_raw("SELECT VALUE n FROM Many")["FirstPage"]
    transaction.execute("INSERT INTO Many ?", {"n": 1000})
    transaction.execute("UPDATE Many SET n = -1 WHERE n = 239")
    rest = session.send("FetchPage", TransactionId=transaction.id, NextPageToken=page["NextPageToken"])["Page"]
    assert [loads(value) for value in rest["Values"]] == list(range(200, 240))


def test_the_committed_view_shows_committed_revisions_only(session: LocalSession) -> None:
    transaction = session.begin()
    transaction.execute("UPDATE T SET v = 11 WHERE k = 1")
    assert transaction.execute("SELECT VALUE data.v FROM _ql_committed_T WHERE data.k = 1") == [10]


def test_a_failing_statement_leaves_the_transaction_as_it_was(session: LocalSession) -> None:
    transaction = session.begin()
    transaction.execute("UPDATE T SET v = 11 WHERE k = 1")
    assert message(transaction.execute, "UPDATE T SET v = v / (k - 2)").startswith("Evaluator Error")
    assert transaction.execute("SELECT VALUE v FROM T") == [11, 20, 30]
    transaction.commit()


# --- revisions -------------------------------------------------------------------------------------------------


def test_changes_of_one_transaction_make_one_revision(session: LocalSession) -> None:
    def work(transaction: LocalTransaction) -> None:
        transaction.execute("SELECT * FROM T")
        transaction.execute("INSERT INTO T ?", {"k": 5})
        transaction.execute("UPDATE T SET a = 1, b = 2 WHERE k = 5")

    session.execute(work)
    (row,) = session.run("SELECT * FROM _ql_committed_T AS t WHERE t.data.k = 5")
    assert (row["metadata"]["version"], row["data"]) == (0, {"k": 5, "a": 1, "b": 2})


def test_the_block_names_every_write_of_a_document(emulator: Emulator, session: LocalSession) -> None:
    def work(transaction: LocalTransaction) -> None:
        transaction.execute("SELECT * FROM T")
        transaction.execute("INSERT INTO T ?", {"k": 5})
        transaction.execute("UPDATE T SET a = 1, b = 2 WHERE k = 5")

    session.execute(work)
    (row,) = session.run("SELECT * FROM _ql_committed_T AS t WHERE t.data.k = 5")
    ledger = emulator.ledgers.find("us-east-1", "cars")
    assert ledger is not None
    data = ledger.file.block_bytes(row["blockAddress"]["sequenceNo"])
    assert data is not None
    info = block_from_ion(loads(data)).transaction_info
    assert info is not None
    assert info["documents"][row["metadata"]["id"]]["statements"] == [1, 2, 2]  # recorded: partiql.md 3.4
    assert info["statements"][0]["statement"] == "SELECT * FROM T"


def test_history_tells_inserts_updates_and_the_deletion(session: LocalSession) -> None:
    session.run("UPDATE T SET v = 11 WHERE k = 1")
    session.run("DELETE FROM T WHERE k = 1")
    rows = session.run("SELECT * FROM history(T) AS h WHERE h.data.k = 1 OR h.data IS MISSING")
    assert [(row["metadata"]["version"], row.get("data")) for row in rows] == [
        (0, {"k": 1, "v": 10}),
        (1, {"k": 1, "v": 11}),
        (2, None),
    ]


def test_a_document_made_and_deleted_by_one_transaction_leaves_no_trace(session: LocalSession) -> None:
    def work(transaction: LocalTransaction) -> None:
        transaction.execute("INSERT INTO T ?", {"k": 7})
        transaction.execute("DELETE FROM T WHERE k = 7")

    session.execute(work)
    assert len(session.run("SELECT * FROM history(T)")) == 3


def test_a_history_range_may_not_end_in_the_future(session: LocalSession) -> None:
    text = message(session.run, "SELECT * FROM history(T, `2000-01-01T`, `2100-01-01T`)")
    assert text.startswith("The end time of a history must not be in the future")


# --- DDL -----------------------------------------------------------------------------------------------------


def test_ddl_and_dml_mix_in_one_transaction(session: LocalSession) -> None:
    def work(transaction: LocalTransaction) -> list[object]:
        transaction.execute("CREATE TABLE U")
        transaction.execute("CREATE INDEX ON U (a)")
        transaction.execute("INSERT INTO U ?", {"a": 1})
        return transaction.execute("SELECT * FROM U WHERE a = 1")

    assert session.execute(work) == [{"a": 1}]
    assert session.run("SELECT * FROM U WHERE a = 1") == [{"a": 1}]


def test_a_table_id_is_the_same_before_and_after_commit(session: LocalSession) -> None:
    (row,) = session.run("CREATE TABLE U")
    assert session.run("SELECT VALUE tableId FROM information_schema.user_tables WHERE name = 'U'") == [row["tableId"]]


def test_a_dropped_table_is_inactive_and_comes_back_untouched(session: LocalSession) -> None:
    (dropped,) = session.run("DROP TABLE T")
    assert "No such variable named 'T'" in message(session.run, "SELECT * FROM T")
    assert session.run("SELECT VALUE status FROM information_schema.user_tables") == ["INACTIVE"]
    assert len(session.run(f"SELECT * FROM history('{dropped['tableId']}')")) == 3
    assert session.run(f'UNDROP TABLE "{dropped["tableId"]}"') == [dropped]
    assert session.run("SELECT VALUE v FROM T WHERE k = 2") == [20]


def test_an_index_on_a_populated_table_finds_what_was_there(session: LocalSession) -> None:
    session.run("CREATE INDEX ON T (v)")
    assert session.run("SELECT VALUE k FROM T WHERE v = 20") == [2]


def test_a_dropped_index_is_gone_from_the_catalogue(session: LocalSession) -> None:
    (index_id,) = session.run("SELECT VALUE indexes[0].indexId FROM information_schema.user_tables")
    session.run(f'DROP INDEX "{index_id}" ON T WITH (purge = true)')
    assert session.run("SELECT VALUE indexes FROM information_schema.user_tables") == [[]]
    assert session.run("SELECT VALUE v FROM T WHERE k = 2") == [20]


# --- conflicts -----------------------------------------------------------------------------------------------

OCC = "Optimistic concurrency control (OCC) failure encountered while committing the transaction"
SCAN = "SELECT * FROM T"
SEEK = "SELECT * FROM T WHERE k = 1"
SEEK_ABSENT = "SELECT * FROM T WHERE k = 99"
INSERT = "INSERT INTO T {'k': 50}"
CATALOGUE = "SELECT * FROM information_schema.user_tables"


@pytest.mark.parametrize(
    ("mine", "theirs", "conflicts"),
    [
        pytest.param(SCAN, "UPDATE T SET v = 0 WHERE k = 3", True, id="scan, update"),
        pytest.param(SCAN, INSERT, True, id="scan, insert"),
        pytest.param(SCAN, "DELETE FROM T WHERE k = 3", True, id="scan, delete"),
        pytest.param(SCAN, "SELECT * FROM T", False, id="scan, scan"),
        pytest.param(SCAN, "CREATE TABLE U", False, id="scan, another table made"),
        pytest.param(SEEK, "UPDATE T SET v = 0 WHERE k = 3", False, id="seek, update of another key"),
        pytest.param(SEEK, "UPDATE T SET v = 0 WHERE k = 1", True, id="seek, update of its key"),
        pytest.param(SEEK, "UPDATE T SET k = 1 WHERE k = 3", True, id="seek, another document takes its key"),
        pytest.param(SEEK, INSERT, False, id="seek, insert of another key"),
        pytest.param(SEEK_ABSENT, "INSERT INTO T {'k': 99}", True, id="seek of an absent key, insert of it"),
        pytest.param(SEEK_ABSENT, INSERT, False, id="seek of an absent key, insert of another"),
        pytest.param(INSERT, INSERT, False, id="insert, insert"),
        pytest.param(INSERT, "DELETE FROM T", False, id="insert, delete"),
        pytest.param(INSERT, "DROP TABLE T", True, id="insert, drop"),
        pytest.param(SCAN, "CREATE INDEX ON T (v)", True, id="scan, index made"),
        pytest.param("CREATE TABLE U", "CREATE TABLE U", True, id="the same table made twice"),
        pytest.param(CATALOGUE, "CREATE TABLE U", True, id="catalogue, table made"),
        pytest.param(CATALOGUE, INSERT, False, id="catalogue, insert"),
        pytest.param(
            "SELECT * FROM _ql_committed_T AS t WHERE t.data.k = 1",
            "UPDATE T SET v = 0 WHERE k = 1",
            True,
            id="committed seek, update of its key",
        ),
        pytest.param(
            "SELECT * FROM _ql_committed_T AS t WHERE t.data.k = 1",
            INSERT,
            False,
            id="committed seek, insert of another key",
        ),
        pytest.param("SELECT * FROM history(T)", INSERT, True, id="history, insert"),
        pytest.param("UPDATE T SET v = 0 WHERE k = 1", "UPDATE T SET v = 1 WHERE k = 1", True, id="update, update"),
        pytest.param(
            "UPDATE T SET v = 0 WHERE k = 1", "UPDATE T SET v = 1 WHERE k = 2", False, id="updates of two keys"
        ),
    ],
)
def test_conflicts(emulator: Emulator, session: LocalSession, mine: str, theirs: str, conflicts: bool) -> None:
    transaction = session.begin()
    transaction.execute(mine)
    LocalSession(emulator, "cars").run(theirs)
    if conflicts:
        assert message(transaction.commit) == OCC
        session.begin().commit()  # the session stays usable, without an abort
    else:
        transaction.commit()


def test_reads_by_document_id_conflict_with_that_document_only(emulator: Emulator, session: LocalSession) -> None:
    first, second, _ = session.run("SELECT VALUE id FROM T BY id")
    other = LocalSession(emulator, "cars")
    transaction = session.begin()
    transaction.execute("SELECT * FROM T BY id WHERE id = ?", first)
    other.run("UPDATE T BY id SET v = 0 WHERE id = ?", second)
    transaction.commit()
    transaction = session.begin()
    transaction.execute("SELECT * FROM T BY id WHERE id = ?", first)
    other.run("UPDATE T BY id SET v = 0 WHERE id = ?", first)
    assert message(transaction.commit) == OCC


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("SELECT * FROM U", "CREATE TABLE U"),
        ("CREATE TABLE T", "DROP TABLE T"),
        ("INSERT INTO U {'a': 1}", "CREATE TABLE U"),
    ],
    ids=["table not there, made", "table there, dropped", "insert into no table, made"],
)
@pytest.mark.parametrize("alone", [True, False], ids=["nothing else", "and a write"])
def test_what_a_failed_statement_showed_is_validated(
    emulator: Emulator, session: LocalSession, mine: str, theirs: str, alone: bool
) -> None:
    session.run("CREATE TABLE V")
    transaction = session.begin()
    message(transaction.execute, mine)
    if not alone:
        transaction.execute("INSERT INTO V {'a': 1}")
    LocalSession(emulator, "cars").run(theirs)
    assert message(transaction.commit) == OCC
    transaction = session.begin()
    message(transaction.execute, "SELECT * FROM Nowhere")
    LocalSession(emulator, "cars").run("INSERT INTO V {'a': 2}")
    transaction.commit()


def test_a_redaction_conflicts_with_readers_of_the_documents_history(emulator: Emulator, session: LocalSession) -> None:
    session.run("UPDATE T SET v = 11 WHERE k = 1")
    (row,) = session.run("SELECT * FROM history(T) AS h WHERE h.data.k = 1 AND h.metadata.version = 0")
    (table_id,) = session.run("SELECT VALUE tableId FROM information_schema.user_tables")
    document_id = row["metadata"]["id"]
    reader, other = LocalSession(emulator, "cars").begin(), LocalSession(emulator, "cars").begin()
    reader.execute("SELECT * FROM history(T) AS h WHERE h.metadata.id = ?", document_id)
    other.execute("SELECT * FROM T WHERE k = 2")
    session.run(f"EXEC REDACT_REVISION ?, '{table_id}', '{document_id}'", row["blockAddress"])
    assert message(reader.commit) == OCC
    other.commit()


# --- limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "statements", "text"),
    [
        pytest.param(
            {"transaction_documents": 2},
            ["UPDATE T SET v = 1"],
            "A transaction must not change more than 2 documents",
            id="documents changed",
        ),
        pytest.param(
            {"document_bytes": 20},
            ["INSERT INTO T {'a': 'a long text that does not fit'}"],
            "The document has",
            id="document size",
        ),
        pytest.param(
            {"transaction_bytes": 20},
            ["INSERT INTO T {'a': 'a long text that does not fit'}"],
            "The transaction is larger",
            id="transaction size",
        ),
        pytest.param({"indexes_per_table": 1}, ["CREATE INDEX ON T (v)"], "Exceeded indexes limit", id="indexes"),
        pytest.param(
            {"active_tables": 1}, ["CREATE TABLE U"], "Exceeded tables limit: Ledger has 1 active", id="active tables"
        ),
        pytest.param(
            {"total_tables": 1},
            ["DROP TABLE T", "CREATE TABLE T"],
            "Exceeded tables limit: Ledger has 1 total tables, and cannot create another.",
            id="total tables",
        ),
    ],
)
def test_limits_are_enforced(
    emulator: Emulator, session: LocalSession, limits: dict[str, int], statements: list[str], text: str
) -> None:
    ledger = emulator.ledgers.find("us-east-1", "cars")
    assert ledger is not None
    ledger.limits = replace(STRICT, **limits)
    transaction = session.begin()
    for statement in statements[:-1]:
        transaction.execute(statement)
    assert message(transaction.execute, statements[-1]).startswith(text)
    transaction.commit()


@pytest.mark.parametrize("value", ["1", "'text'", "null", "<<1>>", "[[1]]"])
def test_only_structs_are_documents(session: LocalSession, value: str) -> None:
    message(session.run, f"INSERT INTO T {value}")
    assert len(session.run("SELECT * FROM T")) == 3


# --- redaction and rebuilding ----------------------------------------------------------------------------------


@pytest.fixture
def redacted(emulator: Emulator, session: LocalSession) -> LocalSession:
    session.run("UPDATE T SET v = 11 WHERE k = 1")
    row = session.run("SELECT * FROM history(T) AS h WHERE h.data.k = 1 AND h.metadata.version = 0")[0]
    (table_id,) = session.run("SELECT VALUE tableId FROM information_schema.user_tables WHERE name = 'T'")
    (answer,) = session.run(f"EXEC REDACT_REVISION ?, '{table_id}', '{row['metadata']['id']}'", row["blockAddress"])
    assert answer == {
        "blockAddress": row["blockAddress"],
        "tableId": table_id,
        "documentId": row["metadata"]["id"],
        "version": 0,
    }
    return session


def test_a_redacted_revision_keeps_its_hash_and_loses_its_data(redacted: LocalSession) -> None:
    rows = redacted.run("SELECT * FROM history(T) AS h WHERE h.metadata.version = 0 AND h.data IS MISSING")
    assert [list(row) for row in rows] == [["blockAddress", "hash", "dataHash", "metadata"]]


def test_an_active_revision_cannot_be_redacted(redacted: LocalSession) -> None:
    (row,) = redacted.run("SELECT * FROM _ql_committed_T AS t WHERE t.data.k = 2")
    (table_id,) = redacted.run("SELECT VALUE tableId FROM information_schema.user_tables")
    call = f"EXEC REDACT_REVISION ?, '{table_id}', '{row['metadata']['id']}'"
    assert "is active" in message(redacted.run, call, row["blockAddress"])


def test_the_derived_tables_can_be_rebuilt_from_the_blocks(emulator: Emulator, redacted: LocalSession) -> None:
    redacted.run("CREATE TABLE U")
    redacted.run("INSERT INTO U << {'a': 1}, {'a': [1, 2]}, {'a': null} >>")
    redacted.run("CREATE INDEX ON U (a)")
    redacted.run("DELETE FROM U WHERE a = 1")
    redacted.run("DROP TABLE T")
    ledger = emulator.ledgers.find("us-east-1", "cars")
    assert ledger is not None
    before, catalogue = list(ledger.file.dump_derived()), ledger.catalogue
    ledger.rebuild()
    assert list(ledger.file.dump_derived()) == before
    assert ledger.catalogue == catalogue


def test_a_reopened_ledger_is_the_same(emulator: Emulator, session: LocalSession) -> None:
    digest = emulator.call("GetDigest", {"Name": "cars"}, CONTEXT)
    emulator.ledgers.close()
    again = LocalSession(emulator, "cars")
    assert emulator.call("GetDigest", {"Name": "cars"}, CONTEXT) == digest
    assert again.run("SELECT VALUE v FROM T WHERE k = 2") == [20]
