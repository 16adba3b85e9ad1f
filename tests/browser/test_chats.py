"""People talk to people: two windows, a lost network, two devices of one person, groups, both languages."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import open_window
from tests.browser.scene import nameless, sideways, sign_in
from tests.browser.talk import chat_row, going_on_typing, join, message_menu, set_up_owner, write
from tests.programs import Json, Server, eventually

pytestmark = pytest.mark.anyio

KEPT = """async (id) => {
    if (!(await indexedDB.databases()).some((one) => one.name === 'parley')) return false;
    return await new Promise((resolve) => {
        const opening = indexedDB.open('parley');
        opening.onsuccess = () => {
            const asked = opening.result.transaction('kept').objectStore('kept').getAll();
            asked.onsuccess = () => {
                opening.result.close();
                resolve(asked.result.some((kept) => kept.threads[id]?.items.length > 0));
            };
        };
    });
}"""
"""Whether this device keeps the thread of a chat."""


async def test_two_people_talk_and_one_who_was_offline_comes_back_to_the_same_state(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    hers = await olga.window(browser)
    page = hers.page

    # found and written to by keyboard alone
    await expect(page.get_by_text("No chats yet")).to_be_visible()
    await page.keyboard.press("c")
    await page.keyboard.type("bor")
    await expect(page.get_by_role("option", name="Boris")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.locator("textarea:focus").wait_for()
    await page.keyboard.type("good morning")
    await page.keyboard.press("Enter")
    log = page.get_by_role("log")
    await expect(log.locator("[data-delivery=sent]")).to_have_count(1)

    # a member has chats alone; it is unread, then read, which she sees
    his = await boris.window(browser, locale="ru-RU", path="/")
    there = his.page
    await expect(there.get_by_role("button", name="Все разговоры")).to_have_count(0)
    row = chat_row(there, "Olga Owner")
    await expect(row).to_contain_text("good morning")
    await expect(row).to_contain_text("1 непрочитанное")
    await row.click()
    await expect(log.locator("[data-delivery=read]")).to_have_count(1)
    await expect(row).not_to_contain_text("непрочитанное")

    # who is here is shown to those they talk with
    await expect(page.get_by_role("main")).to_contain_text("online")
    await expect(chat_row(page, "Boris").locator("[data-online]")).to_have_count(1)

    # typing is seen, in the thread and in the list
    async with going_on_typing(there.locator("textarea")):
        await expect(log).to_contain_text("Boris is typing")
        await expect(chat_row(page, "Boris")).to_contain_text("is typing")
    await write(there, "доброе утро")
    await expect(log).to_contain_text("доброе утро")

    # offline: what he writes waits, what she writes comes when he is back, each once and in order
    await his.page.context.set_offline(True)
    await write(there, "из поезда")
    await write(page, "where are you?")
    await expect(log.locator("[data-delivery=sent], [data-delivery=read]")).to_have_count(2)
    await his.page.context.set_offline(False)
    seen = there.get_by_role("log")
    await expect(seen).to_contain_text("where are you?", timeout=40_000)
    await expect(log).to_contain_text("из поезда", timeout=40_000)
    await expect(seen.locator("[data-delivery=sent], [data-delivery=read]")).to_have_count(2)
    for text in ("good morning", "доброе утро", "where are you?", "из поезда"):
        assert [(await one.inner_text()).count(text) for one in (log, seen)] == [1, 1]
    assert await nameless(page) == []
    assert hers.complaints == his.complaints == hers.refusals == []


async def test_a_group_is_made_and_two_devices_of_one_person_stay_equal(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    boris, vera = await join(olga, "Boris"), await join(olga, "Vera")
    hers = await olga.window(browser)
    page = hers.page
    await page.get_by_role("button", name="New chat").first.click()
    await page.get_by_text("Group", exact=True).click()
    await page.get_by_label("Name").fill("Tea & coffee")
    for name in ("Boris", "Vera"):
        await page.get_by_role("option", name=name).click()
    await page.get_by_role("button", name="Create").click()
    await write(page, "the kettle is on")

    # one person at two devices, one of them a phone in the dark
    desk = await boris.window(browser)
    phone = await boris.window(
        browser, locale="ru-RU", width=360, height=740, color_scheme="dark", is_touch=True
    )
    for device, words in ((desk, "1 unread message"), (phone, "1 непрочитанное")):
        await expect(chat_row(device.page, "Tea & coffee")).to_contain_text(words)
    assert await sideways(phone.page) <= 0
    await chat_row(phone.page, "Tea & coffee").tap()
    await expect(phone.page.get_by_role("log")).to_contain_text("the kettle is on")
    assert await sideways(phone.page) <= 0
    await expect(chat_row(desk.page, "Tea & coffee")).not_to_contain_text("unread")
    await write(phone.page, "иду")
    await expect(chat_row(desk.page, "Tea & coffee")).to_contain_text("You: иду")
    await expect(chat_row(desk.page, "Tea & coffee")).not_to_contain_text("unread")
    await expect(page.get_by_role("log")).to_contain_text("иду")

    # who is removed loses it at once, everywhere
    await phone.page.get_by_role("button", name="Сведения").tap()
    await expect(phone.page.get_by_text("3 участника").last).to_be_visible()
    assert await nameless(phone.page) == []
    await page.get_by_role("button", name="Details").click()
    await page.get_by_role("button", name="Actions with Boris").click()
    await page.get_by_role("menuitem", name="Remove").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(phone.page.get_by_text("Этот чат недоступен")).to_be_visible()
    await expect(chat_row(desk.page, "Tea & coffee")).to_have_count(0)
    await vera.say((await vera.call("GET", "/v1/conversations"))["items"][0]["id"], "hello")
    await expect(page.get_by_role("log")).to_contain_text("hello")
    assert hers.complaints == desk.complaints == phone.complaints == []


async def test_without_a_network_the_chats_open_and_what_is_written_is_sent_once_it_is_back(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    chat = await boris.open(olga)
    await boris.say(chat, "good morning")
    window = await olga.window(browser)
    page = window.page
    await chat_row(page, "Boris").click()
    await expect(page.get_by_role("log")).to_contain_text("good morning")
    await page.evaluate("navigator.serviceWorker.ready")
    # what this device keeps is written a while after it came
    await eventually(lambda: page.evaluate(KEPT, chat))

    # the server goes away and the page is opened anew: everything is there, and can be written to
    await server.kill()
    await page.reload()
    log = page.get_by_role("log")
    await expect(log).to_contain_text("good morning")
    await expect(page.get_by_text("No connection")).to_be_visible()
    await write(page, "written on the train")
    await expect(log.locator("[data-delivery=queued]")).to_have_count(1)
    # also when that page is closed, and the message taken over by the next
    again = await page.context.new_page()
    await page.close()
    await again.goto(f"{server.url}/chats/{chat}")
    log = again.get_by_role("log")
    await expect(log).to_contain_text("written on the train")
    await server.start()
    await expect(log.locator("[data-delivery=sent]")).to_have_count(1, timeout=40_000)
    said = [message["text"] for message in await server.messages(chat)]
    assert said == ["good morning", "written on the train"]

    # nothing of what people said, and no answer of the API, is in the worker's cache; signing out forgets the rest
    kept = await again.evaluate(
        """async () => (await Promise.all((await caches.keys()).map(async (name) =>
            (await (await caches.open(name)).keys()).map((one) => new URL(one.url).pathname)))).flat()"""
    )
    assert "/index.html" in kept
    assert not [path for path in kept if path.startswith("/v1")]
    await again.get_by_role("button", name="Profile menu").click()
    await again.get_by_role("menuitem", name="Sign out").click()
    await expect(again.get_by_role("button", name="Sign in")).to_be_visible()

    async def is_forgotten() -> bool:
        return not await again.evaluate(KEPT, chat)

    await eventually(is_forgotten)
    assert window.complaints == []


async def test_a_group_calls_pins_forwards_and_a_draft_follows(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    boris, vera = await join(olga, "Boris"), await join(olga, "Vera")
    group = await olga.open(boris, vera, kind="group", title="Tea")
    direct = await boris.open(vera)
    await vera.say(direct, "are you there?")
    hers = await olga.window(browser, path=f"/chats/{group}")
    his = await boris.window(browser, locale="ru-RU")
    page, there = hers.page, his.page
    await expect(chat_row(there, "Tea")).to_be_visible()

    # called by name, from the list that an @ opens
    area = page.get_by_role("textbox", name="Message")
    await area.press_sequentially("tea, @bo")
    await expect(page.get_by_role("option", name="Boris")).to_be_visible()
    await area.press("Enter")
    await area.press_sequentially("?")
    await area.press("Enter")
    await expect(page.get_by_role("log")).to_contain_text("tea, @Boris ?")
    await expect(chat_row(there, "Tea")).to_contain_text("Вас упомянули")
    await chat_row(there, "Tea").click()
    await expect(chat_row(there, "Tea")).not_to_contain_text("Вас упомянули")

    # pinned for all, and forwarded
    log = page.get_by_role("log")
    await message_menu(log, "tea, @Boris ?", "Message menu")
    await page.get_by_role("menuitem", name="Pin").click()
    await expect(there.get_by_role("button", name="Закреплённое сообщение: tea")).to_be_visible()
    seen = there.get_by_role("log")
    await message_menu(seen, "tea, @Boris ?", "Меню сообщения")
    await there.get_by_role("menuitem", name="Переслать").click()
    await there.get_by_role("option", name="Vera").click()
    await expect(chat_row(there, "Vera")).to_contain_text("tea, @Boris ?")

    # what he begins at one device goes on at the other, and is gone once it is sent
    phone = await boris.window(browser, path=f"/chats/{group}", width=400)
    await there.get_by_role("textbox", name="Сообщение").fill("сейчас прид")
    await expect(phone.page.get_by_role("textbox", name="Message")).to_have_value("сейчас прид")
    await write(phone.page, "сейчас приду")
    await expect(seen).to_contain_text("сейчас приду")
    await expect(there.get_by_role("textbox", name="Сообщение")).to_have_value("")

    # so does what it answers, also over a reload
    await message_menu(phone.page.get_by_role("log"), "tea, @Boris ?", "Message menu")
    await phone.page.get_by_role("menuitem", name="Reply").click()
    await phone.page.get_by_role("textbox", name="Message").fill("gladly")
    await expect(there.get_by_role("textbox", name="Сообщение")).to_have_value("gladly")
    await expect(there.get_by_text("Ответ: Olga Owner")).to_be_visible()
    await there.reload()
    await expect(there.get_by_role("textbox", name="Сообщение")).to_have_value("gladly")
    await expect(there.get_by_text("Ответ: Olga Owner")).to_be_visible()
    await there.get_by_role("button", name="Не отвечать").click()
    await expect(phone.page.get_by_text("Reply to Olga Owner")).to_have_count(0)

    # for himself alone, on all his devices
    await message_menu(seen, "tea, @Boris ?", "Меню сообщения")
    await there.get_by_role("menuitem", name="Удалить").click()
    await there.get_by_role("button", name="Удалить у меня").click()
    for one in (there, phone.page):
        await expect(one.get_by_role("log").get_by_text("tea, @Boris ?")).to_have_count(0)
    await expect(log).to_contain_text("tea, @Boris ?")
    assert hers.complaints == his.complaints == phone.complaints == []


async def test_a_link_is_joined_by_and_what_was_said_is_found_and_heard(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    group = await olga.open(kind="group", title="Tea")
    await olga.say(group, "the kettles are in the kitchen", *[f"line {n}" for n in range(70)])
    hers = await olga.window(browser, path=f"/chats/{group}")
    page = hers.page
    await page.get_by_role("button", name="Details").click()
    await page.get_by_role("button", name="New invite link").click()
    await page.get_by_role("button", name="Create the link").click()
    url = await page.get_by_label("Invite link", exact=True).input_value()
    await page.keyboard.press("Escape")

    # whoever has the link signs in first, and is asked
    context = await browser.new_context(locale="ru-RU", viewport={"width": 1280, "height": 800})
    his = await open_window(context, url)
    there = his.page
    await sign_in(there, boris.email)
    await expect(there.get_by_role("heading", name="Tea")).to_be_visible()
    await there.get_by_role("button", name="Войти в чат").click()
    await expect(there.get_by_role("log")).to_contain_text("line 69")
    await expect(page.get_by_text("2 members").last).to_be_visible()

    # found in another form of the word, and shown at its place far up
    async def is_indexed() -> bool:
        return bool((await boris.call("GET", "/v1/search/messages?query=kettle"))["items"])

    await eventually(is_indexed)
    await there.get_by_role("button", name="Поиск сообщений").click()
    await there.get_by_role("searchbox", name="Слова").fill("kettle")
    await there.get_by_role("list", name="Найденные сообщения").get_by_role("button").click()
    await expect(there.get_by_role("log").get_by_text("the kettles are in the kitchen")).to_be_in_viewport()

    # a voice note, from a microphone that beeps
    await page.get_by_role("button", name="Record a voice message").click()
    await expect(page.get_by_role("timer")).to_have_text(re.compile("0:0[2-9]|0:[1-5]"))
    await page.get_by_role("group", name="Recording…").get_by_role("button", name="Send").click()
    await expect(page.get_by_role("log").get_by_role("button", name="Play")).to_be_visible()
    await expect(page.get_by_role("log").get_by_role("slider", name="Position")).to_be_attached()
    # measured on the server: bars and a length in the place of a file's name
    await expect(page.get_by_role("log")).not_to_contain_text("voice.webm")

    async def last_files() -> Any:
        return (await server.messages(group))[-1]["attachments"]

    [voice] = await eventually(last_files)
    assert voice["kind"] == "voice"
    assert voice["duration_seconds"] > 1.5
    assert voice["waveform"]
    assert hers.complaints == his.complaints == []


async def test_a_message_waits_for_its_time_its_readers_are_told_and_a_chat_is_put_aside(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    group = await olga.open(boris, kind="group", title="Tea")
    window = await olga.window(browser, path=f"/chats/{group}", locale="ru-RU", width=360, height=740)
    page = window.page
    log = page.get_by_role("log")
    area = page.get_by_role("textbox", name="Сообщение")

    # written now, posted later: by a time of the list, then at once
    await area.fill("the kettle is on")
    later = page.get_by_role("button", name="Отправить позже")
    await later.press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(later).to_be_focused()
    await later.click()
    await expect(dialog.get_by_role("button", name="Запланировать")).to_be_in_viewport(ratio=1)
    await dialog.get_by_role("button", name="Через неделю").click()
    await expect(area).to_have_value("")
    waiting = page.get_by_role("button", name="1 сообщение ждёт своего часа")
    await waiting.click()
    await expect(dialog.get_by_role("listitem")).to_contain_text(["the kettle is on"])
    assert await nameless(page) == []
    assert await sideways(page) <= 0
    await expect(log.get_by_text("the kettle is on")).to_have_count(0)
    await dialog.get_by_role("button", name="Отправить сейчас").click()
    await expect(log.get_by_text("the kettle is on")).to_be_visible()
    await expect(waiting).to_have_count(0)

    # thought better of: it is never sent
    await area.fill("never mind")
    await later.click()
    await dialog.get_by_role("button", name="Через неделю").click()
    await waiting.click()
    await expect(dialog.get_by_role("listitem")).to_contain_text(["never mind"])
    await dialog.get_by_role("button", name="Не отправлять").click()
    await expect(waiting).to_have_count(0)
    await expect(dialog).to_have_count(0)
    assert (await olga.call("GET", "/v1/scheduled"))["items"] == []
    await expect(log.get_by_text("never mind")).to_have_count(0)

    # and by its time alone
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=3)
    body = {"client_id": str(uuid4()), "text": "tea is ready", "send_at": soon.isoformat()}
    await olga.call("POST", f"/v1/conversations/{group}/scheduled", body)
    await expect(log.get_by_text("tea is ready")).to_be_visible()

    # who has read it; the focus comes back to where it was
    last = (await server.messages(group))[-1]["number"]
    await boris.call("PUT", f"/v1/conversations/{group}/read", {"number": last})
    await message_menu(log, "tea is ready", "Меню сообщения")
    await page.get_by_role("menuitem", name="Кто прочитал").click()
    await expect(dialog.get_by_role("listitem")).to_contain_text(["Boris"])
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(page.locator("[data-key]:focus")).to_contain_text("tea is ready")

    # quiet for a time, then put aside
    await page.get_by_role("button", name="Сведения").click()
    await page.get_by_role("button", name="Выключить звук").click()
    await page.get_by_role("menuitem", name="На 8 часов").click()
    await expect(page.get_by_role("button", name="Включить звук (тихо до")).to_be_visible()

    async def mine() -> Json:
        return (await olga.call("GET", f"/v1/conversations/{group}"))["my"]

    async def is_quiet() -> bool:
        until = (await mine())["muted_until"]
        left = dt.datetime.fromisoformat(until) - dt.datetime.now(dt.UTC) if until else dt.timedelta()
        return dt.timedelta(hours=7, minutes=50) < left <= dt.timedelta(hours=8)

    await eventually(is_quiet)
    await page.get_by_role("button", name="Включить звук").click()
    await page.get_by_role("button", name="В архив").click()
    await expect(page.get_by_role("button", name="Вернуть из архива")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Сведения")).to_be_focused()
    await page.get_by_role("button", name="Назад к списку").click()
    await expect(chat_row(page, "Tea")).to_have_count(0)
    await page.get_by_role("button", name="Архив", exact=True).click()
    await expect(chat_row(page, "Tea")).to_be_visible()

    async def is_put_aside() -> bool:
        now = await mine()
        return now["is_archived"] and now["muted_until"] is None

    await eventually(is_put_aside)
    assert await sideways(page) <= 0
    assert window.complaints == window.refusals == []
