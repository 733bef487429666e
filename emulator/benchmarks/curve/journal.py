"""Operations on a whole journal: export, import, verification, a fork.  All may grow with the number of blocks."""

from __future__ import annotations

import shutil
from pathlib import Path

from qldb_emulator.cli.verify import audit_ledger_file
from qldb_emulator.engine.workbench.snapshots import fork_ledger
from qldb_emulator.verify import JournalReport, verify_export

from ..alternate import Case, timed
from ..bench import BenchError
from ..families.journals import export, import_into
from ..local_driver import REGION
from .ledgers import Curve, Filled
from .operation import Operation

FORK = "fork"


def exported(curve: Curve, of: Filled) -> Path:
    """Return the ledger's export as Ion binary, made when first asked for."""
    directory = curve.directory / f"export-{of.name}"
    if not directory.exists():
        export(curve.ledger(of).file, directory)
    return directory


def exporting(curve: Curve, of: Filled) -> Case:
    target = curve.directory / "exported"

    def run() -> float:
        taken = timed(lambda: export(curve.ledger(of).file, target))()
        shutil.rmtree(target)
        return taken

    return run


def importing(curve: Curve, of: Filled) -> Case:
    source, target = exported(curve, of), curve.directory / "imported.qldb"

    def run() -> float:
        taken = timed(lambda: import_into(source, target))()
        target.unlink()
        return taken

    return run


def verifying_export(curve: Curve, of: Filled) -> Case:
    source = str(exported(curve, of))
    return timed(lambda: _whole(verify_export(source)))


def verifying_ledger(curve: Curve, of: Filled) -> Case:
    path = curve.ledger(of).file.path
    return timed(lambda: _whole(audit_ledger_file(path, of.name)))


def _whole(report: JournalReport) -> None:
    if report.verdict != "whole":
        raise BenchError(str(report.findings))


def forking(curve: Curve, of: Filled) -> Case:
    emulator = curve.emulator

    def run() -> float:
        taken = timed(lambda: fork_ledger(emulator, REGION, of.name, FORK))()
        fork = emulator.ledgers.find(REGION, FORK)
        assert fork is not None
        emulator.ledgers.delete(fork)
        return taken

    return run


OPERATIONS = (
    Operation("export", "export as Ion binary", "whole", exporting, each="block"),
    Operation("fork", "fork of a ledger; a snapshot is the same copy", "whole", forking, each="block"),
    Operation("verify-export", "verification of an export", "slow", verifying_export, each="block"),
    Operation("verify-ledger", "verification of a ledger with its tables", "slow", verifying_ledger, each="block"),
    Operation("import", "import with full verification", "slow", importing, each="block"),
)
