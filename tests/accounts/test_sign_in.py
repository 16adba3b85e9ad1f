"""Signing in: right, wrong, too often, from elsewhere, to several workspaces."""

from __future__ import annotations

import asyncio
import time

import httpx2
import pytest
from argon2 import PasswordHasher

from parley.accounts import Founded, create_workspace, reset_password, store
from parley.accounts.attempts import ACCOUNT, ADDRESS, PAIR, Limit, network_of, subject_of
from parley.accounts.passwords import DECOY, MAX_WAITING, hash_password, is_outdated, is_password
from parley.kit.errors import Malformed, NotFound
from tests.accounts.place import EMAIL, PASSWORD, Place

pytestmark = pytest.mark.anyio


def code_of(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["code"])


async def use_up(place: Place, limit: Limit, subject: str, times: int) -> None:
    async with place.db.system() as tx:
        for _ in range(times):
            await store.count_attempt(tx, limit.bucket, subject_of(subject), since=tx.now - limit.window)


async def test_the_right_password_opens_a_session(place: Place, founded: Founded) -> None:
    answer = await place.sign_in(EMAIL.upper() + " ")
    body = answer.json()
    assert answer.status_code == 200
    assert body["expires_in_seconds"] == 900
    assert body["me"]["actor"]["role"] == "owner"
    assert body["me"]["login"] == {"email": EMAIL, "phone": None}
    assert answer.headers["cache-control"] == "no-store"
    async with place.client(body["access_token"]) as client:
        me = (await client.get("/v1/me")).json()
    assert me == body["me"]


async def test_a_browser_gets_the_refresh_token_in_a_cookie_only(place: Place, founded: Founded) -> None:
    async with place.client() as client:
        answer = await client.post("/v1/auth/sign-in", json={"email": EMAIL, "password": PASSWORD})
    assert "refresh_token" not in answer.json()
    refresh, media = sorted(answer.headers.get_list("set-cookie"), reverse=True)
    for part in ("parley_refresh=ses_", "HttpOnly", "SameSite=strict", "Path=/v1/auth", "Max-Age=2592000"):
        assert part in refresh
    for part in (
        f"parley_media={answer.json()['access_token']}",
        "HttpOnly",
        "SameSite=strict",
        "Path=/v1/media",
    ):
        assert part in media


async def test_unknown_email_and_wrong_password_give_the_same_answer(place: Place, founded: Founded) -> None:
    wrong = await place.sign_in(password="wrong password")
    unknown = await place.sign_in("nobody@example.org", "wrong password")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert code_of(wrong) == "wrong_credentials"


async def test_unknown_email_and_wrong_password_cost_the_same_time(real_hashes: None) -> None:
    assert not is_outdated(DECOY)  # the decoy has the parameters of real hashes
    real = await hash_password(PASSWORD)
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(7):
        for known in (True, False):
            begin = time.process_time()
            assert not await is_password(real if known else None, "wrong password")
            times[known].append(time.process_time() - begin)
    # the least of each: what else this process and the machine do only adds
    assert 0.5 < min(times[True]) / min(times[False]) < 2


async def test_the_decoys_own_password_is_no_password() -> None:
    assert not await is_password(None, "a" * 20)
    assert not await is_password("no hash at all", "anything at all")


async def test_passwords_are_the_same_however_a_keyboard_composes_them() -> None:
    assert await is_password(await hash_password("пароль-caf\u00e9"), "пароль-cafe\u0301")


async def test_guesses_at_an_account_from_an_address_end_in_429_and_the_wait_is_told(
    place: Place, founded: Founded
) -> None:
    for _ in range(PAIR.most):
        assert (await place.sign_in(password="wrong password")).status_code == 401
    refused = await place.sign_in()
    assert refused.status_code == 429
    assert code_of(refused) == "too_many"
    assert 0 < refused.json()["error"]["fields"]["retry_after_seconds"] <= 900
    assert int(refused.headers["retry-after"]) <= 900
    place.clock.move(minutes=14)
    assert (await place.sign_in()).status_code == 429  # being refused does not make the wait longer
    place.clock.move(minutes=1, seconds=1)
    assert (await place.sign_in()).status_code == 200


async def test_guesses_at_once_are_all_counted(place: Place, founded: Founded) -> None:
    answers = await asyncio.gather(*(place.sign_in(password=f"wrong {n} pass") for n in range(PAIR.most * 2)))
    assert sorted(answer.status_code for answer in answers) == [401] * PAIR.most + [429] * PAIR.most


async def test_a_guesser_elsewhere_does_not_lock_the_owner_out(place: Place, founded: Founded) -> None:
    for _ in range(PAIR.most + 5):
        await place.sign_in(password="wrong password", address="203.0.113.9")
    assert (await place.sign_in(address="203.0.113.9")).status_code == 429
    assert (await place.sign_in(address="10.0.0.1")).status_code == 200


async def test_many_guessers_do_not_lock_the_owner_out_of_a_known_address(
    place: Place, founded: Founded
) -> None:
    assert (await place.sign_in(address="10.0.0.1")).status_code == 200
    await use_up(place, ACCOUNT, EMAIL, ACCOUNT.most)
    assert (await place.sign_in(address="10.9.9.9")).status_code == 429
    assert (await place.sign_in(address="10.0.0.1")).status_code == 200


async def test_one_address_guessing_at_many_accounts_is_stopped(place: Place, founded: Founded) -> None:
    await use_up(place, ADDRESS, "10.0.0.7", ADDRESS.most - 1)
    assert (await place.sign_in("one@example.org", "x" * 10, address="10.0.0.7")).status_code == 401
    assert (await place.sign_in("two@example.org", "x" * 10, address="10.0.0.7")).status_code == 429


async def test_right_passwords_do_not_count(place: Place, founded: Founded) -> None:
    for _ in range(PAIR.most * 2):
        assert (await place.sign_in()).status_code == 200
    async with place.db.system() as tx:
        assert await tx.fetchval("SELECT COALESCE(sum(count), 0) FROM attempt") == 0


def test_an_ipv6_subscriber_is_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1") == "10.0.0.1"
    assert network_of("owner@example.org") == "owner@example.org"


async def test_a_login_of_two_workspaces_is_asked_which(place: Place, founded: Founded) -> None:
    other = await create_workspace(place.db, name="Beta", owner_name="Olga", email=EMAIL, password=PASSWORD)
    asked = await place.sign_in()
    assert asked.status_code == 409
    assert code_of(asked) == "choose_workspace"
    choices = asked.json()["error"]["fields"]["workspaces"]
    assert [choice["name"] for choice in choices] == ["Acme", "Beta"]
    chosen = await place.sign_in(workspace_id=choices[1]["id"])
    assert chosen.json()["me"]["workspace"]["name"] == "Beta"
    async with place.client(chosen.json()["access_token"]) as client:
        users = (await client.get("/v1/users")).json()["items"]
    assert len(users) == 1
    assert other.workspace_id != founded.workspace_id
    foreign = await place.sign_in(workspace_id="ws_" + "0" * 26)
    assert foreign.status_code == 404


async def test_a_new_password_ends_the_other_sessions_and_the_old_password(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    other = await place.signed_in()
    wrong = await owner.post(
        "/v1/me/password", json={"current_password": "wrong one", "new_password": "another password"}
    )
    assert (wrong.status_code, code_of(wrong)) == (401, "wrong_credentials")
    changed = await owner.post(
        "/v1/me/password", json={"current_password": PASSWORD, "new_password": "another password"}
    )
    assert changed.status_code == 204
    assert (await owner.get("/v1/me")).status_code == 200
    assert (await other.get("/v1/me")).status_code == 401
    assert (await place.sign_in()).status_code == 401
    assert (await place.sign_in(password="another password")).status_code == 200


async def test_the_operator_resets_a_forgotten_password(place: Place, owner: httpx2.AsyncClient) -> None:
    await reset_password(place.db, email=EMAIL.upper(), password="set by the operator")
    assert (await owner.get("/v1/me")).status_code == 401
    assert (await place.sign_in(password="set by the operator")).status_code == 200
    with pytest.raises(NotFound):
        await reset_password(place.db, email="nobody@example.org", password="set by the operator")
    with pytest.raises(Malformed):
        await reset_password(place.db, email=EMAIL, password="short")


async def test_a_rush_is_turned_away_without_counting_as_guesses(
    real_hashes: None, place: Place, founded: Founded
) -> None:
    rush = [asyncio.create_task(is_password(None, "anything")) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    answer = await place.sign_in()
    assert (answer.status_code, code_of(answer)) == (503, "busy")
    await asyncio.gather(*rush)
    async with place.db.system() as tx:
        assert await tx.fetchval("SELECT sum(count) FROM attempt") == 0


async def test_an_old_hash_is_renewed_at_sign_in(real_hashes: None, place: Place, founded: Founded) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    async with place.db.system() as tx:
        await tx.execute("UPDATE login SET password_hash = $1", old)
    assert (await place.sign_in()).status_code == 200
    async with place.db.system() as tx:
        stored = await tx.fetchval("SELECT password_hash FROM login")
    assert not is_outdated(stored)
    assert (await place.sign_in()).status_code == 200


async def test_a_disabled_login_answers_as_an_unknown_one(place: Place, owner: httpx2.AsyncClient) -> None:
    async with place.db.system() as tx:
        await tx.execute("UPDATE login SET disabled_at = now()")
    assert code_of(await place.sign_in()) == "wrong_credentials"
    assert (await owner.get("/v1/me")).status_code == 401
