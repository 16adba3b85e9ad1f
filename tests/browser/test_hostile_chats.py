"""What colleagues are called and write is shown as words too: chats, members, pins, mentions, search, links, devices."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Coroutine, Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.scene import sideways, sign_in
from tests.browser.shots import shoot
from tests.browser.talk import Colleague, at_hand, join, set_up_owner
from tests.browser.watch import open_watched
from tests.browser.xss import MARKUP, PAYLOADS, RUN
from tests.programs import PASSWORD, Json, Server, eventually

pytestmark = pytest.mark.anyio

TITLES = [*PAYLOADS[::3], *MARKUP[:8]]
WORD = "kettle"
"""What is searched for, before every payload."""
AGENTS = [payload for payload in MARKUP[:24:3] if payload.isascii() and payload.isprintable()]


@dataclasses.dataclass
class Crowd:
    """Everything that has a name, called by a payload."""

    everything: str
    invitation: str
    invited_to: Json
    names: list[str]
    texts: list[str]
    titles: list[str]
    kept_out: list[str]
    pinned: list[str]
    waiting: list[str]


async def each(jobs: Sequence[Coroutine[Any, Any, Json]]) -> list[Json]:
    """Do all of these, eight at a time; return what came of each."""
    gate = asyncio.Semaphore(8)

    async def one(job: Coroutine[Any, Any, Json]) -> Json:
        async with gate:
            return await job

    return await asyncio.gather(*(one(job) for job in jobs))


async def gather_crowd(olga: Colleague, boris: Colleague) -> Crowd:
    key = (await olga.call("POST", "/v1/api-keys", {"name": MARKUP[7], "scopes": ["act"]}))["key"]
    headers = {"authorization": f"Bearer {key}"}

    async def ask(method: str, path: str, body: Json = None, actor: str | None = olga.id) -> Json:
        named = {**headers, **({"x-parley-actor": actor} if actor else {})}
        answer = await olga.server.http.request(method, path, json=body, headers=named)
        assert answer.is_success, f"{method} {path} {body}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    people = await each([
        ask("PUT", f"/v1/users/by-external-id/p{n}", {"name": name[:100]}, None)
        for n, name in enumerate(MARKUP)
    ])  # fmt: skip
    actors = [one["id"] for one in people]
    chat = await ask(
        "POST", "/v1/conversations", {"kind": "group", "title": MARKUP[7], "members": [boris.id, *actors]}
    )
    path = f"/v1/conversations/{chat['id']}"
    await ask("PATCH", path, {"description": "\n".join(MARKUP)[:2000]})
    await ask("PATCH", f"{path}/members/{boris.id}", {"role": "moderator"})

    def message(payload: str, n: int) -> Json:
        entities = [{"kind": "link", "offset": 0, "length": len(WORD), "url": payload[:2000]}]
        if not payload.isprintable() or n % 2:
            entities = [{"kind": "mention", "offset": 0, "length": len(WORD), "actor_id": boris.id}]
        return {"client_id": str(uuid4()), "text": f"{WORD} {payload}", "entities": entities}

    said = await each([
        ask("POST", f"{path}/messages", message(payload, n), actors[n % len(actors)])
        for n, payload in enumerate(PAYLOADS)
    ])  # fmt: skip
    for number, one in enumerate(said[:8]):
        body = {"client_id": str(uuid4()), "text": f"{WORD} {MARKUP[number]}", "reply_to": one["id"]}
        said.append(await ask("POST", f"{path}/messages", body))
    await each([ask("PUT", f"{path}/pins/{one['id']}") for one in said[:6]])
    name = await ask("GET", f"{path}/members?limit=100")
    kept_out = actors[:4]
    await each([ask("POST", f"{path}/bans", {"actor_id": one}) for one in kept_out])
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).isoformat()
    waiting = await each([
        boris.call(
            "POST", f"{path}/scheduled", {"client_id": str(uuid4()), "text": text, "send_at": later}
        )
        for text in MARKUP[:8]
    ])  # fmt: skip

    async def begin(title: str, n: int) -> Json:
        body = {"kind": "group", "title": title[:200], "members": [boris.id]}
        made = await ask("POST", "/v1/conversations", body, actors[n % len(actors)])
        body = {"client_id": str(uuid4()), "text": title}
        await ask("POST", f"/v1/conversations/{made['id']}/messages", body, actors[n % len(actors)])
        return made

    groups = await each([begin(title, n) for n, title in enumerate(TITLES)])
    direct = await each([
        ask("POST", "/v1/conversations", {"kind": "direct", "members": [boris.id]}, one) for one in actors[8:16]
    ])  # fmt: skip
    closed = await ask("POST", "/v1/conversations", {"kind": "broadcast", "title": MARKUP[14], "members": []})
    await ask(
        "PATCH", f"/v1/conversations/{closed['id']}", {"description": "\n".join(PAYLOADS[70:90])[:2000]}
    )
    link = await ask("POST", f"/v1/conversations/{closed['id']}/invite-links", {})
    out = {one["id"]: one["name"] for one in people}
    return Crowd(
        everything=chat["id"],
        invitation=link["url"],
        invited_to=await ask("GET", f"/v1/conversations/{closed['id']}"),
        names=[one["actor"]["name"] for one in name["items"] if one["actor"]["id"] not in kept_out],
        texts=[one["text"] for one in said],
        titles=[one["title"] for one in groups] + [out[one] for one in actors[8 : 8 + len(direct)]],
        kept_out=[out[one] for one in kept_out],
        pinned=[one["text"] for one in said[:6]],
        waiting=[one["text"] for one in waiting],
    )


MISSING = """([place, texts]) => {
    const found = [...document.querySelectorAll(place)];
    found.at(-1)?.scrollIntoView({ block: 'end' });
    const all = found.map((one) => one.textContent).join('\\n');
    return texts.filter((text) => !all.includes(text));
}"""


async def require_texts(page: Page, place: str, texts: list[str]) -> None:
    """Wait until what is at a place of the page, scrolled to its end, holds all of these words, as words.

    Raises: AssertionError with the missing.
    """
    missing = texts

    async def all_shown() -> bool:
        nonlocal missing
        missing = await page.evaluate(MISSING, [place, texts])
        return not missing

    try:
        await eventually(all_shown)
    except AssertionError:
        raise AssertionError((place, missing)) from None


async def test_the_chats_show_words_whatever_they_are(server: Server, browser: Browser) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    crowd = await gather_crowd(olga, boris)
    for agent in AGENTS:
        body = {"email": boris.email, "password": PASSWORD}
        await server.http.post("/v1/auth/sign-in", json=body, headers={"user-agent": agent})
    options: Json = {"locale": "en-US", "viewport": {"width": 1440, "height": 900}}
    window, watch = await open_watched(browser, server, "/", **options)
    page = window.page
    await sign_in(page, boris.email)

    # every chat by its title and last words
    rows = page.get_by_role("region", name="Chats", exact=True).get_by_role("list")
    await expect(rows.get_by_role("listitem").first).to_be_visible()
    await watch.read_list(page, rows, crowd.titles)
    assert await sideways(page) <= 0

    # one in which everything is said, pinned and waits; and who is in it
    await page.goto(f"{server.url}/chats/{crowd.everything}")
    await watch.read_thread(page, len(crowd.texts))
    await require_texts(page, "[role=log]", crowd.texts)
    assert "__ran" not in await page.title()
    for _ in crowd.pinned:
        await page.get_by_role("button", name="Pinned message").click()
        await watch.require_harmless(page, "pins")
    await page.get_by_role("button", name="Details", exact=True).click()
    await require_texts(page, "section[aria-label='Members'] li", crowd.names)
    await require_texts(page, "section[aria-label='Kept out'] li", crowd.kept_out)
    await watch.require_harmless(page, "details")
    assert await sideways(page) <= 0
    await shoot(page, "en-hostile-details")
    await page.get_by_role("button", name="messages wait for their time").click()
    await require_texts(page, "[role=dialog] li", crowd.waiting)
    await watch.require_harmless(page, "scheduled")
    await page.keyboard.press("Escape")
    area = page.get_by_role("textbox", name="Message", exact=True)
    await area.press_sequentially("@<")
    await expect(page.get_by_role("option").first).to_be_visible()
    await watch.require_harmless(page, "mentions")
    await area.press("Enter")
    await area.press("Enter")
    await expect(page.get_by_role("log").locator("[data-delivery=sent]")).not_to_have_count(0)
    await watch.require_harmless(page, "mentioned")

    # where to forward to, whom to speak with, and what is found
    last = page.get_by_role("log").locator("[data-key]").last
    await (await at_hand(last, "Message menu")).click()
    await page.get_by_role("menuitem", name="Forward").click()
    await expect(page.get_by_role("dialog").get_by_role("option").first).to_be_visible()
    await watch.require_harmless(page, "forwarding")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="New chat", exact=True).first.click()
    await expect(page.get_by_role("dialog").get_by_role("option").first).to_be_visible()
    await watch.require_harmless(page, "people")
    await page.keyboard.press("Escape")

    async def is_indexed() -> bool:
        count, cursor = 0, ""
        while True:
            path = f"/v1/search/messages?query={WORD}&conversation_id={crowd.everything}{cursor}"
            answer = await boris.call("GET", path)
            count += len(answer["items"])
            if not answer["next"]:
                return count >= len(crowd.texts)
            cursor = f"&cursor={quote(answer['next'])}"

    await eventually(is_indexed, 60)
    await page.get_by_role("button", name="Search messages", exact=True).click()
    await page.get_by_role("searchbox").last.fill(WORD)
    found = page.get_by_role("list", name="Found messages").locator("time")
    more = page.get_by_role("button", name="Show more", exact=True)
    await expect(more).to_be_visible()
    while (shown := await found.count()) < len(crowd.texts):
        await more.click()
        await expect(found).not_to_have_count(shown)
    await require_texts(page, "ul[aria-label='Found messages'] li", [text[:150] for text in crowd.texts])
    await watch.require_harmless(page, "found")
    await page.get_by_role("searchbox").last.fill("onerror")
    await expect(page.locator("mark").first).to_have_text("onerror")
    await watch.require_harmless(page, "found within a tag")
    assert await sideways(page) <= 0
    await shoot(page, "en-hostile-found")

    # an invitation of a stranger, and the devices
    await page.goto(crowd.invitation)
    await expect(page.get_by_role("heading")).to_have_text(crowd.invited_to["title"])
    await expect(page.get_by_role("main")).to_contain_text(PAYLOADS[71])
    await watch.require_harmless(page, "an invitation")
    assert await sideways(page) <= 0
    await shoot(page, "en-hostile-invitation")
    for section in ("sessions", "security", "profile"):
        await page.goto(f"{server.url}/settings/{section}")
        await expect(page.locator("h1, h2").first).to_be_attached()
        await expect(page.locator(".shimmer")).to_have_count(0)
        if section == "sessions":
            await require_texts(page, "li", [agent[:60] for agent in AGENTS])
        await watch.require_harmless(page, section)
        assert await sideways(page) <= 0, section
    assert window.complaints == []

    # on a phone nothing breaks out either
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto(f"{server.url}/chats")
    await watch.read_list(page, rows, crowd.titles)
    assert await sideways(page) <= 0
    await page.goto(f"{server.url}/chats/{crowd.everything}")
    await watch.read_thread(page, len(crowd.texts))
    await require_texts(page, "[role=log]", crowd.texts)
    assert await sideways(page) <= 0
    await page.get_by_role("button", name="Details", exact=True).click()
    await require_texts(page, "section[aria-label='Members'] li", crowd.names)
    assert await sideways(page) <= 0
    await shoot(page, "en-hostile-phone")
    await page.goto(crowd.invitation)
    await expect(page.get_by_role("heading")).to_have_text(crowd.invited_to["title"])
    assert await sideways(page) <= 0
    await shoot(page, "en-hostile-phone-invitation")
    assert RUN not in await page.title()
    assert window.complaints == []
