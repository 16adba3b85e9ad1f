"""A browser, and a whole Parley for it to open."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.ports import free_port
from tests.programs import Server

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    # a microphone that beeps
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PATIENCE_MS = 30_000
"""What is to come may take so long on a slow and busy machine; what is there already costs nothing."""
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's chromium, headless."""
    path = shutil.which("chromium")
    assert path, "these tests need Debian's chromium: apt-get install chromium"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        await running.close()


@pytest.fixture
async def server(tmp_path: Path, database_url: str) -> AsyncIterator[Server]:
    """A server on an empty database, with the sandbox on; real Telegram, too, is the sandbox's stand-in."""
    port = free_port()
    telegram = f"http://127.0.0.1:{port}/sandbox/telegram"
    server = Server(tmp_path, port=port, DATABASE_URL=database_url, PARLEY_TELEGRAM_API_URL=telegram)
    await server.start()
    yield server
    await server.stop()
    await server.http.aclose()
    server.show()


class Window:
    """A page whose complaints are kept.

    `complaints`: errors of scripts, breaches of the content policy, and whatever else the console calls an error.
    `refusals`: answers of 4xx and 5xx and requests that failed, which some tests cause on purpose.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.refusals: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type != "error" and "Content Security Policy" not in message.text:
            return
        is_refusal = "Failed to load resource" in message.text or "WebSocket connection" in message.text
        (self.refusals if is_refusal else self.complaints).append(message.text)


async def open_window(context: BrowserContext, url: str) -> Window:
    """Open a page and watch it."""
    window = Window(await context.new_page())
    await window.page.goto(url)
    return window
