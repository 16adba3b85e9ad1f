"""The second factor: app, recovery codes and passkeys; used once, guessed at, copied, taken away."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from typing import Any
from uuid import UUID

import httpx2
import pyotp
import pytest

from parley.accounts import Founded, create_workspace, factors, remove_second_factors
from parley.accounts.passkeys import find_relying_party
from parley.accounts.second_factor import GUESS_LOGIN, GUESS_LOGIN_DAY
from parley.accounts.totp import STEP_SECONDS, find_step
from parley.infra.settings import Settings
from parley.kit.ids import public_id
from tests.accounts.authenticator import Authenticator, strange_certificate
from tests.accounts.phones import ANNA, BORIS, Phones, code_in
from tests.accounts.place import EMAIL, PASSWORD, Place, token_of

pytestmark = pytest.mark.anyio

HOST = {"host": "localhost"}
PROOF = {"proof": {"password": PASSWORD}}
Json = dict[str, Any]


def error_of(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["code"])


def code_now(place: Place, secret: str, steps: int = 0) -> str:
    """Return what the app shows, so many steps from now."""
    return pyotp.TOTP(secret).at(int(place.clock().timestamp()) + steps * STEP_SECONDS)


async def enrol(place: Place, client: httpx2.AsyncClient, proof: Json = PROOF) -> tuple[str, list[str]]:
    """Set an app up; return its secret and the recovery codes. Its step is used, and the next one stands on the clock."""
    answer = await client.post("/v1/me/totp", json=proof)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    secret = answer.json()["secret"]
    assert secret in answer.json()["uri"]
    assert answer.json()["qr_svg"].startswith("<svg")
    confirmed = await client.post("/v1/me/totp/confirm", json={"code": code_now(place, secret)})
    assert confirmed.status_code == 200, confirmed.text
    place.clock.move(seconds=STEP_SECONDS)
    return secret, confirmed.json()["codes"]


async def challenge(place: Place, **more: Any) -> Json:
    """Give the password and return what is asked for next."""
    answer = await place.sign_in(**more)
    assert (answer.status_code, error_of(answer)) == (401, "second_factor_needed"), answer.text
    found: Json = answer.json()["error"]["fields"]
    return found


async def give(place: Place, token: str, *, address: str = "10.0.0.1", **given: Any) -> httpx2.Response:
    body = {"challenge": token, "refresh_in_body": True, **given}
    async with place.client(address=address) as client:
        return await client.post("/v1/auth/second-factor", json=body, headers=HOST)


async def add_passkey(
    client: httpx2.AsyncClient, device: Authenticator, proof: Json = PROOF
) -> httpx2.Response:
    begun = await client.post("/v1/me/passkeys/begin", json=proof, headers=HOST)
    assert begun.status_code == 200, begun.text
    body = {
        "challenge": begun.json()["challenge"],
        "name": "Key",
        "credential": device.make(begun.json()["options"]),
    }
    return await client.post("/v1/me/passkeys", json=body, headers=HOST)


async def begin_passkey(place: Place) -> Json:
    async with place.client() as client:
        answer = await client.post("/v1/auth/passkey/begin", headers=HOST)
    assert answer.status_code == 201 or answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def finish_passkey(place: Place, token: str, credential: Json, **more: Any) -> httpx2.Response:
    body = {"challenge": token, "credential": credential, "refresh_in_body": True, **more}
    async with place.client() as client:
        return await client.post("/v1/auth/passkey/finish", json=body, headers=HOST)


async def audit(owner: httpx2.AsyncClient) -> list[str]:
    return [entry["action"] for entry in (await owner.get("/v1/audit")).json()["items"]]


# ---------------------------------------------------------------- app


async def test_with_an_app_the_password_alone_opens_nothing(place: Place, owner: httpx2.AsyncClient) -> None:
    secret, codes = await enrol(place, owner)
    assert len(set(codes)) == 10
    asked = await challenge(place)
    assert asked["methods"] == ["totp", "recovery_code"]
    async with place.client(asked["challenge"]) as client:
        assert (await client.get("/v1/me")).status_code == 401
    wrong = await give(place, asked["challenge"], code="000000")
    assert (wrong.status_code, error_of(wrong)) == (401, "wrong_code")
    opened = await give(place, asked["challenge"], code=code_now(place, secret))
    assert opened.status_code == 200, opened.text
    assert opened.json()["me"]["login"]["email"] == EMAIL
    over = await give(place, asked["challenge"], code=code_now(place, secret, 1))
    assert (over.status_code, error_of(over)) == (410, "challenge_over")
    factors = (await owner.get("/v1/me/factors")).json()
    assert (factors["has_totp"], factors["is_two_step"], factors["recovery_codes_left"]) == (True, True, 10)
    assert await audit(owner) == ["totp.enabled", "workspace.created"]


async def test_a_code_is_good_once_and_none_before_it_is(place: Place, owner: httpx2.AsyncClient) -> None:
    secret, _ = await enrol(place, owner)
    used = code_now(place, secret)
    assert (await give(place, (await challenge(place))["challenge"], code=used)).status_code == 200
    again = await challenge(place)
    for replayed in (used, code_now(place, secret, -1)):
        assert error_of(await give(place, again["challenge"], code=replayed)) == "wrong_code"
    place.clock.move(seconds=STEP_SECONDS)
    assert (await give(place, again["challenge"], code=code_now(place, secret))).status_code == 200


async def test_of_many_with_one_code_at_once_one_comes_in(place: Place, owner: httpx2.AsyncClient) -> None:
    secret, codes = await enrol(place, owner)
    for given in ({"code": code_now(place, secret)}, {"recovery_code": codes[0]}):
        asked = [(await challenge(place))["challenge"] for _ in range(4)]
        answers = await asyncio.gather(*(give(place, token, **given) for token in asked))
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401], given
    one = (await challenge(place))["challenge"]
    answers = await asyncio.gather(*(give(place, one, recovery_code=code) for code in codes[1:5]))
    assert sorted(answer.status_code for answer in answers) == [200, 410, 410, 410]
    assert (await owner.get("/v1/me/factors")).json()["recovery_codes_left"] == 8


async def test_a_clock_may_be_off_by_one_step(place: Place, owner: httpx2.AsyncClient) -> None:
    secret, _ = await enrol(place, owner)
    place.clock.move(seconds=10 * STEP_SECONDS)
    for steps, good in ((-2, False), (2, False), (-1, True), (1, True)):
        answer = await give(place, (await challenge(place))["challenge"], code=code_now(place, secret, steps))
        assert (answer.status_code == 200) == good, steps
    assert find_step(secret, "", place.clock()) is None


async def test_a_challenge_lasts_five_minutes_and_dies_with_the_password(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    secret, _ = await enrol(place, owner)
    late, dead = await challenge(place), await challenge(place)
    changed = await owner.post(
        "/v1/me/password", json={"current_password": PASSWORD, "new_password": PASSWORD + "!"}
    )
    assert changed.status_code == 204
    assert (await give(place, dead["challenge"], code=code_now(place, secret))).status_code == 410
    late = await challenge(place, password=PASSWORD + "!")
    place.clock.move(minutes=5, seconds=1)
    assert (await give(place, late["challenge"], code=code_now(place, secret))).status_code == 410


async def test_guesses_are_limited_over_all_challenges_and_addresses(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    secret, _ = await enrol(place, owner)
    asked = [(await challenge(place))["challenge"] for _ in range(5)]

    async def guess(number: int) -> httpx2.Response:
        return await give(place, asked[number % 5], code=f"{number:06}", address=f"10.1.0.{number}")

    answers = await asyncio.gather(*(guess(number) for number in range(60)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(401) == GUESS_LOGIN.most
    assert statuses.count(429) == 60 - GUESS_LOGIN.most
    assert (
        await give(place, asked[0], code=code_now(place, secret))
    ).status_code == 429  # closed to the right one too
    seen = GUESS_LOGIN.most
    for _ in range(8):
        place.clock.move(minutes=15, seconds=1)
        token = (await challenge(place))["challenge"]
        for number in range(GUESS_LOGIN.most):
            seen += (await give(place, token, recovery_code=f"nope-{number}")).status_code == 401
    assert seen == GUESS_LOGIN_DAY.most


async def test_an_app_that_was_not_confirmed_asks_for_nothing(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    answer = await owner.post("/v1/me/totp", json=PROOF)
    assert (await place.sign_in()).status_code == 200
    assert (await owner.post("/v1/me/totp/confirm", json={"code": "000000"})).status_code == 401
    place.clock.move(minutes=15, seconds=1)
    fresh = await place.signed_in()
    late = await fresh.post("/v1/me/totp/confirm", json={"code": code_now(place, answer.json()["secret"])})
    assert late.status_code == 401
    await fresh.aclose()


async def test_turning_it_on_ends_the_other_sessions_and_off_asks_for_proof(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    other = await place.signed_in()
    _, codes = await enrol(place, owner)
    assert (await other.get("/v1/me")).status_code == 401
    assert (await owner.get("/v1/me")).status_code == 200
    assert (await owner.post("/v1/me/totp", json=PROOF)).status_code == 409
    for proof in (
        {},
        {"password": "wrong password"},
        {"code": "000000"},
        {"recovery_code": "x"},
        {"sms_code": "1"},
    ):
        refused = await owner.post("/v1/me/totp/remove", json={"proof": proof})
        assert refused.status_code == 401, proof
    both = await owner.post("/v1/me/totp/remove", json={"proof": {"password": PASSWORD, "code": "1"}})
    assert error_of(both) == "proof_needed"
    renewed = await owner.post("/v1/me/recovery-codes", json={"proof": {"recovery_code": codes[1].upper()}})
    assert renewed.status_code == 200
    fresh = renewed.json()["codes"]
    assert not set(fresh) & set(codes)
    assert (
        error_of(await give(place, (await challenge(place))["challenge"], recovery_code=codes[2]))
        == "wrong_code"
    )
    opened = await give(
        place, (await challenge(place))["challenge"], recovery_code=fresh[0].replace("-", " ").upper()
    )
    assert opened.status_code == 200
    assert (await owner.post("/v1/me/totp/remove", json=PROOF)).status_code == 204
    assert (await owner.post("/v1/me/totp/remove", json=PROOF)).status_code == 404
    assert (await place.sign_in()).status_code == 200
    assert (await owner.get("/v1/me/factors")).json()["recovery_codes_left"] == 0
    assert (await owner.post("/v1/me/recovery-codes", json=PROOF)).status_code == 409
    assert await audit(owner) == [
        "totp.disabled", "recovery_code.used", "recovery_codes.renewed", "totp.enabled", "workspace.created",
    ]  # fmt: skip
    await other.aclose()


async def test_the_secret_and_the_codes_are_not_in_the_database(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    secret, codes = await enrol(place, owner)
    asked = await challenge(place)
    async with place.db.system() as tx:
        told = ""
        for table in ("totp", "recovery_code", "sign_in_challenge", "audit_entry"):
            told += str(
                await tx.fetchval(f"SELECT string_agg(encode(t::text::bytea, 'escape'), ' ') FROM {table} t")
            )
            told += str(await tx.fetch(f"SELECT * FROM {table}"))
    for hidden in (secret, codes[0], codes[0].replace("-", ""), asked["challenge"]):
        assert hidden not in told


async def test_accepting_an_invitation_goes_by_no_second_factor(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    secret, _ = await enrol(place, owner)
    await create_workspace(
        place.db, name="Other", owner_name="Boss", email="boss@example.org", password=PASSWORD
    )
    boss = await place.signed_in("boss@example.org")
    added = await boss.post("/v1/users", json={"name": "Olga", "email": EMAIL, "role": "agent"})
    token = token_of(added.json()["invite_url"])
    async with place.client() as client:
        answer = await client.post("/v1/invitations/accept", json={"token": token, "password": PASSWORD})
    assert error_of(answer) == "second_factor_needed"
    fields = answer.json()["error"]["fields"]
    opened = await give(place, fields["challenge"], code=code_now(place, secret))
    assert opened.json()["me"]["workspace"]["name"] == "Other"
    assert "invitation.accepted" in await audit(boss)
    await boss.aclose()


async def test_the_operator_lets_in_who_is_locked_out(place: Place, owner: httpx2.AsyncClient) -> None:
    await enrol(place, owner)
    assert (await add_passkey(owner, Authenticator())).status_code == 201
    await remove_second_factors(place.db, email=EMAIL)
    assert (await owner.get("/v1/me")).status_code == 401
    assert (await place.sign_in()).status_code == 200


# ---------------------------------------------------------------- phone


async def test_the_second_factor_stands_behind_a_code_by_sms_too(
    phones: Phones, owner: httpx2.AsyncClient
) -> None:
    place = phones.place
    refused = await owner.post("/v1/me/phone", json={"phone": ANNA, "proof": {"password": "no no no no"}})
    assert refused.status_code == 401
    asked = await owner.post("/v1/me/phone", json={"phone": ANNA, **PROOF})
    assert asked.status_code == 202, asked.text
    await phones.deliver()
    code = code_in((await phones.texts(ANNA))[0])
    assert error_of(await phones.check(ANNA, code, name="A")) == "wrong_code"  # it is for linking
    assert (await owner.post("/v1/me/phone/check", json={"phone": ANNA, "code": code})).status_code == 204
    assert (await owner.get("/v1/me")).json()["login"] == {"email": EMAIL, "phone": ANNA}
    assert (await phones.check(ANNA, await phones.code(ANNA))).status_code == 200
    secret, _ = await enrol(place, owner)
    code = await phones.code(ANNA)
    answer = await phones.check(ANNA, code)
    assert error_of(answer) == "second_factor_needed"
    assert error_of(await phones.check(ANNA, code)) == "wrong_code"  # it is used up
    token = answer.json()["error"]["fields"]["challenge"]
    assert (await give(place, token, code=code_now(place, secret))).status_code == 200
    sent = await owner.post("/v1/me/proof-code", json={})
    assert sent.status_code == 202
    await phones.deliver()
    proof = {"proof": {"sms_code": code_in((await phones.texts(ANNA))[0])}}
    assert (await owner.post("/v1/me/phone/remove", json=proof)).status_code == 204
    assert (await owner.post("/v1/me/phone/remove", json=PROOF)).status_code == 404
    assert (await audit(owner)).count("phone.changed") == 2


async def test_a_number_is_one_logins_and_the_last_way_in_stays(
    phones: Phones, owner: httpx2.AsyncClient
) -> None:
    joined = await phones.check(BORIS, await phones.code(BORIS), name="Boris")
    asked = await owner.post("/v1/me/phone", json={"phone": BORIS, **PROOF})
    assert asked.status_code == 202
    await phones.deliver()
    code = code_in((await phones.texts(BORIS))[0])
    assert (
        error_of(await owner.post("/v1/me/phone/check", json={"phone": BORIS, "code": code})) == "phone_taken"
    )
    async with phones.place.client(joined.json()["access_token"]) as boris:
        assert (await boris.post("/v1/me/proof-code", json={})).status_code == 202
        await phones.deliver()
        proof = {"proof": {"sms_code": code_in((await phones.texts(BORIS))[0])}}
        assert error_of(await boris.post("/v1/me/phone/remove", json=proof)) == "last_way_in"
        no_password = {"current_password": PASSWORD, "new_password": PASSWORD}
        assert (await boris.post("/v1/me/password", json=no_password)).status_code == 404


async def test_no_proof_code_without_a_number_and_no_factors_for_keys(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    place.use(dataclasses.replace(place.runtime.settings, sandbox=True))
    assert error_of(await owner.post("/v1/me/proof-code", json={})) == "proof_needed"
    key = (await owner.post("/v1/api-keys", json={"name": "Bot", "scopes": ["admin"]})).json()["key"]
    async with place.client(key) as bot:
        assert (await bot.get("/v1/me/factors")).status_code == 403
        assert (await bot.post("/v1/me/totp", json=PROOF)).status_code == 403


# ---------------------------------------------------------------- passkeys


async def test_a_passkey_alone_signs_in(place: Place, owner: httpx2.AsyncClient) -> None:
    device = Authenticator()
    added = await add_passkey(owner, device)
    assert added.status_code == 201, added.text
    begun = await begin_passkey(place)
    assert begun["options"]["allowCredentials"] == []
    assert begun["options"]["userVerification"] == "required"
    signed = device.sign(begun["options"])
    opened = await finish_passkey(place, begun["challenge"], signed)
    assert opened.status_code == 200, opened.text
    assert opened.json()["me"]["login"]["email"] == EMAIL
    again = await finish_passkey(place, begun["challenge"], signed)
    assert (again.status_code, error_of(again)) == (410, "challenge_over")
    [shown] = (await owner.get("/v1/me/factors")).json()["passkeys"]
    assert shown["last_used_at"] is not None
    assert (await place.sign_in()).status_code == 200  # nobody has asked for it as a second factor


async def test_a_passkey_that_is_not_right_is_refused(place: Place, owner: httpx2.AsyncClient) -> None:
    device = Authenticator(count=5)
    assert (await add_passkey(owner, device)).status_code == 201
    stranger = Authenticator(user_handle=device.user_handle)
    forged = Authenticator(credential_id=device.credential_id, user_handle=device.user_handle, count=9)
    first, other = await begin_passkey(place), await begin_passkey(place)
    wrong: dict[str, Json] = {
        "of nobody": stranger.sign(first["options"]),
        "signed by another key": forged.sign(first["options"]),
        "for another site": device.sign(first["options"], rp_id="evil.example"),
        "for another challenge": device.sign(other["options"]),
    }
    device.is_verifying = False
    wrong["without looking at the person"] = device.sign(first["options"])
    device.is_verifying = True
    device.origin = "https://evil.example"
    wrong["on another origin"] = device.sign(first["options"])
    device.origin = "http://localhost"
    device.user_handle = b"somebody else..."
    wrong["of another user"] = device.sign(first["options"])
    device.user_handle = forged.user_handle
    device.count = 1
    wrong["with a counter that went back"] = device.sign(first["options"])
    for why, credential in wrong.items():
        answer = await finish_passkey(place, first["challenge"], credential)
        assert (answer.status_code, error_of(answer)) == (401, "passkey_refused"), why
    device.count = 20
    assert (await finish_passkey(place, first["challenge"], device.sign(first["options"]))).status_code == 200


@pytest.mark.parametrize(
    "credential",
    [
        {}, {"id": 1}, {"id": "x", "rawId": "x", "type": "public-key", "response": {}},
        {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": None},
        {"id": "AAAA", "rawId": "AAAA", "type": "x", "response": {"clientDataJSON": "!", "authenticatorData": "AA",
            "signature": "AA"}},
        {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {"clientDataJSON": "W10",
            "authenticatorData": "AA", "signature": "AA", "userHandle": 7, "attestationObject": "gaA", "transports": 3}},
        {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {"clientDataJSON": "e30",
            "authenticatorData": "", "signature": "", "attestationObject": "v" * 1000}},
    ],
)  # fmt: skip
async def test_a_hostile_credential_is_refused_and_breaks_nothing(
    place: Place, owner: httpx2.AsyncClient, credential: Json
) -> None:
    begun = await begin_passkey(place)
    assert (await finish_passkey(place, begun["challenge"], credential)).status_code == 401
    made = await owner.post("/v1/me/passkeys/begin", json=PROOF, headers=HOST)
    body = {"challenge": made.json()["challenge"], "name": "x", "credential": credential}
    assert (await owner.post("/v1/me/passkeys", json=body, headers=HOST)).status_code == 401


async def test_a_passkey_as_second_factor(place: Place, owner: httpx2.AsyncClient) -> None:
    device = Authenticator(is_verifying=False)  # its presence is enough beside a password
    early = await owner.post("/v1/me/second-factor", json={"needs_passkey": True, **PROOF})
    assert early.status_code == 409
    added = await add_passkey(owner, device)
    turned_on = await owner.post("/v1/me/second-factor", json={"needs_passkey": True, **PROOF})
    assert len(turned_on.json()["codes"]) == 10
    asked = await challenge(place)
    assert asked["methods"] == ["passkey", "recovery_code"]
    async with place.client() as client:
        options = await client.post(
            "/v1/auth/second-factor/passkey", json={"challenge": asked["challenge"]}, headers=HOST
        )
    begun = options.json()["options"]
    assert len(begun["allowCredentials"]) == 1
    stranger = Authenticator(user_handle=b"")
    for wrong in (stranger.sign(begun), {}):
        assert error_of(await give(place, asked["challenge"], passkey=wrong)) == "passkey_refused"
    assert (await give(place, asked["challenge"])).status_code == 422
    assert (await give(place, asked["challenge"], passkey=device.sign(begun))).status_code == 200
    removed = await owner.post(f"/v1/me/passkeys/{added.json()['id']}/remove", json=PROOF)
    assert removed.status_code == 204
    assert (await place.sign_in()).status_code == 200  # with the last passkey the question went too
    assert (await owner.post(f"/v1/me/passkeys/{added.json()['id']}/remove", json=PROOF)).status_code == 404


async def test_a_passkey_of_one_login_is_no_second_factor_of_another(
    phones: Phones, owner: httpx2.AsyncClient
) -> None:
    """And a challenge to make one is of the login that asked."""
    place = phones.place
    await enrol(place, owner)
    joined = await phones.check(BORIS, await phones.code(BORIS), name="Boris")
    device = Authenticator()
    async with place.client(joined.json()["access_token"]) as boris:
        await boris.post("/v1/me/proof-code", json={})
        await phones.deliver()
        proof = {"proof": {"sms_code": code_in((await phones.texts(BORIS))[0])}}
        begun = (await boris.post("/v1/me/passkeys/begin", json=proof, headers=HOST)).json()
        body = {"challenge": begun["challenge"], "name": "Key", "credential": device.make(begun["options"])}
        assert (await owner.post("/v1/me/passkeys", json=body, headers=HOST)).status_code == 404
        assert (await boris.post("/v1/me/passkeys", json=body, headers=HOST)).status_code == 201
    asked = await challenge(place)
    async with place.client() as client:
        path = "/v1/auth/second-factor/passkey"
        options = (await client.post(path, json={"challenge": asked["challenge"]}, headers=HOST)).json()[
            "options"
        ]
    assert error_of(await give(place, asked["challenge"], passkey=device.sign(options))) == "passkey_refused"


async def test_passkeys_begun_at_once_are_no_more_than_a_login_may_have(
    place: Place, owner: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factors, "MOST_PASSKEYS", 2)
    assert (await add_passkey(owner, Authenticator())).status_code == 201
    begun = [(await owner.post("/v1/me/passkeys/begin", json=PROOF, headers=HOST)).json() for _ in range(4)]
    bodies = [
        {"challenge": one["challenge"], "name": "Key", "credential": Authenticator().make(one["options"])}
        for one in begun
    ]
    answers = await asyncio.gather(
        *(owner.post("/v1/me/passkeys", json=body, headers=HOST) for body in bodies)
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len((await owner.get("/v1/me/factors")).json()["passkeys"]) == 2


async def test_a_passkey_known_already_is_not_added_twice(place: Place, owner: httpx2.AsyncClient) -> None:
    device = Authenticator()
    assert (await add_passkey(owner, device)).status_code == 201
    assert error_of(await add_passkey(owner, device)) == "passkey_refused"


async def test_who_is_deactivated_comes_in_by_no_factor(
    place: Place, owner: httpx2.AsyncClient, founded: Founded
) -> None:
    member = await place.join(owner, "agent", "agent@example.org")
    device = Authenticator()
    assert (await add_passkey(member, device)).status_code == 201
    secret, _ = await enrol(place, member)
    asked = await challenge(place, email="agent@example.org")
    me = (await member.get("/v1/me")).json()["actor"]["id"]
    assert (await owner.patch(f"/v1/users/{me}", json={"is_deactivated": True})).status_code == 200
    assert error_of(await give(place, asked["challenge"], code=code_now(place, secret))) == "deactivated"
    begun = await begin_passkey(place)
    refused = await finish_passkey(place, begun["challenge"], device.sign(begun["options"]))
    assert error_of(refused) == "deactivated"
    assert isinstance(founded.workspace_id, UUID)
    await member.aclose()


async def test_without_a_host_name_there_are_no_passkeys(place: Place, owner: httpx2.AsyncClient) -> None:
    async with place.client() as client:  # of 127.0.0.1
        assert (await client.get("/v1/auth/ways")).json()["has_passkeys"] is False
        assert (await client.get("/v1/auth/ways", headers=HOST)).json()["has_passkeys"] is True
        assert error_of(await client.post("/v1/auth/passkey/begin")) == "passkeys_off"
    assert error_of(await owner.post("/v1/me/passkeys/begin", json=PROOF)) == "passkeys_off"


@pytest.mark.parametrize(
    ("public_url", "host", "party"),
    [
        ("https://desk.example.org", "evil.example", ("desk.example.org", "https://desk.example.org")),
        ("https://desk.example.org:8443", "x", ("desk.example.org", "https://desk.example.org:8443")),
        ("", "localhost:8000", ("localhost", "http://localhost:8000")),
        ("", "evil.example", None), ("", "127.0.0.1:8000", None), ("", "[::1]", None), ("", "[", None), ("", "", None),
        ("http://192.0.2.1", "localhost", None), ("https://[::1]:8000", "localhost", None),
    ],
)  # fmt: skip
def test_passkeys_are_for_the_name_that_people_open(
    public_url: str, host: str, party: tuple[str, str] | None
) -> None:
    found = find_relying_party(Settings(public_url=public_url), host)
    assert (None if found is None else (found.id, found.origin)) == party


async def test_a_passkey_with_several_workspaces_says_which(place: Place, owner: httpx2.AsyncClient) -> None:
    device = Authenticator()
    await add_passkey(owner, device)
    made = await create_workspace(place.db, name="Second", owner_name="Olga", email=EMAIL, password=PASSWORD)
    begun = await begin_passkey(place)
    signed = device.sign(begun["options"])
    which = await finish_passkey(place, begun["challenge"], signed)
    assert error_of(which) == "choose_workspace"
    wanted = public_id("ws", made.workspace_id)
    chosen = await finish_passkey(place, begun["challenge"], signed, workspace_id=wanted)
    assert chosen.json()["me"]["workspace"]["id"] == wanted


async def test_a_credential_id_longer_than_any_is_refused(place: Place, owner: httpx2.AsyncClient) -> None:
    for length, status in ((20_000, 401), (1023, 201), (1024, 401)):
        answer = await add_passkey(owner, Authenticator(credential_id=os.urandom(length)))
        assert answer.status_code == status, (length, answer.text)


async def test_a_certificate_that_cannot_be_read_is_refused(place: Place, owner: httpx2.AsyncClient) -> None:
    statement = {"alg": -7, "sig": b"x", "x5c": [strange_certificate()]}
    answer = await add_passkey(owner, Authenticator(attestation=("packed", statement)))
    assert (answer.status_code, error_of(answer)) == (401, "passkey_refused")
