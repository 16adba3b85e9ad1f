"""What signing in by the dialect's door does not give away, and what its tokens end with."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import random
from collections import Counter
from typing import Any

import pytest

from parley.accounts import Client, request_phone_code
from parley.accounts.phone_codes import ASK_PAIR, GUESS_SHORT_PHONE, check_phone_code
from parley.compat.chatapp import sweep_chatapp
from parley.compat.chatapp.sign_in import TOLD
from parley.infra.crypto import Keys
from parley.kit.errors import ParleyError
from parley.kit.ids import public_id
from tests.compat.chatapp.place import Place, User

pytestmark = pytest.mark.anyio

ANNA, NOBODY = "79990000001", "79990000077"


async def ask(place: Place, phone: str, **more: Any) -> Any:
    return await place.ask("POST", "/api/auth/request-code", {"phone": phone, **more})


async def verify(place: Place, phone: str, code: str, address: str = "10.0.0.1") -> Any:
    return await place.ask("POST", "/api/auth/verify-code", {"phone": phone, "code": code}, address=address)


async def test_the_answer_is_the_same_whether_a_number_is_known_or_not(place: Place, anna: User) -> None:
    known, unknown = await ask(place, ANNA), await ask(place, NOBODY)
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.headers.raw == unknown.headers.raw
    assert known.json()["isNewUser"] is False
    wrong = [await verify(place, phone, "0000" if await place.code(phone) != "0000" else "0001")
             for phone in (ANNA, NOBODY)]  # fmt: skip
    assert wrong[0].content == wrong[1].content


async def test_a_newcomer_without_a_name_is_called_by_the_user_id(place: Place) -> None:
    await ask(place, NOBODY)
    body = (await verify(place, NOBODY, await place.code(NOBODY))).json()
    assert body["user"]["name"] == body["user"]["userId"]


async def test_where_it_is_told_a_newcomer_must_give_a_name_and_an_address_is_told_so_often(
    place: Place, anna: User
) -> None:
    place.use(chatapp_tells_numbers=True)
    refused = await ask(place, NOBODY)
    assert (refused.status_code, refused.json()["error"]) == (400, "Name is required for new users")
    assert not await place.house.sql("SELECT FROM phone_code WHERE phone = $1", f"+{NOBODY}")
    assert (await ask(place, NOBODY, name="New")).json()["isNewUser"] is True
    assert (await ask(place, ANNA)).json()["isNewUser"] is False
    answers = [await ask(place, f"7999000{n:04}") for n in range(TOLD.most)]
    assert answers[0].json()["error"] == "Name is required for new users"
    assert answers[-1].status_code == 400
    assert answers[-1].json()["error"] != answers[0].json()["error"]


async def test_a_name_sent_along_renames_nobody(place: Place, anna: User) -> None:
    await ask(place, ANNA, name="Mallory")
    await verify(place, ANNA, await place.code(ANNA))
    assert (await anna.get("/api/auth/me"))["user"]["name"] == "Anna"


async def test_a_name_that_nobody_came_for_is_not_kept(place: Place) -> None:
    await ask(place, NOBODY, name="New")
    await ask(place, ANNA, name="Anna")
    await place.house.sql(
        "UPDATE chatapp_newcomer SET expires_at = now() - interval '1 s' WHERE phone = $1", f"+{NOBODY}"
    )
    await sweep_chatapp(place.house.db)
    assert [row["name"] for row in await place.house.sql("SELECT name FROM chatapp_newcomer")] == ["Anna"]
    await verify(place, ANNA, await place.code(ANNA))
    assert await place.house.sql("SELECT FROM chatapp_newcomer") == []


async def test_a_code_works_once_for_this_door_alone_and_bears_few_guesses(place: Place) -> None:
    await ask(place, ANNA, name="Anna")
    code = await place.code(ANNA)
    assert (await verify(place, ANNA, code)).status_code == 200
    used = await verify(place, ANNA, code)
    assert (used.status_code, used.json()["error"]) == (400, "Invalid or expired verification code")

    # a code of the native door opens nothing here
    runtime = place.house.runtime
    client = Client(address="10.0.0.9", user_agent="")
    await request_phone_code(runtime.db, runtime.settings, client, phone=f"+{NOBODY}", digits=4)
    rows = await place.house.sql("SELECT 1 FROM phone_code WHERE purpose = 'sign_in'")
    assert len(rows) == 1
    answers = [await verify(place, NOBODY, f"{n:04}", address=f"10.9.{n}.1") for n in range(5)]
    assert {answer.status_code for answer in answers} == {400}


async def test_ten_thousand_guesses_from_everywhere_do_not_find_a_code(place: Place) -> None:
    """Every code there is but the right one, through the function that checks: the door before it only takes away."""
    asked = [await ask(place, ANNA, name="Anna") for _ in range(ASK_PAIR.most + 3)]
    assert [answer.status_code for answer in asked].count(200) == ASK_PAIR.most
    real, runtime = await place.code(ANNA), place.house.runtime

    async def guess(number: int) -> str:
        try:
            await check_phone_code(
                runtime.db, runtime.keys, runtime.settings,
                Client(address=f"10.{number // 100}.{number % 100}.1", user_agent=""),
                phone=f"+{ANNA}", code=f"{number:04}", purpose="chatapp",
            )  # fmt: skip
        except ParleyError as error:
            return error.code
        return "right"

    guesses = [number for number in random.sample(range(10_000), 10_000) if f"{number:04}" != real]
    told: list[str] = []
    for start in range(0, len(guesses), 100):
        told += await asyncio.gather(*(guess(number) for number in guesses[start : start + 100]))
    # the first ones are looked at; the rest is refused before, the right one with them
    assert Counter(told) == {
        "wrong_code": GUESS_SHORT_PHONE.most, "too_many": len(guesses) - GUESS_SHORT_PHONE.most
    }  # fmt: skip
    looked_at = await place.house.sql("SELECT tries FROM phone_code WHERE phone = $1", f"+{ANNA}")
    assert looked_at[0]["tries"] <= 5
    assert (await verify(place, ANNA, f"{int(real) ^ 1:04}", address="10.201.0.1")).status_code == 400
    assert (await verify(place, ANNA, real, address="10.200.0.1")).status_code == 400


async def test_a_stranger_at_one_address_keeps_nobody_from_signing_in(place: Place) -> None:
    await ask(place, ANNA, name="Anna")
    real = await place.code(ANNA)
    wrong = f"{(int(real) + 1) % 10_000:04}"
    for _ in range(GUESS_SHORT_PHONE.most + 3):
        assert (await verify(place, ANNA, wrong, address="10.66.0.1")).status_code == 400
    assert (await verify(place, ANNA, real, address="10.0.0.1")).status_code == 200


async def test_a_login_with_a_second_factor_is_not_let_in_by_the_code_alone(place: Place, anna: User) -> None:
    await place.house.sql(
        """INSERT INTO totp (login_id, secret, confirmed_at, created_at)
        SELECT login_id, '', now(), now() FROM actor WHERE external_id = $1""",
        anna.id,
    )
    await ask(place, ANNA)
    refused = await verify(place, ANNA, await place.code(ANNA))
    assert refused.status_code == 400
    assert "second factor" in refused.json()["error"]


def forge(token: str, **claims: Any) -> str:
    head, body, signature = token.split(".")
    read = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**read, **claims}).encode()).decode().rstrip("=")
    return f"{head}.{changed}.{signature}"


async def test_a_token_says_what_its_clients_read_and_cannot_be_changed(
    place: Place, anna: User, boris: User
) -> None:
    claims = json.loads(base64.urlsafe_b64decode(anna.token.split(".")[1] + "=="))
    assert (claims["userId"], claims["phone"]) == (anna.id, ANNA)
    assert claims["exp"] - claims["iat"] == 48 * 3600
    theirs = json.loads(base64.urlsafe_b64decode(boris.token.split(".")[1] + "=="))
    foreign = dataclasses.replace(place.house.runtime, keys=Keys(bytes(32)))
    for token in (
        forge(anna.token, sid=theirs["sid"]), forge(anna.token, exp=claims["exp"] + 1), anna.token[:-2],
        anna.token + "x", "eyJ" + "a" * 5000 + ".b.c", "eyJ..",
    ):  # fmt: skip
        assert (await place.ask("GET", "/api/auth/me", token=token)).status_code == 401
    place.house.runtime = foreign
    place.use()
    assert (await anna.ask("GET", "/api/auth/me")).status_code == 401


async def test_a_token_ends_with_its_session_which_is_one_of_the_users_devices(
    place: Place, anna: User
) -> None:
    again = await place.enter(ANNA, "")
    assert again.id == anna.id
    rows = await place.house.sql("SELECT id, expires_at - created_at AS lasts FROM session ORDER BY id")
    assert [row["lasts"].total_seconds() for row in rows] == [48 * 3600] * 2
    await place.house.sql("UPDATE session SET revoked_at = now() WHERE id = $1", rows[0]["id"])
    place.house.runtime = dataclasses.replace(place.house.runtime)
    async with asyncio.timeout(30):
        while (await anna.ask("GET", "/api/auth/me")).status_code != 401:
            await asyncio.sleep(0.2)
    assert (await again.ask("GET", "/api/auth/me")).status_code == 200


async def test_another_workspace_is_neither_shown_nor_reached(place: Place, anna: User) -> None:
    other = await place.house.workspace("Other")
    olga = await other.user("Olga")
    oleg = await other.user("Oleg")
    group = public_id("cnv", await other.open(olga, oleg))
    await place.house.sql("UPDATE actor SET external_id = 'usr_00000001' WHERE id = $1", olga.id)
    assert (await anna.get("/api/users"))["data"] == []
    assert (await anna.ask("GET", "/api/users/usr_00000001")).status_code == 404
    body = {"name": "N", "memberIds": ["usr_00000001"]}
    assert (await anna.ask("POST", "/api/dialogs", body)).status_code == 404
    assert (await anna.ask("GET", f"/api/dialogs/{group}")).status_code == 404
    posted = await anna.ask("POST", f"/api/messages/dialog/{group}", {"content": "c"})
    assert posted.status_code == 404


async def test_the_desk_is_none_of_this_dialects_not_even_for_its_staff(place: Place, anna: User) -> None:
    await place.house.sql("UPDATE actor SET role = 'admin' WHERE external_id = $1", anna.id)
    room = await place.workspace.room(await place.workspace.inbox())
    posted = await place.workspace.say(room.id, room.contact_id, "I need help")
    for path in (f"dialogs/{room.public}", f"messages/dialog/{room.public}", f"messages/{posted.message.id}"):
        assert (await anna.ask("GET", f"/api/{path}")).status_code == 404, path
    assert (await anna.get("/api/dialogs"))["data"] == []
