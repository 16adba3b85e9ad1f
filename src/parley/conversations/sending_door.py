"""From a request to a draft, and the hot route without the framework.

A plain send that succeeds is answered by `SendingDoor` alone: half of a send's CPU went into routing, dependencies
and response objects (250 us a message of which 115 us were the framework's, `make bench ONLY=send.rest.16`).
Whatever is not plain or does not succeed goes the ordinary way through the REST application, with the request as
it came: a repeat is harmless by its `client_id`, and there is one place that says what is wrong.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from parley.accounts import ACTOR_HEADER, Caller, authenticate_actor
from parley.conversations.collector import Collector
from parley.conversations.fields import MESSAGE_KEY
from parley.conversations.schemas import Message, SendRequest
from parley.conversations.sending import Draft
from parley.infra.db import Database
from parley.infra.doors import App, read_body, replay
from parley.kit.errors import ParleyError
from parley.kit.fields import require_fields
from parley.kit.ids import parse_id

BODY_LIMIT_BYTES = 64 * 1024
"""Larger requests go the ordinary way, which has its own limit."""

_PATH = re.compile(r"/v1/conversations/(cnv_[0-9a-z]{26})/messages")
_ACTOR = ACTOR_HEADER.lower().encode()
_Speaker = tuple[str, str | None]
"""A bearer token, and whom its API key acts for."""
_decode = msgspec.json.Decoder(SendRequest).decode
_encode = msgspec.json.Encoder().encode


def make_draft(caller: Caller, conversation_id: str, data: SendRequest) -> Draft:
    """Return what a caller asks to post. Raises: Malformed for ids of another shape; as `require_fields`."""
    return Draft(
        workspace_id=caller.workspace_id,
        conversation_id=parse_id("cnv", conversation_id),
        sender_id=caller.actor_id,
        kind=data.kind,
        text=data.text,
        entities=data.entities,
        media_ids=list(dict.fromkeys(parse_id("med", media_id) for media_id in data.media_ids)),
        reply_to_id=parse_id("msg", data.reply_to) if data.reply_to else None,
        quote=data.quote,
        client_id=data.client_id,
        is_admin=caller.is_admin or (caller.kind == "bot" and caller.is_staff),
        may_chat=caller.may_chat,
        may_desk=caller.by_id is None or caller.is_staff,
        extra={MESSAGE_KEY: require_fields(data.fields)} if data.fields else None,
    )


class SendingDoor:
    """Answers plain sends; hands everything else to the REST application."""

    def __init__(self, db: Database, collector: Collector, rest: App) -> None:
        self._db = db
        self._collector = collector
        self._rest = rest

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request of the API."""
        speaker = _find_speaker(scope)
        if speaker is None or (match := _PATH.fullmatch(scope["path"])) is None:
            await self._rest(scope, receive, send)
            return
        parts, body = await read_body(receive, BODY_LIMIT_BYTES)
        answer = None if body is None else await self._post(speaker, match[1], body)
        if answer is None:
            await self._rest(scope, replay(parts, receive), send)
            return
        message, is_repeat = answer
        payload = _encode(message)
        await send(
            {
                "type": "http.response.start",
                "status": 200 if is_repeat else 201,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(payload)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": payload})

    async def _post(
        self, speaker: _Speaker, conversation_id: str, body: bytes
    ) -> tuple[Message, bool] | None:
        try:
            data = _decode(body)
            if data.forward is not None:
                return None
            caller = await authenticate_actor(self._db, *speaker)
            posted = await self._collector.post(make_draft(caller, conversation_id, data))
        except (ParleyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return posted.message, posted.is_repeat


def _find_speaker(scope: Any) -> _Speaker | None:
    """Return bearer token and acted actor of a POST with a small JSON body; None for any other request."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    token, actor, length, kind = None, None, 0, b"application/json"
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            token = value[7:].strip().decode("latin-1")
        elif name == _ACTOR:
            actor = value.decode("latin-1")
        elif name == b"content-length":
            length = int(value) if value.isdigit() and len(value) < 7 else BODY_LIMIT_BYTES + 1
        elif name == b"content-type":
            kind = value.split(b";", 1)[0].strip().lower()
    is_plain = 0 < length <= BODY_LIMIT_BYTES and kind == b"application/json"
    return (token, actor) if token is not None and is_plain else None
