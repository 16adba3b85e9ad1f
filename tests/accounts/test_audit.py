"""The audit: every act has words in both languages, and an entry says who did what to whom."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, get_args

import httpx2
import pytest

from parley.accounts.audit import AuditAction
from parley.kit.ids import public_id
from tests.accounts.place import Place
from tests.house import House

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
ACTIONS: tuple[str, ...] = get_args(AuditAction)


def words(language: str) -> dict[str, str]:
    """What the screens call the acts."""
    catalogue = json.loads((ROOT / "web" / "src" / "locales" / f"{language}.json").read_text("utf-8"))
    known: dict[str, str] = catalogue["audit"]["actions"]
    return known


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_act_has_words_and_every_word_an_act(language: str) -> None:
    known = words(language)
    assert set(known) == {action.replace(".", "_") for action in ACTIONS}
    assert all(text.strip() for text in known.values())
    assert len(set(known.values())) == len(known), "two acts that look the same"


def test_every_act_of_the_list_is_made_somewhere() -> None:
    made = {
        node.value
        for path in (ROOT / "src" / "parley").rglob("*.py")
        if path.name != "audit.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(ACTIONS) - made == set()


async def entries(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_an_entry_says_to_whom_it_was_done_by_the_name_they_have_now(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    body = {"name": "Anna", "email": "anna@example.org", "role": "agent"}
    anna = (await owner.post("/v1/users", json=body)).json()["user"]["id"]
    await owner.patch(f"/v1/users/{anna}", json={"name": "Anna Karenina", "is_deactivated": True})
    await owner.patch("/v1/workspace", json={"name": "Other"})
    renamed, changed, issued, invited = (await entries(owner))[:4]
    assert renamed["action"] == "workspace.renamed"
    assert renamed["about"] is None
    assert [one["action"] for one in (changed, issued, invited)] == [
        "user.changed",
        "invitation.issued",
        "user.invited",
    ]
    for one in (changed, issued, invited):
        assert one["about"] == {"id": anna, "kind": "user", "name": "Anna Karenina", "role": "agent"}


async def test_contacts_and_who_was_put_into_an_inbox_are_named_too(house: House) -> None:
    acme = await house.workspace("Acme")
    olga, boris = await acme.user("Olga", "owner"), await acme.user("Boris", "agent")
    room = await acme.room(await acme.inbox(), "Zoe")
    inbox, contact = public_id("inb", room.inbox_id), public_id("act", room.contact_id)
    async with house.client(olga) as client:
        assert (await client.put(f"/v1/inboxes/{inbox}/members/{boris.public}")).is_success
        assert (await client.patch(f"/v1/contacts/{contact}", json={"note": "n"})).is_success
        changed, added = (await entries(client))[:2]
    assert (changed["about"]["name"], changed["about"]["kind"]) == ("Zoe", "contact")
    assert (added["action"], added["about"]["name"]) == ("inbox.member_added", "Boris")
