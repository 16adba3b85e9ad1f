"""Edits keep what was, deletions keep nothing but the place, reactions count once."""

from __future__ import annotations

import asyncio
from uuid import UUID

import httpx2
import pytest

from parley.conversations import editing
from parley.kit.ids import parse_id, public_id
from tests.conversations.conftest import Scene
from tests.house import Json, Person

pytestmark = pytest.mark.anyio


def url_of(place: UUID, *more: str) -> str:
    return "/".join(["/v1/conversations", public_id("cnv", place), "messages", *more])


async def send(client: httpx2.AsyncClient, place: UUID, text: str = "hello", **more: object) -> Json:
    answer = await client.post(url_of(place), json={"client_id": text + str(len(more)), "text": text, **more})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def test_an_edit_keeps_every_former_text(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        entity = {"kind": "bold", "offset": 0, "length": 2}
        made = await send(client, scene.group, "one", entities=[entity])
        for text in ("two", "three", "three"):  # the same text again is no edit
            edited = (await client.patch(url_of(scene.group, made["id"]), json={"text": text})).json()
        versions = (await client.get(url_of(scene.group, made["id"], "versions"))).json()["items"]
    assert (edited["text"], edited["version"], edited["entities"]) == ("three", 3, [])
    assert edited["edited_at"] is not None
    assert (edited["number"], edited["position"]) == (made["number"], made["position"])
    assert [(one["version"], one["text"]) for one in versions] == [(1, "one"), (2, "two")]
    assert versions[0]["entities"] == [entity]


async def test_a_deleted_message_keeps_its_place_and_nothing_else(scene: Scene) -> None:
    media = await scene.place.media(scene.anna)
    async with scene.house.client(scene.anna) as client:
        target = await send(client, scene.group, "the question")
        made = await send(
            client,
            scene.group,
            "very private",
            media_ids=[public_id("med", media)],
            reply_to=target["id"],
            quote="question",
        )
        await client.patch(url_of(scene.group, made["id"]), json={"text": "still private"})
        await client.put(url_of(scene.group, made["id"], "reactions", "+"))
        answering = await send(client, scene.group, "an answer", reply_to=made["id"])
        buried = (await client.delete(url_of(scene.group, made["id"]))).json()
        again = (await client.delete(url_of(scene.group, made["id"]))).json()
        versions = (await client.get(url_of(scene.group, made["id"], "versions"))).json()["items"]
        page = (await client.get(url_of(scene.group))).json()["items"]
        late_edit = await client.patch(url_of(scene.group, made["id"]), json={"text": "back again"})
        late_reaction = await client.put(url_of(scene.group, made["id"], "reactions", "+"))
    assert buried == again
    assert (buried["number"], buried["position"]) == (made["number"], made["position"])
    assert buried["deleted_at"] is not None
    assert (buried["text"], buried["attachments"], buried["reactions"], versions) == ("", [], [], [])
    shown = next(message for message in page if message["id"] == answering["id"])
    assert shown["reply_to"]["text"] == ""
    for late in (late_edit, late_reaction):
        assert (late.status_code, late.json()["error"]["code"]) == (409, "message_deleted")
    left = await scene.house.sql(
        "SELECT text, entities, quote, extra FROM message WHERE id = $1", parse_id("msg", made["id"])
    )
    assert [tuple(row) for row in left] == [("", None, None, None)]
    for table in ("message_version", "attachment", "reaction"):
        key = parse_id("msg", made["id"])
        assert not await scene.house.sql(f"SELECT FROM {table} WHERE message_id = $1", key)


async def test_no_event_that_is_kept_tells_the_words_of_a_deleted_message(scene: Scene) -> None:
    media = public_id("med", await scene.place.media(scene.anna, "secret.txt"))
    events = url_of(scene.group).removesuffix("messages") + "events"
    async with scene.house.client(scene.anna) as client:
        made = await send(client, scene.group, "very private", client_id="c-1", media_ids=[media])
        await client.patch(url_of(scene.group, made["id"]), json={"text": "still private"})
        await send(client, scene.group, "an answer", reply_to=made["id"])
        before = (await client.get(events, params={"after": 0, "tag": 0})).json()
        gone = await client.delete(url_of(scene.group, made["id"]))
        assert gone.status_code == 200, gone.text
        after = (await client.get(events, params={"after": 0, "tag": 0})).json()
    assert "private" in str(before)
    for trace in ("private", "secret", media):
        assert trace not in str(after)
    told = [(event["number"], event["tag"], event["kind"]) for event in after["events"]]
    assert told[:-1] == [(event["number"], event["tag"], event["kind"]) for event in before["events"]]
    assert [kind for _, _, kind in told[-4:]] == [
        "message.created", "message.updated", "message.created", "message.deleted"
    ]  # fmt: skip


async def test_replies_show_and_quote_nothing_of_a_deleted_message(scene: Scene) -> None:
    events = url_of(scene.group).removesuffix("messages") + "events"
    async with scene.house.client(scene.anna) as client:
        made = await send(client, scene.group, "very private words", client_id="c-1")
        cited = {"reply_to": made["id"], "quote": "private"}
        kept, edited, buried = [await send(client, scene.group, text, **cited) for text in ("a", "b", "c")]
        await client.patch(url_of(scene.group, edited["id"]), json={"text": "another text"})
        await client.delete(url_of(scene.group, buried["id"]))  # tells its tombstone with what it answered
        assert (await client.delete(url_of(scene.group, made["id"]))).status_code == 200
        told = (await client.get(events, params={"after": 0, "tag": 0})).json()["events"]
        page = (await client.get(url_of(scene.group))).json()["items"]
        await client.patch(url_of(scene.group, kept["id"]), json={"text": "edited later"})
    assert "private" not in str(told)
    assert "private" not in str(page)
    rows = await scene.house.sql(
        "SELECT quote FROM message WHERE reply_to_id = $1", parse_id("msg", made["id"])
    )
    assert [row["quote"] for row in rows] == [None] * 3
    replies = [message["reply_to"] for message in page if message["id"] in (kept["id"], edited["id"])]
    expected = {"id": made["id"], "sender_name": "Anna", "text": "", "quote": None}
    assert replies == [expected] * 2


async def test_a_deletion_reads_no_long_stream(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        made = await send(client, scene.group, "very private")
        await send(client, scene.group, "an answer", reply_to=made["id"], quote="very")
    await scene.house.sql(
        """INSERT INTO event (workspace_id, conversation_id, number, tag, kind, audience, data, at)
        SELECT workspace_id, conversation_id, number + n, tag, kind, audience, data || '{"message": {"id": "msg_x"}}', at
        FROM event, generate_series(1, 30000) AS n WHERE conversation_id = $1 AND number = (
            SELECT max(number) FROM event WHERE conversation_id = $1)""",
        scene.group,
    )
    await scene.house.sql(
        "UPDATE conversation SET head = (SELECT max(number) FROM event WHERE conversation_id = $1) WHERE id = $1",
        scene.group,
    )
    await scene.house.sql("ANALYZE event")
    async with scene.house.db.transaction(scene.place.id) as tx:
        key = parse_id("msg", made["id"])
        await editing.delete_message(tx, scene.anna.caller, scene.group, key)
        seen = await tx.fetchval(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'event'"
        )
    assert seen < 50


async def test_a_reply_that_comes_after_the_deletion_brings_no_words_back(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        made = await send(client, scene.group, "very private", client_id="c-1")
        await client.delete(url_of(scene.group, made["id"]))
        reply = await send(client, scene.group, "an answer", reply_to=made["id"], quote="private")
    assert reply["reply_to"]["quote"] is None
    assert not await scene.house.sql("SELECT FROM message WHERE quote IS NOT NULL")
    assert not await scene.house.sql("SELECT FROM event WHERE data::text LIKE '%private%'")


async def test_only_who_wrote_a_message_edits_it_and_moderators_delete(scene: Scene) -> None:
    async with (
        scene.house.client(scene.anna) as anna,
        scene.house.client(scene.boris) as boris,
        scene.house.client(scene.olga) as olga,
    ):
        made = await send(anna, scene.group)
        for other in (boris, olga):
            refused = await other.patch(url_of(scene.group, made["id"]), json={"text": "mine"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_your_message")
        assert (await boris.delete(url_of(scene.group, made["id"]))).status_code == 403
        assert (await olga.delete(url_of(scene.group, made["id"]))).status_code == 200
        at_desk = await send(anna, scene.room.id, "dear customer")
        assert (await olga.delete(url_of(scene.room.id, at_desk["id"]))).status_code == 403


async def test_an_edit_must_leave_something(scene: Scene) -> None:
    media = await scene.place.media(scene.anna)
    async with scene.house.client(scene.anna) as client:
        bare = await send(client, scene.group)
        for text in ("", "  \n", "\x00"):
            refused = await client.patch(url_of(scene.group, bare["id"]), json={"text": text})
            assert (refused.status_code, refused.json()["error"]["code"]) == (422, "empty_message")
        with_file = await send(client, scene.group, "look", media_ids=[public_id("med", media)])
        assert (
            await client.patch(url_of(scene.group, with_file["id"]), json={"text": ""})
        ).status_code == 200


async def test_reactions_stand_in_the_order_of_their_events(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as anna, scene.house.client(scene.boris) as boris:
        made = await send(anna, scene.group)
        async with scene.house.db.transaction(scene.place.id) as slow:
            assert slow.now  # begun first, and told later
            await boris.put(url_of(scene.group, made["id"], "reactions", "first"))
            key = parse_id("msg", made["id"])
            await editing.add_reaction(slow, scene.anna.caller, scene.group, key, "second")
        [shown] = (await anna.get(url_of(scene.group))).json()["items"]
    assert [one["emoji"] for one in shown["reactions"]] == ["first", "second"]


async def test_different_reactions_of_one_and_of_all_are_limited(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as anna, scene.house.client(scene.boris) as boris:
        made = await send(anna, scene.group)

        async def put(client: httpx2.AsyncClient, emoji: str) -> tuple[int, str]:
            answer = await client.put(url_of(scene.group, made["id"], "reactions", emoji))
            return answer.status_code, "" if answer.is_success else answer.json()["error"]["code"]

        assert {(await put(anna, f"a{n}"))[0] for n in range(editing.OWN_REACTIONS_LIMIT)} == {204}
        assert await put(anna, "one more") == (409, "too_many_reactions")
        assert await put(anna, "a0") == (204, "")  # a repeat
        await anna.delete(url_of(scene.group, made["id"], "reactions", "a0"))
        assert await put(anna, "another") == (204, "")
        key = parse_id("msg", made["id"])
        await scene.house.sql(
            """INSERT INTO reaction (workspace_id, conversation_id, message_id, actor_id, emoji)
            SELECT $1, $2, $3, $4, 'o' || n FROM generate_series(1, $5::integer) AS n""",
            scene.place.id,
            scene.group,
            key,
            scene.olga.id,
            editing.REACTIONS_LIMIT - editing.OWN_REACTIONS_LIMIT,
        )
        assert await put(boris, "new") == (409, "too_many_reactions")
        assert await put(boris, "another") == (204, "")  # one that the message has
        (page,) = (await anna.get(url_of(scene.group))).json()["items"]
    assert len(page["reactions"]) == editing.REACTIONS_LIMIT
    emojis = {reaction["emoji"]: len(reaction["actor_ids"]) for reaction in page["reactions"]}
    assert (emojis["another"], "new" in emojis, "one more" in emojis) == (2, False, False)


async def test_fifty_equal_reactions_at_once_are_one(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        made = await send(client, scene.group)
        before = (await client.get(f"/v1/conversations/{public_id('cnv', scene.group)}")).json()["head"][
            "number"
        ]
        answers = await asyncio.gather(
            *(client.put(url_of(scene.group, made["id"], "reactions", "\U0001f600")) for _ in range(50))
        )
        assert {answer.status_code for answer in answers} == {204}
        shown = (await client.get(url_of(scene.group))).json()
    assert shown["items"][-1]["reactions"] == [{"emoji": "\U0001f600", "actor_ids": [scene.anna.public]}]
    assert shown["head"]["number"] == before + 1


async def test_edits_at_once_all_become_versions(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        made = await send(client, scene.group, "0")
        url = url_of(scene.group, made["id"])
        await asyncio.gather(*(client.patch(url, json={"text": f"edit {n}"}) for n in range(20)))
        versions = (await client.get(f"{url}/versions")).json()["items"]
        shown = (await client.get(url_of(scene.group))).json()["items"][-1]
    assert [one["version"] for one in versions] == list(range(1, 21))
    assert shown["version"] == 21
    assert {one["text"] for one in versions} | {shown["text"]} == {"0"} | {f"edit {n}" for n in range(20)}


async def test_replies_stay_within_their_conversation(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        elsewhere = await send(client, scene.room.id, "elsewhere")
        for target in (elsewhere["id"], f"msg_{'0' * 26}"):
            body = {"client_id": target, "text": "hm", "reply_to": target}
            refused = await client.post(url_of(scene.group), json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (422, "bad_reply")


async def test_only_ones_own_files_can_be_sent(scene: Scene) -> None:
    theirs = await scene.place.media(scene.boris)
    async with scene.house.client(scene.anna) as client:
        for media in (public_id("med", theirs), f"med_{'0' * 26}"):
            body = {"client_id": media, "text": "look", "media_ids": [media]}
            refused = await client.post(url_of(scene.group), json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (422, "bad_attachment")


async def test_a_file_of_a_note_is_the_staffs_alone(scene: Scene) -> None:
    shown, hidden = await scene.place.media(scene.anna), await scene.place.media(scene.anna)
    await scene.place.say(scene.room.id, scene.anna, "see", media_ids=[shown])
    await scene.place.say(scene.room.id, scene.anna, "between us", kind="note", media_ids=[hidden])

    async def status(who: Person, media: UUID) -> int:
        async with scene.house.client(who) as client:
            return (await client.get(f"/v1/media/{public_id('med', media)}")).status_code

    outsider = await scene.place.user("Otto", "agent")
    assert [await status(who, shown) for who in (scene.boris, scene.guest, outsider)] == [200, 200, 404]
    assert [await status(who, hidden) for who in (scene.boris, scene.guest, outsider)] == [200, 404, 404]


async def test_a_reply_that_waited_for_the_deletion_does_not_repeat_the_words(scene: Scene) -> None:
    made = (await scene.place.say(scene.group, scene.anna, "very private")).message
    key = parse_id("msg", made.id)
    async with scene.house.db.transaction(scene.place.id) as tx:
        await editing.delete_message(tx, scene.anna.caller, scene.group, key)
        answer = scene.place.draft(scene.group, scene.boris, "what?", reply_to_id=key)
        reply = asyncio.create_task(scene.house.collector.post(answer))
        await asyncio.sleep(0.2)
        assert not reply.done()
    posted = await reply
    assert posted.message.reply_to is not None
    assert posted.message.reply_to.text == ""
    rows = await scene.house.sql("SELECT data::text AS d FROM event WHERE conversation_id = $1", scene.group)
    assert "private" not in str([r["d"] for r in rows])


async def test_a_file_sent_to_very_many_is_shown_to_each_of_them(scene: Scene) -> None:
    media = await scene.place.media(scene.olga)
    for other in (*[scene.boris] * 51, scene.anna, *[scene.boris] * 5):
        place = await scene.place.open(scene.olga, other)
        await scene.place.say(place, scene.olga, "for you", media_ids=[media])
    path = f"/v1/media/{public_id('med', media)}"
    stranger = await scene.place.user("Stranger")
    for person, status in ((scene.anna, 200), (scene.boris, 200), (stranger, 404)):
        async with scene.house.client(person) as client:
            assert (await client.get(path)).status_code == status
