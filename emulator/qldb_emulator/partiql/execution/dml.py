"""INSERT, UPDATE and DELETE: from the rows of a plan to the changes it asks for.

Nothing is applied here, and no document is changed in place, because caches share it.  All expressions see the state
before the statement.  The edits of all rows of one document are then carried out, in order, on a draft of it.

What a target means (partiql.md 1.4, 1.6):

==================================  ===================================================================================
SET a = struct                      replaces the whole document; anything but a struct is an error
SET a.b.c = v                       replaces or adds ``c``; a missing (or other) thing instead of ``a.b`` is an error
SET a.b[n] = v                      replaces element n; an n past the end adds an element at the end
INSERT INTO a.list VALUE v [AT n]   adds an element at the end, or before element n (from 0)
INSERT INTO a.list << v, w >>       adds every element at the end
INSERT INTO a VALUE v AT 'name'     adds a field to a struct (or replaces it)
REMOVE a.b                          removes a field or an element; nothing happens when it is not there
REMOVE a                            deletes the document
==================================  ===================================================================================

Positions in lists are those before the statement, even if it removes or inserts other elements.
A bare name that matches no field exactly means the field that differs only in case (recorded: the talk's
``SET owner`` on ``Owner``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field

from ...ion.values import Annotated, IonValue, Sexp, struct_items, struct_of
from ...records import dataclass
from ..language import faults
from ..language.faults import type_name
from ..language.values import MISSING
from ..planning.analysis import is_plain
from ..planning.data import Change
from ..planning.plan import DeletePlan, Edit, InsertPlan, Place, UpdatePlan
from ..syntax import ast
from .expressions import Frame, Run, to_ion

Compile = Callable[[ast.Expr], Run]
Rows = Callable[[Frame], Iterator[None]]
Changes = Callable[[Frame], list[Change]]


# --- INSERT and DELETE ---------------------------------------------------------------------------------------


def compile_insert(plan: InsertPlan, compile_expression: Compile) -> Changes:
    """The changes of an INSERT: one per document, in order."""
    run, table, pos = _stored(plan.value, compile_expression), plan.table, plan.value.pos

    def changes(frame: Frame) -> list[Change]:
        value = run(frame)
        bare = value.value if type(value) is Annotated else value
        is_many = not plan.is_single and isinstance(bare, list) and type(bare) is not Sexp
        documents = list(bare) if is_many else [value]
        return [Change("insert", table, None, _document(document, pos)) for document in documents]

    return changes


def _document(value: IonValue, pos: ast.Pos) -> IonValue:
    """A value as a document.  Raises PartiqlError when it is no struct."""
    if not isinstance(value.value if type(value) is Annotated else value, dict):
        raise faults.NOT_A_DOCUMENT.at(pos, type=type_name(value))
    return value


def _stored(node: ast.Expr, compile_expression: Compile) -> Run:
    """An expression whose value will be stored: Ion, or MISSING."""
    run = compile_expression(node)
    if is_plain(node):
        return run

    def convert(frame: Frame) -> IonValue:
        value = run(frame)
        return value if value is MISSING else to_ion(value)

    return convert


def compile_delete(plan: DeletePlan, rows: Rows) -> Changes:
    """The changes of a DELETE."""
    table, id_slot = plan.table, plan.id_slot

    def changes(frame: Frame) -> list[Change]:
        return [Change("delete", table, frame[id_slot], None) for _ in rows(frame)]

    return changes


# --- Drafts: documents being edited --------------------------------------------------------------------------

Key = ast.FieldStep | int  # a step whose index has been evaluated


@dataclass(slots=True)
class _Cell:
    """A place for a value.  In a list it also has the values that were inserted before it."""

    value: IonValue
    is_removed: bool = False
    before: list[_Cell] = field(default_factory=list)

    def opened(self) -> _StructDraft | _ListDraft | None:
        """The container in this cell, made editable; None when there is no container."""
        if isinstance(self.value, _StructDraft | _ListDraft):
            return self.value
        annotations = self.value.annotations if type(self.value) is Annotated else ()
        bare = self.value.value if annotations else self.value
        draft: _StructDraft | _ListDraft
        if isinstance(bare, dict):
            draft = _StructDraft(annotations, [(name, _Cell(value)) for name, value in struct_items(bare)])
        elif isinstance(bare, list):
            cells = [_Cell(value) for value in bare]
            draft = _ListDraft(annotations, type(bare) is Sexp, cells, len(cells))
        else:
            return None
        self.value = draft
        return draft

    def close(self) -> IonValue:
        """The value as it is now."""
        return self.value.close() if isinstance(self.value, _StructDraft | _ListDraft) else self.value


@dataclass(slots=True)
class _StructDraft:
    """Its cells are also found by their names: an UPDATE may set thousands of fields of one struct."""

    annotations: tuple[str, ...]
    fields: list[tuple[str, _Cell]]
    _named: dict[str, list[_Cell]] = field(default_factory=dict)
    _lowered: dict[str, list[_Cell]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, cell in self.fields:
            self._note(name, cell)

    def _note(self, name: str, cell: _Cell) -> None:
        self._named.setdefault(name, []).append(cell)
        self._lowered.setdefault(name.lower(), []).append(cell)

    def find(self, key: ast.FieldStep) -> _Cell | None:
        cells = self._named.get(key.name, ())
        if key.is_quoted or any(not cell.is_removed for cell in cells):
            return next((cell for cell in cells if not cell.is_removed), None)
        return next((cell for cell in self._lowered.get(key.name.lower(), ()) if not cell.is_removed), None)

    def put(self, key: ast.FieldStep, value: IonValue) -> None:
        """Replace a field, or add it at the end.  MISSING leaves no field, as in a struct's constructor."""
        cell = self.find(key)
        if cell is None:
            cell = _Cell(MISSING)
            self.fields.append((key.name, cell))
            self._note(key.name, cell)
        cell.value = value
        cell.is_removed = value is MISSING

    def remove(self, key: ast.FieldStep) -> None:
        """Remove a field, and others of exactly the same name."""
        found = self.find(key)
        names = [name for name, cell in self.fields if cell is found]
        for name, cell in self.fields:
            if name in names:
                cell.is_removed = True

    def close(self) -> IonValue:
        value = struct_of((name, cell.close()) for name, cell in self.fields if not cell.is_removed)
        return Annotated(self.annotations, value) if self.annotations else value


@dataclass(slots=True)
class _ListDraft:
    """size: how many elements the list had before the statement; later ones were added at the end."""

    annotations: tuple[str, ...]
    is_sexp: bool
    cells: list[_Cell]
    size: int

    def find(self, position: int) -> _Cell | None:
        if 0 <= position < len(self.cells) and not self.cells[position].is_removed:
            return self.cells[position]
        return None

    def append(self, value: IonValue) -> None:
        self.cells.append(_Cell(None if value is MISSING else value))

    def close(self) -> IonValue:
        values: list[IonValue] = []
        for cell in self.cells:
            values.extend(inserted.close() for inserted in cell.before)
            if not cell.is_removed:
                values.append(cell.close())
        value = Sexp(values) if self.is_sexp else values
        return Annotated(self.annotations, value) if self.annotations else value


@dataclass(slots=True)
class _Draft:
    """One document of an UPDATE.  writes: operations so far."""

    root: _Cell
    writes: int = 0
    is_deleted: bool = False


# --- UPDATE --------------------------------------------------------------------------------------------------

Keys = Callable[[Frame], list[Key]]
Apply = Callable[[Frame, _Draft], None]


def compile_update(plan: UpdatePlan, rows: Rows, compile_expression: Compile) -> Changes:
    """The changes of an UPDATE: one for each document, in the order of their first rows."""
    edits = [_compile_edit(edit, plan, compile_expression) for edit in plan.edits]
    table, slot, id_slot = plan.table, plan.slot, plan.id_slot
    row_count = max(1, sum(edit.kind == "set" for edit in plan.edits))

    def changes(frame: Frame) -> list[Change]:
        drafts: dict[str, _Draft] = {}
        for _ in rows(frame):
            document_id = frame[id_slot]
            draft = drafts.get(document_id)
            if draft is None:
                draft = drafts[document_id] = _Draft(_Cell(frame[slot]))
            for apply in edits:
                apply(frame, draft)
        return [
            Change("delete", table, document_id, None, draft.writes, row_count)
            if draft.is_deleted
            else Change("update", table, document_id, draft.root.close(), draft.writes, row_count)
            for document_id, draft in drafts.items()
        ]

    return changes


def _compile_edit(edit: Edit, plan: UpdatePlan, compile_expression: Compile) -> Apply:
    keys = _compile_keys(edit.place, plan, compile_expression)
    pos = edit.place.written.pos
    if edit.kind == "remove":
        return _remove(keys)
    assert edit.value is not None
    value = _stored(edit.value, compile_expression)
    if edit.kind == "set":
        return _set(keys, value, pos)
    if not edit.is_single:
        return _insert_each(keys, value, pos)
    at = None if edit.at is None else compile_expression(edit.at)
    return _insert(keys, value, at, pos if edit.at is None else edit.at.pos)


def _compile_keys(place: Place, plan: UpdatePlan, compile_expression: Compile) -> Keys:
    """The way from the document's root to a place, for the current row."""
    steps = [
        step if isinstance(step, ast.FieldStep) else (compile_expression(step.index), step.pos) for step in place.steps
    ]
    origin: Keys | None = None
    position_slot: int | None = None
    if place.origin is not None:
        origin = _compile_keys(plan.place_of(place.origin), plan, compile_expression)
        position_slot = place.origin.position_slot

    def keys(frame: Frame) -> list[Key]:
        found: list[Key] = []
        if origin is not None and position_slot is not None:
            found = origin(frame)
            position = frame[position_slot]
            if (
                position is not MISSING
            ):  # MISSING: the source was not a collection but a single value, which is the element
                found.append(_key(position, place.written.pos))
        for step in steps:
            found.append(step if isinstance(step, ast.FieldStep) else _key(step[0](frame), step[1]))
        return found

    return keys


def _key(position: IonValue, pos: ast.Pos) -> Key:
    """An evaluated ``[...]`` as a key.  Raises PartiqlError for what is neither an int nor text."""
    if type(position) is Annotated:
        position = position.value
    if isinstance(position, int) and not isinstance(position, bool):
        return position
    if isinstance(position, str):
        return ast.FieldStep(str(position), is_quoted=True, pos=pos)
    raise faults.POSITION_TYPE.at(pos, type=type_name(position))


def _child(cell: _Cell, key: Key) -> _Cell | None:
    container = cell.opened()
    if isinstance(container, _StructDraft) and isinstance(key, ast.FieldStep):
        return container.find(key)
    if isinstance(container, _ListDraft) and isinstance(key, int):
        return container.find(key)
    return None


def _reach(draft: _Draft, keys: list[Key], last: Key | None, pos: ast.Pos) -> _Cell:
    """The cell at the end of the keys.  last: the place within it that is wanted, for the error's text.

    Raises PartiqlError if there is none; its text has the rest of the path after the step that was not found.
    """
    cell = draft.root
    for number, key in enumerate(keys, 1):
        child = _child(cell, key)
        if child is None:
            raise faults.PATH_NOT_RESOLVED.at(
                pos, steps=_steps_text([*keys[number:], *([] if last is None else [last])])
            )
        cell = child
    return cell


def _steps_text(steps: list[Key]) -> str:
    return ", ".join(
        f"Field(name={step.name})" if isinstance(step, ast.FieldStep) else f"Index(index={step})" for step in steps
    )


def _set(keys_of: Keys, value_of: Run, pos: ast.Pos) -> Apply:
    def apply(frame: Frame, draft: _Draft) -> None:
        value, keys = value_of(frame), keys_of(frame)
        draft.writes += 1
        if not keys:
            draft.root.value = _document(value, pos)
            return
        container, key = _reach(draft, keys[:-1], keys[-1], pos).opened(), keys[-1]
        if isinstance(container, _StructDraft) and isinstance(key, ast.FieldStep):
            container.put(key, value)
        elif isinstance(container, _ListDraft) and isinstance(key, int) and key >= 0:
            cell = container.find(key)
            if cell is None:
                container.append(value)
            else:
                cell.value = None if value is MISSING else value
        else:
            raise faults.NO_CONTAINER.at(pos)

    return apply


def _insert(keys_of: Keys, value_of: Run, at: Run | None, pos: ast.Pos) -> Apply:
    def apply(frame: Frame, draft: _Draft) -> None:
        value = value_of(frame)
        value = None if value is MISSING else value
        keys = keys_of(frame)
        key = None if at is None else _key(at(frame), pos)
        container = _reach(draft, keys, key, pos).opened()
        draft.writes += 1
        if isinstance(container, _StructDraft) and isinstance(key, ast.FieldStep):
            container.put(key, value)
        elif isinstance(container, _ListDraft) and key is None:
            container.append(value)
        elif isinstance(container, _ListDraft) and isinstance(key, int):
            if not 0 <= key <= len(container.cells):
                raise faults.NO_POSITION.at(pos, at=key, count=len(container.cells))
            if key == len(container.cells):
                container.append(value)
            else:
                container.cells[key].before.append(_Cell(value))
        elif isinstance(container, _StructDraft):
            raise faults.INSERT_WITHOUT_NAME.at(pos)
        elif isinstance(container, _ListDraft):
            raise faults.INSERT_WITHOUT_POSITION.at(pos)
        else:
            raise faults.INSERT_INTO_SCALAR.at(pos)

    return apply


def _insert_each(keys_of: Keys, value_of: Run, pos: ast.Pos) -> Apply:
    """``INSERT INTO target << ... >>``: every element at the end of a list."""

    def apply(frame: Frame, draft: _Draft) -> None:
        value = value_of(frame)
        values = value.value if type(value) is Annotated else value
        container = _reach(draft, keys_of(frame), None, pos).opened()
        if not isinstance(container, _ListDraft):
            raise faults.INSERT_INTO_SCALAR.at(pos)
        if not isinstance(values, list):
            raise faults.NOT_A_COLLECTION.at(pos, type=type_name(value))
        draft.writes += 1
        for each in values:
            container.append(each)

    return apply


def _remove(keys_of: Keys) -> Apply:
    def apply(frame: Frame, draft: _Draft) -> None:
        keys = keys_of(frame)
        if not keys:
            draft.writes += not draft.is_deleted
            draft.is_deleted = True
            return
        draft.writes += 1
        cell: _Cell | None = draft.root
        for key in keys[:-1]:
            cell = None if cell is None else _child(cell, key)
        container, key = None if cell is None else cell.opened(), keys[-1]
        if isinstance(container, _StructDraft) and isinstance(key, ast.FieldStep):
            container.remove(key)
        elif isinstance(container, _ListDraft) and isinstance(key, int):
            found = container.find(key)
            if found is not None:
                found.is_removed = True

    return apply
