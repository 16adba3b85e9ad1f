"""Webhooks without the framework, and several in one commit.

A provider's request that is authentic and can be split is answered by `WebhookDoor` alone; whatever is not is handed to
the REST application as it came, which says what is wrong. Requests that come while a batch is journalled go together in
the next, one batch after another: within this process the journal has them in the order they came.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from parley.channels.contract import Account, JournalPart
from parley.desk import inbox_store, intake_store
from parley.desk.accounts import Channels
from parley.desk.journal import make_lane
from parley.infra.crypto import KeyMismatch
from parley.infra.db import Database
from parley.infra.doors import App, read_body, replay
from parley.infra.failures import describe_failure
from parley.kit.errors import ParleyError, Unavailable
from parley.kit.ids import parse_id, uuid7

BATCH_LIMIT = 64
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


@dataclasses.dataclass(frozen=True, slots=True)
class _Request:
    channel: str
    inbox_id: UUID
    headers: Mapping[str, str]
    body: bytes
    is_taken: asyncio.Future[bool]


@dataclasses.dataclass(frozen=True, slots=True)
class _Inbox:
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
        self._waiting: deque[_Request] = deque()
        self._running: asyncio.Task[None] | None = None

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
        if len(self._waiting) >= QUEUE_LIMIT:
            return False
        try:
            inbox_id = parse_id("inb", inbox)
        except ParleyError:
            return False
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(channel, inbox_id, named, body, future))
        self._pump()
        return await future

    def _pump(self) -> None:
        if self._running is None and self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_LIMIT))]
            self._running = asyncio.create_task(self._journal(batch))
            self._running.add_done_callback(self._on_done)

    def _on_done(self, _: asyncio.Task[None]) -> None:
        self._running = None
        self._pump()

    async def _journal(self, batch: Sequence[_Request]) -> None:
        taken: set[int] = set()
        try:
            taken = await self._insert(batch)
        except Exception as error:  # noqa: BLE001 - each goes the ordinary way, which says what is wrong
            log.warning("webhooks.batch_undone", size=len(batch), error=describe_failure(error))
            if isinstance(error, Unavailable):
                # batch after batch would wait as long in vain
                batch = [*batch, *self._waiting]
                self._waiting.clear()
        finally:
            for number, one in enumerate(batch):
                if not one.is_taken.done():
                    one.is_taken.set_result(number in taken)

    async def _insert(self, batch: Sequence[_Request]) -> set[int]:
        """Journal what is in order; return the places of these requests in the batch."""
        await self._learn_inboxes({one.inbox_id for one in batch})
        items: list[tuple[UUID, UUID, UUID, str, bytes]] = []
        taken: set[int] = set()
        for number, one in enumerate(batch):
            parts = self._split(one)
            if parts is None:
                continue
            workspace_id = self._workspaces[one.inbox_id]
            items += [
                (workspace_id, one.inbox_id, uuid7(), make_lane(one.inbox_id, part.lane), part.body)
                for part in parts
            ]
            taken.add(number)
        if items:
            await intake_store.insert_items_at_once(self._db, items, self._db.now())
        return taken

    def _split(self, one: _Request) -> Sequence[JournalPart] | None:
        """Return the items of a request; None when it is not for this door."""
        known = self._inboxes.get(one.inbox_id)
        if known is None or known.channel != one.channel:
            return None
        try:
            adapter = self._channels.adapter(one.channel)
            is_authentic = adapter.is_authentic(known.account, one.headers, one.body)
            return adapter.split(one.body) if is_authentic else None
        except Exception:  # noqa: BLE001 - it goes the ordinary way, which says what is wrong, and spoils no batch
            return None

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
                self._inboxes[key] = _Inbox(inbox["channel"], account, now + INBOX_SECONDS)

    async def _learn_workspaces(self, inbox_ids: set[UUID]) -> None:
        if not inbox_ids:
            return
        async with self._db.system() as tx:
            found = await inbox_store.get_inboxes(tx, list(inbox_ids))
        if len(self._workspaces) + len(found) > KNOWN_LIMIT:
            self._workspaces.clear()
            self._inboxes.clear()
        self._workspaces |= {key: inbox["workspace_id"] for key, inbox in found.items()}
