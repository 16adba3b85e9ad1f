"""Rows of the desk have a menu as those of the chats have; and what opened a dialog gets the focus back."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.scene import enter, focus_is_seen, nameless, open_scene, row_of, sideways
from tests.browser.talk import join, set_up_owner
from tests.programs import Json, Server, eventually

pytestmark = pytest.mark.anyio


async def test_conversations_are_put_in_order_from_their_rows(server: Server, browser: Browser) -> None:
    scene = await open_scene(server)
    agent = await server.call(
        "POST", "/v1/users", {"name": "Boris", "email": "boris@example.org", "role": "agent"}
    )
    await server.call("PUT", f"/v1/inboxes/{scene.inbox['id']}/members/{agent['user']['id']}")
    await server.call("POST", "/v1/users", {"name": "Bella", "email": "bella@example.org", "role": "agent"})
    customers = [await scene.customer(name, "hello") for name in ("Ann", "Mia", "Zoe")]
    window = await enter(browser, server)
    page = window.page
    menu, dialog = page.get_by_role("menu"), page.get_by_role("dialog")

    async def become(index: int, **wanted: Json) -> None:
        async def is_so() -> bool:
            row = await scene.conversation(customers[index])
            return all((row[key] or {}).get("name") == value if key == "assignee" else row[key] == value
                       for key, value in wanted.items())  # fmt: skip

        await eventually(is_so)

    # by the second button, and nothing is opened: only who sees the conversation can have it
    await row_of(page, "Ann").click(button="right")
    await menu.get_by_role("menuitem", name="Assign…").click()
    await expect(dialog.get_by_role("option")).to_have_text([r"OOOlga OwnerYou", "BBoris", "Nobody"])
    await page.keyboard.type("bo")
    await expect(dialog.get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Enter")
    await become(0, assignee="Boris")
    await expect(page.get_by_role("log")).to_have_count(0)

    # by keyboard: the focus comes back to the row, also from the dialog
    ann = row_of(page, "Ann").locator("button").first
    await expect(ann).to_be_focused()
    await page.keyboard.press("Shift+F10")
    await menu.get_by_role("menuitem", name="Snooze").press("Enter")
    await expect(dialog.get_by_role("button", name="Later").or_(dialog.get_by_role("button", name="Tomorrow"))
                 .first).to_be_focused()  # fmt: skip
    await page.keyboard.press("Escape")
    await expect(ann).to_be_focused()
    assert await focus_is_seen(page)

    # what leaves the list gives the focus to its neighbour, and can be had back
    await row_of(page, "Mia").click(button="right")
    await menu.get_by_role("menuitem", name="Resolve").press("Enter")
    undo = page.get_by_role("button", name="Undo")
    # under the mouse it waits
    await undo.hover()
    await expect(row_of(page, "Mia")).to_have_count(0)
    await expect(page.locator("[data-conversation]:focus")).to_have_count(1)
    await become(1, status="resolved")
    await undo.click()
    await expect(row_of(page, "Mia")).to_be_visible()
    await become(1, status="open")

    # by the button above the row
    await row_of(page, "Zoe").hover()
    await page.get_by_role("button", name="Actions: Zoe").click()
    assert await nameless(page) == []
    await menu.get_by_role("menuitem", name="Mark as read").click()
    await expect(row_of(page, "Zoe").get_by_text("unread")).to_have_count(0)
    await page.get_by_role("button", name="Actions: Zoe").click()
    await menu.get_by_role("menuitem", name="Assign to me").click()
    await become(2, assignee="Olga Owner", unread=0)
    assert window.complaints == window.refusals == []


async def test_a_customer_is_named_however_much_stands_beside_the_thread(
    server: Server, browser: Browser
) -> None:
    scene = await open_scene(server)
    await scene.customer("Zoe Longname", "hello")
    window = await enter(browser, server, width=1280, height=800, locale="ru-RU")
    page = window.page
    await row_of(page, "Zoe").click()
    name = page.locator("header").get_by_text("Zoe Longname")
    for panel in ("details", "search"):
        button = page.locator(f"main [data-opens={panel}]")
        if await button.get_attribute("aria-pressed") != "true":
            await button.click()
        await expect(page.get_by_role("complementary")).to_be_visible()
        width = await name.evaluate("(name) => [name.clientWidth, name.scrollWidth]")
        assert width[0] >= width[1], panel
    assert await sideways(page) <= 0
    assert window.complaints == window.refusals == []


async def test_what_a_menu_asked_gives_the_focus_back_to_the_menu(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    group = await olga.open(boris, kind="group", title="Tea")
    window = await olga.window(browser, path=f"/chats/{group}")
    page = window.page
    await page.get_by_role("button", name="Details").click()
    opener = page.get_by_role("button", name="Actions with Boris")
    await opener.click()
    await page.get_by_role("menuitem", name="Keep out").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(opener).to_be_focused()
    assert window.complaints == window.refusals == []


async def test_a_finger_hits_what_it_is_meant_for(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    group = await olga.open(boris, kind="group", title="Tea")
    await boris.say(group, "the kettle is on")
    window = await olga.window(browser, locale="ru-RU", width=360, height=740, is_touch=True)
    page = window.page
    small = """() => [...document.querySelectorAll('button, input:not([type=radio]):not([type=file])')]
        .filter((e) => e.checkVisibility() && e.offsetHeight < 40)
        .map((e) => e.outerHTML.slice(0, 200))"""
    await expect(row_of(page, "Tea")).to_be_visible()
    assert await page.evaluate(small) == []
    await row_of(page, "Tea").tap()
    await expect(page.get_by_role("log")).to_contain_text("the kettle is on")
    assert await page.evaluate(small) == []
    await page.get_by_role("button", name="Сведения").tap()
    await expect(page.get_by_role("region", name="Участники")).to_be_visible()
    assert await page.evaluate(small) == []
    await page.get_by_role("button", name="Новая ссылка").tap()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await page.evaluate(small) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Закрыть").tap()
    await page.get_by_role("button", name="Поиск сообщений").tap()
    await page.get_by_role("button", name="Фильтры").tap()
    assert await page.evaluate(small) == []
    assert await sideways(page) <= 0
    assert window.complaints == window.refusals == []


async def test_the_field_is_as_high_as_its_words(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    chat = await olga.open(await join(olga, "Boris"))
    window = await olga.window(browser, path=f"/chats/{chat}")
    area = window.page.get_by_role("textbox", name="Message")
    low = await area.evaluate("(area) => area.offsetHeight")
    await area.fill("line\n" * 5)
    assert await area.evaluate("(area) => area.offsetHeight") > low + 40
    await area.fill("line")
    assert await area.evaluate("(area) => area.offsetHeight") == low
    assert window.complaints == window.refusals == []


async def test_a_long_press_at_the_desk_asks_and_gives_the_focus_to_the_row(
    server: Server, browser: Browser
) -> None:
    scene = await open_scene(server)
    await scene.customer("Zoe", "hello")
    window = await enter(browser, server, locale="ru-RU", width=360, height=740, is_touch=True)
    page = window.page
    await expect(row_of(page, "Zoe")).to_be_visible()
    box = await row_of(page, "Zoe").bounding_box()
    assert box
    fingers = await page.context.new_cdp_session(page)
    place = {"x": box["x"] + 120, "y": box["y"] + 30}
    await fingers.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [place]})
    await page.get_by_role("menuitem", name="Назначить…").wait_for()
    await fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert await sideways(page) <= 0
    await page.get_by_role("menuitem", name="Назначить…").tap()
    await expect(page.get_by_role("option")).to_have_count(2)
    await page.keyboard.press("Escape")
    await expect(row_of(page, "Zoe").locator("button").first).to_be_focused()
    assert window.complaints == window.refusals == []


async def test_a_day_is_told_in_the_language_on_screen(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    window = await olga.window(browser, locale="ru-RU", width=1280)
    page = window.page
    await page.get_by_role("button", name="Поиск по всем сообщениям").click()
    await page.get_by_role("button", name="Фильтры").click()
    panel = page.get_by_role("complementary")
    await panel.get_by_label("С", exact=True).fill("2026-11-02")
    await panel.get_by_role("searchbox").focus()
    told = panel.get_by_text("2 нояб. 2026", exact=True)
    await expect(told).to_be_visible()
    width = await told.evaluate("(told) => [told.clientWidth, told.scrollWidth]")
    assert width[0] >= width[1]
    assert window.complaints == window.refusals == []
