"""The two values PartiQL has and Ion has not: MISSING, and the bag (an unordered collection)."""

from __future__ import annotations

from typing import ClassVar, Final, final


@final
class Missing:
    """The type of :data:`MISSING`; there is one object, so ``is`` compares."""

    __slots__ = ()
    partiql_kind: ClassVar[str] = "null"  # inside a container it equals a null (the library's natural order)
    _only: ClassVar[Missing | None] = None

    def __new__(cls) -> Missing:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


class Bag(list):  # type: ignore[type-arg]
    """A bag: ``<< ... >>`` and the result of a query.  Its order carries no meaning."""

    __slots__ = ()
    partiql_kind: ClassVar[str] = "bag"

    def __repr__(self) -> str:
        return f"Bag({list.__repr__(self)})"
