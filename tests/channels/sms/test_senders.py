"""Every SMS client against the stand-in of its provider: what is taken, refused, and in doubt. No secret is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx2
import msgspec
import pytest

from parley.channels.contract import AccountBroken, RecipientGone, Rejected, Temporary, Uncertain
from parley.channels.sms import PROVIDERS, Sms, SmsAccount, SmsSender, build_sender
from parley.infra.http_client import HttpClient
from parley.sandbox.app import Sandbox, create_app
from parley.sandbox.sms.box import ACCOUNT_SID
from tests.sandbox.conftest import serving

pytestmark = pytest.mark.anyio

KEY = "k3y-of-the-account"
PHONE = "+79995550101"
TEXT = "Ваш код 123456 — никому"
ACCOUNTS = {"smsru": {}, "smsc": {}, "twilio": {"account": ACCOUNT_SID, "sender": "+15005550006"}}


class Stand:
    """A sandbox on a real port."""

    def __init__(self, origin: str, http: HttpClient) -> None:
        self.origin = origin
        self.http = http

    def sender(self, provider: str, **more: Any) -> SmsSender:
        account = {"key": KEY, **ACCOUNTS[provider], "base_url": f"{self.origin}/sms/{provider}", **more}
        return build_sender(self.http, SmsAccount(provider=provider, **account))

    async def control(self, method: str, path: str = "", body: Any = None) -> Any:
        content = msgspec.json.encode(body) if body is not None else None
        answer = await self.http.request(method, f"{self.origin}/control/sms{path}", content=content)
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body)

    async def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.control("GET"))["messages"]
        return found


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    app: Sandbox = create_app(tmp_path / "sandbox.sqlite", sms_key=KEY)
    async with serving(app, app.release) as origin, HttpClient() as http:
        yield Stand(origin, http)


def sms(text: str = TEXT, to: str = PHONE) -> Sms:
    return Sms(to=to, text=text, reference=41)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_text_arrives_as_it_was_written(stand: Stand, provider: str) -> None:
    receipt = await stand.sender(provider).send(sms())
    [message] = await stand.messages()
    assert (message["phone"], message["text"], message["provider"]) == (PHONE, TEXT, provider)
    assert receipt.provider_id == message["provider_id"] != ""


CASES = [
    ("smsru", 220, Temporary), ("smsru", 202, RecipientGone), ("smsru", 207, RecipientGone), ("smsru", 205, Rejected),
    ("smsru", 201, AccountBroken), ("smsru", 999, AccountBroken), ("smsru", 0, Uncertain),
    ("smsc", 9, Temporary), ("smsc", 7, RecipientGone), ("smsc", 8, RecipientGone), ("smsc", 6, Rejected),
    ("smsc", 2, AccountBroken), ("smsc", 3, AccountBroken), ("smsc", 4, AccountBroken),
    ("twilio", 20429, Temporary), ("twilio", 21211, RecipientGone), ("twilio", 21610, RecipientGone),
    ("twilio", 21617, Rejected), ("twilio", 20003, AccountBroken), ("twilio", 21603, AccountBroken),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "value", "kind"), CASES)
async def test_a_providers_own_errors_are_told_apart(
    stand: Stand, provider: str, value: int, kind: type[Exception]
) -> None:
    if value:
        await stand.control("POST", "/faults", {"kind": "code", "value": value})
        with pytest.raises(kind) as caught:
            await stand.sender(provider).send(sms())
        told = f"{caught.value} {caught.value.__dict__}"
        assert KEY not in told
        assert "123456" not in told
        assert PHONE[1:] not in told
    assert await stand.messages() == []


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_may_have_gone_out_is_in_doubt_and_what_did_not_is_not(
    stand: Stand, provider: str
) -> None:
    sender = stand.sender(provider)
    for status, kind in ((500, Uncertain), (503, Temporary), (429, Temporary)):
        await stand.control("POST", "/faults", {"kind": "status", "value": status, "provider": provider})
        with pytest.raises(kind):
            await sender.send(sms(f"{status}"))
    assert await stand.messages() == []
    await stand.control("POST", "/faults", {"kind": "drop"})
    with pytest.raises(Uncertain):
        await sender.send(sms())
    assert len(await stand.messages()) == 1
    with pytest.raises(Temporary):
        await stand.sender(provider, base_url="http://127.0.0.1:9").send(sms())


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_wrong_key_is_the_accounts_fault(stand: Stand, provider: str) -> None:
    with pytest.raises(AccountBroken):
        await stand.sender(provider, key="another").send(sms())


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_number_in_the_stop_list_is_out_of_reach(stand: Stand, provider: str) -> None:
    await stand.control("POST", "/stopped", {"phone": PHONE})
    with pytest.raises(RecipientGone):
        await stand.sender(provider).send(sms())
    await stand.control("POST", "/stopped", {"phone": PHONE, "is_stopped": False})
    await stand.sender(provider).send(sms())


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"sms": []}', b'{"status_code": "100"}', b"\xff", b"[" * 9000]
)
async def test_an_answer_that_is_none_is_in_doubt(provider: str, body: bytes) -> None:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async with HttpClient(transport=httpx2.ASGITransport(app=cast("Any", answer))) as http:
        account = SmsAccount(provider=provider, key=KEY, base_url="http://127.0.0.1", **ACCOUNTS[provider])
        with pytest.raises(Uncertain):
            await build_sender(http, account).send(sms())


async def test_smsc_takes_a_login_and_refuses_the_same_text_twice_in_a_minute(stand: Stand) -> None:
    sender = stand.sender("smsc", account="sandbox")
    await sender.send(sms())
    with pytest.raises(Temporary) as caught:
        await sender.send(sms())
    assert caught.value.retry_after_seconds == 60


async def test_smsc_without_a_charset_reads_windows_1251(stand: Stand) -> None:
    """The trap that the client steps around: shown at the stand-in."""
    from urllib.parse import urlencode

    form = urlencode({"apikey": KEY, "phones": PHONE, "mes": "код", "fmt": "3"}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    await stand.http.request("POST", f"{stand.origin}/sms/smsc/sys/send.php", content=form, headers=headers)
    [message] = await stand.messages()
    assert message["text"] != "код"


async def test_smsru_fails_a_number_inside_an_answer_that_is_fine(stand: Stand) -> None:
    with pytest.raises(RecipientGone):
        await stand.sender("smsru").send(sms(to="+7123"))
    with pytest.raises(RecipientGone):
        await stand.sender("twilio").send(sms(to="+7123"))


async def test_what_was_taken_can_be_asked_for(stand: Stand) -> None:
    ids = {name: (await stand.sender(name).send(sms(name))).provider_id for name in PROVIDERS}
    get = stand.http.request
    smsru = await get(
        "GET", f"{stand.origin}/sms/smsru/sms/status?api_id={KEY}&sms_id={ids['smsru']},x&json=1"
    )
    told = msgspec.json.decode(smsru.body)["sms"]
    assert (told[ids["smsru"]]["status_code"], told["x"]["status_code"]) == (103, -1)
    smsc = await get("GET", f"{stand.origin}/sms/smsc/sys/status.php?apikey={KEY}&id={ids['smsc']}&fmt=3")
    assert msgspec.json.decode(smsc.body)["status"] == 1


async def test_the_control_api_refuses_what_it_cannot_do(stand: Stand) -> None:
    for method, path, body, status in (
        ("POST", "/faults", b"{", 422), ("POST", "/faults", b'{"kind": "status", "value": 200}', 422),
        ("POST", "/faults", b'{"kind": "code", "phone": "x"}', 422), ("POST", "/stopped", b'{"phone": "x"}', 422),
        ("GET", "/nothing", None, 404), ("POST", "/stopped", b" " * 70_000, 413),
    ):  # fmt: skip
        answer = await stand.http.request(method, f"{stand.origin}/control/sms{path}", content=body)
        assert answer.status == status, (path, body)
    assert (await stand.control("GET", "?phone=x"))["messages"] == []
    for path in ("/sms/none/x", "/sms/smsru/sms/nothing?api_id=" + KEY, "/sms/twilio/x", "/sms/smsc/%00"):
        assert (await stand.http.request("POST", stand.origin + path, content=b"\xff=%ff")).status < 500


def test_an_account_and_an_sms_show_nothing_of_themselves() -> None:
    account = SmsAccount(provider="smsru", key=KEY, account="a-login")
    assert KEY not in repr(account)
    assert "123456" not in repr(sms())
    assert PHONE not in repr(sms())
