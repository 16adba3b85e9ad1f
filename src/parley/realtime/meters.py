"""What the gateway counts, as plain numbers: a counter with a lock for every frame would cost more than the frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclasses.dataclass(slots=True)
class Tally:
    """Counted since the start of the process; touched by the event loop only."""

    sockets: int = 0
    frames: int = 0
    resyncs: int = 0
    dropped_signals: int = 0


class TallyCollector(Collector):
    """Shows a tally at ``/metrics``."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterable[Metric]:
        """Return the present numbers."""
        tally = self._tally
        yield GaugeMetricFamily("parley_realtime_sockets", "Open realtime connections.", tally.sockets)
        yield CounterMetricFamily("parley_realtime_frames", "Frames and answers written.", tally.frames)
        yield CounterMetricFamily(
            "parley_realtime_resyncs", "Connections closed because their reader was too slow.", tally.resyncs
        )
        yield CounterMetricFamily(
            "parley_realtime_dropped_signals", "Signals left out for slow readers.", tally.dropped_signals
        )
