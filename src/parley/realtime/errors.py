"""What can go wrong on a socket, and the codes it is closed with."""

from __future__ import annotations

from parley.kit.errors import Conflict, TooMany, Unauthenticated

CLOSE_TOO_LARGE = 1009
"""A command above 64 kB (RFC 6455)."""
CLOSE_RESTART = 1012
"""This server stops or starts anew; connect again."""
CLOSE_UNAUTHENTICATED = 4001
"""No valid hello in time, or the token expired or was revoked."""
CLOSE_RESYNC = 4008
"""Read too slowly; connect again and resume from the cursors."""
CLOSE_TOO_MANY = 4009
"""More than 120 commands a minute."""


class HelloFirst(Unauthenticated):
    """Say hello with a token before anything else."""

    code = "hello_first"


class HelloAgain(Conflict):
    """This connection has said hello already; renew its token instead."""

    code = "hello_again"


class AnotherActor(Conflict):
    """The token is another actor's; open another connection for it."""

    code = "another_actor"


class NotWatched(Conflict):
    """Watch the conversation first."""

    code = "not_watched"


class TooManyWatched(TooMany):
    """One connection watches 500 conversations at the most."""

    code = "too_many_watched"


class TooManyCommands(TooMany):
    """One connection sends 120 commands a minute at the most."""

    code = "too_many_commands"
