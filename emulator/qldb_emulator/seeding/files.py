"""Which file fills which ledger, and how."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..driver import LedgerSession, Transport
from ..errors import QldbError
from ..partiql.syntax.script import split_statements
from .tables import TablesError, load_tables, read_tables

if TYPE_CHECKING:
    import subprocess

logger = logging.getLogger("qldb_emulator.seed")

STATEMENTS = (".partiql", ".sql")
TABLES = (".ion", ".json", ".10n")
SCRIPTS = (".py", ".sh")
SCRIPT_SECONDS = 600
_DIRECTIVE = re.compile(r"\A\s*(?:--|//)\s*ledger:\s*(\S+)")
_NUMBER = re.compile(r"\A[0-9]+[-_.]*")


class SeedError(Exception):
    """The seed cannot be read or run.  The text names the file, the line if known, and the reason."""


class Seeder:
    """Fills the ledgers of one server.

    transport: how requests get there.  environment: of programs; it should name the server for SDKs.
    import_journal: makes a ledger of the folder of an exported journal; None if this seeder cannot import.
    is_new: for ledgers that exist already, whether they count as new, so that they are filled.
    """

    def __init__(
        self,
        transport: Transport,
        environment: Mapping[str, str] | None = None,
        import_journal: Callable[[Path, str], None] | None = None,
        is_new: Mapping[str, bool] | None = None,
    ) -> None:
        self._transport = transport
        self._environment = environment
        self._import_journal = import_journal
        self._is_new: dict[str, bool] = dict(is_new or {})
        self._child: subprocess.Popen[bytes] | None = None
        self._is_cancelled = False

    def cancel(self) -> None:
        """Stop the running program, if any, and start no other.  Safe from another thread."""
        self._is_cancelled = True
        child = self._child
        if child is not None:
            child.terminate()

    def seed(self, path: Path, ledger: str | None = None) -> None:
        """Run a file or a folder.  ledger: fill this one, ignoring names.  Raises SeedError."""
        path = path.absolute()
        if not path.exists():
            raise SeedError(f"seed {path} is not found")
        try:
            if path.is_dir():
                self._folder(path, path, ledger)
            else:
                self._file(path, ledger or self._ledger_of(path, path.parent))
        except OSError as error:
            raise SeedError(f"{error.filename or path} cannot be read: {error.strerror or error}") from error

    def _folder(self, folder: Path, root: Path, ledger: str | None) -> None:
        if any(folder.glob("*.manifest")) or any(folder.glob("*manifest*.json")):
            self._journal(folder, ledger or _plain(folder.name))
            return
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        for entry in entries:
            if entry.is_file():
                self._file(entry, ledger or self._ledger_of(entry, root))
        for entry in entries:
            if entry.is_dir():
                self._folder(entry, root, ledger)

    def _ledger_of(self, file: Path, root: Path) -> str:
        if file.suffix in (*STATEMENTS, *TABLES):
            with file.open("rb") as stream:
                directive = _DIRECTIVE.match(stream.read(300).decode("utf-8", "replace"))
            if directive is not None:
                return directive[1]
        return _plain(file.parent.name if file.parent != root else file.stem)

    def _file(self, file: Path, ledger: str) -> None:
        if self._is_cancelled:
            raise SeedError("the server is stopping")
        if file.suffix in STATEMENTS:
            self._fill(file, ledger, self._statements)
        elif file.suffix in TABLES:
            self._fill(file, ledger, self._tables)
        elif file.suffix in SCRIPTS:
            self._script(file)
        else:
            known = " ".join((*STATEMENTS, *TABLES, *SCRIPTS))
            logger.warning("%s is not a seed: a seed's name ends in one of %s", file, known)

    def _fill(self, file: Path, ledger: str, fill: Callable[[Path, LedgerSession], str]) -> None:
        try:
            if not self._make(ledger):
                logger.info("%s left out: the ledger %s was there already", file, ledger)
                return
            session = LedgerSession(self._transport, ledger)
            try:
                done = fill(file, session)
            finally:
                session.end()
        except QldbError as error:
            raise SeedError(f"{file}: {error.message}") from error
        logger.info("%s: %s into the ledger %s", file, done, ledger)

    def _make(self, ledger: str) -> bool:
        """Create the ledger if it is missing; return whether it is new since this seeding began."""
        if ledger not in self._is_new:
            try:
                self._transport.call(
                    "CreateLedger", {"Name": ledger, "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False}
                )
                self._is_new[ledger] = True
            except QldbError as error:
                if error.shape != "ResourceAlreadyExistsException":
                    raise
                self._is_new[ledger] = False
        return self._is_new[ledger]

    def _statements(self, file: Path, session: LedgerSession) -> str:
        statements = split_statements(_text(file)).all()
        for statement in statements:
            try:
                session.run(statement.text)
            except QldbError as error:
                raise SeedError(f"{file}, line {statement.line}: {error.message}") from error
        return f"{len(statements)} statements"

    def _tables(self, file: Path, session: LedgerSession) -> str:
        try:
            return f"{load_tables(session, read_tables(file.read_bytes(), file.suffix == '.json'))} documents"
        except TablesError as error:
            raise SeedError(f"{file}: {error}") from error

    def _journal(self, folder: Path, ledger: str) -> None:
        if self._import_journal is None:
            raise SeedError(f"{folder} is an exported journal, which can only be imported by the server")
        try:
            self._transport.call("DescribeLedger", {"Name": ledger})
        except QldbError:
            self._import_journal(folder, ledger)
            logger.info("%s: imported as the ledger %s", folder, ledger)
            return
        logger.info("%s left out: the ledger %s was there already", folder, ledger)

    def _script(self, file: Path) -> None:
        import subprocess  # few seeds have programs, and every server imports this module

        command = [sys.executable, str(file)] if file.suffix == ".py" else ["/bin/sh", str(file)]
        environment = None if self._environment is None else dict(self._environment)
        with subprocess.Popen(command, env=environment, cwd=file.parent, stdin=subprocess.DEVNULL) as child:
            self._child = child
            try:
                code = child.wait(SCRIPT_SECONDS)
            except subprocess.TimeoutExpired as error:
                child.kill()
                raise SeedError(f"{file} did not end within {SCRIPT_SECONDS} seconds") from error
            finally:
                self._child = None
        if code:
            raise SeedError(f"{file} ended with exit code {code}")
        logger.info("%s: done", file)


def _plain(name: str) -> str:
    return _NUMBER.sub("", name) or name


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SeedError(f"{file} is not UTF-8: {error.reason} at byte {error.start}") from error
