"""How it looks and fits: languages, themes, a phone's width, a long history."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.scene import enter, nameless, open_scene, row_of, sideways
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio


async def test_language_and_theme_are_kept_and_a_first_visit_asks_for_nothing_in_vain(
    server: Server, browser: Browser
) -> None:
    scene = await open_scene(server)
    await scene.customer("Zoe", "hello")
    window = await enter(browser, server, color_scheme="light")
    page = window.page
    root = page.locator("html")
    await expect(root).to_have_attribute("data-theme", "light")
    await page.get_by_role("button", name="Profile menu").click()
    await page.get_by_role("menuitem", name="Dark").click()
    await expect(root).to_have_attribute("data-theme", "dark")
    await page.get_by_role("button", name="Profile menu").click()
    await page.get_by_role("menuitem", name="Русский").click()
    await expect(page.get_by_role("heading", name="Все разговоры")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Все разговоры")).to_be_visible()
    await expect(root).to_have_attribute("data-theme", "dark")
    await expect(root).to_have_attribute("lang", "ru")
    await page.get_by_role("button", name="Меню профиля").click()
    await page.get_by_role("menuitem", name="Выйти").click()
    await expect(page.get_by_role("button", name="Войти")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("button", name="Войти")).to_be_visible()
    assert await nameless(page) == []
    assert window.complaints == window.refusals == []


async def test_on_a_narrow_phone_everything_is_reached_and_nothing_scrolls_sideways(
    server: Server, browser: Browser
) -> None:
    scene = await open_scene(server)
    zoe = await scene.customer(
        "Zoë von und zu Hohenstein-Schillingsfürst",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
        "https://example.org/" + "x" * 300,
        "مرحبا، أين طلبي؟",
    )
    window = await enter(
        browser, server, locale="ru-RU", width=360, height=740, color_scheme="dark", is_touch=True
    )
    page = window.page
    await expect(row_of(page, "Zoë")).to_be_visible()
    assert await sideways(page) <= 0
    await row_of(page, "Zoë").tap()
    await expect(page.get_by_role("log")).to_contain_text("مرحبا")
    assert await sideways(page) <= 0

    # snooze, assign and resolve are in the menu
    await page.get_by_role("button", name="Действия с разговором").tap()
    assert await nameless(page) == []
    await page.get_by_role("menuitem", name="Назначить мне").tap()
    await page.get_by_role("button", name="Действия с разговором").tap()
    await page.get_by_role("menuitem", name="Отложить").tap()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await sideways(page) <= 0
    await page.get_by_role("button", name="Через неделю").tap()

    async def is_put_off() -> bool:
        row = await scene.conversation(zoe)
        return bool(row["status"] == "snoozed" and row["assignee"])

    await eventually(is_put_off)
    await page.get_by_role("button", name="Назад к списку").tap()
    await expect(page.get_by_role("log")).to_have_count(0)
    await page.get_by_role("button", name="Открыть меню").tap()
    await page.get_by_role("button", name="Настройки").tap()
    for section in ("Каналы", "Люди", "Ключи API", "Необработанное", "Журнал действий", "Профиль", "Сеансы"):
        await page.get_by_role("button", name=section).tap()
        await expect(page.get_by_role("heading", name=section)).to_be_visible()
        await expect(page.locator(".shimmer")).to_have_count(0)
        assert await sideways(page) <= 0, section
        await page.get_by_role("button", name="Назад").tap()
    assert window.complaints == window.refusals == []


async def test_reading_back_a_long_history_keeps_the_place(server: Server, browser: Browser) -> None:
    scene = await open_scene(server)
    await scene.customer("Zoe", *[f"line {n} {'words ' * (n % 30)}." for n in range(160)])
    window = await enter(browser, server)
    page = window.page
    await row_of(page, "Zoe").click()
    log = page.get_by_role("log")
    await expect(log.locator("[data-key]").first).to_be_visible()
    # where the reader stands, before anything is loaded; and where that is once the screen has been painted
    place = """(log) => { log.scrollTop = 300; const top = log.getBoundingClientRect().top;
        const row = [...log.querySelectorAll('[data-key]')].find((r) => r.getBoundingClientRect().top >= top);
        return [row.dataset.key, row.getBoundingClientRect().top - top]; }"""
    where = """async (log, key) => {
        for (let n = 0; n < 2; n += 1) await new Promise(requestAnimationFrame);
        return log.querySelector(`[data-key='${key}']`).getBoundingClientRect().top
            - log.getBoundingClientRect().top; }"""
    loaded = await log.locator("[data-key]").count()
    while True:
        key, top = await log.evaluate(place)
        before = loaded

        async def has_grown(before: int = before) -> bool:
            return await log.locator("[data-key]").count() > before

        await eventually(has_grown)
        loaded = await log.locator("[data-key]").count()
        # within a line: the mark that more is being read comes and goes above
        assert abs(await log.evaluate(where, key) - top) <= 20
        if loaded >= 160:
            break
    await log.evaluate("(log) => { log.scrollTop = 0; }")
    await expect(log.get_by_text("line 0 ", exact=False).first).to_be_visible()
    assert window.complaints == window.refusals == []
