"""Sends updates to webhooks: in order within a chat, chats in parallel, repeated until accepted.

Any 2xx accepts. Else the update comes again after 1 s, doubling up to 60-120 s, or when `Retry-After` says; it is
lost a day after it was made. The answer may itself be a call of a method, whose result goes nowhere.
Source: tdlib/telegram-bot-api, `WebhookActor.cpp`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter

import httpx2
import msgspec

from parley.sandbox.telegram.rows import Bot, Update
from parley.sandbox.telegram.updates import KEPT_SECONDS
from parley.sandbox.telegram.world import World
from parley.sandbox.wire import int_or

ANSWER_SECONDS = 30
ANSWER_LIMIT_BYTES = 256 * 1024
IDLE_SECONDS = 30
RETRY_AFTER_LIMIT_SECONDS = 3600
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the header's name

Execute = Callable[[Bot, str, bytes], Awaitable[None]]


@dataclass(slots=True)
class Answer:
    """What a webhook said; status 0 when it did not."""

    status: int
    content_type: str = ""
    body: bytes = b""
    retry_after: int = 0
    problem: str = ""

    @property
    def is_accepted(self) -> bool:
        return 200 <= self.status < 300


class WebhookSender:
    """Runs as one task until cancelled. `execute` runs a method call found in an answer."""

    def __init__(self, world: World, execute: Execute) -> None:
        self._world = world
        self._execute = execute
        self._busy: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._reordering: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Send what is due, then sleep until something else is."""
        try:
            while True:
                news = self._world.news
                self._world.store.drop_created_before(self._world.clock() - KEPT_SECONDS)
                wait = self._start_due()
                try:
                    await asyncio.wait_for(news.wait(), wait)
                except TimeoutError:
                    continue
        finally:
            tasks = [*self._busy.values(), *self._reordering.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start_due(self) -> float:
        """Start a task for the first update of every free chat; the seconds until the next may be due."""
        now = self._world.clock()
        wait: float = IDLE_SECONDS
        for update in self._world.store.list_heads():
            lane = (update.bot_id, update.lane)
            if lane in self._busy or update.bot_id in self._reordering or self._start_reordering(update):
                continue
            bot = self._world.store.find_bot(update.bot_id)
            if bot is None or bot.webhook is None:
                continue
            if update.due_at > now:
                wait = min(wait, update.due_at - now)
            elif sum(bot_id == bot.id for bot_id, _ in self._busy) < bot.webhook["max_connections"]:
                self._busy[lane] = asyncio.create_task(self._deliver_lane(bot.id, update))
        return max(wait, 0.001)

    async def _deliver_lane(self, bot_id: int, update: Update) -> None:
        try:
            await self._deliver(bot_id, update)
        finally:
            self._busy.pop((bot_id, update.lane), None)
            self._world.wake()

    def _start_reordering(self, update: Update) -> bool:
        rule = self._world.faults.find_reorder(update.bot_id)
        if rule is None:
            return False
        if any(bot_id == update.bot_id for bot_id, _ in self._busy):
            return True
        task = asyncio.create_task(self._deliver_reversed(update.bot_id, rule.count, rule.seconds))
        self._reordering[update.bot_id] = task
        self._world.faults.spend(rule)
        return True

    async def _deliver_reversed(self, bot_id: int, count: int, seconds: float) -> None:
        """Gather the bot's next updates for a while, then hand them over the wrong way round, each once."""
        try:
            deadline = asyncio.get_running_loop().time() + seconds
            while len(held := self._world.store.list_pending(bot_id, count)) < count:
                if asyncio.get_running_loop().time() >= deadline:
                    break
                await asyncio.sleep(0.02)
            for update in reversed(held):
                await self._deliver(bot_id, update)
        finally:
            self._reordering.pop(bot_id, None)
            self._world.wake()

    async def _deliver(self, bot_id: int, update: Update) -> None:
        """One round: as many copies as faults ask for; done when all are accepted."""
        bot = self._world.store.find_bot(bot_id)
        if bot is None or bot.webhook is None:
            return
        copies = self._world.faults.take_copies(bot_id, update.lane)
        answers = await asyncio.gather(*(self.post(bot, update) for _ in range(copies)))
        refused = next((answer for answer in answers if not answer.is_accepted), None)
        if refused is None:
            self._world.store.confirm_update(update.update_id)
            self._world.store.prune_updates(bot_id)
            await self._run_answer(bot, answers[0])
            return
        message = refused.problem or f"Wrong response from the webhook: {refused.status}"
        self._world.store.set_last_error(bot_id, {"date": int(self._world.clock()), "message": message})
        self._world.store.postpone_update(
            update.update_id, self._world.clock() + self._delay(update, refused)
        )

    def _delay(self, update: Update, answer: Answer) -> float:
        if answer.retry_after:
            return min(answer.retry_after, RETRY_AFTER_LIMIT_SECONDS)
        longest = random.uniform(60, 120)  # noqa: S311 - spreads retries, guards nothing
        delay: float = self._world.retry_seconds * 2.0 ** min(update.attempts, 20)
        return min(delay, longest)

    async def post(self, bot: Bot, update: Update) -> Answer:
        """Send one update once and journal the attempt. Never raises for what the webhook does."""
        webhook = bot.webhook or {}
        url = str(webhook.get("url", ""))
        headers = {"content-type": "application/json", "user-agent": "Parley-Sandbox-Telegram"}
        if webhook.get("secret_token"):
            headers[SECRET_HEADER] = webhook["secret_token"]
        started = perf_counter()
        answer = await self._request(url, msgspec.json.encode(update.body), headers)
        self._world.store.add_attempt(
            {
                "at": self._world.clock(),
                "bot_id": bot.id,
                "update_id": update.update_id,
                "url": url,
                "status": answer.status,
                "answer": answer.problem or answer.body[:500].decode("utf-8", "replace"),
                "seconds": round(perf_counter() - started, 4),
            }
        )
        self._world.watchers.tell("attempt", bot.id)
        return answer

    async def _request(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._world.fetch.stream("POST", url, content=body, headers=headers) as answer,
            ):
                parts = bytearray()
                async for piece in answer.aiter_bytes():
                    parts += piece[: ANSWER_LIMIT_BYTES - len(parts)]
                    if len(parts) >= ANSWER_LIMIT_BYTES:
                        break
                retry_after = max(0, int_or(answer.headers.get("retry-after"), 0))
                content_type = answer.headers.get("content-type", "").split(";")[0].strip().lower()
                problem = (
                    "" if answer.is_success else f"Wrong response from the webhook: {_status_line(answer)}"
                )
                return Answer(answer.status_code, content_type, bytes(parts), retry_after, problem)
        except TimeoutError:
            return Answer(0, problem="Read timeout expired")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return Answer(0, problem=str(error)[:200] or type(error).__name__)

    async def _run_answer(self, bot: Bot, answer: Answer) -> None:
        if answer.body.strip() and answer.content_type in (
            "application/json",
            "application/x-www-form-urlencoded",
        ):
            await self._execute(bot, answer.content_type, answer.body)


def _status_line(answer: httpx2.Response) -> str:
    return f"{answer.status_code} {answer.reason_phrase}".strip()
