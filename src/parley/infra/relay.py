"""The relay: joins the buses of several processes, after the commit and beside it.

Hints are put into a bounded queue and carried by one task, many at a time, so that nobody who sends waits for the
engine between processes or notices that it is away: what it loses meanwhile, readers find in the database
(`parley.realtime.fanout`). Engines: Redis (`parley.infra.redis_bus`) and PostgreSQL's NOTIFY
(`parley.infra.notify_bus`).
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Literal, Protocol
from uuid import UUID

import msgspec
import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from parley.infra.failures import describe_failure
from parley.kit.events import CallerHint, Event, Hint, Mark, PresenceHint, Touch

QUEUE_LIMIT = 10_000
"""Hints waiting to be carried; more are dropped, and healed."""
BATCH = 500
"""Hints encoded in one go, some milliseconds of work."""
SEND_SECONDS = 2.0
"""How long the engine may take for a batch before it counts as away."""
RETRY_SECONDS = (0.1, 0.25, 0.5, 1.0)
FLUSH_SECONDS = 1.0
"""How long what is queued may take to go out when the process ends."""

Heard = Literal["everything", "callers", "nothing"]
"""What a process wants to hear of others: everything, as gateways and workers do; only whose tokens changed, as what
answers requests; nothing, as a command."""

log = structlog.get_logger()

_encoder = msgspec.json.Encoder()


class Packet(msgspec.Struct, frozen=True, omit_defaults=True):
    """What goes between processes: who sent it, hints in order, and the tables that have work."""

    node: str
    hints: list[Hint] = []
    wakes: list[str] = []


_packets = msgspec.json.Decoder(Packet)


class Engine(Protocol):
    """Carries packets between processes. At most once; in order for one channel while nothing breaks."""

    name: str
    packet_limit_bytes: int
    """Longest packet it carries."""

    callers_channel: str
    """Of `CallerHint`: the one that every process hears."""

    def channel_of(self, stream_id: UUID | None) -> str:
        """Return the channel of a stream; of what belongs to none, for None."""

    async def send(self, packets: Sequence[tuple[str, bytes]]) -> None:
        """Publish packets, each with its channel. Raises whatever ails the engine; nothing is tried again."""

    async def listen(
        self, take: Callable[[bytes], None], is_listening: Callable[[], None], *, is_all: bool
    ) -> None:
        """Hand over every packet until the connection breaks, by raising; ``is_listening`` is called once it does.

        ``is_all``: of all channels, else of `callers_channel` alone.
        """

    async def close(self) -> None:
        """Let go of connections."""


@dataclasses.dataclass(slots=True)
class RelayTally:
    """Counted since the start of the process."""

    sent: int = 0
    received: int = 0
    dropped: int = 0
    is_sending: bool = True
    is_listening: bool = False


class Relay:
    """One process's end."""

    def __init__(self, engine: Engine, *, listens: Heard) -> None:
        self.tally = RelayTally()
        self.engine = engine
        self.listens = listens
        self._node = secrets.token_hex(6)
        self._queue: collections.deque[Hint] = collections.deque()
        self._wakes: dict[str, None] = {}
        self._news = asyncio.Event()
        self._is_idle = True

    # ------------------------------------------------------------ from this process

    def push(self, hints: Sequence[Hint]) -> None:
        """Queue hints for the others; those for which there is no room are dropped and counted."""
        room = QUEUE_LIMIT - len(self._queue)
        self._queue.extend(hints if len(hints) <= room else hints[:room])
        self.tally.dropped += max(0, len(hints) - room)
        self._news.set()

    def wake(self, name: str) -> None:
        """Tell the workers of other processes that a table has work."""
        self._wakes[name] = None
        self._news.set()

    @contextlib.asynccontextmanager
    async def running(
        self, deliver: Callable[[Sequence[Hint]], None], wake: Callable[[str], object]
    ) -> AsyncIterator[None]:
        """Carry until the block is left: ``deliver`` and ``wake`` get what others say."""
        tasks = [asyncio.create_task(self._send(), name="bus out")]
        if self.listens != "nothing":
            tasks.append(asyncio.create_task(self._listen(deliver, wake), name="bus in"))
        try:
            yield
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    while self.tally.is_sending and (self._queue or self._wakes or not self._is_idle):
                        await asyncio.sleep(0.005)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.engine.close()

    async def _send(self) -> None:
        failures = 0
        while True:
            self._is_idle = True
            await self._news.wait()
            self._is_idle = False
            hints = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            wakes, self._wakes = list(self._wakes), {}
            if not self._queue:
                self._news.clear()
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self.engine.send(list(self._pack(hints, wakes)))
            except Exception as error:  # noqa: BLE001 - whatever ails the engine, the next batch tries again
                self._on_send_failed(error, len(hints))
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
                continue
            failures = 0
            self.tally.sent += len(hints)
            if not self.tally.is_sending:
                self.tally.is_sending = True
                log.info("bus.sending_again", engine=self.engine.name, dropped=self.tally.dropped)

    def _on_send_failed(self, error: Exception, count: int) -> None:
        # what waits is older than what a reader finds by itself by the time the engine is back
        self.tally.dropped += count + len(self._queue)
        self._queue.clear()
        if self.tally.is_sending:
            self.tally.is_sending = False
            log.warning("bus.not_sending", engine=self.engine.name, error=describe_failure(error))

    # ------------------------------------------------------------ bytes

    def _pack(self, hints: Iterable[Hint], wakes: Sequence[str]) -> Iterable[tuple[str, bytes]]:
        """Yield packets within the engine's limit, each hint encoded once, in order within a channel."""
        head = b'{"node":"%b","hints":[' % self._node.encode()
        by_channel: dict[str, list[bytes]] = {}
        for hint in hints:
            channel = self._channel_of(hint)
            by_channel.setdefault(channel, []).append(self._encode(hint))
        for channel, encoded in by_channel.items():
            for piece in _pieces(encoded, self.engine.packet_limit_bytes - len(head) - 2):
                yield channel, head + b",".join(piece) + b"]}"
        if wakes:
            yield self.engine.channel_of(None), _encoder.encode(Packet(self._node, wakes=list(wakes)))

    def _channel_of(self, hint: Hint) -> str:
        if isinstance(hint, CallerHint):
            return self.engine.callers_channel
        if isinstance(hint, Touch):
            return self.engine.channel_of(hint.conversation_id)
        return self.engine.channel_of(hint.actor_id if isinstance(hint, PresenceHint) else hint.stream_id)

    def _encode(self, hint: Hint) -> bytes:
        if isinstance(hint, Event):
            if hint.context:
                hint = msgspec.structs.replace(hint, context={})
            encoded = _encoder.encode(hint)
            if len(encoded) > self.engine.packet_limit_bytes - 100:
                return _encoder.encode(Mark(stream_id=hint.stream_id, number=hint.number))
            return encoded
        return _encoder.encode(hint)

    # ------------------------------------------------------------ from others

    async def _listen(self, deliver: Callable[[Sequence[Hint]], None], wake: Callable[[str], object]) -> None:
        failures = 0

        def take(raw: bytes) -> None:
            try:
                packet = _packets.decode(raw)
            except (
                msgspec.MsgspecError
            ) as error:  # another version's, while processes are replaced one by one
                log.warning("bus.packet_unreadable", error=describe_failure(error))
                return
            if packet.node == self._node:
                return
            self.tally.received += len(packet.hints)
            if packet.hints:
                deliver(packet.hints)
            for name in packet.wakes:
                wake(name)

        def on_listening() -> None:
            nonlocal failures
            if failures:
                log.info("bus.listening_again", engine=self.engine.name)
            failures, self.tally.is_listening = 0, True

        while True:
            try:
                await self.engine.listen(take, on_listening, is_all=self.listens == "everything")
            except Exception as error:  # noqa: BLE001 - whatever ails the engine, we listen again
                self.tally.is_listening = False
                if not failures:
                    log.warning("bus.not_listening", engine=self.engine.name, error=describe_failure(error))
            await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1


class RelayCollector(Collector):
    """Shows a relay's numbers at ``/metrics``."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def collect(self) -> Iterable[Metric]:
        """Return the present numbers."""
        tally, engine = self._relay.tally, self._relay.engine.name
        is_up = GaugeMetricFamily(
            "parley_bus_up",
            "Whether news go out to and come in from other processes.",
            labels=["engine", "way"],
        )
        is_up.add_metric([engine, "out"], tally.is_sending)
        if self._relay.listens != "nothing":
            is_up.add_metric([engine, "in"], tally.is_listening)
        yield is_up
        yield CounterMetricFamily("parley_bus_sent", "Hints told to other processes.", tally.sent)
        yield CounterMetricFamily("parley_bus_received", "Hints that other processes told.", tally.received)
        yield CounterMetricFamily(
            "parley_bus_dropped", "Hints not told because the bus was away or full.", tally.dropped
        )


def _pieces(encoded: Sequence[bytes], limit: int) -> Iterable[list[bytes]]:
    """Yield neighbours that fit into one packet together; what is too long alone is left out: a signal of that size
    is nothing anybody needs."""
    piece: list[bytes] = []
    size = 0
    for one in encoded:
        if len(one) > limit:
            continue
        if size + len(one) + 1 > limit:
            yield piece
            piece, size = [], 0
        piece.append(one)
        size += len(one) + 1
    if piece:
        yield piece
