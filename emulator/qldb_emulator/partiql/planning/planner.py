"""A statement and a catalogue become a plan: tables found, names bound, an access path chosen for every source.

Which access path (partiql.md 5), per source:

=========================================================================  ==========================================
a term of WHERE or ON, joined to the others by AND                         the source is read by
=========================================================================  ==========================================
document id ``= expr`` or ``IN (...)``: the BY alias, or ``metadata.id``   the document's id
    in the committed view and in a history
indexed field ``= expr`` or ``IN (...)``; ``data.field`` in the committed  the index
    view; first such term of the text
anything else: OR, <>, <, LIKE, BETWEEN, IS, a field without an index      a scan
=========================================================================  ==========================================

``expr`` must be known before the source is read: it may use parameters, literals and sources to the left.  The
whole condition is evaluated for every row in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from ...ion.values import IonValue
from ...records import dataclass, replace
from ..language import faults
from ..language.kinds import is_unknown
from ..syntax import ast
from .analysis import conjuncts, has_aggregate, is_plain, slots_used
from .catalogue import COMMITTED_PREFIX, RESERVED_PREFIX, Catalogue, IndexInfo, TableInfo
from .data import TableSource
from .plan import (
    Access,
    Action,
    CatalogueScan,
    Column,
    DefinitionPlan,
    DeletePlan,
    DocumentFetch,
    Edit,
    ExecPlan,
    ExpressionPlan,
    Failure,
    Filter,
    HistoryScan,
    IndexSeek,
    InsertPlan,
    Join,
    JoinInput,
    Place,
    Plan,
    Probe,
    ProjectStruct,
    ProjectValue,
    Relation,
    Root,
    Scan,
    SelectPlan,
    Slot,
    Spread,
    Subquery,
    Unnest,
    UpdatePlan,
)
from .resolve import Frame, Resolver, Scope

Found = TypeVar("Found")

PROCEDURES = {"redact_revision": 3}  # name -> number of arguments (ql-stored-procedures)
MAX_NESTED_SELECTS = 25  # ours: each takes several frames of the stack

_DEFINITION_ACTIONS: dict[type[ast.Statement], str] = {
    ast.CreateTable: "PartiQLCreateTable",
    ast.DropTable: "PartiQLDropTable",
    ast.UndropTable: "PartiQLUndropTable",
    ast.CreateIndex: "PartiQLCreateIndex",
    ast.DropIndex: "PartiQLDropIndex",
}


def plan(statement: ast.Statement, catalogue: Catalogue, constants: Mapping[str, IonValue] | None = None) -> Plan:
    """The plan of a statement.  Raises PartiqlError.

    constants: names that stand for values, for statements without tables; a ledger has none.
    """
    planner = _Planner(catalogue, constants or {})
    try:
        root = planner.root(statement)
    except RecursionError:
        raise faults.TOO_DEEP.at(statement.pos) from None
    if planner.overflows:
        raise faults.INT_OVERFLOW.at(min(planner.overflows))
    if planner.late:
        raise planner.late[0]
    return Plan(
        statement,
        root,
        planner.frame.size,
        statement.parameter_count,
        tuple(planner.actions),
        planner.has_positions(),
    )


@dataclass(frozen=True, slots=True)
class _TableReference:
    """A source in a table, before its access path is chosen.  view: also "history" and "catalogue"."""

    view: str
    table: TableInfo | None
    alias: str
    slot: int
    id_slot: int | None
    start: ast.Expr | None = None
    end: ast.Expr | None = None


@dataclass(frozen=True, slots=True)
class _Term:
    """A condition that must be true: with its names bound, and as written."""

    bound: ast.Expr
    written: ast.Expr


@dataclass(frozen=True, slots=True)
class _From:
    """A FROM clause with its names bound."""

    scope: Scope
    sources: tuple[_TableReference | Unnest, ...]
    conditions: tuple[_Term | None, ...]
    star: tuple[Column | Spread, ...]


class _Planner:
    def __init__(self, catalogue: Catalogue, constants: Mapping[str, IonValue]) -> None:
        self.catalogue = catalogue
        self.frame = Frame()
        self.actions: list[Action] = []
        self._resolver = Resolver(self._select, self.frame, self._is_table, self._whole_table, constants)
        self.overflows, self.late = self._resolver.overflows, self._resolver.late
        self._nesting = 0

    def has_positions(self) -> bool:
        """Whether a part of something is taken by a position, ``value[expression]``."""
        return self._resolver.has_positions

    def root(self, statement: ast.Statement) -> Root:
        match statement:
            case ast.Query(expression=ast.Select() as select):
                return self._select(select, None)
            case ast.Query(expression=expression):
                return ExpressionPlan(self._resolver.resolve(expression, Scope(depth=0)))
            case ast.Insert():
                return self._insert(statement)
            case ast.Update():
                return self._update(statement)
            case ast.Delete():
                return self._delete(statement)
            case ast.Exec():
                return self._exec(statement)
        return self._definition(statement)

    def _is_table(self, name: str) -> bool:
        return self.catalogue.active(name.removeprefix(COMMITTED_PREFIX)) is not None

    def _act(self, action: str, table: TableInfo | None) -> None:
        if (action, table) not in self.actions:
            self.actions.append((action, table))

    # --- SELECT --------------------------------------------------------------------------------------------

    def _select(self, select: ast.Select, parent: Scope | None) -> SelectPlan:
        self._nesting += 1
        if self._nesting > MAX_NESTED_SELECTS:
            raise faults.TOO_MANY_SELECTS.at(select.pos, most=MAX_NESTED_SELECTS)
        sources = self._from(select.source, parent)
        body = sources.scope.body()
        where = None if select.where is None else _Term(self._resolver.resolve(select.where, body), select.where)
        assert body.row_calls is not None
        calls = body.row_calls
        is_grouped = bool(calls) or has_aggregate(tuple([item.value for item in select.items]))
        body.row_calls = None  # the projection's aggregates are not among them
        projection: ProjectStruct | ProjectValue
        if select.is_star:
            star = (
                tuple([_after_grouping(column, select.pos) for column in sources.star]) if is_grouped else sources.star
            )
            projection = ProjectStruct(star)
        elif select.value is not None:
            scope = replace(body, is_grouped=True) if is_grouped else body
            projection = ProjectValue(self._resolver.resolve(select.value, scope))
        else:
            projection = self._select_list(select, replace(body, is_grouped=is_grouped, aggregates=calls))
        self._nesting -= 1
        return SelectPlan(self._relation(sources, where), projection, tuple(calls), select.pos)

    def _select_list(self, select: ast.Select, scope: Scope) -> ProjectStruct:
        columns: list[Column | Spread] = []
        for position, item in enumerate(select.items, 1):
            value = self._resolver.resolve(item.value, scope)
            if isinstance(item, ast.SelectAll):
                columns.append(Spread(value))
            else:
                columns.append(Column(_first_name(item.alias, name_of(item.value), position), value))
        return ProjectStruct(tuple(columns))

    # --- FROM ----------------------------------------------------------------------------------------------

    def _from(self, source: ast.Source, parent: Scope | None, is_dml: bool = False) -> _From:
        items = list(_flatten(source))
        scope = Scope(parent, 1 if parent is None else parent.depth + 1, source_count=len(items), row_calls=[])
        sources: list[_TableReference | Unnest] = []
        conditions: list[_Term | None] = []
        star: list[Column | Spread] = []
        for number, (item, condition) in enumerate(items, 1):
            alias = _first_name(item.alias, name_of(item.value), number)
            sources.append(self._source(item, alias, scope, is_dml))
            self._bind(item, alias, sources[-1], scope, star)
            bound = None if condition is None else self._resolver.resolve(condition, scope)
            conditions.append(None if condition is None or bound is None else _Term(bound, condition))
        return _From(scope, tuple(sources), tuple(conditions), tuple(star))

    def _bind(
        self,
        item: ast.FromItem,
        alias: str,
        source: _TableReference | Unnest,
        scope: Scope,
        star: list[Column | Spread],
    ) -> None:
        """Make the names of a source known to the sources and expressions that follow."""
        plain = not isinstance(source, Unnest) or is_plain(source.collection)
        value = Slot(source.slot, alias, plain)
        at_slot = source.at_slot if isinstance(source, Unnest) else None
        star.append(Spread(value))
        for name, number, pos in ((item.at, at_slot, item.at_pos), (item.by, source.id_slot, item.by_pos)):
            if name is not None:
                slot = Slot(self.frame.new() if number is None else number, name)
                self._declare(name, slot, pos or item.pos, scope)
                star.append(Column(name, slot))
        own_pos = item.value.pos if isinstance(item.value, ast.Variable) else item.pos
        self._declare(alias, value, item.alias_pos or own_pos, scope)
        if item.alias is None:
            scope.implied.add(alias)
        if item.is_unpivot:
            scope.unpivoted.add(alias)
        if scope.first is None:
            scope.first = value

    def _declare(self, name: str, slot: Slot, pos: ast.Pos, scope: Scope) -> None:
        """Raises PartiqlError if a name is used already, also in other letter case."""
        if scope.variables:
            lowered = name.lower()
            if any(other.lower() == lowered for other in scope.variables):
                raise faults.ALREADY_DEFINED.at(pos, name=name)
        scope.variables[name] = slot

    def _source(self, item: ast.FromItem, alias: str, scope: Scope, is_dml: bool) -> _TableReference | Unnest:
        id_slot = self.frame.new() if item.by is not None or is_dml else None
        reference = None if item.is_unpivot else self._table(item.value, alias, scope)
        if reference is not None:
            return replace(reference, id_slot=id_slot)
        collection = self._resolver.resolve(item.value, replace(scope, is_source=True))
        return Unnest(
            alias,
            self.frame.new(),
            None,
            collection,
            item.value,
            item.is_unpivot,
            self.frame.new() if item.at is not None else None,
            self.frame.new() if is_dml else None,
        )

    def _table(self, value: ast.Expr, alias: str, scope: Scope) -> _TableReference | None:
        """The table that a FROM source names; None when it is an expression.

        A table's name means the table, even if there is an alias of that name.  After ``@`` an alias comes first.
        """
        if isinstance(value, ast.History):
            return self._history(value, alias, scope)
        root = value.root if isinstance(value, ast.Path) else value
        if not isinstance(root, ast.Variable) or self._resolver.constant(root) is not None:
            return None
        if isinstance(value, ast.Path):
            if not _is_user_tables(value) or (root.is_local and self._resolver.lexical(root, scope) is not None):
                return None
            view, table = "catalogue", None
        else:
            view, table = self._view(root.name)
            if table is None or (root.is_local and self._resolver.lexical(root, scope) is not None):
                return None
        if scope.is_nested:
            raise faults.GLOBAL_NOT_ALLOWED.at(root.pos, name=root.name)
        self._act("PartiQLSelect", table)
        return _TableReference(view, table, alias, self.frame.new(), None)

    def _whole_table(self, node: ast.Variable) -> ast.Expr:
        """A table inside of a FROM expression, as in ``FROM T.l``: the bag of its documents."""
        view, table = self._view(node.name)
        self._act("PartiQLSelect", table)
        slot = self.frame.new()
        reference = _TableReference(view, table, node.name, slot, None)
        value = ProjectValue(Slot(slot, node.name))
        return Subquery(SelectPlan(_choose(reference, [], frozenset()), value), pos=node.pos)

    def _view(self, name: str) -> tuple[str, TableInfo | None]:
        if name.startswith(COMMITTED_PREFIX):
            return "committed", self.catalogue.active(name.removeprefix(COMMITTED_PREFIX))
        return "user", self.catalogue.active(name)

    def _history(self, node: ast.History, alias: str, scope: Scope) -> _TableReference:
        if isinstance(node.table, ast.Variable):
            name, table = node.table.name, self.catalogue.active(node.table.name)
        elif isinstance(node.table, ast.Literal) and isinstance(node.table.value, str):
            name, table = str(node.table.value), self.catalogue.by_id(node.table.value)
        else:
            raise faults.HISTORY_TABLE.at(node.table.pos)
        if table is None:
            raise faults.NO_SUCH_VARIABLE.at(node.table.pos, name=name)
        if scope.is_nested:
            raise faults.GLOBAL_NOT_ALLOWED.at(node.table.pos, name=name)
        self._act("PartiQLHistoryFunction", table)
        bounds = [None if e is None else self._resolver.resolve(e, Scope(depth=0)) for e in (node.start, node.end)]
        return _TableReference("history", table, alias, self.frame.new(), None, bounds[0], bounds[1])

    # --- Access paths --------------------------------------------------------------------------------------

    def _relation(self, sources: _From, where: _Term | None) -> Relation:
        terms = [
            term
            for condition in (*sources.conditions, where)
            if condition is not None
            for term in map(_Term, conjuncts(condition.bound), conjuncts(condition.written))
        ]
        accesses: list[Access] = []
        unread = {slot.number for slot in sources.scope.variables.values()}
        for source in sources.sources:
            accesses.append(source if isinstance(source, Unnest) else _choose(source, terms, frozenset(unread)))
            own = [source.slot, source.id_slot]
            own.append(source.at_slot if isinstance(source, Unnest) else None)
            unread.difference_update(number for number in own if number is not None)
        joined: Access | Join = accesses[0]
        if len(accesses) > 1:
            joined = Join(
                tuple(
                    JoinInput(access, None if term is None else term.bound, None if term is None else term.written)
                    for access, term in zip(accesses, sources.conditions, strict=True)
                )
            )
        return joined if where is None else Filter(joined, where.bound, where.written)

    # --- DML -----------------------------------------------------------------------------------------------

    def _insert(self, statement: ast.Insert) -> InsertPlan:
        table = self._writable(statement.table)
        self._act("PartiQLInsert", table)
        value = self._resolver.resolve(statement.value, Scope())
        return InsertPlan(table, value, statement.is_single)

    def _writable(self, target: ast.Expr) -> TableInfo:
        """The table a DML statement names.  Raises PartiqlError for anything but an active table's user view."""
        root = target.root if isinstance(target, ast.Path) else target
        if isinstance(root, ast.Variable) and not isinstance(target, ast.Path):
            if root.name.startswith(RESERVED_PREFIX):
                raise faults.ONLY_USER_VIEW.at(root.pos)
            table = self.catalogue.active(root.name)
            if table is not None:
                return table
        if isinstance(target, ast.Path) and _is_user_tables(target):
            raise faults.ONLY_USER_VIEW.at(target.pos)
        if isinstance(root, ast.Variable):
            raise faults.NO_SUCH_VARIABLE.at(root.pos, name=root.name)
        raise faults.ONLY_USER_VIEW.at(target.pos)

    def _dml_source(self, source: ast.Source) -> tuple[TableInfo, _From, int, int]:
        first = next(_flatten(source))[0]
        table = self._writable(first.value)
        sources = self._from(source, None, is_dml=True)
        reference = sources.sources[0]
        assert isinstance(reference, _TableReference)
        assert reference.id_slot is not None
        for other, (item, _) in zip(sources.sources[1:], list(_flatten(source))[1:], strict=True):
            if isinstance(other, _TableReference):
                raise faults.ONE_TABLE.at(item.value.pos)
        return table, sources, reference.slot, reference.id_slot

    def _update(self, statement: ast.Update) -> UpdatePlan:
        table, sources, slot, id_slot = self._dml_source(statement.source)
        self._act("PartiQLUpdate", table)
        scope = sources.scope.body()
        where = (
            None if statement.where is None else _Term(self._resolver.resolve(statement.where, scope), statement.where)
        )
        nested = {source.slot: source for source in sources.sources if isinstance(source, Unnest)}
        places = _Places(slot, nested, self._resolver, scope)
        edits = tuple(edit for operation in statement.operations for edit in self._edits(operation, places, scope))
        elements = tuple(
            (source.slot, place) for source in nested.values() if (place := places.of_collection(source)) is not None
        )
        return UpdatePlan(table, self._relation(sources, where), slot, id_slot, edits, elements)

    def _edits(self, operation: ast.Operation, places: _Places, scope: Scope) -> Iterator[Edit]:
        match operation:
            case ast.SetOperation(assignments=assignments):
                for assignment in assignments:
                    yield Edit("set", places.of(assignment.target), self._resolver.resolve(assignment.value, scope))
            case ast.InsertOperation(target=target, value=value, at=at, is_single=is_single):
                key = None if at is None else self._resolver.resolve(at, scope)
                yield Edit("insert", places.of(target), self._resolver.resolve(value, scope), key, is_single)
            case ast.RemoveOperation(target=target):
                yield Edit("remove", places.of(target))

    def _delete(self, statement: ast.Delete) -> DeletePlan:
        table, sources, slot, id_slot = self._dml_source(statement.source)
        self._act("PartiQLDelete", table)
        where = statement.where
        term = None if where is None else _Term(self._resolver.resolve(where, sources.scope.body()), where)
        return DeletePlan(table, self._relation(sources, term), slot, id_slot)

    # --- Others --------------------------------------------------------------------------------------------

    def _exec(self, statement: ast.Exec) -> ExecPlan:
        count = PROCEDURES.get(statement.name)
        if count is None:
            raise faults.NO_SUCH_PROCEDURE.at(statement.pos, name=statement.name)
        if count != len(statement.arguments):
            received = len(statement.arguments)
            raise faults.PROCEDURE_ARGUMENTS.at(statement.pos, name=statement.name, count=count, received=received)
        self._act("PartiQLRedact", None)
        scope = Scope(depth=0)
        return ExecPlan(statement.name, tuple(self._resolver.resolve(e, scope) for e in statement.arguments))

    def _definition(self, statement: ast.Statement) -> DefinitionPlan:
        table: TableInfo | None = None
        match statement:
            case ast.DropTable(name=name) | ast.CreateIndex(table=name) | ast.DropIndex(table=name):
                table = self.catalogue.active(name)
            case ast.UndropTable(table_id=table_id):
                table = self.catalogue.by_id(table_id)
        self._act(_DEFINITION_ACTIONS[type(statement)], table)
        return DefinitionPlan(statement)


class _Places:
    """Finds the documents and the parts that the targets of a DML statement mean."""

    def __init__(self, slot: int, nested: Mapping[int, Unnest], resolver: Resolver, scope: Scope) -> None:
        self._slot = slot
        self._nested = nested
        self._resolver = resolver
        self._scope = scope

    def of(self, target: ast.Expr) -> Place:
        """The place a target names.  Raises PartiqlError when it is no part of the document."""
        place = self._place(self._resolver.resolve(target, self._scope), target)
        if place is None or (place.origin is not None and self.of_collection(place.origin) is None):
            raise faults.NO_PLACE.at(target.pos)
        return place

    def of_collection(self, source: Unnest) -> Place | None:
        """Where a nested source's collection is in the document; None when it is elsewhere."""
        place = self._place(source.collection, source.written)
        if place is not None and place.origin is not None and self.of_collection(place.origin) is None:
            return None
        return place

    def _place(self, bound: ast.Expr, written: ast.Expr) -> Place | None:
        root, steps = (bound.root, bound.steps) if isinstance(bound, ast.Path) else (bound, ())
        if not isinstance(root, Slot):
            return None
        simple = tuple(step for step in steps if isinstance(step, ast.FieldStep | ast.IndexStep))
        if len(simple) != len(steps):
            return None
        if root.number == self._slot:
            return Place(None, simple, written)
        origin = self._nested.get(root.number)
        return None if origin is None else Place(origin, simple, written)


def _after_grouping(column: Column | Spread, pos: ast.Pos) -> Column | Spread:
    """A column of ``SELECT *`` in a query of aggregates: there are no rows to take it from."""
    name = column.value.name if isinstance(column.value, Slot) else ""
    return replace(column, value=Failure(faults.GROUPED_NAME, name, pos=pos))


def name_of(value: ast.Expr) -> str | None:
    """The name an expression lends to its column or source: of a name itself, of a path the last step's."""
    if isinstance(value, ast.Variable):
        return value.name
    if isinstance(value, ast.Path) and isinstance(value.steps[-1], ast.FieldStep):
        return value.steps[-1].name
    return None


def _first_name(alias: str | None, own: str | None, position: int) -> str:
    """The alias, else the name of the expression itself, else ``_n``.  Any of them may be the empty name."""
    return next(name for name in (alias, own, f"_{position}") if name is not None)


def _flatten(source: ast.Source) -> Iterator[tuple[ast.FromItem, ast.Expr | None]]:
    """The sources of a FROM clause in order, each with the ON condition that ends with it."""
    items: list[tuple[ast.FromItem, ast.Expr | None]] = []
    while isinstance(source, ast.Join):  # a join leans left: no recursion along it
        items.append((source.right, source.condition))
        source = source.left
    items.append((source, None))
    return reversed(items)


def _is_user_tables(path: ast.Path) -> bool:
    return (
        isinstance(path.root, ast.Variable)
        and path.root.name == "information_schema"
        and len(path.steps) == 1
        and isinstance(path.steps[0], ast.FieldStep)
        and path.steps[0].name == "user_tables"
    )


# --- The choice of an access path ----------------------------------------------------------------------------


def _choose(source: _TableReference, terms: list[_Term], unread: frozenset[int]) -> Access:
    """The access path of a table.  unread: slots of this source and of those after it."""
    if source.table is None:
        return CatalogueScan(source.alias, source.slot, source.id_slot)
    by_id = next(_probes(terms, unread, lambda key: _is_document_id(key, source) or None), None)
    if source.view == "history":
        probe = None if by_id is None else by_id[1]
        return HistoryScan(source.alias, source.slot, source.id_slot, source.table, source.start, source.end, probe)
    table = TableSource("committed" if source.view == "committed" else "user", source.table)
    if by_id is not None:
        return DocumentFetch(source.alias, source.slot, source.id_slot, table, by_id[1])
    by_index = next(
        (found for found in _probes(terms, unread, lambda key: _index_of(key, source)) if not _has_null(found[1])), None
    )
    if by_index is not None:
        return IndexSeek(source.alias, source.slot, source.id_slot, table, by_index[0], by_index[1])
    return Scan(source.alias, source.slot, source.id_slot, table)


def _probes(
    terms: list[_Term], unread: frozenset[int], find: Callable[[ast.Expr], Found | None]
) -> Iterator[tuple[Found, Probe]]:
    """What *find* finds in one side of an equality or IN, with the values of the other side."""
    for term in terms:
        bound = term.bound
        if isinstance(bound, ast.Binary) and bound.operator == "=":
            for key, value in ((bound.left, bound.right), (bound.right, bound.left)):
                found = find(key)
                if found is not None and not slots_used(value) & unread:
                    yield found, Probe(term.written, values=(value,))
        elif isinstance(bound, ast.In) and not bound.is_negated:
            found = find(bound.value)
            if found is None or slots_used(bound.collection) & unread:
                continue
            if isinstance(bound.collection, ast.ListConstructor | ast.BagConstructor | ast.SexpConstructor):
                yield found, Probe(term.written, values=bound.collection.items, is_in=True)
            else:
                yield found, Probe(term.written, collection=bound.collection, is_in=True)


def _has_null(probe: Probe) -> bool:
    """Whether an IN has a written null, which equals the nulls that no index has."""
    return probe.is_in and any(isinstance(value, ast.Literal) and is_unknown(value.value) for value in probe.values)


def _is_step(step: ast.Step, name: str) -> bool:
    """Whether a step names a field that every row has."""
    return isinstance(step, ast.FieldStep) and (
        step.name == name or (not step.is_quoted and step.name.lower() == name.lower())
    )


def _is_document_id(key: ast.Expr, source: _TableReference) -> bool:
    if isinstance(key, Slot):
        return key.number == source.id_slot
    if source.view == "user" or not _is_path_into(key, source):
        return False
    assert isinstance(key, ast.Path)
    return len(key.steps) == 2 and _is_step(key.steps[0], "metadata") and _is_step(key.steps[1], "id")


def _index_of(key: ast.Expr, source: _TableReference) -> IndexInfo | None:
    """The index on exactly the field that a path names.  A name in other letters may still mean another field."""
    if not _is_path_into(key, source):
        return None
    assert isinstance(key, ast.Path)
    assert source.table is not None
    steps = key.steps
    if source.view == "committed":
        if not _is_step(steps[0], "data"):
            return None
        steps = steps[1:]
    if len(steps) != 1 or not isinstance(steps[0], ast.FieldStep):
        return None
    return source.table.index_on(steps[0].name)


def _is_path_into(key: ast.Expr, source: _TableReference) -> bool:
    return isinstance(key, ast.Path) and isinstance(key.root, Slot) and key.root.number == source.slot
