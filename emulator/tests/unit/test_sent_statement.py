"""The hashes of a sent statement: the same whenever they are computed, and no document is hashed twice."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.ion_strategies import values as ion_values
from hypothesis import given
from hypothesis import strategies as st

from qldb_emulator.engine.session import sent_statement as module
from qldb_emulator.engine.session.sent_statement import SentStatement
from qldb_emulator.ion.hash import hash_list, hash_value
from qldb_emulator.ion.values import Sexp
from qldb_emulator.journal.hashing import statement_digest

TEXT = "INSERT INTO T ?"


def sent(*parameters: Any) -> SentStatement:
    return SentStatement(TEXT, parameters)


@given(st.lists(ion_values()))
def test_a_list_and_its_elements_have_the_hashes_that_each_has_alone(values: list[Any]) -> None:
    assert hash_list(values) == (hash_value(values), [hash_value(value) for value in values])


@given(st.lists(ion_values(), max_size=4))
def test_the_digest_is_that_of_the_statement(parameters: list[Any]) -> None:
    statement = sent(*parameters)
    statement.compute_digest()
    assert statement.digest == statement_digest(TEXT, [hash_value(value) for value in parameters])


def test_a_parameter_and_an_element_of_a_list_are_found_by_what_they_are() -> None:
    first, second, alone = {"k": 1}, {"k": 1}, {"k": 1}
    statement = sent([first, second], alone)
    assert [statement.place_of(value) for value in (first, second, alone)] == [(0, 0), (0, 1), (1, None)]
    assert statement.place_of({"k": 1}) is None
    assert statement.hash_at((0, 1)) == statement.hash_at((1, None)) == hash_value({"k": 1})


def test_an_element_of_an_s_expression_is_no_document_of_its_own() -> None:
    element = {"k": 1}
    assert sent(Sexp([element])).place_of(element) is None


def test_each_parameter_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Any] = []

    def count(value: Any) -> bytes:
        hashed.append(value)
        return hash_value(value)

    monkeypatch.setattr(module, "hash_value", count)
    document = {"k": 1}
    statement = sent(document)
    for _ in range(2):
        statement.compute_digest()
        statement.hash_at((0, None))
    assert hashed == [document]
