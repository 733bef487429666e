"""Reading: by index, by id, history, a join, the catalogue; and what goes through a whole table."""

from __future__ import annotations

from collections.abc import Callable

from qldb_emulator.engine.ledger.tables import PREFILTERED_SCANS_MAX

from ..alternate import Case
from ..cases import SELECT, SELECT_COMMITTED, Parameters, execution, nothing
from ..documents import INDEXED, TABLE, vin
from ..local_driver import LocalDriver
from .ledgers import FEW, OWNERS, Curve, Filled
from .operation import Operation

BY_ID = f"SELECT * FROM {TABLE} AS v BY id WHERE id = ?"
COMMITTED_BY_ID = f"SELECT * FROM _ql_committed_{TABLE} AS r WHERE r.metadata.id = ?"
HISTORY = f"SELECT * FROM history({TABLE}) AS h WHERE h.metadata.id = ?"
JOIN = f"SELECT o.Name, v.City FROM {OWNERS} AS o INNER JOIN {TABLE} AS v ON o.Car = v.{INDEXED}"
CATALOGUE = "SELECT * FROM information_schema.user_tables"
SCAN = f"SELECT VALUE v.{INDEXED} FROM {TABLE} AS v WHERE v.State = 'none'"
COUNT = f"SELECT COUNT(*) FROM {TABLE}"
_TABLES = 2
_FAMILIAR = 500


def any_vin(curve: Curve, of: Filled) -> Parameters:
    return lambda: (vin(curve.random.randrange(of.documents)),)


def familiar_vin(curve: Curve, of: Filled) -> Parameters:
    numbers = curve.random.sample(range(of.documents), min(of.documents, _FAMILIAR))
    return lambda: (vin(curve.random.choice(numbers)),)


def any_id(curve: Curve, of: Filled) -> Parameters:
    ids = curve.document_ids(of)
    return lambda: (curve.random.choice(ids),)


def no_parameters(curve: Curve, of: Filled) -> Parameters:
    return nothing


def reading(text: str, rows: int, parameters: Callable[[Curve, Filled], Parameters]) -> Callable[[Curve, Filled], Case]:
    """Return a statement that gives so many rows whatever the ledger's size."""

    def make(curve: Curve, of: Filled) -> Case:
        return execution(LocalDriver(curve.emulator, of.name), text, rows, parameters(curve, of))

    return make


def warm(text: str, rows: int) -> Callable[[Curve, Filled], Case]:
    """Run a statement over a whole table that was read so often that it is kept, if it fits."""

    def make(curve: Curve, of: Filled) -> Case:
        case = execution(LocalDriver(curve.emulator, of.name), text, rows)
        for _ in range(PREFILTERED_SCANS_MAX + 1):
            case()
        return case

    return make


def cold_scan(curve: Curve, of: Filled) -> Case:
    """Scan a ledger that was just opened: no row of it is in the emulator's memory."""

    def run() -> float:
        curve.emulator.ledgers.close()
        return execution(LocalDriver(curve.emulator, of.name), SCAN, 0)()

    return run


_DESIGN = "design 10; measurements.md G4s"
OPERATIONS = (
    Operation("lookup", "SELECT by index, any document", "read", reading(SELECT, 1, any_vin), 1.5, source=_DESIGN),
    Operation(
        "lookup-familiar",
        f"SELECT by index, one of {_FAMILIAR} documents",
        "read",
        reading(SELECT, 1, familiar_vin),
        1.5,
        source=_DESIGN,
    ),
    Operation("by-id", "SELECT ... BY id, any document", "read", reading(BY_ID, 1, any_id), 1.3),
    Operation("committed", "committed view by index, any document", "read", reading(SELECT_COMMITTED, 1, any_vin), 1.3),
    Operation(
        "committed-by-id",
        "committed view by metadata.id, any document",
        "read",
        reading(COMMITTED_BY_ID, 1, any_id),
        1.3,
    ),
    Operation("history", "history of one document, any", "read", reading(HISTORY, 1, any_id), 1.5),
    Operation("join", f"join of {FEW} rows by an index", "read", reading(JOIN, FEW, no_parameters), 1.5),
    Operation(
        "catalogue",
        "SELECT FROM information_schema.user_tables",
        "read",
        reading(CATALOGUE, _TABLES, no_parameters),
        1.2,
    ),
)

WHOLE = (
    Operation("scan-cold", "full scan of a ledger just opened", "whole", cold_scan, each="document"),
    Operation("scan", "full scan, again", "whole", warm(SCAN, 0), each="document"),
    Operation("count", "COUNT(*) over the table, again", "whole", warm(COUNT, 1), each="document"),
)
