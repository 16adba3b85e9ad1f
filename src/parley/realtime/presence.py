"""Presence: who is online, told to those who watch them and may know.

A user is online while any device has a socket at any gateway, and for `Pace.grace_seconds` after the last one went.
Changes are looked at once a second, all together: what every watcher may know is asked of the database each time, so a
right that was taken away shows nothing more. Beside the answers' path: a store or a database that is away delays it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Container, Iterable
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import msgspec
import structlog

from parley.infra.db import Database
from parley.infra.failures import describe_failure
from parley.infra.presence import RENEW_SECONDS, PresenceStore, Who
from parley.kit.events import PresenceHint
from parley.kit.ids import public_id
from parley.realtime import presence_store
from parley.realtime.frames import Ready, SignalFrame

if TYPE_CHECKING:
    from parley.realtime.fanout import Fanout
    from parley.realtime.session import Session

STOP_SECONDS = 2.0

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds: between looks; from the last socket's end to offline; between renewals, which also find what no hint
    told; between writes of last seen."""

    look_seconds: float = 1.0
    grace_seconds: float = 10.0
    renew_seconds: float = RENEW_SECONDS
    seen_seconds: float = 60.0


class PresenceJson(msgspec.Struct, kw_only=True, frozen=True):
    """Whether somebody is online and when they were last seen; both null for who may not know."""

    actor_id: str
    is_online: bool | None
    last_seen_at: dt.datetime | None


async def find_presence(
    db: Database,
    store: PresenceStore,
    workspace_id: UUID,
    pairs: Collection[tuple[UUID, UUID]],
    here: Container[Who] = (),
) -> dict[tuple[UUID, UUID], PresenceJson]:
    """Return what each viewer may know of each actor, by (viewer, actor), for all pairs.

    ``here`` are online whatever the store says. While it is away, who was seen within the last minutes counts as online.
    """
    known = {}
    if pairs:
        async with db.transaction(workspace_id) as tx:
            rows = await presence_store.find_known(tx, workspace_id, *zip(*pairs, strict=True))
        known = {(row["viewer_id"], row["actor_id"]): row["at"] for row in rows}
    online = await _find_online(db, store, workspace_id, {actor: at for (_, actor), at in known.items()})
    return {
        pair: PresenceJson(
            actor_id=public_id("act", pair[1]),
            is_online=pair[1] in online or (workspace_id, pair[1]) in here if pair in known else None,
            last_seen_at=known.get(pair),
        )
        for pair in pairs
    }


async def _find_online(
    db: Database, store: PresenceStore, workspace_id: UUID, seen: dict[UUID, dt.datetime | None]
) -> set[UUID]:
    try:
        found = await store.find_online([(workspace_id, actor) for actor in seen]) if seen else set()
    except Exception as error:  # noqa: BLE001 - whatever ails the store, last seen says nearly the same
        log.info("presence.store_away", error=describe_failure(error))
        recently = db.now() - dt.timedelta(seconds=2 * Pace.seen_seconds)
        return {actor for actor, at in seen.items() if at is not None and at > recently}
    return {actor for _, actor in found}


class Presence:
    """The presence of one gateway: whom it holds, and who watches whom there."""

    def __init__(self, fanout: Fanout, store: PresenceStore, pace: Pace | None = None) -> None:
        self._fanout = fanout
        self._store = store
        self.pace = pace or Pace()
        self._node = uuid4()
        self._sockets: dict[Who, int] = {}
        self._came: set[Who] = set()
        self._going: dict[Who, tuple[float, dt.datetime]] = {}
        self._watchers: dict[Who, dict[Session, bool | None]] = {}
        self._changed: set[Who] = set()
        self._renew_at = self._seen_at = 0.0

    # ------------------------------------------------------------ who is here

    def arrive(self, session: Session) -> None:
        """Note a socket of a user."""
        who = _who(session)
        if session.caller.kind != "user":
            return
        self._sockets[who] = self._sockets.get(who, 0) + 1
        if self._sockets[who] == 1 and self._going.pop(who, None) is None:
            self._came.add(who)

    def depart(self, session: Session) -> None:
        """Note that a socket ended, and forget what it watched."""
        self.unwatch(session, list(session.watched_actors))
        who = _who(session)
        count = self._sockets.get(who, 0)
        if session.caller.kind != "user" or not count:
            return
        if count > 1:
            self._sockets[who] = count - 1
            return
        del self._sockets[who]
        self._going[who] = (self._now() + self.pace.grace_seconds, self._fanout.db.now())

    # ------------------------------------------------------------ who watches

    async def watch(self, session: Session, actors: Collection[UUID]) -> list[PresenceJson]:
        """Tell a session of changes of these from now on, and return what it may know at present."""
        workspace_id, viewer = _who(session)
        for actor in actors:
            self._watchers.setdefault((workspace_id, actor), {}).setdefault(session, None)
            session.watched_actors.add(actor)
        found = await find_presence(
            self._fanout.db, self._store, workspace_id, [(viewer, actor) for actor in actors], self._sockets
        )
        for actor in actors:
            told = self._watchers.get((workspace_id, actor), {})
            if session in told:
                told[session] = found[viewer, actor].is_online
        return [found[viewer, actor] for actor in actors]

    def unwatch(self, session: Session, actors: Iterable[UUID]) -> None:
        """Tell a session nothing more of these."""
        for actor in actors:
            session.watched_actors.discard(actor)
            who = (session.caller.workspace_id, actor)
            watchers = self._watchers.get(who, {})
            watchers.pop(session, None)
            if not watchers:
                self._watchers.pop(who, None)

    def on_hint(self, hint: PresenceHint) -> None:
        """Look at somebody whom another process saw come or go."""
        if (who := (hint.workspace_id, hint.actor_id)) in self._watchers:
            self._changed.add(who)

    # ------------------------------------------------------------ looking

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self.pace.look_seconds)
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - whatever ails store or database, the next look tries again
                log.warning("presence.not_looked", error=describe_failure(error))
                await asyncio.sleep(self.pace.look_seconds)

    async def stop(self) -> None:
        """Let go of everybody, but not at once: their clients come again elsewhere, and nobody sees them go."""
        held = [*self._sockets, *self._going]
        seen = {who: at for who, (_, at) in self._going.items()}
        with contextlib.suppress(Exception):
            async with asyncio.timeout(STOP_SECONDS):
                await self._note_seen(seen | dict.fromkeys(self._sockets, self._fanout.db.now()))
                await self._store.hold(self._node, held, self.pace.grace_seconds)

    async def _look(self) -> None:
        now = self._now()
        if now >= self._renew_at:
            self._renew_at = now + self.pace.renew_seconds
            self._came.update(who for who in self._sockets if who not in self._came)
            await self._hold(is_renewal=True)
            self._changed.update(await self._find_differing())
        elif self._came:
            await self._hold(is_renewal=False)
        await self._bid_farewell(now)
        if now >= self._seen_at:
            self._seen_at = now + self.pace.seen_seconds
            await self._note_seen(dict.fromkeys(self._sockets, self._fanout.db.now()))
        if self._changed:
            await self._tell()

    async def _hold(self, *, is_renewal: bool) -> None:
        came, self._came = self._came, set()
        try:
            if came:
                await self._store.hold(self._node, came)
        except Exception:
            self._came |= came
            raise
        if not is_renewal:
            self._tell_others(came)

    async def _bid_farewell(self, now: float) -> None:
        gone = {who: at for who, (due, at) in self._going.items() if due <= now}
        if not gone:
            return
        await self._note_seen(gone)
        await self._store.let_go(self._node, list(gone))
        gone = {
            who: at for who, at in gone.items() if self._going.pop(who, None) and who not in self._sockets
        }
        self._tell_others(gone)

    def _tell_others(self, actors: Iterable[Who]) -> None:
        hints = [PresenceHint(workspace_id=workspace, actor_id=actor) for workspace, actor in actors]
        if hints:
            self._fanout.publish(*hints)

    async def _note_seen(self, seen: dict[Who, dt.datetime]) -> None:
        by_workspace: dict[UUID, list[tuple[UUID, dt.datetime]]] = defaultdict(list)
        for (workspace, actor), at in seen.items():
            by_workspace[workspace].append((actor, at))
        for workspace, rows in by_workspace.items():
            async with self._fanout.db.transaction(workspace) as tx:
                await presence_store.note_seen(tx, workspace, *zip(*rows, strict=True))

    async def _find_differing(self) -> set[Who]:
        """Return who is not as their watchers were told: what no hint told, and killed gateways."""
        online = await self._store.find_online(list(self._watchers)) if self._watchers else set()
        return {
            who
            for who, watchers in self._watchers.items()
            if any(told is not None and told != (who in online) for told in watchers.values())
        }

    async def _tell(self) -> None:
        """Send what changed to those who watch it and may know."""
        changed, self._changed = self._changed, set()
        by_workspace: dict[UUID, list[tuple[Session, UUID]]] = defaultdict(list)
        for workspace, actor in changed:
            for session in self._watchers.get((workspace, actor), {}):
                by_workspace[workspace].append((session, actor))
        for workspace, wanted in by_workspace.items():
            pairs = {(session.actor_id, actor) for session, actor in wanted}
            found = await find_presence(self._fanout.db, self._store, workspace, pairs, self._sockets)
            for session, actor in wanted:
                self._tell_one(session, (workspace, actor), found[session.actor_id, actor])

    def _tell_one(self, session: Session, who: Who, state: PresenceJson) -> None:
        watchers = self._watchers.get(who, {})
        if session not in watchers or watchers[session] == state.is_online:
            return
        watchers[session] = state.is_online
        data = {"is_online": state.is_online, "last_seen_at": state.last_seen_at}
        frame = SignalFrame(
            stream=state.actor_id, kind="presence.changed", actor_id=state.actor_id, data=data
        )
        session.send(Ready(frame))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _who(session: Session) -> Who:
    return session.caller.workspace_id, session.caller.actor_id
