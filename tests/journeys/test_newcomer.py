"""The way of somebody new: the link on the console, the sandbox by one click, a customer, an answer, a restart."""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from bench.machine import cpu_seconds
from tests.journeys.windows import PlainWindow, SocketIoWindow, Window
from tests.programs import Bot, Chat, Json, Provider, Server, eventually, running

pytestmark = pytest.mark.anyio


def make_picture(colour: str) -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (320, 200), colour).save(picture, "JPEG")
    return picture.getvalue()


async def test_a_newcomer_answers_a_customer_within_minutes(tmp_path: Path) -> None:
    server = Server(tmp_path)
    phone = Provider(tmp_path, url=f"{server.url}/sandbox")
    async with running(server), contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(phone.http.aclose)
        await server.start()
        signed_in = await server.set_up()
        await _link_works_once(server)
        chat = await _open_sandbox(server, phone)
        windows = [
            PlainWindow(server, signed_in["access_token"]),
            SocketIoWindow(server, signed_in["access_token"]),
        ]
        for window in windows:
            stack.push_async_callback(window.close)
            await window.open()
        conversation_id = await _customer_speaks(server, chat, windows)
        await _agent_answers(server, chat, windows, conversation_id)
        await _server_restarts(server, chat, windows, conversation_id)
        assert await server.stop() == 0


async def _link_works_once(server: Server) -> None:
    token = server.log().rpartition("#token=")[2].split()[0]
    answer = await server.http.post("/v1/setup/check", json={"token": token})
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "link_used")


async def _open_sandbox(server: Server, phone: Provider) -> Chat:
    inbox = await server.call("POST", "/v1/sandbox/inboxes", {})
    assert (inbox["state"], inbox["is_sandbox"], inbox["updates"]) == ("connected", True, "polling")
    address = urlsplit(inbox["phone_url"])
    page = await server.http.get(address.path)
    assert page.status_code == 200
    [number] = parse_qs(address.query)["bot"]
    return await Bot(phone, int(number), "").make_chat("Ира")


async def _customer_speaks(server: Server, chat: Chat, windows: list[Window]) -> str:
    first = await chat.write("Здравствуйте!")
    for window in windows:
        await window.until(lambda window=window: window.touched)
    [row] = await server.conversations("open")
    assert (row["contact"]["name"], row["unread"]) == ("Ира", 1)
    conversation_id: str = row["id"]
    for window in windows:
        await window.show(conversation_id)
    said = ["Здравствуйте!"]
    await chat.send_files("photo", [("a.jpg", make_picture("red"), "image/jpeg")], caption="вот он")
    await chat.send_files("document", [("счёт.txt", b"100", "text/plain")])
    files = [
        (f"{n}.jpg", make_picture(colour), "image/jpeg") for n, colour in enumerate(("red", "lime", "blue"))
    ]
    await chat.send_files("photo", files, caption="и ещё три")
    await chat.write("про это", reply_to=first["message_id"], quote="Здрав")
    said += ["вот он", "", "и ещё три", "про это"]
    for window in windows:
        reply = await window.shows(conversation_id, *said)
        assert reply["reply_to"]["quote"] == "Здрав"
    await chat.edit(first["message_id"], "Добрый день!")
    for window in windows:
        await window.shows(conversation_id, "Добрый день!", *said[1:])

    async def has_files() -> bool:
        files = [
            file for message in await server.messages(conversation_id) for file in message["attachments"]
        ]
        return [file["state"] for file in files] == ["ready"] * 5

    await eventually(has_files)
    for window in windows:
        await window.require_fresh(conversation_id)
    photo = (await server.messages(conversation_id))[1]["attachments"][0]
    for part, kind in (("content?inline=1", "image/jpeg"), ("thumbnail", "image/webp")):
        answer = await server.http.get(f"/v1/media/{photo['media_id']}/{part}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    return conversation_id


async def _agent_answers(server: Server, chat: Chat, windows: list[Window], conversation_id: str) -> None:
    answer = (await server.send(conversation_id, "Посмотрим", "1")).json()
    for window in windows:
        await window.until(lambda window=window: window.statuses(answer["id"])[-1:] == ["sent"])
        assert window.statuses(answer["id"]) == ["sending", "sent"]
    uploaded = await server.http.post(
        "/v1/media?name=ответ.jpg", content=make_picture("blue"), headers={"content-type": "image/jpeg"}
    )
    picture = await server.send(conversation_id, "Такой?", "2", media_ids=[uploaded.json()["id"]])
    assert picture.status_code == 201, picture.text
    for window in windows:
        await window.until(lambda window=window: window.statuses(picture.json()["id"])[-1:] == ["sent"])
    seen = await chat.seen()
    texts = [message.get("text") or message.get("caption") for message in seen if message["from"]["is_bot"]]
    assert texts == ["Посмотрим", "Такой?"]
    assert [bool(message.get("photo")) for message in seen if message["from"]["is_bot"]] == [False, True]
    path = f"/v1/conversations/{conversation_id}/messages/{answer['id']}"
    await server.call("PATCH", path, {"text": "Уже смотрим"})

    async def is_edited() -> bool:
        return any(message.get("text") == "Уже смотрим" for message in await chat.seen())

    await eventually(is_edited)
    for window in windows:
        await window.require_fresh(conversation_id)


async def _server_restarts(server: Server, chat: Chat, windows: list[Window], conversation_id: str) -> None:
    began = time.monotonic()
    assert await server.stop() == 0
    assert time.monotonic() - began < 20, "Ctrl-C waits for somebody"
    await server.start()
    assert cpu_seconds(server.pid) < 5, "the second start does too much"
    await chat.write("Вы тут?")

    async def is_there() -> bool:
        stored = await server.messages(conversation_id)
        return bool(stored[-1]["text"] == "Вы тут?")

    await eventually(is_there)
    for window in windows:
        await window.close()
        await window.open()
        await window.until(lambda window=window: _texts(window, conversation_id)[-1:] == ["Вы тут?"])
    await chat.write("А, вижу")
    for window in windows:
        await window.until(lambda window=window: _texts(window, conversation_id)[-1:] == ["А, вижу"])
        await window.require_fresh(conversation_id)


def _texts(window: Window, conversation_id: str) -> list[str]:
    shown: list[Json] = sorted(window.messages[conversation_id].values(), key=lambda m: m["position"])
    return [message["text"] for message in shown]
