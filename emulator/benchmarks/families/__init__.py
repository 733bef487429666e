"""The rows of the table, a file for each family, in the order in which they run."""

from __future__ import annotations

from ..rows import Family
from . import contention, drivers, growth, journals, processes, statements

FAMILIES: tuple[Family, ...] = (
    drivers.FAMILY,
    growth.FAMILY,
    statements.FAMILY,
    contention.FAMILY,
    journals.FAMILY,
    processes.FAMILY,
)
