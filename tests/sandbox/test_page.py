"""The phone in a real browser: what a person does and sees."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.sandbox.conftest import Stand, aiogram_bot, standing
from tests.sandbox.test_bot_api import picture

pytestmark = pytest.mark.anyio

PATIENCE_MS = 30_000
"""What is to come may take so long on a slow and busy machine."""
expect.set_options(timeout=PATIENCE_MS)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    assert path, "these tests need Debian's chromium: apt-get install chromium"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        await running.close()


async def opened(browser: Browser, url: str, **options: Any) -> Page:
    """The page; whatever the browser complains about fails the test."""
    page = await (await browser.new_context(**{"locale": "en-GB", **options})).new_page()
    page.set_default_timeout(PATIENCE_MS)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.problems = problems  # type: ignore[attr-defined]  # read by the tests below
    await page.goto(url)
    return page


def problems(page: Page) -> list[str]:
    found: list[str] = page.problems  # type: ignore[attr-defined]
    return found


async def test_a_conversation_is_played_by_keyboard(stand: Stand, bot: Bot, browser: Browser) -> None:
    page = await opened(browser, f"{stand.origin}/?bot={stand.bot_id}")
    await page.get_by_role("button", name="Start").click()
    await page.locator("#text").fill("the box is <b>broken</b>")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.mine .words")).to_have_text(["/start", "the box is <b>broken</b>"])
    assert [u.message and u.message.text for u in await bot.get_updates()][-1] == "the box is <b>broken</b>"
    await bot.send_chat_action(stand.customer_id, "typing")
    await expect(page.locator("#head-state")).to_contain_text("typing")
    sent = await bot.send_message(stand.customer_id, "<b>Sorry!</b> Send a photo", parse_mode="HTML")
    await expect(page.locator(".message:not(.mine) .words b")).to_have_text("Sorry!")
    await bot.edit_message_text("Better: two photos", chat_id=stand.customer_id, message_id=sent.message_id)
    await expect(page.locator(".message:not(.mine) .foot-line")).to_contain_text("edited")
    await page.locator("#text").press("ArrowUp")
    await page.locator("#text").fill("the lid is broken")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.mine .words").last).to_have_text("the lid is broken")
    edited = (await bot.get_updates())[-1].edited_message
    assert edited
    assert edited.text == "the lid is broken"
    assert problems(page) == []


async def test_photos_go_as_an_album_and_replies_quote(stand: Stand, bot: Bot, browser: Browser) -> None:
    await stand.write("hi")
    sent = await bot.send_message(stand.customer_id, "How can we help?")
    page = await opened(browser, stand.origin)
    row = page.locator(f'[data-id="{sent.message_id}"]')
    await row.hover()
    await row.get_by_role("button", name="Message actions").click()
    await page.get_by_role("menuitem", name="Reply").click()
    shots: Any = [{"name": f"{n}.png", "mimeType": "image/png", "buffer": picture().data} for n in range(3)]
    await page.locator("#photo-input").set_input_files(shots)
    await page.locator("#text").fill("scratched")
    await page.locator("#send").click()
    await expect(page.locator(".pictures.many img")).to_have_count(3)
    await expect(page.locator(".pictures.many img").first).to_have_js_property("complete", True)
    messages = [u.message for u in (await bot.get_updates())[1:]]
    assert [m and m.caption for m in messages] == ["scratched", None, None]
    assert messages[0]
    assert messages[0].reply_to_message
    assert problems(page) == []


async def test_the_first_visit_makes_a_bot_and_shows_its_token(tmp_path: Path, browser: Browser) -> None:
    async with standing(tmp_path / "sandbox.sqlite") as stand:
        await stand.call("DELETE", f"bots/{stand.bot_id}")
        page = await opened(browser, stand.origin, locale="ru-RU", viewport={"width": 360, "height": 740})
        await page.get_by_role("button", name="Создать").click()
        await expect(page.locator("#head-name")).to_have_text("Служба поддержки")
        token = await page.locator("#token").inner_text()
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        await page.locator("#language").click()
        await expect(page.locator("#begin")).to_have_text("Start")
        answer = await stand.control.get(f"/telegram/bot{token}/getMe")
        assert answer.json()["result"]["first_name"] == "Служба поддержки"
        assert problems(page) == []


async def test_a_fault_is_switched_on_and_off_from_the_page(stand: Stand, browser: Browser) -> None:
    page = await opened(browser, stand.origin)
    await page.get_by_text("Make the provider misbehave").click()
    await page.locator("#preset").select_option("hang_after")
    await page.get_by_role("button", name="Switch on").click()
    await expect(page.locator("#rules li")).to_contain_text("Hangs after the message was sent")
    (rule,) = (await stand.call("GET", "faults"))["faults"]
    assert (rule["action"], rule["method"], rule["bot_id"], rule["seconds"]) == (
        "hang_after", "sendMessage", stand.bot_id, 60,
    )  # fmt: skip
    await page.locator("#rules button").click()
    await expect(page.locator("#rules li")).to_have_count(0)
    assert problems(page) == []


async def test_the_phone_comes_back_after_the_sandbox_restarts(tmp_path: Path, browser: Browser) -> None:
    async with standing(tmp_path / "one.sqlite") as stand, aiogram_bot(stand) as bot:
        page = await opened(browser, stand.origin)
        await stand.write("hi")
        await expect(page.locator(".message")).to_have_count(1)
        await page.context.set_offline(True)
        await bot.send_message(stand.customer_id, "while you were away")
        await page.context.set_offline(False)
        await page.evaluate("listen()")
        await expect(page.locator(".message:not(.mine) .words")).to_have_text("while you were away")
