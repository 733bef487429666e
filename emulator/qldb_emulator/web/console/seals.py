"""Seals: a hash as a small picture, so that eyes can compare what they would not read.  ``static/seal.js`` draws the
same ones."""

from __future__ import annotations

import base64
import binascii

from markupsafe import Markup

CELLS = 5
SIZE = 40


def seal(hash_text: str) -> Markup:
    """The SVG of a hash in base64: five columns, mirrored; filled by its bits, in the colour of its first byte."""
    try:
        octets = base64.b64decode(hash_text, validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if len(octets) < 20:
        return Markup('<svg class="seal" viewBox="0 0 40 40" aria-hidden="true"></svg>')
    cell, hue = SIZE // CELLS, octets[0] * 360 // 256
    squares = []
    for column in range(3):
        for row in range(CELLS):
            if octets[1 + column * CELLS + row] & 1:
                for x in {column, CELLS - 1 - column}:
                    squares.append(f'<rect x="{x * cell}" y="{row * cell}" width="{cell}" height="{cell}"/>')
    return Markup(
        f'<svg class="seal" viewBox="0 0 {SIZE} {SIZE}" aria-hidden="true" fill="hsl({hue} 55% 46%)">'
        f"{''.join(sorted(squares))}</svg>"
    )
