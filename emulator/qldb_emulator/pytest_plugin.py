"""pytest fixtures for programs that use QLDB.  Installed with the package; nothing runs until a test asks.

==================  ===========  ============================================================================
fixture             scope        what it is
==================  ===========  ============================================================================
qldb_server         session      a server in this process, on a free port: ``url``, ``region``, ``driver(ledger)``,
                                 ``boto3_client(service)``, ``create_ledger(name)``, ``fork(ledger)``
qldb_seed           session      what every test's ledger begins with; override it, or set the ini option of its name
qldb_template       session      the ledger that was filled with the seed, once
qldb_ledger         test         a fresh fork of it: ``name``, ``url``, ``statements()``
qldb_driver         test         a pyqldb ``QldbDriver`` on ``qldb_ledger``
qldb_boto3          test         ``qldb_boto3("qldb")``: a boto3 client of ``qldb`` or ``qldb-session``
qldb_no_scans       test         the test fails when one of its statements reads a whole table; ``allow(table)``
==================  ===========  ============================================================================

``@pytest.mark.qldb_deterministic("seed")``: ids and time of the test's ledger follow from the seed.

A test that fails shows the statements that ran on its ledger, with their plans.  Each worker of pytest-xdist has a
server of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .engine.workbench.statement_log import StatementRow
    from .testing import LocalServer, Seed, TestLedger

TEMPLATE = "template"
STATEMENTS_SHOWN = 50
_LEDGER: pytest.StashKey[TestLedger] = pytest.StashKey()
_NO_SCANS: pytest.StashKey[NoScans] = pytest.StashKey()


class NoScans:
    """What ``qldb_no_scans`` is."""

    def __init__(self) -> None:
        self.allowed: set[str] = set()

    def allow(self, *tables: str) -> None:
        """Scans of these tables are meant."""
        self.allowed.update(tables)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini options."""
    parser.addini("qldb_seed", "Files and folders that every test's ledger is filled from.", type="paths", default=[])
    parser.addini("qldb_sample", "A sample that every test's ledger is filled from.", default="")


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line(
        "markers", "qldb_deterministic(seed='0'): ids and time of the test's ledger follow from the seed"
    )


@pytest.fixture(scope="session")
def qldb_server() -> Iterator[LocalServer]:
    """A server in this process, on a free port."""
    from .testing import LocalServer

    with LocalServer() as server:
        yield server


@pytest.fixture(scope="session")
def qldb_seed(request: pytest.FixtureRequest) -> Seed:
    """What every test's ledger begins with.

    Override it in conftest.py to return paths, or a function that is given a pyqldb driver.
    """
    paths: list[Path] = request.config.getini("qldb_seed")
    return paths or None


@pytest.fixture(scope="session")
def qldb_template(request: pytest.FixtureRequest, qldb_server: LocalServer, qldb_seed: Seed) -> TestLedger:
    """The ledger that tests get forks of."""
    sample = request.config.getini("qldb_sample") or None
    return qldb_server.create_ledger(TEMPLATE, qldb_seed, sample)


@pytest.fixture
def qldb_ledger(
    request: pytest.FixtureRequest, qldb_server: LocalServer, qldb_template: TestLedger
) -> Iterator[TestLedger]:
    """A ledger for this test alone, filled with the seed."""
    marker = request.node.get_closest_marker("qldb_deterministic")
    seed = None
    if marker is not None:
        seed = str(marker.args[0] if marker.args else marker.kwargs.get("seed", "0"))
    ledger = qldb_server.fork(qldb_template.name, deterministic=seed)
    request.node.stash[_LEDGER] = ledger
    yield ledger
    qldb_server.delete(ledger.name)


@pytest.fixture
def qldb_driver(qldb_ledger: TestLedger) -> Iterator[Any]:
    """A pyqldb driver on this test's ledger."""
    try:
        driver = qldb_ledger.server.driver(qldb_ledger.name)
    except ImportError as error:
        pytest.fail(f"qldb_driver needs pyqldb: pip install pyqldb ({error})", pytrace=False)
    with driver:
        yield driver


@pytest.fixture
def qldb_boto3(qldb_server: LocalServer) -> Callable[..., Any]:
    """Returns boto3 clients: ``qldb_boto3("qldb")``."""

    def client(service: str = "qldb", **options: Any) -> Any:
        try:
            return qldb_server.boto3_client(service, **options)
        except ImportError as error:
            pytest.fail(f"qldb_boto3 needs boto3: pip install boto3 ({error})", pytrace=False)

    return client


@pytest.fixture
def qldb_no_scans(request: pytest.FixtureRequest, qldb_ledger: TestLedger) -> NoScans:
    """Fail the test if one of its statements reads a whole table."""
    return request.node.stash.setdefault(_NO_SCANS, NoScans())  # type: ignore[no-any-return]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Look for scans after the test itself has passed."""
    guard = pyfuncitem.stash.get(_NO_SCANS, None)
    if guard is None:
        return (yield)
    ledger = pyfuncitem.stash[_LEDGER]
    log = ledger.server.emulator.statement_log
    before = log.last_number()
    result = yield
    scans = [(row, sorted(set(row.scans()) - guard.allowed)) for row in ledger.statements(before)]
    found = [f"{row.text}\n  scans {', '.join(tables)}" for row, tables in scans if tables]
    if found:
        mend = "an index would do, or qldb_no_scans.allow(table)"
        pytest.fail(f"statements that read whole tables ({mend}):\n" + "\n".join(found), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the statements on the test's ledger to the report of a failure."""
    report = yield
    ledger = item.stash.get(_LEDGER, None)
    if ledger is not None and report.failed and call.when == "call":
        rows = ledger.statements()
        if rows:
            report.sections.append((f"QLDB statements on {ledger.name}", _shown(rows)))
    return report


def _shown(rows: list[StatementRow]) -> str:
    left_out = len(rows) - STATEMENTS_SHOWN
    lines = [f"({left_out} earlier ones are not shown)"] if left_out > 0 else []
    for row in rows[-STATEMENTS_SHOWN:]:
        members = row.members()
        lines.append(f"{row.number}. {row.text}")
        if members["parameters"]:
            lines.append(f"   parameters: {', '.join(members['parameters'])}")
        lines += [f"   {line}" for line in members.get("plan", "").splitlines()]
        outcome = members["error"]["message"] if "error" in members else f"{members['readIOs']} read IOs"
        lines.append(f"   {members['durationMs']:.1f} ms, {outcome}")
    return "\n".join(lines)
