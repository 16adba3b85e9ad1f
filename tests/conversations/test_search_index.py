"""The index follows the feed: exactly, from where it stopped, by one process at a time, and can be made anew."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import pytest
from prometheus_client import generate_latest

from parley.conversations import editing, search_store
from parley.conversations.search_checks import SEARCH_CHECKS
from parley.conversations.search_index import SearchIndex, follow, rebuild, reindex
from parley.infra.checking import Check
from parley.infra.db import Database
from parley.infra.feed import forget_transactions
from parley.infra.metrics import Metrics
from parley.kit.ids import parse_id
from tests.conversations.conftest import Scene
from tests.house import House, index_all

pytestmark = pytest.mark.anyio


async def indexed(house: House) -> dict[Any, int]:
    rows = await house.sql("SELECT message_id, version FROM message_search")
    return {row["message_id"]: row["version"] for row in rows}


async def wanted(house: House) -> dict[Any, int]:
    rows = await house.sql("SELECT id, version FROM message WHERE deleted_at IS NULL AND kind <> 'system'")
    return {row["id"]: row["version"] for row in rows}


async def violations(house: House) -> dict[str, int]:
    """What the doctor's checks of search find in the whole of the tables."""
    whole = ("00000000-0000-0000-0000-000000000000", -1, "ffffffff-ffff-ffff-ffff-ffffffffffff", 2**62)

    async def look(check: Check) -> int:
        return len(await house.sql(check.sql, *(whole if check.walk else ())))

    return {check.name: count for check in SEARCH_CHECKS if (count := await look(check))}


async def change_at_random(scene: Scene, choose: random.Random) -> None:
    """Send, edit or delete something."""
    rows = await scene.house.sql(
        "SELECT id FROM message WHERE conversation_id = $1 AND deleted_at IS NULL", scene.group
    )
    kind = choose.choice(["send", "send", "edit", "delete"]) if rows else "send"
    if kind == "send":
        await scene.place.say(scene.group, scene.anna, f"said {choose.random()}")
        return
    message = choose.choice(rows)["id"]
    async with scene.house.db.transaction(scene.place.id) as tx:
        if kind == "edit":
            await editing.edit_message(
                tx, scene.anna.caller, scene.group, message, text=f"edited {choose.random()}", entities=[]
            )
        else:
            await editing.delete_message(tx, scene.anna.caller, scene.group, message)


async def test_the_index_is_what_the_messages_are_after_any_changes_and_any_stops(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of all sizes, some broken off before their commit, as a kill does."""
    choose = random.Random(8)
    saved = search_store.save_follower

    async def break_off(*_: object) -> None:
        raise ConnectionResetError("killed")

    for _ in range(80):
        await change_at_random(scene, choose)
        if choose.random() < 0.3:
            await follow(scene.house.db, limit=choose.randrange(1, 5))
        if choose.random() < 0.2:
            monkeypatch.setattr(search_store, "save_follower", break_off)
            with contextlib.suppress(ConnectionResetError):
                await follow(scene.house.db, limit=3)
            monkeypatch.setattr(search_store, "save_follower", saved)
    await index_all(scene.house)
    assert await indexed(scene.house) == await wanted(scene.house)
    assert await violations(scene.house) == {}


async def test_of_several_processes_one_writes(scene: Scene, database_url: str) -> None:
    for n in range(20):
        await scene.place.say(scene.group, scene.anna, f"said {n}")
    await index_all(scene.house)
    await scene.place.say(scene.group, scene.anna, "once more")
    async with scene.house.db.system() as tx:
        assert await search_store.lock_follower(tx) is not None
        assert await follow(scene.house.db) == (0, 0.0)
    await asyncio.gather(*(follow(scene.house.db, limit=3) for _ in range(6)))
    await index_all(scene.house)
    assert await indexed(scene.house) == await wanted(scene.house)


async def test_a_running_follower_finds_what_is_said_within_two_seconds(scene: Scene) -> None:
    metrics = Metrics()
    task = asyncio.create_task(SearchIndex(scene.house.db, metrics).run())
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(60), scene.house.client(scene.boris) as client:
            await asyncio.sleep(0.5)
            seconds = 60.0
            for word in (
                "quickly",
                "swiftly",
                "rapidly",
                "promptly",
                "shortly",
            ):  # a busy machine may be late for one
                sent = await scene.place.say(scene.group, scene.anna, word)
                began = loop.time()
                while not (await client.get("/v1/search/messages", params={"query": word})).json()["items"]:
                    await asyncio.sleep(0.05)
                seconds = loop.time() - began
                if seconds < 2:
                    break
            assert seconds < 2
        assert parse_id("msg", sent.message.id) in await indexed(scene.house)
        assert b"parley_search_lag_seconds" in generate_latest(metrics.registry)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_follower_outlives_a_database_that_is_away(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.conversations.search_index.RETRY_SECONDS", 0.01)
    opened = Database.system
    failures = iter([True, True, True])

    def away(self: Database) -> Any:
        if next(failures, False):
            raise ConnectionRefusedError
        return opened(self)

    monkeypatch.setattr(Database, "system", away)
    await scene.place.say(scene.group, scene.anna, "still here")
    task = asyncio.create_task(SearchIndex(scene.house.db, Metrics()).run())
    async with asyncio.timeout(30):
        while await indexed(scene.house) != await wanted(scene.house):
            await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])


async def test_the_index_is_made_anew_beside_sends_and_deletions(scene: Scene) -> None:
    choose = random.Random(3)
    for _ in range(40):
        await change_at_random(scene, choose)
    await index_all(scene.house)
    await scene.house.sql("DELETE FROM message_search WHERE random() < 0.5")
    await scene.house.sql("UPDATE message_search SET version = 99, words = '' WHERE random() < 0.5")
    assert "search.complete" in await violations(scene.house)

    async def change() -> None:
        for _ in range(30):
            await change_at_random(scene, choose)
            await follow(scene.house.db)

    await asyncio.gather(change(), reindex(scene.house.db))
    await index_all(scene.house)
    assert await violations(scene.house) == {}
    assert await indexed(scene.house) == await wanted(scene.house)


async def test_a_rebuild_broken_off_goes_on_where_it_was(scene: Scene) -> None:
    for n in range(25):
        await scene.place.say(scene.group, scene.anna, f"said {n}")
    await index_all(scene.house)
    await scene.house.sql("DELETE FROM message_search")
    async with scene.house.db.system() as tx:
        await search_store.begin_rebuild(tx)
    assert await rebuild(scene.house.db, limit=10) == 10
    assert len(await indexed(scene.house)) == 10
    while await rebuild(scene.house.db, limit=10):
        pass
    assert await indexed(scene.house) == await wanted(scene.house)
    assert await scene.house.sql("SELECT FROM search_rebuild") == []


async def test_the_doctor_tells_what_is_missing_and_what_should_be(scene: Scene) -> None:
    await scene.place.say(scene.group, scene.anna, "one")
    await scene.place.say(scene.group, scene.anna, "two")
    await index_all(scene.house)
    assert await violations(scene.house) == {}
    await scene.house.sql("UPDATE message SET deleted_at = now(), text = '' WHERE text = 'one'")
    assert await violations(scene.house) == {"search.deleted": 1}
    await scene.house.sql("DELETE FROM message_search")
    assert await violations(scene.house) == {"search.complete": 1}
    await reindex(scene.house.db)
    assert await violations(scene.house) == {}


async def test_what_the_index_has_not_come_to_yet_is_no_finding(scene: Scene) -> None:
    said = await scene.place.say(scene.group, scene.anna, "one")
    await index_all(scene.house)
    await scene.place.say(scene.group, scene.anna, "two")
    async with scene.house.db.transaction(scene.place.id) as tx:
        await editing.delete_message(tx, scene.anna.caller, scene.group, parse_id("msg", said.message.id))
    assert await violations(scene.house) == {}
    await scene.house.sql("DELETE FROM follower WHERE name = 'search'")
    assert await violations(scene.house) == {"search.complete": 1, "search.deleted": 1}


async def test_the_follower_goes_on_after_a_dump_was_loaded(scene: Scene) -> None:
    await scene.place.say(scene.group, scene.anna, "before")
    await index_all(scene.house)
    await scene.place.say(scene.group, scene.anna, "between")
    async with scene.house.db.system() as tx:
        await forget_transactions(tx)
    await scene.place.say(scene.group, scene.anna, "after")
    await index_all(scene.house)
    assert await indexed(scene.house) == await wanted(scene.house)


async def test_a_text_is_folded_letter_by_letter(house: House) -> None:
    letters = [chr(code) for code in range(1, 0x3000)]
    row = (await house.sql("SELECT search_fold($1) AS folded, lower($1) AS lowered", "".join(letters)))[0]
    special = dict.fromkeys("\t\n!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", " ") | {"ё": "е", "ѵ": "и"}
    assert row["folded"] == "".join(special.get(letter, letter) for letter in row["lowered"])
