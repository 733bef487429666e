"""Random queries over random documents: the compiled program gives what a naive walk over the tree gives."""

from __future__ import annotations

from helpers.partiql_maker import Maker
from helpers.partiql_reference import Reference
from helpers.partiql_support import MemoryLedger
from hypothesis import event, given, note, settings
from hypothesis import strategies as st

from qldb_emulator.ion.codec import dumps_text
from qldb_emulator.partiql.execution.compiler import compile_plan
from qldb_emulator.partiql.execution.expressions import to_ion
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.planning.planner import plan
from qldb_emulator.partiql.syntax import ast
from qldb_emulator.partiql.syntax.parser import parse


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**48))
def test_compiled_queries_agree_with_the_reference(seed: int) -> None:
    maker = Maker(seed)
    text = maker.query()
    note(text)
    statement = parse(text)
    assert isinstance(statement, ast.Query)
    parameters = [maker.pick(maker.scalar(), [maker.scalar(), 1]) for _ in range(statement.parameter_count)]
    ledger = MemoryLedger()
    ledger.add_table("T", *maker.documents(), indexes=["a"])
    ledger.add_table("U", *maker.documents(), indexes=["a"])
    program = compile_plan(plan(statement, ledger.catalogue))
    try:
        expected = [dumps_text(to_ion(value)) for value in Reference(ledger, tuple(parameters)).statement(statement)]
    except PartiqlError:
        event("an error")  # an index may spare the rows on which a condition fails, so an error is no promise
        return
    event("rows" if expected else "no rows")
    assert [dumps_text(row) for row in program.rows(parameters, ledger)] == expected
