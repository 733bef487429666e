"""The rows of the table, a file for each family, in the order in which they run."""

from __future__ import annotations

from ..rows import Family
from . import (
    concurrency,
    contention,
    drivers,
    dynamodb,
    fixtures,
    growth,
    journals,
    large_ledgers,
    latency,
    libraries,
    load,
    processes,
    scans,
    shared_journals,
    statements,
    storage,
    tables,
)

FAMILIES: tuple[Family, ...] = (
    drivers.FAMILY,
    dynamodb.FAMILY,
    large_ledgers.FAMILY,
    concurrency.FAMILY,
    load.FAMILY,
    latency.FAMILY,
    growth.FAMILY,
    statements.FAMILY,
    scans.FAMILY,
    contention.FAMILY,
    journals.FAMILY,
    tables.FAMILY,
    storage.FAMILY,
    shared_journals.FAMILY,
    libraries.FAMILY,
    fixtures.FAMILY,
    processes.FAMILY,
)
