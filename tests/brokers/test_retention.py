"""Events are kept for as long as a follower has still to publish them, and no longer for one that nobody runs."""

from __future__ import annotations

import datetime as dt
from uuid import uuid4

import pytest

from parley.brokers.publishing import FOLLOWER
from parley.conversations.store import delete_events_before
from parley.infra.feed import feed_end
from parley.infra.followers import (
    Place,
    advance_follower,
    claim_follower,
    release_all_followers,
    release_follower,
)
from parley.infra.work import LeaseLost
from tests.house import House, Workspace, index_all, read_numbers

pytestmark = pytest.mark.anyio


async def _sweep(house: House) -> None:
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(days=30)
    async with house.db.system() as tx:
        await delete_events_before(tx, moment, 1000)


async def test_old_events_go_only_once_they_are_published(house: House, acme: Workspace) -> None:
    olga = await acme.user("Olga")
    group = await acme.open(olga)
    for _ in range(5):
        await acme.say(group, olga)
    await house.sql("UPDATE event SET at = now() - interval '40 days'")
    await _sweep(house)
    assert await read_numbers(house, group) == [1, 2, 3, 4, 5, 6]
    token = uuid4()
    async with house.db.system() as tx:
        assert await claim_follower(tx, FOLLOWER, token, lease_seconds=5)
        end = await feed_end(tx)
        place = Place(conversation=end, personal=end)
        await advance_follower(tx, FOLLOWER, token, place, lease_seconds=5)
    await _sweep(house)
    assert await read_numbers(house, group) == [1, 2, 3, 4, 5, 6], "search has not read them"
    await index_all(house)
    await _sweep(house)
    assert await read_numbers(house, group) == [6], "the newest stays, so that a cursor can be checked"


async def test_a_follower_that_nobody_ran_for_so_long_keeps_nothing(house: House, acme: Workspace) -> None:
    group = await acme.open(await acme.user("Olga"), await acme.user("Anna"))
    await house.sql("UPDATE event SET at = now() - interval '40 days'")
    await house.sql("UPDATE follower SET updated_at = now() - interval '31 days'")
    await _sweep(house)
    assert await read_numbers(house, group) == [2]


async def test_only_the_holder_moves_a_follower_on(house: House) -> None:
    first, second = uuid4(), uuid4()
    async with house.db.system() as tx:
        held = await claim_follower(tx, FOLLOWER, first, lease_seconds=60)
        assert held is not None
        assert await claim_follower(tx, FOLLOWER, second, lease_seconds=60) is None
        with pytest.raises(LeaseLost):
            await advance_follower(tx, FOLLOWER, second, held.place, lease_seconds=60)
        await release_follower(tx, FOLLOWER, second)
        assert await claim_follower(tx, FOLLOWER, second, lease_seconds=60) is None
        await release_follower(tx, FOLLOWER, first)
        taken = await claim_follower(tx, FOLLOWER, second, lease_seconds=60)
        assert taken is not None
        assert taken.place == held.place
        await release_all_followers(tx)
        assert await claim_follower(tx, FOLLOWER, first, lease_seconds=60)
