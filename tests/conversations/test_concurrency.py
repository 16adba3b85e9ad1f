"""Many writers of every kind at once: numbers stay dense, nobody deadlocks, nothing is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from parley.conversations import editing, members, reading
from parley.conversations.errors import MessageNotFound
from parley.desk.inboxes import set_member
from parley.desk.schemas import DeskChange
from parley.desk.statuses import change_conversation
from parley.infra.db import Tx
from parley.kit.errors import ParleyError
from parley.kit.ids import parse_id
from tests.conversations.conftest import Scene
from tests.house import GroupKind, Person, read_numbers, require_dense

pytestmark = pytest.mark.anyio

WRITERS = 50

Act = Callable[[random.Random], Awaitable[object]]


class Crowd:
    """People who do everything at once in a few conversations; every refusal but a foreseen one is an error."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.people = [scene.olga, scene.anna, scene.boris]
        self.groups: list[UUID] = [scene.group]
        self.rooms: list[UUID] = [scene.room.id]
        self.messages: dict[UUID, list[tuple[UUID, Person]]] = {}
        self.sent = 0
        self.acts: list[Act] = [
            self.send_collected, self.send_collected, self.send_straight, self.read, self.read, self.edit,
            self.delete, self.react, self.join_or_leave, self.change_role, self.change_status,
            self.open_group, self.open_direct, self.staff,
        ]  # fmt: skip

    @property
    def all(self) -> list[UUID]:
        return [*self.groups, *self.rooms]

    async def run(self, writers: int, steps: int, seed: int) -> None:
        """Let everybody act; raises what nobody foresaw, deadlocks above all."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(writers):
                tasks.create_task(self._write(random.Random(f"{seed}/{number}"), steps))

    async def _write(self, dice: random.Random, steps: int) -> None:
        for _ in range(steps):
            try:
                await dice.choice(self.acts)(dice)
            except ParleyError as error:
                if error.kind.value >= 500:
                    raise

    async def send_collected(self, dice: random.Random) -> None:
        place, sender = dice.choice(self.all), dice.choice(self.people)
        draft = self.scene.place.draft(place, sender, client_id=str(dice.random()))
        posted = await self.scene.house.collector.post(draft)
        self._keep(place, posted.message.id, sender)

    async def send_straight(self, dice: random.Random) -> None:
        place, sender = dice.choice(self.all), dice.choice(self.people)
        posted = await self.scene.place.say(place, sender)
        self._keep(place, posted.message.id, sender)

    def _keep(self, place: UUID, message_id: str, sender: Person) -> None:
        self.sent += 1
        self.messages.setdefault(place, []).append((parse_id("msg", message_id), sender))

    async def _in_transaction(self, act: Callable[[Tx], Awaitable[object]]) -> None:
        async with self.scene.house.db.transaction(self.scene.place.id) as tx:
            await act(tx)

    async def read(self, dice: random.Random) -> None:
        place, reader = dice.choice(self.all), dice.choice(self.people)
        number = dice.randrange(self.sent + 5)
        await self._in_transaction(lambda tx: reading.mark_read(tx, reader.caller, place, number))

    def _pick(self, dice: random.Random) -> tuple[UUID, UUID, Person]:
        """A message that somebody sent: conversation, message, sender. Refused while there is none."""
        if not self.messages:
            raise MessageNotFound
        place = dice.choice(sorted(self.messages))
        return (place, *dice.choice(self.messages[place]))

    async def edit(self, dice: random.Random) -> None:
        place, key, sender = self._pick(dice)
        text = f"edited {dice.random()}"
        await self._in_transaction(
            lambda tx: editing.edit_message(tx, sender.caller, place, key, text=text, entities=[])
        )

    async def delete(self, dice: random.Random) -> None:
        place, key, sender = self._pick(dice)
        await self._in_transaction(lambda tx: editing.delete_message(tx, sender.caller, place, key))

    async def react(self, dice: random.Random) -> None:
        place, key, _ = self._pick(dice)
        person = dice.choice(self.people)
        change = dice.choice([editing.add_reaction, editing.remove_reaction])
        await self._in_transaction(lambda tx: change(tx, person.caller, place, key, "+"))

    async def join_or_leave(self, dice: random.Random) -> None:
        place, person = dice.choice(self.groups), dice.choice(self.people[1:])
        owner = self.scene.olga.caller
        if dice.random() < 0.5:
            await self._in_transaction(lambda tx: members.remove_member(tx, owner, place, person.id))
        else:
            await self._in_transaction(lambda tx: members.add_member(tx, owner, place, person.id, "member"))

    async def change_role(self, dice: random.Random) -> None:
        place, person = dice.choice(self.groups), dice.choice(self.people[1:])
        role = dice.choice(["member", "moderator"])
        owner = self.scene.olga.caller
        await self._in_transaction(lambda tx: members.add_member(tx, owner, place, person.id, role))

    async def change_status(self, dice: random.Random) -> None:
        place, person = dice.choice(self.rooms), dice.choice(self.people)
        change = DeskChange(status=dice.choice(["open", "pending", "resolved"]), assignee_id=person.public)
        await self._in_transaction(lambda tx: change_conversation(tx, person.caller, place, change))

    async def open_group(self, dice: random.Random) -> None:
        owner, *others = dice.sample(self.people, 3)
        kind: GroupKind = dice.choice(["group", "broadcast"])
        await self.scene.place.open(owner, *others, kind=kind)

    async def open_direct(self, dice: random.Random) -> None:
        one, other = dice.sample(self.people, 2)
        await self.scene.place.open(one, other, kind="direct", title=None)

    async def staff(self, dice: random.Random) -> None:
        person, is_member = dice.choice(self.people[1:]), dice.random() < 0.7
        owner, inbox = self.scene.olga.caller, self.scene.inbox
        await self._in_transaction(lambda tx: set_member(tx, owner, inbox, person.id, is_member=is_member))


@pytest.fixture
async def crowd(scene: Scene) -> Crowd:
    """Two groups and three desk conversations, so that the same rows are wanted all the time."""
    crowd = Crowd(scene)
    crowd.groups.append(await scene.place.open(scene.olga, scene.anna, scene.boris))
    for name in ("Dora", "Emil"):
        crowd.rooms.append((await scene.place.room(scene.inbox, name)).id)
    return crowd


async def test_fifty_writers_of_every_kind_leave_dense_streams(crowd: Crowd) -> None:
    await crowd.run(WRITERS, steps=20, seed=1)
    scene = crowd.scene
    for place in crowd.all:
        numbers = await read_numbers(scene.house, place)
        require_dense(numbers)
        [row] = await scene.house.sql("SELECT head, tag, last_number FROM conversation WHERE id = $1", place)
        assert row["head"] == len(numbers)
        [last] = await scene.house.sql(
            "SELECT tag FROM event WHERE conversation_id = $1 AND number = $2", place, row["head"]
        )
        assert last["tag"] == row["tag"]
        stored = await scene.house.sql(
            "SELECT number FROM message WHERE conversation_id = $1 AND number IS NOT NULL ORDER BY number",
            place,
        )
        require_dense([message["number"] for message in stored])
        assert row["last_number"] == len(stored) == len(crowd.messages.get(place, []))


async def test_personal_streams_are_dense_too(crowd: Crowd) -> None:
    await crowd.run(20, steps=15, seed=2)
    for person in crowd.people:
        rows = await crowd.scene.house.sql(
            "SELECT number FROM personal_event WHERE actor_id = $1 ORDER BY number", person.id
        )
        require_dense([row["number"] for row in rows])
        [actor] = await crowd.scene.house.sql("SELECT head FROM actor WHERE id = $1", person.id)
        assert actor["head"] == len(rows)
