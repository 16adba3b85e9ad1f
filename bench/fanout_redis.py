"""`fanout.redis.2x250.vs_node`: one room over two gateways and Redis, against two Node processes with its Redis adapter."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import statistics
import sys
from collections.abc import AsyncIterator

import uvloop

from bench.fanout import Paced, Room, Send, keeper_send, middle, pace, saturate
from bench.figures import Figure, Round, make_figure
from bench.keeper import Keeper
from bench.machine import OTHER_CORE, CpuWatch, pin, pin_generator
from bench.node_server import node_server
from bench.sockets import open_readers, watch_all
from bench.stage import API_KEY, Stage, free_port, open_stage

SOCKETS = 250
"""At each of the two processes."""
EVENT_BYTES = 900
ROUNDS = 5


@contextlib.asynccontextmanager
async def redis_server() -> AsyncIterator[str]:
    """Run Redis without a disk on the database's core; gives its address."""
    program, port = shutil.which("redis-server"), free_port()
    if program is None:
        raise RuntimeError("redis-server is not installed")
    process = await asyncio.create_subprocess_exec(
        *(program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        pin(process.pid, OTHER_CORE)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def parley_room(stage: Stage, redis_url: str) -> AsyncIterator[tuple[Room, Send, list[int]]]:
    """`parley api`, which takes the sends, and two gateways with half of the sockets each."""
    ports = [free_port(), free_port()]
    async with contextlib.AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(stage.parley("api", REDIS_URL=redis_url))]
        for port in ports:
            gateway = stage.parley("gateway", port, REDIS_URL=redis_url)
            processes.append(await stack.enter_async_context(gateway))
        conversation, tokens = await stage.make_group(2 * SOCKETS)
        room = Room()
        for number, port in enumerate(ports):
            mine = tokens[number * SOCKETS : (number + 1) * SOCKETS]
            room.readers += await open_readers(port, "socketio", mine, room.on_event)
        await watch_all(room.readers, conversation)
        keeper = await stack.enter_async_context(Keeper("127.0.0.1", stage.port))
        yield room, keeper_send(keeper, conversation, API_KEY), processes
        for reader in room.readers:
            reader.close()


@contextlib.asynccontextmanager
async def node_room(redis_url: str) -> AsyncIterator[tuple[Room, Send, list[int]]]:
    """Two Node processes, one of which also takes the sends; nothing is stored."""
    async with (
        node_server(EVENT_BYTES, redis_url=redis_url) as first,
        node_server(EVENT_BYTES, redis_url=redis_url) as second,
        Keeper("127.0.0.1", first[0]) as keeper,
    ):
        room = Room()
        for port, _ in (first, second):
            room.readers += await open_readers(port, "socketio", ["-"] * SOCKETS, room.on_event)
        await watch_all(room.readers, "room")
        yield room, keeper_send(keeper, "room", "-"), [first[1], second[1]]
        for reader in room.readers:
            reader.close()


async def measure() -> Figure:
    """Alternate the two."""
    rounds: list[Round] = []
    costs: list[tuple[float, float]] = []
    our_paces: list[Paced] = []
    their_paces: list[Paced] = []
    async with open_stage() as stage, redis_server() as redis_url:
        pin_generator()
        async with (
            parley_room(stage, redis_url) as (room, send, ours),
            node_room(redis_url) as (node, send_node, theirs),
        ):
            await saturate(room, send, *ours)
            await saturate(node, send_node, *theirs)
            for number in range(ROUNDS):
                watch = CpuWatch()
                value, cpu = await saturate(room, send, *ours)
                _, generator = watch.read()
                against, node_cpu = await saturate(node, send_node, *theirs)
                steal, _ = watch.read()
                costs.append((cpu, node_cpu))
                our_paces.append(await pace(room, send, value))
                their_paces.append(await pace(node, send_node, against))
                lost, doubled, closed = room.faults()
                rounds.append(
                    Round(
                        value=value, against_value=against, steal=steal, generator_cpu=generator,
                        lost=lost, doubled=doubled, failed=closed,
                    )
                )  # fmt: skip
                print(
                    f"  round {number + 1}: {value:.0f}/s ({cpu:.1f} us) against {against:.0f}/s ({node_cpu:.1f} us), "
                    f"steal {steal:.0%}, generator {generator:.0%} {room.faults()} {node.faults()}; "
                    f"{our_paces[-1]} ({their_paces[-1]})",
                    file=sys.stderr,
                )
            disorder = sum(node.faults())
    cpu, node_cpu = (statistics.median(column) for column in zip(*costs, strict=True))
    return make_figure(
        "fanout.redis.2x250.vs_node",
        "deliveries/s",
        "Node socket.io 4.8 with @socket.io/redis-adapter, nothing stored",
        "ratio >= 1.2",
        rounds,
        notes=f"`parley api` and two gateways on one core, as the two Node processes; CPU {cpu:.1f} us a delivery (Node "
        f"{node_cpu:.1f}). Open loop at half of each one's rate: {middle(our_paces)} (Node: {middle(their_paces)}); lost, "
        f"doubled or hung up at the peer's sockets: {disorder}.",
    )


def run() -> Figure:
    """Measure and return the figure."""
    return uvloop.run(measure())
