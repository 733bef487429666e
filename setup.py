"""With QLDB_EMULATOR_COMPILE=1, builds the package with some of its modules compiled by mypyc.

The source is the same Python either way.  A module is in the list when compiling it makes what it does at least 1.3
times as fast and needs no change that makes the source harder to read (docs/design/014-compiled-modules.md).
Everything else about the build is in pyproject.toml.
"""

import os
import sys

from setuptools import setup

MYPY = "mypy[mypyc]==2.4.1"

COMPILED = {
    "ion": "binary_reader binary_writer codec field_reader hash json numerals symbols text_writer",
    "journal": "dot encode hashing merkle parse proofs read_stored stored struct_hashes",
    "partiql/execution": "aggregates expressions prefilter",
    "partiql/language": "arithmetic casts kinds like semantics",
    "partiql/syntax": "lexer parser",
    "tables": "document",
}


def main() -> None:
    """Build as asked.  Stops when the compiler of Python is missing: a wheel must be what its name says."""
    if os.environ.get("QLDB_EMULATOR_COMPILE") != "1":
        setup()
        return
    try:
        from mypyc.build import mypycify
    except ImportError:
        if "egg_info" not in sys.argv:  # that is how pip asks what the build needs
            raise SystemExit(f"QLDB_EMULATOR_COMPILE=1 needs {MYPY}") from None
        setup(setup_requires=[MYPY])
        return
    files = [f"emulator/qldb_emulator/{room}/{name}.py" for room, names in COMPILED.items() for name in names.split()]
    setup(ext_modules=mypycify(files, group_name="qldb_emulator", opt_level="2", debug_level="0"))


main()
