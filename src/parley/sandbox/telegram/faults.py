"""Misbehaviour on demand: rules that say which of the next calls or updates go wrong, and how.

A rule is spent after `times` matches (None: never) and lives until the process ends. Actions on calls:

- `answer`: do nothing and answer `status` (429 with `retry_after`, 403 blocked, 400 chat not found, 5xx ...)
- `hang_before`: wait `seconds` before the work; it is not done when the caller hung up meanwhile
- `hang_after`: do the work, wait `seconds`, then answer: the caller times out although the message arrived
- `slow`: wait `seconds`, then do the work whether or not the caller still waits
- `reset_before`, `reset_after`: break the connection without an answer, before or after the work
- `limit`: more than `count` sends to one chat within `seconds` get 429; never spent

and on updates: `duplicate_updates` (`copies` at once), `reorder_updates` (the next `count` in reverse order, held
back at most `seconds`).
"""

import math
from collections import deque
from typing import Any, Literal

import msgspec

from parley.sandbox.telegram.errors import BotApiError, too_many

Action = Literal[
    "answer", "hang_before", "hang_after", "slow", "reset_before", "reset_after", "limit",
    "duplicate_updates", "reorder_updates",
]  # fmt: skip
ON_UPDATES = ("duplicate_updates", "reorder_updates")
RULES_LIMIT = 100
_DEFAULT_TEXTS = {
    400: "Bad Request: chat not found",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    409: "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
}


class Rule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One fault. Empty `method`, `bot_id` or `chat_id` match everything."""

    action: Action
    id: int = 0
    method: str = ""
    bot_id: int | None = None
    chat_id: int | None = None
    times: int | None = 1
    status: int = 500
    description: str = ""
    retry_after: int | None = None
    migrate_to_chat_id: int | None = None
    seconds: float = 3.0
    count: int = 2
    copies: int = 2

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise ValueError("status must be 400 to 599")
        if not 0 <= self.seconds <= 600 or not math.isfinite(self.seconds):
            raise ValueError("seconds must be 0 to 600")
        if not 1 <= self.copies <= 50 or not 1 <= self.count <= 1000:
            raise ValueError("copies must be 1 to 50, count 1 to 1000")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1, or null")

    def error(self) -> BotApiError:
        """The error that an `answer` rule gives."""
        if self.status == 429:
            return too_many(3 if self.retry_after is None else self.retry_after)
        text = self.description or _DEFAULT_TEXTS.get(self.status, "Internal Server Error")
        if self.migrate_to_chat_id is not None:
            return BotApiError(self.status, text, migrate_to_chat_id=self.migrate_to_chat_id)
        return BotApiError(self.status, text)


class Faults:
    """The rules in force, oldest first: the first that matches wins."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._last_id = 0
        self._sends: dict[tuple[int, int], deque[float]] = {}

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force and number it. Raises: ValueError when there are too many."""
        if len(self._rules) >= RULES_LIMIT:
            raise ValueError("too many rules")
        self._last_id += 1
        rule.id = self._last_id
        self._rules.append(rule)
        return rule

    def remove(self, rule_id: int | None) -> None:
        """Take one rule out, or all."""
        self._rules = [rule for rule in self._rules if rule_id is not None and rule.id != rule_id]

    def list_rules(self) -> list[Rule]:
        return list(self._rules)

    def take_for_call(self, bot_id: int, method: str, chat_id: int | None, now: float) -> Rule | None:
        """The rule that this call meets, spent by one."""
        for rule in self._rules:
            if rule.action in ON_UPDATES or not self._matches(rule, bot_id, method, chat_id):
                continue
            if rule.action != "limit":
                self._spend(rule)
                return rule
            wait = self._over_limit(rule, bot_id, chat_id, now) if _is_send(method) and chat_id else 0
            if wait:
                return Rule(action="answer", status=429, retry_after=wait)
        return None

    def take_copies(self, bot_id: int, chat_id: int) -> int:
        """How many times the next update is handed over: once, unless a rule says more."""
        for rule in self._rules:
            if rule.action == "duplicate_updates" and self._matches(rule, bot_id, "", chat_id):
                self._spend(rule)
                return rule.copies
        return 1

    def find_reorder(self, bot_id: int) -> Rule | None:
        """The rule by which the bot's next updates change places; `spend` it when they did."""
        for rule in self._rules:
            if rule.action == "reorder_updates" and rule.bot_id in (None, bot_id):
                return rule
        return None

    def spend(self, rule: Rule) -> None:
        """Count one use of a rule found before."""
        self._spend(rule)

    def _spend(self, rule: Rule) -> None:
        if rule.times is not None:
            rule.times -= 1
            if rule.times <= 0 and rule in self._rules:
                self._rules.remove(rule)

    @staticmethod
    def _matches(rule: Rule, bot_id: int, method: str, chat_id: int | None) -> bool:
        by_method = rule.method in ("", "*") or not method or rule.method.lower() == method
        return by_method and rule.bot_id in (None, bot_id) and rule.chat_id in (None, chat_id)

    def _over_limit(self, rule: Rule, bot_id: int, chat_id: int, now: float) -> int:
        """Whole seconds to wait, 0 when the call is within the limit."""
        sends = self._sends.setdefault((bot_id, chat_id), deque())
        while sends and sends[0] <= now - rule.seconds:
            sends.popleft()
        if len(sends) >= rule.count:
            return max(1, math.ceil(sends[0] + rule.seconds - now))
        sends.append(now)
        return 0


def _is_send(method: str) -> bool:
    return method.startswith("send") and method != "sendchataction"


def describe(rule: Rule) -> dict[str, Any]:
    """The rule as JSON."""
    plain: dict[str, Any] = msgspec.to_builtins(rule)
    return plain
