"""What can go wrong in a conversation."""

from __future__ import annotations

from parley.kit.errors import Conflict, Forbidden, Kind, Malformed, NotFound, ParleyError


class ConversationNotFound(NotFound):
    """There is no such conversation, or you may not see it."""

    code = "conversation_not_found"


class MessageNotFound(NotFound):
    """There is no such message, or you may not see it."""

    code = "message_not_found"


class NotYourMessage(Forbidden):
    """Only who wrote a message may change it."""

    code = "not_your_message"


class MaySpeakNot(Forbidden):
    """You may read this conversation but not write in it."""

    code = "may_not_write"


class MessageDeleted(Conflict):
    """The message was deleted."""

    code = "message_deleted"


class TooManyReactions(Conflict):
    """The message has as many different reactions as it can have, from you or from everybody."""

    code = "too_many_reactions"


class EmptyMessage(Malformed):
    """A message needs a text or a file."""

    code = "empty_message"


class BadAttachment(Malformed):
    """A file is not yours to send, is not ready, or is already part of another conversation."""

    code = "bad_attachment"


class BadReply(Malformed):
    """The message replied to is not in this conversation."""

    code = "bad_reply"


class StreamReset(ParleyError):
    """What you have cannot be continued: take a fresh snapshot. ``head`` is where to go on from."""

    code = "reset"
    kind = Kind.GONE
