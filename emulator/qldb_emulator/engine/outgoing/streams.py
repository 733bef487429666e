"""The journal streams of an emulator: a thread delivers each one that is running."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...aws.kinesis import KinesisStream
from ...clock import Clock
from ...settings import Settings
from ..arns import parse_arn, qldb_arn
from ..ledger.facts import Stream
from .stream_facts import RUNNING, change_stream, streams_of

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger
    from .delivery import Delivery, DeliveryTarget

    OpenTarget = Callable[[str], DeliveryTarget]
    """Makes the target of a Kinesis data stream from its ARN."""

_STOP_SECONDS = 1.0


class Streams:
    """Starts, resumes and stops deliveries."""

    def __init__(self, settings: Settings, clock: Clock, open_target: OpenTarget | None = None) -> None:
        self._account = settings.account
        self._endpoint = settings.kinesis_endpoint
        self._clock = clock
        self._open_target = open_target or self._kinesis
        self._deliveries: dict[str, Delivery] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        self.runs_here: Callable[[Ledger], bool] = lambda ledger: True

    def target(self, kinesis_arn: str) -> DeliveryTarget:
        """Return the target of a stream.  Its methods raise AwsError."""
        return self._open_target(kinesis_arn)

    def _kinesis(self, kinesis_arn: str) -> DeliveryTarget:
        arn = parse_arn(kinesis_arn)
        assert arn is not None, "checked when the stream was made"
        name = arn.resource.removeprefix("stream/")
        return KinesisStream(name, arn.region, self._endpoint)

    def arn(self, ledger: Ledger, stream_id: str) -> str:
        """Return the ARN of a stream."""
        return qldb_arn(ledger.region, self._account, f"stream/{ledger.name}/{stream_id}")

    def start(self, ledger: Ledger, stream: Stream) -> None:
        """Deliver a stream from now on.  A delivery from the same ledger as it was before a restore makes way.

        Does nothing where another server delivers it.
        """
        if not self.runs_here(ledger):
            return
        from .delivery import Delivery  # late: most servers deliver nothing

        with self._lock:
            if self._is_closed:
                return
            before = self._deliveries.get(stream.id)
            if before is not None:
                before.request_stop()
            arn, target = self.arn(ledger, stream.id), self.target(stream.kinesis_arn)
            delivery = Delivery(ledger, stream.id, arn, target, self._ended)
            self._deliveries[stream.id] = delivery
        delivery.start()

    def resume(self, ledger: Ledger) -> None:
        """Resume the running streams of a newly opened ledger."""
        if ledger.state in ("DELETING", "DELETED"):
            return
        for stream in streams_of(ledger):
            if stream.status in RUNNING:
                self.start(ledger, stream)

    def go_on(self, ledger: Ledger) -> None:
        """Deliver the running streams of a ledger that are not delivered yet."""
        with self._lock:
            delivered = set(self._deliveries)
        for stream in streams_of(ledger):
            if stream.status in RUNNING and stream.id not in delivered:
                self.start(ledger, stream)

    def mark_cancelled(self, ledger: Ledger, stream: Stream) -> None:
        """Note that a stream has ended.  The caller stops it, without holding the ledger's lock."""
        change_stream(ledger, stream.id, status="CANCELED", ended_ms=ledger.clock.now_ms())

    def stop(self, stream: Stream) -> None:
        """Stop a delivery; records that were sent may still arrive."""
        self._stop([stream.id])

    def end_ledger(self, ledger: Ledger) -> None:
        """Stop delivering the streams of a ledger that is being deleted or replaced.  Does not wait for them."""
        self._stop([stream.id for stream in streams_of(ledger)], 0)

    def close(self) -> None:
        """Stop every delivery.  They resume when the ledgers are opened again."""
        with self._lock:
            self._is_closed = True
        self._stop(list(self._deliveries))

    def _stop(self, stream_ids: list[str], seconds: float = _STOP_SECONDS) -> None:
        with self._lock:
            found = [self._deliveries.pop(stream_id, None) for stream_id in stream_ids]
        deliveries = [delivery for delivery in found if delivery is not None]
        for delivery in deliveries:
            delivery.request_stop()
        deadline = self._clock.monotonic() + seconds
        for delivery in deliveries:
            delivery.join(max(0.0, deadline - self._clock.monotonic()))

    def _ended(self, delivery: Delivery) -> None:
        with self._lock:
            if self._deliveries.get(delivery.stream_id) is delivery:
                del self._deliveries[delivery.stream_id]
