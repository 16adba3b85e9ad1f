"""Codes by SMS: right, wrong, late, repeated, guessed; and that nothing tells whether a number is known."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from typing import Any

import httpx2
import pytest

from parley.accounts import Founded, enter_by_phone, is_phone_known
from parley.accounts.phone_codes import (
    ASK_PHONE,
    ASK_PHONE_DAY,
    GUESS_ADDRESS,
    GUESS_PHONE,
    MOST_TRIES,
    check_phone_code,
    code_of,
    request_phone_code,
)
from parley.accounts.phones import read_code, require_phone
from parley.accounts.sessions import Client
from parley.channels.contract import AccountBroken
from parley.infra.jobs import RetryLater
from parley.kit.errors import Malformed
from parley.kit.ids import public_id, uuid7
from tests.accounts.phones import ANNA, BORIS, Phones, code_in, other
from tests.accounts.place import Place

pytestmark = pytest.mark.anyio

FAR = Client(address="198.51.100.7", user_agent="test")


def code_of_error(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["code"])


async def join(phones: Phones, phone: str = ANNA, name: str = "Anna") -> dict[str, Any]:
    """Let a new number in."""
    answer = await phones.check(phone, await phones.code(phone), name=name)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_unknown_number_joins_as_a_member_and_comes_back_as_the_same_user(phones: Phones) -> None:
    code = await phones.code(ANNA)
    assert len(code) == 6
    asked = await phones.check(ANNA, code)
    assert (asked.status_code, code_of_error(asked)) == (409, "name_needed")
    joined = await phones.check(ANNA, f"{code[:3]} {code[3:]}", name="Anna")
    assert joined.status_code == 200, joined.text
    me = joined.json()["me"]
    assert me["actor"]["role"] == "member"
    assert me["login"] == {"email": None, "phone": ANNA}
    back = await phones.check("8 (999) 555-01-01".replace("8 ", "+7 "), await phones.code(ANNA))
    assert back.json()["me"]["actor"] == me["actor"]
    async with phones.place.client(back.json()["access_token"]) as client:
        assert (await client.get("/v1/me")).json()["actor"] == me["actor"]
        assert len((await client.get("/v1/sessions")).json()["items"]) == 2


async def test_without_an_open_workspace_an_unknown_number_gets_no_code_and_no_word_of_it(
    phones: Phones,
) -> None:
    await join(phones)
    phones.place.use(dataclasses.replace(phones.place.runtime.settings, phone_workspace=""))
    phones.delivery._settings = phones.place.runtime.settings
    known, unknown = await phones.ask(ANNA), await phones.ask(BORIS)
    assert known.status_code == unknown.status_code == 202
    assert known.content == unknown.content
    assert known.headers.raw == unknown.headers.raw
    assert await phones.deliver() == 2
    assert len(await phones.texts(ANNA)) == 2
    assert await phones.texts(BORIS) == []
    wrong = [await phones.check(phone, "000000") for phone in (ANNA, BORIS)]
    assert wrong[0].status_code == wrong[1].status_code == 401
    assert wrong[0].content == wrong[1].content
    # who guesses the code that nobody was sent is as wrong
    async with phones.place.db.system() as tx:
        code_id = await tx.fetchval("SELECT id FROM phone_code WHERE phone = $1", BORIS)
    guessed = await phones.check(BORIS, code_of(phones.place.runtime.keys, code_id, 6), name="Boris")
    assert guessed.content == wrong[0].content


async def test_asking_does_the_same_statements_for_a_known_number_and_an_unknown_one(
    phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parley.infra.db import Tx

    await join(phones)
    said: list[str] = []
    for name in ("execute", "fetchrow", "fetchval", "fetch"):
        real = getattr(Tx, name)

        async def noting(self: Tx, sql: str, *args: Any, real: Any = real) -> Any:
            said.append(sql)
            return await real(self, sql, *args)

        monkeypatch.setattr(Tx, name, noting)
    told = []
    for phone in (ANNA, BORIS):
        said.clear()
        await phones.ask(phone, address="192.0.2.1")
        await phones.check(phone, "000000")
        told.append(list(said))
    assert told[0] == told[1]


async def test_a_code_opens_one_session_however_many_come_with_it_at_once(phones: Phones) -> None:
    await join(phones)
    code = await phones.code(ANNA)
    answers = await asyncio.gather(*(phones.check(ANNA, code) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    assert (await phones.check(ANNA, code)).status_code == 401


async def test_a_code_is_good_for_five_minutes_and_five_tries_and_only_the_newest_is(phones: Phones) -> None:
    await join(phones)
    late = await phones.code(ANNA)
    phones.place.clock.move(minutes=5, seconds=1)
    assert code_of_error(await phones.check(ANNA, late)) == "wrong_code"
    first, second = await phones.code(ANNA), await phones.code(ANNA)
    assert (await phones.check(ANNA, first)).status_code == (200 if first == second else 401)
    for _ in range(MOST_TRIES - 1):
        await phones.check(ANNA, other(second))
    assert (await phones.check(ANNA, second)).status_code == 401  # five tries are over, though it is right


async def test_a_code_for_one_thing_opens_no_other(phones: Phones, place: Place) -> None:
    await join(phones)
    runtime = phones.place.runtime
    login_id = await login_of(place, ANNA)
    await request_phone_code(place.db, runtime.settings, FAR, phone=ANNA, purpose="proof", login_id=login_id)
    await request_phone_code(place.db, runtime.settings, FAR, phone=ANNA, purpose="chatapp", digits=4)
    await phones.deliver()
    codes = {len(code_in(text)): code_in(text) for text in (await phones.texts(ANNA))[:2]}
    assert set(codes) == {4, 6}
    assert (await phones.check(ANNA, codes[6])).status_code == 401
    assert (await phones.check(ANNA, codes[4])).status_code == 401
    # the other door: it learns whether the number is known, and whom it has let in
    proven = await check_phone_code(
        place.db, runtime.keys, runtime.settings, FAR, phone=ANNA, code=codes[4], purpose="chatapp"
    )
    async with place.db.system() as tx:
        user = await enter_by_phone(tx, runtime.settings, proven, name=None)
        assert await is_phone_known(tx, ANNA, user.workspace_id)
        assert not await is_phone_known(tx, BORIS, user.workspace_id)
    assert (user.name, user.is_new) == ("Anna", False)


async def login_of(place: Place, phone: str) -> Any:
    async with place.db.system() as tx:
        return await tx.fetchval("SELECT id FROM login WHERE phone = $1", phone)


async def test_asking_for_codes_is_limited_by_number_and_by_address(phones: Phones) -> None:
    answers = [await phones.ask(ANNA, address=f"203.0.113.{n}") for n in range(ASK_PHONE.most + 1)]
    assert [answer.status_code for answer in answers] == [202] * ASK_PHONE.most + [429]
    assert answers[-1].json()["error"]["fields"]["retry_after_seconds"] > 3000
    assert (await phones.ask(BORIS)).status_code == 202
    for _ in range(4):
        phones.place.clock.move(hours=1, seconds=1)
        for n in range(ASK_PHONE.most):
            await phones.ask(ANNA, address=f"203.0.113.{n}")
    async with phones.place.db.system() as tx:
        assert await tx.fetchval("SELECT count(*) FROM job") <= ASK_PHONE_DAY.most + 1
    asked = [await phones.ask(f"+7999555{n:04}", address="192.0.2.9") for n in range(61)]
    assert [answer.status_code for answer in asked] == [202] * 60 + [429]


async def test_a_stranger_at_one_address_keeps_nobody_from_signing_in(phones: Phones) -> None:
    await join(phones)
    for day in range(4):
        phones.place.clock.move(hours=6 if day else 24, seconds=1)
        for _ in range(ASK_PHONE_DAY.most):
            await phones.ask(ANNA, address="203.0.113.66")
        for _ in range(GUESS_PHONE.most):
            await phones.check(ANNA, "000000", address="203.0.113.66")
    assert (await phones.ask(ANNA, address="203.0.113.66")).status_code == 429
    assert (await phones.check(ANNA, "000000", address="203.0.113.66")).status_code == 429
    assert (await phones.ask(ANNA, address="198.51.100.7")).status_code == 202
    await phones.deliver()
    code = code_in((await phones.texts(ANNA))[0])
    assert (await phones.check(ANNA, code, address="198.51.100.7")).status_code == 200


async def test_a_workspace_sends_no_more_than_its_limit(phones: Phones) -> None:
    settings = dataclasses.replace(phones.place.runtime.settings, sms_hourly_limit=3)
    phones.delivery._settings = settings
    for n in range(5):
        assert (await phones.ask(f"+7999555020{n}")).status_code == 202
    await phones.deliver()
    assert len(await phones.texts("")) == 3


async def test_ten_thousand_guesses_from_many_addresses_at_once_never_get_more_tries_than_there_are(
    phones: Phones,
) -> None:
    """Through the business function: what stands before it can only take away."""
    await join(phones)
    place, runtime = phones.place, phones.place.runtime
    real = await phones.code(ANNA)
    chance = random.Random(4)
    looked_at = 0

    async def guess(number: int) -> str:
        nonlocal looked_at
        client = Client(address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", user_agent="")
        wrong = other(real) if chance.random() < 0.5 else str(chance.randrange(10**6)).zfill(6)
        try:
            await check_phone_code(
                place.db,
                runtime.keys,
                runtime.settings,
                client,
                phone=ANNA,
                code=other(real) if wrong == real else wrong,
            )
        except Exception as error:
            code = getattr(error, "code", "")
            looked_at += code == "wrong_code"
            return code or repr(error)
        return "right"

    began = time.monotonic()
    told: list[str] = []
    for start in range(0, 10_000, 100):
        told += await asyncio.gather(*(guess(start + n) for n in range(100)))
    assert set(told) == {"wrong_code", "too_many"}
    assert told.count("wrong_code") == GUESS_PHONE.most
    # and now even the right code is refused: all its tries are used, and all of the day's guesses at this number
    assert (await phones.check(ANNA, real, address="172.16.0.1")).status_code == 429
    async with place.db.system() as tx:
        assert await tx.fetchval("SELECT max(tries) FROM phone_code") == MOST_TRIES
    print(f"10 000 guesses in {time.monotonic() - began:.1f} s")


async def test_one_address_guessing_at_many_numbers_is_held_up(phones: Phones) -> None:
    answers = [await phones.check(f"+7999556{n:04}", "123456") for n in range(GUESS_ADDRESS.most + 3)]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [401] * GUESS_ADDRESS.most + [429] * 3
    phones.place.clock.move(hours=24, seconds=1)
    assert (await phones.check(BORIS, "123456")).status_code == 401


async def test_right_codes_do_not_use_up_the_guesses(phones: Phones) -> None:
    await join(phones)
    for _ in range(4):
        phones.place.clock.move(hours=1, seconds=1)
        for _ in range(2):
            assert (await phones.check(ANNA, await phones.code(ANNA))).status_code == 200
    async with phones.place.db.system() as tx:
        assert await tx.fetchval("SELECT max(count) FROM attempt WHERE bucket LIKE 'code_guess%'") == 0


async def test_the_code_is_nowhere_in_the_database(phones: Phones) -> None:
    await phones.ask(ANNA)
    async with phones.place.db.system() as tx:
        code_id = await tx.fetchval("SELECT id FROM phone_code")
        code = code_of(phones.place.runtime.keys, code_id, 6)
        told = await tx.fetchval(
            "SELECT (SELECT string_agg(c::text, ' ') FROM phone_code c) || (SELECT string_agg(j::text, ' ') FROM job j)"
        )
    assert code not in told.replace(code_id.hex, "").replace(str(code_id), "")
    assert code_of(phones.place.runtime.keys, uuid7(), 6) != code


async def test_a_deactivated_user_gets_no_code_and_an_old_one_does_not_let_them_in(phones: Phones) -> None:
    me = (await join(phones))["me"]
    code = await phones.code(ANNA)
    async with await phones.place.signed_in() as owner:
        answer = await owner.patch(f"/v1/users/{me['actor']['id']}", json={"is_deactivated": True})
        assert answer.status_code == 200
        assert answer.json()["phone"] == ANNA
    assert code_of_error(await phones.check(ANNA, code)) == "deactivated"
    count = len(await phones.texts(ANNA))
    await phones.ask(ANNA)
    await phones.deliver()
    assert len(await phones.texts(ANNA)) == count


async def test_numbers_are_shown_to_staff_only(phones: Phones) -> None:
    opened = await join(phones)
    async with phones.place.client(opened["access_token"]) as member:
        users = (await member.get("/v1/users")).json()["items"]
    assert {user["phone"] for user in users} == {None}


async def test_a_login_with_several_workspaces_says_which_with_the_same_code(
    phones: Phones, founded: Founded
) -> None:
    await join(phones)
    workspace_id = uuid7()
    async with phones.place.db.system() as tx:
        await tx.execute("INSERT INTO workspace (id, name) VALUES ($1, 'Second')", workspace_id)
        await tx.execute(
            """INSERT INTO actor (workspace_id, id, kind, name, role, login_id)
            SELECT $1, $2, 'user', 'Anna', 'agent', id FROM login WHERE phone = $3""",
            workspace_id, uuid7(), ANNA,
        )  # fmt: skip
    code = await phones.code(ANNA)
    which = await phones.check(ANNA, code)
    assert (which.status_code, code_of_error(which)) == (409, "choose_workspace")
    chosen = await phones.check(ANNA, code, workspace_id=public_id("ws", workspace_id))
    assert chosen.json()["me"]["actor"]["role"] == "agent"


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ({"kind": "code", "value": 220}, RetryLater),
        ({"kind": "status", "value": 503}, RetryLater),
        ({"kind": "code", "value": 201}, AccountBroken),
        ({"kind": "code", "value": 207}, None),
        ({"kind": "status", "value": 500}, None),
    ],
)
async def test_a_provider_that_fails_is_asked_again_only_when_that_can_help(
    phones: Phones, fault: dict[str, Any], raised: type[Exception] | None
) -> None:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=phones.sandbox),  # type: ignore[arg-type]
        base_url="http://127.0.0.1",
    ) as control:
        assert (await control.post("/control/sms/faults", json=fault)).status_code == 200
    await phones.ask(ANNA)
    if raised is None:
        assert await phones.deliver() == 1
        assert await phones.texts(ANNA) == []
    else:
        with pytest.raises(raised):
            await phones.deliver()


def test_numbers_have_one_form() -> None:
    for text in ("+7 999 555-01-01", "+7(999)5550101", " +79995550101 ", "tel:+7-999-555-01-01"):
        assert require_phone(text) == ANNA
    assert require_phone("8 999 555-01-01", "RU") == ANNA
    for text in (
        "8 999 555-01-01",
        "",
        "+",
        "+7",
        "abc",
        "+7999555010100000000",
        "0" * 200,
        "+1 2",
        "\0",
        "+٧",
    ):
        with pytest.raises(Malformed):
            require_phone(text)


def test_codes_are_read_as_people_type_them() -> None:
    assert read_code(" 123 456 ") == read_code("123-456") == "123456"
    for text in ("", "123", "123456789", "12a456", "１２３４５６"):
        assert read_code(text) == ""
