"""Taking away what has ended: counters, links and sessions."""

from __future__ import annotations

import datetime as dt

from parley.accounts import factor_store, phone_store, store
from parley.infra.db import Database

KEEP_ATTEMPTS = dt.timedelta(days=1)
KEEP = dt.timedelta(days=30)
"""How long an ended link or session is kept, to be looked into."""


async def sweep_accounts(db: Database) -> int:
    """Delete what ended long ago and return how many rows went; for a daily schedule. Repeat: harmless."""
    async with db.system() as tx:
        count = await phone_store.sweep_codes(tx, tx.now - KEEP_ATTEMPTS)
        count += await factor_store.sweep_challenges(tx, tx.now - KEEP_ATTEMPTS)
        return count + await store.sweep(tx, attempts_before=tx.now - KEEP_ATTEMPTS, before=tx.now - KEEP)
