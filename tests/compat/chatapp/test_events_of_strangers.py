"""Every event that clients may send: who is heard, and that nobody else is. A new event fails here until it is classified."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from parley.compat.chatapp.sockets import EVENTS, Whose
from tests.compat.chatapp.place import Ear, Place, User, listen
from tests.compat.chatapp.test_routes_of_strangers import digest

pytestmark = [
    pytest.mark.anyio,
    # python-socketio's own client leaves its aiohttp connections to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Proof = Callable[[str, Ear, Ear], Awaitable[object]]
"""Sends the event from one ear about a dialog, and returns once it had its effect on it or on the other's."""


async def _join(dialog: str, one: Ear, other: Ear) -> None:
    """Who has joined is told of typing."""
    await one.client.emit("dialog:join", dialog)
    await _until_told(dialog, one, other)


async def _leave(dialog: str, one: Ear, other: Ear) -> None:
    """Who has left is told of it no more."""
    await _join(dialog, one, other)
    await other.client.emit("dialog:join", dialog)
    await one.client.emit("dialog:leave", dialog)
    await _until_told(dialog, other, one)  # which came after the leaving, by the same connection
    one.heard.clear()
    await other.client.emit("typing:stop", {"dialogId": dialog})
    await other.client.emit("typing:start", {"dialogId": dialog})
    await one.silence()
    assert not one.of("typing:start")


async def _start(dialog: str, one: Ear, other: Ear) -> None:
    await other.client.emit("dialog:join", dialog)
    await _until_told(dialog, other, one)


async def _stop(dialog: str, one: Ear, other: Ear) -> None:
    await _start(dialog, one, other)
    await one.client.emit("typing:stop", {"dialogId": dialog})
    await other.until(lambda: other.of("typing:stop"))


async def _until_told(dialog: str, one: Ear, typist: Ear) -> None:
    """Have one of them type until the other is told, whose coming into the room is answered by nothing."""
    for _ in range(50):
        await typist.client.emit("typing:start", {"dialogId": dialog})
        await asyncio.sleep(0.05)
        if one.of("typing:start"):
            return
        await typist.client.emit("typing:stop", {"dialogId": dialog})
    raise AssertionError(f"heard only {one.heard}")


CLASSES: dict[str, tuple[Whose, Proof]] = {
    "dialog:join": (Whose.ENTERING, _join),
    "dialog:leave": (Whose.ONESELF, _leave),
    "typing:start": (Whose.MEMBERS, _start),
    "typing:stop": (Whose.MEMBERS, _stop),
}
FORMS: tuple[Callable[[str], Any], ...] = (lambda dialog: dialog, lambda dialog: {"dialogId": dialog})


def test_every_event_is_in_the_table() -> None:
    told = {event: spoken.whose for event, spoken in EVENTS.items()}
    assert told == {event: whose for event, (whose, _) in CLASSES.items()}, "say who a new event is for"


@pytest.mark.parametrize("event", sorted(EVENTS))
async def test_a_member_is_heard(anna: User, boris: User, url: str, event: str) -> None:
    """So that the silence below is one of rights, and not of the request."""
    dialog = await anna.dialog(boris)
    async with listen(url, anna, boris) as (a, b):
        await CLASSES[event][1](dialog, a, b)


def _knows_online(ear: Ear, user: User) -> bool:
    return any(one["userId"] == user.id for one in ear.of("user:online"))


def _knows_removal(ear: Ear) -> bool:
    """By the event's second name, which comes last."""
    return any(one["eventType"] == "dialog.member.remove" for one in ear.of("dialog:update"))


@pytest.mark.parametrize("event", sorted(EVENTS))
@pytest.mark.parametrize("was_member", [False, True])
async def test_who_is_not_in_a_dialog_is_neither_heard_there_nor_hears(
    place: Place, anna: User, boris: User, carla: User, url: str, event: str, was_member: bool
) -> None:
    dialog = await anna.dialog(boris, *([carla] if was_member else []))
    async with listen(url, anna, boris, carla) as (a, b, c):
        await _start(dialog, a, b)
        if was_member:
            # what she did while she was one comes first, and is heard by all
            for ear in (a, b):
                await ear.until(partial(_knows_online, ear, carla))
            await anna.ask("DELETE", f"/api/dialogs/{dialog}/members/{carla.id}")
            for ear in (a, b, c):
                await ear.until(partial(_knows_removal, ear))
        before = await digest(place)
        for ear in (a, b, c):
            ear.heard.clear()
        for form in FORMS:
            await c.client.emit(event, form(dialog))
        await c.client.emit("typing:start", {"dialogId": dialog})
        await c.silence()
        assert [one for ear in (a, b) for one in ear.heard if carla.id in str(one)] == []
        assert await digest(place) == before
        await a.client.emit("typing:stop", {"dialogId": dialog})
        await anna.say(dialog, "among us alone")
        await b.until(lambda: b.of("typing:stop") and b.of("message:new"))
        await c.silence()
        assert [one for one in c.heard if dialog in str(one)] == []


@pytest.mark.parametrize("event", sorted(EVENTS))
async def test_what_names_no_dialog_does_nothing(anna: User, boris: User, url: str, event: str) -> None:
    dialog = await anna.dialog(boris)
    async with listen(url, anna, boris) as (a, b):
        for given in (
            None,
            7,
            "",
            "cnv_",
            "x" * 5000,
            [dialog],
            {},
            {"dialogId": None},
            {"dialogId": [dialog]},
        ):
            await a.client.emit(event, given)
        await a.client.emit(event)
        await a.client.emit("nothing:of:ours", dialog)
        await CLASSES["typing:start"][1](dialog, a, b)
        assert a.client.connected
