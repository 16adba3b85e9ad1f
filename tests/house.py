"""A furnished house for tests of the core: workspaces with people, inboxes, customers and conversations.

Everything real: the database of the fixture, the desk's reactions, the REST application as `parley.apps` builds it.
Only passwords are left out; people hold tokens of sessions written straight into the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast
from uuid import UUID

import asyncpg
import httpx2
from litestar import Litestar

from parley.accounts import Caller
from parley.apps.process import make_channels
from parley.apps.rest import Parts, build_rest
from parley.channels.contract import Person as ChannelPerson
from parley.contacts import ensure_identity
from parley.conversations import Collector, Draft, Posted, post_message
from parley.conversations.members import open_conversation
from parley.conversations.search_index import follow
from parley.desk import reactions
from parley.desk.intake import ensure_conversation
from parley.infra.crypto import hash_token
from parley.infra.runtime import Runtime, open_runtime
from parley.infra.settings import Settings
from parley.kit.ids import parse_id, public_id, uuid7

Json = dict[str, Any]
GroupKind = Literal["direct", "group", "broadcast"]


@dataclasses.dataclass(frozen=True)
class Person:
    """A user, or a bot with a key: the caller its requests are, and its token."""

    caller: Caller
    token: str

    @property
    def id(self) -> UUID:
        """The actor."""
        return self.caller.actor_id

    @property
    def public(self) -> str:
        """The actor as clients see it."""
        return public_id("act", self.id)


@dataclasses.dataclass(frozen=True)
class Room:
    """A desk conversation and its customer."""

    id: UUID
    inbox_id: UUID
    contact_id: UUID

    @property
    def public(self) -> str:
        """The conversation as clients see it."""
        return public_id("cnv", self.id)


class House:
    """One process over the database."""

    def __init__(self, runtime: Runtime, dsn: str) -> None:
        self.runtime = runtime
        self.dsn = dsn
        self.db = runtime.db
        self.db.reactions.append(reactions.react)
        self.collector = Collector(runtime.db)

    @cached_property
    def rest(self) -> Litestar:
        """The REST application."""
        return build_rest(
            Parts(
                runtime=self.runtime,
                channels=make_channels(self.runtime),
                collector=self.collector,
                pictures=cast("Any", None),
            )
        )

    def client(self, person: Person | None = None, **headers: str) -> httpx2.AsyncClient:
        """Return somebody's client, or nobody's."""
        if person is not None:
            headers["Authorization"] = f"Bearer {person.token}"
        transport = httpx2.ASGITransport(app=cast("Any", self.rest), raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers)

    async def workspace(self, name: str = "Acme") -> Workspace:
        """Make an empty workspace."""
        key = uuid7()
        async with self.db.system() as tx:
            await tx.execute("INSERT INTO workspace (id, name) VALUES ($1, $2)", key, name)
        return Workspace(self, key)

    async def sql(self, statement: str, *args: Any) -> list[asyncpg.Record]:
        """Ask or change the database as its owner."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetch(statement, *args)
        finally:
            await connection.close()


@dataclasses.dataclass
class Workspace:
    """What a workspace is furnished with."""

    house: House
    id: UUID

    async def user(self, name: str, role: str = "member") -> Person:
        """Add a user who is signed in."""
        actor_id, login_id, session_id, token = uuid7(), uuid7(), uuid7(), f"at_{uuid7().hex}"
        later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        async with self.house.db.system() as tx:
            await tx.execute(
                "INSERT INTO login (id, email) VALUES ($1, $2)", login_id, f"{login_id}@example.org"
            )
            await tx.execute(
                """INSERT INTO actor (workspace_id, id, kind, name, role, login_id)
                VALUES ($1, $2, 'user', $3, $4, $5)""",
                self.id, actor_id, name, role, login_id,
            )  # fmt: skip
            await tx.execute(
                """INSERT INTO session (id, workspace_id, actor_id, login_id, access_hash, access_expires_at,
                    refresh_hash, rotated_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, now(), $6)""",
                session_id, self.id, actor_id, login_id, hash_token(token), later, uuid7().bytes,
            )  # fmt: skip
        caller = Caller(
            workspace_id=self.id, actor_id=actor_id, kind="user", role=cast("Any", role), scopes=frozenset(),
            session_id=session_id, name=name, login_id=login_id,
        )  # fmt: skip
        return Person(caller, token)

    async def bot(self, name: str, *scopes: str) -> Person:
        """Add a bot with a key of these scopes."""
        actor_id, token = uuid7(), f"pk_{uuid7().hex}"
        async with self.house.db.system() as tx:
            await tx.execute(
                "INSERT INTO actor (workspace_id, id, kind, name) VALUES ($1, $2, 'bot', $3)",
                self.id, actor_id, name,
            )  # fmt: skip
            await tx.execute(
                """INSERT INTO api_key (workspace_id, id, actor_id, name, hash, hint, scopes)
                VALUES ($1, $2, $3, $4, $5, '', $6)""",
                self.id, uuid7(), actor_id, name, hash_token(token), list(scopes),
            )  # fmt: skip
        caller = Caller(
            workspace_id=self.id, actor_id=actor_id, kind="bot", role=None, scopes=frozenset(scopes),
            session_id=None, name=name,
        )  # fmt: skip
        return Person(caller, token)

    async def inbox(self, *staff: Person, name: str = "Shop") -> UUID:
        """Add an inbox with these people in it."""
        key = uuid7()
        sealed = self.house.runtime.keys.encrypt({"token": "1:x", "webhook_secret": "s"}, bound_to=key.bytes)
        async with self.house.db.system() as tx:
            await tx.execute(
                """INSERT INTO inbox (workspace_id, id, channel, name, address, secrets, config)
                VALUES ($1, $2, 'telegram', $3, $4, $5, $6)""",
                self.id, key, name, str(key), sealed, {"updates": "polling"},
            )  # fmt: skip
            for person in staff:
                await tx.execute(
                    "INSERT INTO inbox_member (workspace_id, inbox_id, actor_id) VALUES ($1, $2, $3)",
                    self.id, key, person.id,
                )  # fmt: skip
        return key

    async def room(self, inbox_id: UUID, customer: str = "Carla") -> Room:
        """Open a desk conversation with a new customer, as intake does."""
        async with self.house.db.transaction(self.id) as tx:
            inbox = await tx.fetchrow("SELECT * FROM inbox WHERE id = $1", inbox_id)
            assert inbox is not None
            person = ChannelPerson(address=str(uuid7()), name=customer)
            identity = await ensure_identity(tx, self.id, inbox_id, person)
            key = await ensure_conversation(tx, inbox, identity)
        return Room(key, inbox_id, identity.contact_id)

    async def open(
        self, owner: Person, *others: Person, kind: GroupKind = "group", title: str | None = "Team"
    ) -> UUID:
        """Open a conversation among people; the first is its owner."""
        async with self.house.db.transaction(self.id) as tx:
            made = await open_conversation(
                tx, owner.caller, kind=kind, title=title, members=[other.id for other in others]
            )
        return parse_id("cnv", made.id)

    def draft(self, conversation_id: UUID, sender: Person | UUID, text: str = "hello", **more: Any) -> Draft:
        """Return a draft of somebody's message."""
        is_admin = isinstance(sender, Person) and sender.caller.is_admin
        return Draft(
            workspace_id=self.id,
            conversation_id=conversation_id,
            sender_id=sender.id if isinstance(sender, Person) else sender,
            text=text,
            is_admin=is_admin,
            **more,
        )

    async def say(
        self, conversation_id: UUID, sender: Person | UUID, text: str = "hello", **more: Any
    ) -> Posted:
        """Post a message in a transaction of its own."""
        async with self.house.db.transaction(self.id) as tx:
            return await post_message(tx, self.draft(conversation_id, sender, text, **more))

    async def media(self, uploader: Person | UUID, name: str = "a.txt") -> UUID:
        """Put a small file into the house, uploaded by somebody."""
        key = uuid7()
        owner = uploader.id if isinstance(uploader, Person) else uploader

        async def chunks() -> AsyncIterator[bytes]:
            yield b"abc"

        blobs = self.house.runtime.blobs
        stored = await blobs.put_stream(f"{self.id}/{key}/content", chunks(), limit_bytes=10)
        async with self.house.db.system() as tx:
            await tx.execute(
                """INSERT INTO media
                    (workspace_id, id, state, kind, name, content_type, size_bytes, sha256, uploaded_by)
                VALUES ($1, $2, 'ready', 'file', $3, 'text/plain', $4, $5, $6)""",
                self.id, key, name, stored.size_bytes, stored.sha256, owner,
            )  # fmt: skip
        return key


@contextlib.asynccontextmanager
async def open_house(dsn: str, data_dir: Path, **settings: Any) -> AsyncIterator[House]:
    """Open a process over a migrated database."""
    async with open_runtime(Settings(data_dir=data_dir, **settings), dsn) as runtime:
        house = House(runtime, dsn)
        yield house
        await house.collector.drain()


async def index_all(house: House) -> None:
    """Have search know everything committed so far, as its follower would within a second."""
    async with asyncio.timeout(30):
        while await house.sql(
            """SELECT FROM event e, follower f WHERE f.name = 'search' AND (e.transaction, e.conversation_id, e.number)
                > (f.transaction, (f.position ->> 0)::uuid, (f.position ->> 1)::bigint) LIMIT 1"""
        ) or await house.sql("SELECT FROM follower, event WHERE name = 'search' AND position = '[]' LIMIT 1"):
            await follow(house.db)


async def read_numbers(house: House, conversation_id: UUID) -> list[int]:
    """Return the numbers of a stream's events."""
    rows = await house.sql(
        "SELECT number FROM event WHERE conversation_id = $1 ORDER BY number", conversation_id
    )
    return [row["number"] for row in rows]


def require_dense(numbers: Sequence[int]) -> None:
    """Fail unless the numbers are 1, 2, 3 ..."""
    assert list(numbers) == list(range(1, len(numbers) + 1))
