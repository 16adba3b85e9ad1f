"""Who may be in a conversation, who may say what in it, and what becomes of them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest

from parley.conversations.members import open_conversation
from parley.infra.db import Tx
from parley.kit.ids import parse_id, public_id, uuid7
from parley.kit.pages import encode_cursor
from tests.conversations.conftest import Scene
from tests.house import GroupKind, Json, Person, read_numbers, require_dense

pytestmark = pytest.mark.anyio

ROLES = ("owner", "moderator", "member", "reader")


async def crew(scene: Scene, kind: GroupKind) -> tuple[UUID, dict[str, Person]]:
    """A conversation with one person of each role, the owner being Olga."""
    place = await scene.place.open(scene.olga, kind=kind)
    people = {"owner": scene.olga}
    async with scene.house.client(scene.olga) as olga:
        for role in ROLES[1:]:
            people[role] = await scene.place.user(role.title())
            await put_in(olga, place, people[role], role)
    return place, people


def url_of(place: UUID, *more: str) -> str:
    return "/".join(["/v1/conversations", public_id("cnv", place), *more])


async def put_in(client: httpx2.AsyncClient, place: UUID, who: Person, role: str) -> httpx2.Response:
    return await client.post(url_of(place, "members"), json={"actor_id": who.public, "role": role})


@pytest.mark.parametrize(
    ("kind", "writers"),
    [("group", {"owner", "moderator", "member"}), ("broadcast", {"owner", "moderator"})],
)
async def test_who_writes_and_who_reads(scene: Scene, kind: GroupKind, writers: set[str]) -> None:
    place, people = await crew(scene, kind)
    for role, person in people.items():
        async with scene.house.client(person) as client:
            answer = await client.post(url_of(place, "messages"), json={"client_id": role, "text": role})
            assert answer.status_code == (201 if role in writers else 403), role
            assert (await client.get(url_of(place, "messages"))).status_code == 200
            seen = (await client.get(url_of(place))).json()
            assert seen["role"] == role


# (who, does what to whom) -> allowed
MATRIX = {
    ("owner", "add", "owner"): True, ("owner", "add", "moderator"): True, ("owner", "add", "member"): True,
    ("moderator", "add", "owner"): False, ("moderator", "add", "moderator"): True, ("moderator", "add", "member"): True,
    ("member", "add", "member"): False, ("reader", "add", "reader"): False,
    ("owner", "remove", "moderator"): True, ("owner", "remove", "reader"): True,
    ("moderator", "remove", "owner"): False, ("moderator", "remove", "member"): True,
    ("member", "remove", "reader"): False, ("reader", "remove", "member"): False,
    ("owner", "demote", "moderator"): True, ("moderator", "demote", "owner"): False,
    ("member", "demote", "moderator"): False,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["group", "broadcast"])
async def test_the_matrix_of_roles(scene: Scene, kind: GroupKind) -> None:
    for (who, verb, whom), allowed in MATRIX.items():
        place, people = await crew(scene, kind)
        async with scene.house.client(people[who]) as client:
            if verb == "add":
                answer = await put_in(client, place, scene.boris, whom)
            elif verb == "demote":
                answer = await put_in(client, place, people[whom], "reader")
            else:
                answer = await client.delete(url_of(place, "members", people[whom].public))
        assert (answer.status_code < 300) == allowed, (who, verb, whom, answer.text)
        if not allowed:
            assert answer.status_code == 403


async def found_in(client: httpx2.AsyncClient, place: UUID, query: str, limit: int = 100) -> list[str]:
    """Names of the members that are found, page by page."""
    names: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        params = {"query": query, "limit": str(limit), **cursor}
        answer = await client.get(url_of(place, "members"), params=params)
        assert answer.status_code == 200, answer.text
        names += [member["actor"]["name"] for member in answer.json()["items"]]
        if answer.json()["next"] is None:
            return names
        cursor = {"cursor": answer.json()["next"]}


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_members_are_found_by_how_a_word_of_their_name_begins_owners_first(
    scene: Scene, limit: int
) -> None:
    place, _ = await crew(scene, "group")
    async with scene.house.client(scene.olga) as olga:
        for name in ("Ann Moss", "Жанна Ёлкина"):
            await put_in(olga, place, await scene.place.user(name), "member")
        everybody = ["Olga", "Moderator", "Ann Moss", "Member", "Жанна Ёлкина", "Reader"]
        assert await found_in(olga, place, "", limit) == everybody
        assert await found_in(olga, place, "mO", limit) == ["Moderator", "Ann Moss"]
        assert await found_in(olga, place, "ann m") == ["Ann Moss"]
        assert await found_in(olga, place, "ёл") == ["Жанна Ёлкина"]
        for nothing in ("oss", "%", "_", "boris", "' OR 1=1"):
            assert await found_in(olga, place, nothing) == []
        for cursor in ("x", encode_cursor(2**62, "", str(place)), encode_cursor(1, "a")):
            params = {"query": "", "cursor": cursor}
            assert (await olga.get(url_of(place, "members"), params=params)).status_code in (200, 422)
    async with scene.house.client(scene.boris) as boris:
        assert (await boris.get(url_of(place, "members"), params={"query": ""})).status_code == 404


async def test_the_reader_of_a_broadcast_finds_those_who_write_and_themselves(scene: Scene) -> None:
    place, people = await crew(scene, "broadcast")
    async with scene.house.client(people["reader"]) as reader, scene.house.client(scene.olga) as olga:
        assert await found_in(reader, place, "") == ["Olga", "Moderator", "Reader"]
        assert await found_in(reader, place, "m") == ["Moderator"]
        assert await found_in(olga, place, "m") == ["Moderator", "Member"]


async def test_a_moderator_does_not_make_themselves_an_owner(scene: Scene) -> None:
    place, people = await crew(scene, "group")
    async with scene.house.client(people["moderator"]) as client:
        assert (await put_in(client, place, people["moderator"], "owner")).status_code == 403


async def test_whoever_left_sees_nothing_more_and_a_joiner_starts_at_the_head(scene: Scene) -> None:
    for n in range(3):
        await scene.place.say(scene.group, scene.anna, str(n))
    async with scene.house.client(scene.boris) as boris, scene.house.client(scene.olga) as olga:
        assert (await boris.get(url_of(scene.group))).json()["unread"] == 3
        assert (await boris.delete(url_of(scene.group, "members", scene.boris.public))).status_code == 204
        for path in ("", "messages", "members", "events?after=0&tag=0"):
            assert (await boris.get(url_of(scene.group, path).rstrip("/"))).status_code == 404
        assert (await boris.put(url_of(scene.group, "read"), json={"number": 1})).status_code == 404
        body = {"client_id": "after", "text": "I am still here"}
        assert (await boris.post(url_of(scene.group, "messages"), json=body)).status_code == 404
        assert [c["id"] for c in (await boris.get("/v1/conversations")).json()["items"]] == []
        await put_in(olga, scene.group, scene.boris, "member")
        back = (await boris.get(url_of(scene.group))).json()
        assert (back["unread"], back["read_number"], back["last_number"]) == (0, 3, 3)


async def test_a_removed_member_cannot_slip_in(scene: Scene) -> None:
    """Sends and a removal at once: what was acknowledged stands before the removal in the stream."""
    async with scene.house.client(scene.boris) as boris, scene.house.client(scene.olga) as olga:

        async def send(n: int) -> httpx2.Response:
            body = {"client_id": str(n), "text": str(n)}
            return await boris.post(url_of(scene.group, "messages"), json=body)

        sends = [asyncio.create_task(send(n)) for n in range(40)]
        await asyncio.sleep(0.02)
        await olga.delete(url_of(scene.group, "members", scene.boris.public))
        answers = await asyncio.gather(*sends, send(99))
        events = (await olga.get(url_of(scene.group, "events?after=0&tag=0"))).json()["events"]
    assert answers[-1].status_code == 404
    left = next(event["number"] for event in events if event["kind"] == "member.left")
    accepted = [answer.json()["position"] for answer in answers if answer.status_code == 201]
    assert all(position < left for position in accepted)
    created = [event["number"] for event in events if event["kind"] == "message.created"]
    assert sorted(accepted) == created


async def test_an_agent_made_a_plain_member_loses_the_desk_though_the_inbox_still_lists_them(
    scene: Scene,
) -> None:
    await scene.house.sql("UPDATE actor SET role = 'member' WHERE id = $1", scene.anna.id)
    async with scene.house.client(scene.anna) as anna:
        for kind in ("text", "note"):
            body = {"client_id": kind, "text": "still here", "kind": kind}
            url = f"/v1/conversations/{scene.room.public}/messages"
            assert (await anna.post(url, json=body)).status_code == 404
    assert not await scene.house.sql("SELECT FROM message WHERE conversation_id = $1", scene.room.id)


async def test_a_pair_has_one_direct_conversation_whoever_opens_it_and_how_often(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as anna, scene.house.client(scene.boris) as boris:

        async def open_with(client: httpx2.AsyncClient, other: Person) -> Json:
            body = {"kind": "direct", "members": [other.public]}
            answer = await client.post("/v1/conversations", json=body)
            assert answer.status_code < 300, answer.text
            made: Json = answer.json()
            return made

        opened = await asyncio.gather(
            *(open_with(*((anna, scene.boris), (boris, scene.anna))[n % 2]) for n in range(20))
        )
        assert len({conversation["id"] for conversation in opened}) == 1
        fixed = opened[0]["id"]
        for path, body in (("members", {"actor_id": scene.olga.public}),):
            assert (await anna.post(f"/v1/conversations/{fixed}/{path}", json=body)).status_code == 403
        leaving = await anna.delete(f"/v1/conversations/{fixed}/members/{scene.anna.public}")
        assert leaving.status_code == 403
        # each sees the other one
        for client, other in ((anna, scene.boris), (boris, scene.anna)):
            mine = (await client.get("/v1/conversations")).json()["items"]
            assert [row["peer"]["id"] for row in mine if row["kind"] == "direct"] == [other.public]
            assert (await client.get(f"/v1/conversations/{fixed}")).json()["peer"]["id"] == other.public
    rows = await scene.house.sql("SELECT FROM conversation WHERE kind = 'direct'")
    assert len(rows) == 1


@pytest.mark.parametrize("count", [0, 2])
async def test_a_direct_conversation_has_exactly_one_other(scene: Scene, count: int) -> None:
    others = [*[scene.boris.public, scene.olga.public][:count], scene.anna.public]
    async with scene.house.client(scene.anna) as anna:
        refused = await anna.post("/v1/conversations", json={"kind": "direct", "members": others})
    assert refused.status_code == 422


async def test_customers_and_strangers_are_not_put_into_conversations(scene: Scene) -> None:
    elsewhere = await scene.house.workspace("Elsewhere")
    stranger = await elsewhere.user("Stranger")
    async with scene.house.client(scene.olga) as olga:
        for actor in (public_id("act", scene.room.contact_id), stranger.public, f"act_{'0' * 26}"):
            body = {"kind": "group", "members": [actor]}
            assert (await olga.post("/v1/conversations", json=body)).status_code == 404
            added = await olga.post(url_of(scene.group, "members"), json={"actor_id": actor})
            assert added.status_code == 404


async def test_the_own_list_is_paged_newest_first(scene: Scene) -> None:
    opened = [public_id("cnv", await scene.place.open(scene.boris, title=str(n))) for n in range(7)]
    async with scene.house.client(scene.boris) as boris:
        seen: list[str] = []
        cursor = ""
        while True:
            found = (await boris.get(f"/v1/conversations?limit=3{cursor}")).json()
            seen += [conversation["id"] for conversation in found["items"]]
            if found["next"] is None:
                break
            cursor = f"&cursor={found['next']}"
    assert seen == [*reversed(opened), public_id("cnv", scene.group)]


async def test_adding_and_removing_tell_those_concerned(scene: Scene) -> None:
    nina = await scene.place.user("Nina")
    async with scene.house.client(scene.olga) as olga:
        await put_in(olga, scene.group, nina, "member")
        await put_in(olga, scene.group, nina, "member")  # again: nothing happens
        await olga.delete(url_of(scene.group, "members", nina.public))
        await olga.delete(url_of(scene.group, "members", nina.public))
        events = (await olga.get(url_of(scene.group, "events?after=0&tag=0"))).json()["events"]
    about = [event["kind"] for event in events if event["data"]["member"]["actor"]["id"] == nina.public]
    assert about == ["member.joined", "member.left"]
    personal = await scene.house.sql(
        "SELECT kind FROM personal_event WHERE actor_id = $1 ORDER BY number", nina.id
    )
    assert [row["kind"] for row in personal] == ["conversation.added", "conversation.removed"]


@pytest.mark.parametrize("way", ["leave", "step down"])
async def test_the_last_owner_stays_while_others_are_there(scene: Scene, way: str) -> None:
    place = await scene.place.open(scene.olga, scene.anna)

    async def go(client: httpx2.AsyncClient) -> int:
        if way == "leave":
            return (await client.delete(url_of(place, "members", scene.olga.public))).status_code
        return (await put_in(client, place, scene.olga, "member")).status_code

    async with scene.house.client(scene.olga) as olga:
        assert await go(olga) == 409
        assert (await olga.get(url_of(place))).json()["role"] == "owner"
        assert (await put_in(olga, place, scene.anna, "owner")).is_success
        assert await go(olga) in (200, 201, 204)
        alone = await scene.place.open(scene.olga)
        assert (await olga.delete(url_of(alone, "members", scene.olga.public))).status_code == 204


async def test_two_owners_who_leave_at_once_do_not_both_go(scene: Scene) -> None:
    place = await scene.place.open(scene.olga, scene.anna, scene.boris)
    async with scene.house.client(scene.olga) as olga, scene.house.client(scene.anna) as anna:
        await put_in(olga, place, scene.anna, "owner")
        answers = await asyncio.gather(
            olga.delete(url_of(place, "members", scene.olga.public)),
            anna.delete(url_of(place, "members", scene.anna.public)),
        )
    assert sorted(answer.status_code for answer in answers) == [204, 409]


async def test_whoever_was_deactivated_is_put_nowhere_but_what_they_are_in_stays(scene: Scene) -> None:
    gone, mia = await scene.place.user("Gone"), await scene.place.user("Mia")
    place = await scene.place.open(scene.olga, mia)
    direct = await scene.place.open(scene.olga, mia, kind="direct", title=None)
    await scene.house.sql("UPDATE actor SET deactivated_at = now() WHERE id = ANY ($1)", [gone.id, mia.id])
    async with scene.house.client(scene.olga) as olga:
        assert (await put_in(olga, place, gone, "member")).status_code == 404
        for kind in ("direct", "group"):
            body = {"kind": kind, "members": [gone.public]}
            assert (await olga.post("/v1/conversations", json=body)).status_code == 404
        inbox = f"/v1/inboxes/{public_id('inb', scene.inbox)}/members/{gone.public}"
        assert (await olga.put(inbox)).status_code == 404
        again = await olga.post("/v1/conversations", json={"kind": "direct", "members": [mia.public]})
        assert again.json()["id"] == public_id("cnv", direct)
        assert (await put_in(olga, place, mia, "reader")).json()["role"] == "reader"
        assert (await olga.delete(url_of(place, "members", mia.public))).status_code == 204


@pytest.mark.parametrize(("scopes", "may_chat", "may_work"), [
    (("chat",), True, False), (("desk",), False, True), (("chat", "desk"), True, True), (("admin",), True, True),
])  # fmt: skip
async def test_an_api_key_does_what_its_scopes_say(
    scene: Scene, scopes: tuple[str, ...], may_chat: bool, may_work: bool
) -> None:
    bot = await scene.place.bot("Helper", *scopes)
    async with scene.house.client(scene.olga) as olga:
        await put_in(olga, scene.group, bot, "member")
    async with scene.house.client(bot) as client:
        opened = await client.post(
            "/v1/conversations", json={"kind": "direct", "members": [scene.anna.public]}
        )
        assert opened.status_code == (201 if may_chat else 403)
        for place, is_allowed in ((scene.group, may_chat), (scene.room.id, may_work)):
            sent = await client.post(url_of(place, "messages"), json={"client_id": "1", "text": "hello"})
            assert sent.status_code == (201 if is_allowed else 404)
            for part in ("messages", "members", "events?after=0&tag=0"):
                assert (await client.get(url_of(place, part))).status_code == (200 if is_allowed else 404)
        assert bool((await client.get("/v1/conversations")).json()["items"]) is may_chat
        assert (await client.get("/v1/desk/conversations")).status_code == (200 if may_work else 403)
        assert (await client.get("/v1/audit")).status_code == (200 if scopes == ("admin",) else 403)


async def test_a_large_group_is_opened_by_as_few_statements_as_a_small_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = [uuid7() for _ in range(300)]
    await scene.house.sql(
        """INSERT INTO actor (workspace_id, id, kind, name, role)
        SELECT $1, id, 'user', 'User', 'member' FROM unnest($2::uuid[]) AS c (id)""",
        scene.place.id,
        crowd,
    )
    asked: list[str] = []
    for name in ("fetchval", "execute", "fetch", "fetchrow"):
        monkeypatch.setattr(Tx, name, _noting(getattr(Tx, name), asked))
    counts = []
    for members in (crowd[:2], crowd):
        asked.clear()
        async with scene.house.db.transaction(scene.place.id) as tx:
            made = await open_conversation(
                tx, scene.olga.caller, kind="group", title="All", members=members[::-1]
            )
        counts.append(len(asked))
    assert counts[0] == counts[1] < 20
    key = parse_id("cnv", made.id)
    require_dense(await read_numbers(scene.house, key))
    joined = await scene.house.sql(
        """SELECT e.data, c.head, c.tag, e.number, e.tag AS own FROM event e JOIN conversation c ON c.id = e.conversation_id
        WHERE e.conversation_id = $1 ORDER BY number""",
        key,
    )
    assert (len(joined), joined[-1]["head"], joined[-1]["tag"]) == (301, 301, joined[-1]["own"])
    told = await scene.house.sql(
        """SELECT p.number, a.head, p.tag = a.tag AS is_same FROM personal_event p JOIN actor a ON a.id = p.actor_id
        WHERE p.kind = 'conversation.added' AND p.actor_id = $1""",
        crowd[0],
    )
    assert [tuple(row) for row in told] == [(1, 2, False), (2, 2, True)]
    roles = await scene.house.sql(
        "SELECT role, count(*) AS n FROM member WHERE conversation_id = $1 GROUP BY role ORDER BY role", key
    )
    assert [tuple(row) for row in roles] == [("member", 300), ("owner", 1)]


def _noting(call: Any, asked: list[str]) -> Any:
    async def noted(self: Tx, sql: str, *args: Any) -> Any:
        asked.append(sql)
        return await call(self, sql, *args)

    return noted
