"""Every route of the OpenAPI document, tried by those it is not for. A new route must be put into the table (routes.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from parley.apps.openapi import describe_api
from parley.kit.ids import public_id
from tests.house import House, Person
from tests.isolation.furnished import Furnished
from tests.isolation.routes import (
    ADMIN,
    CLASSES,
    CONVERSATION,
    DESK,
    ECHOES,
    GROUP,
    OWN,
    PUBLIC,
    QUERIES,
    STAFF,
    bodies,
    digest,
    narrowing,
    operations,
    request,
    require_empty_echo,
    require_error,
)
from tests.unfiltered import remove_filters

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["with the application's filter", "by the database alone"])
def filters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is about workspaces, twice: once with no comparison of them left in the application's SQL."""
    if request.param == "by the database alone":
        remove_filters(monkeypatch)


async def test_every_route_is_in_the_table(house: House) -> None:
    assert sorted(operations(house)) == sorted(CLASSES), "put a new route into CLASSES, and say who it is for"


async def test_every_route_is_asked_for_with_all_it_needs(house: House, ours: Furnished) -> None:
    """A refusal for want of a field says nothing about rights. Parameters that name things are given, needed or not."""
    schemas = describe_api(house.rest)["components"]["schemas"]
    told, ids = bodies(ours.ids, ours.link_token), narrowing(ours.ids)
    for name, operation in operations(house).items():
        body = operation.get("requestBody", {})
        for content in body.get("content", {}).values():
            schema = content["schema"]
            schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
            lacks = set(schema.get("required", ())) - set(told.get(name, ()))
            assert not lacks, f"{name}: put {lacks or 'a body'} into bodies()"
            assert name in told or not body.get("required"), f"{name}: put its body into bodies()"
        for one in operation.get("parameters", ()):
            if one["in"] == "path":
                assert one["name"] in ours.ids, f"{name}: put {one['name']} into furnished.py"
            elif one.get("required"):
                assert one["name"] in QUERIES.get(name, {}), f"{name}: put {one['name']} into QUERIES"
            elif re.search(r"^from$|(^|_)ids?$", one["name"]):
                assert one["name"] in ids.get(name, {}), f"{name}: put {one['name']} into narrowing()"
    assert not set(told) - set(CLASSES)


async def test_nobody_gets_anywhere_but_through_the_public_doors(house: House, ours: Furnished) -> None:
    document = operations(house)
    for name, kind in CLASSES.items():
        answer = await request(house, name, None, ours)
        if kind == PUBLIC:
            assert answer.status_code < 500, (name, answer.text)
            assert document[name]["security"] == []
        else:
            require_error(answer, 401)
            assert document[name].get("security") != []


async def test_a_token_that_is_none_is_nobody(house: House, ours: Furnished) -> None:
    for token in (
        "x",
        "at_" + "0" * 43,
        "pk_" + "0" * 43,
        ours.owner.token + "x",
        ours.owner.token[:-1],
        "%00",
        "é",
    ):
        async with house.client() as client:
            answer = await client.get("/v1/me", headers={"Authorization": f"Bearer {token}".encode()})
            require_error(answer, 401)


@pytest.mark.usefixtures("filters")
async def test_the_owner_of_another_workspace_finds_nothing_and_changes_nothing(
    house: House, ours: Furnished, theirs: Furnished
) -> None:
    before = await digest(house, ours.place.id)
    for ids, is_narrowed in ((ours.ids, False), (ours.group_ids, True)):
        for name, kind in CLASSES.items():
            if name == "POST /v1/auth/sign-out":
                continue  # ends the intruder's own session
            if name == "PUT /v1/users/by-external-id/{external_id}":
                continue  # makes a user of that id in the intruder's own workspace (tests/accounts/test_embedding.py)
            answer = await request(house, name, theirs.owner, ours, ids, is_narrowed=is_narrowed)
            if "{" in name and kind != PUBLIC:
                require_error(answer, 403, 404)
            assert answer.status_code < 500, (name, answer.text)
            told = answer.text
            if name in ECHOES:
                require_empty_echo(name, answer, theirs.owner)
            elif answer.status_code < 300:
                assert not [mark for mark in ours.marks if mark in told], (name, told)
            assert ours.marks[0] not in told, (name, told)
    assert await digest(house, ours.place.id) == before


@pytest.mark.usefixtures("filters")
async def test_ids_of_two_workspaces_are_not_mixed(house: House, ours: Furnished, theirs: Furnished) -> None:
    """The first id of the path is the intruder's own, the last is ours: as bad as any other."""
    before = await digest(house, ours.place.id)
    for name in CLASSES:
        inside = re.findall(r"\{(\w+)\}", name)
        inside = [one for one in inside if one not in ("emoji", "channel")]
        if len(inside) < 2:
            continue
        mixed = theirs.ids | {inside[-1]: ours.ids[inside[-1]]}
        answer = await request(house, name, theirs.owner, ours, mixed)
        # a removal of who is not there is harmless
        is_harmless = name.startswith("DELETE") and answer.status_code == 204
        assert is_harmless or answer.status_code in (403, 404), (name, answer.text)
    for name, body in (
        ("POST /v1/conversations/{conversation_id}/messages", {"client_id": "a", "text": "x", "reply_to": ours.ids["message_id"]}),
        ("POST /v1/conversations/{conversation_id}/messages", {"client_id": "b", "text": "x", "media_ids": [ours.ids["media_id"]]}),
        ("POST /v1/conversations/{conversation_id}/messages", {"client_id": "c", "forward": {"conversation_id": ours.ids["conversation_id"], "message_id": ours.ids["message_id"]}}),
        ("POST /v1/conversations/{conversation_id}/forward", {"client_id": "d", "conversation_id": ours.ids["conversation_id"], "message_ids": [ours.ids["message_id"]]}),
        ("PATCH /v1/desk/conversations/{conversation_id}", {"assignee_id": ours.ids["actor_id"]}),
    ):  # fmt: skip
        method, path = name.split(" ")
        async with house.client(theirs.agent) as client:
            url = path.replace("{conversation_id}", theirs.ids["conversation_id"])
            require_error(await client.request(method, url, json=body), 404, 422)
    assert await digest(house, ours.place.id) == before


async def test_a_plain_member_sees_nothing_of_the_desk(house: House, ours: Furnished) -> None:
    member = await ours.place.user("Mia", "member")
    for name, kind in CLASSES.items():
        if kind == PUBLIC or (kind == OWN and not name.startswith("GET")):
            continue
        answer = await request(house, name, member, ours)
        if kind == OWN:
            assert answer.status_code == 200, (name, answer.text)
            assert "customer" not in answer.text
        elif kind == STAFF:
            require_error(answer, 403)
        else:
            require_error(answer, 403, 404)


async def test_an_agent_sees_nothing_of_an_inbox_they_are_not_in(house: House, ours: Furnished) -> None:
    agent = await ours.place.user("Ada", "agent")
    hidden = ["customer", "asks", "corrects", ours.ids["inbox_id"], ours.ids["conversation_id"]]
    for name, kind in CLASSES.items():
        if kind == PUBLIC or (kind == OWN and not name.startswith("GET")):
            continue
        answer = await request(house, name, agent, ours)
        if kind in (OWN, STAFF):
            assert answer.status_code == 200, (name, answer.text)
            assert not [word for word in hidden if word in answer.text], (name, answer.text)
        else:
            require_error(answer, 403, 404)


async def test_a_key_without_the_scope_is_held_to_what_it_has(house: House, ours: Furnished) -> None:
    chat = await ours.place.bot("Chatter", "chat")
    for name, kind in CLASSES.items():
        if kind in (PUBLIC, OWN):
            continue
        answer = await request(house, name, chat, ours)
        require_error(answer, 403, 404)
    desk = await ours.place.bot("Desk", "desk")
    for name, kind in CLASSES.items():
        if kind == ADMIN:
            require_error(await request(house, name, desk, ours), 403, 404)
    seen = await request(house, "GET /v1/desk/conversations/{conversation_id}", desk, ours)
    assert seen.status_code == 200


@pytest.mark.usefixtures("filters")
async def test_an_admin_of_the_workspace_gets_through_everywhere(house: House, ours: Furnished) -> None:
    """So that the refusals above are refusals of rights, and not of the requests."""
    for name, kind in CLASSES.items():
        if kind == PUBLIC or not name.startswith("GET") or name.endswith(("content", "thumbnail")):
            continue
        ids = ours.ids | {"conversation_id": public_id("cnv", ours.group)} if kind == GROUP else ours.ids
        answer = await request(house, name, ours.owner, ours, ids)
        assert answer.status_code == 200, (name, answer.text)


async def require_closed(
    house: House, who: Person, thing: Furnished, ids: Mapping[str, str], *kinds: str
) -> None:
    """Fail unless every route of these kinds is refused, and nothing has changed."""
    before = await digest(house, thing.place.id)
    for name, kind in CLASSES.items():
        if kind in kinds:
            answer = await request(house, name, who, thing, ids)
            require_error(answer, 403, 404)
            assert "among us" not in answer.text
    after = await digest(house, thing.place.id)
    assert {table for table in after if after[table] != before[table]} <= {"api_key"}  # its last use


@pytest.mark.parametrize("who", ["member", "agent", "admin", "key chat", "key desk", "key admin"])
async def test_a_group_is_closed_to_those_who_are_not_in_it(house: House, ours: Furnished, who: str) -> None:
    ids = ours.group_ids
    role = who.removeprefix("key ")
    stranger = await ours.place.bot("Strange", role) if role != who else await ours.place.user("Stan", role)
    await require_closed(house, stranger, ours, ids, CONVERSATION, GROUP)


async def test_a_removed_member_is_a_stranger_at_once(house: House, ours: Furnished) -> None:
    ids = ours.group_ids
    url = f"/v1/conversations/{ids['conversation_id']}"
    for newcomer in (await ours.place.user("Rita", "member"), await ours.place.bot("Robot", "chat")):
        async with house.client(ours.owner) as owner, house.client(newcomer) as client:
            assert (await owner.post(f"{url}/members", json={"actor_id": newcomer.public})).is_success
            assert (await client.get(f"{url}/messages")).status_code == 200
            assert (await owner.delete(f"{url}/members/{newcomer.public}")).is_success
        await require_closed(house, newcomer, ours, ids, CONVERSATION, GROUP)


async def test_an_agent_taken_out_of_the_inbox_is_a_stranger_at_once(house: House, ours: Furnished) -> None:
    url = f"/v1/inboxes/{ours.ids['inbox_id']}/members/{ours.agent.public}"
    async with house.client(ours.owner) as owner, house.client(ours.agent) as agent:
        assert (await agent.get(f"/v1/desk/conversations/{ours.ids['conversation_id']}")).status_code == 200
        assert (await owner.delete(url)).is_success
    ids = {**ours.ids, "media_id": ours.group_ids["media_id"]}
    for name, kind in CLASSES.items():
        if (
            kind in (DESK, CONVERSATION) and "media_id" not in name
        ):  # their own upload, and the group's, stay theirs
            require_error(await request(house, name, ours.agent, ours, ids), 403, 404)
        elif kind == STAFF:
            answer = await request(house, name, ours.agent, ours, ids)
            assert "customer" not in answer.text, (name, answer.text)


async def test_who_was_let_go_is_nobody_on_every_route(house: House, ours: Furnished) -> None:
    """A deactivated user, a revoked key, a session that was ended."""
    leaver, guest = await ours.place.user("Lea", "admin"), await ours.place.user("Gus", "admin")
    key = await ours.place.bot("Keyed", "admin", "desk", "chat")
    [row] = await house.sql("SELECT id FROM api_key WHERE actor_id = $1", key.id)
    async with house.client(ours.owner) as owner, house.client(guest) as visitor:
        for person in (leaver, guest, key):
            async with house.client(person) as client:
                assert (await client.get("/v1/me")).status_code == 200
        changed = await owner.patch(f"/v1/users/{leaver.public}", json={"is_deactivated": True})
        assert changed.status_code == 200
        assert (await owner.delete(f"/v1/api-keys/{public_id('key', row['id'])}")).is_success
        assert (await visitor.post("/v1/auth/sign-out", json={})).is_success
    before = await digest(house, ours.place.id)
    for name, kind in CLASSES.items():
        if kind != PUBLIC:
            for person in (leaver, guest, key):
                require_error(await request(house, name, person, ours), 401)
    assert await digest(house, ours.place.id) == before
