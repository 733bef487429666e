"""IAM policies for QLDB's actions on ledgers, tables, catalogues and streams.

The rules are IAM's: everything is denied until a statement allows it, and a denial wins.  Actions are compared without
regard to case, resources with; ``*`` matches any text and ``?`` one character.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..records import dataclass

_STATEMENT_MEMBERS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource"}


class PolicyError(ValueError):
    """The policy cannot be read; the text says where and why."""


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """Return a text with wildcards as a regular expression."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in text)
    return re.compile("".join(parts), flags | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.  An inverted list matches everything that it does not name."""

    allows: bool
    actions: tuple[re.Pattern[str], ...]
    are_actions_inverted: bool
    resources: tuple[re.Pattern[str], ...]
    are_resources_inverted: bool

    def concerns(self, action: str, resource: str) -> bool:
        """Whether the statement applies to this action on this resource."""
        is_action = any(known.fullmatch(action) for known in self.actions)
        is_resource = any(known.fullmatch(resource) for known in self.resources)
        return is_action != self.are_actions_inverted and is_resource != self.are_resources_inverted


@dataclass(frozen=True, slots=True)
class Policy:
    """The statements that apply to one principal."""

    statements: tuple[Statement, ...]

    def allows(self, action: str, resource: str) -> bool:
        """Whether an action such as ``qldb:SendCommand`` is allowed on a resource's ARN."""
        found = [statement.allows for statement in self.statements if statement.concerns(action, resource)]
        return bool(found) and all(found)


def read_policy(document: Any, where: str) -> Policy:
    """Return the policy in a document of IAM's form.  where: for error texts.  Raises PolicyError."""
    if not isinstance(document, dict) or set(document) - {"Version", "Id", "Statement"} or "Statement" not in document:
        raise PolicyError(f"{where}: a policy is an object with Version and Statement")
    statements = document["Statement"]
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        raise PolicyError(f"{where}: Statement must be a list of statements")
    return Policy(tuple(_statement(item, f"{where}, statement {n}") for n, item in enumerate(statements, 1)))


def _statement(item: Any, where: str) -> Statement:
    if not isinstance(item, dict):
        raise PolicyError(f"{where}: a statement is an object")
    unknown = set(item) - _STATEMENT_MEMBERS
    if unknown:  # ignoring a condition would allow more than the policy says
        raise PolicyError(f"{where}: {', '.join(sorted(unknown))} is not supported")
    if item.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"{where}: Effect must be Allow or Deny")
    actions, are_actions_inverted = _list(item, "Action", where)
    resources, are_resources_inverted = _list(item, "Resource", where)
    return Statement(
        item["Effect"] == "Allow",
        tuple(pattern(text, re.IGNORECASE) for text in actions),
        are_actions_inverted,
        tuple(map(pattern, resources)),
        are_resources_inverted,
    )


def _list(item: dict[str, Any], name: str, where: str) -> tuple[Sequence[str], bool]:
    given = [key for key in (name, f"Not{name}") if key in item]
    if len(given) != 1:
        raise PolicyError(f"{where}: exactly one of {name} and Not{name} is needed")
    texts = item[given[0]]
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise PolicyError(f"{where}: {given[0]} must be a text or a list of texts")
    return texts, given[0] != name
