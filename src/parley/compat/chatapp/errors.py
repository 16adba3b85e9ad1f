"""What this dialect refuses in words of its own; everything else keeps our messages under its envelope."""

from __future__ import annotations

from parley.kit.errors import Forbidden, Malformed, NotFound, Unauthenticated


class BadRequest(Malformed):
    """The request lacks something, or it is of another form."""

    code = "chatapp_bad_request"


class NoSuchUser(NotFound):
    """User not found"""

    code = "chatapp_no_such_user"


class NoSuchDialog(NotFound):
    """Dialog not found"""

    code = "chatapp_no_such_dialog"


class NoSuchMessage(NotFound):
    """Message not found"""

    code = "chatapp_no_such_message"


class NoToken(Unauthenticated):
    """No token provided"""

    code = "chatapp_no_token"


class InvalidToken(Unauthenticated):
    """Invalid token"""

    code = "chatapp_invalid_token"


class ForeignOrigin(Forbidden):
    """Pages of this origin are not listed in PARLEY_CHATAPP_ORIGINS."""

    code = "chatapp_foreign_origin"


class TooManyMembers(Forbidden):
    """The dialog has too many members to be deleted at once: take them out, or leave it."""

    code = "chatapp_too_many_members"
