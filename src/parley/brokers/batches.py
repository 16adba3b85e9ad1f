"""From a batch of the feed to what is published: each event, then the updates of those it concerns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

import structlog

from parley.brokers import store
from parley.brokers.rooms import Room, Rooms, member_of
from parley.brokers.shapes import Outgoing, Shaped, shape_creation, shape_event, shape_unreadable
from parley.conversations import find_named_reader
from parley.infra.db import Tx
from parley.infra.failures import describe_failure
from parley.kit.errors import Malformed
from parley.kit.events import ALL, STAFF, Event
from parley.kit.ids import parse_id

READ_MOVED = "read.moved"
"""The one personal event that others may learn of."""

log = structlog.get_logger()


class Batch:
    """Events of one kind of stream, with all that the database has to say of them."""

    def __init__(self, rooms: Rooms, *, is_everyone: bool) -> None:
        self._rooms = rooms
        self._is_everyone = is_everyone
        self._told: list[tuple[list[Shaped], frozenset[UUID]]] = []
        self._receivers: dict[UUID, str | None] = {}

    async def take(self, tx: Tx, events: Sequence[Event]) -> None:
        """Read what is needed of the conversations' events, and keep whom each concerns."""
        self._rooms.make_room()
        await self._rooms.prepare(tx, events)
        concealed = [event.stream_id for event in events if self._is_concealed(event)]
        writers = await store.list_broadcasters(tx, concealed) if concealed else {}
        known: dict[UUID, frozenset[UUID]] = {}
        for event in events:
            members = self._rooms.apply(event)
            # most events change nothing of who is there: one set for all of them
            kept = known.get(event.stream_id)
            if kept is None or kept != members:
                kept = known[event.stream_id] = frozenset(members)
            if self._is_concealed(event):
                kept = kept & (writers.get(event.stream_id, frozenset()) | {member_of(event)})
            if event.audience not in (ALL, STAFF):
                kept = kept & {UUID(event.audience)}
            self._told.append((_shape(event, self._rooms.find(event.stream_id)), kept))

    async def take_personal(self, tx: Tx, events: Sequence[Event]) -> None:
        """As `take`, of personal events: how far somebody has read, told to those who are in the conversation now."""
        moved = [event for event in events if event.kind == READ_MOVED]
        places = [(_conversation(event), int(event.data["read_number"])) for event in moved]
        messages = await store.list_numbered(tx, places)
        rooms = {row["id"]: row for row in await store.list_rooms(tx, {key: 2**62 for key, _ in places})}
        broadcasts = [key for key, row in rooms.items() if row["kind"] == "broadcast"]
        writers = await store.list_broadcasters(tx, broadcasts) if broadcasts else {}
        for event, place in zip(moved, places, strict=True):
            row = rooms.get(place[0])
            members = frozenset(row["members"]) if row else frozenset[UUID]()
            is_there = row is not None and (row["kind"] == "desk" or event.stream_id in members)
            if place[0] in broadcasts:
                members = members & (writers.get(place[0], frozenset()) | {event.stream_id})
            if is_there:
                self._told.append(([shape_event(event, message_id=messages.get(place))], members))

    def _is_concealed(self, event: Event) -> bool:
        """Whether the readers of a broadcast are not told, because it says who else reads it."""
        room = self._rooms.find(event.stream_id)
        return room is not None and room.kind == "broadcast" and find_named_reader(event) is not None

    def __bool__(self) -> bool:
        return bool(self._told)

    def __iter__(self) -> Iterator[Outgoing]:
        """Give out what is to be published, in order, made as it is asked for."""
        for shapes, members in self._told:
            for shaped in shapes:
                yield shaped.to_event()
                for actor_id in members & self._receivers.keys():
                    yield shaped.to_update(actor_id, self._receivers[actor_id])

    async def find_receivers(self, tx: Tx) -> None:
        """Learn whose updates are published of all that was taken."""
        everybody = frozenset[UUID]().union(*{members for _, members in self._told})
        rows = await store.list_receivers(tx, everybody, is_everyone=self._is_everyone)
        self._receivers = {row["id"]: row["external_id"] for row in rows}


def _shape(event: Event, room: Room | None) -> list[Shaped]:
    """Return an event in the broker's words; what cannot be told holds up nobody behind it."""
    try:
        shaped = [shape_event(event)]
        if event.number == 1 and room is not None:
            shaped.insert(0, shape_creation(event, room.kind, room.title))
    except (KeyError, TypeError, ValueError) as error:
        why = describe_failure(error)
        log.warning(
            "brokers.event_unreadable",
            stream=str(event.stream_id),
            number=event.number,
            kind=event.kind,
            error=why,
        )
        return [shape_unreadable(event)]
    return shaped


def _conversation(event: Event) -> UUID:
    try:
        return parse_id("cnv", str(event.data["conversation_id"]))
    except Malformed:
        return UUID(int=0)
