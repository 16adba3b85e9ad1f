"""Methods that tell about the bot, a chat or a file, and the small settings of a bot."""

from typing import Any

from parley.sandbox.telegram.call import Call
from parley.sandbox.telegram.errors import bad_request
from parley.sandbox.telegram.posting import require_chat_id
from parley.sandbox.telegram.world import bot_user, customer_user, find_chat, private_chat

DOWNLOAD_LIMIT_BYTES = 20 * 1024 * 1024


async def get_me(call: Call) -> dict[str, Any]:
    """getMe"""
    unable = (
        "can_read_all_group_messages",
        "supports_inline_queries",
        "can_connect_to_business",
        "has_main_web_app",
    )
    return {**bot_user(call.bot), "can_join_groups": True, **dict.fromkeys(unable, False)}


async def get_chat(call: Call) -> dict[str, Any]:
    """getChat"""
    customer = find_chat(call.world, call.bot, require_chat_id(call))
    gifts = dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"),
        False,
    )
    usernames = {"active_usernames": [customer["username"]]} if customer["username"] else {}
    return {
        **private_chat(customer),
        **usernames,
        "accent_color_id": customer["id"] % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": gifts,
    }


async def get_chat_member(call: Call) -> dict[str, Any]:
    """getChatMember"""
    customer = find_chat(call.world, call.bot, require_chat_id(call))
    if call.integer("user_id") == call.bot.id:
        return {"status": "member", "user": bot_user(call.bot)}
    if call.integer("user_id") != customer["id"]:
        raise bad_request("user not found")
    return {"status": "member", "user": customer_user(customer)}


async def get_photos(call: Call) -> dict[str, Any]:
    """getUserProfilePhotos: the customers of the sandbox have none."""
    if call.world.store.find_customer(call.integer("user_id")) is None:
        raise bad_request("user not found")
    return {"total_count": 0, "photos": []}


async def get_file(call: Call) -> dict[str, Any]:
    """getFile"""
    file = call.world.store.find_file(call.bot.id, call.text("file_id"))
    if file is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    size: int = file.shape["file_size"]
    if size > DOWNLOAD_LIMIT_BYTES:
        raise bad_request("file is too big")
    unique = file.shape["file_unique_id"]
    return {"file_id": file.file_id, "file_unique_id": unique, "file_size": size, "file_path": file.file_path}


async def set_commands(call: Call) -> bool:
    """setMyCommands; scopes and languages are not told apart."""
    commands = call.json("commands", list) or []
    for command in commands:
        if not isinstance(command, dict) or not command.get("command") or not command.get("description"):
            raise bad_request("can't parse BotCommand: expected command and description")
    call.world.store.set_commands(call.bot.id, commands[:100])
    return True


async def get_commands(call: Call) -> list[Any]:
    """getMyCommands"""
    return call.bot.commands


async def delete_commands(call: Call) -> bool:
    """deleteMyCommands"""
    call.world.store.set_commands(call.bot.id, [])
    return True


async def accept(call: Call) -> bool:
    """close, logOut: accepted, nothing follows."""
    return True
