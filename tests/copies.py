"""One conversation as a client holds it: what each event does to it, and its state in values that can be compared.

Written against docs/reference/events.md. No I/O. What others have read is told by signals alone, which are never
repeated, so it stands beside the state and not in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

SNIPPET_LENGTH = 200
"""Characters of the message replied to that a reply shows."""

Json = Any


@dataclasses.dataclass
class Copy:
    """One conversation as the client holds it. ``pending``, ``personal``: what came while a snapshot is on its way."""

    id: str
    me: str = ""
    about: Json = None
    desk: Json = None
    messages: dict[int, Json] = dataclasses.field(default_factory=dict)
    members: dict[str, Json] = dataclasses.field(default_factory=dict)
    draft: Json = None
    fields: Json = None
    read_number: int = 0
    number: int = 0
    tag: int = 0
    epoch: int = 0
    renewals: int = 0
    is_watched: bool = False
    has_snapshot: bool = False
    is_gone: bool = False
    pending: list[Json] | None = None
    personal: list[Json] = dataclasses.field(default_factory=list)
    seen_reads: dict[str, int] = dataclasses.field(default_factory=dict)
    pins: dict[str, Json] = dataclasses.field(default_factory=dict)
    scheduled: dict[str, Json] = dataclasses.field(default_factory=dict)
    hidden: set[str] = dataclasses.field(default_factory=set)

    @property
    def cursor(self) -> Json:
        """What was applied last."""
        return {"number": self.number, "tag": self.tag}


# ---------------------------------------------------------------- events, one by one


def _add_message(copy: Copy, data: Json) -> None:
    message = data["message"]
    if message["id"] not in copy.hidden:
        copy.messages[message["position"]] = message


def _change_message(copy: Copy, data: Json) -> None:
    """One that is not held was deleted for this reader alone, perhaps on another device before we came; its replies are."""
    message = data["message"]
    if message["position"] in copy.messages:
        copy.messages[message["position"]] = message
    for position, held in copy.messages.items():
        if held["reply_to"] is not None and held["reply_to"]["id"] == message["id"]:
            copy.messages[position] = {**held, "reply_to": _requoted(held["reply_to"], message)}


def _delete_message(copy: Copy, data: Json) -> None:
    _change_message(copy, data)
    copy.pins.pop(data["message"]["id"], None)


def _pin(copy: Copy, data: Json) -> None:
    copy.pins[data["message_id"]] = {"pinned_by": data["pinned_by"], "pinned_at": data["pinned_at"]}


def _unpin(copy: Copy, data: Json) -> None:
    copy.pins.pop(data["message_id"], None)


def _set_status(copy: Copy, data: Json) -> None:
    message = _find(copy, data["message_id"])
    assert message is not None, "nothing is hidden at the desk"
    copy.messages[message["position"]] = {**message, "status": {"error": None, **data["status"]}}


def _add_reaction(copy: Copy, data: Json) -> None:
    message = _find(copy, data["message_id"])
    if message is None:
        return
    reactions = [{**one, "actor_ids": list(one["actor_ids"])} for one in message["reactions"]]
    known = next((one for one in reactions if one["emoji"] == data["emoji"]), None)
    if known is None:
        reactions.append({"emoji": data["emoji"], "actor_ids": [data["actor_id"]]})
    elif data["actor_id"] not in known["actor_ids"]:
        known["actor_ids"].append(data["actor_id"])
    copy.messages[message["position"]] = {**message, "reactions": reactions}


def _remove_reaction(copy: Copy, data: Json) -> None:
    message = _find(copy, data["message_id"])
    if message is None:
        return
    reactions = []
    for one in message["reactions"]:
        left = [who for who in one["actor_ids"] if one["emoji"] != data["emoji"] or who != data["actor_id"]]
        if left:
            reactions.append({**one, "actor_ids": left})
    copy.messages[message["position"]] = {**message, "reactions": reactions}


def _add_member(copy: Copy, data: Json) -> None:
    if data["member"] is not None:
        copy.members[data["member"]["actor"]["id"]] = data["member"]
    copy.about = {**copy.about, "member_count": data["member_count"]}


def _set_member(copy: Copy, data: Json) -> None:
    member = data["member"]
    if member is None:
        return
    actor_id = member["actor"]["id"]
    if member["role"] in BROADCASTERS or not is_reader(copy) or actor_id == copy.me:
        copy.members[actor_id] = member
    else:  # who writes no longer is known to other readers no longer
        copy.members.pop(actor_id, None)


def _remove_member(copy: Copy, data: Json) -> None:
    if data["member"] is not None:
        copy.members.pop(data["member"]["actor"]["id"], None)
    copy.about = {**copy.about, "member_count": data["member_count"]}


BROADCASTERS = ("owner", "moderator")


def is_reader(copy: Copy) -> bool:
    """Whether this is a broadcast whose other readers are not told to us."""
    return copy.about["kind"] == "broadcast" and copy.about["my"]["role"] not in BROADCASTERS


def is_seen_anew(copy: Copy, frame: Json) -> bool:
    """Whether an event makes us see others of a broadcast than before, whom no event tells."""
    member = frame["data"].get("member")
    return copy.about["kind"] == "broadcast" and bool(member) and member["actor"]["id"] == copy.me


def _change_about(copy: Copy, data: Json) -> None:
    copy.about = {**copy.about, **data}


def _set_fields(copy: Copy, data: Json) -> None:
    copy.fields = data["fields"]


def _change_desk(copy: Copy, data: Json) -> None:
    assert copy.desk is not None, "the desk's events are for staff"
    copy.desk = {**copy.desk, **data}


PREFERENCES = {"muted_until": None, "is_archived": False, "is_pinned": False}
"""What a member keeps for itself, as it is at first."""


def set_preferences(copy: Copy, data: Json) -> None:
    """Take preferences over as the personal stream tells them; a copy without a snapshot gets them by that."""
    if copy.about is not None:
        copy.about = {**copy.about, "my": copy.about["my"] | {key: data[key] for key in PREFERENCES}}


APPLIERS: dict[str, Callable[[Copy, Json], None]] = {
    "message.created": _add_message,
    "message.updated": _change_message,
    "message.deleted": _delete_message,
    "message.pinned": _pin,
    "message.unpinned": _unpin,
    "message.status_changed": _set_status,
    "reaction.added": _add_reaction,
    "reaction.removed": _remove_reaction,
    "member.joined": _add_member,
    "member.left": _remove_member,
    "member.changed": _set_member,
    "conversation.changed": _change_about,
    "conversation.fields_changed": _set_fields,
    "conversation.status_changed": _change_desk,
    "conversation.assigned": _change_desk,
}
"""What each kind of event does to a copy. A kind that is not here ends the client with an error."""


def apply_event(copy: Copy, frame: Json) -> None:
    """Apply one event of the conversation's stream. Events that a newer snapshot has already converge to it."""
    APPLIERS[frame["kind"]](copy, frame["data"])


def _find(copy: Copy, message_id: str) -> Json:
    """Return a message; None when it was deleted for this reader alone."""
    return next((message for message in copy.messages.values() if message["id"] == message_id), None)


def set_scheduled(copy: Copy, scheduled: Json) -> None:
    """Apply a `scheduled.changed` of the personal stream."""
    copy.scheduled.pop(scheduled["id"], None)
    if scheduled["state"] in ("waiting", "failed"):
        copy.scheduled[scheduled["id"]] = scheduled


def hide(copy: Copy, message_id: str) -> None:
    """Apply a `message.hidden` of the personal stream: the message is ignored from now on."""
    copy.hidden.add(message_id)
    copy.messages = {place: one for place, one in copy.messages.items() if one["id"] != message_id}


# ---------------------------------------------------------------- states that can be compared


def plain_state(copy: Copy, actor_id: str) -> Json:
    """Return a copy in plain values: equal exactly when two clients show the same."""
    by_id = {message["id"] for message in copy.messages.values()}
    # who is taken in again begins at the head, as their member row says
    read_number = max(copy.read_number, copy.members.get(actor_id, {}).get("read_number", 0))
    unread = [
        message["number"]
        for message in copy.messages.values()
        if message["number"] is not None
        and message["number"] > read_number
        and message["sender"]["id"] != actor_id
    ]
    shown = (
        "id", "kind", "title", "description", "avatar", "peer", "member_count", "inbox_id", "created_at",
    )  # fmt: skip
    about = {key: copy.about[key] for key in shown}
    desk = copy.desk and {
        "status": copy.desk["status"],
        "snoozed_until": _moment(copy.desk["snoozed_until"]),
        "assignee": copy.desk["assignee"],
    }
    return {
        **about,
        "messages": dict(sorted(copy.messages.items())),
        "members": {
            key: {"role": member["role"], "actor": member["actor"], "joined_at": member["joined_at"]}
            for key, member in sorted(copy.members.items())
        },
        "unread": len(unread),
        "first_unread": min(unread, default=None),
        "last_number": max((message["number"] or 0 for message in copy.messages.values()), default=0),
        "mentions": sum(
            _calls(message, actor_id)
            for message in copy.messages.values()
            if message["number"] in unread and copy.about["kind"] != "desk"
        ),
        "pins": {key: pin for key, pin in sorted(copy.pins.items()) if key in by_id},
        "desk": desk,
        # of a chat: at the desk the inbox decides, whatever the row says that holds how far somebody has read
        "role": copy.members[actor_id]["role"] if copy.desk is None and actor_id in copy.members else None,
        "draft": copy.draft,
        "fields": copy.fields,
        "preferences": {key: copy.about["my"][key] for key in PREFERENCES},
        "scheduled": dict(sorted(copy.scheduled.items())),
    }


def _calls(message: Json, actor_id: str) -> bool:
    return any(
        one["kind"] == "mention_all" or (one["kind"] == "mention" and one.get("actor_id") == actor_id)
        for one in message["entities"]
    )


def _requoted(reply: Json, answered: Json) -> Json:
    """What a reply shows of a message as that one reads now, and nothing of one that was deleted."""
    quote = None if answered["deleted_at"] else reply["quote"]
    return {**reply, "text": answered["text"][:SNIPPET_LENGTH], "quote": quote}


def _moment(text: str | None) -> str | None:
    return text.replace("+00:00", "Z") if text else None


def describe_difference(held: Json, fresh: Json, path: str = "") -> str:
    """Say where two states part."""
    if isinstance(held, dict) and isinstance(fresh, dict):
        for key in sorted({*held, *fresh}, key=str):
            if held.get(key) != fresh.get(key):
                return describe_difference(held.get(key), fresh.get(key), f"{path}.{key}")
    return f"{path or 'state'}: the client has {held!r}, a fresh snapshot {fresh!r}"
