"""Results, one page at a time: rows are read when a page is requested, never earlier and never all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...budget import UNBOUNDED, Budget
from ...errors import PAGE_TOKEN_NOT_VALID, RESULT_TOO_DEEP
from ...ion.codec import TOO_DEEP, IonError, dumps
from ...ion.values import IonValue
from ...limits import Limits
from ...partiql.planning.data import Data, RawDocument
from ...records import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """One page of values.

    values: Ion binary, one complete stream each.  next_token: None on the last page.  read_ios: of this page alone.
    """

    values: list[bytes]
    next_token: str | None
    read_ios: int


class Cursor:
    """The rows of one statement.

    The latest page can be requested again with its own token (inferred: wire.md 7 #15); older ones are gone, so that
    memory holds one page a cursor.
    """

    __slots__ = (
        "_budget",
        "_counted",
        "_data",
        "_failure",
        "_latest",
        "_latest_token",
        "_limits",
        "_new_token",
        "_next_token",
        "_row_ahead",
        "_rows",
    )

    def __init__(
        self,
        rows: Iterator[IonValue],
        data: Data,
        limits: Limits,
        new_token: Callable[[], str],
        budget: Budget = UNBOUNDED,
    ) -> None:
        self._budget = budget
        self._rows = rows
        self._data = data
        self._limits = limits
        self._new_token = new_token
        self._counted = 0
        self._failure: Exception | None = None
        self._row_ahead: bytes | None = None
        self._next_token: str | None = None
        self._latest: Page | None = None
        self._latest_token: str | None = None

    def page(self, token: str | None) -> Page:
        """Return the page of a token; None means the first.

        Raises PAGE_TOKEN_NOT_VALID for a token whose page is gone, and what evaluating a row raises.
        """
        if self._latest is None or (token is not None and token == self._next_token):
            if self._failure is not None:
                raise self._failure
            try:
                self._latest = self._pull()
            except RecursionError as error:
                self._failure = RESULT_TOO_DEEP(reason=TOO_DEEP)
                raise self._failure from error
            except Exception as error:  # no more rows can be read: a repeated request must fail again
                self._failure = error
                raise
            self._latest_token = token
            self._next_token = self._latest.next_token
            return self._latest
        if token != self._latest_token:
            raise PAGE_TOKEN_NOT_VALID()
        return self._latest

    def _pull(self) -> Page:
        """Return at most ``page_values`` values and about ``page_bytes`` bytes, at least one value if there is any.

        Reads one row ahead, to know whether a next page exists.
        """
        values: list[bytes] = []
        size = 0
        if self._row_ahead is not None:
            values.append(self._row_ahead)
            size = len(self._row_ahead)
            self._row_ahead = None
        max_values, max_bytes = self._limits.page_values, self._limits.page_bytes
        budget = self._budget
        for row in self._rows:
            try:
                value = row.ion if type(row) is RawDocument else dumps(row)
            except IonError as error:
                raise RESULT_TOO_DEEP(reason=error) from error
            budget.held = 0  # what the row was built from is freed
            size += len(value)
            if len(values) >= max_values or (values and size > max_bytes):
                self._row_ahead = value
                break
            values.append(value)
        read_ios = self._data.read_ios - self._counted
        self._counted = self._data.read_ios
        return Page(values, self._new_token() if self._row_ahead is not None else None, read_ios)
