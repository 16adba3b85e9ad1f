"""Clients behind a bad network: delays, resets, narrow lines, and connections that are dead without a word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.network_proxy import NetworkProxy, Weather
from tests.programs import Json, Site, eventually, open_site
from tests.replica import Replica, until_equal
from tests.senders import Sender, count_seen, require_as_told, shown_by

pytestmark = pytest.mark.anyio

SERVER_NOTICES_SECONDS = 45.0


async def test_nothing_is_lost_doubled_or_disordered_behind_a_bad_network(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        weather = Weather(latency_seconds=0.03, reset_share=0.03, bytes_per_second=100_000)
        await _talk_through(site, database_url, weather, senders=6, readers=2, seconds=4)


@pytest.mark.long
async def test_nothing_is_lost_behind_a_bad_network_for_minutes(
    tmp_path: Path, database_url: str, figures: Callable[..., None]
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        weather = Weather(latency_seconds=0.3, reset_share=0.01, bytes_per_second=20_000)
        counted = await _talk_through(
            site, database_url, weather, senders=12, readers=4, seconds=90, silences=4
        )
        figures(**counted)


async def _talk_through(
    site: Site, dsn: str, weather: Weather, *, senders: int, readers: int, seconds: float, silences: int = 0
) -> Json:
    places = [place for _, place in await site.open_conversations(3)]
    async with contextlib.AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(NetworkProxy(site.server.port, weather))
        clients = [
            await stack.enter_async_context(
                Replica(
                    proxy.url,
                    site.server.token,
                    name=f"reader {n}",
                    silence_seconds=2 + 8 * weather.latency_seconds,
                )
            )
            for n in range(readers)
        ]
        await asyncio.gather(*(client.follow(place) for client in clients for place in places))
        phones = [
            Sender(await stack.enter_async_context(_phone(site, proxy)), places[n % 3], f"{n}")
            for n in range(senders)
        ]
        async with asyncio.TaskGroup() as tasks:
            for phone in phones:
                tasks.create_task(phone.send_for(seconds))
            for _ in range(silences):
                await asyncio.sleep(seconds / (silences + 1))
                proxy.go_silent()
        weather.reset_share = 0.0
        await until_equal(clients, places, seconds=120)
        for client in clients:
            assert client.faults() == []
        assert proxy.resets > 0
        assert sum(client.connections for client in clients) > len(clients)
        wrong = require_as_told(phones, {place: await site.require_dense(dsn, place) for place in places})
        for client in clients:
            require_as_told(phones, shown_by(client, places))
        acknowledged = sum(len(phone.answers) for phone in phones)
        return {
            "sent": sum(phone.attempts for phone in phones),
            "acknowledged": acknowledged,
            "seen": count_seen(clients),
            **wrong,
            "faults": f"{proxy.resets} resets, {proxy.swallowed} half-open connections, "
            f"{weather.latency_seconds * 1000:.0f} ms, {weather.bytes_per_second or 0:.0f} bytes/s",
        }


def _phone(site: Site, proxy: NetworkProxy) -> httpx2.AsyncClient:
    """A client's own line through the proxy."""
    return httpx2.AsyncClient(
        base_url=proxy.url,
        timeout=10,
        trust_env=False,
        headers={"authorization": f"Bearer {site.server.token}"},
    )


async def test_a_client_leaves_a_half_open_connection_by_its_own_ping(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        [(_, place)] = await site.open_conversations(1)
        async with (
            NetworkProxy(site.server.port) as proxy,
            Replica(proxy.url, site.server.token, silence_seconds=0.5) as client,
        ):
            await client.follow(place)
            before = client.connections
            proxy.go_silent()
            answer = await site.server.send(place, "while it is deaf", "1", kind="note")
            await client.reach(place, answer.json()["position"])
            assert client.connections > before
            client.http.base_url = httpx2.URL(site.server.url)  # its own connection is half open as well
            await until_equal([client], [place])
            assert client.faults() == []


@pytest.mark.long
async def test_the_server_lets_go_of_half_open_connections(
    tmp_path: Path, database_url: str, figures: Callable[..., None]
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        [(_, place)] = await site.open_conversations(1)
        process = psutil.Process(site.server.pid)
        async with contextlib.AsyncExitStack() as stack:
            proxy = await stack.enter_async_context(NetworkProxy(site.server.port))
            clients = [
                await stack.enter_async_context(
                    # longer silent than the test lasts: the server has to notice by itself
                    Replica(proxy.url, site.server.token, name=f"{n}", silence_seconds=120)
                )
                for n in range(20)
            ]
            await asyncio.gather(*(client.follow(place) for client in clients))
            await asyncio.gather(*(client.http.aclose() for client in clients))
            before = process.num_fds()
            links = proxy.go_silent()
            began = asyncio.get_running_loop().time()
            for n in range(20):
                await site.server.send(place, "x" * 4000, f"{n}", kind="note")

            async def is_free() -> bool:
                return all(link.server_ended_at is not None for link in links) and await _sockets(site) == 0

            await eventually(is_free, seconds=SERVER_NOTICES_SECONDS + 15, pause_seconds=0.2)
            took = max((link.server_ended_at or 0) - began for link in links)
            assert took < SERVER_NOTICES_SECONDS
            assert process.num_fds() <= before - 20
            figures(faults=f"{len(clients)} half-open WebSockets; the last was let go after {took:.0f} s")


async def _sockets(site: Site) -> float:
    text = (await site.server.http.get("/metrics")).text
    [line] = [line for line in text.splitlines() if line.startswith("parley_realtime_sockets")]
    return float(line.split()[-1])
