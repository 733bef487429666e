"""The text and the code of a PartiQL error."""

from __future__ import annotations

import pytest

from qldb_emulator.partiql.language.errors import CODES, Category, PartiqlError
from qldb_emulator.partiql.syntax.ast import Pos


def test_the_text_is_the_recorded_one_of_the_service() -> None:
    name = "No such variable named 'NonExistentTable'"
    error = PartiqlError("Semantic", Pos(1, 13), name, name)
    assert str(error) == (
        "Semantic Error: at line 1, column 13: "
        "No such variable named 'NonExistentTable'; No such variable named 'NonExistentTable'"
    )


def test_without_a_second_sentence_there_is_no_semicolon() -> None:
    assert str(PartiqlError("Lexer", Pos(2, 3), "invalid character at, <EOF>")) == (
        "Lexer Error: at line 2, column 3: invalid character at, <EOF>"
    )


@pytest.mark.parametrize(
    ("category", "code"), [("Semantic", "432"), ("Lexer", "400"), ("Parser", "400"), ("Evaluator", "400")]
)
def test_a_category_has_its_code(category: Category, code: str) -> None:
    assert PartiqlError(category, Pos(1, 1), "x").code == code


def test_only_the_code_of_semantic_errors_was_recorded() -> None:
    assert [name for name, code in CODES.items() if code.source == "recorded"] == ["Semantic"]


def test_a_code_of_its_own_wins() -> None:
    assert PartiqlError("Semantic", Pos(1, 1), "x", code="412").code == "412"
