"""Two transactions on one document, and a server killed amid commits."""

from __future__ import annotations

import threading
import time

import pytest
from amazon.ion.simpleion import dumps, loads
from conftest import REGION, control_plane
from pyqldb.config.retry_config import RetryConfig
from pyqldb.driver.qldb_driver import QldbDriver
from pyqldb.errors import is_occ_conflict_exception
from server import ServerProcess
from verifier import block_hash, digest_bytes, fold


def run(driver, statement, *parameters):
    return driver.execute_lambda(lambda t: list(t.execute_statement(statement, *parameters)))


def test_the_second_of_two_interleaved_transactions_conflicts(driver):
    run(driver, "CREATE TABLE Account")
    run(driver, "INSERT INTO Account ?", {"id": 1, "balance": 0})

    def outer(transaction):
        list(transaction.execute_statement("SELECT * FROM Account WHERE id = 1"))
        run(driver, "UPDATE Account SET balance = balance + 1 WHERE id = 1")
        transaction.execute_statement("UPDATE Account SET balance = balance + 10 WHERE id = 1")

    with pytest.raises(Exception) as error:  # noqa: PT011 (the driver's own class is what is asked below)
        driver.execute_lambda(outer, RetryConfig(retry_limit=0))
    assert is_occ_conflict_exception(error.value)


def test_pyqldb_retries_a_conflict_and_succeeds(driver):
    run(driver, "CREATE TABLE Account")
    run(driver, "INSERT INTO Account ?", {"id": 1, "balance": 0})
    attempts = []

    def outer(transaction):
        list(transaction.execute_statement("SELECT * FROM Account WHERE id = 1"))
        if not attempts:
            run(driver, "UPDATE Account SET balance = balance + 1 WHERE id = 1")
        attempts.append(1)
        transaction.execute_statement("UPDATE Account SET balance = balance + 10 WHERE id = 1")

    driver.execute_lambda(outer)
    assert len(attempts) == 2
    assert run(driver, "SELECT VALUE balance FROM Account") == [11]


def test_a_read_only_transaction_is_validated_too(driver):
    run(driver, "CREATE TABLE Account")
    run(driver, "INSERT INTO Account ?", {"id": 1})

    def outer(transaction):
        transaction.execute_statement("SELECT VALUE id FROM Account")  # the cursor is never read
        run(driver, "UPDATE Account SET id = 2")

    with pytest.raises(Exception) as error:  # noqa: PT011
        driver.execute_lambda(outer, RetryConfig(retry_limit=0))
    assert is_occ_conflict_exception(error.value)


def test_blind_inserts_never_conflict(driver):
    run(driver, "CREATE TABLE Account")

    def outer(transaction):
        transaction.execute_statement("INSERT INTO Account ?", {"id": 1})
        run(driver, "INSERT INTO Account ?", {"id": 2})

    driver.execute_lambda(outer, RetryConfig(retry_limit=0))
    assert sorted(run(driver, "SELECT VALUE id FROM Account")) == [1, 2]


def test_acknowledged_transactions_survive_sigkill(tmp_path):
    server = ServerProcess("--data-dir", str(tmp_path / "data"))
    try:
        qldb = control_plane(server)
        qldb.create_ledger(Name="crash", PermissionsMode="ALLOW_ALL")
        driver = QldbDriver("crash", endpoint_url=server.url, region_name=REGION)
        run(driver, "CREATE TABLE Entry")
        run(driver, "CREATE INDEX ON Entry (n)")
        acknowledged: list[int] = []

        def write(worker: int) -> None:
            own = QldbDriver(
                "crash", endpoint_url=server.url, region_name=REGION, retry_config=RetryConfig(retry_limit=0)
            )
            # Not closed: closing would speak to a server that is gone.
            for n in range(worker, 100_000, 4):
                try:
                    run(own, "INSERT INTO Entry ?", {"n": n})
                except Exception:
                    return  # the server is gone, in whatever way the client sees it
                acknowledged.append(n)

        workers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
        for worker in workers:
            worker.start()
        while len(acknowledged) < 60:
            time.sleep(0.005)
        server.kill()
        for worker in workers:
            worker.join()
        server.restart()

        found = run(driver, "SELECT VALUE n FROM Entry")  # the driver from before the crash
        assert set(acknowledged) <= set(found)
        assert len(found) == len(set(found))
        assert run(driver, "SELECT VALUE n FROM Entry WHERE n = ?", acknowledged[-1]) == [acknowledged[-1]]
        check_chain(qldb, "crash")
    finally:
        assert server.stop() == 0


def check_chain(qldb, ledger: str) -> None:
    digest = qldb.get_digest(Name=ledger)
    tip = loads(digest["DigestTipAddress"]["IonText"])
    previous = b""
    for sequence_no in range(tip["sequenceNo"] + 1):
        address = dumps({"strandId": tip["strandId"], "sequenceNo": sequence_no}, binary=False)
        answer = qldb.get_block(
            Name=ledger, BlockAddress={"IonText": address}, DigestTipAddress=digest["DigestTipAddress"]
        )
        assert bytes(loads(answer["Block"]["IonText"])["previousBlockHash"]) == previous
        previous = block_hash(answer["Block"]["IonText"])
        assert fold(previous, answer["Proof"]["IonText"]) == digest_bytes(digest["Digest"])
