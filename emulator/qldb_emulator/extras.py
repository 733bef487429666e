"""What the extras of this package install, to be named where a library is missing.

The libraries are named, and not ``qldb-emulator[aws]``: that works only if this package comes from an index, and not
in a checkout or with a wheel.  A test compares the table with pyproject.toml.
"""

from __future__ import annotations

import shlex

EXTRAS: dict[str, tuple[str, ...]] = {
    "parquet": ("pyarrow>=14",),
    "aws": ("boto3>=1.28", "moto[server,s3,kinesis]>=5.0"),
    "sqlite": ("sqlite-utils>=3.36",),
    "dask": ("distributed>=2023.12",),
    "evidence": ("cryptography>=41", "rfc3161-client>=1.0", "asn1crypto>=1.5"),
    "tls": ("trustme>=1.2",),
    "postgres": ("psycopg[binary]>=3.1",),
    "otel": ("opentelemetry-sdk>=1.25", "opentelemetry-exporter-otlp-proto-http>=1.25"),
}


def install_command(extra: str) -> str:
    """The command that installs an extra's libraries into the environment that this program runs in."""
    return f"pip install {shlex.join(EXTRAS[extra])}"
