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


class BadQuote(Malformed):
    """The message replied to does not hold these words."""

    code = "bad_quote"


class BadForward(Malformed):
    """This message cannot be forwarded there: it is a notice, or a note outside the desk, or its file is not here."""

    code = "bad_forward"


class TooManyMentions(Malformed):
    """A message calls more people by name than it may."""

    code = "too_many_mentions"


class MayNotMentionAll(Forbidden):
    """Only owners and moderators call everybody in a large group, a broadcast, or at the desk."""

    code = "may_not_mention_all"


class ScheduledNotFound(NotFound):
    """There is no such scheduled message of yours."""

    code = "scheduled_not_found"


class ScheduledPosted(Conflict):
    """The message was posted already."""

    code = "scheduled_posted"


class PostingFailed(ParleyError):
    """The scheduled message could not be posted, by a fault of ours. Send it now, or give it another time."""

    code = "posting_failed"


class BadSchedule(Malformed):
    """The time is past, or more than a year away."""

    code = "bad_schedule"


class TooManyScheduled(Conflict):
    """As many of your messages wait in this conversation as can."""

    code = "too_many_scheduled"


class TooManyPins(Conflict):
    """As many messages are pinned as can be; take one off first."""

    code = "too_many_pins"


class Banned(Forbidden):
    """This actor is kept out of the conversation."""

    code = "banned"


class BadAvatar(Malformed):
    """A picture of your own, uploaded and ready, is expected."""

    code = "bad_avatar"


class InviteLinkInvalid(ParleyError):
    """This link works no longer: it was revoked, is too old, or was used as often as it may be."""

    code = "invite_link_invalid"
    kind = Kind.GONE


class TooManyInviteLinks(Conflict):
    """The conversation has as many links as it can have; revoke one first."""

    code = "too_many_invite_links"


class NoDraft(NotFound):
    """You have no draft in this conversation."""

    code = "no_draft"


class StreamReset(ParleyError):
    """What you have cannot be continued: take a fresh snapshot. ``head`` is where to go on from."""

    code = "reset"
    kind = Kind.GONE
