"""The database is put back to an older state under running clients: nobody mixes two histories, nothing goes out twice.

Commits after the backup are gone and others take their numbers. Three clients come back with cursors from the lost
history: beyond the new one, at its very number, before it. A fourth stays where it is, on its socket if the server
runs on, and others send from the first moment on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from parley.infra.file_birth import birth_ns
from parley.infra.postgres import EmbeddedPostgres
from parley.kit.ids import parse_id
from tests.backups import base_backup, copy_directory, dump_and_load, put_back
from tests.programs import Chat, Site, eventually, open_site
from tests.replica import Replica, until_equal
from tests.report import short_and_long
from tests.senders import Sender, count_seen, require_as_told, shown_by

pytestmark = pytest.mark.anyio


async def test_a_base_backup_put_back_between_two_runs_of_the_server(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        postgres = EmbeddedPostgres(site.server.data_dir)
        async with _a_lost_history(site, postgres.dsn()) as story:
            await base_backup(postgres, tmp_path / "backup")
            await story.go_on()
            assert await site.server.stop() == 0
            put_back(postgres, tmp_path / "backup")
            await site.server.start()
            await story.require_one_history("older")


@short_and_long("rounds, load", (1, 10), (2, 60))
async def test_a_base_backup_put_back_under_the_running_server(
    tmp_path: Path, figures: Callable[..., None], rounds: int, load: int
) -> None:
    postgres = EmbeddedPostgres(tmp_path / "database")
    dsn = await postgres.start()
    counted: Counter[str] = Counter()
    try:
        async with open_site(tmp_path, DATABASE_URL=dsn) as site:
            for n in range(rounds):
                # by turns what is sent anew runs past the numbers of the lost history, and does not reach them
                more = 2 * load if n % 2 else 0
                async with _a_lost_history(site, dsn, load=load, more=more) as story:
                    await base_backup(postgres, tmp_path / f"backup {n}")
                    await story.go_on()
                    connections = story.staying.connections
                    await postgres.stop()
                    put_back(postgres, tmp_path / f"backup {n}")
                    assert await postgres.start() == dsn
                    counted.update(await story.require_one_history("older"))
                    # told on the socket it had all the while, stream by stream
                    assert story.staying.connections == connections
                    for stream in (*story.streams, story.staying.actor_id):
                        assert story.staying.resets[stream] == 1
    finally:
        await postgres.stop()
    resets = counted.pop("resets")
    figures(
        **counted,
        faults=f"{rounds} x a base backup put back under the running server and its clients; {resets} streams reset, "
        "deliveries held until released",
    )


async def test_a_whole_data_directory_put_back(tmp_path: Path) -> None:
    if birth_ns(tmp_path) is None:
        pytest.skip("this filesystem does not say when a file was made")
    async with open_site(tmp_path) as site:
        data = site.server.data_dir
        async with _a_lost_history(site, EmbeddedPostgres(data).dsn()) as story:
            assert await site.server.stop() == 0
            await copy_directory(data, tmp_path / "backup")
            await site.server.start()
            await story.go_on()
            assert await site.server.stop() == 0
            shutil.rmtree(data)
            await copy_directory(tmp_path / "backup", data)
            await site.server.start()
            await story.require_one_history("copy")


async def test_a_dump_loaded_into_another_cluster(tmp_path: Path) -> None:
    old, new = EmbeddedPostgres(tmp_path / "old"), EmbeddedPostgres(tmp_path / "new")
    old_dsn, new_dsn = await asyncio.gather(old.start(), new.start())
    try:
        await _use_up_transactions(old_dsn, 3000)
        async with open_site(tmp_path, DATABASE_URL=old_dsn) as site, _a_lost_history(site, old_dsn) as story:
            await dump_and_load(old, new, tmp_path)
            await story.go_on()
            site.server.set(DATABASE_URL=new_dsn)
            await site.server.restart()
            story.dsn = new_dsn
            await story.require_one_history("other_database")
            connection = await asyncpg.connect(new_dsn)
            try:
                ahead = """SELECT (SELECT count(*) FROM event WHERE transaction > pg_current_xact_id())
                    + (SELECT count(*) FROM personal_event WHERE transaction > pg_current_xact_id())
                    + (SELECT count(*) FROM conversation WHERE feed_transaction > pg_current_xact_id())
                    + (SELECT count(*) FROM actor WHERE feed_transaction > pg_current_xact_id())
                    + (SELECT count(*) FROM desk_conversation WHERE touch > pg_current_xact_id())"""
                assert await connection.fetchval(ahead) == 0
            finally:
                await connection.close()
    finally:
        await asyncio.gather(old.stop(), new.stop())


async def test_killing_server_and_database_holds_nothing(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        [(chat, place)] = await site.open_conversations(1)
        for n in range(3):
            await site.server.send_until_taken(place, f"{n}", f"{n}")
            path = site.server.postmaster_file
            await site.server.kill()
            os.kill(int(path.read_text().splitlines()[0]), signal.SIGKILL)
            await site.server.start()
        found = await site.until_settled(place)
        assert set(found) == {"0", "1", "2"}
        assert set(found.values()) <= {"sent", "unknown"}
        arrived = await chat.accepted()
        # killed just before the provider was asked, what was to be said is not there, and not certain either
        assert arrived == [text for text in ("0", "1", "2") if text in arrived]
        assert {text for text, state in found.items() if state == "sent"} <= set(arrived)
        assert "deliveries_held" not in site.server.log()


class _Story:
    """Four clients of two conversations, senders, and a message that waits when the backup is made."""

    def __init__(self, site: Site, dsn: str, places: list[tuple[Chat, str]], clients: list[Replica]) -> None:
        self._count = 0
        self.site = site
        self.dsn = dsn
        self.places = places
        self.streams = [place for _, place in places]
        self.clients = clients
        self.staying = clients[-1]
        self.senders = [Sender(site.server.http, self.streams[n % 2], f"{places[0][1]}{n}") for n in range(4)]
        self.load = self.more = 0
        self.held = site.server.log().count("deliveries_held")
        self.cursor = ""
        self.lost = ""

    async def go_on(self) -> None:
        """Live on after the backup: what waited is sent, clients see it and more, and all but one go away one by one."""
        waiting, _ = self.places
        await self.site.provider.heal()
        assert await self.site.until_settled(waiting[1]) == {"waits": "sent"}
        near, middle, far, staying = self.clients
        for client, count in ((near, 1), (middle, 4 + self.more), (far, 10), (staying, 3)):
            for n in range(count):
                for place in self.streams:
                    answer = await self.site.server.send(place, "lost", f"{client.name}{n}", kind="note")
                    assert answer.status_code == 201
            for place in self.streams:
                await client.reach(place, await self._head(place))
            if client is not staying:
                await client.go_offline()
        await self._live_on_alone()
        self.cursor = (await self.site.server.call("GET", "/v1/desk/conversations"))["token"]

    async def _live_on_alone(self) -> None:
        """What only the staying client learns: of its own actor, and of a conversation that the backup does not have."""
        server = self.site.server
        for n in range(3):
            await self._write_draft(f"lost {n}")
        made = await server.call("POST", "/v1/conversations", {"kind": "group", "title": "L", "members": []})
        self.lost = made["id"]
        await self.staying.follow(self.lost)
        await self.staying.until(lambda: self.staying.is_live(self.lost))
        head = await self._personal_head()
        await self.staying.until(lambda: self.staying.personal_cursor == head)

    async def require_one_history(self, reason: str) -> Counter[str]:
        """Check, after the restore, what goes out and what clients make of it. Return what was counted."""
        server, (waiting, quiet) = self.site.server, self.places
        async with asyncio.TaskGroup() as tasks:
            for sender in self.senders:
                tasks.create_task(sender.send(self.load))

        async def is_held() -> bool:
            return server.log().count("deliveries_held") > self.held

        await eventually(is_held)
        assert f'"reason": "{reason}"' in server.log()
        assert server.log().count("deliveries_held") == self.held + 1
        near, middle, far, staying = self.clients
        await staying.until(lambda: staying.resets[staying.actor_id] >= 1)
        far.go_online()
        for place in self.streams:
            await self._grow(place, to=middle.position(place))
        middle.go_online()
        await self._send(quiet[1], "after the restore")
        near.go_online()
        await self._write_draft("after the restore")
        for place in self.streams:
            for client in self.clients:
                await client.until(lambda client=client, place=place: client.is_live(place))
                await client.reach(place, await self._head(place))
            await self._send(place, "live")
        counted = await self._require_equal()
        changes = await server.call("GET", f"/v1/desk/conversations/changes?since={self.cursor}")
        assert changes["reset"]
        await self._require_held(waiting)
        for place in self.streams:
            await self.site.require_dense(self.dsn, place)
        return counted

    async def _require_equal(self) -> Counter[str]:
        """Every client shows the new history and nothing of the lost one, its personal stream too."""
        await until_equal(self.clients, self.streams)
        await self.staying.until(lambda: self.staying.is_gone(self.lost))
        head = await self._personal_head()
        wrong: Counter[str] = Counter()
        for client in self.clients:
            await client.until(lambda client=client: client.personal_cursor == head)
            assert client.faults() == []
            assert client.state(self.streams[1])["draft"]["text"] == "after the restore"
            shown = shown_by(client, self.streams)
            assert "lost" not in str(shown)
            wrong.update(require_as_told(self.senders, shown))
            if client is self.staying:
                assert client.resets[client.actor_id] == 1
            else:
                assert all(client.resets[place] >= 1 for place in self.streams)
        wrong.update(
            sent=sum(sender.attempts for sender in self.senders),
            acknowledged=sum(len(sender.answers) for sender in self.senders),
            seen=count_seen(self.clients),
            resets=sum(client.resets.total() for client in self.clients),
        )
        return wrong

    async def _require_held(self, waiting: tuple[Chat, str]) -> None:
        """What waited in the backup stays until an operator lets it go; what is new goes out."""
        chat, place = waiting
        assert await chat.accepted() == ["waits"]
        assert (await self.site.states(place))["waits"] == "queued"
        other = self.places[1]
        await self.site.send_all(other[1], ["new"])

        async def is_sent() -> bool:
            return await other[0].accepted() == ["new"]

        await eventually(is_sent)
        assert "1 released" in await self.site.server.command("admin", "release-deliveries")
        assert (await self.site.until_settled(place))["waits"] == "sent"
        assert await chat.accepted() == ["waits", "waits"]

    async def _grow(self, place: str, to: int) -> None:
        while await self._head(place) < to:
            await self._send(place, "found")

    async def _send(self, place: str, text: str) -> None:
        self._count += 1
        await self.site.server.send_until_taken(place, text, f"again {self._count}", kind="note")

    async def _write_draft(self, text: str) -> None:
        """Tell the personal stream something."""
        path = f"/v1/conversations/{self.streams[1]}/draft"
        await self.site.server.call("PUT", path, {"text": text})

    async def _personal_head(self) -> tuple[int, int]:
        connection = await asyncpg.connect(self.dsn)
        try:
            row = await connection.fetchrow(
                "SELECT head, tag FROM actor WHERE id = $1", parse_id("act", self.staying.actor_id)
            )
        finally:
            await connection.close()
        assert row is not None
        return row["head"], row["tag"]

    async def _head(self, place: str) -> int:
        number: int = (await self.site.server.call("GET", f"/v1/conversations/{place}"))["head"]["number"]
        return number


@contextlib.asynccontextmanager
async def _a_lost_history(site: Site, dsn: str, *, load: int = 0, more: int = 0) -> AsyncIterator[_Story]:
    """Begin one that is ``more`` messages longer than it need be; ``load``: how many messages each sender has on its
    hands once the backup is put back."""
    places = await site.open_conversations(2)
    server = site.server
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(Replica(server.url, server.token, name=name))
            for name in ("near", "middle", "far", "staying")
        ]
        for client in clients:
            for _, place in places:
                await client.follow(place)
        await site.provider.fault(
            "answer", status=429, retry_after=5, chat_id=places[0][0].customer_id, method="sendMessage"
        )
        await site.send_all(places[0][1], ["waits"])

        async def is_put_off() -> bool:
            connection = await asyncpg.connect(dsn)
            try:
                return bool(
                    await connection.fetchval(
                        """SELECT work = 'ready' AND due_at > now() AND attempts > 0 FROM delivery
                        WHERE conversation_id = $1""",
                        parse_id("cnv", places[0][1]),
                    )
                )
            finally:
                await connection.close()

        await eventually(is_put_off)
        story = _Story(site, dsn, places, clients)
        story.load, story.more = load, more
        yield story


async def _use_up_transactions(dsn: str, count: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for _ in range(count):
            await connection.execute("SELECT pg_current_xact_id()")
    finally:
        await connection.close()
