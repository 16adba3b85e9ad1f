"""Shapes of the desk as clients see them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from parley.conversations.schemas import ActorRef, Cursor, Snippet

Status = Literal["open", "pending", "resolved", "snoozed"]


class FeaturesJson(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel can do. Lengths in UTF-16 units."""

    text_limit: int
    caption_limit: int
    album_limit: int
    upload_limit_bytes: int
    can_edit: bool
    can_delete: bool
    can_reply: bool
    has_receipts: bool


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of connection to the outside."""

    name: str
    features: FeaturesJson


class ChannelList(msgspec.Struct, frozen=True, kw_only=True):
    """The channels there are; ``sandbox``: whether one may be tried without an account."""

    items: list[Channel]
    sandbox: bool


class Inbox(msgspec.Struct, frozen=True, kw_only=True):
    """One connected account of a channel. ``phone_url``: where to play the customer, in the sandbox."""

    id: str
    channel: str
    name: str
    address: str
    state: Literal["connected", "broken", "disconnected"]
    state_reason: str | None
    reopen: Literal["reopen", "new"]
    reopen_within_hours: int | None
    is_sandbox: bool
    phone_url: str | None
    features: FeaturesJson
    updates: Literal["webhook", "polling"]
    created_at: dt.datetime


class InboxRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An account to connect."""

    channel: Annotated[str, Meta(max_length=32)]
    secrets: Annotated[dict[str, Annotated[str, Meta(max_length=1000)]], Meta(max_length=10)]
    name: Annotated[str, Meta(max_length=100)] | None = None


class ReconnectRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Credentials to go on with; the stored ones when left out."""

    secrets: Annotated[dict[str, Annotated[str, Meta(max_length=1000)]], Meta(max_length=10)] | None = None


class InboxChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change; fields left out stay."""

    name: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    reopen: Literal["reopen", "new"] | UnsetType = UNSET
    reopen_within_hours: Annotated[int, Meta(ge=1, le=24 * 365)] | UnsetType | None = UNSET


class ContactRef(msgspec.Struct, frozen=True, kw_only=True):
    """The person outside, as the list shows them."""

    id: str
    name: str
    username: str | None
    address: str
    is_reachable: bool


class DeskConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A contact in an inbox, as the desk sees it."""

    id: str
    inbox_id: str
    status: Status
    snoozed_until: dt.datetime | None
    assignee: ActorRef | None
    contact: ContactRef
    active_at: dt.datetime
    created_at: dt.datetime
    last_message: Snippet | None
    unread: int
    last_number: int
    read_number: int
    own_since: int
    head: Cursor


class DeskPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the desk's list, and the token from which its changes can be asked for."""

    items: list[DeskConversation]
    next: str | None
    token: str


class DeskChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Conversations changed since a token, latest state, and the next token. ``reset``: read the list anew."""

    items: list[DeskConversation]
    token: str
    reset: bool


class StatusCounts(msgspec.Struct, kw_only=True):
    """Conversations by status."""

    open: int = 0
    pending: int = 0
    snoozed: int = 0
    resolved: int = 0


class DeskCounts(msgspec.Struct, kw_only=True):
    """Conversations by status in all visible inboxes, and of the open ones mine and nobody's."""

    open: int = 0
    pending: int = 0
    snoozed: int = 0
    resolved: int = 0
    mine: int = 0
    unassigned: int = 0
    mine_by_status: StatusCounts = msgspec.field(default_factory=StatusCounts)
    unassigned_by_status: StatusCounts = msgspec.field(default_factory=StatusCounts)
    inboxes: dict[str, StatusCounts] = {}


class DeskChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a conversation; fields left out stay."""

    status: Status | UnsetType = UNSET
    snoozed_until: dt.datetime | UnsetType | None = UNSET
    assignee_id: str | UnsetType | None = UNSET


class DeliveryRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to do about an outward message."""

    action: Literal["retry", "send_again", "mark_sent", "cancel"]


class JournalItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something a provider sent us, and why it could not be handled."""

    id: str
    inbox_id: str
    received_at: dt.datetime
    state: Literal["ready", "leased", "done", "failed", "held"]
    attempts: int
    error: str | None
    body: str
