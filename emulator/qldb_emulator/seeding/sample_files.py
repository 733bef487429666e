"""The samples in the package: tables with documents, in Ion text.

Apart from the code that loads them, so that a server without seeds need not import it to know their names.
"""

from __future__ import annotations

from pathlib import Path

SAMPLES = ("vehicle-registration",)


def sample_path(name: str) -> Path:
    """Return the file of one of SAMPLES."""
    return Path(__file__).parent / "samples" / f"{name}.ion"
