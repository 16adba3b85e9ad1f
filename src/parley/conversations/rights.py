"""Who may do what in a conversation among actors: the one table, and questions to it. No I/O.

Conversations of the desk are not in it: there the inbox decides (`parley.conversations.visibility`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from parley.kit.errors import Forbidden

Right = Literal["write", "pin", "add", "remove", "ban", "promote", "invite", "change", "list"]
"""write: post messages. pin: pin messages. add, remove: members. ban: keep somebody out. promote: change roles.
invite: links by which others join. change: title, description and picture. list: all members; without it those who
write, and how many there are."""

_NOTHING: frozenset[Right] = frozenset()
_LIST: frozenset[Right] = frozenset({"list"})
_WRITE: frozenset[Right] = frozenset({"write", "list"})
_EVERYTHING: frozenset[Right] = frozenset(
    {"write", "pin", "add", "remove", "ban", "promote", "invite", "change", "list"}
)

RIGHTS: Mapping[str, Mapping[str, frozenset[Right]]] = {
    # the two of a pair are fixed, and equal
    "direct": {"member": frozenset({"write", "pin", "list"})},
    "group": {"owner": _EVERYTHING, "moderator": _EVERYTHING, "member": _WRITE, "reader": _LIST},
    # few write, many read, and who reads is not for the others to know
    "broadcast": {"owner": _EVERYTHING, "moderator": _EVERYTHING, "member": _NOTHING, "reader": _NOTHING},
}
"""By kind of conversation and role. Between roles `require_rank` decides as well: only an owner touches owners."""

IS_BROADCASTER = "role IN ('owner', 'moderator')"
"""SQL: whether a member writes in a broadcast, as all of its readers know. In the words of the index member_broadcasters,
so that a hundred thousand readers are not looked through."""

DEFAULT_ROLE: Mapping[str, Literal["member", "reader"]] = {
    "direct": "member", "group": "member", "broadcast": "reader",
}  # fmt: skip
"""What somebody becomes who is added without a role, or joins by a link."""


def may(kind: str, role: str | None, right: Right) -> bool:
    """Whether a member with this role has the right; nobody has one without a role."""
    return role is not None and right in RIGHTS.get(kind, {}).get(role, _NOTHING)


def require_right(kind: str, role: str | None, right: Right) -> None:
    """Raises: Forbidden."""
    if may(kind, role, right):
        return
    if kind not in ("group", "broadcast"):
        raise Forbidden("This is for groups and broadcasts; the members of this conversation are fixed.")
    raise Forbidden(role=role, right=right)


def require_rank(mine: str, *roles: str | None) -> None:
    """Hold moderators to those below owners: the role somebody has and the one they get. Raises: Forbidden."""
    if mine != "owner" and "owner" in roles:
        raise Forbidden("Only an owner makes owners, changes them or takes them out.")
