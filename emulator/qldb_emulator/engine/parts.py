"""The parts of an emulator that the control plane and the workbench use; ``Emulator`` has all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..clock import Clock
from ..ids import IdSource
from ..settings import Settings
from ..storage.directory import DataDirectory
from .ledger.register import Register
from .outgoing.exports import Exports
from .outgoing.streams import Streams

if TYPE_CHECKING:
    from .session.sessions import Sessions


class Parts(Protocol):
    """The parts of one emulator."""

    settings: Settings
    directory: DataDirectory
    clock: Clock
    ids: IdSource
    ledgers: Register
    streams: Streams
    exports: Exports

    @property
    def sessions(self) -> Sessions: ...
