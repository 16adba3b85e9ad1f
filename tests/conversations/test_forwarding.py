"""Forwarding: what goes along, who may, and what is never told."""

from __future__ import annotations

import asyncio
import json

import pytest

from parley.conversations import editing
from parley.kit.ids import parse_id, public_id
from tests.conversations.conftest import Scene
from tests.conversations.test_editing import send, url_of
from tests.house import Json
from tests.programs import eventually

pytestmark = pytest.mark.anyio


def forward(place: object, message_id: str, key: str = "f") -> Json:
    return {"client_id": key, "forward": {"conversation_id": place, "message_id": message_id}}


async def test_words_and_files_go_along_and_where_they_were_said_does_not(scene: Scene) -> None:
    mia = await scene.place.user("Mia")
    secret = await scene.place.open(scene.anna, scene.boris, title="Project Swordfish")
    target = await scene.place.open(scene.anna, mia, title="Others")
    media = public_id("med", await scene.place.media(scene.boris, "plan.txt"))
    bold = {"kind": "bold", "offset": 0, "length": 2}
    call = {"kind": "mention", "offset": 0, "length": 2, "actor_id": mia.public}
    async with scene.house.client(scene.boris) as boris, scene.house.client(scene.anna) as anna:
        made = await send(boris, secret, "the plan", media_ids=[media], entities=[bold, call])
        source = public_id("cnv", secret)
        answer = await anna.post(url_of(target), json=forward(source, made["id"]))
        again = await anna.post(url_of(target), json=forward(source, made["id"]))
    assert (answer.status_code, again.status_code) == (201, 200)
    assert answer.json() == again.json()
    told = answer.json()
    assert (told["text"], told["entities"], told["sender"]["name"]) == ("the plan", [bold], "Anna")
    assert told["forwarded_from"] == {
        "sender_name": "Boris", "sender_id": scene.boris.public, "sent_at": made["created_at"],
    }  # fmt: skip
    assert [one["media_id"] for one in told["attachments"]] == [media]
    async with scene.house.client(mia) as client:
        everything = [
            (await client.get(path)).json()
            for path in (
                url_of(target), f"/v1/conversations/{public_id('cnv', target)}/events?after=0&tag=0",
                "/v1/conversations",
            )
        ]  # fmt: skip
        assert not [mark for mark in ("Swordfish", source, made["id"]) if mark in json.dumps(everything)]
        assert (await client.get(f"/v1/media/{media}/content")).content == b"abc"
    assert not await scene.house.sql("SELECT FROM mention WHERE conversation_id = $1", target)


async def test_what_is_deleted_while_it_is_forwarded_is_not_let_out(scene: Scene) -> None:
    target = await scene.place.open(scene.anna)
    said = (await scene.place.say(scene.group, scene.boris, "I take it back")).message
    async with scene.house.client(scene.anna) as anna:
        async with scene.house.db.transaction(scene.place.id) as tx:
            await editing.delete_message(tx, scene.boris.caller, scene.group, parse_id("msg", said.id))
            body = forward(public_id("cnv", scene.group), said.id)
            forwarding = asyncio.create_task(anna.post(url_of(target), json=body))
            # it has read the words, and waits for what becomes of them
            await eventually(
                lambda: scene.house.sql("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            )
        answer = await forwarding
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "message_deleted")
        assert (await anna.get(url_of(target))).json()["items"] == []


async def test_a_deleted_source_stays_forwarded_with_its_file(scene: Scene) -> None:
    mia = await scene.place.user("Mia")
    target = await scene.place.open(scene.anna, mia)
    media = public_id("med", await scene.place.media(scene.boris))
    async with scene.house.client(scene.boris) as boris, scene.house.client(scene.anna) as anna:
        made = await send(boris, scene.group, "first words", media_ids=[media])
        source = public_id("cnv", scene.group)
        kept = (await anna.post(url_of(target), json=forward(source, made["id"]))).json()
        await boris.delete(url_of(scene.group, made["id"]))
        late = await anna.post(url_of(target), json=forward(source, made["id"], "late"))
        assert (late.status_code, late.json()["error"]["code"]) == (409, "message_deleted")
    async with scene.house.client(mia) as client:
        [shown] = (await client.get(url_of(target))).json()["items"]
        assert (shown, (await client.get(f"/v1/media/{media}/content")).status_code) == (kept, 200)
    async with scene.house.client(scene.anna) as anna:
        tombstone = (await anna.delete(url_of(target, kept["id"]))).json()
        [event] = [
            one
            for one in (
                await anna.get(f"/v1/conversations/{public_id('cnv', target)}/events?after=0&tag=0")
            ).json()["events"]
            if one["kind"] == "message.created"
        ]
    assert tombstone["forwarded_from"] is event["data"]["message"]["forwarded_from"] is None


async def test_what_is_forwarded_on_names_who_said_it_first(scene: Scene) -> None:
    second = await scene.place.open(scene.anna, scene.olga)
    third = await scene.place.open(scene.olga, scene.anna)
    made = await scene.place.say(scene.group, scene.boris, "hear hear")
    async with scene.house.client(scene.anna) as anna, scene.house.client(scene.olga) as olga:
        passed = await anna.post(url_of(second), json=forward(public_id("cnv", scene.group), made.message.id))
        last = await olga.post(url_of(third), json=forward(public_id("cnv", second), passed.json()["id"]))
    assert last.json()["forwarded_from"] == passed.json()["forwarded_from"]
    assert last.json()["forwarded_from"]["sender_name"] == "Boris"


async def test_only_what_one_may_read_is_forwarded_and_only_where_one_may_write(scene: Scene) -> None:
    mia = await scene.place.user("Mia")
    own = await scene.place.open(mia, scene.anna)
    channel = await scene.place.open(scene.olga, mia, kind="broadcast")
    made = await scene.place.say(scene.group, scene.boris, "among us")
    mine = await scene.place.say(own, mia, "mine")
    source, note = (
        public_id("cnv", scene.group),
        await scene.place.say(scene.room.id, scene.anna, "a bore", kind="note"),
    )
    async with scene.house.client(mia) as client, scene.house.client(scene.anna) as anna:
        many = f"/v1/conversations/{public_id('cnv', own)}/forward"
        one_by_list = {"client_id": "m", "conversation_id": source, "message_ids": [made.message.id]}
        answers = [
            await client.post(url_of(own), json=forward(source, made.message.id)),
            await client.post(many, json=one_by_list),
            await client.post(url_of(channel), json=forward(public_id("cnv", own), mine.message.id)),
            await anna.post(url_of(scene.group), json=forward(scene.room.public, note.message.id)),
            await anna.post(url_of(scene.group), json={**forward(source, made.message.id), "text": "and"}),
        ]
        assert (await client.delete(url_of(own, mine.message.id) + "?for=me")).status_code == 200
        answers.append(await client.post(url_of(own), json=forward(public_id("cnv", own), mine.message.id)))
    assert [(one.status_code, one.json()["error"]["code"]) for one in answers] == [
        (404, "conversation_not_found"), (404, "conversation_not_found"), (403, "may_not_write"),
        (422, "bad_forward"), (422, "malformed"), (404, "message_not_found"),
    ]  # fmt: skip


async def test_several_are_forwarded_in_their_order_and_a_repeat_changes_nothing(scene: Scene) -> None:
    target = await scene.place.open(scene.anna, scene.olga)
    said = [await scene.place.say(scene.group, scene.boris, str(n)) for n in range(70)]
    url = f"/v1/conversations/{public_id('cnv', target)}/forward"
    body = {
        "client_id": "many", "conversation_id": public_id("cnv", scene.group),
        "message_ids": [one.message.id for one in said],
    }  # fmt: skip
    async with scene.house.client(scene.anna) as client:
        first, second = [(await client.post(url, json=body)).json()["items"] for _ in range(2)]
        page = (await client.get(url_of(target), params={"limit": 100})).json()["items"]
    assert [one["text"] for one in first] == [str(n) for n in range(70)]
    assert [one["id"] for one in first] == [one["id"] for one in second] == [one["id"] for one in page]


async def test_words_that_were_never_said_are_not_quoted(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        made = await send(client, scene.group, "I like it")
        body = {"client_id": "q", "text": "really?", "reply_to": made["id"]}
        refused = await client.post(url_of(scene.group), json={**body, "quote": "I hate it"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "bad_quote")
        quoted = await client.post(url_of(scene.group), json={**body, "quote": "like it"})
    assert quoted.json()["reply_to"]["quote"] == "like it"
    assert parse_id("msg", quoted.json()["id"])
