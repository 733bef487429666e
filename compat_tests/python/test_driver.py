"""pyqldb against the emulator: what its users rely on, and what its own integration tests expect of the service."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from amazon.ion import simpleion
from amazon.ion.equivalence import ion_equals
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import REGION, add_fault, clear_faults, control_plane
from pyqldb.config.retry_config import RetryConfig
from pyqldb.driver.qldb_driver import QldbDriver
from pyqldb.errors import (
    DriverClosedError,
    SessionPoolEmptyError,
    is_bad_request_exception,
    is_invalid_session_exception,
    is_occ_conflict_exception,
    is_transaction_expired_exception,
)

VALUES = (Path(__file__).parents[1] / "ion_values.ion").read_text().splitlines()
ION_TEXTS = [text for line in VALUES for text in (line, f"annotation::{line}")]
NO_RETRY = RetryConfig(retry_limit=0)
QUICK = RetryConfig(retry_limit=4, base=1)


def run(driver, statement, *parameters, retry=None):
    return driver.execute_lambda(lambda t: list(t.execute_statement(statement, *parameters)), retry)


@pytest.fixture(scope="module")
def shared_ledger(qldb):
    qldb.create_ledger(Name="driver", PermissionsMode="ALLOW_ALL", DeletionProtection=False)
    return "driver"


@pytest.fixture(scope="module", params=[0, 2], ids=["no read-ahead", "read-ahead 2"])
def reader(request, server, shared_ledger):
    with QldbDriver(shared_ledger, endpoint_url=server.url, region_name=REGION, read_ahead=request.param) as driver:
        if "T" not in driver.list_tables():
            run(driver, "CREATE TABLE T")
        yield driver


@pytest.fixture
def table(reader):
    yield "T"
    run(reader, "DELETE FROM T")


def new_driver(server, ledger, **options):
    return QldbDriver(ledger, endpoint_url=server.url, region_name=REGION, **options)


# --- sessions and pools ----------------------------------------------------------------------------------------


def test_a_missing_ledger_is_a_bad_request(server):
    with new_driver(server, "nowhere", retry_config=QUICK) as driver, pytest.raises(ClientError) as error:
        driver.list_tables()
    assert is_bad_request_exception(error.value)


def test_a_session_is_used_again(driver):
    assert list(driver.list_tables()) == []
    assert list(driver.list_tables()) == []


def test_a_pool_that_is_used_up_says_so(server, ledger):
    with new_driver(server, ledger, max_concurrent_transactions=1) as driver:

        def outer(transaction):
            with pytest.raises(SessionPoolEmptyError):
                driver.list_tables()

        driver.execute_lambda(outer)
        assert list(driver.list_tables()) == []


def test_a_closed_driver_refuses(server, ledger):
    driver = new_driver(server, ledger)
    driver.close()
    with pytest.raises(DriverClosedError):
        driver.list_tables()


# --- tables ----------------------------------------------------------------------------------------------------


def test_tables_are_created_listed_indexed_and_dropped_with_one_row_each(driver):
    assert len(run(driver, "CREATE TABLE Fresh")) == 1
    assert list(driver.list_tables()) == ["Fresh"]
    assert len(run(driver, "CREATE INDEX ON Fresh (Name)")) == 1
    query = "SELECT VALUE indexes[0] FROM information_schema.user_tables WHERE status = 'ACTIVE' AND name = 'Fresh'"
    assert run(driver, query)[0]["expr"] == "[Name]"
    assert len(run(driver, "DROP TABLE Fresh")) == 1
    assert list(driver.list_tables()) == []


@pytest.mark.parametrize(
    ("statement", "code", "message"),
    [
        ("CREATE TABLE T", "412", "Table with name: USER.T already exists"),
        (
            "DELETE FROM NonExistentTable",
            "432",
            "Semantic Error: at line 1, column 13: No such variable named 'NonExistentTable'; "
            "No such variable named 'NonExistentTable'",
        ),
    ],
    ids=["exists", "does not exist"],
)
def test_a_refused_statement_has_its_class_code_and_text(reader, table, statement, code, message):
    with pytest.raises(ClientError) as error:
        run(reader, statement)
    assert is_bad_request_exception(error.value)
    assert (error.value.response["Code"], error.value.response["Error"]["Message"]) == (code, message)


# --- documents -------------------------------------------------------------------------------------------------


def test_documents_are_inserted_read_quoted_counted_and_deleted(reader, table):
    assert run(reader, "SELECT * FROM T") == []
    assert len(run(reader, "INSERT INTO T ?", {"Name": "one"})) == 1
    assert run(reader, 'SELECT VALUE Name FROM "T" WHERE Name = ?', "one") == ["one"]
    assert len(run(reader, "INSERT INTO T <<?, ?>>", {"Name": "two"}, {"Name": "three"})) == 2
    assert sorted(run(reader, "SELECT VALUE Name FROM T WHERE Name IN (?,?)", "two", "three")) == ["three", "two"]
    assert len(run(reader, "DELETE FROM T WHERE Name = ?", "one")) == 1
    assert len(run(reader, "DELETE FROM T")) == 2
    assert [dict(row) for row in run(reader, "SELECT COUNT(*) FROM T")] == [{"_1": 0}]


def test_a_transaction_reads_what_it_wrote(reader, table):
    def work(transaction):
        transaction.execute_statement("INSERT INTO T ?", {"k": 1, "v": 1})
        transaction.execute_statement("UPDATE T SET v = ? WHERE k = ?", 2, 1)
        return list(transaction.execute_statement("SELECT VALUE v FROM T WHERE k = ?", 1))

    assert reader.execute_lambda(work) == [2]


def test_a_lambda_need_not_return_anything(reader, table):
    assert reader.execute_lambda(lambda t: t.execute_statement("INSERT INTO T ?", {"a": 1}) and None) is None
    assert len(run(reader, "SELECT * FROM T")) == 1


@pytest.mark.parametrize("text", ION_TEXTS)
def test_every_ion_type_is_inserted_found_and_updated_to(reader, table, text):
    value = simpleion.loads(text)
    is_null = "null" in text
    condition, parameters = ("Name IS NULL", ()) if is_null else ("Name = ?", (value,))

    def find():
        (found,) = run(reader, f"SELECT VALUE Name FROM T WHERE {condition}", *parameters)
        assert ion_equals(found, value)
        assert found.ion_type == value.ion_type

    document = simpleion.loads(f"{{Name: {text}}}")
    assert len(run(reader, "INSERT INTO T ?", document)) == 1
    find()
    run(reader, "UPDATE T SET Name = 'before'")
    assert len(run(reader, "UPDATE T SET Name = ?", value)) == 1
    find()


def test_the_commit_digest_agrees_over_parameters_of_every_type(reader):
    values = [simpleion.loads(text) for text in ION_TEXTS]
    marks = ",".join("?" * len(values))

    def work(transaction):
        for value in values:
            transaction.execute_statement("SELECT VALUE ? FROM <<0>>", value)
        transaction.execute_statement(f"SELECT VALUE [{marks}] FROM <<0>> /* é€😀 */", *values)
        with pytest.raises(ClientError):  # a failed statement counts, too
            transaction.execute_statement("SELECT * FROM Nowhere WHERE a = ?", values[0])

    reader.execute_lambda(work, NO_RETRY)


# --- results ---------------------------------------------------------------------------------------------------

CROSS_JOIN = "SELECT * FROM T as a, T as b, T as c, T as d, T as e, T as f"


@pytest.fixture
def three(reader, table):
    run(reader, "INSERT INTO T << {'col': 1}, {'col': 2}, {'col': 3} >>")


def test_pages_are_streamed_to_exact_sums(reader, three):
    def work(transaction):
        cursor = transaction.execute_statement(CROSS_JOIN)
        rows = 0
        for _ in cursor:
            rows += 1
            assert cursor.get_consumed_ios()["ReadIOs"] > 0
            assert cursor.get_timing_information()["ProcessingTimeMilliseconds"] > 0
        return rows, cursor.get_consumed_ios()["ReadIOs"]

    assert reader.execute_lambda(work) == (729, 1092)


def test_pages_are_buffered_to_exact_sums(reader, three):
    cursor = reader.execute_lambda(lambda t: t.execute_statement(CROSS_JOIN))
    assert len(list(cursor)) == 729
    assert cursor.get_consumed_ios()["ReadIOs"] == 1092
    assert cursor.get_timing_information()["ProcessingTimeMilliseconds"] > 0


def test_cursors_of_one_transaction_are_read_in_turns(reader, three):
    def work(transaction):
        cursors = [transaction.execute_statement(CROSS_JOIN) for _ in range(3)]
        return [sum(1 for _ in zip(*cursors, strict=True))]

    assert reader.execute_lambda(work) == [729]


# --- conflicts -------------------------------------------------------------------------------------------------


def test_three_interleaved_writers_leave_one_winner(reader, table):
    run(reader, "INSERT INTO T ?", {"n": 0})
    together = threading.Barrier(3)
    outcomes = []

    def bump():
        def work(transaction):
            (n,) = transaction.execute_statement("SELECT VALUE n FROM T")
            together.wait(10)
            transaction.execute_statement("UPDATE T SET n = ?", n + 5)

        try:
            reader.execute_lambda(work, NO_RETRY)
            outcomes.append("won")
        except ClientError as error:
            outcomes.append("lost" if is_occ_conflict_exception(error) else repr(error))

    threads = [threading.Thread(target=bump) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost", "lost", "won"]
    assert run(reader, "SELECT VALUE n FROM T") == [5]


# --- expiry and faults -----------------------------------------------------------------------------------------


def test_a_transaction_expires_and_the_driver_goes_on(hasty_server):
    control_plane(hasty_server).create_ledger(Name="hasty", PermissionsMode="ALLOW_ALL", DeletionProtection=False)
    with new_driver(hasty_server, "hasty") as driver:
        attempts = []
        with pytest.raises(ClientError) as error:
            driver.execute_lambda(lambda t: attempts.append(time.sleep(1.2)))
        assert is_transaction_expired_exception(error.value)
        assert len(attempts) == 1
        assert run(driver, "SELECT VALUE 1 FROM <<0>>") == [1]


@pytest.fixture
def faults(server):
    yield lambda **rule: add_fault(server, ledger="driver", **rule)
    clear_faults(server)


@pytest.mark.parametrize(
    ("kind", "command", "is_retried", "check"),
    [
        ("occ", "CommitTransaction", True, is_occ_conflict_exception),
        ("occ", "ExecuteStatement", True, is_occ_conflict_exception),
        ("invalid-session", "ExecuteStatement", True, is_invalid_session_exception),
        ("invalid-session", "CommitTransaction", True, is_invalid_session_exception),
        ("transaction-expired", "ExecuteStatement", False, is_transaction_expired_exception),
        ("transaction-expired", "CommitTransaction", False, is_transaction_expired_exception),
        ("internal-failure", "ExecuteStatement", True, None),
        ("internal-failure", "CommitTransaction", True, None),
        ("service-unavailable", "StartTransaction", True, None),
        ("capacity-exceeded", "ExecuteStatement", True, None),
        ("rate-exceeded", "ExecuteStatement", False, None),
        ("limit-exceeded", "StartTransaction", False, None),
        ("rate-exceeded", "StartSession", True, None),
        ("drop-before", "ExecuteStatement", True, None),
    ],
)
def test_the_driver_retries_what_the_service_may_recover_from(
    server, shared_ledger, reader, table, faults, kind, command, is_retried, check
):
    attempts = []

    def work(transaction):
        attempts.append(1)
        transaction.execute_statement("INSERT INTO T ?", {"a": 1})

    with new_driver(server, shared_ledger) as fresh:
        rule = faults(kind=kind, commands=[command])
        with pytest.raises(Exception) as error:  # noqa: PT011 (dropped connections are botocore's own classes)
            fresh.execute_lambda(work, NO_RETRY)
        assert check is None or check(error.value)
        clear_faults(server, rule["id"])
        attempts.clear()
        faults(kind=kind, commands=[command], count=2)
        if is_retried:
            fresh.execute_lambda(work, QUICK)
            assert len(attempts) == (1 if command.startswith("Start") else 3)
        else:
            with pytest.raises(ClientError):
                fresh.execute_lambda(work, QUICK)
    clear_faults(server)
    assert len(run(reader, "SELECT * FROM T")) == int(is_retried)


def test_a_commit_whose_answer_is_lost_has_happened(server, shared_ledger, reader, table, faults):
    faults(kind="drop-after", table="T", count=1)
    with new_driver(server, shared_ledger) as fresh, pytest.raises(Exception):  # noqa: B017, PT011
        run(fresh, "INSERT INTO T ?", {"a": 1}, retry=NO_RETRY)
    assert len(run(reader, "SELECT * FROM T")) == 1


# --- load ------------------------------------------------------------------------------------------------------


def test_sixteen_threads_meet_nothing_unexpected(server, ledger, compat_seconds):
    documents = [{"k": k, "n": 0} for k in range(8)]
    done = [0] * 8
    errors = []
    counting = threading.Lock()
    config = Config(max_pool_connections=16)
    with new_driver(server, ledger, config=config, retry_config=RetryConfig(100, base=1)) as driver:
        run(driver, "CREATE TABLE Busy")
        run(driver, "CREATE INDEX ON Busy (k)")
        run(driver, "INSERT INTO Busy ?", documents)
        until = time.monotonic() + compat_seconds

        def work(k):
            while time.monotonic() < until:
                k = (k + 1) % 8

                def bump(transaction, k=k):
                    (n,) = transaction.execute_statement("SELECT VALUE n FROM Busy WHERE k = ?", k)
                    transaction.execute_statement("UPDATE Busy SET n = ? WHERE k = ?", n + 1, k)

                try:
                    driver.execute_lambda(bump)
                except Exception as error:
                    errors.append(error)
                    return
                with counting:
                    done[k] += 1

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert {row["k"]: row["n"] for row in run(driver, "SELECT * FROM Busy")} == dict(enumerate(done))
