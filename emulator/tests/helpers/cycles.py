"""Finds dependency cycles in a history of concurrent transactions (after Adya, and Elle by Kingsbury and Alvaro).

Transactions touch keys of two kinds.  A list grows by unique elements, a register takes unique values; both tell at the
end in which order their versions came.  Between committed transactions there are four kinds of edges::

    ww     one wrote the version before the other's
    wr     one read the version that the other wrote
    rw     one read the version before the one that the other wrote
    rt     one was answered before the other began

A cycle of such edges means that no serial order explains what was seen.  Reads of what an aborted transaction wrote, of
versions in the middle of a transaction, and versions that vanish are found on the way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

NOTHING = None  # the version of a key before the first write
Version = int | None
Edges = dict[int, dict[int, str]]


@dataclass(slots=True)
class Observed:
    """One transaction as its client knows it.

    reads: key -> the version it saw first.  writes: key -> the versions it wrote, in order.
    began, ended: on one clock, around the whole of it.
    """

    began: float
    ended: float = 0.0
    committed: bool = False
    reads: dict[str, Version] = field(default_factory=dict)
    writes: dict[str, list[int]] = field(default_factory=dict)


def anomalies(history: Sequence[Observed], final: dict[str, list[int]]) -> list[str]:
    """Return everything that no serial execution explains.

    final: key -> its versions, from first to last, as the ledger tells them when all is over.
    """
    wrong: list[str] = []
    writer = _writers(history, wrong)
    edges: Edges = defaultdict(dict)
    written: dict[str, list[int]] = {key: [] for key in final}
    for key, version in writer:
        written.setdefault(key, []).append(version)
    for key in written:
        _check_versions(history, writer, key, final.get(key, []), written[key], wrong)
    for key, versions in final.items():
        _write_edges(writer, key, versions, edges)
    _read_edges(history, writer, final, edges, wrong)
    _real_time_edges(history, edges)
    wrong.extend(_cycle_text(component, edges) for component in _components(edges) if len(component) > 1)
    return wrong


def _writers(history: Sequence[Observed], wrong: list[str]) -> dict[tuple[str, int], int]:
    """Who wrote a version; failed transactions included."""
    writer: dict[tuple[str, int], int] = {}
    for number, observed in enumerate(history):
        for key, versions in observed.writes.items():
            for version in versions:
                if (key, version) in writer:
                    wrong.append(f"{key}={version} was written twice: the workload is wrong")
                writer[key, version] = number
    return writer


def _check_versions(
    history: Sequence[Observed],
    writer: dict[tuple[str, int], int],
    key: str,
    versions: list[int],
    written: list[int],
    wrong: list[str],
) -> None:
    present = set(versions)
    if len(present) != len(versions):
        wrong.append(f"{key} has a version twice: {versions}")
    for version in versions:
        number = writer.get((key, version))
        if number is None or not history[number].committed:
            wrong.append(f"{key}={version} is there, but no transaction committed it (aborted write)")
    for version in written:
        number = writer[key, version]
        if history[number].committed and version not in present:
            wrong.append(f"{key}={version} was committed by {number} and is gone (lost update)")


def _write_edges(writer: dict[tuple[str, int], int], key: str, versions: list[int], edges: Edges) -> None:
    for before, after in pairwise(versions):
        _add(edges, writer.get((key, before)), writer.get((key, after)), f"ww {key}")


def _read_edges(
    history: Sequence[Observed],
    writer: dict[tuple[str, int], int],
    final: dict[str, list[int]],
    edges: Edges,
    wrong: list[str],
) -> None:
    following: dict[tuple[str, Version], int] = {}
    for key, versions in final.items():
        for before, after in zip([NOTHING, *versions], versions, strict=False):
            following[key, before] = after
    for number, observed in enumerate(history):
        if not observed.committed:
            continue
        for key, version in observed.reads.items():
            if version is not NOTHING:
                source = writer.get((key, version))
                if source is None or not history[source].committed:
                    wrong.append(f"{number} read {key}={version}, which was never committed (aborted read)")
                    continue
                if history[source].writes[key][-1] != version and source != number:
                    wrong.append(f"{number} read {key}={version}, which {source} wrote over (intermediate read)")
                _add(edges, source, number, f"wr {key}")
            after = following.get((key, version))
            if after is not None:
                _add(edges, number, writer.get((key, after)), f"rw {key}")


def _real_time_edges(history: Sequence[Observed], edges: Edges) -> None:
    """From each transaction that had been answered to each that began then, without those that follow from others."""
    moments = [(o.began, 1, n) for n, o in enumerate(history) if o.committed]
    moments += [(o.ended, 0, n) for n, o in enumerate(history) if o.committed]
    frontier: set[int] = set()
    seen_by: dict[int, set[int]] = {}
    for _, is_begin, number in sorted(moments):
        if is_begin:
            seen_by[number] = set(frontier)
            for earlier in frontier:
                _add(edges, earlier, number, "rt")
        else:
            frontier -= seen_by.pop(number)
            frontier.add(number)


def _add(edges: Edges, source: int | None, target: int | None, label: str) -> None:
    if source is not None and target is not None and source != target:
        edges[source].setdefault(target, label)


def _components(edges: Edges) -> Iterable[list[int]]:
    """Yield the strongly connected components (Tarjan, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    for root in list(edges):
        if root in index:
            continue
        work = [(root, iter(edges.get(root, {})))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges.get(target, {}))))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    yield component


def _cycle_text(component: list[int], edges: Edges) -> str:
    """Return a shortest way round from some member, for people."""
    members = set(component)
    start = min(component)
    previous: dict[int, int] = {}
    queue = [start]
    for node in queue:
        for target in edges.get(node, {}):
            if target == start:
                path = [node]
                while path[-1] != start:
                    path.append(previous[path[-1]])
                path = [*reversed(path), start]
                steps = [f"-{edges[a][b]}-> {b}" for a, b in pairwise(path)]
                return f"cycle: {start} {' '.join(steps)}"
            if target in members and target not in previous:
                previous[target] = node
                queue.append(target)
    raise AssertionError("a component with more than one member has a cycle")
