"""The first workspace by its one-time link, workspaces by command, and isolation among them."""

from __future__ import annotations

import asyncio

import asyncpg
import httpx2
import pytest

from parley.accounts import Founded, create_workspace, find_actors, get_actor, issue_setup_link
from parley.accounts.errors import EmailTaken, LinkUsed
from parley.accounts.links import issue_link, use_link
from parley.infra.db import Tx
from parley.kit.errors import Malformed, NotFound
from parley.kit.ids import public_id, uuid7
from tests.accounts.place import EMAIL, ORIGIN, PASSWORD, Place, token_of

pytestmark = pytest.mark.anyio

SETUP = {"workspace_name": "Acme", "name": "Olga", "email": EMAIL, "password": PASSWORD, "locale": "ru"}


async def set_up(place: Place, token: str, **changes: str) -> httpx2.Response:
    async with place.client() as client:
        return await client.post("/v1/setup", json={**SETUP, "token": token, **changes})


async def check(place: Place, token: str) -> int:
    async with place.client() as client:
        return (await client.post("/v1/setup/check", json={"token": token})).status_code


async def test_the_set_up_link_makes_the_first_workspace_and_signs_its_owner_in(place: Place) -> None:
    link = await issue_setup_link(place.db, ORIGIN)
    assert link is not None
    assert link.startswith(f"{ORIGIN}/setup#token=")
    assert await check(place, token_of(link)) == 204
    answer = await set_up(place, token_of(link))
    assert answer.status_code == 201
    me = answer.json()["me"]
    assert me["workspace"]["name"] == "Acme"
    assert (me["actor"]["name"], me["actor"]["role"], me["locale"]) == ("Olga", "owner", "ru")
    assert "parley_refresh" in answer.headers["set-cookie"]
    assert await check(place, token_of(link)) == 410
    assert (await set_up(place, token_of(link))).json()["error"]["code"] == "link_used"
    assert await issue_setup_link(place.db, ORIGIN) is None
    assert (await place.sign_in()).status_code == 200


async def test_of_five_set_ups_at_once_exactly_one_wins(place: Place) -> None:
    link = await issue_setup_link(place.db, ORIGIN)
    assert link is not None
    answers = await asyncio.gather(
        *(set_up(place, token_of(link), email=f"owner{number}@example.org") for number in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 410, 410, 410, 410]
    async with place.db.system() as tx:
        assert await tx.fetchval("SELECT count(*) FROM workspace") == 1
        assert await tx.fetchval("SELECT count(*) FROM login") == 1


async def test_a_newer_set_up_link_replaces_the_older_and_lasts_a_day(place: Place) -> None:
    older = await issue_setup_link(place.db, ORIGIN)
    newer = await issue_setup_link(place.db, ORIGIN)
    assert older is not None
    assert newer is not None
    assert await check(place, token_of(older)) == 410
    assert await check(place, token_of(newer)) == 204
    place.clock.move(hours=24, seconds=1)
    assert await check(place, token_of(newer)) == 410


async def test_a_failed_set_up_leaves_the_link_usable(place: Place) -> None:
    link = await issue_setup_link(place.db, ORIGIN)
    assert link is not None
    for field, value in (("email", "nonsense"), ("password", "short"), ("name", " \u202e "), ("locale", "Ü")):
        refused = await set_up(place, token_of(link), **{field: value})
        assert refused.status_code == 422
        assert field in refused.json()["error"]["fields"]
    assert (await set_up(place, token_of(link))).status_code == 201


async def test_a_workspace_made_by_command_closes_the_set_up_link(place: Place) -> None:
    link = await issue_setup_link(place.db, ORIGIN)
    assert link is not None
    await create_workspace(place.db, name="Acme", owner_name="Olga", email=EMAIL, password=PASSWORD)
    assert await check(place, token_of(link)) == 410
    assert (await set_up(place, token_of(link), email="b@example.org")).status_code == 410


async def test_a_workspace_by_command_takes_a_known_login_only_with_its_password(
    place: Place, founded: Founded
) -> None:
    with pytest.raises(EmailTaken):
        await create_workspace(place.db, name="B", owner_name="O", email=EMAIL, password="another password")
    for wrong in ({"email": "x"}, {"password": "short"}, {"name": "\n"}, {"owner_name": ""}):
        values = {"name": "B", "owner_name": "O", "email": "b@example.org", "password": PASSWORD, **wrong}
        with pytest.raises(Malformed):
            await create_workspace(place.db, **values)
    await create_workspace(place.db, name="B", owner_name="O", email=EMAIL, password=PASSWORD)


async def test_admins_rename_the_workspace_and_the_audit_says_so(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    renamed = await owner.patch("/v1/workspace", json={"name": "  Acme\tDesk "})
    assert renamed.json()["name"] == "Acme Desk"
    assert (await owner.get("/v1/workspace")).json() == renamed.json()
    entry = (await owner.get("/v1/audit")).json()["items"][0]
    assert (entry["action"], entry["before"], entry["after"]) == (
        "workspace.renamed",
        {"name": "Acme"},
        {"name": "Acme Desk"},
    )
    assert (entry["actor"]["name"], entry["address"]) == ("Olga Owner", "10.0.0.1")


@pytest.fixture
async def foreign(place: Place) -> Founded:
    """Another workspace with an owner of its own."""
    return await create_workspace(
        place.db, name="Beta", owner_name="Boris", email="boris@example.org", password=PASSWORD
    )


async def test_ids_of_another_workspace_are_not_there(
    place: Place, owner: httpx2.AsyncClient, foreign: Founded
) -> None:
    other = await place.signed_in("boris@example.org")
    key = (await other.post("/v1/api-keys", json={"name": "K", "scopes": ["desk"]})).json()
    session = (await other.get("/v1/sessions")).json()["items"][0]["id"]
    boris = public_id("act", foreign.owner.actor_id)
    for method, path, body in (
        ("PATCH", f"/v1/users/{boris}", {"role": "member"}),
        ("POST", f"/v1/users/{boris}/invitation", None),
        ("DELETE", f"/v1/api-keys/{key['id']}", None),
        ("DELETE", f"/v1/sessions/{session}", None),
    ):
        answer = await owner.request(method, path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
    assert (await other.get("/v1/me")).json()["actor"]["role"] == "owner"
    assert [user["name"] for user in (await owner.get("/v1/users")).json()["items"]] == ["Olga Owner"]
    assert [key["name"] for key in (await owner.get("/v1/api-keys")).json()["items"]] == []
    assert "Boris" not in (await owner.get("/v1/audit")).text


async def test_the_database_itself_shows_nothing_of_another_workspace(
    place: Place, founded: Founded, foreign: Founded
) -> None:
    async with place.db.transaction(founded.workspace_id) as tx:
        assert await find_actors(tx, [foreign.owner.actor_id]) == {}
        with pytest.raises(NotFound):
            await get_actor(tx, foreign.owner.actor_id)
        assert (await get_actor(tx, founded.owner.actor_id)).name == "Olga Owner"
        assert await find_actors(tx, []) == {}
    for table in ("login", "session", "one_time_token", "attempt"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _read(place, founded, table)


async def _read(place: Place, founded: Founded, table: str) -> None:
    async with place.db.transaction(founded.workspace_id) as tx:
        await tx.fetch(f"SELECT * FROM {table}")


async def test_nobody_rewrites_the_audit(place: Place, founded: Founded) -> None:
    async def rewrite(tx: Tx) -> None:
        await tx.execute("UPDATE audit_entry SET action = 'nothing'")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with place.db.transaction(founded.workspace_id) as tx:
            await rewrite(tx)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with place.db.system() as tx:
            await rewrite(tx)


async def test_an_unknown_id_and_a_misshapen_one_are_told_apart(owner: httpx2.AsyncClient) -> None:
    assert (await owner.delete(f"/v1/api-keys/{public_id('key', uuid7())}")).status_code == 404
    assert (await owner.delete("/v1/api-keys/nonsense")).status_code == 422


async def test_a_link_is_used_once_however_many_come_at_once(place: Place) -> None:
    async with place.db.system() as tx:
        token = token_of(await issue_link(tx, ORIGIN, "invitation", payload={"for": "one"}))

    async def use() -> bool:
        async with place.db.system() as tx:
            try:
                return bool(await use_link(tx, "invitation", token))
            except LinkUsed:
                return False

    assert sorted(await asyncio.gather(*(use() for _ in range(5)))) == [False] * 4 + [True]
    async with place.db.system() as tx:
        with pytest.raises(LinkUsed):
            await use_link(tx, "setup", token_of(await issue_link(tx, ORIGIN, "invitation")))
