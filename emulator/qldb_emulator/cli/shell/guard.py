"""Statements that change or remove more than was perhaps meant."""

from __future__ import annotations

from ...partiql.language.errors import PartiqlError
from ...partiql.syntax.ast import Delete, DropTable, Update
from ...partiql.syntax.parser import parse


def danger(statement: str) -> str | None:
    """What a statement would destroy, as the beginning of a sentence; None for every other statement.

    A statement with a mistake destroys nothing: the server refuses it.
    """
    try:
        parsed = parse(statement)
    except PartiqlError:
        return None
    if isinstance(parsed, Delete) and parsed.where is None:
        return "DELETE without WHERE deletes every document"
    if isinstance(parsed, Update) and parsed.where is None:
        return "An update without WHERE changes every document"
    if isinstance(parsed, DropTable):
        return f"DROP TABLE makes the table {parsed.name} inactive"
    return None
