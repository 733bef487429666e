"""Ion values in requests and answers: as JSON, as Ion text or as Ion binary.

A body is JSON unless Content-Type says Ion; an answer is JSON unless Accept says Ion.  As in Ion text, a number of JSON
without an exponent is exact (an Ion int or decimal), and one with an exponent is an Ion float.
"""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any, Literal

from ...errors import ADMIN_REQUEST
from ...ion.codec import IonError, dumps, dumps_text, loads
from ...ion.json import to_json
from ...ion.values import IonValue, strip_annotations

Form = Literal["json", "ion-text", "ion-binary"]

JSON, NDJSON = "application/json", "application/x-ndjson"
# The registered-looking names, and those that AWS's services and SDKs have used.
TEXT_TYPES = ("text/ion", "text/x-ion", "text/x-amzn-ion", "text/x-amz-ion")
BINARY_TYPES = ("application/ion", "application/x-ion", "application/x-amzn-ion", "application/x-amz-ion")
CONTENT_TYPES: dict[Form, str] = {"json": JSON, "ion-text": TEXT_TYPES[0], "ion-binary": BINARY_TYPES[0]}


def form_of(media_type: str) -> Form | None:
    """Return the form of a media type; None if it is neither JSON nor Ion."""
    name = media_type.split(";", 1)[0].strip().lower()
    if name in TEXT_TYPES:
        return "ion-text"
    if name in BINARY_TYPES:
        return "ion-binary"
    return "json" if name in ("", JSON) else None


def wanted_form(accept: str) -> Form:
    """Return the first form that an Accept header names; JSON if it names none."""
    for part in accept.split(","):
        form = form_of(part)
        if form is not None and part.strip():
            return form
    return "json"


def read_members(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the members of a request's object; empty for an empty body.  Raises ADMIN_REQUEST."""
    if not body.strip():
        return {}
    form = form_of(content_type)
    try:
        value = loads(body) if form in ("ion-text", "ion-binary") else _json(body)
    except (IonError, ValueError, RecursionError) as error:
        name = "JSON" if form in ("json", None) else "Ion"
        raise ADMIN_REQUEST(text=f"the body is not {name}: {error}") from error
    value = strip_annotations(value)
    if not isinstance(value, dict):
        raise ADMIN_REQUEST(text="the body must be an object with members")
    return value


def _json(body: bytes) -> Any:
    return json.loads(body, parse_float=_number, parse_constant=_no_constant)


def _number(text: str) -> Decimal | float:
    return float(text) if "e" in text or "E" in text else Decimal(text)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def write(value: IonValue, form: Form) -> bytes:
    """Return a whole answer in a form.  Raises IonError."""
    if form == "json":
        return to_json(value).encode()
    return dumps(value) if form == "ion-binary" else dumps_text(value).encode()


def parse_texts(texts: list[Any]) -> list[IonValue]:
    """Return the values of Ion texts, one each.  Raises ADMIN_REQUEST."""
    values = []
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise ADMIN_REQUEST(text=f"ionParameters: value {number} must be a text that holds Ion")
        try:
            values.append(loads(text))
        except IonError as error:
            raise ADMIN_REQUEST(text=f"ionParameters: value {number} is not Ion: {error}") from error
    return values


def encode_row(row: bytes, form: Form) -> IonValue:
    """Return a row (Ion binary) as a member of a JSON answer: its value, its Ion text, or its Ion binary in base64."""
    if form == "json":
        return loads(row)
    return dumps_text(loads(row)) if form == "ion-text" else base64.b64encode(row).decode("ascii")


def plain(value: IonValue) -> Any:
    """Return a value as ``json`` would load its JSON form, for templates and comparisons."""
    return json.loads(to_json(value), parse_float=Decimal)


def base64_text(data: bytes) -> str:
    """Octets in base64."""
    return base64.b64encode(data).decode("ascii")
