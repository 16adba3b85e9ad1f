"""Watching, missing, falling behind: the plain WebSocket against a real database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parley.desk.list_store import touch
from parley.kit.events import Event, Touch
from parley.kit.ids import public_id, uuid7
from parley.realtime.touches import HEALED_LIMIT
from tests.realtime.harness import Client, FaultyBus, House, Served

pytestmark = pytest.mark.anyio


async def test_a_watcher_gets_what_happens_after_the_head(served: Served) -> None:
    house = served.house
    await house.append(house.group, "before")
    async with served.client(house.anna) as client:
        head = await client.watch(house.group)
        assert head["number"] == 1
        await house.append(house.group, "after")
        assert await client.reach(house.group, 2) == [2]
        frame = client.of(house.group)[0]
        assert frame["data"]["message"]["text"] == "after"
        assert frame["actor_id"] == house.anna.public
        assert frame["kind"] == "message.created"


async def test_what_was_missed_comes_before_the_answer(served: Served) -> None:
    house = served.house
    events = [await house.append(house.group, str(n)) for n in range(5)]
    async with served.client(house.anna) as client:
        head = await client.watch(house.group, {"number": 2, "tag": events[1].tag})
        assert client.numbers(house.group) == [3, 4, 5]
        assert client.frames[-1]["type"] == "answer"
        assert head == {"number": 5, "tag": events[4].tag}
        await house.append(house.group)
        assert await client.reach(house.group, 6) == [3, 4, 5, 6]


async def test_watching_in_the_middle_of_a_storm_leaves_no_gap_and_no_double(served: Served) -> None:
    house = served.house
    first = await house.append(house.group)

    async def storm() -> None:
        for n in range(150):
            await house.append(house.group, str(n))

    async with served.client(house.anna) as steady, served.client(house.boris) as late:
        await steady.watch(house.group)
        task = asyncio.create_task(storm())
        for _ in range(12):
            await asyncio.sleep(0.01)
            numbers = late.numbers(house.group)
            cursor = _cursor(late, numbers, first)
            await late.watch(house.group, cursor)
            await late.ask("unwatch", conversation_id=public_id("cnv", house.group))
        numbers = late.numbers(house.group)
        await late.watch(house.group, _cursor(late, numbers, first))
        await task
        assert await steady.reach(house.group, 151) == list(range(2, 152))
        assert await late.reach(house.group, 151) == list(range(2, 152))


def _cursor(client: Any, numbers: list[int], first: Event) -> dict[str, int]:
    if not numbers:
        return {"number": 1, "tag": first.tag}
    last = client.of(first.stream_id)[-1]
    return {"number": last["number"], "tag": last["tag"]}


async def test_lost_hints_are_filled_in_from_the_database(served: Served, runtime: Any) -> None:
    house, bus = served.house, _bus(runtime)
    bus.is_lost = lambda hint: isinstance(hint, Event) and hint.number % 3 == 0
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        for n in range(20):
            await house.append(house.group, str(n))
        assert await client.reach(house.group, 20) == list(range(1, 21))


async def test_a_lost_last_hint_is_healed_by_the_feed(served: Served, runtime: Any) -> None:
    house, bus = served.house, _bus(runtime)
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        bus.is_lost = lambda _: True
        await house.append(house.group, "unheard")
        assert await client.reach(house.group, 1) == [1]
        await house.personal(house.anna, "read.moved", {"read_number": 1})
        await client.until(lambda: client.of(house.anna.id, "act"))


async def touch_desk(house: House) -> int:
    """Touch the desk conversation without a word to anybody; return the transaction."""
    async with house.runtime.db.transaction(house.workspace_id) as tx:
        return await touch(tx, [house.desk], [])


def touched(client: Client) -> list[str]:
    """The conversations a client was told of."""
    return [frame["conversation_id"] for frame in client.frames if frame["type"] == "touched"]


async def test_a_touch_that_no_hint_told_is_told_once_by_the_database(served: Served) -> None:
    house = served.house
    await add_to_desk(house)
    desk = public_id("cnv", house.desk)
    async with served.client(house.agent) as agent, served.client(house.anna) as anna:
        await agent.ask("watch_inboxes")
        await anna.ask("watch_inboxes")
        await touch_desk(house)
        await agent.until(lambda: touched(agent))
        assert touched(agent) == [desk]
        # told by its hint, and not again by the look that follows
        number = await touch_desk(house)
        hint = Touch(
            workspace_id=house.workspace_id,
            inbox_id=house.inbox,
            conversation_id=house.desk,
            transaction=number,
        )
        house.runtime.bus.publish([hint])
        await agent.until(lambda: len(touched(agent)) == 2)
        for _ in range(2):
            await served.gateway.fanout.touches.look()
        await agent.ask("ping")
        assert touched(agent) == [desk] * 2
        assert touched(anna) == []


async def test_many_lost_touches_are_told_by_a_few(served: Served) -> None:
    house = served.house
    await add_to_desk(house, 60)
    async with served.client(house.agent) as agent:
        await agent.ask("watch_inboxes")
        await house.sql("UPDATE desk_conversation SET touch = pg_current_xact_id()")
        await agent.until(lambda: touched(agent))
        await agent.ask("ping")
        assert len(touched(agent)) == HEALED_LIMIT


async def add_to_desk(house: House, more: int = 0) -> None:
    """Make the desk conversation one of a customer's, and so many more."""
    contact = uuid7()
    await house.sql(
        "INSERT INTO actor (workspace_id, id, kind, name) VALUES ($1, $2, 'contact', 'C')",
        house.workspace_id, contact,
    )  # fmt: skip
    for n in range(more + 1):
        conversation, identity = (house.desk if n == 0 else uuid7()), uuid7()
        await house.sql(
            "INSERT INTO identity (workspace_id, id, inbox_id, contact_id, address) VALUES ($1, $2, $3, $4, $5)",
            house.workspace_id, identity, house.inbox, contact, str(n),
        )  # fmt: skip
        if n:
            await house.sql(
                "INSERT INTO conversation (workspace_id, id, kind, inbox_id) VALUES ($1, $2, 'desk', $3)",
                house.workspace_id, conversation, house.inbox,
            )  # fmt: skip
        await house.sql(
            """INSERT INTO desk_conversation (workspace_id, conversation_id, inbox_id, contact_id, identity_id, status,
                active_at) VALUES ($1, $2, $3, $4, $5, 'resolved', now())""",
            house.workspace_id, conversation, house.inbox, contact, identity,
        )  # fmt: skip


async def test_hints_out_of_order_arrive_in_order(served: Served, runtime: Any) -> None:
    house, bus = served.house, _bus(runtime)
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        bus.is_lost = lambda _: True
        events = [await house.append(house.group, str(n)) for n in range(6)]
        for index in (1, 0, 0, 3, 2, 1, 5, 4):
            served.gateway.fanout.on_hints([events[index]])
        assert await client.reach(house.group, 6) == [1, 2, 3, 4, 5, 6]


async def test_a_cursor_with_another_tag_is_reset(served: Served) -> None:
    house = served.house
    events = [await house.append(house.group) for _ in range(3)]
    async with served.client(house.anna) as client:
        head = await client.watch(house.group, {"number": 2, "tag": events[1].tag ^ 1})
        reset = client.of(house.group)[0]
        assert reset["type"] == "reset"
        assert reset["head"] == head == {"number": 3, "tag": events[2].tag}
        await house.append(house.group)
        assert await client.reach(house.group, 4) == [4]


async def test_more_than_a_thousand_missed_is_a_reset(served: Served) -> None:
    house = served.house
    first = await house.append(house.group)
    await house.sql(
        """INSERT INTO event (workspace_id, conversation_id, number, tag, kind, audience, data, at)
        SELECT $1, $2, n, n, 'message.created', 'all', '{}', now() FROM generate_series(2, 1500) n""",
        house.workspace_id, house.group,
    )  # fmt: skip
    await house.sql("UPDATE conversation SET head = 1500, tag = 1500 WHERE id = $1", house.group)
    async with served.client(house.anna) as client:
        await client.watch(house.group, {"number": 1, "tag": first.tag})
        assert [frame["type"] for frame in client.of(house.group)] == ["reset"]
        await client.watch(house.group, {"number": 600, "tag": 600})
        assert client.numbers(house.group) == list(range(601, 1501))


async def test_numbers_used_again_after_a_failover_reset_live_readers(served: Served) -> None:
    house = served.house
    for _ in range(4):
        await house.append(house.group)
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        await house.append(house.group)
        await client.reach(house.group, 5)
        # the new primary never had the last two
        await house.sql("DELETE FROM event WHERE number > 3")
        await house.sql(
            "UPDATE conversation SET head = 3, tag = (SELECT tag FROM event WHERE number = 3) WHERE id = $1",
            house.group,
        )
        again = await house.append(house.group, "another fourth")
        await client.until(lambda: client.of(house.group)[-1]["type"] == "reset")
        assert client.of(house.group)[-1]["head"] == {"number": 4, "tag": again.tag}
        await house.append(house.group)
        await client.until(lambda: client.numbers(house.group)[-1] == 5)


async def test_a_new_number_behind_numbers_used_again_is_not_mixed_into_the_lost_history(
    served: Served, runtime: Any
) -> None:
    house = served.house
    for _ in range(3):
        await house.append(house.group)
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        await _lose_commits(house, after=1)
        _bus(runtime).is_lost = lambda _: True
        again = [await house.append(house.group, "again") for _ in range(4)]
        # numbers 2 and 3 come anew, 4 and 5 follow at once
        served.gateway.fanout.on_hints(again)
        await client.until(lambda: bool(client.of(house.group)))
        assert [(f["type"], f.get("head")) for f in client.of(house.group)] == [
            ("reset", {"number": 5, "tag": again[-1].tag})
        ]


async def test_nothing_is_shown_between_a_restore_and_the_comparison(served: Served, runtime: Any) -> None:
    house = served.house
    for _ in range(3):
        await house.append(house.group)
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        await _lose_commits(house, after=1)
        _bus(runtime).is_lost = lambda _: True
        served.gateway.fanout.compare_all()
        again = [await house.append(house.group, "again") for _ in range(3)]
        # the hints of 2 and 3 are lost
        served.gateway.fanout.on_hints(again[2:])
        await client.until(lambda: bool(client.of(house.group)))
        assert [frame["type"] for frame in client.of(house.group)] == ["reset"]


async def test_who_had_a_right_only_in_the_lost_history_is_shown_nothing_of_the_other(
    served: Served, runtime: Any
) -> None:
    house = served.house
    for _ in range(3):
        await house.append(house.group)
    async with served.client(house.anna) as anna, served.client(house.boris) as boris:
        await anna.watch(house.group)
        await boris.watch(house.group)
        await _lose_commits(house, after=1)
        await house.sql("DELETE FROM member WHERE actor_id = $1", house.boris.id)
        served.gateway.fanout.compare_all()
        await boris.until(lambda: len(boris.of(house.group)) > 1)
        assert [frame["type"] for frame in boris.of(house.group)] == ["reset", "gone"]
        await anna.until(lambda: bool(anna.of(house.group)))
        await house.append(house.group, "not for Boris")
        await anna.until(lambda: anna.of(house.group)[-1]["type"] == "event")
        await boris.ask("ping")
        assert "not for Boris" not in str(boris.frames)


async def _lose_commits(house: House, *, after: int) -> None:
    """Put the group's stream back, as an older state of the database does."""
    await house.sql("DELETE FROM event WHERE number > $1", after)
    await house.sql(
        "UPDATE conversation SET head = $2, tag = (SELECT tag FROM event WHERE number = $2) WHERE id = $1",
        house.group, after,
    )  # fmt: skip


async def test_the_personal_stream_resumes_and_goes_on(served: Served) -> None:
    house = served.house
    async with served.client(house.anna) as client:
        at = client.hello["personal"]
        assert client.hello["actor_id"] == house.anna.public
    await house.personal(house.anna, "read.moved", {"read_number": 1})
    await house.personal(house.anna, "read.moved", {"read_number": 2})
    async with served.client() as client:
        await client.ask("hello", token=house.anna.token, personal=at)
        assert client.numbers(house.anna.id, "act") == [1, 2]
        assert client.frames[-1]["type"] == "answer"
        await house.personal(house.anna, "read.moved", {"read_number": 3})
        await client.until(lambda: client.numbers(house.anna.id, "act") == [1, 2, 3])


def _bus(runtime: Any) -> FaultyBus:
    assert isinstance(runtime.bus, FaultyBus)
    return runtime.bus


async def test_readers_live_through_an_outage_of_the_database(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = served.house
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        events = [await house.append(house.group) for _ in range(3)]
        await client.reach(house.group, 3)
        await house.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        _bus(house.runtime).is_lost = lambda _: True
        await house.sql(
            """INSERT INTO event (workspace_id, conversation_id, number, tag, kind, audience, data, at)
            VALUES ($1, $2, 4, 4, 'message.created', 'all', '{}', now())""",
            house.workspace_id, house.group,
        )  # fmt: skip
        await house.sql("UPDATE conversation SET head = 4, tag = 4 WHERE id = $1", house.group)
        assert await client.reach(house.group, 4) == [1, 2, 3, 4]
        assert client.of(house.group)[2]["tag"] == events[2].tag
