"""What an answer of the Bot API means: its result, or one of the five errors, or Uncertain. Pure.

What counts as proof that nothing was done. A ``4xx`` with Telegram's JSON is a refusal before the work. A
``5xx`` is not that simple:

- without Telegram's JSON (502, 504 pages of its front proxy) it says only that somebody between us and the
  bot server gave up waiting; the message may be on its way: Uncertain for a send.
- with ``"ok": false`` the bot server itself refused: Temporary. Two texts are excepted. The server also gives
  "restart" and "request aborted" to sends that it had already handed on when it was told to stop (its
  Client.cpp, where pending_send_message_queries_ are failed on closing), so they too are Uncertain for a
  send.

Calls that may be repeated without harm (edits, deletions, questions) give Temporary where a send is
Uncertain. Source: core.telegram.org/bots/api#making-requests and the server's own code,
github.com/tdlib/telegram-bot-api.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from parley.channels.contract import (
    AccountBroken,
    RecipientGone,
    Rejected,
    Temporary,
    Uncertain,
)
from parley.infra.http_client import Answer
from parley.kit.errors import ParleyError
from parley.kit.text import clean_name

MAX_WAIT_SECONDS = 86_400.0
"""We believe a ``retry_after`` up to a day."""
DEFAULT_WAIT_SECONDS = 5.0
"""For a 429 that does not say how long; a minute's limit of a chat is spent in about that."""

_GONE_403 = (
    "blocked by the user",
    "user is deactivated",
    "can't initiate conversation",
    "bot was kicked",
    "bot is not a member",
    "chat was deleted",
)
_GONE_400 = ("chat not found", "user not found", "peer_id_invalid", "chat_id is empty")
_IN_FLIGHT = ("restart", "request aborted")


class Parameters(msgspec.Struct, frozen=True):
    """ResponseParameters; both fields as loose as JSON allows, since nothing may hang on their type."""

    retry_after: Any = None
    migrate_to_chat_id: Any = None


class Envelope(msgspec.Struct, frozen=True):
    """The frame of every answer."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error_code: int | None = None
    description: str = ""
    parameters: Parameters | None = None


def read_answer(answer: Answer, *, is_repeatable: bool, has_chat: bool = True) -> msgspec.Raw:
    """Return the result of a call as raw JSON.

    Raises: one of the five SendErrors, or Uncertain. ``has_chat``: whether a flood limit is one chat's.
    """
    envelope = _envelope(answer.body)
    if envelope is not None and envelope.ok and 200 <= answer.status < 300:
        return envelope.result
    if envelope is None or envelope.ok:
        raise _foreign(answer, is_repeatable)
    raise _refusal(answer, envelope, is_repeatable, has_chat)


def unreadable(*, is_repeatable: bool) -> ParleyError:
    """Return the error for "done", said in a form we cannot read: the message went, its id is unknown."""
    if is_repeatable:
        return Temporary("Telegram's answer cannot be read.", scope="inbox")
    return Uncertain("Telegram took the message, but its answer cannot be read.")


def _envelope(body: bytes) -> Envelope | None:
    try:
        return msgspec.json.decode(body, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _foreign(answer: Answer, is_repeatable: bool) -> ParleyError:
    """Judge an answer that is not the Bot API's: a proxy's page, or garbage."""
    if answer.status == 404:
        return AccountBroken("There is no Bot API at this address, or the bot token is unknown to it.")
    if answer.status == 429:
        return Temporary("Too many requests.", retry_after_seconds=_header_wait(answer), scope="inbox")
    if 400 <= answer.status < 500:
        return Rejected(
            f"The request was refused with HTTP {answer.status}.", provider_code=str(answer.status)
        )
    message = f"HTTP {answer.status} without an answer of the Bot API."
    return Temporary(message, scope="inbox") if is_repeatable else Uncertain(message)


def _refusal(answer: Answer, envelope: Envelope, is_repeatable: bool, has_chat: bool) -> ParleyError:
    code = envelope.error_code or answer.status
    text = clean_name(envelope.description, limit=500) or f"HTTP {code}"
    lowered = text.lower()
    scope: Literal["chat", "inbox"] = "chat" if has_chat else "inbox"
    if code == 429:
        return Temporary(text, retry_after_seconds=_wait(answer, envelope), scope=scope)
    if code >= 500:
        is_in_flight = any(sign in lowered for sign in _IN_FLIGHT)
        if is_in_flight and not is_repeatable:
            return Uncertain(text)
        return Temporary(text, scope="inbox")
    if code in (401, 404):
        return AccountBroken(text)
    if code == 403 and any(sign in lowered for sign in _GONE_403):
        return RecipientGone(text)
    if code == 400 and any(sign in lowered for sign in _GONE_400):
        return RecipientGone(text)
    return Rejected(text, provider_code=str(code), **_migration(envelope))


def _migration(envelope: Envelope) -> dict[str, str]:
    moved = envelope.parameters.migrate_to_chat_id if envelope.parameters else None
    return {"migrate_to_chat_id": str(moved)} if isinstance(moved, int) else {}


def _wait(answer: Answer, envelope: Envelope) -> float:
    told = envelope.parameters.retry_after if envelope.parameters else None
    if isinstance(told, (int, float)) and not isinstance(told, bool) and math.isfinite(told):
        return min(max(float(told), 0.0), MAX_WAIT_SECONDS)
    return _header_wait(answer)


def _header_wait(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit() and len(text) < 8:
        return min(float(text), MAX_WAIT_SECONDS)
    return DEFAULT_WAIT_SECONDS
