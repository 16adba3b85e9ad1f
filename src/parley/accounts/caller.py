"""Who is calling: the value that every business function gets, and what it may do."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from uuid import UUID

import msgspec

from parley.kit.errors import Forbidden

Role = Literal["owner", "admin", "agent", "member"]
Scope = Literal["admin", "desk", "chat", "act"]

_ADMINS = frozenset({"owner", "admin"})
STAFF_ROLES = frozenset({"owner", "admin", "agent"})
"""Roles that may work at the desk, in the inboxes they are in."""


class Caller(msgspec.Struct, frozen=True):
    """An authenticated actor. Users may what their role says; bots what the scopes of their key say.

    ``expires_at`` ends the token this was made of (None: API keys). ``address`` is where the request came from,
    for the audit. ``by_id`` is the bot whose API key acts for this actor, with rights as far as the key's scopes
    reach (`acting.find_acted`), or opened this session for them: how they sign in is not its business.
    """

    workspace_id: UUID
    actor_id: UUID
    kind: Literal["user", "bot"]
    role: Role | None
    scopes: frozenset[str]
    session_id: UUID | None
    name: str
    login_id: UUID | None = None
    expires_at: dt.datetime | None = None
    address: str = ""
    by_id: UUID | None = None

    @property
    def ids(self) -> tuple[UUID | None, ...]:
        """Whose change may change what it is or may do: session, actor, login, the bot whose key is behind it."""
        return self.session_id, self.actor_id, self.login_id, self.by_id

    @property
    def is_admin(self) -> bool:
        """Whether it may change the workspace: owners, admins, keys with the scope ``admin``."""
        return self.role in _ADMINS or (self.kind == "bot" and "admin" in self.scopes)

    @property
    def is_staff(self) -> bool:
        """Whether it may work at the desk: everyone but plain members; keys with ``desk`` or ``admin``."""
        return self.role in STAFF_ROLES or (
            self.kind == "bot" and not self.scopes.isdisjoint(("desk", "admin"))
        )

    @property
    def may_chat(self) -> bool:
        """Whether it may talk beside the desk, where it is a member: every user; keys with ``chat`` or ``admin``."""
        return self.kind == "user" or not self.scopes.isdisjoint(("chat", "admin"))

    def require_admin(self) -> None:
        """Raises: Forbidden unless `is_admin`."""
        if not self.is_admin:
            raise Forbidden("This takes an admin.", role=self.role)

    def require_staff(self) -> None:
        """Raises: Forbidden unless `is_staff`."""
        if not self.is_staff:
            raise Forbidden("This is for the people at the desk.", role=self.role)

    def require_scope(self, scope: Scope) -> None:
        """Hold an API key to its scopes. Users have no scopes: their role decides. Raises: Forbidden."""
        if self.kind == "bot" and scope not in self.scopes:
            raise Forbidden("The API key lacks a scope.", scope=scope)

    def require_user(self) -> None:
        """Raises: Forbidden unless a person is signed in: what only they may do, no key does in their name."""
        if self.kind != "user" or self.by_id is not None:
            raise Forbidden("This is for people, not for API keys.")

    def require_actors_keeper(self) -> None:
        """Raises: Forbidden unless this is a key with the scope ``act`` speaking for itself, or an admin."""
        if not (self.is_admin or (self.kind == "bot" and "act" in self.scopes)):
            raise Forbidden("This takes an API key that may act for others.", scope="act")
