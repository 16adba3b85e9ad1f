"""What the control API is asked: the request in its context, and the bodies, each checked while it is decoded."""

import re
from typing import Any, TypeVar

import msgspec

from parley.sandbox.telegram.call import PLAIN_LIMIT_BYTES
from parley.sandbox.telegram.rows import Bot
from parley.sandbox.telegram.webhooks import WebhookSender
from parley.sandbox.telegram.world import World
from parley.sandbox.wire import Request, int_or

LIST_LIMIT = 5000

T = TypeVar("T")


class ControlError(Exception):
    """A refused control request: kind, HTTP status and text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def absent(what: str) -> ControlError:
    return ControlError(404, "not_found", f"There is no such {what}.")


def malformed(message: str) -> ControlError:
    return ControlError(422, "malformed", message)


class Context(msgspec.Struct):
    """What a route is given; `ids` are the numbers in its path."""

    world: World
    sender: WebhookSender
    request: Request
    ids: tuple[str, ...]

    @property
    def bot(self) -> Bot:
        bot = self.world.store.find_bot(int_or(self.ids[0], 0))
        if bot is None:
            raise absent("bot")
        return bot

    @property
    def customer_id(self) -> int:
        customer_id = int_or(self.ids[1], 0)
        if self.world.store.find_customer(customer_id) is None:
            raise absent("customer")
        return customer_id

    @property
    def message_id(self) -> int:
        return int_or(self.ids[2], 0)

    def number(self, name: str) -> int | None:
        """A number of the query string."""
        return int_or(self.request.query().get(name), 0) or None

    @property
    def limit(self) -> int:
        return min(max(self.number("limit") or LIST_LIMIT, 1), LIST_LIMIT)

    async def read(self, kind: type[T]) -> T:
        """The JSON body as that type. Raises: ControlError."""
        raw = await self.request.body(PLAIN_LIMIT_BYTES)
        try:
            return msgspec.json.decode(raw or b"{}", type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise malformed(str(error)) from error


class NewBot(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    token: str | None = None
    username: str | None = None

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 64:
            raise ValueError("name must have 1 to 64 characters")
        if self.username is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{3,31}", self.username):
            raise ValueError("username must have 4 to 32 letters, digits or _")


class NewCustomer(msgspec.Struct, forbid_unknown_fields=True):
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = ""

    def __post_init__(self) -> None:
        if not self.first_name.strip() or max(len(self.first_name), len(self.last_name)) > 64:
            raise ValueError("first_name must have 1 to 64 characters, last_name at most 64")
        if self.username and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{3,31}", self.username):
            raise ValueError("username must have 4 to 32 letters, digits or _")
        if self.language_code and not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?", self.language_code):
            raise ValueError("language_code must be like ru or pt-BR")


class Words(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    entities: list[dict[str, Any]] | None = None
    reply_to: int | None = None
    quote: str = ""
    quote_position: int = 0


class Place(msgspec.Struct, forbid_unknown_fields=True):
    latitude: float
    longitude: float
    reply_to: int | None = None

    def __post_init__(self) -> None:
        if abs(self.latitude) > 90 or abs(self.longitude) > 180:
            raise ValueError("that is not on Earth")


class Phone(msgspec.Struct, forbid_unknown_fields=True):
    phone_number: str
    first_name: str = ""


class Edit(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class Reaction(msgspec.Struct, forbid_unknown_fields=True):
    emoji: str

    def __post_init__(self) -> None:
        if len(self.emoji) > 16:
            raise ValueError("one emoji at most")


class Press(msgspec.Struct, forbid_unknown_fields=True):
    data: str


class Repeat(msgspec.Struct, forbid_unknown_fields=True):
    update_id: int
    copies: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.copies <= 50 or abs(self.update_id) > 2**53:
            raise ValueError("copies must be 1 to 50")
