"""Conversations are answered by those who work in the inbox: whoever does no more leaves them to nobody."""

from __future__ import annotations

from typing import cast

import pytest

from parley.apps.work import register_jobs
from parley.infra.jobs import JOBS
from tests.desk.scene import Desk, Json

pytestmark = pytest.mark.anyio


async def run_jobs(desk: Desk) -> None:
    """Do the jobs that are due."""
    worker = register_jobs(desk.house.runtime, desk.channels, cast("Json", None)).make_worker(desk.house.db)
    while claims := await desk.claim(JOBS):
        for claim in claims:
            await worker._handle(claim)
            async with desk.house.db.system() as tx:
                await JOBS.finish(tx, claim)


async def hand_over(desk: Desk, *chats: str) -> list[str]:
    """Give the conversations of these chats to Anna; return their paths."""
    paths = []
    for chat in chats:
        await desk.hear(desk.message(f"of {chat}", chat=chat))
        paths.append(f"/v1/desk/conversations/{(await desk.conversation(chat))['id']}")
        await desk.ask(desk.olga, "PATCH", paths[-1], {"assignee_id": desk.anna.public})
    return paths


async def lose_the_inbox(desk: Desk) -> None:
    path = f"/v1/inboxes/{desk.public_inbox}/members/{desk.anna.public}"
    await desk.ask(desk.olga, "DELETE", path, status=204)


async def lose_the_role(desk: Desk) -> None:
    await desk.ask(desk.olga, "PATCH", f"/v1/users/{desk.anna.public}", {"role": "member"})


async def lose_everything(desk: Desk) -> None:
    await desk.ask(desk.olga, "PATCH", f"/v1/users/{desk.anna.public}", {"is_deactivated": True})


@pytest.mark.parametrize("lose", [lose_the_inbox, lose_the_role, lose_everything])
async def test_whoever_works_there_no_more_leaves_the_conversations_to_nobody(desk: Desk, lose: Json) -> None:
    opened, resolved = await hand_over(desk, "1", "2")
    await desk.ask(desk.olga, "PATCH", resolved, {"status": "resolved"})
    token = (await desk.ask(desk.olga, "GET", "/v1/desk/conversations?status=all"))["token"]
    await lose(desk)
    await run_jobs(desk)
    assert (await desk.ask(desk.olga, "GET", opened))["assignee"] is None
    free = await desk.ask(desk.olga, "GET", "/v1/desk/conversations?assignee=none")
    assert [item["contact"]["address"] for item in free["items"]] == ["1"]
    changes = await desk.ask(desk.olga, "GET", f"/v1/desk/conversations/changes?since={token}")
    changed = {item["contact"]["address"]: item["assignee"] for item in changes["items"]}
    assert "1" in changed  # others may be told again: at least once
    assert changed["1"] is None
    told = await desk.house.sql(
        "SELECT data FROM event WHERE kind = 'conversation.assigned' AND actor_id IS NULL"
    )
    assert [row["data"] for row in told] == ['{"assignee": null}']
    # who answered a resolved one is history, until it is opened again
    assert (await desk.ask(desk.olga, "GET", resolved))["assignee"]["name"] == "Anna"
    await desk.hear(desk.message("again", chat="2"))
    shown = await desk.ask(desk.olga, "GET", resolved)
    assert (shown["status"], shown["assignee"]) == ("open", None)


async def test_whoever_gained_rights_keeps_the_conversations(desk: Desk) -> None:
    (opened,) = await hand_over(desk, "1")
    await desk.ask(desk.olga, "PATCH", f"/v1/users/{desk.anna.public}", {"role": "admin"})
    await lose_the_inbox(desk)
    await run_jobs(desk)
    assert (await desk.ask(desk.olga, "GET", opened))["assignee"]["name"] == "Anna"


async def test_many_are_released_batch_by_batch(desk: Desk) -> None:
    from parley.desk.assignment import release_assignments
    from parley.infra.jobs import Job

    paths = await hand_over(desk, "1", "2", "3")
    await lose_the_inbox(desk)
    (claim,) = await desk.claim(JOBS)
    job = Job(claim.id, "", claim.row["payload"], claim.workspace_id, 1, claim)
    await release_assignments(desk.house.db, job, limit=2)
    assert [(await desk.ask(desk.olga, "GET", path))["assignee"] for path in paths] == [None] * 3
