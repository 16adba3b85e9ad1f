"""Whatever anybody is called or writes is shown as words: nothing runs, nothing is fetched from elsewhere, nothing breaks.

A whole server with its content policy, headless Chromium, and a provider that hands on anything. Each payload goes in
as a customer's name, a text, the address of a link, a caption and a file's name; then the pages are looked at, from
the inside (a sentinel, the links, breaches of the policy) and from the outside (requests, dialogs, windows).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from playwright.async_api import Browser, expect

from tests.browser.bot_api import LooseBotApi, loose_bot_api
from tests.browser.scene import sideways, sign_in
from tests.browser.watch import open_watched
from tests.browser.xss import MARKUP, PAYLOADS, RUN
from tests.ports import free_port
from tests.programs import Json, Server, eventually, running

pytestmark = pytest.mark.anyio

SHOWN_IN = {"inboxes": MARKUP[24], "people": MARKUP[0], "journal": MARKUP[24]}
"""Words of a payload that a screen of the settings must show."""
OWN_NAME = "Anna <img src=x onerror=window.__ran=1>"


@pytest.fixture
async def telegram() -> AsyncIterator[LooseBotApi]:
    async with loose_bot_api() as api:
        yield api


@pytest.fixture
async def server(tmp_path: Path, telegram: LooseBotApi, database_url: str) -> AsyncIterator[Server]:
    server = Server(
        tmp_path, port=free_port(), DATABASE_URL=database_url, PARLEY_TELEGRAM_API_URL=telegram.server.url
    )
    async with running(server):
        await server.start()
        await server.set_up()
        yield server


def said(number: int, chat: int, name: str, **fields: Any) -> dict[str, Any]:
    """Return a customer's update."""
    person = {"id": chat, "first_name": name, "username": name, "language_code": name}
    message = {
        "message_id": number,
        "date": 1_790_000_000 + number,
        "chat": {**person, "type": "private"},
        "from": person,
    }
    return {"update_id": number, "message": {**message, **fields}}


def link(payload: str) -> list[dict[str, Any]]:
    """Return entities that make the first words a link to the payload."""
    return [{"type": "text_link", "offset": 0, "length": 4, "url": payload}]


def flood() -> list[dict[str, Any]]:
    """Return a customer who says everything, and customers who are called everything."""
    updates = [said(1, 1, "Everything", text="first")]
    for payload in PAYLOADS:
        number = len(updates) + 1
        file = {
            "file_id": f"f{number}",
            "file_unique_id": f"u{number}",
            "file_name": payload,
            "mime_type": payload,
        }
        updates.append(said(number, 1, "Everything", text="link " + payload, entities=link(payload)))
        updates.append(said(number + 1, 1, "Everything", caption=payload, document=file))
    for index, payload in enumerate(PAYLOADS):
        number = len(updates) + 1
        updates.append(
            said(
                number,
                1000 + index,
                payload,
                text=payload,
                forward_origin={"type": "hidden_user", "sender_user_name": payload},
            )
        )
    return updates


async def fill(server: Server, telegram: LooseBotApi) -> None:
    """Call everything that has a name by a payload, and have the flood come in."""
    await server.call("PATCH", "/v1/workspace", {"name": MARKUP[7][:80]})
    await server.call("PATCH", "/v1/me", {"name": OWN_NAME})
    made = await server.call("POST", "/v1/inboxes", {"channel": "telegram", "secrets": {"token": "555:AAx"}})
    await server.call("PATCH", f"/v1/inboxes/{made['id']}", {"name": MARKUP[24]})
    for n, payload in enumerate(MARKUP[:6]):
        await server.call(
            "POST", "/v1/users", {"name": payload[:100], "email": f"a{n}@example.org", "role": "agent"}
        )
    telegram.updates = [
        *flood(),
        {"update_id": 100_000, "message": {"text": f"<img src=x onerror={RUN}>"}},
        {"update_id": 100_001, f"<img src=x onerror={RUN}>": {}},
    ]

    async def all_in() -> bool:
        is_taken = telegram.updates[-1]["update_id"] < _last_offset(telegram)
        return is_taken and await find_rows(server) is not None

    await eventually(all_in, 150, 0.3)


def _last_offset(telegram: LooseBotApi) -> int:
    polls = [seen.json for seen in telegram.server.seen if seen.target.endswith("/getUpdates")]
    offset: int = polls[-1].get("offset", 0) if polls else 0
    return offset


async def find_rows(server: Server) -> tuple[Json, list[Json]] | None:
    """Return the conversation in which everything is said, once all of it is, and those of the others."""
    rows = await server.conversations()  # what moves to the front between two pages may be missed
    everything = [row for row in rows if row["contact"]["address"] == "1"]
    if not everything or everything[0]["last_number"] < 2 * len(PAYLOADS) or len(rows) < 0.9 * len(PAYLOADS):
        return None
    return everything[0], [row for row in rows if row["contact"]["address"] != "1"]


async def test_the_desk_shows_words_whatever_they_are(
    server: Server, telegram: LooseBotApi, browser: Browser
) -> None:
    telegram.refusal = f"<img src=x onerror={RUN}>\u202e{RUN}"
    await fill(server, telegram)
    for width in (1440, 360):
        window, watch = await open_watched(
            browser, server, "/", locale="en-US", viewport={"width": width, "height": 900}
        )
        page = window.page
        await sign_in(page, "olga@example.org")
        await expect(page.get_by_role("listitem").first).to_be_visible()
        await watch.require_harmless(page, f"list at {width}")
        assert await sideways(page) <= 0
        everything, others = await eventually(lambda: find_rows(server))
        names = [row["contact"]["name"] for row in others]
        rows = page.get_by_role("region", name="Conversations").get_by_role("list")
        await watch.read_list(page, rows, names)
        for row in [everything, *others[:: 12 if width == 1440 else 20]]:
            await page.goto(f"{server.url}/inbox/{row['id']}")
            await expect(page.get_by_role("log").locator("[data-key]").first).to_be_visible()
            await watch.require_harmless(page, row["contact"]["name"][:60])
            assert await sideways(page) <= 0, row["contact"]["name"][:60]
            assert "__ran" not in await page.title()
        await page.goto(f"{server.url}/inbox/{everything['id']}")
        await watch.read_thread(page, len(await server.messages(everything["id"])))
        assert await sideways(page) <= 0
        for section in ("inboxes", "people", "keys", "journal", "audit", "profile", "sessions"):
            await page.goto(f"{server.url}/settings/{section}")
            await expect(page.locator("h1, h2").first).to_be_attached()
            await expect(page.locator(".shimmer")).to_have_count(0)
            if section in SHOWN_IN:
                await expect(page.locator("body")).to_contain_text(SHOWN_IN[section])
            await watch.require_harmless(page, f"{section} at {width}")
            assert await sideways(page) <= 0, section
        if width == 1440:
            await page.goto(f"{server.url}/inbox/{everything['id']}")
            area = page.get_by_role("textbox", name="Message", exact=True)
            await area.fill(f"<img src=x onerror={RUN}> [x](javascript:{RUN})")
            await area.press("Enter")
            last = page.get_by_role("log").locator("[data-key]").last
            await expect(last).to_contain_text("[x](javascript:")
            await expect(last.get_by_role("status")).to_contain_text(RUN)
            await watch.require_harmless(page, "what the provider refused")
        assert window.complaints == []
        await page.context.close()


@pytest.mark.parametrize(
    "slip",
    [
        "document.body.innerHTML += '<img src=x onerror=window.__ran=1>'",
        "document.body.innerHTML += '<a href=javascript:window.__ran=1>x</a>'",
        "document.body.innerHTML += '<a href=https://example.org target=_blank>x</a>'",
        "document.body.innerHTML += '<iframe srcdoc=x></iframe>'",
        "document.body.append(Object.assign(new Image(), {src: 'http://evil.example/pixel.gif'}))",
        "window.__ran = 1",
        "void fetch('http://127.0.0.1:9/').catch(() => 0)",
        "setTimeout(() => alert(1))",
    ],
)
async def test_the_watch_sees_what_it_is_there_to_see(server: Server, browser: Browser, slip: str) -> None:
    window, watch = await open_watched(browser, server, "/")
    await watch.require_harmless(window.page, "as it is")
    await window.page.evaluate(slip)

    async def is_seen() -> bool:
        try:
            await watch.require_harmless(window.page, slip)
        except AssertionError:
            return True
        return False

    await eventually(is_seen)


async def test_pages_for_nobody_take_nothing_from_their_address(server: Server, browser: Browser) -> None:
    window, watch = await open_watched(browser, server, "/")
    page = window.page
    for payload in (*MARKUP[:12], f"javascript:{RUN}", "{{7*7}}", "//evil.example/x", "x" * 3000):
        for path in (
            f"/setup?next={quote(payload)}#token={quote(payload)}",
            f"/invite?token={quote(payload)}#token={quote(payload)}",
            f"/?next={quote(payload)}#{quote(payload)}",
            f"/inbox/{quote(payload, safe='')}?return={quote(payload)}",
            f"/sandbox/?bot={quote(payload)}&chat={quote(payload)}#{quote(payload)}",
            f"/no/such/page/{quote(payload)}",
        ):
            await page.goto(server.url + path)
            await watch.require_harmless(page, path[:80])
        assert await sideways(page) <= 0
    assert window.complaints == []


async def test_the_sandboxs_phone_shows_words_too(server: Server, browser: Browser) -> None:
    inbox = await server.call("POST", "/v1/sandbox/inboxes", {})
    bot = inbox["phone_url"].split("bot=")[1].split("&")[0].split("#")[0]
    chats = []
    for payload in MARKUP[:4]:
        made = await server.call(
            "POST", "/sandbox/control/customers", {"first_name": payload[:60], "last_name": payload[:60]}
        )
        chats.append(made["id"])
    for payload in PAYLOADS:
        answer = await server.http.post(
            f"/sandbox/control/bots/{bot}/chats/{chats[0]}/text", json={"text": payload[:4000]}
        )
        assert answer.status_code < 500, payload
    for n, payload in enumerate(MARKUP[:10]):
        files = {"files": (payload.replace("\x0c", ""), b"<script>window.__ran=1</script>", "text/html")}
        answer = await server.http.post(
            f"/sandbox/control/bots/{bot}/chats/{chats[0]}/media",
            data={"kind": "document", "caption": payload},
            files=files,
        )
        assert answer.status_code < 500, n
    window, watch = await open_watched(browser, server, "/", viewport={"width": 360, "height": 740})
    page = window.page
    await page.goto(
        inbox["phone_url"] if inbox["phone_url"].startswith("http") else server.url + inbox["phone_url"]
    )
    customers = page.locator(f"select:has(option[value='{chats[0]}'])").first
    await expect(customers).to_be_visible()
    await watch.require_harmless(page, "the phone")
    await customers.select_option(str(chats[0]))
    await expect(page.get_by_text("</textarea>", exact=False).first).to_be_attached()
    for _ in range(3):
        await page.mouse.wheel(0, -5000)
        await page.wait_for_timeout(200)
        await watch.require_harmless(page, "a chat of the phone")
    assert await sideways(page) <= 0
    assert window.complaints == []


async def test_every_kind_of_answer_carries_what_guards_it(server: Server) -> None:
    media = (await server.http.post("/v1/media?name=a.html", content=b"<script>1</script>")).json()
    inbox = await server.call("POST", "/v1/sandbox/inboxes", {})
    pages = [
        "/",
        "/inbox",
        "/setup",
        "/docs",
        "/docs/api.css",
        "/no/such",
        "/theme.js",
        "/sw.js",
        "/manifest.webmanifest",
        "/logo.svg",
        "/assets/none.js",
    ]
    data = [
        "/v1/me",
        "/v1/none",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/metrics",
        f"/v1/media/{media['id']}",
        "/v1/media/x",
    ]
    cases: list[tuple[str, str, dict[str, str]]] = [("GET", path, {}) for path in [*pages, *data]]
    cases += [
        ("GET", f"/v1/media/{media['id']}/content", {}),
        ("GET", f"/v1/media/{media['id']}/content", {"range": "bytes=0-1"}),
        ("GET", f"/v1/media/{media['id']}/content", {"range": "bytes=900-"}),
        ("GET", f"/v1/media/{media['id']}/thumbnail", {}),
        ("HEAD", "/", {}),
        ("POST", "/", {}),
        ("DELETE", "/v1/me", {}),
        ("POST", "/v1/inboxes", {}),
        ("OPTIONS", "/v1/me", {"origin": "https://evil.example"}),
        ("POST", f"/webhooks/telegram/{inbox['id']}", {}),
        ("GET", "/v1/me", {"authorization": "Bearer x"}),
        ("GET", "/socket.io/?EIO=4&transport=polling", {}),
        ("GET", "/socket.io/?EIO=9", {}),
        ("GET", "/sandbox", {}),
        ("GET", "/sandbox/", {}),
        ("GET", "/sandbox/none", {}),
        ("GET", "/sandbox/control/state", {}),
        ("GET", "/sandbox/telegram/bot1:x/getMe", {}),
        ("GET", "/sandbox/telegram/file/bot1:x/y", {}),
    ]
    problems = []
    async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as plain:
        for method, path, headers in cases:
            answer = await plain.request(
                method, path, headers={"authorization": f"Bearer {server.token}", **headers}
            )
            policy = answer.headers.get("content-security-policy", "")
            name = f"{method} {path} {answer.status_code}"
            if answer.status_code >= 500 and answer.status_code != 503:
                problems.append(f"{name}: {answer.text[:100]}")
            if answer.headers.get("x-content-type-options") != "nosniff":
                problems.append(f"{name}: no nosniff")
            if "default-src" not in policy or "unsafe" in policy or "*" in policy:
                problems.append(f"{name}: policy {policy!r}")
            if "frame-ancestors" not in policy and not policy.startswith("sandbox"):
                problems.append(f"{name}: may be framed")
            if answer.headers.get("access-control-allow-origin"):
                problems.append(f"{name}: open to {answer.headers['access-control-allow-origin']}")
            location = answer.headers.get("location", "/")
            if not location.startswith("/") or location.startswith("//"):
                problems.append(f"{name}: leads to {location}")
            if not path.startswith("/sandbox") and answer.headers.get("referrer-policy") != "no-referrer":
                problems.append(f"{name}: no referrer-policy")
        for path in (
            "//evil.example",
            "//evil.example/%2e%2e",
            "/sandbox//evil.example",
            "/\\evil.example",
            "/%0d%0aX-Evil:1",
        ):
            answer = await plain.get(server.url + path)
            assert "x-evil" not in answer.headers
            assert not answer.headers.get("location", "/").startswith(("//", "http", "/\\")), path
    assert problems == []
