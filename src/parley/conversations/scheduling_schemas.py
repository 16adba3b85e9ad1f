"""Shapes of messages that are to be posted later."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from parley.conversations.schemas import (
    PLAIN,
    TEXT_LIMIT,
    Attachment,
    EntityJson,
    require_within,
)
from parley.kit.text import clean_text

_Moment = Annotated[dt.datetime, Meta(tz=True)]
_Text = Annotated[str, Meta(max_length=TEXT_LIMIT)]
_Entities = Annotated[list[EntityJson], Meta(max_length=500)]
_Files = Annotated[list[str], Meta(max_length=30)]


class ScheduledError(msgspec.Struct, frozen=True):
    """Why a message was not posted at its time."""

    code: str
    message: str


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be posted at ``send_at``; ``version`` counts its changes. Of one that was posted, where it is."""

    id: str
    conversation_id: str
    client_id: str
    state: Literal["waiting", "failed", "posted", "cancelled"]
    send_at: dt.datetime
    text: str
    entities: list[EntityJson]
    attachments: list[Attachment]
    reply_to_id: str | None
    version: int
    created_at: dt.datetime
    error: ScheduledError | None
    message_id: str | None


class ScheduleRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A message to post later. ``client_id``: the message's own, which makes a repeat harmless, for ever. ``quote``: words of
    the message it replies to; it goes without them when they are no longer in it at its time.
    """

    client_id: Annotated[str, Meta(min_length=1, max_length=128, pattern=PLAIN)]
    send_at: _Moment
    text: _Text = ""
    entities: _Entities = []
    media_ids: _Files = []
    reply_to: str | None = None
    quote: Annotated[str, Meta(max_length=1024)] | None = None

    def __post_init__(self) -> None:
        self.text = clean_text(self.text)
        self.quote = clean_text(self.quote or "") or None
        require_within(self.text, self.entities)


class ScheduleChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What of a scheduled message is to be another; ``entities`` go with a ``text``."""

    send_at: _Moment | UnsetType = UNSET
    text: _Text | UnsetType = UNSET
    entities: _Entities = []
    media_ids: _Files | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.text is not UNSET:
            self.text = clean_text(self.text)
        require_within("" if self.text is UNSET else self.text, self.entities)
