"""Eyes on pages that show what hostile people wrote: from the inside and from the outside."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import Window, open_window
from tests.programs import Server, eventually

WATCH = """window.__breaches = [];
document.addEventListener('securitypolicyviolation', (e) => window.__breaches.push(e.violatedDirective + ' ' + e.blockedURI));
"""
LOOK = """() => ({
    ran: window.__ran ?? null,
    breaches: window.__breaches,
    links: [...document.querySelectorAll('a, area, [href]')].filter((e) => e.hasAttribute('href'))
        .map((e) => [e.tagName, e.getAttribute('href'), e.href?.baseVal ?? e.href, e.target, e.rel]),
    foreign: [...document.querySelectorAll('body script, iframe, object, embed, base, meta[http-equiv], marquee, body style')]
        .map((e) => e.outerHTML.slice(0, 120)),
    handlers: [...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => a.name.startsWith('on')))
        .map((e) => e.outerHTML.slice(0, 120)),
    sources: [...document.querySelectorAll('[src]')].map((e) => e.src),
})"""
SAFE = ("http:", "https:", "mailto:", "tel:", "tg:")
READ_ON = """(list) => {
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 1;
    list.scrollTop = isAtEnd ? 0 : list.scrollTop + list.clientHeight * 0.8;
    return [...list.querySelectorAll('[role=listitem]')].map((row) => row.textContent).join('\\n');
}"""


class Watch:
    """A browser's context whose every request, dialog and new window is noted."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.strange: list[str] = []
        self._host = urlsplit(url).netloc
        context.on("request", lambda request: self._note(request.url))
        context.on("dialog", self._note_dialog)

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self._host:
            self.strange.append(url[:200])

    async def _note_dialog(self, dialog: Any) -> None:
        self.strange.append(f"dialog {dialog.message}")
        await dialog.dismiss()

    async def require_harmless(self, page: Page, where: str) -> None:
        """Fail when anything ran, left, or stands in the page that was never ours."""
        seen = await page.evaluate(LOOK)
        assert seen["ran"] is None, where
        assert seen["breaches"] == [], where
        assert seen["foreign"] == [], where
        assert seen["handlers"] == [], where
        assert self.strange == [], where
        for tag, written, address, target, rel in seen["links"]:
            assert tag == "use" or address.lower().startswith(SAFE), (where, tag, written)
            if target == "_blank":
                assert {"noopener", "noreferrer"} <= set(rel.split()), (where, written)
        for source in seen["sources"]:
            assert urlsplit(source).netloc == self._host or source.startswith(("blob:", "data:image/")), (
                source
            )

    async def read_list(self, page: Page, rows: Locator, names: list[str]) -> None:
        """Scroll a list, whose rows exist only while they are seen, until every name was on screen, harmlessly.

        Raises: AssertionError with the names that never were.
        """
        seen = ""

        async def all_shown() -> bool:
            nonlocal seen
            await self.require_harmless(page, "a list")
            seen += await rows.evaluate(READ_ON)
            return all(name in seen for name in names)

        try:
            await eventually(all_shown, 90)
        except AssertionError:
            raise AssertionError([name for name in names if name not in seen]) from None

    async def read_thread(self, page: Page, count: int) -> None:
        """Read a thread back, harmlessly, until so many messages stand there. Raises: AssertionError."""
        log = page.get_by_role("log")
        await expect(log.locator("[data-key]").first).to_be_visible()

        async def is_whole() -> bool:
            await self.require_harmless(page, "a thread")
            await log.evaluate("(log) => { log.scrollTop = 0; }")
            return await log.locator("[data-key]").count() >= count

        await eventually(is_whole, 90)
        await self.require_harmless(page, "a whole thread")


async def open_watched(browser: Browser, server: Server, path: str, **options: Any) -> tuple[Window, Watch]:
    context = await browser.new_context(reduced_motion="reduce", **options)
    await context.add_init_script(WATCH)
    watch = Watch(context, server.url)
    return await open_window(context, server.url + path), watch
