"""The process: see the package."""

from __future__ import annotations

import json
import sys
from random import Random

from ..alternate import alternate
from . import ion, parsing, partiql
from .sides import Compared

COMPARISONS: dict[str, Compared] = {
    "ion-same": ion.same,
    "ion-decode": ion.decode,
    "ion-hash": ion.hashing,
    "partiql-library": partiql.select,
    **parsing.COMPARISONS,
}


def main() -> None:
    job = json.load(sys.stdin)
    sides = COMPARISONS[job["comparison"]](job["documents"])
    json.dump({"means_ns": alternate(sides, job["repetitions"], job["count"], Random(job["seed"]))}, sys.stdout)


main()
