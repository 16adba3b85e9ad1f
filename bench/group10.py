"""`send.group10.*`: durable sends to groups of ten until every screen shows them, against Node and ejabberd.

The peers store a message in the same PostgreSQL before anybody hears of it, as Parley does; all run on one core, the
database and the generator on the other. A send counts when the last of the ten screens has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import uvloop

from bench.ejabberd import ejabberd_groups
from bench.fanout import PATIENCE_SECONDS, Room, Send, keeper_send
from bench.figures import Figure, Round, make_figure
from bench.keeper import Keeper
from bench.machine import CpuWatch, cpu_seconds, pin_generator
from bench.node_server import make_node_rooms, node_server
from bench.open_loop import keep_coming, percentile
from bench.sockets import open_readers, watch_all
from bench.stage import API_KEY, Stage, open_stage

GROUPS = 192
MEMBERS = 10
IN_FLIGHT = (48, 96, 192)
"""Each side is measured with as many as it is fastest with. Never two in one group."""
SWEEP_SECONDS = 2.0
SECONDS = 4.0
ROUNDS = 5
EVENT_BYTES = 900
"""Of a message's event at Parley; Node's are filled up to it."""


class Place(NamedTuple):
    """A group whose ten screens are open, and how one writes into it."""

    room: Room
    send: Send


async def saturate(places: Sequence[Place], in_flight: int, seconds: float = SECONDS) -> float:
    """Keep so many messages under way, no two in one group; return messages a second on all their screens."""
    end = time.perf_counter() + seconds
    counts = [0] * in_flight

    async def client(number: int) -> None:
        for place in itertools.cycle(places[number::in_flight]):
            if time.perf_counter() > end:
                return
            await _until_shown(place)
            counts[number] += 1

    started = time.perf_counter()
    async with asyncio.timeout(seconds + PATIENCE_SECONDS):
        await asyncio.gather(*(client(number) for number in range(in_flight)))
    return sum(counts) / (time.perf_counter() - started)


async def sweep(places: Sequence[Place]) -> dict[int, float]:
    """Return messages a second by how many are under way; what is cold before is warm after."""
    await saturate(places, IN_FLIGHT[0], SWEEP_SECONDS)
    return {in_flight: await saturate(places, in_flight, SWEEP_SECONDS) for in_flight in IN_FLIGHT}


async def pace(places: Sequence[Place], rate: float) -> list[float]:
    """Send at Poisson-distributed moments; return seconds from each to the last of its screens."""
    choose = random.Random(10)
    waits: list[float] = []

    async def one(due: float) -> None:
        place = choose.choice(places)
        number = await place.send()
        await place.room.everywhere(number)
        waits.append(max(place.room.arrivals.pop(number)) - due)

    await keep_coming(one, rate, asyncio.create_task(asyncio.sleep(SECONDS)))
    return waits


async def _until_shown(place: Place) -> None:
    number = await place.send()
    await place.room.shown(number)
    place.room.arrivals.pop(number)


@contextlib.asynccontextmanager
async def parley_groups(stage: Stage) -> AsyncIterator[list[Place]]:
    """Open the groups at a running Parley, over `/socket.io`."""
    places: list[Place] = []
    async with Keeper("127.0.0.1", stage.port) as keeper:
        for _ in range(GROUPS):
            conversation, tokens = await stage.make_group(MEMBERS)
            room = Room()
            room.readers = await open_readers(stage.port, "socketio", tokens, room.on_event)
            await watch_all(room.readers, conversation)
            places.append(Place(room, keeper_send(keeper, conversation, API_KEY)))
        yield places
    _hang_up(places)


@contextlib.asynccontextmanager
async def node_groups(stage: Stage) -> AsyncIterator[list[Place]]:
    """Open as many at Node's Socket.IO, which stores a row before it emits."""
    names = [f"group-{number}" for number in range(GROUPS)]
    await make_node_rooms(stage, names)
    places: list[Place] = []
    async with (
        node_server(EVENT_BYTES, dsn=stage.dsn) as (port, _),
        Keeper("127.0.0.1", port) as keeper,
    ):
        await stage.pin_database()
        for name in names:
            room = Room()
            room.readers = await open_readers(port, "socketio", ["-"] * MEMBERS, room.on_event)
            await watch_all(room.readers, name)
            places.append(Place(room, keeper_send(keeper, name, "-")))
        yield places
        _hang_up(places)


def _hang_up(places: Sequence[Place]) -> None:
    for place in places:
        for reader in place.room.readers:
            reader.close()


def _faults(places: Sequence[Place]) -> tuple[int, int]:
    found = [place.room.faults() for place in places]
    return sum(one[0] for one in found), sum(one[1] for one in found)


PEERS = {
    "node_pg": (node_groups, "Node socket.io 4.8 that inserts a row first"),
    "ejabberd": (ejabberd_groups, "ejabberd 23.01, MUC with mod_mam on PostgreSQL"),
}


def _say(swept: dict[int, float]) -> str:
    return ", ".join(f"{in_flight}: {rate:.0f}/s" for in_flight, rate in swept.items())


@functools.cache
def _measured(peer: str) -> dict[str, Figure]:
    return uvloop.run(measure(peer))


async def measure(peer: str) -> dict[str, Figure]:
    """Alternate Parley and a peer, each closed loop and then open loop at half its rate."""
    open_peer, about = PEERS[peer]
    rounds: list[Round] = []
    latencies: list[Round] = []
    notes: list[tuple[float, float, float]] = []
    async with open_stage(is_on_tcp=peer == "ejabberd") as stage, stage.parley() as process_id:
        pin_generator()
        async with parley_groups(stage) as ours, open_peer(stage) as theirs:
            await sweep(ours)
            await stage.analyze()
            swept, swept_theirs = await sweep(ours), await sweep(theirs)
            many, many_theirs = (
                max(swept, key=swept.__getitem__),
                max(swept_theirs, key=swept_theirs.__getitem__),
            )
            for number in range(ROUNDS):
                watch, cpu = CpuWatch(), cpu_seconds(process_id)
                value = await saturate(ours, many)
                cpu = (cpu_seconds(process_id) - cpu) / (value * SECONDS) * 1e6
                _, generator = watch.read()
                against = await saturate(theirs, many_theirs)
                steal, _ = watch.read()
                p99 = percentile(await pace(ours, value / 2), 0.99) * 1000
                their_p99 = percentile(await pace(theirs, against / 2), 0.99) * 1000
                lost, doubled = _faults(ours)
                rounds.append(
                    Round(
                        value=value, against_value=against, steal=steal, generator_cpu=generator,
                        lost=lost, doubled=doubled,
                    )
                )  # fmt: skip
                latencies.append(
                    Round(
                        value=p99,
                        against_value=150.0,
                        steal=steal,
                        generator_cpu=generator,
                        lost=lost,
                        doubled=doubled,
                    )
                )
                notes.append((cpu, p99, their_p99))
                print(
                    f"  round {number + 1}: {value:.0f}/s ({cpu:.0f} us, p99 {p99:.0f} ms) against {against:.0f}/s "
                    f"(p99 {their_p99:.0f} ms), steal {steal:.0%}, generator {generator:.0%}",
                    file=sys.stderr,
                )
            disorder = sum(_faults(theirs))
    cpu, p99, their_p99 = (sorted(column)[len(notes) // 2] for column in zip(*notes, strict=True))
    text = (
        f"{GROUPS} groups; in flight {many} ({_say(swept)}), peer {many_theirs} ({_say(swept_theirs)}); server's CPU {cpu:.0f} us a message; p99 at half load {p99:.0f} ms, "
        f"peer {their_p99:.0f} ms; lost or doubled or out of order at the peer's screens: {disorder}"
    )
    return {
        "ratio": make_figure(
            f"send.group10.vs_{peer}", "messages/s", about, "ratio >= 1.0", rounds, notes=text
        ),
        "p99": make_figure("send.group10.p99", "ms p99", "bar", "< 150 ms", latencies, notes=text),
    }


def run(peer: str) -> Figure:
    """Measure against one peer and return the figure."""
    return _measured(peer)["ratio"]


def run_latency() -> Figure:
    """Return the p99 to the last screen at half load, of the measurement against Node."""
    return _measured("node_pg")["p99"]
