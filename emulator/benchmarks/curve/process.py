"""An existing ledger: opened in this process, and by a server that starts."""

from __future__ import annotations

from ..alternate import Case, timed
from ..local_driver import CONTEXT
from ..servers import Probe, emulator_command, free_port, running
from .ledgers import LEDGER, Curve, Filled
from .operation import Operation

_DIGEST = Probe("POST", f"/ledgers/{LEDGER}/digest", below=300)


def opening(curve: Curve, of: Filled) -> Case:
    """DescribeLedger of a closed ledger."""
    describe = timed(lambda: curve.emulator.call("DescribeLedger", {"Name": of.name}, CONTEXT))

    def run() -> float:
        curve.emulator.ledgers.close()
        return describe()

    return run


def starting(curve: Curve, of: Filled) -> Case:
    """From spawning a server to its first digest of the ledger."""
    log = curve.directory / "start.log"

    def run() -> float:
        port = free_port()
        with running(emulator_command(port, of.data_dir), port, log, _DIGEST) as server:
            return server.ready_ms * 1_000_000

    return run


OPERATIONS = (
    Operation("open", "DescribeLedger of a closed ledger", "write", opening, 1.5),
    Operation(
        "start",
        "start of a server to its first digest of the ledger",
        "start",
        starting,
        1.1,
        source="measurements.md G13",
    ),
)
