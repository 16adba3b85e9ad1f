"""Fan-out: hints from the bus become frames in rooms, and the database heals what hints missed.

Live delivery is a hint, the stream is the truth: number == last + 1 is written at once to every
socket of the room; a lower one is dropped; a higher one waits 30 ms for the missing, then one read closes the gaps
of all streams of this node. The feed is followed as well, so that a lost last hint is seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog

from parley.conversations import Cursor, resume, resume_personal
from parley.conversations.errors import StreamReset
from parley.infra.bus import Bus
from parley.infra.db import Database, Tx
from parley.infra.failures import describe_failure
from parley.infra.feed import FeedPosition, feed_end, read_feed
from parley.infra.presence import PresenceStore
from parley.kit.events import Event, Hint, Mark, PresenceHint, Signal, StreamKind, Touch
from parley.realtime.entrance import Entrance
from parley.realtime.meters import Tally
from parley.realtime.presence import Presence
from parley.realtime.session import Session
from parley.realtime.streams import Stream, Subscription
from parley.realtime.touches import Touches

REORDER_SECONDS = 0.03
"""How long a gap may close by itself."""
FEED_SECONDS = 1.5
"""How often the feed is read."""
FEED_BATCH = 1000
RETRY_SECONDS = 1.0
TURN_SECONDS = 0.004
"""How long hints are shown in one turn of the loop; what else waits comes between. A message to 500 readers takes 1 ms."""

_STREAM_KINDS: tuple[StreamKind, ...] = ("conversation", "personal")

log = structlog.get_logger()


class Fanout:
    """All streams and inboxes watched on this node."""

    def __init__(self, db: Database, bus: Bus, presence: PresenceStore) -> None:
        self.db = db
        self.presence = Presence(self, presence)
        self.touches = Touches(db)
        self.tally = Tally()
        self.entrance = Entrance()
        self._bus = bus
        self._streams: dict[UUID, Stream] = {}
        self._hints: deque[Hint | list[Event]] = deque()
        """What is to be shown; of each stream, the events that came together."""
        self._doubtful: set[Stream] = set()
        self._doubt = asyncio.Event()
        self._positions: dict[StreamKind, FeedPosition] = {}
        self._is_broken = False
        self._is_stopped = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribe = contextlib.ExitStack()

    async def start(self) -> None:
        """Listen to the bus and follow the feed from now on."""
        self._unsubscribe.callback(self._bus.subscribe(self.on_hints))
        await self._find_feed_end()
        await self.touches.look()
        self.run(self._close_gaps())
        self.run(self._follow_feed())
        self.run(self.presence.run())

    async def stop(self) -> None:
        """Stop listening; every task of this node has ended on return."""
        if not self._is_stopped:
            self._is_stopped = True
            await self.presence.stop()
        self._unsubscribe.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside, until it ends or the node stops. What it raises is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("realtime.task_failed", exc_info=error)

    # ------------------------------------------------------------ readers

    def join(self, session: Session, kind: StreamKind, stream_id: UUID) -> Subscription:
        """Add a reader to a stream; it goes live after `Stream.settle` and `Stream.catch_up`."""
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = Stream(session.caller.workspace_id, kind, stream_id)
        return stream.join(session)

    def settle(self, stream: Stream, head: Cursor) -> None:
        """Begin a stream at a head read after its first reader joined."""
        stream.settle(head)
        if stream.ahead:
            self.suspect(stream)

    def leave(self, subscription: Subscription) -> None:
        """Take a reader off; a stream without readers is forgotten."""
        stream = subscription.stream
        stream.leave(subscription)
        if stream.is_empty and self._streams.get(stream.id) is stream:
            del self._streams[stream.id]
            self._doubtful.discard(stream)

    # ------------------------------------------------------------ hints

    def on_hints(self, hints: Sequence[Hint]) -> None:
        """Take a batch from the bus. Never waits; shows them in order, what takes long in several turns of the loop."""
        is_under_way = bool(self._hints)
        runs: dict[UUID, list[Event]] = {}
        for hint in hints:
            if not isinstance(hint, Event):
                runs.clear()
                self._hints.append(hint)
            elif hint.stream_id in runs:
                runs[hint.stream_id].append(hint)
            elif (
                hint.stream_id in self._streams
            ):  # else nobody is here: whoever comes reads the database first
                runs[hint.stream_id] = run = [hint]
                self._hints.append(run)
        if self._hints and not is_under_way:
            self._show_hints()

    def _show_hints(self) -> None:
        end = time.monotonic() + TURN_SECONDS
        while self._hints:
            try:
                self._show(self._hints[0])
            except Exception:
                log.exception("realtime.hint_failed")
            self._hints.popleft()
            if self._hints and time.monotonic() > end:
                asyncio.get_running_loop().call_soon(self._show_hints)
                return

    def _show(self, hint: Hint | list[Event]) -> None:
        if isinstance(hint, list):
            self._take(hint)
        elif isinstance(hint, Touch):
            self.touches.on_hint(hint)
        elif isinstance(hint, Signal):
            self._signal(hint)
        elif isinstance(hint, Mark):
            self._mark(hint)
        elif isinstance(hint, PresenceHint):
            self.presence.on_hint(hint)

    def _take(self, events: Sequence[Event]) -> None:
        stream = self._streams.get(events[0].stream_id)
        if stream is not None and not stream.take_run(events):
            self.suspect(stream)

    def _signal(self, signal: Signal) -> None:
        stream = self._streams.get(signal.stream_id)
        if stream is not None:
            stream.show_signal(signal)

    def _mark(self, mark: Mark) -> None:
        stream = self._streams.get(mark.stream_id)
        if stream is not None and stream.number is not None and mark.number > stream.number:
            self.suspect(stream)

    def publish(self, *signals: Signal | PresenceHint) -> None:
        """Hand what is live to all nodes."""
        self._bus.publish(signals)

    # ------------------------------------------------------------ healing

    def suspect(self, stream: Stream) -> None:
        """Have a stream compared with the database soon."""
        self._doubtful.add(stream)
        self._doubt.set()

    async def _close_gaps(self) -> None:
        while True:
            await self._doubt.wait()
            await asyncio.sleep(REORDER_SECONDS)
            self._doubt.clear()
            streams, self._doubtful = self._doubtful, set()
            try:
                await self._read(streams)
            except Exception as error:  # noqa: BLE001 - whatever ails the database, the next turn tries again
                log.warning("realtime.gap_not_closed", error=describe_failure(error), streams=len(streams))
                self._doubtful |= {stream for stream in streams if not stream.is_empty}
                await asyncio.sleep(RETRY_SECONDS)
                self._doubt.set()

    async def _read(self, streams: Iterable[Stream]) -> None:
        """Bring streams to what the database has: one transaction for all of them."""
        wanted = [stream for stream in streams if stream.number is not None and not stream.is_empty]
        if not wanted:
            return
        async with self.db.transaction(*{stream.workspace_id for stream in wanted}) as tx:
            for stream in wanted:
                # every hint kept until now was committed before this read, which therefore brings it again
                stream.ahead.clear()
                try:
                    events = await _read_after(tx, stream)
                except StreamReset as error:
                    head = error.fields["head"]
                    log.info("realtime.stream_reset", stream=stream.name, head=head["number"])
                    stream.reset(Cursor(head["number"], head["tag"]))
                    continue
                stream.is_doubted = False
                if events:
                    self._take(events)

    async def _find_feed_end(self) -> None:
        async with self.db.system() as tx:
            end = await feed_end(tx)
        self._positions = dict.fromkeys(_STREAM_KINDS, end)

    async def _follow_feed(self) -> None:
        while True:
            await asyncio.sleep(FEED_SECONDS)
            try:
                if self._is_broken:
                    self._is_broken = False
                    await self._recover()
                await self._read_feed()
                await self.touches.look()
            except Exception as error:  # noqa: BLE001 - whatever ails the database, the next turn tries again
                log.warning("realtime.feed_unreadable", error=describe_failure(error))
                self._is_broken = True

    async def _read_feed(self) -> None:
        for kind in _STREAM_KINDS:
            is_more = True
            while is_more:
                async with self.db.system() as tx:
                    events, self._positions[kind] = await read_feed(
                        tx, self._positions[kind], FEED_BATCH, stream=kind
                    )
                for event in events:
                    self._take([event])
                is_more = len(events) == FEED_BATCH

    def compare_all(self) -> None:
        """Have the feed found and every stream compared anew: the database is not the one it was.

        Until that is done a stream publishes nothing.
        """
        self._is_broken = True
        for stream in self._streams.values():
            stream.is_doubted = True
            self.suspect(stream)

    async def _recover(self) -> None:
        """After the database was away: it may be another one that lost commits, so every stream is compared."""
        async with self.db.system() as tx:
            end = await feed_end(tx)
        self._positions = {kind: min(position, end) for kind, position in self._positions.items()}
        self._doubtful |= set(self._streams.values())
        self._doubt.set()


async def _read_after(tx: Tx, stream: Stream) -> list[Event]:
    if stream.kind == "personal":
        return await resume_personal(tx, stream.id, stream.cursor)
    return await resume(tx, stream.id, stream.cursor)
