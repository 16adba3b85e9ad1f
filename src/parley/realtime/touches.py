"""Touched lists: which sessions of this node watch which inboxes, and what they were told.

As with streams, the hint is quick and the database is the truth: what was touched there and no hint told is told with
the next look at it. A client reads all changes of its lists at one frame, so few frames tell of many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from parley.desk.list_store import list_touches
from parley.infra.db import Database
from parley.infra.feed import feed_end
from parley.kit.events import Touch
from parley.realtime.frames import Ready, touched_frame

if TYPE_CHECKING:
    from parley.realtime.session import Session

COMPARED_LIMIT = 1000
"""Touches of one inbox compared with what was told in one look; where there are more, one is told anyhow."""
HEALED_LIMIT = 20
"""Touches of one inbox told by one look: a client asks for all changes at the first."""
TOLD_LIMIT = 50_000
"""Conversations whose last told touch is remembered; one forgotten too early is told twice."""


class Touches:
    """The inboxes watched on this node."""

    def __init__(self, db: Database) -> None:
        self.rooms: dict[UUID, set[Session]] = {}
        self._db = db
        self._told: dict[UUID, int] = {}
        self._since: int | None = None

    def watch(self, session: Session, inbox_ids: Iterable[UUID]) -> None:
        """Tell a session from now on about touches in exactly these inboxes."""
        for inbox_id in session.inboxes:
            room = self.rooms.get(inbox_id, set())
            room.discard(session)
            if not room:
                self.rooms.pop(inbox_id, None)
        session.inboxes = frozenset(inbox_ids)
        for inbox_id in session.inboxes:
            self.rooms.setdefault(inbox_id, set()).add(session)

    def on_hint(self, touch: Touch) -> None:
        """Tell who watches the inbox."""
        room = self.rooms.get(touch.inbox_id)
        if not room:
            return
        self._told[touch.conversation_id] = touch.transaction
        ready = Ready(touched_frame(touch))
        for session in room:
            session.send(ready)

    async def look(self) -> None:
        """Tell what was touched since the last look, or since the first, and no hint told."""
        async with self._db.system() as tx:
            until = (await feed_end(tx)).transaction
            # after a restore the numbers may have gone back
            since = until if self._since is None else min(self._since, until)
            watched = [(next(iter(room)).caller.workspace_id, inbox) for inbox, room in self.rooms.items()]
            rows = await list_touches(tx, watched, since, until, COMPARED_LIMIT) if watched else []
        self._since = until
        by_inbox: dict[UUID, list[Touch]] = {}
        for row in rows:
            by_inbox.setdefault(row["inbox_id"], []).append(Touch(**row))
        for touches in by_inbox.values():
            self._heal(touches)
        self._told = {key: number for key, number in self._told.items() if number >= until}
        if len(self._told) > TOLD_LIMIT:
            self._told.clear()

    def _heal(self, touches: Sequence[Touch]) -> None:
        # by equality: of two transactions the lower number may have committed last
        untold = [one for one in touches if self._told.get(one.conversation_id) != one.transaction]
        if len(touches) == COMPARED_LIMIT:
            untold = untold or [touches[0]]
        for touch in untold[:HEALED_LIMIT]:
            self.on_hint(touch)
