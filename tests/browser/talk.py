"""Colleagues who talk: people of one workspace, their windows, and what they say by the API."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
from collections.abc import AsyncIterator
from typing import Literal
from uuid import uuid4

import httpx2
from playwright.async_api import Browser, Locator, Page

from tests.browser.conftest import Window, open_window
from tests.browser.scene import sign_in
from tests.programs import PASSWORD, Json, Server, eventually


@dataclasses.dataclass(frozen=True)
class Colleague:
    """Somebody of the workspace."""

    server: Server
    name: str
    id: str
    email: str
    token: str

    async def call(self, method: str, path: str, json: Json = None) -> Json:
        """Do one request as this person. Raises: AssertionError unless it succeeds."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = await self.server.http.request(method, path, json=json, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def open(self, *others: Colleague, kind: str = "direct", title: str | None = None) -> str:
        """Open a chat; return its id."""
        members = [other.id for other in others]
        body = {"kind": kind, "members": members, **({"title": title} if title else {})}
        return str((await self.call("POST", "/v1/conversations", body))["id"])

    async def say(self, chat: str, *texts: str) -> None:
        """Send messages, one after another."""
        for text in texts:
            body = {"client_id": str(uuid4()), "text": text}
            await self.call("POST", f"/v1/conversations/{chat}/messages", body)

    async def window(
        self,
        browser: Browser,
        *,
        locale: str = "en-US",
        width: int = 1440,
        height: int = 900,
        color_scheme: Literal["light", "dark"] = "light",
        is_touch: bool = False,
        path: str = "/chats",
    ) -> Window:
        """Open a window of its own, signed in, at the chats."""
        context = await browser.new_context(
            locale=locale,
            viewport={"width": width, "height": height},
            color_scheme=color_scheme,
            has_touch=is_touch,
            reduced_motion="reduce",
        )
        window = await open_window(context, self.server.url)
        await sign_in(window.page, self.email)
        await window.page.goto(f"{self.server.url}{path}")
        return window


async def set_up_owner(server: Server) -> Colleague:
    """Create the workspace; return its owner, who has the desk as well."""
    made = await server.set_up()
    return Colleague(
        server, "Olga Owner", made["me"]["actor"]["id"], "olga@example.org", made["access_token"]
    )


async def join(owner: Colleague, name: str, role: str = "member") -> Colleague:
    """Invite somebody, and have them accept."""
    server = owner.server
    email = f"{name.split(maxsplit=1)[0].lower()}@example.org"
    if not email.isascii():
        email = f"{uuid4().hex[:8]}@example.org"
    made = await owner.call("POST", "/v1/users", {"name": name, "email": email, "role": role})
    token = made["invite_url"].split("#token=")[1]
    async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as client:
        answer = await client.post("/v1/invitations/accept", json={"token": token, "password": PASSWORD})
    assert answer.is_success, answer.text
    return Colleague(server, name, made["user"]["id"], email, answer.json()["access_token"])


def chat_row(page: Page, name: str) -> Locator:
    """The line of a chat in the list."""
    return page.get_by_role("listitem").filter(has_text=name)


async def write(page: Page, text: str) -> None:
    """Write into the open chat."""
    area = page.locator("textarea").first
    await area.fill(text)
    if await page.evaluate("matchMedia('(pointer: coarse)').matches"):
        await page.get_by_role("button", name=re.compile("^(Send|Отправить)$")).tap()
    else:
        await area.press("Enter")


@contextlib.asynccontextmanager
async def going_on_typing(area: Locator) -> AsyncIterator[None]:
    """As long as this lasts somebody writes a letter every second: the mark of one that was seen is soon gone."""
    is_over = asyncio.Event()

    async def type_on() -> None:
        while not is_over.is_set():
            await area.press_sequentially("д")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), 1)

    typing = asyncio.create_task(type_on())
    try:
        yield
    finally:
        is_over.set()
        await typing


async def at_hand(row: Locator, name: str) -> Locator:
    """Point at a message until its button of this name is there: what comes meanwhile moves it away below the mouse."""
    button = row.get_by_role("button", name=name)

    async def is_there() -> bool:
        await row.hover()
        return await button.is_visible()

    await eventually(is_there)
    return button


async def message_menu(log: Locator, text: str, name: str) -> None:
    """Open the menu, called `name`, of the first message of a thread with these words."""
    await (await at_hand(log.locator("[data-key]").filter(has_text=text).first, name)).click()
