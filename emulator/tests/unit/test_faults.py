"""Faults on demand: which requests a rule strikes, and the state of the session afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from helpers.local_driver import LocalSession, new_emulator, new_ledger
from helpers.support import ROOT

from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.workbench.faults import ALL_COMMANDS, KINDS, Rule, chance
from qldb_emulator.errors import ConnectionDropped, QldbError
from qldb_emulator.limits import Limits


@pytest.fixture
def session(emulator: Emulator) -> LocalSession:
    session = new_ledger(emulator)
    session.run("CREATE TABLE T")
    session.run("CREATE TABLE U")
    return session


def add(emulator: Emulator, kind: str, **options: Any) -> dict[str, Any]:
    return emulator.faults.add(Rule(kind, **options), emulator.ids.new_id)


def outcome(call: Any, *arguments: Any) -> str:
    """Return the class of what a call raises, or ok."""
    try:
        call(*arguments)
    except QldbError as error:
        return error.shape
    except ConnectionDropped:
        return "dropped"
    return "ok"


INSERT = ("INSERT INTO T ?", {"a": 1})


def test_conflicts_strike_the_next_commits_and_leave_the_session(emulator: Emulator, session: LocalSession) -> None:
    add(emulator, "occ", count=2)
    assert [outcome(session.run, *INSERT) for _ in range(3)] == ["OccConflictException", "OccConflictException", "ok"]
    assert session.run("SELECT * FROM T") == [{"a": 1}]
    (rule,) = emulator.faults.list()
    assert (rule["struck"], rule["matched"]) == (2, 2)


@pytest.mark.parametrize(
    ("kind", "shape", "keeps_transaction", "keeps_session"),
    [
        ("occ", "OccConflictException", False, True),
        ("transaction-expired", "InvalidSessionException", False, True),
        ("invalid-session", "InvalidSessionException", False, False),
        ("capacity-exceeded", "CapacityExceededException", True, True),
        ("rate-exceeded", "RateExceededException", True, True),
        ("internal-failure", "InternalFailure", True, True),
        ("service-unavailable", "ServiceUnavailable", True, True),
        ("drop-before", "dropped", True, True),
        ("drop-after", "dropped", False, True),
    ],
)
def test_what_a_fault_at_commit_leaves_behind(
    emulator: Emulator, session: LocalSession, kind: str, shape: str, keeps_transaction: bool, keeps_session: bool
) -> None:
    add(emulator, kind, commands=("CommitTransaction",), count=1)
    transaction = session.begin()
    transaction.execute(*INSERT)
    assert outcome(transaction.commit) == shape
    assert outcome(transaction.commit) == (
        "ok" if keeps_transaction else "BadRequestException" if keeps_session else "InvalidSessionException"
    )
    rows = LocalSession(emulator, "cars").run("SELECT * FROM T")
    assert len(rows) == (1 if keeps_transaction or kind == "drop-after" else 0)


def test_an_expiry_names_the_transaction(emulator: Emulator, session: LocalSession) -> None:
    add(emulator, "transaction-expired", count=1)
    transaction = session.begin()
    with pytest.raises(QldbError) as error:
        transaction.execute(*INSERT)
    assert error.value.message == f"Transaction {transaction.id} has expired"


def test_a_limit_is_exceeded_at_the_start_of_a_transaction(emulator: Emulator, session: LocalSession) -> None:
    add(emulator, "limit-exceeded")
    assert outcome(session.begin) == "LimitExceededException"


def test_a_rule_without_a_transaction_to_lose_changes_no_error(emulator: Emulator, session: LocalSession) -> None:
    add(emulator, "occ", commands=("ExecuteStatement",))
    members = {"TransactionId": "a" * 22, "Statement": "SELECT * FROM T"}
    with pytest.raises(QldbError) as error:
        session.send("ExecuteStatement", **members)
    assert error.value.message == "No open transaction"


@pytest.mark.parametrize(
    ("options", "statement", "expected"),
    [
        ({"ledger": "cars"}, "SELECT * FROM T", True),
        ({"ledger": "boats"}, "SELECT * FROM T", False),
        ({"table": "T"}, "SELECT * FROM T", True),
        ({"table": "T"}, "SELECT * FROM U", False),
        ({"table": "T"}, "SELECT * FROM history(T)", True),
        ({"table": "T"}, "INSERT INTO T VALUE {'a': 1}", True),
        ({"statement": "(?i)^select .* from u"}, "SELECT * FROM U", True),
        ({"statement": "(?i)^select .* from u"}, "SELECT * FROM T", False),
        ({"statement": "FROM", "table": "U", "ledger": "cars"}, "SELECT * FROM U", True),
        ({"table": "T"}, "SELECT FROM nothing at all", False),
    ],
)
@pytest.mark.parametrize("command", ["ExecuteStatement", "CommitTransaction"])
def test_rules_choose_by_ledger_table_and_statement(
    emulator: Emulator, session: LocalSession, options: dict[str, Any], statement: str, expected: bool, command: str
) -> None:
    add(emulator, "internal-failure", commands=(command,), **options)
    transaction = session.begin()
    found = outcome(transaction.execute, statement)
    if command == "CommitTransaction":
        found = outcome(transaction.commit)
    assert (found == "InternalFailure") == expected


def test_latency_passes_and_adds_up(emulator: Emulator, session: LocalSession) -> None:
    add(emulator, "latency", latency_ms=700)
    add(emulator, "latency", latency_ms=300, commands=("StartTransaction",))
    before = emulator.clock.monotonic()
    session.begin()
    assert emulator.clock.monotonic() - before == pytest.approx(1, abs=0.05)


def test_latency_longer_than_a_transaction_lets_it_expire(emulator: Emulator, session: LocalSession) -> None:
    transaction = session.begin()
    add(emulator, "latency", latency_ms=31_000, commands=("CommitTransaction",))
    with pytest.raises(QldbError) as error:
        transaction.commit()
    assert error.value.message == f"Transaction {transaction.id} has expired"


def test_a_seeded_probability_strikes_the_same_requests_every_time(emulator: Emulator, session: LocalSession) -> None:
    def pattern(seed: str) -> list[str]:
        rule = add(emulator, "occ", probability=0.5, seed=seed)
        found = [outcome(session.run, *INSERT) for _ in range(40)]
        emulator.faults.clear(rule["id"])
        return found

    first = pattern("one")
    assert pattern("one") == first
    assert pattern("two") != first
    assert 8 <= first.count("ok") <= 32


def test_chance_is_spread_evenly() -> None:
    assert 0 <= chance("\ud800", 1) < 1  # JSON can hold what UTF-8 cannot
    numbers = [chance("seed", number) for number in range(2_000)]
    assert all(0 <= number < 1 for number in numbers)
    assert 0.47 < sum(numbers) / len(numbers) < 0.53


def test_rules_are_listed_and_cleared(emulator: Emulator, session: LocalSession) -> None:
    first, second = add(emulator, "occ"), add(emulator, "drop-before")
    assert [rule["id"] for rule in emulator.faults.list()] == [first["id"], second["id"]]
    assert emulator.faults.clear(first["id"]) == 1
    assert outcome(emulator.faults.clear, first["id"]) == "AdminNotFoundException"
    assert emulator.faults.clear() == 1
    assert outcome(session.run, *INSERT) == "ok"


@pytest.mark.parametrize(
    "rule",
    [
        Rule("no-such-kind"),
        Rule("occ", commands=("StartSession",)),
        Rule("occ", count=0),
        Rule("occ", probability=1.5),
        Rule("occ", probability=float("nan")),
        Rule("occ", latency_ms=5),
        Rule("latency"),
        Rule("latency", latency_ms=-1),
        Rule("occ", statement="("),
    ],
    ids=lambda rule: f"{rule.kind} {rule.commands} {rule.count} {rule.probability} {rule.latency_ms} {rule.statement}",
)
def test_a_rule_that_makes_no_sense_is_refused(emulator: Emulator, rule: Rule) -> None:
    assert outcome(emulator.faults.add, rule, emulator.ids.new_id) == "AdminRequestException"
    assert emulator.faults.rules == []


def test_the_table_of_kinds_names_commands_of_the_api() -> None:
    for kind in KINDS.values():
        assert set(kind.usual) <= set(kind.commands) <= set(ALL_COMMANDS)


def test_every_kind_is_in_the_page_and_in_the_help() -> None:
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    text = " ".join(CliRunner().invoke(main, ["fault", "add", "--help"]).output.replace("-\n", "-").split())
    text = text.replace("- ", "-")
    assert [kind for kind in KINDS if f"| `{kind}` |" not in page or kind not in text] == []


def test_a_session_limit_says_its_number() -> None:
    with new_emulator(Limits(sessions_per_ledger=1)) as emulator:
        session = new_ledger(emulator)
        session.begin()
        with pytest.raises(QldbError) as error:
            LocalSession(emulator, "cars").begin()
        assert (error.value.shape, error.value.message) == (
            "LimitExceededException",
            "Exceeded the session limit of 1",
        )
