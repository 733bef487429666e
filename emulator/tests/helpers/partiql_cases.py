"""Reads the cases of partiql-tests (the sibling folder shared/) and runs them through parser, planner and compiler.

The globals of a case's environment are no tables but values: they are bound as constants of the plan.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers.partiql_support import MemoryLedger
from qldb_emulator.ion.codec import dumps_text, load_all
from qldb_emulator.ion.values import (
    Annotated,
    IonValue,
    Sexp,
    Timestamp,
    TypedNull,
    ion_type,
    struct_items,
    struct_of,
)
from qldb_emulator.partiql.execution.compiler import evaluate
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.language.values import MISSING, Bag
from qldb_emulator.partiql.planning.catalogue import Catalogue
from qldb_emulator.partiql.planning.planner import plan
from qldb_emulator.partiql.syntax.parser import parse


@dataclass(frozen=True)
class Case:
    """One statement of one case.

    file: path inside the suite.  modes: what the assertion says for "EvalModeCoerce" and "EvalModeError": a pair
    (result, output); result is EvaluationSuccess, EvaluationFail, SyntaxSuccess, SyntaxFail or StaticAnalysisFail.
    """

    file: str
    name: str
    statement: str
    environment: dict[str, IonValue] = field(compare=False)
    modes: dict[str, tuple[str, Any]] = field(compare=False)

    @property
    def key(self) -> str:
        return f"{self.file}: {self.name}: {self.statement}"


def read_cases(root: Path) -> list[Case]:
    """Return every case of every file under a folder."""
    cases: list[Case] = []
    for path in sorted(root.rglob("*.ion")):
        values = list(load_all(path.read_text(encoding="utf-8")))
        cases.extend(_of_scope(values, str(path.relative_to(root)), {}, {}))
    return cases


def _of_scope(
    values: list[IonValue], file: str, environment: dict[str, IonValue], classes: dict[str, list[str]]
) -> Iterator[Case]:
    """Yield the cases of a namespace; its environments and equivalence classes hold for the whole of it."""
    environment, classes = dict(environment), dict(classes)
    for value in values:
        if isinstance(value, Annotated) and value.annotations == ("envs",):
            environment.update({name: language_value(part) for name, part in struct_items(value.value)})
        elif isinstance(value, Annotated) and value.annotations == ("equiv_class",):
            classes[str(value.value["id"])] = [str(text) for text in value.value["statements"]]
    for value in values:
        bare = value.value if isinstance(value, Annotated) else value
        if isinstance(bare, list):
            yield from _of_scope(bare, file, environment, classes)
        elif isinstance(bare, dict) and "assert" in bare:
            own = {name: language_value(part) for name, part in struct_items(bare.get("env", {}))}
            modes = dict(_modes(bare["assert"]))
            text = str(bare["statement"])
            for statement in classes.get(text, [text]):
                yield Case(file, str(bare["name"]), statement, {**environment, **own}, modes)


def _modes(assertion: IonValue) -> Iterator[tuple[str, tuple[str, Any]]]:
    for part in assertion if isinstance(assertion, list) else [assertion]:
        modes = part.get("evalMode", ["EvalModeCoerce", "EvalModeError"])
        output = language_value(part["output"]) if "output" in part else None
        for mode in modes if isinstance(modes, list) else [modes]:
            yield str(mode), (str(part["result"]), output)


def language_value(value: IonValue) -> Any:
    """Return a value of the suite as a value of the language: ``$bag::[]`` is a bag, ``$missing::null`` is MISSING."""
    if isinstance(value, Annotated):
        if value.annotations == ("$missing",):
            return MISSING
        if value.annotations == ("$bag",):
            return Bag(language_value(part) for part in value.value)
        if value.annotations == ("$ion",):  # only says that the value is Ion's own, as all of ours are
            return language_value(value.value)
        return Annotated(value.annotations, language_value(value.value))
    if isinstance(value, Sexp):
        return Sexp(language_value(part) for part in value)
    if isinstance(value, list):
        return [language_value(part) for part in value]
    if isinstance(value, dict):
        return struct_of((name, language_value(part)) for name, part in struct_items(value))
    return value


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    kind: "passed" (as the permissive mode expects), "strict" (a type mistake is an error, as the other mode expects),
    "deviation" (as the list of deviations says), "refused" (outside the dialect, with an error that says so) or
    "failed".  detail: what happened, for people; for deviations and refusals the reason.
    """

    case: Case
    kind: str
    detail: str


class Judge:
    """Decides about cases by the lists in a data file (see ``spec/partiql_conformance.json``)."""

    # What is outside the dialect is refused before anything is evaluated, unless its row of the list says otherwise.
    REFUSED = "(Lexer|Parser) Error: "

    def __init__(self, path: Path) -> None:
        lists = json.loads(path.read_text(encoding="utf-8"))
        before = r"""(?<![\w"'.])"""
        self.outside = [
            (
                entry["reason"],
                re.compile(f"{before}(?:{entry['statement']})", re.IGNORECASE | re.DOTALL),
                re.compile(entry.get("error", self.REFUSED)),
            )
            for entry in lists["outside"]
        ]
        self.deviations: dict[str, tuple[str, str]] = {}
        for entry in lists["deviations"]:
            statements = entry["statements"]
            for statement in statements:
                gives = statements[statement] if isinstance(statements, dict) else entry["gives"]
                self.deviations[statement] = (entry["reason"], gives)
        self.sources = {entry["reason"]: entry["source"] for entry in lists["deviations"]}

    def judge(self, case: Case) -> Outcome:
        """Run a case.  Anything raised but PartiqlError is the runner's failure too."""
        try:
            value, error = value_of(case), None
        except PartiqlError as raised:
            value, error = None, raised
        shown = str(error) if error else text_of(value)
        permissive = case.modes.get("EvalModeCoerce") or case.modes["EvalModeError"]
        if error:  # also where the suite expects one: it is not for the reason that the case is about
            for reason, pattern, refusal in self.outside:
                if pattern.search(case.statement) and refusal.match(shown):
                    return Outcome(case, "refused", reason)
        if self._fits(permissive, case, value, error):
            return Outcome(case, "passed", shown)
        strict = case.modes.get("EvalModeError", ("", None))[0]
        if error and error.category in ("Evaluator", "Semantic") and strict == "EvaluationFail":
            return Outcome(case, "strict", shown)
        reason, gives = self.deviations.get(" ".join(case.statement.split()), ("", None))
        if gives is not None and gives == ("error" if error else shown):
            return Outcome(case, "deviation", reason)
        return Outcome(case, "failed", f"expected {permissive[0]} {text_of(permissive[1])}, got {shown}")

    def _fits(self, expected: tuple[str, Any], case: Case, value: Any, error: PartiqlError | None) -> bool:
        result, output = expected
        if result == "EvaluationSuccess":
            return error is None and same(output, value)
        if result == "SyntaxSuccess":
            try:
                parse(case.statement)
            except PartiqlError:
                return False
            return True
        return error is not None


def text_of(value: Any) -> str:
    """Return a value of the language as the suite writes it: ``$bag::[]``, and ``$missing::null``."""
    return dumps_text(_written(value))


def _written(value: Any) -> IonValue:
    if value is MISSING:
        return Annotated(("$missing",), None)
    if isinstance(value, Annotated):
        return Annotated(value.annotations, _written(value.value))
    if isinstance(value, Bag):
        return Annotated(("$bag",), [_written(part) for part in value])
    if isinstance(value, Sexp):
        return Sexp(_written(part) for part in value)
    if isinstance(value, list):
        return [_written(part) for part in value]
    if isinstance(value, dict):
        return struct_of((name, _written(part)) for name, part in struct_items(value))
    return value


def value_of(case: Case) -> Any:
    """Return the value of a case's statement.  Raises PartiqlError when it is refused or fails."""
    program_plan = plan(parse(case.statement), Catalogue(), case.environment)
    return evaluate(program_plan, (), MemoryLedger())


def same(expected: Any, actual: Any) -> bool:
    """Whether a result is the expected one: the same kinds of values, numbers by value, bags in any order."""
    if isinstance(expected, Annotated) or isinstance(actual, Annotated):
        return (
            isinstance(expected, Annotated)
            and isinstance(actual, Annotated)
            and expected.annotations == actual.annotations
            and same(expected.value, actual.value)
        )
    if _kind(expected) != _kind(actual):
        return False
    if isinstance(expected, Bag):
        return _same_unordered(expected, actual)
    if isinstance(expected, list):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    if isinstance(expected, dict):
        pairs = [[[name, value] for name, value in struct_items(struct)] for struct in (expected, actual)]
        return _same_unordered(pairs[0], pairs[1])
    if isinstance(expected, Timestamp):
        return expected.instant() == actual.instant()
    return bool(expected == actual) or (expected != expected and actual != actual)


def _same_unordered(expected: list[Any], actual: list[Any]) -> bool:
    rest = list(actual)
    for value in expected:
        found = next((i for i, other in enumerate(rest) if same(value, other)), None)
        if found is None:
            return False
        del rest[found]
    return not rest


def _kind(value: Any) -> str:
    if value is MISSING:
        return "missing"
    if isinstance(value, Bag):
        return "bag"
    if value is None or isinstance(value, TypedNull):
        return "null"
    name = ion_type(value)
    return "number" if name in ("int", "decimal", "float") else name
