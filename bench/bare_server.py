"""The ceiling for fan-out: a bare picows server that writes one ready frame to every socket, and keeps no promise.

`python -m bench.bare_server PORT SIZE`. A text frame ``<number>`` from any socket has an event of that number and
of SIZE bytes sent to all of them.
"""

from __future__ import annotations

import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

_room: set[WSTransport] = set()


def ready_event(number: int, size: int) -> bytes:
    """Return an event's JSON of about so many bytes."""
    head = b'{"type":"event","number":%d,"filler":"' % number
    return head + b"x" * max(0, size - len(head) - 2) + b'"}'


class _Listener(WSListener):
    def __init__(self, size: int) -> None:
        self._size = size

    def on_ws_connected(self, transport: WSTransport) -> None:
        _room.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        _room.discard(transport)

    def on_ws_frame(self, _: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            event = ready_event(int(frame.get_payload_as_ascii_text()), self._size)
            for reader in _room:
                reader.send(WSMsgType.TEXT, event)


async def _serve(port: int, size: int) -> None:
    def make_listener(_: WSUpgradeRequest) -> WSListener:
        return _Listener(size)

    server = await ws_create_server(make_listener, "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
