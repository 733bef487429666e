"""The syntax tree of a PartiQL statement: plain frozen data.

Every node knows where it began (``pos``), which takes no part in equality: ``parse(print(tree)) == tree``.
Grammar: partiql.md 1 (the dialect that QLDB had).
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, NamedTuple

from ...records import dataclass


class Pos(NamedTuple):
    """Where a token begins, both from 1."""

    line: int
    column: int


NOWHERE = Pos(1, 1)


@dataclass(frozen=True, slots=True)
class Node:
    """Anything in the tree."""

    pos: Pos = field(default=NOWHERE, compare=False, repr=False, kw_only=True)


# --- Expressions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expr(Node):
    """Anything that has a value."""


@dataclass(frozen=True, slots=True)
class Literal(Expr):
    """A constant.  value: an Ion value (see ``ion.values``), or ``partiql.values.MISSING``."""

    value: Any
    is_ion: bool = False  # written in backticks


@dataclass(frozen=True, slots=True)
class Parameter(Expr):
    """A ``?``.  index: from 0, in the order of the text."""

    index: int


@dataclass(frozen=True, slots=True)
class Variable(Expr):
    """A name.  is_quoted: written in double quotes, so matched exactly.  is_local: written with ``@``."""

    name: str
    is_quoted: bool = False
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class FieldStep(Node):
    """``.name``, ``."name"`` or ``['name']``."""

    name: str
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class IndexStep(Node):
    """``[expr]`` (an expr that is a plain string literal is written as a quoted FieldStep by the parser)."""

    index: Expr


@dataclass(frozen=True, slots=True)
class ElementsStep(Node):
    """``[*]``: every element of a collection."""


@dataclass(frozen=True, slots=True)
class FieldsStep(Node):
    """``.*``: every field's value of a struct."""


Step = FieldStep | IndexStep | ElementsStep | FieldsStep


@dataclass(frozen=True, slots=True)
class Path(Expr):
    """``root.step.step``; at least one step.  root is no Path, unless one with a wildcard in parentheses."""

    root: Expr
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Unary(Expr):
    """operator: "NOT", "-" or "+"."""

    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    """operator: = <> < <= > >= + - * / % (``!=`` is parsed as ``<>``).  pos: the operator's."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Chain(Expr):
    """``a AND b AND c``: one associative operator between two or more operands.

    operator: "AND", "OR" or "||".  No operand is an unparenthesised Chain of the same operator on its left, so that
    thousands of conditions in a row make a flat node, not a deep one.  pos: the first operator's.
    operators: where each of them stands; empty when that is unknown.
    """

    operator: str
    operands: tuple[Expr, ...]
    operators: tuple[Pos, ...] = field(default=(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Between(Expr):
    value: Expr
    low: Expr
    high: Expr
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class In(Expr):
    value: Expr
    collection: Expr
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Like(Expr):
    value: Expr
    pattern: Expr
    escape: Expr | None = None
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """A type after IS or in CAST: a canonical name of ``parser.TYPE_NAMES``, and the arguments of ``decimal(5, 2)``."""

    name: str
    arguments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Is(Expr):
    value: Expr
    type: TypeName
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Case(Expr):
    """``CASE operand WHEN v THEN r ... ELSE default END``; operand None for the searched form; default None = null."""

    operand: Expr | None
    whens: tuple[tuple[Expr, Expr], ...]
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Cast(Expr):
    """opening: where the parenthesis stands."""

    value: Expr
    type: TypeName
    opening: Pos | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """A function call, also ``SUBSTRING(s FROM n FOR m)``.  name: lower case (``char_length``, ``to_string`` ...)."""

    name: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class DateCall(Expr):
    """``DATE_ADD(part, n, ts)``, ``DATE_DIFF(part, a, b)``, ``EXTRACT(part FROM ts)``.  name and part: lower case."""

    name: str
    part: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Trim(Expr):
    """``TRIM([side] [characters] FROM value)``.  side: "both", "leading", "trailing", or "" when none is written."""

    side: str
    characters: Expr | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Aggregate(Expr):
    """COUNT SUM AVG MIN MAX.  name: lower case; argument None for ``COUNT(*)``."""

    name: str
    argument: Expr | None
    is_distinct: bool = False


@dataclass(frozen=True, slots=True)
class ListConstructor(Expr):
    """``[a, b]`` or the row form ``(a, b)``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class BagConstructor(Expr):
    """``<< a, b >>``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class SexpConstructor(Expr):
    """``sexp(a, b)``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class StructConstructor(Expr):
    """``{ name: value }``; names are expressions (usually string literals)."""

    fields: tuple[tuple[Expr, Expr], ...]


@dataclass(frozen=True, slots=True)
class SelectItem(Node):
    """One column: ``expr [AS alias]``."""

    value: Expr
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class SelectAll(Node):
    """One column ``value.*``."""

    value: Expr


@dataclass(frozen=True, slots=True)
class Select(Expr):
    """Exactly one of: is_star (``SELECT *``), value (``SELECT VALUE expr``), items."""

    source: Source
    where: Expr | None = None
    items: tuple[SelectItem | SelectAll, ...] = ()
    value: Expr | None = None
    is_star: bool = False


# --- FROM --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FromItem(Node):
    """``value [AS alias] [AT at] [BY by]``; a table is a Variable or Path (``information_schema.user_tables``)."""

    value: Expr
    alias: str | None = None
    at: str | None = None
    by: str | None = None
    is_unpivot: bool = False
    alias_pos: Pos | None = field(default=None, compare=False, repr=False, kw_only=True)
    at_pos: Pos | None = field(default=None, compare=False, repr=False, kw_only=True)
    by_pos: Pos | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class History(Expr):
    """``history(table [, start [, end]])`` as a FROM value.  table: a Variable (name) or Literal string (table id)."""

    table: Expr
    start: Expr | None = None
    end: Expr | None = None


@dataclass(frozen=True, slots=True)
class Join(Node):
    """``left JOIN right ON condition``; a comma or CROSS JOIN has no condition.  Inner joins only."""

    left: Source
    right: FromItem
    condition: Expr | None = None


Source = FromItem | Join


# --- Statements --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statement(Node):
    """One statement.  parameter_count: how many ``?`` its text has."""

    parameter_count: int = field(default=0, kw_only=True)


@dataclass(frozen=True, slots=True)
class Query(Statement):
    """A SELECT, or a bare expression."""

    expression: Expr


@dataclass(frozen=True, slots=True)
class Insert(Statement):
    """``INSERT INTO table VALUE expr`` (is_single) or ``INSERT INTO table expr`` (a struct, list or bag)."""

    table: Expr
    value: Expr
    is_single: bool = False


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    """``target = value``; target is a Variable or Path."""

    target: Expr
    value: Expr


@dataclass(frozen=True, slots=True)
class SetOperation(Node):
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class InsertOperation(Node):
    """``INSERT INTO target VALUE value [AT at]``; without VALUE (is_single False) each element of value is inserted."""

    target: Expr
    value: Expr
    at: Expr | None = None
    is_single: bool = True


@dataclass(frozen=True, slots=True)
class RemoveOperation(Node):
    target: Expr


Operation = SetOperation | InsertOperation | RemoveOperation


@dataclass(frozen=True, slots=True)
class Update(Statement):
    """``UPDATE t ... SET/INSERT/REMOVE ... WHERE`` and ``FROM t ... WHERE ... SET/INSERT/REMOVE`` (is_from_first)."""

    source: Source
    operations: tuple[Operation, ...]
    where: Expr | None = None
    is_from_first: bool = False


@dataclass(frozen=True, slots=True)
class Delete(Statement):
    source: FromItem
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class CreateTable(Statement):
    """tags: the struct of ``WITH (aws_tags = ...)``."""

    name: str
    tags: Expr | None = None


@dataclass(frozen=True, slots=True)
class DropTable(Statement):
    name: str


@dataclass(frozen=True, slots=True)
class UndropTable(Statement):
    table_id: str


@dataclass(frozen=True, slots=True)
class CreateIndex(Statement):
    table: str
    field_name: str


@dataclass(frozen=True, slots=True)
class DropIndex(Statement):
    """Always ``WITH (purge = true)``: the parser demands it."""

    index_id: str
    table: str


@dataclass(frozen=True, slots=True)
class Exec(Statement):
    """``EXEC name argument, argument``.  name: lower case."""

    name: str
    arguments: tuple[Expr, ...]
