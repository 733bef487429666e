"""A statement as the client sent it, and its hashes, which are computed after the answer, or when first needed."""

from __future__ import annotations

from collections.abc import Sequence

from ...ion.hash import hash_list, hash_value
from ...ion.values import IonValue
from ...journal.hashing import statement_digest

Place = tuple[int, int | None]
"""(number of a parameter, number of an element of it, or None for the whole of it)."""


class SentStatement:
    """A statement that was sent.  It is part of the commit digest even if it fails (wire.md 2.4).

    No answer before the commit's needs its digest, and hashing a document is a good part of the work of its INSERT.  So
    ``compute_digest`` is called after the answer was sent.  Any thread may call it at any time: the result is the same.
    """

    __slots__ = ("_digest", "_hashes", "_parameters", "_places", "text")

    def __init__(self, text: str, parameters: Sequence[IonValue]) -> None:
        self.text = text
        self._parameters = parameters
        self._places: dict[int, Place] | None = None
        self._hashes: list[tuple[bytes, list[bytes]]] | None = None
        self._digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """Return ``hashing.statement_digest`` of the statement: 32 bytes."""
        if self._digest is None:
            self._digest = statement_digest(self.text, [whole for whole, _ in self._all_hashes()])
        return self._digest

    def compute_digest(self) -> None:
        """Compute the digest, unless that has been done."""
        _ = self.digest

    def place_of(self, value: IonValue) -> Place | None:
        """Return where a value stands among the parameters, compared by identity; None if it is not one of them.

        An element of a list counts: ``INSERT INTO t ?`` takes many documents that way.
        """
        if self._places is None:
            # By identity; the parameters are kept alive, so no other object can get the same id.
            self._places = {id(value): (number, None) for number, value in enumerate(self._parameters)}
            for number, parameter in enumerate(self._parameters):
                if type(parameter) is list:
                    self._places.update((id(each), (number, element)) for element, each in enumerate(parameter))
        return self._places.get(id(value))

    def hash_at(self, place: Place) -> bytes:
        """Return the Ion hash of the value at a place."""
        whole, elements = self._all_hashes()[place[0]]
        return whole if place[1] is None else elements[place[1]]

    def _all_hashes(self) -> list[tuple[bytes, list[bytes]]]:
        """Return the hash of each parameter, and those of the elements of each parameter that is a list."""
        if self._hashes is None:
            self._hashes = [
                hash_list(value) if type(value) is list else (hash_value(value), []) for value in self._parameters
            ]
        return self._hashes
