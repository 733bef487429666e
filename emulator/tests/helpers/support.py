"""Shared by many tests: the path of the evidence beside the project, and a skip that says when it is missing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="needs the folder shared/ beside the checkout (captured vectors and conformance suites)"
)


def heed_interrupts() -> None:
    """Let Ctrl-C end this process.  A background job of a script ignores it, and so would the children of the tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
