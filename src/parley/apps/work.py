"""The workers of a process: journal, ledger, jobs, schedules, polling, publishing, the index of search."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import structlog

from parley.accounts import SEND_CODE_KIND, CodeDelivery, sweep_accounts
from parley.apps.sms import make_sms_sender
from parley.compat.chatapp import sweep_chatapp
from parley.conversations.readers_store import delete_steps_before
from parley.conversations.scheduling import POST_KIND, SETTLE_KIND, post_due, settle_abandoned
from parley.conversations.scheduling_store import delete_posted_before
from parley.conversations.search_index import SearchIndex
from parley.conversations.store import delete_events_before
from parley.desk.accounts import Channels
from parley.desk.assignment import RELEASE_KIND, release_assignments
from parley.desk.delivery import Delivery, settle_broken
from parley.desk.delivery_store import DELIVERIES
from parley.desk.incoming_media import FETCH_KIND, FETCH_RETRIES, MediaFetcher
from parley.desk.intake import Intake
from parley.desk.intake_store import JOURNAL
from parley.desk.limiter import Turns
from parley.desk.polling import Poller
from parley.desk.receipt_store import delete_parked_before
from parley.desk.statuses import wake_snoozed
from parley.infra.jobs import JOBS, Job, Jobs
from parley.infra.metrics import Metrics
from parley.infra.redis_buckets import BucketsCollector
from parley.infra.runtime import Runtime
from parley.infra.schedules import Schedule, Scheduler
from parley.infra.worker import Limits, Worker
from parley.kit.ids import parse_id
from parley.media import Pictures, delete_unattached

if TYPE_CHECKING:
    from parley.brokers import Publishing

SCHEDULES = (
    Schedule("wake snoozed", "desk.wake_snoozed", 20),
    Schedule("settle scheduled", SETTLE_KIND, 60),
    Schedule("sweep", "system.sweep", 3600),
)
INTAKE_LANES = 6
"""Times as many lanes as other work: their items share transactions, so that they take no more connections."""
SEND_CODE_RETRIES = 4
"""A code that cannot be sent within its five minutes is not sent."""
WORK_KEPT_DAYS = 30
"""Days for which journal items, jobs and scheduled messages that are done are kept."""

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def run_workers(
    runtime: Runtime, channels: Channels, pictures: Pictures, metrics: Metrics
) -> AsyncIterator[None]:
    """Run all work of this process until the block is left; then drain."""
    settings = runtime.settings
    lease_seconds = float(settings.work_lease_seconds)
    limits = Limits(concurrency=settings.worker_concurrency, lease_seconds=lease_seconds)
    delivery = Delivery(runtime.db, channels, runtime.blobs, Turns(runtime.buckets))
    workers = [
        Worker(
            JOURNAL,
            runtime.db,
            Intake(runtime.db, channels).handle,
            limits=limits._replace(concurrency=INTAKE_LANES * limits.concurrency),
            metrics=metrics,
        ),
        Worker(
            DELIVERIES, runtime.db, delivery.handle, limits=limits, on_broken=settle_broken, metrics=metrics
        ),
        register_jobs(runtime, channels, pictures).make_worker(runtime.db, limits=limits, metrics=metrics),
    ]
    scheduler = Scheduler(runtime.db, SCHEDULES)
    poller = asyncio.create_task(Poller(runtime.db, channels, lease_seconds).run(), name="poller")
    tasks = [asyncio.create_task(worker.run(), name=worker.table.name) for worker in workers]
    tasks.append(asyncio.create_task(scheduler.run(), name="schedules"))
    publishing = make_publishing(runtime, metrics)
    if publishing is not None:
        tasks.append(asyncio.create_task(publishing.run(), name="publishing"))
    index = asyncio.create_task(SearchIndex(runtime.db, metrics).run(), name="search")
    watched = [poller, index]
    if runtime.buckets is not None:
        metrics.registry.register(BucketsCollector(runtime.buckets))
        watched.append(asyncio.create_task(runtime.buckets.run(), name="shared limits"))
    try:
        yield
    finally:
        for task in watched:
            task.cancel()
        scheduler.stop()
        if publishing is not None:
            publishing.stop()
        for worker in workers:
            worker.stop()
        for result in await asyncio.gather(*watched, *tasks, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("work.ended_badly", exc_info=result)


def make_publishing(runtime: Runtime, metrics: Metrics) -> Publishing | None:
    """Return what publishes to the broker; None when there is none."""
    settings = runtime.settings
    if not settings.amqp_url:
        return None
    from parley.brokers import Publishing  # takes a moment, for what most do not use

    return Publishing(
        runtime.db,
        settings.amqp_url,
        is_everyone=settings.amqp_updates == "all",
        lease_seconds=float(settings.work_lease_seconds),
        kept_days=settings.event_days,
        metrics=metrics,
        known_by_id=parse_id("ws", settings.chatapp_workspace) if settings.chatapp_workspace else None,
    )


def register_jobs(runtime: Runtime, channels: Channels, pictures: Pictures) -> Jobs:
    """Return which handler does which kind of job."""

    async def wake(_: Job) -> None:
        await wake_snoozed(runtime.db)

    async def release(job: Job) -> None:
        await release_assignments(runtime.db, job)

    async def post(job: Job) -> None:
        await post_due(runtime.db, job)

    async def settle(_: Job) -> None:
        await settle_abandoned(runtime.db)

    async def sweep(_: Job) -> None:
        await sweep_old(runtime)

    jobs = Jobs()
    jobs.on(FETCH_KIND, MediaFetcher(runtime, channels, pictures).handle, retries=FETCH_RETRIES)
    jobs.on(RELEASE_KIND, release)
    jobs.on(POST_KIND, post)
    code_delivery = CodeDelivery(runtime.db, runtime.keys, runtime.settings, make_sms_sender(runtime))
    jobs.on(SEND_CODE_KIND, code_delivery.handle, retries=SEND_CODE_RETRIES)
    jobs.on("desk.wake_snoozed", wake, retries=0)
    jobs.on(SETTLE_KIND, settle, retries=0)
    jobs.on("system.sweep", sweep, retries=2)
    return jobs


async def sweep_old(runtime: Runtime, *, batch: int = 1000) -> None:
    """Remove what is kept for a time only: events, when was read what, finished work, spent tokens, files that nobody attached."""
    now = runtime.clock()
    events_before = now - dt.timedelta(days=runtime.settings.event_days)
    work_before = now - dt.timedelta(days=WORK_KEPT_DAYS)
    for delete_before, moment in (
        (delete_events_before, events_before),
        (delete_steps_before, events_before),
        (delete_posted_before, work_before),
    ):
        count = batch
        while count >= batch:
            async with runtime.db.system() as tx:
                count = await delete_before(tx, moment, batch)
    for table in (JOURNAL, JOBS):
        count = batch
        while count >= batch:
            async with runtime.db.system() as tx:
                count = await table.prune(tx, before=work_before, limit=batch)
    async with runtime.db.system() as tx:
        await delete_parked_before(tx, work_before)
    await sweep_accounts(runtime.db)
    await sweep_chatapp(runtime.db)
    await delete_unattached(runtime)
