"""Filling a ledger with tables: a sample that comes with the package, or a file of tables as seeds have them."""

from __future__ import annotations

from typing import Any

from ...driver import LedgerSession
from ...errors import ADMIN_REQUEST, READ_ONLY
from ...seeding.sample_files import SAMPLES, sample_path
from ...seeding.tables import TablesError, load_tables, read_tables
from .call import Call, Members


class _AsCaller:
    """Commands as the caller of a request may send them: for the driver that fills ledgers."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def send_command(self, command: str, token: str | None, members: Members) -> Members:
        """One command of the session API.  Raises QldbError."""
        return self._call.emulator.send_command(command, token, members, self._call.context()).members

    def call(self, operation: str, members: Members) -> Members:
        """One operation of the control plane.  Raises QldbError."""
        return self._call.emulator.call(operation, members, self._call.context())

    def close(self) -> None:
        """There is no connection to drop."""

    def twin(self) -> _AsCaller:
        """Another one, for another thread."""
        return _AsCaller(self._call)


def fill(call: Call) -> Members:
    """``POST /ledgers/{ledger}/seed``: a ``sample`` by name, or ``tables``, the text of a file.

    Each table is made, indexed and filled in transactions of its own, so a failure leaves what came before it.
    """
    if call.is_read_only:
        raise READ_ONLY()
    ledger = call.ledger("SendCommand")
    try:
        tables = read_tables(*_source(call))
    except TablesError as error:
        raise ADMIN_REQUEST(text=f"the tables cannot be read: {error}") from error
    known = [table["table"] for table in tables if ledger.catalogue.active(table["table"]) is not None]
    if known:
        raise ADMIN_REQUEST(text=f"the ledger {ledger.name} has a table {known[0][:130]} already")
    session = LedgerSession(_AsCaller(call), ledger.name)
    try:
        documents = load_tables(session, tables)
    except TablesError as error:
        raise ADMIN_REQUEST(text=str(error)) from error
    finally:
        session.end()
    return {"tables": [str(table["table"]) for table in tables], "documents": documents}


def _source(call: Call) -> tuple[bytes, bool]:
    """The data, and whether it is JSON.  Raises ADMIN_REQUEST."""
    members: dict[str, Any] = call.members
    if ("sample" in members) == ("tables" in members):
        raise ADMIN_REQUEST(text="give a sample by name, or tables as a text")
    if "tables" in members:
        text = call.text("tables")
        return text.encode("utf-8", "replace"), text.lstrip()[:1] == "[" or '"table"' in text[:2_000]
    name = call.text("sample")
    if name not in SAMPLES:
        raise ADMIN_REQUEST(text=f"there is no sample {name[:100]!r}; there are {', '.join(SAMPLES)}")
    return sample_path(name).read_bytes(), False
