"""Index keys: under which bytes a document is found in an index on one of its top-level fields."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ...ion.codec import loads
from ...ion.compare import index_key
from ...ion.field_reader import field_reader
from ...ion.values import IonValue, strip_annotations

_READERS_KEPT = 64  # names of indexed fields


def field_key(value: IonValue, field_name: str) -> bytes | None:
    """Return the index key of a document's top-level field; None if the document cannot be found by it."""
    document = strip_annotations(value)
    if not isinstance(document, dict) or field_name not in document:
        return None
    return index_key(document[field_name])


def stored_key(data: bytes, field_name: str) -> bytes | None:
    """Return what field_key returns for the document in self-contained Ion binary; decodes no more than the field."""
    return key_reader(field_name)(data)


@lru_cache(_READERS_KEPT)
def key_reader(field_name: str) -> Callable[[bytes], bytes | None]:
    """Return a function that does what stored_key does for one field.

    It is kept, because a reader knows the shapes of the documents that it has read.
    """
    read = field_reader(field_name, _ABSENT, _UNREAD)

    def key(data: bytes) -> bytes | None:
        value = read(data)
        if value is _ABSENT:
            return None
        return field_key(loads(data), field_name) if value is _UNREAD else index_key(value)

    return key


_ABSENT, _UNREAD = object(), object()
