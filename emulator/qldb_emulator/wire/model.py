"""The two service models, loaded once: shapes, members, constraints, routes.

The files in ``aws_models`` are the only place where these facts live; parsing, validation, serialization and routing
are driven by the objects made here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from ..limits import Limits
from ..records import dataclass

MODEL_DIRECTORY = Path(__file__).resolve().parent.parent / "aws_models"
_MODEL_FILES = {
    "qldb": "qldb/2019-01-02/service-2.json",
    "qldb-session": "qldb-session/2019-07-11/service-2.json",
}
SESSION_TARGET = "QLDBSession.SendCommand"

Location = Literal["uri", "querystring", "body"]


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of a model, with everything it refers to.

    type: structure, list, map, string, integer, long, boolean, timestamp or blob.
    item: shape of a list's elements or a map's values.  key: shape of a map's keys.
    minimum, maximum: characters of a string, bytes of a blob, entries of a list or map, or the number itself.
    pattern: must match the whole string.
    """

    name: str
    type: str
    members: Mapping[str, Member] = field(default_factory=dict)
    item: Shape | None = None
    key: Shape | None = None
    minimum: int | None = None
    maximum: int | None = None
    pattern: re.Pattern[str] | None = None
    enum: tuple[str, ...] = ()
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure.  ``wire_name`` is its name in ``location``: in the path, the query, or the JSON body."""

    name: str
    shape: Shape
    required: bool
    location: Location
    wire_name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.  ``route`` matches the decoded path of a rest-json operation and captures its labels."""

    name: str
    method: str
    route: re.Pattern[str]
    input: Shape
    output: Shape | None

    def takes_body(self) -> bool:
        """Whether any member is in the body; other operations ignore their body."""
        return any(member.location == "body" for member in self.input.members.values())


@dataclass(frozen=True, slots=True)
class Service:
    """A service model.  ``error_statuses`` has every modelled error; None where the model gives no status."""

    name: str
    protocol: str
    operations: Mapping[str, Operation]
    shapes: Mapping[str, Shape]
    error_statuses: Mapping[str, int | None]

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Return the operation of a method and a decoded path, with its path labels; None if no operation matches.

        ``path`` is decoded, as WSGI passes it: a slash inside a label looks like one between labels, so only
        the last label of a tag operation, an ARN, may hold slashes.
        """
        for operation in self.operations.values():
            if operation.method == method:
                match = operation.route.fullmatch(path)
                if match is not None:
                    return operation, match.groupdict()
        return None


class _Loader:
    """Turns the JSON of a model into shapes, each once.  The models have no recursive shapes."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self._made: dict[str, Shape] = {}

    def shape(self, name: str) -> Shape:
        if name not in self._made:
            self._made[name] = self._make(name, self._raw[name])
        return self._made[name]

    def _make(self, name: str, raw: Mapping[str, Any]) -> Shape:
        item = raw.get("member") or raw.get("value")
        pattern = raw.get("pattern")
        return Shape(
            name=name,
            type=raw["type"],
            members=self._members(raw),
            item=self.shape(item["shape"]) if item else None,
            key=self.shape(raw["key"]["shape"]) if "key" in raw else None,
            minimum=raw.get("min"),
            maximum=raw.get("max"),
            pattern=re.compile(pattern) if pattern else None,
            enum=tuple(raw.get("enum", ())),
            sensitive=raw.get("sensitive", False),
        )

    def _members(self, raw: Mapping[str, Any]) -> dict[str, Member]:
        required = raw.get("required", ())
        return {
            name: Member(
                name=name,
                shape=self.shape(member["shape"]),
                required=name in required,
                location=member.get("location", "body"),
                wire_name=member.get("locationName", name),
            )
            for name, member in raw.get("members", {}).items()
        }


def _route(uri: str) -> re.Pattern[str]:
    """Return ``/ledgers/{name}/digest`` as a pattern; the ARN of a tag operation takes the rest, slashes included."""
    labels = {"resourceArn": "(?P<resourceArn>.*)"}
    parts = re.split(r"\{(\w+)\}", uri)
    text = "".join(
        labels.get(part, f"(?P<{part}>[^/]*)") if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )
    return re.compile(text, re.DOTALL)


@cache
def load_service(name: str) -> Service:
    """Return the model ``qldb`` or ``qldb-session``, as AWS published its constraints.  Cached."""
    raw = json.loads((MODEL_DIRECTORY / _MODEL_FILES[name]).read_text(encoding="utf-8"))
    loader = _Loader(raw["shapes"])
    operations = {
        key: Operation(
            name=key,
            method=operation["http"]["method"],
            route=_route(operation["http"]["requestUri"]),
            input=loader.shape(operation["input"]["shape"]),
            output=loader.shape(operation["output"]["shape"]) if "output" in operation else None,
        )
        for key, operation in raw["operations"].items()
    }
    return Service(
        name=name,
        protocol=raw["metadata"]["protocol"],
        operations=operations,
        shapes={key: loader.shape(key) for key in raw["shapes"]},
        error_statuses={
            key: shape.get("error", {}).get("httpStatusCode")
            for key, shape in raw["shapes"].items()
            if shape.get("exception")
        },
    )


def _with_maxima(shape: Shape, maxima: Mapping[str, int]) -> Shape:
    """Return the same shape with other maxima in the shapes named, at any depth."""
    return replace(
        shape,
        members={
            name: replace(member, shape=_with_maxima(member.shape, maxima)) for name, member in shape.members.items()
        },
        item=_with_maxima(shape.item, maxima) if shape.item else None,
        maximum=maxima.get(shape.name, shape.maximum),
    )


@lru_cache(maxsize=16)
def command_shapes(limits: Limits) -> Mapping[str, Shape]:
    """Return command name -> shape of its request with the sizes of these limits, plus ``SessionToken``.

    The model's own maxima are the strict limits; an emulator may run with others.
    """
    maxima = {
        "Statement": limits.statement_characters,
        "IonBinary": limits.parameter_binary_bytes,
        "IonText": limits.parameter_text_characters,
    }
    request = load_service("qldb-session").operations["SendCommand"].input
    return {name: _with_maxima(member.shape, maxima) for name, member in request.members.items()}
