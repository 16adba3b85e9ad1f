"""Who is in which conversation at the moment of an event, however much later it is published.

A conversation that is met first is read as it is now, and what happened to its membership since the event is undone;
from then on its own events keep it right, since all of them come by in order.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from parley.brokers import store
from parley.infra.db import Tx
from parley.kit.events import Event
from parley.kit.ids import parse_id

MEMBERS_KEPT = 200_000
"""Members of all conversations remembered together, about 40 MB; the longest unused make room."""


@dataclasses.dataclass(slots=True)
class Room:
    """A conversation, and who is in it after the event applied last."""

    kind: str
    title: str | None
    members: set[UUID]


class Rooms:
    """The conversations that events lately came from."""

    def __init__(self, members_kept: int = MEMBERS_KEPT) -> None:
        self._rooms: OrderedDict[UUID, Room] = OrderedDict()
        self._members_kept = members_kept
        self._count = 0

    async def prepare(self, tx: Tx, events: Sequence[Event]) -> None:
        """Make known every conversation of a batch that is not, as it was before its first event there."""
        unknown: dict[UUID, int] = {}
        for event in events:
            if event.stream_id in self._rooms:
                self._rooms.move_to_end(event.stream_id)
            else:
                unknown.setdefault(event.stream_id, event.number - 1)
        if not unknown:
            return
        for row in await store.list_rooms(tx, unknown):
            self._rooms[row["id"]] = room = _undo(row)
            self._count += len(room.members) + 1

    def find(self, conversation_id: UUID) -> Room | None:
        """Return a conversation that was prepared."""
        return self._rooms.get(conversation_id)

    def apply(self, event: Event) -> set[UUID]:
        """Take an event in, and return whom it concerns: the members, and who was just taken out.

        The very set of the room where nobody left: read it before the next call.
        """
        room = self._rooms.get(event.stream_id)
        if room is None or room.kind == "desk":
            return set()
        if event.kind == "member.joined":
            actor_id = member_of(event)
            self._count += actor_id not in room.members
            room.members.add(actor_id)
        elif event.kind == "member.left":
            actor_id = member_of(event)
            self._count -= actor_id in room.members
            room.members.discard(actor_id)
            return room.members | {actor_id}
        return room.members

    def make_room(self) -> None:
        """Forget the conversations longest unused beyond the limit; between two batches."""
        while self._count > self._members_kept and self._rooms:
            _, room = self._rooms.popitem(last=False)
            self._count -= len(room.members) + 1


def member_of(event: Event) -> UUID:
    """Return whom an event of membership is about."""
    return parse_id("act", event.data["member"]["actor"]["id"])


def _undo(row: Record) -> Room:
    members = set(row["members"])
    for kind, actor in row["later"]:
        change = members.discard if kind == "member.joined" else members.add
        change(parse_id("act", actor))
    return Room(row["kind"], row["title"], members)
