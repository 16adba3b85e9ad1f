"""The desk's lists: pages, and what changed since, whatever commits when."""

from __future__ import annotations

import asyncio
import random

import pytest

from parley.conversations import Draft, post_message
from parley.desk import lists as module
from parley.infra.db import Tx
from parley.kit.ids import parse_id
from tests.desk.scene import Desk, Json

pytestmark = pytest.mark.anyio


async def page(desk: Desk, query: str = "status=all") -> Json:
    return await desk.ask(desk.anna, "GET", f"/v1/desk/conversations?{query}")


async def changes(desk: Desk, token: str) -> Json:
    return await desk.ask(desk.anna, "GET", f"/v1/desk/conversations/changes?since={token}")


def chats(answer: Json) -> list[str]:
    return [item["contact"]["address"] for item in answer["items"]]


async def until_quiet(desk: Desk, token: str) -> str:
    """Ask until nothing is told: a change is told at least once, again while older transactions run anywhere."""
    for _ in range(200):
        answer = await changes(desk, token)
        token = answer["token"]
        if not answer["items"]:
            return token
        await asyncio.sleep(0.02)
    raise AssertionError("changes without end")


async def say(tx: Tx, desk: Desk, conversation: Json, text: str) -> None:
    """Post the customer's message in a transaction that stays open."""
    await post_message(
        tx,
        Draft(
            workspace_id=desk.place.id,
            conversation_id=parse_id("cnv", conversation["id"]),
            sender_id=parse_id("act", conversation["contact"]["id"]),
            text=text,
        ),
    )


async def test_pages_run_from_the_last_active_and_miss_none(desk: Desk) -> None:
    for n in range(7):
        await desk.hear(desk.message("1", chat=f"{n}"))
    await desk.hear(desk.message("2", "again", chat="3"))
    found, cursor = [], ""
    while True:
        answer = await page(desk, f"status=all&limit=3{cursor}")
        found += chats(answer)
        if not answer["next"]:
            break
        cursor = f"&cursor={answer['next']}"
    assert found == ["3", "6", "5", "4", "2", "1", "0"]


async def test_filters_and_counts_agree(desk: Desk) -> None:
    for n in range(4):
        await desk.hear(desk.message("1", chat=f"{n}"))
    ids = {item["contact"]["address"]: item["id"] for item in (await page(desk))["items"]}
    for chat, change in (
        ("0", {"status": "resolved"}),
        ("1", {"status": "pending"}),
        ("2", {"assignee_id": desk.anna.public}),
    ):
        await desk.ask(desk.anna, "PATCH", f"/v1/desk/conversations/{ids[chat]}", change)
    assert chats(await page(desk, "")) == ["3", "2"]
    assert chats(await page(desk, "assignee=me")) == ["2"]
    assert chats(await page(desk, "assignee=none")) == ["3"]
    assert chats(await page(desk, f"assignee={desk.anna.public}&status=all")) == ["2"]
    assert chats(await page(desk, "status=pending")) == ["1"]
    assert chats(await page(desk, f"status=resolved&inbox_id={desk.public_inbox}")) == ["0"]
    counts = await desk.ask(desk.anna, "GET", "/v1/desk/counts")
    assert {key: counts[key] for key in ("open", "pending", "snoozed", "resolved", "mine", "unassigned")} == {
        "open": 2, "pending": 1, "snoozed": 0, "resolved": 1, "mine": 1, "unassigned": 1
    }  # fmt: skip
    assert counts["inboxes"][desk.public_inbox]["open"] == 2


async def test_a_change_is_told_once_it_is_committed_though_others_committed_before(desk: Desk) -> None:
    for chat in ("a", "b"):
        await desk.hear(desk.message("1", chat=chat))
    a, b = await desk.conversation("a"), await desk.conversation("b")
    token = await until_quiet(desk, (await page(desk))["token"])
    async with desk.house.db.transaction(desk.place.id) as slow:
        await say(slow, desk, a, "slow")  # begins first, commits last
        async with desk.house.db.transaction(desk.place.id) as quick:
            await say(quick, desk, b, "quick")
        answer = await changes(desk, token)
        assert chats(answer) == ["b"]
        fresh = await page(desk)
        assert fresh["items"][0]["last_message"]["text"] == "quick"
    for later in (answer["token"], fresh["token"]):
        told = await changes(desk, later)
        assert "a" in chats(told)
        assert told["items"][chats(told).index("a")]["last_message"]["text"] == "slow"
    await until_quiet(desk, told["token"])


async def test_a_reader_of_changes_ends_where_the_list_is_whatever_commits_when(desk: Desk) -> None:
    for n in range(6):
        await desk.hear(desk.message("1", chat=f"{n}"))
    answer = await page(desk, "status=all&limit=100")
    shown = {item["id"]: item for item in answer["items"]}
    token, is_over = answer["token"], False

    async def writer(seed: int) -> None:
        chance = random.Random(seed)
        rows = list(shown.values())
        for n in range(25):
            async with desk.house.db.transaction(desk.place.id) as tx:
                await say(tx, desk, rows[chance.randrange(6)], f"{seed}/{n}")
                await asyncio.sleep(chance.choice([0, 0, 0.01]))

    async def reader() -> None:
        nonlocal token
        while not is_over:
            token = await apply()
            await asyncio.sleep(0.005)

    async def apply() -> str:
        told = await changes(desk, token)
        assert not told["reset"]
        shown.update({item["id"]: item for item in told["items"]})
        return str(told["token"])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reader())
        await asyncio.gather(*(writer(seed) for seed in range(5)))
        is_over = True
    await apply()
    fresh = {item["id"]: item for item in (await page(desk, "status=all&limit=100"))["items"]}
    assert shown == fresh
    assert sum(item["last_number"] for item in fresh.values()) == 6 + 5 * 25


async def test_too_many_changes_or_a_token_of_another_world_is_a_reset(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await page(desk))["token"]
    for n in range(3):
        await desk.hear(desk.message("1", chat=f"{n}"))
    assert len((await changes(desk, token))["items"]) == 3
    monkeypatch.setattr(module, "CHANGES_LIMIT", 2)
    assert (await changes(desk, token))["reset"] is True
    for nonsense in ("99999999999999", "-1", "x", "1e3", "٣"):
        answer = await changes(desk, nonsense)
        assert (answer["items"], answer["reset"]) == ([], True)


async def test_a_renamed_contact_is_told_to_the_lists_and_found_by_the_new_name(desk: Desk) -> None:
    await desk.hear(desk.message("1", chat="7"))
    first = await page(desk)
    conversation = first["items"][0]
    token = await until_quiet(desk, first["token"])
    contact = f"/v1/contacts/{conversation['contact']['id']}"
    await desk.ask(desk.anna, "PATCH", contact, {"name": "100% Зоя_К"})
    told = await changes(desk, token)
    assert [item["contact"]["name"] for item in told["items"]] == ["100% Зоя_К"]
    for words in ("зоя", "100%25", "_К"):
        assert chats(await page(desk, f"status=all&query={words}")) == ["7"], words
    for words in ("0_%25", "nobody", "%25%25"):
        assert chats(await page(desk, f"status=all&query={words}")) == [], words


async def test_ones_own_conversations_are_found_without_reading_those_of_others(desk: Desk) -> None:
    await desk.hear(desk.message("1"))
    mine = await desk.conversation()
    await desk.ask(
        desk.olga, "PATCH", f"/v1/desk/conversations/{mine['id']}", {"assignee_id": desk.anna.public}
    )
    await desk.house.sql(
        """WITH made AS (
            INSERT INTO conversation (workspace_id, id, kind, inbox_id)
            SELECT $1, gen_random_uuid(), 'desk', $2 FROM generate_series(1, 5000) RETURNING id
        ) INSERT INTO desk_conversation
            (workspace_id, conversation_id, inbox_id, contact_id, identity_id, status, active_at)
        SELECT $1, made.id, $2, d.contact_id, d.identity_id, 'resolved', now() FROM made, desk_conversation d""",
        desk.place.id,
        desk.inbox,
    )
    await desk.house.sql("ANALYZE desk_conversation")
    async with desk.house.db.transaction(desk.place.id) as tx:
        shown = await module.read_page(
            tx,
            desk.anna.caller,
            status=None,
            inbox_id=None,
            assignee="me",
            contact_id=None,
            cursor=None,
            limit=50,
        )
        read = await tx.fetchval(
            """SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables
            WHERE relname = 'desk_conversation'"""
        )
    assert [item.id for item in shown.items] == [mine["id"]]
    assert read < 50
