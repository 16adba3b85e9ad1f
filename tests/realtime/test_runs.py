"""Messages that come together leave together: whole, in order, to everybody, whatever stands between them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parley.kit.events import STAFF, Event
from parley.realtime.streams import RUN_BYTES
from parley.realtime.wire import Wire
from tests.realtime.harness import FaultyBus, Served

pytestmark = pytest.mark.anyio


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What goes to the wires of this test, write by write."""
    found: list[bytes] = []
    offer = Wire.offer

    def noted(self: Wire, frame: bytes) -> bool:
        found.append(frame)
        return offer(self, frame)

    monkeypatch.setattr(Wire, "offer", noted)
    return found


async def append_silently(served: Served, runtime: Any, *texts: str, **more: Any) -> list[Event]:
    bus: FaultyBus = runtime.db.bus
    bus.is_lost = lambda _: True
    events = [await served.house.append(served.house.group, text, **more) for text in texts]
    bus.is_lost = lambda _: False
    return events


async def test_a_run_goes_to_each_socket_in_one_write(
    served: Served, runtime: Any, writes: list[bytes]
) -> None:
    house = served.house
    async with served.client(house.anna) as one, served.client(house.boris) as other:
        await one.watch(house.group)
        await other.watch(house.group)
        events = await append_silently(served, runtime, *map(str, range(20)))
        writes.clear()
        served.gateway.fanout.on_hints(events)
        assert len(writes) == 2
        for client in (one, other):
            assert await client.reach(house.group, 20) == list(range(1, 21))
        assert [frame["data"]["message"]["text"] for frame in one.of(house.group)] == [
            str(n) for n in range(20)
        ]


async def test_a_long_run_goes_in_pieces(served: Served, runtime: Any, writes: list[bytes]) -> None:
    house = served.house
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        events = await append_silently(
            served, runtime, *["x" * (RUN_BYTES // 3) for _ in range(6)], "y" * (2 * RUN_BYTES), "z"
        )
        writes.clear()
        served.gateway.fanout.on_hints(events)
        assert await client.reach(house.group, 8) == list(range(1, 9))
        assert all(len(one) < RUN_BYTES + 1000 or b"yyyy" in one for one in writes)
        assert len(writes) == 5


async def test_other_events_between_messages_keep_their_place(served: Served, runtime: Any) -> None:
    house = served.house
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        first = await append_silently(served, runtime, "1", "2")
        changed = await append_silently(
            served, runtime, "", kind="conversation.changed", data={"title": "New"}
        )
        note = await append_silently(served, runtime, "a note", audience=STAFF)
        last = await append_silently(served, runtime, "5", "6")
        served.gateway.fanout.on_hints([*first, *changed, *note, *last])
        assert await client.reach(house.group, 6) == [1, 2, 3, 4, 5, 6]
        assert [frame["type"] for frame in client.of(house.group)] == [*["event"] * 3, "skip", *["event"] * 2]


async def test_a_run_with_a_hole_or_what_was_shown_is_healed(served: Served, runtime: Any) -> None:
    house = served.house
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        events = await append_silently(served, runtime, *map(str, range(8)))
        served.gateway.fanout.on_hints(events[:2])
        served.gateway.fanout.on_hints([*events[1:4], *events[5:7]])
        assert await client.reach(house.group, 8) == list(range(1, 9))


async def test_who_comes_in_while_a_run_is_shown_gets_each_message_once(served: Served, runtime: Any) -> None:
    house = served.house
    async with served.client(house.anna) as steady, served.client(house.boris) as late:
        await steady.watch(house.group)
        events = await append_silently(served, runtime, *map(str, range(60)))
        coming = asyncio.create_task(late.watch(house.group, {"number": 1, "tag": events[0].tag}))
        for start in range(0, 60, 5):
            served.gateway.fanout.on_hints(events[start : start + 5])
            await asyncio.sleep(0.001)
        await coming
        assert await steady.reach(house.group, 60) == list(range(1, 61))
        assert await late.reach(house.group, 60) == list(range(2, 61))
