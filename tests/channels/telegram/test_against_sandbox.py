"""The adapter against the stand-in of the Bot API, over real sockets: the main path in both directions."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from PIL import Image

from parley.channels.contract import (
    Account,
    AccountBroken,
    Entity,
    IncomingEdit,
    IncomingMessage,
    IncomingReach,
    OutgoingAttachment,
    OutgoingMessage,
    Parsed,
    Quote,
    RecipientGone,
    Rejected,
    Temporary,
    Uncertain,
)
from parley.channels.telegram import TelegramAdapter
from parley.infra.http_client import HttpClient, Timeouts, Upload
from parley.sandbox.app import create_app

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(state_path: Path) -> AsyncIterator[str]:
    app = create_app(state_path)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none", timeout_graceful_shutdown=2))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        app.release()
        server.should_exit = True
        await task
        listener.close()


def jpeg(color: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), color).save(buffer, "JPEG")
    return buffer.getvalue()


def nearest_color(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (40, 30)
        pixel = image.convert("RGB").getpixel((20, 15))
    assert isinstance(pixel, tuple)
    return ("red", "green", "blue")[pixel.index(max(pixel))]


@dataclass
class Desk:
    """The adapter, an account of it, and the customer on the other side."""

    adapter: TelegramAdapter
    http: HttpClient
    origin: str
    account: Account
    bot_id: int = 0
    customer_id: int = 0
    cursor: str | None = None

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"{self.origin}/control/{path}", json=body)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    async def customer(self, act: str, **body: Any) -> Any:
        return await self.control("POST", f"bots/{self.bot_id}/chats/{self.customer_id}/{act}", body)

    async def screen(self) -> list[dict[str, Any]]:
        """The messages of the chat as the customer's phone shows them."""
        chat = await self.control("GET", f"bots/{self.bot_id}/chats/{self.customer_id}")
        messages: list[dict[str, Any]] = chat["messages"]
        return messages

    async def receive(self) -> list[Parsed]:
        parts, self.cursor = await self.adapter.poll(self.account, self.cursor)
        assert {part.lane for part in parts} == {str(self.customer_id)}
        return [event for part in parts for event in self.adapter.parse(self.account, part.body)]

    async def send(self, text: str = "", *files: OutgoingAttachment, **fields: Any) -> list[str]:
        message = OutgoingMessage(chat=str(self.customer_id), text=text, attachments=files, **fields)
        ids: list[str] = []
        for call in self.adapter.plan(self.account, message):
            ids += (await self.adapter.perform(self.account, call, Pictures())).provider_ids
        return ids


class Pictures:
    """Media of ours: a picture for each colour."""

    async def open(self, key: str) -> AsyncIterator[bytes]:
        yield jpeg(key)


def picture(color: str) -> OutgoingAttachment:
    size = len(jpeg(color))
    return OutgoingAttachment(
        kind="image",
        key=color,
        name=f"{color}.jpg",
        content_type="image/jpeg",
        size_bytes=size,
        width=40,
        height=30,
    )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with (
        serving(tmp_path / "sandbox.sqlite") as origin,
        HttpClient(timeouts=Timeouts(read=3.0)) as http,
    ):
        desk = Desk(TelegramAdapter(http), http, origin, Account(inbox_id="inb", secrets={}, config={}))
        bot = await desk.control("POST", "bots", {"name": "Поддержка"})
        person = {"first_name": "Ира", "last_name": "Ковалёва", "username": "ira_k"}
        customer = await desk.control("POST", "customers", person)
        desk.bot_id, desk.customer_id = bot["id"], customer["id"]
        desk.account = Account(
            inbox_id="inb",
            secrets={"token": bot["token"], "webhook_secret": "s3cret"},
            config={"base_url": f"{origin}/telegram"},
        )
        yield desk


async def test_the_bot_is_known_and_a_revoked_token_is_not(desk: Desk) -> None:
    info = await desk.adapter.connect(desk.account.secrets, desk.account.config)
    assert (info.address, info.name) == (str(desk.bot_id), "Поддержка")
    await desk.control("DELETE", f"bots/{desk.bot_id}")
    with pytest.raises(AccountBroken):
        await desk.adapter.connect(desk.account.secrets, desk.account.config)


async def test_what_the_customer_does_arrives(desk: Desk) -> None:
    bold = {"type": "bold", "offset": 3, "length": 5}
    first = (await desk.customer("text", text="🎉 важно", entities=[bold]))["messages"][0]
    await desk.customer("location", latitude=55.751244, longitude=37.618423)
    await desk.customer(f"messages/{first['message_id']}/edit", text="не важно")
    await desk.customer("block")
    text, location, edit, blocked = await desk.receive()
    assert isinstance(text, IncomingMessage)
    assert (text.text, list(text.entities)) == ("🎉 важно", [Entity(kind="bold", offset=3, length=5)])
    assert (text.person.name, text.person.username) == ("Ира Ковалёва", "ira_k")
    assert text.person.address == str(desk.customer_id)
    assert isinstance(location, IncomingMessage)
    assert location.text.startswith("📍 55.75")
    assert isinstance(edit, IncomingEdit)
    assert (edit.provider_id, edit.text) == (text.provider_id, "не важно")
    assert isinstance(blocked, IncomingReach)
    assert not blocked.is_reachable
    with pytest.raises(RecipientGone):
        await desk.send("ау?")


async def test_an_album_of_the_customer_arrives_with_its_bytes(desk: Desk) -> None:
    colors = ("red", "green", "blue")

    def upload(color: str) -> Upload:
        async def read() -> AsyncIterator[bytes]:
            yield jpeg(color)

        return Upload("files", f"{color}.jpg", "image/jpeg", len(jpeg(color)), read)

    answer = await desk.http.request(
        "POST",
        f"{desk.origin}/control/bots/{desk.bot_id}/chats/{desk.customer_id}/media",
        form={"kind": "photo", "caption": "три вида"},
        uploads=[upload(color) for color in colors],
    )
    assert answer.status == 200, answer.body
    items = [one for one in await desk.receive() if isinstance(one, IncomingMessage)]
    assert [one.text for one in items] == ["три вида", "", ""]
    assert len({one.group_id for one in items}) == 1
    assert items[0].group_id
    for item, color in zip(items, colors, strict=True):
        media = await desk.adapter.fetch_media(desk.account, item.attachments[0].reference)
        content = b"".join([chunk async for chunk in media.chunks])
        assert nearest_color(content) == color  # Telegram encodes photos anew


async def test_what_the_agent_sends_is_on_the_phone(desk: Desk) -> None:
    await desk.customer("text", text="Когда доставка?")
    (question,) = await desk.receive()
    assert isinstance(question, IncomingMessage)
    bold = Entity(kind="bold", offset=0, length=6)
    quote = Quote(provider_id=question.provider_id, text="доставка")
    text_ids = await desk.send("Завтра 🎉", entities=[bold], reply_to=quote)
    album_ids = await desk.send("вот", picture("red"), picture("blue"))
    long_ids = await desk.send("слово " * 1000)
    assert (len(text_ids), len(album_ids), len(long_ids)) == (1, 2, 2)
    shown = {str(one["message_id"]): one for one in await desk.screen()}
    answer = shown[text_ids[0]]
    assert (answer["text"], answer["entities"]) == (
        "Завтра 🎉",
        [{"type": "bold", "offset": 0, "length": 6}],
    )
    assert answer["quote"]["text"] == "доставка"
    assert str(answer["reply_to_message"]["message_id"]) == question.provider_id
    assert shown[album_ids[0]]["caption"] == "вот"
    assert shown[album_ids[0]]["media_group_id"] == shown[album_ids[1]]["media_group_id"]
    assert " ".join(shown[one]["text"] for one in long_ids) == ("слово " * 1000).strip()


async def test_a_sent_message_is_changed_and_taken_back(desk: Desk) -> None:
    await desk.customer("text", text="hi")
    ids = await desk.send("первый")
    edited = OutgoingMessage(chat=str(desk.customer_id), text="второй")
    (edit,) = desk.adapter.plan_edit(desk.account, edited, ids)
    for _ in range(2):
        assert (await desk.adapter.perform(desk.account, edit, Pictures())).provider_ids == ids
    assert [one["text"] for one in await desk.screen()] == ["hi", "второй"]
    (deletion,) = desk.adapter.plan_delete(desk.account, str(desk.customer_id), ids)
    for _ in range(2):
        assert (await desk.adapter.perform(desk.account, deletion, Pictures())).provider_ids == []
    assert [one["text"] for one in await desk.screen()] == ["hi"]


@pytest.mark.parametrize(
    ("fault", "error", "accepted"),
    [
        ({"action": "answer", "status": 429, "retry_after": 7}, Temporary, 0),
        ({"action": "answer", "status": 500}, Temporary, 0),
        ({"action": "reset_before"}, Uncertain, 0),
        ({"action": "reset_after"}, Uncertain, 1),
        ({"action": "hang_after", "seconds": 6}, Uncertain, 1),
    ],
)
async def test_a_fault_becomes_its_error(
    desk: Desk, fault: dict[str, Any], error: type[Exception], accepted: int
) -> None:
    await desk.customer("text", text="hi")
    await desk.control("POST", "faults", {"method": "sendMessage", **fault})
    with pytest.raises(error):
        await desk.send("ответ")
    assert (await desk.control("GET", "accepted"))["count"] == accepted


async def test_a_webhook_and_polling_exclude_each_other(desk: Desk) -> None:
    await desk.adapter.set_webhook(desk.account, f"{desk.origin}/nowhere")
    with pytest.raises(Rejected) as caught:
        await desk.adapter.poll(desk.account, None)
    assert caught.value.fields["provider_code"] == "409"
    await desk.adapter.disconnect(desk.account)
    await desk.customer("text", text="hi")
    (event,) = await desk.receive()
    assert isinstance(event, IncomingMessage)
