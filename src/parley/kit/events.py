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
NOT_READERS = "not_readers"
"""Audience of signals: everyone but the readers of a broadcast, who do not learn who else reads it."""

CONVERSATION_KINDS: dict[str, str] = {
    "message.created": "A message was posted: `message`.",
    "message.updated": "A message looks different, by an edit, a file that arrived or an album that grew; replies show it as it reads now: `message`.",
    "message.deleted": "A message was deleted for everyone; a tombstone keeps its place, and replies show and quote it no more: `message`.",
    "message.status_changed": "What became of an outward message at the provider: `message_id`, `status`.",
    "message.pinned": "A message was pinned: `message_id`, `pinned_by`, `pinned_at`.",
    "message.unpinned": "A message is pinned no more: `message_id`. One that is deleted for everyone is not either.",
    "reaction.added": "Somebody put a reaction: `message_id`, `emoji`, `actor_id`.",
    "reaction.removed": "Somebody took a reaction away: `message_id`, `emoji`, `actor_id`.",
    "member.joined": "An actor is in the conversation now: `member` (null: a reader of a broadcast, told to another one), `member_count`.",
    "member.left": "An actor is in the conversation no more: `member` (null as above), `member_count`.",
    "member.changed": "A member has another role: `member` (null as above), `former_role`.",
    "conversation.changed": "A conversation's title, description or picture is another: `title`, `description`, `avatar`.",
    "conversation.status_changed": "A desk conversation was opened, set aside, resolved or snoozed: `status`, `snoozed_until`.",
    "conversation.fields_changed": "What the embedding application keeps of the conversation is another: `fields`.",
    "conversation.assigned": "A desk conversation is somebody's, or nobody's: `assignee`.",
}
"""Events of a conversation's stream: the kind, and what it says with which `data`."""

PERSONAL_KINDS: dict[str, str] = {
    "read.moved": "You have read further, on whichever device: `conversation_id`, `read_number`, `own_since`, `mentions` (unread ones that are left).",
    "mention.created": "A message calls you by name: `conversation_id`, `message_id`, `number` (null: a note), `sender_id`. One that calls everybody is told by itself alone.",
    "scheduled.changed": "A message you scheduled was made, changed, cancelled, posted or failed, as its state says: `scheduled`.",
    "message.hidden": "You deleted a message for yourself: ignore it from now on: `conversation_id`, `message_id`, `position`, `own_since`, `mentions`.",
    "conversation.added": "You were taken into a conversation: `conversation_id`.",
    "conversation.removed": "You were taken out of a conversation, with your preferences and draft: `conversation_id`.",
    "conversation.preferences_changed": "You muted, archived or pinned a conversation, or no more: `conversation_id`, `muted_until`, `is_archived`, `is_pinned`.",
    "draft.changed": "What you began to write is another, or nothing any more: `conversation_id`, `draft`, null when there is none or a later event tells it.",
    "rights.changed": "Your role or the inboxes you work in changed: what you watch is looked at anew.",
}
"""Events of an actor's personal stream, which nobody else sees."""

SIGNAL_KINDS: dict[str, str] = {
    "typing.started": "Somebody is writing.",
    "typing.stopped": "Somebody stopped writing.",
    "member.read": "Somebody has read up to a message number: `read_number`.",
    "presence.changed": "A user whom you watch came or went; the stream is that user's id: `is_online`, `last_seen_at`, "
    "both null when you may know no longer.",
}
"""Signals: live only, never stored."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="hint", tag="event"):
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


class Touch(msgspec.Struct, frozen=True, kw_only=True, tag_field="hint", tag="touch"):
    """A desk list's hint: this conversation changed its place or look in the lists of its inbox. Never stored.

    ``transaction``: the database's number of what changed it.
    """

    workspace_id: UUID
    inbox_id: UUID
    conversation_id: UUID
    transaction: int = 0


class Signal(msgspec.Struct, frozen=True, kw_only=True, tag_field="hint", tag="signal"):
    """Something live that nobody needs later: typing, presence. ``stream_id`` names the conversation."""

    workspace_id: UUID
    stream_id: UUID
    kind: str
    audience: str = ALL
    actor_id: UUID | None = None
    data: dict[str, Any] = {}


class Mark(msgspec.Struct, frozen=True, kw_only=True, tag_field="hint", tag="mark"):
    """An event too large to be told between processes: a stream has come this far, its readers read the database."""

    stream_id: UUID
    number: int


class PresenceHint(msgspec.Struct, frozen=True, kw_only=True, tag_field="hint", tag="presence"):
    """A user came or went at some gateway: who watches them looks."""

    workspace_id: UUID
    actor_id: UUID


class CallerHint(msgspec.Struct, frozen=True, kw_only=True, tag_field="hint", tag="caller"):
    """The tokens of a session, an actor or a login, whose id this is, stand for something else now, or for nothing."""

    id: UUID


Hint = Event | Touch | Signal | Mark | PresenceHint | CallerHint
