"""Several clients at work in a few conversations of a whole installation, by chance and all at once.

A seed decides who does what; what comes out still depends on how the steps meet, which is the point.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from parley.kit.ids import parse_id, public_id
from tests.house import Workspace, open_house
from tests.programs import Chat, Provider, Server, Site, eventually, running
from tests.replica import Replica, until_equal

Json = Any

REFUSALS = frozenset({403, 404, 409, 410, 422})
"""Answers a step may get: who does it has lost the right meanwhile, or the message is deleted."""
EMOJIS = ("\U0001f44d", "❤️", "x")
TEXTS = ("hello", "Привет", "a \U0001f600 b", "two\nlines", "", "x" * 300, "שלום")
AT_ONCE = 6
"""Steps under way at the same time."""


def tomorrow() -> str:
    """Return a time until when to snooze."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()


@dataclasses.dataclass
class Places:
    """The conversations of one case, by public id; ``desk`` has a customer, who has ``written`` so many messages, and said
    so many things ``better``.
    """

    group: str
    broadcast: str
    direct: str
    desk: str
    chat: Chat
    written: int = 1
    better: int = 0

    @property
    def all(self) -> list[str]:
        """All of them."""
        return [self.group, self.broadcast, self.direct, self.desk]


@dataclasses.dataclass
class Crowd:
    """Olga owns the workspace; Anna and Boris are agents of the inbox; Mia is a plain member.

    The guest is a bot in the desk conversations without rights at the desk: it sees what their contact sees.
    """

    site: Site
    dsn: str
    place: Workspace
    replicas: dict[str, Replica]

    @property
    def olga(self) -> Replica:
        """The owner."""
        return self.replicas["olga"]

    def actor(self, name: str) -> str:
        """Somebody's public id."""
        return self.replicas[name].actor_id

    async def ask(self, name: str, method: str, path: str, json: Json = None) -> Json:
        """Do one request as somebody; None when it was refused. Raises: AssertionError at any other failure."""
        answer = await self.replicas[name].http.request(method, path, json=json)
        if answer.status_code in REFUSALS:
            return None
        assert answer.is_success, f"{name} {method} {path} {json}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    async def open_places(self) -> Places:
        """Open new conversations, and have every client follow them."""
        actors = {name: self.actor(name) for name in self.replicas}
        made = []
        for kind, members in (
            ("group", ["anna", "boris", "mia"]),
            ("broadcast", ["anna", "boris", "mia"]),
            ("direct", ["mia"]),
        ):
            body = {
                "kind": kind,
                "title": None if kind == "direct" else "Team",
                "members": [actors[name] for name in members],
            }
            made.append((await self.ask("olga", "POST", "/v1/conversations", body))["id"])
        [(chat, desk)] = await self.site.open_conversations(1)
        await self.sql(
            """INSERT INTO member (workspace_id, conversation_id, actor_id, role)
            VALUES ($1, $2, $3, 'member')""",
            self.place.id, parse_id("cnv", desk), parse_id("act", actors["guest"]),
        )  # fmt: skip
        group, broadcast, direct = made
        places = Places(group, broadcast, direct, desk, chat)
        for conversation_id in places.all:
            await asyncio.gather(*(one.follow(conversation_id) for one in self.replicas.values()))
        return places

    async def sql(self, statement: str, *args: Any) -> list[asyncpg.Record]:
        """Ask or change the database as its owner."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetch(statement, *args)
        finally:
            await connection.close()

    async def require_equal(self, places: Places, seconds: float = 30) -> dict[tuple[str, str], Json]:
        """Once nothing happens any more: every client equals a fresh snapshot and the database, and saw no fault."""
        await eventually(lambda: self._is_settled(places), 60)
        replicas = list(self.replicas.values())
        states = await until_equal(replicas, places.all, seconds)
        assert [fault for one in replicas for fault in one.faults()] == []
        for conversation_id in places.all:
            await self._require_stored(conversation_id, states["olga", conversation_id])
            self._require_nothing_betrayed(conversation_id, states.get(("guest", conversation_id)))
        return states

    async def _is_settled(self, places: Places) -> bool:
        """Whether everything the customer wrote was heard and nothing is on its way to them."""
        states = await self.site.states(places.desk)
        [heard] = await self.sql(
            """SELECT count(*) FROM message WHERE sender_id = (SELECT actor_id FROM member JOIN actor ON id = actor_id
                WHERE conversation_id = $1 AND kind = 'contact')""",
            parse_id("cnv", places.desk),
        )
        [better] = await self.sql(
            """SELECT count(*) FROM journal WHERE work = 'done' AND lane LIKE '%:' || $1
                AND position('better said'::bytea IN body) > 0""",
            str(places.chat.customer_id),
        )
        [due] = await self.sql(
            "SELECT count(*) FROM job WHERE work IN ('ready', 'leased') AND due_at < now() + interval '1 hour'"
            " AND kind IN ('conversations.post_scheduled', 'desk.fetch_media')"
        )
        return (
            not due["count"]
            and heard["count"] == places.written
            and better["count"] == places.better
            and not {"queued", "sending"} & set(states.values())
        )

    async def _require_stored(self, conversation_id: str, state: Json) -> None:
        key = parse_id("cnv", conversation_id)
        [head] = await self.sql("SELECT head, last_number FROM conversation WHERE id = $1", key)
        events = await self.sql(
            "SELECT number, kind FROM event WHERE conversation_id = $1 ORDER BY number", key
        )
        assert [row["number"] for row in events] == list(range(1, head["head"] + 1))
        rows = await self.sql(
            """SELECT position, number, id, text, deleted_at IS NOT NULL AS is_deleted FROM message
            WHERE conversation_id = $1 ORDER BY position""",
            key,
        )
        created = [row["number"] for row in events if row["kind"] == "message.created"]
        assert [row["position"] for row in rows] == created
        assert state["last_number"] == head["last_number"]
        assert [
            (row["position"], row["number"], public_id("msg", row["id"]), row["text"], row["is_deleted"])
            for row in rows
        ] == [
            (place, one["number"], one["id"], one["text"], one["deleted_at"] is not None)
            for place, one in state["messages"].items()
        ]
        numbers = [one["number"] for one in state["messages"].values() if one["number"] is not None]
        assert numbers == list(range(1, head["last_number"] + 1))
        members = await self.sql("SELECT actor_id, read_number FROM member WHERE conversation_id = $1", key)
        read = {public_id("act", row["actor_id"]): row["read_number"] for row in members}
        for one in self.replicas.values():
            if one.state(conversation_id) is not None:
                assert one.position(conversation_id) == head["head"]
                for actor_id, number in one.seen_reads(conversation_id).items():
                    assert actor_id not in read or number <= read[actor_id]

    def _require_nothing_betrayed(self, conversation_id: str, state: Json) -> None:
        if state is None:
            return
        assert all(one["kind"] != "note" and one["status"] is None for one in state["messages"].values())
        staff_kinds = {"message.status_changed", "conversation.status_changed", "conversation.assigned"}
        told = {e.kind for e in self.replicas["guest"].journal if e.stream == conversation_id}
        assert not told & staff_kinds


class Turmoil:
    """Random steps in some places, several at once."""

    def __init__(
        self, crowd: Crowd, places: Places, seed: int, *, breaks: bool = True, rights: bool = True
    ) -> None:
        self.crowd = crowd
        self.places = places
        self.random = random.Random(seed)
        self.seed = seed
        self.counts: dict[str, int] = {}
        self._sent: dict[str, list[tuple[str, str]]] = {place: [] for place in places.all}
        self._plans: list[tuple[str, str, str]] = []
        self._heard: list[int] = []
        self._bodies: list[tuple[str, str, Json, str]] = []
        self._steps = [
            (24, self._send),
            (5, self._send_again),
            (5, self._hear),
            (10, self._edit),
            (6, self._delete),
            (10, self._react),
            (6, self._unreact),
            (12, self._read),
            (4, self._change_desk),
            (5, self._pin),
            (4, self._hide),
            (5, self._forward),
            (4, self._plan),
            (4, self._change_plan),
        ]
        if breaks:
            self._steps += [(6, self._cut), (2, self._stay_away)]
        if rights:
            self._steps += [(8, self._set_member), (4, self._remove_member), (2, self._change_rights)]
            self._steps += [(3, self._change_about), (3, self._set_preferences), (3, self._set_draft)]

    async def run(self, steps: int) -> None:
        """Take the steps; on return they are done, everybody is back online and back in their inbox."""
        print(f"turmoil: seed {self.seed}, {steps} steps")
        left = iter(range(steps))

        async def worker() -> None:
            for number in left:
                weights = [weight for weight, _ in self._steps]
                [(_, step)] = self.random.choices(self._steps, weights)
                if await step(number) is not None:
                    name = step.__name__.strip("_")
                    self.counts[name] = self.counts.get(name, 0) + 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(worker())
        for one in self.crowd.replicas.values():
            one.go_online()
        await self.crowd.ask("olga", "PUT", f"/v1/inboxes/{self._inbox}/members/{self.crowd.actor('boris')}")
        print(f"turmoil: {self.counts}")

    @property
    def _inbox(self) -> str:
        return str(self.crowd.site.inbox["id"])

    def _who(self, place: str = "") -> str:
        """Anybody; in a place mostly one of those who are at home there."""
        at_home = {
            self.places.direct: ["olga", "mia"],
            self.places.broadcast: ["olga"],
            self.places.desk: ["olga", "anna", "boris"],
            self.places.group: ["olga", "anna", "boris", "mia"],
        }.get(place, [])
        if at_home and self.random.random() < 0.85:
            return self.random.choice(at_home)
        return self.random.choice(list(self.crowd.replicas))

    def _person(self) -> str:
        return self.random.choice([name for name in self.crowd.replicas if name != "guest"])

    def _message(self, place: str) -> tuple[str, str] | None:
        """A recent message and who sent it."""
        recent = self._sent[place][-12:]
        return self.random.choice(recent) if recent else None

    async def _ask(self, name: str, method: str, path: str, json: Json = None) -> Json:
        return await self.crowd.ask(name, method, path, json)

    async def _send(self, number: int) -> Json:
        place = self.random.choice(self.places.all)
        name = self._who(place)
        body: Json = {
            "client_id": f"{self.seed}/{number}",
            "text": f"{number} {self.random.choice(TEXTS)}",
            "kind": "note" if place == self.places.desk and self.random.random() < 0.4 else "text",
        }
        if self.random.random() < 0.3 and (known := self._message(place)):
            body["reply_to"] = known[0]
        if self.random.random() < 0.3:
            body["entities"] = [{"kind": "bold", "offset": 0, "length": 1}]
        elif self.random.random() < 0.4:
            body["entities"] = [self._call()]
        self._bodies.append((name, place, body, ""))
        made = await self._ask(name, "POST", f"/v1/conversations/{place}/messages", body)
        if made:
            self._sent[place].append((made["id"], name))
            self._bodies.append((name, place, body, made["id"]))
        return made

    async def _send_again(self, _: int) -> Json:
        """As a client does that never got the answer: the same message, perhaps while it is still being stored."""
        if not self._bodies:
            return None
        name, place, body, message_id = self.random.choice(self._bodies[-10:])
        made = await self._ask(name, "POST", f"/v1/conversations/{place}/messages", body)
        assert not made or message_id in ("", made["id"])
        if made and not message_id:
            self._sent[place].append((made["id"], name))
        return made

    async def _hear(self, number: int) -> Json:
        """A customer's words, a file, an album, or another wording of what they said before."""
        chat, chance = self.places.chat, self.random.random()
        if chance < 0.2 and self._heard:
            self.places.better += 1
            await chat.edit(self.random.choice(self._heard[-5:]), f"customer {number}, better said")
            return True
        self.places.written += 1
        if chance < 0.5:
            count = self.random.choice([1, 1, 2, 3])
            files = [(f"{number}-{n}.txt", f"{number} {n}".encode(), "text/plain") for n in range(count)]
            return await chat.send_files("document", files)
        said = await chat.write(f"customer {number}")
        self._heard.append(said["message_id"])
        return said

    async def _edit(self, number: int) -> Json:
        place = self.random.choice(self.places.all)
        known = self._message(place)
        if known is None:
            return None
        path = f"/v1/conversations/{place}/messages/{known[0]}"
        entities = [self._call()] if self.random.random() < 0.4 else []
        return await self._ask(known[1], "PATCH", path, {"text": f"edited {number}", "entities": entities})

    def _call(self) -> Json:
        """A mention of somebody, or of all."""
        where = {"offset": 0, "length": 1}
        if self.random.random() < 0.3:
            return {"kind": "mention_all", **where}
        return {"kind": "mention", "actor_id": self.crowd.actor(self._who()), **where}

    async def _pin(self, _: int) -> Json:
        place = self.random.choice(self.places.all)
        known = self._message(place)
        if known is None:
            return None
        method = self.random.choice(["PUT", "PUT", "DELETE"])
        return await self._ask(self._who(place), method, f"/v1/conversations/{place}/pins/{known[0]}")

    async def _hide(self, _: int) -> Json:
        """Olga keeps all: what she has is compared with the database."""
        place = self.random.choice(self.places.all)
        known, name = self._message(place), self._who(place)
        if known is None or name == "olga":
            return None
        return await self._ask(name, "DELETE", f"/v1/conversations/{place}/messages/{known[0]}?for=me")

    async def _plan(self, number: int) -> Json:
        """Have something said very soon, or tomorrow."""
        place = self.random.choice([self.places.group, self.places.direct, self.places.broadcast])
        name = self._who(place)
        soon = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.3)).isoformat()
        body = {
            "client_id": f"{self.seed}/{number}",
            "text": f"planned {number}",
            "send_at": self.random.choice([soon, tomorrow()]),
        }
        made = await self._ask(name, "POST", f"/v1/conversations/{place}/scheduled", body)
        if made:
            self._plans.append((name, place, made["id"]))
        return made

    async def _change_plan(self, number: int) -> Json:
        if not self._plans:
            return None
        name, place, key = self.random.choice(self._plans[-6:])
        path = f"/v1/conversations/{place}/scheduled/{key}"
        step = self.random.choice(["PATCH", "DELETE", "POST"])
        if step == "POST":
            return await self._ask(name, step, f"{path}/send")
        return await self._ask(name, step, path, {"text": f"replanned {number}"} if step == "PATCH" else None)

    async def _forward(self, number: int) -> Json:
        source, place = self.random.choice(self.places.all), self.random.choice(self.places.all)
        known, name = self._message(source), self._who(place)
        if known is None:
            return None
        body = {
            "client_id": f"{self.seed}/{number}",
            "forward": {"conversation_id": source, "message_id": known[0]},
            "kind": "note" if place == self.places.desk and self.random.random() < 0.5 else "text",
        }
        made = await self._ask(name, "POST", f"/v1/conversations/{place}/messages", body)
        if made:
            self._sent[place].append((made["id"], name))
        return made

    async def _delete(self, _: int) -> Json:
        place = self.random.choice(self.places.all)
        known = self._message(place)
        if known is None:
            return None
        name = known[1] if self.random.random() < 0.8 else "olga"
        return await self._ask(name, "DELETE", f"/v1/conversations/{place}/messages/{known[0]}")

    async def _react(self, _: int, method: str = "PUT") -> Json:
        place = self.random.choice(self.places.all)
        known = self._message(place)
        if known is None:
            return None
        emoji = quote(self.random.choice(EMOJIS))
        path = f"/v1/conversations/{place}/messages/{known[0]}/reactions/{emoji}"
        return await self._ask(self._who(place), method, path)

    async def _unreact(self, number: int) -> Json:
        return await self._react(number, "DELETE")

    async def _read(self, _: int) -> Json:
        place = self.random.choice(self.places.all)
        number = self.random.randint(0, len(self._sent[place]) + 2)
        path = f"/v1/conversations/{place}/read"
        return await self._ask(self._who(place), "PUT", path, {"number": number})

    async def _change_desk(self, _: int) -> Json:
        body: Json = self.random.choice(
            [
                {"status": "pending"},
                {"status": "resolved"},
                {"status": "open"},
                {"status": "snoozed", "snoozed_until": tomorrow()},
                {"assignee_id": self.crowd.actor("anna")},
                {"assignee_id": self.crowd.actor("boris")},
                {"assignee_id": None},
            ]
        )
        return await self._ask(self._person(), "PATCH", f"/v1/desk/conversations/{self.places.desk}", body)

    async def _set_member(self, _: int) -> Json:
        place = self.random.choice([self.places.group, self.places.broadcast])
        who = self.random.choice(["anna", "boris", "mia", "guest"])
        body = {
            "actor_id": self.crowd.actor(who),
            "role": self.random.choice(["moderator", "member", "member", "reader"]),
        }
        name = "olga" if self.random.random() < 0.7 else self._person()
        return await self._ask(name, "POST", f"/v1/conversations/{place}/members", body)

    async def _remove_member(self, _: int) -> Json:
        place = self.random.choice([self.places.group, self.places.broadcast])
        who = self.random.choice(["anna", "boris", "mia", "guest"])
        name = self.random.choice(["olga", who])
        return await self._ask(name, "DELETE", f"/v1/conversations/{place}/members/{self.crowd.actor(who)}")

    async def _change_about(self, number: int) -> Json:
        place = self.random.choice([self.places.group, self.places.broadcast])
        body = self.random.choice([{"title": f"Team {number}"}, {"description": None}, {"description": "x"}])
        return await self._ask(self._who(place), "PATCH", f"/v1/conversations/{place}", body)

    async def _set_preferences(self, _: int) -> Json:
        place = self.random.choice([self.places.group, self.places.broadcast, self.places.direct])
        body: Json = self.random.choice(
            [
                {"is_pinned": True},
                {"is_pinned": False},
                {"is_archived": True},
                {"muted_until": tomorrow()},
                {"muted_until": None},
            ]
        )
        return await self._ask(self._who(place), "PUT", f"/v1/conversations/{place}/preferences", body)

    async def _set_draft(self, number: int) -> Json:
        place = self.random.choice(self.places.all)
        name, path = self._who(place), f"/v1/conversations/{place}/draft"
        if self.random.random() < 0.3:
            return await self._ask(name, "DELETE", path)
        return await self._ask(name, "PUT", path, {"text": f"{number} {self.random.choice(TEXTS)}"})

    async def _change_rights(self, _: int) -> Json:
        method = self.random.choice(["PUT", "DELETE"])
        return await self._ask(
            "olga", method, f"/v1/inboxes/{self._inbox}/members/{self.crowd.actor('boris')}"
        )

    async def _cut(self, _: int) -> Json:
        await self.crowd.replicas[self._who()].cut()
        return True

    async def _stay_away(self, _: int) -> Json:
        one = self.crowd.replicas[self._who()]
        await one.go_offline()
        asyncio.get_running_loop().call_later(self.random.uniform(0.1, 1.0), one.go_online)
        return True


@contextlib.asynccontextmanager
async def open_crowd(
    folder: Path,
    dsn: str,
    *,
    server: Server | None = None,
    provider: Provider | None = None,
    others: Sequence[Server] = (),
) -> AsyncIterator[Crowd]:
    """Start a provider and a server on a database, with an inbox and five clients.

    A ``server`` given belongs to the ``provider`` given; neither is started yet. The clients are spread over it and the
    ``others``, Olga on the first.
    """
    provider = provider or Provider(folder)
    server = server or Server(folder, DATABASE_URL=dsn, PARLEY_TELEGRAM_API_URL=provider.api_url)
    async with running(server, provider), contextlib.AsyncExitStack() as stack:
        await asyncio.gather(provider.start(), server.start())
        workspace = await server.set_up()
        for other in others:
            await other.start()
        bot = await provider.make_bot()
        request = {"channel": "telegram", "secrets": {"token": bot.token}}
        inbox = await server.call("POST", "/v1/inboxes", request)
        (folder / "house").mkdir()
        house = await stack.enter_async_context(open_house(dsn, folder / "house"))
        place = Workspace(house, parse_id("ws", workspace["me"]["workspace"]["id"]))
        people = {
            "anna": await place.user("Anna", "agent"),
            "boris": await place.user("Boris", "agent"),
            "mia": await place.user("Mia"),
            "guest": await place.bot("Guest", "chat"),
        }
        for name in ("anna", "boris"):
            await server.call("PUT", f"/v1/inboxes/{inbox['id']}/members/{people[name].public}")
        tokens = {"olga": server.token} | {name: person.token for name, person in people.items()}
        where = [server.url, *(other.url for other in others)]
        replicas = {
            name: await stack.enter_async_context(Replica(where[n % len(where)], token, name=name))
            for n, (name, token) in enumerate(tokens.items())
        }

        async def all_know_themselves() -> bool:
            return all(one.actor_id for one in replicas.values())

        await eventually(all_know_themselves)
        crowd = Crowd(Site(server, provider, bot, inbox), dsn, place, replicas)
        yield crowd
        await server.require_well()
