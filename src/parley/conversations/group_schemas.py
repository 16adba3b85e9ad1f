"""Shapes of groups as clients see them: what may be changed, bans, links, preferences, drafts."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from parley.conversations.schemas import TEXT_LIMIT, EntityJson, Role, require_within
from parley.kit.text import clean_text

DESCRIPTION_LIMIT = 2_000
MEMBERS_AT_ONCE = 1_000
MOST_USES = 100_000

Description = Annotated[str, Meta(max_length=DESCRIPTION_LIMIT)]
Title = Annotated[str, Meta(min_length=1, max_length=200)]


class ConversationChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a group shows of itself; what is left out stays. ``avatar_media_id``: a picture you uploaded."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    avatar_media_id: str | UnsetType | None = UNSET


class MembersRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Several to add at once; those who are members already stay as they are."""

    actor_ids: Annotated[list[str], Meta(min_length=1, max_length=MEMBERS_AT_ONCE)]
    role: Role | None = None


class RoleRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A member's new role."""

    role: Role


class PreferencesRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a conversation is to you; what is left out stays. ``muted_until`` null: not muted."""

    muted_until: dt.datetime | UnsetType | None = UNSET
    is_archived: bool | UnsetType = UNSET
    is_pinned: bool | UnsetType = UNSET


class DraftRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What you began to write. Without a text and a message replied to there is no draft any more."""

    text: Annotated[str, Meta(max_length=TEXT_LIMIT)] = ""
    entities: Annotated[list[EntityJson], Meta(max_length=500)] = []
    reply_to_id: str | None = None

    def __post_init__(self) -> None:
        self.text = clean_text(self.text)
        require_within(self.text, self.entities)


class DraftJson(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody began to write in a conversation; nobody else sees it."""

    conversation_id: str
    text: str
    entities: list[EntityJson]
    reply_to_id: str | None
    changed_at: dt.datetime
