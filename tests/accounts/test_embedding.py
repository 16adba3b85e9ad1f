"""Applications that embed Parley: users by their own ids, acting for them, tokens for their browsers."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from parley.kit.fields import COUNT_LIMIT, SIZE_LIMIT_BYTES
from parley.kit.ids import public_id, uuid7
from tests.house import House, Person, Workspace

pytestmark = pytest.mark.anyio

BY_ID = "/v1/users/by-external-id"


@pytest.fixture
async def acme(house: House) -> Workspace:
    """A workspace with nobody in it yet."""
    return await house.workspace("Acme")


@pytest.fixture
async def key(acme: Workspace) -> Person:
    """The embedding application's key."""
    return await acme.bot("Shop", "act")


async def put(house: House, key: Person, external_id: str, **body: Any) -> dict[str, Any]:
    async with house.client(key) as client:
        answer = await client.put(f"{BY_ID}/{external_id}", json={"name": external_id.title(), **body})
    assert answer.is_success, answer.text
    return dict(answer.json())


def acting(house: House, key: Person, external_id: str) -> httpx2.AsyncClient:
    return house.client(key, **{"X-Parley-Actor": f"ext:{external_id}"})


async def test_a_user_is_made_once_and_then_changed(house: House, key: Person) -> None:
    async with house.client(key) as client:
        first = await client.put(f"{BY_ID}/shop:17", json={"name": "Anna", "fields": {"plan": "gold"}})
        assert first.status_code == 201, first.text
        made = first.json()
        assert (made["external_id"], made["role"], made["fields"]) == ("shop:17", "member", {"plan": "gold"})
        again = await client.put(f"{BY_ID}/shop:17", json={"name": "Anna Maria"})
        assert again.status_code == 200
        assert again.json() == {**made, "name": "Anna Maria"}
        assert (await client.get(f"{BY_ID}/shop:17")).json() == again.json()
        assert (await client.get(f"{BY_ID}/shop:18")).status_code == 404


async def test_of_several_that_make_the_same_user_at_once_one_does(house: House, key: Person) -> None:
    async with house.client(key) as client:
        answers = await asyncio.gather(*(client.put(f"{BY_ID}/17", json={"name": "Anna"}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize("external_id", ["a b", "a*", "#", "é", "x" * 101, "a;b", "%00"])
async def test_an_external_id_of_another_shape_is_refused(
    house: House, key: Person, external_id: str
) -> None:
    async with house.client(key) as client:
        answer = await client.put(f"{BY_ID}/{external_id.replace('#', '%23')}", json={"name": "N"})
    assert answer.status_code == 422, answer.text
    async with acting(house, key, "x y") as client:
        assert (await client.get("/v1/me")).status_code == 422


async def test_the_same_external_id_is_another_user_in_another_workspace(house: House, key: Person) -> None:
    other = await house.workspace("Other")
    other_key = await other.bot("Other", "act")
    ours, theirs = await put(house, key, "17"), await put(house, other_key, "17")
    assert ours["id"] != theirs["id"]
    async with house.client(other_key, **{"X-Parley-Actor": ours["id"]}) as client:
        assert (await client.get("/v1/me")).status_code == 404
        assert (await client.post(f"/v1/users/{ours['id']}/sessions", json={})).status_code == 404
    async with acting(house, other_key, "17") as client:
        assert (await client.get("/v1/me")).json()["actor"]["id"] == theirs["id"]


async def test_two_users_talk_through_the_applications_key_alone(house: House, key: Person) -> None:
    anna, boris = await put(house, key, "anna"), await put(house, key, "boris")
    async with acting(house, key, "anna") as a, acting(house, key, "boris") as b:
        opened = await a.post("/v1/conversations", json={"kind": "direct", "members": [boris["id"]]})
        chat = opened.json()["id"]
        sent = await a.post(
            f"/v1/conversations/{chat}/messages",
            json={"client_id": "1", "text": "Hello", "fields": {"order": 7}},
        )
        assert sent.status_code == 201, sent.text
        message = sent.json()
        assert message["sender"]["id"] == anna["id"]
        assert message["extra"] == {"fields": {"order": 7}}
        url = f"/v1/conversations/{chat}/messages/{message['id']}"
        assert (await b.put(f"/v1/conversations/{chat}/read", json={"number": 1})).json()["unread"] == 0
        assert (await b.put(f"{url}/reactions/+")).status_code == 204
        assert (await b.patch(url, json={"text": "mine?"})).status_code == 403
        assert (await b.put(f"{url}/fields", json={"fields": {}})).status_code == 403
        changed = await a.put(f"{url}/fields", json={"fields": {"order": 8}})
        assert changed.json()["extra"] == {"fields": {"order": 8}}
        [seen] = (await b.get(f"/v1/conversations/{chat}/messages")).json()["items"]
        assert seen["reactions"] == [{"emoji": "+", "actor_ids": [boris["id"]]}]
        assert seen["extra"] == {"fields": {"order": 8}}
        assert (await b.put(f"/v1/conversations/{chat}/fields", json={"fields": {"topic": "x"}})).is_success
        assert (await a.get(f"/v1/conversations/{chat}/fields")).json() == {"topic": "x"}
        events = (await a.get(f"/v1/conversations/{chat}/events", params={"after": 0, "tag": 0})).json()
        assert "conversation.fields_changed" in [event["kind"] for event in events["events"]]


async def test_who_acts_is_held_to_the_rights_of_the_actor(
    house: House, acme: Workspace, key: Person
) -> None:
    owner, outsider = await acme.user("Olga", "owner"), await put(house, key, "out")
    group = await acme.open(owner)
    async with house.client(key, **{"X-Parley-Actor": outsider["id"]}) as client:
        path = f"/v1/conversations/{public_id('cnv', group)}"
        assert (await client.get(path)).status_code == 404
        sent = await client.post(f"{path}/messages", json={"client_id": "1", "text": "x"})
        assert sent.status_code == 404


@pytest.mark.parametrize(
    ("scopes", "admin_status", "desk_status", "post_status"),
    [(("act",), 403, 403, 404), (("act", "desk"), 403, 200, 201), (("act", "admin"), 200, 200, 201)],
)
async def test_the_key_does_not_get_beyond_its_own_scopes(
    house: House,
    acme: Workspace,
    scopes: tuple[str, ...],
    admin_status: int,
    desk_status: int,
    post_status: int,
) -> None:
    owner, agent = await acme.user("Olga", "owner"), await acme.user("Ada", "agent")
    room = await acme.room(await acme.inbox(owner, agent))
    key = await acme.bot("Shop", *scopes)
    async with house.client(key, **{"X-Parley-Actor": owner.public}) as client:
        assert (await client.get("/v1/api-keys")).status_code == admin_status
        assert (await client.get("/v1/desk/conversations")).status_code == desk_status
        # an owner's own rights are nobody else's
        invited = {"name": "N", "email": "n@example.org", "role": "owner"}
        assert (await client.post("/v1/users", json=invited)).status_code == 403
        for method, path, body in (
            ("GET", "/v1/sessions", None),
            ("PATCH", "/v1/me", {"name": "Other"}),
            ("POST", "/v1/me/password", {"current_password": "x", "new_password": "y" * 10}),
        ):
            assert (await client.request(method, path, json=body)).status_code == 403, path
    async with house.client(key, **{"X-Parley-Actor": agent.public}) as client:
        sent = await client.post(
            f"/v1/conversations/{room.public}/messages", json={"client_id": "1", "text": "x"}
        )
        assert sent.status_code == post_status, sent.text
        group = public_id("cnv", await acme.open(agent))
        said = await client.post(f"/v1/conversations/{group}/messages", json={"client_id": "1", "text": "y"})
        origin = {"conversation_id": group, "message_id": said.json()["id"]}
        for path, body in (
            ("messages", {"client_id": "2", "forward": origin}),
            ("forward", {"client_id": "3", "conversation_id": group, "message_ids": [origin["message_id"]]}),
        ):
            again = await client.post(f"/v1/conversations/{room.public}/{path}", json=body)
            assert again.status_code == post_status, again.text


async def test_only_keys_with_the_scope_act_for_others(house: House, acme: Workspace, key: Person) -> None:
    user, admin = await acme.user("Una"), await acme.user("Ada", "admin")
    others = await acme.bot("Other", "chat")
    deaf = await acme.bot("Deaf", "chat", "admin")
    for who in (user, admin, deaf):
        async with house.client(who, **{"X-Parley-Actor": others.public}) as client:
            assert (await client.get("/v1/me")).status_code == 403
    room = await acme.room(await acme.inbox())
    for reference, status in (
        (others.public, 200),
        (public_id("act", room.contact_id), 403),
        (public_id("act", uuid7()), 404),
        ("ext:nobody", 404),
        ("nonsense", 422),
        ("", 422),
    ):
        async with house.client(key, **{"X-Parley-Actor": reference}) as client:
            assert (await client.get("/v1/me")).status_code == status, reference
    async with house.client(key, **{"X-Parley-Actor": others.public}) as client:
        assert (await client.get("/v1/me")).json()["scopes"] == ["chat"]


async def test_a_deactivated_user_is_acted_for_no_more_and_loses_their_sessions(
    house: House, key: Person
) -> None:
    user = await put(house, key, "17")
    async with house.client(key) as client, acting(house, key, "17") as as_user:
        token = (await client.post(f"/v1/users/{user['id']}/sessions", json={})).json()["access_token"]
        browser = house.client(Person(key.caller, token))
        assert (await browser.get("/v1/me")).json()["actor"]["id"] == user["id"]
        assert (await as_user.get("/v1/me")).status_code == 200
        await put(house, key, "17", is_deactivated=True)
        assert (await as_user.get("/v1/me")).status_code == 404
        assert (await browser.get("/v1/me")).status_code == 401
        assert (await client.put(f"{BY_ID}/17", json={"name": "Still"})).json()["deactivated_at"]
        await put(house, key, "17", is_deactivated=False)
        assert (await as_user.get("/v1/me")).status_code == 200
        await browser.aclose()


async def test_a_token_for_a_browser_is_the_users_own_and_ends_with_the_key(
    house: House, acme: Workspace, key: Person
) -> None:
    user, admin = await put(house, key, "17"), await acme.user("Ada", "admin")
    async with house.client(key) as client:
        answer = await client.post(f"/v1/users/{user['id']}/sessions", json={"lasts_seconds": 120})
        assert answer.status_code == 201, answer.text
        issued = answer.json()
        other = (await client.post(f"/v1/users/{user['id']}/sessions", json={})).json()
        for wrong in (59, 86_401, "x"):
            bad = await client.post(f"/v1/users/{user['id']}/sessions", json={"lasts_seconds": wrong})
            assert bad.status_code == 422
        ended = await client.delete(f"/v1/users/{user['id']}/sessions")
        assert ended.status_code == 204
    assert issued["expires_in_seconds"] == 120
    for token in (issued["access_token"], other["access_token"]):
        async with house.client(Person(key.caller, token)) as browser:
            assert (await browser.get("/v1/me")).status_code == 401
    async with house.client(key) as client:
        last = (await client.post(f"/v1/users/{user['id']}/sessions", json={})).json()["access_token"]
    async with house.client(Person(key.caller, last)) as browser, house.client(admin) as boss:
        assert (await browser.get("/v1/me")).json()["actor"]["id"] == user["id"]
        assert (await browser.get(f"{BY_ID}/17")).status_code == 403
        assert (await browser.get("/v1/sessions")).status_code == 403, (
            "how they sign in is not the key's business"
        )
        [listed] = (await boss.get("/v1/api-keys")).json()["items"]
        assert (await boss.delete(f"/v1/api-keys/{listed['id']}")).status_code == 204
        assert (await browser.get("/v1/me")).status_code == 401
    audit = await house.sql("SELECT action FROM audit_entry WHERE action = 'session.issued'")
    assert len(audit) == 3


@pytest.mark.parametrize(
    ("role", "scopes", "status"),
    [
        ("member", ("act",), 201),
        ("agent", ("act",), 403),
        ("agent", ("act", "desk"), 201),
        ("admin", ("act", "desk"), 403),
        ("admin", ("act", "admin"), 201),
        ("owner", ("act", "admin"), 403),
        ("member", ("chat", "admin"), 403),
    ],
)
async def test_no_key_opens_a_session_that_may_more_than_itself(
    house: House, acme: Workspace, role: str, scopes: tuple[str, ...], status: int
) -> None:
    user, key = await acme.user("Una", role), await acme.bot("Shop", *scopes)
    async with house.client(key) as client:
        answer = await client.post(f"/v1/users/{user.public}/sessions", json={})
    assert answer.status_code == status, answer.text
    async with house.client(await acme.user("Ada", "owner")) as client:
        assert (await client.post(f"/v1/users/{user.public}/sessions", json={})).status_code == 403


async def test_a_key_that_was_revoked_elsewhere_just_now_opens_no_session(house: House, key: Person) -> None:
    user = await put(house, key, "17")
    await house.sql("UPDATE api_key SET revoked_at = now() WHERE actor_id = $1", key.id)
    async with house.client(key) as client:
        assert (await client.get("/v1/me")).status_code in (200, 404), "this process still believes the key"
        refused = await client.post(f"/v1/users/{user['id']}/sessions", json={})
    assert refused.status_code == 401, refused.text
    assert not await house.sql("SELECT FROM session WHERE issued_by = $1", key.id)


async def test_who_is_promoted_leaves_the_sessions_that_keys_opened_for_them(
    house: House, acme: Workspace, key: Person
) -> None:
    owner, user = await acme.user("Olga", "owner"), await acme.user("Una")
    async with house.client(key) as client:
        token = (await client.post(f"/v1/users/{user.public}/sessions", json={})).json()["access_token"]
    async with house.client(owner) as admin, house.client(Person(key.caller, token)) as browser:
        assert (await browser.get("/v1/api-keys")).status_code == 403
        renamed = await admin.patch(f"/v1/users/{user.public}", json={"name": "Una B."})
        assert renamed.status_code == 200
        assert (await browser.get("/v1/me")).status_code == 200
        assert (await admin.patch(f"/v1/users/{user.public}", json={"role": "admin"})).status_code == 200
        assert (await browser.get("/v1/api-keys")).status_code == 401
    async with house.client(user) as themselves:
        assert (await themselves.get("/v1/api-keys")).status_code == 200


async def test_the_audit_says_who_acted_for_whom_once_a_day_and_every_administrative_act(
    house: House, acme: Workspace
) -> None:
    owner, key = await acme.user("Olga", "owner"), await acme.bot("Shop", "act", "admin")
    async with house.client(key, **{"X-Parley-Actor": owner.public}) as client:
        for _ in range(3):
            assert (await client.get("/v1/me")).is_success
        assert (await client.patch("/v1/workspace", json={"name": "Renamed"})).is_success
    async with house.client(owner) as client:
        entries = (await client.get("/v1/audit")).json()["items"]
    told = [(entry["action"], entry["actor"]["id"], entry["by_id"]) for entry in entries]
    assert told == [
        ("workspace.renamed", owner.public, key.public),
        ("actor.acted_for", key.public, None),
    ]
    assert entries[1]["target"] == owner.public


async def test_fields_are_bounded_and_come_back_as_they_were(house: House, key: Person) -> None:
    user = await put(house, key, "17")
    path = f"/v1/users/{user['id']}/fields"
    deep: Any = "x"
    for _ in range(5):
        deep = [deep]
    async with house.client(key) as client, acting(house, key, "17") as as_user:
        good = {"a": None, "b": [1, 2.5, True], "c": {"д": "ё 🎈"}, "n": -(2**53), "t": 1e-300}
        assert (await client.put(path, json={"fields": good})).json() == good
        assert (await client.get(path)).json() == good
        assert (await as_user.get(path)).json() == good
        assert (await as_user.put(path, json={"fields": {}})).status_code == 403
        for bad, status in (
            ({"a b": 1}, 422),
            ({"": 1}, 422),
            ({"a": "\x00"}, 422),
            ({"a": {"\x00": 1}}, 422),
            ({"a": 2**53 + 1}, 422),
            ({"a": 1e300}, 422),
            ({"a": deep}, 422),
            ({f"k{n}": n for n in range(COUNT_LIMIT + 1)}, 422),
            ({"a": "x" * SIZE_LIMIT_BYTES}, 413),
        ):
            answer = await client.put(path, json={"fields": bad})
            assert answer.status_code == status, (bad, answer.text)
        assert (await client.get(path)).json() == good


async def test_an_integration_is_switched_on_and_off(house: House, key: Person) -> None:
    user = await put(house, key, "17")
    assert not user["has_integration"]
    async with house.client(key) as client:
        for is_enabled in (True, True, False, False):
            answer = await client.put(f"/v1/users/{user['id']}/integration", json={"is_enabled": is_enabled})
            assert answer.status_code == 204, answer.text
            assert (await client.get(f"{BY_ID}/17")).json()["has_integration"] == is_enabled
    assert (await put(house, key, "17", has_integration=True))["has_integration"]
