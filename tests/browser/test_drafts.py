"""What was begun on one device, on the other one: it follows, and it is gone once it was sent."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.talk import Colleague, join, set_up_owner, write
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio


async def drafts_of(person: Colleague) -> list[str]:
    return [one["text"] for one in (await person.call("GET", "/v1/drafts"))["items"]]


async def two_devices(server: Server, browser: Browser) -> tuple[Colleague, Page, Page]:
    """Olga at her desk and on her phone, in one chat with Maria."""
    olga = await set_up_owner(server)
    maria = await join(olga, "Maria Petrova")
    chat = await maria.open(olga)
    await maria.say(chat, "hello")
    desk = await olga.window(browser, path=f"/chats/{chat}")
    phone = await olga.window(browser, path=f"/chats/{chat}", width=390, height=760, is_touch=True)
    for page in (desk.page, phone.page):
        await expect(page.get_by_role("log")).to_contain_text("hello")
    return olga, desk.page, phone.page


async def test_a_slow_save_does_not_bring_back_what_was_sent(server: Server, browser: Browser) -> None:
    olga, desk, phone = await two_devices(server, browser)

    async def slowly(route: Route) -> None:
        if route.request.method == "PUT":
            await asyncio.sleep(1.5)
        await route.continue_()

    await desk.route("**/draft", slowly)
    # the slow save, and what takes it back after it
    async with desk.expect_response(lambda answer: answer.request.method == "DELETE"):
        async with desk.expect_request(lambda request: request.method == "PUT" and "/draft" in request.url):
            await desk.locator("textarea").fill("on my way")
        await write(desk, "on my way")
        await expect(phone.get_by_role("log")).to_contain_text("on my way")
    assert await drafts_of(olga) == []
    for page in (desk, phone):
        await expect(page.locator("textarea")).to_have_value("")
    # and the other way round a draft still follows
    await phone.locator("textarea").fill("see you")
    await expect(desk.locator("textarea")).to_have_value("see you")
    await write(desk, "see you")
    await expect(phone.locator("textarea")).to_have_value("")


async def test_what_was_sent_without_a_network_or_while_the_other_was_closed_is_gone_everywhere(
    server: Server, browser: Browser
) -> None:
    olga, desk, phone = await two_devices(server, browser)
    await desk.locator("textarea").fill("half a thought")
    await expect(phone.locator("textarea")).to_have_value("half a thought")
    address = phone.url
    await phone.goto("about:blank")
    await desk.context.set_offline(True)
    await write(desk, "a whole thought")
    await desk.wait_for_timeout(300)
    assert await drafts_of(olga) == ["half a thought"]
    await desk.context.set_offline(False)

    async def is_gone() -> bool:
        return await drafts_of(olga) == []

    await eventually(is_gone, 60)
    await phone.goto(address)
    await expect(phone.get_by_role("log")).to_contain_text("a whole thought")
    await expect(phone.locator("textarea")).to_have_value("")
