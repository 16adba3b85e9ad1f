"""Clients that only send: one note after another, each again with the same client id until its answer has come."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import httpx2

from tests.programs import READY_SECONDS, Json
from tests.replica import Replica
from tests.report import compare


class Sender:
    """One of them, in one place. ``http`` goes to the server, under the sender's token; their names are no prefixes
    of one another up to the slash."""

    def __init__(self, http: httpx2.AsyncClient, place: str, name: str) -> None:
        self.place = place
        self.name = name
        self.answers: list[Json] = []
        self.attempts = 0
        self.repeats = 0
        self._http = http

    async def send(self, count: int) -> None:
        """Send so many."""
        for _ in range(count):
            await self._send(f"{self.name}/{len(self.answers)}")

    async def send_until(self, is_over: Callable[[], bool]) -> None:
        """Send until it is over; the last is sent to its end."""
        while not is_over():
            await self.send(1)

    async def send_for(self, seconds: float) -> None:
        """Send for so long; the last is sent to its end."""
        end = time.monotonic() + seconds
        await self.send_until(lambda: time.monotonic() > end)

    async def _send(self, text: str) -> None:
        # a note goes to no provider, so that nothing but the sends is at work
        message = {"client_id": text, "text": text, "kind": "note"}
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            self.attempts += 1
            with contextlib.suppress(httpx2.TransportError):
                answer = await self._http.post(f"/v1/conversations/{self.place}/messages", json=message)
                if answer.status_code in (200, 201):
                    self.answers.append(answer.json())
                    self.repeats += answer.status_code == 200
                    return
                assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.1)
        raise AssertionError(f"{text} was never taken")


def require_as_told(senders: Sequence[Sender], shown: Mapping[str, Iterable[Json]]) -> dict[str, int]:
    """Compare what each sender was told with the messages of their place: all of it, once, in order, under the same
    ids and positions.

    Returns how many are lost, doubled and out of order. Raises: AssertionError unless that is none.
    """
    wrong: Counter[str] = Counter(lost=0, doubled=0, disordered=0)
    messages = {place: list(found) for place, found in shown.items()}
    for sender in senders:
        own = [one for one in messages[sender.place] if one["text"].startswith(f"{sender.name}/")]
        wrong.update(compare([told["text"] for told in sender.answers], [one["text"] for one in own]))
        assert not any(wrong.values()), f"{sender.name}: {dict(wrong)}"
        assert [(one["id"], one["position"]) for one in own] == [
            (told["id"], told["position"]) for told in sender.answers
        ]
    return dict(wrong)


def shown_by(reader: Replica, places: Iterable[str]) -> dict[str, list[Json]]:
    """Return the messages a reader shows in places, in order."""
    return {place: list(reader.state(place)["messages"].values()) for place in places}


def count_seen(readers: Iterable[Replica]) -> int:
    """Return how many messages came to readers as events."""
    return sum(entry.kind == "message.created" for reader in readers for entry in reader.journal)
