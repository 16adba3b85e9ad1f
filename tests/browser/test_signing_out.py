"""Leaving: nothing is lost that was written, nothing asks on, and the session is over even when nobody could be told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from playwright.async_api import Browser, Error, Page, Route, expect

from tests.browser.scene import sideways
from tests.browser.shots import shoot
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


async def sessions_of(person: Colleague) -> set[str]:
    """Where somebody is signed in. To try a token again and again would end its session by itself."""
    return {one["id"] for one in (await person.call("GET", "/v1/sessions"))["items"]}


async def has_only(person: Colleague, known: set[str]) -> None:
    """Wait until somebody is signed in there alone."""

    async def is_so() -> bool:
        return await sessions_of(person) == known

    await eventually(is_so)


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
    known = await sessions_of(olga)
    window = await olga.window(browser)
    page = window.page
    await expect(page.get_by_role("button", name="Profile menu")).to_be_visible()
    await page.route("**/v1/auth/sign-out", lambda route: route.abort())
    await sign_out(page)
    await page.reload()
    await expect(page.get_by_label("Password", exact=True)).to_be_visible()
    await page.unroute("**/v1/auth/sign-out")
    await page.reload()
    await expect(page.get_by_label("Password", exact=True)).to_be_visible()

    await has_only(olga, known)
    assert window.complaints == []


@contextlib.asynccontextmanager
async def held(page: Page, path: str) -> AsyncIterator[asyncio.Event]:
    """Have requests of a path wait for the event, which is set at the end at the latest."""
    let_go = asyncio.Event()

    async def hold(route: Route) -> None:
        await let_go.wait()
        # the page may have given it up
        with contextlib.suppress(Error):
            await route.continue_()

    await page.route(path, hold)
    try:
        yield let_go
    finally:
        let_go.set()
        await page.unroute(path)


@pytest.mark.parametrize(
    ("locale", "color_scheme", "width"),
    [("en-US", "light", 1440), ("ru-RU", "dark", 1440), ("ru-RU", "light", 390), ("en-US", "dark", 390)],
)
async def test_who_leaves_sees_that_it_is_being_done(
    server: Server, browser: Browser, locale: str, color_scheme: Literal["light", "dark"], width: int
) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    chat = await boris.open(olga)
    await boris.say(chat, "hello")
    window = await olga.window(
        browser, locale=locale, color_scheme=color_scheme, width=width, path=f"/chats/{chat}"
    )
    page = window.page
    is_russian = locale == "ru-RU"
    await expect(page.locator("textarea")).to_be_editable()
    async with held(page, "**/v1/auth/sign-out") as let_go:
        if width < 768:
            await page.get_by_role(
                "button", name="Назад к списку" if is_russian else "Back to the list"
            ).click()
            await page.get_by_role("button", name="Открыть меню" if is_russian else "Open the menu").click()
        await page.get_by_role("button", name="Меню профиля" if is_russian else "Profile menu").click()
        async with page.expect_request("**/v1/auth/sign-out"):
            await page.get_by_role("menuitem", name="Выйти" if is_russian else "Sign out").press("Enter")
        splash = page.get_by_role("status").filter(has_text="Выходим…" if is_russian else "Signing out…")
        await expect(splash).to_be_visible()
        # in words once it takes a while
        await expect(splash.get_by_text("…")).to_have_css("opacity", "1")
        # nothing else is there to be used, and nothing lies over it
        await expect(page.get_by_role("button")).to_have_count(0)
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert await sideways(page) <= 0
        await shoot(page, f"signing-out-{locale[:2]}-{color_scheme}-{width}")
        let_go.set()
        await expect(page.locator("input[type=email]")).to_be_focused()
    await expect(splash).to_have_count(0)
    assert window.complaints == window.refusals == []


async def test_a_server_that_does_not_answer_keeps_nobody_and_learns_of_it_later(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    known = await sessions_of(olga)
    window = await olga.window(browser)
    page = window.page
    async with held(page, "**/v1/auth/sign-out"):
        await sign_out(page)
        assert len(await sessions_of(olga)) == len(known) + 1
    await page.reload()
    await expect(page.get_by_label("Password", exact=True)).to_be_visible()

    await has_only(olga, known)
    assert window.complaints == []
