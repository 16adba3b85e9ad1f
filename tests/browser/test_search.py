"""What was said is found by whoever looks for it: by words, by whom, where, when and with what; in both languages."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.browser.scene import nameless, picture_bytes, sideways
from tests.browser.shots import shoot
from tests.browser.talk import Colleague, join, set_up_owner
from tests.programs import Server, eventually

pytestmark = pytest.mark.anyio

ENGLISH = {
    "open": "Search messages", "words": "Words or", "filters": "Filters", "here": "Here", "everywhere": "Everywhere",
    "from": "From", "since": "Since", "until": "Until", "found": "Found messages",
    "image": "Photos", "file": "Files", "link": "Links", "nothing": "Nothing found", "clear": "Clear",
}  # fmt: skip
RUSSIAN = {
    "open": "Поиск сообщений", "words": "Слова или", "filters": "Фильтры", "here": "Здесь", "everywhere": "Везде",
    "from": "От кого", "since": "С", "until": "По", "found": "Найденные сообщения",
    "image": "Фото", "file": "Файлы", "link": "Ссылки", "nothing": "Ничего не найдено",
    "clear": "Сбросить",
}  # fmt: skip


async def talk_of_kettles(olga: Colleague, boris: Colleague) -> str:
    """Fill a group and a chat beside it; return the group, once all of it can be found."""
    group = await olga.open(boris, kind="group", title="Tea")
    await olga.say(group, "the kettle is on", "no cups here")
    await boris.say(group, "kettles are sold at https://example.org/kettles")
    headers = {"authorization": f"Bearer {boris.token}"}
    upload = await boris.server.http.post(
        "/v1/media?name=kettle.png", content=picture_bytes("red"), headers=headers
    )
    body = {"client_id": str(uuid4()), "text": "my kettle", "media_ids": [upload.json()["id"]]}
    await boris.call("POST", f"/v1/conversations/{group}/messages", body)
    await olga.say(await olga.open(boris), "another kettle")

    async def is_indexed() -> bool:
        return len((await olga.call("GET", "/v1/search/messages?query=kettle"))["items"]) == 4

    await eventually(is_indexed)
    return group


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (ENGLISH, {"locale": "en-US", "width": 1440, "height": 900}),
        (RUSSIAN, {"locale": "ru-RU", "width": 360, "height": 740, "color_scheme": "dark"}),
    ],
    ids=["en", "ru"],
)
async def test_each_filter_narrows_what_is_found(
    server: Server, browser: Browser, words: dict[str, str], options: dict[str, Any]
) -> None:
    olga = await set_up_owner(server)
    boris = await join(olga, "Boris")
    group = await talk_of_kettles(olga, boris)
    window = await olga.window(browser, path=f"/chats/{group}", **options)
    page = window.page
    await page.get_by_role("button", name=words["open"]).click()
    panel = page.get_by_role("complementary", name=words["open"])
    field = panel.get_by_role("searchbox", name=words["words"])
    found = panel.get_by_role("list", name=words["found"]).get_by_role("button")
    nothing = panel.get_by_text(words["nothing"])

    async def finds(*texts: str) -> None:
        await expect(found).to_have_count(len(texts))
        await expect(found).to_contain_text(list(texts))

    async def choose(what: str, name: str) -> None:
        await panel.get_by_role("button", name=re.compile(f"^{words[what]} ")).click()
        await page.get_by_role("dialog").get_by_role("option", name=name).click()

    async def clear(what: str) -> None:
        await panel.get_by_role("button", name=f"{words['clear']}: {words[what]}").click()

    # here or everywhere
    await field.fill("kettle")
    await finds("my kettle", "kettles are sold", "the kettle is on")
    await panel.get_by_role("button", name=words["filters"]).click()
    await panel.get_by_text(words["everywhere"], exact=True).click()
    await finds("another kettle", "my kettle", "kettles are sold", "the kettle is on")
    await panel.get_by_text(words["here"], exact=True).click()

    # by whom, and with what, together and each alone
    await choose("from", "Boris")
    await finds("my kettle", "kettles are sold")
    for kind, text in (("image", "my kettle"), ("file", "my kettle"), ("link", "kettles are sold")):
        pressed = panel.get_by_role("button", name=words[kind], exact=True)
        await pressed.click()
        await finds(text)
        await pressed.click()
    await choose("from", "Olga Owner")
    await finds("the kettle is on")
    assert await nameless(page) == []
    assert await sideways(page) <= 0
    await shoot(page, f"{options['locale']}-search-filters")
    await field.fill("")
    await finds("no cups here", "the kettle is on")
    await clear("from")
    await field.fill("kettle")

    # by day: the last one counts
    said = (await olga.call("GET", f"/v1/conversations/{group}/messages"))["items"]
    days = [
        dt.date.fromisoformat(await page.evaluate("at => new Date(at).toLocaleDateString('sv')", at))
        for at in (said[0]["created_at"], said[-1]["created_at"])
    ]
    day = dt.timedelta(days=1)
    since = panel.get_by_label(words["since"], exact=True)
    until = panel.get_by_label(words["until"], exact=True)
    await since.fill(str(days[0]))
    await until.fill(str(days[1]))
    await finds("my kettle", "kettles are sold", "the kettle is on")
    await until.fill(str(days[0] - day))
    await expect(nothing).to_be_visible()
    await until.fill("")
    await finds("my kettle", "kettles are sold", "the kettle is on")
    await since.fill(str(days[1] + day))
    await expect(nothing).to_be_visible()

    # put away and taken up again, the filters are as they were
    await panel.get_by_role("button", name=words["filters"]).click()
    await panel.get_by_role("button", name=words["filters"]).click()
    await expect(since).to_have_value(str(days[1] + day))
    assert window.complaints == window.refusals == []
