"""Ports for programs under test."""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOWEST = 10_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_dice = random.SystemRandom()


def free_port() -> int:
    """Return a port that nobody listens on.

    Not one of those that the kernel gives to connections: by the time a program listens there, or does so again after
    it was killed, it could be some client's.
    """
    given_out = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    while given_out > LOWEST + 1000:
        port = _dice.randrange(LOWEST, given_out)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
