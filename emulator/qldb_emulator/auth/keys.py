"""The file of ``serve --auth``: access keys, their secrets, and their permissions.

::

    {"keys": [{"access_key": "AKIDEXAMPLE", "secret_key": "...", "user": "maria",
               "policy": {"Version": "2012-10-17", "Statement": [
                   {"Effect": "Allow", "Action": "qldb:*", "Resource": "*"}]}}]}
"""

from __future__ import annotations

import json
from dataclasses import field
from pathlib import Path
from typing import Any

from ..clock import Clock
from ..errors import ACCESS_DENIED
from ..records import dataclass
from .policy import Policy, PolicyError, read_policy
from .signature import SignedRequest, verify

_MEMBERS = {"access_key", "secret_key", "user", "policy"}


class AuthFileError(ValueError):
    """The file of keys cannot be used; the text says why, and never shows a secret."""


@dataclass(frozen=True, slots=True)
class User:
    """The owner of an access key, and the owner's permissions."""

    name: str
    policy: Policy
    secret: str = field(repr=False)

    def check(self, action: str, resource: str, account: str) -> None:
        """Raise ACCESS_DENIED unless the policy allows an action (``SendCommand``) on a resource's ARN."""
        if not self.policy.allows(f"qldb:{action}", resource):
            arn = f"arn:aws:iam::{account}:user/{self.name}"
            raise ACCESS_DENIED(user=arn, action=f"qldb:{action}", resource=resource)


class Authenticator:
    """Knows the keys of one server."""

    def __init__(self, users: dict[str, User], clock: Clock) -> None:
        self._users = users
        self._clock = clock

    def authenticate(self, request: SignedRequest) -> User:
        """Return who signed a request.  Raises QldbError if the signature is missing or invalid."""
        return self._users[verify(request, self._secret, self._clock.now_ms())]

    def user(self, access_key: str) -> User | None:
        """Return the owner of an access key; None for an unknown key."""
        return self._users.get(access_key)

    def _secret(self, access_key: str) -> str | None:
        user = self._users.get(access_key)
        return None if user is None else user.secret


def read_auth_file(path: Path, clock: Clock) -> Authenticator:
    """Read a file of keys.  Raises AuthFileError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AuthFileError(f"The auth file {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise AuthFileError(f"The auth file {path} is not JSON: {error}") from error
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not keys:
        raise AuthFileError(f'The auth file {path} must be an object with a list of "keys"')
    users: dict[str, User] = {}
    for number, item in enumerate(keys, 1):
        access_key, user = _user(item, f"The auth file {path}, key {number}")
        if access_key in users:
            raise AuthFileError(f"The auth file {path} has the access key {access_key} twice")
        users[access_key] = user
    return Authenticator(users, clock)


def _user(item: Any, where: str) -> tuple[str, User]:
    if not isinstance(item, dict) or set(item) != _MEMBERS:
        raise AuthFileError(f"{where}: a key has exactly the members {', '.join(sorted(_MEMBERS))}")
    for name in ("access_key", "secret_key", "user"):
        if not isinstance(item[name], str) or not item[name]:
            raise AuthFileError(f"{where}: {name} must be a text")
    try:
        policy = read_policy(item["policy"], where)
    except PolicyError as error:
        raise AuthFileError(str(error)) from error
    return item["access_key"], User(item["user"], policy, item["secret_key"])
