"""Index keys: under which bytes a document is found in an index on one of its top-level fields."""

from __future__ import annotations

from ...ion.compare import index_key
from ...ion.values import IonValue, strip_annotations


def field_key(value: IonValue, field_name: str) -> bytes | None:
    """Return the index key of a document's top-level field; None if the document cannot be found by it."""
    document = strip_annotations(value)
    if not isinstance(document, dict) or field_name not in document:
        return None
    return index_key(document[field_name])
