"""A server among others that share its journals: says that it is alive, follows, owns ledgers, does what owners do.

::

    every second   beat ─► who is there, which ledgers have which owner ─► fold what others appended
                        ─► deliver the streams and exports of ledgers that this server owns, and of no others

Nothing here is needed for safety.  A steward that stands still makes its server slow to follow, and in the end the
others take it for dead.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import LEDGER_LOG_UNUSABLE, QldbError
from ..ids import IdSource
from ..log.seam import LogError
from ..log.servers import BEAT_SECONDS, OwnedLedger, Peer, Servers
from ..storage.errors import StorageError
from .ledger.committer import OUTCOME_STAYS_UNKNOWN, UNKNOWN_OUTCOME_PAUSE_SECONDS, UNKNOWN_OUTCOME_SECONDS
from .ledger.facts import facts_from_rows
from .outgoing.exports import Exports, has_running_exports
from .outgoing.stream_facts import has_running_streams
from .outgoing.streams import Streams

if TYPE_CHECKING:
    from .ledger.ledger import Ledger
    from .ledger.register import Register

logger = logging.getLogger(__name__)

_ID_CHARACTERS = 12
STOP_SECONDS = 10.0


class Steward:
    """This server among the others.

    on_deposed: ends everything that began while this server had the id that it lost.
    """

    def __init__(
        self,
        servers: Servers,
        ledgers: Register,
        streams: Streams,
        exports: Exports,
        ids: IdSource,
        on_deposed: Callable[[], None],
    ) -> None:
        self._servers = servers
        self._ledgers = ledgers
        self._streams = streams
        self._exports = exports
        self._ids = ids
        self._on_deposed = on_deposed
        self._url = ""
        self._peers: dict[str, Peer] = {}
        self._known: dict[tuple[str, str], OwnedLedger] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._problem: str | None = None
        self._stuck: str | None = None
        self.lags: dict[tuple[str, str], int] = {}

    # --- life --------------------------------------------------------------------------------------------

    def start(self, url: str) -> None:
        """Join the others.  url: where they reach this server.  Raises LogError."""
        self._url = url
        self._join()
        self._thread = threading.Thread(target=self._run, name="qldb-emulator-steward", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave the others: ledgers of this server get another owner at once."""
        self._stop.set()
        if self._thread is None:
            return
        self._thread.join(STOP_SECONDS)
        try:
            self._servers.leave()
        except LogError as error:
            logger.warning("the other servers learn only by waiting that this one has stopped: %s", error)

    def _join(self) -> None:
        # Letters and digits only: it is a part of session tokens.
        server_id = self._ids.new_request_id()[:_ID_CHARACTERS]
        self._servers.join(server_id, self._url)
        self._look()
        logger.info("server %s at %s, one of %d", server_id, self._url, sum(p.is_alive for p in self._peers.values()))

    def _run(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                self._round()
                if self._problem is not None:
                    logger.info("the log answers again")
                    self._problem = None
            except (StorageError, QldbError) as error:
                if str(error) != self._problem:  # said once
                    logger.warning("this server cannot follow the others: %s", error)
                    self._problem = str(error)
            except Exception:
                logger.exception("the steward met a fault; it goes on")

    def _round(self) -> None:
        if not self._servers.beat():
            logger.warning("the other servers took this one for dead; it starts again, and its sessions have ended")
            self._on_deposed()
            self._join()
        stuck = self._servers.stuck()
        if stuck != self._stuck:
            self._stuck = stuck
            logger.warning("%s", stuck or "PostgreSQL does not keep commits waiting any more")
        self._look()
        self._follow()
        self._serve_outgoing()

    def _look(self) -> None:
        self._peers = self._servers.peers()
        self._known = {(known.region, known.name): known for known in self._servers.ledgers()}

    def _follow(self) -> None:
        """Fold what others appended to ledgers that are open here."""
        lags = {}
        for ledger in self._ledgers.open_ledgers():
            place = (ledger.region, ledger.name)
            known = self._known.get(place)
            lags[place] = max(0, known.sequence_no - ledger.last_sequence_no) if known is not None else 0
            if known is None or known.ledger_id != ledger.strand_id or lags[place]:
                self._ledgers.find(*place)  # catches up; forgets one that is gone
        self.lags = lags

    # --- what owners do ----------------------------------------------------------------------------------

    def owns(self, ledger: Ledger) -> bool:
        """Whether this server delivers the streams and exports of a ledger."""
        known = self._known.get((ledger.region, ledger.name))
        return known is not None and known.owner == self._servers.server_id

    def _serve_outgoing(self) -> None:
        for region, name in self._servers.waiting_ledgers():
            rows = self._ledgers.rows_of(region, name)
            if rows is None:
                continue
            facts = facts_from_rows(rows)
            if has_running_streams(facts) or has_running_exports(facts):
                self._servers.claim(facts.strand_id)
                self._look()
                self._ledgers.find(region, name)
        for ledger in self._ledgers.open_ledgers():
            if self.owns(ledger):
                self._streams.go_on(ledger)
                self._exports.go_on(ledger)
            else:
                self._streams.end_ledger(ledger)

    # --- where a session belongs -------------------------------------------------------------------------

    def owner_of(self, region: str, name: str) -> Peer | None:
        """The server that sessions of a ledger begin on; None for this one, also while the log does not answer."""
        known = self._known.get((region, name))
        if known is None or not self._is_alive(known.owner):
            try:
                known = self._claim(region, name)
            except LogError:
                return None
        if known is None or known.owner == self._servers.server_id or known.owner is None:
            return None  # no such ledger: this server says so
        return self._peers.get(known.owner)

    def _is_alive(self, server_id: str | None) -> bool:
        peer = self._peers.get(server_id or "")
        return peer is not None and peer.is_alive

    def _claim(self, region: str, name: str) -> OwnedLedger | None:
        rows = self._ledgers.rows_of(region, name)
        if rows is None:
            return None
        self._servers.claim(rows["strand_id"])
        self._look()
        return self._known.get((region, name))

    @property
    def server_id(self) -> str:
        """Of this server."""
        return self._servers.server_id or ""

    def token(self, token: str, ledger: Ledger) -> str:
        """A session token that names its ledger and its server."""
        return f"{token}-{ledger.strand_id}-{self.server_id}"

    def named_by(self, token: str) -> Home | None:
        """What a token of this server says, for a session that is not here any more."""
        ledger_id = token.partition("-")[2].partition("-")[0]
        # Without a server: this one is alive, and the commit of a session that is over is not under way.
        return Home("", ledger_id, None) if ledger_id else None

    def home_of(self, token: str) -> Home | None:
        """Where a session is; None when it is here, or when the token names no server."""
        _, _, rest = token.partition("-")
        ledger_id, _, server_id = rest.partition("-")
        if not server_id or server_id == self._servers.server_id:
            return None
        peer = self._peers.get(server_id)
        if peer is None:
            with suppress(LogError):
                self._peers = self._servers.peers()  # it may have come since the last look
            peer = self._peers.get(server_id)
        # One that has not said for a while that it is alive is asked all the same: perhaps it is the log that was away.
        return Home(server_id, ledger_id, None if peer is None else peer.url)

    def ledger_name(self, ledger_id: str) -> str | None:
        """The name of a ledger by the id of its strand."""
        return next((known.name for known in self._known.values() if known.ledger_id == ledger_id), None)

    def was_committed(self, home: Home, transaction_id: str) -> bool:
        """Whether a transaction of a server that is gone was committed.  Final.

        Waits for a log that does not answer, for until it does this is not known.  Raises LEDGER_LOG_UNUSABLE, which
        says so, when that takes too long.
        """
        deadline = time.monotonic() + UNKNOWN_OUTCOME_SECONDS
        while True:
            try:
                return self._servers.settle(home.server_id, home.ledger_id, transaction_id)
            except LogError as error:
                if time.monotonic() > deadline:
                    name, reason = self.ledger_name(home.ledger_id), OUTCOME_STAYS_UNKNOWN.format(reason=error)
                    raise LEDGER_LOG_UNUSABLE(name=name, reason=reason) from error
            time.sleep(UNKNOWN_OUTCOME_PAUSE_SECONDS)

    def owned(self) -> list[tuple[str, str]]:
        """(region, name) of the ledgers that this server owns."""
        return sorted(place for place, known in self._known.items() if known.owner == self._servers.server_id)

    def alive(self) -> int:
        """How many servers there are."""
        return sum(peer.is_alive for peer in self._peers.values())


class Home:
    """Where a session is.  url: None when that server is gone."""

    __slots__ = ("ledger_id", "server_id", "url")

    def __init__(self, server_id: str, ledger_id: str, url: str | None) -> None:
        self.server_id = server_id
        self.ledger_id = ledger_id
        self.url = url
