"""One stream as this node shows it: who watches it, how far it has come, and who gets which frame of it.

No I/O and no waiting here: every method runs to its end in one turn of the loop, so what is written to the
sockets of a room is in order and complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from parley.conversations import Cursor, View, is_for
from parley.kit.events import ALL, STAFF, Event, Signal, StreamKind
from parley.kit.ids import parse_id
from parley.realtime.frames import (
    EventFrames,
    Ready,
    ResetFrame,
    Run,
    SkipFrame,
    signal_frame,
    stream_name,
)

if TYPE_CHECKING:
    from parley.realtime.session import Session

PENDING_LIMIT = 1000
"""Events kept for one reader that is still catching up, and for one stream whose gap is being closed."""
REMEMBERED_TAGS = 64
"""Newest numbers of a stream whose tags are remembered, to notice numbers used again after a failover."""
RUN_BYTES = 32 * 1024
"""What goes to a socket in one write at the most, of messages that come together."""
COURTESY_LIMIT = 100
"""Watchers up to which signals are shown."""


class Subscription:
    """One session's place in one stream.

    Live: it stands in a room and is where the stream is. Before that it catches up: ``number`` and ``tag`` are
    what its reader was given last, and what is published meanwhile is kept in ``pending``; with ``pending`` None
    it has read further in the database than the hints have come, and waits for them to pass it.
    """

    __slots__ = (
        "is_held", "is_live", "is_over", "is_reset", "number", "pending", "rights_version", "session", "stream",
        "tag", "view",
    )  # fmt: skip

    def __init__(self, session: Session, stream: Stream) -> None:
        self.session = session
        self.stream = stream
        self.view: View = "all"
        self.number = 0
        self.tag = 0
        self.pending: list[EventFrames] | None = []
        self.is_live = False
        self.is_over = False
        self.is_reset = False
        self.is_held = False
        self.rights_version = 0

    def start_at(self, cursor: Cursor) -> None:
        """Set what the reader has."""
        self.number, self.tag = cursor.number, cursor.tag

    def may_see(self, event: Event) -> bool:
        """Whether an event of the stream is for this reader."""
        if self.stream.kind == "personal":
            return True
        return is_for(event.audience, self.view, self.session.actor_id)

    def show(self, events: Sequence[EventFrames]) -> bool:
        """Send what comes next of these ascending events, neighbours that are not for the reader as one skip.

        Returns False at a hole: the reader needs to read the database once more.
        """
        hidden_from = 0
        for frames in events:
            event = frames.event
            if event.number <= self.number:
                continue
            if event.number != self.number + 1:
                self._skip(hidden_from)
                return False
            if self.may_see(event):
                self._skip(hidden_from)
                hidden_from = 0
                self.session.send(frames.shown_to(self.view, self.session.actor_id))
            else:
                hidden_from = hidden_from or event.number
            self.number, self.tag = event.number, event.tag
        self._skip(hidden_from)
        return True

    def _skip(self, first: int) -> None:
        if first:
            frame = SkipFrame(stream=self.stream.name, first=first, last=self.number, tag=self.tag)
            self.session.send(Ready(frame))

    def offer(self, frames: EventFrames) -> None:
        """Take note of an event that is being published while this reader is not live."""
        if self.pending is None:
            if self.number == frames.event.number:
                self.stream.go_live(self)
        elif len(self.pending) < PENDING_LIMIT:
            self.pending.append(frames)
        else:
            self.session.resync()


class Stream:
    """The published end of one stream on this node, and its rooms. ``number`` None: not read yet.

    ``is_doubted``: its numbers may have been used again, so nothing is published until `Fanout` has compared it: the
    next number would hide that those before it are of another history.
    """

    def __init__(self, workspace_id: UUID, kind: StreamKind, stream_id: UUID) -> None:
        self.workspace_id = workspace_id
        self.kind = kind
        self.id = stream_id
        self.name = stream_name(kind, stream_id)
        self.number: int | None = None
        self.tag = 0
        self.tags: dict[int, int] = {}
        self.ahead: dict[int, Event] = {}
        self.is_doubted = False
        self.rooms: dict[View, dict[Session, Subscription]] = {"staff": {}, "all": {}, "reader": {}}
        self.waiting: set[Subscription] = set()

    @property
    def watchers(self) -> int:
        """Live readers of this node."""
        return sum(len(room) for room in self.rooms.values())

    @property
    def is_empty(self) -> bool:
        """Whether nobody is interested any more."""
        return not self.waiting and not self.watchers

    @property
    def cursor(self) -> Cursor:
        """The last event published here."""
        return Cursor(self.number or 0, self.tag)

    # ------------------------------------------------------------ events

    def take(self, event: Event) -> bool:
        """Publish an event when it is next; drop it when it was; keep it when one before it is missing.

        Returns False when the database must be asked: there is a gap, or a number was used again.
        """
        if self.number is None:
            self._keep(event)
            return True
        if self.is_doubted:
            self._keep(event)
            return False
        if event.number == self.number + 1:
            self._publish(event)
            while (following := self.ahead.pop(self.number + 1, None)) is not None:
                self._publish(following)
            return True
        if event.number <= self.number:
            self.is_doubted = self.tags.get(event.number, event.tag) != event.tag
            return not self.is_doubted
        self._keep(event)
        return False

    def take_run(self, events: Sequence[Event]) -> bool:
        """As `take` each of them, in order; messages that follow one another go to a socket in one write."""
        is_whole = True
        run: list[EventFrames] = []
        for event in events:
            if self._is_simple(event):
                self._move_to(event)
                run.append(EventFrames(event, self.name))
            else:
                self._show_run(run)
                run = []
                is_whole = self.take(event) and is_whole
        self._show_run(run)
        return is_whole

    def settle(self, head: Cursor) -> None:
        """Begin at a head that was read after the first watcher had come. Repeat: nothing happens."""
        if self.number is not None:
            return
        self.number, self.tag = head.number, head.tag
        self.tags[head.number] = head.tag
        kept, self.ahead = self.ahead, {}
        for number in sorted(kept):
            self.take(kept[number])

    def reset(self, head: Cursor) -> None:
        """Begin anew at a head after numbers were used again or too much was missed; every reader is told.

        Rights may have been put back with the numbers, so every reader's are looked at before anything later is shown.
        """
        self.is_doubted = False
        self.ahead.clear()
        self.tags.clear()
        self.number, self.tag = head.number, head.tag
        self.tags[head.number] = head.tag
        told = Ready(ResetFrame(stream=self.name, head=head))
        for room in self.rooms.values():
            for session in room:
                session.send(told)
        for subscription in tuple(self.waiting):
            subscription.is_reset = True
            if subscription.pending is None:
                self.go_live(subscription)
        for session in self.sessions():
            if session.is_known:
                session.review_rights(None if self.kind == "personal" else self.id)

    def _keep(self, event: Event) -> None:
        if len(self.ahead) < PENDING_LIMIT:
            self.ahead[event.number] = event

    def _is_simple(self, event: Event) -> bool:
        """Whether an event is the next and means a frame for those in the rooms, and nothing else."""
        is_next = self.number is not None and event.number == self.number + 1
        is_plain = not (self.is_doubted or self.waiting or self.ahead) and _is_plain(event)
        return is_next and is_plain

    def _move_to(self, event: Event) -> None:
        self.number, self.tag = event.number, event.tag
        self.tags[event.number] = event.tag
        self.tags.pop(event.number - REMEMBERED_TAGS, None)

    def _show_run(self, run: Sequence[EventFrames]) -> None:
        for view, room in self.rooms.items():
            if not room or not run:
                continue
            for parts in _pieces([_ready_for(frames, view) for frames in run]):
                if len(parts) == 1:
                    _send_all(room, parts[0])
                    continue
                together = Run(parts)
                for session in room:
                    session.send_run(together)

    def _publish(self, event: Event) -> None:
        self._move_to(event)
        frames = EventFrames(event, self.name)
        for view, room in self.rooms.items():
            if not room:
                continue
            if self.kind == "personal" or (
                event.audience == ALL and not (view == "reader" and frames.named_reader)
            ):
                _send_all(room, frames.shown_to(view))
            elif event.audience == STAFF:
                _send_all(room, frames.shown if view == "staff" else frames.hidden)
            else:
                for session, subscription in room.items():
                    is_for_them = subscription.may_see(event)
                    session.send(frames.shown_to(view, session.actor_id) if is_for_them else frames.hidden)
        for subscription in tuple(self.waiting):
            subscription.offer(frames)
        if event.kind in ("member.left", "member.changed"):
            self._hold_back(parse_id("act", event.data["member"]["actor"]["id"]))
        if self.kind == "personal":
            for session in self.sessions():
                session.on_personal_event(event)

    def _hold_back(self, actor_id: UUID) -> None:
        """Show whoever was taken out, or sees with other eyes now, nothing later until their right is known.

        Their personal stream may lag behind.
        """
        for session in self.sessions():
            if session.is_known and session.actor_id == actor_id:
                session.review_rights(self.id)

    # ------------------------------------------------------------ signals

    def show_signal(self, signal: Signal) -> None:
        """Show something live to those it is for, but not to who caused it; to nobody above `COURTESY_LIMIT`."""
        if self.watchers > COURTESY_LIMIT:
            return
        ready = Ready(signal_frame(signal), may_drop=True)
        for view, room in self.rooms.items():
            for session in room:
                if session.actor_id != signal.actor_id and is_for(signal.audience, view, session.actor_id):
                    session.send(ready)

    # ------------------------------------------------------------ readers

    def sessions(self) -> list[Session]:
        """All sessions interested in the stream, live or not."""
        found = [session for room in self.rooms.values() for session in room]
        return found + [subscription.session for subscription in self.waiting]

    def join(self, session: Session) -> Subscription:
        """Add a reader that is not live yet; from now on nothing published escapes it."""
        subscription = Subscription(session, self)
        self.waiting.add(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Take a reader off. Repeat: harmless."""
        subscription.is_over = True
        subscription.is_live = False
        self.waiting.discard(subscription)
        if self.rooms[subscription.view].get(subscription.session) is subscription:
            del self.rooms[subscription.view][subscription.session]

    def hold(self, subscription: Subscription) -> None:
        """Take a reader out of its room, with its place kept, until its right is looked at again.

        One that is still catching up is left alone: it looks at rights itself before it goes live.
        """
        if not subscription.is_live and subscription.pending is not None:
            return
        if subscription.is_live:
            subscription.start_at(self.cursor)
        self.leave(subscription)
        subscription.is_over = False
        subscription.is_held = True
        subscription.pending = []
        self.waiting.add(subscription)

    def catch_up(self, subscription: Subscription) -> bool:
        """Send what is pending and let the reader go live, or wait for the hints when it is further than they are.

        Returns False when there is a hole that only the database can fill.
        """
        if subscription.is_reset:
            self._tell_reset(subscription)
        if not subscription.show(subscription.pending or ()):
            subscription.pending = []
            return False
        subscription.pending = []
        if subscription.number < (self.number or 0):
            return False
        subscription.pending = None
        if subscription.number == self.number:
            self.go_live(subscription)
        return True

    def _tell_reset(self, subscription: Subscription) -> None:
        subscription.is_reset = False
        subscription.pending = []
        subscription.start_at(self.cursor)
        subscription.session.send(Ready(ResetFrame(stream=self.name, head=self.cursor)))

    def go_live(self, subscription: Subscription) -> None:
        """Put a reader into its room: it has exactly what was published."""
        if subscription.is_reset:
            self._tell_reset(subscription)
        subscription.pending = None
        subscription.is_live = True
        self.waiting.discard(subscription)
        self.rooms[subscription.view][subscription.session] = subscription


def _is_plain(event: Event) -> bool:
    """Whether nothing follows from an event here but its frame, the same for all of a room."""
    return event.kind == "message.created" and event.audience in (ALL, STAFF)


def _ready_for(frames: EventFrames, view: View) -> Ready:
    """Return what a room gets of an event for all or for staff."""
    if frames.event.audience == STAFF:
        return frames.shown if view == "staff" else frames.hidden
    return frames.shown_to(view)


def _pieces(parts: Sequence[Ready]) -> Iterator[list[Ready]]:
    """Yield neighbours that are at most `RUN_BYTES` together, or one that is longer alone."""
    piece: list[Ready] = []
    size = 0
    for part in parts:
        if piece and size + len(part.json) > RUN_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(part)
        size += len(part.json)
    yield piece


def _send_all(room: dict[Session, Subscription], ready: Ready) -> None:
    for session in room:
        session.send(ready)
