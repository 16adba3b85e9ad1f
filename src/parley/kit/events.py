"""The event: one change in one stream, as it is recorded, published and followed."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

import msgspec

StreamKind = Literal["conversation", "personal"]

ALL = "all"
"""Audience: everyone who may see the conversation, the contact included."""
STAFF = "staff"
"""Audience: the workspace's side of a desk conversation; the contact never learns of it."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change. ``(stream_id, number)`` is unique for ever; ``tag`` tells a number reused after a restore.

    ``audience`` is `ALL`, `STAFF` or the id of the one actor who may see it, as text. ``data`` is what clients get:
    public ids and JSON values only. ``context`` is for in-transaction reactions and live rooms; it is not stored.
    """

    workspace_id: UUID
    stream: StreamKind
    stream_id: UUID
    number: int
    tag: int
    kind: str
    at: dt.datetime
    audience: str = ALL
    actor_id: UUID | None = None
    data: dict[str, Any] = {}
    context: dict[str, Any] = {}


class Touch(msgspec.Struct, frozen=True, kw_only=True):
    """A desk list's hint: this conversation changed its place or look in the lists of its inbox. Never stored."""

    workspace_id: UUID
    inbox_id: UUID
    conversation_id: UUID


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """Something live that nobody needs later: typing, presence. ``stream_id`` names the conversation."""

    workspace_id: UUID
    stream_id: UUID
    kind: str
    audience: str = ALL
    actor_id: UUID | None = None
    data: dict[str, Any] = {}


Hint = Event | Touch | Signal
