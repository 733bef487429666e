"""A pyqldb driver in the middle of its work, while its ledger is restored, forked and reset under it."""

from __future__ import annotations

import pytest

from qldb_emulator.admin import Admin, AdminError
from qldb_emulator.testing import LocalServer


@pytest.fixture(scope="module")
def server():
    with LocalServer() as made:
        yield made


def owners(driver):
    query = "SELECT VALUE FirstName FROM Person"
    return sorted(str(v) for v in driver.execute_lambda(lambda t: list(t.execute_statement(query))))


def test_a_driver_goes_on_after_a_restore_without_noticing(server):
    server.create_ledger("cars", sample="vehicle-registration")
    admin = Admin(server.url)
    with server.driver("cars") as driver:
        before = owners(driver)
        admin.take_snapshot("cars", "one")
        driver.execute_lambda(lambda t: t.execute_statement("DELETE FROM Person"))
        assert owners(driver) == []
        admin.restore_snapshot("cars", "one")
        assert owners(driver) == before
        driver.execute_lambda(lambda t: t.execute_statement("DELETE FROM Person"))
        assert admin.diff("cars", "one")["changes"] == {"added": 0, "changed": 0, "removed": 5}
    assert admin.statements()[-1]["statement"] == "DELETE FROM Person"


def test_a_transaction_that_a_restore_interrupts_is_done_again(server):
    server.create_ledger("boats", sample="vehicle-registration")
    admin = Admin(server.url)
    admin.take_snapshot("boats", "one")
    attempts = []

    def work(transaction):
        attempts.append(1)
        list(transaction.execute_statement("INSERT INTO Person {'FirstName': 'Ana'}"))
        if len(attempts) == 1:
            admin.restore_snapshot("boats", "one")

    with server.driver("boats") as driver:
        driver.execute_lambda(work)
        assert (len(attempts), owners(driver).count("Ana")) == (2, 1)


def test_a_digest_kept_before_a_restore_still_proves_what_came_before(server):
    server.create_ledger("planes", sample="vehicle-registration")
    admin, qldb = Admin(server.url), server.boto3_client("qldb")
    admin.take_snapshot("planes", "one")
    digest = qldb.get_digest(Name="planes")
    with server.driver("planes") as driver:
        driver.execute_lambda(lambda t: t.execute_statement("DELETE FROM Person"))
        assert qldb.get_digest(Name="planes")["Digest"] != digest["Digest"]
        admin.restore_snapshot("planes", "one")
        again = qldb.get_digest(Name="planes")
        assert (again["Digest"], again["DigestTipAddress"]) == (digest["Digest"], digest["DigestTipAddress"])


def test_what_admin_refuses_is_an_error_with_its_sentence(server):
    with pytest.raises(AdminError, match="The Ledger with name none is not found"):
        Admin(server.url).fork("none", "copy")
