"""`sync.5000`: a client that missed 5 000 events in 50 conversations is where everybody else is again."""

from __future__ import annotations

import secrets
import statistics
import sys
import time
from typing import Any
from uuid import UUID

import uvloop

from bench.figures import Figure, Round, make_figure
from bench.keeper import Keeper
from bench.machine import CpuWatch, pin_generator
from bench.stage import API_KEY, conversation_uuid, open_stage
from bench.yardstick import TEXT
from parley.kit.ids import public_id

CONVERSATIONS = 50
EVENTS = 5000
ROUNDS = 5
SECONDS_BAR = 2.0
BYTES_BAR = 1.0


async def measure() -> dict[str, Figure]:
    """Send for each round anew, then ask for everything at once, gzipped."""
    times: list[Round] = []
    sizes: list[Round] = []
    async with open_stage() as stage, stage.parley(), Keeper("127.0.0.1", stage.port) as keeper:
        pin_generator()
        places = [public_id("cnv", UUID(conversation_uuid(n))) for n in range(1, CONVERSATIONS + 1)]
        cursors = {place: {"number": 0, "tag": 0} for place in places}
        await _ask(keeper, cursors)
        for number in range(ROUNDS):
            sent = await _send(keeper, places, number)
            watch, began = CpuWatch(), time.perf_counter()
            streams = await _ask(keeper, cursors)
            elapsed = time.perf_counter() - began
            steal, generator = watch.read()
            size = keeper.wire_bytes / 1e6
            got = [event["data"]["message"]["client_id"] for stream in streams for event in stream["events"]]
            disordered = sum(
                [event["number"] for event in stream["events"]]
                != list(range(cursors[stream["stream"]]["number"] + 1, stream["head"]["number"] + 1))
                for stream in streams
            )
            cursors = {stream["stream"]: stream["head"] for stream in streams}
            for rounds, value, bar in ((times, elapsed, SECONDS_BAR), (sizes, size, BYTES_BAR)):
                rounds.append(
                    Round(
                        value=value,
                        against_value=bar,
                        steal=steal,
                        generator_cpu=generator,
                        lost=len(sent - set(got)),
                        doubled=len(got) - len(set(got)),
                        disordered=disordered,
                    )
                )
            print(f"  round {number + 1}: {elapsed:.3f} s, {size:.3f} MB, steal {steal:.0%}", file=sys.stderr)
    size, elapsed = (statistics.median(item.value for item in rounds) for rounds in (sizes, times))
    notes = f"POST /v1/sync of {CONVERSATIONS} cursors; JSON decoded within the time. {elapsed:.3f} s, {size:.3f} MB."
    return {
        "sync.5000": make_figure("sync.5000", "s", "the bar", "< 2 s", times, notes),
        "sync.5000.bytes": make_figure("sync.5000.bytes", "MB, gzipped", "the bar", "< 1 MB", sizes, notes),
    }


async def _ask(keeper: Keeper, cursors: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    answer = await keeper.post("/v1/sync", {"conversations": cursors}, API_KEY, Accept_Encoding="gzip")
    streams: list[dict[str, Any]] = answer["streams"]
    assert all(stream["state"] == "complete" for stream in streams)
    return streams


async def _send(keeper: Keeper, places: list[str], number: int) -> set[str]:
    """Post messages whose texts differ, so that packing them is no child's play; returns their client ids."""
    keys = set()
    for n in range(EVENTS):
        key = f"{number}-{n}"
        body = {"client_id": key, "text": f"{secrets.token_hex(8)} {TEXT} {secrets.token_urlsafe(24)}"}
        await keeper.post(f"/v1/conversations/{places[n % len(places)]}/messages", body, API_KEY)
        keys.add(key)
    return keys


def run(name: str) -> Figure:
    """Measure and return one of the figures; both come of one run."""
    if not _figures:
        _figures.update(uvloop.run(measure()))
    return _figures[name]


_figures: dict[str, Figure] = {}
