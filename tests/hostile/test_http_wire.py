"""Raw HTTP that no client sends: slow, endless, smuggled, lying; and Socket.IO's polling, all at a whole program."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import psutil
import pytest

from tests.hostile.wire import PATHS, ask, bounded, connect, others_served, require_calm, upgrade
from tests.programs import Server, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("hostile_http")]

GROWN_MB = 40
POLLING = "/socket.io/?EIO=4&transport=polling"


def statuses(answer: bytes) -> list[int]:
    """Return the statuses of all answers on a connection."""
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def require_error_shape(answer: bytes) -> None:
    """Fail unless the last answer is the one error shape."""
    error = json.loads(answer.rpartition(b"\r\n\r\n")[2])["error"]
    assert set(error) == {"code", "message", "fields"}


HEAD = b"GET /v1/me HTTP/1.1\r\nHost: x\r\n"

UNREADABLE: dict[str, bytes] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "a null in the address": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a null in a header": HEAD + b"X: a\x00b\r\n\r\n",
    "a header without a colon": HEAD + b"nonsense\r\n\r\n",
    "a space before the colon": HEAD + b"Content-Length : 1\r\n\r\n",
    "a method of its own": b"STEAL / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a length that is none": b"POST /v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
    "a negative length": b"POST /v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length beyond numbers": b"POST /v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n",
    "two lengths": b"POST /v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": (
        b"POST /v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /v1/users HTTP/1.1\r\nHost: x\r\n\r\n"
    ),
    "chunks not last": b"POST /v1/me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a chunk's size that is none": b"POST /v1/auth/sign-in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a folded header": HEAD + b"X: a\r\n b: c\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
    "bare carriage returns": b"GET / HTTP/1.1\rHost: x\r\r",
    "an address that is none": b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_cannot_be_read_is_a_400_and_the_end_of_the_connection(server: Server, name: str) -> None:
    """And nothing smuggled behind it is carried out as a request of its own."""
    answer = await ask(server, UNREADABLE[name])
    assert [status for status in statuses(answer) if status not in (400, 408)] in ([], [401]), answer
    assert 400 in statuses(answer) or "chunk's" in name, answer  # within a body there is nothing but the end
    assert b'"items"' not in answer
    require_calm(server)


ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "an address": (b"GET /", b"a" * 65536),
    "a query": (b"GET /v1/me?a=", b"a" * 65536),
    "a header": (HEAD + b"X: ", b"a" * 65536),
    "headers": (HEAD, b"X: b\r\n" * 8192),
    "a header's name": (HEAD, b"a" * 65536),
    "a method": (b"", b"A" * 65536),
    "a chunk's size": (b"POST /v1/me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    "a chunk's extension": (b"POST /v1/me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 65536),
    "a trailer": (b"POST /v1/me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a" * 65536),
    "trailers": (b"POST /v1/me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: b\r\n" * 8192),
}  # fmt: skip


async def test_what_never_ends_is_cut_and_costs_no_memory(server: Server) -> None:
    async def pour(first: bytes, again: bytes) -> int:
        raw = await connect(server)
        await raw.send(first)
        for sent in range(480):  # 30 MB
            if not await raw.send(again):
                return sent
        return 480

    async with others_served(server):
        with bounded(server, GROWN_MB):
            sent = await asyncio.gather(*(pour(*parts) for parts in ENDLESS.values()))
            assert max(sent) < 480, dict(zip(ENDLESS, sent, strict=True))


async def test_too_long_an_address_or_header_is_a_431_in_the_error_shape(server: Server) -> None:
    for request in (
        b"GET /v1/me?a=" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"X: " + b"a" * 9000 + b"\r\n\r\n",
        HEAD + b"X: a\r\n" * 101 + b"\r\n",
        HEAD + (b"X: " + b"a" * 5000 + b"\r\n") * 8 + b"\r\n",
    ):
        answer = await ask(server, request)
        assert statuses(answer) == [431]
        require_error_shape(answer)


async def test_a_body_larger_than_taken_is_a_413_before_it_has_come(server: Server) -> None:
    length = b"Content-Length: 4000000000\r\n"
    answer = await ask(
        server,
        b"POST /v1/auth/sign-in HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        + length
        + b"\r\n{",
    )
    assert statuses(answer) == [413], answer
    chunks = b"8000\r\n" + b"a" * 0x8000 + b"\r\n"
    raw = await connect(server)
    with bounded(server, GROWN_MB):
        await raw.send(
            b"POST /v1/auth/sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(20):
            await raw.send(chunks)
        assert b" 413 " in await raw.heads()


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/../../../pages.py",
        "/assets/..%5c..%5cpages.py", "/assets/%00", "/assets/%2e%2e%2f%2e%2e%2fapps%2fpages.py", "//etc/passwd",
        "/assets//etc/passwd", "/assets/....//....//apps/pages.py", "/%c0%ae%c0%ae/etc/passwd", "/assets/" + "a/" * 2000,
        "/assets/\\..\\..\\x", "/file:///etc/passwd", "/assets/%252e%252e%252fx", "/docs/../../secret", "/.env", "/.git/config",
    ],
)  # fmt: skip
async def test_the_pages_give_nothing_but_themselves(server: Server, path: str) -> None:
    answer = await ask(server, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert statuses(answer)[0] in (200, 400, 404, 405), answer[:300]
    body = answer.partition(b"\r\n\r\n")[2]
    assert b"root:" not in body
    assert b"def " not in body
    assert statuses(answer)[0] != 200 or b"<!doctype html" in body[:200].lower()
    require_calm(server)


async def test_methods_that_nothing_serves_are_refused_everywhere(server: Server) -> None:
    for method in ("TRACE", "CONNECT", "PROPFIND", "OPTIONS", "PUT", "DELETE", "PURGE"):
        for path in (
            "/",
            "/v1/me",
            "/healthz",
            "/docs",
            "/assets/x",
            "/socket.io/",
            "/sandbox",
            "*",
            "/metrics",
        ):
            answer = await ask(
                server, f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            )
            told = statuses(answer)
            assert told, (method, path)
            assert 200 <= told[0] < 500, (method, path, answer[:200])
            assert b"access-control-allow-origin" not in answer.lower()
    require_calm(server)


async def test_who_says_nothing_or_says_it_slowly_is_sent_away(server: Server) -> None:
    """A thousand connections that never come to the point, while others are served; all are gone in 15 seconds."""
    files_before = psutil.Process(server.pid).num_fds()

    async def idle(first: bytes) -> bytes:
        raw = await connect(server)
        await raw.send(first)
        return await raw.rest(60)

    async def trickle() -> bytes:
        raw = await connect(server)
        await raw.send(HEAD)
        for _ in range(30):
            if not await raw.send(b"X: y\r\n"):
                break
            await asyncio.sleep(0.5)
        return await raw.rest(60)

    async def socket(path: str) -> bytes:
        return await (await upgrade(server, path)).rest(60)

    async def polling() -> str:
        opened = await server.http.get(POLLING)
        return str(json.loads(opened.text[1:])["sid"])

    async with others_served(server, slowest_seconds=5):
        with bounded(server, 60):
            sids = await asyncio.gather(*(polling() for _ in range(200)))
            ends = await asyncio.gather(
                *(idle(b"") for _ in range(400)), *(idle(HEAD + b"X") for _ in range(200)), *(trickle() for _ in range(100)),
                *(socket(path) for path in PATHS.values() for _ in range(150)),
            )  # fmt: skip
            for end in ends[:600]:
                assert statuses(end) == [408]
                require_error_shape(end)
            for end in ends[700:]:
                assert b"\x88" in end  # a close frame
            for sid in sids[:10]:
                assert (await server.http.get(f"{POLLING}&sid={sid}")).status_code in (200, 400)
                assert (await server.http.get(f"{POLLING}&sid={sid}")).status_code == 400

    async def all_gone() -> bool:
        return psutil.Process(server.pid).num_fds() <= files_before + 20

    await eventually(all_gone)


@pytest.mark.long
async def test_a_body_that_stands_still_is_given_up(server: Server) -> None:
    answer = await ask(
        server,
        b"POST /v1/auth/sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        45,
    )
    assert statuses(answer) in ([], [408])
    require_calm(server)


BODIES: list[Any] = [
    b"", b"4", b"9", b"x", b"\x1e" * 300, b"4" * 60_000, b"2" + b"[" * 5000, b"40{", b"42", b'42["command"', b"451-[1]", b"d=", b"d=4",
    b"bAAAA", b"b!!!!", b"\xff\xfe", "4\ud7ff".encode(), b'40/other,{"token":"x"}', b"40\x1e40\x1e40", b"41", b"44", b"47", b"1", b"5", b"6",
    b"42" + b"[" * 3000, b'459999999999-["command",{"_placeholder":true,"num":0}]', b'40{"token":"\\ud800"}', b"4" + b"9" * 200 + b"[]",
    b"\x1e".join([b'42["command",{"id":1,"do":"ping"}]'] * 256), b"\x1e".join([b"40"] * 256), b"\x1e".join([b"2"] * 257), b"3\x1e" * 100 + b"3",
]  # fmt: skip


async def test_polling_bodies_of_any_kind_make_no_5xx(server: Server) -> None:
    async with others_served(server):
        with bounded(server, GROWN_MB):
            for entered in (b"", b"40", f"40{json.dumps({'token': server.token})}".encode()):
                for body in BODIES:
                    opened = await server.http.get(POLLING)
                    url = f"{POLLING}&sid={json.loads(opened.text[1:])['sid']}"
                    if entered:
                        assert (await server.http.post(url, content=entered)).status_code == 200
                    answer = await server.http.post(url, content=body)
                    assert answer.status_code in (200, 400), (body[:60], answer.text)


async def test_polling_requests_of_any_shape_make_no_5xx(server: Server) -> None:
    for query in (
        "", "?", "?EIO=3&transport=polling", "?EIO=4&transport=carrier-pigeon", "?EIO=4&transport=websocket", "?EIO=4&transport=polling&sid=x",
        "?EIO=4&transport=polling&sid=%00", "?EIO=4&transport=polling&j=x", "?EIO=4&transport=polling&j=1", "?EIO=4&EIO=4&transport=polling",
        "?%ff%fe", "?" + "a=b&" * 1500, "?EIO=4&transport=polling&sid=" + "a" * 5000, "?transport=polling&transport=websocket&EIO=4",
    ):  # fmt: skip
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
            answer = await server.http.request(
                method, f"/socket.io/{query}", content=b"4" if method == "POST" else None
            )
            assert answer.status_code < 500, (method, query[:60], answer.text)
    opened = await server.http.get(POLLING)
    url = f"{POLLING}&sid={json.loads(opened.text[1:])['sid']}"
    large = await server.http.post(url, content=b"4" + b"x" * 70_000)
    assert large.status_code == 400
    require_calm(server)
