"""``python -m qldb_emulator`` is the command ``qldb-emulator``."""

import sys

try:
    from .cli import main
except KeyboardInterrupt:  # Ctrl-C before there is a command
    sys.exit(130)

main(prog_name="qldb-emulator")
