"""Statements that programs sent to QLDB: all parse; what QLDB refused for its syntax is refused, in its words.

The corpus is the sibling folder shared/statements.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from helpers.support import SHARED, needs_shared

from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.syntax.parser import parse
from qldb_emulator.partiql.syntax.printer import to_text
from qldb_emulator.partiql.syntax.reserved import RESERVED_WORDS

pytestmark = needs_shared

NOT_STATEMENTS = {  # what the collection took for a statement
    "From here, click the button to add your data:": "a sentence of a web page",
}


def corpus() -> list[dict[str, str]]:
    if not SHARED.is_dir():
        return []
    entries: list[dict[str, str]] = json.loads((SHARED / "statements/statements.json").read_text("utf-8"))
    return [entry for entry in entries if entry["statement"] not in NOT_STATEMENTS]


def statement_of(entry: dict[str, str]) -> str:
    """Return the text as it was sent: one Python source continued its lines with backslashes."""
    return entry["statement"].replace("\\ ", " ") if "fixtures.py" in entry["source"] else entry["statement"]


def expecting(what: str) -> list[Any]:
    entries = [entry for entry in corpus() if entry["expect"] == what]
    return [pytest.param(statement_of(entry), id=entry["statement"][:60]) for entry in entries]


def talk() -> list[Any]:
    if not SHARED.is_dir():
        return []
    found: dict[str, Any] = json.loads((SHARED / "statements/talk.json").read_text("utf-8"))
    texts = [entry["statement"] for key in ("cars", "nested") for entry in found[key]]
    return [pytest.param(text, id=text[:60]) for text in [*texts, *found["ion_documents"]]]


@pytest.mark.parametrize("text", [*expecting("ok"), *talk()])
def test_a_statement_that_ran_on_qldb_parses_and_prints_to_itself(text: str) -> None:
    tree = parse(text)
    again = parse(to_text(tree))
    assert tree == again
    assert repr(tree) == repr(again)
    assert tree.parameter_count == again.parameter_count


SYNTAX_ERRORS = {
    "SELECT * FROM t ORDER BY name": "at line 1, column 17: unexpected token found, KEYWORD : order; ",
    "SELECT * FROM t LIMIT 10": "at line 1, column 17: unexpected token found, KEYWORD : limit; ",
    "SELECT * FROM Vehicle AS v WHERE v.VIN = '1N4AL11D75C109151' AND": (  # on AWS the AND stood on line 3
        "at line 1, column 62: expected expression, OPERATOR : and; "
        "Missing right-hand side expression of infix operator"
    ),
}


@pytest.mark.parametrize("text", expecting("error"))
def test_a_statement_that_failed_on_qldb_is_refused_here_when_its_syntax_is_wrong(text: str) -> None:
    message = SYNTAX_ERRORS.get(text)
    if message is None:  # wrong in its names or values, which is not for the parser to see
        parse(text)
    else:
        with pytest.raises(PartiqlError, match=re.escape(message)) as caught:
            parse(text)
        assert caught.value.category == "Parser"


def test_every_syntax_error_of_the_corpus_was_tried() -> None:
    refused = {entry["statement"] for entry in corpus() if entry["expect"] == "error"}
    assert refused.issuperset(SYNTAX_ERRORS)


@pytest.mark.parametrize("text", expecting("unknown"))
def test_a_statement_of_unknown_fate_parses_or_is_refused_clearly(text: str) -> None:
    uses_reserved_word = re.search(r"\b(TABLE|UPDATE|FROM|INTO|ON) table\b", text, re.IGNORECASE)
    if uses_reserved_word or text.endswith("? ?"):
        with pytest.raises(PartiqlError) as caught:
            parse(text)
        assert caught.value.category == "Parser"
    else:
        parse(text)


def test_the_reserved_words_are_those_of_the_reference() -> None:
    section = (SHARED / "reference/partiql.md").read_text("utf-8").split("## 8. Reserved words")[1]
    listed = section[section.index("ABSOLUTE") :].split("\n\n")[0].split()
    assert set(listed) == RESERVED_WORDS
