"""Streams: tags, what a reader that was away gets, and the feed across them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from parley.accounts import record_personal
from parley.conversations import Cursor, post_messages, read_events, read_head, resume
from parley.conversations.errors import StreamReset
from parley.conversations.store import delete_events_before
from parley.conversations.streams import (
    RESUME_LIMIT,
    append,
    is_for,
    read_personal_events,
    read_personal_head,
    resume_personal,
)
from parley.infra.db import Tx
from parley.infra.feed import FeedPosition, feed_end, read_feed
from parley.kit.events import ALL, STAFF, Event, StreamKind
from parley.kit.ids import public_id
from tests.conversations.conftest import Scene
from tests.house import House, require_dense

pytestmark = pytest.mark.anyio


async def grow(scene: Scene, count: int, place: UUID | None = None) -> list[Event]:
    """Post messages into the group, and return all events of it."""
    place = place or scene.group
    for start in range(0, count, 500):
        drafts = [scene.place.draft(place, scene.anna, str(n)) for n in range(start, min(count, start + 500))]
        async with scene.house.db.transaction(scene.place.id) as tx:
            await post_messages(tx, drafts)
    async with scene.house.db.transaction(scene.place.id) as tx:
        return await read_events(tx, place, after=0, limit=10_000)


async def continue_from(scene: Scene, cursor: Cursor) -> list[int]:
    async with scene.house.db.transaction(scene.place.id) as tx:
        return [event.number for event in await resume(tx, scene.group, cursor)]


async def test_every_event_has_a_tag_of_its_own_and_the_head_is_the_last(scene: Scene) -> None:
    events = await grow(scene, 40)
    assert len({event.tag for event in events}) == len(events)
    assert all(-(2**31) <= event.tag < 2**31 for event in events)
    async with scene.house.db.transaction(scene.place.id) as tx:
        assert await read_head(tx, scene.group) == Cursor(events[-1].number, events[-1].tag)


async def test_a_reader_gets_exactly_what_it_missed(scene: Scene) -> None:
    events = await grow(scene, 10)
    head = events[-1].number
    for event in events:
        missed = await continue_from(scene, Cursor(event.number, event.tag))
        assert missed == list(range(event.number + 1, head + 1))
    assert await continue_from(scene, Cursor(0, 0)) == list(range(1, head + 1))


async def test_a_reader_is_never_told_a_head_beyond_what_it_was_given(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = (await grow(scene, 3))[-1]

    async def resume_slowly(tx: Tx, conversation_id: UUID, cursor: Cursor) -> list[Event]:
        missed = await resume(tx, conversation_id, cursor)
        await scene.place.say(scene.group, scene.boris, "committed between two statements")
        return missed

    monkeypatch.setattr("parley.conversations.streams.resume", resume_slowly)
    url = f"/v1/conversations/{public_id('cnv', scene.group)}/events"
    async with scene.house.client(scene.anna) as client:
        page = (await client.get(url, params={"after": head.number, "tag": head.tag})).json()
        assert page == {"events": [], "head": {"number": head.number, "tag": head.tag}}
        page = (await client.get(url, params={"after": head.number, "tag": head.tag})).json()
    assert [event["number"] for event in page["events"]] == [head.number + 1]


async def test_a_thousand_missed_events_are_given_and_one_more_is_a_reset(scene: Scene) -> None:
    events = await grow(scene, RESUME_LIMIT + 10)
    from_end = events[-RESUME_LIMIT - 1]
    assert len(await continue_from(scene, Cursor(from_end.number, from_end.tag))) == RESUME_LIMIT
    older = events[-RESUME_LIMIT - 2]
    for cursor in (Cursor(older.number, older.tag), Cursor(0, 0)):
        with pytest.raises(StreamReset) as refused:
            await continue_from(scene, cursor)
        assert refused.value.fields == {
            "stream": public_id("cnv", scene.group),
            "head": {"number": events[-1].number, "tag": events[-1].tag},
        }


async def test_a_cursor_of_another_history_is_a_reset(scene: Scene) -> None:
    events = await grow(scene, 5)
    head, middle = events[-1], events[3]
    wrong = [
        Cursor(head.number, head.tag ^ 1),  # the same number after a restore
        Cursor(middle.number, middle.tag ^ 1),
        Cursor(head.number + 1, 0),  # ahead of what the restored database knows
        Cursor(2**53, 7),
        Cursor(-1, 0),
    ]
    for cursor in wrong:
        with pytest.raises(StreamReset):
            await continue_from(scene, cursor)


async def test_when_events_were_pruned_the_last_one_still_tells_a_reader_at_the_head(scene: Scene) -> None:
    events = await grow(scene, 6)
    head = events[-1]
    async with scene.house.db.system() as tx:
        while await delete_events_before(tx, head.at.replace(year=head.at.year + 1), 2):
            pass
    async with scene.house.db.transaction(scene.place.id) as tx:
        assert [event.number for event in await read_events(tx, scene.group, after=0, limit=10)] == [
            head.number
        ]
    assert await continue_from(scene, Cursor(head.number, head.tag)) == []
    for cursor in (
        Cursor(0, 0),
        Cursor(events[-2].number, events[-2].tag),
        Cursor(head.number, head.tag + 1),
    ):
        with pytest.raises(StreamReset):
            await continue_from(scene, cursor)


async def test_a_hole_in_the_middle_is_a_reset_and_never_passed_over(scene: Scene) -> None:
    """The sweep deletes old events in batches of no order: a reader may come between two batches."""
    events = await grow(scene, 8)
    await scene.house.sql(
        "DELETE FROM event WHERE conversation_id = $1 AND number = $2", scene.group, events[5].number
    )
    with pytest.raises(StreamReset):
        await continue_from(scene, Cursor(events[2].number, events[2].tag))
    after = events[6]
    assert await continue_from(scene, Cursor(after.number, after.tag)) == [
        event.number for event in events[7:]
    ]


async def test_personal_streams_resume_by_the_same_rules(scene: Scene) -> None:
    who = scene.anna.id
    for n in range(5):
        async with scene.house.db.transaction(scene.place.id) as tx:
            await record_personal(tx, scene.place.id, who, "rights.changed", {"n": n})
    async with scene.house.db.transaction(scene.place.id) as tx:
        events = await read_personal_events(tx, who, after=0, limit=100)
        require_dense([event.number for event in events])
        assert all(event.audience == "all" and event.stream == "personal" for event in events)
        head = await read_personal_head(tx, who)
        assert head == Cursor(events[-1].number, events[-1].tag)
        for event in events:
            missed = await resume_personal(tx, who, Cursor(event.number, event.tag))
            assert [other.number for other in missed] == list(range(event.number + 1, head.number + 1))
        for cursor in (Cursor(head.number, head.tag ^ 1), Cursor(head.number + 1, 0), Cursor(1, 12345)):
            with pytest.raises(StreamReset) as refused:
                await resume_personal(tx, who, cursor)
            assert refused.value.fields["stream"] == scene.anna.public


def test_an_event_is_for_its_audience_only() -> None:
    one, other = UUID(int=1), UUID(int=2)
    assert is_for(ALL, "all", one)
    assert is_for(ALL, "staff", one)
    assert is_for(STAFF, "staff", one)
    assert not is_for(STAFF, "all", one)
    assert is_for(str(one), "all", one)
    assert not is_for(str(one), "staff", other)


# ---------------------------------------------------------------- the feed


class Follower:
    """Reads the feed as followers do: a few events at a time, from where it stopped.

    Only what comes after its start is kept: the feed is at least once, and begins where the oldest transaction of
    the cluster did.
    """

    def __init__(
        self, house: House, position: FeedPosition, kind: StreamKind, before: dict[UUID, int]
    ) -> None:
        self.house = house
        self.position = position
        self.kind = kind
        self.before = before
        self.seen: list[tuple[UUID, int]] = []

    async def read(self, limit: int = 2) -> None:
        """Read until there is nothing more."""
        while True:
            async with self.house.db.system() as tx:
                events, self.position = await read_feed(tx, self.position, limit, stream=self.kind)
            self.seen += [
                (event.stream_id, event.number)
                for event in events
                if event.number > self.before.get(event.stream_id, 0)
            ]
            if not events:
                return

    async def read_until(self, count: int, limit: int = 2) -> None:
        """Read until so many were seen: transactions of other databases of the cluster hold the feed back too."""
        async with asyncio.timeout(60):
            while len(self.seen) < count:
                await self.read(limit)
                await asyncio.sleep(0.01)


async def follow(house: House, kind: StreamKind = "conversation") -> Follower:
    """Start a follower here and now."""
    async with house.db.system() as tx:
        table = "actor" if kind == "personal" else "conversation"
        before = {row["id"]: row["head"] for row in await tx.fetch(f"SELECT id, head FROM {table}")}
        return Follower(house, await feed_end(tx), kind, before)


@contextlib.asynccontextmanager
async def early(scene: Scene) -> AsyncIterator[Tx]:
    """A transaction that has its number before anything else happens, and is open meanwhile."""
    async with scene.house.db.transaction(scene.place.id) as tx:
        await tx.fetchval("SELECT pg_current_xact_id()")
        yield tx


async def tell(scene: Scene, tx: Tx, place: UUID) -> None:
    await append(
        tx, workspace_id=scene.place.id, conversation_id=place, kind="conversation.assigned", data={},
        actor_id=None, audience=STAFF,
    )  # fmt: skip


async def test_a_slow_transaction_is_not_skipped_by_a_follower(scene: Scene) -> None:
    other = await scene.place.open(scene.olga, scene.anna)
    follower = await follow(scene.house)
    async with early(scene) as slow:
        await tell(scene, slow, scene.group)
        for _ in range(5):
            await scene.place.say(other, scene.anna)
        await follower.read()
        assert follower.seen == []  # what is behind the slow one waits for it
    await follower.read_until(6)
    # (transaction, stream, number) orders the feed: the slow one began first
    assert [stream for stream, _ in follower.seen] == [scene.group] + [other] * 5
    assert len(set(follower.seen)) == 6


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_a_transaction_that_began_early_and_came_late_keeps_the_order_of_its_stream(
    scene: Scene, limit: int
) -> None:
    follower = await follow(scene.house)
    async with early(scene) as late:
        await scene.place.say(scene.group, scene.anna)
        async with early(scene) as later:
            await scene.place.say(scene.group, scene.boris)
            await tell(scene, later, scene.group)
        await post_messages(late, [scene.place.draft(scene.group, scene.olga)])
        await tell(scene, late, scene.group)
    await scene.place.say(scene.group, scene.boris)
    await follower.read_until(6, limit)
    numbers = [number for _, number in follower.seen]
    assert numbers == list(range(numbers[0], numbers[0] + 6))


async def test_a_personal_stream_keeps_its_order_in_the_feed(scene: Scene) -> None:
    follower = await follow(scene.house, "personal")

    async def note(tx: Tx) -> None:
        await record_personal(tx, scene.place.id, scene.anna.id, "rights.changed", {})

    async with early(scene) as late:
        async with scene.house.db.transaction(scene.place.id) as tx:
            await note(tx)
        await note(late)
    await follower.read_until(2, 1)
    numbers = [number for _, number in follower.seen]
    assert numbers == [numbers[0], numbers[0] + 1]


async def test_a_follower_sees_every_event_once_and_streams_in_order_while_many_write(scene: Scene) -> None:
    places = [scene.group, scene.room.id, await scene.place.open(scene.anna, scene.olga)]
    follower = await follow(scene.house)
    before = {place: len(await grow(scene, 0, place)) for place in places}
    is_over = asyncio.Event()

    async def write(number: int) -> None:
        for n in range(12):
            place = places[(number + n) % 3]
            if n % 3:
                await scene.house.collector.post(scene.place.draft(place, scene.anna))
            else:
                async with early(scene) as tx:
                    await asyncio.sleep(0.002 * (number % 4))
                    await post_messages(tx, [scene.place.draft(place, scene.anna)])

    async def watch() -> None:
        while not is_over.is_set():
            await follower.read(3)
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(write(number) for number in range(8)))
    is_over.set()
    await watching
    after = {place: len(await grow(scene, 0, place)) for place in places}
    await follower.read_until(sum(after.values()) - sum(before.values()))
    for place in places:
        numbers = [number for stream, number in follower.seen if stream == place]
        assert numbers == list(range(before[place] + 1, after[place] + 1))
