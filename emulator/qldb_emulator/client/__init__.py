"""QLDB clients for any version of boto3, connected to the emulator, in one line of a test.

In: the name of a service or ledger, and options of boto3 or pyqldb.
Out: clients and drivers with QLDB's models, the emulator's endpoint, and credentials.
Nothing is installed or changed on the machine.
Open ``models`` first: it has the installation of the models for other programs.

::

    from qldb_emulator.client import boto3_client, driver

    boto3_client("qldb").create_ledger(Name="cars", PermissionsMode="ALLOW_ALL", DeletionProtection=False)
    with driver("cars") as cars:
        cars.execute_lambda(lambda transaction: transaction.execute_statement("CREATE TABLE Car"))

boto3 dropped QLDB after 1.40.60; the models come from this package, through botocore's own search path.  The endpoint
is the emulator's unless another is passed or configured (``AWS_ENDPOINT_URL_QLDB``, ``AWS_ENDPOINT_URL_QLDB_SESSION``),
and the credentials are made up unless passed.  boto3 and pyqldb are imported when first used; this package does not
depend on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..settings import DEFAULT_HOST, DEFAULT_PORT, DEFAULT_REGION
from .models import MODEL_DIRECTORY

if TYPE_CHECKING:
    import boto3
    from pyqldb.driver.qldb_driver import QldbDriver  # type: ignore[import-not-found, import-untyped, unused-ignore]

DEFAULT_URL = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}"
ANY_KEY = "local"

__all__ = ["ANY_KEY", "DEFAULT_URL", "boto3_client", "driver", "session"]


def session(region_name: str | None = None, **options: Any) -> boto3.Session:
    """Return a boto3 session that knows the services ``qldb`` and ``qldb-session``, however new boto3 is.

    region_name: by default the configured one, or us-east-1.  options: of ``boto3.Session``, such as
    aws_access_key_id; without credentials among them it has made-up ones.  Give its clients an ``endpoint_url``, or
    take them from ``boto3_client``, which does.
    """
    import boto3
    import botocore.session

    core = options.pop("botocore_session", None) or botocore.session.Session(profile=options.pop("profile_name", None))
    paths = core.get_component("data_loader").search_paths
    if str(MODEL_DIRECTORY) not in paths:
        paths.append(str(MODEL_DIRECTORY))
    if "aws_access_key_id" not in options:
        options |= {"aws_access_key_id": ANY_KEY, "aws_secret_access_key": ANY_KEY}
    region = region_name or core.get_config_variable("region") or DEFAULT_REGION
    return boto3.Session(botocore_session=core, region_name=region, **options)


def boto3_client(
    service: str = "qldb",
    endpoint_url: str | None = None,
    region_name: str | None = None,
    boto3_session: boto3.Session | None = None,
    **options: Any,
) -> Any:
    """Return a client of ``qldb`` or ``qldb-session``.  options: of ``Session.client``, such as config."""
    used = boto3_session or session(region_name)
    return used.client(service, endpoint_url=endpoint_url or _endpoint(used, service), **options)


def driver(
    ledger: str,
    endpoint_url: str | None = None,
    region_name: str | None = None,
    boto3_session: boto3.Session | None = None,
    **options: Any,
) -> QldbDriver:
    """Return a pyqldb driver.  options: of ``QldbDriver``, such as retry_config."""
    from pyqldb.driver.qldb_driver import QldbDriver  # type: ignore[import-not-found, import-untyped, unused-ignore]

    used = boto3_session or session(region_name)
    url = endpoint_url or _endpoint(used, "qldb-session")
    return QldbDriver(ledger, boto3_session=used, endpoint_url=url, **options)


def _endpoint(used: boto3.Session, service: str) -> str:
    """Return the configured endpoint of a service, else the emulator's default: never AWS's, which answers no more."""
    from botocore.configprovider import ConfiguredEndpointProvider

    core = used._session
    provider = ConfiguredEndpointProvider(
        full_config=core.full_config, scoped_config=core.get_scoped_config(), client_name=service.replace("-", "_")
    )
    configured: str | None = provider.provide()
    return configured or DEFAULT_URL
