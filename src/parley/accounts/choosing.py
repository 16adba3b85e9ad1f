"""Which of a login's users signs in."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from parley.accounts.errors import ChooseWorkspace, Deactivated, WrongCredentials
from parley.kit.errors import NotFound, ParleyError
from parley.kit.ids import public_id


def choose_user(
    users: Sequence[Record], workspace_id: UUID | None, *, nobody: type[ParleyError] = WrongCredentials
) -> Record:
    """Return the one active user, or the one of the workspace named.

    Raises: ``nobody`` when the login is no user at all, ChooseWorkspace, Deactivated, NotFound.
    """
    if not users:
        raise nobody
    active = [user for user in users if user["deactivated_at"] is None]
    if workspace_id is not None:
        active = [user for user in active if user["workspace_id"] == workspace_id]
        if not active and all(user["workspace_id"] != workspace_id for user in users):
            raise NotFound("You belong to no such workspace.")
    if not active:
        raise Deactivated
    if len(active) > 1:
        workspaces = [
            {"id": public_id("ws", user["workspace_id"]), "name": user["workspace_name"]} for user in active
        ]
        raise ChooseWorkspace(workspaces=workspaces)
    return active[0]
