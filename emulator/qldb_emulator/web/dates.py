"""The time in HTTP's form.  ``email.utils`` could write it, too, but imports half of an email parser."""

from __future__ import annotations

import time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(now: time.struct_time | None = None) -> str:
    """Return ``Tue, 15 Nov 1994 08:12:31 GMT``, whatever the locale (RFC 9110, 5.6.7).

    now: in UTC; default: the present.
    """
    now = time.gmtime() if now is None else now
    day, month = _DAYS[now.tm_wday], _MONTHS[now.tm_mon - 1]
    return f"{day}, {now.tm_mday:02} {month} {now.tm_year:04} {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} GMT"


class Dates:
    """The Date header, updated twice a second.  line: a template for the line with the date."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._made = (-1.0, "")

    def now(self) -> str:
        """Return the template with the present time.  Clients correct their clocks by it, so it must be true."""
        tick = time.monotonic()
        until, text = self._made
        if tick >= until:
            text = self._line.format(http_date())
            self._made = (tick + 0.5, text)
        return text
