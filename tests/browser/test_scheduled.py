"""What is to be sent later: seen for all chats in one place, changed there or in its chat, in both languages."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.browser.scene import nameless, sideways
from tests.browser.talk import Colleague, join, set_up_owner
from tests.programs import Json, Server

pytestmark = pytest.mark.anyio

EN = {
    "tab": "Scheduled: 2 messages", "list": "Scheduled messages", "change": "Change", "text": "Message",
    "at": "Send at", "save": "Save", "bar": "1 message waits for its time", "none": "Nothing is scheduled",
    "drop": "Do not send", "past": "Choose a time to come",
}  # fmt: skip
RU = {
    "tab": "Запланировано: 2 сообщения", "list": "Запланированные сообщения", "change": "Изменить",
    "text": "Сообщение", "at": "Отправить в", "save": "Сохранить", "bar": "1 сообщение ждёт своего часа",
    "none": "Ничего не запланировано", "drop": "Не отправлять", "past": "Выберите время в будущем",
}  # fmt: skip


async def schedule(who: Colleague, chat: str, text: str, hours: int = 24, **more: Json) -> None:
    at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    body = {"client_id": str(uuid4()), "text": text, "send_at": at.isoformat(), **more}
    await who.call("POST", f"/v1/conversations/{chat}/scheduled", body)


async def waiting(who: Colleague) -> list[Json]:
    found: list[Json] = (await who.call("GET", "/v1/scheduled"))["items"]
    return found


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (EN, {"locale": "en-US"}),
        (RU, {"locale": "ru-RU", "width": 360, "height": 740, "color_scheme": "dark", "is_touch": True}),
    ],
    ids=["desk", "phone"],
)
async def test_what_waits_is_listed_for_all_chats_and_changed(
    server: Server, browser: Browser, words: dict[str, str], options: dict[str, Any]
) -> None:
    olga = await set_up_owner(server)
    boris, vera = await join(olga, "Boris"), await join(olga, "Vera")
    with_boris, with_vera = await olga.open(boris), await olga.open(vera)
    bold = [{"kind": "bold", "offset": 0, "length": 5}]
    await schedule(olga, with_boris, "Happy birthday", entities=bold)
    await schedule(olga, with_vera, "the report is due", hours=25)
    window = await olga.window(browser, **options)
    page = window.page
    await page.get_by_role("button", name=words["tab"]).click()
    lines = page.get_by_role("list", name=words["list"]).get_by_role("listitem")
    await expect(lines).to_have_count(2)
    await expect(lines.first).to_contain_text("Boris")
    assert await nameless(page) == []
    assert await sideways(page) <= 0

    # a time that has passed is refused where it stands; then words and time are others
    await lines.first.get_by_role("button", name=words["change"]).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label(words["text"]).fill("Happy birthday, Boris")
    await dialog.get_by_label(words["at"]).fill("2020-01-01T10:00")
    await dialog.get_by_role("button", name=words["save"]).click()
    await expect(dialog.get_by_role("alert")).to_be_visible()
    assert await nameless(page) == []
    assert await sideways(page) <= 0
    await dialog.get_by_label(words["at"]).fill(
        f"{dt.datetime.now(dt.UTC).date() + dt.timedelta(days=4)}T10:30"
    )
    await dialog.get_by_role("button", name=words["save"]).click()
    await expect(dialog).to_have_count(0)
    await expect(lines.last).to_contain_text("Happy birthday, Boris")
    [_, changed] = await waiting(olga)
    assert changed["text"] == "Happy birthday, Boris"
    assert [(one["kind"], one["length"]) for one in changed["entities"]] == [("bold", 5)]
    assert dt.datetime.fromisoformat(changed["send_at"]) > dt.datetime.now(dt.UTC) + dt.timedelta(days=2)

    # in its chat it is the same, and is changed there by keyboard
    await lines.last.get_by_role("button", name="Boris").click()
    await page.get_by_role("button", name=words["bar"]).click()
    await dialog.get_by_role("button", name=words["change"]).press("Enter")
    await page.locator("[role=dialog] textarea:focus").fill("Many happy returns")
    await dialog.get_by_role("button", name=words["save"]).press("Enter")
    await expect(dialog.get_by_role("listitem")).to_contain_text("Many happy returns")
    assert await sideways(page) <= 0
    await dialog.get_by_role("button", name=words["drop"]).click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name=words["bar"])).to_have_count(0)
    assert [one["text"] for one in await waiting(olga)] == ["the report is due"]
    assert window.complaints == window.refusals == []
