"""The time of statements in the engine, without HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.partiql.execution.compiler import compile_plan
from qldb_emulator.partiql.planning.planner import plan
from qldb_emulator.partiql.syntax.parser import parse
from qldb_emulator.settings import Settings

from ..alternate import Case, timed
from ..bench import Bench
from ..cases import SELECT, execution
from ..documents import INDEXED, TABLE, registration, vin
from ..fill import append_inserts, create_ledger
from ..local_driver import REGION, LocalDriver
from ..rows import Family, Row, Samples, control
from .scans import warmed

LEDGER = "statements"
SCAN = f"SELECT * FROM {TABLE} WHERE LicensePlateNumber = ?"
SCAN_TWO = f"SELECT * FROM {TABLE} WHERE City = ? AND Mileage > ?"
_FEWER = 10  # the small join has this many times fewer rows on each side
_PREPARES = 100  # a look into the cache is too short to be timed alone


@contextmanager
def emulator(bench: Bench) -> Iterator[Emulator]:
    """Yield one ledger: a table to scan, and two pairs of tables to join."""
    many, few = bench.scale.joined, bench.scale.joined // _FEWER
    with Emulator(Settings(is_ephemeral=True)) as made:
        bench.say(f"filling tables of {bench.scale.scanned:,} and {many:,} documents")
        create_ledger(
            made,
            LEDGER,
            {TABLE: INDEXED, "ManyOwners": None, "ManyCars": "VIN", "FewOwners": None, "FewCars": "VIN"},
        )
        append_inserts(made, LEDGER, TABLE, (registration(number) for number in range(bench.scale.scanned)))
        for name, count in (("Many", many), ("Few", few)):
            cars = (registration(number) for number in range(count))
            owners = ({"Name": f"Owner {number}", "Car": vin(number)} for number in range(count))
            append_inserts(made, LEDGER, f"{name}Cars", cars)
            append_inserts(made, LEDGER, f"{name}Owners", owners)
        yield made


def statement(bench: Bench, text: str, rows: int, *parameters: Any) -> Case:
    """ExecuteStatement and the FetchPages after it."""
    return execution(LocalDriver(bench.shared(emulator), LEDGER), text, rows, lambda: parameters)


def measure_control(bench: Bench) -> Samples:
    return bench.compare(statement(bench, SELECT, 1, vin(1)), statement(bench, SELECT, 1, vin(1)), "µs")


def measure_scan(bench: Bench) -> Samples:
    documents = [registration(number) for number in range(bench.scale.scanned)]
    wanted = documents[len(documents) // 2]["LicensePlateNumber"]

    def holds(document: dict[str, Any]) -> bool:
        # The type belongs to the predicate: a symbol of the same text is another value to PartiQL's callers too.
        value = document.get("LicensePlateNumber")
        return isinstance(value, str) and value == wanted

    def by_hand() -> None:
        assert len([document for document in documents if holds(document)]) == 1

    note = f"{bench.scale.scanned:,} documents, one found; ExecuteStatement alone"
    return bench.compare(warmed(statement(bench, SCAN, 1, wanted)), timed(by_hand), "ms", note)


def measure_scan_of_two_terms(bench: Bench) -> Samples:
    documents = [registration(number) for number in range(bench.scale.scanned)]
    city, mileage = documents[-1]["City"], bench.scale.scanned - 20

    def holds(document: dict[str, Any]) -> bool:
        found, driven = document.get("City"), document.get("Mileage")
        return isinstance(found, str) and found == city and isinstance(driven, int) and driven > mileage

    rows = sum(map(holds, documents))

    def by_hand() -> None:
        assert len([document for document in documents if holds(document)]) == rows

    note = f"{bench.scale.scanned:,} documents, {rows} found; ExecuteStatement alone"
    return bench.compare(warmed(statement(bench, SCAN_TWO, rows, city, mileage)), timed(by_hand), "ms", note)


def measure_join(bench: Bench) -> Samples:
    many = bench.scale.joined
    few = many // _FEWER

    def join(name: str, rows: int) -> Case:
        text = f"SELECT o.Name, c.State FROM {name}Owners AS o INNER JOIN {name}Cars AS c ON o.Car = c.VIN"
        return statement(bench, text, rows)

    as_many = join("Few", few)
    note = f"{many:,} x {many:,} rows, all pages, against {_FEWER} times {few:,} x {few:,}"
    return bench.compare(join("Many", many), lambda: sum(as_many() for _ in range(_FEWER)), "ms", note)


def measure_prepared(bench: Bench) -> Samples:
    ledger = bench.shared(emulator).ledgers.find(REGION, LEDGER)
    assert ledger is not None
    cache, depth = ledger.statements, ledger.limits.expression_depth

    def prepare() -> None:
        for _ in range(_PREPARES):
            cache.prepare(SELECT, ledger.catalogue, depth)

    cached = timed(prepare)
    note = "looking up the prepared statement against the whole ExecuteStatement, SELECT by index"
    return bench.compare(lambda: cached() / _PREPARES, statement(bench, SELECT, 1, vin(1)), "µs", note)


def measure_unprepared(bench: Bench) -> Samples:
    ledger = bench.shared(emulator).ledgers.find(REGION, LEDGER)
    assert ledger is not None
    depth, catalogue = ledger.limits.expression_depth, ledger.catalogue
    new = timed(lambda: compile_plan(plan(parse(SELECT, depth), catalogue)))
    note = "parse, plan and compile against the whole ExecuteStatement of the prepared one, SELECT by index"
    return bench.compare(new, statement(bench, SELECT, 1, vin(1)), "µs", note)


FAMILY = Family(
    "statements, in process",
    control("statements-control", "ExecuteStatement, SELECT by index", measure_control),
    (
        Row(
            "scan",
            "full scan by one equality, warm",
            "the same predicate by hand over decoded dicts",
            2.0,
            "design 10",
            measure_scan,
        ),
        Row(
            "scan-two",
            "full scan by an equality and an order, warm",
            "the same predicates by hand over decoded dicts",
            2.0,
            "design 10",
            measure_scan_of_two_terms,
        ),
        Row(
            "join",
            "join by an index, every row with one",
            "ten joins with a tenth of the rows on each side",
            1.2,
            "ours: linear, not quadratic",
            measure_join,
        ),
        Row(
            "prepared",
            "parse and plan of a known statement",
            "its whole execution",
            0.02,
            "measurements.md 4: 0.08 µs from a cache",
            measure_prepared,
        ),
        Row(
            "unprepared",
            "parse, plan and compile of a new statement",
            "the execution of a known one",
            1.5,
            "ours: a new text must not cost more than another request",
            measure_unprepared,
        ),
    ),
)
