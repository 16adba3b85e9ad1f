"""What the parts of the stand-in share, and the rules about bots and chats that all of them keep."""

import asyncio
import ipaddress
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import Any

import httpx2

from parley.sandbox.telegram.errors import BLOCKED, CHAT_NOT_FOUND, bad_request, forbidden
from parley.sandbox.telegram.faults import Faults
from parley.sandbox.telegram.rows import Bot, Stored
from parley.sandbox.telegram.store import Store
from parley.sandbox.telegram.vault import Vault
from parley.sandbox.telegram.watchers import Watchers

TOKEN = re.compile(r"([1-9]\d{0,14}):([A-Za-z0-9_-]{35})")
_SECRET_LETTERS = string.ascii_letters + string.digits + "_-"


@dataclass(slots=True)
class World:
    """Open resources and live state of one sandbox. `clock` gives unix seconds."""

    store: Store
    vault: Vault
    fetch: httpx2.AsyncClient
    trusted_hosts: frozenset[str]
    clock: Any
    retry_seconds: float
    watchers: Watchers = field(default_factory=Watchers)
    faults: Faults = field(default_factory=Faults)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    polls: dict[int, asyncio.Future[str]] = field(default_factory=dict)
    is_ending: bool = False

    def wake(self) -> None:
        """Tell the long polls and the webhook sender that updates came or may go."""
        old, self.news = self.news, asyncio.Event()
        old.set()

    def is_reachable(self, host: str | None) -> bool:
        """Whether the stand-in may send a request there: this machine, or a host that its owner named.

        Everything else is refused, since whoever holds a token chooses these addresses.
        """
        if not host:
            return False
        if host == "localhost" or host.endswith(".localhost") or host in self.trusted_hosts:
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def new_bot(store: Store, name: str, at: float, token: str | None = None, username: str | None = None) -> Bot:
    """Register a bot; a token is made unless a well-formed one is given.

    Raises: ValueError for a token that is not well-formed, sqlite3.IntegrityError for a taken one.
    """
    with store.transaction():
        if token is None:
            bot_id = store.next_number("bot")
            token = f"{bot_id}:AA" + "".join(secrets.choice(_SECRET_LETTERS) for _ in range(33))
        match = TOKEN.fullmatch(token)
        if match is None:
            raise ValueError("a token is <digits>:<35 letters, digits, _ or ->")
        bot_id = int(match[1])
        store.add_bot(bot_id, token, name, username or _username(name, bot_id), at)
        bot = store.find_bot(bot_id)
    if bot is None:
        raise LookupError(bot_id)
    return bot


def _username(name: str, bot_id: int) -> str:
    """A free username that begins with a letter and ends in `bot`, as Telegram asks of bots."""
    words = "_".join(re.findall(r"[a-z0-9]+", name.lower())).lstrip("0123456789_")[:16]
    return f"{words.removesuffix('bot').strip('_') or 'sandbox'}_{bot_id % 10**9}_bot"


def bot_user(bot: Bot) -> dict[str, Any]:
    """The bot as a User object."""
    return {"id": bot.id, "is_bot": True, "first_name": bot.name, "username": bot.username}


def customer_user(customer: dict[str, Any]) -> dict[str, Any]:
    """The customer as a User object."""
    user = {"id": customer["id"], "is_bot": False, "first_name": customer["first_name"]}
    names = ("last_name", "username", "language_code")
    return {**user, **{name: customer[name] for name in names if customer[name]}}


def private_chat(customer: dict[str, Any]) -> dict[str, Any]:
    """The customer's chat with any bot as a Chat object."""
    chat = {"id": customer["id"], "type": "private", "first_name": customer["first_name"]}
    return {**chat, **{name: customer[name] for name in ("last_name", "username") if customer[name]}}


def require_chat(world: World, bot: Bot, chat_id: int | None) -> dict[str, Any]:
    """The customer behind a chat to which the bot may write. Raises: BotApiError."""
    customer = find_chat(world, bot, chat_id)
    blocked = world.store.find_blocked(bot.id, customer["id"])
    if blocked is None:
        raise forbidden("bot can't initiate conversation with a user")
    if blocked:
        raise forbidden(BLOCKED)
    return customer


def find_chat(world: World, bot: Bot, chat_id: int | None) -> dict[str, Any]:
    """The customer behind a chat, blocked or not. Raises: BotApiError "chat not found"."""
    customer = world.store.find_customer(chat_id) if chat_id else None
    if customer is None:
        raise bad_request(CHAT_NOT_FOUND)
    return customer


def message_object(world: World, bot_id: int, chat_id: int, stored: Stored) -> dict[str, Any]:
    """A stored message as a Message object, with the one that it answers while that exists."""
    if stored.reply_to is None:
        return stored.body
    original = world.store.find_message(bot_id, chat_id, stored.reply_to)
    return {**stored.body, "reply_to_message": original.body} if original else stored.body


def phone_message(world: World, bot_id: int, chat_id: int, stored: Stored) -> dict[str, Any]:
    """What the phone shows of a message: the Message object, whose it is and its reactions."""
    message = message_object(world, bot_id, chat_id, stored)
    return {**message, "is_outgoing": stored.is_outgoing, "reactions": stored.reactions}
