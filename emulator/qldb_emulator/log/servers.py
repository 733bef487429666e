"""What servers that share journals tell each other through the log: who is there, and who owns which ledger.

A ledger has one owner at a time, for speed: sessions of the ledger are on its owner, so appends do not meet.  Safety
does not depend on it.  The slot key of the log decides who was first, no matter which server appends.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

BEAT_SECONDS = 1.0
"""How often a server says that it is alive, and looks who else is."""
LIFE_SECONDS = 8.0
"""How long a server counts as alive after it said so, by the clock of the log.  Its ledgers then get another owner."""
FORGET_SECONDS = 86_400.0
"""How long the others keep a server in mind that has not said that it is alive.  If it is, it gets a new id."""
STUCK_SECONDS = 5.0
"""How long a write may wait for the log before that is said.  It goes on waiting: see docs/cluster.md."""


class Peer(NamedTuple):
    """A server.  url: where other servers reach it."""

    server_id: str
    url: str
    is_alive: bool


class OwnedLedger(NamedTuple):
    """A ledger in the log.  owner: a server id, of a server that may be gone; None when no server has asked for it.

    sequence_no: of its last block.
    """

    region: str
    name: str
    ledger_id: str
    owner: str | None
    sequence_no: int


class Servers(Protocol):
    """The servers that share journals, as one of them sees them.  Every method raises LogError."""

    @property
    def server_id(self) -> str | None:
        """Of this server; None while it is not one of them."""
        ...

    def join(self, server_id: str, url: str) -> None:
        """Become one of them."""
        ...

    def beat(self) -> bool:
        """Say that this server is alive; False when the others took it for dead."""
        ...

    def leave(self) -> None:
        """Stop being one of them: its ledgers are free."""
        ...

    def break_off(self) -> None:
        """End what waits for the log for longer than a moment, for this server stops.  Its outcome stays unknown."""
        ...

    def peers(self) -> dict[str, Peer]:
        """Every server by its id, this one among them."""
        ...

    def ledgers(self) -> list[OwnedLedger]:
        """Every ledger of every region."""
        ...

    def claim(self, ledger_id: str) -> str | None:
        """Own a ledger, unless a server that is alive does; returns the id of its owner.  None: no such ledger."""
        ...

    def take_over(self, ledger_id: str, owner: str) -> bool:
        """Own a ledger that another server owns, which is alive; whether that server still owned it."""
        ...

    def waiting_ledgers(self) -> list[tuple[str, str]]:
        """(region, name) of ledgers that may have streams or exports to go on with, and no owner that is alive."""
        ...

    def stuck(self) -> str | None:
        """What a write has been waiting for, for longer than STUCK_SECONDS, in words; None when there is no such."""
        ...

    def settle(self, server_id: str, ledger_id: str, transaction_id: str) -> bool:
        """Whether a transaction of a server that does not answer was committed.  The answer is final.

        The server counts as dead from then on.  What it still tries to append to the ledger is refused by the fence,
        and when it asks for the end of the log it learns that its sessions are over.
        """
        ...
