"""What a channel is to the desk: the words between an adapter and the rest.

An adapter knows its provider and nothing of our tables. Parsing (`split`, `parse`) and formatting (`plan`)
are pure; `perform`, `fetch_media`, `connect` and `disconnect` do I/O through `parley.infra.http_client`. A
provider's answer becomes one of five errors, and the error alone decides what happens next.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from parley.kit.errors import Kind, ParleyError

# ---------------------------------------------------------------- what comes in

AttachmentKind = Literal["image", "video", "audio", "voice", "animation", "sticker", "file"]


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    """Formatting of a stretch of text; ``offset`` and ``length`` in UTF-16 units.

    kinds: bold italic underline strikethrough spoiler code pre blockquote link mention hashtag command url
    email phone. ``url`` for link, ``language`` for pre.
    """

    kind: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


class IncomingAttachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file at the provider, to be fetched later by ``reference`` (opaque to all but the adapter)."""

    kind: AttachmentKind
    reference: dict[str, Any]
    name: str | None = None
    content_type: str | None = None
    size_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """The contact at the provider. ``address`` is unique within the inbox; it is what we answer to."""

    address: str
    name: str
    username: str | None = None
    language: str | None = None
    phone: str | None = None


class Quote(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a message replies to: the provider's id of it, and the words quoted, if some were."""

    provider_id: str
    text: str | None = None


class Incoming(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fields of everything that happens at the provider. ``chat`` keys the conversation at the provider."""

    chat: str
    person: Person
    at: dt.datetime


class IncomingMessage(Incoming, frozen=True, kw_only=True, omit_defaults=True, tag="message"):
    """A message from the contact. ``group_id`` joins the items of an album into one message."""

    provider_id: str
    text: str = ""
    entities: Sequence[Entity] = ()
    attachments: Sequence[IncomingAttachment] = ()
    reply_to: Quote | None = None
    group_id: str | None = None
    forwarded_from: str | None = None
    extra: dict[str, Any] = {}


class IncomingEdit(Incoming, frozen=True, kw_only=True, omit_defaults=True, tag="edit"):
    """The contact changed a message; ``revision`` names the edit (the provider's edit time, say)."""

    provider_id: str
    revision: str
    text: str = ""
    entities: Sequence[Entity] = ()


class IncomingReach(Incoming, frozen=True, kw_only=True, omit_defaults=True, tag="reach"):
    """The contact blocked or unblocked us."""

    is_reachable: bool


class Ignored(msgspec.Struct, frozen=True, tag="ignored"):
    """An update we do not act on; ``reason`` is kept in the journal."""

    reason: str


Parsed = IncomingMessage | IncomingEdit | IncomingReach | Ignored


class JournalPart(msgspec.Struct, frozen=True):
    """One item of a raw body: what to keep, and the lane within which order matters."""

    lane: str
    body: bytes


# ---------------------------------------------------------------- what goes out


class OutgoingAttachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of ours to send; :class:`MediaSource` opens its bytes by ``key`` at send time."""

    kind: AttachmentKind
    key: str
    name: str
    content_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None


class OutgoingMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message for the contact, in our words. ``reply_to`` carries the provider's id of what is quoted."""

    chat: str
    text: str = ""
    entities: Sequence[Entity] = ()
    attachments: Sequence[OutgoingAttachment] = ()
    reply_to: Quote | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One provider call of a plan: a method, its parameters, the files to upload by part name.

    ``weight``: how many messages the provider counts it as (an album of five is five).
    """

    method: str
    params: dict[str, Any]
    files: dict[str, OutgoingAttachment] = {}
    weight: int = 1


class Sent(msgspec.Struct, frozen=True):
    """The provider took the call; its ids of the message(s) that came of it, in order.

    An edit gives the id of the edited message, a deletion none.
    """

    provider_ids: list[str]


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an adapter needs to speak for an inbox. ``secrets`` never reaches a log, URL or error."""

    inbox_id: str
    secrets: dict[str, str]
    config: dict[str, Any]


class AccountInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of the account: a stable address of it, a name to show, what to remember."""

    address: str
    name: str
    config: dict[str, Any]


class Limits(msgspec.Struct, frozen=True):
    """Token buckets of a channel: messages a second in one chat and in one inbox, with their bursts."""

    chat_per_second: float
    chat_burst: int
    inbox_per_second: float
    inbox_burst: int


class Features(msgspec.Struct, frozen=True):
    """What a channel can do, for the composer to offer. Lengths in UTF-16 units, sizes in bytes."""

    text_limit: int
    caption_limit: int
    album_limit: int
    upload_limit_bytes: int
    can_edit: bool
    can_delete: bool
    can_reply: bool
    has_receipts: bool
    can_poll: bool


# ---------------------------------------------------------------- the five errors


class SendError(ParleyError):
    """The provider did not take the message."""

    code = "send_error"
    kind = Kind.UNAVAILABLE


class Temporary(SendError):
    """The provider cannot take it now; it may be tried again after ``retry_after_seconds``.

    Only for answers that prove nothing was done (429, 5xx before work, connection refused). ``scope`` says
    whether the whole inbox or one chat has to wait.
    """

    code = "temporary"

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after_seconds: float | None = None,
        scope: Literal["chat", "inbox"] = "chat",
    ) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds
        self.scope = scope


class RecipientGone(SendError):
    """The contact cannot be reached in this channel any more."""

    code = "recipient_gone"


class Rejected(SendError):
    """The provider refused this message, and would refuse it again."""

    code = "rejected"


class Unsupported(SendError):
    """This channel cannot carry that."""

    code = "unsupported"


class AccountBroken(SendError):
    """The account itself does not work: its token was revoked, or it was disabled."""

    code = "account_broken"


class Uncertain(ParleyError):
    """The call may have reached the provider and its answer never came; nobody knows.

    Not one of the five: it becomes the ledger's ``unknown`` and is never repeated by itself.
    """

    code = "uncertain"
    kind = Kind.UNAVAILABLE


class BadUpdate(ParleyError):
    """The provider's payload does not have the shape its documentation promises."""

    code = "bad_update"
    kind = Kind.MALFORMED


# ---------------------------------------------------------------- the port


class MediaSource(Protocol):
    """Where an adapter gets the bytes it uploads."""

    def open(self, key: str) -> AsyncIterator[bytes]:
        """Stream the object in chunks. Raises NotFound when it is not there."""
        ...


class FetchedMedia(msgspec.Struct):
    """A file on its way from the provider. ``size_bytes`` when the provider says it; chunks are not checked.

    Iterating raises Temporary when the file breaks off, Rejected when it grows over the channel's limit. Read
    ``chunks`` to the end or call :meth:`aclose`: a connection hangs on it.
    """

    chunks: AsyncIterator[bytes]
    size_bytes: int | None
    content_type: str | None

    async def aclose(self) -> None:
        """Let go of the connection. Repeat: harmless."""
        close = getattr(self.chunks, "aclose", None)
        if close is not None:
            await close()


class Adapter(Protocol):
    """A provider, as the desk sees it. Stateless but for its HTTP client: one per process and channel."""

    channel: str
    limits: Limits
    features: Features

    def is_authentic(self, account: Account, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether a webhook request comes from the provider. Constant time. Header names in lower case."""
        ...

    def split(self, body: bytes) -> list[JournalPart]:
        """Cut a raw body into items with their lanes; cheap and pure. Raises BadUpdate."""
        ...

    def parse(self, account: Account, body: bytes) -> list[Parsed]:
        """Read one item; pure. Raises BadUpdate with the path of what is wrong."""
        ...

    def plan(self, account: Account, message: OutgoingMessage) -> list[Call]:
        """Turn a message into calls, in order; pure. Raises Unsupported or Rejected."""
        ...

    def plan_edit(
        self, account: Account, message: OutgoingMessage, provider_ids: Sequence[str]
    ) -> list[Call]:
        """Calls that change a sent message (ids of its parts, in order). Raises Unsupported."""
        ...

    def plan_delete(self, account: Account, chat: str, provider_ids: Sequence[str]) -> list[Call]:
        """Calls that take a sent message back. Raises Unsupported."""
        ...

    async def perform(self, account: Account, call: Call, media: MediaSource) -> Sent:
        """Do one call. Raises one of the five SendErrors, or Uncertain.

        Edits and deletions are safe to repeat, so they give Temporary where a send gives Uncertain.
        """
        ...

    async def fetch_media(self, account: Account, reference: dict[str, Any]) -> FetchedMedia:
        """Open a file at the provider. Raises Temporary, Rejected (too big, gone), AccountBroken."""
        ...

    async def connect(self, secrets: dict[str, str], config: dict[str, Any]) -> AccountInfo:
        """Check credentials with the provider. Raises AccountBroken (refused), Temporary (out of reach)."""
        ...

    async def set_webhook(self, account: Account, url: str) -> None:
        """Have updates sent to ``url`` with the account's secret. Repeat: harmless.

        Raises: Temporary, AccountBroken, Rejected (the provider does not take this address).
        """
        ...

    async def disconnect(self, account: Account) -> None:
        """Stop updates from coming. Repeat: harmless. Raises Temporary, AccountBroken."""
        ...

    async def poll(self, account: Account, cursor: str | None) -> tuple[list[JournalPart], str | None]:
        """Wait for updates (at most 30 s) and return them with the cursor to confirm them by on the next
        call.

        Only where ``features.can_poll``. Repeat with an older cursor: the same updates again. Raises
        Temporary, AccountBroken, and Rejected when a webhook is set elsewhere (``disconnect`` removes it).
        """
        ...
