"""Names to slots: what every name in an expression stands for.

The rules (partiql.md 1.3; the library's, and they explain every recorded error):

1. a name that is an alias in scope is that alias, innermost first;
2. else, when the FROM clause has exactly one source, the name is a field of that source, whatever tables exist;
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
from ..language.arithmetic import INT_MAX, INT_MIN
from ..language.errors import PartiqlError
from ..syntax import ast
from .analysis import is_plain
from .plan import FIRST_FREE_SLOT, AggregateCall, Column, ProjectStruct, SelectPlan, Slot, Subquery


def no_such_variable(name: str, pos: ast.Pos) -> PartiqlError:
    """The recorded error for an unknown name (driver-go tests, qldb-shell #174)."""
    text = f"No such variable named '{name}'"
    return PartiqlError("Semantic", pos, text, text)


def global_not_allowed(name: str, pos: ast.Pos) -> PartiqlError:
    """A table where only variables may be (library text, partiql.md 7.3)."""
    text = "Global variable access is illegal in this context"
    return PartiqlError("Semantic", pos, f"{text}, variable name: '{name}'", text)


def semantic_error(text: str, pos: ast.Pos) -> PartiqlError:
    """An error of ours: one sentence for both halves of the text."""
    return PartiqlError("Semantic", pos, text)


def too_deep(pos: ast.Pos) -> PartiqlError:
    """A statement that would exhaust the stack, for a caller whose own stack is already deep."""
    return semantic_error("The statement is nested too deeply", pos)


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

    implied: those of the variables that are no written aliases but names of tables or last steps of paths.
    source_count: how many sources its FROM clause has.  first: the value of the first.
    is_body: FROM is behind us, so rule 2 applies.
    is_grouped: in the select list of an aggregate query, where the rows are gone and only aggregates remain.
    aggregates: where an aggregate function of a select list goes; None elsewhere.
    """

    parent: Scope | None = None
    variables: dict[str, Slot] = field(default_factory=dict)
    implied: set[str] = field(default_factory=set)
    source_count: int = 0
    first: Slot | None = None
    is_body: bool = False
    is_grouped: bool = False
    is_argument: bool = False
    aggregates: list[AggregateCall] | None = None

    @property
    def is_nested(self) -> bool:
        return self.parent is not None

    def body(self) -> Scope:
        """This scope as WHERE, ON and the select list see it."""
        return replace(self, is_body=True)

    def find(self, name: str, is_quoted: bool) -> Slot | None:
        """The variable of this scope alone.  Raises PartiqlError when several differ from the name only in case."""
        exact = self.variables.get(name)
        if exact is not None or is_quoted:
            return exact
        lowered = name.lower()
        matches = [
            slot for other, slot in self.variables.items() if other.lower() == lowered and other not in self.implied
        ]
        if len(matches) > 1:
            raise semantic_error(f"Multiple matches were found for the specified identifier '{name}'", ast.NOWHERE)
        return matches[0] if matches else None


PlanSelect = Callable[[ast.Select, Scope], SelectPlan]


class Resolver:
    """Rewrites expressions.

    plan_select: how a nested SELECT becomes a plan.  is_table: whether a name is that of a table.
    constants: names bound to values outside any table (none in a ledger).
    """

    def __init__(
        self,
        plan_select: PlanSelect,
        frame: Frame,
        is_table: Callable[[str], bool],
        constants: Mapping[str, IonValue] | None = None,
    ) -> None:
        self._plan_select = plan_select
        self._frame = frame
        self._is_table = is_table
        self._constants = constants or {}

    def resolve(self, node: ast.Expr, scope: Scope) -> ast.Expr:
        """The expression with every name bound.  Raises PartiqlError."""
        return _HANDLERS[type(node)](self, node, scope)

    def resolve_source(self, node: ast.Expr, scope: Scope) -> ast.Expr:
        """The same for the value of a FROM source, where constants win over aliases (but not with ``@``)."""
        root = node.root if isinstance(node, ast.Path) else node
        constant = None if not isinstance(root, ast.Variable) or root.is_local else self.constant(root)
        if constant is None:
            return self.resolve(node, scope)
        return self.resolve(replace(node, root=constant) if isinstance(node, ast.Path) else constant, scope)

    def _all(self, nodes: tuple[ast.Expr, ...], scope: Scope) -> tuple[ast.Expr, ...]:
        return tuple([self.resolve(node, scope) for node in nodes])

    def _optional(self, node: ast.Expr | None, scope: Scope) -> ast.Expr | None:
        return None if node is None else self.resolve(node, scope)

    def _operand(self, node: ast.Expr, scope: Scope) -> ast.Expr:
        """An operand of a comparison or of arithmetic: a nested SELECT of one column stands for its value."""
        return as_scalar(self.resolve(node, scope))

    def _literal(self, node: ast.Literal, scope: Scope) -> ast.Expr:
        """An int literal has 64 bits (the library checks it before it runs anything); inside Ion literals it may be
        larger, and in parameters."""
        value = node.value.value if type(node.value) is Annotated else node.value
        if type(value) is int and not INT_MIN <= value <= INT_MAX:
            raise PartiqlError(
                "Semantic", node.pos, "Literal int overflow or underflow", "Int overflow or underflow at compile time"
            )
        return node

    # --- Names ---------------------------------------------------------------------------------------------

    def lexical(self, node: ast.Variable, scope: Scope | None) -> Slot | None:
        """The variable of a name in this scope or one around it, None when there is none (rule 1)."""
        is_grouped = False
        while scope is not None:
            try:
                slot = scope.find(node.name, node.is_quoted)
            except PartiqlError as error:
                error.pos = node.pos
                raise
            if slot is not None:
                if scope.is_grouped or is_grouped:
                    raise PartiqlError(
                        "Evaluator", node.pos, f"Binding {slot.name} does not exist", f"No such binding: {slot.name}"
                    )
                return replace(slot, pos=node.pos)
            scope = scope.parent
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
        bound = self.lexical(node, scope) or self.constant(node)
        if bound is not None:
            return bound
        source = None if node.is_local else self._only_source(node, scope)
        if source is None:
            is_table = self._is_table(node.name) and not node.is_local
            raise global_not_allowed(node.name, node.pos) if is_table else no_such_variable(node.name, node.pos)
        return ast.Path(source, (ast.FieldStep(node.name, node.is_quoted, pos=node.pos),), pos=node.pos)

    def _only_source(self, node: ast.Variable, scope: Scope) -> Slot | None:
        """The source that an unknown name is a field of (rule 2)."""
        at: Scope | None = scope
        while at is not None and not at.is_body:
            at = at.parent  # inside a FROM clause the query around it counts
        if at is None or at.source_count != 1 or at.first is None:
            return None
        if at.is_grouped:
            raise PartiqlError(
                "Evaluator", node.pos, f"Binding {at.first.name} does not exist", f"No such binding: {at.first.name}"
            )
        return replace(at.first, pos=node.pos)

    def _path(self, node: ast.Path, scope: Scope) -> ast.Expr:
        root = self.resolve(node.root, scope)
        steps = tuple([self._step(step, scope) for step in node.steps])
        if isinstance(root, ast.Path):  # the root was a bare field
            return ast.Path(root.root, (*root.steps, *steps), pos=node.pos)
        return ast.Path(root, steps, pos=node.pos)

    def _step(self, step: ast.Step, scope: Scope) -> ast.Step:
        return replace(step, index=self.resolve(step.index, scope)) if isinstance(step, ast.IndexStep) else step

    # --- Operators -----------------------------------------------------------------------------------------

    def _unary(self, node: ast.Unary, scope: Scope) -> ast.Expr:
        return replace(node, operand=self._operand(node.operand, scope))

    def _binary(self, node: ast.Binary, scope: Scope) -> ast.Expr:
        spine = [node]
        while isinstance(spine[-1].left, ast.Binary):  # 1 + 1 + 1 ... leans left: no recursion along it
            spine.append(spine[-1].left)
        result = self._operand(spine[-1].left, scope)
        for part in reversed(spine):
            result = replace(part, left=result, right=self._operand(part.right, scope))
        return result

    def _chain(self, node: ast.Chain, scope: Scope) -> ast.Expr:
        return replace(node, operands=tuple([self._operand(operand, scope) for operand in node.operands]))

    def _between(self, node: ast.Between, scope: Scope) -> ast.Expr:
        return replace(
            node,
            value=self._operand(node.value, scope),
            low=self._operand(node.low, scope),
            high=self._operand(node.high, scope),
        )

    def _in(self, node: ast.In, scope: Scope) -> ast.Expr:
        return replace(node, value=self._operand(node.value, scope), collection=self.resolve(node.collection, scope))

    def _like(self, node: ast.Like, scope: Scope) -> ast.Expr:
        return replace(
            node,
            value=self._operand(node.value, scope),
            pattern=self._operand(node.pattern, scope),
            escape=self._optional(node.escape, scope),
        )

    def _one_value(self, node: ast.Is | ast.Cast, scope: Scope) -> ast.Expr:
        return replace(node, value=self._operand(node.value, scope))

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
        raise semantic_error("history() can only be used as a source in the FROM clause", node.pos)

    def _aggregate(self, node: ast.Aggregate, scope: Scope) -> ast.Expr:
        """Only in a select list, over the rows (the pages of the aggregates show nothing else)."""
        if scope.is_argument:
            text = "The arguments of an aggregate function cannot contain aggregate functions"
            raise PartiqlError("Evaluator", node.pos, text)
        if scope.aggregates is None:
            raise semantic_error("An aggregate function can only be used in a SELECT list", node.pos)
        inner = replace(scope, is_grouped=False, is_argument=True)
        argument = None if node.argument is None else self.resolve(node.argument, inner)
        slot = self._frame.new()
        scope.aggregates.append(AggregateCall(slot, node, argument))
        return Slot(slot, node.name, argument is None or is_plain(argument), pos=node.pos)


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


def as_scalar(node: ast.Expr) -> ast.Expr:
    """A nested SELECT of one named column as its value, where a bag would make no sense; anything else as it is.

    Elsewhere, in a select list for example, it is the bag of its rows: the library of the time knew nothing else
    (partiql-lang-kotlin #826).
    """
    return replace(node, is_scalar=True) if isinstance(node, Subquery) and _has_one_column(node.query) else node


def _has_one_column(query: SelectPlan) -> bool:
    projection = query.projection
    return (
        isinstance(projection, ProjectStruct)
        and len(projection.columns) == 1
        and isinstance(projection.columns[0], Column)
    )
