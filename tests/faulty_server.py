"""`parley serve` with a bus that loses and reorders hints: the whole program otherwise, for chaos tests.

Read from the environment: HINTS_LOST and HINTS_REORDERED are shares from 0 to 1; a hint of a message whose text holds
HINTS_LOST_TEXT is lost for certain. A reordered hint comes later than those published up to 80 ms after it: some sooner,
some later than the gateway waits for what is missing. What was done to hints is counted in the file HINTS_COUNTED.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from parley.cli import main
from parley.infra import runtime
from parley.infra.bus import Bus
from parley.kit.events import Event, Hint

LOST = float(os.environ.get("HINTS_LOST", "0"))
REORDERED = float(os.environ.get("HINTS_REORDERED", "0"))
LOST_TEXT = os.environ.get("HINTS_LOST_TEXT", "")
COUNTED = os.environ.get("HINTS_COUNTED", "")
LATEST_SECONDS = 0.08


class FaultyBus(Bus):
    """A bus that loses and delays what it is told to, by chance."""

    def __init__(self) -> None:
        super().__init__()
        self._random = random.Random(os.environ.get("HINTS_SEED"))
        self._counts = {"passed": 0, "lost": 0, "reordered": 0}

    def publish(self, hints: Sequence[Hint]) -> None:
        """Hand over what is neither lost nor late; the late ones one by one, each in its time."""
        passed = [hint for hint in hints if self._decide(hint) == "passed"]
        if passed:
            super().publish(passed)
        if COUNTED:
            Path(COUNTED).write_text(json.dumps(self._counts))

    def _decide(self, hint: Hint) -> str:
        chance = self._random.random()
        if chance < LOST or _has_lost_text(hint):
            fate = "lost"
        elif chance < LOST + REORDERED:
            fate = "reordered"
            delay = self._random.uniform(0.001, LATEST_SECONDS)
            asyncio.get_running_loop().call_later(delay, super().publish, [hint])
        else:
            fate = "passed"
        self._counts[fate] += 1
        return fate


def _has_lost_text(hint: Hint) -> bool:
    return bool(LOST_TEXT) and isinstance(hint, Event) and LOST_TEXT in str(hint.data.get("message", ""))


if __name__ == "__main__":
    runtime.Bus = FaultyBus  # type: ignore[attr-defined,misc]  # the one place where a process makes its bus
    sys.argv[0] = "parley"
    main()
