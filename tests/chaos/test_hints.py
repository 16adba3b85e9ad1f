"""Live delivery is a hint: lost, late or overtaken, nobody misses anything, sees it twice or in another order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from parley.kit.ids import parse_id
from tests.crowd import Crowd, Places, Turmoil, open_crowd
from tests.ports import free_port
from tests.programs import Provider, Server, eventually, running
from tests.replica import Replica, until_equal
from tests.report import compare, short_and_long

pytestmark = pytest.mark.anyio

Json = Any
HEALED_SECONDS = 15.0
"""On a busy machine; less than a client takes to doubt a silent server."""
"""Within which what no hint told is seen."""


class FaultyServer(Server):
    """A server whose bus loses and reorders hints."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.counted = folder / f"hints-{time.monotonic_ns()}.json"
        super().__init__(folder, HINTS_COUNTED=str(self.counted), **env)
        program = Path(__file__).parent.parent / "faulty_server.py"
        self._command = [sys.executable, str(program), "serve"]

    def counts(self) -> dict[str, int]:
        """Return how many hints passed, were lost and were late."""
        found: dict[str, int] = json.loads(self.counted.read_text())
        return found


@contextlib.asynccontextmanager
async def open_faulty(folder: Path, dsn: str, **env: str) -> AsyncIterator[tuple[Crowd, FaultyServer]]:
    """A crowd on a faulty server."""
    provider = Provider(folder)
    server = FaultyServer(folder, DATABASE_URL=dsn, PARLEY_TELEGRAM_API_URL=provider.api_url, **env)
    async with open_crowd(folder, dsn, server=server, provider=provider) as crowd:
        yield crowd, server


async def say(crowd: Crowd, names: list[str], place: str, texts: list[str], kind: str = "text") -> list[Json]:
    """Have people send texts as fast as they can, each their own in order; return the answers."""

    async def speak(name: str) -> list[Json]:
        return [
            await crowd.ask(
                name,
                "POST",
                f"/v1/conversations/{place}/messages",
                {"client_id": f"{name}/{text}", "text": f"{name}: {text}", "kind": kind},
            )
            for text in texts
        ]

    answers = await asyncio.gather(*(speak(name) for name in names))
    return [answer for one in answers for answer in one]


def require_order(crowd: Crowd, names: list[str], place: str, texts: list[str]) -> Counter[str]:
    """Everybody of these shows each sender's messages once and in the order they were sent; return what was counted."""
    counted: Counter[str] = Counter(seen=0, lost=0, doubled=0, disordered=0)
    for reader in names:
        shown = [message["text"] for message in crowd.replicas[reader].state(place)["messages"].values()]
        for name in names:
            said = [f"{name}: {text}" for text in texts]
            found = [text for text in shown if text in set(said)]
            assert found == said
            counted.update(compare(said, found), seen=len(found))
    return counted


async def load(crowd: Crowd, places: Places, count: int) -> Counter[str]:
    """Send under load in a group, and notes at the desk, and require that everybody saw all of it.

    Returns what was counted: sent, acknowledged, seen, lost, doubled, disordered.
    """
    texts = [str(n) for n in range(count)]
    people = ["olga", "anna", "boris"]
    answers = await asyncio.gather(
        say(crowd, [*people, "mia"], places.group, texts),
        say(crowd, people, places.desk, texts, kind="note"),
        # few go out: a provider takes one message a second in one chat
        say(crowd, ["olga"], places.desk, ["out 1", "out 2"]),
    )
    await crowd.require_equal(places, seconds=120)
    counted = require_order(crowd, [*people, "mia"], places.group, texts)
    counted.update(require_order(crowd, people, places.desk, texts))
    counted.update(require_order(crowd, ["olga"], places.desk, ["out 1", "out 2"]))
    said = sum(map(len, answers))
    counted.update(sent=said, acknowledged=said)
    return counted


async def test_hints_lost_and_reordered_under_load_harm_nobody(tmp_path: Path, database_url: str) -> None:
    async with open_faulty(tmp_path, database_url, HINTS_LOST="0.05", HINTS_REORDERED="0.05") as (
        crowd,
        server,
    ):
        places = await crowd.open_places()
        await load(crowd, places, 40)
        counts = server.counts()
        # by chance: some fifteen of each, none once in a million runs
        assert counts["lost"] > 0
        assert counts["reordered"] > 0
        assert all(one.snapshots <= len(places.all) for one in crowd.replicas.values())
        assert all(one.connections == 1 for one in crowd.replicas.values())


@pytest.mark.long
async def test_hints_lost_and_reordered_for_minutes_harm_nobody(
    tmp_path: Path, database_url: str, figures: Callable[..., None]
) -> None:
    async with open_faulty(tmp_path, database_url, HINTS_LOST="0.05", HINTS_REORDERED="0.05") as (
        crowd,
        server,
    ):
        places = await crowd.open_places()
        end = time.monotonic() + 180
        rounds = 0
        counted: Counter[str] = Counter()
        while time.monotonic() < end:
            counted.update(await load(crowd, places, 100))
            await Turmoil(crowd, places, seed=rounds, rights=False).run(100)
            await crowd.require_equal(places, seconds=60)
            for one in crowd.replicas.values():
                await one.forget_all()
            places = await crowd.open_places()
            rounds += 1
        hints = server.counts()
        figures(
            **counted,
            faults=f"{hints['lost']} hints lost, {hints['reordered']} late, {hints['passed']} passed; {rounds} rounds, after "
            "each all clients equal to the database",
        )


@short_and_long("rounds", 1, 6)
async def test_the_last_hint_before_silence_is_lost_and_still_seen(
    tmp_path: Path, database_url: str, figures: Callable[..., None], rounds: int
) -> None:
    async with open_faulty(tmp_path, database_url, HINTS_LOST_TEXT="unheard") as (crowd, server):
        places = await crowd.open_places()
        slowest = 0.0
        counted: Counter[str] = Counter()
        for place in [places.group, places.desk] * rounds:
            readers = [one for one in crowd.replicas.values() if one.state(place) is not None]
            [said] = await say(crowd, ["olga"], place, [f"unheard {counted['sent']}"])
            began = time.monotonic()
            for one in readers:
                await one.reach(place, said["position"], HEALED_SECONDS)
            slowest = max(slowest, time.monotonic() - began)
            assert slowest < HEALED_SECONDS
            counted.update(sent=1, acknowledged=1, seen=len(readers))
        assert server.counts()["lost"] >= 2 * rounds
        await crowd.require_equal(places)
        figures(
            **counted, lost=0, doubled=0, disordered=0,
            faults=f"the hint of every message lost, each before silence; seen after {slowest:.1f} s at the latest",
        )  # fmt: skip


async def test_without_any_hint_everything_is_still_seen_in_order(tmp_path: Path, database_url: str) -> None:
    async with open_faulty(tmp_path, database_url, HINTS_LOST="1") as (crowd, server):
        places = await crowd.open_places()
        await load(crowd, places, 15)
        assert server.counts()["passed"] == 0


# ---------------------------------------------------------------- two processes


@short_and_long("rounds, count", (1, 25), (2, 60))
async def test_sends_over_two_servers_reach_the_readers_of_both(
    tmp_path: Path, database_url: str, figures: Callable[..., None], rounds: int, count: int
) -> None:
    async with two_servers(tmp_path, database_url) as (crowd, second):
        counted: Counter[str] = Counter()
        for n in range(rounds):
            places = await crowd.open_places()
            assert {one.url for one in crowd.replicas.values()} == {crowd.site.server.url, second.url}
            counted.update(await load(crowd, places, count))
            await Turmoil(crowd, places, seed=n + 1, rights=False).run(4 * count)
            await crowd.require_equal(places)
            for one in crowd.replicas.values():
                await one.forget_all()
        figures(
            **counted,
            faults=f"two servers on one database, NOTIFY between them; {4 * count * rounds} random steps, after which all "
            "clients of both equal the database",
        )


@contextlib.asynccontextmanager
async def two_servers(folder: Path, dsn: str) -> AsyncIterator[tuple[Crowd, Server]]:
    """A crowd whose clients are spread over two servers on one database."""
    provider = Provider(folder)
    env = {"DATABASE_URL": dsn, "PARLEY_TELEGRAM_API_URL": provider.api_url}
    first, second = Server(folder, **env), Server(folder, port=free_port(), **env)
    async with (
        running(second),
        open_crowd(folder, dsn, server=first, provider=provider, others=[second]) as crowd,
    ):
        yield crowd, second


# ---------------------------------------------------------------- retries


@contextlib.asynccontextmanager
async def one_group(folder: Path, dsn: str) -> AsyncIterator[tuple[Server, str, Replica]]:
    """A server, a group, and a client that follows it."""
    server = Server(folder, DATABASE_URL=dsn)
    async with running(server):
        await server.start()
        await server.set_up()
        made = await server.call("POST", "/v1/conversations", {"kind": "group", "title": "G", "members": []})
        async with Replica(server.url, server.token, name="olga") as replica:
            await replica.follow(made["id"])
            yield server, made["id"], replica
        await server.require_well()


async def require_once_each(server: Server, group: str, replica: Replica, order: list[str]) -> list[Json]:
    """Each message is stored and seen once, in this order."""
    stored = await server.messages(group)
    assert [message["text"] for message in stored] == order
    await replica.reach(group, stored[-1]["position"])
    await until_equal([replica], [group])
    assert [m["text"] for m in replica.state(group)["messages"].values()] == order
    assert replica.faults() == []
    return stored


def retried(order: list[str], replica: Replica, group: str, sent: int, how: str) -> Json:
    """Return what is to be reported of retries."""
    shown = [message["text"] for message in replica.state(group)["messages"].values()]
    return {
        "sent": sent, "acknowledged": len(order), "seen": len(shown), **compare(order, shown),
        "faults": f"{len(order) // 2} x a retry that a later message overtook; {how}",
    }  # fmt: skip


@short_and_long("rounds", 1, 60)
async def test_a_retry_of_what_was_stored_is_answered_with_it_whatever_came_between(
    tmp_path: Path, database_url: str, figures: Callable[..., None], rounds: int
) -> None:
    async with one_group(tmp_path, database_url) as (server, group, replica):
        order: list[str] = []
        for n in range(rounds):
            await send_and_hang_up(server, group, f"first {n}")

            async def is_stored(count: int = len(order) + 1) -> bool:
                return len(await server.messages(group)) == count

            await eventually(is_stored)
            second = await server.send(group, f"second {n}", f"id of second {n}")
            again = [await server.send(group, f"first {n}", f"id of first {n}") for _ in range(3)]
            assert (second.status_code, [answer.status_code for answer in again]) == (201, [200, 200, 200])
            order += [f"first {n}", f"second {n}"]
            stored = await require_once_each(server, group, replica, order)
            assert [answer.json() for answer in again] == [stored[-2]] * 3
            assert second.json()["id"] == stored[-1]["id"]
        figures(**retried(order, replica, group, 5 * rounds, "the first was stored, its answer lost"))


@short_and_long("rounds", 1, 60)
async def test_a_retry_of_what_never_came_is_stored_where_it_arrives(
    tmp_path: Path, database_url: str, figures: Callable[..., None], rounds: int
) -> None:
    async with one_group(tmp_path, database_url) as (server, group, replica):
        order: list[str] = []
        for n in range(rounds):
            # the first one dies on its way: half a request, then nothing
            await send_and_hang_up(server, group, f"first {n}", is_whole=False)
            second = await server.send(group, f"second {n}", f"id of second {n}")
            first = await server.send(group, f"first {n}", f"id of first {n}")
            assert (second.status_code, first.status_code) == (201, 201)
            order += [f"second {n}", f"first {n}"]
            stored = await require_once_each(server, group, replica, order)
            assert [answer.json()["id"] for answer in (second, first)] == [one["id"] for one in stored[-2:]]
        figures(**retried(order, replica, group, 3 * rounds, "of the first only half a request came"))


@short_and_long("rounds", 1, 12)
async def test_a_retry_that_meets_its_first_attempt_in_the_database_is_stored_once(
    tmp_path: Path, database_url: str, figures: Callable[..., None], rounds: int
) -> None:
    """While the conversation is locked the first attempt times out, a second message is sent, the first retried."""
    async with one_group(tmp_path, database_url) as (server, group, replica):
        order: list[str] = []
        for n in range(rounds):
            answers = await retry_while_locked(server, database_url, group, n)
            by_text = {
                text: {a.json()["id"] for a in answers if a.json()["text"] == text}
                for text in (f"first {n}", f"second {n}")
            }
            assert all(len(ids) == 1 for ids in by_text.values())
            stored = (await server.messages(group))[len(order) :]
            # the first attempt had arrived, so it may have kept its place; if it was given up, the retry takes the next
            texts = [message["text"] for message in stored]
            assert sorted(texts) == [f"first {n}", f"second {n}"]
            order += texts
            await require_once_each(server, group, replica, order)
            assert {message["id"] for message in stored} == set().union(*by_text.values())
        figures(**retried(order, replica, group, 5 * rounds, "all attempts met in the locked database"))


async def retry_while_locked(server: Server, dsn: str, group: str, n: int) -> list[httpx2.Response]:
    """Send while the conversation is locked: an attempt that times out, then two messages, each twice; the answers."""
    async with held(dsn, group) as let_go:
        with pytest.raises(httpx2.TimeoutException):
            await server.http.post(
                f"/v1/conversations/{group}/messages",
                json={"client_id": f"id of first {n}", "text": f"first {n}"},
                timeout=0.3,
            )
        waiting = [
            asyncio.create_task(server.send(group, f"{text} {n}", f"id of {text} {n}"))
            for text in ("second", "first", "second", "first")
        ]
        await asyncio.sleep(0.3)
        await let_go()
        return [await one for one in waiting]


async def send_and_hang_up(server: Server, group: str, text: str, *, is_whole: bool = True) -> None:
    """Send a request and close the connection without waiting for the answer; or only half of it."""
    body = json.dumps({"client_id": f"id of {text}", "text": text}).encode()
    head = (
        f"POST /v1/conversations/{group}/messages HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n"
        f"authorization: Bearer {server.token}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head + (body if is_whole else body[:-5]))
    await writer.drain()
    if is_whole:
        # only its first byte: it was taken, and nobody knows what became of it
        await reader.read(1)
    writer.transport.abort()


@contextlib.asynccontextmanager
async def held(dsn: str, group: str) -> AsyncIterator[Any]:
    """Hold a conversation's row locked until let go."""
    connection = await asyncpg.connect(dsn)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SELECT FROM conversation WHERE id = $1 FOR UPDATE", parse_id("cnv", group))
    try:
        yield transaction.rollback
    finally:
        await connection.close()
