"""Commands, good and bad: whatever a peer sends, it gets an answer or a close code, and the server goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from parley.kit.errors import Malformed
from parley.kit.ids import public_id
from parley.realtime import session as session_module
from parley.realtime.frames import parse_auth, parse_command, parse_command_id, ws_text_frame
from parley.realtime.origins import is_allowed
from tests.realtime.harness import Served

pytestmark = pytest.mark.anyio

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_near_misses = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(-1, 2**64) | _json,
        "do": st.sampled_from(
            ["hello", "renew", "watch", "unwatch", "watch_inboxes", "typing", "presence.watch", "ping", "x"]
        )
        | _json,
        "token": st.text(max_size=30) | _json,
        "conversation_id": st.from_regex(r"cnv_[0-9a-z]{0,30}", fullmatch=True) | _json,
        "cursor": st.fixed_dictionaries({"number": st.integers(), "tag": st.integers()}) | _json,
        "personal": _json,
        "is_on": _json,
    },
)


async def test_a_malformed_command_is_answered_and_the_connection_goes_on(served: Served) -> None:
    async with served.client(served.house.anna) as client:
        for raw in (
            '{"id": 70, "do": "dance"}',
            "[]",
            "nonsense",
            '{"id": 71}',
            b"\xff\xfe",
            '{"id":72,"do":"watch"}',
        ):
            await client.connection.send(raw)
        await client.ask("ping")
        refusals = [f for f in client.frames if f["type"] == "answer" and not f["ok"]]
        assert [refusal["id"] for refusal in refusals] == [70, 0, 0, 71, 0, 72]
        assert {refusal["error"]["code"] for refusal in refusals} == {"malformed"}


@given(
    raw=st.binary(max_size=200) | st.text(max_size=200) | _json | _near_misses | _near_misses.map(json.dumps)
)
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_parsing_refuses_but_never_breaks(raw: Any) -> None:
    for parse in (parse_command, parse_auth):
        try:
            parse(raw)
        except Malformed:
            continue
    assert parse_command_id(raw) >= 0


async def test_random_frames_never_break_a_session(served: Served) -> None:
    samples: list[Any] = []

    @given(
        batch=st.lists(
            _near_misses.map(json.dumps) | st.text(max_size=80) | st.binary(max_size=80), max_size=15
        )
    )
    @settings(max_examples=25, database=None)
    def collect(batch: list[Any]) -> None:
        samples.append(batch)

    collect()
    house = served.house
    async with served.client(house.boris) as steady:
        await steady.watch(house.group)
        for batch in samples:
            async with served.client(house.anna) as client:
                await client.watch(house.group)
                for raw in batch:
                    await client.connection.send(raw)
                await client.until(lambda expected=len(batch), of=client: _count(of) >= expected + 2)
                assert not [f for f in client.frames if f.get("error", {}).get("code") == "bug"]
        event = await house.append(house.group, "still here")
        await steady.reach(house.group, event.number)


def _count(client: Any) -> int:
    answers = sum(frame["type"] == "answer" for frame in client.frames)
    # a hello or a renewal with a made-up token ends the connection
    return answers if client.close_code is None else 1_000


async def test_hello_comes_first_and_once(served: Served) -> None:
    house = served.house
    async with served.client() as client:
        answer = await client.answer("watch_inboxes")
        assert answer["error"]["code"] == "hello_first"
        assert await client.closed() == 4001
    async with served.client() as client:
        answer = await client.answer("hello", token="at_wrong")
        assert answer["error"]["code"] == "unauthenticated"
        assert await client.closed() == 4001
    async with served.client(house.anna) as client:
        assert (await client.answer("hello", token=house.anna.token))["error"]["code"] == "hello_again"
        await client.ask("ping")


async def test_a_silent_connection_is_closed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "HELLO_SECONDS", 0.2)
    async with served.client() as client:
        assert await client.closed(3) == 4001


async def test_too_many_commands_close_the_connection(served: Served) -> None:
    async with served.client(served.house.anna) as client:
        for _ in range(125):
            await client.send("ping")
        assert await client.closed() == 4009
        answers = [frame for frame in client.frames if frame["type"] == "answer"]
        assert sum(answer["ok"] for answer in answers) in range(119, 125)
        assert answers[-1]["error"]["code"] == "too_many_commands"


async def test_a_client_that_comes_back_watches_all_it_watched_before_at_once(served: Served) -> None:
    group = public_id("cnv", served.house.group)
    async with served.client(served.house.anna) as client:
        for _ in range(300):
            await client.send("watch", conversation_id=group)
        await client.ask("ping")
        answers = [frame for frame in client.frames if frame["type"] == "answer"]
        assert len(answers) >= 300
        assert all(answer["ok"] for answer in answers)


async def test_more_watching_than_may_be_watched_counts_as_any_command(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "WATCH_LIMIT", 100)
    async with served.client(served.house.anna) as client:
        for _ in range(225):
            await client.send("watch", conversation_id=public_id("cnv", served.house.group))
        assert await client.closed() == 4009


async def test_a_command_above_64_kb_closes_the_connection(served: Served) -> None:
    async with served.client(served.house.anna) as client:
        await client.send("ping", padding="x" * 70_000)
        assert await client.closed() == 1009


async def test_unwatched_is_silent(served: Served) -> None:
    house = served.house
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        await client.ask("unwatch", conversation_id=public_id("cnv", house.group))
        await house.append(house.group)
        await client.ask("ping")
        assert not client.of(house.group)


async def test_nothing_is_kept_of_clients_that_went(served: Served) -> None:
    house = served.house
    for _ in range(3):
        async with served.client(house.agent) as client:
            await client.watch(house.desk)
            await client.ask("watch_inboxes")
    fanout = served.gateway.fanout
    await _eventually(lambda: fanout.tally.sockets == 0)
    assert not fanout._streams
    assert not fanout.touches.rooms


async def _eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_foreign_page_is_refused_and_our_own_let_in(served: Served) -> None:
    url = f"ws://127.0.0.1:{served.port}/v1/ws"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, origin="https://evil.example")  # type: ignore[arg-type]  # a plain string will do
    assert refused.value.response.status_code == 403
    async with served.client(served.house.anna, origin=f"http://127.0.0.1:{served.port}") as client:
        await client.ask("ping")


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "desk.example.org", True),
        ("https://desk.example.org", "desk.example.org", True),
        ("https://desk.example.org", "10.0.0.5:8000", True),  # behind a proxy: the public address
        ("http://10.0.0.5:8000", "10.0.0.5:8000", True),
        ("http://10.0.0.5:8001", "10.0.0.5:8000", False),
        ("https://evil.example", "desk.example.org", False),
        ("https://desk.example.org.evil.example", "desk.example.org", False),
        ("null", "desk.example.org", False),
        ("http://[", "desk.example.org", False),
        ("http://a:99999", "a:99999", False),
    ],
)
async def test_origins(origin: str | None, host: str, allowed: bool) -> None:
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    assert is_allowed({"headers": headers}, "https://desk.example.org") is allowed


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
async def test_frames_have_the_length_that_the_protocol_asks_for(length: int) -> None:
    frame = ws_text_frame(b"x" * length)
    size = {0: 2, 125: 2, 126: 4, 65_535: 4, 65_536: 10}[length]
    assert len(frame) == size + length
    assert frame[0] == 0x81
