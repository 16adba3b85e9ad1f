"""Who was in a conversation at an event, told long after it."""

from __future__ import annotations

import random

import pytest

from parley.brokers.batches import Batch
from parley.brokers.rooms import Rooms
from parley.conversations import members
from parley.conversations.streams import read_events
from parley.infra.db import Tx
from tests.brokers.conftest import enable
from tests.house import House, Workspace

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(4))
async def test_members_are_those_of_the_moment_wherever_reading_begins(
    house: House, acme: Workspace, seed: int
) -> None:
    """A random history; from every event on, a fresh reader tells the same as who watched from the start."""
    chance = random.Random(seed)
    owner, *others = [await acme.user(f"User {number}") for number in range(5)]
    group = await acme.open(owner, others[0])
    present = {owner.id, others[0].id}
    expected = [{owner.id}, {owner.id, others[0].id}]
    for _ in range(25):
        one = chance.choice(others)
        async with house.db.transaction(acme.id) as tx:
            if chance.random() < 0.3:
                await acme.say(group, owner)
                expected.append(set(present))
            elif one.id in present:
                await members.remove_member(tx, owner.caller, group, one.id)
                expected.append(set(present))  # who is taken out is told of it
                present.discard(one.id)
            else:
                await members.add_member(tx, owner.caller, group, one.id, "member")
                present.add(one.id)
                expected.append(set(present))
    async with house.db.system() as tx:
        events = await read_events(tx, group, after=0, limit=100)
        for start in range(len(events)):
            rooms = Rooms()
            await rooms.prepare(tx, events[start:])
            assert [set(rooms.apply(event)) for event in events[start:]] == expected[start:]


async def test_few_members_are_remembered_and_the_rest_is_read_again(house: House, acme: Workspace) -> None:
    people = [await acme.user(f"User {number}") for number in range(4)]
    groups = [await acme.open(*people) for _ in range(6)]
    rooms = Rooms(members_kept=10)
    async with house.db.system() as tx:
        for _ in range(2):
            for group in groups:
                rooms.make_room()
                events = await read_events(tx, group, after=3, limit=10)
                await rooms.prepare(tx, events)
                assert [rooms.apply(event) for event in events] == [{one.id for one in people}]
                assert sum(rooms.find(key) is not None for key in groups) <= 3


async def test_what_goes_to_one_actor_alone_is_told_to_nobody_else(house: House, acme: Workspace) -> None:
    olga, anna = await acme.user("Olga"), await acme.user("Anna")
    await enable(house, olga, anna)
    group = await acme.open(olga, anna)
    await acme.say(group, olga, "psst")
    await house.sql(
        "UPDATE event SET audience = $2 WHERE conversation_id = $1 AND number = 3", group, str(anna.id)
    )
    async with house.db.system() as tx:
        told = await _publish(tx, house, group)
    assert [key for key in told if key.endswith("messageupdate")] == [f"user.{anna.public}.messageupdate"]


async def _publish(tx: Tx, house: House, group: object) -> list[str]:
    batch = Batch(Rooms(), is_everyone=False)
    await batch.take(tx, await read_events(tx, group, after=2, limit=10))  # type: ignore[arg-type]
    await batch.complete(tx)
    return [one.routing_key for one in batch]
