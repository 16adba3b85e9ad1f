"""`parley` on a machine whose clock is wrong: `python tests/shifted_parley.py +3600 serve`.

Shifts what the program takes for the time of day; what it measures durations by goes as ever, as on such a machine.
"""

from __future__ import annotations

import datetime as dt
import sys
import time

from parley.kit import clock


def shift(seconds: int) -> None:
    """Set this process's clock ahead (or behind), before anything has read it."""
    time_s, time_ns, utc_now = time.time, time.time_ns, clock.utc_now
    time.time = lambda: time_s() + seconds
    time.time_ns = lambda: time_ns() + seconds * 1_000_000_000
    clock.utc_now = lambda: utc_now() + dt.timedelta(seconds=seconds)


if __name__ == "__main__":
    shift(int(sys.argv.pop(1)))
    from parley.cli import main

    main()
