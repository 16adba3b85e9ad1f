"""What is published, to whom, in which order, and what becomes of it when the broker is away. A real RabbitMQ."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from parley.brokers import connection
from parley.brokers.publishing import FOLLOWER
from parley.brokers.shapes import EVENTS_EXCHANGE, UPDATES_EXCHANGE
from parley.conversations import editing, fields, members, reading
from parley.kit.ids import parse_id, public_id
from tests.brokers.conftest import Heard, enable, listening, publishing
from tests.house import House, Workspace
from tests.programs import eventually
from tests.rabbitmq import PASSWORD, USER, RabbitMq

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("rabbitmq")]


def for_user(heard: list[Heard], public: str) -> list[str]:
    return [one.type for one in heard if one.body["userId"] == public]


async def test_a_conversations_life_is_told_in_order_by_the_names_of_chat3(
    house: House, acme: Workspace, rabbit: RabbitMq
) -> None:
    olga, anna = await acme.user("Olga"), await acme.user("Anna")
    workspace = public_id("ws", acme.id)
    async with (
        listening(rabbit, EVENTS_EXCHANGE, f"*.*.{workspace}") as events,
        publishing(house, rabbit.url),
    ):
        group = await acme.open(olga, title="Team")
        async with house.db.transaction(acme.id) as tx:
            await members.add_member(tx, olga.caller, group, anna.id, "member")
        sent = await acme.say(group, olga, "hello", extra={"fields": {"order": 7}})
        message = parse_id("msg", sent.message.id)
        async with house.db.transaction(acme.id) as tx:
            await editing.edit_message(tx, olga.caller, group, message, text="good morning", entities=[])
            await editing.add_reaction(tx, anna.caller, group, message, "+")
            await editing.remove_reaction(tx, anna.caller, group, message, "+")
            await fields.set_fields(tx, olga.caller, group, {"topic": "x"})
        await events.until(8)  # what is deleted before it was published is published without its words
        async with house.db.transaction(acme.id) as tx:
            await editing.delete_message(tx, olga.caller, group, message)
            await members.remove_member(tx, olga.caller, group, anna.id)
        told = await events.until(10)
    assert [(one.routing_key, one.type) for one in told] == [
        (f"dialog.create.{workspace}", "dialog.create"),
        (f"dialogMember.add.{workspace}", "dialog.member.add"),
        (f"dialogMember.add.{workspace}", "dialog.member.add"),
        (f"message.create.{workspace}", "message.create"),
        (f"message.update.{workspace}", "message.update"),
        (f"messageReaction.add.{workspace}", "message.reaction.add"),
        (f"messageReaction.remove.{workspace}", "message.reaction.remove"),
        (f"dialog.update.{workspace}", "dialog.update"),
        (f"message.delete.{workspace}", "message.delete"),
        (f"dialogMember.remove.{workspace}", "dialog.member.remove"),
    ]
    assert [one.headers["x-parley-number"] for one in told] == [1, *range(1, 10)]
    created = told[3].body
    assert created["eventId"] == told[3].id
    assert (created["tenantId"], created["dialogId"]) == (workspace, public_id("cnv", group))
    assert (created["actorId"], created["entityId"]) == (olga.public, sent.message.id)
    data = created["data"]
    assert (data["_id"], data["senderId"], data["content"]) == (sent.message.id, olga.public, "hello")
    assert (data["type"], data["meta"], data["reactionCounts"]) == ("text", {"order": 7}, {})


async def test_updates_go_to_members_with_an_integration_and_to_nobody_else(
    house: House, acme: Workspace, rabbit: RabbitMq
) -> None:
    olga, anna, boris = await acme.user("Olga"), await acme.user("Anna"), await acme.user("Boris")
    await enable(house, olga, anna)
    async with listening(rabbit, UPDATES_EXCHANGE, "user.#") as updates, publishing(house, rabbit.url):
        direct = await acme.open(olga, boris, kind="direct")
        other = await acme.open(olga, anna, boris)
        await acme.say(direct, boris, "to Olga")
        await acme.say(other, boris, "to all")
        async with house.db.transaction(acme.id) as tx:
            await reading.mark_read(tx, anna.caller, other, 1)
        # in the direct one: creation, two joins, a message; in the group: creation, 1 + 2 + 2 joins, 2, who read 2
        told = await updates.until(4 + 10)
    messages = [one for one in told if one.type == "message.create"]
    assert sorted((one.body["userId"], one.body["data"]["content"]) for one in messages) == sorted(
        [(olga.public, "to Olga"), (olga.public, "to all"), (anna.public, "to all")]
    )
    assert all(one.routing_key == f"user.{one.body['userId']}.messageupdate" for one in messages)
    assert {one.routing_key.rpartition(".")[2] for one in told if one.type.startswith("dialog.")} == {
        "dialogupdate"
    }
    assert boris.public not in {one.body["userId"] for one in told}
    read = [one for one in told if one.type == "message.status.update"]
    assert sorted(one.body["userId"] for one in read) == sorted([olga.public, anna.public])
    assert {(one.body["data"]["userId"], one.body["data"]["status"]) for one in read} == {
        (anna.public, "read")
    }
    assert {one.body["data"]["messageId"] for one in read} == {messages[-1].body["entityId"]}


async def test_a_removed_member_gets_the_removal_and_nothing_after_however_late_it_is_published(
    house: House, acme: Workspace, rabbit: RabbitMq
) -> None:
    olga, anna, late = await acme.user("Olga"), await acme.user("Anna"), await acme.user("Late")
    await enable(house, olga, anna, late)
    group = await acme.open(olga, anna)
    await acme.say(group, olga, "for Anna too")
    async with house.db.transaction(acme.id) as tx:
        await members.remove_member(tx, olga.caller, group, anna.id)
    await acme.say(group, olga, "without Anna")
    async with house.db.transaction(acme.id) as tx:
        await members.add_member(tx, olga.caller, group, late.id, "member")
    await acme.say(group, olga, "for Late")
    async with listening(rabbit, UPDATES_EXCHANGE, "user.#") as updates, publishing(house, rabbit.url):
        told = await updates.until(2 + 2 + 2 + 2 + 1 + 2 + 2)
    create, add = "dialog.create", "dialog.member.add"
    said = {
        person.public: [
            one.body["data"]["content"]
            for one in told
            if one.body["userId"] == person.public and one.type == "message.create"
        ]
        for person in (olga, anna, late)
    }
    assert said[olga.public] == ["for Anna too", "without Anna", "for Late"]
    assert said[anna.public] == ["for Anna too"]
    assert said[late.public] == ["for Late"]
    assert for_user(told, anna.public)[-1] == "dialog.member.remove"
    assert for_user(told, late.public) == [add, "message.create"]
    assert for_user(told, olga.public)[:3] == [create, add, add]


async def test_everybodys_updates_are_published_when_that_is_set(
    house: House, acme: Workspace, rabbit: RabbitMq
) -> None:
    olga, boris = await acme.user("Olga"), await acme.user("Boris")
    room = await acme.room(await acme.inbox(olga))
    async with (
        listening(rabbit, UPDATES_EXCHANGE, "user.*.messageupdate") as updates,
        publishing(house, rabbit.url, is_everyone=True),
    ):
        await acme.say(room.id, room.contact_id, "from outside")
        await acme.say(await acme.open(olga, boris), olga)
        told = await updates.until(2)
        await asyncio.sleep(0.3)
    assert sorted(one.body["userId"] for one in told) == sorted([olga.public, boris.public])
    assert len(updates.heard) == 2, "updates of the desk go to nobody"


async def test_a_consumer_binds_by_its_own_id_of_a_user_within_its_workspace(
    house: House, acme: Workspace, rabbit: RabbitMq
) -> None:
    olga, boris = await acme.user("Olga"), await acme.user("Boris")
    await enable(house, olga, boris)
    await house.sql("UPDATE actor SET external_id = 'shop.17' WHERE id = $1", olga.id)
    keys = f"workspace.{public_id('ws', acme.id)}.user.shop%2E17.*", f"user.{olga.public}.*"
    async with listening(rabbit, UPDATES_EXCHANGE, *keys) as updates, publishing(house, rabbit.url):
        await acme.say(await acme.open(olga, boris, kind="direct"), boris)
        told = await updates.until(4)
        await asyncio.sleep(0.3)
    assert {one.body["externalId"] for one in told} == {"shop.17"}
    assert len(updates.heard) == 4, "once, though the queue is bound by both"


async def test_one_process_publishes_at_a_time_and_another_takes_over(
    house: House, acme: Workspace, rabbit: RabbitMq
) -> None:
    olga = await acme.user("Olga")
    group = await acme.open(olga)
    async with listening(rabbit, EVENTS_EXCHANGE, "message.create.#") as events:
        async with publishing(house, rabbit.url) as first, publishing(house, rabbit.url):
            for number in range(20):
                await acme.say(group, olga, str(number))
            await events.until(20)
            first.stop()
            for number in range(20, 40):
                await acme.say(group, olga, str(number))
            await events.until(40)
        assert [one.body["data"]["content"] for one in events.heard] == [str(number) for number in range(40)]


async def test_what_happens_while_the_broker_is_away_is_published_when_it_is_back(
    house: House, acme: Workspace, rabbit: RabbitMq
) -> None:
    """The broker is killed, with what it had confirmed on its disk, and comes back."""
    olga = await acme.user("Olga")
    groups = [await acme.open(olga) for _ in range(3)]
    async with (
        listening(rabbit, EVENTS_EXCHANGE, "message.create.#") as events,
        publishing(house, rabbit.url),
    ):
        for number in range(30):
            await acme.say(groups[number % 3], olga, str(number))
        await events.until(10)
        await asyncio.to_thread(rabbit.kill)
        for number in range(30, 330):
            await acme.say(groups[number % 3], olga, str(number))
        await asyncio.to_thread(rabbit.start)
        told = await events.until(330, 60)
    for place in range(3):
        name = public_id("cnv", groups[place])
        said = [one.body["data"]["content"] for one in told if one.body["dialogId"] == name]
        assert said == [str(number) for number in range(place, 330, 3)]


async def test_a_broker_short_of_memory_is_waited_for(
    house: House, acme: Workspace, rabbit: RabbitMq, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONFIRM_SECONDS", 1.0)
    olga = await acme.user("Olga")
    group = await acme.open(olga)
    async with listening(rabbit, EVENTS_EXCHANGE, "message.create.#") as events:
        with structlog.testing.capture_logs() as logs:
            async with publishing(house, rabbit.url):
                await asyncio.to_thread(rabbit.control, "set_vm_memory_high_watermark", "0.0000001")
                try:
                    for number in range(10):
                        await acme.say(group, olga, str(number))
                    await eventually(lambda: _has(logs, "broker_silent"))
                finally:
                    await asyncio.to_thread(rabbit.control, "set_vm_memory_high_watermark", "0.4")
                told = await events.until(10, 60)
    assert [one.body["data"]["content"] for one in told] == [str(number) for number in range(10)]


async def test_a_wrong_password_is_said_and_the_password_is_not(
    house: House, acme: Workspace, rabbit: RabbitMq, capfd: pytest.CaptureFixture[str]
) -> None:
    with structlog.testing.capture_logs() as logs:
        for url in (
            rabbit.url_of(USER, "a-wrong-password-0815"),
            rabbit.url_of("nobody-here", PASSWORD),
            rabbit.url_of(USER, PASSWORD, path="/no-such-place"),
        ):
            logs.clear()
            async with publishing(house, url):
                await eventually(lambda: _has(logs, "broker_refused"))
        logs.clear()
        async with publishing(house, rabbit.url_of(USER, PASSWORD, port=1)):
            await eventually(lambda: _has(logs, "broker_away"))
        said = f"{logs}"
    told = said + "".join(capfd.readouterr())
    assert "0815" not in told
    assert PASSWORD not in told


async def test_what_nobody_listens_for_holds_nothing_up(
    house: House, acme: Workspace, rabbit: RabbitMq
) -> None:
    olga = await acme.user("Olga")
    async with publishing(house, rabbit.url):
        group = await acme.open(olga)
        for number in range(50):
            await acme.say(group, olga, str(number))

        async def is_read() -> bool:
            [row] = await house.sql(
                """SELECT count(*) FROM event e, follower f WHERE f.name = $1
                AND (e.transaction::text::bigint, e.number) > ((f.position -> 0 ->> 0)::bigint, (f.position -> 0 ->> 2)::bigint)""",
                FOLLOWER,
            )
            return bool(row["count"] == 0)

        await eventually(is_read)
        async with listening(rabbit, EVENTS_EXCHANGE, "message.create.#") as events:
            await acme.say(group, olga, "heard")

            async def is_heard() -> bool:
                return any(one.body["data"]["content"] == "heard" for one in events.heard)

            await eventually(is_heard)


async def test_an_event_that_cannot_be_told_holds_nothing_up(
    house: House, acme: Workspace, rabbit: RabbitMq
) -> None:
    olga = await acme.user("Olga")
    group = await acme.open(olga)
    await acme.say(group, olga, "spoilt")
    await acme.say(group, olga, "sound")
    await house.sql("""UPDATE event SET data = '{"message": {"id": 1}}' WHERE number = 2""")
    async with (
        listening(rabbit, EVENTS_EXCHANGE, "message.create.#") as events,
        publishing(house, rabbit.url),
    ):
        spoilt, sound = await events.until(2)
    assert spoilt.body["data"] == {"dialogId": public_id("cnv", group), "unreadable": True}
    assert sound.body["data"]["content"] == "sound"


async def test_many_are_told_of_much_in_pieces(house: House, acme: Workspace, rabbit: RabbitMq) -> None:
    """A group of 60 and 100 messages: 6000 updates, each once, each receiver's in order."""
    people = [await acme.user(f"User {number}") for number in range(60)]
    await enable(house, *people)
    group = await acme.open(*people)
    for number in range(100):
        await acme.say(group, people[0], str(number))
    keys = "user.*.messageupdate"
    async with listening(rabbit, UPDATES_EXCHANGE, keys) as updates, publishing(house, rabbit.url):
        told = await updates.until(6000, 60)
    assert len(updates.heard) == 6000
    for person in people:
        said = [one.body["data"]["content"] for one in told if one.body["userId"] == person.public]
        assert said == [str(number) for number in range(100)]


async def _has(logs: list[object], word: str) -> bool:
    return word in f"{logs}"


async def test_readers_of_a_broadcast_get_no_update_about_one_another(
    house: House, acme: Workspace, rabbit: RabbitMq
) -> None:
    olga, anna, boris = await acme.user("Olga"), await acme.user("Anna"), await acme.user("Boris")
    carla = await acme.user("Carla")
    await enable(house, olga, anna)
    channel = await acme.open(olga, anna, kind="broadcast")
    async with house.db.transaction(acme.id) as tx:
        await members.add_members(tx, olga.caller, channel, [boris.id, carla.id], None)
    await acme.say(channel, olga, "news")
    for reader in (anna, boris):
        async with house.db.transaction(acme.id) as tx:
            await reading.mark_read(tx, reader.caller, channel, 1)
    async with house.db.transaction(acme.id) as tx:
        await members.remove_member(tx, carla.caller, channel, carla.id)
    add, remove, read = "dialog.member.add", "dialog.member.remove", "message.status.update"
    async with listening(rabbit, UPDATES_EXCHANGE, "user.#") as updates, publishing(house, rabbit.url):
        # creation, four joins, a message, two who read, one who left; to Anna what is of herself, and the message
        told = await updates.until(9 + 3)
    of_others = (boris.public, carla.public)
    of_anna = [one for one in told if one.body["userId"] == anna.public]
    assert sorted(one.type for one in of_anna) == sorted([add, "message.create", read])
    assert not [one for one in of_anna if any(other in str(one.body) for other in of_others)]
    about = [one for one in for_user(told, olga.public) if one != "message.create"]
    assert sorted(about) == sorted(["dialog.create", *[add] * 4, remove, read, read])
