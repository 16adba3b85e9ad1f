"""REST of what is done with messages beside sending and reading them: forwarding many, pinning, who read them."""

from __future__ import annotations

import asyncio

from litestar import delete, get, post, put
from litestar.params import FromPath, JSONBody

from parley.accounts import GivenCaller, GivenRuntime
from parley.conversations import pins, readers
from parley.conversations.api import GivenCollector
from parley.conversations.collector import Collector
from parley.conversations.forwarding import draft_forwards
from parley.conversations.readers import Readers
from parley.conversations.schemas import ForwardRequest, Message, Pin
from parley.conversations.sending import Draft
from parley.kit.ids import parse_id
from parley.kit.pages import Page

_TAGS = ["Conversations"]


@post(
    "/v1/conversations/{conversation_id:str}/forward",
    tags=_TAGS,
    operation_id="forward_messages",
    status_code=201,
)
async def forward_messages(
    runtime: GivenRuntime,
    collector: GivenCollector,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    data: JSONBody[ForwardRequest],
) -> Page[Message]:
    """Forward messages of another conversation to this one, in the order given.

    A repeat of the same `client_id` answers with the stored messages and posts those that were not.
    """
    drafts = await draft_forwards(
        runtime.db,
        caller,
        parse_id("cnv", conversation_id),
        source_id=parse_id("cnv", data.conversation_id),
        message_ids=[parse_id("msg", message_id) for message_id in data.message_ids],
        client_ids=[f"{data.client_id}/{n}" for n in range(len(data.message_ids))],
        kind=data.kind,
    )
    return Page(await _post_all(collector, drafts))


async def _post_all(collector: Collector, drafts: list[Draft]) -> list[Message]:
    """Post drafts in their order. Raises: what the first that failed did, when all are decided."""
    outcomes = await asyncio.gather(*(collector.post(draft) for draft in drafts), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome.message for outcome in outcomes if not isinstance(outcome, BaseException)]


@get("/v1/conversations/{conversation_id:str}/pins", tags=_TAGS, operation_id="list_pins")
async def list_pins(runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str]) -> Page[Pin]:
    """What is pinned, newest pin first; never more than a hundred."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return Page(await pins.list_pins(tx, caller, parse_id("cnv", conversation_id)))


_PIN = "/v1/conversations/{conversation_id:str}/pins/{message_id:str}"


@put(_PIN, tags=_TAGS, operation_id="pin_message", status_code=204)
async def pin_message(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], message_id: FromPath[str]
) -> None:
    """Pin a message for everybody."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await pins.pin_message(tx, caller, parse_id("cnv", conversation_id), parse_id("msg", message_id))


@delete(_PIN, tags=_TAGS, operation_id="unpin_message")
async def unpin_message(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], message_id: FromPath[str]
) -> None:
    """Take a pin off."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await pins.unpin_message(tx, caller, parse_id("cnv", conversation_id), parse_id("msg", message_id))


@get(
    "/v1/conversations/{conversation_id:str}/messages/{message_id:str}/readers",
    tags=_TAGS,
    operation_id="get_readers",
)
async def get_readers(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], message_id: FromPath[str]
) -> Readers:
    """Who has read a message and when, in small groups and pairs; how many did, elsewhere."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await readers.get_readers(
            tx, caller, parse_id("cnv", conversation_id), parse_id("msg", message_id)
        )


routes = [forward_messages, list_pins, pin_message, unpin_message, get_readers]
