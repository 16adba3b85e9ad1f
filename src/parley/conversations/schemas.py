"""Shapes of conversations as clients see them: public ids, JSON values, nothing internal."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from parley.kit.text import clean_text, utf16_length
from parley.media.attachments import MediaKind, MediaState

ConversationKind = Literal["direct", "group", "broadcast", "desk"]
MessageKind = Literal["text", "note", "system"]
Role = Literal["owner", "moderator", "member", "reader"]

TEXT_LIMIT = 20_000
"""Characters in one message at the most; a channel may split it into several of the provider's."""

PLAIN = r"^[^\x00-\x1f\x7f]*$"
"""A key or an address: nothing that cannot be stored or shown, since it is kept as it comes."""


class Cursor(msgspec.Struct, frozen=True):
    """The last event of a stream that a reader has applied. A tag tells a number reused after a restore."""

    number: Annotated[int, Meta(ge=0, le=2**53)]
    tag: Annotated[int, Meta(ge=-(2**31), lt=2**31)]


class ActorRef(msgspec.Struct, frozen=True):
    """Who: enough to show a name."""

    id: str
    kind: Literal["user", "contact", "bot"]
    name: str


class EntityJson(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Formatting of a stretch of text; offsets in UTF-16 units.

    ``mention`` with an ``actor_id`` calls a person, ``mention_all`` everybody; who is in the conversation is called.
    """

    kind: Annotated[str, Meta(max_length=32, pattern=PLAIN)]
    offset: Annotated[int, Meta(ge=0, le=100_000)]
    length: Annotated[int, Meta(ge=1, le=100_000)]
    url: Annotated[str, Meta(max_length=2048, pattern=PLAIN)] | None = None
    language: Annotated[str, Meta(max_length=64, pattern=PLAIN)] | None = None
    actor_id: Annotated[str, Meta(pattern=r"^act_[0-9a-z]{26}$")] | None = None


class Thumbnail(msgspec.Struct, frozen=True):
    """Size of a picture's small version, in pixels."""

    width: int
    height: int


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a message. ``pending``: still on its way from the provider.

    ``waveform``: of a sound that was decoded here, heights of at most 100 bars, 0 to 31.
    """

    media_id: str
    kind: MediaKind
    name: str
    content_type: str
    size_bytes: int | None
    width: int | None
    height: int | None
    duration_seconds: float | None
    waveform: list[int] | None
    state: MediaState
    thumbnail: Thumbnail | None
    error: str | None


class ReplyRef(msgspec.Struct, frozen=True, kw_only=True):
    """The message replied to, as it read when the page was made."""

    id: str
    sender_name: str
    text: str
    quote: str | None = None


class ForwardRef(msgspec.Struct, frozen=True, kw_only=True):
    """Who said first what was forwarded, as they were called then; never where they said it.

    ``sender_id`` and ``sent_at`` are null for what was forwarded outside.
    """

    sender_name: str
    sender_id: str | None = None
    sent_at: dt.datetime | None = None


class Reaction(msgspec.Struct, frozen=True):
    """An emoji and who put it, in the order they did."""

    emoji: str
    actor_ids: list[str]


class StatusError(msgspec.Struct, frozen=True):
    """Why the provider did not take it."""

    code: str
    text: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an outward message at the provider."""

    state: Literal["queued", "sending", "sent", "failed", "unknown", "cancelled", "delivered", "read"]
    error: StatusError | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message. ``position`` orders everything staff sees; ``number`` is dense over messages to everyone."""

    id: str
    conversation_id: str
    position: int
    number: int | None
    kind: MessageKind
    sender: ActorRef
    text: str
    entities: list[EntityJson]
    attachments: list[Attachment]
    reply_to: ReplyRef | None
    forwarded_from: ForwardRef | None
    client_id: str | None
    version: int
    created_at: dt.datetime
    edited_at: dt.datetime | None
    deleted_at: dt.datetime | None
    reactions: list[Reaction]
    status: Status | None
    extra: dict[str, Any]


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """A message as lists show it; ``text`` at most 200 characters."""

    id: str
    kind: MessageKind
    sender: ActorRef
    text: str
    attachment_count: int
    attachment_kind: MediaKind | None
    status: Status | None
    created_at: dt.datetime
    is_deleted: bool


class Avatar(msgspec.Struct, frozen=True):
    """A conversation's picture: a file that its members may fetch."""

    media_id: str
    thumbnail: Thumbnail | None


class MyPart(msgspec.Struct, frozen=True, kw_only=True):
    """What a conversation is to the reader. ``role`` is null for staff who are no members.

    ``mentions``: unread messages that mention the reader.
    """

    role: Role | None
    read_number: int
    unread: int
    mentions: int
    muted_until: dt.datetime | None
    is_archived: bool
    is_pinned: bool


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as one reader sees it. ``role`` is null for staff who are no members.

    ``peer``: the other one of a direct conversation. ``member_count`` is null at the desk.
    """

    id: str
    kind: ConversationKind
    title: str | None
    description: str | None
    avatar: Avatar | None
    peer: ActorRef | None
    member_count: int | None
    inbox_id: str | None
    head: Cursor
    last_number: int
    read_number: int
    own_since: int
    unread: int
    mentions: int
    role: Role | None
    my: MyPart
    created_at: dt.datetime
    last_message: Snippet | None


class MemberJson(msgspec.Struct, frozen=True, kw_only=True):
    """An actor in a conversation."""

    actor: ActorRef
    role: Role
    read_number: int
    joined_at: dt.datetime


class MessagePage(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of history, ascending by position, with the cursor the stream had when it was read."""

    items: list[Message]
    has_before: bool
    has_after: bool
    head: Cursor
    read_number: int
    own_since: int


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A pinned message, and who pinned it when."""

    message: Message
    pinned_by: ActorRef
    pinned_at: dt.datetime


Has = Literal["file", "image", "link"]
"""What a message can be asked to have. ``file``: any file, pictures too."""


class FoundConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message was found. ``peer``: the other one of a direct conversation, the contact of a desk's."""

    id: str
    kind: ConversationKind
    title: str | None
    peer: ActorRef | None


class Highlight(msgspec.Struct, frozen=True):
    """A stretch of a text by which it was found, in UTF-16 units."""

    offset: int
    length: int


class FoundMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was searched for. ``highlights`` are in order and do not overlap."""

    message: Message
    conversation: FoundConversation
    highlights: list[Highlight]


class VersionJson(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a message had before."""

    version: int
    text: str
    entities: list[EntityJson]
    replaced_at: dt.datetime


class ReadState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a member has read. ``mentions``: unread messages that call them."""

    read_number: int
    own_since: int
    unread: int
    mentions: int


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader missed: frames as the gateway sends them, and the head they lead towards."""

    events: list[dict[str, Any]]
    head: Cursor


class StreamSync(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of a sync: what was missed, and the head it leads to; none of a stream that is gone."""

    stream: str
    state: Literal["complete", "partial", "reset", "gone"]
    events: list[dict[str, Any]] = []
    head: Cursor | None = None


class SyncAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The personal stream first, then the conversations in the order asked."""

    streams: list[StreamSync]


# ---------------------------------------------------------------- requests


class SyncRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a client is in its streams: the last event of each that it applied; number 0 for none."""

    conversations: Annotated[dict[str, Cursor], Meta(max_length=500)] = {}
    personal: Cursor | None = None


def require_within(text: str, entities: list[EntityJson]) -> None:
    """The text is the cleaned one, which may be shorter than what was sent. Raises: ValueError."""
    if entities and max(item.offset + item.length for item in entities) > utf16_length(text):
        raise ValueError("entities: one reaches beyond the text")


class ForwardSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A message to forward, from a conversation that the sender sees."""

    conversation_id: str
    message_id: str


class ForwardRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Messages to forward from one conversation, in this order. ``client_id`` makes a repeat harmless, for ever."""

    client_id: Annotated[str, Meta(min_length=1, max_length=120, pattern=PLAIN)]
    conversation_id: str
    message_ids: Annotated[list[str], Meta(min_length=1, max_length=100)]
    kind: Literal["text", "note"] = "text"


class SendRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A message to send. ``client_id`` makes a repeat harmless, for ever. ``fields``: your application's own values.

    With ``forward`` it has no words of its own.
    """

    client_id: Annotated[str, Meta(min_length=1, max_length=128, pattern=PLAIN)]
    text: Annotated[str, Meta(max_length=TEXT_LIMIT)] = ""
    entities: Annotated[list[EntityJson], Meta(max_length=500)] = []
    media_ids: Annotated[list[str], Meta(max_length=30)] = []
    reply_to: str | None = None
    quote: Annotated[str, Meta(max_length=1024)] | None = None
    kind: Literal["text", "note"] = "text"
    fields: dict[str, Any] = {}
    forward: ForwardSource | None = None

    def __post_init__(self) -> None:
        self.text = clean_text(self.text)
        require_within(self.text, self.entities)
        if self.forward is not None and (self.text or self.media_ids or self.reply_to or self.quote):
            raise ValueError("forward: nothing else goes with it")


class EditRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A message's new text."""

    text: Annotated[str, Meta(max_length=TEXT_LIMIT)]
    entities: Annotated[list[EntityJson], Meta(max_length=500)] = []

    def __post_init__(self) -> None:
        self.text = clean_text(self.text)
        require_within(self.text, self.entities)


class OpenRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A conversation to open. Direct: exactly one other member; a pair has one direct conversation."""

    kind: Literal["direct", "group", "broadcast"]
    title: Annotated[str, Meta(max_length=200)] | None = None
    members: Annotated[list[str], Meta(max_length=1000)]


class MemberRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Someone to add, or whose role to change. Without a role: a member of a group, a reader of a broadcast."""

    actor_id: str
    role: Role | None = None


class ReadRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The number of the last message read."""

    number: Annotated[int, Meta(ge=0, le=2**53)]
