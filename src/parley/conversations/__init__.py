"""The heart: conversations, members, messages, streams. Every message enters by `post_message`."""

from parley.conversations.collector import Collector
from parley.conversations.hiding import mask_hidden
from parley.conversations.schemas import Cursor
from parley.conversations.sending import Draft, Posted, post_message, post_messages
from parley.conversations.sending_door import SendingDoor
from parley.conversations.streams import (
    event_for,
    find_named_reader,
    is_for,
    read_events,
    read_head,
    read_personal_events,
    read_personal_head,
    resume,
    resume_personal,
)
from parley.conversations.visibility import View, find_view, list_visible_inboxes, may_see_media, require_view

__all__ = [
    "Collector",
    "Cursor",
    "Draft",
    "Posted",
    "SendingDoor",
    "View",
    "event_for",
    "find_named_reader",
    "find_view",
    "is_for",
    "list_visible_inboxes",
    "mask_hidden",
    "may_see_media",
    "post_message",
    "post_messages",
    "read_events",
    "read_head",
    "read_personal_events",
    "read_personal_head",
    "require_view",
    "resume",
    "resume_personal",
]
