"""Sessions: refreshing, two tabs at once, copied tokens, ends."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from pathlib import Path

import httpx2
import pytest

from parley.accounts import Caller, Founded, authenticate, create_api_key, find_callers, forget_callers
from parley.accounts.authentication import TokenCache
from parley.accounts.sessions import judge_refresh
from parley.accounts.tokens import access_token_of, find_session_id, new_refresh_token, next_refresh_token
from parley.infra.crypto import Keys, hash_token
from parley.infra.relay import Relay
from parley.infra.runtime import open_runtime
from parley.infra.settings import Settings
from parley.kit.errors import Unauthenticated
from parley.kit.events import CallerHint
from parley.kit.ids import uuid7
from tests.accounts.place import EMAIL, ORIGIN, PASSWORD, Place
from tests.house import House
from tests.programs import eventually

pytestmark = pytest.mark.anyio

BROWSER = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


async def refresh(place: Place, token: str) -> httpx2.Response:
    async with place.client() as client:
        return await client.post("/v1/auth/refresh", json={"refresh_token": token})


async def begin(place: Place) -> tuple[str, str]:
    body = (await place.sign_in()).json()
    return body["access_token"], body["refresh_token"]


async def is_let_in(place: Place, access: str) -> bool:
    try:
        await authenticate(place.db, access)
    except Unauthenticated:
        return False
    return True


def forget(place: Place, founded: Founded) -> None:
    forget_callers(place.db, actor_id=founded.owner.actor_id)


async def test_a_refresh_gives_new_tokens_and_the_old_access_token_lives_out_its_time(
    place: Place, founded: Founded
) -> None:
    access, token = await begin(place)
    place.clock.move(minutes=10)
    answer = (await refresh(place, token)).json()
    assert answer["access_token"] != access
    assert answer["refresh_token"] != token
    assert answer["expires_in_seconds"] == 900
    assert await is_let_in(place, access)
    assert await is_let_in(place, answer["access_token"])
    place.clock.move(minutes=6)
    forget(place, founded)
    assert not await is_let_in(place, access)
    assert await is_let_in(place, answer["access_token"])
    place.clock.move(minutes=10)
    forget(place, founded)
    assert not await is_let_in(place, answer["access_token"])


async def test_tabs_refreshing_at_once_all_stay_signed_in(place: Place, founded: Founded) -> None:
    _, token = await begin(place)
    place.clock.move(minutes=14)
    answers = await asyncio.gather(*(refresh(place, token) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    bodies = [answer.json() for answer in answers]
    assert len({body["refresh_token"] for body in bodies}) == 1
    assert all([await is_let_in(place, body["access_token"]) for body in bodies])
    place.clock.move(minutes=14)
    assert (await refresh(place, bodies[3]["refresh_token"])).status_code == 200


async def test_a_tab_that_missed_the_answer_gets_it_again_within_the_grace(
    place: Place, founded: Founded
) -> None:
    _, token = await begin(place)
    first = (await refresh(place, token)).json()
    place.clock.move(seconds=29)
    again = (await refresh(place, token)).json()
    assert again["refresh_token"] == first["refresh_token"]
    assert again["expires_in_seconds"] == 900 - 29
    # the present token does not move on within the grace either, so no third tab is left behind
    assert (await refresh(place, first["refresh_token"])).json()["refresh_token"] == first["refresh_token"]
    place.clock.move(seconds=2)
    assert (await refresh(place, first["refresh_token"])).json()["refresh_token"] != first["refresh_token"]


async def test_a_token_used_again_after_the_grace_ends_the_session(place: Place, founded: Founded) -> None:
    access, token = await begin(place)
    newer = (await refresh(place, token)).json()
    place.clock.move(seconds=31)
    reused = await refresh(place, token)
    assert reused.status_code == 401
    assert reused.json()["error"]["code"] == "session_ended"
    assert (await refresh(place, newer["refresh_token"])).status_code == 401
    assert not await is_let_in(place, newer["access_token"])
    assert not await is_let_in(place, access)


async def test_a_token_older_than_the_one_before_ends_the_session_too(place: Place, founded: Founded) -> None:
    _, oldest = await begin(place)
    token = oldest
    for _ in range(3):
        place.clock.move(minutes=1)
        token = (await refresh(place, token)).json()["refresh_token"]
    assert (await refresh(place, oldest)).status_code == 401
    assert (await refresh(place, token)).status_code == 401


async def test_a_forged_token_ends_no_session(place: Place, founded: Founded) -> None:
    _, token = await begin(place)
    head, secret, signature = token.split(".")
    for forged in (
        f"{head}.{secret}.{signature[:-2]}zz",
        f"{head}.x.{signature}",
        head,
        "..",
        "\u00e9.a.b",
        "x" * 300,
    ):
        assert (await refresh(place, forged)).status_code == 401
    assert (await refresh(place, token)).status_code == 200


async def test_a_session_not_refreshed_for_thirty_days_has_ended(place: Place, founded: Founded) -> None:
    _, token = await begin(place)
    place.clock.move(days=29)
    token = (await refresh(place, token)).json()["refresh_token"]
    place.clock.move(days=29)
    token = (await refresh(place, token)).json()["refresh_token"]
    place.clock.move(days=30, seconds=1)
    assert (await refresh(place, token)).status_code == 401


async def test_the_cookie_refreshes_for_our_own_pages_only(place: Place, founded: Founded) -> None:
    async with place.client() as client:
        await client.post("/v1/auth/sign-in", json={"email": EMAIL, "password": PASSWORD}, headers=BROWSER)
        for foreign in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://[broken"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": ORIGIN},
        ):
            refused = await client.post("/v1/auth/refresh", headers=foreign)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "foreign_origin")
            assert (await client.post("/v1/auth/sign-out", headers=foreign)).status_code == 403
        for own in (
            BROWSER,
            {"Origin": ORIGIN},
            {},
            {"Sec-Fetch-Site": "none"},
            {"Origin": "http://localhost:5173", "Host": "localhost:5173"},
            {"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-origin"},
        ):
            answer = await client.post("/v1/auth/refresh", headers=own)
            assert answer.status_code == 200, own
            assert "refresh_token" not in answer.json()
            assert "parley_refresh=ses_" in answer.headers["set-cookie"]


async def test_a_foreign_page_cannot_sign_a_browser_in(place: Place, founded: Founded) -> None:
    async with place.client() as client:
        answer = await client.post(
            "/v1/auth/sign-in",
            json={"email": EMAIL, "password": PASSWORD},
            headers={"Origin": "https://evil.example"},
        )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_refreshing_without_any_token_is_unauthenticated(place: Place) -> None:
    async with place.client() as client:
        for body in (None, {}, {"refresh_token": None}):
            assert (await client.post("/v1/auth/refresh", json=body)).status_code == 401


async def test_signing_out_ends_the_session_and_clears_the_cookies(place: Place, founded: Founded) -> None:
    async with place.client() as client:
        access = (await client.post("/v1/auth/sign-in", json={"email": EMAIL, "password": PASSWORD})).json()[
            "access_token"
        ]
        stolen = client.cookies["parley_refresh"]
        answer = await client.post("/v1/auth/sign-out")
        assert answer.status_code == 204
        assert len(client.cookies) == 0
        assert (await client.post("/v1/auth/sign-out")).status_code == 204
    assert not await is_let_in(place, access)
    assert (await refresh(place, stolen)).status_code == 401


async def test_an_access_token_that_ran_out_leaves_the_ending_to_the_cookie(
    place: Place, founded: Founded
) -> None:
    async with place.client() as client:
        signed_in = await client.post("/v1/auth/sign-in", json={"email": EMAIL, "password": PASSWORD})
        kept = client.cookies["parley_refresh"]
        outdated = {"Authorization": "Bearer " + signed_in.json()["access_token"][:-2]}
        assert (await client.get("/v1/me", headers=outdated)).status_code == 401
        foreign = {**outdated, "Origin": "https://evil.example"}
        assert (await client.post("/v1/auth/sign-out", headers=foreign)).status_code == 403
        assert (await client.post("/v1/auth/sign-out", headers=outdated)).status_code == 204
        assert len(client.cookies) == 0
    assert (await refresh(place, kept)).status_code == 401


async def test_signing_out_works_with_the_access_token_alone(place: Place, owner: httpx2.AsyncClient) -> None:
    assert (await owner.get("/v1/me")).status_code == 200
    assert (await owner.post("/v1/auth/sign-out")).status_code == 204
    assert (await owner.get("/v1/me")).status_code == 401
    assert (await owner.post("/v1/auth/sign-out")).status_code == 204


async def test_sessions_are_listed_and_one_is_revoked(place: Place, owner: httpx2.AsyncClient) -> None:
    other = await place.signed_in()
    items = (await owner.get("/v1/sessions")).json()["items"]
    assert [item["is_current"] for item in items].count(True) == 1
    assert {item["address"] for item in items} == {"10.0.0.1"}
    assert "httpx2" in items[0]["user_agent"]
    target = next(item for item in items if not item["is_current"])
    assert (await other.get("/v1/me")).status_code == 200
    assert (await owner.delete(f"/v1/sessions/{target['id']}")).status_code == 204
    assert (await other.get("/v1/me")).status_code == 401
    assert (await owner.delete(f"/v1/sessions/{target['id']}")).status_code == 404
    assert len((await owner.get("/v1/sessions")).json()["items"]) == 1


async def test_a_session_revoked_elsewhere_is_refused_within_five_seconds(
    place: Place, founded: Founded, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, _ = await begin(place)
    assert await is_let_in(place, access)
    async with place.db.system() as tx:  # another process does it: this one's memory is not told
        await tx.execute("UPDATE session SET revoked_at = now()")
    assert await is_let_in(place, access)
    later = time.monotonic() + 5
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not await is_let_in(place, access)


async def test_what_one_process_ends_another_refuses_without_waiting_for_its_memory(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.accounts.authentication.CACHE_SECONDS", 3600.0)
    settings = Settings(data_dir=tmp_path)
    async with (
        open_runtime(settings, database_url, "api") as here,
        open_runtime(settings, database_url, "api") as there,
    ):
        for one in (here, there):
            assert one.relay is not None
            await eventually(lambda relay=one.relay: is_listening(relay), 10, 0.005)
        workspace = await House(here, database_url).workspace("Acme")
        anna, boris = await workspace.user("Anna"), await workspace.user("Boris")
        for one in (here, there):
            for person in (anna, boris):
                await authenticate(one.db, person.token)
        async with here.db.system() as tx:
            await tx.execute("UPDATE session SET revoked_at = now()")  # of both, and it is told of one
        for one in (here, there):
            await authenticate(one.db, anna.token)  # both remember
        forget_callers(here.db, actor_id=anna.id)

        async def is_refused() -> bool:
            try:
                await authenticate(there.db, anna.token)
            except Unauthenticated:
                return True
            return False

        await eventually(is_refused, 10, 0.005)
        with pytest.raises(Unauthenticated):
            await authenticate(here.db, anna.token)
        await authenticate(there.db, boris.token)


async def is_listening(relay: Relay) -> bool:
    return relay.tally.is_listening


async def test_many_tokens_are_looked_up_at_once_past_the_memory(place: Place, founded: Founded) -> None:
    access, token = await begin(place)
    newer = (await refresh(place, token)).json()["access_token"]
    async with place.db.transaction(founded.workspace_id) as tx:
        key = (await create_api_key(tx, founded.owner, name="Bot", scopes=["desk"])).key
    found = await find_callers(place.db, [access, newer, key, "at_nothing", ""])
    assert set(found) == {access, newer, key}
    assert found[access].expires_at == found[newer].expires_at == place.clock.now + dt.timedelta(minutes=15)
    assert (found[newer].kind, found[key].kind) == ("user", "bot")
    assert found[newer] == await authenticate(place.db, newer)
    async with place.db.system() as tx:
        await tx.execute("UPDATE session SET revoked_at = now()")
    assert set(await find_callers(place.db, [access, newer, key])) == {key}


async def test_the_memory_of_callers_is_bounded() -> None:
    caller = Caller(uuid7(), uuid7(), "user", "agent", frozenset(), None, "A")
    cache = TokenCache(size=3)
    for number in range(10):
        cache.keep(bytes([number]), caller, 5, cache.version)
    assert [cache.find(bytes([number])) is not None for number in range(10)] == [False] * 7 + [True] * 3
    cache.keep(b"short", caller, 0, cache.version)
    assert cache.find(b"short") is None
    version = cache.version
    cache.forget(uuid7())
    cache.keep(b"late", caller, 5, version)
    assert cache.find(b"late") is None


async def test_a_change_of_a_session_an_actor_a_login_or_a_key_behind_them_makes_the_memory_forget() -> None:
    workspace, session, actor, login, bot = [uuid7() for _ in range(5)]
    caller = Caller(workspace, actor, "user", "agent", frozenset(), session, "A", login_id=login, by_id=bot)
    other = Caller(workspace, uuid7(), "user", "agent", frozenset(), uuid7(), "B", login_id=uuid7())
    cache = TokenCache(size=3)
    for key in (session, actor, login, bot):
        cache.keep(b"one", caller, 5, cache.version)
        cache.keep(b"again", caller, 5, cache.version)
        cache.keep(b"other", other, 5, cache.version)
        cache.on_hints([CallerHint(id=key)])
        assert (cache.find(b"one"), cache.find(b"again"), cache.find(b"other")) == (None, None, other)
    cache.on_hints([CallerHint(id=workspace)])
    assert cache.find(b"other") == other


async def test_the_media_cookie_opens_media_by_get_and_nothing_else(place: Place, founded: Founded) -> None:
    access, _ = await begin(place)
    async with place.client() as client:
        client.cookies.set("parley_media", access)
        opened = await client.get("/v1/media/picture")
        assert (opened.status_code, opened.text) == (200, "picture for Olga Owner")
        assert (await client.post("/v1/media/picture")).status_code == 401
        assert (await client.get("/v1/me")).status_code == 401
        assert (await client.patch("/v1/me", json={"name": "X"})).status_code == 401


async def test_a_user_taken_out_of_service_has_no_session_even_if_none_was_revoked(
    place: Place, founded: Founded
) -> None:
    access, token = await begin(place)
    async with place.db.system() as tx:
        await tx.execute("UPDATE actor SET deactivated_at = now()")
    assert not await is_let_in(place, access)
    assert (await refresh(place, token)).status_code == 401


async def test_other_schemes_and_foreign_tokens_are_unauthenticated(place: Place, founded: Founded) -> None:
    async with place.client() as client:
        for value in (
            "Basic abc",
            "Bearer",
            "Bearer  ",
            "Bearer at_nothing",
            "Bearer pk_nothing",
            "x" * 5000,
        ):
            assert (await client.get("/v1/me", headers={"Authorization": value})).status_code == 401


def test_the_next_tokens_follow_from_the_key_and_the_token() -> None:
    keys, other = Keys(b"one"), Keys(b"two")
    session_id = uuid7()
    first = new_refresh_token(keys, session_id)
    assert next_refresh_token(keys, first) == next_refresh_token(keys, first) != first
    assert access_token_of(keys, first) != access_token_of(other, first)
    assert find_session_id(keys, next_refresh_token(keys, first)) == session_id
    assert find_session_id(other, first) is None
    assert len(first) < 256


@pytest.mark.parametrize(
    ("given", "age", "has_previous", "step"),
    [
        ("present", 0, False, "rotate"),
        ("present", 10, True, "repeat"),
        ("present", 31, True, "rotate"),
        ("previous", 30, True, "repeat"),
        ("previous", 31, True, "reuse"),
        ("older", 1, True, "reuse"),
        ("present", 31 * 86400, True, "reuse"),
    ],
)
def test_what_a_refresh_token_is_worth(given: str, age: int, has_previous: bool, step: str) -> None:
    now = dt.datetime.now(dt.UTC)
    row = {
        "refresh_hash": hash_token("present"),
        "previous_refresh_hash": hash_token("previous") if has_previous else None,
        "rotated_at": now - dt.timedelta(seconds=age),
        "expires_at": now - dt.timedelta(seconds=age) + dt.timedelta(days=30),
    }
    assert judge_refresh(row, hash_token(given), now) == step
