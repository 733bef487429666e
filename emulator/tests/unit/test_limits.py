"""The table of limits: options that change it, and the page that is generated from it."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace

import pytest
from helpers.local_driver import new_emulator, new_ledger
from helpers.support import ROOT

from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import dumps
from qldb_emulator.limits import RELAXED, STRICT, Limits, as_markdown, describe, is_lifted, with_limit
from qldb_emulator.wire.send_command import CommandReader


def test_a_limit_is_set_by_name() -> None:
    assert with_limit(STRICT, "transaction_documents=1000").transaction_documents == 1000
    assert with_limit(STRICT, " transaction_seconds = 0.5 ").transaction_seconds == 0.5
    assert is_lifted(with_limit(STRICT, "document_bytes=none").document_bytes)


@pytest.mark.parametrize(
    "assignment",
    [
        "nothing=1",
        "document_bytes",
        "document_bytes=",
        "document_bytes=1.5",
        "document_bytes=0",
        "page_values=-1",
        "=",
        "transaction_seconds=0",
        "transaction_seconds=nan",
        "transaction_seconds=inf",
        "ledgers_per_region=-1",
        "ion_depth=1000",
        "expression_depth=none",
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(assignment: str) -> None:
    with pytest.raises(ValueError, match=r"must be|is not name=value"):
        with_limit(STRICT, assignment)


def test_relaxed_lifts_quotas_and_keeps_what_protects_the_process() -> None:
    assert is_lifted(RELAXED.transaction_documents)
    assert (RELAXED.ion_depth, RELAXED.request_bytes, RELAXED.page_values) == (
        STRICT.ion_depth,
        STRICT.request_bytes,
        STRICT.page_values,
    )


def test_every_limit_has_a_unit_a_source_and_an_error() -> None:
    assert [name for name, _, unit, source, error in describe() if not (unit and source and error)] == []


def test_the_page_is_fresh() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    assert page == as_markdown(), "run scripts/docs"


# --- enforced: at the limit it works, one more is refused, lifted it works ------------------------------------------


def sized_document(size: int) -> dict[str, str]:
    """A document whose Ion binary has exactly this many bytes."""
    text = "x" * size
    while len(dumps({"a": text})) > size:
        text = text[:-1]
    assert len(dumps({"a": text})) == size
    return {"a": text}


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


# limit -> (value, what reaches it exactly, what is one beyond), each a list of (statement, parameters...)
Statements = list[tuple[object, ...]]
CASES: dict[str, tuple[int, Statements, Statements]] = {
    "statement_characters": (30, [("SELECT VALUE 1 FROM <<0>>     ",)], [("SELECT VALUE 1 FROM <<0>>      ",)]),
    "parameter_binary_bytes": (
        100,
        [("SELECT VALUE ? FROM <<0>>", sized_document(100))],
        [("SELECT VALUE ? FROM <<0>>", sized_document(101))],
    ),
    "document_bytes": (100, [("INSERT INTO T ?", sized_document(100))], [("INSERT INTO T ?", sized_document(101))]),
    "transaction_bytes": (
        300,
        [("INSERT INTO T ?", sized_document(200)), ("INSERT INTO T ?", sized_document(70))],
        [("INSERT INTO T ?", sized_document(200)), ("INSERT INTO T ?", sized_document(200))],
    ),
    "transaction_documents": (
        2,
        [("INSERT INTO T <<{'a': 1}, {'a': 2}>>",), ("UPDATE T SET a = 3",)],
        [("INSERT INTO T <<{'a': 1}, {'a': 2}>>",), ("INSERT INTO T {'a': 3}",)],
    ),
    "active_tables": (2, [("CREATE TABLE U",)], [("CREATE TABLE U",), ("CREATE TABLE V",)]),
    "total_tables": (
        2,
        [("DROP TABLE T",), ("CREATE TABLE T",)],
        [("DROP TABLE T",), ("CREATE TABLE T",), ("DROP TABLE T",), ("CREATE TABLE T",)],
    ),
    "indexes_per_table": (
        1,
        [("CREATE INDEX ON T (a)",)],
        [("CREATE INDEX ON T (a)",), ("CREATE INDEX ON T (b)",)],
    ),
    "table_name_characters": (3, [("CREATE TABLE abc",)], [("CREATE TABLE abcd",)]),
    "field_name_characters": (3, [("CREATE INDEX ON T (abc)",)], [("CREATE INDEX ON T (abcd)",)]),
    "tags_per_resource": (
        1,
        [("CREATE TABLE U WITH (aws_tags = `{'a': 'b'}`)",)],
        [("CREATE TABLE U WITH (aws_tags = `{'a': 'b', 'c': 'd'}`)",)],
    ),
}
# Limits that other tests hold: time, sessions, pages, depths, requests, connections, exports and streams, redactions,
# Ion text.
ELSEWHERE = {
    "transaction_seconds",
    "session_seconds",
    "sessions_per_ledger",
    "page_values",
    "page_bytes",
    "expression_depth",
    "ion_depth",
    "statement_memory_bytes",
    "request_bytes",
    "ledgers_per_region",
    "exports_per_ledger",
    "streams_per_ledger",
    "transaction_redactions",
    "parameter_text_characters",
    "connections",
}


def test_every_limit_is_tested() -> None:
    assert CASES.keys() | ELSEWHERE == {row[0] for row in describe()}


def holder(parameter: object) -> dict[str, str]:
    """Return a parameter on the wire; bytes stand for Ion text."""
    if isinstance(parameter, bytes):
        return {"IonText": parameter.decode()}
    return {"IonBinary": b64encode(dumps(parameter)).decode()}  # type: ignore[arg-type]


def outcome(limits: Limits, statements: Statements) -> str:
    """Run statements in one transaction, through the checks of the wire; the class of the last one's answer."""
    with new_emulator(limits) as emulator:
        session = new_ledger(emulator, permissions_mode="STANDARD")
        session.run("CREATE TABLE T")
        transaction = session.begin()
        reader = CommandReader(limits)
        for statement, *parameters in statements:
            members = {
                "TransactionId": transaction.id,
                "Statement": statement,
                "Parameters": [holder(parameter) for parameter in parameters],
            }
            try:
                parsed = reader.parse_send_command(
                    json.dumps({"SessionToken": session.token, "ExecuteStatement": members}).encode()
                )
                session.send(parsed.command, **parsed.members)
            except QldbError as error:
                return error.shape
        return "ok"


@pytest.mark.parametrize("name", CASES)
def test_a_limit_is_enforced_and_can_be_lifted(name: str) -> None:
    value, within, beyond = CASES[name]
    limits = replace(STRICT, **{name: value})
    expected = {row[0]: row[4] for row in describe()}[name]
    shapes = {"InvalidParameterException": "BadRequestException"}  # tags within a statement are the session API's
    assert outcome(limits, within) == "ok"
    assert outcome(limits, beyond) == shapes.get(expected, expected)
    assert outcome(with_limit(limits, f"{name}=none"), beyond) == "ok"


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        (("SELECT VALUE ? FROM <<0>>", nested(200)), ("SELECT VALUE ? FROM <<0>>", b"[" * 5000 + b"]" * 5000)),
        (
            ("SELECT VALUE " + "(" * 50 + "1" + ")" * 50 + " FROM <<0>>",),
            ("SELECT VALUE " + "(" * 5000 + "1" + ")" * 5000 + " FROM <<0>>",),
        ),
    ],
)
def test_depths_are_bounded(within: tuple[object, ...], beyond: tuple[object, ...]) -> None:
    assert outcome(STRICT, [within]) == "ok"
    assert outcome(STRICT, [beyond]) == "BadRequestException"
