"""Publishing: a follower of the feed that hands everything to the broker, at least once and in order.

One process at a time does it, by lease. A batch is read, made out and published in pieces; when the broker has confirmed
the last piece the position moves on in the database. Whatever goes wrong before that, the batch is published again, with
the same ids. Memory is bounded by a batch and a piece, however far behind it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from uuid import UUID, uuid4

import structlog

from parley.brokers.batches import Batch
from parley.brokers.connection import Broker, open_broker
from parley.brokers.rooms import Rooms
from parley.infra.db import Database
from parley.infra.failures import describe_failure
from parley.infra.feed import feed_end, read_feed
from parley.infra.followers import Held, Place, advance_follower, claim_follower, release_follower
from parley.infra.metrics import Metrics
from parley.infra.work import LeaseLost

FOLLOWER = "amqp"
READ_LIMIT = 200
"""Events read at once; at their largest some 20 MB."""
PIECE = 500
"""Messages published before their confirms are awaited."""
POLL_SECONDS = 0.5
"""How often the feed is looked at without a hint."""
QUIET_SECONDS = 30.0
"""How often the position moves on while there is nothing to publish, so that it does not look stuck."""
GRACE_SECONDS = 5.0
"""How long a piece under way may take when the process stops."""
BACKOFF_LIMIT_SECONDS = 15.0
"""Longest pause between two tries to reach the broker."""

log = structlog.get_logger()


class Publishing:
    """Follows the feed and publishes, until `stop`."""

    def __init__(
        self,
        db: Database,
        url: str,
        *,
        is_everyone: bool,
        lease_seconds: float,
        kept_days: int,
        metrics: Metrics,
        known_by_id: UUID | None = None,
    ) -> None:
        """``known_by_id``: the workspace whose people are told of by their external ids as well."""
        self._db = db
        self._url = url
        self._is_everyone = is_everyone
        self._lease_seconds = lease_seconds
        self._kept_days = kept_days
        self._metrics = metrics
        self._known_by_id = known_by_id
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()
        self._token: UUID = uuid4()

    def stop(self) -> None:
        """Publish no more; `run` returns once the piece under way is confirmed or given up."""
        self._stopped.set()
        self._woken.set()

    async def run(self) -> None:
        """Work until `stop`; outlives a broker and a database that are away, for however long."""
        off = self._db.bus.subscribe(self._hear)
        failures = 0
        try:
            while not self._stopped.is_set():
                began = time.monotonic()
                try:
                    held = await self._claim()
                    if held is None:
                        await self._pause(self._lease_seconds / 3)
                        continue
                    await self._hold(held)
                except Exception as error:  # noqa: BLE001 - whatever ails broker or database, the next turn tries again
                    failures = 1 if time.monotonic() - began > BACKOFF_LIMIT_SECONDS else failures + 1
                    await self._back_off(error, failures)
        finally:
            off()
            with contextlib.suppress(Exception):  # the lease runs out by itself
                async with self._db.system() as tx:
                    await release_follower(tx, FOLLOWER, self._token)

    # ------------------------------------------------------------ lease

    async def _claim(self) -> Held | None:
        async with self._db.system() as tx:
            held = await claim_follower(tx, FOLLOWER, self._token, lease_seconds=self._lease_seconds)
            if held is not None and (tx.now - held.updated_at).days >= self._kept_days:
                log.warning("brokers.events_missed", since=held.updated_at.isoformat())
        return held

    async def _hold(self, held: Held) -> None:
        """Publish while the lease is kept up beside it; either's end is the other's."""
        publishing = asyncio.create_task(self._publish_from(held.place))
        tasks = [publishing, asyncio.create_task(self._keep()), asyncio.create_task(self._stopped.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._stopped.is_set():
                await asyncio.wait([publishing], timeout=GRACE_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            async with self._db.system() as tx:
                if await claim_follower(tx, FOLLOWER, self._token, lease_seconds=self._lease_seconds) is None:
                    raise LeaseLost

    # ------------------------------------------------------------ publishing

    async def _publish_from(self, place: Place) -> None:
        rooms, written_at = Rooms(), 0.0
        async with open_broker(self._url) as broker:
            log.info("brokers.publishing")
            self._metrics.broker_is_connected.set(1)
            try:
                while not self._stopped.is_set():
                    self._woken.clear()
                    batch = Batch(rooms, is_everyone=self._is_everyone, known_by_id=self._known_by_id)
                    following, is_more = await self._read(batch, place)
                    await self._send(broker, batch)
                    if batch or time.monotonic() > written_at + QUIET_SECONDS:
                        await self._advance(following)
                        place, written_at = following, time.monotonic()
                    if not is_more:
                        await self._rest(POLL_SECONDS)
            finally:
                self._metrics.broker_is_connected.set(0)

    async def _read(self, batch: Batch, place: Place) -> tuple[Place, bool]:
        """Take the next events into a batch; return how far they lead, and whether there are more at once.

        Far behind, conversations go first: who reads on has the message before the word that somebody read it.
        """
        async with self._db.system() as tx:
            end = await feed_end(tx)
            events, conversation = await read_feed(tx, place.conversation, READ_LIMIT)
            await batch.take(tx, events)
            if len(events) == READ_LIMIT:
                await batch.complete(tx)
                return Place(conversation=conversation, personal=place.personal), True
            events, personal = await read_feed(tx, place.personal, READ_LIMIT, stream="personal")
            await batch.take_personal(tx, events)
            await batch.complete(tx)
        is_more = len(events) == READ_LIMIT
        # below the end there was nothing else
        personal = personal if is_more else max(personal, end)
        return Place(conversation=max(conversation, end), personal=personal), is_more

    async def _send(self, broker: Broker, batch: Batch) -> None:
        outgoing = iter(batch)
        while piece := list(itertools.islice(outgoing, PIECE)):
            await broker.publish(piece)
            for exchange, count in Counter(one.exchange for one in piece).items():
                self._metrics.broker_published.labels(exchange).inc(count)
            self._metrics.broker_lag_seconds.set(max(0.0, (self._db.now() - piece[-1].at).total_seconds()))

    async def _advance(self, place: Place) -> None:
        async with self._db.system() as tx:
            await advance_follower(tx, FOLLOWER, self._token, place, lease_seconds=self._lease_seconds)

    # ------------------------------------------------------------ waiting

    def _hear(self, _: object) -> None:
        self._woken.set()

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _pause(self, seconds: float) -> None:
        """Wait; a hint does not cut it short, stopping does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    async def _back_off(self, error: Exception, failures: int) -> None:
        seconds = min(0.25 * 2 ** min(failures, 8), BACKOFF_LIMIT_SECONDS)
        log.warning("brokers.publishing_failed", error=describe_failure(error), retry_in_seconds=seconds)
        await self._pause(seconds)
