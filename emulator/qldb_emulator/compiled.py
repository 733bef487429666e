"""Which build of the package runs: pure Python, or with modules that mypyc compiled (setup.py)."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Literal

_COMPILED_FIRST = "ion/binary_reader"


def build() -> Literal["compiled", "pure Python"]:
    """The build.  Python imports the compiled module where it stands beside its source, so its file tells."""
    module = Path(__file__).parent / _COMPILED_FIRST
    is_compiled = any(module.with_name(module.name + suffix).exists() for suffix in EXTENSION_SUFFIXES)
    return "compiled" if is_compiled else "pure Python"
