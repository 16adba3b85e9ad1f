"""Every route of the dialect, tried by those it is not for. A new one must be put into the table."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from parley.compat.chatapp.api import routes
from parley.kit.ids import public_id
from tests.compat.chatapp.conftest import ANNA, BORIS
from tests.compat.chatapp.place import Place, User

pytestmark = pytest.mark.anyio

PUBLIC = "whoever comes, without a token"
OWN = "everybody, about themselves and whom they may write to"
MEMBER = "members of the dialog"

CLASSES = {
    "POST /api/auth/request-code": PUBLIC,
    "POST /api/auth/verify-code": PUBLIC,
    "GET /health": PUBLIC,
    "GET /api/auth/me": OWN,
    "GET /api/users": OWN,
    "GET /api/users/{user_id}": OWN,
    "GET /api/dialogs": OWN,
    "POST /api/dialogs": OWN,
    "GET /api/dialogs/{dialog_id}": MEMBER,
    "DELETE /api/dialogs/{dialog_id}": MEMBER,
    "POST /api/dialogs/{dialog_id}/members": MEMBER,
    "DELETE /api/dialogs/{dialog_id}/members/{user_id}": MEMBER,
    "GET /api/messages/dialog/{dialog_id}": MEMBER,
    "POST /api/messages/dialog/{dialog_id}": MEMBER,
    "GET /api/messages/{message_id}": MEMBER,
    "POST /api/messages/{message_id}/status/{status}": MEMBER,
    "GET /api/messages/{message_id}/reactions": MEMBER,
    "POST /api/messages/{message_id}/reactions": MEMBER,
    "DELETE /api/messages/{message_id}/reactions/{reaction}": MEMBER,
}
SECRET = "among us alone"
HIDDEN = (SECRET, "Secret team", ANNA, BORIS)
LAST = ("DELETE /api/dialogs/{dialog_id}/members/{user_id}", "DELETE /api/dialogs/{dialog_id}")


def handlers() -> list[str]:
    """Every route, by method and path, as the handlers say."""
    return sorted(
        f"{method} {re.sub(r':str', '', path)}"
        for one in routes
        for path in one.paths
        for method in one.http_methods
        if method not in ("HEAD", "OPTIONS")
    )


def test_every_route_is_in_the_table() -> None:
    assert handlers() == sorted(CLASSES), "put a new route into CLASSES, and say who it is for"


@pytest.fixture
async def ids(anna: User, boris: User, carla: User) -> dict[str, str]:
    """What there is: Anna's dialog with Boris, her message there and his reaction to it."""
    dialog = await anna.dialog(boris, name="Secret team")
    message = await anna.say(dialog, SECRET)
    await boris.ask("POST", f"/api/messages/{message['_id']}/reactions", {"reaction": "+"})
    return {
        "dialog_id": dialog, "message_id": message["_id"], "user_id": boris.id, "status": "read", "reaction": "+",
    }  # fmt: skip


def bodies(ids: dict[str, str]) -> dict[str, Any]:
    """A body for every route that takes one."""
    return {
        "POST /api/auth/request-code": {"phone": "79990000009", "name": "N"},
        "POST /api/auth/verify-code": {"phone": "79990000009", "code": "1234"},
        "POST /api/dialogs": {"name": "N", "memberIds": [ids["user_id"]]},
        "POST /api/dialogs/{dialog_id}/members": {"userId": ids["user_id"]},
        "POST /api/messages/dialog/{dialog_id}": {"content": "intruding"},
        "POST /api/messages/{message_id}/reactions": {"reaction": "-"},
    }


async def request(place: Place, name: str, ids: dict[str, str], token: str | None) -> httpx2.Response:
    method, path = name.split(" ")
    url = re.sub(r"\{(\w+)\}", lambda part: quote(ids[part[1]], safe=""), path)
    return await place.ask(method, url, bodies(ids).get(name), token=token)


async def digest(place: Place) -> list[str]:
    """What there is of the workspace's conversations."""
    found = []
    for table in ("conversation", "member", "message", "reaction", "event"):
        rows = await place.house.sql(
            f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) AS told FROM {table} t WHERE workspace_id = $1",
            place.workspace.id,
        )
        found.append(str(rows[0]["told"]))
    return found


async def require_closed(place: Place, who: User, ids: dict[str, str], *, is_near: bool) -> None:
    """Fail unless whatever is the members' is refused, tells nothing and changes nothing. ``is_near``: a colleague."""
    before = await digest(place)
    for name, kind in CLASSES.items():
        if kind == PUBLIC or (name == "POST /api/dialogs" and is_near):
            continue
        answer = await request(place, name, ids, who.token)
        assert answer.status_code < 500, (name, answer.text)
        if kind == MEMBER:
            assert answer.status_code in (403, 404), (name, answer.status_code, answer.text)
            assert set(answer.json()) == {"success", "error"}
        told = answer.text.replace(who.phone, "")
        assert not [word for word in (*HIDDEN, *(() if is_near else ("Anna", "Boris"))) if word in told], name
    assert await digest(place) == before


async def test_nobody_gets_anywhere_but_through_the_public_doors(place: Place, ids: dict[str, str]) -> None:
    before = await digest(place)
    for name, kind in CLASSES.items():
        for token in (None, "x", "eyJx.y.z"):
            answer = await request(place, name, ids, token)
            assert answer.status_code < 500, name
            assert (answer.status_code == 401) == (kind != PUBLIC), (name, answer.text)
    assert await digest(place) == before


async def test_a_dialog_is_closed_to_who_is_not_in_it(place: Place, ids: dict[str, str], carla: User) -> None:
    await require_closed(place, carla, ids, is_near=True)


async def test_a_removed_member_is_a_stranger_at_once(
    place: Place, ids: dict[str, str], anna: User, boris: User
) -> None:
    path = f"/api/dialogs/{ids['dialog_id']}"
    assert (await boris.ask("GET", path)).status_code == 200
    assert (await anna.ask("DELETE", f"{path}/members/{boris.id}")).status_code == 200
    await require_closed(place, boris, {**ids, "user_id": anna.id}, is_near=True)


async def test_another_workspace_finds_nothing_and_changes_nothing(place: Place, ids: dict[str, str]) -> None:
    other = await place.house.workspace("Other")
    own = place.settings.chatapp_workspace
    place.use(chatapp_workspace=public_id("ws", other.id))
    intruder = await place.enter("79990000008", "Igor")
    place.use(chatapp_workspace=own)
    assert (await intruder.ask("GET", "/api/auth/me")).status_code == 200
    await require_closed(place, intruder, ids, is_near=False)


async def test_a_member_gets_through_everywhere(place: Place, ids: dict[str, str], anna: User) -> None:
    """So that the refusals above are refusals of rights, and not of the requests."""
    for name, kind in sorted(CLASSES.items(), key=lambda one: one[0] in LAST and LAST.index(one[0]) + 1):
        if kind != PUBLIC:
            answer = await request(place, name, ids, anna.token)
            assert answer.is_success, (name, answer.text)
