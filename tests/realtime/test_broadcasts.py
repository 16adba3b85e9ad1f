"""Who reads a broadcast, live: told to those who write in it alone, whoever begins or ceases to."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from tests.crowd import Crowd, open_crowd
from tests.replica import until_equal

pytestmark = pytest.mark.anyio

Json = Any


def heard_of(crowd: Crowd, name: str, channel: str) -> list[Json]:
    """What a client was told of the channel."""
    frames = [json.loads(text) for text in crowd.replicas[name].heard or ()]
    return [frame for frame in frames if frame.get("stream") == channel]


async def test_readers_are_told_of_nobody_who_reads_and_writers_of_everybody(
    tmp_path: Path, database_url: str
) -> None:
    async with open_crowd(tmp_path, database_url) as crowd:
        places = await crowd.open_places()
        channel = places.broadcast
        url = f"/v1/conversations/{channel}"
        everybody = [crowd.replicas[name] for name in ("olga", "anna", "boris", "mia")]
        olga, mia = crowd.replicas["olga"], crowd.replicas["mia"]
        olga.heard, mia.heard = [], []
        anna, boris = crowd.actor("anna"), crowd.actor("boris")

        def be(who: str, role: str) -> Awaitable[Json]:
            return crowd.ask("olga", "POST", f"{url}/members", {"actor_id": who, "role": role})

        await crowd.ask("olga", "POST", f"{url}/messages", {"client_id": "1", "text": "news"})
        await until_equal(everybody, [channel])
        await crowd.ask("anna", "PUT", f"{url}/read", {"number": 1})
        await crowd.ask("anna", "DELETE", f"{url}/members/{anna}")
        await until_equal(everybody, [channel])
        assert anna not in str(heard_of(crowd, "mia", channel))
        assert olga.seen_reads(channel)[anna] == 1
        assert len(mia.state(channel)["members"]) == 2

        # who writes now sees all that came before, and is seen; who writes no longer neither
        await be(boris, "moderator")
        await be(anna, "reader")
        await until_equal(everybody, [channel])
        assert set(crowd.replicas["boris"].state(channel)["members"]) == set(olga.state(channel)["members"])
        assert len(mia.state(channel)["members"]) == 3
        await be(boris, "reader")
        await crowd.ask("anna", "DELETE", f"{url}/members/{anna}")
        await until_equal(everybody, [channel])
        assert set(mia.state(channel)["members"]) == {crowd.actor("olga"), crowd.actor("mia")}
        assert len(crowd.replicas["boris"].state(channel)["members"]) == 2
        assert anna not in str(heard_of(crowd, "mia", channel))
        assert not [fault for one in everybody for fault in one.faults()]
