"""A workspace with a sandbox inbox, the customers who write to it, and the agent's window."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import Any, Literal

from PIL import Image
from playwright.async_api import Browser, Locator, Page

from tests.browser.conftest import Window, open_window
from tests.programs import PASSWORD, Json, Server, eventually


def picture_bytes(color: str) -> bytes:
    """Return a PNG."""
    made = io.BytesIO()
    Image.new("RGB", (320, 200), color).save(made, "PNG")
    return made.getvalue()


@dataclasses.dataclass(frozen=True)
class Customer:
    """A customer's hands and eyes."""

    server: Server
    bot_id: int
    id: int

    async def write(self, text: str) -> None:
        """Write a message."""
        path = f"/sandbox/control/bots/{self.bot_id}/chats/{self.id}/text"
        await self.server.call("POST", path, {"text": text})

    async def accepted(self) -> list[str]:
        """Return the texts that reached this chat, oldest first."""
        path = f"/sandbox/control/accepted?bot_id={self.bot_id}&chat_id={self.id}&limit=1000"
        found = (await self.server.call("GET", path))["messages"]
        return [
            one.get("text") or one.get("caption", "") for one in sorted(found, key=lambda m: m["message_id"])
        ]

    async def has_got(self, *texts: str) -> None:
        """Wait until exactly these texts have come."""

        async def all_here() -> bool:
            return await self.accepted() == list(texts)

        await eventually(all_here)


@dataclasses.dataclass(frozen=True)
class Scene:
    """One workspace."""

    server: Server
    inbox: Json
    bot_id: int

    async def customer(self, name: str, *texts: str) -> Customer:
        """Make a customer who writes these texts and is seen at the desk."""
        made = await self.server.call("POST", "/sandbox/control/customers", {"first_name": name})
        customer = Customer(self.server, self.bot_id, made["id"])
        for text in texts:
            await customer.write(text)
        if texts:
            await eventually(lambda: self.conversation(customer, texts[-1]), 60)
        return customer

    async def conversation(self, customer: Customer, last: str | None = None) -> Json:
        """Return the newest conversation of a customer, once its last message is this one; else None."""
        for row in await self.server.conversations():
            if row["contact"]["address"] == str(customer.id):
                return row if last is None or row["last_message"]["text"] == last[:200] else None
        return None

    async def fault(self, action: str, **more: Json) -> None:
        """Have the provider misbehave at sending."""
        await self.server.call(
            "POST", "/sandbox/control/faults", {"action": action, "method": "sendMessage", **more}
        )

    async def heal(self) -> None:
        """Have the provider behave again."""
        await self.server.call("DELETE", "/sandbox/control/faults")


async def open_scene(server: Server) -> Scene:
    """Create the workspace and its inbox."""
    await server.set_up()
    inbox = await server.call("POST", "/v1/sandbox/inboxes", {})
    return Scene(server, inbox, int(re.findall(r"bot=(\d+)", inbox["phone_url"])[0]))


async def enter(
    browser: Browser,
    server: Server,
    *,
    locale: str = "en-US",
    width: int = 1440,
    height: int = 900,
    color_scheme: Literal["light", "dark"] = "light",
    is_touch: bool = False,
) -> Window:
    """Open a window of its own and sign in as the owner, by keyboard alone."""
    context = await browser.new_context(
        locale=locale,
        viewport={"width": width, "height": height},
        color_scheme=color_scheme,
        has_touch=is_touch,
        reduced_motion="reduce",
    )
    window = await open_window(context, server.url)
    await sign_in(window.page, "olga@example.org")
    return window


async def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Sign in without a mouse: the first field has the focus."""
    await page.locator("input[type=email]:focus").wait_for()
    await page.keyboard.type(email)
    await page.keyboard.press("Tab")
    await page.keyboard.type(password)
    await page.keyboard.press("Enter")
    await page.locator("input[type=email]").wait_for(state="detached")


def row_of(page: Page, name: str) -> Locator:
    """The line of a customer in the list."""
    return page.get_by_role("listitem").filter(has_text=name)


async def nameless(page: Page) -> list[str]:
    """Return the controls on screen that a screen reader could not name."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('button, a[href], input, textarea, select, [role=menuitem]')]
        .filter((e) => e.checkVisibility() && e.type !== 'hidden' && !(e.getAttribute('aria-label')
            || e.innerText?.trim() || e.labels?.length || e.title || e.querySelector('img[alt]:not([alt=""])')))
        .map((e) => e.outerHTML.slice(0, 200))"""
    )
    return found


async def focus_is_seen(page: Page) -> bool:
    """Whether what has the focus shows it: an outline, a ring, or a border of its own or of what holds it."""
    seen: Any = await page.evaluate(
        """() => { const e = document.activeElement; if (!e || e === document.body) return true;
        const shows = (one) => { const s = getComputedStyle(one);
            return (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none'; };
        for (let one = e, n = 0; one && n < 3; one = one.parentElement, n += 1) if (shows(one)) return true;
        return false; }"""
    )
    return bool(seen)


async def sideways(page: Page) -> int:
    """Return how many pixels the page is wider than the window."""
    extra: int = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return extra
