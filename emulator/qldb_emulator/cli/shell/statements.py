"""Text to parts: what the shell runs one after another, each a statement or a command of the shell.

Two ways to read:

* with semicolons: a statement ends with ``;`` (or the end of the text) and may have several lines;
* in line mode, as AWS's shell 2.0 read: a line is a statement, with or without ``;``.  A statement goes on in the next
  line only while a bracket is open.

A command of the shell stands on a line of its own in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ...partiql.syntax.lexer import lexemes
from ...partiql.syntax.script import split_statements

IsCommand = Callable[[str], bool]
_OPEN = {"(": 1, "[": 1, "{": 1, "<<": 1, ")": -1, "]": -1, "}": -1, ">>": -1}


class Part(NamedTuple):
    """A statement or a command.  line, column: of its first character, from 1."""

    text: str
    line: int
    column: int = 1


def parts(lines: Iterable[str], is_command: IsCommand, is_line_mode: bool) -> Iterator[tuple[Part, ...]]:
    """The parts of each line or group of lines, as soon as they are whole.

    The parts of one tuple belong together in line mode: AWS's shell skipped what stood behind an error on a line.
    """
    return _by_line(lines, is_command) if is_line_mode else _by_semicolon(lines, is_command)


def _by_semicolon(lines: Iterable[str], is_command: IsCommand) -> Iterator[tuple[Part, ...]]:
    block: list[str] = []
    begins = 1
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        # Splitting looks at the whole block, so it is done only where a statement or a command may begin or end.
        may_end = is_command(text.strip()) or ";" in text
        if is_command(text.strip()) and split_statements("\n".join(block)).rest is None:
            if block:
                yield _statements(block, begins)
                block = []
            yield (Part(text.strip(), number),)
            continue
        if not block:
            begins = number
        block.append(text)
        if may_end and split_statements("\n".join(block)).rest is None:
            yield _statements(block, begins)
            block = []
    if block:
        yield _statements(block, begins)


def _by_line(lines: Iterable[str], is_command: IsCommand) -> Iterator[tuple[Part, ...]]:
    block: list[str] = []
    begins = 1
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not block and is_command(text.strip()):
            yield (Part(text.strip(), number),)
            continue
        if not block:
            begins = number
        block.append(text)
        if not has_open_bracket("\n".join(block)):
            yield _statements(block, begins)
            block = []
    if block:
        yield _statements(block, begins)


def _statements(block: list[str], begins: int) -> tuple[Part, ...]:
    script = split_statements("\n".join(block))
    return tuple(Part(found.text, begins + found.line - 1, found.column) for found in script.all())


def has_open_bracket(text: str) -> bool:
    """Whether a bracket is opened that is not closed."""
    return sum(_OPEN.get(lexeme or "", 0) for lexeme, _, _ in lexemes(text)) > 0


def is_whole(text: str, is_command: IsCommand, is_line_mode: bool) -> bool:
    """Whether Enter at the prompt runs the text: it is a command, or ends with ``;`` or with an empty line."""
    if not text.strip() or is_command(text.strip()):
        return True
    if text.endswith("\n") or not text.splitlines()[-1].strip():
        return True
    if is_line_mode:
        return not has_open_bracket(text)
    script = split_statements(text)
    return bool(script.statements) and script.rest is None
