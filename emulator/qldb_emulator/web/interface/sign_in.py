"""Signing in to the console with an access key: kept in memory, so a restart signs every browser out."""

from __future__ import annotations

import hmac
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...auth.keys import Authenticator, User
    from ...clock import Clock
    from ...ids import IdSource

SIGN_IN_SECONDS = 12 * 3600
"""How long a browser stays signed in (ours: a working day)."""

SIGN_INS = 1_000
"""Browsers signed in at once (ours); the oldest is signed out first."""


class SignIns:
    """The browsers that are signed in.  Any thread may call."""

    def __init__(self, clock: Clock, ids: IdSource) -> None:
        self._clock = clock
        self._ids = ids
        self._users: dict[str, tuple[float, User]] = {}
        self._lock = threading.Lock()

    def sign_in(self, authenticator: Authenticator, access_key: str, secret: str) -> str | None:
        """Return the token of a new sign-in; None if key and secret do not match."""
        user = authenticator.user(access_key)
        known = "" if user is None else user.secret
        # Also compare for an unknown key, so that the time reveals nothing.
        if not hmac.compare_digest(known.encode(), secret.encode("utf-8", "replace")) or user is None:
            return None
        token = self._ids.new_token()
        with self._lock:
            while len(self._users) >= SIGN_INS:
                del self._users[next(iter(self._users))]
            self._users[token] = (self._clock.monotonic() + SIGN_IN_SECONDS, user)
        return token

    def find(self, token: str) -> User | None:
        """Return who has a token; None if it is unknown or expired."""
        found = self._users.get(token)
        if found is None:
            return None
        if found[0] < self._clock.monotonic():
            self.sign_out(token)
            return None
        return found[1]

    def sign_out(self, token: str) -> None:
        """Forget a sign-in."""
        with self._lock:
            self._users.pop(token, None)
