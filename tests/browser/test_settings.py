"""The settings, as an administrator goes through them."""

from __future__ import annotations

import asyncpg
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import open_window
from tests.browser.scene import enter, nameless, open_scene, row_of, sideways, sign_in
from tests.browser.shots import shoot
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio


async def visit(page: Page, section: str) -> None:
    """Open a page of the settings by keyboard, then by its name."""
    if "/settings" not in page.url:
        # keys are heard once the application stands
        await page.get_by_role("button", name="Profile menu").wait_for()
        await page.keyboard.press("Control+Comma")
    await page.get_by_role("navigation", name="Settings").get_by_role("button", name=section).click()


async def test_inboxes_are_connected_named_shared_and_disconnected(server: Server, browser: Browser) -> None:
    scene = await open_scene(server)
    await scene.customer("Zoe", "hello")
    agent = await server.call(
        "POST", "/v1/users", {"name": "Boris", "email": "boris@example.org", "role": "agent"}
    )
    window = await enter(browser, server)
    page = window.page
    await visit(page, "Inboxes")

    # the provider's refusal of a token is said in the form
    await page.get_by_role("button", name="Connect Telegram").click()
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_text("Fill in this field").or_(page.get_by_role("alert")).first).to_be_visible()
    await page.get_by_label("Bot token").fill("123456789:AAF-this-is-no-token-of-any-bot-at-all")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("The channel refused this: Unauthorized")
    assert await nameless(page) == []
    await page.keyboard.press("Escape")
    assert window.refusals
    assert all("4" in refusal for refusal in window.refusals)

    name = scene.inbox["name"]
    await page.get_by_role("button", name=f"Settings of {name}").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name of the inbox").fill("Front desk")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("heading", name="Front desk")).to_be_visible()

    await dialog.get_by_role("button", name="Add").click()
    await page.get_by_role("option", name="Boris").click()
    await expect(dialog.get_by_role("listitem")).to_contain_text(["Boris"])
    members = await server.call("GET", f"/v1/inboxes/{scene.inbox['id']}/members")
    assert agent["user"]["id"] in [one["id"] for one in members["items"]]
    await dialog.get_by_role("button", name="Remove: Boris").click()
    await expect(dialog.get_by_role("listitem").filter(has_text="Boris")).to_have_count(0)

    await dialog.get_by_label("Reopen only within").select_option("72")
    await dialog.get_by_text("Start a new conversation").click()
    await expect(dialog.get_by_label("Reopen only within")).to_have_count(0)

    async def stored() -> bool:
        inbox = await server.call("GET", f"/v1/inboxes/{scene.inbox['id']}")
        return (inbox["name"], inbox["reopen"], inbox["reopen_within_hours"]) == ("Front desk", "new", 72)

    await eventually(stored)
    await dialog.get_by_role("button", name="Disconnect").click()
    await page.get_by_role("dialog", name="Disconnect").get_by_role("button", name="Disconnect").click()
    await expect(page.get_by_text("No inboxes yet")).to_be_visible()

    # what was said stays, and the composer says why no answer can go out
    await page.get_by_role("button", name="Inbox", exact=True).click()
    await row_of(page, "Zoe").click()
    await expect(page.get_by_role("log")).to_contain_text("hello")
    await expect(page.get_by_text("is disconnected")).to_be_visible()
    assert window.complaints == []


async def test_a_colleague_comes_by_link_and_sessions_and_keys_are_given_and_taken(
    server: Server, browser: Browser
) -> None:
    scene = await open_scene(server)
    await scene.customer("Zoe", "hello")
    window = await enter(browser, server)
    page = window.page
    await visit(page, "People")
    await page.get_by_role("button", name="Invite").click()
    await page.get_by_role("dialog").get_by_label("Name").fill("Boris")
    await page.get_by_role("dialog").get_by_label("E-mail").fill("boris@example.org")
    await page.get_by_role("dialog").get_by_label("Role").select_option("admin")
    await page.get_by_role("button", name="Create invitation").click()
    link = await page.get_by_role("textbox", name="Copy").input_value()
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("listitem").filter(has_text="Boris")).to_contain_text("Invited")

    # who was invited chooses a password and is in; the link worked once
    other = await browser.new_context(locale="en-US", viewport={"width": 1280, "height": 800})
    theirs = await open_window(other, link)
    await theirs.page.get_by_label("Password", exact=True).fill("a rather long password")
    assert "token" not in theirs.page.url
    await theirs.page.keyboard.press("Enter")
    await expect(row_of(theirs.page, "Zoe")).to_be_visible()
    again = await open_window(await browser.new_context(locale="en-US"), link)
    await expect(again.page.get_by_text("This link no longer works")).to_be_visible()

    # their second session, ended by them, asks for the password again
    second = await open_window(await browser.new_context(locale="en-US"), server.url)
    await sign_in(second.page, "boris@example.org", "a rather long password")
    await expect(row_of(second.page, "Zoe")).to_be_visible()
    await visit(theirs.page, "Sessions")
    await expect(theirs.page.get_by_role("listitem")).to_have_count(2)
    await theirs.page.get_by_role("button", name="Sign out").click()
    await theirs.page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    await expect(theirs.page.get_by_role("listitem")).to_have_count(1)
    await expect(second.page.locator("input[type=email]")).to_be_visible(timeout=30_000)

    # a key is shown once, works, and is revoked
    await visit(page, "API keys")
    await page.get_by_role("button", name="New key").click()
    await page.get_by_label("What it is for").fill("Reports")
    await page.get_by_role("dialog").get_by_role("button", name="New key").click()
    key = await page.get_by_role("textbox", name="Copy").input_value()
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert key.startswith("pk_")
    assert key not in await page.content()
    owner = server.token
    server.sign(key)
    assert len(await server.conversations()) == 1
    await page.get_by_role("button", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(page.get_by_text("No keys yet")).to_be_visible()
    await server.call("GET", "/v1/me", status=401)
    server.sign(owner)
    await visit(page, "Audit")
    acts = page.get_by_role("listitem")
    await expect(acts.nth(0)).to_contain_text("API key revoked: Reports")
    await expect(acts.nth(2)).to_contain_text("Invitation accepted")
    await expect(acts.nth(4)).to_contain_text("User invited: Boris")
    await expect(acts.nth(4)).to_contain_text("Role: Administrator")
    await expect(acts.nth(4)).to_contain_text("Olga Owner")
    assert await nameless(page) == []
    assert [one.complaints for one in (window, theirs, again, second)] == [[], [], [], []]
    assert window.refusals == theirs.refusals == []


async def test_what_could_not_be_handled_is_listed_with_its_reason_and_replayed(
    server: Server, database_url: str, browser: Browser
) -> None:
    scene = await open_scene(server)
    await scene.customer("Zoe", "hello")
    database = await asyncpg.connect(database_url)

    async def is_done() -> bool:
        return bool(await database.fetchval("SELECT bool_and(work = 'done') FROM journal"))

    # what is still at work would say that it is done
    await eventually(is_done)
    await database.execute("UPDATE journal SET work = 'failed', last_error = 'ZeroDivisionError: oops'")
    window = await enter(browser, server)
    await visit(window.page, "Failed items")
    await expect(window.page.get_by_role("listitem")).to_contain_text(["ZeroDivisionError: oops"])
    await window.page.get_by_role("button", name="Replay").click()
    await expect(window.page.get_by_text("Nothing failed")).to_be_visible()
    await eventually(is_done)
    await database.close()
    # it had been handled before: nothing is there twice
    [row] = await server.conversations()
    assert [message["text"] for message in await server.messages(row["id"])] == ["hello"]
    assert window.complaints == window.refusals == []


async def test_the_audit_tells_in_the_language_on_screen_who_did_what_to_whom(
    server: Server, database_url: str, browser: Browser
) -> None:
    scene = await open_scene(server)
    long = "Wolfeschlegelsteinhausenbergerdorff" * 3
    for name, email in (("Boris", "boris@example.org"), (long, "long@example.org")):
        body = {"name": name, "email": email, "role": "agent"}
        user = (await server.call("POST", "/v1/users", body))["user"]["id"]
        await server.call("PATCH", f"/v1/users/{user}", {"role": "member"})
    await server.call("PUT", f"/v1/inboxes/{scene.inbox['id']}/members/{user}")
    await server.call("PATCH", f"/v1/inboxes/{scene.inbox['id']}", {"reopen_within_hours": 72})
    database = await asyncpg.connect(database_url)
    await database.execute(
        """INSERT INTO audit_entry (workspace_id, id, actor_id, action, target, address)
        SELECT workspace_id, 'ffffffff-0000-7000-8000-000000000000', id, 'robot.taught', 'rob_1', ''
        FROM actor WHERE name = 'Olga Owner'"""
    )
    await database.close()
    window = await enter(browser, server)
    await visit(window.page, "Audit")
    acts = window.page.get_by_role("listitem")
    name = scene.inbox["name"]
    # what it has no words for stands as it is
    await expect(acts.nth(0)).to_contain_text("robot.taught: rob_1")
    await expect(acts.nth(1)).to_contain_text(f"Inbox settings changed: {name}")
    await expect(acts.nth(1)).to_contain_text("Reopen only within: Always → 72 hours")
    await expect(acts.nth(2)).to_contain_text(f"Member added to an inbox: {long} · {name}")
    await expect(acts.filter(has_text="User changed: Boris")).to_contain_text("Role: Agent → Member")
    await expect(acts.filter(has_text="User changed: Boris")).to_contain_text("Olga Owner")
    await shoot(window.page, "audit")
    phone = await enter(
        browser, server, locale="ru-RU", width=390, height=800, color_scheme="dark", is_touch=True
    )
    await phone.page.goto(f"{server.url}/settings/audit")
    acts = phone.page.get_by_role("listitem")
    changed = acts.filter(has_text="Изменён пользователь: Boris")
    await expect(changed).to_contain_text("Роль: Агент → Участник")
    await expect(acts.nth(2)).to_contain_text(f"Добавлен участник канала: {long} · {name}")
    assert await sideways(phone.page) <= 0
    await shoot(phone.page, "audit-phone")
    assert window.complaints == window.refusals == phone.complaints == phone.refusals == []
