"""`python -m bench [name ...]`: run all figures or those named, print them, write `bench/results/`."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import partial

from bench import (
    fanout,
    fanout_redis,
    group,
    group10,
    history,
    idle,
    intake,
    latency,
    search,
    send_rest,
    slow_reader,
    start,
    storm,
    sync,
)
from bench.figures import Figure, describe_machine, render_table, write_results

FIGURES: dict[str, Callable[[], Figure]] = {
    "send.rest.16": partial(send_rest.run, 16),
    "send.rest.32": partial(send_rest.run, 32),
    "send.latency.api": partial(latency.run, "send.latency.api"),
    "send.latency.screen": partial(latency.run, "send.latency.screen"),
    "intake.telegram.accepted": partial(intake.run, "accepted"),
    "intake.telegram.processed": partial(intake.run, "processed"),
    "history.1m": history.run,
    "search.1m": search.run,
    "start.cold": partial(start.run, "start.cold"),
    "memory.idle": partial(start.run, "memory.idle"),
    "fanout.socketio.500": partial(fanout.run, "socketio"),
    "fanout.ws.500": partial(fanout.run, "ws"),
    "fanout.socketio.500.vs_node": fanout.run_against_node,
    "fanout.redis.2x250.vs_node": fanout_redis.run,
    "fanout.slow_reader": slow_reader.run,
    "send.group10.vs_node_pg": partial(group10.run, "node_pg"),
    "send.group10.p99": group10.run_latency,
    "send.group10.vs_ejabberd": partial(group10.run, "ejabberd"),
    "storm.2000": partial(storm.run, "storm.2000"),
    "storm.2000.live_p99": partial(storm.run, "storm.2000.live_p99"),
    "sync.5000": partial(sync.run, "sync.5000"),
    "sync.5000.bytes": partial(sync.run, "sync.5000.bytes"),
    "group.10000": partial(group.run, "group.10000"),
    "group.10000.rows": partial(group.run, "group.10000.rows"),
    "idle.5000": partial(idle.run, "idle.5000"),
    "idle.5000.cpu": partial(idle.run, "idle.5000.cpu"),
}


def main(names: list[str]) -> int:
    """Return 0 when every figure is valid and nothing was lost, doubled or disordered."""
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(FIGURES)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    failed: list[str] = []
    for name in names or FIGURES:
        print(f"{name} ...", file=sys.stderr)
        try:
            figures.append(FIGURES[name]())
        except Exception:  # noqa: BLE001 - one instrument that breaks does not take the others' figures with it
            traceback.print_exc()
            failed.append(name)
            continue
        write_results(figures)
    table = [
        {**{key: getattr(item, key) for key in item.__struct_fields__}, "commit": "this run"}
        for item in figures
    ]
    print(render_table(table, describe_machine()))
    broken = [item.name for item in figures if item.lost or item.doubled or item.disordered]
    if broken:
        print(f"messages were lost, doubled or disordered: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken or failed or not all(item.valid for item in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
