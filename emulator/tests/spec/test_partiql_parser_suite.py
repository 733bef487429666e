"""Every statement of the PartiQL conformance suite (the sibling folder shared/partiql-tests) goes through the parser.

What the suite says is no PartiQL must be refused.  Any other statement must parse, and print to itself, unless it uses
something that QLDB had not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.support import SHARED, needs_shared

from qldb_emulator.ion.codec import load_all
from qldb_emulator.ion.values import strip_annotations
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.syntax.parser import parse
from qldb_emulator.partiql.syntax.printer import to_text

pytestmark = needs_shared

SUITE = SHARED / "partiql-tests" / "partiql-tests-data"
FILES = sorted(SUITE.rglob("*.ion")) if SUITE.is_dir() else []

# Words and characters that mark a statement as outside the dialect (partiql.md 1.3, 4.2, 4.3, 4.4).
NOT_IN_QLDB = re.compile(
    r"""\b(?: all | any | bigint | date | distinct | except | full | group | having | intersect | interval | left | let
          | limit | match | offset | order | outer | overlaps | pivot | placing | position | right | some | time
          | timestamp | union | values | with ) \b
        | \(\*\) | [~&!]""",
    re.VERBOSE | re.IGNORECASE,
)
# Refused by the library that QLDB ran, though later versions of the language have them.
NOT_THEN = {
    "{'a': 1, 'b': 1}.'a'": "a string as a step of a path",
    "cardinality([[], [1,2,3,4,[5,6], ()], ({'a': 1, 'b': 2})])": "an empty row",
}
IS_SELECT_WITHOUT_FROM = re.compile(r"^\s*SELECT\s(?!.*\bFROM\b)", re.DOTALL | re.IGNORECASE)


def statements(value: Any) -> Iterator[str]:
    value = strip_annotations(value)
    if isinstance(value, dict):
        if isinstance(value.get("statement"), str):
            yield value["statement"]
        for inner in value.values():
            yield from statements(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from statements(inner)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SUITE)))
def test_the_suites_statements_are_taken_or_refused_as_qldb_would(path: Path) -> None:
    must_fail = "fail/syntax" in path.as_posix()
    wrong = []
    for text in (each for value in load_all(path.read_bytes()) for each in statements(value)):
        try:
            tree = parse(text)
        except PartiqlError as error:
            is_fine = (
                must_fail
                or "fail/static-analysis" in path.as_posix()
                or NOT_IN_QLDB.search(text)
                or IS_SELECT_WITHOUT_FROM.match(text)
                or text in NOT_THEN
            )
            if not is_fine:
                wrong.append(f"{text} -> {error}")
        else:
            if must_fail or parse(to_text(tree)) != tree:
                wrong.append(f"{text} -> {tree}")
    assert wrong == []
