"""Passwords: argon2id in a small thread pool, so that hashing neither blocks the loop nor eats the memory.

The pool belongs to the process because what it caps does: two hashes at a time take 92 MiB. Callers beyond
`MAX_WAITING` are turned away at once rather than queued for longer than a person waits.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from parley.accounts.errors import PasswordsBusy

THREADS = 2
MAX_WAITING = 64
"""Hashes begun or waiting in this process; at 30 ms each the last waits about a second."""

# OWASP Password Storage Cheat Sheet, argon2id, the first of its equal settings; 28 ms on the reference machine.
_HASHER = PasswordHasher(time_cost=1, memory_cost=47104, parallelism=1)
# A hash of nothing anybody knows, with the parameters above: an unknown login costs what a known one does.
DECOY = "$argon2id$v=19$m=47104,t=1,p=1$mVkg0FFpOwrLde4+0MgTmw$wZYIbk8+2nGaLxQ/rKkpPgGrz9xFik1+QNV+Y8iNWww"

T = TypeVar("T")


class _Bench:
    """The thread pool and how many stand at it."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._standing = 0

    async def run(self, work: Callable[[], T]) -> T:
        if self._standing >= MAX_WAITING:
            raise PasswordsBusy
        self._standing += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._standing -= 1


_bench = _Bench()


async def hash_password(password: str) -> str:
    """Return the hash to store. Raises: PasswordsBusy."""
    text = _normalise(password)
    return await _bench.run(lambda: _HASHER.hash(text))


async def is_password(stored: str | None, password: str) -> bool:
    """Whether the password is the one hashed. Without a hash: False, at the same cost. Raises: PasswordsBusy."""
    text = _normalise(password)
    is_right = await _bench.run(lambda: _verify(stored or DECOY, text))
    return is_right and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def _normalise(password: str) -> str:
    # NFKC: the same keys give the same password on every keyboard and system (NIST SP 800-63B 5.1.1.2).
    return unicodedata.normalize("NFKC", password)


def _verify(stored: str, text: str) -> bool:
    try:
        return _HASHER.verify(stored, text)
    except (VerificationError, InvalidHashError):
        return False
