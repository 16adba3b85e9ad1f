"""What can go wrong at the desk."""

from __future__ import annotations

from parley.kit.errors import Conflict, Malformed, NotFound


class InboxNotFound(NotFound):
    """There is no such inbox, or you may not see it."""

    code = "inbox_not_found"


class InboxTaken(Conflict):
    """This account is connected already, here or in another workspace."""

    code = "inbox_taken"


class UnknownChannel(Malformed):
    """There is no such channel."""

    code = "unknown_channel"


class BadCredentials(Malformed):
    """The provider refused these credentials."""

    code = "bad_credentials"


class SandboxOff(NotFound):
    """The sandbox is off in this installation."""

    code = "sandbox_off"


class AlreadyOpen(Conflict):
    """The contact has another unfinished conversation in this inbox."""

    code = "already_open"


class NoDelivery(NotFound):
    """This message was not for the outside."""

    code = "no_delivery"


class MoveRefused(Conflict):
    """What became of the message at the provider does not allow this now."""

    code = "move_refused"


class NotFailed(Conflict):
    """Only what failed can be replayed."""

    code = "not_failed"
