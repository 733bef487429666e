"""The life of sessions and transactions: every row of the table in ``engine/session/sessions.py``."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from helpers.local_driver import CONTEXT, LocalSession, new_emulator, new_ledger

from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.session import sessions
from qldb_emulator.engine.session.sessions import Sessions
from qldb_emulator.errors import QldbError


@pytest.fixture
def session(emulator: Emulator) -> LocalSession:
    return new_ledger(emulator)


def refusal(call: object, *arguments: object, **members: object) -> tuple[str, str]:
    with pytest.raises(QldbError) as error:
        call(*arguments, **members)  # type: ignore[operator]
    return error.value.shape, error.value.message


def advance(emulator: Emulator, seconds: float) -> None:
    assert isinstance(emulator.clock, ManualClock)
    emulator.clock.advance(seconds)


BAD_REQUEST = "BadRequestException"
INVALID_SESSION = "InvalidSessionException"


def test_a_session_on_an_unknown_ledger_is_a_bad_request(emulator: Emulator) -> None:
    shape, text = refusal(LocalSession, emulator, "nowhere")
    assert (shape, text) == (BAD_REQUEST, "The Ledger with name nowhere is not found")


def test_a_second_transaction_is_refused_and_the_first_survives(session: LocalSession) -> None:
    transaction = session.begin()
    assert refusal(session.send, "StartTransaction") == (BAD_REQUEST, "Transaction already open")
    assert transaction.execute("SELECT 1 FROM <<0>>") == [{"_1": 1}]
    transaction.commit()


@pytest.mark.parametrize(
    ("command", "members"),
    [
        ("ExecuteStatement", {"TransactionId": "a" * 22, "Statement": "SELECT 1 FROM <<0>>"}),
        ("FetchPage", {"TransactionId": "a" * 22, "NextPageToken": "abcd"}),
        ("CommitTransaction", {"TransactionId": "a" * 22, "CommitDigest": b"0" * 32}),
    ],
)
def test_a_command_without_a_transaction_is_refused(
    session: LocalSession, command: str, members: dict[str, object]
) -> None:
    assert refusal(session.send, command, **members) == (BAD_REQUEST, "No open transaction")


def test_a_wrong_transaction_id_is_no_open_transaction(session: LocalSession) -> None:
    transaction = session.begin()
    members = {"TransactionId": "a" * 22, "Statement": "SELECT 1 FROM <<0>>"}
    assert refusal(session.send, "ExecuteStatement", **members) == (BAD_REQUEST, "No open transaction")
    transaction.commit()


def test_an_abort_is_harmless_at_any_time(session: LocalSession) -> None:
    session.send("AbortTransaction")
    session.begin()
    session.send("AbortTransaction")
    session.send("AbortTransaction")
    session.run("CREATE TABLE T")


def test_a_second_commit_finds_no_transaction(session: LocalSession) -> None:
    transaction = session.begin()
    transaction.commit()
    assert refusal(transaction.commit) == (BAD_REQUEST, "No open transaction")


def test_a_failed_statement_keeps_the_transaction_and_its_place_in_the_digest(session: LocalSession) -> None:
    transaction = session.begin()
    transaction.execute("CREATE TABLE T")
    assert refusal(transaction.execute, "SELECT * FROM U")[0] == BAD_REQUEST
    assert refusal(transaction.execute, "SELECT * FROM")[0] == BAD_REQUEST
    transaction.execute("INSERT INTO T ?", {"a": 1})
    transaction.commit()
    assert session.run("SELECT * FROM T") == [{"a": 1}]


def test_a_wrong_digest_writes_nothing(session: LocalSession) -> None:
    transaction = session.begin()
    transaction.execute("CREATE TABLE T")
    wrong = {"TransactionId": transaction.id, "CommitDigest": b"\0" * 32}
    assert refusal(session.send, "CommitTransaction", **wrong) == (BAD_REQUEST, "Digests don't match")
    assert session.run("SELECT * FROM information_schema.user_tables") == []


def test_an_expired_transaction_says_so_once(emulator: Emulator, session: LocalSession) -> None:
    transaction = session.begin()
    advance(emulator, 31)
    assert refusal(transaction.commit) == (INVALID_SESSION, f"Transaction {transaction.id} has expired")
    session.send("AbortTransaction")
    session.run("CREATE TABLE T")


def test_a_new_transaction_after_an_expired_one_first_hears_of_it(emulator: Emulator, session: LocalSession) -> None:
    transaction = session.begin()
    advance(emulator, 31)
    assert refusal(session.send, "StartTransaction") == (INVALID_SESSION, f"Transaction {transaction.id} has expired")
    session.begin().commit()


def test_an_expired_session_says_so_and_is_gone(emulator: Emulator, session: LocalSession) -> None:
    advance(emulator, 15 * 60 + 1)
    assert refusal(session.send, "StartTransaction") == (INVALID_SESSION, f"Session {CONTEXT.request_id} has expired")
    assert refusal(session.send, "StartTransaction") == (INVALID_SESSION, "No such session")


def test_an_ended_session_is_gone_with_its_transaction(session: LocalSession) -> None:
    transaction = session.begin()
    transaction.execute("CREATE TABLE T")
    session.send("EndSession")
    assert refusal(transaction.commit) == (INVALID_SESSION, "No such session")


def test_a_deleted_ledger_takes_its_sessions_along(emulator: Emulator, session: LocalSession) -> None:
    emulator.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
    assert refusal(session.send, "StartTransaction") == (INVALID_SESSION, "No such session")
    assert refusal(LocalSession, emulator, "cars")[0] == BAD_REQUEST


def test_pages_are_fetched_in_order_and_the_latest_again(session: LocalSession) -> None:
    transaction = session.begin()
    result = transaction.execute_raw("SELECT VALUE x FROM ? AS x", list(range(450)))
    sizes, token = [len(result["FirstPage"]["Values"])], result["FirstPage"]["NextPageToken"]
    first_token = token
    while token is not None:
        members = {"TransactionId": transaction.id, "NextPageToken": token}
        page = session.send("FetchPage", **members)["Page"]
        assert session.send("FetchPage", **members)["Page"]["Values"] == page["Values"]
        sizes.append(len(page["Values"]))
        token = page.get("NextPageToken")
    assert sizes == [200, 200, 50]
    stale = {"TransactionId": transaction.id, "NextPageToken": first_token}
    assert refusal(session.send, "FetchPage", **stale)[0] == BAD_REQUEST
    transaction.commit()


def test_a_page_token_dies_with_its_transaction(session: LocalSession) -> None:
    transaction = session.begin()
    token = transaction.execute_raw("SELECT VALUE x FROM ? AS x", list(range(450)))["FirstPage"]["NextPageToken"]
    transaction.commit()
    other = session.begin()
    members = {"TransactionId": other.id, "NextPageToken": token}
    assert refusal(session.send, "FetchPage", **members)[0] == BAD_REQUEST


@pytest.mark.parametrize(
    ("statement", "parameters", "text"),
    [
        ("SELECT * FROM <<0>> WHERE ? = ?", [1], "Query expects 2 parameters, but statement has 1"),
        ("SELECT * FROM <<0>>", [1], "Query expects 0 parameters, but statement has 1"),
        ("x" * 100_001, [], "The statement has 100001 characters, more than the maximum of 100000"),
    ],
    ids=["too few", "too many", "too long"],
)
def test_a_refused_statement_leaves_the_transaction_usable(
    session: LocalSession, statement: str, parameters: list[object], text: str
) -> None:
    transaction = session.begin()
    assert refusal(transaction.execute, statement, *parameters) == (BAD_REQUEST, text)
    assert transaction.execute("SELECT VALUE 1 FROM <<0>>") == [1]


def test_a_parameter_that_is_not_ion_is_refused(session: LocalSession) -> None:
    transaction = session.begin()
    members = {
        "TransactionId": transaction.id,
        "Statement": "SELECT VALUE ? FROM <<0>>",
        "Parameters": [{"IonBinary": b"\xe0\x01\x00\xea\xbe"}],
    }
    shape, text = refusal(session.send, "ExecuteStatement", **members)
    assert shape == BAD_REQUEST
    assert text.startswith("Parameter 1 is not a valid Ion value: ")


def test_an_ion_text_parameter_is_taken(session: LocalSession) -> None:
    transaction = session.begin()
    members = {
        "TransactionId": transaction.id,
        "Statement": "SELECT VALUE ? FROM <<0>>",
        "Parameters": [{"IonText": "a::[1, 2.50]"}],
    }
    assert len(session.send("ExecuteStatement", **members)["FirstPage"]["Values"]) == 1


# --- what is imported late ----------------------------------------------------------------------------------------

WITHOUT_PARTIQL = """
import sys
from qldb_emulator.context import RequestContext
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

def is_imported():
    return "qldb_emulator.partiql.prepare" in sys.modules

with Emulator(Settings(is_ephemeral=True)) as emulator:
    emulator.resume_streams()
    found = emulator.call("ListLedgers", {}, RequestContext("us-east-1", "local", "4SnOdtcgpur5MmhXFEV3iE"))
    print(found["Ledgers"], is_imported())
    emulator.get_ready()
    print(is_imported())
"""


def test_a_server_answers_before_partiql_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PARTIQL], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["[] False", "True"]


def test_requests_that_come_at_once_get_the_same_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one comes while the first makes them."""
    made: list[Sessions] = []
    found: list[Sessions] = []

    def make(*arguments: Any) -> Sessions:
        made.append(Sessions(*arguments))
        if len(made) == 1:
            second.start()
            second.join(0.05)
        return made[-1]

    with new_emulator() as emulator:
        second = threading.Thread(target=lambda: found.append(emulator.sessions))
        monkeypatch.setattr(sessions, "Sessions", make)
        found.append(emulator.sessions)
        second.join()
    assert len(made) == 1
    assert found == made * 2
