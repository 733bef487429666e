"""A request to stop a process, which no race with a signal can lose."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import suppress


class StopRequest:
    """Made by a signal handler or a thread; one other thread waits for it.

    Python runs a signal's handler between two instructions of the main thread.  A signal that comes after the last of
    them and before a blocking call is not handled until that call returns, which may be never.  So the wait reads from
    a socket to which the interpreter writes at once when a signal comes (``signal.set_wakeup_fd``).
    """

    def __init__(self) -> None:
        self._is_made = False
        self._waker: socket.socket | None = None

    def make(self) -> None:
        """Let ``wait()`` return.  Safe in a signal handler: it takes no lock."""
        self._is_made = True  # before the socket is looked for: wait() makes the socket before it looks at this
        waker = self._waker
        if waker is not None:
            with suppress(OSError):  # full or closed: the waiting thread is awake
                waker.send(b"\0")

    def wait(self) -> None:
        """Return once the request is made."""
        woken, waker = socket.socketpair()
        with woken, waker:
            waker.setblocking(False)
            self._waker = waker
            is_main = threading.current_thread() is threading.main_thread()  # only that one may set the descriptor
            before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False) if is_main else -1
            try:
                while not self._is_made:
                    woken.recv(64)
            finally:
                if is_main:
                    signal.set_wakeup_fd(before)
                self._waker = None
