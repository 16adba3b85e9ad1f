"""Every command of a socket, tried by those it is not for. A new one must be put into the table."""

from __future__ import annotations

import datetime as dt
import typing
from typing import Any

import asyncpg
import pytest

from parley.kit.ids import public_id, uuid7
from parley.realtime import frames
from tests.realtime.harness import Client, House, Person, Served, add_user

pytestmark = pytest.mark.anyio

ENTRANCE = "whoever has a token of their own"
OWN = "everybody, about themselves and whom they share something with"
ROOM = "those who see the conversation"

CLASSES = {
    "hello": ENTRANCE,
    "renew": ENTRANCE,
    "watch": ROOM,
    "unwatch": ROOM,
    "typing": ROOM,
    "watch_inboxes": OWN,
    "presence.watch": OWN,
    "presence.unwatch": OWN,
    "ping": OWN,
}
SECRET = "among us alone"


def fields(house: House) -> dict[str, dict[str, Any]]:
    """What each command asks about a house: the group that Anna and Boris are in."""
    room = public_id("cnv", house.group)
    actors = [house.anna.public, house.boris.public]
    return {
        "hello": {"token": "at_" + "0" * 43},
        "renew": {"token": house.anna.token},
        "watch": {"conversation_id": room},
        "unwatch": {"conversation_id": room},
        "typing": {"conversation_id": room, "is_on": True},
        "watch_inboxes": {},
        "presence.watch": {"actor_ids": actors},
        "presence.unwatch": {"actor_ids": actors},
        "ping": {},
    }


def test_every_command_is_in_the_table() -> None:
    """As the subclasses say, whether the parser knows them or not."""
    found = {one.__struct_config__.tag: one for one in frames._Command.__subclasses__()}
    assert found.keys() == CLASSES.keys(), "put a new command into CLASSES, and say who it is for"
    assert set(found.values()) == set(typing.get_args(frames.Command))


async def require_closed(served: Served, client: Client, person: Person) -> None:
    """Fail unless every command about the group and its people says nothing, then and later."""
    house = served.house
    for name, given in fields(house).items():
        answer = await client.answer(name, **given)
        if name == "renew":
            assert answer["error"]["code"] == "another_actor"
        elif name == "watch":
            assert answer["error"]["code"] == "conversation_not_found"
        elif name == "typing":
            assert answer["error"]["code"] == "not_watched"
        elif name == "presence.watch":
            of_others = [one for one in answer["data"]["presence"] if one["actor_id"] != person.public]
            assert {(one["is_online"], one["last_seen_at"]) for one in of_others} == {(None, None)}
        elif name == "hello":
            assert not answer["ok"]
        else:
            assert answer["ok"], (name, answer)
            assert answer["data"] in ({}, None), (name, answer)
    async with served.client(house.anna) as anna:
        head = await anna.watch(house.group)
        await anna.ask("typing", conversation_id=public_id("cnv", house.group), is_on=True)
        said = await house.append(house.group, SECRET)
        assert said.number > head["number"]
        await anna.reach(house.group, said.number)
    await client.ask("ping")
    await client.ask("ping")
    assert not client.of(house.group)
    assert SECRET not in str(client.frames)
    assert "presence.changed" not in str(client.frames)


async def test_nobody_is_answered_before_hello(served: Served) -> None:
    for name, given in fields(served.house).items():
        async with served.client() as client:
            answer = await client.answer(name, **given)
            assert answer["ok"] == (name == "ping"), (name, answer)


async def test_a_group_is_closed_to_who_is_not_in_it(served: Served) -> None:
    async with served.client(served.house.agent) as stranger:
        await require_closed(served, stranger, served.house.agent)


async def test_a_group_is_closed_to_another_workspace(served: Served) -> None:
    workspace, igor = uuid7(), Person(uuid7(), "at_igor", "igor")
    connection = await asyncpg.connect(served.house.dsn)
    await connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'Other')", workspace)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    await add_user(connection, workspace, igor, "owner", later)
    await connection.close()
    async with served.client(igor) as stranger:
        await require_closed(served, stranger, igor)


async def test_a_removed_member_is_a_stranger_at_once(served: Served) -> None:
    house = served.house
    async with served.client(house.boris) as boris:
        await boris.watch(house.group)
        await boris.ask("typing", conversation_id=public_id("cnv", house.group), is_on=True)
        await house.sql("DELETE FROM member WHERE actor_id = $1", house.boris.id)
        await house.personal(
            house.boris, "conversation.removed", {"conversation_id": public_id("cnv", house.group)}
        )
        await boris.until(lambda: boris.of(house.group))
        assert [frame["type"] for frame in boris.of(house.group)] == ["gone"]
        boris.frames.clear()
        await require_closed(served, boris, house.boris)


async def test_a_member_gets_through_everywhere(served: Served) -> None:
    """So that the refusals above are refusals of rights, and not of the commands."""
    house = served.house
    async with served.client(house.boris), served.client(house.anna) as anna:
        told = {
            name: await anna.answer(name, **given)
            for name, given in sorted(fields(house).items(), key=lambda one: one[0] == "unwatch")
            if name != "hello"
        }
        assert {name: one for name, one in told.items() if not one["ok"]} == {}
        known = {one["actor_id"]: one["is_online"] for one in told["presence.watch"]["data"]["presence"]}
        assert known[house.boris.public]
