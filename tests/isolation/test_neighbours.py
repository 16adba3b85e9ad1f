"""Every route, tried by those who are near: a colleague, a fellow member, and who was one until a moment ago."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from parley.conversations import drafts
from parley.conversations.group_schemas import DraftRequest
from parley.conversations.schemas import EntityJson
from tests.house import House, Person, index_all
from tests.isolation.furnished import Furnished, schedule
from tests.isolation.routes import (
    CLASSES,
    CONVERSATION,
    ECHOES,
    GROUP,
    OWN,
    STAFF,
    digest,
    request,
    require_empty_echo,
    require_error,
)

pytestmark = pytest.mark.anyio

BEARER = {
    "POST /v1/invite-links/check": "whoever was given the link may look",
    "POST /v1/invite-links/join": "whoever was given the link may join",
}
ROOM = "/v1/conversations/{conversation_id}"
FELLOWS_MAY = {
    f"GET {ROOM}", f"GET {ROOM}/fields", f"GET {ROOM}/events", f"GET {ROOM}/members", f"GET {ROOM}/messages",
    f"GET {ROOM}/messages/{{message_id}}/versions", f"GET {ROOM}/messages/{{message_id}}/readers", f"GET {ROOM}/pins",
    "GET /v1/media/{media_id}", "GET /v1/media/{media_id}/content",
    f"GET {ROOM}/draft", f"GET {ROOM}/scheduled",  # their own ones
    f"PUT {ROOM}/preferences", f"PUT {ROOM}/draft", f"DELETE {ROOM}/draft", f"POST {ROOM}/messages", f"PUT {ROOM}/read",
    f"PUT {ROOM}/messages/{{message_id}}/reactions/{{emoji}}", f"DELETE {ROOM}/messages/{{message_id}}/reactions/{{emoji}}",
    f"POST {ROOM}/forward", f"POST {ROOM}/scheduled", f"POST {ROOM}/leave",
}  # fmt: skip
"""What a plain member does in a group, with another's message and with what is their own; the rest is refused."""


def rank(name: str) -> tuple[bool, bool, bool, str]:
    """First what makes, then what reads, then what takes away, and leaving last."""
    return name.endswith("/leave"), name.startswith("DELETE"), name.startswith("GET"), name


async def test_a_colleague_does_nothing_to_anothers_session_or_passkey(house: House, ours: Furnished) -> None:
    """What is about oneself, with the ids of a colleague."""
    colleague = await ours.place.user("Cole", "agent")
    hidden = [
        ours.ids[key] for key in ("session_id", "passkey_id", "conversation_id", "message_id", "media_id")
    ]
    hidden += ["customer", "asks", "corrects", "among us", "Quokka passkey", ours.group_ids["message_id"]]
    before = await own_of(house, ours)
    for name, kind in CLASSES.items():
        if kind != OWN or name in BEARER:
            continue
        answer = await request(house, name, colleague, ours, ours.ids, is_narrowed=True)
        assert answer.status_code < 500, (name, answer.text)
        if "{" in name:
            require_error(answer, 403, 404)
        if name in ECHOES:
            require_empty_echo(name, answer, colleague)
        else:
            assert not [word for word in hidden if word in answer.text], (name, answer.text)
        assert await own_of(house, ours) == before, name


async def own_of(house: House, thing: Furnished) -> list[str]:
    """What is the agent's own: how they sign in, where they are signed in, what they began and planned."""
    rows = await house.sql(
        """SELECT (SELECT string_agg(s::text, ' ' ORDER BY id) FROM session s WHERE actor_id = $1) AS sessions,
            (SELECT string_agg(p::text, ' ' ORDER BY id) FROM passkey p WHERE p.login_id = $2) AS passkeys,
            (SELECT l::text FROM login l WHERE l.id = $2) AS login,
            (SELECT name || role || coalesce(avatar_media_id::text, '') FROM actor WHERE id = $1) AS actor,
            (SELECT string_agg(d::text, ' ') FROM draft d WHERE actor_id = $1) AS drafts""",
        thing.agent.id,
        thing.agent.caller.login_id,
    )
    return [str(value) for value in rows[0].values()]


async def test_a_fellow_member_cannot_touch_anothers_words(house: House, ours: Furnished) -> None:
    """Another's message, scheduled message, draft and rank: refused and untouched, or not told."""
    fellow = await ours.place.user("Fella", "member")
    await add(house, ours, fellow)
    of_room = [name for name, kind in CLASSES.items() if kind in (CONVERSATION, GROUP)]
    before = await digest(house, ours.place.id)
    allowed = set()
    for name in of_room:
        if name not in FELLOWS_MAY and "thumbnail" not in name:
            answer = await request(house, name, fellow, ours, ours.group_ids)
            if answer.is_success:
                allowed.add(name)
            else:
                require_error(answer, 403, 404)
    assert not allowed
    assert await digest(house, ours.place.id) == before
    wrong = {}
    for name in sorted(FELLOWS_MAY, key=rank):
        answer = await request(house, name, fellow, ours, ours.group_ids)
        told = [word for word in ("begins", "later") if word in answer.text]
        if not answer.is_success or told:
            wrong[name] = answer.status_code, told, answer.text[:200]
    assert not wrong
    async with house.client(ours.owner) as owner:
        url = f"/v1/conversations/{ours.group_ids['conversation_id']}"
        assert (await owner.get(f"{url}/draft")).json()["text"] == "Quokka begins"
        assert "Quokka later" in (await owner.get(f"{url}/scheduled")).text
        [said] = [
            one for one in (await owner.get(f"{url}/messages")).json()["items"]
            if one["id"] == ours.group_ids["message_id"]
        ]  # fmt: skip
    assert said["text"] == "Quokka among us"


async def make_leaver(house: House, ours: Furnished) -> Person:
    """Somebody who was in the group, and left words there in every way."""
    leaver = await ours.place.user("Lia", "member")
    await add(house, ours, leaver)
    calls = [EntityJson(kind="mention", offset=0, length=1, actor_id=leaver.public)]
    await ours.place.say(ours.group, ours.owner, "Quokka among us, Lia", entities=calls)
    await schedule(ours.place, ours.group, leaver, "Quokka soon")
    async with house.db.transaction(ours.place.id) as tx:
        await drafts.set_draft(tx, leaver.caller, ours.group, DraftRequest(text="Quokka half"))
    return leaver


async def add(house: House, ours: Furnished, who: Person) -> None:
    async with house.client(ours.owner) as owner:
        url = f"/v1/conversations/{ours.group_ids['conversation_id']}/members"
        assert (await owner.post(url, json={"actor_id": who.public})).is_success


async def test_who_was_taken_out_finds_nothing_in_their_own_lists(house: House, ours: Furnished) -> None:
    """What all that one is part of could still tell: sync, search, chats, drafts, people, presence."""
    leaver = await make_leaver(house, ours)
    await index_all(house)
    words = ("among us", "Quokka team", "Quokka calls")
    assert set(words) <= set(await find_told(house, ours, leaver, ours.group_ids, words))
    async with house.client(ours.owner) as owner:
        url = f"/v1/conversations/{ours.group_ids['conversation_id']}/members/{leaver.public}"
        assert (await owner.delete(url)).is_success
    assert await find_told(house, ours, leaver, ours.group_ids, (*words, "Quokka half")) == {}
    for name in ECHOES:
        answer = await request(
            house, name, leaver, ours, ours.group_ids, is_narrowed=True,
            body={"conversations": {ours.group_ids["conversation_id"]: {"number": 0, "tag": 0}}},
        )  # fmt: skip
        require_empty_echo(name, answer, leaver)


async def test_an_agent_taken_out_finds_nothing_in_their_own_lists(house: House, ours: Furnished) -> None:
    words = ("customer", "asks", "corrects", ours.ids["conversation_id"])
    assert set(words[:3]) <= set(await find_told(house, ours, ours.agent, ours.ids, words))
    async with house.client(ours.owner) as owner:
        url = f"/v1/inboxes/{ours.ids['inbox_id']}/members/{ours.agent.public}"
        assert (await owner.delete(url)).is_success
    assert await find_told(house, ours, ours.agent, ours.ids, words) == {}


async def find_told(
    house: House, thing: Furnished, who: Person, ids: Mapping[str, str], words: tuple[str, ...]
) -> dict[str, list[str]]:
    """Where the lists of somebody, the desk's, sync and search tell one of these words."""
    found: dict[str, list[str]] = {}
    lists = [name for name, kind in CLASSES.items() if kind in (OWN, STAFF) and name.startswith("GET")]
    since = {"number": 0, "tag": 0}
    for name in (*lists, "POST /v1/sync"):
        for is_narrowed in (False, True):
            body = {"conversations": {ids["conversation_id"]: since}} if name.startswith("POST") else None
            answer = await request(house, name, who, thing, ids, is_narrowed=is_narrowed, body=body)
            assert answer.status_code < 500, (name, answer.text)
            told = answer.text
            if name == "POST /v1/sync" and answer.json()["streams"][0]["state"] == "gone":
                told = told.replace(ids["conversation_id"], "")
            for word in words:
                if word in told:
                    found.setdefault(word, []).append(name)
    async with house.client(who) as client:
        for word in words:
            told = (await client.get("/v1/search/messages", params={"query": word})).text
            if word in told:
                found.setdefault(word, []).append("search")
    return found
