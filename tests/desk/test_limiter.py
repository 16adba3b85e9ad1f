"""The limiter's arithmetic."""

from __future__ import annotations

import pytest

from parley.channels.contract import Limits
from parley.desk import limiter as module
from parley.desk.limiter import Limiter

LIMITS = Limits(chat_per_second=1.0, chat_burst=3, inbox_per_second=10.0, inbox_burst=10)


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> Limiter:
    return Limiter(clock)


def take(limiter: Limiter, chat: str = "a", weight: int = 1) -> float:
    return limiter.take(LIMITS, "inbox", chat, weight)


def test_a_burst_goes_at_once_and_then_one_a_second(limiter: Limiter, clock: Clock) -> None:
    assert [take(limiter) for _ in range(3)] == [0, 0, 0]
    assert take(limiter) == pytest.approx(1.0)
    clock.now += 0.4
    assert take(limiter) == pytest.approx(0.6)  # asking takes nothing
    clock.now += 0.6
    assert take(limiter) == 0
    assert take(limiter) == pytest.approx(1.0)


def test_the_inbox_is_limited_over_all_its_chats(limiter: Limiter, clock: Clock) -> None:
    assert all(take(limiter, f"chat {n}") == 0 for n in range(10))
    assert take(limiter, "another") == pytest.approx(0.1)
    assert limiter.take(LIMITS, "another inbox", "a", 1) == 0
    clock.now += 0.101
    assert take(limiter, "another") == 0


def test_a_refused_turn_takes_no_tokens_of_either_bucket(limiter: Limiter) -> None:
    for _ in range(3):
        take(limiter, "full")
    for _ in range(50):
        assert take(limiter, "full") > 0
    assert [take(limiter, f"chat {n}") for n in range(7)] == [0] * 7
    assert take(limiter, "one more") > 0


def test_a_call_heavier_than_the_burst_goes_from_a_full_bucket_and_leaves_a_debt(
    limiter: Limiter, clock: Clock
) -> None:
    assert take(limiter, weight=10) == 0
    assert take(limiter) == pytest.approx(8.0)  # 7 owed, and one to have
    clock.now += 8
    assert take(limiter) == 0


def test_what_the_provider_says_holds_back_the_chat_or_the_inbox(limiter: Limiter, clock: Clock) -> None:
    limiter.hold_back(LIMITS, "inbox", "a", 5.0)
    assert take(limiter) >= 5.0
    assert take(limiter, "b") == 0
    limiter.hold_back(LIMITS, "inbox", None, 7.0)
    assert take(limiter, "b") >= 7.0
    assert limiter.take(LIMITS, "another inbox", "a", 1) == 0
    clock.now += 5.0
    assert take(limiter) >= 2.0
    limiter.hold_back(LIMITS, "inbox", None, 1.0)  # a shorter one does not shorten
    assert take(limiter, "b") >= 2.0
    clock.now += 2.0
    assert take(limiter, "b") == 0


def test_the_chat_unused_longest_is_forgotten_first(
    limiter: Limiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUCKETS", 4)
    limits = Limits(chat_per_second=1.0, chat_burst=1, inbox_per_second=1000.0, inbox_burst=1000)
    for chat in ("a", "b", "c"):
        assert limiter.take(limits, "inbox", chat, 1) == 0
    assert limiter.take(limits, "inbox", "a", 1) > 0
    assert limiter.take(limits, "inbox", "d", 1) == 0  # b goes
    assert limiter.take(limits, "inbox", "a", 1) > 0
    assert limiter.take(limits, "inbox", "b", 1) == 0
