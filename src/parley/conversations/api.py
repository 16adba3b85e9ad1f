"""REST of conversations."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from litestar import Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from parley.accounts import GivenCaller, GivenRuntime
from parley.conversations import chats, editing, history, members, reading, streams
from parley.conversations.collector import Collector
from parley.conversations.forwarding import draft_forwards
from parley.conversations.hiding import hide_message, mask_hidden
from parley.conversations.history import get_message
from parley.conversations.schemas import (
    Conversation,
    Cursor,
    EditRequest,
    EventPage,
    MemberJson,
    MemberRequest,
    Message,
    MessagePage,
    OpenRequest,
    ReadRequest,
    ReadState,
    SendRequest,
    SyncAnswer,
    SyncRequest,
    VersionJson,
)
from parley.conversations.sending_door import make_draft
from parley.conversations.streams import is_for
from parley.conversations.sync import sync
from parley.conversations.visibility import require_view
from parley.kit.ids import parse_id, public_id
from parley.kit.pages import MAX_PAGE, Page

_TAGS = ["Conversations"]
GivenCollector = NamedDependency[Collector]
_Cursor = Annotated[str | None, QueryParameter(max_length=500)]
_Words = Annotated[str | None, QueryParameter(name="query", max_length=200)]
_Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)]
_Position = Annotated[int | None, QueryParameter(ge=0, le=2**53)]


def _conversation(text: str) -> UUID:
    return parse_id("cnv", text)


def _message(text: str) -> UUID:
    return parse_id("msg", text)


@get("/v1/conversations", tags=_TAGS, operation_id="list_conversations")
async def list_conversations(
    runtime: GivenRuntime, caller: GivenCaller, cursor: _Cursor = None, limit: _Limit = 50
) -> Page[Conversation]:
    """Your own conversations, most lately spoken in first."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await chats.list_conversations(tx, caller, cursor, limit)


@post("/v1/conversations", tags=_TAGS, operation_id="open_conversation")
async def open_conversation(
    runtime: GivenRuntime, caller: GivenCaller, data: JSONBody[OpenRequest]
) -> Conversation:
    """Open a conversation; a direct one that exists already is returned."""
    actors = [parse_id("act", member) for member in data.members]
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await members.open_conversation(tx, caller, kind=data.kind, title=data.title, members=actors)


@get("/v1/conversations/{conversation_id:str}", tags=_TAGS, operation_id="get_conversation")
async def get_conversation(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str]
) -> Conversation:
    """One conversation as you see it."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await chats.get_conversation(tx, caller, _conversation(conversation_id))


@get("/v1/conversations/{conversation_id:str}/members", tags=_TAGS, operation_id="list_members")
async def list_members(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    words: _Words = None,
    cursor: _Cursor = None,
    limit: _Limit = 100,
) -> Page[MemberJson]:
    """Who is in a conversation, by id. With a `query`, also an empty one: by role and name, owners first; of them those
    whose name has a word that begins so.
    """
    key = _conversation(conversation_id)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        if words is None:
            return await members.list_members(tx, caller, key, cursor, limit)
        return await members.search_members(tx, caller, key, query=words, cursor=cursor, limit=limit)


@post("/v1/conversations/{conversation_id:str}/members", tags=_TAGS, operation_id="add_member")
async def add_member(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], data: JSONBody[MemberRequest]
) -> MemberJson:
    """Add somebody, or change their role."""
    actor_id = parse_id("act", data.actor_id)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await members.add_member(tx, caller, _conversation(conversation_id), actor_id, data.role)


@delete(
    "/v1/conversations/{conversation_id:str}/members/{actor_id:str}", tags=_TAGS, operation_id="remove_member"
)
async def remove_member(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], actor_id: FromPath[str]
) -> None:
    """Take somebody out, or leave."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await members.remove_member(tx, caller, _conversation(conversation_id), parse_id("act", actor_id))


@get("/v1/conversations/{conversation_id:str}/messages", tags=_TAGS, operation_id="list_messages")
async def list_messages(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    before: _Position = None,
    after: _Position = None,
    around: _Position = None,
    limit: _Limit = 50,
) -> MessagePage:
    """A stretch of history beside a position, ascending; the newest messages when none is given."""
    async with runtime.db.snapshot(caller.workspace_id) as tx:
        return await history.read_page(
            tx, caller, _conversation(conversation_id), before=before, after=after, around=around, limit=limit
        )


@post("/v1/conversations/{conversation_id:str}/messages", tags=_TAGS, operation_id="send_message")
async def send_message(
    runtime: GivenRuntime,
    collector: GivenCollector,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    data: JSONBody[SendRequest],
) -> Response[Message]:
    """Send a message, or forward one. A repeat of the same `client_id` answers 200 with the stored message."""
    if data.forward is None:
        draft = make_draft(caller, conversation_id, data)
    else:
        [draft] = await draft_forwards(
            runtime.db,
            caller,
            _conversation(conversation_id),
            source_id=_conversation(data.forward.conversation_id),
            message_ids=[_message(data.forward.message_id)],
            client_ids=[data.client_id],
            kind=data.kind,
        )
    posted = await collector.post(draft)
    return Response(posted.message, status_code=200 if posted.is_repeat else 201)


@patch(
    "/v1/conversations/{conversation_id:str}/messages/{message_id:str}",
    tags=_TAGS,
    operation_id="edit_message",
)
async def edit_message(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    message_id: FromPath[str],
    data: JSONBody[EditRequest],
) -> Message:
    """Change your own message; the former text is kept as a version."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await editing.edit_message(
            tx,
            caller,
            _conversation(conversation_id),
            _message(message_id),
            text=data.text,
            entities=data.entities,
        )


@delete(
    "/v1/conversations/{conversation_id:str}/messages/{message_id:str}",
    tags=_TAGS,
    operation_id="delete_message",
    status_code=200,
)
async def delete_message(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    message_id: FromPath[str],
    whom: Annotated[Literal["all", "me"], QueryParameter(name="for")] = "all",
) -> Message:
    """Delete a message for everyone, its place stays; or `for=me`: it is gone for you alone, on all your devices."""
    conversation, message = _conversation(conversation_id), _message(message_id)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        if whom == "all":
            return await editing.delete_message(tx, caller, conversation, message)
        await hide_message(tx, caller, conversation, message)
        return await get_message(tx, conversation, message)


@get(
    "/v1/conversations/{conversation_id:str}/messages/{message_id:str}/versions",
    tags=_TAGS,
    operation_id="list_message_versions",
)
async def list_versions(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], message_id: FromPath[str]
) -> Page[VersionJson]:
    """The former texts of a message, oldest first; of very many the last 100."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return Page(
            await history.list_versions(tx, caller, _conversation(conversation_id), _message(message_id))
        )


_REACTION = "/v1/conversations/{conversation_id:str}/messages/{message_id:str}/reactions/{emoji:str}"


@put(_REACTION, tags=_TAGS, operation_id="add_reaction", status_code=204)
async def add_reaction(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    message_id: FromPath[str],
    emoji: FromPath[str],
) -> None:
    """Put a reaction."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await editing.add_reaction(tx, caller, _conversation(conversation_id), _message(message_id), emoji)


@delete(_REACTION, tags=_TAGS, operation_id="remove_reaction")
async def remove_reaction(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    message_id: FromPath[str],
    emoji: FromPath[str],
) -> None:
    """Take your reaction away."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await editing.remove_reaction(tx, caller, _conversation(conversation_id), _message(message_id), emoji)


@put("/v1/conversations/{conversation_id:str}/read", tags=_TAGS, operation_id="mark_read")
async def mark_read(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], data: JSONBody[ReadRequest]
) -> ReadState:
    """Move your read position on to a message number."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await reading.mark_read(tx, caller, _conversation(conversation_id), data.number)


@get("/v1/conversations/{conversation_id:str}/events", tags=_TAGS, operation_id="list_events")
async def list_events(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    after: Annotated[int, QueryParameter(ge=0, le=2**53)],
    tag: Annotated[int, QueryParameter(ge=-(2**31), lt=2**31)],
) -> EventPage:
    """What you missed after a cursor, at most 1000 events; 410 `reset` when a fresh snapshot is needed."""
    key = _conversation(conversation_id)
    async with runtime.db.snapshot(caller.workspace_id) as tx:
        view = await require_view(tx, caller, key)
        missed = await streams.resume(tx, key, Cursor(after, tag))
        events = await mask_hidden(tx, caller.actor_id, [key], missed)
    # what comes after the last event given is not in this answer, even if it was committed meanwhile
    head = Cursor(events[-1].number, events[-1].tag) if events else Cursor(after, tag if after else 0)
    name = public_id("cnv", key)
    frames = [
        streams.event_json(event, name, view, caller.actor_id)
        for event in events
        if is_for(event.audience, view, caller.actor_id)
    ]
    return EventPage(events=frames, head=head)


@post("/v1/sync", tags=_TAGS, operation_id="sync", status_code=200)
async def sync_streams(runtime: GivenRuntime, caller: GivenCaller, data: JSONBody[SyncRequest]) -> SyncAnswer:
    """What you missed in up to 500 conversations and your personal stream, from your cursors on.

    `complete`: you stand at `head` now. `partial`: it did not fit into this answer, ask again. `reset`: take a fresh
    snapshot and go on from `head`. `gone`: you may see it no longer. Ask with `Accept-Encoding: gzip`.
    """
    cursors = {_conversation(key): cursor for key, cursor in data.conversations.items()}
    async with runtime.db.snapshot(caller.workspace_id) as tx:
        return SyncAnswer(streams=await sync(tx, caller, cursors, data.personal))


routes = [
    sync_streams,
    list_conversations,
    open_conversation,
    get_conversation,
    list_members,
    add_member,
    remove_member,
    list_messages,
    send_message,
    edit_message,
    delete_message,
    list_versions,
    add_reaction,
    remove_reaction,
    mark_read,
    list_events,
]
