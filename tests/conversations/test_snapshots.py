"""Old snapshot + events = fresh snapshot, for every kind of event and every view; and what a contact never learns."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from parley.apps.openapi import describe_api, list_operations
from parley.conversations import editing, fields, members, pins, profile, reading
from parley.conversations.group_schemas import ConversationChange
from parley.conversations.schemas import Status
from parley.desk.schemas import DeskChange
from parley.desk.statuses import change_conversation
from parley.infra.db import Tx
from parley.kit.events import CONVERSATION_KINDS
from parley.kit.ids import parse_id, public_id
from tests.conversations.conftest import Scene
from tests.house import Json, Person, index_all

pytestmark = pytest.mark.anyio

Step = Callable[[Scene, Tx], Awaitable[object]]


GROUP_KINDS = {"member.joined", "member.left", "member.changed", "conversation.changed"}


class Mirror:
    """What a client holds of a conversation: a snapshot taken once, kept up by events alone."""

    def __init__(self, client: httpx2.AsyncClient, conversation_id: str, *, is_staff: bool) -> None:
        self.client = client
        self.url = f"/v1/conversations/{conversation_id}"
        self.id = conversation_id
        self.is_staff = is_staff

    async def take(self) -> Json:
        """Read everything afresh."""
        page = (await self.client.get(f"{self.url}/messages", params={"limit": 100})).json()
        crew = (await self.client.get(f"{self.url}/members")).json()["items"]
        about = (await self.client.get(self.url)).json()
        state: Json = {
            "about": {key: about[key] for key in ("title", "description", "avatar", "member_count")},
            "messages": {message["id"]: message for message in page["items"]},
            "members": {member["actor"]["id"]: member["role"] for member in crew},
            "head": page["head"],
            "desk": None,
            "fields": (await self.client.get(f"{self.url}/fields")).json(),
            "pins": {
                pin["message"]["id"]: {key: pin[key] for key in ("pinned_by", "pinned_at")}
                for pin in (await self.client.get(f"{self.url}/pins")).json()["items"]
            },
        }
        if self.is_staff:
            desk = (await self.client.get(f"/v1/desk/conversations/{self.id}")).json()
            if "error" not in desk:
                state["desk"] = {key: desk[key] for key in ("status", "snoozed_until", "assignee")}
        return state

    async def events(self, head: Json) -> tuple[list[Json], Json]:
        params = {"after": head["number"], "tag": head["tag"]}
        page = (await self.client.get(f"{self.url}/events", params=params)).json()
        return page["events"], page["head"]

    async def keep_up(self, state: Json) -> tuple[Json, list[str]]:
        """Return the state after the events since, and their kinds."""
        state = copy.deepcopy(state)
        events, state["head"] = await self.events(state["head"])
        for event in events:
            apply(state, event["kind"], event["data"])
        return state, [event["kind"] for event in events]


def apply(state: Json, kind: str, data: Json) -> None:
    """Apply one event, as a client does."""
    messages: Json = state["messages"]
    if kind in ("message.created", "message.updated", "message.deleted"):
        message = data["message"]
        messages[message["id"]] = message
        for other in messages.values():
            reply = other["reply_to"]
            if reply and reply["id"] == message["id"]:
                reply["text"] = message["text"][:200]
        if kind == "message.deleted":
            state["pins"].pop(message["id"], None)
    elif kind == "message.pinned":
        state["pins"][data["message_id"]] = {key: data[key] for key in ("pinned_by", "pinned_at")}
    elif kind == "message.unpinned":
        del state["pins"][data["message_id"]]
    elif kind == "message.status_changed":
        messages[data["message_id"]]["status"] = data["status"]
    elif kind == "reaction.added":
        reactions = messages[data["message_id"]]["reactions"]
        for reaction in reactions:
            if reaction["emoji"] == data["emoji"]:
                reaction["actor_ids"].append(data["actor_id"])
                return
        reactions.append({"emoji": data["emoji"], "actor_ids": [data["actor_id"]]})
    elif kind == "reaction.removed":
        reactions = messages[data["message_id"]]["reactions"]
        for reaction in reactions:
            if reaction["emoji"] == data["emoji"]:
                reaction["actor_ids"].remove(data["actor_id"])
        messages[data["message_id"]]["reactions"] = [one for one in reactions if one["actor_ids"]]
    elif kind in ("member.joined", "member.changed"):
        state["members"][data["member"]["actor"]["id"]] = data["member"]["role"]
        state["about"]["member_count"] = data.get("member_count", state["about"]["member_count"])
    elif kind == "member.left":
        del state["members"][data["member"]["actor"]["id"]]
        state["about"]["member_count"] = data["member_count"]
    elif kind == "conversation.fields_changed":
        state["fields"] = data["fields"]
    elif kind == "conversation.changed":
        state["about"] |= data
    elif kind == "conversation.status_changed" or kind == "conversation.assigned":
        state["desk"] |= data
    else:
        raise AssertionError(f"a client does not know {kind}")


class Story:
    """Steps told one after another in a conversation, watched by several readers."""

    def __init__(self, scene: Scene, conversation_id: str, readers: dict[str, Person]) -> None:
        self.scene = scene
        self.id = conversation_id
        self.readers = readers
        self.kinds: set[str] = set()

    async def tell(self, *steps: Callable[[], Awaitable[object]]) -> None:
        """Take each step; after it, each reader's mirror must equal a fresh snapshot."""
        mirrors = {
            name: Mirror(self.scene.house.client(person), self.id, is_staff=name == "staff")
            for name, person in self.readers.items()
        }
        states = {name: await mirror.take() for name, mirror in mirrors.items()}
        for step in steps:
            await step()
            for name, mirror in mirrors.items():
                states[name], kinds = await mirror.keep_up(states[name])
                fresh = await mirror.take()
                assert states[name] == fresh, f"{name} after {step} ({kinds})"
                # what became of a message at the provider is the staff's
                assert name == "staff" or all(one["status"] is None for one in fresh["messages"].values())
                self.kinds |= set(kinds) if name == "staff" else set()


async def test_old_snapshot_and_events_make_a_fresh_snapshot_at_the_desk(scene: Scene) -> None:
    place, room, staff = scene.place, scene.room, scene.anna
    sent: dict[str, Any] = {}

    def say(key: str, who: Any, text: str, **more: Any) -> Callable[[], Awaitable[object]]:
        async def step() -> None:
            if "reply" in more:
                more["reply_to_id"] = sent[more.pop("reply")]
            posted = await place.say(room.id, who, text, **more)
            sent[key] = parse_id("msg", posted.message.id)

        return step

    def do(act: Callable[[Tx], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        async def step() -> None:
            async with scene.house.db.transaction(place.id) as tx:
                await act(tx)

        return step

    def change(**fields: Any) -> Callable[[], Awaitable[object]]:
        return do(lambda tx: change_conversation(tx, staff.caller, room.id, DeskChange(**fields)))

    def set_status(key: str, state: Any) -> Callable[[], Awaitable[object]]:
        return do(
            lambda tx: editing.set_status(
                tx,
                workspace_id=place.id,
                conversation_id=room.id,
                message_id=sent[key],
                status=Status(state=state),
                inbox_id=room.inbox_id,
            )
        )

    def edit(key: str, who: Person, text: str) -> Callable[[], Awaitable[object]]:
        return do(lambda tx: editing.edit_message(tx, who.caller, room.id, sent[key], text=text, entities=[]))

    def react(key: str, who: Person, emoji: str, *, is_on: bool = True) -> Callable[[], Awaitable[object]]:
        act = editing.add_reaction if is_on else editing.remove_reaction
        return do(lambda tx: act(tx, who.caller, room.id, sent[key], emoji))

    def delete(key: str, who: Person) -> Callable[[], Awaitable[object]]:
        return do(lambda tx: editing.delete_message(tx, who.caller, room.id, sent[key]))

    def pin(key: str, who: Person, *, is_on: bool = True) -> Callable[[], Awaitable[object]]:
        act = pins.pin_message if is_on else pins.unpin_message
        return do(lambda tx: act(tx, who.caller, room.id, sent[key]))

    media = await place.media(staff)
    story = Story(scene, room.public, {"staff": staff, "contact": scene.guest})
    await story.tell(
        say("hello", room.contact_id, "hello"),
        say("note", staff, "a rude one", kind="note"),
        say("answer", staff, "good morning", reply="hello", media_ids=[media]),
        set_status("answer", "sending"),
        set_status("answer", "sent"),
        edit("answer", staff, "good evening"),
        edit("note", staff, "a very rude one"),
        say("notice", staff, "", kind="system", extra={"why": "x"}, media_ids=[await place.media(staff)]),
        react("hello", staff, "+"),
        react("hello", scene.guest, "+"),
        react("hello", scene.boris, "o"),
        react("note", staff, "x"),
        react("hello", staff, "+", is_on=False),
        react("note", staff, "x", is_on=False),
        say("reply to note", scene.boris, "hm", kind="note", reply="note"),
        do(lambda tx: fields.set_fields(tx, staff.caller, room.id, {"order": 1})),
        do(lambda tx: fields.set_message_fields(tx, staff.caller, room.id, sent["answer"], {"order": 1})),
        pin("note", staff),
        pin("hello", scene.boris),
        pin("answer", staff),
        pin("hello", staff, is_on=False),
        change(status="pending"),
        change(status="resolved"),
        change(status="open", assignee_id=staff.public),
        change(assignee_id=None),
        delete("note", staff),
        delete("answer", staff),
    )
    missing = set(CONVERSATION_KINDS) - story.kinds - GROUP_KINDS
    assert not missing, "a kind of event without a step here"


async def test_old_snapshot_and_events_make_a_fresh_snapshot_in_a_group(scene: Scene) -> None:
    newcomer = await scene.place.user("Nina")

    def by_owner(verb: Any, *args: Any) -> Callable[[], Awaitable[object]]:
        async def step() -> None:
            async with scene.house.db.transaction(scene.place.id) as tx:
                await verb(tx, scene.olga.caller, scene.group, *args)

        return step

    async def read() -> None:
        async with scene.house.db.transaction(scene.place.id) as tx:
            await reading.mark_read(tx, scene.boris.caller, scene.group, 1)

    async def send() -> None:
        await scene.place.say(scene.group, scene.boris, "hi")

    picture = await scene.place.media(scene.olga)
    await scene.house.sql("UPDATE media SET kind = 'image' WHERE id = $1", picture)

    def change(**fields: Any) -> Callable[[], Awaitable[object]]:
        return by_owner(profile.change_conversation, ConversationChange(**fields))

    story = Story(scene, public_id("cnv", scene.group), {"staff": scene.olga, "member": scene.anna})
    await story.tell(
        change(title="Crew", description="Who sails"),
        change(avatar_media_id=public_id("med", picture)),
        change(description=None, avatar_media_id=None),
        by_owner(members.add_members, [newcomer.id, (await scene.place.user("Nora")).id], None),
        by_owner(members.remove_member, newcomer.id),
        by_owner(members.add_member, newcomer.id, "member"),
        send,
        read,
        by_owner(members.add_member, newcomer.id, "moderator"),
        by_owner(members.add_member, newcomer.id, "reader"),
        by_owner(members.remove_member, newcomer.id),
        by_owner(fields.set_fields, {"topic": "x"}),
        send,
    )
    assert {*GROUP_KINDS, "message.created"} <= story.kinds


# ---------------------------------------------------------------- what a contact never learns


async def test_a_contact_never_learns_of_a_note(scene: Scene) -> None:
    """Every route that shows the desk conversation to its member without rights, searched for every trace."""
    place, room = scene.place, scene.room
    media = await place.media(scene.anna, "secret-plan.txt")
    await place.say(room.id, room.contact_id, "hello")
    note = await place.say(
        room.id, scene.anna, "he is a bore", kind="note", media_ids=[media], client_id="note-id"
    )
    inner = await place.say(
        room.id,
        scene.boris,
        "indeed he is",
        kind="note",
        reply_to_id=parse_id("msg", note.message.id),
        quote="bore",
    )
    await place.say(room.id, scene.anna, "good morning")
    note_id = parse_id("msg", note.message.id)
    async with scene.house.db.transaction(place.id) as tx:
        await editing.edit_message(tx, scene.anna.caller, room.id, note_id, text="he is tedious", entities=[])
        await editing.add_reaction(tx, scene.boris.caller, room.id, note_id, "\U0001f44e")
        await pins.pin_message(tx, scene.anna.caller, room.id, note_id)
    traces = [
        "bore", "tedious", "indeed", "secret-plan", "note-id", '"note"', "\U0001f44e",
        note.message.id, inner.message.id, public_id("med", media),
    ]  # fmt: skip
    ids = {
        "conversation_id": room.public, "message_id": note.message.id, "media_id": public_id("med", media),
        "actor_id": scene.anna.public, "user_id": scene.anna.public,
    }  # fmt: skip
    await index_all(scene.house)
    answers = await read_everything(scene, scene.guest, **ids)
    for url, answer in answers.items():
        text = (
            json.dumps(answer.json(), ensure_ascii=False)
            if "json" in answer.headers["content-type"]
            else answer.text
        )
        found = [trace for trace in traces if trace in text]
        assert not found, f"{url} tells {found}"
    seen = {url for url, answer in answers.items() if answer.status_code == 200}
    assert {"/v1/sync", "/v1/conversations/{conversation_id}/pins?"} <= seen
    staff = await read_everything(scene, scene.anna, **ids)
    unseen = {
        url: answer.text[:80] for url, answer in staff.items() if answer.status_code != 200 and "{" in url
    }
    # of groups alone, or there is none
    assert {url.rpartition("/")[2] for url in unseen} == {"bans?", "draft?", "invite-links?", "thumbnail?"}, (
        unseen
    )
    text = "".join(answer.text for answer in staff.values())
    assert "tedious" in text
    assert note.message.id in text


MORE = {
    "/search/messages": ("query=he", "query=bore", "query=tedious"),
    "/messages": ("", "limit=1", "after=0", "around=2", "before=3"),
    "/events": ("after=0&tag=0",),
    "/presence": ("actor_ids={actor_id}",),
}
"""Queries to ask with, by the path's end."""
PARTS = re.compile(r"\{(\w+)\}")


def paths_of(scene: Scene, method: str) -> list[str]:
    """The paths of the OpenAPI document that have this method."""
    return [path for verb, path, _ in list_operations(describe_api(scene.house.rest)) if verb == method]


async def read_everything(scene: Scene, who: Person, **ids: str) -> dict[str, httpx2.Response]:
    """Ask every route that reads a list, a conversation, a message, a file or a person; and sync."""
    answers: dict[str, httpx2.Response] = {}
    start = {"number": 0, "tag": 0}
    async with scene.house.client(who) as client:
        for path in paths_of(scene, "get"):
            if not set(PARTS.findall(path)) <= ids.keys():
                continue  # of links, sessions and the like
            url = path.format(**ids)
            queries = next((more for end, more in MORE.items() if path.endswith(end)), ("",))
            for query in queries:
                answers[f"{path}?{query}"] = await client.get(f"{url}?{query.format(**ids)}")
        body = {"conversations": {ids["conversation_id"]: start}, "personal": start}
        answers["/v1/sync"] = await client.post("/v1/sync", json=body)
    return answers


async def test_a_contact_cannot_touch_a_note(scene: Scene) -> None:
    """Whatever a path can do to a message: a note looks exactly like nothing."""
    note = await scene.place.say(scene.room.id, scene.anna, "between us", kind="note")
    bodies: Json = {"patch": {"text": "x"}, "fields": {"fields": {"a": 1}}, "delivery": {"action": "cancel"}}
    tried = []
    async with scene.house.client(scene.guest) as client:
        for method in ("get", "put", "post", "delete", "patch"):
            for path in paths_of(scene, method):
                if "{message_id}" not in path:
                    continue
                tried.append(path)
                body = bodies.get(path.rpartition("/")[2], bodies.get(method))
                answers = []
                for key in (note.message.id, f"msg_{'0' * 26}"):
                    ids = {"conversation_id": scene.room.public, "message_id": key, "emoji": "x"}
                    url = path.format(**ids)
                    answer = await client.request(method, url, json=body)
                    answers.append((answer.status_code, answer.text))
                assert answers[0] == answers[1], (method, path)
                assert answers[0][0] in (403, 404), (method, path, answers[0])
    assert len(tried) > 7
    async with scene.house.client(scene.anna) as client:
        [kept] = [
            one for one in (await client.get(f"/v1/conversations/{scene.room.public}/messages")).json()["items"]
            if one["id"] == note.message.id
        ]  # fmt: skip
    assert (kept["text"], kept["reactions"]) == ("between us", [])


async def test_what_is_said_to_everyone_cannot_answer_a_note(scene: Scene) -> None:
    note = await scene.place.say(scene.room.id, scene.anna, "between us", kind="note")
    async with scene.house.client(scene.anna) as client:
        url = f"/v1/conversations/{scene.room.public}/messages"
        body = {"client_id": "1", "text": "as I said", "reply_to": note.message.id}
        refused = await client.post(url, json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "bad_reply")
        allowed = await client.post(url, json={**body, "kind": "note"})
        assert allowed.json()["reply_to"]["text"] == "between us"


async def test_a_note_has_no_number_and_counts_for_nobody(scene: Scene) -> None:
    await scene.place.say(scene.room.id, scene.room.contact_id, "hello")
    async with scene.house.client(scene.boris) as client:
        before = (await client.get(f"/v1/desk/conversations/{scene.room.public}")).json()
        note = await scene.place.say(scene.room.id, scene.anna, "between us", kind="note")
        after = (await client.get(f"/v1/desk/conversations/{scene.room.public}")).json()
    assert note.message.number is None
    assert (before["unread"], before["last_number"]) == (after["unread"], after["last_number"]) == (1, 1)
    assert after["last_message"]["text"] == "hello"


async def test_notes_belong_to_the_desk_and_to_its_staff(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        url = f"/v1/conversations/{public_id('cnv', scene.group)}/messages"
        refused = await client.post(url, json={"client_id": "1", "text": "psst", "kind": "note"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "may_not_write")
    async with scene.house.client(scene.guest) as client:
        url = f"/v1/conversations/{scene.room.public}/messages"
        refused = await client.post(url, json={"client_id": "1", "text": "psst", "kind": "note"})
        assert refused.status_code == 404
