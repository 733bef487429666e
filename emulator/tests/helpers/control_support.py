"""Calls control plane operations of a real emulator as botocore does: serialized, through the app, parsed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from helpers.local_driver import new_emulator
from helpers.wire_support import ask, client_reads, client_request
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.web.app import create_app

REGION = "us-west-2"


_EMULATORS: list[Emulator] = []


@pytest.fixture(autouse=True)
def close_emulators() -> Iterator[None]:
    """To be imported by a test module: closes the emulators that its clients had."""
    yield
    while _EMULATORS:
        _EMULATORS.pop().close()


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, name: str, members: dict[str, Any]) -> None:
        super().__init__(status, name, members)
        self.status, self.name, self.members = status, name, members


class Outcome(NamedTuple):
    """The comparable parts of an error: status, class, text, and the resource or parameter it names."""

    status: int
    name: str
    message: str
    about: tuple[str, ...]


class Client:
    """A client of one region.  ``client.create_ledger(...)`` is written ``client("CreateLedger", ...)``."""

    def __init__(self, emulator: Emulator | None = None, region: str = REGION, **settings: Any) -> None:
        self.emulator = emulator or new_emulator(**settings)
        _EMULATORS.append(self.emulator)
        self.region = region
        self.app = create_app(self.emulator)

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """The parsed answer.  Raises Refused."""
        environ = client_request("qldb", operation, parameters)
        environ["HTTP_AUTHORIZATION"] = (
            f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/{self.region}/qldb/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
        )
        reply = ask(self.app, environ)
        if reply.status >= 300:
            raise Refused(reply.status, reply.headers["x-amzn-errortype"], reply.json)
        return client_reads("qldb", operation, reply)

    def refused(self, operation: str, **parameters: Any) -> Outcome:
        """Return the refusal of an operation that must not succeed."""
        try:
            answer = self(operation, **parameters)
        except Refused as refusal:
            named = ("ResourceType", "ResourceName", "ParameterName")
            about = tuple(refusal.members[name] for name in named if name in refusal.members)
            return Outcome(refusal.status, refusal.members["__type"], refusal.members["Message"], about)
        raise AssertionError(f"{operation} succeeded with {answer}")

    def new_ledger(self, name: str = "cars", **members: Any) -> str:
        """Makes an unprotected ledger; returns its ARN."""
        members = {"PermissionsMode": "ALLOW_ALL", "DeletionProtection": False, **members}
        return self("CreateLedger", Name=name, **members)["Arn"]
