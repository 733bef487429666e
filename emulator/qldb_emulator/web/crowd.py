"""Answers the requests of many connections in one thread, while many clients are busy.

With a thread for each connection a request of a crowd costs several switches of threads: its thread gives the
interpreter up at each system call, and gets it back after all others that wait for it.  One thread, here called the
*reader*, that takes from all sockets what has arrived and answers it needs none of them
(docs/design/020-a-crowd-has-one-reader.md).

::

    thread of a connection ── keep ──►  parked: the thread sleeps, the socket is in the poll
            ▲                                     │ readable
            └── go_on ◄── anything unusual ◄── reader: receive, parse, answer ──► parked again

A connection is served by one thread at a time: by its own, or, while it is parked, by a reader.  Its own thread gets it
back for everything but a whole request of the session API: a part of a request, one for another part of the server, an
error, an end.  So all rules about slow clients and refusals are in ``connection`` alone.

One thread at a time has the *role* of the reader.  It passes the role on, in the middle of a request, when code is
about to wait (``waiting``), and the watch takes it away when a request takes long.  Then another thread is the reader,
and the one before ends with its request.

Linux only (epoll).  Elsewhere every connection is served by its own thread all the time.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Protocol

from .. import waiting

logger = logging.getLogger(__name__)

IS_POSSIBLE = hasattr(select, "epoll") and hasattr(os, "eventfd")

WATCH_SECONDS = 0.005
"""How often the watch looks.  Work that it finds twice is long, so others wait for it for at most twice as long."""

IDLE_LOOKS = 100
"""The watch sleeps when it has found no work so many times in a row."""

ALONE_POLLS = 200
"""A crowd is over when one connection at a time was readable so many times in a row."""

SPARES_MAX = 16
"""Threads without the role that are kept for it."""

CLOSE_SECONDS = 0.5
"""How long a close waits for threads that still answer a request."""


class After(Enum):
    """What becomes of a connection after a request.

    STAYS: it stays parked.  GOES_ON: its own thread goes on.  IS_HELD: its answer waits for the disk; until it is sent
    the connection is not parked, so that no other request of it is answered first.
    """

    STAYS = 1
    GOES_ON = 2
    IS_HELD = 3


class Member(Protocol):
    """What the crowd needs of a connection.  later: takes what is to be done after an answer."""

    def fileno(self) -> int:
        """Return the descriptor to poll.  It stays open while the connection is parked."""

    def answer_now(self, later: list[Callable[[], None]]) -> After:
        """Answer what has arrived.  Never raises."""

    def answer_held(self, later: list[Callable[[], None]]) -> After:
        """Wait until an answer that was held may be sent, and send it.  Never raises."""

    def go_on(self, had_to_wait: bool = False) -> None:
        """Wake the connection's own thread.  had_to_wait: within a request, so that it is better served by that one."""


class _Work:
    """Something that a reader does: it answers a member, or does what remains after answers (None).

    had_to_wait: whether its code was about to wait.
    """

    __slots__ = ("had_to_wait", "member")

    def __init__(self, member: Member | None) -> None:
        self.member = member
        self.had_to_wait = False


class _Reader:
    """A thread that has the role, had it or waits for it.

    work: what it does.  later: what remains to be done after its answer.  signal: released to give it the role, or to
    end it.  is_dismissed: whether it was to end it.
    """

    __slots__ = ("is_dismissed", "later", "signal", "work")

    def __init__(self) -> None:
        self.work: _Work | None = None
        self.later: list[Callable[[], None]] = []
        self.is_dismissed = False
        self.signal = threading.Lock()
        self.signal.acquire()


class Crowd:
    """The parked connections of a server, and the threads that answer them.

    is_crowded: tells whether so many requests run at the same time that their connections should be parked.
    Starts no thread and opens no descriptor before the first connection is parked.  Any thread may call.
    """

    def __init__(self, is_crowded: Callable[[], bool]) -> None:
        self._is_crowded = is_crowded
        self._is_on = False  # some are parked, and many of them are busy
        self._lock = threading.Lock()  # of everything here but what only the reader uses
        self._poll: select.epoll | None = None
        self._waker = -1  # a descriptor in the poll, to wake the reader
        self._parked: dict[int, Member] = {}  # by descriptor; the same that are in the poll
        self._now: _Work | None = None  # of the reader; replaced by None when the role passes on
        self._has_watch = False
        self._has_reader = False
        self._spares: list[_Reader] = []
        self._threads: set[threading.Thread] = set()
        self._is_closed = False
        self._watch_sleeps = False
        self._watch_wakes = threading.Event()
        # Only the reader uses these.
        self._ready: deque[Member] = deque()  # readable, not answered yet
        self._held: list[Member] = []  # their answers wait for the disk
        self._later: list[Callable[[], None]] = []  # what remains to be done after answers
        self._alone = 0

    # --- for connections ---------------------------------------------------------------------------------------

    @property
    def wants_more(self) -> bool:
        """Whether a connection that waits for its next request should be parked."""
        return self._is_on or self._is_crowded()

    def keep(self, member: Member) -> None:
        """Park a connection.  Its ``go_on`` is called when its own thread must serve it again, perhaps at once."""
        with self._lock:
            is_kept = not self._is_closed and self._is_ready() and self._add(member)
            self._is_on = is_kept
        if not is_kept:
            member.go_on()

    def close(self) -> None:
        """End all threads.  Connections that are still parked go on in their own.  Idempotent."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._is_on = False
            spares, self._spares = self._spares, []
            threads = list(self._threads)
        if self._poll is None:
            return
        for spare in spares:  # without the role, so it must not touch what only the reader uses
            spare.is_dismissed = True
            spare.signal.release()
        self._watch_wakes.set()
        os.eventfd_write(self._waker, 1)
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))
        with self._lock:
            # A reader that still answers gives its connection back itself.
            answering = None if self._now is None else self._now.member
            members = [member for member in self._parked.values() if member is not answering]
            for member in members:
                self._remove(member)
        for member in members:
            member.go_on()
        if not any(thread.is_alive() for thread in threads):
            self._poll.close()
            os.close(self._waker)

    def _add(self, member: Member) -> bool:
        """Park a connection, unless the system allows no more.  Requires the lock.  Return whether it is parked."""
        assert self._poll is not None
        descriptor = member.fileno()
        self._parked[descriptor] = member  # first, because the reader may get it from the poll at once
        try:
            self._poll.register(descriptor, select.EPOLLIN)
        except OSError:
            del self._parked[descriptor]
            return False
        return True

    def _remove(self, member: Member) -> None:
        """Undo ``_add``.  Requires the lock."""
        assert self._poll is not None
        del self._parked[member.fileno()]
        self._poll.unregister(member.fileno())

    # --- threads -----------------------------------------------------------------------------------------------

    def _is_ready(self) -> bool:
        """Whether there is a poll, a watch and a reader; make what is missing.  Requires the lock."""
        if self._poll is None:
            try:
                self._poll, self._waker = _open_poll()
            except OSError:  # the system allows no more descriptors
                return False
        self._has_watch = self._has_watch or self._start(self._watch)
        if self._has_watch and not self._has_reader:
            reader = self._without_work()
            if reader is not None:
                self._has_reader = True
                reader.signal.release()
        return self._has_watch and self._has_reader

    def _without_work(self) -> _Reader | None:
        """Return a thread for the role, which waits for its signal; None if the system allows no more threads."""
        if self._spares:
            return self._spares.pop()
        reader = _Reader()
        return reader if self._start(partial(self._run, reader)) else None

    def _start(self, run: Callable[[], None]) -> bool:
        thread = threading.Thread(target=run, name="qldb-emulator-crowd", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system allows no more threads
            return False
        self._threads.add(thread)
        return True

    def _run(self, reader: _Reader) -> None:
        """Be a spare, and the reader, in turn."""
        waiting.listen(partial(self._hear_of_wait, reader))
        try:
            reader.signal.acquire()
            while not reader.is_dismissed and self._read(reader):
                with self._lock:
                    if self._is_closed or len(self._spares) >= SPARES_MAX:
                        break
                    self._spares.append(reader)
                reader.signal.acquire()
        finally:
            waiting.listen_no_more()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _watch(self) -> None:
        """Take the role away from a reader whose work takes long."""
        idle_looks = 0
        while not self._is_closed:
            seen = self._now
            time.sleep(WATCH_SECONDS)
            if seen is None:
                idle_looks += 1
            else:
                idle_looks = 0
                self._pass_on(seen)
            if idle_looks >= IDLE_LOOKS:
                idle_looks = 0
                self._watch_wakes.clear()
                self._watch_sleeps = True
                # The reader sets its work and then asks whether the watch sleeps.  Here it is the other way round, so
                # one of the two sees the other.
                if self._now is None and not self._is_closed:
                    self._watch_wakes.wait()
                self._watch_sleeps = False

    def _hear_of_wait(self, reader: _Reader) -> None:
        """Let another thread go on while this one waits.  Called in the reader's thread."""
        if reader.work is not None:
            reader.work.had_to_wait = True
            self._pass_on(reader.work)

    def _pass_on(self, work: _Work) -> None:
        """Let another thread be the reader, if the reader still does this work.  Never raises."""
        with self._lock:
            if self._now is not work or self._is_closed:
                return
            reader = self._without_work()
            if reader is not None:
                self._now = None
                if work.member is not None:
                    self._remove(work.member)
                reader.signal.release()

    # --- the reader --------------------------------------------------------------------------------------------

    def _read(self, reader: _Reader) -> bool:
        """Answer connections until the role has passed on.  Return False when the crowd is closed."""
        has_role = True
        while has_role:
            if self._ready and not self._is_closed:
                has_role = self._answer_next(reader)
            elif self._held or self._later:
                has_role = self._settle(reader)
            elif self._is_closed:
                return False
            else:
                self._gather()
        return True

    def _answer_next(self, reader: _Reader) -> bool:
        """Answer the connection that has waited longest.  Return whether this thread still has the role."""
        member = self._ready.popleft()
        work = self._begin(reader, member)
        after = member.answer_now(reader.later)
        with self._lock:
            has_role = self._lay_down(work)
            if after is After.STAYS and self._is_closed:
                after = After.GOES_ON
            if has_role and after is not After.STAYS:
                self._remove(member)
        if not has_role:  # the connection was removed when the role passed on
            had_to_wait = work.had_to_wait  # in the request itself; every answer that is held waits
            if after is After.IS_HELD:
                after = member.answer_held(reader.later)
            if had_to_wait:
                member.go_on(had_to_wait=True)
            else:
                self._put_back(member, after)
            _do(reader.later)
            return False
        # Done when no request waits: one sync of the disk then serves all answers that are held, and the blocks of many
        # readers are written together.
        self._later += reader.later
        reader.later.clear()
        if after is After.IS_HELD:
            self._held.append(member)
        elif after is After.GOES_ON:
            member.go_on()
        return True

    def _settle(self, reader: _Reader) -> bool:
        """Send the answers that are held, and do what remains after answers.

        Return whether this thread still has the role: a wait for the disk passes it on.
        """
        work = self._begin(reader, None)
        held, self._held = self._held, []
        later, self._later = self._later, []
        for member in held:
            self._put_back(member, member.answer_held(later))
        _do(later)
        with self._lock:
            return self._lay_down(work)

    def _put_back(self, member: Member, after: After) -> None:
        """Park a connection again, or let its own thread go on."""
        with self._lock:
            is_parked = after is After.STAYS and not self._is_closed and self._add(member)
        if not is_parked:
            member.go_on()

    def _begin(self, reader: _Reader, member: Member | None) -> _Work:
        work = reader.work = self._now = _Work(member)
        if self._watch_sleeps:
            self._watch_wakes.set()
        return work

    def _lay_down(self, work: _Work) -> bool:
        """Note that some work is done.  Requires the lock.  Return whether its thread still has the role."""
        has_role = self._now is work
        if has_role:
            self._now = None
        return has_role

    def _gather(self) -> None:
        """Wait until connections are readable."""
        assert self._poll is not None
        events = self._poll.poll()
        if self._is_closed:
            return
        # A close that does not wait for this thread any longer may have taken connections away.
        parked = (self._parked.get(descriptor) for descriptor, _ in events)
        found = [member for member in parked if member is not None]
        self._alone = self._alone + 1 if len(found) == 1 else 0
        if self._alone < ALONE_POLLS:
            self._ready.extend(found)
            return
        # One client at a time is served faster by a thread of its own.
        self._alone = 0
        with self._lock:
            self._is_on = False
            self._remove(found[0])
        found[0].go_on()


def _open_poll() -> tuple[select.epoll, int]:
    """Return a poll, and a descriptor in it that wakes its reader.  Raises OSError."""
    waker = os.eventfd(0)
    try:
        poll = select.epoll()
        poll.register(waker, select.EPOLLIN)
    except OSError:
        os.close(waker)
        raise
    return poll, waker


def _do(tasks: list[Callable[[], None]]) -> None:
    """Do what remains after answers, and forget it."""
    for task in tasks:
        try:
            task()
        except Exception:  # the connections of the others must be answered
            logger.exception("work after an answer failed")
    tasks.clear()
