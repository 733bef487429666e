"""A statement as it was sent, and the hashes of it: computed when they are wanted, which is after the answer."""

from __future__ import annotations

from collections.abc import Sequence

from ..ion.hash import hash_value
from ..ion.values import IonValue
from ..journal.hashing import statement_digest


class Asked:
    """A statement that was sent.  It is part of the commit digest whatever becomes of it (wire.md 2.4).

    No answer needs its digest before the commit's, and hashing a document takes as long as inserting it does; so
    ``settle`` is called when the answer is on its way.  Any thread may call it, at any time: the result is the same.
    """

    __slots__ = ("_digest", "_hashes", "_parameters", "_text_hash", "text")

    def __init__(self, text: str, text_hash: bytes, parameters: Sequence[IonValue]) -> None:
        self.text = text
        self._text_hash = text_hash
        self._parameters = parameters
        self._hashes: list[bytes] | None = None
        self._digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """``hashing.statement_digest`` of the statement: 32 bytes."""
        if self._digest is None:
            self._digest = statement_digest(self.text, self._parameter_hashes(), self._text_hash)
        return self._digest

    def settle(self) -> None:
        """Compute what is still to be computed."""
        _ = self.digest

    def position(self, value: IonValue) -> int | None:
        """Which parameter a value is, itself and not only in what it says; None when it is none of them."""
        return next((position for position, each in enumerate(self._parameters) if each is value), None)

    def hash_of(self, position: int) -> bytes:
        """The Ion hash of a parameter."""
        return self._parameter_hashes()[position]

    def _parameter_hashes(self) -> list[bytes]:
        if self._hashes is None:
            self._hashes = [hash_value(value) for value in self._parameters]
        return self._hashes
