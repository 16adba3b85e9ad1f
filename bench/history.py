"""`history.1m`: pages of one conversation with a million messages, at random depths and at the deepest, over REST.

The conversation is what years of use leave: every tenth message a reply, every twentieth with a file, every fiftieth
with a reaction (which takes a number of the stream, so positions have holes), events older than 30 days gone.
Open loop: pages are asked for at half the rate that one client reaches which asks for one after another.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

import uvloop

from bench.figures import Figure, Round, make_figure
from bench.keeper import Keeper
from bench.machine import CpuWatch, pin_generator
from bench.open_loop import keep_coming, percentile
from bench.stage import API_KEY, OTHER, SENDER, WORKSPACE, Stage, open_stage
from parley.kit.ids import public_id, uuid7

MESSAGES = 1_000_000
REACTION_EVERY = 50
PAGE = 50
ROUNDS = 5
CLOSED_PAGES = 200
"""Read one after another at the beginning of a round: half as many a second then come at random moments."""
SECONDS = 4.0
BAR_MS = 50.0

# The n-th message stands at this number of the stream: a reaction follows every fiftieth.
_POSITION = f"n + (n - 1) / {REACTION_EVERY}"


async def measure() -> Figure:
    """Read pages and compare each with what was seeded."""
    conversation = uuid7()
    public = public_id("cnv", conversation)
    rounds: list[Round] = []
    rates: list[float] = []
    async with open_stage() as stage:
        await _seed(stage, str(conversation))
        async with stage.parley(), Keeper("127.0.0.1", stage.port) as keeper:
            pin_generator()
            pages = _Pages(keeper, public)
            await pages.keep_coming(await pages.one_after_another(50) / 2, ROUNDS)
            for number in range(ROUNDS):
                rate = await pages.one_after_another(CLOSED_PAGES) / 2
                watch = CpuWatch()
                times, wrong = await pages.keep_coming(rate, number)
                steal, generator = watch.read()
                p50, p99 = percentile(times, 0.5) * 1000, percentile(times, 0.99) * 1000
                rates.append(rate)
                rounds.append(
                    Round(
                        value=p99,
                        against_value=BAR_MS,
                        steal=steal,
                        generator_cpu=generator,
                        disordered=wrong,
                    )
                )
                print(
                    f"  round {number + 1}: {rate:.0f} pages/s, p50 {p50:.1f} p99 {p99:.1f} ms of {len(times)}, "
                    f"generator {generator:.0%}, steal {steal:.0%}",
                    file=sys.stderr,
                )
    return make_figure(
        "history.1m",
        "ms p99",
        "bar",
        "< 50 ms",
        rounds,
        notes=f"pages of {PAGE}, Poisson at {min(rates):.0f}-{max(rates):.0f} a second: a third at the deepest, the rest anywhere, "
        "half of these around",
    )


class _Pages:
    """Asks for pages at random depths and compares each with what was seeded."""

    def __init__(self, keeper: Keeper, conversation: str) -> None:
        self._keeper = keeper
        self._path = f"/v1/conversations/{conversation}/messages"
        self._choose = random.Random(11)

    async def _read(self) -> tuple[float, bool]:
        """Return when a page was there, and whether it is right."""
        query, expected = _choose_page(self._choose)
        page = await self._keeper.get(f"{self._path}?{query}&limit={PAGE}", API_KEY)
        return time.perf_counter(), _is_right(page, expected)

    async def one_after_another(self, count: int) -> float:
        """Return pages a second."""
        started = time.perf_counter()
        for _ in range(count):
            await self._read()
        return count / (time.perf_counter() - started)

    async def keep_coming(self, rate: float, seed: int) -> tuple[list[float], int]:
        """Return seconds from the moment each page was due, and how many pages were not what they should be."""
        found: list[tuple[float, bool]] = []

        async def one(due: float) -> None:
            at, is_right = await self._read()
            found.append((at - due, is_right))

        await keep_coming(one, rate, asyncio.create_task(asyncio.sleep(SECONDS)), seed=seed)
        return [wait for wait, _ in found], sum(not is_right for _, is_right in found)


def _choose_page(choose: random.Random) -> tuple[str, range]:
    """Return a question, and the numbers of the messages that its answer must hold."""
    kind = choose.randrange(6)
    if kind < 2:
        before = PAGE + 1 + choose.randrange(PAGE)
        return f"before={_position(before)}", range(before - PAGE, before)
    number = choose.randrange(2 * PAGE, MESSAGES - 2 * PAGE)
    if kind == 2:
        return f"before={_position(number)}", range(number - PAGE, number)
    if kind == 3:
        return f"after={_position(number)}", range(number + 1, number + 1 + PAGE)
    return f"around={_position(number)}", range(number + 1 - PAGE // 2, number + 1 + PAGE // 2)


def _position(number: int) -> int:
    return number + (number - 1) // REACTION_EVERY


def _is_right(page: dict[str, list[dict[str, object]]], expected: range) -> bool:
    return [item["number"] for item in page["items"]] == list(expected) and all(
        item["position"] == _position(number)
        and bool(item["reply_to"]) == (number % 10 == 0)
        and bool(item["attachments"]) == (number % 20 == 0)
        and bool(item["reactions"]) == (number % REACTION_EVERY == 0)
        for item, number in zip(page["items"], expected, strict=True)
    )


async def _seed(stage: Stage, conversation: str) -> None:
    """Write the conversation as Parley would have, but without checking foreign keys row by row."""
    message = "('00000000-0000-7000-9000-' || lpad(to_hex({}), 12, '0'))::uuid"
    media = message.format("n").replace("9000", "a000")
    head = MESSAGES + MESSAGES // REACTION_EVERY
    connection = await stage.connect()
    try:
        await connection.execute(
            f"""BEGIN; SET LOCAL session_replication_role = replica;
            INSERT INTO message (workspace_id, conversation_id, id, position, number, kind, sender_id, text, reply_to_id,
                client_id, created_at)
            SELECT '{WORKSPACE}', '{conversation}', {message.format("n")}, {_POSITION}, n, 'text',
                CASE WHEN n % 3 = 0 THEN '{OTHER}'::uuid ELSE '{SENDER}'::uuid END,
                'Message ' || n || ': ' || repeat('words of a usual length ', 1 + n % 8),
                CASE WHEN n % 10 = 0 THEN {message.format("1 + n * 7919::bigint % n")} END,
                'c' || n, now() - interval '40 days' - ({MESSAGES} - n) * interval '1 minute'
            FROM generate_series(1, {MESSAGES}) n;
            INSERT INTO media (workspace_id, id, state, kind, name, content_type, size_bytes, width, height, uploaded_by)
            SELECT '{WORKSPACE}', {media}, 'ready', 'image', n || '.png', 'image/png', 50000, 800, 600, '{SENDER}'
            FROM generate_series(20, {MESSAGES}, 20) n;
            INSERT INTO attachment (workspace_id, conversation_id, message_id, ordinal, media_id)
            SELECT '{WORKSPACE}', '{conversation}', {message.format("n")}, 1, {media}
            FROM generate_series(20, {MESSAGES}, 20) n;
            INSERT INTO reaction (workspace_id, conversation_id, message_id, actor_id, emoji)
            SELECT '{WORKSPACE}', '{conversation}', {message.format("n")}, '{OTHER}', '+'
            FROM generate_series({REACTION_EVERY}, {MESSAGES}, {REACTION_EVERY}) n;
            INSERT INTO conversation (workspace_id, id, kind, title, head, tag, last_number, last_message_id,
                last_message_at)
            VALUES ('{WORKSPACE}', '{conversation}', 'group', 'A million', {head}, 7, {MESSAGES},
                {message.format(str(MESSAGES))}, now() - interval '40 days');
            INSERT INTO event (workspace_id, conversation_id, number, tag, kind, audience, actor_id, data, at)
            VALUES ('{WORKSPACE}', '{conversation}', {head}, 7, 'reaction.added', 'all', '{OTHER}', '{{}}',
                now() - interval '40 days');
            INSERT INTO member (workspace_id, conversation_id, actor_id, role, read_number)
            VALUES ('{WORKSPACE}', '{conversation}', '{SENDER}', 'owner', {MESSAGES}),
                ('{WORKSPACE}', '{conversation}', '{OTHER}', 'member', {MESSAGES});
            COMMIT""",
            timeout=600,
        )
        await connection.execute("VACUUM ANALYZE", timeout=600)
    finally:
        await connection.close()


def run() -> Figure:
    """Measure and return the figure."""
    return uvloop.run(measure())
