"""A statement as it will run: names bound to slots, an access path for every source.  Plain frozen data; nothing runs.

An expression in a plan is a syntax tree in which every name is a :class:`Slot` (a place in the frame of one execution)
and every nested SELECT a :class:`Subquery`.  Slots 0 and 1 of a frame are the data and the parameters.

::

    Plan
      root: SelectPlan | ExpressionPlan | InsertPlan | UpdatePlan | DeletePlan | DefinitionPlan | ExecPlan
    SelectPlan
      relation: Access | Join | Filter      rows of bindings
      aggregates, projection                what becomes of them
    Access
      Scan | IndexSeek | DocumentFetch | HistoryScan | CatalogueScan | Unnest
"""

from __future__ import annotations

from typing import Literal

from ...records import dataclass
from ..language.faults import Fault
from ..syntax import ast
from .catalogue import IndexInfo, TableInfo
from .data import TableSource

DATA_SLOT = 0
PARAMETERS_SLOT = 1
BUDGET_SLOT = 2  # a ``budget.Budget``
FIRST_FREE_SLOT = 3

# --- Expressions a plan has and a syntax tree has not --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot(ast.Expr):
    """The value in a place of the frame.

    name: for people.  is_plain: certain to hold an Ion value or MISSING, never a bag or anything with one inside.
    """

    number: int
    name: str
    is_plain: bool = True


@dataclass(frozen=True, slots=True)
class OuterSlot(ast.Expr):
    """A variable of an outer query, unless the value of a query between has a field of its name (resolve, rule 1).

    field: the step to it.  between: the variables that are asked for it, in this order.
    """

    outer: Slot
    field: ast.FieldStep
    between: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Subquery(ast.Expr):
    """A nested SELECT: the bag of its rows."""

    query: SelectPlan


@dataclass(frozen=True, slots=True)
class Failure(ast.Expr):
    """An expression that fails when it is evaluated, and only then."""

    fault: Fault
    name: str


# --- Access paths --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Probe:
    """What is looked up: each of ``values``, or every element of ``collection``.

    condition: the predicate it came from, as written.  is_in: it is an IN, for which an unknown equals an unknown.
    """

    condition: ast.Expr
    values: tuple[ast.Expr, ...] = ()
    collection: ast.Expr | None = None
    is_in: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """A source of rows.

    alias: its name in the statement.  slot: the place of its value in the frame.  id_slot: that of the document's id.
    """

    alias: str
    slot: int
    id_slot: int | None


@dataclass(frozen=True, slots=True)
class Scan(Access):
    """Every document of a table."""

    source: TableSource


@dataclass(frozen=True, slots=True)
class IndexSeek(Access):
    """The documents that an index finds; every document if the probe has no value."""

    source: TableSource
    index: IndexInfo
    probe: Probe


@dataclass(frozen=True, slots=True)
class DocumentFetch(Access):
    """The documents with given ids; every document if the probe has no value."""

    source: TableSource
    probe: Probe


@dataclass(frozen=True, slots=True)
class HistoryScan(Access):
    """The revisions of a table active in a range of time, of all documents or of those with given ids."""

    table: TableInfo
    start: ast.Expr | None
    end: ast.Expr | None
    probe: Probe | None


@dataclass(frozen=True, slots=True)
class CatalogueScan(Access):
    """The rows of ``information_schema.user_tables``."""


@dataclass(frozen=True, slots=True)
class Unnest(Access):
    """The elements of a collection, or the fields of a struct (is_unpivot); any other value is its only element.

    at_slot: the ordinal in a list, the field's name with UNPIVOT, else MISSING.
    position_slot: the same for a DML statement, which has to find the element again (None: the value itself).
    written: the collection as written.
    """

    collection: ast.Expr
    written: ast.Expr
    is_unpivot: bool = False
    at_slot: int | None = None
    position_slot: int | None = None


@dataclass(frozen=True, slots=True)
class JoinInput:
    """One source of a join, and the ON condition that ends with it (``written``: as written)."""

    access: Access
    condition: ast.Expr | None = None
    written: ast.Expr | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """Nested loops in the order of the text: each input runs once for every row of those before it."""

    inputs: tuple[JoinInput, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """The rows for which a condition is true."""

    input: Access | Join
    condition: ast.Expr
    written: ast.Expr


Relation = Access | Join | Filter

# --- Projections ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """One field of the row; left out when the value is MISSING."""

    name: str
    value: ast.Expr


@dataclass(frozen=True, slots=True)
class Spread:
    """Every field of a struct.  Any other value becomes one field, named _N."""

    value: ast.Expr


@dataclass(frozen=True, slots=True)
class ProjectStruct:
    """``SELECT a, b.*`` and ``SELECT *``."""

    columns: tuple[Column | Spread, ...]


@dataclass(frozen=True, slots=True)
class ProjectValue:
    """``SELECT VALUE expr``."""

    value: ast.Expr


Projection = ProjectStruct | ProjectValue


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """One aggregate over all rows; its result goes to ``slot``.  argument None: every row counts."""

    slot: int
    call: ast.Aggregate
    argument: ast.Expr | None


@dataclass(frozen=True, slots=True)
class SelectPlan:
    """A query.  aggregates: when there are any, there is exactly one row.  pos: of the word SELECT."""

    relation: Relation
    projection: Projection
    aggregates: tuple[AggregateCall, ...] = ()
    pos: ast.Pos = ast.NOWHERE


# --- Statements ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExpressionPlan:
    """A bare expression: one row."""

    value: ast.Expr


@dataclass(frozen=True, slots=True)
class InsertPlan:
    """is_single: the value is one document, also when it is no struct (then it is an error)."""

    table: TableInfo
    value: ast.Expr
    is_single: bool


@dataclass(frozen=True, slots=True)
class Place:
    """What a DML operation changes: the document (``steps`` empty) or a part of it.

    origin: None for the document's own alias, else the alias of a nested collection's element.
    written: the target as written.
    """

    origin: Unnest | None
    steps: tuple[ast.FieldStep | ast.IndexStep, ...]
    written: ast.Expr


@dataclass(frozen=True, slots=True)
class Edit:
    """One write operation.  at: of ``INSERT INTO place VALUE value AT at``.  is_single: False without VALUE."""

    kind: Literal["set", "insert", "remove"]
    place: Place
    value: ast.Expr | None = None
    at: ast.Expr | None = None
    is_single: bool = True


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """Every row of the relation applies the edits to the document it came from.

    elements: for every nested source that edits may change, where its collection is: its own place.
    """

    table: TableInfo
    relation: Relation
    slot: int
    id_slot: int
    edits: tuple[Edit, ...]
    elements: tuple[tuple[int, Place], ...] = ()

    def place_of(self, unnest: Unnest) -> Place:
        """Where the collection of a nested source is.  Raises KeyError for a source that is no part of a document."""
        return dict(self.elements)[unnest.slot]


@dataclass(frozen=True, slots=True)
class DeletePlan:
    table: TableInfo
    relation: Relation
    slot: int
    id_slot: int


@dataclass(frozen=True, slots=True)
class DefinitionPlan:
    """CREATE, DROP, UNDROP: the engine runs the statement itself."""

    statement: ast.Statement


@dataclass(frozen=True, slots=True)
class ExecPlan:
    name: str
    arguments: tuple[ast.Expr, ...]


Root = SelectPlan | ExpressionPlan | InsertPlan | UpdatePlan | DeletePlan | DefinitionPlan | ExecPlan
Action = tuple[str, TableInfo | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole statement.

    actions: what a permission may be needed for: the action's name and the table (None: the catalogue, or no table).
    slot_count: the size of the frame.
    has_positions: a part of something is taken by a position, ``value[expression]``.
    """

    statement: ast.Statement
    root: Root
    slot_count: int
    parameter_count: int
    actions: tuple[Action, ...] = ()
    has_positions: bool = False
