"""A plan becomes a program: generators for its relations, closures for its expressions.

Rows are pulled one at a time.  To call a relation opens it, and records that its first source is read; the iterator
that it returns gives the rows.
A program keeps no state, so all sessions may share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from itertools import islice
from typing import Any, Literal

from ...budget import ROW_BYTES, ROWS_BETWEEN_LOOKS, UNBOUNDED, Budget
from ...ion.binary_writer import with_text_field
from ...ion.codec import loads_document
from ...ion.values import (
    Annotated,
    IonValue,
    MadeStruct,
    Timestamp,
    strip_annotations,
    struct_items,
    struct_of,
)
from ...records import dataclass
from ..language import faults, semantics
from ..language.errors import PartiqlError
from ..language.values import MISSING, Bag
from ..planning.analysis import fields_used, holds_bag_or_missing, is_plain, slots_used
from ..planning.data import Batches, CertainMatch, Change, Data, RawDocument, Row, TableSource
from ..planning.plan import (
    BUDGET_SLOT,
    DATA_SLOT,
    FIRST_FREE_SLOT,
    Access,
    Action,
    AggregateCall,
    CatalogueScan,
    Column,
    DefinitionPlan,
    DeletePlan,
    DocumentFetch,
    ExecPlan,
    ExpressionPlan,
    Filter,
    HistoryScan,
    IndexSeek,
    InsertPlan,
    Join,
    Plan,
    Probe,
    Projection,
    ProjectStruct,
    ProjectValue,
    Relation,
    Scan,
    SelectPlan,
    Slot,
    Spread,
    Subquery,
    Unnest,
    UpdatePlan,
)
from ..syntax import ast
from .dml import Changes, compile_delete, compile_insert, compile_update
from .expressions import ExpressionCompiler, Frame, Run, accumulator_of, located, made_struct_of, to_ion
from .prefilter import COUNT_ONLY, BindCertainMatch, BindPrefilter, certain_match, is_plain_document, prefilter_of

Kind = Literal["query", "dml", "ddl", "exec"]
Open = Callable[[Frame], Iterator[None]]

ShowRaw = Callable[[RawDocument, str], IonValue]
"""(document, its id) -> the row that shows it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A statement ready to run, any number of times, in any number of sessions.

    kind: which of the methods below can be called.  statement: the syntax tree (a DDL statement is run from it).
    name: of an EXEC, in lower case.  actions: what may have to be allowed, see ``plan.Plan``.
    """

    kind: Kind
    plan: Plan
    parameter_count: int
    actions: tuple[Action, ...]
    statement: ast.Statement
    name: str = ""
    _rows: Callable[[Frame], Iterator[IonValue]] | None = field(default=None, repr=False)
    _changes: Changes | None = field(default=None, repr=False)
    _arguments: tuple[Run, ...] = field(default=(), repr=False)

    def rows(self, parameters: Sequence[IonValue], data: Data, budget: Budget = UNBOUNDED) -> Iterator[IonValue]:
        """The rows of a query, as Ion values or ``RawDocument``.  Raises PartiqlError, now or while rows are pulled."""
        assert self._rows is not None
        return self._rows(_new_frame(self.plan, parameters, data, budget))

    def changes(self, parameters: Sequence[IonValue], data: Data, budget: Budget = UNBOUNDED) -> list[Change]:
        """What a DML statement asks for; nothing is applied.  Raises PartiqlError."""
        assert self._changes is not None
        return self._changes(_new_frame(self.plan, parameters, data, budget))

    def arguments(self, parameters: Sequence[IonValue], data: Data, budget: Budget = UNBOUNDED) -> list[IonValue]:
        """The evaluated arguments of an EXEC.  Raises PartiqlError."""
        frame = _new_frame(self.plan, parameters, data, budget)
        return [to_ion(run(frame)) for run in self._arguments]


def compile_plan(plan: Plan) -> Program:
    """The program of a plan.  Raises PartiqlError for functions that do not exist."""
    try:
        return _Compiler(plan).program(plan)
    except RecursionError:
        raise faults.TOO_DEEP.at(plan.statement.pos) from None


def evaluate(plan: Plan, parameters: Sequence[IonValue], data: Data) -> IonValue:
    """The value of a query as the language has it: a Bag of rows, or a bare expression's value; MISSING stays MISSING.

    For tests that compare values of the language, which Ion does not have all.  Raises PartiqlError.
    """
    compiler = _Compiler(plan)
    frame = _new_frame(plan, parameters, data, UNBOUNDED)
    if isinstance(plan.root, SelectPlan):
        return Bag(compiler.query(plan.root, is_output=False)(frame))
    assert isinstance(plan.root, ExpressionPlan)
    return compiler.expression(plan.root.value)(frame)


def _new_frame(plan: Plan, parameters: Sequence[IonValue], data: Data, budget: Budget) -> Frame:
    return [data, parameters, budget, *[MISSING] * (plan.slot_count - FIRST_FREE_SLOT)]


class _Compiler:
    def __init__(self, plan: Plan) -> None:
        is_query = isinstance(plan.root, SelectPlan | ExpressionPlan)
        self._expressions = ExpressionCompiler(self._subquery, self._exists, is_query and plan.has_positions)
        self.expression = self._expressions.compile

    def program(self, plan: Plan) -> Program:
        root = plan.root

        def of(kind: Kind, **parts: Any) -> Program:
            return Program(kind, plan, plan.parameter_count, plan.actions, plan.statement, **parts)

        match root:
            case SelectPlan():
                return of("query", _rows=self.query(root, is_output=True))
            case ExpressionPlan(value=value):
                run = self.expression(value)
                return of("query", _rows=lambda frame: iter((to_ion(run(frame)),)))
            case InsertPlan():
                return of("dml", _changes=compile_insert(root, self.expression))
            case UpdatePlan():
                return of("dml", _changes=compile_update(root, self.relation(root.relation), self.expression))
            case DeletePlan():
                return of("dml", _changes=compile_delete(root, self.relation(root.relation)))
            case ExecPlan(name=name, arguments=arguments):
                return of("exec", name=name, _arguments=tuple(self.expression(argument) for argument in arguments))
        assert isinstance(root, DefinitionPlan)
        return of("ddl")

    # --- Queries -------------------------------------------------------------------------------------------

    def query(self, plan: SelectPlan, is_output: bool) -> Callable[[Frame], Iterator[IonValue]]:
        """is_output: rows leave as Ion values; otherwise they stay values of the language."""
        rows = self.relation(plan.relation, plan.pos if plan.aggregates else None)
        project = self._projection(plan.projection, is_output)
        if is_output and (raw := self._raw_rows(plan, project)) is not None:
            return raw
        if _is_count_of_table(plan):
            return _table_count(plan, project)
        if plan.aggregates:
            total = self._aggregates(plan.aggregates, plan.pos)

            def one(frame: Frame, opened: Iterator[None]) -> Iterator[IonValue]:
                total(frame, opened)
                yield project(frame)

            return lambda frame: one(frame, rows(frame))

        def pull(frame: Frame, opened: Iterator[None]) -> Iterator[IonValue]:
            for _ in opened:
                yield project(frame)

        return lambda frame: pull(frame, rows(frame))

    def _raw_rows(self, plan: SelectPlan, project: Run) -> Callable[[Frame], Iterator[IonValue]] | None:
        """A document that certainly matches is not decoded.  None for a query that needs more than whole documents.

        ``SELECT * FROM table WHERE indexed = ...``; ``SELECT * FROM table BY id WHERE id = ...``; the committed view by
        ``data.indexed``; it and a history by any other field or none.
        """
        access, where, id_name = _whole_rows_of(plan)
        if access is None:
            return None
        show = _as_it_is if id_name is None else _with_id(id_name)
        is_revision = _shows_revisions(access)
        used = fields_used(where, access.slot)
        if is_revision and used is not None and "data" not in used:
            return self._raw_revisions(access, where, bool(used), project, show)
        if where is None or not isinstance(access, IndexSeek | DocumentFetch):
            return None
        asks_document = access.slot in slots_used(where)
        if isinstance(access, IndexSeek):
            tell = certain_match(where, access.slot, is_revision)
            if tell is None:
                return None
            find = self._seek(access, tell)
        elif asks_document:
            return None
        else:
            find = self._fetch(access, is_plain_document)
        condition, slot, id_slot = self._expressions.condition(where), access.slot, access.id_slot

        def pull(frame: Frame, rows: Iterator[Row]) -> Iterator[IonValue]:
            data, budget = frame[DATA_SLOT], frame[BUDGET_SLOT]
            for document_id, value in rows:
                data.read_ios += 1
                if budget.is_due:
                    budget.look()
                is_raw = type(value) is RawDocument
                if is_raw and asks_document:  # it was asked when it was found
                    yield show(value, document_id)
                    continue
                frame[slot] = value
                if id_slot is not None:
                    frame[id_slot] = document_id
                if condition(frame) is True:
                    yield show(value, document_id) if is_raw else project(frame)

        return lambda frame: pull(frame, find(frame))

    def _raw_revisions(
        self, access: Access, where: ast.Expr | None, asks_fields: bool, project: Run, show: ShowRaw
    ) -> Callable[[Frame], Iterator[IonValue]]:
        """Whole revisions whose documents are not decoded.  asks_fields: the condition reads others of their fields."""
        match access:
            case Scan(source=source):
                find = _scan(source, is_raw=True)
            case DocumentFetch():
                find = self._fetch(access, is_raw=True)
            case _:
                assert isinstance(access, HistoryScan)
                find = self._history(access, is_raw=True)
        slot, id_slot = access.slot, access.id_slot
        condition = None if where is None else self._expressions.condition(where)

        def pull(frame: Frame, rows: Iterator[Row]) -> Iterator[IonValue]:
            data, budget = frame[DATA_SLOT], frame[BUDGET_SLOT]
            for document_id, value in rows:
                data.read_ios += 1
                if budget.is_due:
                    budget.look()
                is_raw = not isinstance(value, dict)
                frame[slot] = value.fields() if is_raw and asks_fields else value
                if id_slot is not None:
                    frame[id_slot] = document_id
                if condition is None or condition(frame) is True:
                    yield show(RawDocument(value.ion()), document_id) if is_raw else project(frame)

        return lambda frame: pull(frame, find(frame))

    def _subquery(self, node: Subquery) -> Run:
        """A nested SELECT is the bag of its rows, wherever it stands."""
        query = self.query(node.query, is_output=False)
        return lambda frame: Bag(_gathered(query(frame), frame[BUDGET_SLOT]))

    def _exists(self, node: Subquery) -> Run:
        """EXISTS: every row is computed, because its errors and reads count, but none is kept."""
        query = self.query(node.query, is_output=False)

        def exists(frame: Frame) -> IonValue:
            budget = frame[BUDGET_SLOT]
            held, is_any = budget.held, False
            for _ in query(frame):
                is_any = True
                budget.held = held
            return is_any

        return exists

    def _aggregates(self, calls: tuple[AggregateCall, ...], pos: ast.Pos) -> Callable[[Frame, Iterator[None]], None]:
        """pos: of the SELECT; the library reports errors of its aggregates there."""
        parts = [
            (
                call.slot,
                accumulator_of(call.call),
                self.expression(ast.Literal(True) if call.argument is None else call.argument),
                call.call.pos,
            )
            for call in calls
        ]

        def total(frame: Frame, opened: Iterator[None]) -> None:
            running = [(new(), argument) for _, new, argument, _ in parts]
            budget = frame[BUDGET_SLOT]
            held = budget.held
            for _ in opened:
                budget.held = held  # the values from which the previous row was made are gone
                for sum_, argument in running:
                    value = argument(frame)
                    try:
                        sum_.add(value)
                    except PartiqlError as error:
                        raise located(error, pos) from None
            for (slot, _, _, own_pos), (sum_, _) in zip(parts, running, strict=True):
                try:
                    frame[slot] = sum_.result()
                except PartiqlError as error:
                    raise located(error, own_pos) from None

        return total

    # --- Projections ---------------------------------------------------------------------------------------

    def _output(self, node: ast.Expr, is_output: bool) -> Run:
        """An expression whose value becomes part of a row.  MISSING stays MISSING, and the row leaves it out."""
        run = self.expression(node)
        if not is_output or is_plain(node):
            return run

        def convert(frame: Frame) -> IonValue:
            value = run(frame)
            return value if value is MISSING else to_ion(value)

        return convert

    def _projection(self, projection: Projection, is_output: bool) -> Run:
        if isinstance(projection, ProjectValue):
            run = self._output(projection.value, is_output)
            if not is_output:
                return run

            def value(frame: Frame) -> IonValue:
                result = run(frame)
                return None if result is MISSING else result

            return value
        columns = projection.columns
        if len(columns) == 1 and isinstance(columns[0], Spread) and isinstance(columns[0].value, Slot):
            whole = _whole_row(self._output(columns[0].value, is_output))
            if is_output or self._expressions.struct_of is struct_of:
                return whole
            return lambda frame: struct_of(struct_items(whole(frame)))  # what is spread has no positions
        named = [column for column in columns if isinstance(column, Column)]
        if len({column.name for column in named}) == len(columns):
            row = _row([(column.name, self._output(column.value, is_output)) for column in named])
            if is_output or self._expressions.struct_of is struct_of:
                return row
            return lambda frame: MadeStruct(row(frame))
        merged = _merged_row(
            [
                (None if isinstance(column, Spread) else column.name, self._output(column.value, is_output))
                for column in columns
            ]
        )
        if is_output or self._expressions.struct_of is struct_of or len(named) < len(columns):
            return merged
        return lambda frame: made_struct_of(struct_items(merged(frame)))

    # --- Relations -----------------------------------------------------------------------------------------

    def relation(self, relation: Relation, where_pos: ast.Pos | None = None) -> Open:
        """where_pos: the position for errors of WHERE itself, if it is not that of its expression."""
        if not isinstance(relation, Filter):
            return self._join(relation, None) if isinstance(relation, Join) else self._access(relation, None)
        condition = self._expressions.condition(relation.condition, where_pos)
        if isinstance(relation.input, Join):
            return self._join(relation.input, condition)
        if isinstance(relation.input, Scan) and relation.input.source.view == "user":
            bind = prefilter_of(relation.condition, relation.input.slot)
            if bind is not None:
                return _prefiltered_rows(relation.input, bind, condition)
        return self._access(relation.input, condition)

    def _join(self, join: Join, where: Run | None) -> Open:
        """Nested loops without nested generators, however many sources there are."""
        openers = []
        for part in join.inputs:
            on = None if part.condition is None else self._expressions.condition(part.condition)
            openers.append(self._access(part.access, on))
        innermost, outer = openers[-1], openers[:-1]
        depth = len(outer)

        def pull(frame: Frame, first: Iterator[None]) -> Iterator[None]:
            stack = [first]
            while stack:  # each turn pulls a row from a source, and the source looks if that is due
                if next(stack[-1], _END) is _END:
                    stack.pop()
                elif len(stack) < depth:
                    stack.append(outer[len(stack)](frame))
                elif where is None:
                    yield from innermost(frame)
                else:
                    for _ in innermost(frame):
                        if where(frame) is True:
                            yield

        return lambda frame: pull(frame, outer[0](frame))

    def _access(self, access: Access, condition: Run | None) -> Open:
        match access:
            case Scan(source=source):
                return _table_rows(access, _scan(source), condition)
            case IndexSeek():
                return _table_rows(access, self._seek(access), condition)
            case DocumentFetch():
                return _table_rows(access, self._fetch(access), condition)
            case HistoryScan():
                return _table_rows(access, self._history(access), condition)
            case CatalogueScan():
                return _table_rows(access, _catalogue, condition)
        assert isinstance(access, Unnest)
        return _unnest(access, self.expression(access.collection), condition)

    def _seek(self, access: IndexSeek, tell: BindCertainMatch = lambda frame: None) -> Callable[[Frame], Iterator[Row]]:
        """The rows that an index finds.  tell: tells which of them certainly match."""
        source, index, keys = access.source, access.index, self._keys(access.probe)

        def seek(frame: Frame) -> Iterator[Row]:
            values = keys(frame)
            if values is None:
                return frame[DATA_SLOT].scan(source)  # type: ignore[no-any-return]
            return frame[DATA_SLOT].seek(source, index, values, tell(frame)) if values else iter(())

        return seek

    def _fetch(
        self, access: DocumentFetch, certain: CertainMatch | None = None, is_raw: bool = False
    ) -> Callable[[Frame], Iterator[Row]]:
        """The documents with given ids.  certain: which of them need not be decoded.  is_raw: nor any revision."""
        source, keys = access.source, self._keys(access.probe, has_unknowns=False)

        def fetch(frame: Frame) -> Iterator[Row]:
            values = keys(frame)
            if values is None:
                return frame[DATA_SLOT].scan(source)  # type: ignore[no-any-return]
            ids = _document_ids(values)
            return frame[DATA_SLOT].fetch(source, ids, certain, is_raw) if ids else iter(())

        return fetch

    def _keys(self, probe: Probe, has_unknowns: bool = True) -> Callable[[Frame], list[IonValue] | None]:
        """The values to look up; unknown ones are left out, and what is no Ion: they equal nothing that is stored.

        None when an index cannot answer: the expression fails, IN is not followed by a collection, or an unknown is in
        it.  Then the source is scanned, so that the condition itself gives the answer or the error, and only if there
        is a row to ask about.  has_unknowns: what is looked up may be unknown in some row (ids of documents never are).
        """
        values = [self.expression(value) for value in probe.values]
        is_in = probe.is_in and has_unknowns
        collection = None if probe.collection is None else self.expression(probe.collection)
        is_ion = all(map(is_plain, (*probe.values, *([] if probe.collection is None else [probe.collection]))))

        def keys(frame: Frame) -> list[IonValue] | None:
            try:
                found: Any = [value(frame) for value in values] if collection is None else collection(frame)
            except PartiqlError:
                return None
            if type(found) is Annotated:
                found = found.value
            if not isinstance(found, list):
                return None
            if is_in and any(map(semantics.is_unknown, found)):
                return None  # null is IN (null), and an index has no nulls
            known = [value for value in found if not semantics.is_unknown(value)]
            return known if is_ion else [value for value in known if not holds_bag_or_missing(value)]

        return keys

    def _history(self, access: HistoryScan, is_raw: bool = False) -> Callable[[Frame], Iterator[Row]]:
        table = access.table
        start, end = self._time(access.start), self._time(access.end)
        keys = None if access.probe is None else self._keys(access.probe, has_unknowns=False)

        def rows(frame: Frame) -> Iterator[Row]:
            first, last = start(frame), end(frame)
            ids = None if keys is None else keys(frame)
            wanted = None if ids is None else _document_ids(ids)
            return frame[DATA_SLOT].history(table, first, last, wanted, is_raw)  # type: ignore[no-any-return]

        return rows

    def _time(self, node: ast.Expr | None) -> Callable[[Frame], Timestamp | None]:
        if node is None:
            return lambda frame: None
        run, pos = self.expression(node), node.pos

        def time(frame: Frame) -> Timestamp | None:
            value = run(frame)
            if type(value) is Annotated:
                value = value.value
            if isinstance(value, Timestamp):
                return value
            raise faults.HISTORY_TIME.at(pos)

        return time


_END = object()

# --- Rows of sources -----------------------------------------------------------------------------------------


def _scan(source: TableSource, is_raw: bool = False) -> Callable[[Frame], Iterator[Row]]:
    return lambda frame: frame[DATA_SLOT].scan(source, is_raw)


def _document_ids(values: list[IonValue]) -> list[IonValue]:
    """The values that can be ids, as plain strings, without repetitions."""
    return list(dict.fromkeys(str(bare) for bare in map(strip_annotations, values) if isinstance(bare, str)))


def _catalogue(frame: Frame) -> Iterator[Row]:
    return (Row("", value) for value in frame[DATA_SLOT].catalogue_rows())


def _table_rows(access: Access, find: Callable[[Frame], Iterator[Row]], condition: Run | None) -> Open:
    """Each row counts as a read, whether the condition is true for it or not."""
    pull = _pull_rows(access, condition)
    return lambda frame: pull(frame, find(frame))


def _pull_rows(access: Access, condition: Run | None) -> Callable[[Frame, Iterator[Row]], Iterator[None]]:
    slot, id_slot = access.slot, access.id_slot

    def pull(frame: Frame, rows: Iterator[Row]) -> Iterator[None]:
        data, budget = frame[DATA_SLOT], frame[BUDGET_SLOT]
        if budget.is_due:  # this may happen many times without a row to give
            budget.look()
        taken = 0  # added to read_ios when others may read that: for every row it would cost as much as a comparison
        for document_id, value in rows:
            taken += 1
            if budget.is_due:
                budget.look()
            frame[slot] = value
            if id_slot is not None:
                frame[id_slot] = document_id
            if condition is None or condition(frame) is True:
                data.read_ios += taken
                taken = 0
                yield
        data.read_ios += taken

    return pull


def _prefiltered_rows(access: Scan, bind: BindPrefilter, condition: Run) -> Open:
    """As _table_rows, for a scan that leaves rows out without evaluating the condition.  All rows count as read."""
    slot, id_slot, source = access.slot, access.id_slot, access.source
    pull_all = _pull_rows(access, condition)

    def pull(frame: Frame, batches: Batches) -> Iterator[None]:
        data, budget = frame[DATA_SLOT], frame[BUDGET_SLOT]
        for taken, passing in batches:
            data.read_ios += taken
            if budget.is_due:
                budget.look()
            for document_id, value in passing:
                frame[slot] = value
                if id_slot is not None:
                    frame[id_slot] = document_id
                if condition(frame) is True:
                    yield

    def rows(frame: Frame) -> Iterator[None]:
        prefilter, data = bind(frame), frame[DATA_SLOT]
        if prefilter is None:
            return pull_all(frame, data.scan(source))
        return pull(frame, data.prefiltered_scan(source, prefilter))

    return rows


def _is_count_of_table(plan: SelectPlan) -> bool:
    """Whether a query only asks how many documents a table has."""
    calls, source = plan.aggregates, plan.relation
    return (
        bool(calls)
        and all(call.argument is None for call in calls)
        and isinstance(source, Scan)
        and source.source.view == "user"
        and source.slot not in slots_used(plan.projection)
    )


def _table_count(plan: SelectPlan, project: Run) -> Callable[[Frame], Iterator[IonValue]]:
    """``SELECT COUNT(*) FROM table``: no document is decoded."""
    access, slots = plan.relation, [call.slot for call in plan.aggregates]
    assert isinstance(access, Scan)
    source = access.source

    def count(frame: Frame, batches: Batches) -> Iterator[IonValue]:
        rows, budget = 0, frame[BUDGET_SLOT]
        for looked_at, _ in batches:
            rows += looked_at
            if budget.is_due:
                budget.look()
        frame[DATA_SLOT].read_ios += rows
        for slot in slots:
            frame[slot] = rows
        yield project(frame)

    return lambda frame: count(frame, frame[DATA_SLOT].prefiltered_scan(source, COUNT_ONLY))


def _unnest(access: Unnest, collection: Run, condition: Run | None) -> Open:
    slot, at_slot, position_slot = access.slot, access.at_slot, access.position_slot
    elements = _fields if access.is_unpivot else _elements

    def pull(frame: Frame) -> Iterator[None]:
        budget = frame[BUDGET_SLOT]
        if budget.is_due:
            budget.look()
        ranged = collection(frame)
        if ranged is MISSING and position_slot is not None:
            return  # a DML statement cannot change what is not in the document
        for value, at, position in elements(ranged, budget):
            frame[slot] = value
            if at_slot is not None:
                frame[at_slot] = at
            if position_slot is not None:
                frame[position_slot] = position
            if condition is None or condition(frame) is True:
                yield

    return pull


_Element = tuple[IonValue, IonValue, IonValue]


def _elements(value: IonValue, budget: Budget) -> Iterator[_Element]:
    """(element, its ordinal if it has one, its position): of a list or bag, else the value alone."""
    bare = value.value if type(value) is Annotated else value
    if type(bare) is list:
        if len(bare) <= ROWS_BETWEEN_LOOKS:
            for number, element in enumerate(bare):
                yield element, number, number
            return
        for start in range(0, len(bare), ROWS_BETWEEN_LOOKS):
            if budget.is_due:
                budget.look()
            for number, element in enumerate(bare[start : start + ROWS_BETWEEN_LOOKS], start):
                yield element, number, number
    elif type(bare) is Bag:
        for number, element in enumerate(bare):
            if not number % ROWS_BETWEEN_LOOKS and budget.is_due:
                budget.look()
            yield element, MISSING, MISSING
    else:
        yield value, MISSING, MISSING


def _fields(value: IonValue, budget: Budget) -> Iterator[_Element]:
    bare = value.value if type(value) is Annotated else value
    has_places = isinstance(bare, dict)
    fields = semantics.fields(value)
    while batch := list(islice(fields, ROWS_BETWEEN_LOOKS)):
        if budget.is_due:
            budget.look()
        for name, element in batch:
            yield element, name, name if has_places else MISSING


def _gathered(rows: Iterator[IonValue], budget: Budget) -> list[IonValue]:
    """All rows, which count against the memory of the statement."""
    found = list(islice(rows, ROWS_BETWEEN_LOOKS))
    if len(found) < ROWS_BETWEEN_LOOKS:
        if found:
            budget.held += ROW_BYTES * len(found)
        return found
    batch = found
    while batch:
        budget.hold(ROW_BYTES * len(batch))
        batch = list(islice(rows, ROWS_BETWEEN_LOOKS))
        found += batch
    return found


def _whole_rows_of(plan: SelectPlan) -> tuple[Access, ast.Expr | None, str | None] | tuple[None, None, None]:
    """The only source of a query whose rows are that source's rows as they are; its condition; the name of the id.

    The name, if there is one, is that under which the document's id stands behind the fields.  None for other queries.
    """
    columns = plan.projection.columns if isinstance(plan.projection, ProjectStruct) else ()
    relation: Relation = plan.relation
    where = None
    if isinstance(relation, Filter):
        where, relation = relation.condition, relation.input
    if isinstance(relation, Join | Filter) or not columns or plan.aggregates:
        return None, None, None
    column, *others = columns
    if not (isinstance(column, Spread) and isinstance(column.value, Slot) and column.value.number == relation.slot):
        return None, None, None
    match others:
        case []:
            return relation, where, None
        case [Column(name=name, value=Slot(number=number))] if number == relation.id_slot:
            return relation, where, name
    return None, None, None


def _as_it_is(raw: RawDocument, _document_id: str) -> IonValue:
    return raw


def _with_id(name: str) -> ShowRaw:
    def show(raw: RawDocument, document_id: str) -> IonValue:
        written = with_text_field(raw.ion, name, document_id)
        if written is not None:
            return RawDocument(written)
        return struct_of([*struct_items(loads_document(raw.ion)), (name, document_id)])

    return show


def _shows_revisions(access: Access) -> bool:
    """Whether the values of a source are revisions, with a document in ``data``."""
    if isinstance(access, Scan | IndexSeek | DocumentFetch):
        return access.source.view == "committed"
    return isinstance(access, HistoryScan)


# --- Rows of results -----------------------------------------------------------------------------------------


def _row(columns: list[tuple[str, Run]]) -> Run:
    def project(frame: Frame) -> IonValue:
        row = {}
        for name, run in columns:
            value = run(frame)
            if value is not MISSING:
                row[name] = value
        return row

    return project


def _whole_row(run: Run) -> Run:
    """``SELECT *`` of one source: the document itself, not a copy."""

    def project(frame: Frame) -> IonValue:
        value = run(frame)
        bare = value.value if type(value) is Annotated else value
        if isinstance(bare, dict) and bare:
            return bare
        return {} if value is MISSING else {"_1": value}

    return project


def _merged_row(columns: list[tuple[str | None, Run]]) -> Run:
    """Columns of which some are spread (their name is None): names may repeat.

    A value that is no struct, and an empty struct, becomes one column.  Its name is _N for the N-th column.
    """

    def project(frame: Frame) -> IonValue:
        pairs: list[tuple[str, IonValue]] = []
        count = 0  # counts all columns so far, also those without a value
        for name, run in columns:
            value = run(frame)
            if name is not None:
                count += 1
                if value is not MISSING:
                    pairs.append((name, value))
                continue
            bare = value.value if type(value) is Annotated else value
            if isinstance(bare, dict) and bare:
                spread = list(struct_items(bare))
                count += len(spread)
                pairs.extend(spread)
            elif value is not MISSING:
                count += 1
                pairs.append((f"_{count}", value))
        return struct_of(pairs)

    return project
