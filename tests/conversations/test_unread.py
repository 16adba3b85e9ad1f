"""Unread = last number - read number - own sent since; whatever happens it equals a recount."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parley.conversations import editing, members, post_messages, reading
from parley.kit.ids import parse_id
from tests.database import TestDatabases
from tests.house import House, Person, Workspace, open_house

PEOPLE = 4
person = st.integers(0, PEOPLE - 1)


@dataclasses.dataclass
class Written:
    """A message to everyone, as the model knows it."""

    id: UUID
    sender: int
    number: int


class Unread(RuleBasedStateMachine):
    """Sends, reads, joins and deletes in one group and one desk conversation, beside a model that counts."""

    runner: asyncio.Runner
    house: House

    @initialize()
    def found(self) -> None:
        self.run(self._found())

    async def _found(self) -> None:
        self.place: Workspace = await self.house.workspace()
        self.people: list[Person] = [await self.place.user(f"P{n}", "admin") for n in range(PEOPLE)]
        self.group = await self.place.open(self.people[0], self.people[1])
        self.inbox = await self.place.inbox()
        self.room = (await self.place.room(self.inbox)).id
        self.written: dict[UUID, list[Written]] = {self.group: [], self.room: []}
        # what each has read: a number up to which, and own messages since are never unread
        self.read: dict[tuple[UUID, int], int] = {(self.group, 0): 0, (self.group, 1): 0}
        self.read |= {(self.room, n): 0 for n in range(PEOPLE)}

    def run(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(step)

    def place_of(self, is_group: bool) -> UUID:
        return self.group if is_group else self.room

    def unread(self, place: UUID, who: int) -> int:
        """The recount: messages of others above what was read."""
        above = self.read[place, who]
        return sum(1 for message in self.written[place] if message.number > above and message.sender != who)

    @rule(is_group=st.booleans(), senders=st.lists(person, min_size=1, max_size=5), notes=st.booleans())
    def send_batch(self, is_group: bool, senders: list[int], notes: bool) -> None:
        self.run(
            self._send(self.place_of(is_group), senders, notes=notes and not is_group, is_collected=False)
        )

    @rule(is_group=st.booleans(), senders=st.lists(person, min_size=1, max_size=3))
    def send_by_collector(self, is_group: bool, senders: list[int]) -> None:
        self.run(self._send(self.place_of(is_group), senders, notes=False, is_collected=True))

    async def _send(self, place: UUID, senders: list[int], *, notes: bool, is_collected: bool) -> None:
        senders = [who for who in senders if (place, who) in self.read]
        drafts = [self.place.draft(place, self.people[who]) for who in senders]
        if notes:
            drafts.append(self.place.draft(place, self.people[senders[0]], kind="note"))
        if is_collected:
            posted: list[Any] = await asyncio.gather(*(self.house.collector.post(draft) for draft in drafts))
        else:
            async with self.house.db.transaction(self.place.id) as tx:
                posted = list(await post_messages(tx, drafts))
        for who, outcome in zip(senders, posted, strict=False):
            message = outcome.message
            assert message.number == len(self.written[place]) + 1
            nothing_unread = self.unread(place, who) == 0
            self.written[place].append(Written(parse_id("msg", message.id), who, message.number))
            if nothing_unread:
                self.read[place, who] = message.number

    @rule(is_group=st.booleans(), who=person, offset=st.integers(-6, 3))
    def mark_read(self, is_group: bool, who: int, offset: int) -> None:
        place = self.place_of(is_group)
        if (place, who) not in self.read:
            return
        number = max(0, len(self.written[place]) + offset)
        state = self.run(self._mark(place, who, number))
        self.read[place, who] = max(self.read[place, who], min(number, len(self.written[place])))
        assert state.unread == self.unread(place, who)
        assert state.read_number == self.read[place, who]

    async def _mark(self, place: UUID, who: int, number: int) -> Any:
        async with self.house.db.transaction(self.place.id) as tx:
            return await reading.mark_read(tx, self.people[who].caller, place, number)

    @rule(who=st.integers(1, PEOPLE - 1))
    def join_or_leave(self, who: int) -> None:
        self.run(self._join_or_leave(who, is_in=(self.group, who) in self.read))
        if (self.group, who) in self.read:
            del self.read[self.group, who]
        else:
            self.read[self.group, who] = len(self.written[self.group])  # a joiner starts at the head

    async def _join_or_leave(self, who: int, *, is_in: bool) -> None:
        owner = self.people[0].caller
        async with self.house.db.transaction(self.place.id) as tx:
            if is_in:
                await members.remove_member(tx, owner, self.group, self.people[who].id)
            else:
                await members.add_member(tx, owner, self.group, self.people[who].id, "member")

    @precondition(lambda self: any(self.written.values()))
    @rule(is_group=st.booleans(), pick=st.integers(0, 10_000))
    def delete(self, is_group: bool, pick: int) -> None:
        written = self.written[self.place_of(is_group)]
        if written:
            self.run(self._delete(self.place_of(is_group), written[pick % len(written)]))

    async def _delete(self, place: UUID, message: Written) -> None:
        if (place, message.sender) in self.read:
            async with self.house.db.transaction(self.place.id) as tx:
                await editing.delete_message(tx, self.people[message.sender].caller, place, message.id)

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "read"):
            self.run(self._compare())

    async def _compare(self) -> None:
        for place, who in self.read:
            async with self.house.db.transaction(self.place.id) as tx:
                seen = await members.get_conversation(tx, self.people[who].caller, place)
            assert seen.unread == seen.last_number - seen.read_number - seen.own_since >= 0
            assert seen.unread == self.unread(place, who)


@pytest.fixture
def machine(databases: TestDatabases) -> Iterator[type[Unread]]:
    """The machine over one database and loop for all its runs; each run has a workspace of its own."""
    with databases.fresh() as dsn, tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        opening = open_house(dsn, Path(folder))
        house = runner.run(opening.__aenter__())
        yield type("UnreadHere", (Unread,), {"runner": runner, "house": house})
        runner.run(opening.__aexit__(None, None, None))


def test_unread_equals_a_recount_whatever_happens(machine: type[Unread]) -> None:
    case = machine.TestCase
    case.settings = settings(
        max_examples=25, stateful_step_count=25, deadline=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    case("runTest").runTest()
