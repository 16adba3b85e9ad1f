"""`storm.2000`: two thousand sockets come back in the same moment; `storm.2000.live_p99`: what others feel of it.

The crowd hangs up, misses some messages, and comes back all at once, without the pauses that well-made clients take.
Meanwhile a room of live sockets is written to as in a calm minute.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time

import uvloop

from bench.crowd import Order, open_crowd
from bench.fanout import Room, Send, parley_room
from bench.figures import Figure, Round, make_figure
from bench.keeper import Keeper
from bench.machine import CpuWatch, go_first, pin_generator
from bench.open_loop import keep_coming, percentile
from bench.stage import API_KEY, Stage, open_stage
from bench.yardstick import TEXT

GROUPS = 40
MEMBERS = 50
MISSED = 5
"""Messages in each group while the crowd is away."""
LIVE = 20
LIVE_RATE = 50
"""Live sockets, and messages a second they get."""
CALM_SECONDS = 6.0
ROUNDS = 5
BAR_SECONDS = 20.0


async def measure() -> dict[str, Figure]:
    """Alternate a calm time and a storm."""
    seconds: list[Round] = []
    ratios: list[Round] = []
    async with open_stage() as stage, stage.parley() as process_id:
        pin_generator()
        groups = dict([await stage.make_group(MEMBERS) for _ in range(GROUPS)])
        order = Order(port=stage.port, kind="ws", tokens=groups)
        async with (
            open_crowd(order) as crowd,
            parley_room(stage, process_id, "ws", LIVE, LIVE) as (room, send, _),
        ):
            go_first()
            await asyncio.gather(*(send() for _ in range(LIVE)))
            await _live(room, send, asyncio.create_task(asyncio.sleep(2.0)))
            for number in range(ROUNDS):
                watch = CpuWatch(crowd.process_id)
                calm = await _live(room, send, asyncio.create_task(asyncio.sleep(CALM_SECONDS)))
                await crowd.leave()
                await _write_to(stage, list(groups))
                coming = asyncio.create_task(crowd.resume())
                stormy = await _live(room, send, coming)
                resumed = coming.result()
                steal, generator = watch.read()
                lost, doubled, closed = room.faults()
                missing = GROUPS * MEMBERS * MISSED - resumed.events
                p99s = percentile(calm, 0.99) * 1000, percentile(stormy, 0.99) * 1000
                for rounds, value, against in (
                    (seconds, resumed.seconds, BAR_SECONDS),
                    (ratios, p99s[1], p99s[0]),
                ):
                    rounds.append(
                        Round(
                            value=value, against_value=against, steal=steal, generator_cpu=generator,
                            lost=lost + resumed.lost + max(0, missing), doubled=doubled + resumed.doubled,
                            failed=closed + len(resumed.failed),
                        )
                    )  # fmt: skip
                print(
                    f"  round {number + 1}: resumed in {resumed.seconds:.1f} s, live p99 {p99s[0]:.1f} -> {p99s[1]:.1f} ms "
                    f"({len(calm)}, {len(stormy)}), missing {missing}, {room.faults()} {resumed.failed[:3]}",
                    file=sys.stderr,
                )
    text = f"{GROUPS * MEMBERS} sockets of {GROUPS} groups, {MISSED} messages missed in each; {LIVE} live sockets at {LIVE_RATE} messages/s"
    return {
        "storm.2000": make_figure("storm.2000", "s", "bar", f"< {BAR_SECONDS:.0f} s", seconds, notes=text),
        "storm.2000.live_p99": make_figure(
            "storm.2000.live_p99", "ms p99", "ms p99 in calm", "ratio <= 2", ratios, notes=text
        ),
    }


async def _live(room: Room, send: Send, until: asyncio.Task[object]) -> list[float]:
    """Write to the live room at Poisson-distributed moments until a task has ended; return seconds to each socket."""
    waits: list[float] = []

    async def one(due: float) -> None:
        number = await send()
        await room.everywhere(number)
        waits.extend(at - due for at in room.arrivals.pop(number))

    await keep_coming(one, LIVE_RATE, until)
    return waits


async def _write_to(stage: Stage, conversations: list[str]) -> None:
    async with Keeper("127.0.0.1", stage.port) as keeper:
        for conversation in conversations:
            for number in range(MISSED):
                body = {"client_id": f"{time.time_ns()}-{number}", "text": TEXT}
                await keeper.post(f"/v1/conversations/{conversation}/messages", body, API_KEY)


@functools.cache
def _measured() -> dict[str, Figure]:
    return uvloop.run(measure())


def run(name: str) -> Figure:
    """Return one of the two figures; both come of one measurement."""
    return _measured()[name]
