"""Every route of the admin interface, with everything wrong that a request can say: no answer is a failure of ours.

The routes are those of the table that serves them, so a new one is tried without a word here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest
from helpers.local_driver import new_emulator, new_ledger
from helpers.wire_support import environ_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qldb_emulator.engine.workbench.faults import KINDS
from qldb_emulator.web.admin import ROUTES
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.dispatch import Dispatcher
from qldb_emulator.web.routes import Route

EXAMPLES = 60  # for each route

LONG = "x" * 100_000
NAMES = ["cars", "other", "kept", "now", "0", "1", "99999999999999999999", "-1", "1e9", "", " ", "a b", "..", "../cars"]
CHARACTERS = ["\0", "cars\0", "é", "²", "٣", "\ud800", "-", "(", "[a-", "x" * 300, LONG]
WORDS = ["true", "false", "null", "us-east-1", "ndjson", "sse", "ExecuteStatement", *KINDS]
TEXTS = st.sampled_from([*NAMES, *CHARACTERS, *WORDS]) | st.text(max_size=8)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=True, allow_infinity=True) | TEXTS
)
VALUES = SCALARS | st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
FAULT_MEMBERS = ["kind", "commands", "table", "statement", "count", "probability", "latency_ms"]
BODY_NAMES = st.sampled_from(["name", "snapshot", "ledger", "seed", *FAULT_MEMBERS, "x", "\0", LONG])
QUERY_NAMES = st.sampled_from(["region", "ledger", "from", "to", "limit", "after", "format", "follow", "x", "\0"])
BODIES = (
    st.dictionaries(BODY_NAMES, VALUES, max_size=4).map(lambda members: json.dumps(members).encode())
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=20)
    | st.sampled_from([b"", b"{", b"[" * 100_000, b'{"name":' * 50_000, b'{"name":"\xff"}', b"1" * 100_000, b"\0"])
)
RAW_QUERIES = ["\xf1after=1", "after=\xff", "%f1after=1", "after=%ff", "&&==&", "a", "=" * 1_000, "after=1&after=2"]


def _encoded(pairs: dict[str, str]) -> str:
    return urlencode({name: value.encode("utf-8", "surrogatepass") for name, value in pairs.items()})


QUERIES = st.dictionaries(QUERY_NAMES, TEXTS, max_size=3).map(_encoded) | st.sampled_from(RAW_QUERIES)


@pytest.fixture(scope="module")
def dispatcher() -> Iterator[Dispatcher]:
    with new_emulator(has_admin=True) as emulator:
        new_ledger(emulator).run("CREATE TABLE T")
        yield create_dispatcher(emulator)


def _path(route: Route, names: list[str]) -> str:
    left = iter(names)
    return re.sub("<[^>]+>", lambda _: quote(next(left).encode("utf-8", "surrogatepass"), safe=""), route.rule)


def _ask(dispatcher: Dispatcher, method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
    """Status and body, by WSGI, which lets through what our own server refuses; no body of an answer that goes on."""
    started: list[str] = []
    environ = environ_of(method, path, query, {"Content-Type": "application/json"}, body)
    parts = dispatcher(environ, lambda status, headers, exc_info=None: started.append(status))
    status = int(started[0].split()[0])
    whole = b"".join(parts) if status >= 400 else b""
    if hasattr(parts, "close"):
        parts.close()
    return status, whole


@pytest.mark.parametrize("route", ROUTES, ids=[f"{route.method} {route.rule}" for route in ROUTES])
def test_nothing_that_is_sent_makes_the_server_fail(dispatcher: Dispatcher, route: Route) -> None:
    places = route.rule.count("<")

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(TEXTS, min_size=places, max_size=places), QUERIES, BODIES)
    @example(["cars"] * places, "", b"")
    @example(["cars"] * places, "after=\xf1", b"")
    def ask(names: list[str], query: str, body: bytes) -> None:
        status, answer = _ask(dispatcher, route.method, _path(route, names), query, body)
        assert status < 500, (names, query, body[:100], answer)
        if status >= 400:
            assert json.loads(answer)["Message"], "an error says what is wrong"
        _ask(dispatcher, "DELETE", "/_qldb/faults", "", b"")  # a rule of this example must not strike the next

    ask()
