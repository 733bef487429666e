"""Faults on demand: rules that make requests fail in ways in which the service could fail.

A rule says what goes wrong (its kind), for which requests (commands, ledger, table, statement), and how often (a count,
a probability, or both).  Rules are tried in the order in which they were added.  Latencies add up; of the other kinds,
the first that strikes decides.

Chance is a hash of the rule's seed and the number of the matching request, so a seeded rule strikes the same requests
in every run.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Any, Literal

from ...errors import (
    ADMIN_NOT_FOUND,
    ADMIN_REQUEST,
    CAPACITY_EXCEEDED,
    NO_SUCH_SESSION,
    OCC_CONFLICT,
    RATE_EXCEEDED,
    SERVICE_FAILURE,
    SERVICE_UNAVAILABLE,
    SESSION_LIMIT,
    TRANSACTION_EXPIRED,
    Problem,
    Source,
)
from ...records import dataclass

IN_TRANSACTION = ("ExecuteStatement", "FetchPage", "CommitTransaction")
IN_SESSION = ("StartTransaction", *IN_TRANSACTION, "AbortTransaction", "EndSession")
ALL_COMMANDS = ("StartSession", *IN_SESSION)
MAX_LATENCY_MS = 600_000

Loss = Literal["nothing", "transaction", "session"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a fault does.

    problem: the error, or None for a latency or a dropped connection.  commands: those that it can strike.  usual:
    those that it strikes if a rule names none.  loses: what the fault destroys.  source: how that effect is known.
    """

    problem: Problem | None
    commands: tuple[str, ...]
    usual: tuple[str, ...]
    loses: Loss
    source: Source
    about: str


KINDS: dict[str, Kind] = {
    "occ": Kind(
        OCC_CONFLICT,
        ("ExecuteStatement", "CommitTransaction"),
        ("CommitTransaction",),
        "transaction",
        "recorded",
        "a conflict; the transaction is gone, the session stays",
    ),
    "transaction-expired": Kind(
        TRANSACTION_EXPIRED, IN_TRANSACTION, IN_TRANSACTION, "transaction", "documented", "the transaction has expired"
    ),
    "invalid-session": Kind(
        NO_SUCH_SESSION, IN_SESSION, ("StartTransaction", *IN_TRANSACTION), "session", "documented", "no such session"
    ),
    "capacity-exceeded": Kind(
        CAPACITY_EXCEEDED, ALL_COMMANDS, IN_TRANSACTION, "nothing", "driver test", "CapacityExceeded, status 503"
    ),
    "rate-exceeded": Kind(
        RATE_EXCEEDED, ALL_COMMANDS, ("StartSession",), "nothing", "inferred", "RateExceeded, status 400"
    ),
    "limit-exceeded": Kind(
        SESSION_LIMIT,
        ("StartSession", "StartTransaction"),
        ("StartTransaction",),
        "nothing",
        "documented",
        "LimitExceeded: too many sessions",
    ),
    "internal-failure": Kind(
        SERVICE_FAILURE, ALL_COMMANDS, IN_TRANSACTION, "nothing", "recorded", "InternalFailure, status 500"
    ),
    "service-unavailable": Kind(
        SERVICE_UNAVAILABLE, ALL_COMMANDS, IN_TRANSACTION, "nothing", "driver test", "ServiceUnavailable, status 503"
    ),
    "latency": Kind(None, ALL_COMMANDS, ALL_COMMANDS, "nothing", "ours", "the answer comes late, by latency_ms"),
    "drop-before": Kind(
        None, ALL_COMMANDS, ("CommitTransaction",), "nothing", "ours", "the connection closes, nothing has happened"
    ),
    "drop-after": Kind(
        None, ALL_COMMANDS, ("CommitTransaction",), "nothing", "ours", "the connection closes, but it has happened"
    ),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """When a fault strikes.

    commands: names of session commands; empty for the usual ones of the kind.  ledger: its name.  table: the name of a
    table that the statement, or for other commands the transaction, uses.  statement: a regular expression that the
    statement's text, or one of the transaction's, contains a match of.  count: how often at most; None for always.
    probability: of striking a request that matches, from 0 to 1.  latency_ms: for the kind latency.
    """

    kind: str
    commands: tuple[str, ...] = ()
    ledger: str | None = None
    table: str | None = None
    statement: str | None = None
    count: int | None = None
    probability: float = 1.0
    latency_ms: int = 0
    seed: str = ""


@dataclass(slots=True)
class Event:
    """A request, as rules see it.

    Texts and tables take time to compute, so that happens only when a rule needs them.
    """

    command: str
    ledger: str | None
    texts: Callable[[], Iterable[str]]
    tables: Callable[[], Iterable[str]]


@dataclass(slots=True)
class ActiveRule:
    """A rule with its id, and how often it matched and struck."""

    id: str
    rule: Rule
    commands: frozenset[str]
    pattern: re.Pattern[str] | None
    matched: int = 0
    struck: int = 0

    def strikes(self, event: Event) -> bool:
        """Whether the rule strikes this request; counts it."""
        rule = self.rule
        if not self._matches(event) or (rule.count is not None and self.struck >= rule.count):
            return False
        self.matched += 1
        if rule.probability < 1 and chance(rule.seed, self.matched) >= rule.probability:
            return False
        self.struck += 1
        return True

    def _matches(self, event: Event) -> bool:
        rule = self.rule
        if event.command not in self.commands or (rule.ledger is not None and rule.ledger != event.ledger):
            return False
        if self.pattern is not None and not any(map(self.pattern.search, event.texts())):
            return False
        return rule.table is None or rule.table in event.tables()

    def describe(self) -> dict[str, Any]:
        """Return the rule as the admin interface shows it."""
        rule = self.rule
        return {
            "id": self.id,
            "kind": rule.kind,
            "commands": sorted(self.commands),
            "ledger": rule.ledger,
            "table": rule.table,
            "statement": rule.statement,
            "count": rule.count,
            "probability": rule.probability,
            "latency_ms": rule.latency_ms,
            "seed": rule.seed,
            "matched": self.matched,
            "struck": self.struck,
        }


@dataclass(slots=True)
class Strike:
    """The effect on one request.  kind: None if there is only latency."""

    kind: str | None = None
    latency_ms: int = 0


def chance(seed: str, number: int) -> float:
    """Return a number from 0 to 1, 1 excluded, that looks random and is the same for the same arguments."""
    digest = hashlib.sha256(f"{seed}:{number}".encode(errors="backslashreplace")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


@dataclass(slots=True)
class Faults:
    """The rules of one emulator, from any thread.

    rules: changed by ``add`` and ``remove`` alone; every command first checks whether there are any.
    """

    rules: list[ActiveRule] = field(default_factory=list)
    _added: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rule: Rule, new_seed: Callable[[], str]) -> dict[str, Any]:
        """Add a rule and return its description.  A rule without a seed gets one.  Raises ADMIN_REQUEST."""
        checked = _checked(rule)
        if not rule.seed:
            rule = Rule(**{name: getattr(rule, name) for name in Rule.__slots__ if name != "seed"}, seed=new_seed())
        with self._lock:
            self._added += 1
            active = ActiveRule(f"fault-{self._added}", rule, *checked)
            self.rules.append(active)
        return active.describe()

    def list(self) -> list[dict[str, Any]]:
        """Return every rule, in order, spent ones included."""
        return [active.describe() for active in self.rules]

    def clear(self, rule_id: str | None = None) -> int:
        """Remove one rule, or all; return how many.  Raises ADMIN_NOT_FOUND."""
        with self._lock:
            rest = [active for active in self.rules if rule_id is not None and active.id != rule_id]
            removed = len(self.rules) - len(rest)
            if rule_id is not None and not removed:
                raise ADMIN_NOT_FOUND(text=f"There is no fault {rule_id[:100]}")
            self.rules = rest
        return removed

    def strike(self, event: Event) -> Strike:
        """Decide what happens to a request."""
        strike = Strike()
        with self._lock:
            for active in self.rules:
                if active.rule.kind != "latency" and strike.kind is not None:
                    continue
                if active.strikes(event):
                    if active.rule.kind == "latency":
                        strike.latency_ms += active.rule.latency_ms
                    else:
                        strike.kind = active.rule.kind
        return strike


def _checked(rule: Rule) -> tuple[frozenset[str], re.Pattern[str] | None]:
    """Return the commands and the pattern of a rule.  Raises ADMIN_REQUEST for an invalid rule."""
    kind = KINDS.get(rule.kind)
    if kind is None:
        raise ADMIN_REQUEST(text=f"There is no kind of fault {rule.kind[:100]!r}; there are {', '.join(KINDS)}")
    for command in rule.commands:
        if command not in kind.commands:
            raise ADMIN_REQUEST(
                text=f"A fault of kind {rule.kind} cannot strike {command[:100]!r}; it can strike "
                f"{', '.join(kind.commands)}"
            )
    if rule.count is not None and rule.count < 1:
        raise ADMIN_REQUEST(text="The count of a fault must be at least 1")
    if not 0 <= rule.probability <= 1:
        raise ADMIN_REQUEST(text="The probability of a fault must be from 0 to 1")
    if (rule.kind == "latency") != bool(rule.latency_ms) or not 0 <= rule.latency_ms <= MAX_LATENCY_MS:
        raise ADMIN_REQUEST(
            text=f"latency_ms belongs to a fault of kind latency, and must be from 1 to {MAX_LATENCY_MS}"
        )
    try:
        pattern = re.compile(rule.statement) if rule.statement is not None else None
    except (re.error, RecursionError, OverflowError) as error:
        raise ADMIN_REQUEST(text=f"The statement pattern of a fault is no regular expression: {error}") from error
    return frozenset(rule.commands or kind.usual), pattern
