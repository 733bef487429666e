"""What the engine is told about a request besides its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any, NamedTuple, Protocol

from .records import dataclass


class Principal(Protocol):
    """A user whose permissions are limited."""

    @property
    def name(self) -> str:
        """The user's name: sessions belong to it, whichever of the user's keys signs."""
        ...

    def check(self, action: str, resource: str, account: str) -> None:
        """Raise ACCESS_DENIED unless an action (``SendCommand``) is allowed on a resource, given by its ARN."""
        ...


def is_same_principal(a: Principal | None, b: Principal | None) -> bool:
    """Whether two requests are of one user, by any of the user's keys; without --auth all are."""
    return a is b if a is None or b is None else a.name == b.name


def client_is_there() -> bool:
    """For a request without a connection: its client never leaves."""
    return False


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Who asks, and where.

    region: from the credential scope of the signature, or the default region.  Safe as a directory name.
    access_key: the access key id of the signature; None when the request is not signed.  Checked only with --auth.
    principal: whose permissions apply; None when everything is allowed.
    request_id: 22 characters, the ``x-amzn-RequestId`` of the answer.
    is_client_gone: tells whether the client has closed its connection.  A system call of some 2 µs; never blocks or
      raises; any thread may call it.  Statements that run for long ask it and end early.
    can_hold_answer: whether the caller does ``before_response`` of the result, see CommandResult.

    The engine's two entry points take this with the parameters, and exchange Python values under wire names::

        call("ListLedgers", {"MaxResults": 1}, context)
            -> {"Ledgers": [{"Name": "cars", "State": "ACTIVE", "CreationDateTime": 1568839243951}]}
        send_command("StartTransaction", token, {}, context)
            -> CommandResult({"TransactionId": "I1pH6SCujBW0JYpPoLQT02"})

    ============  =================================================
    wire          Python, both ways
    ============  =================================================
    string        str
    integer       int
    boolean       bool
    blob          bytes
    timestamp     int, milliseconds since 1970-01-01T00:00:00Z
    structure     dict; an absent member has no key (results may say None)
    list, map     list, dict
    ============  =================================================

    In the session API ``Parameters`` is a list of ``{"IonBinary": bytes}`` or ``{"IonText": str}``, exactly one key
    each, and the ``Values`` of a page are a list of bytes (Ion binary, one value each).  ``TimingInformation`` is not
    part of a result: ``web`` measures and adds it.
    """

    region: str
    access_key: str | None
    request_id: str
    principal: Principal | None = None
    is_client_gone: Callable[[], bool] = field(default=client_is_there, compare=False)
    can_hold_answer: bool = False


class CommandResult(NamedTuple):
    """What a session command returns.

    members: of the result, without TimingInformation.  debug: name to ASCII text, for headers of ours.
    after_response: work that no answer needs.  The server calls it when the answer has been sent; it never raises.
    Otherwise the first request that needs that work does it, so nothing is lost if it is not called.
    before_response: waits until the disk has what the answer promises.  The caller must call it before the answer is
    sent, and answers with the QldbError that it raises.  Always None without ``RequestContext.can_hold_answer``: then
    the command itself has waited.
    """

    members: dict[str, Any]
    debug: dict[str, str] | None = None
    after_response: Callable[[], None] | None = None
    before_response: Callable[[], None] | None = None
