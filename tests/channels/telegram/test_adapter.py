"""The adapter against a scripted server: exact requests, and what its answers mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any

import pytest

from parley.channels.contract import (
    Account,
    AccountBroken,
    Call,
    OutgoingAttachment,
    OutgoingMessage,
    Quote,
    Rejected,
    Temporary,
    Uncertain,
)
from parley.channels.telegram import TelegramAdapter
from parley.infra.http_client import HttpClient, Timeouts
from parley.kit.errors import NotFound
from tests.scripted_http import ScriptedServer, Seen, answers, resets, scripted_server

pytestmark = pytest.mark.anyio

TOKEN = "555:AAtest_token-0123456789"
SENT = answers(200, {"ok": True, "result": {"message_id": 77, "date": 1, "chat": {"id": 7}}})


class Shelf:
    """Media of ours, by key."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects

    async def open(self, key: str) -> AsyncIterator[bytes]:
        if key not in self.objects:
            raise NotFound
        yield self.objects[key][:3]
        yield self.objects[key][3:]


class BrokenShelf:
    """An object store that is out of order."""

    async def open(self, key: str) -> AsyncIterator[bytes]:
        yield key.encode()
        raise OSError("disk")


@pytest.fixture
async def adapter() -> AsyncIterator[TelegramAdapter]:
    async with HttpClient(timeouts=Timeouts(connect=3, read=0.8, total=5)) as http:
        yield TelegramAdapter(http)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server(SENT) as server:
        yield server


def account(server: ScriptedServer, **config: Any) -> Account:
    secrets = {"token": TOKEN, "webhook_secret": "s3cret_S"}
    return Account(inbox_id="inb", secrets=secrets, config={"base_url": server.url, **config})


def refuses(code: int, description: str, **parameters: Any) -> Any:
    return answers(
        code, {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    )


def parts_of(seen: Seen) -> dict[str, Any]:
    """The parts of a multipart body: text, or (file name, type, bytes)."""
    head = f"content-type: {seen.headers['content-type']}\r\n\r\n".encode()
    form = message_from_bytes(head + seen.body, policy=policy.HTTP)
    parts: dict[str, Any] = {}
    for part in form.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = part.get_param("name", header="content-disposition")
        is_file = part.get_filename() is not None
        parts[str(name)] = (part.get_content_type(), content) if is_file else content.decode()
    return parts


async def test_a_text_is_sent_as_json(adapter: TelegramAdapter, server: ScriptedServer) -> None:
    (call,) = adapter.plan(account(server), OutgoingMessage(chat="7", text="Привет"))
    sent = await adapter.perform(account(server), call, Shelf())
    assert sent.provider_ids == ["77"]
    assert server.seen[0].target == f"/bot{TOKEN}/sendMessage"
    assert server.seen[0].json == {"chat_id": 7, "text": "Привет"}


async def test_an_album_is_sent_as_a_form_with_its_files(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    server.plays(answers(200, {"ok": True, "result": [{"message_id": 5}, {"message_id": 6}]}))
    files = [
        OutgoingAttachment(kind="image", key=key, name="a.jpg", content_type="image/jpeg", size_bytes=6)
        for key in ("one", "two")
    ]
    (call,) = adapter.plan(account(server), OutgoingMessage(chat="7", text="вид", attachments=files))
    sent = await adapter.perform(account(server), call, Shelf(one=b"111111", two=b"222222"))
    assert sent.provider_ids == ["5", "6"]
    parts = parts_of(server.seen[0])
    assert parts["chat_id"] == "7"
    assert json.loads(parts["media"])[0] == {"type": "photo", "media": "attach://file0", "caption": "вид"}
    assert (parts["file0"], parts["file1"]) == (("image/jpeg", b"111111"), ("image/jpeg", b"222222"))


async def test_a_file_that_is_gone_or_changed_is_rejected_and_an_unreadable_one_waits(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    file = OutgoingAttachment(kind="file", key="k", name="a", content_type="text/plain", size_bytes=6)
    (call,) = adapter.plan(account(server), OutgoingMessage(chat="7", attachments=[file]))
    with pytest.raises(Rejected, match="no longer there"):
        await adapter.perform(account(server), call, Shelf())
    with pytest.raises(Rejected, match="no longer there"):
        await adapter.perform(account(server), call, Shelf(k=b"12345"))
    with pytest.raises(Temporary, match="cannot be read"):
        await adapter.perform(account(server), call, BrokenShelf())
    assert server.seen == []


@pytest.mark.parametrize(
    "result", [True, None, {}, {"message_id": "x"}, [], [{"message_id": 1}], "text", {"message_id": None}]
)
async def test_a_message_taken_with_an_unreadable_id_is_uncertain(
    adapter: TelegramAdapter, server: ScriptedServer, result: Any
) -> None:
    server.plays(answers(200, {"ok": True, "result": result}))
    with pytest.raises(Uncertain):
        await adapter.perform(
            account(server), Call(method="sendMessage", params={"chat_id": 7, "text": "x"}), Shelf()
        )


async def test_a_quote_that_telegram_does_not_find_is_left_out(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    server.plays(refuses(400, "Bad Request: QUOTE_TEXT_INVALID"), SENT)
    message = OutgoingMessage(chat="7", text="x", reply_to=Quote(provider_id="3", text="old words"))
    (call,) = adapter.plan(account(server), message)
    assert (await adapter.perform(account(server), call, Shelf())).provider_ids == ["77"]
    assert [seen.json["reply_parameters"].get("quote") for seen in server.seen] == ["old words", None]
    assert server.seen[1].json["reply_parameters"]["message_id"] == 3


async def test_an_edit_and_a_deletion_that_change_nothing_count_as_done(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    (edit,) = adapter.plan_edit(account(server), OutgoingMessage(chat="7", text="x"), ["77"])
    server.plays(refuses(400, "Bad Request: message is not modified: specified new message content ..."))
    assert (await adapter.perform(account(server), edit, Shelf())).provider_ids == ["77"]
    (deletion,) = adapter.plan_delete(account(server), "7", ["77"])
    server.plays(refuses(400, "Bad Request: message to delete not found"))
    assert (await adapter.perform(account(server), deletion, Shelf())).provider_ids == []
    server.plays(answers(200, {"ok": True, "result": True}))
    assert (await adapter.perform(account(server), deletion, Shelf())).provider_ids == []
    server.plays(refuses(400, "Bad Request: message can't be deleted"))
    with pytest.raises(Rejected):
        await adapter.perform(account(server), deletion, Shelf())


async def test_an_edit_without_an_answer_may_be_repeated_and_a_send_may_not(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    server.plays(resets())
    (edit,) = adapter.plan_edit(account(server), OutgoingMessage(chat="7", text="x"), ["77"])
    with pytest.raises(Temporary):
        await adapter.perform(account(server), edit, Shelf())
    (send,) = adapter.plan(account(server), OutgoingMessage(chat="7", text="x"))
    with pytest.raises(Uncertain):
        await adapter.perform(account(server), send, Shelf())


async def test_connecting_tells_who_the_bot_is(adapter: TelegramAdapter, server: ScriptedServer) -> None:
    me = {"id": 555, "is_bot": True, "first_name": "Поддержка", "username": "help_bot"}
    server.plays(answers(200, {"ok": True, "result": me}))
    info = await adapter.connect({"token": TOKEN}, {"base_url": f"{server.url}/telegram/"})
    assert (info.address, info.name, info.config["username"]) == ("555", "Поддержка", "help_bot")
    assert server.seen[0].target == f"/telegram/bot{TOKEN}/getMe"


@pytest.mark.parametrize(
    "token",
    ["", "555", "0555:abc", "555:", "555:a b", "555:" + "a" * 90, "555:abc/../x", "٥٥٥:abc", "555:a\n"],
)
async def test_a_malformed_token_is_refused_before_anything_is_sent(
    adapter: TelegramAdapter, server: ScriptedServer, token: str
) -> None:
    with pytest.raises(AccountBroken) as caught:
        await adapter.connect({"token": token}, {"base_url": server.url})
    assert server.seen == []
    assert len(token) < 5 or token not in f"{caught.value!r} {caught.value.fields}"


@pytest.mark.parametrize(
    "base", ["ftp://x", "nonsense", "http://", "http://u:p@x", "http://x?y", "http://[", 5, "http://x:0"]
)
async def test_an_address_that_is_no_address_is_refused(adapter: TelegramAdapter, base: Any) -> None:
    with pytest.raises(AccountBroken):
        await adapter.connect({"token": TOKEN}, {"base_url": base})


async def test_a_token_that_a_server_echoes_stays_out_of_the_error(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    server.plays(refuses(400, f"Bad Request: /bot{TOKEN}/getMe is odd"))
    with pytest.raises(AccountBroken, match="is odd") as caught:
        await adapter.connect({"token": TOKEN}, {"base_url": server.url})
    assert TOKEN not in f"{caught.value!r} {caught.value.fields}"


async def test_the_webhook_is_set_with_its_secret_and_the_kinds_we_read(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    server.plays(answers(200, {"ok": True, "result": True, "description": "Webhook was set"}))
    await adapter.set_webhook(account(server), "https://desk.example.org/hooks/1")
    assert server.seen[0].json == {
        "url": "https://desk.example.org/hooks/1",
        "secret_token": "s3cret_S",
        "allowed_updates": ["message", "edited_message", "my_chat_member"],
        "max_connections": 40,
    }
    await adapter.disconnect(account(server))
    assert server.seen[1].target.endswith("/deleteWebhook")


async def test_a_webhook_without_a_sound_secret_is_not_set(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    for secret in ("", "a b", "x" * 257):
        broken = Account(inbox_id="inb", secrets={"token": TOKEN, "webhook_secret": secret}, config={})
        with pytest.raises(AccountBroken):
            await adapter.set_webhook(broken, "https://desk.example.org/")


async def test_a_poll_confirms_by_its_cursor(adapter: TelegramAdapter, server: ScriptedServer) -> None:
    updates = [{"update_id": 8, "message": {"chat": {"id": 7}}}, {"update_id": 9, "poll": {}}]
    server.plays(answers(200, {"ok": True, "result": updates}), answers(200, {"ok": True, "result": []}))
    parts, cursor = await adapter.poll(account(server), None)
    assert [(part.lane, json.loads(part.body)) for part in parts] == [("7", updates[0]), ("", updates[1])]
    assert "offset" not in server.seen[0].json
    assert await adapter.poll(account(server), cursor) == ([], "10")
    assert server.seen[1].json == {
        "offset": 10,
        "timeout": 25,
        "limit": 100,
        "allowed_updates": ["message", "edited_message", "my_chat_member"],
    }


async def test_a_poll_beside_a_webhook_is_rejected_and_beside_a_poller_waits(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    server.plays(
        refuses(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook ..."),
        refuses(409, "Conflict: terminated by other getUpdates request; make sure that only one bot ..."),
    )
    with pytest.raises(Rejected) as caught:
        await adapter.poll(account(server), None)
    assert caught.value.fields["provider_code"] == "409"
    with pytest.raises(Temporary) as waits:
        await adapter.poll(account(server), None)
    assert (waits.value.scope, waits.value.retry_after_seconds) == ("inbox", 5.0)
    assert all(seen.target.endswith("/getUpdates") for seen in server.seen)


async def test_a_file_is_streamed_from_its_path(adapter: TelegramAdapter, server: ScriptedServer) -> None:
    content = bytes(range(256)) * 4000
    found = {"file_id": "F", "file_size": len(content), "file_path": "photos/file_1.jpg"}
    server.plays(
        answers(200, {"ok": True, "result": found}), answers(200, content, Content_Type="image/jpeg")
    )
    media = await adapter.fetch_media(account(server), {"file_id": "F"})
    digest = hashlib.sha256()
    async for chunk in media.chunks:
        digest.update(chunk)
    assert digest.digest() == hashlib.sha256(content).digest()
    assert (media.size_bytes, media.content_type) == (len(content), "image/jpeg")
    assert server.seen[1].target == f"/file/bot{TOKEN}/photos/file_1.jpg"


async def test_files_may_have_an_address_of_their_own(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    server.plays(answers(200, {"ok": True, "result": {"file_path": "a/b.bin"}}), answers(200, b"x"))
    apart = account(server, file_base_url=f"{server.url}/downloads")
    media = await adapter.fetch_media(apart, {"file_id": "F"})
    await media.aclose()
    assert server.seen[1].target == f"/downloads/bot{TOKEN}/a/b.bin"


async def test_a_file_over_the_limit_is_rejected_wherever_that_shows(
    adapter: TelegramAdapter, server: ScriptedServer
) -> None:
    big = 20 * 1024 * 1024 + 1
    path = {"ok": True, "result": {"file_path": "a.bin"}}
    for script in (
        [refuses(400, "Bad Request: file is too big")],
        [answers(200, {"ok": True, "result": {"file_path": "a.bin", "file_size": big}})],
        [answers(200, path), answers(200, b"\0" * big)],
    ):
        server.plays(*script)
        with pytest.raises(Rejected, match="20 MB"):
            await adapter.fetch_media(account(server), {"file_id": "F"})


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "a//b", "http://x/y", "a?b", "a/../b", "", "a\nb"]
)
async def test_a_file_path_that_leads_elsewhere_is_refused(
    adapter: TelegramAdapter, server: ScriptedServer, path: str
) -> None:
    server.plays(answers(200, {"ok": True, "result": {"file_path": path}}))
    with pytest.raises(Rejected):
        await adapter.fetch_media(account(server), {"file_id": "F"})
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AccountBroken), (404, Rejected), (410, Rejected), (429, Temporary), (502, Temporary)],
)
async def test_a_refused_download_becomes_its_error(
    adapter: TelegramAdapter, server: ScriptedServer, status: int, error: type[Exception]
) -> None:
    server.plays(answers(200, {"ok": True, "result": {"file_path": "a.bin"}}), answers(status, b""))
    with pytest.raises(error):
        await adapter.fetch_media(account(server), {"file_id": "F"})


@pytest.mark.parametrize("reference", [{}, {"file_id": ""}, {"file_id": 5}, {"url": "x"}])
async def test_a_foreign_reference_is_rejected(
    adapter: TelegramAdapter, server: ScriptedServer, reference: dict[str, Any]
) -> None:
    with pytest.raises(Rejected):
        await adapter.fetch_media(account(server), reference)
    assert server.seen == []
