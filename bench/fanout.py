"""`fanout.*.500`: durable sends into one room of 500 sockets, against a bare picows server or Node's Socket.IO."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal, NamedTuple

import uvloop

from bench.figures import Figure, Round, make_figure
from bench.keeper import Keeper
from bench.machine import SERVER_CORE, CpuWatch, cpu_seconds, pin, pin_generator, resident_bytes
from bench.node_server import node_server
from bench.open_loop import keep_coming, percentile
from bench.sockets import Reader, Transport, open_readers, watch_all
from bench.stage import API_KEY, Stage, free_port, open_stage
from bench.yardstick import TEXT

SOCKETS = 500
IN_FLIGHT = 64
"""Enough that neither side waits for the other: with 16, all in one commit, server and generator took turns."""
SECONDS = 4.0
PATIENCE_SECONDS = 30
ROUNDS = 5

Send = Callable[[], Awaitable[int]]
"""Has one message fanned out; returns its number once the sender knows that it was taken."""


class Room:
    """Sockets of one room: how many have which number, and when they got it."""

    def __init__(self) -> None:
        self.readers: list[Reader] = []
        self.deliveries = 0
        self.arrivals: dict[int, list[float]] = {}
        self._full: dict[int, asyncio.Future[None]] = {}

    def on_event(self, number: int, at: float) -> None:
        """Note a delivery."""
        self.deliveries += 1
        arrivals = self.arrivals.get(number)
        if arrivals is None:
            arrivals = self.arrivals[number] = []
        arrivals.append(at)
        if len(arrivals) == len(self.readers):
            self._future(number).set_result(None)

    def _future(self, number: int) -> asyncio.Future[None]:
        if number not in self._full:
            self._full[number] = asyncio.get_running_loop().create_future()
        return self._full[number]

    async def everywhere(self, number: int) -> None:
        """Return when every socket has the message. Raises: TimeoutError."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.shown(number)

    async def shown(self, number: int) -> None:
        """As `everywhere`, without a bound: a closed loop bounds all its messages together, which costs less."""
        await self._future(number)
        self._full.pop(number, None)

    def faults(self) -> tuple[int, int, int]:
        """Return (lost, doubled, closed) over all sockets since the start."""
        return (
            sum(reader.skipped for reader in self.readers),
            sum(reader.repeated for reader in self.readers),
            sum(reader.is_closed for reader in self.readers),
        )


async def saturate(room: Room, send: Send, *process_ids: int) -> tuple[float, float]:
    """Keep `IN_FLIGHT` messages under way; return (deliveries a second, the servers' CPU us a delivery)."""
    end = time.perf_counter() + SECONDS

    async def client() -> None:
        while time.perf_counter() < end:
            await room.shown(await send())

    before, cpu, started = room.deliveries, sum(map(cpu_seconds, process_ids)), time.perf_counter()
    async with asyncio.timeout(SECONDS + PATIENCE_SECONDS):
        await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
    elapsed, count = time.perf_counter() - started, room.deliveries - before
    room.arrivals.clear()
    return count / elapsed, (sum(map(cpu_seconds, process_ids)) - cpu) / count * 1e6


class Paced(NamedTuple):
    """Ways of messages that came at ``rate`` a second: milliseconds, and the generator's share of its core."""

    p50: float
    p99: float
    rate: float
    generator: float

    def __str__(self) -> str:
        return f"{self.rate:.0f} messages/s p50 {self.p50:.1f}, p99 {self.p99:.1f} ms, generator {self.generator:.0%}"


async def pace(room: Room, send: Send, deliveries: float) -> Paced:
    """Send at Poisson-distributed moments, half as much as makes so many deliveries a second; time to each socket."""
    waits: list[float] = []
    rate = deliveries / len(room.readers) / 2

    async def one(due: float) -> None:
        number = await send()
        await room.everywhere(number)
        waits.extend(at - due for at in room.arrivals.pop(number))

    watch = CpuWatch()
    await keep_coming(one, rate, asyncio.create_task(asyncio.sleep(SECONDS)))
    _, generator = watch.read()
    return Paced(percentile(waits, 0.5) * 1000, percentile(waits, 0.99) * 1000, rate, generator)


def middle(found: Sequence[Paced]) -> Paced:
    """Return the median of each column."""
    return Paced(*(statistics.median(column) for column in zip(*found, strict=True)))


def keeper_send(keeper: Keeper, conversation: str, token: str, text: str = TEXT) -> Send:
    """Return what posts the next message into a conversation, at Parley or at a peer with the same route."""
    keys = itertools.count()

    async def send() -> int:
        body = {"client_id": f"{conversation}-{next(keys)}", "text": text}
        answer = await keeper.post(f"/v1/conversations/{conversation}/messages", body, token)
        position: int = answer["position"]
        return position

    return send


@contextlib.asynccontextmanager
async def parley_room(
    stage: Stage, process_id: int, kind: Transport, members: int, online: int
) -> AsyncIterator[tuple[Room, Send, float]]:
    """Open a group's sockets at Parley; gives the room, how to send, and the kB of memory a socket takes."""
    conversation, tokens = await stage.make_group(members)
    room = Room()
    before = resident_bytes(process_id)
    room.readers = await open_readers(stage.port, kind, tokens[:online], room.on_event)
    await watch_all(room.readers, conversation)
    size = (resident_bytes(process_id) - before) / online / 1000
    async with Keeper("127.0.0.1", stage.port) as keeper:
        yield room, keeper_send(keeper, conversation, API_KEY), size
    for reader in room.readers:
        reader.close()


@contextlib.asynccontextmanager
async def bare_room(size: int) -> AsyncIterator[tuple[Room, Send, int]]:
    """Run the bare server on the server's core with as many sockets."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare_server", str(port), str(size), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        pin(process.pid, SERVER_CORE)
        room = Room()
        room.readers = await open_readers(port, "bare", ["-"] * SOCKETS, room.on_event)
        numbers = itertools.count(1)

        async def send() -> int:
            number = next(numbers)
            room.readers[0].write(str(number))
            return number

        yield room, send, process.pid
        for reader in room.readers:
            reader.close()
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def node_room(size: int) -> AsyncIterator[tuple[Room, Send, int]]:
    """Run Node's Socket.IO on the server's core with as many sockets; what it sends is stored nowhere."""
    async with node_server(size) as (port, process_id), Keeper("127.0.0.1", port) as keeper:
        room = Room()
        room.readers = await open_readers(port, "socketio", ["-"] * SOCKETS, room.on_event)
        await watch_all(room.readers, "room")
        yield room, keeper_send(keeper, "room", "-"), process_id
        for reader in room.readers:
            reader.close()


PEERS = {
    "bare": (bare_room, "bare picows server, one ready frame"),
    "node": (node_room, "Node socket.io 4.8, nothing stored"),
}


async def measure(
    name: str, kind: Literal["ws", "socketio"], peer: Literal["bare", "node"], bar: str
) -> Figure:
    """Alternate Parley and the peer."""
    open_peer, about = PEERS[peer]
    rounds: list[Round] = []
    costs: list[tuple[float, float]] = []
    ours: list[Paced] = []
    theirs: list[Paced] = []
    async with open_stage() as stage, stage.parley() as process_id:
        pin_generator()
        async with parley_room(stage, process_id, kind, SOCKETS, SOCKETS) as (room, send, memory):
            await saturate(room, send, process_id)
            event_bytes = await _event_bytes(stage)
            async with open_peer(event_bytes) as (bare, send_bare, bare_id):
                await saturate(bare, send_bare, bare_id)
                for number in range(ROUNDS):
                    watch = CpuWatch()
                    value, cpu = await saturate(room, send, process_id)
                    _, generator = watch.read()
                    bare_watch = CpuWatch()
                    against, bare_cpu = await saturate(bare, send_bare, bare_id)
                    steal, _ = watch.read()
                    _, bare_generator = bare_watch.read()
                    costs.append((cpu, bare_cpu))
                    ours.append(await pace(room, send, value))
                    theirs.append(await pace(bare, send_bare, against))
                    lost, doubled, closed = room.faults()
                    rounds.append(
                        Round(
                            value=value,
                            against_value=against,
                            steal=steal,
                            generator_cpu=generator,
                            lost=lost,
                            doubled=doubled,
                            failed=closed,
                        )
                    )
                    print(
                        f"  round {number + 1}: {value:.0f}/s ({cpu:.1f} us) against {against:.0f}/s ({bare_cpu:.1f} us), "
                        f"steal {steal:.0%}, generator {generator:.0%} / {bare_generator:.0%} {room.faults()} {bare.faults()}; "
                        f"{ours[-1]} ({theirs[-1]})",
                        file=sys.stderr,
                    )
                disorder = sum(bare.faults())
    cpu, bare_cpu = (statistics.median(column) for column in zip(*costs, strict=True))
    return make_figure(
        name,
        "deliveries/s",
        about,
        bar,
        rounds,
        notes=f"{IN_FLIGHT} messages in flight, {event_bytes} bytes an event. CPU of the server {cpu:.1f} us a delivery "
        f"({peer} {bare_cpu:.1f}), memory {memory:.0f} kB a socket. Open loop at half of each one's rate: "
        f"{middle(ours)} ({peer}: {middle(theirs)}); lost, doubled or hung up at the peer's sockets: {disorder}.",
    )


async def _event_bytes(stage: Stage) -> int:
    connection = await stage.connect()
    try:
        size: int = await connection.fetchval(
            "SELECT length(data::text) + 200 FROM event WHERE kind = 'message.created' LIMIT 1"
        )
    finally:
        await connection.close()
    return size


def run(kind: Literal["ws", "socketio"]) -> Figure:
    """Measure against the bare server and return the figure."""
    return uvloop.run(measure(f"fanout.{kind}.500", kind, "bare", "ratio >= 0.5"))


def run_against_node() -> Figure:
    """Measure Socket.IO against Node's and return the figure."""
    return uvloop.run(measure("fanout.socketio.500.vs_node", "socketio", "node", "ratio >= 1.2"))
