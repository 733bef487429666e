"""Our Ion, PartiQL and parser compared with libraries, in one process that has all of them.

That process is in an environment of its own: pyqldb holds amazon.ion back to a version that is fifty times slower.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from ..bench import Bench, BenchError, in_unit, package_environment
from ..rows import Family, Row, Samples, Unit, control


def comparing(comparison: str, unit: Unit = "µs", note: str = "") -> Callable[[Bench], Samples]:
    """Return the measurement of a row.  comparison: of ``benchmarks.libraries``."""

    def measure(bench: Bench) -> Samples:
        if bench.tools.libraries is None:
            raise BenchError("the environment of the libraries is not there")
        job = {
            "comparison": comparison,
            "documents": bench.scale.small,
            "repetitions": bench.scale.repetitions,
            "count": bench.scale.count,
            "seed": bench.random.randrange(1 << 32),
        }
        command = [str(bench.tools.libraries), "-m", "benchmarks.libraries"]
        done = subprocess.run(
            command, input=json.dumps(job), capture_output=True, text=True, check=False, env=package_environment()
        )
        if done.returncode != 0:
            raise BenchError(f"the comparison failed:\n{done.stderr[-2000:]}")
        ours, theirs = (tuple(figures) for figures in json.loads(done.stdout)["means_ns"])
        return in_unit(ours, theirs, unit, note.format(documents=bench.scale.small))

    return measure


DOCUMENT = "a registration of about 300 bytes"
LARK = "lark with a Transformer"
G19 = "measurements.md G19"
FAMILY = Family(
    "libraries",
    control("libraries-control", "decoding a document with our reader", comparing("ion-same")),
    (
        Row(
            "ion-decode",
            "decoding a document from Ion binary",
            "amazon.ion's simpleion.loads in its ordinary mode",
            0.6,
            "measurements.md G18",
            comparing("ion-decode", note=DOCUMENT),
        ),
        Row(
            "ion-hash",
            "Ion Hash of a decoded document",
            "ionhash on the document as amazon.ion decoded it",
            0.5,
            "measurements.md G18",
            comparing("ion-hash", note=DOCUMENT),
        ),
        Row(
            "partiql-library",
            "ExecuteStatement in process, SELECT by an equality without an index",
            "py-partiql-parser's DynamoDBStatementParser with the same statement, made for it as moto does",
            0.017,
            "measurements.md G7p: a sixtieth",
            comparing("partiql-library", "ms", "{documents:,} documents, one found"),
        ),
        Row("parse-select", "parsing a SELECT of one line", LARK, 0.15, G19, comparing("parse-select")),
        Row("parse-update", "parsing an UPDATE of four lines", LARK, 0.15, G19, comparing("parse-update")),
        Row("parse-history", "parsing a join with a history", LARK, 0.15, G19, comparing("parse-history")),
        Row("parse-insert", "parsing an INSERT of three literal documents", LARK, 0.15, G19, comparing("parse-insert")),
    ),
)
