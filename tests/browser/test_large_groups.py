"""Groups larger than what a screen loads: every member is found, called, kept out; and names cost no list of users."""

from __future__ import annotations

import asyncpg
import pytest
from playwright.async_api import Browser, Request, expect

from parley.kit.ids import parse_id
from tests.browser.scene import nameless, sideways
from tests.browser.talk import Colleague, chat_row, going_on_typing, join, set_up_owner
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio

MANY = 1_150


async def fill(dsn: str, group: str) -> None:
    """Put many into a group: Person 0001 and so on, and as the last of all by id Zinaida Ozerova."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in (
            """INSERT INTO actor (workspace_id, id, kind, name, role)
            SELECT workspace_id, ('ffffffff-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'user',
                CASE n WHEN {many} THEN 'Zinaida Ozerova' ELSE 'Person ' || lpad(n::text, 4, '0') END, 'member'
            FROM conversation, generate_series(1, {many}) AS n WHERE id = $1""",
            """INSERT INTO member (workspace_id, conversation_id, actor_id, role, is_chat)
            SELECT workspace_id, $1, id, 'member', true FROM actor WHERE id >= 'ffffffff-0000-7000-8000-000000000000'""",
            """UPDATE conversation SET member_count = (SELECT count(*) FROM member WHERE conversation_id = $1)
            WHERE id = $1""",
        ):
            await connection.execute(statement.replace("{many}", str(MANY)), parse_id("cnv", group))
    finally:
        await connection.close()


async def large_group(server: Server, dsn: str) -> tuple[Colleague, Colleague, str]:
    """Olga's group with Boris and all the others."""
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    group = await olga.open(boris, kind="group", title="Town hall")
    await fill(dsn, group)
    return olga, boris, group


async def test_every_member_of_a_large_group_is_seen_found_called_and_kept_out_for_a_time(
    server: Server, database_url: str, browser: Browser
) -> None:
    olga, _, group = await large_group(server, database_url)
    window = await olga.window(browser, path=f"/chats/{group}")
    page = window.page
    await page.get_by_role("button", name="Details").click()
    members = page.get_by_role("region", name="Members")
    await expect(members.get_by_role("heading", name="1152 members")).to_be_visible()
    lines = members.get_by_role("listitem")
    await expect(lines.first).to_contain_text("Olga Owner")
    await expect(lines.first).to_contain_text("Owner")

    # more of them come as one goes down
    for count in (110, 210):

        async def has_grown(count: int = count) -> bool:
            await lines.last.scroll_into_view_if_needed()
            return await lines.count() > count

        await eventually(has_grown)

    # by how a word of the name begins, whoever it is
    field = members.get_by_role("searchbox", name="Find a member")
    await field.fill("oze")
    await expect(lines).to_have_count(1)
    await expect(lines).to_contain_text("Zinaida Ozerova")
    await field.fill("nobody such")
    await expect(members).to_contain_text("Nobody of this name")

    # called by an @, though she was never loaded
    await page.locator("textarea").press_sequentially("@zin")
    await page.get_by_role("option", name="Zinaida Ozerova").wait_for()
    await page.keyboard.press("Enter")
    await page.keyboard.type("look")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log").locator("[data-delivery=sent]")).to_have_count(1)
    [said] = (await olga.call("GET", f"/v1/conversations/{group}/messages"))["items"]
    assert said["text"] == "@Zinaida Ozerova look"
    assert [one["kind"] for one in said["entities"]] == ["mention"]

    # kept out for a day, and let in again
    await field.fill("Zinaida")
    await members.get_by_role("button", name="Actions with Zinaida Ozerova").click()
    await page.get_by_role("menuitem", name="Keep out").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("For how long").select_option("A day")
    await dialog.get_by_role("button", name="Keep out").click()
    await expect(dialog).to_have_count(0)
    await expect(lines).to_have_count(0)
    await expect(members.get_by_role("heading", name="1151 members")).to_be_visible()
    [kept] = (await olga.call("GET", f"/v1/conversations/{group}/bans"))["items"]
    assert kept["until"] is not None
    bans = page.get_by_role("region", name="Kept out")
    await expect(bans).to_contain_text("Until ")
    await bans.get_by_role("button", name="Let in").click()
    await expect(bans).to_have_count(0)
    assert await nameless(page) == []
    assert window.complaints == window.refusals == []


async def test_who_writes_is_named_in_the_list_without_a_list_of_all_users(
    server: Server, database_url: str, browser: Browser
) -> None:
    olga, _, group = await large_group(server, database_url)
    vera = await join(olga, "Vera Viktorova")
    await olga.call("POST", f"/v1/conversations/{group}/members", {"actor_id": vera.id})
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    window = await olga.window(
        browser, locale="ru-RU", width=360, height=740, color_scheme="dark", is_touch=True
    )
    window.page.on("request", note)
    await window.page.reload()
    await expect(chat_row(window.page, "Town hall")).to_be_visible()
    hers = await vera.window(browser, path=f"/chats/{group}")
    row = chat_row(window.page, "Town hall")
    async with going_on_typing(hers.page.locator("textarea")):
        await expect(row).to_contain_text("Vera печатает")
    assert await sideways(window.page) <= 0
    assert not [url for url in asked if "/v1/users" in url]
    assert len([url for url in asked if "/v1/people" in url]) == 1
    assert window.complaints == window.refusals == []


async def test_words_are_read_once_anybody_of_a_large_group_has_read_them_and_by_nobody_who_came_later(
    server: Server, database_url: str, browser: Browser
) -> None:
    olga, _, group = await large_group(server, database_url)
    await olga.say(group, "who reads this?")
    window = await olga.window(browser, path=f"/chats/{group}")
    page = window.page
    log = page.get_by_role("log")
    await expect(log.locator("[data-delivery=sent]")).to_have_count(1)
    late = await join(olga, "Late Lada")
    await olga.call("POST", f"/v1/conversations/{group}/members", {"actor_id": late.id})
    # they begin behind it, and that reads nothing, also when something is said that they were there for
    await olga.say(group, "and who this?")
    async with page.expect_response("**/readers") as asked:
        await page.reload()
    answer = await (await asked.value).json()
    assert [one["read_number"] for one in answer["reached"]] == [1, 0]
    await expect(log.locator("[data-delivery=sent]")).to_have_count(2)
    connection = await asyncpg.connect(database_url)
    try:
        # whom no page of members that is loaded has
        done = await connection.execute(
            """UPDATE member SET read_number = 1 FROM actor a
            WHERE a.id = member.actor_id AND a.name = 'Zinaida Ozerova'"""
        )
    finally:
        await connection.close()
    assert done == "UPDATE 1"
    await expect(log.locator("[data-delivery=read]")).to_have_count(1)
    await expect(log.locator("[data-delivery=sent]")).to_have_count(1)
    assert window.complaints == window.refusals == []
