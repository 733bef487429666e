"""Lets code say that its thread is about to wait: for the disk, or for another thread.

A thread that answers requests of many connections (``web.crowd``) hears it and lets another thread go on with them.
Any other thread waits as if nothing had been said.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident

# By the thread's identity.  Single operations on a dict are atomic.
_listeners: dict[int, Callable[[], None]] = {}


def listen(listener: Callable[[], None]) -> None:
    """Call a function, in this thread, each time that code of this thread is about to wait.  It must not raise."""
    _listeners[get_ident()] = listener


def listen_no_more() -> None:
    """Undo ``listen`` for this thread."""
    _listeners.pop(get_ident(), None)


def about_to_wait() -> None:
    """Say that this thread is about to wait, probably for longer than a switch of threads takes (some 50 µs)."""
    listener = _listeners.get(get_ident())
    if listener is not None:
        listener()
