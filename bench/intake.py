"""`intake.telegram.accepted`, `intake.telegram.processed`: Telegram's updates journalled and answered 200; made messages.

Accepted: webhooks in a closed loop, the workers of the same process busy with them meanwhile. Processed: a backlog of
journal items over many chats, the rate of their messages on screens between the first and the last tenth. Every chat
has written before, so contact and conversation are there. Both against what pgbench commits of a send's rows
(`bench.yardstick`); the rows of the journal alone are given in the notes.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import uvloop

from bench.figures import Figure, Round, make_figure
from bench.load import Request, run_closed_loop
from bench.machine import CpuWatch, pin_generator
from bench.screens import WATCHED_A_SOCKET, Screens, open_screens, until_seen
from bench.stage import OTHER, WORKSPACE, Stage, open_stage
from bench.yardstick import TEXT, Yardstick
from parley.infra.crypto import hash_token, load_keys
from parley.kit.ids import public_id, uuid7

ROUNDS = 5
SECONDS = 5
IN_FLIGHT = 32
"""Of all bots together; Telegram makes up to 40 connections to each."""
BOTS = (5001, 5002)
CHATS = 8 * WATCHED_A_SOCKET
"""All of them on screens."""
SECRET = "benchsecretbenchsecret"
AGENT_KEY = "pk_benchagentbenchagentbenchagentbenchagent0"
DRAIN_SECONDS = 180

# The journal's part alone: one row a transaction.
_JOURNAL_SCRIPT = f"""
\\set n random(1, {CHATS})
INSERT INTO journal (workspace_id, id, inbox_id, lane, body, received_at)
SELECT workspace_id, gen_random_uuid(), id, id::text || ':' || :n, repeat('x', 560)::bytea, now()
FROM inbox ORDER BY id LIMIT 1;
"""


class JournalYardstick(Yardstick):
    """pgbench committing journal rows one a transaction: less than the ceiling of a send by message, event and counters."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._script = stage.folder / "journal.sql"
        self._script.write_text(_JOURNAL_SCRIPT)


class Telegram:
    """Makes updates as Telegram sends them; the chats take turns, so one of them never overtakes itself."""

    def __init__(self, inboxes: dict[int, UUID]) -> None:
        self._inboxes = inboxes
        self._update = itertools.count(700_000_000)
        self._message = itertools.count(1)
        self._turn = itertools.count()

    def updates(self, prefix: str) -> Iterator[tuple[UUID, int, bytes, str]]:
        """Yield (inbox, chat, body, key) without end; the key is the last word of the text."""
        for number in itertools.count():
            chat = next(self._turn) % CHATS
            inbox = self._inboxes[BOTS[chat % len(BOTS)]]
            person = f'"first_name":"Customer","last_name":"Number {chat}","username":"customer_{chat}"'
            key = f"{prefix}-{number}"
            body = (
                f'{{"update_id":{next(self._update)},"message":{{"message_id":{next(self._message)},'
                f'"from":{{"id":{1000 + chat},"is_bot":false,{person},"language_code":"en"}},'
                f'"chat":{{"id":{1000 + chat},{person},"type":"private"}},"date":{int(time.time())},'
                f'"text":"{TEXT} {key}"}}}}'
            )
            yield inbox, 1000 + chat, body.encode(), key

    def requests(self, prefix: str) -> Request:
        """Return what makes webhook requests."""
        updates = self.updates(prefix)

        def make_request() -> tuple[bytes, str]:
            inbox, _, body, key = next(updates)
            head = (
                f"POST /webhooks/telegram/{public_id('inb', inbox)} HTTP/1.1\r\nHost: bench\r\n"
                f"Content-Type: application/json\r\nX-Telegram-Bot-Api-Secret-Token: {SECRET}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            return head.encode() + body, key

        return make_request


async def measure() -> dict[str, Figure]:
    """Alternate accepting, processing and pgbench on one server."""
    rounds: dict[str, list[Round]] = {"accepted": [], "processed": []}
    async with open_stage() as stage:
        telegram = Telegram(await _seed(stage))
        yardstick, journal = Yardstick(stage), JournalYardstick(stage)
        async with stage.parley():
            pin_generator()
            sweep = await yardstick.sweep()
            journal.clients = yardstick.clients
            rate = await _warm_up(stage, telegram)
            await stage.analyze()
            async with open_screens(stage.port, AGENT_KEY, await _chats(stage), _read_key) as screens:
                for number in range(ROUNDS):
                    accepted = await _accept(stage, telegram)
                    processed = await _process(stage, telegram, screens, int(rate * SECONDS))
                    rate = processed.value
                    watch = CpuWatch()
                    ceiling = await yardstick.run(SECONDS)
                    steal, _ = watch.read()
                    for name, one in (("accepted", accepted), ("processed", processed)):
                        one.against_value, one.steal = ceiling, max(one.steal, steal)
                        rounds[name].append(one)
                    print(
                        f"  round {number + 1}: accepted {accepted.value:.0f}/s, processed {processed.value:.0f}/s, "
                        f"against {ceiling:.0f}/s, steal {accepted.steal:.0%}, {processed.steal:.0%}",
                        file=sys.stderr,
                    )
        rows_alone = await journal.run(3)
    best = ", ".join(f"{clients}: {rate:.0f}" for clients, rate in sweep.items())
    notes = f"{CHATS} chats of {len(BOTS)} bots; pgbench by clients: {best}; journal rows alone {rows_alone:.0f}/s"
    return {
        name: make_figure(
            f"intake.telegram.{name}",
            "updates/s" if name == "accepted" else "messages/s",
            f"pgbench, a send's rows, best of a sweep ({yardstick.clients} clients)",
            f"ratio >= {bar}",
            rounds[name],
            notes=(f"{IN_FLIGHT} in flight; " if name == "accepted" else "") + notes,
        )
        for name, bar in (("accepted", 0.5), ("processed", 0.35))
    }


async def _warm_up(stage: Stage, telegram: Telegram) -> float:
    """Have every chat write twice; return how many of the second were processed in a second."""
    for prefix in ("first", "second"):
        started = time.perf_counter()
        await _put_backlog(stage, telegram, prefix, CHATS)
        await _drain(stage)
    return CHATS / (time.perf_counter() - started)


async def _accept(stage: Stage, telegram: Telegram) -> Round:
    prefix = f"a{random.getrandbits(48):012x}"
    watch = CpuWatch()
    rate, acknowledged, failed, _ = await run_closed_loop(
        "127.0.0.1", stage.port, telegram.requests(prefix), in_flight=IN_FLIGHT, seconds=SECONDS
    )
    steal, generator = watch.read()
    if failed:
        print(failed[0].decode("utf-8", "replace")[:500], file=sys.stderr)
    await _drain(stage)
    lost, doubled, disordered = await _check(stage, prefix, set(acknowledged))
    return Round(
        value=rate, against_value=0, steal=steal, generator_cpu=generator,
        lost=lost, doubled=doubled, disordered=disordered, failed=len(failed),
    )  # fmt: skip


async def _process(stage: Stage, telegram: Telegram, screens: Screens, count: int) -> Round:
    prefix = f"p{random.getrandbits(48):012x}"
    screens.clear()
    keys = set(await _put_backlog(stage, telegram, prefix, max(count, CHATS)))
    watch = CpuWatch()
    missing = await until_seen(screens, keys, DRAIN_SECONDS)
    steal, generator = watch.read()
    await _drain(stage)
    moments = sorted(at for key, at in screens.seen.items() if key in keys)
    tenth = len(moments) // 10
    rate = (len(moments) - 2 * tenth) / (moments[-tenth] - moments[tenth])
    lost, doubled, disordered = await _check(stage, prefix, keys)
    return Round(
        value=rate, against_value=0, steal=steal, generator_cpu=generator,
        lost=max(lost, len(missing)), doubled=doubled + screens.doubled,
        disordered=disordered + screens.disordered + screens.resets,
    )  # fmt: skip


async def _put_backlog(stage: Stage, telegram: Telegram, prefix: str, count: int) -> list[str]:
    """Journal so many updates at once, as a provider's retries after an outage would; return their keys."""
    updates = list(itertools.islice(telegram.updates(prefix), count))
    connection = await stage.connect()
    try:
        await connection.copy_records_to_table(
            "journal",
            columns=["workspace_id", "id", "inbox_id", "lane", "body"],
            records=[
                (UUID(WORKSPACE), uuid7(), inbox, f"{inbox.hex}:{chat}", body)
                for inbox, chat, body, _ in updates
            ],
        )
    finally:
        await connection.close()
    return [key for *_, key in updates]


async def _drain(stage: Stage) -> None:
    connection = await stage.connect()
    try:
        end = time.perf_counter() + DRAIN_SECONDS
        while await connection.fetchval(
            "SELECT EXISTS (SELECT FROM journal WHERE work = 'ready') OR EXISTS (SELECT FROM journal WHERE work = 'leased')"
        ):
            if time.perf_counter() > end:
                raise TimeoutError("the journal was not worked off")
            await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def _check(stage: Stage, prefix: str, keys: set[str]) -> tuple[int, int, int]:
    """Count updates without a message or with two, and messages out of the order of their chat."""
    connection = await stage.connect()
    try:
        rows = await connection.fetch(
            """SELECT m.conversation_id, substring(m.text from '[^ ]+$') AS key FROM message m
            JOIN message_source s ON s.conversation_id = m.conversation_id AND s.message_id = m.id
            WHERE m.text LIKE '% ' || $1 || '-%' ORDER BY m.conversation_id, m.number""",
            prefix,
        )
        holes = await connection.fetchval(
            """SELECT count(*) FROM (
                SELECT c.id FROM conversation c JOIN message m ON m.conversation_id = c.id
                WHERE c.kind = 'desk' GROUP BY c.id, c.last_number
                HAVING count(m.number) <> c.last_number OR max(m.number) <> c.last_number) bad"""
        )
    finally:
        await connection.close()
    stored = [row["key"] for row in rows]
    overtaken = sum(
        one["conversation_id"] == other["conversation_id"] and _turn(one) > _turn(other)
        for one, other in itertools.pairwise(rows)
    )
    return len(keys - set(stored)), len(stored) - len(set(stored)), overtaken + holes


def _turn(row: asyncpg.Record) -> int:
    return int(row["key"].rsplit("-", 1)[1])


def _read_key(message: dict[str, Any]) -> str | None:
    return str(message["text"]).rsplit(" ", 1)[-1]


async def _chats(stage: Stage) -> list[str]:
    connection = await stage.connect()
    try:
        rows = await connection.fetch(
            "SELECT conversation_id FROM desk_conversation ORDER BY conversation_id"
        )
    finally:
        await connection.close()
    return [public_id("cnv", row["conversation_id"]) for row in rows]


async def _seed(stage: Stage) -> dict[int, UUID]:
    """Connect the bots and give an agent's screen a key; return the inbox of each bot."""
    data = stage.folder / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    keys = load_keys(data)
    inboxes = {bot: uuid7() for bot in BOTS}
    connection = await stage.connect()
    try:
        for bot, inbox in inboxes.items():
            secrets = {"token": f"{bot}:bench", "webhook_secret": SECRET}
            await connection.execute(
                """INSERT INTO inbox (workspace_id, id, channel, name, address, secrets)
                VALUES ($1, $2, 'telegram', 'bench', $3, $4)""",
                WORKSPACE,
                inbox,
                str(bot),
                keys.encrypt(secrets, bound_to=inbox.bytes),
            )
        await connection.execute(
            """INSERT INTO api_key (workspace_id, id, actor_id, name, hash, hint, scopes)
            VALUES ($1, $2, $2, 'agent', $3, 'nch0', '{admin,desk,chat}')""",
            WORKSPACE,
            OTHER,
            hash_token(AGENT_KEY),
        )
    finally:
        await connection.close()
    return inboxes


@functools.cache
def _measured() -> dict[str, Figure]:
    return uvloop.run(measure())


def run(name: str) -> Figure:
    """Return one of the two figures; both come of one measurement."""
    return _measured()[name]
