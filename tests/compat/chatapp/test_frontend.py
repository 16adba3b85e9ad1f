"""The judge: a front end written for the chat application, from another origin, against a whole Parley."""

from __future__ import annotations

import functools
import re
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Window, browser, open_window
from tests.programs import Server, eventually

__all__ = ["browser"]

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
CLIENT = HERE.parents[1] / "realtime/js/node_modules/socket.io-client/dist/socket.io.min.js"
ANNA, BORIS = "79990000001", "79990000002"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def frontend(tmp_path: Path) -> Iterator[str]:
    """The front end on an origin of its own."""
    folder = tmp_path / "frontend"
    shutil.copytree(HERE / "frontend", folder)
    assert CLIENT.exists(), "these tests need the packages of tests/realtime/js: `make dev`"
    shutil.copy(CLIENT, folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
async def chat(tmp_path: Path, frontend: str) -> AsyncIterator[Server]:
    """A Parley whose workspace phone numbers join by the dialect."""
    server = Server(tmp_path)
    await server.start()
    await server.set_up()
    workspace = await server.call("GET", "/v1/workspace")
    server.set(PARLEY_CHATAPP="1", PARLEY_CHATAPP_WORKSPACE=workspace["id"], PARLEY_CHATAPP_ORIGINS=frontend)
    await server.stop()
    await server.start()
    yield server
    await server.stop()
    await server.http.aclose()
    server.show()


async def sign_up(server: Server, browser: Browser, frontend: str, phone: str, name: str) -> Window:
    """Open the front end in a browser of one's own and sign up by phone."""
    context = await browser.new_context(locale="ru-RU")
    window = await open_window(context, f"{frontend}/?api={server.url}")
    page = window.page
    await page.fill("#phone", phone)
    await page.fill("#name", name)
    await page.click("#ask button")
    await page.locator("#code").wait_for()

    async def code() -> str | None:
        found = await server.call("GET", f"/sandbox/control/sms?phone=%2B{phone}")
        digits = [re.search(r"\b[0-9]{4}\b", one["text"]) for one in found["messages"]]
        return digits[0][0] if digits and digits[0] else None

    await page.fill("#code", await eventually(code))
    await page.click("#verify button")
    await expect(page.locator("#me")).to_have_text(f"{name} {phone}")
    return window


def line(page: Page, text: str) -> Any:
    return page.locator("#messages li").filter(has_text=text)


async def test_a_front_end_written_for_that_backend_runs_unchanged(
    chat: Server, browser: Browser, frontend: str
) -> None:
    boris = await sign_up(chat, browser, frontend, BORIS, "Борис")
    anna = await sign_up(chat, browser, frontend, ANNA, "Анна")
    a, b = anna.page, boris.page

    # a dialog made here appears there, with who is in it being here
    await a.locator("#people button", has_text="Борис").click()
    await expect(a.locator("#title")).to_have_text("Диалог с Борис")
    await expect(b.locator("#dialogs button")).to_contain_text("● Диалог с Борис")
    await expect(a.locator("#dialogs button")).to_contain_text("●")

    # a message comes live, is counted, opened and read; the sender sees that
    await a.fill("#text", "Привет!")
    await a.press("#text", "Enter")
    await expect(line(a, "Вы: Привет!")).to_have_count(1)
    await expect(b.locator("#dialogs button")).to_contain_text("(1): Привет!")
    await b.locator("#dialogs button").click()
    await expect(line(b, "Анна: Привет!")).to_have_count(1)
    await expect(line(a, "Вы: Привет! ✓✓")).to_have_count(1)

    # in an open dialog what comes is shown, and who is writing
    await b.locator("#text").press_sequentially("И тебе", delay=20)
    await expect(a.locator("#typing")).to_have_text("Борис печатает...")
    await b.press("#text", "Enter")
    await expect(a.locator("#typing")).to_have_text("")
    await expect(line(a, "Борис: И тебе")).to_have_count(1)
    await expect(line(b, "Вы: И тебе ✓✓")).to_have_count(1)

    # a reaction is on both screens
    await line(b, "Привет!").get_by_text("👍").click()
    for page in (a, b):
        await expect(line(page, "Привет! 👍1")).to_have_count(1)

    # a window opened anew with the token it kept, as the application's do
    await b.reload()
    await expect(b.locator("#me")).to_have_text(f"Борис {BORIS}")
    await expect(b.locator("#dialogs button")).to_contain_text("● Диалог с Борис: И тебе")
    await b.close()
    await expect(a.locator("#dialogs button")).not_to_contain_text("●")
    assert anna.complaints == anna.refusals == boris.complaints == boris.refusals == []
