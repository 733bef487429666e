"""Whether a PostgreSQL keeps what it acknowledges: its settings, its standbys, and Patroni's mode.

==========================  =======================================================================================
setting                     why it matters
==========================  =======================================================================================
``fsync``, full pages       off: a power cut takes acknowledged blocks, or the whole database
``synchronous_commit``      ``off``, ``local``: an answer does not wait for the disk, or for the standby.  Servers set
                            ``on`` for their own connections
``synchronous_standby_``    empty: what is acknowledged is on one machine.  Named and absent: commits wait for it
``names``
Patroni                     without ``synchronous_mode_strict`` it fails over to a standby that lacks the last blocks,
                            or goes on without one
==========================  =======================================================================================
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Literal, NamedTuple

import psycopg

from .postgres_connections import Connections

State = Literal["ok", "note", "bad"]
OLDEST = 120_000
"""PostgreSQL 12, as its ``server_version_num``: the oldest that is still met; 15 is what tests run."""
PATRONI_SECONDS = 5

_SETTINGS = (
    "server_version",
    "server_version_num",
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "synchronous_standby_names",
)


class Checked(NamedTuple):
    """One finding.  remedy: what to do; empty when nothing is to be done."""

    check: str
    state: State
    text: str
    remedy: str = ""


def examine(connections: Connections) -> list[Checked]:
    """Every check of a database.  Raises LogError."""
    return connections.read(_examine)


def _examine(connection: psycopg.Connection[Any]) -> list[Checked]:
    rows = connection.execute(
        "SELECT name, coalesce(reset_val, setting) FROM pg_settings WHERE name = ANY(%s)", (list(_SETTINGS),)
    ).fetchall()
    values = dict(rows)
    standby = connection.execute(
        "SELECT pg_is_in_recovery(), "
        "(SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')), "
        "(SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'Patroni%')"
    ).fetchone()
    assert standby is not None
    is_standby, standbys, patronis = standby
    found = [_version(values), *_durability(values), _standbys(values, standbys, patronis > 0)]
    if is_standby:
        text = "this is a standby: it takes no blocks"
        found.append(
            Checked("primary", "bad", text, "name every node in the URL, with target_session_attrs=read-write")
        )
    return found


def _version(values: dict[str, str]) -> Checked:
    version = values.get("server_version", "?")
    if int(values.get("server_version_num") or OLDEST) < OLDEST:
        return Checked("postgresql", "bad", f"PostgreSQL {version}", "use PostgreSQL 12 or newer")
    return Checked("postgresql", "ok", f"PostgreSQL {version}")


def _durability(values: dict[str, str]) -> list[Checked]:
    found = []
    for name in ("fsync", "full_page_writes"):
        if values.get(name) == "off":
            found.append(Checked(name, "bad", f"{name} is off: a power cut takes acknowledged blocks", f"{name} = on"))
    commit = values.get("synchronous_commit", "on")
    if commit in ("off", "local"):
        text = f"synchronous_commit is {commit}; servers set it to on for their own connections"
        found.append(Checked("synchronous_commit", "note", text, "synchronous_commit = on"))
    elif commit == "remote_write":
        text = "synchronous_commit is remote_write; servers set it to on for their own connections"
        found.append(Checked("synchronous_commit", "note", text, "synchronous_commit = on"))
    else:
        found.append(Checked("synchronous_commit", "ok", f"synchronous_commit is {commit}"))
    return found


def _standbys(values: dict[str, str], standbys: int, has_patroni: bool) -> Checked:
    names = values.get("synchronous_standby_names") or ""
    if names and standbys:
        return Checked("standby", "ok", f"{standbys} synchronous standby ({names})")
    if names:
        text = f"synchronous_standby_names is {names}, and none is connected: commits wait"
        return Checked("standby", "bad", text, "start the standby")
    if has_patroni:
        text = "Patroni runs without a synchronous standby: a failover may lose acknowledged blocks"
        return Checked("standby", "bad", text, "synchronous_mode: true and synchronous_mode_strict: true")
    text = "no synchronous standby: blocks are as safe as this one machine, or as the storage below it (Aurora, RDS)"
    return Checked("standby", "note", text)


def examine_patroni(url: str) -> Checked:
    """Whether Patroni's mode keeps acknowledged blocks.  url: of its REST API."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/config", timeout=PATRONI_SECONDS) as answer:
            config = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        return Checked("patroni", "bad", f"no Patroni answers at {url}: {getattr(error, 'reason', error)}")
    wanted = ("synchronous_mode", "synchronous_mode_strict")
    missing = [
        name for name in wanted if not isinstance(config, dict) or config.get(name) not in (True, "on", "quorum")
    ]
    if not missing:
        return Checked("patroni", "ok", "synchronous_mode_strict: a failover loses no acknowledged block")
    text = f"{' and '.join(missing)} not set: a failover may lose acknowledged blocks"
    return Checked(
        "patroni", "bad", text, "patronictl edit-config -s " + " -s ".join(f"{name}=true" for name in missing)
    )
