"""From a batch of the feed to what is published: each event, then the updates of those it concerns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

import structlog

from parley.brokers import store
from parley.brokers.chat_shapes import Known, shape_known
from parley.brokers.facts import HIDDEN, Facts, Told, gather_facts, message_of
from parley.brokers.rooms import Rooms, member_of
from parley.brokers.shapes import Outgoing, Shaped, shape_creation, shape_event, shape_unreadable
from parley.conversations import find_named_reader
from parley.infra.db import Tx
from parley.infra.failures import describe_failure
from parley.kit.errors import Malformed
from parley.kit.events import ALL, STAFF, Event
from parley.kit.ids import parse_id, public_id

READ_MOVED = "read.moved"
"""The one personal event that others may learn of; of the rest `HIDDEN` is published, for whom it is about alone."""

_UNREADABLE = (KeyError, TypeError, ValueError)

log = structlog.get_logger()


class Batch:
    """Events of one kind of stream, with all that the database has to say of them."""

    def __init__(self, rooms: Rooms, *, is_everyone: bool, known_by_id: UUID | None = None) -> None:
        self._rooms = rooms
        self._is_everyone = is_everyone
        self._known_by_id = known_by_id
        self._told: list[Told] = []
        self._facts: Facts | None = None

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
            is_first = event.number == 1 and self._rooms.find(event.stream_id) is not None
            self._told.append(Told(event=event, members=kept, is_first=is_first))

    async def take_personal(self, tx: Tx, events: Sequence[Event]) -> None:
        """As `take`, of personal events.

        How far somebody has read is told to those who are in the conversation now; what somebody deleted for
        themselves to nobody else, and to them wherever they are since.
        """
        places = [_place(event) for event in events if event.kind == READ_MOVED]
        messages = await store.list_numbered(tx, places)
        rooms = {row["id"]: row for row in await store.list_rooms(tx, {key: 2**62 for key, _ in places})}
        broadcasts = [key for key, row in rooms.items() if row["kind"] == "broadcast"]
        writers = await store.list_broadcasters(tx, broadcasts) if broadcasts else {}
        for event in events:
            if event.kind == HIDDEN:
                self._told.append(Told(event=event, members=frozenset({event.stream_id})))
            if event.kind != READ_MOVED:
                continue
            place = _place(event)
            row = rooms.get(place[0])
            members = frozenset(row["members"]) if row else frozenset[UUID]()
            is_there = row is not None and (row["kind"] == "desk" or event.stream_id in members)
            if place[0] in broadcasts:
                members = members & (writers.get(place[0], frozenset()) | {event.stream_id})
            if is_there:
                self._told.append(Told(event=event, members=members, message_id=messages.get(place)))

    def _is_concealed(self, event: Event) -> bool:
        """Whether the readers of a broadcast are not told, because it says who else reads it."""
        room = self._rooms.find(event.stream_id)
        return room is not None and room.kind == "broadcast" and find_named_reader(event) is not None

    def __bool__(self) -> bool:
        return bool(self._told)

    async def complete(self, tx: Tx) -> None:
        """Read what there is to say of all that was taken, and whose updates are published."""
        self._facts = await gather_facts(
            tx, self._told, is_everyone=self._is_everyone, known_by_id=self._known_by_id
        )

    def __iter__(self) -> Iterator[Outgoing]:
        """Give out what is to be published, in order, made as it is asked for. After `complete`."""
        assert self._facts is not None
        for told in self._told:
            for shaped in _shape(told, self._facts):
                if told.event.kind != HIDDEN:
                    yield shaped.to_event()
                yield from self._updates(told, shaped, self._facts)

    def _updates(self, told: Told, shaped: Shaped, facts: Facts) -> Iterator[Outgoing]:
        message_id = message_of(told) if told.event.kind != HIDDEN else None
        receivers = [
            actor_id
            for actor_id in told.members & facts.receivers
            if message_id is None or (actor_id, message_id) not in facts.hidden
        ]
        if not receivers:
            return
        known = _shape_known(told, shaped, facts)
        for actor_id in receivers:
            external_id = facts.external_ids.get(public_id("act", actor_id))
            yield shaped.to_update(actor_id, external_id, facts.published_at)
            if known is not None and external_id is not None and known.may_name(external_id):
                yield known.to_update(actor_id, external_id)


def _shape(told: Told, facts: Facts) -> list[Shaped]:
    """Return an event in the broker's words; what cannot be told holds up nobody behind it."""
    event = told.event
    try:
        shaped = [shape_event(told, facts)]
        if told.is_first:
            shaped.insert(0, shape_creation(told, facts))
    except _UNREADABLE as error:
        _warn(event, error)
        return [shape_unreadable(event)]
    return shaped


def _shape_known(told: Told, shaped: Shaped, facts: Facts) -> Known | None:
    try:
        return shape_known(told, shaped, facts)
    except _UNREADABLE as error:
        _warn(told.event, error)
        return shape_known(told, shape_unreadable(told.event), facts)


def _warn(event: Event, error: Exception) -> None:
    why = describe_failure(error)
    log.warning(
        "brokers.event_unreadable",
        stream=str(event.stream_id),
        number=event.number,
        kind=event.kind,
        error=why,
    )


def _place(event: Event) -> tuple[UUID, int]:
    try:
        key = parse_id("cnv", str(event.data["conversation_id"]))
    except Malformed:
        key = UUID(int=0)
    return key, int(event.data["read_number"])
