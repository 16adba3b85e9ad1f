"""Screens: clients over `/v1/ws` that watch conversations and note when each message arrives."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

WATCHED_A_SOCKET = 110
"""A client may give 120 commands at once, the hello among them; WATCH_LIMIT (500) lies above that."""


class _Frame(msgspec.Struct):
    type: str
    id: int = 0
    ok: bool = True
    stream: str = ""
    number: int = 0
    to: int = 0
    kind: str = ""
    data: Any = None


_decode = msgspec.json.Decoder(_Frame).decode


class Screens:
    """What several sockets of one reader have seen. ``seen``: key of a message -> moment (`time.perf_counter`)."""

    def __init__(self, read_key: Callable[[dict[str, Any]], str | None]) -> None:
        self.read_key = read_key
        self.seen: dict[str, float] = {}
        self.doubled = 0
        self.disordered = 0
        self.resets = 0
        self.numbers: dict[str, int] = {}

    def clear(self) -> None:
        """Forget what was seen and counted; the streams go on."""
        self.seen = {}
        self.doubled = self.disordered = self.resets = 0

    def take(self, frame: _Frame, at: float) -> None:
        """Note one frame."""
        if frame.type == "event":
            last = self.numbers.get(frame.stream)
            self.disordered += last is not None and frame.number != last + 1
            self.numbers[frame.stream] = frame.number
            if frame.kind == "message.created" and (key := self.read_key(frame.data["message"])):
                self.doubled += key in self.seen
                self.seen.setdefault(key, at)
        elif frame.type == "skip":
            self.numbers[frame.stream] = frame.to
        elif frame.type in ("reset", "resync", "gone"):
            self.resets += 1


class _Socket(WSListener):
    def __init__(self, screens: Screens) -> None:
        self._screens = screens
        self._answers: dict[int, asyncio.Future[_Frame]] = {}
        self._count = 0
        self.closed = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_disconnected(self, _: WSTransport) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def on_ws_frame(self, _: WSTransport, frame: WSFrame) -> None:
        at = time.perf_counter()
        if frame.msg_type != WSMsgType.TEXT:
            return
        said = _decode(frame.get_payload_as_memoryview())
        if said.type == "answer" and said.id in self._answers:
            self._answers.pop(said.id).set_result(said)
        else:
            self._screens.take(said, at)

    async def ask(self, **command: Any) -> Any:
        """Give a command; return the data of its answer."""
        self._count += 1
        answer: asyncio.Future[_Frame] = asyncio.get_running_loop().create_future()
        self._answers[self._count] = answer
        self._transport.send(WSMsgType.TEXT, msgspec.json.encode({"id": self._count, **command}))
        said = await asyncio.wait_for(answer, 30)
        if not said.ok:
            raise RuntimeError(f"{command} was refused")
        return said.data


def _itself(socket: _Socket) -> _Socket:
    return socket


@contextlib.asynccontextmanager
async def open_screens(
    port: int,
    token: str,
    conversations: Sequence[str],
    read_key: Callable[[dict[str, Any]], str | None],
) -> AsyncIterator[Screens]:
    """Watch conversations (public ids) over as many sockets as that takes, until the block is left."""
    screens = Screens(read_key)
    transports: list[WSTransport] = []
    for first in range(0, len(conversations), WATCHED_A_SOCKET):
        socket = _Socket(screens)
        transport, _ = await ws_connect(functools.partial(_itself, socket), f"ws://127.0.0.1:{port}/v1/ws")
        transports.append(transport)
        await socket.ask(do="hello", token=token)
        for conversation in conversations[first : first + WATCHED_A_SOCKET]:
            data = await socket.ask(do="watch", conversation_id=conversation)
            screens.numbers[conversation] = data["head"]["number"]
    try:
        yield screens
    finally:
        for transport in transports:
            transport.disconnect()
        await asyncio.sleep(0.05)


async def until_seen(screens: Screens, wanted: set[str], seconds: float) -> set[str]:
    """Wait until these keys are on the screens; return those that are not after so long."""
    end = time.perf_counter() + seconds
    while (missing := wanted - screens.seen.keys()) and time.perf_counter() < end:
        await asyncio.sleep(0.05)
    return missing
