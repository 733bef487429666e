"""Names to slots: what every name in an expression stands for.

The rules (the library's, ``StaticTypeVisitorTransform``; they explain every recorded error):

0. in a FROM source a table's name is the table, before any alias; ``@name`` is the alias, if there is one;
1. a name that is an alias in scope is that alias, innermost first.  If it is an alias of an outer query, a value of a
   query between that has a field of this name comes first: its field is taken.  FROM and ON do not look for fields;
2. else, when the FROM clause of the outermost query has exactly one source, the name is a field of that source,
   whatever tables exist;
3. else it is an error.  Only FROM sources of the outermost query reach tables; see ``planner``.

Aliases match exactly; an unquoted name that matches none exactly matches one that differs only in case, if that was
written as an alias.  The name of a table stands for its rows only as it is spelled: ``UPDATE Name SET name = ...`` is
about a field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Final

from ...ion.values import Annotated, IonValue
from ...records import dataclass, replace
from ..language import faults
from ..language.arithmetic import INT_MAX, INT_MIN
from ..language.errors import PartiqlError
from ..language.values import MISSING
from ..syntax import ast
from .plan import FIRST_FREE_SLOT, AggregateCall, Failure, OuterSlot, SelectPlan, Slot, Subquery


class Frame:
    """Hands out the slots of a statement."""

    def __init__(self) -> None:
        self.size = FIRST_FREE_SLOT

    def new(self) -> int:
        self.size += 1
        return self.size - 1


@dataclass(slots=True)
class Scope:
    """The variables of one SELECT (or DML statement), and those of the queries around it.

    depth: how many SELECTs (or DML statements) are around an expression here; 0 in a bare expression.
    implied: those of the variables that are no written aliases but names of tables or last steps of paths.
    unpivoted: those of UNPIVOT sources.
    source_count: how many sources its FROM clause has.  first: the value of the first.
    is_source: inside the expression of a FROM source, so rule 0 applies.
    is_body: FROM is behind us, so rules 1 and 2 look for fields.
    is_grouped: in the projection of an aggregate query, where the rows are gone and only aggregates remain.
    is_argument: inside the argument of an aggregate function.
    aggregates: where an aggregate function of a select list goes; None elsewhere.
    row_calls: where one of FROM and WHERE goes.  There it is a function of a collection, yet the library runs it over
    the rows as well, so that the query has one row (a quirk of all its versions).
    """

    parent: Scope | None = None
    depth: int = 1
    variables: dict[str, Slot] = field(default_factory=dict)
    implied: set[str] = field(default_factory=set)
    unpivoted: set[str] = field(default_factory=set)
    source_count: int = 0
    first: Slot | None = None
    is_source: bool = False
    is_body: bool = False
    is_grouped: bool = False
    is_argument: bool = False
    aggregates: list[AggregateCall] | None = None
    row_calls: list[AggregateCall] | None = None

    @property
    def is_nested(self) -> bool:
        return self.depth > 1

    def body(self) -> Scope:
        """This scope as WHERE, ON and the select list see it."""
        return replace(self, is_body=True)

    def find(self, name: str, is_quoted: bool) -> Slot | None:
        """The variable of this scope alone."""
        exact = self.variables.get(name)
        if exact is not None or is_quoted:
            return exact
        lowered = name.lower()
        for other, slot in self.variables.items():  # no two of them differ only in case
            if other.lower() == lowered and other not in self.implied:
                return slot
        return None


PlanSelect = Callable[[ast.Select, Scope], SelectPlan]


class Resolver:
    """Rewrites expressions.

    plan_select: how a nested SELECT becomes a plan.  is_table: whether a name is that of a table.
    whole_table: a table as the bag of its documents.
    constants: names bound to values outside any table (none in a ledger).
    """

    def __init__(
        self,
        plan_select: PlanSelect,
        frame: Frame,
        is_table: Callable[[str], bool],
        whole_table: Callable[[ast.Variable], ast.Expr],
        constants: Mapping[str, IonValue] | None = None,
    ) -> None:
        self._plan_select = plan_select
        self._frame = frame
        self._is_table = is_table
        self._whole_table = whole_table
        self._constants = constants or {}
        self.has_positions = False  # whether an index has been resolved
        # Errors that count only if no name is wrong: where int literals are too large, then the others.
        self.overflows: list[ast.Pos] = []
        self.late: list[PartiqlError] = []

    def resolve(self, node: ast.Expr, scope: Scope) -> ast.Expr:
        """The expression with every name bound.  Raises PartiqlError."""
        return _HANDLERS[type(node)](self, node, scope)

    def _all(self, nodes: tuple[ast.Expr, ...], scope: Scope) -> tuple[ast.Expr, ...]:
        return tuple([self.resolve(node, scope) for node in nodes])

    def _optional(self, node: ast.Expr | None, scope: Scope) -> ast.Expr | None:
        return None if node is None else self.resolve(node, scope)

    def _literal(self, node: ast.Literal, scope: Scope) -> ast.Expr:
        """An int literal has 64 bits (the library checks it before it runs anything); inside Ion literals it may be
        larger, and in parameters."""
        value = node.value.value if type(node.value) is Annotated else node.value
        if type(value) is int and not INT_MIN <= value <= INT_MAX:
            self.overflows.append(node.pos)
        return node

    # --- Names ---------------------------------------------------------------------------------------------

    def lexical(self, node: ast.Variable, scope: Scope | None) -> ast.Expr | None:
        """The variable of a name in this scope or one around it, None when there is none (rule 1)."""
        at = scope
        between: list[Slot] = []
        while at is not None:
            slot = at.find(node.name, node.is_quoted)
            if slot is not None:
                if at.is_grouped:
                    return _grouped(slot.name, node.pos, at, at is scope)
                outer = replace(slot, pos=node.pos)
                if not between:
                    return outer
                step = ast.FieldStep(node.name, node.is_quoted, pos=node.pos)
                return OuterSlot(outer, step, tuple(between), pos=node.pos)
            if at.is_body and not at.is_grouped:
                between.extend(at.variables.values())
            at = at.parent
        return None

    def constant(self, node: ast.Variable) -> ast.Literal | None:
        """A name bound to a value outside any table."""
        if not self._constants:
            return None
        if node.name in self._constants:
            return ast.Literal(self._constants[node.name], pos=node.pos)
        if not node.is_quoted:
            for name, value in self._constants.items():
                if name.lower() == node.name.lower():
                    return ast.Literal(value, pos=node.pos)
        return None

    def _variable(self, node: ast.Variable, scope: Scope) -> ast.Expr:
        is_global_first = scope.is_source and not node.is_local
        bound = self._global(node, scope) if is_global_first else None
        bound = bound or self.lexical(node, scope) or self.constant(node)
        if bound is not None:
            return bound
        source = self._only_source(node, scope)
        if source is not None:
            return ast.Path(source, (ast.FieldStep(node.name, node.is_quoted, pos=node.pos),), pos=node.pos)
        found = self._global(node, scope) if scope.is_source else None
        if found is not None:
            return found
        fault = faults.GLOBAL_NOT_ALLOWED if self._is_table(node.name) else faults.NO_SUCH_VARIABLE
        raise fault.at(node.pos, name=node.name)

    def _global(self, node: ast.Variable, scope: Scope) -> ast.Expr | None:
        """A constant or a table, inside the expression of a FROM source.  Raises PartiqlError in a nested query."""
        constant = self.constant(node)
        if constant is not None or not self._is_table(node.name):
            return constant
        if scope.is_nested:
            raise faults.GLOBAL_NOT_ALLOWED.at(node.pos, name=node.name)
        return self._whole_table(node)

    def _only_source(self, node: ast.Variable, scope: Scope) -> Slot | Failure | None:
        """The source that an unknown name is a field of (rule 2)."""
        if scope.is_nested or not scope.is_body or scope.source_count != 1 or scope.first is None:
            return None
        return (
            _grouped(scope.first.name, node.pos, scope, True)
            if scope.is_grouped
            else replace(scope.first, pos=node.pos)
        )

    def _path(self, node: ast.Path, scope: Scope) -> ast.Expr:
        root = self.resolve(node.root, scope)
        steps = tuple([self._step(step, scope) for step in node.steps])
        if isinstance(root, Subquery) and isinstance(node.root, ast.Variable) and isinstance(steps[0], ast.FieldStep):
            root, steps = ast.Literal(MISSING, pos=node.pos), steps[1:]  # ``T.l``: a bag of documents has no fields
            return ast.Path(root, steps, pos=node.pos) if steps else root
        if isinstance(root, ast.Path) and isinstance(node.root, ast.Variable):  # the root was a bare field
            return ast.Path(root.root, (*root.steps, *steps), pos=node.pos)
        return ast.Path(root, steps, pos=node.pos)

    def _step(self, step: ast.Step, scope: Scope) -> ast.Step:
        if not isinstance(step, ast.IndexStep):
            return step
        self.has_positions = True
        return replace(step, index=self.resolve(step.index, scope))

    # --- Operators -----------------------------------------------------------------------------------------

    def _unary(self, node: ast.Unary, scope: Scope) -> ast.Expr:
        return replace(node, operand=self.resolve(node.operand, scope))

    def _binary(self, node: ast.Binary, scope: Scope) -> ast.Expr:
        spine = [node]
        while isinstance(spine[-1].left, ast.Binary):  # 1 + 1 + 1 ... leans left: no recursion along it
            spine.append(spine[-1].left)
        result = self.resolve(spine[-1].left, scope)
        for part in reversed(spine):
            result = replace(part, left=result, right=self.resolve(part.right, scope))
        return result

    def _chain(self, node: ast.Chain, scope: Scope) -> ast.Expr:
        return replace(node, operands=tuple([self.resolve(operand, scope) for operand in node.operands]))

    def _between(self, node: ast.Between, scope: Scope) -> ast.Expr:
        return replace(
            node,
            value=self.resolve(node.value, scope),
            low=self.resolve(node.low, scope),
            high=self.resolve(node.high, scope),
        )

    def _in(self, node: ast.In, scope: Scope) -> ast.Expr:
        return replace(node, value=self.resolve(node.value, scope), collection=self.resolve(node.collection, scope))

    def _like(self, node: ast.Like, scope: Scope) -> ast.Expr:
        return replace(
            node,
            value=self.resolve(node.value, scope),
            pattern=self.resolve(node.pattern, scope),
            escape=self._optional(node.escape, scope),
        )

    def _one_value(self, node: ast.Is | ast.Cast, scope: Scope) -> ast.Expr:
        return replace(node, value=self.resolve(node.value, scope))

    def _case(self, node: ast.Case, scope: Scope) -> ast.Expr:
        return replace(
            node,
            operand=self._optional(node.operand, scope),
            whens=tuple([(self.resolve(when, scope), self.resolve(then, scope)) for when, then in node.whens]),
            default=self._optional(node.default, scope),
        )

    # --- Calls and constructors ----------------------------------------------------------------------------

    def _arguments(self, node: ast.Call | ast.DateCall, scope: Scope) -> ast.Expr:
        return replace(node, arguments=self._all(node.arguments, scope))

    def _trim(self, node: ast.Trim, scope: Scope) -> ast.Expr:
        characters = self._optional(node.characters, scope)
        return replace(node, characters=characters, value=self.resolve(node.value, scope))

    def _items(self, node: ast.ListConstructor | ast.BagConstructor | ast.SexpConstructor, scope: Scope) -> ast.Expr:
        return replace(node, items=self._all(node.items, scope))

    def _struct(self, node: ast.StructConstructor, scope: Scope) -> ast.Expr:
        fields = [(self.resolve(name, scope), self.resolve(value, scope)) for name, value in node.fields]
        return replace(node, fields=tuple(fields))

    # --- Queries -------------------------------------------------------------------------------------------

    def _select(self, node: ast.Select, scope: Scope) -> ast.Expr:
        return Subquery(self._plan_select(node, scope), pos=node.pos)

    def _history(self, node: ast.History, scope: Scope) -> ast.Expr:
        raise faults.HISTORY_NOT_IN_FROM.at(node.pos)

    def _aggregate(self, node: ast.Aggregate, scope: Scope) -> ast.Expr:
        """In a select list an aggregate function is over the rows, elsewhere it is over one collection."""
        is_over_rows = scope.aggregates is not None and not scope.is_argument
        if node.argument is None and not is_over_rows:
            self.late.append(faults.COUNT_STAR.at(node.pos))
            return ast.Literal(None, pos=node.pos)
        inner = replace(scope, is_grouped=scope.is_grouped and not is_over_rows, is_argument=True)
        argument = None if node.argument is None else self.resolve(node.argument, inner)
        if scope.is_argument:
            self.late.append(faults.NESTED_AGGREGATE.at(node.pos))
            return ast.Literal(None, pos=node.pos)
        if not is_over_rows:
            if scope.row_calls is not None:
                scope.row_calls.append(AggregateCall(self._frame.new(), node, argument))
            return replace(node, argument=argument)
        assert scope.aggregates is not None
        slot = self._frame.new()
        scope.aggregates.append(AggregateCall(slot, node, argument))
        return Slot(slot, node.name, pos=node.pos)


def _grouped(name: str, pos: ast.Pos, scope: Scope, is_own: bool) -> Failure:
    """A variable of a row where only aggregates of all rows remain.  is_own: it is named in the scope itself."""
    fault = faults.GROUPED_NAME if is_own and name not in scope.unpivoted else faults.UNBOUND_NAME
    return Failure(fault, name, pos=pos)


_HANDLERS: Final[Mapping[type[ast.Expr], Callable[[Resolver, Any, Scope], ast.Expr]]] = {
    ast.Literal: Resolver._literal,
    ast.Parameter: lambda resolver, node, scope: node,
    ast.Variable: Resolver._variable,
    ast.Path: Resolver._path,
    ast.Unary: Resolver._unary,
    ast.Binary: Resolver._binary,
    ast.Chain: Resolver._chain,
    ast.Between: Resolver._between,
    ast.In: Resolver._in,
    ast.Like: Resolver._like,
    ast.Is: Resolver._one_value,
    ast.Cast: Resolver._one_value,
    ast.Case: Resolver._case,
    ast.Call: Resolver._arguments,
    ast.DateCall: Resolver._arguments,
    ast.Trim: Resolver._trim,
    ast.Aggregate: Resolver._aggregate,
    ast.ListConstructor: Resolver._items,
    ast.BagConstructor: Resolver._items,
    ast.SexpConstructor: Resolver._items,
    ast.StructConstructor: Resolver._struct,
    ast.Select: Resolver._select,
    ast.History: Resolver._history,
}
