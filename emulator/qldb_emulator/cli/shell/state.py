"""One user at one ledger: the session, the transaction, and a statement's way to its rows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from ...driver import Cursor, LedgerSession, OpenTransaction
from ...errors import QldbError
from ...ion.values import IonValue
from ...limits import PRESETS
from ...partiql.planning.catalogue import Catalogue
from ..catalogue import read_catalogue
from ..connection import session
from ..failure import Failure, complain
from ..words import counted
from .commands import COMMANDS, find_command
from .favourites import Favourites
from .formats import Layout, row_writer
from .guard import danger
from .output import Output, PagerClosed
from .settings import ShellSettings

Ask = Callable[[str], bool]
TRANSACTION_SECONDS = PRESETS["strict"].transaction_seconds


class Shell:
    """The state of one shell.

    ask: puts a question to the user; None where no user can answer.
    """

    def __init__(
        self,
        url: str,
        region: str | None,
        ledger: str,
        settings: ShellSettings,
        output: Output,
        favourites: Favourites,
        ask: Ask | None = None,
    ) -> None:
        self.url = url
        self.region = region
        self.settings = settings
        self.output = output
        self.favourites = favourites
        self.ask = ask
        self.is_over = False
        self.session = session(url, region, ledger)
        self.transaction: OpenTransaction | None = None
        self._transaction_started = 0.0
        self._side: LedgerSession | None = None

    # --- what runs ---------------------------------------------------------------------------------------

    def is_command(self, text: str) -> bool:
        """Whether a line is the shell's and not PartiQL's."""
        return find_command(text) is not None or text.startswith("\\")

    def run(self, text: str, parameters: list[IonValue] | None = None) -> None:
        """A command or a statement.  Raises Failure, QldbError, UnreachableError."""
        if not self.is_command(text):
            self.run_statement(text, parameters or [])
            return
        found = find_command(text)
        if found is None:
            raise Failure(f"There is no command {text.split()[0]}; \\? lists them")
        command, argument = found
        command.run(self, argument)

    def run_statement(self, text: str, parameters: list[IonValue]) -> None:
        """A statement, its rows written as they come.  Raises Failure, QldbError, UnreachableError."""
        self._check(text)
        started = time.perf_counter()
        # The output is the outer block: a transaction is committed before its user has left the pager.
        try:
            with self.output.opened() as write, self._cursor(text, parameters) as cursor:
                count = self._write_rows(cursor, write)
        except PagerClosed:
            return
        if self.settings.is_timing:
            milliseconds = (time.perf_counter() - started) * 1000
            report = f"{counted(count, 'row')}, {counted(cursor.read_ios, 'read IO')}, {milliseconds:.1f} ms"
            click.echo(report, err=True)

    def _write_rows(self, cursor: Cursor, write: Callable[[str], None]) -> int:
        writer = row_writer(self.settings.form, self.layout())
        count = 0
        for page in cursor.pages():
            count += len(page)
            for text in writer.page(page):
                write(text)
            if not self.output.pager:
                sys.stdout.flush()
        for text in writer.end():
            write(text)
        if self.output.is_terminal and not self.settings.is_quiet:
            write(f"({counted(count, 'row')})\n")
        return count

    def layout(self) -> Layout:
        """How wide rows may be, and with which lines."""
        width = self.output.width
        has_lines = width is not None and (sys.stdout.encoding or "").lower().startswith("utf")
        expanded = {"on": True, "off": False, "auto": None if width is not None else False}[self.settings.expanded]
        return Layout(width, has_lines, expanded)

    def _check(self, text: str) -> None:
        """Ask before a statement destroys much.  Raises Failure when it must not run."""
        if self.settings.destructive == "allow":
            return
        found = danger(text)
        if found is None:
            return
        if self.settings.destructive == "refuse" or self.ask is None:
            raise Failure(f"{found}; not run (--destructive allow runs it)")
        if not self.ask(f"{found}. Run it?"):
            raise Failure("Not run: the answer was no")

    @contextmanager
    def _cursor(self, text: str, parameters: list[IonValue]) -> Iterator[Cursor]:
        if self.transaction is None:
            with self.session.open(text, *parameters) as cursor:
                yield cursor
            return
        try:
            yield self.transaction.open(text, *parameters)
        except QldbError as error:
            if error.shape in ("OccConflictException", "InvalidSessionException"):
                self.transaction = None
            raise

    def interrupt(self) -> str:
        """After Ctrl-C: give up what ran, and say so."""
        had_transaction, self.transaction = self.transaction is not None, None
        self.session.cancel()
        if self._side is not None:
            self._side.cancel()
        return "Cancelled; the transaction was aborted" if had_transaction else "Cancelled"

    # --- transactions ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start a transaction.  Raises Failure, QldbError, UnreachableError."""
        if self.transaction is not None:
            raise Failure("A transaction is open already; commit or abort it first")
        self.transaction = self.session.begin()
        self._transaction_started = time.monotonic()
        if self.output.is_terminal and not self.settings.is_quiet:
            limit = f"{TRANSACTION_SECONDS:g} seconds"
            self.output.message(f"Transaction {self.transaction.id}; it expires after {limit}")

    def end_transaction(self) -> OpenTransaction:
        """Take the open transaction, to commit or abort it.  Raises Failure when none is open."""
        if self.transaction is None:
            raise Failure("No transaction is open; begin starts one")
        transaction, self.transaction = self.transaction, None
        return transaction

    @property
    def seconds_left(self) -> int:
        """Until the open transaction expires."""
        return max(0, round(TRANSACTION_SECONDS - (time.monotonic() - self._transaction_started)))

    # --- the ledger --------------------------------------------------------------------------------------

    def side_session(self) -> LedgerSession:
        """A session beside the user's, for the catalogue: what it reads is not part of the user's transaction."""
        if self._side is None:
            self._side = session(self.url, self.region, self.session.ledger)
        return self._side

    def catalogue(self) -> Catalogue:
        """Tables and indexes.  Raises QldbError, UnreachableError."""
        return read_catalogue(self.side_session())

    def connect(self, url: str, region: str | None, ledger: str) -> None:
        """Go to another ledger.  Raises QldbError, UnreachableError, and then stays."""
        other = session(url, region, ledger)
        self.leave()
        self.url, self.region, self.session = url, region, other

    def leave(self) -> None:
        """Abort the open transaction and end the sessions."""
        if self.transaction is not None:
            self.transaction = None
            complain("the open transaction was not committed: nothing of it is kept")
        self.session.end()
        if self._side is not None:
            self._side.end()
            self._side = None


def command_words() -> list[str]:
    """The name by which each command is best known, for completion."""
    return [command.names[0] for command in COMMANDS]
