"""Every route of the dialect: bodies, envelopes, status codes, and who is kept out."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from parley.accounts import record_personal
from parley.conversations import drafts_store
from parley.kit.ids import parse_id
from tests.compat.chatapp.place import Json, Place, User

pytestmark = pytest.mark.anyio

LONG = "x" * 5000


def refusal(error: str) -> Json:
    return {"success": False, "error": error}


async def test_signing_up_gives_a_token_and_a_user_id_that_stays(place: Place) -> None:
    asked = await place.ask("POST", "/api/auth/request-code", {"phone": "79990000001", "name": "Anna"})
    assert asked.status_code == 200
    assert asked.json() == {"success": True, "message": "Verification code sent", "isNewUser": False}
    code = await place.code("79990000001")
    assert re.fullmatch("[0-9]{4}", code)
    verified = await place.ask("POST", "/api/auth/verify-code", {"phone": "79990000001", "code": code})
    assert verified.status_code == 200
    body = verified.json()
    assert set(body) == {"success", "token", "user"}
    assert body["user"] == {"userId": body["user"]["userId"], "phone": "79990000001", "name": "Anna"}
    assert re.fullmatch("usr_[a-z0-9]{8}", body["user"]["userId"])
    me = await place.ask("GET", "/api/auth/me", token=body["token"])
    assert me.json() == {"success": True, "user": body["user"]}
    again = await place.enter("79990000001", "Somebody else")
    assert (again.id, again.name) == (body["user"]["userId"], "Anna")


SIGN_IN_REFUSALS: list[tuple[str, Any, str]] = [
    ("request-code", {}, "Phone number is required"),
    ("request-code", {"phone": "89990000001"}, "Invalid phone format. Expected: 79XXXXXXXXX"),
    ("request-code", {"phone": "+79990000001"}, "Invalid phone format. Expected: 79XXXXXXXXX"),
    ("request-code", {"phone": "79990000001\n"}, "Invalid phone format. Expected: 79XXXXXXXXX"),
    ("request-code", {"phone": 79990000001}, "Invalid request"),
    ("request-code", [], "Invalid request"),
    ("verify-code", {"phone": "79990000001"}, "Phone and code are required"),
    ("verify-code", {"code": "1234"}, "Phone and code are required"),
    ("verify-code", {"phone": "7999", "code": "1234"}, "Invalid phone format. Expected: 79XXXXXXXXX"),
    ("verify-code", {"phone": "79990000009", "code": "1234"}, "Invalid or expired verification code"),
]


async def test_whatever_sign_in_refuses_is_400(place: Place) -> None:
    for route, body, error in SIGN_IN_REFUSALS:
        answer = await place.ask("POST", f"/api/auth/{route}", body)
        assert (answer.status_code, answer.json()) == (400, refusal(error)), body
    for content in (b"{", b"\xff", b'"' * 3, b"[" * 50_000, b'{"phone": "\\ud800"}', b""):
        answer = await place.ask("POST", "/api/auth/request-code", content=content)
        assert answer.status_code == 400, content
        assert answer.json()["success"] is False
    answer = await place.ask("POST", "/api/auth/request-code", content=b" " * 200_000)
    assert (answer.status_code, answer.json()) == (413, refusal("Request is too large"))


ROUTES = [
    ("GET", "/api/auth/me", None),
    ("GET", "/api/users", None),
    ("GET", "/api/users/{other}", None),
    ("GET", "/api/dialogs", None),
    ("POST", "/api/dialogs", {"name": "N"}),
    ("GET", "/api/dialogs/{dialog}", None),
    ("DELETE", "/api/dialogs/{dialog}", None),
    ("POST", "/api/dialogs/{dialog}/members", {"userId": "{other}"}),
    ("DELETE", "/api/dialogs/{dialog}/members/{other}", None),
    ("GET", "/api/messages/dialog/{dialog}", None),
    ("POST", "/api/messages/dialog/{dialog}", {"content": "c"}),
    ("GET", "/api/messages/{message}", None),
    ("POST", "/api/messages/{message}/status/read", None),
    ("POST", "/api/messages/{message}/status/delivered", None),
    ("GET", "/api/messages/{message}/reactions", None),
    ("POST", "/api/messages/{message}/reactions", {"reaction": "👍"}),
    ("DELETE", "/api/messages/{message}/reactions/👍", None),
]
OF_A_DIALOG = [route for route in ROUTES if "{dialog}" in route[1] or "{message}" in route[1]]


NO_TOKENS: list[tuple[dict[str, str], str]] = [
    ({}, "No token provided"),
    ({"Authorization": "Basic YTpi"}, "No token provided"),
    ({"Authorization": "Bearer nonsense"}, "Invalid token"),
    ({"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOiJ1c3JfYSJ9."}, "Invalid token"),
]


async def test_without_a_token_everything_is_401(place: Place) -> None:
    for method, path, body in ROUTES:
        for header, error in NO_TOKENS:
            answer = await place.ask(method, path, body, headers=header)
            assert (answer.status_code, answer.json()) == (401, refusal(error)), (method, path)


async def test_a_stranger_finds_none_of_a_dialog(anna: User, boris: User, carla: User) -> None:
    dialog = await anna.dialog(boris)
    message = await anna.say(dialog, "hello")
    for method, path, body in OF_A_DIALOG:
        where = path.format(dialog=dialog, message=message["_id"], other=boris.id)
        told = {"userId": carla.id} if body and "userId" in body else body
        answer = await carla.ask(method, where, told)
        expected = "Message not found" if "{message}" in path else "Dialog not found"
        assert (answer.status_code, answer.json()) == (404, refusal(expected)), (method, path)
    assert (await anna.get(f"/api/messages/{message['_id']}"))["message"]["reactionCounts"] == {}
    assert (await carla.get("/api/dialogs"))["data"] == []


async def test_a_dialog_or_message_that_is_none_is_404(anna: User) -> None:
    for bad in ("x", "cnv_", "dlg_01234567890123456789", "cnv_" + "0" * 26, "%00"):
        for path in (f"/api/dialogs/{bad}", f"/api/messages/dialog/{bad}"):
            assert (await anna.ask("GET", path)).json() == refusal("Dialog not found")
        answer = await anna.ask("GET", f"/api/messages/{bad.replace('cnv', 'msg')}")
        assert (answer.status_code, answer.json()) == (404, refusal("Message not found"))


async def test_a_user_id_that_nobody_can_have_is_404(anna: User) -> None:
    dialog = await anna.dialog()
    for method, path, body in (
        ("GET", "/api/users/%00", None),
        ("GET", f"/api/users/{LONG}", None),
        ("POST", "/api/dialogs", {"name": "N", "memberIds": ["\0"]}),
        ("POST", f"/api/dialogs/{dialog}/members", {"userId": "usr\0"}),
    ):
        answer = await anna.ask(method, path, body)
        assert (answer.status_code, answer.json()) == (404, refusal("User not found")), (method, path[:20])
    assert (await anna.ask("DELETE", f"/api/dialogs/{dialog}/members/%00")).status_code == 200


async def test_users_are_found_by_name_and_their_numbers_are_their_own(
    anna: User, boris: User, carla: User
) -> None:
    everybody = await anna.get("/api/users")
    assert [one["name"] for one in everybody["data"]] == ["Boris", "Carla"]
    assert everybody["total"] == 2
    assert {one["phone"] for one in everybody["data"]} == {""}
    for search, names in (("OR", ["Boris"]), (".*", []), ("%", []), ("7999", []), ("", ["Boris", "Carla"])):
        found = await anna.get(f"/api/users?search={search.replace('%', '%25')}")
        assert [one["name"] for one in found["data"]] == names, search
    assert len((await anna.get("/api/users?limit=1"))["data"]) == 1
    assert (await anna.get(f"/api/users/{boris.id}"))["data"]["phone"] == ""
    mine = (await anna.get(f"/api/users/{anna.id}"))["data"]
    assert (mine["userId"], mine["phone"], mine["name"]) == (anna.id, anna.phone, "Anna")
    answer = await anna.ask("GET", "/api/users/usr_00000000")
    assert (answer.status_code, answer.json()) == (404, refusal("User not found"))


async def test_a_dialog_is_created_listed_and_shown(anna: User, boris: User) -> None:
    answer = await anna.ask("POST", "/api/dialogs", {"name": "Диалог с Борисом", "memberIds": [boris.id]})
    assert answer.status_code == 201
    assert answer.json()["success"] is True
    made = answer.json()["data"]
    assert made["name"] == made["dialogName"] == "Диалог с Борисом"
    assert made["_id"] == made["dialogId"]
    assert made["createdBy"] == anna.id
    assert {member["userId"] for member in made["members"]} == {anna.id, boris.id}
    assert (made["unreadCount"], made["isActive"], made["lastMessageAt"]) == (0, True, None)
    assert "lastMessage" not in made
    shown = await boris.get(f"/api/dialogs/{made['dialogId']}")
    assert shown["dialog"]["dialogId"] == made["dialogId"]
    sent = await anna.say(made["dialogId"], "hello")
    listed = await boris.get("/api/dialogs?page=1&limit=10&includeLastMessage=true")
    assert listed["pagination"] == {"page": 1, "limit": 10, "total": 1, "pages": 1}
    row = listed["data"][0]
    assert (row["dialogId"], row["unreadCount"]) == (made["dialogId"], 1)
    assert row["lastMessage"] == {
        "messageId": sent["messageId"], "content": "hello", "senderId": anna.id, "type": "text",
        "createdAt": row["lastMessageAt"],
    }  # fmt: skip
    assert "lastMessage" not in (await boris.get("/api/dialogs"))["data"][0]


async def test_dialogs_are_paged_by_number_most_lately_spoken_in_first(anna: User) -> None:
    made = [await anna.dialog(name=f"D{n}") for n in range(7)]
    await anna.say(made[2], "up")
    pages = [await anna.get(f"/api/dialogs?page={page}&limit=3") for page in (1, 2, 3, 4)]
    ids = [row["dialogId"] for page in pages for row in page["data"]]
    assert ids == [made[2], *[made[n] for n in (6, 5, 4, 3, 1, 0)]]
    assert [len(page["data"]) for page in pages] == [3, 3, 1, 0]
    assert pages[0]["pagination"] == {"page": 1, "limit": 3, "total": 7, "pages": 3}
    assert (await anna.get("/api/dialogs?page=999999&limit=100"))["data"] == []


BAD_REQUESTS: list[tuple[str, str, Any, str]] = [
    ("POST", "/api/dialogs", {}, "Dialog name is required"),
    ("POST", "/api/dialogs", {"name": ""}, "Dialog name is required"),
    ("POST", "/api/dialogs", {"name": "x" * 201}, "Dialog name has 1 to 200 characters"),
    ("POST", "/api/dialogs", {"name": "   "}, "Dialog name has 1 to 200 characters"),
    ("POST", "/api/dialogs", {"name": "\x00"}, "Dialog name has 1 to 200 characters"),
    ("POST", "/api/dialogs", {"name": "\x01\x7f\u202e"}, "Dialog name has 1 to 200 characters"),
    ("POST", "/api/dialogs", {"name": "N", "memberIds": "x"}, "Invalid request"),
    ("POST", "/api/dialogs", {"name": 5}, "Invalid request"),
    ("POST", "/api/dialogs/{dialog}/members", {}, "User ID is required"),
    ("POST", "/api/messages/dialog/{dialog}", {}, "Message content is required"),
    ("POST", "/api/messages/dialog/{dialog}", {"content": ""}, "Message content is required"),
    ("POST", "/api/messages/dialog/{dialog}", {"content": LONG}, "Message content has 4096 characters at the most"),
    ("POST", "/api/messages/dialog/{dialog}", {"content": "x", "type": "a b"}, "Invalid request"),
    ("POST", "/api/messages/dialog/{dialog}", {"content": "x", "meta": []}, "Invalid request"),
    ("POST", "/api/messages/dialog/{dialog}", {"content": "", "meta": {"url": 5}}, "Message content is required"),
    ("POST", "/api/messages/{message}/status/seen", None, 'Invalid status. Must be "read" or "delivered"'),
    ("POST", "/api/messages/{message}/reactions", {}, "Reaction is required"),
    ("POST", "/api/messages/{message}/reactions", {"reaction": " "}, "Reaction is required"),
    ("POST", "/api/messages/{message}/reactions", {"reaction": "x" * 40}, "Reaction has 32 characters at the most"),
    ("GET", "/api/dialogs?page=0", None, "Invalid request"),
    ("GET", "/api/dialogs?page=x", None, "Invalid request"),
    ("GET", "/api/messages/dialog/{dialog}?limit=-1", None, "Invalid request"),
]  # fmt: skip


async def test_what_a_request_lacks_is_said_with_400(anna: User, boris: User) -> None:
    dialog = await anna.dialog(boris)
    message = await anna.say(dialog, "hello")
    for method, path, body, error in BAD_REQUESTS:
        answer = await anna.ask(method, path.format(dialog=dialog, message=message["_id"]), body)
        assert (answer.status_code, answer.json()) == (400, refusal(error)), (path, body)
    for meta in ({"a b": 1}, {"a": "\x00"}, {"a": "x" * 9000}, {"a": [[[[[[1]]]]]]}):
        answer = await anna.ask("POST", f"/api/messages/dialog/{dialog}", {"content": "x", "meta": meta})
        assert answer.status_code in (400, 413), meta
        assert answer.json()["success"] is False
    assert (await anna.get(f"/api/messages/dialog/{dialog}"))["pagination"]["total"] == 1


async def test_an_unknown_route_is_404(place: Place) -> None:
    for method, path in (
        ("GET", "/api"), ("GET", "/api/nothing"), ("POST", "/api/auth/me"), ("PUT", "/api/dialogs"),
        ("GET", "/api/auth"),
    ):  # fmt: skip
        answer = await place.ask(method, path)
        assert (answer.status_code, answer.json()) == (404, refusal("Route not found"))


async def test_health_is_said_without_a_token(place: Place) -> None:
    body = (await place.ask("GET", "/health")).json()
    assert body["status"] == "ok"
    assert set(body) == {"status", "timestamp", "environment"}


async def test_members_come_and_go_by_the_rights_of_the_house(anna: User, boris: User, carla: User) -> None:
    dialog = await anna.dialog(boris)
    members = f"/api/dialogs/{dialog}/members"
    added = await anna.ask("POST", members, {"userId": carla.id})
    assert (added.status_code, added.json()) == (200, {"success": True, "message": "Member added"})
    assert (await anna.ask("POST", members, {"userId": carla.id})).status_code == 200
    assert (await anna.ask("POST", members, {"userId": "usr_00000000"})).status_code == 404
    assert (await boris.ask("DELETE", f"{members}/{carla.id}")).status_code == 403
    removed = await anna.ask("DELETE", f"{members}/{boris.id}")
    assert (removed.status_code, removed.json()) == (200, {"success": True, "message": "Member removed"})
    assert (await boris.ask("GET", f"/api/dialogs/{dialog}")).status_code == 404
    assert (await carla.ask("DELETE", f"{members}/{carla.id}")).status_code == 200
    assert (await carla.get("/api/dialogs"))["data"] == []
    shown = (await anna.get(f"/api/dialogs/{dialog}"))["dialog"]
    assert [member["userId"] for member in shown["members"]] == [anna.id]


async def test_an_owner_deletes_a_dialog_for_everybody(anna: User, boris: User) -> None:
    dialog = await anna.dialog(boris)
    await anna.say(dialog, "hello")
    assert (await boris.ask("DELETE", f"/api/dialogs/{dialog}")).status_code == 403
    deleted = await anna.ask("DELETE", f"/api/dialogs/{dialog}")
    assert (deleted.status_code, deleted.json()) == (200, {"success": True, "message": "Dialog deleted"})
    for user in (anna, boris):
        assert (await user.ask("GET", f"/api/dialogs/{dialog}")).status_code == 404
        assert (await user.get("/api/dialogs"))["pagination"]["total"] == 0


async def test_messages_are_sent_paged_and_read(anna: User, boris: User) -> None:
    dialog = await anna.dialog(boris)
    answer = await anna.ask(
        "POST", f"/api/messages/dialog/{dialog}", {"content": "one", "meta": {"priority": "normal"}}
    )
    assert answer.status_code == 201
    body = answer.json()
    assert (body["success"], body["message"], set(body)) == (
        True,
        body["data"],
        {"success", "message", "data"},
    )
    sent = body["message"]
    assert sent["_id"] == sent["messageId"]
    assert (sent["dialogId"], sent["senderId"], sent["content"]) == (dialog, anna.id, "one")
    assert (sent["type"], sent["meta"], sent["reactionCounts"]) == ("text", {"priority": "normal"}, {})
    assert sent["statuses"] == [{"userId": boris.id, "status": "unread"}]
    for content in ("two", "three", "four", "five"):
        await anna.say(dialog, content)
    pages = [await boris.get(f"/api/messages/dialog/{dialog}?page={page}&limit=2") for page in (1, 2, 3, 4)]
    assert [[one["content"] for one in page["data"]] for page in pages] == [
        ["five", "four"], ["three", "two"], ["one"], [],
    ]  # fmt: skip
    assert pages[0]["pagination"] == {"page": 1, "limit": 2, "total": 5, "pages": 3}
    third = pages[1]["data"][0]
    assert third["context"] == {
        "userId": boris.id, "isMine": False, "myStatus": "unread", "myReaction": None,
    }  # fmt: skip
    read = await boris.ask("POST", f"/api/messages/{third['_id']}/status/read")
    assert (read.status_code, read.json()) == (200, {"success": True, "message": "Status updated"})
    delivered = await boris.ask("POST", f"/api/messages/{pages[0]['data'][0]['_id']}/status/delivered")
    assert delivered.json() == {"success": True, "message": "Status updated"}
    assert (await boris.get("/api/dialogs"))["data"][0]["unreadCount"] == 2
    seen = (await anna.get(f"/api/messages/dialog/{dialog}"))["data"]
    assert [one["statuses"][0]["status"] for one in seen] == ["unread", "unread", "read", "read", "read"]


async def test_a_picture_by_address_needs_no_content(anna: User, boris: User) -> None:
    dialog = await anna.dialog(boris)
    meta = {"url": "https://example.org/cat.png"}
    sent = await anna.say(dialog, "", type="image", meta=meta)
    assert (sent["content"], sent["type"], sent["meta"]) == ("", "image", meta)
    shown = (await boris.get(f"/api/messages/{sent['_id']}"))["message"]
    assert (shown["content"], shown["type"], shown["meta"]) == ("", "image", meta)


async def test_a_send_repeated_with_its_key_is_one_message(anna: User, boris: User) -> None:
    dialog = await anna.dialog(boris)
    path, key = f"/api/messages/dialog/{dialog}", {"Idempotency-Key": "1"}
    sent = [await anna.ask("POST", path, {"content": "once"}, headers=key) for _ in range(2)]
    assert sent[0].json()["message"]["_id"] == sent[1].json()["message"]["_id"]
    assert (await anna.get(path))["pagination"]["total"] == 1
    bad = await anna.ask("POST", path, {"content": "once"}, headers={"Idempotency-Key": "x" * 129})
    assert bad.status_code == 400


async def test_a_user_has_one_reaction_to_a_message(anna: User, boris: User) -> None:
    dialog = await anna.dialog(boris)
    message = await anna.say(dialog, "hello")
    path = f"/api/messages/{message['_id']}/reactions"
    added = await boris.ask("POST", path, {"reaction": "👍"})
    assert (added.status_code, added.json()) == (200, {"success": True, "message": "Reaction added"})
    await boris.ask("POST", path, {"reaction": "🔥"})
    await anna.ask("POST", path, {"reaction": "🔥"})
    found = (await anna.get(path))["reactions"]
    assert found["counts"] == {"🔥": 2}
    assert {(one["userId"], one["reaction"]) for one in found["reactions"]} == {
        (anna.id, "🔥"),
        (boris.id, "🔥"),
    }
    shown = (await boris.get(f"/api/messages/{message['_id']}"))["message"]
    assert (shown["reactionCounts"], shown["context"]["myReaction"]) == ({"🔥": 2}, "🔥")
    removed = await boris.ask("DELETE", f"{path}/🔥")
    assert (removed.status_code, removed.json()) == (200, {"success": True, "message": "Reaction removed"})
    assert (await boris.ask("DELETE", f"{path}/🔥")).status_code == 200
    assert (await anna.get(path))["reactions"]["counts"] == {"🔥": 1}


async def test_a_dialog_is_deleted_while_one_of_its_members_keeps_a_draft(
    place: Place, anna: User, boris: User
) -> None:
    dialog = await anna.dialog(boris)
    key, actor_id = parse_id("cnv", dialog), await place.actor(boris)
    async with place.house.db.transaction(place.workspace.id) as tx:
        await drafts_store.hold_member(tx, key, actor_id)
        deletion = asyncio.create_task(anna.ask("DELETE", f"/api/dialogs/{dialog}"))
        await asyncio.sleep(0.3)
        assert not deletion.done()
        await record_personal(tx, place.workspace.id, actor_id, "draft.changed", {"conversation_id": dialog})
    answer = await deletion
    assert answer.status_code == 200, answer.text


async def test_a_reader_of_a_broadcast_is_shown_who_writes_alone(
    anna: User, boris: User, carla: User
) -> None:
    dialog_id = await anna.dialog(boris, carla)
    key = parse_id("cnv", dialog_id)
    await anna.place.house.sql("UPDATE conversation SET kind = 'broadcast' WHERE id = $1", key)
    await anna.place.house.sql(
        "UPDATE member SET role = 'reader' WHERE conversation_id = $1 AND role <> 'owner'", key
    )
    await anna.say(dialog_id, "news")
    for user, names in ((anna, {"Anna", "Boris", "Carla"}), (boris, {"Anna", "Boris"})):
        shown = (await user.get(f"/api/dialogs/{dialog_id}"))["data"]
        assert ({one["name"] for one in shown["members"]}, shown["memberCount"]) == (names, 3)
        [message] = (await user.get(f"/api/messages/dialog/{dialog_id}"))["data"]
        assert carla.id in str(message) if user is anna else carla.id not in str(message)
