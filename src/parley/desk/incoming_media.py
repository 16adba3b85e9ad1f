"""Files that customers sent: fetched from the provider after the message stands, so that text never waits for them."""

from __future__ import annotations

from uuid import UUID

import structlog

from parley.channels.contract import SendError, Temporary
from parley.conversations.editing import announce_update
from parley.desk.accounts import Channels
from parley.desk.inbox_store import find_inbox
from parley.infra.db import Tx
from parley.infra.jobs import Job, RetryLater, enqueue
from parley.infra.runtime import Runtime
from parley.kit.errors import NotFound, TooLarge
from parley.media import Pictures, fail_pending, get_media, store_fetched

FETCH_KIND = "desk.fetch_media"
FETCH_RETRIES = 8

log = structlog.get_logger()


async def enqueue_fetch(
    tx: Tx, *, workspace_id: UUID, inbox_id: UUID, conversation_id: UUID, message_id: UUID, media_id: UUID
) -> None:
    """Have a pending file fetched once the transaction is committed."""
    await enqueue(
        tx,
        FETCH_KIND,
        {
            "inbox_id": str(inbox_id),
            "conversation_id": str(conversation_id),
            "message_id": str(message_id),
            "media_id": str(media_id),
        },
        workspace_id=workspace_id,
    )


class MediaFetcher:
    """Does the fetch jobs."""

    def __init__(self, runtime: Runtime, channels: Channels, pictures: Pictures) -> None:
        self._runtime = runtime
        self._channels = channels
        self._pictures = pictures

    async def handle(self, job: Job) -> None:
        """Fetch one file and show it, or show why it will not come. Repeat: a file that is there is shown again."""
        if job.workspace_id is None:
            raise ValueError("a fetch without a workspace")
        media_id = UUID(job.payload["media_id"])
        try:
            await self._fetch(job.workspace_id, UUID(job.payload["inbox_id"]), media_id)
        except Temporary as error:
            if job.attempts <= FETCH_RETRIES:
                raise RetryLater(
                    error.message, seconds=error.retry_after_seconds or 2.0**job.attempts
                ) from error
            await self._fail(job.workspace_id, media_id, error.message)
        except (SendError, TooLarge, NotFound) as error:
            await self._fail(job.workspace_id, media_id, error.message)
        async with self._runtime.db.transaction(job.workspace_id) as tx:
            await announce_update(
                tx, job.workspace_id, UUID(job.payload["conversation_id"]), UUID(job.payload["message_id"])
            )

    async def _fetch(self, workspace_id: UUID, inbox_id: UUID, media_id: UUID) -> None:
        async with self._runtime.db.transaction(workspace_id) as tx:
            inbox = await find_inbox(tx, inbox_id)
            media = (await get_media(tx, [media_id])).get(media_id)
        if inbox is None or media is None:
            raise NotFound("The inbox of this file is gone.")
        if media.state == "ready" or not media.source:
            return
        adapter, account = self._channels.adapter(inbox["channel"]), self._channels.account(inbox)
        fetched = await adapter.fetch_media(account, media.source["reference"])
        await store_fetched(self._runtime, workspace_id, media_id, fetched.chunks, pictures=self._pictures)

    async def _fail(self, workspace_id: UUID, media_id: UUID, error: str) -> None:
        async with self._runtime.db.transaction(workspace_id) as tx:
            await fail_pending(tx, workspace_id, media_id, error=error)
