"""Scripts: where statements end, and when one is not finished."""

from __future__ import annotations

import pytest

from qldb_emulator.partiql.syntax.script import is_unfinished, split_statements


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" ;; -- x\n", []),
        ("a", [("a", 1, 1)]),
        ("a; b ;\n c", [("a", 1, 1), ("b", 1, 4), ("c", 2, 2)]),
        ("'x;''y'; \"q;\"; `{s:\";\"}`", [("'x;''y'", 1, 1), ('"q;"', 1, 10), ('`{s:";"}`', 1, 16)]),
        ("-- one; two\na /* ; */ b;\n\nc", [("a /* ; */ b", 2, 1), ("c", 4, 1)]),
        ("a; 'open ; b", [("a", 1, 1), ("'open ; b", 1, 4)]),
    ],
    ids=["nothing", "blank", "one", "three", "semicolons in literals", "comments", "string not closed"],
)
def test_a_script_is_split_at_its_semicolons(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert [tuple(part) for part in split_statements(text).all()] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM", True),
        ("SELECT * FROM t WHERE", True),
        ("INSERT INTO t {'a': [1,", True),
        ("INSERT INTO t {'a': 'x", True),
        ("SELECT * FROM t", False),
        ("SELECT ** FROM t", False),
        ("SELECT * FROM t WHERE x = = 1", False),
    ],
)
def test_only_a_statement_that_more_text_could_finish_is_unfinished(text: str, expected: bool) -> None:
    assert is_unfinished(text) is expected
