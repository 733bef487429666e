"""docs/growth.svg: a small curve for each operation, all on the same scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from .results import ratio_text

Operation = dict[str, Any]

_COLUMNS = 5
_CELL_WIDTH, _CELL_HEIGHT = 190, 112
_LEFT, _TOP = 8, 22  # of the curve in its cell
_CURVE_WIDTH, _CURVE_HEIGHT = 132, 62
_LOW, _HIGH = 0.25, 4.0  # ratios at the ends of a curve's height; what is beyond is drawn there, and its label says it
_HEAD = 26
_FLAT, _GROWS, _MAY = "#3b7d4f", "#b5483a", "#4a6b8a"


def plot(operations: Sequence[Operation]) -> str:
    """SVG: the ratio to the smallest ledger over the blocks, both logarithmic, with its reach as a bar.

    Above what must not grow, with its goal as a dotted line; below, dashed, what goes through a whole ledger, by the
    document or block, where 1 means: in proportion.
    """
    flat = [operation for operation in operations if operation["at_most"] is not None]
    whole = [operation for operation in operations if operation["at_most"] is None]
    sizes = sorted({size for operation in operations for size in operation["sizes"]})
    parts: list[str] = []
    top = 0
    for title, group in (
        ("Must not grow: time as a multiple of the smallest ledger's; dotted: the goal", flat),
        ("May grow: time by the document or block, as a multiple of the smallest ledger's; 1: in proportion", whole),
    ):
        if not group:
            continue
        parts.append(f'<text x="{_LEFT}" y="{top + 18}" font-weight="bold">{title}</text>')
        for number, operation in enumerate(group):
            row, column = divmod(number, _COLUMNS)
            parts.append(_cell(operation, sizes, column * _CELL_WIDTH, top + _HEAD + row * _CELL_HEIGHT))
        top += _HEAD + math.ceil(len(group) / _COLUMNS) * _CELL_HEIGHT + 6
    width = _COLUMNS * _CELL_WIDTH
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" font-family="sans-serif" '
            f'font-size="12"><rect width="{width}" height="{top}" fill="#fff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _cell(operation: Operation, sizes: Sequence[int], left: int, top: int) -> str:
    points = [
        (_x(size, sizes), ratio)
        for size, ratio in zip(operation["sizes"], operation["ratios"], strict=True)
        if ratio is not None
    ]
    at_most = operation["at_most"]
    color = _MAY if at_most is None else _GROWS if operation["verdict"].startswith("GROWS") else _FLAT
    dash = ' stroke-dasharray="5 3"' if at_most is None else ""
    line = " ".join(f"{x:.1f},{_y(ratio['median']):.1f}" for x, ratio in points)
    reach = "".join(f"M{x:.1f} {_y(ratio['low']):.1f}V{_y(ratio['high']):.1f}" for x, ratio in points[1:])
    parts = [
        f'<g transform="translate({left + _LEFT},{top})">',
        f'<text y="14">{escape(operation["name"])}</text>',
        f'<path d="M0 {_y(1):.1f}H{_CURVE_WIDTH}" stroke="#bbb"/>',
        f'<path d="{reach}" stroke="{color}" stroke-opacity=".4" stroke-width="3"/>' if reach else "",
        f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"{dash}/>',
    ]
    if at_most is not None:
        parts.append(f'<path d="M0 {_y(at_most):.1f}H{_CURVE_WIDTH}" stroke="#888" stroke-dasharray="1 3"/>')
    if points:
        x, ratio = points[-1]
        y, label = _y(ratio["median"]), ratio_text(ratio["median"])
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>'
            f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{color}">{label}</text>'
        )
    parts += [
        f'<text x="{_x(size, sizes):.1f}" y="{_TOP + _CURVE_HEIGHT + 16}" font-size="10" fill="#666" '
        f'text-anchor="{"start" if not number else "middle"}">{_short(size)}</text>'
        for number, size in enumerate(sizes)
    ]
    return "".join(parts) + "</g>"


def _x(size: int, sizes: Sequence[int]) -> float:
    span = math.log(sizes[-1] / sizes[0]) or 1.0
    return math.log(size / sizes[0]) / span * _CURVE_WIDTH


def _y(ratio: float) -> float:
    share = math.log(min(max(ratio, _LOW), _HIGH) / _LOW) / math.log(_HIGH / _LOW)
    return _TOP + (1 - share) * _CURVE_HEIGHT


def _short(size: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)
