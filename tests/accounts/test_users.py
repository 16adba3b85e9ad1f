"""Users: invitations, roles, the last owner, deactivation, and what the user's own clients hear of it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from parley.accounts import Founded, create_workspace, record_personal
from parley.kit.errors import NotFound
from parley.kit.events import Event
from parley.kit.ids import parse_id, uuid7
from tests.accounts.place import EMAIL, ORIGIN, PASSWORD, Place, token_of

pytestmark = pytest.mark.anyio


async def add(
    client: httpx2.AsyncClient, role: str = "agent", email: str = "anna@example.org"
) -> dict[str, Any]:
    answer = await client.post("/v1/users", json={"name": "Anna", "email": email, "role": role})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def accept(place: Place, link: str, password: str = PASSWORD) -> httpx2.Response:
    async with place.client() as client:
        return await client.post(
            "/v1/invitations/accept", json={"token": token_of(link), "password": password}
        )


async def my_id(client: httpx2.AsyncClient) -> str:
    return str((await client.get("/v1/me")).json()["actor"]["id"])


async def test_an_invited_user_joins_by_the_link_and_signs_in(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    added = await add(owner, email="Anna@Example.org")
    assert added["invite_url"].startswith(f"{ORIGIN}/invite#token=")
    assert added["user"]["email"] == "anna@example.org"
    assert added["user"]["has_joined"] is False
    assert (await place.sign_in("anna@example.org")).status_code == 401
    async with place.client() as client:
        checked = await client.post("/v1/invitations/check", json={"token": token_of(added["invite_url"])})
    assert checked.json() == {
        "workspace_name": "Acme",
        "name": "Anna",
        "email": "anna@example.org",
        "has_login": False,
    }
    joined = await accept(place, added["invite_url"])
    assert joined.status_code == 200
    assert joined.json()["me"]["actor"]["role"] == "agent"
    assert (await place.sign_in("anna@example.org")).status_code == 200
    assert (await accept(place, added["invite_url"])).status_code == 410
    again = await owner.post(f"/v1/users/{added['user']['id']}/invitation")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_joined")


async def test_of_five_who_accept_at_once_exactly_one_joins(place: Place, owner: httpx2.AsyncClient) -> None:
    link = (await add(owner))["invite_url"]
    answers = await asyncio.gather(*(accept(place, link) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 410, 410, 410, 410]


async def test_a_newer_invitation_replaces_the_older_and_ends_after_a_week(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    added = await add(owner)
    newer = (await owner.post(f"/v1/users/{added['user']['id']}/invitation")).json()["invite_url"]
    assert (await accept(place, added["invite_url"])).status_code == 410
    place.clock.move(days=7, seconds=1)
    assert (await accept(place, newer)).status_code == 410


async def test_an_invitation_of_a_known_login_asks_for_its_password(place: Place, founded: Founded) -> None:
    await create_workspace(
        place.db, name="B", owner_name="Boris", email="b@example.org", password="boris password"
    )
    boris = await place.signed_in("b@example.org", "boris password")
    link = (await add(boris, email=EMAIL))["invite_url"]
    taken = await accept(place, link, "a password of the thief")
    assert (taken.status_code, taken.json()["error"]["code"]) == (401, "wrong_credentials")
    joined = await accept(place, link, PASSWORD)
    assert joined.json()["me"]["workspace"]["name"] == "B"
    assert (await place.sign_in()).status_code == 409


async def test_one_email_is_one_user_of_the_workspace(place: Place, owner: httpx2.AsyncClient) -> None:
    body = {"name": "A", "email": "a@example.org", "role": "agent"}
    answers = await asyncio.gather(*(owner.post("/v1/users", json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert (await owner.post("/v1/users", json={**body, "email": EMAIL})).json()["error"][
        "code"
    ] == "email_taken"


async def test_the_link_of_a_user_deactivated_before_joining_opens_nothing(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    added = await add(owner)
    await owner.patch(f"/v1/users/{added['user']['id']}", json={"is_deactivated": True})
    assert (await accept(place, added["invite_url"])).status_code == 410
    assert (await owner.post(f"/v1/users/{added['user']['id']}/invitation")).status_code == 409


ADMINISTRATION: list[tuple[str, str, Any]] = [
    ("PATCH", "/v1/workspace", {"name": "X"}),
    ("POST", "/v1/users", {"name": "N", "email": "n@example.org", "role": "member"}),
    ("PATCH", "/v1/users/{user}", {"name": "M"}),
    ("POST", "/v1/users/{user}/invitation", None),
    ("GET", "/v1/api-keys", None),
    ("POST", "/v1/api-keys", {"name": "K", "scopes": ["chat"]}),
    ("DELETE", "/v1/api-keys/{key}", None),
    ("GET", "/v1/audit", None),
]
EVERYBODY = ["/v1/me", "/v1/workspace", "/v1/users", "/v1/sessions"]


@pytest.mark.parametrize("role", ["admin", "agent", "member"])
async def test_what_each_role_may(place: Place, owner: httpx2.AsyncClient, role: str) -> None:
    client = await place.join(owner, role, f"{role}@example.org")
    user = (await add(owner, email="target@example.org"))["user"]["id"]
    key = (await owner.post("/v1/api-keys", json={"name": "K", "scopes": ["chat"]})).json()["id"]
    for path in EVERYBODY:
        assert (await client.get(path)).status_code == 200, path
    for method, path, body in ADMINISTRATION:
        answer = await client.request(method, path.format(user=user, key=key), json=body)
        assert (answer.status_code < 300) == (role == "admin"), (method, path, answer.text)
        if role != "admin":
            assert answer.status_code == 403
            assert answer.json()["error"]["code"] == "forbidden"
    emails = {item["email"] for item in (await client.get("/v1/users")).json()["items"]}
    assert (emails == {None}) == (role == "member")


async def test_only_owners_make_and_touch_owners(place: Place, owner: httpx2.AsyncClient) -> None:
    admin = await place.join(owner, "admin", "admin@example.org")
    the_owner, the_admin = await my_id(owner), await my_id(admin)
    for path, body in (
        (the_admin, {"role": "owner"}),
        (the_owner, {"role": "member"}),
        (the_owner, {"is_deactivated": True}),
    ):
        answer = await admin.patch(f"/v1/users/{path}", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "owners_only")
    body = {"name": "N", "email": "n@example.org", "role": "owner"}
    assert (await admin.post("/v1/users", json=body)).status_code == 403
    assert (await owner.patch(f"/v1/users/{the_admin}", json={"role": "owner"})).status_code == 200
    assert (await admin.patch(f"/v1/users/{the_owner}", json={"role": "member"})).status_code == 200
    assert (await owner.get("/v1/audit")).status_code == 403


async def test_the_last_owner_stays(owner: httpx2.AsyncClient) -> None:
    me = await my_id(owner)
    for body in ({"role": "admin"}, {"is_deactivated": True}):
        answer = await owner.patch(f"/v1/users/{me}", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "last_owner")


async def test_two_owners_who_demote_each_other_at_once_leave_one(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    second = await place.join(owner, "owner", "second@example.org")
    one, two = await my_id(owner), await my_id(second)
    answers = await asyncio.gather(
        owner.patch(f"/v1/users/{two}", json={"role": "member"}),
        second.patch(f"/v1/users/{one}", json={"role": "member"}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    async with place.db.system() as tx:
        assert await tx.fetchval("SELECT count(*) FROM actor WHERE role = 'owner'") == 1


async def test_a_deactivated_user_is_out_at_once_and_back_when_reactivated(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    agent = await place.join(owner, "agent", "a@example.org")
    user = await my_id(agent)
    answer = await owner.patch(f"/v1/users/{user}", json={"is_deactivated": True})
    assert answer.json()["deactivated_at"] is not None
    assert (await agent.get("/v1/me")).status_code == 401
    refused = await place.sign_in("a@example.org")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "deactivated")
    assert (await place.sign_in("a@example.org", "wrong password")).status_code == 401
    back = await owner.patch(f"/v1/users/{user}", json={"is_deactivated": False})
    assert back.json()["deactivated_at"] is None
    assert (await agent.get("/v1/me")).status_code == 401
    assert (await place.sign_in("a@example.org")).status_code == 200


async def test_a_change_of_rights_is_told_in_the_personal_stream(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    agent = await place.join(owner, "agent", "a@example.org")
    user = await my_id(agent)
    place.hints.clear()
    for body in ({"role": "admin"}, {"name": "Other"}, {"role": "admin"}, {"is_deactivated": True}):
        assert (await owner.patch(f"/v1/users/{user}", json=body)).status_code == 200
    events = [hint for hint in place.hints if isinstance(hint, Event)]
    assert [(event.stream, event.kind, event.number) for event in events] == [
        ("personal", "rights.changed", 1),
        ("personal", "rights.changed", 2),
    ]
    assert events[0].audience == str(parse_id("act", user)) == str(events[0].stream_id)
    async with place.db.system() as tx:
        rows = await tx.fetch("SELECT number, tag, kind FROM personal_event ORDER BY number")
        counter = await tx.fetchrow("SELECT head, tag FROM actor WHERE id = $1", parse_id("act", user))
    assert [(row["number"], row["tag"]) for row in rows] == [(event.number, event.tag) for event in events]
    assert counter is not None
    assert tuple(counter) == (2, events[1].tag)
    actions = [(entry["action"], entry["after"]) for entry in (await owner.get("/v1/audit")).json()["items"]]
    assert actions[:3] == [
        ("user.changed", {"is_deactivated": True}),
        ("user.changed", {"name": "Other"}),
        ("user.changed", {"role": "admin"}),
    ]


async def test_a_personal_event_needs_its_actor(place: Place, founded: Founded) -> None:
    async with place.db.transaction(founded.workspace_id) as tx:
        with pytest.raises(NotFound):
            await record_personal(tx, founded.workspace_id, uuid7(), "rights.changed", {})


async def test_personal_events_at_once_are_numbered_without_gaps(place: Place, founded: Founded) -> None:
    async def tell() -> int:
        async with place.db.transaction(founded.workspace_id) as tx:
            event = await record_personal(
                tx, founded.workspace_id, founded.owner.actor_id, "rights.changed", {}
            )
        return event.number

    assert sorted(await asyncio.gather(*(tell() for _ in range(12)))) == list(range(1, 13))


async def test_users_are_paged_oldest_first(place: Place, owner: httpx2.AsyncClient) -> None:
    for number in range(4):
        await add(owner, email=f"u{number}@example.org")
    emails: list[str] = []
    cursor: str | None = None
    pages = 0
    while pages == 0 or cursor:
        page = (
            await owner.get("/v1/users", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        ).json()
        emails += [item["email"] for item in page["items"]]
        cursor = page["next"]
        pages += 1
    assert pages == 3
    assert emails == [EMAIL, *(f"u{number}@example.org" for number in range(4))]


async def found(client: httpx2.AsyncClient, query: str, limit: int = 100) -> list[str]:
    """The names that a query finds, page by page."""
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"query": query, "limit": limit} | ({"cursor": cursor} if cursor else {})
        page = await client.get("/v1/users", params=params)
        assert page.status_code == 200, page.text
        names += [item["name"] for item in page.json()["items"]]
        cursor = page.json()["next"]
    return names


async def test_users_are_found_by_name_and_by_staff_by_email_whatever_their_state(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    for name, email in (
        ("Жанна Ёлкина", "jo@example.org"),
        ("Boris", "anna.b@example.org"),
        ("Joanna", "x@a.org"),
    ):
        body = {"name": name, "email": email, "role": "agent"}
        made = (await owner.post("/v1/users", json=body)).json()["user"]["id"]
    assert (await owner.patch(f"/v1/users/{made}", json={"is_deactivated": True})).status_code == 200
    agent = await place.join(owner, "agent", "agent@example.org")
    member = await place.join(owner, "member", "member@example.org")
    await owner.post("/v1/api-keys", json={"name": "Annabot", "scopes": ["chat"]})
    assert await found(owner, " ЖАННА  ё") == ["Жанна Ёлкина"]
    for limit in (1, 100):
        assert await found(agent, "anna", limit) == ["Boris", "Joanna"]
        assert await found(agent, "JO", limit) == ["Жанна Ёлкина", "Joanna"]
    # an address that is not shown is not guessed letter by letter either
    assert await found(member, "anna") == ["Joanna"]
    assert await found(member, "@") == []
    for nothing in ("%", "_", "nobody", "' OR 1=1"):
        assert await found(owner, nothing) == []
    [boris] = (await agent.get("/v1/users", params={"query": "boris"})).json()["items"]
    assert (boris["email"], boris["has_joined"], boris["deactivated_at"]) == (
        "anna.b@example.org",
        False,
        None,
    )
    assert (await owner.get("/v1/users", params={"query": "x" * 201})).status_code == 422


async def test_everybody_changes_their_own_name_and_language(place: Place, owner: httpx2.AsyncClient) -> None:
    member = await place.join(owner, "member", "m@example.org")
    changed = (await member.patch("/v1/me", json={"name": " Maria\n", "locale": "ru"})).json()
    assert (changed["actor"]["name"], changed["locale"]) == ("Maria", "ru")
    kept = (await member.patch("/v1/me", json={})).json()
    assert kept == changed
    assert (await member.patch("/v1/me", json={"locale": None})).status_code == 422
    assert (await member.patch("/v1/me", json={"role": "owner"})).status_code == 422
