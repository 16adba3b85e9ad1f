"""Who sees what, while it changes."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from parley.accounts import Caller, forget_callers
from parley.conversations import View, find_view
from parley.infra.db import Tx
from parley.kit.events import Touch
from parley.kit.ids import public_id, uuid7
from parley.realtime import gateway
from tests.realtime.harness import Served

pytestmark = pytest.mark.anyio


async def test_notes_never_reach_who_sees_all_but_not_staff_matters(served: Served) -> None:
    house = served.house
    secret = "do not tell the customer"
    first = await house.append(house.desk, "hi")
    await house.append(house.desk, secret, audience="staff")
    await house.append(house.desk, secret, audience="staff")
    async with served.client(house.agent) as agent, served.client(house.guest) as guest:
        cursor = {"number": 1, "tag": first.tag}
        await agent.watch(house.desk, cursor)
        await guest.watch(house.desk, cursor)
        await house.append(house.desk, secret, audience="staff")
        await house.append(house.desk, "bye")
        assert await agent.reach(house.desk, 5) == [2, 3, 4, 5]
        assert await guest.reach(house.desk, 5) == [2, 3, 4, 5]
        assert [frame["type"] for frame in agent.of(house.desk)] == ["event"] * 4
        assert [frame["type"] for frame in guest.of(house.desk)] == ["skip", "skip", "event"]
        assert [(f["from"], f["to"]) for f in guest.of(house.desk)[:2]] == [(2, 3), (4, 4)]
        assert secret not in str(guest.frames)


async def test_an_event_for_one_actor_is_skipped_by_the_others(served: Served) -> None:
    house = served.house
    async with served.client(house.anna) as anna, served.client(house.boris) as boris:
        await anna.watch(house.group)
        await boris.watch(house.group)
        await house.append(house.group, "psst", audience=str(house.anna.id))
        await anna.reach(house.group, 1)
        await boris.reach(house.group, 1)
        assert anna.of(house.group)[0]["type"] == "event"
        assert boris.of(house.group)[0]["type"] == "skip"


async def test_a_stranger_may_not_watch(served: Served) -> None:
    house = served.house
    async with served.client(house.boris) as client:
        for conversation in (house.desk, uuid7()):
            answer = await client.answer("watch", conversation_id=public_id("cnv", conversation))
            assert answer["error"]["code"] == "conversation_not_found"
        await house.append(house.desk)
        await client.ask("ping")
        assert not client.of(house.desk)


async def test_a_removed_member_is_told_gone_and_gets_nothing_more(served: Served) -> None:
    house = served.house
    async with served.client(house.anna) as anna, served.client(house.boris) as boris:
        await anna.watch(house.group)
        await boris.watch(house.group)
        await house.append(house.group, "both")
        await boris.reach(house.group, 1)
        await house.sql("DELETE FROM member WHERE actor_id = $1", house.boris.id)
        await house.personal(
            house.boris, "conversation.removed", {"conversation_id": public_id("cnv", house.group)}
        )
        for n in range(5):
            await house.append(house.group, f"without Boris {n}")
        await anna.reach(house.group, 6)
        await boris.until(lambda: boris.of(house.group)[-1]["type"] == "gone")
        await house.append(house.group, "and later")
        await anna.reach(house.group, 7)
        await boris.ask("ping")
        assert boris.numbers(house.group) == [1]
        assert "without Boris" not in str(boris.frames)


async def test_a_removed_member_leaves_the_room_at_the_event_itself(served: Served) -> None:
    """What tells them personally never comes here, as when the process that removed them dies after its commit."""
    house = served.house
    gone = {"member": {"actor": {"id": public_id("act", house.boris.id)}}, "member_count": 1}
    async with served.client(house.anna) as anna, served.client(house.boris) as boris:
        await anna.watch(house.group)
        await boris.watch(house.group)
        await house.append(house.group, "with Boris")
        await house.sql("DELETE FROM member WHERE actor_id = $1", house.boris.id)
        await house.append(house.group, kind="member.left", data=gone)
        for n in range(5):
            await house.append(house.group, f"without Boris {n}")
        await anna.reach(house.group, 7)
        await boris.until(lambda: any(frame["type"] == "gone" for frame in boris.of(house.group)))
        assert boris.numbers(house.group) == [1, 2]
        assert "without Boris" not in str(boris.frames)


async def test_a_member_taken_in_again_while_the_right_is_looked_at_is_not_told_gone(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = served.house
    told = {"conversation_id": public_id("cnv", house.group)}
    looks: list[View | None] = []

    async def look_slowly(tx: Tx, caller: Caller, conversation_id: UUID) -> View | None:
        looks.append(await find_view(tx, caller, conversation_id))
        if looks == [None]:
            await house.sql(
                "INSERT INTO member (workspace_id, conversation_id, actor_id, role) VALUES ($1, $2, $3, 'member')",
                house.workspace_id,
                house.group,
                house.boris.id,
            )
            await house.personal(house.boris, "conversation.added", told)
        return looks[-1]

    async with served.client(house.boris) as boris:
        await boris.watch(house.group)
        monkeypatch.setattr("parley.realtime.watching.find_view", look_slowly)
        await house.sql("DELETE FROM member WHERE actor_id = $1", house.boris.id)
        await house.personal(house.boris, "conversation.removed", told)
        async with asyncio.timeout(30):  # the second look sends no frame by which a client could know of it
            while len(looks) < 2 and not boris.of(house.group):
                await asyncio.sleep(0.01)
        await house.append(house.group, "welcome back")
        await boris.until(lambda: boris.of(house.group))
        assert [frame["type"] for frame in boris.of(house.group)] == ["event"]


async def test_a_right_that_stays_loses_nothing_while_it_is_looked_at(served: Served) -> None:
    house = served.house
    async with served.client(house.agent) as agent:
        await agent.watch(house.desk)
        for n in range(30):
            await house.append(house.desk, str(n))
            if n % 3 == 0:
                await house.personal(house.agent, "rights.changed")
        assert await agent.reach(house.desk, 30) == list(range(1, 31))


async def test_taking_the_inbox_away_ends_its_rooms_and_touches(served: Served) -> None:
    house = served.house
    async with served.client(house.agent) as agent:
        await agent.watch(house.desk)
        await agent.ask("watch_inboxes")
        touch = Touch(workspace_id=house.workspace_id, inbox_id=house.inbox, conversation_id=house.desk)
        house.runtime.bus.publish([touch])
        await agent.until(lambda: agent.frames[-1]["type"] == "touched")
        assert agent.frames[-1]["inbox_id"] == public_id("inb", house.inbox)
        assert agent.frames[-1]["conversation_id"] == public_id("cnv", house.desk)
        await house.sql("DELETE FROM inbox_member WHERE actor_id = $1", house.agent.id)
        await house.personal(house.agent, "rights.changed")
        house.runtime.bus.publish([touch])
        await house.append(house.desk, "unseen")
        await agent.until(lambda: agent.of(house.desk) and agent.of(house.desk)[-1]["type"] == "gone")
        house.runtime.bus.publish([touch])
        await agent.ask("ping")
        assert sum(frame["type"] == "touched" for frame in agent.frames) == 1
        assert not agent.numbers(house.desk)


async def test_an_inbox_given_later_is_watched_too(served: Served) -> None:
    house = served.house
    await house.sql("DELETE FROM inbox_member")
    touch = Touch(workspace_id=house.workspace_id, inbox_id=house.inbox, conversation_id=house.desk)
    async with served.client(house.agent) as agent:
        await agent.ask("watch_inboxes")
        await house.sql(
            "INSERT INTO inbox_member (workspace_id, inbox_id, actor_id) VALUES ($1, $2, $3)",
            house.workspace_id, house.inbox, house.agent.id,
        )  # fmt: skip
        await house.personal(house.agent, "rights.changed")
        async with asyncio.timeout(30):
            while agent.frames[-1]["type"] != "touched":
                house.runtime.bus.publish([touch])
                await asyncio.sleep(0.02)


async def test_a_lowered_role_counts_at_once(served: Served) -> None:
    house = served.house
    await house.sql("UPDATE actor SET role = 'admin' WHERE id = $1", house.boris.id)
    async with served.client(house.boris) as boris:
        await boris.watch(house.desk)
        await house.sql("UPDATE actor SET role = 'member' WHERE id = $1", house.boris.id)
        await house.personal(house.boris, "rights.changed")
        await house.append(house.desk, "unseen")
        await boris.until(lambda: boris.of(house.desk))
        assert [frame["type"] for frame in boris.of(house.desk)] == ["gone"]


@pytest.fixture
def quick_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are looked at more often than they are, which is within five seconds."""
    assert gateway.GUARD_SECONDS < 5
    monkeypatch.setattr(gateway, "GUARD_SECONDS", 0.2)


async def test_a_revoked_session_is_closed_soon(quick_guard: None, served: Served) -> None:
    house = served.house
    async with served.client(house.anna) as client:
        await client.watch(house.group)
        await house.sql("UPDATE session SET revoked_at = now() WHERE id = $1", house.anna.session_id)
        assert await client.closed() == 4001


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at sessions by the clock."""
    monkeypatch.setattr("parley.realtime.gateway.GUARD_SECONDS", 3600.0)


@pytest.mark.usefixtures("unguarded")
async def test_a_session_whose_end_the_bus_tells_is_closed_at_once(served: Served) -> None:
    house = served.house
    async with served.client(house.anna) as anna, served.client(house.boris) as boris:
        await house.sql("UPDATE session SET revoked_at = now()")
        forget_callers(house.runtime.db, session_id=house.anna.session_id)
        assert await anna.closed() == 4001
        await boris.ask("ping")  # his was ended as well, and nobody has said so
        forget_callers(house.runtime.db, actor_id=house.boris.id)
        assert await boris.closed() == 4001


async def test_a_token_that_expires_is_closed_unless_renewed(quick_guard: None, served: Served) -> None:
    house = served.house
    await house.sql(
        "UPDATE session SET access_expires_at = now() + interval '1 second' WHERE id = ANY($1)",
        [house.anna.session_id, house.boris.session_id],
    )
    async with served.client(house.anna) as anna, served.client(house.boris) as boris:
        await house.sql(
            "UPDATE session SET access_hash = sha256('at_fresh'), access_expires_at = now() + interval '1 hour' "
            "WHERE id = $1",
            house.boris.session_id,
        )
        await boris.ask("renew", token="at_fresh")
        assert await anna.closed() == 4001
        await asyncio.sleep(0)
        await boris.ask("ping")


async def test_a_token_of_another_actor_does_not_renew(served: Served) -> None:
    house = served.house
    async with served.client(house.anna) as client:
        answer = await client.answer("renew", token=house.boris.token)
        assert answer["error"]["code"] == "another_actor"


async def test_typing_is_shown_to_the_others_and_staffs_not_to_the_guest(served: Served) -> None:
    house = served.house
    async with (
        served.client(house.agent) as agent,
        served.client(house.agent) as agents_other,
        served.client(house.guest) as guest,
    ):
        admin = house.boris
        await house.sql("UPDATE actor SET role = 'admin' WHERE id = $1", admin.id)
        async with served.client(admin) as colleague:
            for client in (agent, agents_other, guest, colleague):
                await client.watch(house.desk)
            name = public_id("cnv", house.desk)
            await agent.ask("typing", conversation_id=name, is_on=True)
            await guest.ask("typing", conversation_id=name, is_on=False)
            await agent.until(lambda: agent.of(house.desk))
            await colleague.until(lambda: len(colleague.of(house.desk)) == 2)
            started, stopped = colleague.of(house.desk)
            assert (started["type"], started["kind"], started["actor_id"]) == (
                "signal", "typing.started", house.agent.public,
            )  # fmt: skip
            assert stopped["kind"] == "typing.stopped"
            for client in (agent, agents_other):
                await client.ask("ping")
                assert [frame["kind"] for frame in client.of(house.desk)] == ["typing.stopped"]
            await guest.ask("ping")
            assert not guest.of(house.desk)


async def test_typing_needs_a_watched_conversation(served: Served) -> None:
    house = served.house
    async with served.client(house.anna) as client:
        answer = await client.answer("typing", conversation_id=public_id("cnv", house.group), is_on=True)
        assert answer["error"]["code"] == "not_watched"
