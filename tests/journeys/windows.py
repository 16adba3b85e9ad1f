"""Windows of an agent: what a screen knows, kept by events over a plain WebSocket or Socket.IO.

A window reads a conversation once and then lives on events; what it shows must equal what a fresh reader sees. It can
be cut off and come back with its cursors.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.programs import Json, Server
from tests.socketio_client import SocketIoClient

WAIT_SECONDS = 60.0


class Window:
    """What both kinds of window have: cursors, messages by conversation, and what happened."""

    def __init__(self, server: Server, token: str) -> None:
        self.server = server
        self.token = token
        self.cursors: dict[str, Json] = {}
        self.messages: dict[str, dict[str, Json]] = {}
        self.happened: list[Json] = []
        self.touched: list[str] = []
        self.problems: list[str] = []
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._ids = itertools.count(1)
        self._news = asyncio.Event()

    async def open(self) -> None:
        """Connect, say who it is, and follow the inboxes and every conversation shown before."""
        await self._connect()
        await self.ask("watch_inboxes")
        for conversation_id, cursor in self.cursors.items():
            await self.ask("watch", conversation_id=conversation_id, cursor=cursor)

    async def show(self, conversation_id: str) -> None:
        """Follow a conversation from now on; its history is read once."""
        await self.ask("watch", conversation_id=conversation_id)
        path = f"/v1/conversations/{conversation_id}/messages?after=0&limit=100"
        page = await self.server.call("GET", path)
        early = [event for event in self.happened if event["stream"] == conversation_id]
        self.messages[conversation_id] = {message["id"]: message for message in page["items"]}
        self.cursors[conversation_id] = page["head"]
        for event in early:
            self._apply(event)

    async def ask(self, do: str, **fields: Json) -> Json:
        """Give a command; return the data of its answer."""
        number = next(self._ids)
        waiting = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._send({"id": number, "do": do, **fields})
        async with asyncio.timeout(WAIT_SECONDS):
            answer = await waiting
        assert answer["ok"], answer
        return answer["data"]

    async def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until something holds of what the window knows; return it."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not (found := holds()):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"it never held; last: {self.happened[-5:]}") from None
        return found

    async def shows(self, conversation_id: str, *texts: str) -> Json:
        """Wait until exactly these texts are shown, in order; return the last message."""
        await self.until(lambda: [m["text"] for m in self._in_order(conversation_id)] == list(texts))
        return self._in_order(conversation_id)[-1]

    async def require_fresh(self, conversation_id: str) -> None:
        """Wait until window and server are at the same event, and require that both show the same there."""
        path = f"/v1/conversations/{conversation_id}"
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                head = (await self.server.call("GET", path))["head"]
                fresh = await self.server.messages(conversation_id)
                is_still = head == (await self.server.call("GET", path))["head"]
                if is_still and self.cursors[conversation_id] == head:
                    break
                await asyncio.sleep(0.05)
        assert not self.problems
        for shown, stored in zip(self._in_order(conversation_id), fresh, strict=True):
            different = {key: (shown[key], stored[key]) for key in stored if shown[key] != stored[key]}
            assert not different, different

    def statuses(self, message_id: str) -> list[str]:
        """Return the outward states that were told of a message, in order."""
        told = [event["data"] for event in self.happened if event["kind"] == "message.status_changed"]
        return [data["status"]["state"] for data in told if data["message_id"] == message_id]

    def _in_order(self, conversation_id: str) -> list[Json]:
        return sorted(self.messages[conversation_id].values(), key=lambda message: message["position"])

    def take(self, frame: Json) -> None:
        """Take in one frame from the server."""
        kind = frame["type"]
        if kind == "answer":
            waiting = self._answers.get(frame["id"])
            if waiting is not None and not waiting.done():
                waiting.set_result(frame)
        elif kind == "event":
            self.happened.append(frame)
            self._apply(frame)
        elif kind == "touched":
            self.touched.append(frame["conversation_id"])
        else:
            # staff sees everything, so nothing may be skipped, and nobody was away long enough for a reset
            if kind != "signal":
                self.problems.append(f"unexpected: {frame}")
        self._news.set()

    def _apply(self, event: Json) -> None:
        conversation_id, cursor = event["stream"], self.cursors.get(event["stream"])
        if cursor is None or event["number"] <= cursor["number"]:
            return
        if event["number"] != cursor["number"] + 1:
            self.problems.append(f"a hole after {cursor}: {event}")
        self.cursors[conversation_id] = {"number": event["number"], "tag": event["tag"]}
        shown, data = self.messages[conversation_id], event["data"]
        if event["kind"] in ("message.created", "message.updated", "message.deleted"):
            shown[data["message"]["id"]] = data["message"]
            self._requote(conversation_id, data["message"])
        elif event["kind"] == "message.status_changed":
            shown[data["message_id"]] = {**shown[data["message_id"]], "status": data["status"]}

    def _requote(self, conversation_id: str, changed: Json) -> None:
        """What a reply shows of a message follows that message: its event says it once, for all replies."""
        for key, message in self.messages[conversation_id].items():
            reply = message["reply_to"]
            if reply and reply["id"] == changed["id"]:
                reply = {**reply, "text": changed["text"][:200]}
                self.messages[conversation_id][key] = {**message, "reply_to": reply}

    async def _connect(self) -> None:
        raise NotImplementedError

    async def _send(self, command: Json) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Go away, as when the network does. Repeat: harmless."""
        raise NotImplementedError


class PlainWindow(Window):
    """Over `/v1/ws`."""

    _connection: ClientConnection | None = None
    _reading: asyncio.Task[None] | None = None

    async def _connect(self) -> None:
        url = self.server.url.replace("http", "ws") + "/v1/ws"
        self._connection = await connect(url, compression=None, max_size=None, proxy=None)
        self._reading = asyncio.create_task(self._read(self._connection))
        await self.ask("hello", token=self.token)

    async def _read(self, connection: ClientConnection) -> None:
        try:
            with contextlib.suppress(ConnectionClosed):
                async for text in connection:
                    self.take(json.loads(text))
        finally:
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError("the server went away"))
                    waiting.exception()  # nobody may be waiting any more

    async def stay_open(self) -> None:
        """Open again whenever the server went away, until cancelled."""
        while True:
            with contextlib.suppress(OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                await self.open()
                assert self._reading is not None
                await asyncio.shield(self._reading)
            await asyncio.sleep(0.02)

    async def _send(self, command: Json) -> None:
        assert self._connection is not None
        await self._connection.send(json.dumps(command))

    async def close(self) -> None:
        if self._connection is not None and self._reading is not None:
            await self._connection.close()
            with contextlib.suppress(Exception):
                await self._reading


class SocketIoWindow(Window):
    """Over Socket.IO."""

    _client: SocketIoClient | None = None

    async def _connect(self) -> None:
        self._client = SocketIoClient()
        self._client.on("frame", self._on_frame)
        await self._client.connect(self.server.url, auth={"token": self.token}, transports=["websocket"])

    async def _on_frame(self, frame: Json) -> None:
        self.take(frame)

    async def _send(self, command: Json) -> None:
        assert self._client is not None
        await self._client.emit("command", command)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.disconnect()
            await self._client.wait()
