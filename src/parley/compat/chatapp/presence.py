"""Who of this dialect's clients is connected, and whom that is told: those who share a dialog with them, nobody else.

What this process knows; a user is here while any of their connections is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

CROWD = 100
"""Connections of a dialog above which nobody is told who of it comes and goes, as with all signals."""


class Present(Protocol):
    """A connection."""

    @property
    def actor_id(self) -> UUID:
        """Whose it is."""

    def tell_online(self, other: Present) -> None:
        """Say that somebody is here."""

    def tell_offline(self, other: Present) -> None:
        """Say that somebody is here no more."""


class Presence:
    """The connections of a process, by dialog and by user."""

    def __init__(self) -> None:
        self._rooms: dict[UUID, set[Present]] = {}
        self._own: dict[UUID, set[Present]] = {}

    def enter(self, one: Present, dialogs: Iterable[UUID]) -> None:
        """Let a connection in. Who shares a dialog with it is told, once for each user, and it is told of them."""
        is_first = not self._own.get(one.actor_id)
        self._own.setdefault(one.actor_id, set()).add(one)
        shared = [self._join(one, dialog) for dialog in dialogs]
        others = {other for room in shared for other in room}
        for actor in {other.actor_id: other for other in others}.values():
            one.tell_online(actor)
        if is_first:
            for other in others:
                other.tell_online(one)

    def join(self, one: Present, dialog: UUID) -> None:
        """A connection is in one more dialog."""
        if one in self._own.get(one.actor_id, ()):
            for other in self._join(one, dialog):
                other.tell_online(one)
                one.tell_online(other)

    def leave(self, one: Present, dialog: UUID) -> None:
        """A connection is no longer in a dialog."""
        room = self._rooms.get(dialog, set())
        room.discard(one)
        if not room:
            self._rooms.pop(dialog, None)

    def exit(self, one: Present, dialogs: Iterable[UUID]) -> None:
        """A connection is over. Repeat: harmless."""
        own = self._own.get(one.actor_id, set())
        if one not in own:
            return
        own.discard(one)
        others: set[Present] = set()
        for dialog in dialogs:
            others.update(self._others(one, dialog))
            self.leave(one, dialog)
        if own:
            return
        del self._own[one.actor_id]
        for other in others:
            other.tell_offline(one)

    def _join(self, one: Present, dialog: UUID) -> set[Present]:
        others = self._others(one, dialog)
        self._rooms.setdefault(dialog, set()).add(one)
        return others

    def _others(self, one: Present, dialog: UUID) -> set[Present]:
        room = self._rooms.get(dialog, set())
        return {other for other in room if other.actor_id != one.actor_id} if len(room) <= CROWD else set()
