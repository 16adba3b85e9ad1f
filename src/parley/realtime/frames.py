"""What goes over a socket: commands from clients, frames and answers to them, each encoded once.

Types only and their bytes; who gets which frame is decided in `streams`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from parley.conversations import Cursor, View, event_for, find_named_reader
from parley.kit.errors import Malformed, ParleyError
from parley.kit.events import STAFF, Event, Signal, StreamKind, Touch
from parley.kit.ids import public_id

COMMAND_LIMIT_BYTES = 65_536
"""Longest command taken."""

_TOKEN = Annotated[str, Meta(min_length=1, max_length=4096)]
_ID = Annotated[int, Meta(ge=0, le=2**53 - 1)]

# ---------------------------------------------------------------- commands


class _Command(msgspec.Struct, tag_field="do", kw_only=True, frozen=True, forbid_unknown_fields=True):
    id: _ID


class Hello(_Command, tag="hello", frozen=True, kw_only=True):
    """Say who you are; first, within ten seconds. ``personal``: where you are in your personal stream."""

    token: _TOKEN
    personal: Cursor | None = None


class Renew(_Command, tag="renew", frozen=True, kw_only=True):
    """Go on with a fresh token of the same actor, before the old one expires."""

    token: _TOKEN


class Watch(_Command, tag="watch", frozen=True, kw_only=True):
    """Follow a conversation: what was missed since the cursor, or from the head on without one."""

    conversation_id: str
    cursor: Cursor | None = None


class Unwatch(_Command, tag="unwatch", frozen=True, kw_only=True):
    """Stop following a conversation."""

    conversation_id: str


class WatchInboxes(_Command, tag="watch_inboxes", frozen=True, kw_only=True):
    """Be told when a conversation of your inboxes changes its place or look in lists."""


class Typing(_Command, tag="typing", frozen=True, kw_only=True):
    """Tell the other watchers of a conversation that you began or stopped writing."""

    conversation_id: str
    is_on: bool


_ACTORS = Annotated[list[str], Meta(min_length=1, max_length=200)]


class WatchPresence(_Command, tag="presence.watch", frozen=True, kw_only=True):
    """Be told when these users come and go, as far as you may know: of whom you share a conversation or group with."""

    actor_ids: _ACTORS


class UnwatchPresence(_Command, tag="presence.unwatch", frozen=True, kw_only=True):
    """Be told no more of these users, or of none without `actor_ids`."""

    actor_ids: _ACTORS | None = None


class Ping(_Command, tag="ping", frozen=True, kw_only=True):
    """See whether the connection works."""


Command = Hello | Renew | Watch | Unwatch | WatchInboxes | Typing | WatchPresence | UnwatchPresence | Ping


class _Numbered(msgspec.Struct):
    id: _ID = 0


_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_numbered = msgspec.json.Decoder(_Numbered)


def parse_command(raw: str | bytes | Any) -> Command:
    """Return the command of a text, or of a JSON value already decoded.

    Raises: Malformed, with what is wrong.
    """
    try:
        if isinstance(raw, str | bytes):
            return _commands.decode(raw)
        command: Command = msgspec.convert(raw, Command)
        return command
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        # a text that is no UTF-8 or a nesting without end is as malformed as a wrong field
        raise Malformed(str(error)[:500] or None) from error


def parse_command_id(raw: str | bytes | Any) -> int:
    """Return the id of a command that is otherwise malformed; 0 when it has none."""
    try:
        found = _numbered.decode(raw) if isinstance(raw, str | bytes) else msgspec.convert(raw, _Numbered)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return 0
    return found.id


class Auth(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a Socket.IO client may give as ``auth``: hello's fields, which then need not be said."""

    token: _TOKEN
    personal: Cursor | None = None


def parse_auth(raw: Any) -> Auth | None:
    """Return the ``auth`` of a Socket.IO connection, None when there is none. Raises: Malformed."""
    if not raw:
        return None
    try:
        return msgspec.convert(raw, Auth)
    except msgspec.ValidationError as error:
        raise Malformed(str(error)[:500]) from error


# ---------------------------------------------------------------- frames and answers


class _Frame(msgspec.Struct, tag_field="type", kw_only=True, frozen=True):
    pass


class EventFrame(_Frame, tag="event", frozen=True, kw_only=True):
    """One event of a stream. Take it when ``number`` is your last plus one; drop it when it is lower."""

    stream: str
    number: int
    tag: int
    kind: str
    at: dt.datetime
    actor_id: str | None
    data: dict[str, Any]


class SkipFrame(_Frame, tag="skip", frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    """Events that are not for you: move on to ``to``, whose tag this is."""

    stream: str
    first: int
    last: int
    tag: int


class ResetFrame(_Frame, tag="reset", frozen=True, kw_only=True):
    """Your cursor cannot be continued: take a snapshot by REST and go on from ``head``."""

    stream: str
    head: Cursor


class SignalFrame(_Frame, tag="signal", frozen=True, kw_only=True):
    """Something live that nobody needs later, such as typing."""

    stream: str
    kind: str
    actor_id: str | None
    data: dict[str, Any]


class TouchedFrame(_Frame, tag="touched", frozen=True, kw_only=True):
    """A conversation of an inbox changed in lists: ask for the changes since your token."""

    inbox_id: str
    conversation_id: str


class GoneFrame(_Frame, tag="gone", frozen=True, kw_only=True):
    """You may see this stream no longer; nothing more of it comes."""

    stream: str


class ResyncFrame(_Frame, tag="resync", frozen=True, kw_only=True):
    """You read too slowly: the socket is closed (4008); connect again and resume from your cursors."""


Frame = EventFrame | SkipFrame | ResetFrame | SignalFrame | TouchedFrame | GoneFrame | ResyncFrame


class ErrorBody(msgspec.Struct, kw_only=True, frozen=True):
    """What went wrong, in the shape of REST's errors."""

    code: str
    message: str
    fields: dict[str, Any]


class Done(_Frame, tag="answer", frozen=True, kw_only=True):
    """The command was carried out."""

    id: int
    ok: Literal[True] = True
    data: dict[str, Any]


class Refused(_Frame, tag="answer", frozen=True, kw_only=True):
    """The command was not carried out."""

    id: int
    ok: Literal[False] = False
    error: ErrorBody


Answer = Done | Refused


def refuse(command_id: int, error: ParleyError) -> Refused:
    """Return the answer to a command that failed."""
    return Refused(
        id=command_id, error=ErrorBody(code=error.code, message=error.message, fields=error.fields)
    )


# ---------------------------------------------------------------- bytes

_encoder = msgspec.json.Encoder(enc_hook=str)


class Ready:
    """A frame in the forms transports need, each made at the first reader that needs it and kept for the rest.

    ``event`` is its name over Socket.IO: "frame", but for what a dialect (`parley.realtime.dialects`) says.
    """

    __slots__ = ("_packet", "_socketio", "_websocket", "event", "frame", "json", "may_drop")

    def __init__(self, frame: Any, *, may_drop: bool = False, event: str = "frame") -> None:
        self.frame = frame
        self.event = event
        self.json = _encoder.encode(frame)
        self.may_drop = may_drop
        self._websocket: bytes | None = None
        self._socketio: bytes | None = None
        self._packet: str | None = None

    @property
    def websocket(self) -> bytes:
        """The WebSocket frame of the plain transport."""
        if self._websocket is None:
            self._websocket = ws_text_frame(self.json)
        return self._websocket

    @property
    def packet(self) -> str:
        """The Socket.IO packet: an event with one argument."""
        if self._packet is None:
            self._packet = f'2["{self.event}",{self.json.decode()}]'
        return self._packet

    @property
    def socketio(self) -> bytes:
        """The WebSocket frame of the Socket.IO transport: an Engine.IO message around the packet."""
        if self._socketio is None:
            self._socketio = ws_text_frame(b'42["%b",%b]' % (self.event.encode(), self.json))
        return self._socketio


class Run:
    """Frames that follow one another, for a way out that takes them in one write."""

    __slots__ = ("_socketio", "_websocket", "parts")

    def __init__(self, parts: Sequence[Ready]) -> None:
        self.parts = parts
        self._websocket: bytes | None = None
        self._socketio: bytes | None = None

    @property
    def websocket(self) -> bytes:
        """See `Ready`."""
        if self._websocket is None:
            self._websocket = b"".join(part.websocket for part in self.parts)
        return self._websocket

    @property
    def socketio(self) -> bytes:
        """See `Ready`."""
        if self._socketio is None:
            self._socketio = b"".join(part.socketio for part in self.parts)
        return self._socketio


def ws_text_frame(payload: bytes) -> bytes:
    """Return the unmasked, unfragmented text frame a server sends (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2) + payload
    return b"\x81\x7f" + length.to_bytes(8) + payload


def stream_name(kind: StreamKind, stream_id: UUID) -> str:
    """Return the public name of a stream: the conversation's id or the actor's."""
    return public_id("act" if kind == "personal" else "cnv", stream_id)


_UNREAD = UUID(int=0)
"""No actor."""


class EventFrames:
    """One event for everybody: as an event to those it is for, as a skip to the rest; each encoded once.

    Everybody gets the same bytes unless something in it is for some alone.
    """

    __slots__ = ("_hidden", "_named", "_shown", "_trimmed", "event", "name")

    def __init__(self, event: Event, name: str) -> None:
        self.event = event
        self.name = name
        self._shown: Ready | None = None
        self._trimmed: dict[str, Ready] = {}
        self._named: UUID | None = _UNREAD
        self._hidden: Ready | None = None

    @property
    def shown(self) -> Ready:
        """The event itself, with all that is in it."""
        if self._shown is None:
            self._shown = Ready(event_frame(self.event, self.name))
        return self._shown

    def shown_to(self, view: View, actor_id: UUID | None = None) -> Ready:
        """The event as an actor with this view gets it; without ``actor_id``: any whom it does not name."""
        if view == STAFF:
            return self.shown
        if actor_id is not None and actor_id == self.named_reader:
            return self.shown
        found = self._trimmed.get(view)
        if found is None:
            event = event_for(self.event, view, None)
            found = self.shown if event is self.event else Ready(event_frame(event, self.name))
            self._trimmed[view] = found
        return found

    @property
    def named_reader(self) -> UUID | None:
        """Whom it names as the reader of a broadcast; looked at once, however many get the event."""
        if self._named is _UNREAD:
            self._named = find_named_reader(self.event)
        return self._named

    @property
    def hidden(self) -> Ready:
        """The skip over it."""
        if self._hidden is None:
            number = self.event.number
            self._hidden = Ready(SkipFrame(stream=self.name, first=number, last=number, tag=self.event.tag))
        return self._hidden


def event_frame(event: Event, name: str) -> EventFrame:
    """Return an event as clients get it."""
    return EventFrame(
        stream=name,
        number=event.number,
        tag=event.tag,
        kind=event.kind,
        at=event.at,
        actor_id=_actor(event.actor_id),
        data=event.data,
    )


def signal_frame(signal: Signal) -> SignalFrame:
    """Return a signal as clients get it."""
    return SignalFrame(
        stream=public_id("cnv", signal.stream_id),
        kind=signal.kind,
        actor_id=_actor(signal.actor_id),
        data=signal.data,
    )


def touched_frame(touch: Touch) -> TouchedFrame:
    """Return a touch as clients get it."""
    return TouchedFrame(
        inbox_id=public_id("inb", touch.inbox_id), conversation_id=public_id("cnv", touch.conversation_id)
    )


def _actor(actor_id: UUID | None) -> str | None:
    return None if actor_id is None else public_id("act", actor_id)
