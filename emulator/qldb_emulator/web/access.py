"""Decides who may talk to the server: programs, and its own pages in a browser, but not the pages of others.

A browser sends requests for any page that it shows, also to this machine.  Two things in a request reveal this:

``Host``
    A page of ``evil.example`` whose name suddenly leads to 127.0.0.1 (DNS rebinding) has the same origin as this
    server, as far as the browser knows.  Only the host name differs, so only known names are answered.
``Origin``, ``Sec-Fetch-Site``
    Browsers add them, and pages cannot change them.  A request from another origin is refused on every route: it
    can change something even if the page may not read the answer.  Another port of this machine is another origin
    (and "same-site" to the browser), so it is refused as well.

No route is left out.  Health is not: probes come by address or by a known name, and what answers here would tell a
page which software runs.

=====================  ===========================================================================================
the server listens on  names that it answers to
=====================  ===========================================================================================
any address            ``localhost``; loopback addresses; the name or address given to ``--host``; names given to
                       ``--allow-host``; ``host.docker.internal`` and ``host.containers.internal``, by which Docker
                       Desktop and Podman let containers reach the loopback of their host
more than loopback     also every IP address; names without a dot (services of compose files); ``*.localhost``,
                       ``*.internal``; the machine's own name.  None of these can be bought in the public DNS
=====================  ===========================================================================================
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable

from ..errors import HOST_NOT_ALLOWED, ORIGIN_NOT_ALLOWED
from .http1 import Request, split_host

_LOOPBACK_NAMES = ("localhost", "host.docker.internal", "host.containers.internal")
_PRIVATE_SUFFIXES = (".localhost", ".internal")
_WELCOME_SITES = ("same-origin", "none")  # none: typed by the user, or from a bookmark
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z")
_SHOWN_CHARACTERS = 200
_ANSWERED_MAX = 1_000  # host names kept; a client that invents names must not fill the memory


class Access:
    """The rules for one server.

    allowed: further host names; ``*.example.test`` stands for every name below ``example.test``.
    Any thread may check.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._names = set(_LOOPBACK_NAMES)
        self._suffixes: tuple[str, ...] = ()
        for name in allowed:
            self._allow(name)
        self._is_wide = False
        self._answered: set[str] = set()  # hosts that have been checked and are allowed

    def listens_on(self, name: str, address: str) -> None:
        """Allow the name and the address at which the server listens."""
        self._allow(name)
        self._allow(address)
        if not is_loopback(address):
            self._is_wide = True
            self._allow(socket.gethostname())

    def check(self, request: Request) -> None:
        """Raise HOST_NOT_ALLOWED or ORIGIN_NOT_ALLOWED if the request is not allowed."""
        host, headers = request.host, request.headers
        if host not in self._answered and host is not None:  # HTTP/1.0 may omit it; browsers do not
            self._check_host(host)
        if "origin" in headers and not _is_own_origin(headers["origin"], host, request.is_secure):
            raise ORIGIN_NOT_ALLOWED(what=f"A page of {headers['origin'][:_SHOWN_CHARACTERS]}")
        if "sec-fetch-site" in headers and headers["sec-fetch-site"].lower() not in _WELCOME_SITES:
            raise ORIGIN_NOT_ALLOWED(what=f"A {headers['sec-fetch-site'][:_SHOWN_CHARACTERS]} page")

    def _allow(self, name: str) -> None:
        name = _normal(name)
        if name.startswith("*."):
            self._suffixes += (name[1:],)
        else:
            self._names.add(name)

    def _check_host(self, host: str) -> None:
        name = _normal(split_host(host)[0])
        if not self._is_allowed(name):
            raise HOST_NOT_ALLOWED(host=name[:_SHOWN_CHARACTERS] or "(empty)")
        if len(self._answered) < _ANSWERED_MAX:
            self._answered.add(host)

    def _is_allowed(self, name: str) -> bool:
        if name in self._names or name.endswith(self._suffixes) or is_loopback(name):
            return True
        return self._is_wide and (
            _address(name) is not None or ("." not in name and name != "") or name.endswith(_PRIVATE_SUFFIXES)
        )


def is_loopback(name: str) -> bool:
    """Whether a name is ``localhost`` or an address that is loopback."""
    address = _address(name)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return name == "localhost" or (address is not None and address.is_loopback)


def is_host_pattern(text: str) -> bool:
    """Whether a text can be an allowed host: a name or an address, without a port, or ``*.`` and a name."""
    name = text.removeprefix("*.")
    return _address(name) is not None or _NAME.match(name) is not None


def _normal(name: str) -> str:
    """Return a name in lower case, without IPv6's brackets and the dot that ends an absolute name."""
    return name.lower().removeprefix("[").removesuffix("]").removesuffix(".")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_own_origin(origin: str, host: str | None, is_secure: bool) -> bool:
    """Whether an origin (``http://localhost:7532``) is the host of the request.

    Without TLS of its own the server may stand behind a proxy that has it.  With TLS a page that came without it is
    of another origin: anyone on the network can write it.
    """
    scheme, separator, rest = origin.partition("://")
    schemes = ("https",) if is_secure else ("http", "https")
    return bool(separator) and scheme in schemes and host is not None and rest.lower() == host.lower()
