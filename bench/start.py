"""`start.cold`, `memory.idle`: `parley serve` with its own PostgreSQL, on a data directory that exists.

Cold is the program, not the disk: the files are in the page cache, as after a restart of the service. Memory is PSS
(`/proc/<pid>/smaps_rollup`), in which a page shared by several processes counts once.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import uvloop

from bench.figures import Figure, Round, make_figure
from bench.machine import OTHER_CORE, SERVER_CORE, CpuWatch, pin, pin_generator
from parley.infra.postgres.cluster import Cluster

ROUNDS = 5
SETTLE_SECONDS = 8
"""After which the memory of an idle server is read: pools are open, workers have polled."""
BARS = {"start.cold": 5.0, "memory.idle": 300.0}
"""Seconds; megabytes (10^6)."""


async def measure() -> dict[str, Figure]:
    """Start and stop one installation again and again; the third time by kill -9 of server and database."""
    rounds: dict[str, list[Round]] = {name: [] for name in BARS}
    memory: list[tuple[float, float, float, float]] = []
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as name:
        folder = Path(name)
        pin_generator()
        async with _serve(folder) as (_, first):
            print(f"  first start, with initdb: {first:.2f} s", file=sys.stderr)
        async with _serve(folder, is_killed=True):
            pass
        async with _serve(folder) as (_, recovered):
            pass
        for number in range(ROUNDS):
            watch = CpuWatch()
            async with _serve(folder) as (process_id, seconds):
                start_steal, generator = watch.read()
                await asyncio.sleep(SETTLE_SECONDS)
                steal, _ = watch.read()
                database = _database_tree(folder)
                server = [item for item in _tree(process_id) if item not in database]
                memory.append((*_read_memory(server), *_read_memory(database)))
            total = memory[-1][0] + memory[-1][2]
            values = {"start.cold": (seconds, start_steal), "memory.idle": (total, steal)}
            for figure, (value, stolen) in values.items():
                rounds[figure].append(
                    Round(value=value, against_value=BARS[figure], steal=stolen, generator_cpu=generator)
                )
            print(f"  round {number + 1}: {seconds:.2f} s; {_describe(memory[-1:])}", file=sys.stderr)
    said = {
        "start.cold": f"first start with initdb {first:.2f} s; after kill -9 of all {recovered:.2f} s",
        "memory.idle": f"{_describe(memory)}. RSS, summed over processes, counts the same page of shared_buffers or of a "
        "library once for every process that has touched it; PSS counts it once in all",
    }
    units = {"start.cold": "s", "memory.idle": "MB PSS"}
    return {
        name: make_figure(
            name, units[name], "bar", f"< {bar:.0f} {units[name].split()[0]}", rounds[name], said[name]
        )
        for name, bar in BARS.items()
    }


@contextlib.asynccontextmanager
async def _serve(folder: Path, *, is_killed: bool = False) -> AsyncIterator[tuple[int, float]]:
    """Run `parley serve` until the block is left; gives its process id and the seconds until it was ready."""
    port = _free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "PARLEY_DATA_DIR": str(folder / "data"),
        "PARLEY_PORT": str(port),
        "PARLEY_LOG_LEVEL": "warning",
    }
    with (folder / "parley.log").open("wb") as log:
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "parley", "serve", env=environment, stdout=log, stderr=log
        )
        pin(process.pid, SERVER_CORE)
        try:
            await _until_ready(process, port, folder)
            yield process.pid, time.perf_counter() - started
        finally:
            if is_killed:
                await _kill([*_tree(process.pid), *_database_tree(folder)])
            elif process.returncode is None:
                process.terminate()
            await process.wait()


def _describe(found: Sequence[tuple[float, float, float, float]]) -> str:
    """Say the medians of `_read_memory` of Parley and of PostgreSQL."""
    pss, rss, database_pss, database_rss = (statistics.median(column) for column in zip(*found, strict=True))
    return (
        f"Parley {pss:.0f} MB PSS ({rss:.0f} RSS), PostgreSQL {database_pss:.0f} MB PSS ({database_rss:.0f} RSS), "
        f"together {pss + database_pss:.0f} MB PSS ({rss + database_rss:.0f} RSS)"
    )


async def _until_ready(process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
    """Wait until it answers, and keep its database on the other core as soon as there is one."""
    for _ in range(1200):
        if process.returncode is not None:
            raise RuntimeError((folder / "parley.log").read_text())
        if database := _database_id(folder):
            pin(database, OTHER_CORE)
        try:
            await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/readyz", timeout=2)
            return
        except OSError:
            await asyncio.sleep(0.02)
    raise TimeoutError("Parley did not become ready")


def _tree(process_id: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(process_id)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _database_id(folder: Path) -> int:
    """Return the parent of the embedded PostgreSQL's processes, the first line of its pid file; 0 while there is none."""
    file = Cluster(folder / "data" / "postgres").data / "postmaster.pid"
    first = file.read_text().split("\n", 1)[0] if file.exists() else ""
    return int(first or 0)


def _database_tree(folder: Path) -> list[psutil.Process]:
    found = _database_id(folder)
    return _tree(found) if found else []


async def _kill(processes: list[psutil.Process]) -> None:
    """Kill them and wait for all but our own child, whose end is the event loop's to see."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    while any(_is_alive(process) for process in processes[1:]):
        await asyncio.sleep(0.02)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _read_memory(processes: list[psutil.Process]) -> tuple[float, float]:
    """Return megabytes of PSS and of RSS, summed."""
    sizes = {"Pss:": 0, "Rss:": 0}
    for process in processes:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            field, _, rest = line.partition(" ")
            if field in sizes:
                sizes[field] += int(rest.split()[0])
    return sizes["Pss:"] * 1024 / 1e6, sizes["Rss:"] * 1024 / 1e6


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@functools.cache
def _measured() -> dict[str, Figure]:
    return uvloop.run(measure())


def run(name: str) -> Figure:
    """Return one of the two figures; both come of one measurement."""
    return _measured()[name]
