"""Telegram as a channel: binds the pure parts to the client. Facts: README.md beside this file."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from parley.channels.contract import (
    Account,
    AccountBroken,
    AccountInfo,
    Call,
    Features,
    FetchedMedia,
    JournalPart,
    Limits,
    MediaSource,
    OutgoingMessage,
    Parsed,
    Rejected,
    Sent,
    Temporary,
)
from parley.channels.telegram import format as formatting
from parley.channels.telegram import parse as parsing
from parley.channels.telegram.client import Address, AnswerTooLarge, TelegramClient, parse_address, too_big
from parley.channels.telegram.updates import Id, Size, User
from parley.channels.telegram.verdict import unreadable
from parley.infra.http_client import HttpClient, Timeouts, Upload
from parley.kit.text import clean_name

ALLOWED_UPDATES = ("message", "edited_message", "my_chat_member")
WEBHOOK_CONNECTIONS = 40
"""Parallel deliveries that Telegram makes to us; its own default."""
POLL_SECONDS = 25
"""Telegram answers an empty long poll after this; it caps at 50, our port at 30."""
POLL_LIMIT = 100
POLL_CONFLICT_SECONDS = 5.0
"""Two pollers of one bot throw each other out; the loser steps back this long."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_POLL_TIMEOUTS = Timeouts(read=POLL_SECONDS + 4.0, total=POLL_SECONDS + 4.5)


class _Result(msgspec.Struct, frozen=True):
    message_id: Id


class _FilePath(msgspec.Struct, frozen=True):
    file_path: str | None = None
    file_size: Size | None = None


class TelegramAdapter:
    """The Bot API as an `Adapter`.

    ``account.secrets``: token, webhook_secret; ``account.config``: base_url, file_base_url, both optional.
    """

    channel = "telegram"
    limits = Limits(chat_per_second=1.0, chat_burst=3, inbox_per_second=30.0, inbox_burst=30)
    """About one message a second in a chat with short bursts, about thirty for a bot; an album counts by items.

    Source: the question "My bot is hitting limits" of core.telegram.org/bots/faq.
    """
    features = Features(
        text_limit=formatting.TEXT_LIMIT,
        caption_limit=formatting.CAPTION_LIMIT,
        album_limit=formatting.ALBUM_LIMIT,
        upload_limit_bytes=formatting.UPLOAD_LIMIT_BYTES,
        can_edit=True,
        can_delete=True,
        can_reply=True,
        has_receipts=False,
        can_poll=True,
    )

    def __init__(self, http: HttpClient) -> None:
        self._client = TelegramClient(http)

    # ---- pure

    def is_authentic(self, account: Account, headers: Mapping[str, str], body: bytes) -> bool:
        """Telegram repeats our secret in a header and signs nothing. Source: bots/api#setwebhook."""
        secret = account.secrets.get("webhook_secret", "")
        told = headers.get("x-telegram-bot-api-secret-token", "")
        return bool(secret) and hmac.compare_digest(secret.encode(), told.encode("utf-8", "replace"))

    def split(self, body: bytes) -> list[JournalPart]:
        return parsing.split_update(body)

    def parse(self, account: Account, body: bytes) -> list[Parsed]:
        return parsing.parse_update(body)

    def plan(self, account: Account, message: OutgoingMessage) -> list[Call]:
        return formatting.plan_message(message)

    def plan_edit(
        self, account: Account, message: OutgoingMessage, provider_ids: Sequence[str]
    ) -> list[Call]:
        return formatting.plan_edit(message, provider_ids)

    def plan_delete(self, account: Account, chat: str, provider_ids: Sequence[str]) -> list[Call]:
        return formatting.plan_delete(chat, provider_ids)

    # ---- sending

    async def perform(self, account: Account, call: Call, media: MediaSource) -> Sent:
        """Do one call. What is already as wanted counts as done: an edit to the same text, a deletion of
        nothing.

        A quote that Telegram no longer finds in the message (it was edited meanwhile) is left out: the
        refusal proves that nothing was sent, and a reply without its quote is better than none.
        """
        try:
            return await self._perform(account, call, media)
        except Rejected as refusal:
            text = refusal.message.lower()
            if call.method.startswith("edit") and "message is not modified" in text:
                return Sent([str(call.params["message_id"])])
            if call.method == "deleteMessage" and "message to delete not found" in text:
                return Sent([])
            if "quote" not in text or "quote" not in call.params.get("reply_parameters", {}):
                raise
        reply = {name: value for name, value in call.params["reply_parameters"].items() if name != "quote"}
        plain = msgspec.structs.replace(call, params={**call.params, "reply_parameters": reply})
        return await self._perform(account, plain, media)

    async def _perform(self, account: Account, call: Call, media: MediaSource) -> Sent:
        uploads = [
            Upload(part, file.name, file.content_type, file.size_bytes, partial(media.open, file.key))
            for part, file in call.files.items()
        ]
        address = parse_address(account.secrets, account.config)
        result = await self._client.call(address, call.method, call.params, uploads=uploads)
        return Sent(_message_ids(call.method, result))

    # ---- receiving

    async def fetch_media(self, account: Account, reference: dict[str, Any]) -> FetchedMedia:
        """Open a file by its ``file_id``: getFile, then the download, both bounded at 20 MB."""
        file_id = reference.get("file_id")
        size = reference.get("file_size")
        if not isinstance(file_id, str) or not file_id:
            raise Rejected("This is not a file of Telegram.", provider_code="file_reference")
        address = parse_address(account.secrets, account.config)
        try:
            raw = await self._client.call(address, "getFile", {"file_id": file_id})
        except Rejected as refusal:
            raise too_big() if "file is too big" in refusal.message.lower() else refusal from None
        found = _decoded(raw, _FilePath)
        if not found.file_path:
            raise Rejected("The file is no longer at Telegram.", provider_code="file_gone")
        known = found.file_size if found.file_size is not None else size
        return await self._client.download(
            address, found.file_path, known if isinstance(known, int) else None
        )

    async def poll(self, account: Account, cursor: str | None) -> tuple[list[JournalPart], str | None]:
        """Wait up to 25 s for updates; the cursor is the ``offset`` that confirms what came before.

        Raises: Rejected when a webhook is set: only `disconnect` removes it. Temporary when another program
        polls the same bot.
        """
        params: dict[str, Any] = {
            "timeout": POLL_SECONDS,
            "limit": POLL_LIMIT,
            "allowed_updates": list(ALLOWED_UPDATES),
        }
        if cursor is not None:
            params["offset"] = _offset(cursor)
        address = parse_address(account.secrets, account.config)
        try:
            raw = await self._fetch_updates(address, params)
        except Rejected as refusal:
            raise _poll_refusal(refusal) from None
        parts, offset = parsing.split_batch([bytes(one) for one in _decoded(raw, list[msgspec.Raw])])
        return parts, cursor if offset is None else str(offset)

    async def _fetch_updates(self, address: Address, params: dict[str, Any]) -> msgspec.Raw:
        """Ask for a batch, and for one at a time where a batch is more than we take: no poll stands still for it."""
        try:
            return await self._client.call(address, "getUpdates", params, timeouts=_POLL_TIMEOUTS)
        except AnswerTooLarge:
            single = {**params, "limit": 1}
            return await self._client.call(address, "getUpdates", single, timeouts=_POLL_TIMEOUTS)

    # ---- the account

    async def connect(self, secrets: dict[str, str], config: dict[str, Any]) -> AccountInfo:
        """Ask the bot who it is. A malformed token is refused before anything is sent."""
        try:
            raw = await self._client.call(parse_address(secrets, config), "getMe")
        except Rejected as refusal:
            raise AccountBroken(refusal.message, **refusal.fields) from None
        bot = _decoded(raw, User)
        if not bot.is_bot:
            raise AccountBroken("This token does not belong to a bot.")
        username = clean_name(bot.username or "")
        name = clean_name(bot.first_name) or username or str(bot.id)
        return AccountInfo(address=str(bot.id), name=name, config={**config, "username": username})

    async def set_webhook(self, account: Account, url: str) -> None:
        """Have the kinds we read sent to ``url``: https on port 443, 80, 88 or 8443."""
        secret = account.secrets.get("webhook_secret", "")
        if not _SECRET.fullmatch(secret):
            raise AccountBroken("The webhook secret is missing or has characters that Telegram refuses.")
        params = {
            "url": url,
            "secret_token": secret,
            "allowed_updates": list(ALLOWED_UPDATES),
            "max_connections": WEBHOOK_CONNECTIONS,
        }
        await self._client.call(parse_address(account.secrets, account.config), "setWebhook", params)

    async def disconnect(self, account: Account) -> None:
        """Remove the webhook; what Telegram still holds stays for a poll or the next webhook."""
        await self._client.call(parse_address(account.secrets, account.config), "deleteWebhook", {})


def _message_ids(method: str, result: msgspec.Raw) -> list[str]:
    """Return the ids a call made. Raises Uncertain when it was done and its answer cannot be read."""
    if method == "deleteMessage":
        return []
    is_album = method == "sendMediaGroup"
    try:
        if is_album:
            made = msgspec.json.decode(result, type=list[_Result])
        else:
            made = [msgspec.json.decode(result, type=_Result)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise unreadable(is_repeatable=method.startswith("edit")) from None
    if not made:
        raise unreadable(is_repeatable=False)
    return [str(one.message_id) for one in made]


def _decoded(raw: msgspec.Raw, shape: Any) -> Any:
    """Read the result of a question. Raises Temporary: it may be asked again."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise unreadable(is_repeatable=True) from None


def _offset(cursor: str) -> int:
    digits = cursor.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 16:
        raise Rejected("This is not a cursor of Telegram.", provider_code="cursor")
    return int(cursor)


def _poll_refusal(refusal: Rejected) -> Rejected | Temporary:
    if refusal.fields.get("provider_code") == "409" and "webhook" not in refusal.message.lower():
        return Temporary(refusal.message, retry_after_seconds=POLL_CONFLICT_SECONDS, scope="inbox")
    return refusal
