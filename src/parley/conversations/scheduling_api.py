"""REST of scheduled messages."""

from __future__ import annotations

from litestar import delete, get, patch, post
from litestar.params import FromPath, JSONBody

from parley.accounts import GivenCaller, GivenRuntime
from parley.conversations import scheduling
from parley.conversations.scheduling_schemas import ScheduleChange, Scheduled, ScheduleRequest
from parley.conversations.schemas import Message
from parley.kit.ids import parse_id
from parley.kit.pages import Page

_TAGS = ["Conversations"]
_ALL = "/v1/conversations/{conversation_id:str}/scheduled"
_ONE = "/v1/conversations/{conversation_id:str}/scheduled/{scheduled_id:str}"


@get("/v1/scheduled", tags=_TAGS, operation_id="list_all_scheduled")
async def list_everywhere(runtime: GivenRuntime, caller: GivenCaller) -> Page[Scheduled]:
    """Your messages that wait for their time or failed, in all conversations, also those you are in no more."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return Page(await scheduling.list_scheduled(tx, caller, None))


@get(_ALL, tags=_TAGS, operation_id="list_scheduled")
async def list_scheduled(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str]
) -> Page[Scheduled]:
    """Your messages that wait for their time here, or failed."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return Page(await scheduling.list_scheduled(tx, caller, parse_id("cnv", conversation_id)))


@post(_ALL, tags=_TAGS, operation_id="schedule_message", status_code=201)
async def schedule_message(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    data: JSONBody[ScheduleRequest],
) -> Scheduled:
    """Have a message posted later, at most a year from now. A repeat of the same `client_id` finds the first."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await scheduling.schedule_message(tx, caller, parse_id("cnv", conversation_id), data)


@patch(_ONE, tags=_TAGS, operation_id="change_scheduled")
async def change_scheduled(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    scheduled_id: FromPath[str],
    data: JSONBody[ScheduleChange],
) -> Scheduled:
    """Change time, words or files of your scheduled message; one that failed waits again."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await scheduling.change_scheduled(
            tx, caller, parse_id("cnv", conversation_id), parse_id("sch", scheduled_id), data
        )


@delete(_ONE, tags=_TAGS, operation_id="cancel_scheduled")
async def cancel_scheduled(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], scheduled_id: FromPath[str]
) -> None:
    """Take your scheduled message back."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await scheduling.cancel_scheduled(
            tx, caller, parse_id("cnv", conversation_id), parse_id("sch", scheduled_id)
        )


@post(f"{_ONE}/send", tags=_TAGS, operation_id="send_scheduled", status_code=200)
async def send_scheduled(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], scheduled_id: FromPath[str]
) -> Message:
    """Post your scheduled message now. A repeat answers with the message that was posted."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await scheduling.post_scheduled_now(
            tx, caller, parse_id("cnv", conversation_id), parse_id("sch", scheduled_id)
        )


routes = [
    list_everywhere,
    list_scheduled,
    schedule_message,
    change_scheduled,
    cancel_scheduled,
    send_scheduled,
]
