"""Webhooks without the framework, and several in one commit.

A provider's request that is authentic and can be split is answered by `WebhookDoor` alone; whatever is not is handed to
the REST application as it came, which says what is wrong. Requests that come while a batch is journalled go together in
the next: within this process the journal has those of a lane in the order they came.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from parley.channels.contract import Account, JournalPart
from parley.desk import inbox_store, intake_store
from parley.desk.accounts import Channels
from parley.desk.journal import make_lane
from parley.infra.batches import Batches
from parley.infra.crypto import KeyMismatch
from parley.infra.db import Database
from parley.infra.doors import App, read_body, replay
from parley.infra.failures import describe_failure
from parley.kit.errors import ParleyError, Unavailable
from parley.kit.ids import parse_id, uuid7

BATCH_LIMIT = 64
PARALLEL_BATCHES = 2
"""Batches under way: one waits for the disk while the next is prepared."""
READ_LIMIT = 500
"""Inboxes read together."""
QUEUE_LIMIT = 5000
"""Requests that may wait; further ones go the ordinary way."""
BODY_LIMIT_BYTES = 64 * 1024
"""Larger requests go the ordinary way, which has its own limit."""
KNOWN_LIMIT = 10_000
"""Inboxes whose workspace, which never changes, is remembered."""

INBOX_SECONDS = 1.0
"""How long a disconnected inbox or a changed secret may go unnoticed here; what comes meanwhile
is taken as if it had come before."""

_PATH = re.compile(r"/webhooks/([a-z0-9_]{1,32})/(inb_[0-9a-z]{26})")

log = structlog.get_logger()

Row = tuple[UUID, UUID, UUID, str, bytes]
"""A journal item: workspace, inbox, id, lane, body."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Inbox:
    workspace_id: UUID
    channel: str
    account: Account
    until: float


class WebhookDoor:
    """Answers authentic webhooks; hands everything else to the application behind it."""

    def __init__(self, db: Database, channels: Channels, behind: App) -> None:
        self._db = db
        self._channels = channels
        self._behind = behind
        self._workspaces: dict[UUID, UUID] = {}
        self._inboxes: dict[UUID, _Inbox] = {}
        self._asked: Counter[UUID] = Counter()
        self._reading = Batches(self._read_inboxes, limit=READ_LIMIT, parallel=1)
        self._writing = Batches(
            self._journal,
            limit=BATCH_LIMIT,
            parallel=PARALLEL_BATCHES,
            keys=lambda rows: {row[3] for row in rows},
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request. Promise: what is answered 200 is committed in the journal."""
        match = _PATH.fullmatch(scope["path"])
        if match is None or scope["method"] != "POST" or scope["query_string"]:
            await self._behind(scope, receive, send)
            return
        parts, body = await read_body(receive, BODY_LIMIT_BYTES)
        if body is None or not await self._take(match[1], match[2], scope["headers"], body):
            await self._behind(scope, replay(parts, receive), send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _take(
        self, channel: str, inbox: str, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> bool:
        if self._writing.waiting + self._reading.waiting >= QUEUE_LIMIT:
            return False
        try:
            inbox_id = parse_id("inb", inbox)
        except ParleyError:
            return False
        known = await self._find_inbox(inbox_id)
        if known is None or known.channel != channel:
            return False
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        parts = self._split(known, named, body)
        if parts is None:
            return False
        rows = [
            (known.workspace_id, inbox_id, uuid7(), make_lane(inbox_id, part.lane), part.body)
            for part in parts
        ]
        return await self._writing.take(rows) if rows else True

    async def _journal(self, batch: Sequence[Sequence[Row]]) -> Sequence[bool]:
        rows = [row for one in batch for row in one]
        try:
            await intake_store.insert_items_at_once(self._db, rows, self._db.now())
        except Exception as error:  # noqa: BLE001 - each goes the ordinary way, which says what is wrong
            self._give_up(error, len(batch))
            return [False] * len(batch)
        return [True] * len(batch)

    def _give_up(self, error: Exception, size: int) -> None:
        log.warning("webhooks.batch_undone", size=size, error=describe_failure(error))
        if isinstance(error, Unavailable):
            # batch after batch would wait as long in vain
            self._reading.answer_waiting(None)
            self._writing.answer_waiting(False)

    def _split(self, inbox: _Inbox, headers: Mapping[str, str], body: bytes) -> Sequence[JournalPart] | None:
        """Return the items of a request; None when it is not for this door."""
        try:
            adapter = self._channels.adapter(inbox.channel)
            is_authentic = adapter.is_authentic(inbox.account, headers, body)
            return adapter.split(body) if is_authentic else None
        except Exception:  # noqa: BLE001 - it goes the ordinary way, which says what is wrong, and spoils no batch
            return None

    async def _find_inbox(self, inbox_id: UUID) -> _Inbox | None:
        known = self._inboxes.get(inbox_id)
        # while one waits for the inbox, those that come after it do too: none overtakes it
        if known is not None and known.until >= time.monotonic() and not self._asked[inbox_id]:
            return known
        self._asked[inbox_id] += 1
        try:
            return await self._reading.take(inbox_id)
        finally:
            self._asked[inbox_id] -= 1
            if not self._asked[inbox_id]:
                del self._asked[inbox_id]

    async def _read_inboxes(self, inbox_ids: Sequence[UUID]) -> Sequence[_Inbox | None]:
        try:
            await self._learn_inboxes(set(inbox_ids))
        except Exception as error:  # noqa: BLE001 - each goes the ordinary way, which says what is wrong
            self._give_up(error, len(inbox_ids))
            return [None] * len(inbox_ids)
        return [self._inboxes.get(key) for key in inbox_ids]

    async def _learn_inboxes(self, inbox_ids: set[UUID]) -> None:
        """Read the inboxes that were read too long ago; what is not there or disconnected is not known afterwards."""
        now = time.monotonic()
        old = {key for key in inbox_ids if key not in self._inboxes or self._inboxes[key].until < now}
        if not old:
            return
        for key in old:
            self._inboxes.pop(key, None)
        await self._learn_workspaces(old - self._workspaces.keys())
        workspaces = {self._workspaces[key] for key in old if key in self._workspaces}
        if not workspaces:
            return
        async with self._db.transaction(*workspaces) as tx:
            inboxes = await inbox_store.get_inboxes(tx, list(old))
        for key, inbox in inboxes.items():
            if inbox["state"] == "disconnected":
                continue
            with contextlib.suppress(KeyMismatch):  # the ordinary way says so
                account = self._channels.account(inbox)
                self._inboxes[key] = _Inbox(
                    inbox["workspace_id"], inbox["channel"], account, now + INBOX_SECONDS
                )

    async def _learn_workspaces(self, inbox_ids: set[UUID]) -> None:
        if not inbox_ids:
            return
        async with self._db.system() as tx:
            found = await inbox_store.get_inboxes(tx, list(inbox_ids))
        if len(self._workspaces) + len(found) > KNOWN_LIMIT:
            self._workspaces.clear()
            self._inboxes.clear()
        self._workspaces |= {key: inbox["workspace_id"] for key, inbox in found.items()}
