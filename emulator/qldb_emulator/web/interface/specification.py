"""The OpenAPI 3.1 document of everything below ``/_qldb``, made from the tables that answer it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ... import __version__
from ...wire.model import Shape
from ..admin import ROUTES
from ..routes import PREFIX, Route
from .admin_schemas import ADMIN_SCHEMAS
from .control import operations as control_operations
from .operations import Operation
from .schemas import ERROR, QUERY, TEXT, Schema
from .values import JSON, NDJSON

Members = dict[str, Any]

_ABOUT = """A ledger for programs that have neither Ion nor a driver, and what an emulator can do that QLDB could not.

Bodies are JSON, or Ion by Content-Type; answers are JSON, or Ion by Accept.  Under --auth, sign requests (Signature
Version 4, service qldb); `curl --aws-sigv4` does.  What is tagged admin needs a server with the admin interface on."""

_STATUSES = {
    400: "The request or its statement is wrong: the class, the text and, for a statement, line and column.",
    401: "The request is not signed, and the browser is not signed in.",
    403: "Not allowed: by the policy, by read-only mode, or because the admin interface is off.",
    404: "There is no such thing.",
    408: "The request took longer than it was given.",
    409: "A conflict with another transaction, or a name that is taken.",
    412: "The ledger's state or protection forbids it.",
    413: "The body is too large.",
    429: "Too many at once.",
    500: "A failure of the server.",
    503: "The server cannot answer now.",
}


def openapi(rows: Iterable[Operation]) -> Members:
    """Return the document."""
    paths: Members = {}
    for row in rows:
        _add(paths, row.path, row.method, _interface(row))
    for operation in control_operations():
        _add(
            paths, f"/operations/{operation.name}", "POST", _control(operation.name, operation.input, operation.output)
        )
    for route in ROUTES:
        path = route.path if route.is_root else f"{PREFIX}{route.path}"
        _add(paths, path, route.method, _admin(route), prefix="")
    return {
        "openapi": "3.1.0",
        "info": {"title": "qldb-emulator", "version": __version__, "description": _ABOUT, "license": _LICENSE},
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "ledger", "description": "Statements, documents, the journal, proofs."},
            {"name": "control", "description": "QLDB's control plane, with all members in one object."},
            {"name": "admin", "description": "What QLDB could not: snapshots, forks, faults, recent statements."},
        ],
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4, service qldb.  Only with --auth.",
                }
            },
        },
        "security": [{}, {"signature": []}],
    }


_LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def _add(paths: Members, path: str, method: str, operation: Members, prefix: str = PREFIX) -> None:
    text = prefix + path.replace("<", "{").replace(">", "}")
    names = re.findall(r"{([a-z_]+)}", text)
    labels = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]
    operation["parameters"] = labels + operation.get("parameters", [])
    paths.setdefault(text, {})[method.lower()] = operation


def _region() -> Members:
    schema = {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"}
    return {"name": "region", "in": "query", "description": "The server's own by default.", "schema": schema}


def _interface(row: Operation) -> Members:
    parameters = [_query(name) for name in row.query]
    answers: Members = {}
    for form in (JSON, *row.forms):
        answers[form] = {"schema": row.answer if form == JSON else {}}
    if row.forms in (("text/event-stream",), (NDJSON,)):
        answers = {row.forms[0]: {"schema": row.answer}}
    members: Members = {
        "operationId": row.name,
        "tags": ["ledger"],
        "summary": row.about,
        "parameters": [*parameters, _region()],
        "responses": _responses(answers, without=(503,)),
    }
    if row.body is not None:
        content = {JSON: {"schema": row.body}, "text/ion": {"schema": {}}, "application/ion": {"schema": {}}}
        if row.method == "PUT":
            content = {"application/octet-stream": {"schema": row.body}}
        members["requestBody"] = {"required": True, "content": content}
    return members


def _query(name: str) -> Members:
    about, schema = QUERY[name]
    return {"name": "after" if name == "tailAfter" else name, "in": "query", "description": about, "schema": schema}


def _responses(content: Members, without: tuple[int, ...] = ()) -> Members:
    error = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
    found: Members = {"200": {"description": "Done.", "content": content}}
    found |= {
        str(status): {"description": text, **error} for status, text in _STATUSES.items() if status not in without
    }
    return found


# --- the control plane --------------------------------------------------------------------------------------------


def _control(name: str, shape: Shape, output: Shape | None) -> Members:
    return {
        "operationId": name,
        "tags": ["control"],
        "summary": f"QLDB's {name}.",
        "parameters": [_region()],
        "requestBody": {"required": True, "content": {JSON: {"schema": _schema(shape, by_wire_name=False)}}},
        "responses": _responses({JSON: {"schema": _schema(output) if output else {"type": "object"}}}),
    }


def _schema(shape: Shape, by_wire_name: bool = True) -> Schema:
    """Return the JSON Schema of a shape of the service model."""
    if shape.type == "structure":
        members = shape.members.values()
        named = {(m.wire_name if by_wire_name else m.name): m for m in members}
        required = [name for name, member in named.items() if member.required]
        properties = {name: _schema(member.shape) for name, member in named.items()}
        return {"type": "object", "properties": properties, **({"required": required} if required else {})}
    if shape.type == "list":
        assert shape.item is not None
        return {"type": "array", "items": _schema(shape.item), **_bounds(shape, "Items")}
    if shape.type == "map":
        assert shape.item is not None
        return {"type": "object", "additionalProperties": {**_schema(shape.item), "type": ["string", "null"]}}
    if shape.type in ("integer", "long"):
        return {"type": "integer", **_bounds(shape, "imum", "min", "max")}
    if shape.type == "timestamp":
        return {"type": "number"}
    if shape.type == "blob":
        return {"type": "string", "contentEncoding": "base64"}
    if shape.type == "boolean":
        return {"type": "boolean"}
    return {"type": "string", **_bounds(shape, "Length"), **({"enum": list(shape.enum)} if shape.enum else {})}


def _bounds(shape: Shape, what: str, low: str = "min", high: str = "max") -> Schema:
    bounds = ((f"{low}{what}", shape.minimum), (f"{high}{what}", shape.maximum))
    return {name: value for name, value in bounds if value is not None}


# --- the admin interface ------------------------------------------------------------------------------------------


def _admin(route: Route) -> Members:
    described = ADMIN_SCHEMAS.get((route.method, route.path))
    assert described is not None, f"{route.method} {route.path} has no schema"
    content_type = described.content_type
    members: Members = {
        "operationId": f"{route.method.lower()}{''.join(part.title() for part in re.findall('[a-z_]+', route.path))}",
        "tags": ["admin"],
        "summary": route.about,
        "parameters": [
            {"name": name, "in": "query", "required": is_required, "schema": schema}
            for name, (is_required, schema) in described.query.items()
        ],
        "responses": _responses({content_type: {"schema": described.answer}}),
    }
    if described.body is not None:
        members["requestBody"] = {
            "required": bool(described.body.get("required")),
            "content": {JSON: {"schema": described.body}},
        }
    return members
