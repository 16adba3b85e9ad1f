"""Scheduled messages: posted at their time, exactly once, by the rights of that time."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any
from uuid import UUID

import httpx2
import pytest

from parley.conversations import members, scheduling
from parley.infra.jobs import Jobs
from parley.infra.worker import Limits
from parley.kit.ids import parse_id, public_id
from parley.media import delete_unattached
from tests.conversations.conftest import Scene
from tests.conversations.test_editing import send, url_of
from tests.house import Json, Person

pytestmark = pytest.mark.anyio


def url(place: UUID, *more: str) -> str:
    return "/".join(["/v1/conversations", public_id("cnv", place), "scheduled", *more])


def soon(seconds: float = 3600) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat()


async def plan(client: httpx2.AsyncClient, place: UUID, key: str = "later", **more: Any) -> Json:
    answer = await client.post(url(place), json={"client_id": key, "text": key, "send_at": soon(), **more})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def let_time_come(scene: Scene, *, workers: int = 1) -> None:
    """Have everything scheduled be due, and run what is due until nothing is, in several workers at once."""
    jobs = Jobs()
    jobs.on(scheduling.POST_KIND, lambda job: scheduling.post_due(scene.house.db, job))
    running = [jobs.make_worker(scene.house.db, limits=Limits(concurrency=4)) for _ in range(workers)]
    tasks = [asyncio.create_task(worker.run()) for worker in running]
    async with asyncio.timeout(60):
        while await scene.house.sql("SELECT FROM job WHERE work IN ('ready', 'leased')"):
            await scene.house.sql("UPDATE job SET due_at = now() WHERE work = 'ready' AND due_at > now()")
            await asyncio.sleep(0.02)
    for worker in running:
        worker.stop()
    await asyncio.gather(*tasks)
    assert not await scene.house.sql("SELECT FROM job WHERE work = 'failed'")


async def told(scene: Scene, person: Person) -> list[tuple[str, str]]:
    rows = await scene.house.sql(
        """SELECT data -> 'scheduled' AS told FROM personal_event
        WHERE actor_id = $1 AND kind = 'scheduled.changed' ORDER BY number""",
        person.id,
    )

    found = [json.loads(row["told"]) for row in rows]
    return [(one["client_id"], one["state"]) for one in found]


async def said(scene: Scene, place: UUID) -> list[str]:
    rows = await scene.house.sql(
        "SELECT text FROM message WHERE conversation_id = $1 ORDER BY position", place
    )
    return [row["text"] for row in rows]


async def test_a_message_is_posted_at_its_time_with_all_that_belongs_to_it(scene: Scene) -> None:
    media = public_id("med", await scene.place.media(scene.anna))
    call = {"kind": "mention", "offset": 0, "length": 1, "actor_id": scene.boris.public}
    async with scene.house.client(scene.anna) as client:
        first = await send(client, scene.group, "the question")
        made = await plan(
            client, scene.group, "the answer", media_ids=[media], entities=[call], reply_to=first["id"]
        )
        again = await plan(client, scene.group, "the answer")
        assert again == made
        assert (made["state"], made["version"], made["attachments"][0]["media_id"]) == ("waiting", 1, media)
        for path in (url(scene.group), "/v1/scheduled"):
            assert (await client.get(path)).json()["items"] == [made]
        async with scene.house.client(scene.olga) as olga:
            assert (await olga.get(url(scene.group))).json()["items"] == []
        await let_time_come(scene)
        assert (await client.get("/v1/scheduled")).json()["items"] == []
        posted = (await client.get(url_of(scene.group))).json()["items"][-1]
        repeat = await client.post(
            url(scene.group), json={"client_id": "the answer", "text": "x", "send_at": soon()}
        )
    assert (posted["text"], posted["client_id"], posted["entities"]) == ("the answer", "the answer", [call])
    assert posted["reply_to"]["id"] == first["id"]
    assert posted["attachments"][0]["media_id"] == media
    assert (repeat.json()["state"], repeat.json()["message_id"]) == ("posted", posted["id"])
    assert await told(scene, scene.anna) == [("the answer", "waiting"), ("the answer", "posted")]
    [mention] = await scene.house.sql("SELECT actor_id FROM mention")
    assert mention["actor_id"] == scene.boris.id


async def test_a_reply_quotes_what_is_still_said_at_its_time(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        asked = {name: await send(client, scene.group, f"who comes {name}") for name in ("a", "b", "c")}
        for name, one in asked.items():
            await plan(client, scene.group, name, reply_to=one["id"], quote=f"comes {name}")
        for more in ({"quote": "comes a"}, {"reply_to": asked["a"]["id"], "quote": "nobody"}):
            body = {"client_id": "bad", "text": "x", "send_at": soon(), **more}
            answer = await client.post(url(scene.group), json=body)
            assert answer.json()["error"]["code"] == "bad_quote"
        await client.patch(url_of(scene.group, asked["b"]["id"]), json={"text": "nobody comes"})
        await client.delete(url_of(scene.group, asked["c"]["id"]))
        [left] = await scene.house.sql("SELECT count(quote) AS count FROM scheduled_message")
        assert left["count"] == 2  # what was deleted is quoted nowhere
        await let_time_come(scene)
        page = (await client.get(url_of(scene.group))).json()["items"]
    quotes = {one["text"]: one["reply_to"]["quote"] for one in page if one["reply_to"]}
    assert quotes == {"a": "comes a", "b": None, "c": None}
    [left] = await scene.house.sql("SELECT count(quote) AS count FROM scheduled_message")
    assert left["count"] == 0


async def test_it_is_changed_cancelled_and_sent_before_its_time(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        one, two, three = [await plan(client, scene.group, key) for key in ("one", "two", "three")]
        changed = await client.patch(url(scene.group, one["id"]), json={"text": "ONE", "send_at": soon(60)})
        assert (changed.json()["text"], changed.json()["version"]) == ("ONE", 2)
        assert (await client.delete(url(scene.group, two["id"]))).status_code == 204
        assert (await client.delete(url(scene.group, two["id"]))).status_code == 404
        answers = await asyncio.gather(
            *(client.post(url(scene.group, three["id"], "send")) for _ in range(5))
        )
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["id"] for answer in answers}) == 1
        for answer in (
            await client.patch(url(scene.group, three["id"]), json={"text": "late"}),
            await client.delete(url(scene.group, three["id"])),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "scheduled_posted")
    await let_time_come(scene)
    assert await said(scene, scene.group) == ["three", "ONE"]
    assert await told(scene, scene.anna) == [
        ("one", "waiting"), ("two", "waiting"), ("three", "waiting"), ("one", "waiting"), ("two", "cancelled"),
        ("three", "posted"), ("one", "posted"),
    ]  # fmt: skip


async def test_who_was_removed_is_told_why_and_sees_it(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        made = await plan(client, scene.group)
        async with scene.house.db.transaction(scene.place.id) as tx:
            await members.remove_member(tx, scene.olga.caller, scene.group, scene.anna.id)
        await let_time_come(scene)
        [kept] = (await client.get("/v1/scheduled")).json()["items"]
        assert (kept["state"], kept["error"]["code"]) == ("failed", "conversation_not_found")
        assert await told(scene, scene.anna) == [("later", "waiting"), ("later", "failed")]
        assert await said(scene, scene.group) == []
        for answer in (
            await client.post(url(scene.group, made["id"], "send")),
            await client.patch(url(scene.group, made["id"]), json={"text": "let me"}),
            await client.get(url(scene.group)),
        ):
            assert answer.status_code == 404
        # taken in again it may try again
        async with scene.house.db.transaction(scene.place.id) as tx:
            await members.add_member(tx, scene.olga.caller, scene.group, scene.anna.id, "member")
        again = await client.patch(url(scene.group, made["id"]), json={"send_at": soon()})
        assert (again.json()["state"], again.json()["error"]) == ("waiting", None)
    await let_time_come(scene)
    assert await said(scene, scene.group) == ["later"]


async def test_what_cannot_be_posted_by_a_fault_of_ours_has_failed_for_its_author_to_retry(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: Any) -> None:
        raise RuntimeError("a bug")

    async with scene.house.client(scene.anna) as client:
        broken = [await plan(client, scene.group, key) for key in ("sent", "changed")]
        await plan(client, scene.group, "in time")
        await scene.house.sql("UPDATE scheduled_message SET send_at = now() - interval '1 second' WHERE id <> $1",
                              parse_id("sch", (await plan(client, scene.group, "later"))["id"]))  # fmt: skip
        assert await scheduling.settle_abandoned(scene.house.db) == 0  # their jobs are there
        with monkeypatch.context() as patched:
            patched.setattr(scheduling, "_post", break_down)
            ids = [str(parse_id("sch", one["id"])) for one in broken]
            await give_up(scene, ids)
        states = [one["state"] for one in (await client.get(url(scene.group))).json()["items"]]
        assert states == ["waiting"] * 4
        await asyncio.gather(*(scheduling.settle_abandoned(scene.house.db) for _ in range(3)))
        kept = {one["client_id"]: one for one in (await client.get(url(scene.group))).json()["items"]}
        assert {key: one["state"] for key, one in kept.items()} == {
            "sent": "failed", "changed": "failed", "in time": "waiting", "later": "waiting",
        }  # fmt: skip
        assert kept["sent"]["error"]["code"] == "posting_failed"
        assert "bug" not in str(kept)
        assert sorted(await told(scene, scene.anna))[:2] == [("changed", "failed"), ("changed", "waiting")]
        # its job run again, perhaps by the operator, does not post behind the author's back
        await scene.house.sql("UPDATE job SET work = 'ready', finished_at = NULL WHERE work = 'failed'")
        await let_time_come(scene)
        assert sorted(await said(scene, scene.group)) == ["in time", "later"]
        assert (await client.post(url(scene.group, broken[0]["id"], "send"))).status_code == 200
        again = await client.patch(url(scene.group, broken[1]["id"]), json={"send_at": soon()})
        assert (again.json()["state"], again.json()["error"]) == ("waiting", None)
    await let_time_come(scene)
    assert (await said(scene, scene.group))[2:] == ["sent", "changed"]


async def give_up(scene: Scene, scheduled_ids: list[str]) -> None:
    """Have the jobs of these messages tried until they fail for good."""
    jobs = Jobs()
    jobs.on(
        scheduling.POST_KIND,
        lambda job: scheduling.post_due(scene.house.db, job),
        retries=1,
        backoff_seconds=0,
    )
    worker = jobs.make_worker(scene.house.db)
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(60):
        while await scene.house.sql(
            """UPDATE job SET due_at = now() WHERE work IN ('ready', 'leased')
            AND payload ->> 'scheduled_id' = ANY ($1) RETURNING id""",
            scheduled_ids,
        ):
            await asyncio.sleep(0.05)
    worker.stop()
    await task
    assert len(await scene.house.sql("SELECT FROM job WHERE work = 'failed'")) == len(scheduled_ids)


async def test_who_may_only_read_by_then_or_left_the_workspace_posts_nothing(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as anna, scene.house.client(scene.boris) as boris:
        await plan(anna, scene.group, "reader")
        await plan(boris, scene.group, "leaver")
        async with scene.house.db.transaction(scene.place.id) as tx:
            await members.add_member(tx, scene.olga.caller, scene.group, scene.anna.id, "reader")
        await scene.house.sql("UPDATE actor SET deactivated_at = now() WHERE id = $1", scene.boris.id)
        await let_time_come(scene)
        assert await said(scene, scene.group) == []
        [kept] = (await anna.get(url(scene.group))).json()["items"]
        assert kept["error"]["code"] == "may_not_write"
        refused = await anna.post(url(scene.group), json={"client_id": "n", "text": "n", "send_at": soon()})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "may_not_write")


@pytest.mark.parametrize("round_", range(3))
async def test_posting_sending_changing_and_cancelling_at_once_post_it_once_or_never(
    scene: Scene, round_: int
) -> None:
    """Whatever comes first: one message or none, and what the author is told agrees."""
    async with scene.house.client(scene.anna) as client:
        made = [await plan(client, scene.group, f"{round_}/{n}") for n in range(8)]

        async def act(n: int, key: str) -> int:
            one = url(scene.group, key)
            if n % 4 == 0:
                return (await client.post(f"{one}/send")).status_code
            if n % 4 == 1:
                return (await client.delete(one)).status_code
            if n % 4 == 2:
                return (await client.patch(one, json={"text": "changed"})).status_code
            return (await client.post(url(scene.group), json={"client_id": made[n]["client_id"], "text": "x",
                                                              "send_at": soon()})).status_code  # fmt: skip

        posting = asyncio.create_task(let_time_come(scene, workers=2))
        codes = await asyncio.gather(
            *(act(n, one["id"]) for n, one in enumerate(made)),
            *(act(n, one["id"]) for n, one in enumerate(made)),
        )
        await posting
    assert set(codes) <= {200, 201, 204, 404, 409}
    await let_time_come(scene)
    keys = [row["client_id"] for row in await scene.house.sql("SELECT client_id FROM message")]
    assert len(keys) == len(set(keys))
    last = dict(await told(scene, scene.anna))
    assert set(keys) == {key for key, state in last.items() if state == "posted"}
    assert {state for key, state in last.items() if key not in keys} <= {"cancelled"}
    # a change that came in time was posted as changed, and nothing is posted that was cancelled
    assert len(keys) + sum(state == "cancelled" for state in last.values()) == 8


async def test_its_files_are_kept_while_it_waits(scene: Scene) -> None:
    media = await scene.place.media(scene.anna)
    async with scene.house.client(scene.anna) as client:
        made = await plan(client, scene.group, media_ids=[public_id("med", media)])
        await scene.house.sql("UPDATE media SET created_at = now() - interval '1 year'")
        await delete_unattached(scene.house.runtime)
        assert [row["state"] for row in await scene.house.sql("SELECT state FROM media")] == ["ready"]
        await client.delete(url(scene.group, made["id"]))
        await delete_unattached(scene.house.runtime)
    assert not await scene.house.sql("SELECT FROM media WHERE state = 'ready'")


async def test_what_could_never_be_posted_is_refused_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "WAITING_LIMIT", 2)
    foreign = public_id("med", await scene.place.media(scene.olga))
    elsewhere = await scene.place.say(scene.room.id, scene.anna, "x", kind="note")
    key = await scene.place.bot("Robot", "chat")
    stranger = await scene.place.user("Stan")
    base: Json = {"client_id": "x", "text": "x", "send_at": soon()}
    cases: list[tuple[UUID, Json, int, str]] = [
        (scene.group, {"send_at": soon(-5)}, 422, "bad_schedule"),
        (scene.group, {"send_at": soon(400 * 86400)}, 422, "bad_schedule"),
        (scene.group, {"send_at": "2026-01-01T00:00:00"}, 422, "malformed"),
        (scene.group, {"text": " "}, 422, "empty_message"),
        (scene.group, {"media_ids": [foreign]}, 422, "bad_attachment"),
        (scene.group, {"reply_to": elsewhere.message.id}, 422, "bad_reply"),
        (scene.room.id, {}, 403, "forbidden"),
    ]
    async with scene.house.client(scene.anna) as client:
        for place, change, status, code in cases:
            answer = await client.post(url(place), json=base | change)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), change
        await send(client, scene.group, "sent")
        [row] = await scene.house.sql("SELECT client_id FROM message WHERE text = 'sent'")
        answer = await client.post(url(scene.group), json=base | {"client_id": row["client_id"]})
        assert answer.json()["error"]["code"] == "scheduled_posted"
        made = [await plan(client, scene.group, str(n)) for n in range(2)]
        answer = await client.post(url(scene.group), json=base)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "too_many_scheduled")
    for other in (key, stranger, scene.boris):
        async with scene.house.client(other) as client:
            path = url(scene.group, made[0]["id"])
            answers = [
                await client.patch(path, json={}),
                await client.delete(path),
                await client.post(f"{path}/send"),
            ]
            assert {answer.status_code for answer in answers} == {404}
    assert not await scene.house.sql("SELECT FROM scheduled_message WHERE client_id = 'x'")
