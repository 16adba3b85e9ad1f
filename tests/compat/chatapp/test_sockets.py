"""The dialect over Socket.IO: its events by name, in its shapes, to those they are for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import socketio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from parley.compat.chatapp import sockets
from parley.compat.chatapp.people import UserIds
from parley.compat.chatapp.tokens import read_token
from parley.compat.chatapp.updates import Updates
from parley.conversations.hiding import hide_message
from parley.kit.ids import parse_id, public_id
from tests.compat.chatapp.place import Ear, Json, Place, User, listen
from tests.socketio_client import SocketIoClient, nothing_left_to_collect

__all__ = ["nothing_left_to_collect"]

pytestmark = [
    pytest.mark.anyio,
    # python-socketio's own client leaves its aiohttp connections to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def test_a_message_comes_as_an_update_and_by_its_name(anna: User, boris: User, url: str) -> None:
    dialog = await anna.dialog(boris)
    async with listen(url, anna, boris) as (a, b):
        sent = await anna.say(dialog, "hello", meta={"priority": "high"})
        await asyncio.gather(*(ear.until(lambda ear=ear: ear.of("message:new")) for ear in (a, b)))
        message = b.of("message:new")[0]
        assert message["_id"] == message["messageId"] == sent["_id"]
        assert {key: message[key] for key in ("dialogId", "senderId", "content", "type", "meta")} == {
            "dialogId": dialog, "senderId": anna.id, "content": "hello", "type": "text",
            "meta": {"priority": "high"},
        }  # fmt: skip
        update = b.updates("message.create")[0]
        assert update["data"] == message
        assert (update["userId"], update["dialogId"], update["entityId"]) == (boris.id, dialog, sent["_id"])
        assert set(update) == {
            "_id", "tenantId", "userId", "dialogId", "entityId", "eventId", "eventType", "data", "published",
            "publishedAt", "createdAt",
        }  # fmt: skip
        assert a.updates("message.create")[0]["userId"] == anna.id
        assert a.updates("message.create")[0]["_id"] != update["_id"]
        assert [event for event, _ in b.heard if event != "user:online"] == ["chat3:update", "message:new"]


async def test_reactions_and_reading_come_as_updates_of_the_whole_message(
    anna: User, boris: User, url: str
) -> None:
    dialog = await anna.dialog(boris)
    first = await anna.say(dialog, "one")
    second = await anna.say(dialog, "two")
    async with listen(url, anna, boris) as (a, b):
        await boris.ask("POST", f"/api/messages/{first['_id']}/reactions", {"reaction": "👍"})
        await a.until(lambda: a.of("message:update"))
        update = a.of("message:update")[0]
        assert update["eventType"] == "message.reaction.add"
        assert (update["data"]["_id"], update["data"]["reactionCounts"]) == (first["_id"], {"👍": 1})
        assert update["data"]["reaction"] == {"userId": boris.id, "reaction": "👍"}

        await boris.ask("POST", f"/api/messages/{second['_id']}/status/read")
        for ear in (a, b):  # the sender, and the reader's own other windows
            await ear.until(lambda ear=ear: len(ear.updates("message.status.update")) == 2)
            told = {
                one["data"]["messageId"]: (
                    one["data"]["userId"],
                    one["data"]["status"],
                    one["data"]["statuses"],
                )
                for one in ear.updates("message.status.update")
            }
            expected = (boris.id, "read", [{"userId": boris.id, "status": "read"}])
            assert told == {first["_id"]: expected, second["_id"]: expected}

        third = await anna.say(dialog, "three")
        await boris.ask("POST", f"/api/messages/{third['_id']}/status/read")
        await a.until(lambda: len(a.updates("message.status.update")) == 3)
        assert a.updates("message.status.update")[2]["data"]["messageId"] == third["_id"]


async def test_what_somebody_deleted_for_themselves_is_not_brought_back_to_them(
    place: Place, anna: User, boris: User, url: str
) -> None:
    dialog = await anna.dialog(boris)
    before, live = await anna.say(dialog, "swordfish"), await anna.say(dialog, "swordfish again")
    told = await anna.say(dialog, "tuna")
    caller = (await read_token(place.house.runtime, boris.token)).caller

    async def hide(message: Json) -> None:
        async with place.house.db.transaction(caller.workspace_id) as tx:
            await hide_message(tx, caller, parse_id("cnv", dialog), parse_id("msg", message["_id"]))

    await hide(before)
    async with listen(url, anna, boris, boris) as (a, *windows):
        await hide(live)
        for ear in windows:
            await ear.until(lambda ear=ear: ear.updates("message.delete"))
            [gone] = ear.updates("message.delete")
            assert (gone["entityId"], gone["data"]["content"]) == (live["_id"], "")
            assert {**gone["data"], "updatedAt": ""} == {
                **{key: value for key, value in live.items() if key not in ("context", "statuses")},
                "content": "", "isDeleted": True, "updatedAt": "",
            }  # fmt: skip
            ear.heard.clear()
        for message in (before, live):
            url_of = f"/api/messages/{message['_id']}/reactions"
            assert (await anna.ask("POST", url_of, {"reaction": "+"})).status_code == 200
        await boris.ask("POST", f"/api/messages/{told['_id']}/status/read")
        await a.until(lambda: len(a.updates("message.status.update")) == 3)
        assert len(a.updates("message.reaction.add")) == 2
        await anna.say(dialog, "the end")
        for ear in windows:
            await ear.until(lambda ear=ear: ear.of("message:new"))
            assert [one["entityId"] for one in ear.updates("message.status.update")] == [told["_id"]]
            assert not [one for one in ear.heard if "swordfish" in str(one) or before["_id"] in str(one)]
            assert not [one for one in ear.heard if live["_id"] in str(one)]


async def test_a_direct_dialog_is_called_by_the_name_of_the_other_on_either_side(
    place: Place, anna: User, url: str
) -> None:
    nora = await place.workspace.user("Nora")
    await place.house.sql("UPDATE actor SET external_id = 'usr_nora1234' WHERE id = $1", nora.id)
    actor = await place.actor(anna)
    async with listen(url, anna) as (a,), place.house.client(nora) as client:
        made = await client.post(
            "/v1/conversations", json={"kind": "direct", "members": [public_id("act", actor)]}
        )
        dialog = made.json()["id"]
        update = (await a.until(lambda: a.updates("dialog.create")))[0]
        listed = (await anna.get("/api/dialogs"))["data"][0]
        assert update["data"]["name"] == update["data"]["dialogName"] == listed["name"] == "Nora"
        updates = Updates(place.house.db, UserIds(place.house.db))
        found = await updates.of_dialog(place.workspace.id, dialog, "dialog.update", event_id="1")
        assert [one.told_to(nora.id, "usr_nora1234")["data"]["name"] for one in found] == ["Anna"]


async def test_a_dialog_made_grown_and_left_is_told_to_those_in_it(
    anna: User, boris: User, carla: User, url: str
) -> None:
    async with listen(url, anna, boris, carla) as (a, b, c):
        dialog = await anna.dialog(boris)
        await anna.say(dialog, "at once")
        for ear in (a, b):
            await ear.until(lambda ear=ear: ear.updates("dialog.create"))
            await ear.until(lambda ear=ear: ear.of("message:new"))
            assert ear.updates("dialog.create")[0]["data"]["name"] == "Team"
            assert [one["content"] for one in ear.of("message:new")] == ["at once"]
        await c.silence()
        assert c.heard == []

        await anna.ask("POST", f"/api/dialogs/{dialog}/members", {"userId": carla.id})
        await anna.say(dialog, "welcome")
        await c.until(lambda: c.of("message:new"))
        assert [one["content"] for one in c.of("message:new")] == ["welcome"]
        assert [one["eventType"] for one in c.of("dialog:update")] == ["dialog.member.add"]
        await b.until(
            lambda: [u for u in b.updates("dialog.member.add") if u["data"]["member"]["userId"] == carla.id]
        )

        await anna.ask("DELETE", f"/api/dialogs/{dialog}/members/{carla.id}")
        await c.until(lambda: c.updates("dialog.member.remove"))
        await anna.say(dialog, "among ourselves")
        await b.until(lambda: [one for one in b.of("message:new") if one["content"] == "among ourselves"])
        await c.silence()
        assert [one["content"] for one in c.of("message:new")] == ["welcome"]

        await anna.ask("DELETE", f"/api/dialogs/{dialog}")
        await b.until(lambda: b.updates("dialog.delete"))


async def test_typing_is_told_in_the_rooms_of_those_who_are_members(
    anna: User, boris: User, carla: User, url: str
) -> None:
    dialog = await anna.dialog(boris)
    async with listen(url, anna, boris, carla) as (a, b, c):
        await c.client.emit("dialog:join", dialog)
        await b.client.emit("dialog:join", dialog)
        await b.client.emit("dialog:join", "nonsense")
        await b.client.emit("dialog:join", {"a": 1})
        await asyncio.sleep(0.1)
        for _ in range(5):  # at every key
            await a.client.emit("typing:start", {"dialogId": dialog})
        await b.until(lambda: b.of("typing:start"))
        await a.client.emit("typing:stop", {"dialogId": dialog})
        await b.until(lambda: b.of("typing:stop"))
        assert b.of("typing:start") == [{"userId": anna.id, "userName": "Anna", "dialogId": dialog}]
        assert b.of("typing:stop") == [{"userId": anna.id, "dialogId": dialog}]
        await c.client.emit("typing:start", {"dialogId": dialog})
        await b.client.emit("dialog:leave", dialog)
        await asyncio.sleep(0.1)
        await a.client.emit("typing:start", {"dialogId": dialog})
        await b.silence()
        assert len(b.of("typing:start")) == 1
        assert c.of("typing:start") == a.of("typing:start") == []


@pytest.mark.parametrize(
    ("event", "is_own"),
    [("dialog:leave", True), ("dialog:join", True), ("dialog:join", False), ("typing:start", False),
     ("typing:stop", True), ("nonsense", True)],
)  # fmt: skip
async def test_more_than_120_events_a_minute_of_any_kind_close_the_connection(
    anna: User, boris: User, url: str, event: str, is_own: bool
) -> None:
    dialog = await (anna if is_own else boris).dialog()
    async with listen(url, anna) as (a,):
        given = {"dialogId": dialog} if event.startswith("typing") else dialog
        for _ in range(100):
            await a.client.emit(event, given)
        await a.silence()
        assert a.client.connected
        # a join elsewhere is a watch, of which a client has 500 free; two a second are earned meanwhile
        at_once = 40 if is_own or event != "dialog:join" else 640
        async with asyncio.timeout(60):
            while a.client.connected:
                for _ in range(at_once):
                    if a.client.connected:
                        await a.client.emit(event, given)
                await asyncio.sleep(0.2)


async def test_typing_at_every_key_and_joining_every_dialog_closes_nothing(
    anna: User, boris: User, url: str
) -> None:
    dialogs = [await anna.dialog(boris) for _ in range(3)]
    async with listen(url, anna, boris) as (a, b):
        for dialog in dialogs:
            await b.client.emit("dialog:join", dialog)
        await asyncio.sleep(0.1)
        for _ in range(200):
            await a.client.emit("typing:start", {"dialogId": dialogs[0]})
        await a.client.emit("typing:stop", {"dialogId": dialogs[0]})
        await b.until(lambda: b.of("typing:stop"))
        assert a.client.connected
        assert b.client.connected


async def test_an_event_of_more_than_64_kb_closes_the_connection(anna: User, url: str) -> None:
    address = url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    for size, code in ((60_000, None), (66_000, 1009)):
        async with connect(address) as raw:
            await raw.recv()
            await raw.send("40" + json.dumps({"token": anna.token}))
            assert str(await raw.recv())[:2] == "40"
            await raw.send("42" + json.dumps(["dialog:join", "x" * size]))
            if code is None:
                await asyncio.wait_for(await raw.ping(), 30)
            else:
                await asyncio.wait_for(raw.wait_closed(), 30)
                assert raw.close_code == code


async def test_presence_is_told_to_those_who_share_a_dialog_and_counts_windows(
    place: Place, anna: User, boris: User, carla: User, url: str
) -> None:
    await anna.dialog(boris)
    async with listen(url, anna, carla) as (a, c):
        async with listen(url, boris, boris) as (b, _):
            await a.until(lambda: a.of("user:online"))
            assert a.of("user:online") == [{"userId": boris.id, "userName": "Boris"}]
            await b.until(lambda: b.of("user:online"))
            assert b.of("user:online") == [{"userId": anna.id, "userName": "Anna"}]
            await b.client.disconnect()
            await a.silence()
            assert a.of("user:offline") == []
        await a.until(lambda: a.of("user:offline"))
        assert a.of("user:offline") == [{"userId": boris.id}]
        assert c.heard == []


async def test_the_native_side_and_this_one_are_one_conversation(place: Place, anna: User, url: str) -> None:
    nora = await place.workspace.user("Nora")
    actor = await place.actor(anna)
    async with place.house.client(nora) as client:
        made = await client.post(
            "/v1/conversations", json={"kind": "direct", "members": [public_id("act", actor)]}
        )
        dialog = made.json()["id"]
        listed = (await anna.get("/api/dialogs"))["data"]
        assert [(one["dialogId"], one["name"], one["meta"]) for one in listed] == [
            (dialog, "Nora", {"type": "p2p"})
        ]
        async with listen(url, anna) as (a,):
            await client.post(
                f"/v1/conversations/{dialog}/messages", json={"client_id": "1", "text": "natively"}
            )
            message = (await a.until(lambda: a.of("message:new")))[0]
            assert message["content"] == "natively"
            assert message["sender"]["name"] == "Nora"
            assert message["senderId"].startswith("usr_")
            path = f"/v1/conversations/{dialog}/messages/{message['_id']}"
            await client.patch(path, json={"text": "edited"})
            await a.until(lambda: a.updates("message.update"))
            assert a.updates("message.update")[0]["data"]["content"] == "edited"
            await client.delete(path)
            await a.until(lambda: a.updates("message.delete"))
            assert a.updates("message.delete")[0]["data"]["content"] == ""
        await anna.say(dialog, "from there", type="note", meta={"k": 1})
        history = (await client.get(f"/v1/conversations/{dialog}/messages")).json()["items"]
        assert history[-1]["text"] == "from there"
        assert history[-1]["extra"]["fields"] == {"k": 1}


@pytest.fixture
def quick_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are looked at more often than they are."""
    monkeypatch.setattr("parley.realtime.gateway.GUARD_SECONDS", 0.1)


async def test_a_token_of_somebody_deactivated_is_good_for_nothing_soon(
    quick_guard: None, place: Place, anna: User, boris: User, url: str
) -> None:
    admin = await place.workspace.user("Olga", "owner")
    dialog = await anna.dialog(boris)
    async with listen(url, boris) as (b,):
        over = asyncio.Event()
        b.client.on("disconnect", lambda _reason: over.set())
        async with place.house.client(admin) as client:
            actor = public_id("act", await place.actor(boris))
            answer = await client.patch(f"/v1/users/{actor}", json={"is_deactivated": True})
            assert answer.status_code == 200
        async with asyncio.timeout(30):
            await over.wait()
    answer = await boris.ask("GET", f"/api/dialogs/{dialog}")
    assert (answer.status_code, answer.json()) == (401, {"success": False, "error": "Invalid token"})
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with listen(url, boris):
            pass
    assert (await anna.ask("POST", "/api/dialogs", {"name": "N", "memberIds": [boris.id]})).status_code == 404


async def test_what_is_no_token_is_refused_with_its_words(url: str) -> None:
    refused: list[Any] = []
    client = SocketIoClient()
    client.on("connect_error", refused.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(url, auth={"token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"}, transports=["websocket"])
    await asyncio.sleep(0.05)
    assert refused[0]["message"] == "Authentication failed"


async def test_a_session_of_ours_speaks_our_way_beside_it(place: Place, anna: User, url: str) -> None:
    nora = await place.workspace.user("Nora")
    ear = Ear(User(place, "", "", "Nora", nora.token))
    await ear.client.connect(url, auth={"token": nora.token}, transports=["websocket"])
    await ear.client.emit("typing:start", {"dialogId": "x"})
    await ear.until(lambda: ear.of("frame"))
    await ear.client.disconnect()
    await asyncio.sleep(0.05)


@pytest.fixture
def origins(place: Place) -> str:
    """Pages of another origin are listed."""
    place.use(chatapp_origins="https://chat.example.org, http://localhost:5173")
    return "https://chat.example.org"


async def test_pages_of_listed_origins_may_use_the_routes_and_others_may_not(
    place: Place, origins: str
) -> None:
    asking = {"Origin": origins, "Access-Control-Request-Method": "POST"}
    preflight = await place.ask("OPTIONS", "/api/auth/request-code", headers=asking)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == origins
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    answer = await place.ask("GET", "/health", headers={"Origin": origins})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origins)
    refused = await place.ask("GET", "/api/auth/me", headers={"Origin": origins})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, origins)
    for foreign in (
        "https://evil.example.org",
        "http://chat.example.org",
        "null",
        "https://chat.example.org:8443",
    ):
        answer = await place.ask("GET", "/health", headers={"Origin": foreign})
        assert answer.status_code == 403
        assert answer.json()["success"] is False
        assert "access-control-allow-origin" not in answer.headers
    own = await place.ask("GET", "/health", headers={"Origin": "http://127.0.0.1:8000"})
    assert own.status_code == 200


async def test_sockets_from_listed_origins_speak_this_dialect_alone(
    place: Place, origins: str, anna: User, url: str
) -> None:
    nora = await place.workspace.user("Nora")
    address = url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    with pytest.raises(InvalidStatus):
        async with connect(address, origin="https://evil.example.org"):  # type: ignore[arg-type]
            pass
    for token, answer in ((anna.token, "40"), (nora.token, "44")):
        async with connect(address, origin=origins) as raw:  # type: ignore[arg-type]
            await raw.recv()
            await raw.send("40" + json.dumps({"token": token}))
            assert str(await raw.recv())[:2] == answer


async def test_a_client_that_does_not_read_is_let_go_and_keeps_nobody_waiting(
    anna: User, boris: User, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.realtime.session.RESYNC_BACKLOG_BYTES", 30_000)
    monkeypatch.setattr("parley.compat.chatapp.frame_queue.CONGESTED_BYTES", 1000)
    dialog = await anna.dialog(boris)
    async with listen(url, boris) as (b,):
        queues: list[Any] = []
        ended = asyncio.Event()
        b.client.on("disconnect", lambda _reason: ended.set())
        original = sockets.ChatGuest._tell

        async def stuck(self: Any, frame: Any) -> None:
            queues.append(frame)
            await asyncio.sleep(3600)

        monkeypatch.setattr(sockets.ChatGuest, "_tell", stuck)
        for _ in range(20):
            await anna.say(dialog, "x" * 4000)
        async with asyncio.timeout(30):
            await ended.wait()
        monkeypatch.setattr(sockets.ChatGuest, "_tell", original)
    async with listen(url, boris) as (b,):
        await anna.say(dialog, "back")
        await b.until(lambda: b.of("message:new"))


async def test_who_cannot_be_let_into_a_dialog_comes_again_instead_of_missing_it(
    place: Place, anna: User, boris: User, url: str
) -> None:
    dialog = await anna.dialog()
    async with listen(url, boris) as (b,):
        await place.house.sql("REVOKE SELECT ON event FROM parley_app")
        try:
            added = await anna.ask("POST", f"/api/dialogs/{dialog}/members", {"userId": boris.id})
            assert added.status_code == 200, added.text
            await b.until(lambda: b.updates("dialog.member.add"))
            await b.until(lambda: not b.client.connected)
        finally:
            await place.house.sql("GRANT SELECT ON event TO parley_app")
    async with listen(url, boris) as (b,):
        await anna.say(dialog, "hello")
        await b.until(lambda: b.of("message:new"))
