"""REST of the desk."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from litestar import delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from parley.accounts import Actor, GivenCaller, GivenRuntime
from parley.conversations.schemas import Message
from parley.desk import inboxes, journal, lists, statuses, webhooks
from parley.desk.accounts import GivenChannels
from parley.desk.errors import SandboxOff
from parley.desk.outward import act_on_delivery
from parley.desk.sandbox_inbox import connect_sandbox
from parley.desk.schemas import (
    ChannelList,
    DeliveryRequest,
    DeskChange,
    DeskChanges,
    DeskConversation,
    DeskCounts,
    DeskPage,
    Inbox,
    InboxChange,
    InboxRequest,
    JournalItem,
    ReconnectRequest,
)
from parley.kit.ids import parse_id
from parley.kit.pages import MAX_PAGE, Page

_INBOXES = ["Inboxes"]
_DESK = ["Desk"]
_Cursor = Annotated[str | None, QueryParameter(max_length=500)]
_Id = Annotated[str | None, QueryParameter(max_length=40)]
_Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)]


def _inbox(text: str) -> UUID:
    return parse_id("inb", text)


@get("/v1/channels", tags=_INBOXES, operation_id="list_channels")
async def list_channels(caller: GivenCaller, channels: GivenChannels) -> ChannelList:
    """The kinds of connection this installation knows."""
    return ChannelList(items=inboxes.list_channels(channels), sandbox=channels.sandbox_url is not None)


@get("/v1/inboxes", tags=_INBOXES, operation_id="list_inboxes")
async def list_inboxes(runtime: GivenRuntime, caller: GivenCaller, channels: GivenChannels) -> Page[Inbox]:
    """The inboxes you work in."""
    return Page(await inboxes.list_inboxes(runtime.db, channels, caller))


@post("/v1/inboxes", tags=_INBOXES, operation_id="connect_inbox")
async def connect_inbox(
    runtime: GivenRuntime, caller: GivenCaller, channels: GivenChannels, data: JSONBody[InboxRequest]
) -> Inbox:
    """Connect an account of a channel. Telegram: `secrets.token`, as BotFather gives it."""
    return await inboxes.connect_inbox(
        runtime.db, channels, caller, channel=data.channel, secrets=data.secrets, name=data.name
    )


@post("/v1/sandbox/inboxes", tags=_INBOXES, operation_id="connect_sandbox")
async def connect_sandbox_inbox(runtime: GivenRuntime, caller: GivenCaller, channels: GivenChannels) -> Inbox:
    """Connect a bot of the sandbox: nothing to register, and a phone to play the customer on."""
    if channels.sandbox_url is None:
        raise SandboxOff
    return await connect_sandbox(runtime, channels, caller)


@get("/v1/inboxes/{inbox_id:str}", tags=_INBOXES, operation_id="get_inbox")
async def get_inbox(
    runtime: GivenRuntime, caller: GivenCaller, channels: GivenChannels, inbox_id: FromPath[str]
) -> Inbox:
    """One inbox."""
    return await inboxes.get_inbox(runtime.db, channels, caller, _inbox(inbox_id))


@patch("/v1/inboxes/{inbox_id:str}", tags=_INBOXES, operation_id="change_inbox")
async def change_inbox(
    runtime: GivenRuntime,
    caller: GivenCaller,
    channels: GivenChannels,
    inbox_id: FromPath[str],
    data: JSONBody[InboxChange],
) -> Inbox:
    """Change an inbox's name and what a message to a resolved conversation does."""
    return await inboxes.change_inbox(runtime.db, channels, caller, _inbox(inbox_id), data)


@delete("/v1/inboxes/{inbox_id:str}", tags=_INBOXES, operation_id="disconnect_inbox")
async def disconnect_inbox(
    runtime: GivenRuntime, caller: GivenCaller, channels: GivenChannels, inbox_id: FromPath[str]
) -> None:
    """Disconnect an account; its conversations stay."""
    await inboxes.disconnect_inbox(runtime.db, channels, caller, _inbox(inbox_id))


@post("/v1/inboxes/{inbox_id:str}/reconnect", tags=_INBOXES, operation_id="reconnect_inbox", status_code=200)
async def reconnect_inbox(
    runtime: GivenRuntime,
    caller: GivenCaller,
    channels: GivenChannels,
    inbox_id: FromPath[str],
    data: JSONBody[ReconnectRequest],
) -> Inbox:
    """Go on with a broken inbox, with new credentials if given."""
    return await inboxes.reconnect_inbox(runtime.db, channels, caller, _inbox(inbox_id), data.secrets)


@get("/v1/inboxes/{inbox_id:str}/members", tags=_INBOXES, operation_id="list_inbox_members")
async def list_inbox_members(
    runtime: GivenRuntime, caller: GivenCaller, inbox_id: FromPath[str]
) -> Page[Actor]:
    """Who works in an inbox."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return Page(await inboxes.list_members(tx, caller, _inbox(inbox_id)))


@put(
    "/v1/inboxes/{inbox_id:str}/members/{actor_id:str}",
    tags=_INBOXES,
    operation_id="add_inbox_member",
    status_code=204,
)
async def add_inbox_member(
    runtime: GivenRuntime, caller: GivenCaller, inbox_id: FromPath[str], actor_id: FromPath[str]
) -> None:
    """Put a user into an inbox."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await inboxes.set_member(tx, caller, _inbox(inbox_id), parse_id("act", actor_id), is_member=True)


@delete(
    "/v1/inboxes/{inbox_id:str}/members/{actor_id:str}", tags=_INBOXES, operation_id="remove_inbox_member"
)
async def remove_inbox_member(
    runtime: GivenRuntime, caller: GivenCaller, inbox_id: FromPath[str], actor_id: FromPath[str]
) -> None:
    """Take a user out of an inbox; their open screens lose it at once."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await inboxes.set_member(tx, caller, _inbox(inbox_id), parse_id("act", actor_id), is_member=False)


@get("/v1/desk/conversations", tags=_DESK, operation_id="list_desk_conversations")
async def list_conversations(
    runtime: GivenRuntime,
    caller: GivenCaller,
    status: FromQuery[Literal["open", "pending", "snoozed", "resolved", "all"]] = "open",
    inbox_id: _Id = None,
    assignee: Annotated[str | None, QueryParameter(max_length=40)] = None,
    contact_id: _Id = None,
    text: Annotated[str, QueryParameter(name="query", max_length=100)] = "",
    cursor: _Cursor = None,
    limit: _Limit = 50,
) -> DeskPage:
    """Conversations of your inboxes, the last active first. `assignee`: me, none, or an actor's id;
    `query`: part of a contact's name or username, or a whole address."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await lists.read_page(
            tx,
            caller,
            status=None if status == "all" else status,
            inbox_id=_inbox(inbox_id) if inbox_id else None,
            assignee=assignee,
            contact_id=parse_id("act", contact_id) if contact_id else None,
            query=text,
            cursor=cursor,
            limit=limit,
        )


@get("/v1/desk/conversations/changes", tags=_DESK, operation_id="list_desk_changes")
async def list_changes(
    runtime: GivenRuntime, caller: GivenCaller, since: Annotated[str, QueryParameter(max_length=32)]
) -> DeskChanges:
    """Conversations changed since a token, each in its latest state."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await lists.read_changes(tx, caller, since)


@get("/v1/desk/counts", tags=_DESK, operation_id="count_desk_conversations")
async def count_conversations(runtime: GivenRuntime, caller: GivenCaller) -> DeskCounts:
    """Conversations by status and inbox."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await lists.count_conversations(tx, caller)


@get("/v1/desk/conversations/{conversation_id:str}", tags=_DESK, operation_id="get_desk_conversation")
async def get_conversation(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str]
) -> DeskConversation:
    """One conversation of the desk."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await lists.get_desk_conversation(tx, caller, parse_id("cnv", conversation_id))


@patch("/v1/desk/conversations/{conversation_id:str}", tags=_DESK, operation_id="change_desk_conversation")
async def change_conversation(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], data: JSONBody[DeskChange]
) -> DeskConversation:
    """Change status, snooze and assignee."""
    key = parse_id("cnv", conversation_id)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await statuses.change_conversation(tx, caller, key, data)
        return await lists.get_desk_conversation(tx, caller, key)


@post(
    "/v1/conversations/{conversation_id:str}/messages/{message_id:str}/delivery",
    tags=_DESK,
    operation_id="act_on_delivery",
    status_code=200,
)
async def act_on_message(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    message_id: FromPath[str],
    data: JSONBody[DeliveryRequest],
) -> Message:
    """Retry what failed, send again or mark as sent what is not certain, cancel what waits."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await act_on_delivery(
            tx, caller, parse_id("cnv", conversation_id), parse_id("msg", message_id), data.action
        )


@get("/v1/desk/journal", tags=_DESK, operation_id="list_journal")
async def list_journal(
    runtime: GivenRuntime,
    caller: GivenCaller,
    work: Annotated[
        Literal["ready", "leased", "done", "failed", "held"] | None, QueryParameter(name="state")
    ] = None,
    cursor: _Cursor = None,
    limit: _Limit = 50,
) -> Page[JournalItem]:
    """What providers sent, newest first; `state=failed`: what could not be handled, and why."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await journal.list_items(tx, caller, work, cursor, limit)


@post(
    "/v1/desk/journal/{item_id:str}/replay", tags=_DESK, operation_id="replay_journal_item", status_code=204
)
async def replay_item(
    runtime: GivenRuntime, caller: GivenCaller, channels: GivenChannels, item_id: FromPath[str]
) -> None:
    """Run a failed item again."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await journal.replay_item(tx, channels, caller, parse_id("itm", item_id))


routes = [
    list_channels,
    list_inboxes,
    connect_inbox,
    connect_sandbox_inbox,
    get_inbox,
    change_inbox,
    disconnect_inbox,
    reconnect_inbox,
    list_inbox_members,
    add_inbox_member,
    remove_inbox_member,
    list_conversations,
    list_changes,
    count_conversations,
    get_conversation,
    change_conversation,
    act_on_message,
    list_journal,
    replay_item,
    *webhooks.routes,
]
