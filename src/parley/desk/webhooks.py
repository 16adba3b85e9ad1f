"""Webhooks in: which inbox, is it authentic? Then the journal, and 200. Nothing else happens in the request."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, post
from litestar.params import FromPath

from parley.accounts import GivenRuntime
from parley.desk.accounts import Channels, GivenChannels
from parley.desk.errors import InboxNotFound
from parley.desk.inbox_store import find_inbox
from parley.desk.journal import accept_body
from parley.infra.db import Database
from parley.kit.errors import TooLarge, Unauthenticated
from parley.kit.ids import parse_id

BODY_LIMIT_BYTES = 1024 * 1024
"""Telegram's updates stay below 100 kB; WhatsApp's batches below 1 MB."""


async def accept_webhook(
    db: Database, channels: Channels, channel: str, inbox_id: UUID, headers: dict[str, str], body: bytes
) -> None:
    """Journal an authentic request. Promise: on return it is committed.

    Raises: InboxNotFound (also for another channel's inbox), Unauthenticated.
    """
    async with db.system() as tx:
        inbox = await find_inbox(tx, inbox_id)
    if inbox is None or inbox["channel"] != channel or inbox["state"] == "disconnected":
        raise InboxNotFound
    adapter = channels.adapter(channel)
    if not adapter.is_authentic(channels.account(inbox), headers, body):
        raise Unauthenticated("This request is not signed by the provider.")
    async with db.transaction(inbox["workspace_id"]) as tx:
        await accept_body(tx, adapter, inbox["workspace_id"], inbox_id, body)


@post(
    "/webhooks/{channel:str}/{inbox_id:str}",
    tags=["Webhooks"],
    operation_id="receive_webhook",
    status_code=200,
    request_max_body_size=None,
)
async def receive_webhook(
    request: Request[Any, Any, Any],
    runtime: GivenRuntime,
    channels: GivenChannels,
    channel: FromPath[str],
    inbox_id: FromPath[str],
) -> Response[None]:
    """Where providers send updates; authenticated by the provider's own secret or signature."""
    body = await _read_body(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    await accept_webhook(runtime.db, channels, channel, parse_id("inb", inbox_id), headers, body)
    return Response(None, status_code=200)


async def _read_body(request: Request[Any, Any, Any]) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT_BYTES:
            raise TooLarge(limit_bytes=BODY_LIMIT_BYTES)
        chunks.append(chunk)
    return b"".join(chunks)


routes = [receive_webhook]
