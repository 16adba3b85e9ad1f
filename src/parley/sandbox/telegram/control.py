"""The control API, JSON in and out: the customer's hands, the fault switches, and what the provider saw.

Everything below `/control/`; an error is `{"error": {"code", "message", "fields"}}`.

| request | does |
|---|---|
| GET `state` | bots (with tokens), customers, faults |
| POST `bots` {name, token?, username?} | create a bot: {id, token, username, name} |
| DELETE `bots/<bot>` | revoke it: its token answers 401 |
| POST `customers` {first_name, last_name?, username?, language_code?} | create a customer |
| GET `bots/<bot>/chats/<customer>` | the chat: {customer, is_blocked, messages} |
| POST `.../text` {text, entities?, reply_to?, quote?, quote_position?} | write; answers {messages} |
| POST `.../media` multipart: kind, files, caption?, duration?, reply_to?, quote? | photos, documents ...: several are an album |
| POST `.../location` {latitude, longitude, reply_to?} | send a place |
| POST `.../contact` {phone_number, first_name?} | send a phone number; without a name the own one |
| POST `.../messages/<id>/edit` {text} | edit an own message |
| POST `.../messages/<id>/reaction` {emoji} | react; "" takes it off |
| POST `.../messages/<id>/press` {data} | press a button |
| DELETE `.../messages/<id>` | delete a message |
| POST `.../block`, `.../unblock` | block the bot (then 403), or not |
| GET, POST, DELETE `faults`, DELETE `faults/<id>` | rules of `faults.Rule`; answers {faults} |
| GET `accepted` ?bot_id&chat_id&limit | every message that the provider accepted from bots: {count of all, the first messages} |
| GET `calls` ?bot_id&limit | journal of calls, newest first, and {counts: {method: {arrived, accepted}}} |
| GET `attempts` ?bot_id&limit | journal of webhook requests and their answers, newest first |
| GET `updates` ?bot_id | updates that nobody confirmed yet |
| POST `bots/<bot>/repeat` {update_id, copies} | send a known update to the webhook again, so many at once; {statuses} |
| GET `files/<bot>/<file_id>` | the bytes of a file, for the phone |
| GET `events` ?bot_id&chat_id | server-sent events: message, edited, deleted, action, chat, callback_answer, faults, call, attempt |
"""

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from parley.sandbox.forms import Form, read_multipart
from parley.sandbox.telegram import customer
from parley.sandbox.telegram.call import BODY_LIMIT_BYTES
from parley.sandbox.telegram.control_requests import (
    Context,
    ControlError,
    Edit,
    NewBot,
    NewCustomer,
    Phone,
    Place,
    Press,
    Reaction,
    Repeat,
    Words,
    absent,
    malformed,
)
from parley.sandbox.telegram.errors import BotApiError
from parley.sandbox.telegram.faults import Rule, describe
from parley.sandbox.telegram.posting import Reply
from parley.sandbox.telegram.rows import Bot
from parley.sandbox.telegram.webhooks import WebhookSender
from parley.sandbox.telegram.world import World, new_bot, phone_message
from parley.sandbox.wire import BodyTooLarge, MalformedBody, Request, int_or, send_file, send_json

HISTORY_LIMIT = 300
KEEPALIVE_SECONDS = 15
INLINE_TYPES = re.compile(r"(?:image/(?:jpeg|png|gif|webp)|audio/[\w.+-]+|video/[\w.+-]+)")
KINDS = ("photo", "document", "video", "audio", "voice", "animation", "sticker", "video_note")


async def show_state(context: Context) -> Any:
    world = context.world
    bots = [_bot_facts(bot) for bot in world.store.list_bots()]
    return {"bots": bots, "customers": world.store.list_customers(), "faults": _faults(world)["faults"]}


async def create_bot(context: Context) -> Any:
    given = await context.read(NewBot)
    world = context.world
    try:
        bot = new_bot(world.store, given.name.strip(), world.clock(), given.token, given.username)
    except ValueError as error:
        raise malformed(str(error)) from error
    except sqlite3.IntegrityError as error:
        raise ControlError(409, "bot_exists", "A bot with this token or username exists.") from error
    world.watchers.tell("bots")
    return _bot_facts(bot)


async def revoke_bot(context: Context) -> Any:
    context.world.store.remove_bot(context.bot.id)
    context.world.watchers.tell("bots")
    return {}


async def create_customer(context: Context) -> Any:
    given = await context.read(NewCustomer)
    return customer.add_customer(
        context.world, given.first_name.strip(), given.last_name.strip(), given.username, given.language_code
    )


async def show_chat(context: Context) -> Any:
    world, bot, customer_id = context.world, context.bot, context.customer_id
    stored = world.store.list_messages(bot.id, customer_id, HISTORY_LIMIT)
    return {
        "customer": world.store.find_customer(customer_id),
        "is_blocked": bool(world.store.find_blocked(bot.id, customer_id)),
        "messages": [phone_message(world, bot.id, customer_id, one) for one in stored],
    }


async def say_text(context: Context) -> Any:
    given = await context.read(Words)
    content = customer.text_content(given.text, given.entities)
    return _say(context, [content], given.reply_to, given.quote, given.quote_position)


async def say_media(context: Context) -> Any:
    world, bot, customer_id = context.world, context.bot, context.customer_id
    form = await read_multipart(context.request, world.vault.incoming, BODY_LIMIT_BYTES)
    try:
        values = form.values
        kind = values.get("kind", "document")
        if kind not in KINDS:
            raise malformed(f"kind must be one of {', '.join(KINDS)}")
        contents = await customer.media_contents(
            world, bot, kind, _files(form), values.get("caption", ""), dict(values)
        )
        reply_to = int_or(values.get("reply_to"), 0) or None
        reply = customer.reply_to(world, bot, customer_id, reply_to, values.get("quote", ""), 0)
        return {"messages": customer.say(world, bot, customer_id, contents, reply)}
    finally:
        form.discard()


async def say_location(context: Context) -> Any:
    given = await context.read(Place)
    place = {"latitude": given.latitude, "longitude": given.longitude}
    return _say(context, [{"location": place}], given.reply_to)


async def say_contact(context: Context) -> Any:
    given = await context.read(Phone)
    own = context.world.store.find_customer(context.customer_id) or {}
    contact = {
        "phone_number": given.phone_number[:32],
        "first_name": given.first_name[:64] or own["first_name"],
    }
    return _say(
        context, [{"contact": contact if given.first_name else {**contact, "user_id": own["id"]}}], None
    )


async def edit_message(context: Context) -> Any:
    given = await context.read(Edit)
    ids = (context.customer_id, context.message_id)
    return {"message": customer.edit(context.world, context.bot, *ids, given.text)}


async def delete_message(context: Context) -> Any:
    customer.delete(context.world, context.bot, context.customer_id, context.message_id)
    return {}


async def react(context: Context) -> Any:
    given = await context.read(Reaction)
    customer.react(context.world, context.bot, context.customer_id, context.message_id, given.emoji)
    return {}


async def press(context: Context) -> Any:
    given = await context.read(Press)
    ids = (context.customer_id, context.message_id)
    return {"callback_query_id": str(customer.press(context.world, context.bot, *ids, given.data))}


async def block(context: Context) -> Any:
    customer.set_blocked(context.world, context.bot, context.customer_id, True)
    return {"is_blocked": True}


async def unblock(context: Context) -> Any:
    customer.set_blocked(context.world, context.bot, context.customer_id, False)
    return {"is_blocked": False}


async def list_faults(context: Context) -> Any:
    return _faults(context.world)


async def add_fault(context: Context) -> Any:
    rule = await context.read(Rule)
    try:
        context.world.faults.add(rule)
    except ValueError as error:
        raise malformed(str(error)) from error
    context.world.watchers.tell("faults")
    return {**_faults(context.world), "id": rule.id}


async def clear_faults(context: Context) -> Any:
    context.world.faults.remove(int_or(context.ids[0], 0) if context.ids else None)
    context.world.watchers.tell("faults")
    return _faults(context.world)


async def list_accepted(context: Context) -> Any:
    store, where = context.world.store, (context.number("bot_id"), context.number("chat_id"))
    found = store.list_accepted(*where, context.limit)
    messages = [{**one.body, "reply_to": one.reply_to, "is_deleted": one.is_deleted} for one in found]
    return {"count": store.count_accepted(*where), "messages": messages}


async def list_calls(context: Context) -> Any:
    store, bot_id = context.world.store, context.number("bot_id")
    return {"calls": store.list_calls(bot_id, context.limit), "counts": store.list_call_counts(bot_id)}


async def list_attempts(context: Context) -> Any:
    return {"attempts": context.world.store.list_attempts(context.number("bot_id"), context.limit)}


async def list_updates(context: Context) -> Any:
    pending = context.world.store.list_pending(context.number("bot_id") or 0, context.limit)
    return {"updates": [{**one.body, "attempts": one.attempts, "due_at": one.due_at} for one in pending]}


async def repeat_update(context: Context) -> Any:
    given = await context.read(Repeat)
    bot = context.bot
    update = context.world.store.find_update(bot.id, given.update_id)
    if update is None or bot.webhook is None:
        raise absent("update, or the bot has no webhook")
    answers = await asyncio.gather(*(context.sender.post(bot, update) for _ in range(given.copies)))
    return {"statuses": [answer.status for answer in answers]}


async def show_file(context: Context) -> None:
    """The bytes for the phone; what a browser might run is only offered for download."""
    file = context.world.store.find_file(int_or(context.ids[0], 0), context.ids[1])
    if file is None:
        raise absent("file")
    mime = "image/jpeg" if file.kind in ("photo", "thumbnail") else str(file.shape.get("mime_type", ""))
    is_shown = INLINE_TYPES.fullmatch(mime) is not None
    headers = [
        ("content-disposition", "inline" if is_shown else "attachment"),
        ("cache-control", "private, max-age=3600"),
    ]
    path = context.world.vault.path(file.blob)
    await send_file(context.request.send, path, mime if is_shown else "application/octet-stream", headers)


async def stream_events(context: Context) -> None:
    """Server-sent events until either side ends; a page reads the chat anew whenever it (re)connects."""
    world, request = context.world, context.request
    watcher = world.watchers.open(context.number("bot_id"), context.number("chat_id"))
    start = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await request.send({"type": "http.response.start", "status": 200, "headers": start})
    gone = asyncio.ensure_future(request.wait_gone())
    try:
        piece: bytes | None = b'data: {"kind":"open"}\n\n'
        while piece is not None and not gone.done():
            await request.send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await _next_piece(watcher.news, gone)
        if not gone.done():
            await request.send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        world.watchers.close(watcher)


async def _next_piece(
    news: "asyncio.Queue[dict[str, Any] | None]", gone: "asyncio.Future[None]"
) -> bytes | None:
    fresh = asyncio.ensure_future(news.get())
    try:
        waited: set[asyncio.Future[Any]] = {fresh, gone}
        await asyncio.wait(waited, timeout=KEEPALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if fresh.done():
            event = fresh.result()
            return None if event is None else b"data: " + msgspec.json.encode(event) + b"\n\n"
        return b": still here\n\n"
    finally:
        fresh.cancel()


Route = tuple[str, re.Pattern[str], Callable[[Context], Awaitable[Any]]]
_CHAT = r"bots/(\d+)/chats/(\d+)"


def _route(method: str, path: str, run: Callable[[Context], Awaitable[Any]]) -> Route:
    return method, re.compile("/control/" + path), run


ROUTES: tuple[Route, ...] = (
    _route("GET", "state", show_state),
    _route("POST", "bots", create_bot),
    _route("DELETE", r"bots/(\d+)", revoke_bot),
    _route("POST", r"bots/(\d+)/repeat", repeat_update),
    _route("POST", "customers", create_customer),
    _route("GET", _CHAT, show_chat),
    _route("POST", _CHAT + "/text", say_text),
    _route("POST", _CHAT + "/media", say_media),
    _route("POST", _CHAT + "/location", say_location),
    _route("POST", _CHAT + "/contact", say_contact),
    _route("POST", _CHAT + r"/messages/(\d+)/edit", edit_message),
    _route("POST", _CHAT + r"/messages/(\d+)/reaction", react),
    _route("POST", _CHAT + r"/messages/(\d+)/press", press),
    _route("DELETE", _CHAT + r"/messages/(\d+)", delete_message),
    _route("POST", _CHAT + "/block", block),
    _route("POST", _CHAT + "/unblock", unblock),
    _route("GET", "faults", list_faults),
    _route("POST", "faults", add_fault),
    _route("DELETE", "faults", clear_faults),
    _route("DELETE", r"faults/(\d+)", clear_faults),
    _route("GET", "accepted", list_accepted),
    _route("GET", "calls", list_calls),
    _route("GET", "attempts", list_attempts),
    _route("GET", "updates", list_updates),
    _route("GET", r"files/(\d+)/([\w-]+)", show_file),
    _route("GET", "events", stream_events),
)


async def serve_control(world: World, sender: WebhookSender, request: Request) -> None:
    """Answer one control request."""
    try:
        await _answer(world, sender, request)
    except ControlError as error:
        await send_refusal(request, error.status, error.code, str(error))
    except BotApiError as error:
        await send_refusal(request, 422, "malformed", error.description)
    except MalformedBody as error:
        await send_refusal(request, 422, "malformed", str(error))
    except BodyTooLarge:
        await send_refusal(request, 413, "too_large", "The request is too large.")


async def send_refusal(request: Request, status: int, code: str, message: str) -> None:
    """The one shape of an error."""
    await send_json(request.send, status, {"error": {"code": code, "message": message, "fields": {}}})


async def _answer(world: World, sender: WebhookSender, request: Request) -> None:
    for method, pattern, run in ROUTES:
        match = pattern.fullmatch(request.path)
        if match and method == request.method:
            result = await run(Context(world, sender, request, match.groups()))
            if result is not None:
                await send_json(request.send, 200, result, [("cache-control", "no-store")])
            return
    raise absent("path")


def _say(
    context: Context, contents: list[Any], message_id: int | None, quote: str = "", position: int = 0
) -> Any:
    world, bot, customer_id = context.world, context.bot, context.customer_id
    if message_id is not None and abs(message_id) > 2**53:
        raise malformed("reply_to is no message id")
    reply: Reply = customer.reply_to(world, bot, customer_id, message_id, quote, position)
    return {"messages": customer.say(world, bot, customer_id, contents, reply)}


def _files(form: Form) -> list[Any]:
    return [upload for uploads in form.uploads.values() for upload in uploads]


def _faults(world: World) -> dict[str, Any]:
    return {"faults": [describe(rule) for rule in world.faults.list_rules()]}


def _bot_facts(bot: Bot) -> dict[str, Any]:
    return {
        "id": bot.id,
        "token": bot.token,
        "name": bot.name,
        "username": bot.username,
        "webhook_url": bot.webhook["url"] if bot.webhook else "",
        "last_error": bot.last_error,
    }
