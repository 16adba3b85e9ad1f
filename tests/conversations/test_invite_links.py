"""Links by which one joins: how often, how long, who; and bans, which no way around leads in."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any
from uuid import UUID

import httpx2
import pytest

from parley.infra.crypto import hash_token
from parley.kit.ids import public_id
from tests.conversations.conftest import Scene
from tests.house import Json, Person, read_numbers, require_dense

pytestmark = pytest.mark.anyio


def url_of(place: UUID, *more: str) -> str:
    return "/".join(["/v1/conversations", public_id("cnv", place), *more])


def soon(seconds: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat()


async def make_link(scene: Scene, place: UUID | None = None, **bounds: Any) -> tuple[str, str]:
    """Return id and token of a link that Olga made."""
    async with scene.house.client(scene.olga) as olga:
        answer = await olga.post(url_of(place or scene.group, "invite-links"), json=bounds)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    origin, _, token = made["url"].partition("/join#token=")
    assert origin == scene.house.runtime.settings.origin
    return made["id"], token


async def join(scene: Scene, who: Person, token: str) -> httpx2.Response:
    async with scene.house.client(who) as client:
        return await client.post("/v1/invite-links/join", json={"token": token})


async def ban(scene: Scene, whom: Person, by: Person | None = None, **more: Any) -> httpx2.Response:
    async with scene.house.client(by or scene.olga) as client:
        return await client.post(url_of(scene.group, "bans"), json={"actor_id": whom.public, **more})


async def members_of(scene: Scene, place: UUID) -> list[UUID]:
    """Who is in, with the count that is told held against the rows."""
    rows = await scene.house.sql(
        """SELECT m.actor_id, c.member_count FROM member m JOIN conversation c ON c.id = m.conversation_id
        WHERE conversation_id = $1 ORDER BY actor_id""",
        place,
    )
    assert {row["member_count"] for row in rows} == {len(rows)}
    return [row["actor_id"] for row in rows]


async def test_a_link_leads_in_at_the_head_and_tells_before_where(scene: Scene) -> None:
    nina = await scene.place.user("Nina")
    await scene.place.say(scene.group, scene.anna, "before")
    key, token = await make_link(scene)
    async with scene.house.client(nina) as client:
        told = await client.post("/v1/invite-links/check", json={"token": token})
        assert told.json() == {
            "kind": "group", "title": "Team", "description": None, "member_count": 3, "conversation_id": None,
        }  # fmt: skip
        for _ in range(2):
            joined = await client.post("/v1/invite-links/join", json={"token": token})
            assert joined.status_code == 200
            assert (joined.json()["my"]["unread"], joined.json()["role"]) == (0, "member")
        told = await client.post("/v1/invite-links/check", json={"token": token})
        assert told.json()["conversation_id"] == public_id("cnv", scene.group)
    async with scene.house.client(scene.olga) as olga:
        [listed] = (await olga.get(url_of(scene.group, "invite-links"))).json()["items"]
    assert (listed["id"], listed["use_count"], listed["created_by"]["name"]) == (key, 1, "Olga")
    assert token not in str(listed)
    [row] = await scene.house.sql("SELECT hash FROM invite_link WHERE conversation_id = $1", scene.group)
    assert row["hash"] == hash_token(token)
    personal = await scene.house.sql("SELECT kind FROM personal_event WHERE actor_id = $1", nina.id)
    assert [row["kind"] for row in personal] == ["conversation.added"]


async def test_the_last_uses_of_a_link_go_to_as_many_of_twenty_at_once(scene: Scene) -> None:
    crowd = [await scene.place.user(f"N{n}") for n in range(20)]
    _, token = await make_link(scene, max_uses=3)
    answers = await asyncio.gather(*(join(scene, one, token) for one in crowd))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [410] * 17
    assert len(await members_of(scene, scene.group)) == 6
    require_dense(await read_numbers(scene.house, scene.group))
    told = await scene.house.sql(
        "SELECT FROM personal_event WHERE actor_id = ANY ($1)", [p.id for p in crowd]
    )
    assert len(told) == 3


async def test_one_who_joins_by_many_clicks_at_once_uses_one(scene: Scene) -> None:
    nina = await scene.place.user("Nina")
    _, token = await make_link(scene, max_uses=1)
    answers = await asyncio.gather(*(join(scene, nina, token) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {200, 410}
    assert len(await members_of(scene, scene.group)) == 4
    [row] = await scene.house.sql("SELECT use_count FROM invite_link WHERE hash = $1", hash_token(token))
    assert row["use_count"] == 1


async def test_links_that_are_over_lead_nowhere_and_all_look_the_same(scene: Scene) -> None:
    nina = await scene.place.user("Nina")
    revoked, token = await make_link(scene)
    _, expired = await make_link(scene, expires_at=soon(60))
    await scene.house.sql("UPDATE invite_link SET expires_at = now() WHERE hash = $1", hash_token(expired))
    async with scene.house.client(scene.olga) as olga:
        for _ in range(2):
            assert (await olga.delete(url_of(scene.group, "invite-links", revoked))).status_code == 204
    for bad in (token, expired, "x", token[:-1], "\u0000", "é" * 100):
        for verb in ("check", "join"):
            async with scene.house.client(nina) as client:
                answer = await client.post(f"/v1/invite-links/{verb}", json={"token": bad})
            assert (answer.status_code, answer.json()["error"]["code"]) == (410, "invite_link_invalid")


async def test_a_link_is_for_users_of_its_workspace(scene: Scene) -> None:
    stranger = await (await scene.house.workspace("Elsewhere")).user("Stranger", "owner")
    _, token = await make_link(scene)
    for verb in ("check", "join"):
        async with scene.house.client(stranger) as client:
            answer = await client.post(f"/v1/invite-links/{verb}", json={"token": token})
        assert answer.status_code == 410
    assert len(await members_of(scene, scene.group)) == 3
    desk = await scene.place.bot("Desk", "desk")
    assert (await join(scene, desk, token)).status_code == 403


async def test_who_joins_a_broadcast_reads(scene: Scene) -> None:
    place = await scene.place.open(scene.olga, kind="broadcast")
    nina = await scene.place.user("Nina")
    _, token = await make_link(scene, place)
    assert (await join(scene, nina, token)).json()["role"] == "reader"


@pytest.mark.parametrize(
    "body",
    [{"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": "2031-01-01T00:00:00"}, {"max_uses": 0}, {"max_uses": 10**6},
     {"max_uses": True}, {"token": "mine"}],
)  # fmt: skip
async def test_bounds_that_are_none_are_refused(scene: Scene, body: Json) -> None:
    async with scene.house.client(scene.olga) as olga:
        assert (await olga.post(url_of(scene.group, "invite-links"), json=body)).status_code == 422


async def test_links_and_bans_are_for_owners_and_moderators_of_groups(scene: Scene) -> None:
    direct = await scene.place.open(scene.olga, scene.anna, kind="direct", title=None)
    for who, place in ((scene.boris, scene.group), (scene.olga, direct), (scene.olga, scene.room.id)):
        async with scene.house.client(who) as client:
            answers = [
                await client.get(url_of(place, "invite-links")),
                await client.post(url_of(place, "invite-links"), json={}),
                await client.delete(url_of(place, "invite-links", f"lnk_{'0' * 26}")),
                await client.get(url_of(place, "bans")),
                await client.post(url_of(place, "bans"), json={"actor_id": scene.anna.public}),
                await client.delete(url_of(place, "bans", scene.anna.public)),
                await client.patch(url_of(place), json={"title": "Mine"}),
            ]
        assert {answer.status_code for answer in answers} == {403}


# ---------------------------------------------------------------- bans


async def test_who_is_banned_is_out_and_no_way_leads_back_until_it_is_lifted(scene: Scene) -> None:
    _, token = await make_link(scene)
    for _ in range(2):
        answer = await ban(scene, scene.boris)
        assert (answer.status_code, answer.json()["actor"]["name"]) == (201, "Boris")
    assert scene.boris.id not in await members_of(scene, scene.group)
    async with scene.house.client(scene.olga) as olga, scene.house.client(scene.boris) as boris:
        assert (await boris.get(url_of(scene.group))).status_code == 404
        assert [
            one["actor"]["name"] for one in (await olga.get(url_of(scene.group, "bans"))).json()["items"]
        ] == ["Boris"]
        nina = await scene.place.user("Nina")
        refused = [
            await join(scene, scene.boris, token),
            await olga.post(url_of(scene.group, "members"), json={"actor_id": scene.boris.public}),
            await olga.post(
                url_of(scene.group, "members", "batch"), json={"actor_ids": [nina.public, scene.boris.public]}
            ),
        ]
        assert [(one.status_code, one.json()["error"]["code"]) for one in refused] == [(403, "banned")] * 3
        assert nina.id not in await members_of(scene, scene.group)
        [row] = await scene.house.sql("SELECT use_count FROM invite_link WHERE hash = $1", hash_token(token))
        assert row["use_count"] == 0
        for _ in range(2):
            assert (await olga.delete(url_of(scene.group, "bans", scene.boris.public))).status_code == 204
    assert (await join(scene, scene.boris, token)).status_code == 200


async def test_a_ban_for_a_time_ends_by_itself(scene: Scene) -> None:
    _, token = await make_link(scene)
    assert (await ban(scene, scene.boris, until=soon(3600))).status_code == 201
    assert (await join(scene, scene.boris, token)).status_code == 403
    await scene.house.sql("UPDATE ban SET until = now()")
    async with scene.house.client(scene.olga) as olga:
        assert (await olga.get(url_of(scene.group, "bans"))).json()["items"] == []
    assert (await join(scene, scene.boris, token)).status_code == 200


async def test_nobody_bans_above_themselves_or_themselves(scene: Scene) -> None:
    async with scene.house.client(scene.olga) as olga:
        await olga.patch(url_of(scene.group, "members", scene.anna.public), json={"role": "moderator"})
    assert (await ban(scene, scene.olga, scene.anna)).status_code == 403
    assert (await ban(scene, scene.anna, scene.anna)).status_code == 422
    assert (await ban(scene, scene.boris, scene.anna, until="2020-01-01T00:00:00Z")).status_code == 422
    stranger = await (await scene.house.workspace("Elsewhere")).user("Stranger")
    assert (await ban(scene, stranger)).status_code == 404
    assert len(await members_of(scene, scene.group)) == 3


async def test_a_ban_against_a_join_ends_with_the_banned_outside(scene: Scene) -> None:
    crowd = [await scene.place.user(f"N{n}") for n in range(10)]
    _, token = await make_link(scene)
    await asyncio.gather(*(join(scene, one, token) for one in crowd), *(ban(scene, one) for one in crowd))
    assert sorted(await members_of(scene, scene.group)) == sorted(
        [scene.olga.id, scene.anna.id, scene.boris.id]
    )
    require_dense(await read_numbers(scene.house, scene.group))
    kinds = await scene.house.sql(
        """SELECT data -> 'member' -> 'actor' ->> 'id' AS who, array_agg(kind ORDER BY number) AS kinds FROM event
        WHERE conversation_id = $1 AND data -> 'member' -> 'actor' ->> 'id' = ANY ($2) GROUP BY 1""",
        scene.group,
        [one.public for one in crowd],
    )
    assert all(row["kinds"] == ["member.joined", "member.left"] for row in kinds)


async def test_adding_a_thousand_tells_each_once(scene: Scene) -> None:
    rows = await scene.house.sql(
        """INSERT INTO actor (workspace_id, id, kind, name, role)
        SELECT $1, gen_random_uuid(), 'user', 'U' || n, 'member' FROM generate_series(1, 1000) n RETURNING id""",
        scene.place.id,
    )
    ids = [public_id("act", row["id"]) for row in rows]
    async with scene.house.client(scene.olga) as olga:
        for count in (1000, 0):
            answer = await olga.post(url_of(scene.group, "members", "batch"), json={"actor_ids": ids})
            assert (answer.status_code, len(answer.json()["items"])) == (201, count)
        too_many = await olga.post(
            url_of(scene.group, "members", "batch"), json={"actor_ids": [*ids, scene.anna.public]}
        )
        assert too_many.status_code == 422
    assert len(await members_of(scene, scene.group)) == 1003
    told = await scene.house.sql(
        "SELECT count(*) AS n, count(DISTINCT actor_id) AS who FROM personal_event WHERE kind = 'conversation.added' AND actor_id = ANY ($1)",
        [row["id"] for row in rows],
    )
    assert (told[0]["n"], told[0]["who"]) == (1000, 1000)
    counts = await scene.house.sql(
        "SELECT (data ->> 'member_count')::int AS n FROM event WHERE conversation_id = $1 ORDER BY number",
        scene.group,
    )
    assert [row["n"] for row in counts] == list(range(1, 1004))
