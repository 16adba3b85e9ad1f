"""What is at hand without opening a chat: its menu; and the search of what was said, in the chats and at the desk."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.scene import enter, focus_is_seen, nameless, open_scene, sideways
from tests.browser.talk import chat_row, join, set_up_owner
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio


async def test_a_chat_is_kept_in_order_from_its_row(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    maria = await join(olga, "Maria Petrova")
    for title in ("Design", "Supply"):
        await maria.say(await maria.open(olga, kind="group", title=title), "one", "two")
    window = await olga.window(browser)
    page = window.page
    menu, supply = page.get_by_role("menu"), chat_row(page, "Supply")

    # by the second button: read, and nothing was opened
    await supply.click(button="right")
    await menu.get_by_role("menuitem", name="Mark as read").click()
    await expect(supply.get_by_text("2", exact=True)).to_have_count(0)
    await expect(page.get_by_role("log")).to_have_count(0)
    await expect(supply.locator("button").first).to_be_focused()
    # by key, and the focus comes back
    await page.keyboard.press("Shift+F10")
    await expect(menu.get_by_role("menuitem").first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(supply.locator("button").first).to_be_focused()
    # by its button, one Tab further
    await page.keyboard.press("Tab")
    assert await focus_is_seen(page)
    await page.keyboard.press("Enter")
    assert await nameless(page) == []
    await menu.get_by_role("menuitem", name="Move to archive").click()
    await expect(supply).to_have_count(0)
    await chat_row(page, "Design").click(button="right")
    await menu.get_by_role("menuitem", name="Leave the chat").click()
    await page.get_by_role("dialog").get_by_role("button", name="Leave the chat").click()
    await expect(chat_row(page, "Design")).to_have_count(0)
    assert window.complaints == window.refusals == []


async def test_a_long_press_opens_the_menu_and_not_the_chat(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    maria = await join(olga, "Maria Petrova")
    for title in ("Design", "Supply"):
        await maria.say(await maria.open(olga, kind="group", title=title), "one")
    window = await olga.window(browser, locale="ru-RU", width=390, height=760, is_touch=True)
    page = window.page
    # once the line stands nothing moves the rows any more
    async with page.expect_response(lambda answer: "/v1/drafts" in answer.url):
        await page.reload()
    await chat_row(page, "Design").wait_for()
    box = await chat_row(page, "Design").bounding_box()
    assert box
    fingers = await page.context.new_cdp_session(page)
    place = {"x": box["x"] + 120, "y": box["y"] + 30}
    await fingers.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [place]})
    await page.get_by_role("menuitem", name="Закрепить").wait_for()
    await fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert await sideways(page) <= 0
    await page.get_by_role("menuitem", name="Закрепить").tap()
    await expect(page.get_by_role("listitem").first).to_contain_text("Design")
    await expect(page.get_by_role("log")).to_have_count(0)
    assert window.complaints == window.refusals == []


async def test_the_desk_finds_what_customers_said_and_goes_there(server: Server, browser: Browser) -> None:
    scene = await open_scene(server)
    await scene.customer("Zoe", "where is my parcel", *[f"line {n}" for n in range(70)])
    await scene.customer("Ann", "a parcel came")
    window = await enter(browser, server)
    page = window.page
    panel = page.get_by_role("complementary", name="Search messages")

    async def is_found() -> bool:
        found = await server.call("GET", "/v1/search/messages?query=parcels")
        return len(found["items"]) == 2

    await eventually(is_found)
    await page.get_by_role("button", name="Search all messages").click()
    await page.keyboard.type("parcels")
    await expect(panel.get_by_role("listitem")).to_have_count(2)
    # a hit opens where it stands, far up; the search stays, and narrows to what is open
    await panel.get_by_role("listitem").filter(has_text="where is").click()
    await expect(page.get_by_role("log").get_by_text("where is my parcel")).to_be_in_viewport()
    await panel.get_by_text("Here", exact=True).click()
    await expect(panel.get_by_role("listitem")).to_have_count(1)
    await panel.get_by_role("button", name="Filters").click()
    await panel.get_by_role("button", name="From").click()
    await page.keyboard.type("olg")
    await page.get_by_role("option", name="Olga Owner").click()
    await expect(panel.get_by_text("Nothing found")).to_be_visible()
    assert await nameless(page) == []
    await panel.get_by_role("button", name="Close").press("Escape")
    await expect(panel).to_have_count(0)
    assert window.complaints == window.refusals == []
