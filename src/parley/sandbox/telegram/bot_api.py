"""The Bot API's front door: finds the bot, reads the parameters, applies faults, runs the method, journals the call."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from parley.sandbox.forms import Form
from parley.sandbox.telegram import about, editing, sending, updates
from parley.sandbox.telegram.call import Call, plain_values, read_form
from parley.sandbox.telegram.errors import INVALID_TOKEN, NOT_FOUND, UNAUTHORIZED, BotApiError, bad_request
from parley.sandbox.telegram.faults import Rule
from parley.sandbox.telegram.rows import Bot
from parley.sandbox.telegram.world import TOKEN, World
from parley.sandbox.wire import (
    BodyTooLarge,
    MalformedBody,
    Request,
    reset_connection,
    send_file,
    send_json,
)

Method = Callable[[Call], Awaitable[Any]]

METHODS: dict[str, Method] = {
    "getme": about.get_me,
    "getchat": about.get_chat,
    "getchatmember": about.get_chat_member,
    "getuserprofilephotos": about.get_photos,
    "getfile": about.get_file,
    "setmycommands": about.set_commands,
    "getmycommands": about.get_commands,
    "deletemycommands": about.delete_commands,
    "close": about.accept,
    "logout": about.accept,
    "getupdates": updates.get_updates,
    "setwebhook": updates.set_webhook,
    "deletewebhook": updates.delete_webhook,
    "getwebhookinfo": updates.get_webhook_info,
    "sendmessage": sending.send_message,
    **dict.fromkeys(
        ("sendphoto", "senddocument", "sendvideo", "sendaudio", "sendvoice", "sendanimation", "sendsticker",
         "sendvideonote"), sending.send_media,
    ),
    "sendmediagroup": sending.send_media_group,
    "sendlocation": sending.send_location,
    "sendvenue": sending.send_venue,
    "sendcontact": sending.send_contact,
    "sendchataction": sending.send_chat_action,
    "forwardmessage": sending.forward_message,
    "copymessage": sending.copy_message,
    "editmessagetext": editing.edit_text,
    "editmessagecaption": editing.edit_caption,
    "editmessagemedia": editing.edit_media,
    "editmessagereplymarkup": editing.edit_markup,
    "deletemessage": editing.delete_message,
    "deletemessages": editing.delete_messages,
    "setmessagereaction": editing.set_reaction,
    "answercallbackquery": editing.answer_callback,
}  # fmt: skip
NOT_IN_ANSWERS = frozenset({"setwebhook", "deletewebhook", "close", "logout"})
_JOURNAL_TEXT = 500


async def serve_method(world: World, request: Request, token: str, name: str) -> None:
    """Answer `/bot<token>/<method>`."""
    method = name.lower()
    try:
        bot = require_bot(world, token)
        if method not in METHODS or request.method not in ("GET", "POST"):
            raise NOT_FOUND
        form = await _read(request, world)
    except BotApiError as error:
        await _send_error(request, error)
        return
    try:
        await _run_with_faults(request, Call(world, bot, method, form, request.wait_gone), name)
    finally:
        form.discard()


async def serve_file(world: World, request: Request, token: str, file_path: str) -> None:
    """Answer `/file/bot<token>/<file_path>` with the bytes."""
    try:
        bot = require_bot(world, token)
        file = world.store.find_file_at(bot.id, file_path)
        if file is None or request.method != "GET":
            raise NOT_FOUND
    except BotApiError as error:
        await _send_error(request, error)
        return
    rule = world.faults.take_for_call(bot.id, "downloadfile", None, world.clock())
    if rule is None or await _before(request, rule):
        await send_file(request.send, world.vault.path(file.blob), "application/octet-stream")


async def execute_answer(world: World, bot: Bot, content_type: str, body: bytes) -> None:
    """Run the call that a webhook answered with, if it is one; errors and results go nowhere, as at the provider."""
    try:
        values = plain_values(content_type, body)
    except MalformedBody:
        return
    name = values.pop("method", "")
    method = name.lower()
    if method not in METHODS or method.startswith("get") or method in NOT_IN_ANSWERS:
        return

    async def never() -> None:
        await asyncio.Event().wait()

    call = Call(world, bot, method, Form(values), never)
    status, answer = await _run(call)
    _journal(call, name, status, answer.get("description", ""), is_done=answer["ok"])


def require_bot(world: World, token: str) -> Bot:
    """The bot of a token. Raises: BotApiError 401."""
    match = TOKEN.fullmatch(token)
    if match is None:
        raise INVALID_TOKEN if ":" not in token or token.startswith("0") or len(token) > 80 else UNAUTHORIZED
    bot = world.store.find_bot(int(match[1]))
    if bot is None or not hmac.compare_digest(bot.token, token):
        raise UNAUTHORIZED
    return bot


async def _read(request: Request, world: World) -> Form:
    try:
        return await read_form(request, world)
    except BodyTooLarge as error:
        raise BotApiError(413, "Request Entity Too Large") from error
    except MalformedBody as error:
        raise bad_request(str(error)[:200]) from error


async def _run_with_faults(request: Request, call: Call, name: str) -> None:
    rule = call.world.faults.take_for_call(call.bot.id, call.method, call.chat_id, call.world.clock())
    if rule is not None:
        call.world.watchers.tell("faults")
        if not await _before(request, rule):
            _journal(
                call,
                name,
                rule.status if rule.action == "answer" else 0,
                f"fault: {rule.action}",
                is_done=False,
            )
            return
    status, answer = await _run(call)
    _journal(call, name, status, answer.get("description", ""), is_done=answer["ok"])
    if rule is not None and rule.action == "hang_after":
        await asyncio.sleep(rule.seconds)
    if rule is not None and rule.action == "reset_after":
        await reset_connection(request)
        return
    await _send(request, status, answer)


async def _before(request: Request, rule: Rule) -> bool:
    """What a fault does before the work; whether the work is to be done."""
    if rule.action == "answer":
        await _send_error(request, rule.error())
        return False
    if rule.action == "reset_before":
        await reset_connection(request)
        return False
    if rule.action == "slow":
        await asyncio.sleep(rule.seconds)
    if rule.action == "hang_before":
        try:
            await asyncio.wait_for(request.wait_gone(), rule.seconds)
        except TimeoutError:
            return True
        return False
    return True


async def _run(call: Call) -> tuple[int, dict[str, Any]]:
    """The method's answer. Methods return a value, or a value and what happened."""
    try:
        result = await METHODS[call.method](call)
    except BotApiError as error:
        return error.status, error.body()
    if isinstance(result, tuple):
        return 200, {"ok": True, "result": result[0], "description": result[1]}
    return 200, {"ok": True, "result": result}


async def _send_error(request: Request, error: BotApiError) -> None:
    await _send(request, error.status, error.body())


async def _send(request: Request, status: int, answer: dict[str, Any]) -> None:
    retry_after = answer.get("parameters", {}).get("retry_after")
    headers = [("Retry-After", str(retry_after))] if retry_after is not None else []
    await send_json(request.send, status, answer, headers)


def _journal(call: Call, name: str, status: int, description: str, *, is_done: bool) -> None:
    if call.method == "getupdates" and is_done:
        return
    params = {key: value[:_JOURNAL_TEXT] for key, value in call.form.values.items() if key != "secret_token"}
    params |= {key: f"<file {uploads[0].name}>" for key, uploads in call.form.uploads.items()}
    answer = {"status": status, "is_done": is_done, "description": description, "params": params}
    call.world.store.add_call(call.world.clock(), call.bot.id, name[:64], call.chat_id, answer)
    call.world.watchers.tell("call", call.bot.id)
