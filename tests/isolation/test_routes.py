"""Every route of the OpenAPI document, tried by those it is not for. A new route must be put into the table."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from parley.apps.openapi import describe_api, list_operations
from parley.kit.ids import public_id
from tests.house import House, Person
from tests.isolation.furnished import Furnished
from tests.unfiltered import remove_filters

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["with the application's filter", "by the database alone"])
def filters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is about workspaces, twice: once with no comparison of them left in the application's SQL."""
    if request.param == "by the database alone":
        remove_filters(monkeypatch)


PUBLIC = "whoever comes, without a token"
OWN = "everybody, about themselves and what they are part of"
CONVERSATION = "those who see the conversation"
GROUP = "owners and moderators of the group"
DESK = "those who work in the inbox"
STAFF = "the people at the desk, of their own inboxes"
ADMIN = "admins"

CLASSES: dict[str, str] = {
    "POST /v1/setup/check": PUBLIC,
    "POST /v1/setup": PUBLIC,
    "POST /v1/auth/sign-in": PUBLIC,
    "GET /v1/auth/ways": PUBLIC,
    "POST /v1/auth/code": PUBLIC,
    "POST /v1/auth/code/check": PUBLIC,
    "POST /v1/auth/second-factor": PUBLIC,
    "POST /v1/auth/second-factor/passkey": PUBLIC,
    "POST /v1/auth/passkey/begin": PUBLIC,
    "POST /v1/auth/passkey/finish": PUBLIC,
    "POST /v1/auth/refresh": PUBLIC,
    "POST /v1/auth/sign-out": PUBLIC,
    "POST /v1/invitations/check": PUBLIC,
    "POST /v1/invitations/accept": PUBLIC,
    "POST /webhooks/{channel}/{inbox_id}": PUBLIC,
    "GET /v1/me": OWN,
    "PATCH /v1/me": OWN,
    "POST /v1/me/password": OWN,
    "GET /v1/me/factors": OWN,
    "POST /v1/me/proof-code": OWN,
    "POST /v1/me/totp": OWN,
    "POST /v1/me/totp/confirm": OWN,
    "POST /v1/me/totp/remove": OWN,
    "POST /v1/me/recovery-codes": OWN,
    "POST /v1/me/passkeys/begin": OWN,
    "POST /v1/me/passkeys": OWN,
    "POST /v1/me/passkeys/{passkey_id}/remove": OWN,
    "POST /v1/me/second-factor": OWN,
    "POST /v1/me/phone": OWN,
    "POST /v1/me/phone/check": OWN,
    "POST /v1/me/phone/remove": OWN,
    "GET /v1/sessions": OWN,
    "GET /v1/presence": OWN,
    "DELETE /v1/sessions/{session_id}": OWN,
    "GET /v1/workspace": OWN,
    "PATCH /v1/workspace": ADMIN,
    "GET /v1/users": OWN,
    "POST /v1/users": ADMIN,
    "PATCH /v1/users/{user_id}": ADMIN,
    "POST /v1/users/{user_id}/invitation": ADMIN,
    "GET /v1/users/by-external-id/{external_id}": ADMIN,
    "PUT /v1/users/by-external-id/{external_id}": ADMIN,
    "GET /v1/users/{user_id}/fields": ADMIN,
    "PUT /v1/users/{user_id}/fields": ADMIN,
    "PUT /v1/users/{user_id}/integration": ADMIN,
    "POST /v1/users/{user_id}/sessions": ADMIN,
    "DELETE /v1/users/{user_id}/sessions": ADMIN,
    "GET /v1/api-keys": ADMIN,
    "POST /v1/api-keys": ADMIN,
    "DELETE /v1/api-keys/{key_id}": ADMIN,
    "GET /v1/audit": ADMIN,
    "POST /v1/sync": OWN,
    "GET /v1/people": OWN,
    "GET /v1/chats": OWN,
    "GET /v1/conversations": OWN,
    "POST /v1/conversations": OWN,
    "GET /v1/conversations/{conversation_id}": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/fields": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/fields": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/messages/{message_id}/fields": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/events": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/members": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/members": CONVERSATION,
    "PATCH /v1/conversations/{conversation_id}": GROUP,
    "POST /v1/conversations/{conversation_id}/members/batch": GROUP,
    "PATCH /v1/conversations/{conversation_id}/members/{actor_id}": GROUP,
    "DELETE /v1/conversations/{conversation_id}/members/{actor_id}": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/leave": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/preferences": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/bans": GROUP,
    "POST /v1/conversations/{conversation_id}/bans": GROUP,
    "DELETE /v1/conversations/{conversation_id}/bans/{actor_id}": GROUP,
    "GET /v1/conversations/{conversation_id}/invite-links": GROUP,
    "POST /v1/conversations/{conversation_id}/invite-links": GROUP,
    "DELETE /v1/conversations/{conversation_id}/invite-links/{link_id}": GROUP,
    "POST /v1/invite-links/check": OWN,
    "POST /v1/invite-links/join": OWN,
    "GET /v1/drafts": OWN,
    "GET /v1/conversations/{conversation_id}/draft": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/draft": CONVERSATION,
    "DELETE /v1/conversations/{conversation_id}/draft": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/messages": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/messages": CONVERSATION,
    "PATCH /v1/conversations/{conversation_id}/messages/{message_id}": CONVERSATION,
    "DELETE /v1/conversations/{conversation_id}/messages/{message_id}": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/messages/{message_id}/versions": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/messages/{message_id}/reactions/{emoji}": CONVERSATION,
    "DELETE /v1/conversations/{conversation_id}/messages/{message_id}/reactions/{emoji}": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/read": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/forward": CONVERSATION,
    "GET /v1/scheduled": OWN,
    "GET /v1/conversations/{conversation_id}/messages/{message_id}/readers": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/scheduled": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/scheduled": CONVERSATION,
    "PATCH /v1/conversations/{conversation_id}/scheduled/{scheduled_id}": CONVERSATION,
    "DELETE /v1/conversations/{conversation_id}/scheduled/{scheduled_id}": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/scheduled/{scheduled_id}/send": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/pins": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/pins/{message_id}": CONVERSATION,
    "DELETE /v1/conversations/{conversation_id}/pins/{message_id}": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/messages/{message_id}/delivery": DESK,
    "GET /v1/search/messages": OWN,
    "GET /v1/channels": OWN,
    "GET /v1/inboxes": STAFF,
    "POST /v1/inboxes": ADMIN,
    "POST /v1/sandbox/inboxes": ADMIN,
    "GET /v1/inboxes/{inbox_id}": DESK,
    "PATCH /v1/inboxes/{inbox_id}": ADMIN,
    "DELETE /v1/inboxes/{inbox_id}": ADMIN,
    "POST /v1/inboxes/{inbox_id}/reconnect": ADMIN,
    "GET /v1/inboxes/{inbox_id}/members": DESK,
    "PUT /v1/inboxes/{inbox_id}/members/{actor_id}": ADMIN,
    "DELETE /v1/inboxes/{inbox_id}/members/{actor_id}": ADMIN,
    "GET /v1/desk/conversations": STAFF,
    "GET /v1/desk/conversations/changes": STAFF,
    "GET /v1/desk/counts": STAFF,
    "GET /v1/desk/conversations/{conversation_id}": DESK,
    "PATCH /v1/desk/conversations/{conversation_id}": DESK,
    "GET /v1/desk/journal": ADMIN,
    "POST /v1/desk/journal/{item_id}/replay": ADMIN,
    "GET /v1/contacts": STAFF,
    "GET /v1/contacts/{contact_id}": DESK,
    "PATCH /v1/contacts/{contact_id}": DESK,
    "POST /v1/media": OWN,
    "GET /v1/media/{media_id}": CONVERSATION,
    "GET /v1/media/{media_id}/content": CONVERSATION,
    "GET /v1/media/{media_id}/thumbnail": CONVERSATION,
}

PASSWORD = "correct horse battery"
PROOF = {"proof": {"password": PASSWORD}}


def bodies(thing: Furnished) -> dict[str, Any]:
    """A body for every route that takes one: well formed, so that only the right is in question."""
    return {
        "POST /v1/setup/check": {"token": "x"},
        "POST /v1/setup": {
            "token": "x", "workspace_name": "W", "name": "N", "email": "n@example.org", "password": PASSWORD,
        },
        "POST /v1/auth/sign-in": {"email": "n@example.org", "password": PASSWORD},
        "POST /v1/auth/code": {"phone": "+79995550101"},
        "POST /v1/auth/code/check": {"phone": "+79995550101", "code": "123456"},
        "POST /v1/auth/second-factor": {"challenge": "x", "code": "123456"},
        "POST /v1/auth/second-factor/passkey": {"challenge": "x"},
        "POST /v1/auth/passkey/finish": {"challenge": "x", "credential": {}},
        "POST /v1/me/proof-code": {},
        "POST /v1/me/totp": PROOF,
        "POST /v1/me/totp/confirm": {"code": "123456"},
        "POST /v1/me/totp/remove": PROOF,
        "POST /v1/me/recovery-codes": PROOF,
        "POST /v1/me/passkeys/begin": PROOF,
        "POST /v1/me/passkeys": {"challenge": "x", "name": "N", "credential": {}},
        "POST /v1/me/passkeys/{passkey_id}/remove": PROOF,
        "POST /v1/me/second-factor": {"needs_passkey": True, **PROOF},
        "POST /v1/me/phone": {"phone": "+79995550101", **PROOF},
        "POST /v1/me/phone/check": {"phone": "+79995550101", "code": "123456"},
        "POST /v1/me/phone/remove": PROOF,
        "POST /v1/auth/refresh": {"refresh_token": "x"},
        "POST /v1/auth/sign-out": {},
        "POST /v1/invitations/check": {"token": "x"},
        "POST /v1/invitations/accept": {"token": "x", "password": PASSWORD},
        "POST /webhooks/{channel}/{inbox_id}": {"update_id": 1},
        "PATCH /v1/me": {"name": "New"},
        "POST /v1/me/password": {"current_password": PASSWORD, "new_password": PASSWORD + "!"},
        "PATCH /v1/workspace": {"name": "New"},
        "POST /v1/users": {"name": "N", "email": "n@example.org", "role": "agent"},
        "PATCH /v1/users/{user_id}": {"name": "New"},
        "PUT /v1/users/by-external-id/{external_id}": {"name": "New"},
        "PUT /v1/users/{user_id}/fields": {"fields": {"a": 1}},
        "PUT /v1/users/{user_id}/integration": {"is_enabled": False},
        "POST /v1/users/{user_id}/sessions": {},
        "PUT /v1/conversations/{conversation_id}/fields": {"fields": {"a": 1}},
        "PUT /v1/conversations/{conversation_id}/messages/{message_id}/fields": {"fields": {"a": 1}},
        "POST /v1/api-keys": {"name": "K", "scopes": ["chat"]},
        "POST /v1/conversations": {"kind": "group", "members": [thing.ids["actor_id"]]},
        "PATCH /v1/conversations/{conversation_id}": {"title": "New", "description": "intruding"},
        "POST /v1/conversations/{conversation_id}/members/batch": {"actor_ids": [thing.ids["actor_id"]]},
        "PATCH /v1/conversations/{conversation_id}/members/{actor_id}": {"role": "reader"},
        "PUT /v1/conversations/{conversation_id}/preferences": {"is_pinned": True},
        "POST /v1/conversations/{conversation_id}/bans": {"actor_id": thing.ids["actor_id"]},
        "POST /v1/conversations/{conversation_id}/invite-links": {"max_uses": 1},
        "POST /v1/invite-links/check": {"token": thing.link_token},
        "POST /v1/invite-links/join": {"token": thing.link_token},
        "PUT /v1/conversations/{conversation_id}/draft": {"text": "intruding"},
        "POST /v1/conversations/{conversation_id}/members": {"actor_id": thing.ids["actor_id"]},
        "POST /v1/conversations/{conversation_id}/messages": {"client_id": "1", "text": "intruding"},
        "PATCH /v1/conversations/{conversation_id}/messages/{message_id}": {"text": "intruding"},
        "PUT /v1/conversations/{conversation_id}/read": {"number": 1},
        "POST /v1/conversations/{conversation_id}/scheduled": {
            "client_id": "1", "text": "intruding", "send_at": "2026-12-01T00:00:00Z",
        },
        "PATCH /v1/conversations/{conversation_id}/scheduled/{scheduled_id}": {"text": "intruding"},
        "POST /v1/conversations/{conversation_id}/forward": {
            "client_id": "1", "conversation_id": thing.ids["conversation_id"],
            "message_ids": [thing.ids["message_id"]],
        },
        "POST /v1/conversations/{conversation_id}/messages/{message_id}/delivery": {"action": "cancel"},
        "POST /v1/inboxes": {"channel": "none", "secrets": {"token": "x"}},
        "PATCH /v1/inboxes/{inbox_id}": {"name": "New"},
        "POST /v1/inboxes/{inbox_id}/reconnect": {},
        "PATCH /v1/desk/conversations/{conversation_id}": {"status": "resolved"},
        "PATCH /v1/contacts/{contact_id}": {"name": "New"},
    }  # fmt: skip


QUERIES = {
    "GET /v1/search/messages": {"query": "asks"},
    "GET /v1/conversations/{conversation_id}/events": {"after": "0", "tag": "0"},
    "GET /v1/desk/conversations/changes": {"since": "0"},
    "GET /v1/desk/conversations": {"status": "all", "limit": "100"},
}


def operations(house: House) -> list[str]:
    return [f"{method.upper()} {path}" for method, path, _ in list_operations(describe_api(house.rest))]


async def request(
    house: House, name: str, who: Person | None, thing: Furnished, ids: dict[str, str] | None = None
) -> httpx2.Response:
    """Ask for a route with the ids of a workspace's things in its path and body."""
    method, path = name.split(" ")
    url = re.sub(r"\{(\w+)\}", lambda match: (ids or thing.ids)[match[1]].replace("+", "%2B"), path)
    body = bodies(thing).get(name)
    async with house.client(who) as client:
        return await client.request(method, url, json=body, params=QUERIES.get(name))


def require_error(answer: httpx2.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, (answer.request.method, answer.request.url, answer.text)
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "fields"}


async def digest(house: House, workspace: Any) -> dict[str, str]:
    """What every table holds of a workspace."""
    tables = await house.sql(
        """SELECT table_name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name = 'workspace_id' ORDER BY table_name"""
    )
    found = {}
    for row in tables:
        table = row["table_name"]
        [told] = await house.sql(
            f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) AS told FROM {table} t WHERE workspace_id = $1",
            workspace,
        )
        found[table] = told["told"]
    return found


async def test_every_route_is_in_the_table(house: House) -> None:
    assert sorted(operations(house)) == sorted(CLASSES), "put a new route into CLASSES, and say who it is for"


async def test_nobody_gets_anywhere_but_through_the_public_doors(house: House, ours: Furnished) -> None:
    document = {
        f"{method.upper()} {path}": operation
        for method, path, operation in list_operations(describe_api(house.rest))
    }
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
    for name, kind in CLASSES.items():
        if name == "POST /v1/auth/sign-out":
            continue  # ends the intruder's own session
        if name == "PUT /v1/users/by-external-id/{external_id}":
            continue  # makes a user of that id in the intruder's own workspace (tests/accounts/test_embedding.py)
        answer = await request(house, name, theirs.owner, ours)
        if "{" in name and kind != PUBLIC:
            require_error(answer, 403, 404)
        assert answer.status_code < 500, (name, answer.text)
        told = answer.text
        if answer.status_code < 300:
            # an echo of the id that was asked with would be found here too: nothing of ours is ever told
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


async def in_the_group(house: House, thing: Furnished) -> dict[str, str]:
    """The ids of the workspace's things, with those of its group in place of the desk's conversation."""
    media = await thing.place.media(thing.owner, "secret.txt")
    sent = await thing.place.say(thing.group, thing.owner, "among us", media_ids=[media])
    return thing.ids | {
        "conversation_id": public_id("cnv", thing.group),
        "scheduled_id": thing.ids["scheduled_id"],
        "message_id": sent.message.id,
        "media_id": public_id("med", media),
    }


async def require_closed(
    house: House, who: Person, thing: Furnished, ids: dict[str, str], *kinds: str
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
    ids = await in_the_group(house, ours)
    role = who.removeprefix("key ")
    stranger = await ours.place.bot("Strange", role) if role != who else await ours.place.user("Stan", role)
    await require_closed(house, stranger, ours, ids, CONVERSATION, GROUP)


async def test_a_removed_member_is_a_stranger_at_once(house: House, ours: Furnished) -> None:
    ids = await in_the_group(house, ours)
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
    ids = {**ours.ids, "media_id": (await in_the_group(house, ours))["media_id"]}
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
