"""``python -m qldb_emulator`` is the command ``qldb-emulator``."""

from .cli import main

main(prog_name="qldb-emulator")
