"""A day at the desk: statuses by keyboard, notes, files, deliveries that need a decision, search."""

from __future__ import annotations

import base64

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.scene import enter, focus_is_seen, nameless, open_scene, picture_bytes, row_of
from tests.browser.talk import message_menu
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio


async def press(page: Page, *keys: str) -> None:
    """Press keys one after another."""
    for key in keys:
        await page.keyboard.press(key)


async def test_a_conversation_is_worked_by_keyboard_alone(server: Server, browser: Browser) -> None:
    scene = await open_scene(server)
    zoe = await scene.customer("Zoe", "hello")
    await scene.customer("Bob", "good day")
    window = await enter(browser, server)
    page = window.page
    log = page.get_by_role("log")
    await expect(row_of(page, "Zoe")).to_be_visible()
    await press(page, "j")
    await expect(log).to_contain_text("good day")
    await press(page, "j")
    await expect(log).to_contain_text("hello")

    # a note is for colleagues
    await press(page, "n")
    await page.keyboard.type("be kind to her")
    await press(page, "Enter")
    await expect(log).to_contain_text("be kind to her")
    await press(page, "Escape", "r")
    await page.keyboard.type("good morning")
    await press(page, "Enter", "Escape")
    await zoe.has_got("good morning")

    # mine, then put off, woken, resolved, and opened again
    await press(page, "i")
    views = page.get_by_role("navigation", name="Views")
    await expect(views.get_by_role("button", name="Mine")).to_contain_text("1")
    await press(page, "s")
    await expect(page.get_by_role("dialog")).to_contain_text("Snooze until")
    await press(page, "Enter")
    tabs = page.get_by_role("group", name="Status")
    await expect(tabs.get_by_role("button", name="Snoozed")).to_contain_text("1")
    await expect(row_of(page, "Zoe")).to_have_count(0)
    await press(page, "o")
    await expect(row_of(page, "Zoe")).to_have_count(1)
    await press(page, "e")
    await expect(tabs.get_by_role("button", name="Resolved")).to_contain_text("1")
    await expect(log).to_contain_text("good day")
    await views.get_by_role("button", name="Mine").click()
    await expect(tabs.get_by_role("button", name="Resolved")).to_contain_text("1")
    await tabs.get_by_role("button", name="Resolved").click()
    await row_of(page, "Zoe").get_by_role("button").press("Enter")
    await press(page, "o")
    await expect(tabs.get_by_role("button", name="Open")).to_contain_text("1")

    async def is_open() -> bool:
        return bool((await scene.conversation(zoe))["status"] == "open")

    await eventually(is_open)

    # nothing on the way went without a name or without a sign of where the focus is
    for _ in range(25):
        await press(page, "Tab")
        assert await focus_is_seen(page), await page.evaluate("document.activeElement.outerHTML")
    assert await nameless(page) == []
    assert window.complaints == window.refusals == []


async def test_pictures_come_by_paste_and_drop_and_an_upload_can_be_given_up(
    server: Server, browser: Browser
) -> None:
    scene = await open_scene(server)
    zoe = await scene.customer("Zoe", "hello")
    window = await enter(browser, server)
    page = window.page
    await row_of(page, "Zoe").click()
    area = page.get_by_role("textbox", name="Message")
    give = """(area, [kind, name, type, data]) => {
        const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
        const carried = new DataTransfer();
        carried.items.add(new File([bytes], name, { type }));
        const options = { bubbles: true, cancelable: true };
        area.dispatchEvent(kind === 'paste'
            ? new ClipboardEvent('paste', { ...options, clipboardData: carried })
            : new DragEvent(kind, { ...options, dataTransfer: carried })); }"""
    for kind, name in (("paste", "red"), ("drop", "teal")):
        data = base64.b64encode(picture_bytes(name)).decode()
        await area.evaluate(give, [kind, f"{name}.png", "image/png", data])
        await expect(page.get_by_role("button", name=f"Remove {name}.png")).to_be_visible()
    await area.fill("both")
    await area.press("Enter")
    await expect(page.get_by_role("log").locator("img[src*='/thumbnail']")).to_have_count(2)
    await expect(page.get_by_role("log").locator("[data-delivery=sent]")).to_have_count(1)

    # over a slow line the third is taken back before it is up
    line = await page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}
    await line.send("Network.emulateNetworkConditions", slow)
    big = base64.b64encode(b"never sent " * 40_000).decode()
    await area.evaluate(give, ["paste", "big.txt", "text/plain", big])
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await page.get_by_role("button", name="Remove big.txt").click()
    await line.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    await area.fill("only words")
    await area.press("Enter")
    await expect(page.get_by_role("log").locator("[data-delivery=sent]")).to_have_count(2)
    last = (await server.messages((await scene.conversation(zoe))["id"]))[-1]
    assert (last["text"], last["attachments"]) == ("only words", [])
    assert window.complaints == []


async def test_what_waits_is_called_back_and_what_is_not_certain_is_sent_again(
    server: Server, browser: Browser
) -> None:
    scene = await open_scene(server)
    zoe = await scene.customer("Zoe", "hello")
    window = await enter(browser, server)
    page = window.page
    log = page.get_by_role("log")
    await row_of(page, "Zoe").click()
    area = page.get_by_role("textbox", name="Message")

    await scene.fault("answer", status=429, retry_after=60, times=None)
    await area.fill("too early")
    await area.press("Enter")
    conversation = (await scene.conversation(zoe))["id"]

    async def is_put_off() -> bool:
        calls = await server.call("GET", f"/sandbox/control/calls?bot_id={scene.bot_id}&limit=30")
        is_tried = any(call["method"] == "sendMessage" for call in calls["calls"])
        return is_tried and (await server.messages(conversation))[-1]["status"]["state"] == "queued"

    # while the provider is being asked nothing can be called back
    await eventually(is_put_off)
    await log.get_by_role("button", name="Cancel sending").click()
    await expect(log.locator("[data-delivery=cancelled]")).to_have_count(1)
    assert await zoe.accepted() == []

    # a reaction, from the menu of a message, and taken off at the message
    await message_menu(log, "hello", "Message menu")
    await page.get_by_role("menuitemcheckbox", name="👍").click()
    reaction = log.get_by_role("button", name="👍")
    await expect(reaction).to_have_attribute("aria-pressed", "true")
    await expect(reaction).to_contain_text("👍")

    async def reactions() -> list[str]:
        return [one["emoji"] for one in (await server.messages(conversation))[0]["reactions"]]

    async def is_stored() -> bool:
        return await reactions() == ["👍"]

    async def is_taken_off() -> bool:
        return await reactions() == []

    await eventually(is_stored)
    await reaction.click()
    await expect(reaction).to_have_count(0)
    await eventually(is_taken_off)
    assert window.complaints == window.refusals == []


async def test_an_uncertain_message_is_sent_again_by_choice(server: Server, browser: Browser) -> None:
    scene = await open_scene(server)
    zoe = await scene.customer("Zoe", "hello")
    window = await enter(browser, server)
    page = window.page
    await row_of(page, "Zoe").click()
    await scene.fault("reset_before", times=1)
    await page.get_by_role("textbox", name="Message").fill("perhaps")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Send again").click()
    await expect(page.get_by_role("log").locator("[data-delivery=sent]")).to_have_count(1)
    await zoe.has_got("perhaps")
    assert window.complaints == window.refusals == []


async def test_search_finds_who_is_not_loaded_and_a_contact_shows_all_conversations(
    server: Server, browser: Browser
) -> None:
    scene = await open_scene(server)
    await server.call("PATCH", f"/v1/inboxes/{scene.inbox['id']}", {"reopen": "new"})
    zoe = await scene.customer("Zoë Ковалёва", "the first")
    old = await scene.conversation(zoe)
    await server.call("PATCH", f"/v1/desk/conversations/{old['id']}", {"status": "resolved"})
    await zoe.write("the second")
    await scene.customer("Bob", "good day")
    window = await enter(browser, server)
    page = window.page
    await expect(row_of(page, "Zoë")).to_contain_text("the second")
    await press(page, "/")
    await page.keyboard.type("ковал")
    await expect(row_of(page, "Zoë")).to_have_count(2)
    await expect(row_of(page, "Bob")).to_have_count(0)
    await expect(row_of(page, "the first")).to_contain_text("Resolved")
    await press(page, "Enter")
    await expect(page.get_by_role("log")).to_contain_text("the second")
    panel = page.get_by_role("complementary", name="Contact")
    await panel.get_by_role("button", name="Resolved").click()
    await expect(page.get_by_role("log")).to_contain_text("the first")

    # a new name is everywhere at once, also in a search
    await panel.get_by_role("textbox", name="Edit Name").fill("Zoë Smith")
    await press(page, "Enter")
    await expect(row_of(page, "Zoë")).to_have_count(0)
    await page.get_by_role("searchbox").fill("nobody of this name")
    await expect(page.get_by_text("Nothing found")).to_be_visible()
    await page.get_by_role("searchbox").fill("smith")
    await expect(row_of(page, "Smith")).to_have_count(2)
    assert window.complaints == window.refusals == []
