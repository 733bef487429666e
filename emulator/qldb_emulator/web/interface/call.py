"""One request to the JSON interface: its caller, its parameters, its form; and the answers of handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...context import Principal, RequestContext, client_is_there
from ...engine.arns import qldb_arn
from ...engine.control.lookup import active_ledger
from ...engine.workbench.imports import is_ledger_name
from ...errors import ADMIN_REQUEST, LEDGER_NOT_FOUND
from ...records import dataclass
from ..routes import Admin, AdminCall
from .values import NDJSON, Form, read_members, wanted_form

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

    from ...engine.ledger.ledger import Ledger

Members = dict[str, Any]
MAX_SEQUENCE_NO = 2**31 - 1
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is neither JSON nor Ion from this package: bytes with their media type and headers."""

    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Lines:
    """An answer of unknown length: pieces of a body.  An empty piece lets the server check whether it must stop."""

    pieces: Iterator[bytes]
    content_type: str


class Call:
    """One request.

    path: the values of the rule's placeholders.  principal: the caller, None without --auth.
    is_read_only: whether this interface and the console may change nothing.
    """

    def __init__(
        self,
        admin: Admin,
        path: Mapping[str, str],
        query: Mapping[str, str],
        headers: Headers,
        read_body: Callable[[], bytes],
        principal: Principal | None,
        is_client_gone: Callable[[], bool] = client_is_there,
    ) -> None:
        """Raises LEDGER_NOT_FOUND for a name that no ledger can have."""
        self.admin = admin
        self.emulator = admin.emulator
        self.path = path
        self.query = query
        self.headers = headers
        self.principal = principal
        self._is_client_gone = is_client_gone
        if "ledger" in path and not is_ledger_name(path["ledger"]):  # nor can there be a file of this name
            raise LEDGER_NOT_FOUND(name=path["ledger"][:_SHOWN_CHARACTERS], elsewhere="")
        self._read_body = read_body
        self._members: Members | None = None

    @property
    def is_read_only(self) -> bool:
        """Whether this interface may change nothing: ``serve --console read-only``."""
        return self.emulator.settings.console == "read-only"

    @property
    def region(self) -> str:
        """Return ``?region=``, or the server's own.  Raises ADMIN_REQUEST for an invalid region."""
        return AdminCall(self.admin, self.path, self.query).region

    @property
    def form(self) -> Form:
        """Return the requested form of the answer."""
        return wanted_form(self.headers.get("Accept", ""))

    @property
    def wants_lines(self) -> bool:
        """Whether the client wants lines of JSON."""
        return NDJSON in self.headers.get("Accept", "")

    def body(self) -> bytes:
        """Return the body as received.  Raises QldbError if it is too large."""
        return self._read_body()

    @property
    def members(self) -> Members:
        """Return the members of the object in the body, as Ion values.  Raises ADMIN_REQUEST."""
        if self._members is None:
            self._members = read_members(self.body(), self.headers.get("Content-Type", ""))
        return self._members

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text of the body.  Raises ADMIN_REQUEST if it is missing without a default, or not a text."""
        value = self.members.get(name, default)
        if not isinstance(value, str):
            raise ADMIN_REQUEST(text=f"the body must have a member {name!r} that is a text")
        return str(value)

    def number(self, name: str, default: int, maximum: int = MAX_SEQUENCE_NO) -> int:
        """Return a number of the query, 0 to maximum.  Raises ADMIN_REQUEST."""
        return AdminCall(self.admin, self.path, self.query).number(name, default, maximum)

    def optional_number(self, name: str, maximum: int = MAX_SEQUENCE_NO) -> int | None:
        """Return a number of the query, or None if it is absent.  Raises ADMIN_REQUEST."""
        return None if name not in self.query else self.number(name, 0, maximum)

    def context(self) -> RequestContext:
        """Return the context of the request for the engine."""
        return RequestContext(
            self.region, None, self.emulator.ids.new_request_id(), self.principal, self._is_client_gone
        )

    # --- permissions -------------------------------------------------------------------------------------------

    def ledger(self, action: str) -> Ledger:
        """Return the ledger of the path, for an action on it.

        Raises ACCESS_DENIED, LEDGER_NOT_FOUND, LEDGER_NOT_READY.
        """
        name = self.path["ledger"]
        self.check(action, f"ledger/{name}")
        return active_ledger(self.emulator, name, self.region)

    def check(self, action: str, resource: str) -> None:
        """Raise ACCESS_DENIED unless the action is allowed on a resource such as ``ledger/cars``."""
        if self.principal is not None:
            account = self.emulator.settings.account
            self.principal.check(action, qldb_arn(self.region, account, resource), account)

    def check_table(self, ledger: Ledger, action: str, table_id: str) -> None:
        """Raise ACCESS_DENIED unless a table may be read, by the rules for statements (see ``permissions.Permit``)."""
        if ledger.permissions_mode == "STANDARD":
            self.check(action, f"ledger/{ledger.name}/table/{table_id}")

    def may(self, action: str, resource: str) -> bool:
        """Whether an action is allowed."""
        from ...errors import QldbError

        try:
            self.check(action, resource)
        except QldbError:
            return False
        return True
