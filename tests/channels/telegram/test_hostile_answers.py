"""A Telegram that answers anything at all: each answer is one of the declared errors, and nobody is led elsewhere."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from parley.apps.serve import make_channels
from parley.channels.contract import Account, Call, SendError, Temporary, Uncertain
from parley.channels.telegram import TelegramAdapter
from parley.desk.intake_store import JOURNAL
from parley.desk.polling import Poller
from parley.infra.http_client import ANSWER_LIMIT_BYTES, HttpClient, Timeouts
from tests.channels.telegram.test_adapter import Shelf
from tests.channels.telegram.test_hostile import good, work_off
from tests.house import open_house
from tests.scripted_http import (
    Behaviour,
    ScriptedServer,
    answers,
    drips,
    hangs,
    resets,
    scripted_server,
    sends_raw,
)

pytestmark = pytest.mark.anyio

TOKEN = "555:AAtest_token-0123456789"
QUICK = Timeouts(connect=3, read=0.7, write=3, total=2)


def endless(head: bytes) -> Behaviour:
    """Send bytes without end."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()

    return behave


def done(result: bytes) -> Behaviour:
    """Answer ``ok`` with a raw result."""
    return answers(200, b'{"ok":true,"result":' + result + b"}")


ANYTHING: dict[str, Behaviour] = {
    "nothing": answers(200, b""),
    "a page": answers(200, b"<html><script>alert(1)</script>"),
    "a page of 502": answers(502, b"<html>"),
    "null": answers(200, b"null"),
    "a list": answers(200, b"[]"),
    "a number": answers(200, b"9" * 5000),
    "not UTF-8": answers(200, b'{"ok":true,"result":"\xff\xfe"}'),
    "ok is a string": answers(200, b'{"ok":"true","result":{"message_id":1}}'),
    "ok is missing": answers(200, b'{"result":{"message_id":1}}'),
    "no result": answers(200, b'{"ok":true}'),
    "result null": done(b"null"),
    "result true": done(b"true"),
    "result a list of lists": done(b"[[[]]]"),
    "result a number": done(b"1"),
    "result deep": done(b"[" * 50_000 + b"]" * 50_000),
    "message_id a string": done(b'{"message_id":"1"}'),
    "message_id 2^90": done(b'{"message_id":1237940039285380274899124224}'),
    "message_id of 5000 digits": done(b'{"message_id":' + b"9" * 5000 + b"}"),
    "message_id 1e400": done(b'{"message_id":1e400}'),
    "ok under 500": answers(500, b'{"ok":true,"result":{"message_id":1}}'),
    "ok under 302": answers(302, b'{"ok":true,"result":{"message_id":1}}', Location="http://127.0.0.1:1/"),
    "refused without words": answers(400, b'{"ok":false}'),
    "refused under 200": answers(200, b'{"ok":false,"description":"no"}'),
    "refused with code text": answers(400, b'{"ok":false,"error_code":"400"}'),
    "refused with code 10^30": answers(400, b'{"ok":false,"error_code":1000000000000000000000000000000}'),
    "refused with NUL and overrides": answers(400, {"ok": False, "error_code": 400, "description": "\x00\u202e\x1b[2J"}),
    "refused with a megabyte of words": answers(400, {"ok": False, "error_code": 400, "description": "x" * 10**6}),
    "refused with the token": answers(400, {"ok": False, "error_code": 400, "description": f"no {TOKEN}"}),
    "wait -5": answers(429, {"ok": False, "error_code": 429, "parameters": {"retry_after": -5}}),
    "wait 10^30": answers(429, {"ok": False, "error_code": 429, "parameters": {"retry_after": 10**30}}),
    "wait 1e999": answers(429, b'{"ok":false,"error_code":429,"parameters":{"retry_after":1e999}}'),
    "wait a list": answers(429, {"ok": False, "error_code": 429, "parameters": {"retry_after": []}}),
    "wait by header": answers(429, b"", Retry_After="9" * 500),
    "parameters a list": answers(429, b'{"ok":false,"error_code":429,"parameters":[]}'),
    "moved to text": answers(400, {"ok": False, "error_code": 400, "parameters": {"migrate_to_chat_id": "x" * 999}}),
    "redirect inside": answers(302, b"", Location="http://169.254.169.254/latest/meta-data/"),
    "redirect to a file": answers(301, b"", Location="file:///etc/passwd"),
    "redirect to itself": answers(307, b"", Location="/"),
    "no HTTP at all": sends_raw(b"SSH-2.0-OpenSSH\r\n"),
    "a status of no kind": sends_raw(b"HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n"),
    "a length that lies": sends_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"),
    "two lengths": sends_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\n{}"),
    "a negative length": sends_raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
    "broken chunks": sends_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n"),
    "headers without end": endless(b"HTTP/1.1 200 OK\r\nX: "),
    "a body without end": endless(b"HTTP/1.1 200 OK\r\n\r\n"),
    "a body of a terabyte": endless(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"),
    "one byte at a time": drips(50, 0.1),
    "silence": hangs(5),
    "a reset": resets(),
}  # fmt: skip


@pytest.fixture
async def adapter() -> AsyncIterator[TelegramAdapter]:
    async with HttpClient(timeouts=QUICK) as http:
        yield TelegramAdapter(http)


def account(server: ScriptedServer) -> Account:
    return Account(
        inbox_id="inb", secrets={"token": TOKEN, "webhook_secret": "s"}, config={"base_url": server.url}
    )


async def ask_everything(adapter: TelegramAdapter, who: Account) -> list[tuple[str, Any]]:
    """Do every kind of call; return what came of each: a value or the declared error."""
    send = Call(method="sendMessage", params={"chat_id": 7, "text": "hi"})
    album = Call(method="sendMediaGroup", params={"chat_id": 7, "media": []})
    edit = Call(method="editMessageText", params={"chat_id": 7, "message_id": 1, "text": "hi"})
    calls = {
        "send": adapter.perform(who, send, Shelf()),
        "album": adapter.perform(who, album, Shelf()),
        "edit": adapter.perform(who, edit, Shelf()),
        "connect": adapter.connect(who.secrets, dict(who.config)),
        "file": adapter.fetch_media(who, {"file_id": "x"}),
    }

    async def outcome(name: str, call: Any) -> tuple[str, Any]:
        try:
            return name, await call
        except (SendError, Uncertain) as error:
            return name, error

    return list(await asyncio.gather(*(outcome(name, call) for name, call in calls.items())))


@pytest.mark.parametrize("name", ANYTHING)
async def test_whatever_is_answered_is_a_declared_error_that_can_be_kept(
    adapter: TelegramAdapter, name: str
) -> None:
    async with scripted_server(ANYTHING[name]) as server:
        tracemalloc.start()
        try:
            found = await ask_everything(adapter, account(server))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 12 * ANSWER_LIMIT_BYTES  # five at once, each bounded, joined once
    for kind, one in found:
        assert isinstance(one, (SendError, Uncertain)), (kind, one)
        words = f"{one.message} {json.dumps(one.fields, default=str)}"
        assert TOKEN not in words
        assert "\x00" not in words
        assert "\u202e" not in words
        assert len(words) < 2000
        if isinstance(one, Temporary) and one.retry_after_seconds is not None:
            assert 0 <= one.retry_after_seconds <= 86_400
        if kind in ("edit", "file"):
            assert not isinstance(one, Uncertain)  # these may be done again


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd", "/etc/passwd", "//127.0.0.1/x", "a/../../b", "http://169.254.169.254/", "a?b", "a#b", "a\\b",
        "a\x00b", "a\r\nHost: evil", "%2e%2e/x", "x" * 100_000, "", ".", "..", "a//b", "@evil.example/x", "a b",
    ],
)  # fmt: skip
async def test_a_file_path_leads_nowhere_else(adapter: TelegramAdapter, path: str) -> None:
    async with scripted_server(
        answers(200, {"ok": True, "result": {"file_path": path}}), answers(404)
    ) as server:
        with pytest.raises(SendError):
            await adapter.fetch_media(account(server), {"file_id": "x"})
        for seen in server.seen:
            assert seen.target == f"/bot{TOKEN}/getFile" or seen.target.startswith(f"/file/bot{TOKEN}/")
            assert ".." not in seen.target
            assert "evil" not in str(seen.headers)


@pytest.mark.parametrize(
    "behaviour",
    [
        answers(302, b"", Location="http://169.254.169.254/"),
        answers(200, b"", Content_Length_Lies="1"),
        sends_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx"),
        sends_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx"),
        endless(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\x01\r\n\r\n"),
        endless(b"HTTP/1.1 200 OK\r\n\r\n"),
        hangs(5),
        resets(),
    ],
    ids=[
        "redirect",
        "empty",
        "a length of 20 digits",
        "cut",
        "a control in a header",
        "endless",
        "silence",
        "reset",
    ],
)
async def test_a_download_ends_whatever_it_is(adapter: TelegramAdapter, behaviour: Behaviour) -> None:
    found = answers(200, {"ok": True, "result": {"file_path": "documents/file_1", "file_size": -(2**70)}})
    fine = answers(200, {"ok": True, "result": {"file_path": "documents/file_1"}})
    async with scripted_server(found, fine, behaviour) as server:
        with pytest.raises(SendError):  # a size that is none
            await adapter.fetch_media(account(server), {"file_id": "x"})
        size = 0
        try:
            async with asyncio.timeout(20):
                fetched = await adapter.fetch_media(account(server), {"file_id": "x"})
                async for chunk in fetched.chunks:
                    size += len(chunk)
        except SendError as error:
            assert error.message  # noqa: PT017 - or it is an empty file
        else:
            assert size == 0
        assert size <= 21 * 2**20


async def test_a_batch_that_is_too_large_is_asked_for_one_by_one(adapter: TelegramAdapter) -> None:
    update = {"update_id": 5, "poll": {}}
    much = b'{"ok":true,"result":["' + b"x" * ANSWER_LIMIT_BYTES + b'"]}'
    async with scripted_server(answers(200, much), answers(200, {"ok": True, "result": [update]})) as server:
        parts, cursor = await adapter.poll(account(server), "3")
        assert (len(parts), cursor) == (1, "6")
        assert [seen.json["limit"] for seen in server.seen] == [100, 1]
        assert {seen.json["offset"] for seen in server.seen} == {3}


async def test_a_poller_outlives_whatever_getupdates_answers(database_url: str, tmp_path: Any) -> None:
    """Garbage, then an honest update among dishonest ones: it becomes a message, the others stand in the journal."""
    mixed = [5, None, "x", {"update_id": "a"}, {"update_id": 2**70}, {"message": 1}, json.loads(good(8, 7))]
    script = [
        answers(200, b"\xff"),
        answers(200, {"ok": True, "result": {"update_id": 1}}),
        answers(200, {"ok": True, "result": mixed}),
        answers(200, {"ok": True, "result": []}),
    ]
    async with (
        scripted_server(*script) as server,
        open_house(database_url, tmp_path, telegram_api_url=server.url) as house,
    ):
        place = await house.workspace()
        await place.inbox(await place.user("Olga", "owner"))
        poller = asyncio.create_task(Poller(house.db, make_channels(house.runtime)).run())
        try:
            async with asyncio.timeout(30):
                while len(server.seen) < 5:
                    await asyncio.sleep(0.05)
        finally:
            poller.cancel()
            await asyncio.gather(poller, return_exceptions=True)
        await work_off(house)
        assert server.seen[-1].json["offset"] == 9
        rows = await house.sql(f"SELECT work, last_error FROM {JOURNAL.name} ORDER BY seq")
        assert [row["work"] for row in rows] == ["failed"] * 6 + ["done"]
        assert all(row["last_error"].startswith("bad_update") for row in rows[:6])
        [message] = await house.sql("SELECT text FROM message")
        assert message["text"] == "still here"
