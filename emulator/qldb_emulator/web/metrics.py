"""Counts requests by operation and outcome, and their durations."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

MAX_SERIES = 1_000
OTHER = "other"

Gauge = tuple[str, str, float]
"""(name, help, value)."""


class Family(NamedTuple):
    """A metric with labels.  kind: gauge or counter.  values: (labels, value)."""

    name: str
    kind: str
    about: str
    values: list[tuple[dict[str, str], float]]


class Metrics:
    """Counts since the start of the process.  Any thread may observe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: dict[tuple[str, str], int] = {}
        self._durations: dict[str, list[float]] = {}  # operation -> sum of seconds, count, then one count a bucket

    def observe(self, operation: str, outcome: str, seconds: float) -> None:
        """Count an answered request.  outcome: ``ok`` or the error's name."""
        with self._lock:
            key = (operation, outcome)
            if key not in self._outcomes and len(self._outcomes) >= MAX_SERIES:
                key = (OTHER, outcome)  # request methods can be anything
                operation = OTHER
            self._outcomes[key] = self._outcomes.get(key, 0) + 1
            row = self._durations.get(operation)
            if row is None:
                row = self._durations[operation] = [0.0] * (2 + len(BUCKETS_SECONDS))
            row[0] += seconds
            row[1] += 1
            bucket = bisect_left(BUCKETS_SECONDS, seconds)
            if bucket < len(BUCKETS_SECONDS):
                row[2 + bucket] += 1

    def count(self) -> int:
        """Return how many requests were answered."""
        with self._lock:
            return sum(self._outcomes.values())

    def text(self, gauges: Iterable[Gauge] = (), families: Iterable[Family] = ()) -> str:
        """Everything in Prometheus' text form, version 0.0.4."""
        with self._lock:
            outcomes = sorted(self._outcomes.items())
            durations = sorted((operation, list(row)) for operation, row in self._durations.items())
        lines = _header("qldb_requests_total", "counter", "Requests answered, by operation and outcome.")
        lines += [f"qldb_requests_total{_labels(operation=o, outcome=e)} {n}" for (o, e), n in outcomes]
        lines += _header("qldb_request_duration_seconds", "histogram", "Time from request to answer.")
        for operation, (total, count, *buckets) in durations:
            below = 0.0
            for bound, bucket in zip(BUCKETS_SECONDS, buckets, strict=True):
                below += bucket
                labels = _labels(operation=operation, le=str(bound))
                lines.append(f"qldb_request_duration_seconds_bucket{labels} {below:.0f}")
            labels = _labels(operation=operation, le="+Inf")
            lines.append(f"qldb_request_duration_seconds_bucket{labels} {count:.0f}")
            lines.append(f"qldb_request_duration_seconds_sum{_labels(operation=operation)} {total:.6f}")
            lines.append(f"qldb_request_duration_seconds_count{_labels(operation=operation)} {count:.0f}")
        for name, about, value in gauges:
            lines += [*_header(name, "gauge", about), f"{name} {value:g}"]
        for family in families:
            lines += _header(family.name, family.kind, family.about)
            lines += [f"{family.name}{_labels(**labels)} {value:g}" for labels, value in family.values]
        return "\n".join(lines) + "\n"


def _header(name: str, kind: str, about: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
