"""Expressions of a plan become closures.  What does not depend on a row is decided when a closure is made.

A closure takes the frame of one execution: slot 0 the data, slot 1 the parameters, then the values of the plan's slots.
Closures keep no state between calls, so a compiled statement may run in many sessions at once.

Operators raise errors without a position; the closure of the node puts its own there.
"""

from __future__ import annotations

import operator as operator_module
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ...budget import Budget, charge, current
from ...ion.values import (
    STRUCT_TYPES,
    Annotated,
    IonValue,
    MadeStruct,
    MultiStruct,
    Sexp,
    Symbol,
    TypedNull,
    struct_items,
    struct_of,
)
from ..language import faults, semantics
from ..language.casts import cast
from ..language.errors import PartiqlError
from ..language.functions import function_named
from ..language.texts import ion_text
from ..language.values import MISSING, Bag
from ..planning.plan import BUDGET_SLOT, DATA_SLOT, PARAMETERS_SLOT, Failure, OuterSlot, Slot, Subquery
from ..syntax import ast
from .aggregates import Accumulator, make_accumulator

Frame = list[Any]
Run = Callable[[Frame], IonValue]
CompileQuery = Callable[[Subquery], Run]


def located(error: PartiqlError, pos: ast.Pos) -> PartiqlError:
    """The error with a position, unless it has one."""
    if error.pos is ast.NOWHERE:
        error.pos = pos
    return error


class ExpressionCompiler:
    """compile_query: how a nested SELECT becomes a closure (``compiler`` knows); compile_exists: one in an EXISTS.

    has_positions: the statement takes parts of values by number, so its structs are ``MadeStruct``.
    """

    def __init__(self, compile_query: CompileQuery, compile_exists: CompileQuery, has_positions: bool = False) -> None:
        self._compile_query = compile_query
        self._compile_exists = compile_exists
        self.struct_of = made_struct_of if has_positions else struct_of
        self._is_growing = False  # a part of the condition that is being compiled may report memory

    def compile(self, node: ast.Expr) -> Run:
        """The closure of an expression.  Raises PartiqlError for a function that does not exist."""
        kind = type(node)
        if kind in _GROWING and _is_growing(node) and _query_of_exists(node) is None:
            self._is_growing = True
        return _HANDLERS[kind](self, node)

    def condition(self, node: ast.Expr, pos: ast.Pos | None = None) -> Run:
        """The closure of a WHERE or ON: True, False or None.

        It raises PartiqlError for a value that is not a truth value, at *pos* if that is given.
        """
        outer, self._is_growing = self._is_growing, False
        run = self.compile(node)
        if self._is_growing:
            run = _released(run)
        else:
            self._is_growing = outer
        if _is_truth(node):
            return run
        pos = pos or node.pos

        def check(frame: Frame) -> IonValue:
            value = run(frame)
            if value is True or value is False:
                return value
            try:
                return semantics.truth(value)
            except PartiqlError as error:
                raise located(error, pos) from None

        return check

    # --- Leaves --------------------------------------------------------------------------------------------

    def _subquery(self, node: Subquery) -> Run:
        return self._compile_query(node)

    def _literal(self, node: ast.Literal) -> Run:
        value = node.value
        return lambda frame: value

    def _parameter(self, node: ast.Parameter) -> Run:
        index = node.index
        return lambda frame: frame[PARAMETERS_SLOT][index]

    def _slot(self, node: Slot) -> Run:
        number = node.number
        return lambda frame: frame[number]

    def _outer_slot(self, node: OuterSlot) -> Run:
        outer, numbers = node.outer.number, [slot.number for slot in node.between]
        get = _field_getter(node.field)

        def find(frame: Frame) -> IonValue:
            for number in numbers:
                value = frame[number]
                if type(value) in _HOLDERS:
                    found = get(value)
                    if found is not MISSING:
                        return found
            return frame[outer]

        return find

    def _failure(self, node: Failure) -> Run:
        def fail(frame: Frame) -> IonValue:
            raise node.fault.at(node.pos, name=node.name)

        return fail

    # --- Paths ---------------------------------------------------------------------------------------------

    def _path(self, node: ast.Path) -> Run:
        if any(isinstance(step, ast.ElementsStep | ast.FieldsStep) for step in node.steps):
            return self._wildcard_path(node)
        first = node.steps[0]
        if isinstance(node.root, Slot) and isinstance(first, ast.FieldStep):
            run = _field_of_slot(node.root.number, first)
            rest = node.steps[1:]
        else:
            run, rest = self.compile(node.root), node.steps
        steps = [self._step(step) for step in rest]
        if not steps:
            return run
        if len(steps) == 1:
            return _after(run, steps[0])

        def follow(frame: Frame) -> IonValue:
            value = run(frame)
            for step in steps:
                value = step(frame, value)
            return value

        return follow

    def _step(self, step: ast.Step) -> Callable[[Frame, IonValue], IonValue]:
        if isinstance(step, ast.FieldStep):
            get = _field_getter(step)
            return lambda frame, value: get(value)
        assert isinstance(step, ast.IndexStep)
        index, pos = self.compile(step.index), step.index.pos

        def at(frame: Frame, value: IonValue) -> IonValue:
            position = index(frame)
            try:
                return semantics.index(value, position)
            except PartiqlError as error:
                raise located(error, pos) from None

        return at

    def _wildcard_path(self, node: ast.Path) -> Run:
        """``a[*].b``: a bag, the steps behind a wildcard taken from each of its values."""
        root, follow = self.compile(node.root), self._steps(node.steps)
        return lambda frame: follow(frame, root(frame))

    def _steps(self, steps: tuple[ast.Step, ...]) -> Callable[[Frame, IonValue], IonValue]:
        """What steps of which some are wildcards make of a value."""
        if not steps:
            return lambda frame, value: value
        first, rest = steps[0], self._steps(steps[1:])
        if not isinstance(first, ast.ElementsStep | ast.FieldsStep):
            one = self._step(first)
            return lambda frame, value: rest(frame, one(frame, value))
        if isinstance(first, ast.FieldsStep):
            if len(steps) == 1:
                return lambda frame, value: _bag_of([found for _, found in semantics.fields(value)])
            return lambda frame, value: _bag_of(
                [found for _, part in semantics.fields(value) for found in semantics.elements(rest(frame, part))]
            )
        if any(isinstance(step, ast.ElementsStep) for step in steps[1:]):
            return lambda frame, value: _bag_of(
                [found for part in semantics.elements(value) for found in semantics.parts(rest(frame, part))]
            )
        return lambda frame, value: _bag_of([rest(frame, part) for part in semantics.elements(value)])

    # --- Operators -----------------------------------------------------------------------------------------

    def _unary(self, node: ast.Unary) -> Run:
        return _apply_1(semantics.UNARY[node.operator], self.compile(node.operand), node.pos)

    def _binary(self, node: ast.Binary) -> Run:
        if node.operator == "=":
            special = self._equals_constant(node)
            if special is not None:
                return special
        if node.operator in _SAME_KIND:
            special = _field_against_parameter(node)
            if special is not None:
                return special
        left, right = self.compile(node.left), self.compile(node.right)
        operator, pos = semantics.BINARY[node.operator], node.pos

        def apply(frame: Frame) -> IonValue:
            first = left(frame)
            if type(first) in _MAYBE_UNKNOWN and semantics.is_unknown(first):
                return None  # the right side is not evaluated, so it cannot fail
            second = right(frame)
            try:
                return operator(first, second)
            except PartiqlError as error:
                raise located(error, pos) from None

        return apply

    def _equals_constant(self, node: ast.Binary) -> Run | None:
        """``path = 'text'`` and ``path = 7`` are the most frequent conditions: plain values are compared directly."""
        for side, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(other, ast.Literal) and type(other.value) in (str, int):
                constant = other.value
                if isinstance(side, ast.Path) and len(side.steps) == 1 and isinstance(side.root, Slot):
                    step = side.steps[0]
                    if isinstance(step, ast.FieldStep):
                        return _field_equals(side.root.number, step, constant)
                return _equals(self.compile(side), constant)
        return None

    def _chain(self, node: ast.Chain) -> Run:
        operands = [self.compile(operand) for operand in node.operands]
        places = node.operators or (node.pos,) * (len(operands) - 1)
        if node.operator == "||":
            return _fold(semantics.concat, operands, places)
        decided_by = node.operator == "OR"
        if len(operands) == 2 and all(map(_is_truth, node.operands)):
            return _two_truths(decided_by, operands[0], operands[1])
        asked = list(zip(operands, (places[0], *places), strict=True))

        def chain(frame: Frame) -> IonValue:
            result: bool | None = not decided_by
            for operand, pos in asked:
                value = operand(frame)
                if value is not True and value is not False:
                    try:
                        value = semantics.truth(value)
                    except PartiqlError as error:
                        raise located(error, pos) from None
                    if value is None:
                        result = None
                        continue
                if value is decided_by:
                    return decided_by
            return result

        return chain

    def _between(self, node: ast.Between) -> Run:
        """The upper bound is evaluated only if the lower one holds."""
        value_of, low, high = [self.compile(part) for part in (node.value, node.low, node.high)]
        expected, pos = not node.is_negated, node.pos
        above, below = semantics.not_below, semantics.not_above

        def between(frame: Frame) -> IonValue:
            value, bound = value_of(frame), low(frame)
            try:
                if not above(value, bound):
                    return not expected
            except PartiqlError as error:
                raise located(error, pos) from None
            bound = high(frame)
            try:
                return below(value, bound) is expected
            except PartiqlError as error:
                raise located(error, pos) from None

        return between

    def _in(self, node: ast.In) -> Run:
        if isinstance(node.collection, ast.ListConstructor | ast.BagConstructor):
            constants = [item.value for item in node.collection.items if isinstance(item, ast.Literal)]
            if len(constants) == len(node.collection.items) and {type(value) for value in constants} <= {str, int}:
                return _negate_if(node.is_negated, _in_constants(self.compile(node.value), constants))
        runs = [self.compile(node.value), self.compile(node.collection)]
        return _negate_if(node.is_negated, _apply(semantics.in_, runs, node.pos))

    def _like(self, node: ast.Like) -> Run:
        """A constant pattern is read once.  As in the library, a mistake in it is an error even if there is no row."""
        value, pattern = self.compile(node.value), self.compile(node.pattern)
        escape = None if node.escape is None else self.compile(node.escape)
        places = node.pos, node.pattern.pos, node.pos if node.escape is None else node.escape.pos
        if isinstance(node.pattern, ast.Literal) and (node.escape is None or isinstance(node.escape, ast.Literal)):
            written = None if node.escape is None else node.escape.value
            if node.escape is None or not semantics.is_unknown(written):
                match = _located_pattern(node.pattern.value, written, places)
            else:
                match = None
            if isinstance(node.value, ast.Literal):
                found = _located_match(node.value.value, match, node.pos)
                return _negate_if(node.is_negated, lambda frame: found)
            return _negate_if(node.is_negated, lambda frame: _located_match(value(frame), match, node.pos))

        def like(frame: Frame) -> IonValue:
            text, form = value(frame), pattern(frame)
            if escape is None:
                return _located_match(text, _located_pattern(form, None, places), node.pos)
            mark = escape(frame)
            match = None if semantics.is_unknown(mark) else _located_pattern(form, mark, places)
            return _located_match(text, match, node.pos)

        return _negate_if(node.is_negated, like)

    def _is(self, node: ast.Is) -> Run:
        value, name = self.compile(node.value), node.type.name
        expected = not node.is_negated
        return lambda frame: semantics.is_type(value(frame), name) is expected

    def _cast(self, node: ast.Cast) -> Run:
        name = node.type.name  # the position of an error is the parenthesis, as in the library

        def converted(value: IonValue) -> IonValue:
            result = cast(value, name)
            if isinstance(result, str) and len(result) > _LONG_TEXT:
                charge(len(result))
            return result

        return _apply_1(converted, self.compile(node.value), node.opening or node.pos)

    def _case(self, node: ast.Case) -> Run:
        # In this order: of several errors in constants the first one is reported, as in the library.
        operand = None if node.operand is None else self.compile(node.operand)
        default = self.compile(ast.Literal(None) if node.default is None else node.default)
        whens = [(self.compile(when), self.compile(then)) for when, then in node.whens]
        pos = node.pos

        def searched(frame: Frame) -> IonValue:
            for when, then in whens:
                value = when(frame)
                try:
                    holds = semantics.is_true_when(value)
                except PartiqlError as error:
                    raise located(error, pos) from None
                if holds:
                    return then(frame)
            return default(frame)

        def simple(frame: Frame) -> IonValue:
            assert operand is not None
            value = operand(frame)
            for when, then in whens:
                if semantics.equal_or_unknown(value, when(frame)):
                    return then(frame)
            return default(frame)

        return searched if operand is None else simple

    # --- Calls ---------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Run:
        query = _query_of_exists(node)
        if query is not None:
            outer = self._is_growing
            run = self._compile_exists(query)
            self._is_growing = outer  # the memory that it reports is given back
            return run
        return self._function(node, [self.compile(argument) for argument in node.arguments])

    def _date_call(self, node: ast.DateCall) -> Run:
        part = node.part
        return self._function(node, [lambda frame: part, *[self.compile(argument) for argument in node.arguments]])

    def _trim(self, node: ast.Trim) -> Run:
        side = node.side
        characters = self.compile(ast.Literal(" ") if node.characters is None else node.characters)
        return self._call_of("trim", node.pos, [lambda frame: side, characters, self.compile(node.value)])

    def _function(self, node: ast.Call | ast.DateCall, arguments: list[Run]) -> Run:
        return self._call_of(node.name, node.pos, arguments)

    def _call_of(self, name: str, pos: ast.Pos, arguments: list[Run]) -> Run:
        try:
            function = function_named(name)
        except PartiqlError as error:
            raise located(error, pos) from None
        call = function.call

        def run(frame: Frame) -> IonValue:
            values = [argument(frame) for argument in arguments]
            try:
                result = call(frame[DATA_SLOT], values)
            except PartiqlError as error:
                raise located(error, pos) from None
            if type(result) is str and len(result) > _LONG_TEXT:
                charge(len(result))
            return result

        return run

    def _aggregate(self, node: ast.Aggregate) -> Run:
        """An aggregate outside of a select list: a function of one collection."""
        assert node.argument is not None
        argument, begin, pos = self.compile(node.argument), accumulator_of(node), node.pos

        def total(frame: Frame) -> IonValue:
            collection, accumulator = argument(frame), begin()
            try:
                for value in semantics.parts(collection):
                    accumulator.add(value)
                return accumulator.result()
            except PartiqlError as error:
                raise located(error, pos) from None

        return total

    # --- Constructors --------------------------------------------------------------------------------------

    def _list(self, node: ast.ListConstructor) -> Run:
        items = [self.compile(item) for item in node.items]
        return _charged(lambda frame: [item(frame) for item in items], len(items))

    def _bag(self, node: ast.BagConstructor) -> Run:
        items = [self.compile(item) for item in node.items]
        return _charged(lambda frame: Bag([item(frame) for item in items]), len(items))

    def _sexp(self, node: ast.SexpConstructor) -> Run:
        items = [self.compile(item) for item in node.items]
        return _charged(lambda frame: Sexp([item(frame) for item in items]), len(items))

    def _struct(self, node: ast.StructConstructor) -> Run:
        """Fields whose value is MISSING are left out.  A name that is no text is an error, never left out."""
        fields = [(self.compile(name), self.compile(value)) for name, value in node.fields]
        pos, make = node.pos, self.struct_of

        def build(frame: Frame) -> IonValue:
            pairs = []
            for name_of, value_of in fields:
                name, value = name_of(frame), value_of(frame)
                if value is MISSING:
                    continue
                text = name.value if type(name) is Annotated else name
                if not isinstance(text, str):
                    raise faults.EXPECTED_TEXT.at(pos, value=ion_text(name))
                pairs.append((str(text) if type(text) is Symbol else text, value))
            return make(pairs)

        return build


_HANDLERS: Final[Mapping[type[ast.Expr], Callable[[ExpressionCompiler, Any], Run]]] = {
    ast.Literal: ExpressionCompiler._literal,
    ast.Parameter: ExpressionCompiler._parameter,
    Slot: ExpressionCompiler._slot,
    OuterSlot: ExpressionCompiler._outer_slot,
    Subquery: ExpressionCompiler._subquery,
    Failure: ExpressionCompiler._failure,
    ast.Path: ExpressionCompiler._path,
    ast.Unary: ExpressionCompiler._unary,
    ast.Binary: ExpressionCompiler._binary,
    ast.Chain: ExpressionCompiler._chain,
    ast.Between: ExpressionCompiler._between,
    ast.In: ExpressionCompiler._in,
    ast.Like: ExpressionCompiler._like,
    ast.Is: ExpressionCompiler._is,
    ast.Cast: ExpressionCompiler._cast,
    ast.Case: ExpressionCompiler._case,
    ast.Call: ExpressionCompiler._call,
    ast.DateCall: ExpressionCompiler._date_call,
    ast.Trim: ExpressionCompiler._trim,
    ast.Aggregate: ExpressionCompiler._aggregate,
    ast.ListConstructor: ExpressionCompiler._list,
    ast.BagConstructor: ExpressionCompiler._bag,
    ast.SexpConstructor: ExpressionCompiler._sexp,
    ast.StructConstructor: ExpressionCompiler._struct,
}


_MAYBE_UNKNOWN = frozenset((type(None), type(MISSING), TypedNull, Annotated))
_TRUTH_OPERATORS = frozenset(("=", "<>", "<", "<=", ">", ">=", "AND", "OR", "NOT"))


_HOLDERS = frozenset((*STRUCT_TYPES, Annotated))  # what may have fields
_LONG_TEXT = 1_024  # characters; shorter texts are not reported
_LONG_LIST = 64  # items
_PLACE_BYTES = 16  # of an element in a list, without the list itself
_FIELD_BYTES = 100  # of a field in a struct


def _query_of_exists(node: object) -> Subquery | None:
    """The nested SELECT of an EXISTS: its rows are not kept."""
    if isinstance(node, ast.Call) and node.name == "exists" and len(node.arguments) == 1:
        (argument,) = node.arguments
        if isinstance(argument, Subquery):
            return argument
    return None


_GROWING = frozenset(
    (
        *(ast.ListConstructor, ast.BagConstructor, ast.SexpConstructor, ast.Path, ast.Chain),
        *(Subquery, ast.Call, ast.Cast, ast.Trim),
    )
)


def _is_growing(node: object) -> bool:
    """Whether a node of a plan, apart from what is in it, may report memory."""
    if isinstance(node, ast.ListConstructor | ast.BagConstructor | ast.SexpConstructor):
        return len(node.items) >= _LONG_LIST
    if isinstance(node, ast.Path):
        return any(isinstance(step, ast.ElementsStep | ast.FieldsStep) for step in node.steps)
    if isinstance(node, ast.Chain):
        return node.operator == "||"
    return isinstance(node, Subquery | ast.Call | ast.Cast | ast.Trim)


def _is_truth(node: ast.Expr) -> bool:
    """Whether an expression can only be True, False or None."""
    if isinstance(node, ast.Binary | ast.Chain | ast.Unary):
        return node.operator in _TRUTH_OPERATORS
    return isinstance(node, ast.Between | ast.In | ast.Like | ast.Is)


def accumulator_of(node: ast.Aggregate) -> Callable[[], Accumulator]:
    """How to begin one evaluation of an aggregate function."""
    name, is_distinct, is_star = node.name, node.is_distinct, node.argument is None
    return lambda: make_accumulator(name, is_distinct, is_star)


# --- Closures ------------------------------------------------------------------------------------------------


def _field_getter(step: ast.FieldStep) -> Callable[[IonValue], IonValue]:
    """A field step as a function of a value."""
    get, pos = semantics.field_getter(step.name, step.is_quoted), step.pos
    if step.is_quoted:
        return get

    def located_get(value: IonValue) -> IonValue:
        try:
            return get(value)
        except PartiqlError as error:
            raise located(error, pos) from None

    return located_get


def _field_of_slot(number: int, step: ast.FieldStep) -> Run:
    """``alias.name``: a field of a plain struct is taken directly, other values by the general rule."""
    name, general = step.name, _field_getter(step)

    def get(frame: Frame) -> IonValue:
        value = frame[number]
        kind = type(value)
        if kind in STRUCT_TYPES and name in value:
            return value[name]
        return general(value)

    return get


def _after(run: Run, step: Callable[[Frame, IonValue], IonValue]) -> Run:
    return lambda frame: step(frame, run(frame))


def _field_equals(number: int, step: ast.FieldStep, constant: str | int) -> Run:
    name, general, kind = step.name, _field_getter(step), type(constant)
    equal = semantics.equal

    def compare(frame: Frame) -> IonValue:
        value = frame[number]
        value = value[name] if type(value) in STRUCT_TYPES and name in value else general(value)
        return value == constant if type(value) is kind else equal(value, constant)

    return compare


# Between two texts, or two ints, Python's own comparison is PartiQL's.
_SAME_KIND: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator_module.eq,
    "<>": operator_module.ne,
    "<": operator_module.lt,
    "<=": operator_module.le,
    ">": operator_module.gt,
    ">=": operator_module.ge,
}


def _field_against_parameter(node: ast.Binary) -> Run | None:
    """``alias.name < ?`` and the other comparisons, in one call for frequent values.  None for other expressions."""
    path, parameter = node.left, node.right
    if not (isinstance(parameter, ast.Parameter) and isinstance(path, ast.Path) and isinstance(path.root, Slot)):
        return None
    step = path.steps[0]
    if len(path.steps) != 1 or not isinstance(step, ast.FieldStep):
        return None
    number, index, name = path.root.number, parameter.index, step.name
    general, same, any_kind = (
        _field_getter(step),
        _SAME_KIND[node.operator],
        semantics.BINARY[node.operator],
    )
    pos = node.pos

    def compare(frame: Frame) -> IonValue:
        value, wanted = frame[number], frame[PARAMETERS_SLOT][index]
        value = value[name] if type(value) in STRUCT_TYPES and name in value else general(value)
        kind = type(value)
        if kind is type(wanted) and (kind is str or kind is int):
            return same(value, wanted)
        try:
            return any_kind(value, wanted)
        except PartiqlError as error:
            raise located(error, pos) from None

    return compare


def _two_truths(decided_by: bool, first: Run, second: Run) -> Run:
    """``a AND b`` (decided_by False) and ``a OR b``, for operands that can only be True, False or None."""

    def both(frame: Frame) -> IonValue:
        one = first(frame)
        if one is decided_by:
            return decided_by
        other = second(frame)
        if other is decided_by:
            return decided_by
        return None if one is None or other is None else not decided_by

    return both


def _equals(run: Run, constant: str | int) -> Run:
    kind, equal = type(constant), semantics.equal

    def compare(frame: Frame) -> IonValue:
        value = run(frame)
        return value == constant if type(value) is kind else equal(value, constant)

    return compare


def _in_constants(run: Run, constants: list[str | int]) -> Run:
    """``value IN ('a', 'b', 7)``: a plain text or int is looked up in a set, so a long list takes no longer."""
    texts = frozenset(value for value in constants if type(value) is str)
    ints = frozenset(value for value in constants if type(value) is int)
    in_ = semantics.in_

    def contains(frame: Frame) -> IonValue:
        value = run(frame)
        kind = type(value)
        if kind is str:
            return value in texts
        if kind is int:
            return value in ints
        return in_(value, constants)

    return contains


def _apply_1(operator: Callable[[IonValue], IonValue], operand: Run, pos: ast.Pos) -> Run:
    def apply(frame: Frame) -> IonValue:
        value = operand(frame)
        try:
            return operator(value)
        except PartiqlError as error:
            raise located(error, pos) from None

    return apply


def _apply(operator: Callable[..., IonValue], operands: list[Run], pos: ast.Pos) -> Run:
    def apply(frame: Frame) -> IonValue:
        values = [operand(frame) for operand in operands]
        try:
            return operator(*values)
        except PartiqlError as error:
            raise located(error, pos) from None

    return apply


def _fold(operator: Callable[[IonValue, IonValue], IonValue], operands: list[Run], places: tuple[ast.Pos, ...]) -> Run:
    first, rest = operands[0], list(zip(operands[1:], places, strict=True))

    def apply(frame: Frame) -> IonValue:
        value = first(frame)
        for operand, pos in rest:
            if type(value) in _MAYBE_UNKNOWN and semantics.is_unknown(value):
                return None
            other = operand(frame)
            try:
                value = operator(value, other)
            except PartiqlError as error:
                raise located(error, pos) from None
            if type(value) is str and len(value) > _LONG_TEXT:
                charge(len(value))
        return value

    return apply


def _located_pattern(
    pattern: IonValue, escape: IonValue, places: tuple[ast.Pos, ast.Pos, ast.Pos]
) -> semantics.Match | None:
    """places: positions of the operator, the pattern and the escape, for errors."""
    try:
        return semantics.like_pattern(pattern, escape)
    except PartiqlError as error:
        raise located(error, places[1] if error.generated.startswith("Given") else places[2]) from None


def _located_match(value: IonValue, match: semantics.Match | None, pos: ast.Pos) -> IonValue:
    try:
        return semantics.like_match(value, match)
    except PartiqlError as error:
        raise located(error, pos) from None


def _bag_of(values: list[IonValue]) -> Bag:
    """A bag made by a path with a wildcard.  It counts against the memory."""
    charge(_PLACE_BYTES * len(values))
    return Bag(values)


def _charged(run: Run, items: int) -> Run:
    """A constructor of so many items.  A long one reports its memory."""
    if items < _LONG_LIST:
        return run

    def build(frame: Frame) -> IonValue:
        charge(_PLACE_BYTES * items)
        return run(frame)

    return build


def _released(run: Run) -> Run:
    """The values made for a condition are not needed after it: they no longer count against the memory."""

    def check(frame: Frame) -> IonValue:
        budget = frame[BUDGET_SLOT]
        held = budget.held
        value = run(frame)
        budget.held = held
        return value

    return check


def _negate_if(is_negated: bool, run: Run) -> Run:
    return (lambda frame: semantics.not_(run(frame))) if is_negated else run


def made_struct_of(pairs: Iterable[tuple[str, IonValue]]) -> dict[str, IonValue]:
    """``struct_of`` for a statement that may ask for the n-th field."""
    listed = list(pairs)
    made = MadeStruct(listed)
    return made if len(made) == len(listed) else MultiStruct(listed, is_made=True)


# --- From values of the language to Ion -----------------------------------------------------------------------


def to_ion(value: IonValue) -> IonValue:
    """A value as Ion has it: bags are lists, MISSING is left out of structs and null elsewhere (partiql.md 2.3, Q8)."""
    if type(value) in _CONTAINERS:
        return _container_to_ion(value, current())
    return None if value is MISSING else value


_CONTAINERS = frozenset((Bag, list, dict, MultiStruct, MadeStruct, Sexp, Annotated))  # all values in a Document are Ion


def _container_to_ion(value: Any, budget: Budget) -> IonValue:
    """A value may contain the same other value many times.  A copy of it is larger, so the copy is counted."""
    if budget.is_due:
        budget.look()
    kind = type(value)
    if kind is dict or kind is MultiStruct or kind is MadeStruct:
        budget.held += _FIELD_BYTES * len(value)
        return struct_of(
            (name, _part_to_ion(part, budget)) for name, part in struct_items(value) if part is not MISSING
        )
    if kind is Annotated:
        return Annotated(value.annotations, _part_to_ion(value.value, budget))
    budget.held += _PLACE_BYTES * len(value)
    parts = [_part_to_ion(part, budget) for part in value]
    return Sexp(parts) if kind is Sexp else parts


def _part_to_ion(value: IonValue, budget: Budget) -> IonValue:
    if type(value) in _CONTAINERS:
        return _container_to_ion(value, budget)
    return None if value is MISSING else value
