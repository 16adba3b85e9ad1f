"""SQL of the desk after a restore. System role: every workspace."""

from __future__ import annotations

from parley.infra.db import Tx
from parley.infra.feed import REWRITE_SECONDS


async def forget_touches(tx: Tx) -> None:
    """Make every conversation's last touch older than any of this cluster. Lists held before are reset by their token."""
    await tx.connection.execute("UPDATE desk_conversation SET touch = '0'", timeout=REWRITE_SECONDS)
