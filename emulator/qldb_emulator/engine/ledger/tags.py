"""The rules of tags, for TagResource and for ``CREATE TABLE ... WITH (aws_tags = ...)`` (documented: tagging)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

TAG_KEY_CHARACTERS = 128
TAG_VALUE_CHARACTERS = 256
RESERVED_PREFIX = "aws:"


def reserved_keys(keys: Iterable[str]) -> list[str]:
    """Return the keys that only AWS may use."""
    return [key for key in keys if key.lower().startswith(RESERVED_PREFIX)]


def tags_problem(tags: Mapping[str, str], limit: int) -> str | None:
    """Return why a resource cannot have these tags, as the end of a sentence; None if it can."""
    if len(tags) > limit:
        return f"it has more than {limit} tags"
    if any(not 1 <= len(key) <= TAG_KEY_CHARACTERS or len(value) > TAG_VALUE_CHARACTERS for key, value in tags.items()):
        return f"a key has 1 to {TAG_KEY_CHARACTERS} characters, a value at most {TAG_VALUE_CHARACTERS}"
    if reserved_keys(tags):
        return f"keys that begin with {RESERVED_PREFIX} are reserved"
    return None
