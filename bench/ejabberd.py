"""ejabberd as a peer: Debian's package, groups as MUC rooms, `mod_mam` storing every message in PostgreSQL first.

Clients speak XMPP over TCP (RFC 6120, XEP-0045), signed in anonymously (RFC 4505), so that no password is hashed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from bench.fanout import Room
from bench.machine import SERVER_CORE, pin
from bench.sockets import OnEvent
from bench.stage import Stage, free_port
from bench.yardstick import TEXT

if TYPE_CHECKING:
    from bench.group10 import Place

HOST = "localhost"
_CONFIG = """
hosts: [{host}]
loglevel: warning
auth_method: anonymous
anonymous_protocol: sasl_anon
allow_multiple_connections: true
default_db: sql
sql_type: pgsql
sql_server: 127.0.0.1
sql_port: {sql_port}
sql_password: "{password}"
sql_database: ejabberd
sql_username: {user}
sql_pool_size: 16
sql_prepared_statements: true
listen:
  - port: {port}
    ip: 127.0.0.1
    module: ejabberd_c2s
    max_stanza_size: 262144
modules:
  mod_mam:
    default: always
    db_type: sql
  mod_muc:
    db_type: mnesia
    access: all
    access_create: all
    max_users: 100
    min_message_interval: 0
    min_presence_interval: 0
    history_size: 0
    default_room_options:
      mam: true
      anonymous: true
"""
# Of `lite.sql` in the package, in PostgreSQL's words.
_TABLES = """
CREATE TABLE archive (username text NOT NULL, timestamp bigint NOT NULL, peer text NOT NULL, bare_peer text NOT NULL,
    xml text NOT NULL, txt text, id bigserial, kind text, nick text, created_at timestamp NOT NULL DEFAULT now());
CREATE INDEX i_username_timestamp ON archive (username, timestamp);
CREATE INDEX i_username_peer ON archive (username, peer);
CREATE INDEX i_username_bare_peer ON archive (username, bare_peer);
CREATE INDEX i_timestamp ON archive (timestamp);
CREATE TABLE archive_prefs (username text NOT NULL PRIMARY KEY, def text NOT NULL, always text NOT NULL,
    never text NOT NULL, created_at timestamp NOT NULL DEFAULT now());
"""


class Occupant(asyncio.Protocol):
    """One person in one room. Notes the numbers at the start of what is said there."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._buffer = b""
        self._steps: asyncio.Queue[bytes] = asyncio.Queue()
        self._is_in = False
        self.is_closed = False
        self.last = 0
        self.skipped = 0
        self.repeated = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # of TCP, it is one

    def connection_lost(self, _: Exception | None) -> None:
        """The other side has gone."""
        self.is_closed = True

    def data_received(self, data: bytes) -> None:
        """Find what was said: ``<body>NUMBER text</body>``."""
        if not self._is_in:
            self._steps.put_nowait(data)
            return
        data = self._buffer + data
        now, at = time.perf_counter(), 0
        while (found := data.find(b"<body>", at)) >= 0:
            end = data.find(b"</body>", found)
            if end < 0:
                break
            number = int(data[found + 6 : data.find(b" ", found + 6)])
            self.skipped += max(0, number - self.last - 1)
            self.repeated += number <= self.last
            self.last = max(self.last, number)
            self._on_event(number, now)
            at = end
        # a stanza that has come in part; presences, which nobody counts, are dropped
        self._buffer = data[max(at, data.rfind(b"<message")) :] if data.find(b"<message", at) >= 0 else b""

    async def join(self, room: str, nick: str) -> None:
        """Sign in and enter a room. Raises: TimeoutError."""
        stream = f"<stream:stream to='{HOST}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
        await self._step(stream, b"</stream:features>")
        await self._step(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>", b"<success"
        )
        await self._step(stream, b"</stream:features>")
        await self._step(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", b"</iq>"
        )
        await self._step(
            f"<presence to='{room}@conference.{HOST}/{nick}'><x xmlns='http://jabber.org/protocol/muc'>"
            "<history maxstanzas='0'/></x></presence>",
            b"<subject",
        )
        self._is_in = True

    async def _step(self, xml: str, until: bytes) -> None:
        self._transport.write(xml.encode())
        said = b""
        while until not in said:
            said += await asyncio.wait_for(self._steps.get(), 30)

    def say(self, room: str, number: int, text: str) -> None:
        """Say something in the room."""
        self._transport.write(
            f"<message type='groupchat' id='m{number}' to='{room}@conference.{HOST}'>"
            f"<body>{number} {text}</body></message>".encode()
        )

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


@contextlib.asynccontextmanager
async def ejabberd_groups(stage: Stage) -> AsyncIterator[list[Place]]:
    """Run ejabberd, on a stage that listens on TCP, and open the groups there; the first member of each is the one who writes."""
    from bench.group10 import GROUPS, MEMBERS, Place  # it names us among its peers

    async with _server(stage) as port:
        places: list[Place] = []
        for group in range(GROUPS):
            room = Room()
            people = [await _enter(port, room, f"group{group}", f"n{nick}") for nick in range(MEMBERS)]
            room.readers = people  # type: ignore[assignment]  # of the same shape
            places.append(Place(room, _sayer(people[0], f"group{group}")))
        yield places
        for place in places:
            for reader in place.room.readers:
                reader.close()


async def _enter(port: int, room: Room, name: str, nick: str) -> Occupant:
    loop = asyncio.get_running_loop()
    _, occupant = await loop.create_connection(lambda: Occupant(room.on_event), "127.0.0.1", port)
    await occupant.join(name, nick)
    return occupant


def _sayer(occupant: Occupant, room: str) -> Callable[[], Awaitable[int]]:
    numbers = itertools.count(1)

    async def send() -> int:
        number = next(numbers)
        occupant.say(room, number, TEXT)
        return number

    return send


@contextlib.asynccontextmanager
async def _server(stage: Stage) -> AsyncIterator[int]:
    if not shutil.which("ejabberdctl") or not shutil.which("erl"):
        raise RuntimeError("ejabberd and erlang-p1-pgsql are not installed")
    folder, port = stage.folder / "ejabberd", free_port()
    folder.mkdir()
    dsn = urlsplit(stage.dsn)
    where = dict(parse_qsl(dsn.query))
    connection = await stage.connect()
    try:
        await connection.execute("CREATE DATABASE ejabberd")
    finally:
        await connection.close()
    await stage.execute_in("ejabberd", _TABLES)
    (folder / "ejabberd.yml").write_text(
        _CONFIG.format(
            host=HOST,
            port=port,
            sql_port=where["port"],
            user=dsn.username,
            password=unquote(dsn.password or ""),
        )
    )
    with (folder / "out.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            # one scheduler for one core; without a node name, so that no daemon of names is started
            *(
                "erl",
                "+S",
                "1:1",
                "+K",
                "true",
                "-noinput",
                "-mnesia",
                "dir",
                f'"{folder}"',
                "-s",
                "ejabberd",
            ),
            cwd=folder,
            env={
                **os.environ,
                "ERL_LIBS": str(next(Path("/usr/lib").glob("*/ejabberd-*/..")).resolve()),
                "EJABBERD_CONFIG_PATH": str(folder / "ejabberd.yml"),
                "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
                "HOME": str(folder),
            },
            stdout=log,
            stderr=log,
        )
    try:
        await _until_open(process, port, folder)
        pin(process.pid, SERVER_CORE)
        await stage.pin_database()
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _until_open(process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
    for _ in range(300):
        if process.returncode is not None:
            break
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"ejabberd did not come up: {(folder / 'out.log').read_text()[-2000:]}")
