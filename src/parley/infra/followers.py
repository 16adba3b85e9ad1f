"""Followers of the feed: who reads everything, one process at a time, and how far it has come.

A follower is a row: a lease with a token, and a position in each kind of stream. Its holder alone may move it on.
"""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import msgspec

from parley.infra.db import Tx
from parley.infra.feed import FeedPosition
from parley.infra.work import LeaseLost


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How far a follower has come in the conversations' events, and in the personal ones."""

    conversation: FeedPosition
    personal: FeedPosition

    @property
    def transaction(self) -> int:
        """Every event of an earlier transaction was taken."""
        return min(self.conversation.transaction, self.personal.transaction)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A follower under our lease. ``updated_at``: when anybody last held it."""

    place: Place
    updated_at: dt.datetime


async def claim_follower(tx: Tx, name: str, token: UUID, *, lease_seconds: float) -> Held | None:
    """Take the follower under a lease, or renew it; None while somebody else holds it. Needs `Database.system`.

    A follower that never was begins at the end of the feed: what is written from now on.
    """
    await tx.execute(
        """INSERT INTO follower (name, transaction) VALUES ($1, pg_snapshot_xmin(pg_current_snapshot())::text::xid8)
        ON CONFLICT (name) DO NOTHING""",
        name,
    )
    row = await tx.fetchrow(
        """UPDATE follower f SET lease_token = $2, lease_until = now() + make_interval(secs => $3), updated_at = now()
        FROM (SELECT name, updated_at FROM follower WHERE name = $1 FOR UPDATE) former
        WHERE f.name = former.name AND (f.lease_until IS NULL OR f.lease_until < now() OR f.lease_token = $2)
        RETURNING f.transaction::text::bigint AS transaction, f.position, former.updated_at""",
        name,
        token,
        lease_seconds,
    )
    if row is None:
        return None
    return Held(place=_read_place(row["transaction"], row["position"]), updated_at=row["updated_at"])


async def advance_follower(tx: Tx, name: str, token: UUID, place: Place, *, lease_seconds: float) -> None:
    """Move the follower on, and renew the lease. Raises: LeaseLost when somebody else holds it."""
    both = [[one.transaction, str(one.stream_id), one.number] for one in (place.conversation, place.personal)]
    if not await tx.execute(
        """UPDATE follower SET transaction = $3::text::xid8, position = $4, updated_at = now(),
            lease_until = now() + make_interval(secs => $5)
        WHERE name = $1 AND lease_token = $2""",
        name,
        token,
        str(place.transaction),
        both,
        lease_seconds,
    ):
        raise LeaseLost


async def release_follower(tx: Tx, name: str, token: UUID) -> None:
    """Let the next one have it at once. Repeat: harmless."""
    await tx.execute(
        "UPDATE follower SET lease_token = NULL, lease_until = NULL WHERE name = $1 AND lease_token = $2",
        name,
        token,
    )


async def release_all_followers(tx: Tx) -> None:
    """End every lease: whoever held one is dead."""
    await tx.execute("UPDATE follower SET lease_token = NULL, lease_until = NULL")


def _read_place(transaction: int, position: list[list[object]]) -> Place:
    """A row without positions was put at a transaction's beginning (`feed.forget_transactions`)."""
    if len(position) != 2:
        return Place(conversation=FeedPosition(transaction), personal=FeedPosition(transaction))
    conversation, personal = (msgspec.convert(one, tuple[int, UUID, int]) for one in position)
    return Place(conversation=FeedPosition(*conversation), personal=FeedPosition(*personal))
