"""The fields of Telegram's updates that we read, typed; everything else in them is skipped while decoding.

Source: core.telegram.org/bots/api#update, #message and the types they name (Bot API 10.3).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Id = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""Telegram: identifiers have at most 52 significant bits."""
Time = Annotated[int, Meta(ge=0, le=253_402_300_799)]
"""Seconds since 1970, up to the last that a date can hold."""
Size = Annotated[int, Meta(ge=0, le=2**53)]
Pixels = Annotated[int, Meta(ge=0, le=2**31)]


class User(Struct, frozen=True):
    id: Id
    is_bot: bool = False
    first_name: str = ""
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None


class Chat(Struct, frozen=True):
    id: Id
    type: str
    title: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None


class MessageEntity(Struct, frozen=True):
    type: str
    offset: Annotated[int, Meta(ge=-(2**31), le=2**31)]
    length: Annotated[int, Meta(ge=-(2**31), le=2**31)]
    url: str | None = None
    language: str | None = None


class File(Struct, frozen=True):
    """What photo sizes, documents, videos, audios, voices, video notes, animations and stickers share."""

    file_id: str
    file_unique_id: str = ""
    file_name: str | None = None
    mime_type: str | None = None
    file_size: Size | None = None
    width: Pixels | None = None
    height: Pixels | None = None
    length: Pixels | None = None
    duration: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    emoji: str | None = None
    set_name: str | None = None
    is_animated: bool = False
    is_video: bool = False
    performer: str | None = None
    title: str | None = None


class Location(Struct, frozen=True):
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    live_period: Size | None = None


class Venue(Struct, frozen=True):
    location: Location
    title: str = ""
    address: str = ""


class SharedContact(Struct, frozen=True):
    phone_number: str
    first_name: str = ""
    last_name: str | None = None
    user_id: Id | None = None


class Dice(Struct, frozen=True):
    emoji: str
    value: Annotated[int, Meta(ge=0, le=1000)]


class PollOption(Struct, frozen=True):
    text: str


class Poll(Struct, frozen=True):
    question: str
    options: list[PollOption] = []


class ReplyTarget(Struct, frozen=True):
    message_id: Id


class TextQuote(Struct, frozen=True):
    text: str


class ForwardOrigin(Struct, frozen=True):
    type: str
    sender_user: User | None = None
    sender_user_name: str | None = None
    sender_chat: Chat | None = None
    chat: Chat | None = None
    author_signature: str | None = None


class Message(Struct, frozen=True):
    message_id: Id
    date: Time
    chat: Chat
    from_: User | None = msgspec.field(name="from", default=None)
    edit_date: Time | None = None
    media_group_id: str | None = None
    reply_to_message: ReplyTarget | None = None
    quote: TextQuote | None = None
    forward_origin: ForwardOrigin | None = None
    text: str | None = None
    entities: list[MessageEntity] = []
    caption: str | None = None
    caption_entities: list[MessageEntity] = []
    has_media_spoiler: bool = False
    photo: list[File] = []
    document: File | None = None
    video: File | None = None
    audio: File | None = None
    voice: File | None = None
    video_note: File | None = None
    animation: File | None = None
    sticker: File | None = None
    location: Location | None = None
    venue: Venue | None = None
    contact: SharedContact | None = None
    dice: Dice | None = None
    poll: Poll | None = None


class ChatMember(Struct, frozen=True):
    status: str


class ChatMemberUpdated(Struct, frozen=True):
    chat: Chat
    from_: User = msgspec.field(name="from")
    date: Time
    new_chat_member: ChatMember


class ChatKey(Struct, frozen=True):
    id: Id


class Where(Struct, frozen=True):
    """Just the chat, for the lane."""

    chat: ChatKey | None = None


class CallbackQuery(Struct, frozen=True):
    message: Where | None = None


class Numbered(Struct, frozen=True):
    """Just the number, for what cannot be read further."""

    update_id: Id


class Lane(Struct, frozen=True):
    """Just enough of an update to put it in order: its number, and its chat where it has one."""

    update_id: Id
    message: Where | None = None
    edited_message: Where | None = None
    channel_post: Where | None = None
    edited_channel_post: Where | None = None
    business_message: Where | None = None
    edited_business_message: Where | None = None
    deleted_business_messages: Where | None = None
    message_reaction: Where | None = None
    message_reaction_count: Where | None = None
    my_chat_member: Where | None = None
    chat_member: Where | None = None
    chat_join_request: Where | None = None
    callback_query: CallbackQuery | None = None
