"""Those who run a group or a broadcast, and those who are in it: each sees at once what the other did."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.scene import nameless, sideways
from tests.browser.shots import shoot
from tests.browser.talk import chat_row, join, message_menu, set_up_owner, write
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio


async def act(page: Page, name: str, doing: str) -> None:
    """Do something with a member, by the menu of the English list of members."""
    await page.get_by_role("button", name=f"Actions with {name}").click()
    await page.get_by_role("menuitem", name=doing, exact=True).click()


async def test_members_are_added_promoted_kept_out_and_let_in_again(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    boris, vera = await join(olga, "Boris"), await join(olga, "Vera")
    group = await olga.open(boris, kind="group", title="Tea")
    await olga.say(group, "the kettle is on")
    hers = await olga.window(browser, path=f"/chats/{group}", width=1600)
    his = await boris.window(browser, locale="ru-RU", path=f"/chats/{group}", color_scheme="dark")
    page, there = hers.page, his.page
    refused: list[str] = []
    there.on("response", lambda response: refused.append(response.url) if response.status >= 400 else None)
    await page.get_by_role("button", name="Details").click()
    await there.get_by_role("button", name="Сведения").click()
    members = page.get_by_role("region", name="Members")

    # a member may look; a moderator may do everything but touch an owner
    add = there.get_by_role("button", name="Добавить людей")
    await expect(there.get_by_text("2 участника").last).to_be_visible()
    await expect(add).to_have_count(0)
    await act(page, "Boris", "Moderator")
    await expect(members.get_by_role("listitem").filter(has_text="Boris")).to_contain_text("Moderator")
    await expect(add).to_be_visible()
    await there.get_by_role("button", name="Действия: Olga Owner").last.click()
    await expect(there.get_by_role("menuitem")).to_have_text(["Написать лично"])
    await there.keyboard.press("Escape")
    await shoot(there, "ru-dark-group-moderator")

    # he adds somebody, whom she sees
    await add.click()
    await there.get_by_role("option", name="Vera").click()
    await shoot(there, "ru-dark-group-add")
    await there.get_by_role("dialog").get_by_role("button", name="Добавить").click()
    await expect(there.get_by_role("dialog")).to_have_count(0)
    await expect(members.get_by_role("listitem")).to_have_count(3)
    await expect(page.get_by_text("3 members").last).to_be_visible()

    # kept out, he loses it at once, and the link is none for him
    url = (await boris.call("POST", f"/v1/conversations/{group}/invite-links", {}))["url"]
    await act(page, "Boris", "Keep out")
    await page.get_by_role("dialog").get_by_role("button", name="Keep out").click()
    await expect(there.get_by_text("Этот чат недоступен")).to_be_visible()
    asked: list[str] = []
    there.on("request", lambda request: asked.append(request.url))
    await expect(chat_row(there, "Tea")).to_have_count(0)
    bans = page.get_by_role("region", name="Kept out")
    await expect(bans.get_by_role("listitem")).to_contain_text(["Boris"])
    await expect(members.get_by_role("listitem")).to_have_count(2)
    await shoot(page, "en-group-kept-out")
    assert await nameless(page) == []
    # his page has asked for nothing of it since; what was on its way in that moment may have been refused
    assert [url for url in asked if group in url] == []
    assert his.complaints == []
    assert {url.split("?")[0].rpartition("/")[2] for url in refused} <= {"invite-links", "bans"}
    await there.goto(url)
    await there.get_by_role("button", name="Войти в чат").click()
    await expect(there.get_by_text("Вход в этот чат для вас закрыт")).to_be_visible()
    await shoot(there, "ru-dark-join-kept-out")

    # let in again, the same link works, and he is a member like any other
    await bans.get_by_role("button", name="Let in").click()
    await expect(bans).to_have_count(0)
    await there.get_by_role("button", name="Войти в чат").click()
    await expect(there.get_by_role("log")).to_contain_text("the kettle is on")
    await expect(members.get_by_role("listitem")).to_have_count(3)
    await expect(members.get_by_role("listitem").filter(has_text="Boris")).not_to_contain_text("Moderator")
    await expect(add).to_have_count(0)

    # removed, she who was added is gone from both lists
    await act(page, "Vera", "Remove")
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(members.get_by_role("listitem")).to_have_count(2)
    await expect(there.get_by_role("listitem").filter(has_text="Vera")).to_have_count(0)
    assert (await vera.call("GET", "/v1/conversations"))["items"] == []
    assert hers.complaints == his.complaints == hers.refusals == []


async def test_a_broadcast_is_read_by_many_who_see_those_who_write(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    await join(olga, "Vera")
    hers = await olga.window(browser, width=1600)
    page = hers.page
    await page.get_by_role("button", name="New chat").first.click()
    await page.get_by_text("Broadcast", exact=True).click()
    await page.get_by_label("Name").fill("Canteen")
    for name in ("Boris", "Vera"):
        await page.get_by_role("option", name=name).click()
    await shoot(page, "en-broadcast-new")
    await page.get_by_role("button", name="Create").click()
    await write(page, "soup today")
    await write(page, "and cake")
    log = page.get_by_role("log")
    await expect(log.locator("[data-delivery=sent]")).to_have_count(2)
    await page.get_by_role("button", name="Details").click()
    members = page.get_by_role("region", name="Members").get_by_role("listitem")
    await expect(members).to_have_count(3)

    # who reads has nowhere to write, and sees who writes
    his = await boris.window(browser, locale="ru-RU", width=360, height=740, is_touch=True)
    there = his.page
    await chat_row(there, "Canteen").tap()
    seen, area = there.get_by_role("log"), there.get_by_role("textbox", name="Сообщение")
    await expect(seen).to_contain_text("and cake")
    await expect(there.get_by_text("Здесь пишут только владельцы и модераторы.")).to_be_visible()
    await expect(area).to_have_count(0)
    await shoot(there, "ru-phone-broadcast")
    await there.get_by_role("button", name="Сведения").tap()
    await expect(there.get_by_text("3 участника").last).to_be_visible()
    known = there.get_by_role("region", name="Участники").get_by_role("listitem")
    await expect(known).to_have_count(2)
    await expect(known.first).to_contain_text("Olga Owner")
    await expect(known.first).to_contain_text("Владелец")
    await expect(known.last).to_contain_text("Boris")
    assert await nameless(there) == []
    assert await sideways(there) <= 0
    await shoot(there, "ru-phone-broadcast-details")
    await there.get_by_role("button", name="Закрыть").tap()

    # pinned and taken off again; deleted for all
    async def choose(text: str, doing: str) -> None:
        await message_menu(log, text, "Message menu")
        await page.get_by_role("menuitem", name=doing, exact=True).click()

    pin = there.get_by_role("button", name="Закреплённое сообщение: soup today")
    await choose("soup today", "Pin")
    await expect(pin).to_be_visible()
    await shoot(there, "ru-phone-broadcast-pin")
    await choose("soup today", "Unpin")
    await expect(pin).to_have_count(0)
    await choose("and cake", "Delete")
    await page.get_by_role("dialog").get_by_role("button", name="Delete for all").click()
    for one in (log, seen):
        await expect(one.get_by_text("and cake")).to_have_count(0)
    await expect(seen).to_contain_text("Сообщение удалено")
    await shoot(there, "ru-phone-broadcast-deleted")

    # who is made a writer writes at once, and sees everybody; until it is taken back
    await act(page, "Boris", "Moderator")
    await expect(area).to_be_visible()
    await write(there, "и пирог")
    await expect(log).to_contain_text("и пирог")
    await there.get_by_role("button", name="Сведения").tap()
    await expect(known).to_have_count(3)
    await there.get_by_role("button", name="Закрыть").tap()
    await act(page, "Boris", "Reader")
    await expect(area).to_have_count(0)
    assert hers.complaints == his.complaints == hers.refusals == his.refusals == []


async def test_a_former_role_of_a_broadcast_is_no_right_to_write(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    chat = await olga.open(boris, kind="broadcast", title="Canteen")
    await olga.say(chat, "soup today")
    await olga.call("PATCH", f"/v1/conversations/{chat}/members/{boris.id}", {"role": "member"})
    window = await boris.window(browser, path=f"/chats/{chat}")
    await expect(window.page.get_by_role("log")).to_contain_text("soup today")
    await expect(window.page.get_by_role("textbox", name="Message")).to_have_count(0)


async def test_who_hides_when_they_are_here_is_seen_by_nobody(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    chat = await olga.open(boris)
    await olga.say(chat, "hello")
    hers = await olga.window(browser, path=f"/chats/{chat}")
    his = await boris.window(browser, locale="ru-RU", path=f"/chats/{chat}")
    page, there = hers.page, his.page
    mark = chat_row(there, "Olga Owner").locator("[data-online]")
    await expect(there.get_by_role("main")).to_contain_text("в сети")
    await expect(mark).to_have_count(1)

    async def is_hidden() -> bool:
        told = await boris.call("GET", f"/v1/presence?actor_ids={olga.id}")
        return [(one["is_online"], one["last_seen_at"]) for one in told["items"]] == [(None, None)]

    # hidden: at once nothing, neither here nor last seen; she still sees of others what they show
    await page.goto(f"{server.url}/settings/profile")
    await page.get_by_text("Hidden", exact=True).click()
    await eventually(is_hidden)
    await expect(there.get_by_role("main")).not_to_contain_text("в сети")
    await expect(mark).to_have_count(0)
    await there.reload()
    await expect(there.get_by_role("log")).to_contain_text("hello")
    await expect(there.get_by_role("region", name="Olga Owner")).to_contain_text("Личный чат")
    await shoot(page, "en-profile-hidden")
    await page.goto(f"{server.url}/chats/{chat}")
    await expect(page.get_by_role("main")).to_contain_text("online")
    assert await is_hidden()
    await expect(there.get_by_role("main")).not_to_contain_text("в сети")
    await expect(there.get_by_role("main")).not_to_contain_text("был(а)")

    # shown again: at once
    await page.goto(f"{server.url}/settings/profile")
    await page.get_by_text("Shown", exact=True).click()
    await expect(there.get_by_role("main")).to_contain_text("в сети")
    assert hers.complaints == his.complaints == hers.refusals == his.refusals == []


async def test_links_and_bans_on_screen_follow_what_others_do_with_them(
    server: Server, browser: Browser
) -> None:
    olga = await set_up_owner(server)
    boris, vera = await join(olga, "Boris"), await join(olga, "Vera")
    group = await olga.open(boris, kind="group", title="Tea")
    await olga.call("PATCH", f"/v1/conversations/{group}/members/{boris.id}", {"role": "moderator"})
    window = await olga.window(browser, path=f"/chats/{group}", width=1600, color_scheme="dark")
    page = window.page
    await page.get_by_role("button", name="Details").click()
    links = page.get_by_role("region", name="Invite links")
    await expect(links).to_contain_text("Nobody can join by a link yet.")

    # another moderator's link is there once somebody comes by it, and whom he keeps out
    made = await boris.call("POST", f"/v1/conversations/{group}/invite-links", {})
    await vera.call("POST", "/v1/invite-links/join", {"token": made["url"].split("#token=")[1]})
    await expect(links).to_contain_text("Used once")
    await shoot(page, "en-dark-links")
    await boris.call("POST", f"/v1/conversations/{group}/bans", {"actor_id": vera.id})
    bans = page.get_by_role("region", name="Kept out")
    await expect(bans.get_by_role("listitem")).to_contain_text(["Vera"])

    # what no event tells is asked for now and then
    await boris.call("DELETE", f"/v1/conversations/{group}/invite-links/{made['id']}")
    await boris.call("DELETE", f"/v1/conversations/{group}/bans/{vera.id}")
    await expect(links.get_by_role("listitem")).to_have_count(0)
    await expect(bans).to_have_count(0)
    assert window.complaints == window.refusals == []
