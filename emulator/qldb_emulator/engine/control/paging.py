"""Tokens of the list operations: opaque, and good only for the request they continue.

A token names the last item of its page by key, not by position, so items that appear or vanish meanwhile neither hide
nor repeat others.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ... import errors

Item = TypeVar("Item")
Key = tuple[int | str, ...]

DEFAULT_PAGE_ITEMS = 100  # the most that MaxResults allows; the service's own default is not known (inferred)
_BINDING_BYTES = 9
_PAGING_PARAMETERS = ("NextToken", "MaxResults")


def paginate(
    operation: str,
    parameters: Mapping[str, Any],
    items: Sequence[Item],
    key: Callable[[Item], Key],
    scope: str = "",
) -> tuple[list[Item], str | None]:
    """Return one page of a list operation, and the token of the next page; None after the last.

    parameters: the request's own, with MaxResults and NextToken if given.  items: all of them, sorted by ``key``,
    which must be unique and hold only numbers and strings.  scope: whatever else the list depends on (region,
    account).  Raises InvalidParameterException for a token of another request.
    """
    size = parameters.get("MaxResults") or DEFAULT_PAGE_ITEMS
    token = parameters.get("NextToken")
    rest = items
    if token is not None:
        after = decode_token(token, operation, parameters, scope)
        try:
            rest = [item for item in items if key(item) > after]
        except TypeError as error:  # keys in our own tokens can be compared; those in a forged one may not
            raise _not_valid() from error
    page = list(rest[:size])
    if len(rest) <= size:
        return page, None
    return page, encode_token(key(page[-1]), operation, parameters, scope)


def encode_token(position: Key, operation: str, parameters: Mapping[str, Any], scope: str = "") -> str:
    """Return a token for "what comes after position", bound to the request it belongs to."""
    payload = _binding(operation, parameters, scope) + json.dumps(position, separators=(",", ":")).encode("ascii")
    return base64.b64encode(payload).decode("ascii")


def decode_token(token: str, operation: str, parameters: Mapping[str, Any], scope: str = "") -> Key:
    """Return the position in a token.

    Raises InvalidParameterException unless the token belongs to this request.
    """
    try:
        payload = base64.b64decode(token, validate=True)
        position = json.loads(payload[_BINDING_BYTES:])
    except (ValueError, RecursionError) as error:
        raise _not_valid() from error
    if payload[:_BINDING_BYTES] != _binding(operation, parameters, scope) or not isinstance(position, list):
        raise _not_valid()
    return tuple(position)


def _binding(operation: str, parameters: Mapping[str, Any], scope: str) -> bytes:
    # MaxResults may change between pages; everything else defines the list.
    fixed = {name: value for name, value in parameters.items() if name not in _PAGING_PARAMETERS}
    text = json.dumps([operation, scope, sorted(fixed.items())], default=str)
    return hashlib.sha256(text.encode()).digest()[:_BINDING_BYTES]


def _not_valid() -> errors.QldbError:
    return errors.INVALID_PARAMETER(text="The parameter NextToken is not valid", parameter="NextToken")
