"""PartiQL queries evaluated as plainly as possible: a walk over the syntax tree with dictionaries of names.

No plan, no slots, no indexes, no laziness.  It shares the operators and functions on values with the engine (they have
their own tests) and nothing else: what is compared is name resolution, FROM, WHERE, projection and aggregates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from helpers.partiql_support import MemoryLedger
from qldb_emulator.ion.values import Annotated, IonValue, struct_items, struct_of
from qldb_emulator.partiql.execution.aggregates import make_accumulator
from qldb_emulator.partiql.language import semantics
from qldb_emulator.partiql.language.casts import cast
from qldb_emulator.partiql.language.functions import function_named
from qldb_emulator.partiql.language.values import MISSING, Bag
from qldb_emulator.partiql.planning.data import TableSource
from qldb_emulator.partiql.syntax import ast


@dataclass
class Names:
    """The variables of one SELECT for one row.  written: the names that were written as aliases."""

    outer: Names | None = None
    values: dict[str, Any] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    source_count: int = 0
    first: Any = MISSING
    rows: list[Names] | None = None  # all rows, in the select list of an aggregate query


class Unknown(Exception):
    """A name that means nothing."""


class Reference:
    def __init__(self, ledger: MemoryLedger, parameters: tuple[IonValue, ...] = ()) -> None:
        self.ledger = ledger
        self.parameters = parameters

    def statement(self, statement: ast.Query) -> list[Any]:
        """Return the rows of a query as values of the language."""
        node = statement.expression
        return list(self.select(node, None)) if isinstance(node, ast.Select) else [self.value(node, Names())]

    # --- Queries -------------------------------------------------------------------------------------------

    def select(self, node: ast.Select, outer: Names | None) -> Iterator[Any]:
        items = list(flat(node.source))
        rows = list(self.rows(items, Names(outer, source_count=len(items))))
        rows = [row for row in rows if node.where is None or semantics.is_true(self.value(node.where, row))]
        if node.value is not None:
            return iter([self.value(node.value, row) for row in rows])
        if any(holds_aggregate(item.value) for item in node.items):
            return iter([self.struct(node, items, Names(outer, rows=rows))])
        return iter([self.struct(node, items, row) for row in rows])

    def rows(self, items: list[tuple[ast.FromItem, ast.Expr | None]], names: Names, number: int = 0) -> Iterator[Names]:
        if number == len(items):
            yield names
            return
        item, condition = items[number]
        for value, at, document_id in self.source(item, names):
            row = Names(names.outer, dict(names.values), names.written, names.source_count, names.first)
            row.written |= {name for name in (item.alias, item.at, item.by) if name is not None}
            row.values[alias_of(item, number)] = value
            row.first = value if number == 0 else names.first
            if item.at is not None:
                row.values[item.at] = at
            if item.by is not None:
                row.values[item.by] = document_id
            if condition is None or semantics.is_true(self.value(condition, row)):
                yield from self.rows(items, row, number + 1)

    def source(self, item: ast.FromItem, names: Names) -> Iterator[tuple[Any, Any, Any]]:
        """Yield (value, AT, BY) of each element."""
        if isinstance(item.value, ast.Variable) and names.outer is None and not item.value.is_local:
            table = self.ledger.catalogue.active(item.value.name)
            if table is not None:
                for row in self.ledger.scan(TableSource("user", table)):
                    yield row.value, MISSING, row.document_id
                return
        value = self.value(item.value, Names(names.outer, names.values, names.written))
        bare = value.value if isinstance(value, Annotated) else value
        if item.is_unpivot:
            for name, part in semantics.fields(value):
                yield part, name, MISSING
        elif isinstance(bare, Bag):
            for part in bare:
                yield part, MISSING, MISSING
        elif type(bare) is list:
            for number, part in enumerate(bare):
                yield part, number, MISSING
        else:
            yield value, MISSING, MISSING

    def struct(self, node: ast.Select, items: list[tuple[ast.FromItem, ast.Expr | None]], row: Names) -> Any:
        pairs: list[tuple[str, Any]] = []
        if node.is_star:
            for number, (item, _) in enumerate(items):
                pairs += spread(row.values[alias_of(item, number)], len(pairs) + 1)
                pairs += [(extra, row.values[extra]) for extra in (item.at, item.by) if extra is not None]
        for position, part in enumerate(node.items, 1):
            value = self.value(part.value, row)
            if isinstance(part, ast.SelectAll):
                pairs += spread(value, len(pairs) + 1)
            else:
                pairs.append((column_name(part, position), value))
        return struct_of([(name, value) for name, value in pairs if value is not MISSING])

    # --- Expressions ---------------------------------------------------------------------------------------

    def value(self, node: ast.Expr | None, names: Names) -> Any:
        """Return the value of an expression."""

        def of(part: ast.Expr) -> Any:
            return self.value(part, names)

        match node:
            case None:
                return None
            case ast.Literal(value=value):
                return value
            case ast.Parameter(index=index):
                return self.parameters[index]
            case ast.Variable():
                return self.name(node, names)
            case ast.Path(root=root, steps=steps):
                return self.path(of(root), steps, of)
            case ast.Unary(operator=operator, operand=operand):
                return semantics.UNARY[operator](of(operand))
            case ast.Binary(operator=operator, left=left, right=right):
                first = of(left)
                return None if semantics.is_unknown(first) else semantics.BINARY[operator](first, of(right))
            case ast.Chain(operator=operator, operands=operands):
                return self.chain(operator, operands, names)
            case ast.Between(value=value, low=low, high=high, is_negated=negated):
                return (
                    semantics.not_below(of(value), of(low)) and semantics.not_above(of(value), of(high))
                ) is not negated
            case ast.In(value=value, collection=collection, is_negated=negated):
                return negate_if(negated, semantics.in_(of(value), of(collection)))
            case ast.Like(value=value, pattern=pattern, is_negated=negated):
                return negate_if(negated, semantics.like_match(of(value), semantics.like_pattern(of(pattern), None)))
            case ast.Is(value=value, type=type_name, is_negated=negated):
                return semantics.is_type(of(value), type_name.name) is not negated
            case ast.Cast(value=value, type=type_name):
                return cast(of(value), type_name.name)
            case ast.Case(operand=None, whens=whens, default=default):
                return next(
                    (of(then) for when, then in whens if semantics.is_true_when(of(when))), MISSING_CASE(default, of)
                )
            case ast.Call(name=name, arguments=arguments):
                return function_named(name).call(self.ledger, [of(argument) for argument in arguments])
            case ast.Aggregate():
                return self.aggregate(node, names)
            case ast.ListConstructor(items=items):
                return [of(item) for item in items]
            case ast.BagConstructor(items=items):
                return Bag([of(item) for item in items])
            case ast.StructConstructor(fields=fields):
                pairs = [(of(name), of(value)) for name, value in fields]
                return struct_of([(str(name), value) for name, value in pairs if value is not MISSING])
            case ast.Select():
                return Bag(self.select(node, names))
        raise AssertionError(f"the reference does not know {type(node).__name__}")

    def chain(self, operator: str, operands: tuple[ast.Expr, ...], names: Names) -> Any:
        result = self.value(operands[0], names)
        for operand in operands[1:]:
            decided = {"AND": False, "OR": True}.get(operator)
            if decided is not None and semantics.truth(result) is decided:
                return decided
            result = semantics.BINARY[operator](result, self.value(operand, names))
        return result

    def name(self, node: ast.Variable, names: Names) -> Any:
        at: Names | None = names
        while at is not None:
            if node.name in at.values:
                return at.values[node.name]
            lowered = [name for name in at.written if name.lower() == node.name.lower()]
            if lowered and not node.is_quoted:
                return at.values[lowered[0]]
            at = at.outer
        at = names
        if at.source_count != 1 or at.outer is not None:
            raise Unknown(node.name)
        return step(at.first, ast.FieldStep(node.name, node.is_quoted))

    def path(self, value: Any, steps: tuple[ast.Step, ...], of: Callable[[ast.Expr], Any]) -> Any:
        if not steps:
            return value
        first, rest = steps[0], steps[1:]
        if isinstance(first, ast.FieldsStep):
            parts = [self.path(part, rest, of) for _, part in semantics.fields(value)]
            return Bag(parts if not rest else [each for part in parts for each in semantics.elements(part)])
        if isinstance(first, ast.ElementsStep):
            parts = [self.path(part, rest, of) for part in semantics.elements(value)]
            is_flat = not any(isinstance(step, ast.ElementsStep) for step in rest)
            return Bag(parts if is_flat else [each for part in parts for each in semantics.parts(part)])
        if isinstance(first, ast.IndexStep):
            return self.path(semantics.index(value, of(first.index)), rest, of)
        return self.path(step(value, first), rest, of)

    def aggregate(self, node: ast.Aggregate, names: Names) -> Any:
        accumulator = make_accumulator(node.name, node.is_distinct, node.argument is None)
        assert names.rows is not None
        for row in names.rows:
            accumulator.add(True if node.argument is None else self.value(node.argument, row))
        return accumulator.result()


def MISSING_CASE(default: ast.Expr | None, of: Callable[[ast.Expr], Any]) -> Any:
    return None if default is None else of(default)


def step(value: Any, part: ast.FieldStep) -> Any:
    bare = value.value if isinstance(value, Annotated) else value
    if not isinstance(bare, dict):
        return MISSING
    for name, found in struct_items(bare):
        if name == part.name:
            return found
    for name, found in struct_items(bare):
        if name.lower() == part.name.lower() and not part.is_quoted:
            return found
    return MISSING


def spread(value: Any, position: int) -> list[tuple[str, Any]]:
    bare = value.value if isinstance(value, Annotated) else value
    if value is MISSING:
        return []
    return list(struct_items(bare)) if isinstance(bare, dict) and bare else [(f"_{position}", value)]


def negate_if(is_negated: bool, value: Any) -> Any:
    return semantics.not_(value) if is_negated else value


def flat(source: ast.Source) -> Iterator[tuple[ast.FromItem, ast.Expr | None]]:
    if isinstance(source, ast.Join):
        yield from flat(source.left)
        yield source.right, source.condition
    else:
        yield source, None


def alias_of(item: ast.FromItem, number: int) -> str:
    return item.alias or name_of(item.value) or f"_{number + 1}"


def column_name(item: ast.SelectItem, position: int) -> str:
    return item.alias or name_of(item.value) or f"_{position}"


def name_of(value: ast.Expr) -> str | None:
    if isinstance(value, ast.Variable):
        return value.name
    last = value.steps[-1] if isinstance(value, ast.Path) else None
    return last.name if isinstance(last, ast.FieldStep) else None


def holds_aggregate(node: Any) -> bool:
    if isinstance(node, ast.Select):
        return False
    if isinstance(node, ast.Aggregate):
        return True
    if isinstance(node, tuple):
        return any(holds_aggregate(part) for part in node)
    fields = getattr(node, "__dataclass_fields__", {})
    return any(holds_aggregate(getattr(node, name)) for name in fields)
