"""Sync: what was missed in many streams, in one answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from parley.conversations.streams import RESUME_LIMIT
from parley.kit.ids import public_id
from tests.conversations.conftest import Scene
from tests.conversations.test_streams import grow
from tests.house import Person

pytestmark = pytest.mark.anyio
Json = Any
START = {"number": 0, "tag": 0}


async def ask(
    scene: Scene, who: Person, conversations: dict[UUID, Json], personal: Json = None
) -> list[Json]:
    body = {
        "conversations": {public_id("cnv", key): cursor for key, cursor in conversations.items()},
        "personal": personal,
    }
    async with scene.house.client(who) as client:
        answer = await client.post("/v1/sync", json=body)
    assert answer.status_code == 200, answer.text
    streams: list[Json] = answer.json()["streams"]
    return streams


async def test_what_was_missed_in_all_streams_comes_in_one_answer_and_leads_to_the_heads(
    scene: Scene,
) -> None:
    others = [await scene.place.open(scene.olga, scene.anna) for _ in range(3)]
    for place in others:
        await grow(scene, 5, place)
    personal, *streams = await ask(scene, scene.anna, dict.fromkeys(others, START), START)
    assert personal["stream"] == scene.anna.public
    assert [event["kind"] for event in personal["events"]] == ["conversation.added"] * 4
    assert [stream["stream"] for stream in streams] == [public_id("cnv", place) for place in others]
    for stream in streams:
        numbers = [event["number"] for event in stream["events"]]
        assert stream["state"] == "complete"
        assert numbers == list(range(1, len(numbers) + 1))
        last = stream["events"][-1]
        assert stream["head"] == {"number": last["number"], "tag": last["tag"]}
        assert [event["kind"] for event in stream["events"][-5:]] == ["message.created"] * 5
    again = await ask(
        scene, scene.anna, {place: stream["head"] for place, stream in zip(others, streams, strict=True)}
    )
    assert [(stream["state"], stream["events"]) for stream in again] == [("complete", [])] * 3
    assert [stream["head"] for stream in again] == [stream["head"] for stream in streams]


async def test_the_answer_is_what_the_events_of_each_conversation_say(scene: Scene) -> None:
    await grow(scene, 4)
    [stream] = await ask(scene, scene.anna, {scene.group: START})
    url = f"/v1/conversations/{public_id('cnv', scene.group)}/events"
    async with scene.house.client(scene.anna) as client:
        page = (await client.get(url, params={"after": 0, "tag": 0})).json()
    assert (stream["events"], stream["head"]) == (page["events"], page["head"])


async def test_a_reader_without_the_desk_is_not_told_of_notes(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        for kind in ("text", "note"):
            url = f"/v1/conversations/{scene.room.public}/messages"
            await client.post(url, json={"client_id": kind, "text": f"a {kind}", "kind": kind})
    [seen_by_guest] = await ask(scene, scene.guest, {scene.room.id: START})
    [seen_by_staff] = await ask(scene, scene.anna, {scene.room.id: START})
    assert "a note" in str(seen_by_staff)
    assert "note" not in str(seen_by_guest)
    assert "a text" in str(seen_by_guest)
    assert seen_by_guest["head"] == seen_by_staff["head"]
    statuses = [
        event["data"]["message"]["status"] for event in seen_by_guest["events"] if "message" in event["data"]
    ]
    assert statuses == [None]


async def test_streams_one_may_not_see_are_gone_whether_they_exist_or_not(scene: Scene) -> None:
    strange = await scene.place.open(scene.olga)
    other = await scene.house.workspace("Other")
    person = await other.user("Eve", "owner")
    foreign = await other.open(person)
    nowhere = UUID(int=7)
    streams = await ask(scene, scene.anna, dict.fromkeys([strange, foreign, nowhere, scene.group], START))
    assert [stream["state"] for stream in streams] == ["gone", "gone", "gone", "complete"]
    assert all(stream["head"] is None and stream["events"] == [] for stream in streams[:3])


async def test_a_cursor_that_cannot_be_continued_is_reset(scene: Scene) -> None:
    events = await grow(scene, RESUME_LIMIT + 10)
    head = {"number": events[-1].number, "tag": events[-1].tag}
    bad = [
        START,  # too much was missed
        {"number": events[-2].number, "tag": events[-2].tag ^ 1},  # a number used again
        {"number": head["number"], "tag": head["tag"] ^ 1},
        {"number": head["number"] + 1, "tag": 0},  # a number that never was
    ]
    for cursor in bad:
        [stream] = await ask(scene, scene.anna, {scene.group: cursor})
        assert (stream["state"], stream["head"], stream["events"]) == ("reset", head, [])
    [personal] = await ask(scene, scene.anna, {}, {"number": 99, "tag": 1})
    assert personal["state"] == "reset"


async def test_what_does_not_fit_is_partial_and_comes_next_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.conversations.sync.EVENT_LIMIT", 12)
    places = [await scene.place.open(scene.olga, scene.anna) for _ in range(4)]
    for place in places:
        await grow(scene, 3, place)
    cursors: dict[UUID, Json] = dict.fromkeys(places, START)
    told: list[tuple[str, int]] = []
    rounds = 0
    while True:
        streams = await ask(scene, scene.anna, cursors)
        told += [(event["stream"], event["number"]) for stream in streams for event in stream["events"]]
        cursors = {place: stream["head"] for place, stream in zip(cursors, streams, strict=True)}
        rounds += 1
        if all(stream["state"] == "complete" for stream in streams):
            break
        assert {stream["state"] for stream in streams} == {"complete", "partial"}
    assert rounds == 2
    assert told == [(public_id("cnv", place), number) for place in places for number in range(1, 6)]


async def test_a_large_answer_is_packed_for_those_who_say_they_can_read_it(scene: Scene) -> None:
    await grow(scene, 500)
    body = {"conversations": {public_id("cnv", scene.group): START}}
    async with scene.house.client(scene.anna) as client:
        packed = await client.post("/v1/sync", json=body, headers={"accept-encoding": "gzip"})
        plain = await client.post("/v1/sync", json=body, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) * 5 < int(plain.headers["content-length"])


@pytest.mark.parametrize(
    "body",
    [
        {"conversations": {"cnv_nonsense": START}},
        {"conversations": {public_id("cnv", UUID(int=7)): {"number": -1, "tag": 0}}},
        {"conversations": {public_id("cnv", UUID(int=7)): {"number": 2**60, "tag": 0}}},
        {"conversations": {public_id("cnv", UUID(int=7)): {"number": 1, "tag": 2**31}}},
        {"conversations": {public_id("cnv", UUID(int=n)): START for n in range(501)}},
        {"personal": 5},
        {"streams": []},
    ],
)
async def test_nonsense_is_refused(scene: Scene, body: Json) -> None:
    async with scene.house.client(scene.anna) as client:
        answer = await client.post("/v1/sync", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] == "malformed"
