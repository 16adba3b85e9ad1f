"""Limits that protect logins, counted in PostgreSQL: without it there is no sign-in, so they fail closed.

Three counters: guesses at one account from one address; guesses from one address at any account; guesses at one
account from anywhere. The last is lax, and it does not hold up an address from which the account was signed in
lately, so nobody locks a victim out of the victim's own place. Right passwords do not count.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from parley.accounts import store
from parley.accounts.errors import TooManyAttempts
from parley.infra.db import Database, Tx


class Limit(NamedTuple):
    """At most ``most`` attempts in ``window``, which begins with the first of them."""

    bucket: str
    most: int
    window: dt.timedelta


PAIR = Limit("sign_in.account_address", 10, dt.timedelta(minutes=15))
ADDRESS = Limit("sign_in.address", 100, dt.timedelta(minutes=15))
ACCOUNT = Limit("sign_in.account", 60, dt.timedelta(minutes=15))
KNOWN_FOR = dt.timedelta(days=30)
"""For how long an address that signed in is known to be the account's own."""


async def count_attempt(db: Database, email: str, address: str) -> None:
    """Count an attempt before the password is looked at, so that a hundred at once are a hundred.

    An attempt refused by one limit is not counted by the next: a single address cannot use up an account's.
    Raises: TooManyAttempts.
    """
    async with db.system() as tx:
        refused = await _count_each(tx, email, address)
    if refused is not None:
        raise TooManyAttempts(retry_after_seconds=refused)


async def count_together(db: Database, counters: Sequence[tuple[Limit, bytes]]) -> None:
    """Count an attempt against several limits, in this order; what one refuses the next does not count.

    Counted before what is attempted is looked at, and committed whatever comes of it.
    Raises: TooManyAttempts.
    """
    refused = None
    async with db.system() as tx:
        for limit, subject in counters:
            row = await store.count_attempt(tx, limit.bucket, subject, since=tx.now - limit.window)
            if row["count"] > limit.most:
                refused = float((row["window_start"] + limit.window - tx.now).total_seconds())
                break
    if refused is not None:
        raise TooManyAttempts(retry_after_seconds=refused)


async def take_back_attempt(db: Database, email: str, address: str) -> None:
    """Take back what `count_attempt` counted: the password was not looked at."""
    async with db.system() as tx:
        for limit, subject in _counters(email, address):
            await store.take_back_attempt(tx, limit.bucket, subject)


async def forgive_attempts(db: Database, email: str, address: str) -> None:
    """The password was right: take this attempt back, and forget the earlier ones at this account from here."""
    async with db.system() as tx:
        for limit, subject in _counters(email, address):
            if limit is PAIR:
                await store.forget_attempts(tx, limit.bucket, subject)
            else:
                await store.take_back_attempt(tx, limit.bucket, subject)


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 one (one subscriber's)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def subject_of(*parts: str) -> bytes:
    """Return what is stored of an e-mail, an address or both."""
    networks = [network_of(part) for part in parts]
    return hashlib.sha256("\0".join(networks).encode("utf-8", "replace")).digest()


def _counters(email: str, address: str) -> list[tuple[Limit, bytes]]:
    """Return the counters of an attempt, in the order in which every transaction locks them."""
    return [(PAIR, subject_of(email, address)), (ADDRESS, subject_of(address)), (ACCOUNT, subject_of(email))]


async def _count_each(tx: Tx, email: str, address: str) -> float | None:
    """Count limit by limit; return the seconds to wait if one refuses."""
    for limit, subject in _counters(email, address):
        row = await store.count_attempt(tx, limit.bucket, subject, since=tx.now - limit.window)
        if row["count"] <= limit.most:
            continue
        if limit is ACCOUNT and await store.has_session_from(tx, email, address, tx.now - KNOWN_FOR):
            continue
        return float((row["window_start"] + limit.window - tx.now).total_seconds())
    return None
