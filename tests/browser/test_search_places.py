"""Searching everywhere in one chat of many, with several kinds of things at once, from somebody of all people."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.scene import nameless, sideways
from tests.browser.talk import join, set_up_owner
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio


async def test_a_search_is_narrowed_to_a_chat_and_a_person_that_are_not_open(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    boris, vera = await join(olga, "Boris"), await join(olga, "Vera")
    tea = await olga.open(boris, vera, kind="group", title="Tea")
    cups = await olga.open(boris, vera, kind="group", title="Cups")
    await boris.say(tea, "kettle of tea https://example.org/tea")
    await vera.say(tea, "kettle is hot")
    await boris.say(cups, "kettle and cups")

    async def are_found() -> bool:
        return len((await olga.call("GET", "/v1/search/messages?query=kettle"))["items"]) == 3

    await eventually(are_found)
    window = await olga.window(
        browser, path="/chats", locale="ru-RU", width=390, height=760, color_scheme="dark", is_touch=True
    )
    page = window.page
    await page.get_by_role("button", name="Поиск по всем сообщениям").tap()
    panel = page.get_by_role("complementary", name="Поиск сообщений")
    found = panel.get_by_role("list", name="Найденные сообщения").get_by_role("listitem")
    await panel.get_by_role("searchbox").fill("kettle")
    await expect(found).to_have_count(3)
    await panel.get_by_role("button", name="Фильтры").tap()
    assert await nameless(page) == []

    # in a chat
    # the dialog stands a moment after the finger is off
    field = page.get_by_role("dialog").get_by_role("combobox")
    await panel.get_by_role("button", name="В чате").tap()
    await expect(field).to_be_focused()
    await page.keyboard.type("te")
    await page.keyboard.press("Enter")
    await expect(found).to_have_count(2)
    # from a person, found by name
    await panel.get_by_role("button", name="От кого").tap()
    await expect(field).to_be_focused()
    await page.keyboard.type("bor")
    await expect(page.get_by_role("option", name="Olga")).to_have_count(0)
    await page.get_by_role("option", name="Boris").tap()
    await expect(found).to_have_count(1)
    assert await sideways(page) <= 0
    assert await nameless(page) == []
    # with all that is chosen
    await panel.get_by_role("button", name="Ссылки", exact=True).tap()
    await expect(found).to_have_count(1)
    await panel.get_by_role("button", name="Фото", exact=True).tap()
    await expect(found).to_have_count(0)
    await panel.get_by_role("button", name="Фото", exact=True).tap()
    # taken away again
    for label in ("В чате", "От кого"):
        await panel.get_by_role("button", name=f"Сбросить: {label}").tap()
    await panel.get_by_role("button", name="Ссылки", exact=True).tap()
    await expect(found).to_have_count(3)
    assert window.complaints == window.refusals == []
