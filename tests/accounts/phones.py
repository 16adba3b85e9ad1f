"""A phone beside the accounts' server: codes go through a provider's client to the stand-in, and are read there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import httpx2

from parley.accounts import SEND_CODE_KIND, CodeDelivery
from parley.channels.sms import SmsAccount, build_sender
from parley.infra.http_client import HttpClient
from parley.infra.jobs import Job
from parley.kit.ids import uuid7
from parley.sandbox.app import create_app
from tests.accounts.place import Place

ANNA, BORIS = "+79995550101", "+79995550102"


class Phones:
    """The stand-in's box, and the job that fills it, done when a test says so."""

    def __init__(self, place: Place, folder: Path, provider: str = "smsru") -> None:
        self.place = place
        self.sandbox = create_app(folder / "sandbox.sqlite")
        self.http = HttpClient(transport=httpx2.ASGITransport(app=cast("Any", self.sandbox)))
        account = SmsAccount(provider=provider, key="sandbox", base_url=f"http://127.0.0.1/sms/{provider}")
        runtime = place.runtime
        sender = build_sender(self.http, account)
        self.delivery = CodeDelivery(runtime.db, runtime.keys, runtime.settings, sender)

    async def close(self) -> None:
        await self.http.close()
        await self.sandbox.stop()

    async def deliver(self) -> int:
        """Do the jobs that wait; return how many there were."""
        async with self.place.db.system() as tx:
            rows = await tx.fetch("DELETE FROM job WHERE kind = $1 RETURNING payload", SEND_CODE_KIND)
        for row in rows:
            await self.delivery.handle(
                Job(uuid7(), SEND_CODE_KIND, row["payload"], None, 1, cast("Any", None))
            )
        return len(rows)

    async def texts(self, phone: str) -> list[str]:
        """What came to a number, newest first."""
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=cast("Any", self.sandbox)), base_url="http://127.0.0.1"
        )
        async with client:
            answer = await client.get("/control/sms", params={"phone": phone})
            return [message["text"] for message in answer.json()["messages"]]

    async def ask(self, phone: str, *, address: str = "10.0.0.1", **more: Any) -> httpx2.Response:
        """Ask for a code; it is sent only by `deliver`."""
        async with self.place.client(address=address) as client:
            return await client.post("/v1/auth/code", json={"phone": phone, **more})

    async def code(self, phone: str) -> str:
        """Ask for a code, have it sent, and read it."""
        answer = await self.ask(phone)
        assert answer.status_code == 202, answer.text
        await self.deliver()
        return code_in((await self.texts(phone))[0])

    async def check(
        self, phone: str, code: str, *, address: str = "10.0.0.1", **more: Any
    ) -> httpx2.Response:
        """Sign in as a program does."""
        body = {"phone": phone, "code": code, "refresh_in_body": True, **more}
        async with self.place.client(address=address) as client:
            return await client.post("/v1/auth/code/check", json=body)


def code_in(text: str) -> str:
    """Return the code of an SMS."""
    found = re.search(r"\d{4,8}", text)
    assert found is not None, text
    return found[0]


def other(code: str) -> str:
    """Return a code of the same length that is another."""
    return str((int(code) + 1) % 10 ** len(code)).zfill(len(code))
