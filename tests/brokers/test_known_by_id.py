"""An application written for Chat3 reads on: its own binding, its own ids of people, whole objects in its shapes."""

from __future__ import annotations

from typing import Any

import pytest

from parley.brokers.shapes import EVENTS_EXCHANGE, UPDATES_EXCHANGE
from parley.conversations import editing, fields, members, reading
from parley.conversations.hiding import hide_message
from parley.kit.ids import parse_id, public_id
from tests.brokers.conftest import Listener, enable, listening, publishing
from tests.house import House, Person, Workspace
from tests.rabbitmq import RabbitMq

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("rabbitmq")]

UPDATE = {
    "_id", "tenantId", "userId", "dialogId", "entityId", "eventId", "eventType", "data", "published", "publishedAt",
    "createdAt",
}  # fmt: skip
DIALOG = {
    "_id", "dialogId", "tenantId", "name", "dialogName", "createdBy", "meta", "memberCount", "createdAt", "updatedAt",
}  # fmt: skip
MESSAGE = {
    "_id", "messageId", "tenantId", "dialogId", "senderId", "sender", "content", "type", "meta", "reactionCounts",
    "createdAt", "updatedAt",
}  # fmt: skip


async def name(house: House, person: Person, external_id: str) -> Person:
    await house.sql("UPDATE actor SET external_id = $2 WHERE id = $1", person.id, external_id)
    return person


@pytest.fixture
async def anna(house: House, acme: Workspace) -> Person:
    return await name(house, await acme.user("Anna"), "usr_anna0001")


@pytest.fixture
async def boris(house: House, acme: Workspace) -> Person:
    return await name(house, await acme.user("Boris"), "usr_boris002")


def of(listener: Listener, event_type: str) -> list[dict[str, Any]]:
    return [one.body for one in listener.heard if one.type == event_type]


async def test_a_consumer_with_the_binding_of_its_own_day_gets_whole_objects_in_order(
    house: House, acme: Workspace, rabbit: RabbitMq, anna: Person, boris: Person
) -> None:
    async with (
        listening(rabbit, UPDATES_EXCHANGE, "user.usr_boris002.*") as updates,
        publishing(house, rabbit.url, is_everyone=True, known_by_id=acme.id),
    ):
        group = await acme.open(anna, boris, title="Team")
        extra = {"fields": {"priority": "high"}, "chatapp": {"type": "note"}}
        sent = await acme.say(group, anna, "hello", extra=extra)
        message = parse_id("msg", sent.message.id)
        async with house.db.transaction(acme.id) as tx:
            await editing.add_reaction(tx, boris.caller, group, message, "+")
            await fields.set_fields(tx, anna.caller, group, {"topic": "x"})
        await updates.until(4)
        async with house.db.transaction(acme.id) as tx:
            await reading.mark_read(tx, boris.caller, group, 1)
        await updates.until(5)
        async with house.db.transaction(acme.id) as tx:
            await members.remove_member(tx, anna.caller, group, boris.id)
        told = await updates.until(6)
    assert [(one.routing_key, one.type) for one in told] == [
        ("user.usr_boris002.dialogupdate", "dialog.member.add"),
        ("user.usr_boris002.messageupdate", "message.create"),
        ("user.usr_boris002.messageupdate", "message.reaction.add"),
        ("user.usr_boris002.dialogupdate", "dialog.update"),
        ("user.usr_boris002.messageupdate", "message.status.update"),
        ("user.usr_boris002.dialogupdate", "dialog.member.remove"),
    ]
    assert [one.id for one in told] == [one.body["_id"] for one in told]
    for one in told:
        body, data = one.body, one.body["data"]
        assert set(body) == UPDATE
        assert (body["userId"], body["published"], one.headers["x-parley-ids"]) == (
            "usr_boris002", True, "external",
        )  # fmt: skip
        assert "act_" not in str(body)
        more = {
            "dialog.member.add": {"member"}, "dialog.member.remove": {"member"},
            "message.reaction.add": {"reaction"}, "message.status.update": {"userId", "status"},
        }  # fmt: skip
        whole = MESSAGE if one.type.startswith("message.") else DIALOG
        assert set(data) == whole | more.get(one.type, set())
        assert body["entityId"] == data["_id"] == (sent.message.id if whole is MESSAGE else body["dialogId"])
    [created], [reacted], [read] = (
        of(updates, f"message.{kind}") for kind in ("create", "reaction.add", "status.update")
    )
    assert created["data"]["sender"] == {"userId": "usr_anna0001", "name": "Anna"}
    assert [created["data"][key] for key in ("senderId", "content", "type", "meta")] == [
        "usr_anna0001", "hello", "note", {"priority": "high"},
    ]  # fmt: skip
    assert reacted["data"]["reaction"] == {"userId": "usr_boris002", "reaction": "+"}
    assert reacted["data"]["reactionCounts"] == {"+": 1}
    assert (read["data"]["userId"], read["data"]["status"], read["data"]["content"]) == (
        "usr_boris002", "read", "hello",
    )  # fmt: skip
    [changed], [removed] = of(updates, "dialog.update"), of(updates, "dialog.member.remove")
    assert changed["data"]["meta"] == {"type": "group", "topic": "x"}
    assert (changed["data"]["createdBy"], changed["data"]["name"]) == ("usr_anna0001", "Team")
    assert removed["data"]["member"] == {"userId": "usr_boris002", "name": "Boris", "role": "member"}


async def test_a_direct_dialog_is_called_by_the_name_of_the_other(
    house: House, acme: Workspace, rabbit: RabbitMq, anna: Person
) -> None:
    nora = await acme.user("Nora")
    async with (
        listening(rabbit, UPDATES_EXCHANGE, "user.#") as updates,
        publishing(house, rabbit.url, is_everyone=True, known_by_id=acme.id),
    ):
        await acme.open(anna, nora, kind="direct", title=None)
        # Anna's: creation, either's coming; Nora's: her own; each by either id
        await updates.until(8)
    [row] = await house.sql("SELECT external_id FROM actor WHERE id = $1", nora.id)
    # who had no id of this kind has one since, as when the application shows them
    assert row["external_id"].startswith("usr_")
    known = [one for one in updates.heard if one.headers.get("x-parley-ids") == "external"]
    assert {(one.body["userId"], one.type, one.body["data"]["name"]) for one in known} == {
        ("usr_anna0001", "dialog.create", "Nora"),
        ("usr_anna0001", "dialog.member.add", "Nora"),
        (row["external_id"], "dialog.member.add", "Anna"),
    }
    [created] = [one.body for one in known if one.type == "dialog.create"]
    assert set(created["data"]) == DIALOG
    assert created["data"]["meta"] == {"type": "p2p"}


async def test_only_the_workspace_of_the_application_goes_by_bare_ids_and_never_by_ours(
    house: House, acme: Workspace, rabbit: RabbitMq, anna: Person
) -> None:
    other = await house.workspace("Other")
    olga = await name(house, await other.user("Olga"), "usr_anna0001")
    thief = await name(house, await acme.user("Thief"), anna.public)
    dotted = await name(house, await acme.user("Dotted"), "shop.17")
    keys = ("user.usr_anna0001.*", f"user.{anna.public}.*", "user.shop%2E17.*")
    async with (
        listening(rabbit, UPDATES_EXCHANGE, *keys) as updates,
        publishing(house, rabbit.url, is_everyone=True, known_by_id=acme.id),
    ):
        await other.say(await other.open(olga), olga, "elsewhere")
        await acme.say(await acme.open(thief), thief, "not for Anna")
        await acme.say(await acme.open(dotted, title="Last"), dotted, "the last")
        # all of it is of Dotted's: creation, coming, message
        told = await updates.until(3)
    assert {one.routing_key for one in told} == {
        "user.shop%2E17.dialogupdate",
        "user.shop%2E17.messageupdate",
    }
    assert len(updates.heard) == 3


async def test_native_updates_keep_what_they_had_and_name_people_both_ways(
    house: House, acme: Workspace, rabbit: RabbitMq, anna: Person, boris: Person
) -> None:
    await enable(house, anna)
    async with (
        listening(rabbit, UPDATES_EXCHANGE, f"user.{anna.public}.*") as updates,
        listening(rabbit, EVENTS_EXCHANGE, "message.create.*") as events,
        publishing(house, rabbit.url),
    ):
        group = await acme.open(anna, boris, title="Team")
        sent = await acme.say(group, anna, "hello")
        async with house.db.transaction(acme.id) as tx:
            message = parse_id("msg", sent.message.id)
            await editing.add_reaction(tx, anna.caller, group, message, "+")
            await fields.set_fields(tx, anna.caller, group, {"topic": "x"})
        await updates.until(6)
        async with house.db.transaction(acme.id) as tx:
            await reading.mark_read(tx, boris.caller, group, 1)
        told = {one.type: one.body for one in await updates.until(7)}
        [event] = await events.until(1)
    assert event.body["actorExternalId"] == "usr_anna0001"
    message_keys = {
        "_id", "messageId", "tenantId", "dialogId", "senderId", "senderExternalId", "senderName", "content", "type",
        "meta", "reactionCounts", "quotedMessage", "attachments", "number", "clientId", "isDeleted", "createdAt",
        "updatedAt",
    }  # fmt: skip
    dialog_keys = {
        "_id", "dialogId", "tenantId", "name", "type", "createdBy", "createdByExternalId", "meta", "memberCount",
        "createdAt", "updatedAt",
    }  # fmt: skip
    person = {"userId", "externalId"}
    assert {kind: set(body["data"]) for kind, body in told.items()} == {
        "dialog.create": dialog_keys,
        "dialog.member.add": {"dialogId", *person, "name", "type", "role", "isActive", "joinedAt", "dialog"},
        "message.create": message_keys,
        "message.reaction.add": message_keys | person | {"reaction"},
        "dialog.update": dialog_keys | {"fields", "kind"},
        "message.status.update": message_keys | person | {"status", "readNumber"},
    }
    for body in told.values():
        assert set(body) == UPDATE | {"externalId"}
        assert (body["userId"], body["externalId"], body["published"]) == (anna.public, "usr_anna0001", True)
    assert set(told["dialog.member.add"]["data"]["dialog"]) == dialog_keys
    read = told["message.status.update"]["data"]
    assert (read["userId"], read["externalId"], read["senderId"]) == (
        boris.public,
        "usr_boris002",
        anna.public,
    )
    data = told["message.reaction.add"]["data"]
    assert (data["senderId"], data["senderExternalId"]) == (anna.public, "usr_anna0001")
    assert (data["userId"], data["externalId"], data["content"]) == (anna.public, "usr_anna0001", "hello")


async def test_what_somebody_deleted_for_themselves_is_not_told_them_again(
    house: House, acme: Workspace, rabbit: RabbitMq, anna: Person, boris: Person
) -> None:
    group = await acme.open(anna, boris)
    sent = await acme.say(group, anna, "swordfish")
    message = parse_id("msg", sent.message.id)
    async with house.db.transaction(acme.id) as tx:
        await hide_message(tx, boris.caller, group, message)
    async with house.db.transaction(acme.id) as tx:
        await editing.add_reaction(tx, anna.caller, group, message, "+")
    await acme.say(group, anna, "tuna")
    async with (
        listening(rabbit, UPDATES_EXCHANGE, "user.#") as updates,
        publishing(house, rabbit.url, is_everyone=True, known_by_id=acme.id),
    ):
        # by either id: to Anna creation, two who came, two messages, a reaction; to Boris his coming, one message, and
        # that the other is gone
        await updates.until(2 * (6 + 3))
    said = {
        who: [
            one.body["data"]["content"]
            for one in updates.heard
            if one.body["userId"] == who and "content" in one.body["data"]
        ]
        for who in (anna.public, boris.public, "usr_anna0001", "usr_boris002")
    }
    hers = ["swordfish", "swordfish", "tuna"]
    assert said == {
        anna.public: hers,
        "usr_anna0001": hers,
        boris.public: ["tuna", ""],
        "usr_boris002": ["tuna", ""],
    }


async def test_what_somebody_deletes_for_themselves_goes_from_their_other_programs_and_from_nobody_elses(
    house: House, acme: Workspace, rabbit: RabbitMq, anna: Person, boris: Person
) -> None:
    group = await acme.open(anna, boris)
    sent = await acme.say(group, anna, "swordfish", extra={"fields": {"kind": "fish"}})
    message = parse_id("msg", sent.message.id)
    async with (
        listening(rabbit, UPDATES_EXCHANGE, "user.#") as updates,
        listening(rabbit, EVENTS_EXCHANGE, "#") as events,
        publishing(house, rabbit.url, is_everyone=True, known_by_id=acme.id),
    ):
        async with house.db.transaction(acme.id) as tx:
            await editing.add_reaction(tx, anna.caller, group, message, "+")
        # by either id: to Anna creation, two who came, the message and its reaction; to Boris his coming and these two
        before = {one.id for one in await updates.until(2 * (5 + 3))}
        async with house.db.transaction(acme.id) as tx:
            await hide_message(tx, boris.caller, group, message)
            await members.remove_member(tx, boris.caller, group, boris.id)
        await updates.until(16 + 2 * 2 + 2)
        await acme.say(group, anna, "the end")
        told = [one for one in await updates.until(22 + 2) if one.id not in before]
        await events.until(7)
    assert [one.type for one in events.heard if one.type.startswith("message.")] == [
        "message.create", "message.reaction.add", "message.create",
    ]  # fmt: skip
    gone = {one.routing_key: one for one in told if one.type == "message.delete"}
    assert set(gone) == {f"user.{boris.public}.messageupdate", "user.usr_boris002.messageupdate"}
    assert len([one for one in told if one.type == "message.delete"]) == 2
    for one in gone.values():
        data = one.body["data"]
        assert one.headers["x-parley-kind"] == "message.hidden"
        assert (one.body["entityId"], one.body["dialogId"]) == (sent.message.id, public_id("cnv", group))
        assert (data["_id"], data["content"], data["isDeleted"]) == (sent.message.id, "", True)
        assert (data["meta"], data["reactionCounts"]) == ({}, {})
        assert "swordfish" not in str(one.body)
    known = gone["user.usr_boris002.messageupdate"].body
    assert (set(known), set(known["data"])) == (UPDATE, MESSAGE | {"isDeleted"})
    assert gone[f"user.{boris.public}.messageupdate"].body["data"]["senderId"] == anna.public


async def test_an_event_that_cannot_be_told_in_these_shapes_holds_nothing_up(
    house: House, acme: Workspace, rabbit: RabbitMq, anna: Person
) -> None:
    group = await acme.open(anna)
    await acme.say(group, anna, "spoilt", extra={"chatapp": {"type": 7}})
    await acme.say(group, anna, "sound")
    async with (
        listening(rabbit, UPDATES_EXCHANGE, "user.usr_anna0001.messageupdate") as updates,
        publishing(house, rabbit.url, is_everyone=True, known_by_id=acme.id),
    ):
        spoilt, sound = await updates.until(2)
    assert spoilt.body["data"] == {"dialogId": public_id("cnv", group), "unreadable": True}
    assert sound.body["data"]["content"] == "sound"
