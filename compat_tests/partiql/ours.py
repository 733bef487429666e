"""The emulator's side of the comparison: a statement as an :class:`Answer`, by parser, planner and compiler."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from library import Answer, Request

sys.path.insert(0, str(Path(__file__).parents[2] / "emulator" / "tests"))

from helpers.partiql_support import MemoryLedger

from qldb_emulator.ion.codec import dumps_text, loads
from qldb_emulator.ion.values import Annotated, IonValue, Sexp, Symbol, struct_items
from qldb_emulator.partiql.execution.compiler import evaluate
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.language.values import MISSING, Bag
from qldb_emulator.partiql.planning.planner import plan
from qldb_emulator.partiql.syntax.parser import parse


class Ours:
    """tables: Ion text, a struct of lists of documents."""

    def __init__(self, tables: str) -> None:
        self._ledger = MemoryLedger()
        for name, documents in struct_items(loads(tables)):
            self._ledger.add_table(name, *documents)

    def ask(self, request: Request) -> Answer:
        """The answer to a statement; an exception that is no PartiqlError is a fault of ours and passes through."""
        try:
            statement = parse(request.statement)
            if request.is_parsed_only:
                return Answer(value="null")
            planned = plan(statement, self._ledger.catalogue)
            parameters = () if request.parameters == "[]" else loads(request.parameters)
            return Answer(value=text_of(evaluate(planned, parameters, self._ledger)))
        except PartiqlError as error:
            start = f"{error.category} Error: at line {error.pos.line}, column {error.pos.column}: "
            return Answer(
                None, error.category, error.pos.line, error.pos.column, start + error.generated, error.thrown or ""
            )


def text_of(value: IonValue) -> str:
    """A value of the language as Ion text, written like the library's side writes it."""
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts)


def _write(value: IonValue, parts: list[str]) -> None:
    if type(value) is Annotated:
        parts.extend([dumps_text(Symbol(name)) + "::" for name in value.annotations])
        value = value.value
    if value is MISSING:
        parts.append("$missing::null")
    elif isinstance(value, dict):
        parts.append("{")
        for number, (name, part) in enumerate(struct_items(value)):
            parts.append(("," if number else "") + dumps_text(str(name)) + ":")
            _write(part, parts)
        parts.append("}")
    elif type(value) is Sexp:
        _sequence(value, "(", " ", ")", parts)
    elif type(value) is Bag:
        _sequence(value, "$bag::[", ",", "]", parts)
    elif isinstance(value, list):
        _sequence(value, "[", ",", "]", parts)
    else:
        parts.append(dumps_text(value))


def _sequence(values: list[IonValue], begin: str, between: str, end: str, parts: list[str]) -> None:
    parts.append(begin)
    for number, value in enumerate(values):
        if number:
            parts.append(between)
        _write(value, parts)
    parts.append(end)


def normal(text: str) -> str:
    """A value's text in one notation, whichever writer wrote it; what counts in Ion stays: types, scale, order."""
    return "".join(_normal(loads(text)))


def _normal(value: IonValue) -> Iterator[str]:
    yield text_of(value)
