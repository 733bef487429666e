"""An error's place in a statement, shown by a caret under the line."""

from __future__ import annotations

import re

from ..failure import visible
from .table import text_width

_PLACE = re.compile(r"at line (\d+), column (\d+)")


def place_in(message: str, statement: str) -> tuple[int, int] | None:
    """(line, column) that a server's message names, from 1; None if it names none inside the statement."""
    found = _PLACE.search(message)
    if found is None:
        return None
    line, column = int(found[1]), int(found[2])
    lines = statement.split("\n")
    if not 1 <= line <= len(lines) or column < 1:
        return None
    return line, min(column, len(lines[line - 1]) + 1)


def with_caret(message: str, statement: str, name: str = "", first_line: int = 1, first_column: int = 1) -> str:
    """The message, and below it the line at fault with a caret.

    name: of the file that the statement is from; the message then begins with file:line:column.  first_line and
    first_column: where the statement begins in it.
    """
    place = place_in(message, statement)
    line, column = place or (1, 1)
    in_file = (first_line + line - 1, first_column + column - 1 if line == 1 else column)
    if name:
        message = f"{name}:{in_file[0]}:{in_file[1]}: {message}"
    elif in_file[0] > 1:
        message = f"line {in_file[0]}: {message}"
    if place is None:
        return message
    text = statement.split("\n")[line - 1]
    before = visible(text[: column - 1]).replace("\t", " ")
    shown = visible(text).replace("\t", " ").rstrip()
    return f"{message}\n  {shown}\n  {' ' * text_width(before)}^"
