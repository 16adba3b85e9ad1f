"""Old snapshot + events = fresh snapshot over live sockets, for every kind of event and every reader of a whole server."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from parley.desk.statuses import wake_snoozed
from parley.kit.events import CONVERSATION_KINDS, PERSONAL_KINDS
from tests.copies import APPLIERS
from tests.crowd import Crowd, Places, open_crowd, tomorrow
from tests.programs import eventually
from tests.replica import until_equal

pytestmark = pytest.mark.anyio

Json = Any
BOLD = [{"kind": "bold", "offset": 0, "length": 1}]
SECRETS = ("kept of a note", "he is a bore", "he is tedious", "\U0001f44e", "note of anna")
"""Words and marks that only notes carry here."""

MEANT_FOR_ALL_AT_THE_DESK = {
    "message.created", "message.updated", "message.deleted", "message.pinned", "message.unpinned", "reaction.added",
    "reaction.removed",
}  # fmt: skip
"""Kinds that the contact is told: the rest are of groups or for staff only."""
PAGES = [(f"page {n}.txt", f"page {n}".encode(), "text/plain") for n in (1, 2)]


def test_a_client_knows_every_kind_of_event() -> None:
    assert set(APPLIERS) == set(CONVERSATION_KINDS)


async def test_old_snapshot_and_events_make_a_fresh_snapshot_for_every_kind_and_reader(
    tmp_path: Path, database_url: str
) -> None:
    async with open_crowd(tmp_path, database_url) as crowd:
        guest = crowd.replicas["guest"]
        guest.heard = []
        places = await crowd.open_places()
        before = {one.name: one.snapshots for one in crowd.replicas.values()}
        for step in [*at_the_desk(crowd, places), *in_a_group(crowd, places)]:
            await step()
            await until_equal(list(crowd.replicas.values()), places.all)
        await crowd.require_equal(places)
        told = {entry.kind for one in crowd.replicas.values() for entry in one.journal} - {"skip"}
        assert told == {*CONVERSATION_KINDS, *PERSONAL_KINDS}, "a kind of event without a step here"
        guest_told = {entry.kind for entry in guest.journal if entry.stream == places.desk} - {"skip"}
        assert guest_told == MEANT_FOR_ALL_AT_THE_DESK
        # by events alone: a new snapshot only for who was away from a conversation, and came back
        renewed = {name: crowd.replicas[name].snapshots - count for name, count in before.items()}
        assert renewed == {"olga": 0, "anna": 0, "boris": 1, "mia": 1, "guest": 0}
        require_silence_of_notes(crowd, places)


def require_silence_of_notes(crowd: Crowd, places: Places) -> None:
    """The contact's view was told numbers, and nothing of what they stood for: dense, and skipped as any other."""
    guest, olga = crowd.replicas["guest"], crowd.olga
    assert guest.heard is not None
    notes = [one for one in olga.state(places.desk)["messages"].values() if one["kind"] == "note"]
    assert notes
    heard = "\n".join(guest.heard)
    traces = [*SECRETS, '"note"', '"queued"', '"sent"', "assignee", *(note["id"] for note in notes)]
    assert [trace for trace in traces if trace in heard] == []
    state = guest.state(places.desk)
    assert (state["inbox_id"], state["desk"]) == (None, None)
    assert state["last_number"] == olga.state(places.desk)["last_number"]
    open_to_all = [one for one in olga.state(places.desk)["messages"].values() if one["kind"] != "note"]
    assert list(state["messages"].values()) == [{**one, "status": None} for one in open_to_all]


def at_the_desk(crowd: Crowd, places: Places) -> list[Callable[[], Awaitable[object]]]:
    """Steps in a desk conversation, note by note and word by word."""
    messages = f"/v1/conversations/{places.desk}/messages"
    desk = f"/v1/desk/conversations/{places.desk}"
    ids: dict[str, str] = {}

    async def say(name: str, key: str, text: str, **more: Json) -> None:
        made = await act(crowd, name, "POST", messages, {"client_id": key, "text": text, **more})
        ids[key] = made["id"]

    def reaction(name: str, method: str, key: str, emoji: str) -> Awaitable[object]:
        return act(crowd, name, method, f"{messages}/{ids[key]}/reactions/{quote(emoji)}")

    async def settle() -> None:
        await crowd.site.until_settled(places.desk)

    async def hear(files: int) -> None:
        """A customer's file, or an album, arrives bit by bit."""
        places.written += 1
        await places.chat.send_files("document", PAGES[:files])

        async def has_arrived() -> bool:
            last = list(crowd.olga.state(places.desk)["messages"].values())[-1]
            return [one["state"] for one in last["attachments"]] == ["ready"] * files

        await eventually(has_arrived)

    async def hear_and_hear_better() -> None:
        places.written += 1
        said = await places.chat.write("where is it")
        await places.chat.edit(said["message_id"], "where is it?")

        async def is_edited() -> bool:
            last = list(crowd.olga.state(places.desk)["messages"].values())[-1]
            return bool(last["text"] == "where is it?")

        await eventually(is_edited)

    async def sleep_and_wake() -> None:
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
        await act(crowd, "anna", "PATCH", desk, {"status": "snoozed", "snoozed_until": soon.isoformat()})
        await asyncio.sleep(1.1)
        assert await wake_snoozed(crowd.place.house.db) == 1

    return [
        lambda: say("anna", "note of anna", "he is a bore", kind="note"),
        lambda: say("anna", "answer", "good morning"),
        settle,  # queued, sending, sent
        lambda: reaction("boris", "PUT", "note of anna", "\U0001f44e"),
        lambda: reaction("guest", "PUT", "answer", "+"),
        lambda: reaction("boris", "PUT", "answer", "+"),
        lambda: reaction("guest", "DELETE", "answer", "+"),
        lambda: act(crowd, "anna", "PATCH", f"{messages}/{ids['note of anna']}", {"text": "he is tedious"}),
        lambda: act(crowd, "anna", "PATCH", f"{messages}/{ids['answer']}", {"text": "good evening"}),
        settle,
        lambda: act(crowd, "olga", "PUT", f"/v1/conversations/{places.desk}/read", {"number": 1}),
        lambda: act(crowd, "guest", "PUT", f"/v1/conversations/{places.desk}/read", {"number": 1}),
        lambda: act(crowd, "anna", "PATCH", desk, {"assignee_id": crowd.actor("boris")}),
        lambda: act(crowd, "anna", "PATCH", desk, {"status": "snoozed", "snoozed_until": tomorrow()}),
        lambda: act(crowd, "anna", "PATCH", desk, {"status": "open", "assignee_id": None}),
        lambda: hear(1),
        lambda: hear(2),
        hear_and_hear_better,
        sleep_and_wake,
        lambda: act(
            crowd,
            "anna",
            "PUT",
            f"{messages}/{ids['note of anna']}/fields",
            {"fields": {"a": "kept of a note"}},
        ),
        lambda: act(crowd, "anna", "PUT", f"{messages}/{ids['answer']}/fields", {"fields": {"a": "kept"}}),
        lambda: act(
            crowd, "olga", "PUT", f"/v1/conversations/{places.desk}/fields", {"fields": {"order": 1}}
        ),
        lambda: act(crowd, "anna", "PUT", f"/v1/conversations/{places.desk}/pins/{ids['answer']}"),
        lambda: act(crowd, "anna", "DELETE", f"/v1/conversations/{places.desk}/pins/{ids['answer']}"),
        lambda: say("boris", "second note", "note of anna", kind="note", reply_to=ids["note of anna"]),
        lambda: act(crowd, "anna", "PUT", f"/v1/conversations/{places.desk}/pins/{ids['note of anna']}"),
        lambda: act(crowd, "anna", "DELETE", f"{messages}/{ids['note of anna']}"),
        lambda: act(crowd, "anna", "DELETE", f"{messages}/{ids['answer']}"),
        settle,
        lambda: move(crowd, places, "boris", "DELETE"),
        lambda: move(crowd, places, "boris", "PUT"),
    ]


async def move(crowd: Crowd, places: Places, name: str, method: str) -> None:
    """Take somebody out of the inbox, or in; on return their client knows."""
    await act(crowd, "olga", method, f"/v1/inboxes/{crowd.site.inbox['id']}/members/{crowd.actor(name)}")
    one = crowd.replicas[name]
    await one.until(lambda: (one.state(places.desk) is None) == (method == "DELETE"))


def in_a_group(crowd: Crowd, places: Places) -> list[Callable[[], Awaitable[object]]]:
    """Steps in a group: members come, go and change."""
    group = f"/v1/conversations/{places.group}"
    mia = crowd.replicas["mia"]

    def member(role: str) -> Awaitable[object]:
        return act(crowd, "olga", "POST", f"{group}/members", {"actor_id": mia.actor_id, "role": role})

    async def leave() -> None:
        await act(crowd, "mia", "DELETE", f"{group}/members/{mia.actor_id}")
        await mia.until(lambda: mia.state(places.group) is None)

    async def come_back() -> None:
        await member("reader")
        await mia.until(lambda: mia.state(places.group) is not None)

    sent: list[str] = []

    async def send(name: str, text: str = "hi", **more: Json) -> None:
        body = {"client_id": f"{name}/{asyncio.get_running_loop().time()}", "text": text, **more}
        sent.append((await act(crowd, name, "POST", f"{group}/messages", body))["id"])

    def call(kind: str, **who: str) -> Json:
        return [{"kind": kind, "offset": 0, "length": 2, **who}]

    def last(name: str, method: str, path: str = "messages/{}", body: Json = None) -> Awaitable[object]:
        return act(crowd, name, method, f"{group}/{path.format(sent[-1])}", body)

    planned: list[str] = []

    async def plan(key: str) -> None:
        body = {"client_id": key, "text": key, "send_at": tomorrow()}
        planned.append((await act(crowd, "anna", "POST", f"{group}/scheduled", body))["id"])

    def change(method: str, body: Json = None) -> Awaitable[object]:
        return act(crowd, "anna", method, f"{group}/scheduled/{planned[-1]}", body)

    async def hide() -> None:
        await last("mia", "DELETE", "messages/{}?for=me")
        await mia.until(lambda: mia.personal[-1]["kind"] == "message.hidden")

    async def stay_away_and_come_back() -> None:
        """What was hidden on another device before one comes back is in no event one missed."""
        await mia.go_offline()
        await send("anna", "said while away")
        await hide_elsewhere()
        mia.go_online()
        await mia.until(lambda: mia.is_live(places.group))

    async def hide_elsewhere() -> None:
        await last("mia", "DELETE", "messages/{}?for=me")

    return [
        lambda: send("mia"),
        lambda: send("anna"),
        lambda: send("mia"),
        lambda: member("moderator"),
        lambda: act(crowd, "mia", "PUT", f"{group}/read", {"number": 2}),
        lambda: send("anna", entities=call("mention", actor_id=mia.actor_id)),
        lambda: last("anna", "PATCH", body={"text": "now all", "entities": call("mention_all")}),
        lambda: act(crowd, "olga", "PUT", f"{group}/fields", {"fields": {"order": 1}}),
        lambda: last("mia", "PUT", "pins/{}"),
        lambda: last("olga", "DELETE", "pins/{}"),
        lambda: last("olga", "PUT", "pins/{}"),
        hide,
        lambda: last("anna", "PATCH", body={"text": "edited after it was hidden"}),
        lambda: last("boris", "PUT", "messages/{}/reactions/x"),
        lambda: last("boris", "DELETE", "messages/{}/reactions/x"),
        lambda: last("anna", "DELETE"),
        lambda: send("anna", "called and taken back", entities=call("mention_all")),
        lambda: last("olga", "PUT", "pins/{}"),
        lambda: last("anna", "DELETE"),
        lambda: send("boris", "to be forwarded", entities=call("mention", actor_id=mia.actor_id)),
        lambda: send("olga", "", forward={"conversation_id": places.group, "message_id": sent[-1]}),
        lambda: plan("one"),
        lambda: change("PATCH", {"text": "another"}),
        lambda: change("DELETE"),
        lambda: plan("two"),
        lambda: act(crowd, "anna", "POST", f"{group}/scheduled/{planned[-1]}/send"),
        stay_away_and_come_back,
        leave,
        lambda: send("anna"),
        come_back,
        lambda: send("boris"),
        lambda: act(crowd, "olga", "PATCH", group, {"title": "Crew", "description": "Who sails"}),
        lambda: act(crowd, "olga", "PATCH", f"{group}/members/{mia.actor_id}", {"role": "member"}),
        lambda: act(
            crowd, "mia", "PUT", f"{group}/preferences", {"is_pinned": True, "muted_until": tomorrow()}
        ),
        lambda: act(crowd, "mia", "PUT", f"{group}/preferences", {"is_archived": True, "muted_until": None}),
        lambda: act(crowd, "olga", "PUT", f"{group}/fields", {"fields": {"topic": "x"}}),
        lambda: act(crowd, "mia", "PUT", f"{group}/draft", {"text": "I wo"}),
        lambda: act(crowd, "mia", "PUT", f"{group}/draft", {"text": "I would"}),
        lambda: act(crowd, "anna", "PUT", f"{group}/draft", {"text": "so", "entities": BOLD}),
        lambda: act(crowd, "mia", "DELETE", f"{group}/draft"),
        lambda: act(crowd, "anna", "PUT", f"/v1/conversations/{places.desk}/draft", {"text": "Dear"}),
    ]


async def act(crowd: Crowd, name: str, method: str, path: str, json: Json = None) -> Json:
    """Do something that is not refused."""
    done = await crowd.ask(name, method, path, json)
    assert done is not None, f"{name} {method} {path}"
    return done
