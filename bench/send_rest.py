"""`send.rest.16`, `send.rest.32`: durable sends over REST, isolation on, against the ceiling of the same rows."""

from __future__ import annotations

import itertools
import random
import sys
from uuid import UUID

import uvloop

from bench.figures import Figure, Round, make_figure
from bench.load import Request, run_closed_loop
from bench.machine import CpuWatch, pin_generator
from bench.stage import API_KEY, CONVERSATIONS, Stage, conversation_uuid, open_stage
from bench.yardstick import TEXT, Yardstick
from parley.kit.ids import public_id

ROUNDS = 7
SECONDS = 5


async def measure(in_flight: int) -> Figure:
    """Alternate Parley and pgbench on one server."""
    async with open_stage() as stage:
        yardstick = Yardstick(stage)
        rounds: list[Round] = []
        async with stage.parley():
            pin_generator()
            sweep = await yardstick.sweep()
            await run_round(stage, in_flight, 2)
            for number in range(ROUNDS):
                watch = CpuWatch()
                rate, generator, acknowledged, failed = await run_round(stage, in_flight, SECONDS)
                ceiling = await yardstick.run(SECONDS)
                steal, _ = watch.read()
                lost, doubled, disordered = await check_sends(stage, acknowledged)
                rounds.append(
                    Round(
                        value=rate,
                        against_value=ceiling,
                        steal=steal,
                        generator_cpu=generator,
                        lost=lost,
                        doubled=doubled,
                        disordered=disordered,
                        failed=failed,
                    )
                )
                print(
                    f"  round {number + 1}: {rate:.0f}/s against {ceiling:.0f}/s, steal {steal:.0%}",
                    file=sys.stderr,
                )
    best = ", ".join(f"{clients}: {rate:.0f}" for clients, rate in sweep.items())
    return make_figure(
        f"send.rest.{in_flight}",
        "messages/s",
        f"pgbench, same rows, best of a sweep ({yardstick.clients} clients)",
        "ratio >= 0.35",
        rounds,
        notes=f"{CONVERSATIONS} conversations; pgbench by clients: {best}",
    )


def make_sender(places: dict[str, str] | None = None) -> Request:
    """Return what makes sends to random conversations; notes in ``places`` where each key went."""
    counter = itertools.count()
    choose = random.Random(7)
    prefix = f"{random.getrandbits(64):016x}"

    def make_request() -> tuple[bytes, str]:
        key = f"{prefix}-{next(counter)}"
        conversation = public_id("cnv", UUID(conversation_uuid(choose.randint(1, CONVERSATIONS))))
        if places is not None:
            places[key] = conversation
        body = f'{{"client_id":"{key}","text":"{TEXT}"}}'.encode()
        head = (
            f"POST /v1/conversations/{conversation}/messages HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {API_KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body, key

    return make_request


async def run_round(stage: Stage, in_flight: int, seconds: float) -> tuple[float, float, list[str], int]:
    """Send for so long; return sends a second, the generator's CPU share, the keys acknowledged, failures."""
    watch = CpuWatch()
    rate, acknowledged, failed, _ = await run_closed_loop(
        "127.0.0.1", stage.port, make_sender(), in_flight=in_flight, seconds=seconds
    )
    if failed:
        print(failed[0].decode("utf-8", "replace")[:500], file=sys.stderr)
    return rate, watch.read()[1], acknowledged, len(failed)


async def check_sends(stage: Stage, acknowledged: list[str]) -> tuple[int, int, int]:
    """Count acknowledged messages that are missing or stored twice, and conversations whose numbers have holes."""
    connection = await stage.connect()
    try:
        prefix = acknowledged[0].split("-")[0] if acknowledged else "none"
        rows = await connection.fetch("SELECT client_id FROM message WHERE client_id LIKE $1 || '-%'", prefix)
        stored = [row["client_id"] for row in rows]
        holes = await connection.fetchval(
            """SELECT count(*) FROM (
                SELECT c.id FROM conversation c JOIN message m ON m.conversation_id = c.id GROUP BY c.id, c.last_number
                HAVING count(m.number) <> c.last_number OR max(m.number) <> c.last_number) bad"""
        )
    finally:
        await connection.close()
    return len(set(acknowledged) - set(stored)), len(stored) - len(set(stored)), holes


def run(in_flight: int) -> Figure:
    """Measure and return the figure."""
    return uvloop.run(measure(in_flight))
