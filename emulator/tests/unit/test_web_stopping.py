"""A request to stop is never lost, whenever it comes."""

from __future__ import annotations

import subprocess
import sys
import threading

from qldb_emulator.web.stopping import StopRequest

LONG = 20.0
# The signal is blocked in the main thread, so that another thread takes it: the blocking call of the main thread is not
# interrupted, as when the signal comes just before that call.
NOT_INTERRUPTED = """
import os, signal, threading, time
from qldb_emulator.web.stopping import StopRequest

request = StopRequest()
signal.signal(signal.SIGUSR1, lambda _number, _frame: request.make())
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

def take_the_signal():
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(60)

threading.Thread(target=take_the_signal, daemon=True).start()
request.wait()
print("stopped")
"""


def test_a_request_made_before_the_wait_ends_it() -> None:
    request = StopRequest()
    request.make()
    request.wait()


def test_a_request_of_another_thread_ends_the_wait() -> None:
    request = StopRequest()
    waiting = threading.Thread(target=request.wait, daemon=True)
    waiting.start()
    request.make()
    waiting.join(LONG)
    assert not waiting.is_alive()


def test_a_request_may_be_made_many_times_and_after_the_wait() -> None:
    request = StopRequest()
    waiting = threading.Thread(target=request.wait, daemon=True)
    waiting.start()
    for _ in range(10_000):
        request.make()
    waiting.join(LONG)
    request.make()
    assert not waiting.is_alive()


def test_a_signal_that_interrupts_nothing_ends_the_wait() -> None:
    done = subprocess.run([sys.executable, "-c", NOT_INTERRUPTED], capture_output=True, text=True, timeout=LONG)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")
