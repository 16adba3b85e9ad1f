"""WebSocket frames that break every rule, at both sockets of a whole program."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from typing import Any

import pytest

from tests.hostile.wire import (
    BINARY,
    CLOSE,
    CONT,
    PATHS,
    PING,
    PONG,
    TEXT,
    bounded,
    command,
    connect,
    frame,
    others_served,
    require_calm,
    upgrade,
    upgrade_request,
)
from tests.programs import Server

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("hostile_frames")]

GROWN_MB = 40
"""How much more memory the process may hold after an attack: what an allocator keeps of bursts, and no more."""

BROKEN: dict[str, tuple[bytes, int]] = {
    "unmasked": (frame(TEXT, b"{}", is_masked=False), 1002),
    "reserved data opcode": (frame(3, b"x"), 1002),
    "reserved control opcode": (frame(11, b"x"), 1002),
    "reserved bit": (frame(TEXT, b"{}", rsv=4), 1002),
    "long ping": (frame(PING, b"x" * 126), 1002),
    "huge ping": (frame(PING, length=2**40), 1009),
    "fragmented ping": (frame(PING, b"x", fin=False), 1002),
    "continuation of nothing": (frame(CONT, b"x"), 1002),
    "a text inside a text": (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002),
    "one byte too many": (frame(TEXT, length=65537), 1009),
    "exabytes announced": (frame(BINARY, length=2**62), 1009),
    "a negative length": (frame(BINARY, length=2**64 - 1), 1009),
    "too large in fragments": (frame(TEXT, b"x" * 40_000, fin=False) + frame(CONT, b"x" * 40_000), 1009),
    "no UTF-8": (frame(TEXT, b'{"id": 1, "do": "\xff"}'), 1007),
    "half a character": (frame(TEXT, b"\xc3", fin=False) + frame(CONT, b""), 1007),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "half a close code": (frame(CLOSE, b"\x03"), 1002),
    "an unknown close code": (frame(CLOSE, b"\x00\x01"), 1002),
    "a close reason that is no text": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "a flood of pings": (frame(PING, b"x") * 3000, 1008),
    "a flood of pongs": (frame(PONG) * 3000, 1008),
    "a flood of empty fragments": (frame(TEXT, fin=False) + frame(CONT, fin=False) * 3000, 1008),
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
async def test_frames_against_the_protocol_end_the_connection_with_the_right_code(
    server: Server, path: str
) -> None:
    async def try_one(data: bytes) -> int | None:
        raw = await upgrade(server, path)
        await raw.send(data)
        return await raw.close_code()

    with bounded(server, GROWN_MB):
        codes = await asyncio.gather(*(try_one(data) for data, _ in BROKEN.values()))
        told = dict(zip(BROKEN, codes, strict=True))
        assert told == {name: code for name, (_, code) in BROKEN.items()}


COMMANDS: list[Any] = [
    "[" * 30_000, '{"a":' * 9000, "{" * 60_000, '"' + "\\u0000" * 9000 + '"', "1" * 60_000, "1e999999", "-", "NaN",
    '{"id": 1e400, "do": "ping"}', '{"id": NaN, "do": "ping"}', '{"id": 99999999999999999999999, "do": "ping"}',
    '{"id": -1, "do": "ping"}', '{"id": true, "do": "ping"}', '{"id": 1, "do": "\\ud800"}', '{"id": 1, "id": 2}',
    '{"id": 1, "do": "ping", "do": "hello"}', '{"id": 1, "do": "watch", "conversation_id": "\\u0000"}', "null", "[]",
    '{"id": 1, "do": "hello", "token": ""}', '{"id": 1, "do": "__class__"}', "\ufeff{}", " " * 60_000, "", "\0",
]  # fmt: skip


async def test_commands_of_any_text_are_answered_and_nobody_breaks(server: Server) -> None:
    """Before the hello, after it, as text and as bytes."""
    with bounded(server, GROWN_MB):
        for token in (None, server.token):
            raw = await upgrade(server, PATHS["ws"])
            if token is not None:
                await raw.send(command(1, "hello", token=token))
                assert json.loads((await raw.frame())[1])["ok"]
            for text in COMMANDS if token else [text for text in COMMANDS if '"watch"' not in text]:
                await raw.send(frame(TEXT, text.encode()) + frame(BINARY, text.encode()))
                for _ in range(2):
                    answer = json.loads((await raw.frame())[1])
                    assert (answer["type"], answer["ok"]) == ("answer", False), text[:80]
                    assert answer["error"]["code"] == "malformed", (text[:80], answer)
            await raw.send(command(77, "ping"))
            assert json.loads((await raw.frame())[1]) == {"type": "answer", "id": 77, "ok": True, "data": {}}
            await raw.end()


FLOODS: dict[str, tuple[str, bytes, int]] = {
    "commands": ("ws", command(2, "watch_inboxes") * 400, 4009),
    "commands over Socket.IO": ("socket.io", frame(TEXT, b'42["command",{"id":1,"do":"watch_inboxes"}]') * 400, 4009),
    "events that nobody knows": ("socket.io", frame(TEXT, b'42["other",{"id":1}]') * 900, 1008),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_is_closed_with_its_code_and_others_notice_nothing(server: Server, name: str) -> None:
    path, data, code = FLOODS[name]

    async def flood() -> int | None:
        raw = await upgrade(server, PATHS[path])
        if path == "ws":
            await raw.send(command(1, "hello", token=server.token))
        else:
            await raw.send(frame(TEXT, b"40" + json.dumps({"token": server.token}).encode()))
        await raw.send(data)
        return await raw.close_code()

    async with others_served(server):
        with bounded(server, GROWN_MB):
            assert set(await asyncio.gather(*(flood() for _ in range(20)))) == {code}


async def test_text_that_is_none_while_we_are_closing_is_no_error(server: Server) -> None:
    raw = await upgrade(server, PATHS["ws"])
    # the flood has us close with 1008 or 4009; what follows comes before the peer's answer to that
    await raw.send(frame(1, b'{"id": 1, "do": "ping"}') * 300)
    await asyncio.sleep(0.3)
    await raw.send(frame(1, b"\xff\xfe") * 5)
    await asyncio.sleep(0.3)
    require_calm(server)


async def test_a_peer_that_floods_and_never_reads_costs_no_memory(server: Server) -> None:
    """Pings whose pongs nobody takes, empty fragments without end, text without end: some 60 MB of each."""

    async def flood(path: str, first: bytes, again: bytes) -> None:
        raw = await upgrade(server, path)
        await raw.send(first)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(4):
                for _ in range(60 * 2**20 // len(again)):
                    if not await raw.send(again):
                        break
        await raw.end()

    async with others_served(server):
        with bounded(server, GROWN_MB):
            for path in PATHS.values():
                await asyncio.gather(
                    flood(path, b"", frame(PING, b"x" * 125) * 400),
                    flood(path, frame(TEXT, fin=False), frame(CONT, fin=False) * 8000),
                    flood(path, frame(BINARY, length=2**31), b"x" * 65536),
                    flood(path, b"", frame(TEXT, b"{}") * 8000),
                )


async def test_frames_sent_before_the_handshake_is_answered_make_no_error(server: Server) -> None:
    for path in [*PATHS.values(), "/nowhere", "/v1/me", "/"]:
        for data in (frame(TEXT, b"{}"), b"\xff" * 100, frame(PING), frame(CLOSE, b"\x03\xe8")):
            raw = await connect(server)
            await raw.send(upgrade_request(server, path) + data)
            await raw.send(data)
            await asyncio.sleep(0.02)
            await raw.end()
    require_calm(server)


async def test_requests_for_a_websocket_that_lack_something_are_refused(server: Server) -> None:
    whole = upgrade_request(server, PATHS["ws"])
    for said, instead in (
        (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 99"), (b"Sec-WebSocket-Version: 13\r\n", b""),
        (b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: x"), (b"GET ", b"POST "),
        (b"Host: ", b"Origin: https://evil.example\r\nHost: "), (b"Host: ", b"Origin: null\r\nHost: "),
        (b"Host: ", b"X: " + b"y" * 8200 + b"\r\nHost: "), (b"/v1/ws", b"/v1/ws?" + b"y" * 8200),
        (b"Host: ", b"X: y\r\n" * 120 + b"Host: "), (b"Host: ", b"X: \xff\r\nHost: "),
        (b"Host: ", b"Sec-WebSocket-Protocol: \xff,,\r\nHost: "),
    ):  # fmt: skip
        raw = await connect(server)
        await raw.send(whole.replace(said, instead))
        head = await raw.heads()
        status = int(head.split()[1])
        assert 400 <= status < 500 or b"\xff" in instead, (instead[:40], head)
        await raw.end()
    require_calm(server)


def random_frames(chance: random.Random) -> bytes:
    """Return some frames of a peer that means no good: rarely sane, often nearly so."""
    made = b""
    for _ in range(chance.randint(1, 12)):
        payload = chance.choice(
            [
                chance.randbytes(chance.choice([0, 1, 2, 30, 125, 126, 2000])),
                chance.choice(COMMANDS)[:300].encode(),
                b"40", b"42" + b"[" * chance.randint(1, 200), b'42["command",{"id":1,"do":"ping"}]', b"2probe", b"5", b"1", b"3",
                f"45{chance.randint(0, 12)}-".encode() + b'["command",{"_placeholder":true,"num":9}]',
                b"40/other," + chance.randbytes(5), b'43999["x"]', b"44{}", b"41", b"47", b"4" * 120,
            ]
        )  # fmt: skip
        opcode = chance.choice([TEXT] * 6 + [BINARY, BINARY, CONT, PING, PONG, CLOSE, 3, 11])
        made += frame(
            opcode,
            payload if opcode < CLOSE else payload[:125],
            fin=chance.random() < 0.9,
            is_masked=chance.random() < 0.97,
            rsv=chance.choice([0] * 30 + [1, 2, 4]),
            length=chance.choice([None] * 20 + [0, 200, 70_000]),
        )
    return made if chance.random() < 0.9 else made[: chance.randint(1, len(made))]


async def throw_random_frames(server: Server, seed: int, connections: int) -> None:
    chance = random.Random(seed)

    async def throw(path: str, data: bytes, is_known: bool) -> None:
        raw = await upgrade(server, path)
        if is_known:
            hello = f"40{json.dumps({'token': server.token})}".encode()
            await raw.send(
                frame(TEXT, hello) if "socket.io" in path else command(1, "hello", token=server.token)
            )
        await raw.send(data)
        with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            async with asyncio.timeout(0.1):
                await raw.close_code()
        await raw.end()

    batch = 20
    for _ in range(connections // batch):
        await asyncio.gather(
            *(
                throw(chance.choice(list(PATHS.values())), random_frames(chance), chance.random() < 0.5)
                for _ in range(batch)
            )
        )


async def test_random_frames_break_nothing(server: Server) -> None:
    async with others_served(server):
        with bounded(server, GROWN_MB):
            await throw_random_frames(server, seed=20261121, connections=400)


@pytest.mark.long
async def test_random_frames_for_long_break_nothing(server: Server) -> None:
    async with others_served(server):
        # polling clients that were left are forgotten after 45 s: by then as many go as come
        await throw_random_frames(server, seed=1, connections=6000)
        with bounded(server, GROWN_MB):
            await throw_random_frames(server, seed=2, connections=10_000)
