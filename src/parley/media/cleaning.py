"""Uploads that nobody used are taken away."""

from __future__ import annotations

import datetime as dt

from parley.infra.runtime import Runtime
from parley.media import store
from parley.media.attachments import incoming_key, object_key, thumbnail_key

UNUSED_FOR = dt.timedelta(days=1)
"""How long an upload may wait to be attached: a person writing a message, with a night in between."""


async def delete_unattached(
    runtime: Runtime, *, older_than: dt.timedelta = UNUSED_FOR, limit: int = 500
) -> int:
    """Remove uploads, of all workspaces, older than that and referred to by no message or actor; return how many.

    Three steps, so that a crash between them leaves nothing that the next run does not find: out of use (they cannot
    be attached any more), the bytes, the rows. Repeat while it returns ``limit``.
    """
    before = runtime.clock() - older_than
    async with runtime.db.system() as tx:
        expired = await store.expire_unattached(tx, await store.lock_unattached(tx, before, limit))
    for media in expired:
        for key in (incoming_key(media), thumbnail_key(media), object_key(media)):
            await runtime.blobs.delete(key)
    async with runtime.db.system() as tx:
        await store.delete_media(tx, [media.id for media in expired])
    return len(expired)
