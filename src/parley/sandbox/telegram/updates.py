"""The queue of updates and the two ways by which a bot gets them asked for: getUpdates, and the webhook's settings.

Source: core.telegram.org/bots/api#getting-updates. The sending to webhooks stands in `webhooks`.
"""

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit

from parley.sandbox.telegram.call import Call
from parley.sandbox.telegram.errors import bad_request, conflict, too_many
from parley.sandbox.telegram.rows import Update
from parley.sandbox.telegram.world import World
from parley.sandbox.wire import ClientGone

POLL_SECONDS_LIMIT = 50
BATCH_LIMIT = 100
KEPT_SECONDS = 24 * 3600
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
ON_REQUEST = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
KINDS = frozenset(
    [
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "business_connection",
        "business_message",
        "edited_business_message",
        "deleted_business_messages",
        "message_reaction",
        "message_reaction_count",
        "inline_query",
        "chosen_inline_result",
        "callback_query",
        "shipping_query",
        "pre_checkout_query",
        "purchased_paid_media",
        "poll",
        "poll_answer",
        "my_chat_member",
        "chat_member",
        "chat_join_request",
        "chat_boost",
        "removed_chat_boost",
    ]
)
_ONE_POLLER = "terminated by other getUpdates request; make sure that only one bot instance is running"
_HAS_WEBHOOK = (
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


def enqueue(world: World, bot_id: int, chat_id: int, kind: str, body: dict[str, Any]) -> int | None:
    """Queue an update, unless the bot did not ask for that kind. Its number, or None. Call `world.wake()` after."""
    bot = world.store.find_bot(bot_id)
    if bot is None:
        return None
    is_wanted = kind not in ON_REQUEST if bot.allowed_updates is None else kind in bot.allowed_updates
    if not is_wanted:
        return None
    return world.store.add_update(bot_id, chat_id, {kind: body}, world.clock())


async def get_updates(call: Call) -> list[dict[str, Any]]:
    """getUpdates: confirms all below `offset`, then waits up to `timeout` seconds for something to hand over."""
    world, bot = call.world, call.bot
    if bot.webhook:
        raise conflict(_HAS_WEBHOOK)
    _remember_kinds(call)
    end_polls(world, bot.id, _ONE_POLLER)
    me: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    world.polls[bot.id] = me
    try:
        _confirm(call)
        limit = min(max(call.integer("limit", BATCH_LIMIT), 1), BATCH_LIMIT)
        seconds = min(max(call.integer("timeout"), 0), POLL_SECONDS_LIMIT)
        if world.is_ending:
            seconds = 0
        return await _wait_for_batch(call, me, limit, seconds)
    finally:
        if world.polls.get(bot.id) is me:
            del world.polls[bot.id]


def end_polls(world: World, bot_id: int | None, reason: str) -> None:
    """Answer open polls: with 409 and this reason, or with an empty list when the reason is empty."""
    for polled, poll in list(world.polls.items()):
        if bot_id in (None, polled) and not poll.done():
            poll.set_result(reason)


async def _wait_for_batch(
    call: Call, me: asyncio.Future[str], limit: int, seconds: float
) -> list[dict[str, Any]]:
    world = call.world
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    gone = asyncio.ensure_future(call.wait_gone())
    try:
        while True:
            news = asyncio.ensure_future(world.news.wait())
            try:
                pending = world.store.list_pending(call.bot.id, limit)
                left = deadline - loop.time()
                if pending or left <= 0:
                    return _bend(world, call.bot.id, pending)
                waited: set[asyncio.Future[Any]] = {me, gone, news}
                await asyncio.wait(waited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
            if me.done():
                if not me.result():
                    return []
                raise conflict(me.result())
            if gone.done():
                raise ClientGone
    finally:
        gone.cancel()


def _bend(world: World, bot_id: int, pending: list[Update]) -> list[dict[str, Any]]:
    """The batch as handed over: faults may repeat updates or turn their order round."""
    rule = world.faults.find_reorder(bot_id) if len(pending) > 1 else None
    if rule is not None:
        world.faults.spend(rule)
        pending = pending[: rule.count][::-1] + pending[rule.count :]
    return [update.body for update in pending for _ in range(world.faults.take_copies(bot_id, update.lane))]


def _confirm(call: Call) -> None:
    store, bot_id = call.world.store, call.bot.id
    offset = call.integer("offset")
    if offset < 0:
        pending = store.list_pending(bot_id, -1)
        keep = pending[offset:]
        offset = keep[0].update_id if keep else 0
    if offset > 0:
        store.confirm_below(bot_id, offset)
    store.drop_created_before(call.world.clock() - KEPT_SECONDS)


def _remember_kinds(call: Call) -> None:
    """Absent: as before. Unknown names are passed over, as Telegram does."""
    kinds = call.json("allowed_updates", list)
    if kinds is not None:
        known = [kind for kind in kinds if isinstance(kind, str) and kind in KINDS]
        call.world.store.set_allowed_updates(call.bot.id, known)


async def set_webhook(call: Call) -> tuple[bool, str]:
    """setWebhook; an empty address removes it. The result and what happened."""
    url = call.text("url").strip()
    if not url:
        return await delete_webhook(call)
    world, bot = call.world, call.bot
    webhook = _read_webhook(call, url)
    has_same = bot.webhook == webhook
    if not has_same and world.clock() - bot.webhook_set_at < 1:
        raise too_many(1)
    _remember_kinds(call)
    if call.is_set("drop_pending_updates"):
        world.store.drop_pending(bot.id)
    end_polls(world, bot.id, "terminated by setWebhook request")
    world.store.set_webhook(bot.id, webhook, world.clock())
    world.wake()
    return True, "Webhook is already set" if has_same else "Webhook was set"


async def delete_webhook(call: Call) -> tuple[bool, str]:
    """deleteWebhook"""
    had = call.bot.webhook is not None
    if call.is_set("drop_pending_updates"):
        call.world.store.drop_pending(call.bot.id)
    if had:
        call.world.store.set_webhook(call.bot.id, None, 0)
    call.world.wake()
    return True, "Webhook was deleted" if had else "Webhook is already deleted"


def _read_webhook(call: Call, url: str) -> dict[str, Any]:
    """Raises: BotApiError for an address that the stand-in may not reach, or a secret that is none."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise bad_request("bad webhook: invalid webhook URL specified") from error
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable():
        raise bad_request("bad webhook: an HTTPS URL must be provided for webhook")
    if not call.world.is_reachable(host):
        raise bad_request("bad webhook: failed to resolve host: this stand-in reaches only this machine")
    secret = call.text("secret_token")
    if secret and not SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    return {
        "url": url,
        "secret_token": secret,
        "max_connections": min(max(call.integer("max_connections", 40), 1), 100),
        "has_custom_certificate": call.form.upload("certificate") is not None,
        "ip_address": call.text("ip_address")[:45],
    }


async def get_webhook_info(call: Call) -> dict[str, Any]:
    """getWebhookInfo"""
    bot = call.bot
    webhook = bot.webhook or {}
    info: dict[str, Any] = {
        "url": webhook.get("url", ""),
        "has_custom_certificate": webhook.get("has_custom_certificate", False),
        "pending_update_count": call.world.store.count_pending(bot.id),
    }
    if webhook:
        info["max_connections"] = webhook["max_connections"]
        info["ip_address"] = webhook["ip_address"] or "127.0.0.1"
    if bot.last_error:
        info |= {"last_error_date": bot.last_error["date"], "last_error_message": bot.last_error["message"]}
    if bot.allowed_updates is not None:
        info["allowed_updates"] = list(bot.allowed_updates)
    return info
