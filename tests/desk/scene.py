"""The desk over the fake channel: customers are heard, agents send, step by step or by real workers."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any, cast
from uuid import UUID, uuid4

import httpx2
from litestar import Litestar

from parley.apps.rest import Parts, build_rest
from parley.channels.contract import IncomingMessage, Parsed, Person
from parley.desk.accounts import Channels
from parley.desk.delivery import Delivery, settle_broken
from parley.desk.delivery_store import DELIVERIES
from parley.desk.intake import Intake
from parley.desk.intake_store import JOURNAL
from parley.desk.journal import accept_body
from parley.infra.work import Claim, WorkTable
from parley.infra.worker import Limits, Worker
from parley.kit.ids import parse_id, public_id
from tests.desk.fake_channel import FakeChannel, encode
from tests.house import House, Workspace
from tests.house import Person as Somebody

Json = Any


@dataclasses.dataclass
class Desk:
    """A workspace with an inbox on the fake channel. Olga owns it, Anna works in the inbox, Boris does not."""

    house: House
    place: Workspace
    olga: Somebody
    anna: Somebody
    boris: Somebody
    inbox: UUID
    channel: FakeChannel

    @cached_property
    def channels(self) -> Channels:
        """The fake channel as the desk gets it."""
        runtime = self.house.runtime
        return Channels({"telegram": self.channel}, runtime.keys, runtime.settings)

    @cached_property
    def rest(self) -> Litestar:
        """The REST application over the fake channel."""
        parts = Parts(
            runtime=self.house.runtime,
            channels=self.channels,
            collector=self.house.collector,
            pictures=cast("Any", None),
        )
        return build_rest(parts)

    def client(self, person: Somebody | None) -> httpx2.AsyncClient:
        """Return somebody's client, or nobody's."""
        headers = {"Authorization": f"Bearer {person.token}"} if person else {}
        transport = httpx2.ASGITransport(app=cast("Any", self.rest), raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers)

    async def ask(
        self, person: Somebody, method: str, path: str, json: Json = None, status: int | None = None
    ) -> Json:
        """Do one request as somebody."""
        async with self.client(person) as client:
            answer = await client.request(method, path, json=json)
        is_fine = answer.is_success if status is None else answer.status_code == status
        assert is_fine, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    # ------------------------------------------------------------ in

    def message(
        self, provider_id: str, text: str = "hello", chat: str = "77", **more: Any
    ) -> IncomingMessage:
        """Return a customer's message in our words."""
        return IncomingMessage(**self.start(chat), provider_id=provider_id, text=text, **more)

    def start(self, chat: str = "77") -> dict[str, Any]:
        """Return the fields that everything coming in has."""
        person = Person(address=chat, name=f"Customer {chat}")
        return {"chat": chat, "person": person, "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}

    async def journal(self, body: bytes) -> None:
        """Journal a raw body, as a webhook does."""
        async with self.house.db.transaction(self.place.id) as tx:
            await accept_body(tx, self.channel, self.place.id, self.inbox, body)

    async def hear(self, *items: Parsed) -> None:
        """Journal items and make of them what they say."""
        await self.journal(encode(*items))
        intake = Intake(self.house.db, self.channels)
        while claims := await self.claim(JOURNAL):
            for claim in claims:
                await intake.handle(claim)

    async def claim(self, table: WorkTable) -> list[Claim]:
        """Claim whatever is due."""
        async with self.house.db.system() as tx:
            return await table.claim(tx, limit=50, lease_seconds=60)

    async def conversation(self, chat: str = "77") -> Json:
        """Return the newest desk conversation of a chat."""
        page = await self.ask(self.olga, "GET", "/v1/desk/conversations?status=all&limit=100")
        mine = [item for item in page["items"] if item["contact"]["address"] == chat]
        return max(mine, key=lambda item: item["id"]) if mine else None

    async def messages(self, conversation: Json) -> list[Json]:
        """Return a conversation's messages."""
        page = await self.ask(self.olga, "GET", f"/v1/conversations/{conversation['id']}/messages?after=0")
        items: list[Json] = page["items"]
        return items

    # ------------------------------------------------------------ out

    async def send(self, text: str, chat: str = "77") -> Json:
        """Answer the customer of a chat, who is heard first if they never were."""
        if await self.conversation(chat) is None:
            await self.hear(self.message(f"first of {chat}", chat=chat))
        conversation = await self.conversation(chat)
        path = f"/v1/conversations/{conversation['id']}/messages"
        return await self.ask(self.olga, "POST", path, {"client_id": uuid4().hex, "text": text})

    async def deliver(self) -> None:
        """Carry out the deliveries that are due, in order."""
        delivery = self.delivery()
        while claims := await self.claim(DELIVERIES):
            for claim in claims:
                await delivery.handle(claim)

    def delivery(self) -> Delivery:
        """Return who carries out deliveries."""
        return Delivery(self.house.db, self.channels, cast("Any", None))

    async def status(self, message: Json) -> Json:
        """Return the outward face of a message now."""
        stored = await self.messages({"id": message["conversation_id"]})
        return next(one["status"] for one in stored if one["id"] == message["id"])

    async def state(self, message: Json) -> str:
        """Return the outward state of a message now."""
        state: str = (await self.status(message))["state"]
        return state

    async def act(self, message: Json, action: str, status: int | None = None) -> Json:
        """Act on a delivery as the owner."""
        path = f"/v1/conversations/{message['conversation_id']}/messages/{message['id']}/delivery"
        return await self.ask(self.olga, "POST", path, {"action": action}, status)

    def room_of(self, conversation: Json) -> UUID:
        """Return the id that a conversation has inside."""
        return parse_id("cnv", conversation["id"])

    async def set_ledger(self, message: Json, state: str) -> None:
        """Put a delivery into a state, its work over."""
        await self.house.sql(
            "UPDATE delivery SET state = $2, work = 'done' WHERE message_id = $1 AND action = 'send'",
            parse_id("msg", message["id"]), state,
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run real workers of journal and ledger meanwhile."""
        limits = Limits(poll_seconds=0.05)
        db = self.house.db
        workers = [
            Worker(JOURNAL, db, Intake(db, self.channels).handle, limits=limits),
            Worker(DELIVERIES, db, self.delivery().handle, limits=limits, on_broken=settle_broken),
        ]
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        try:
            yield
        finally:
            for worker in workers:
                worker.stop()
            await asyncio.gather(*tasks)

    @property
    def public_inbox(self) -> str:
        """The inbox as clients see it."""
        return public_id("inb", self.inbox)
