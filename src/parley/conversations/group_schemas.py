"""Shapes of groups as clients see them: what may be changed, bans, links, preferences, drafts."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from parley.conversations.schemas import (
    TEXT_LIMIT,
    ActorRef,
    ConversationKind,
    EntityJson,
    Role,
    require_within,
)
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


class BanRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whom to keep out, and until when; for good without a time."""

    actor_id: str
    until: dt.datetime | None = None


class BanJson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is kept out of a conversation."""

    actor: ActorRef
    banned_by: ActorRef
    until: dt.datetime | None
    created_at: dt.datetime


class InviteLinkRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A link to make; without bounds it works until it is revoked."""

    expires_at: dt.datetime | None = None
    max_uses: Annotated[int, Meta(ge=1, le=MOST_USES)] | None = None


class InviteLinkJson(msgspec.Struct, frozen=True, kw_only=True):
    """A link by which users of the workspace join."""

    id: str
    expires_at: dt.datetime | None
    max_uses: int | None
    use_count: int
    created_by: ActorRef
    created_at: dt.datetime


class NewInviteLink(InviteLinkJson, frozen=True, kw_only=True):
    """A link just made, with its address, which is told only here."""

    url: str


class LinkToken(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The token of a link's address."""

    token: Annotated[str, Meta(min_length=1, max_length=300)]


class CheckedLink(msgspec.Struct, frozen=True, kw_only=True):
    """Where a link leads. ``conversation_id``: only for who is a member already."""

    kind: ConversationKind
    title: str | None
    description: str | None
    member_count: int
    conversation_id: str | None
