"""API keys: shown once, scoped, revocable, each a bot."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from parley.accounts import Caller, Founded, authenticate, create_api_key, forget_callers
from parley.infra.crypto import hash_token
from parley.kit.errors import Forbidden, Unauthenticated
from parley.kit.ids import uuid7
from tests.accounts.place import Place
from tests.database import somebody_waits

pytestmark = pytest.mark.anyio


async def make(owner: httpx2.AsyncClient, *scopes: str) -> dict[str, Any]:
    answer = await owner.post("/v1/api-keys", json={"name": "Website", "scopes": list(scopes)})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_key_is_shown_once_and_stored_as_its_hash(place: Place, owner: httpx2.AsyncClient) -> None:
    made = await make(owner, "desk", "chat", "desk")
    assert made["key"].startswith("pk_")
    assert made["hint"] == made["key"][-4:]
    assert made["scopes"] == ["chat", "desk"]
    listed = (await owner.get("/v1/api-keys")).json()["items"]
    assert listed == [{name: value for name, value in made.items() if name != "key"}]
    async with place.db.system() as tx:
        assert await tx.fetchval("SELECT hash FROM api_key") == hash_token(made["key"])
    audit = (await owner.get("/v1/audit")).text
    assert made["id"] in audit
    assert made["key"] not in audit


async def test_a_key_speaks_as_a_bot_of_its_workspace(place: Place, owner: httpx2.AsyncClient) -> None:
    made = await make(owner, "desk")
    async with place.client(made["key"]) as bot:
        me = (await bot.get("/v1/me")).json()
    assert me["actor"] == {"id": made["actor_id"], "kind": "bot", "name": "Website", "role": None}
    assert (me["login"], me["session_id"], me["scopes"]) == (None, None, ["desk"])
    assert (await owner.get("/v1/api-keys")).json()["items"][0]["last_used_at"] is not None


@pytest.mark.parametrize(
    ("scope", "is_admin", "is_staff"), [("admin", True, True), ("desk", False, True), ("chat", False, False)]
)
async def test_what_each_scope_may(
    place: Place, owner: httpx2.AsyncClient, scope: str, is_admin: bool, is_staff: bool
) -> None:
    made = await make(owner, scope)
    caller = await authenticate(place.db, made["key"])
    assert (caller.is_admin, caller.is_staff) == (is_admin, is_staff)
    async with place.client(made["key"]) as bot:
        assert (await bot.get("/v1/audit")).status_code == (200 if is_admin else 403)
        emails = {item["email"] for item in (await bot.get("/v1/users")).json()["items"]}
        assert (emails != {None}) == is_staff
        for method, path, body in (
            ("GET", "/v1/sessions", None),
            ("PATCH", "/v1/me", {"name": "Other"}),
            ("POST", "/v1/me/password", {"current_password": "x", "new_password": "y" * 10}),
            ("POST", "/v1/users", {"name": "N", "email": "n@example.org", "role": "owner"}),
        ):
            assert (await bot.request(method, path, json=body)).status_code == 403, path


async def test_scopes_bind_keys_and_roles_bind_users() -> None:
    def caller(**changes: Any) -> Caller:
        values: dict[str, Any] = {
            "workspace_id": uuid7(),
            "actor_id": uuid7(),
            "kind": "user",
            "role": "member",
            "scopes": frozenset(),
            "session_id": None,
            "name": "N",
        }
        return Caller(**{**values, **changes})

    bot = caller(kind="bot", role=None, scopes=frozenset({"chat"}))
    bot.require_scope("chat")
    caller().require_scope("chat")
    caller(role="agent").require_staff()
    caller(role="admin").require_admin()
    with pytest.raises(Forbidden):
        bot.require_scope("desk")
    for refused in (
        bot.require_staff,
        bot.require_user,
        caller().require_staff,
        caller(role="agent").require_admin,
        caller(role="member", scopes=frozenset({"admin"})).require_admin,
    ):
        with pytest.raises(Forbidden):
            refused()


async def test_a_revoked_key_is_refused(place: Place, owner: httpx2.AsyncClient) -> None:
    made = await make(owner, "desk")
    async with place.client(made["key"]) as bot:
        assert (await bot.get("/v1/me")).status_code == 200
        assert (await owner.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
        assert (await bot.get("/v1/me")).status_code == 401
    assert (await owner.delete(f"/v1/api-keys/{made['id']}")).status_code == 404
    assert (await owner.get("/v1/api-keys")).json()["items"] == []


async def test_a_key_that_was_revoked_elsewhere_is_refused_when_looked_up(
    place: Place, founded: Founded
) -> None:
    async with place.db.transaction(founded.workspace_id) as tx:
        made = await create_api_key(tx, founded.owner, name="First", scopes=["admin", "desk", "chat"])
    caller = await authenticate(place.db, made.key)
    assert caller.expires_at is None
    async with place.db.system() as tx:
        await tx.execute("UPDATE actor SET deactivated_at = now() WHERE kind = 'bot'")
    forget_callers(place.db, actor_id=caller.actor_id)
    with pytest.raises(Unauthenticated):
        await authenticate(place.db, made.key)


async def test_a_key_signs_nothing_out(place: Place, owner: httpx2.AsyncClient) -> None:
    made = await make(owner, "chat")
    async with place.client(made["key"]) as bot:
        assert (await bot.post("/v1/auth/sign-out")).status_code == 204
        assert (await bot.get("/v1/me")).status_code == 200


async def test_what_was_read_just_before_a_revocation_is_not_remembered(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    made = await make(owner, "desk")
    async with place.db.system() as tx:
        key = await tx.fetchrow("SELECT id, actor_id FROM api_key FOR UPDATE")
        assert key is not None
        reading = asyncio.create_task(authenticate(place.db, made["key"]))
        await somebody_waits(place.db)  # it has read the key, and waits to note its use
        await tx.execute("UPDATE api_key SET revoked_at = now() WHERE id = $1", key["id"])
    forget_callers(place.db, actor_id=key["actor_id"])
    assert (await reading).actor_id == key["actor_id"]
    with pytest.raises(Unauthenticated):
        await authenticate(place.db, made["key"])
