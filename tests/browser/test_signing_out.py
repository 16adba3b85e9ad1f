"""Leaving: nothing is lost that was written, nothing asks on, and the session is over even when nobody could be told."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.talk import Colleague, join, set_up_owner
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio


async def sign_out(page: Page) -> None:
    await page.get_by_role("button", name="Profile menu").click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await expect(page.get_by_label("Password", exact=True)).to_be_visible()


async def refresh_token(page: Page) -> str:
    [token] = [
        kept["value"] for kept in await page.context.cookies() if kept["name"].endswith("parley_refresh")
    ]
    return str(token)


async def is_over(person: Colleague, token: str) -> bool:
    answer = await person.server.http.post("/v1/auth/refresh", json={"refresh_token": token})
    return answer.status_code == 401


async def test_what_is_being_written_stays_and_what_is_being_read_is_let_go(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    chat = await boris.open(olga)
    await boris.say(chat, "hello")
    window = await olga.window(browser, path="/chats")
    page = window.page
    asked = asyncio.Event()

    async def slowly(route: Route) -> None:
        asked.set()
        await asyncio.sleep(1)
        await route.continue_()

    await page.route("**/messages?*", slowly)
    await page.get_by_role("listitem").filter(has_text="Boris").click()
    await page.locator("textarea").fill("half a sent")
    await asked.wait()
    token = await refresh_token(page)
    await sign_out(page)
    assert await is_over(olga, token)

    async def is_kept() -> bool:
        drafts = (await olga.call("GET", "/v1/drafts"))["items"]
        return [one["text"] for one in drafts] == ["half a sent"]

    # who leaves waits for it, but not for ever
    await eventually(is_kept)
    await asyncio.sleep(1.2)  # the slow answer would be here by now
    assert window.complaints == window.refusals == []


async def test_a_session_left_without_a_network_ends_when_there_is_one_again(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    window = await olga.window(browser)
    page = window.page
    await expect(page.get_by_role("button", name="Profile menu")).to_be_visible()
    token = await refresh_token(page)
    await page.route("**/v1/auth/sign-out", lambda route: route.abort())
    await sign_out(page)
    await page.reload()
    await expect(page.get_by_label("Password", exact=True)).to_be_visible()
    await page.unroute("**/v1/auth/sign-out")
    await page.reload()
    await expect(page.get_by_label("Password", exact=True)).to_be_visible()

    async def is_ended() -> bool:
        return await is_over(olga, token)

    await eventually(is_ended)
    assert window.complaints == []
