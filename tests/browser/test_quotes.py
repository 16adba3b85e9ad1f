"""Answering with the very words one means, and with any emoji."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.scene import nameless
from tests.browser.talk import join, set_up_owner, write
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio

CHOOSE = """(words) => {
    for (const root of document.querySelectorAll('[role=log] [data-words]')) {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        for (let node; (node = walker.nextNode()); ) {
            const at = node.data.indexOf(words);
            if (at < 0) continue;
            getSelection().setBaseAndExtent(node, at, node, at + words.length);
            return;
        }
    }
}"""
"""Chooses words of the thread, as dragging over them does."""


async def reply_to(page: Page, text: str, button: str, *, menu: str | None = None) -> None:
    row = page.get_by_role("log").locator("[data-key]").filter(has_text=text).first
    await row.hover()
    if menu is None:
        await row.get_by_role("button", name=button).click()
    else:
        await row.get_by_role("button", name=menu).click()
        await page.get_by_role("menuitem", name=button).click()


async def test_the_chosen_words_of_a_message_are_quoted_in_the_reply(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    chat = await boris.open(olga)
    await boris.say(chat, "Tea at four, or coffee at five?")
    window = await olga.window(browser, path=f"/chats/{chat}")
    page = window.page
    log = page.get_by_role("log")
    await expect(log).to_contain_text("Tea at four")

    await page.evaluate(CHOOSE, "coffee at five")
    await reply_to(page, "Tea at four", "Reply")
    composer = page.get_by_role("main")
    await expect(composer).to_contain_text("Quote of Boris")
    await write(page, "that one")
    await expect(log.locator("[data-delivery=sent], [data-delivery=read]")).to_have_count(1)
    answer = log.locator("[data-key]").filter(has_text="that one")
    await expect(answer).to_contain_text("coffee at five")
    await expect(answer).not_to_contain_text("Tea at four")

    # by the menu as well; and of words that were taken back meanwhile nothing is quoted, but it is answered
    await page.evaluate(CHOOSE, "Tea at four")
    await reply_to(page, "or coffee at five?", "Reply", menu="Message menu")
    await expect(composer).to_contain_text("Quote of Boris")
    [first, _] = (await boris.call("GET", f"/v1/conversations/{chat}/messages"))["items"]
    await boris.call("PATCH", f"/v1/conversations/{chat}/messages/{first['id']}", {"text": "Juice at six?"})
    await expect(log).to_contain_text("Juice at six?")
    await write(page, "gladly")
    await expect(log.locator("[data-delivery=sent], [data-delivery=read]")).to_have_count(2)

    # all of it, or nothing: a plain reply
    await page.evaluate(CHOOSE, "Juice at six?")
    await reply_to(page, "Juice at six?", "Reply")
    await expect(composer).to_contain_text("Reply to Boris")
    await write(page, "or seven")
    await expect(log.locator("[data-delivery=sent], [data-delivery=read]")).to_have_count(3)
    said = (await olga.call("GET", f"/v1/conversations/{chat}/messages"))["items"]
    assert [one["reply_to"]["quote"] for one in said[1:]] == ["coffee at five", None, None]
    assert await nameless(page) == []
    assert window.complaints == []


async def test_any_emoji_of_the_picker_is_a_reaction_also_by_keyboard(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    chat = await boris.open(olga)
    await boris.say(chat, "the parcel is here")
    window = await olga.window(browser, path=f"/chats/{chat}", locale="ru-RU", color_scheme="dark")
    page = window.page
    row = page.get_by_role("log").locator("[data-key]").filter(has_text="the parcel is here")
    await row.focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("menuitem", name="Больше эмодзи").press("Enter")
    await page.get_by_role("menuitem", name="📦").press("Enter")
    await expect(row.get_by_role("button", name="📦")).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_role("menu")).to_have_count(0)

    # shown at once, and told to the server behind that
    async def is_stored() -> bool:
        [said] = (await boris.call("GET", f"/v1/conversations/{chat}/messages"))["items"]
        return [one["emoji"] for one in said["reactions"]] == ["📦"]

    await eventually(is_stored)
    assert window.complaints == window.refusals == []
