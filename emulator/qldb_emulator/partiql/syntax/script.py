"""Several statements in one text, as people keep them in files: separated by semicolons.

The separator is the tools' (ours): a statement itself never has one.
"""

from __future__ import annotations

from typing import NamedTuple

from ...records import dataclass
from ..language.errors import PartiqlError
from .lexer import lexemes
from .parser import parse


class ScriptStatement(NamedTuple):
    """line, column: of its first token, from 1."""

    text: str
    line: int
    column: int = 1


@dataclass(frozen=True, slots=True)
class Script:
    """rest: what stands behind the last semicolon, comments and blanks around it removed; empty when nothing does."""

    statements: tuple[ScriptStatement, ...]
    rest: ScriptStatement | None

    def all(self) -> tuple[ScriptStatement, ...]:
        """Every statement; the last needs no semicolon."""
        return self.statements if self.rest is None else (*self.statements, self.rest)


def split_statements(text: str) -> Script:
    """Split at the semicolons that are in no string, name, Ion literal or comment.

    Text that is not a token is left to the parser, with everything after it.
    """
    start = end = -1  # of the statement that is being read; -1: none is
    found: list[ScriptStatement] = []
    for lexeme, begin, stop in lexemes(text):
        if lexeme == ";":
            if start >= 0:
                found.append(_statement(text, start, end))
            start = -1
            continue
        if start < 0:
            start = begin
        if lexeme is None:  # the end, or nothing that begins a token, perhaps a string that is not closed
            if begin < len(text):
                end = len(text.rstrip())
            break
        end = stop
    rest = _statement(text, start, end) if start < end else None
    return Script(tuple(found), rest)


def _statement(text: str, start: int, end: int) -> ScriptStatement:
    return ScriptStatement(text[start:end], text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))


def is_unfinished(text: str) -> bool:
    """Whether more text could make a statement of this one: it ends too early, or inside a string or a bracket."""
    try:
        parse(text)
    except PartiqlError as error:
        before = text.splitlines()
        line, column = error.pos.line, error.pos.column
        return line > len(before) or (line == len(before) and column > len(before[-1].rstrip()))
    return False
