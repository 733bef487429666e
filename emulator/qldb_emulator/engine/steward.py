"""A server among others that share its journals: says that it is alive, follows, owns ledgers, does what owners do.

::

    every second   beat      say that this server is alive ─► who is there, which ledgers have which owner
                   follow    fold what others appended ─► deliver the streams and exports of this server's own ledgers
                   balance   take over a ledger of a server that has more of them

Nothing here is needed for safety.  A steward that stands still makes its server slow to follow, and in the end the
others take it for dead.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

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
UNEVEN_LEDGERS = 2
"""How many more ledgers than this one another server owns before this one takes over one of them."""
UNEVEN_SECONDS = 10.0
"""For how long, so that servers which start one after the other do not pass ledgers round.  Longer than a life."""
DOUBLE_BEATS = 20
"""How many beats another server may have the same address.  One that was killed does for 8."""

T = TypeVar("T")


class Steward:
    """This server among the others.

    on_deposed: ends everything that began while this server had the id that it lost.
    on_moved: called with a ledger that another server has taken over: its sessions are to go there.
    """

    def __init__(
        self,
        servers: Servers,
        ledgers: Register,
        streams: Streams,
        exports: Exports,
        ids: IdSource,
        on_deposed: Callable[[], None],
        on_moved: Callable[[Ledger], None],
    ) -> None:
        self._servers = servers
        self._ledgers = ledgers
        self._streams = streams
        self._exports = exports
        self._ids = ids
        self._on_deposed = on_deposed
        self._on_moved = on_moved
        self._url = ""
        self._peers: dict[str, Peer] = {}
        self._known: dict[tuple[str, str], OwnedLedger] = {}
        self._stop = threading.Event()
        self._is_leaving = False
        self._threads: list[threading.Thread] = []
        self._problems: dict[object, str] = {}  # what was said, by what it was said of
        self._stuck: str | None = None
        self._doubles = 0  # how many beats another server has had this one's address
        self._uneven_since: float | None = None
        self._mine: set[tuple[str, str]] = set()
        self.lags: dict[tuple[str, str], int] = {}

    # --- life --------------------------------------------------------------------------------------------

    def start(self, url: str) -> None:
        """Join the others.  url: where they reach this server.  Raises LogError."""
        self._url = url
        self._join()
        # A fold may take minutes.  Meanwhile this server must go on to say that it is alive.
        for name, work in (("beat", self._beat), ("follow", self._follow_others), ("balance", self._balance)):
            thread = threading.Thread(target=self._run, args=(work,), name=f"qldb-emulator-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Leave the others: ledgers of this server get another owner at once."""
        self._is_leaving = True
        self._stop.set()
        if not self._threads:
            return
        self._ledgers.interrupt()
        self._servers.break_off()  # a commit that waits for a standby would keep everything else waiting
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
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

    def _run(self, work: Callable[[], None]) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                with self._saying(work, "this server cannot follow the others"):
                    work()
            except Exception:
                logger.exception("the steward met a fault; it goes on")

    @contextmanager
    def _saying(self, what: object, text: str) -> Iterator[None]:
        """Say once what keeps ``what`` from being done, and once that it is done again."""
        try:
            yield
        except (StorageError, QldbError) as error:
            if str(error) != self._problems.get(what) and not self._is_leaving:
                logger.warning("%s: %s", text, error)
                self._problems[what] = str(error)
        else:
            if self._problems.pop(what, None) is not None:
                logger.info("no longer: %s", text)

    def _beat(self) -> None:
        if not self._servers.beat():
            logger.warning("the other servers took this one for dead; it starts again, and its sessions have ended")
            self._on_deposed()
            self._join()
        stuck = self._servers.stuck()
        if stuck != self._stuck:
            self._stuck = stuck
            logger.warning("%s", stuck or "PostgreSQL does not keep commits waiting any more")
        self._look()
        self._warn_of_double()

    def _warn_of_double(self) -> None:
        """Say when another server has the address of this one; one that was killed has, too, until its life is over."""
        is_double = any(peer.is_alive and self._is_mine(peer) for peer in self._peers.values())
        self._doubles = self._doubles + 1 if is_double else 0
        if self._doubles == DOUBLE_BEATS:
            logger.warning(
                "another server says that it is reached at %s, too. Requests for one arrive at the other: give each "
                "server an --advertise of its own, not that of the balancer",
                self._url,
            )

    def _is_mine(self, peer: Peer) -> bool:
        """Whether another server's address is that of this one, so that no request can reach the other."""
        return peer.url == self._url and peer.server_id != self._servers.server_id

    def _look(self) -> None:
        self._peers = self._servers.peers()
        self._known = {(known.region, known.name): known for known in self._servers.ledgers()}

    def _follow_others(self) -> None:
        """Fold what others appended to ledgers that are open here; deliver what this server's own have to deliver."""
        ledgers = {(ledger.region, ledger.name): ledger for ledger in self._ledgers.open_ledgers()}
        self.lags = {place: self._lag(ledger) for place, ledger in ledgers.items()}
        for place, ledger in ledgers.items():
            known = self._known.get(place)
            if known is None or known.ledger_id != ledger.strand_id or self.lags[place]:
                # One ledger that cannot be used must not keep the others from being followed.
                with self._saying(place, f"ledger {ledger.name} cannot follow its log"):
                    self._ledgers.find(*place)  # catches up; forgets one that is gone
        self._serve_outgoing()

    def _lag(self, ledger: Ledger) -> int:
        """How many blocks of a ledger were in the log at the last look, and are not folded yet."""
        known = self._known.get((ledger.region, ledger.name))
        return 0 if known is None else max(0, known.sequence_no - ledger.last_sequence_no)

    # --- what owners do ----------------------------------------------------------------------------------

    def owns(self, ledger: Ledger) -> bool:
        """Whether this server delivers the streams and exports of a ledger."""
        known = self._known.get((ledger.region, ledger.name))
        return known is not None and known.owner == self._servers.server_id

    def _serve_outgoing(self) -> None:
        for region, name in self._servers.waiting_ledgers():
            with self._saying((region, name, "outgoing"), f"ledger {name} cannot deliver its streams and exports"):
                self._adopt(region, name)
        for ledger in self._ledgers.open_ledgers():
            with self._saying((ledger.region, ledger.name, "owned"), f"ledger {ledger.name} delivers nothing"):
                if self.owns(ledger):
                    self._streams.go_on(ledger)
                    self._exports.go_on(ledger)
                else:
                    self._streams.end_ledger(ledger)

    def _claim_used(self) -> None:
        """Own the ledgers that are used here and have no owner: their sessions began while it was about to be gone."""
        for ledger in self._ledgers.open_ledgers():
            known = self._known.get((ledger.region, ledger.name))
            if known is not None and ledger.writes.open_count() and not self._is_alive(known.owner):
                self._servers.claim(known.ledger_id)

    def _adopt(self, region: str, name: str) -> None:
        """Own a ledger that no server owns, if it has anything to deliver.  Raises StorageError, QldbError."""
        rows = self._ledgers.rows_of(region, name)
        if rows is None:
            return
        facts = facts_from_rows(rows)
        if has_running_streams(facts) or has_running_exports(facts):
            self._servers.claim(facts.strand_id)
            self._look()
            self._ledgers.find(region, name)

    # --- balance -----------------------------------------------------------------------------------------

    def _balance(self) -> None:
        """Take over a ledger of a server that has owned two more than this one for some time.

        So ledgers spread again after a server was away, one at a time.  This server folds the ledger first.  Safety
        does not depend on any of it: the server that had the ledger appends what it still has, slot by slot.
        """
        self._notice_moved()
        self._claim_used()
        busiest, ledgers = self._busiest()
        if busiest is None:
            self._uneven_since = None
            return
        now = time.monotonic()
        if self._uneven_since is None:
            self._uneven_since = now
        if now - self._uneven_since < UNEVEN_SECONDS:
            return
        chosen = min(ledgers, key=lambda known: known.sequence_no)  # the least to fold
        self._ledgers.find(chosen.region, chosen.name)
        if self._servers.take_over(chosen.ledger_id, busiest):
            logger.info("ledger %s was owned by server %s, and is now owned by this one", chosen.name, busiest)
        self._look()

    def _busiest(self) -> tuple[str | None, list[OwnedLedger]]:
        """The server that owns the most ledgers, and these; None when it has hardly more than this one."""
        owned: dict[str, list[OwnedLedger]] = {
            peer.server_id: [] for peer in self._peers.values() if peer.is_alive and not self._is_mine(peer)
        }
        mine = owned.setdefault(self.server_id, [])
        for known in self._known.values():
            if known.owner in owned:
                owned[known.owner].append(known)
        busiest = max(sorted(owned), key=lambda server_id: len(owned[server_id]))
        if len(owned[busiest]) < len(mine) + UNEVEN_LEDGERS:
            return None, []
        return busiest, owned[busiest]

    def _notice_moved(self) -> None:
        """Send the sessions of ledgers away that another server has taken over."""
        mine = set(self.owned())
        moved, self._mine = self._mine - mine, mine
        for ledger in self._ledgers.open_ledgers():
            place = (ledger.region, ledger.name)
            known = self._known.get(place)
            if place in moved and known is not None and self._is_alive(known.owner):
                self._on_moved(ledger)

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
        owner = self._peers.get(known.owner)
        return None if owner is None or self._is_mine(owner) else owner

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
        """What a token says, for a session that is not here."""
        _, _, rest = token.partition("-")
        ledger_id, _, server_id = rest.partition("-")
        if not ledger_id:
            return None
        # Of this server: it is alive, and the commit of a session that is over is not under way.  Another id is that of
        # a server which had this address, so nothing reaches it: it counts as gone.
        return Home("" if server_id == self._servers.server_id else server_id, ledger_id, None)

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
        return Home(server_id, ledger_id, None if peer is None or self._is_mine(peer) else peer.url)

    def ledger_name(self, ledger_id: str) -> str | None:
        """The name of a ledger by the id of its strand; None when there is no such ledger.

        Waits for the log as ``was_committed`` does, when this server has not heard of the ledger.
        """
        name = self._name_of(ledger_id)
        if name is None:
            self._until_answered(ledger_id, self._look)  # it may be younger than the last look
            name = self._name_of(ledger_id)
        return name

    def _name_of(self, ledger_id: str) -> str | None:
        return next((known.name for known in self._known.values() if known.ledger_id == ledger_id), None)

    def was_committed(self, home: Home, transaction_id: str) -> bool:
        """Whether a transaction of a server that is gone was committed.  Final.

        Waits for a log that does not answer, for until it does this is not known.  Raises LEDGER_LOG_UNUSABLE, which
        says so, when that takes too long.
        """
        return self._until_answered(
            home.ledger_id, lambda: self._servers.settle(home.server_id, home.ledger_id, transaction_id)
        )

    def _until_answered(self, ledger_id: str, ask: Callable[[], T]) -> T:
        deadline = time.monotonic() + UNKNOWN_OUTCOME_SECONDS
        while True:
            try:
                return ask()
            except LogError as error:
                if time.monotonic() > deadline or self._is_leaving:
                    name, reason = self._name_of(ledger_id) or ledger_id, OUTCOME_STAYS_UNKNOWN.format(reason=error)
                    raise LEDGER_LOG_UNUSABLE(name=name, reason=reason) from error
            time.sleep(UNKNOWN_OUTCOME_PAUSE_SECONDS)

    def owned(self) -> list[tuple[str, str]]:
        """(region, name) of the ledgers that this server owns."""
        return sorted(place for place, known in self._known.items() if known.owner == self._servers.server_id)

    def addresses(self) -> list[str]:
        """Where the servers are reached that are alive, this one among them."""
        return sorted({peer.url for peer in self._peers.values() if peer.is_alive})

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
