"""A client id is a promise for ever: the same send is one message, whoever repeats it and how."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from parley.conversations import Collector, Posted, post_messages
from parley.conversations.errors import EmptyMessage
from parley.infra.bus import Bus
from parley.infra.db import Database, open_pool
from parley.kit.ids import public_id as public
from tests.conversations.conftest import Scene
from tests.house import open_house, read_numbers, require_dense

pytestmark = pytest.mark.anyio


async def test_fifty_equal_sends_over_two_processes_are_one_message(scene: Scene, tmp_path: Path) -> None:
    pool = await open_pool(scene.house.dsn)
    other = Collector(Database(pool, Bus()))
    draft = scene.place.draft(scene.group, scene.anna, client_id="once")
    before = await read_numbers(scene.house, scene.group)
    posted = await asyncio.gather(*((scene.house.collector, other)[n % 2].post(draft) for n in range(50)))
    await other.drain()
    await pool.close()
    assert [one.is_repeat for one in posted].count(False) == 1
    assert len({one.message.id for one in posted}) == 1
    assert all(one.message == posted[0].message for one in posted)
    assert len(await read_numbers(scene.house, scene.group)) == len(before) + 1


async def test_many_different_ids_over_two_processes_are_each_stored_once(
    scene: Scene, tmp_path: Path
) -> None:
    """Collisions of some sends of a batch must not harm the others."""
    pool = await open_pool(scene.house.dsn)
    other = Collector(Database(pool, Bus()))
    drafts = [scene.place.draft(scene.group, scene.anna, str(n), client_id=f"c{n}") for n in range(80)]
    posted = await asyncio.gather(
        *(scene.house.collector.post(draft) for draft in drafts), *(other.post(draft) for draft in drafts)
    )
    await other.drain()
    await pool.close()
    assert sorted(one.is_repeat for one in posted) == [False] * 80 + [True] * 80
    for first, second in zip(posted[:80], posted[80:], strict=True):
        assert first.message == second.message
    require_dense(await read_numbers(scene.house, scene.group))


async def test_a_client_id_counts_per_sender_and_conversation(scene: Scene) -> None:
    drafts = [
        scene.place.draft(place, who, client_id="same")
        for place in (scene.group, scene.room.id)
        for who in (scene.anna, scene.boris)
    ]
    posted = await asyncio.gather(*(scene.house.collector.post(draft) for draft in drafts))
    assert len({one.message.id for one in posted}) == 4
    assert not any(one.is_repeat for one in posted)


async def test_a_repeat_within_one_batch_is_the_same_message(scene: Scene) -> None:
    draft = scene.place.draft(scene.group, scene.anna, client_id="twice")
    async with scene.house.db.transaction(scene.place.id) as tx:
        first, between, second = await post_messages(
            tx, [draft, scene.place.draft(scene.group, scene.boris, "between"), draft]
        )
    assert isinstance(first, Posted)
    assert isinstance(between, Posted)
    assert isinstance(second, Posted)
    assert (first.is_repeat, second.is_repeat) == (False, True)
    assert first.message == second.message
    assert between.message.position == first.message.position + 1


async def test_the_answer_is_what_is_stored(scene: Scene) -> None:
    media = await scene.place.media(scene.anna)
    target = await scene.place.say(scene.group, scene.boris, "what do you think?")
    async with scene.house.client(scene.anna) as client:
        body = {
            "client_id": "full", "text": "fine\r\n\x07 indeed \U0001f600", "quote": "think",
            "entities": [{"kind": "bold", "offset": 0, "length": 4}, {"kind": "link", "offset": 0, "length": 1, "url": "https://x.org"}],
            "media_ids": [public("med", media)], "reply_to": target.message.id,
        }  # fmt: skip
        url = f"/v1/conversations/{public('cnv', scene.group)}/messages"
        answer = await client.post(url, json=body)
        assert answer.status_code == 201
        again = await client.post(url, json={**body, "text": "another text is not looked at"})
        assert again.status_code == 200
        page = (await client.get(url)).json()
    assert answer.json() == again.json() == page["items"][-1]
    assert answer.json()["text"] == "fine\n indeed \U0001f600"
    assert answer.json()["reply_to"]["text"] == "what do you think?"


async def test_a_repeat_is_known_after_an_edit_a_deletion_and_a_restart(scene: Scene, tmp_path: Path) -> None:
    draft = scene.place.draft(scene.group, scene.anna, "first", client_id="for ever")
    first = await scene.house.collector.post(draft)
    async with scene.house.client(scene.anna) as client:
        url = f"/v1/conversations/{public('cnv', scene.group)}/messages"
        edited = await client.patch(f"{url}/{first.message.id}", json={"text": "second"})
        repeat = await client.post(url, json={"client_id": "for ever", "text": "first"})
        assert (repeat.status_code, repeat.json()) == (200, edited.json())
        buried = await client.delete(f"{url}/{first.message.id}")
        repeat = await client.post(url, json={"client_id": "for ever", "text": "first"})
        assert (repeat.status_code, repeat.json()) == (200, buried.json())
    async with open_house(scene.house.dsn, tmp_path) as restarted:
        again = await restarted.collector.post(draft)
    assert again.is_repeat
    assert again.message.id == first.message.id


async def test_a_refused_send_takes_no_number_and_leaves_its_neighbours_alone(scene: Scene) -> None:
    stranger = await scene.place.user("Stranger", "agent")
    drafts = [
        scene.place.draft(scene.group, scene.anna, "one", client_id="1"),
        scene.place.draft(scene.group, scene.anna, "   ", client_id="2"),
        scene.place.draft(scene.group, stranger, "nobody's", client_id="3"),
        scene.place.draft(scene.group, scene.anna, "two", client_id="4"),
    ]
    outcomes = await asyncio.gather(
        *(scene.house.collector.post(draft) for draft in drafts), return_exceptions=True
    )
    kinds = [type(outcome).__name__ for outcome in outcomes]
    assert kinds == ["Posted", "EmptyMessage", "ConversationNotFound", "Posted"]
    require_dense(await read_numbers(scene.house, scene.group))
    # a refused client id was not used up
    retried = await scene.house.collector.post(
        scene.place.draft(scene.group, scene.anna, "now with text", client_id="2")
    )
    assert not retried.is_repeat
    with pytest.raises(EmptyMessage):
        await scene.house.collector.post(scene.place.draft(scene.group, scene.anna, "\x00\x01"))


async def test_sends_to_one_conversation_are_committed_in_the_order_submitted(scene: Scene) -> None:
    drafts = [scene.place.draft(scene.group, scene.anna, str(n), client_id=str(n)) for n in range(200)]
    posted = await asyncio.gather(*(scene.house.collector.post(draft) for draft in drafts))
    positions = [one.message.position for one in posted]
    assert positions == sorted(positions)
