"""A workspace of more people than a page holds: colleagues are found by name, with all that the lists say of them."""

from __future__ import annotations

import asyncpg
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.conftest import Window
from tests.browser.scene import Scene, enter, focus_is_seen, nameless, open_scene, sideways
from tests.browser.shots import shoot
from tests.programs import Server

pytestmark = pytest.mark.anyio

MANY = 1_050


@pytest.fixture
async def crowded(server: Server, database_url: str) -> Scene:
    """A workspace with very many plain members before everybody else, and four whom the owner invited last."""
    scene = await open_scene(server)
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        """INSERT INTO actor (workspace_id, id, kind, name, role)
        SELECT w.id, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'user',
            'Person ' || lpad(n::text, 4, '0'), 'member'
        FROM workspace w, generate_series(1, $1::int) AS n""",
        MANY,
    )
    await connection.close()
    for name, role in (
        ("Boris", "agent"),
        ("Vera Ozerova", "agent"),
        ("Yan", "admin"),
        ("Zed Ozerov", "member"),
    ):
        email = f"{name.split()[0].lower()}@example.org"
        await server.call("POST", "/v1/users", {"name": name, "email": email, "role": role})
    return scene


async def open_section(browser: Browser, server: Server, section: str, **options: object) -> Window:
    window = await enter(browser, server, **options)  # type: ignore[arg-type]  # the browser's own
    await window.page.goto(f"{server.url}/settings/{section}")
    return window


def line(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has_text=name)


async def test_who_answers_in_an_inbox_is_chosen_among_colleagues_by_keyboard(
    crowded: Scene, browser: Browser
) -> None:
    window = await open_section(browser, crowded.server, "inboxes")
    page = window.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.get_by_role("button", name=f"Settings of {crowded.inbox['name']}").press("Enter")
    dialog = page.get_by_role("dialog", name=crowded.inbox["name"])
    add = dialog.get_by_role("button", name="Add")
    await expect(add).to_be_enabled()  # once it is known who is in it
    await add.press("Enter")
    field = page.get_by_role("combobox", name="Add a member")
    await expect(field).to_be_focused()
    options = page.get_by_role("option")
    # those of the desk alone, whatever else is in the workspace, each with their role
    await expect(options).to_contain_text(["BorisAgent", "Vera OzerovaAgent", "YanAdministrator"])
    await shoot(page, "add-a-member")
    await page.keyboard.type("ozer")
    await expect(options).to_contain_text(["Vera OzerovaAgent"])
    await page.keyboard.press("Enter")
    await expect(field).to_have_count(0)
    await expect(line(page, "Vera Ozerova")).to_be_visible()
    await expect(add).to_be_focused()
    assert await focus_is_seen(page)
    # who is in it is offered no more
    await page.keyboard.press("Enter")
    await expect(options).to_contain_text(["BorisAgent", "YanAdministrator"])
    await page.keyboard.type("nobody such")
    await expect(page.get_by_text("Nothing found")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(field).to_have_count(0)
    await expect(add).to_be_focused()
    for name in ("Boris", "Yan"):
        await add.press("Enter")
        await expect(options.first).to_contain_text(name)
        await page.keyboard.press("Enter")
        await expect(line(page, name)).to_be_visible()
    await add.press("Enter")
    await expect(page.get_by_text("Everybody is here already")).to_be_visible()
    assert await nameless(page) == []
    # nobody read the list of all
    assert [url for url in asked if "/v1/users" in url] == []
    assert window.complaints == window.refusals == []


async def test_people_on_no_page_yet_are_found_with_their_email_state_and_role(
    crowded: Scene, browser: Browser
) -> None:
    window = await open_section(browser, crowded.server, "people")
    page = window.page
    await expect(page.get_by_role("listitem")).to_have_count(100)
    field = page.get_by_role("searchbox", name="Find by name or e-mail")
    await shoot(page, "people-many")
    await field.fill("ozer")
    lines = page.get_by_role("listitem")
    await expect(lines).to_have_count(2)
    for name, email in (("Vera Ozerova", "vera@example.org"), ("Zed Ozerov", "zed@example.org")):
        await expect(line(page, name)).to_contain_text(email)
        await expect(line(page, name)).to_contain_text("Invited")
    await shoot(page, "people-found")
    # by a part of the e-mail; with their role changed and deactivated they are found as they are now
    await field.fill("ed@exa")
    await expect(lines).to_have_count(1)
    await line(page, "Zed Ozerov").get_by_role("button", name="Actions").click()
    await page.get_by_role("menuitem", name="Deactivate").click()
    await page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    await expect(line(page, "Zed Ozerov")).to_contain_text("Deactivated")
    await field.fill("person 00")
    await expect(lines).to_have_count(99)
    await field.fill("person")
    await expect(lines).to_have_count(100)
    await page.get_by_role("button", name="Show more").click()
    await expect(lines).to_have_count(200)
    await page.get_by_role("button", name="Clear: Find by name or e-mail").press("Enter")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("")
    await expect(lines).to_have_count(100)
    await expect(line(page, "Person 0001")).to_be_visible()
    assert window.complaints == window.refusals == []


async def test_on_a_phone_in_russian_and_in_the_dark_both_lists_fit(crowded: Scene, browser: Browser) -> None:
    window = await open_section(
        browser,
        crowded.server,
        "people",
        locale="ru-RU",
        width=390,
        height=800,
        color_scheme="dark",
        is_touch=True,
    )
    page = window.page
    field = page.get_by_role("searchbox", name="Найти по имени или почте")
    await field.fill("озер")
    await expect(page.get_by_text("Никого с таким именем")).to_be_visible()
    await field.fill("ozer")
    await expect(line(page, "Vera Ozerova")).to_contain_text("Приглашён")
    assert await sideways(page) <= 0
    await shoot(page, "people-found-phone")
    await page.goto(f"{crowded.server.url}/settings/inboxes")
    await page.get_by_role("button", name=f"Настройки: {crowded.inbox['name']}").tap()
    await page.get_by_role("dialog").get_by_role("button", name="Добавить").tap()
    await expect(page.get_by_role("option")).to_have_count(3)
    assert await sideways(page) <= 0
    await shoot(page, "add-a-member-phone")
    await page.get_by_role("option", name="Yan").tap()
    await expect(line(page, "Yan")).to_be_visible()
    assert await nameless(page) == []
    assert window.complaints == window.refusals == []
