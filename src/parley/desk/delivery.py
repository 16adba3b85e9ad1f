"""Delivery: what the ledger holds goes to the provider, each call at most once unless a person says otherwise.

A call is marked `sending` and committed before the provider is asked; its verdict is a second transaction. So
whatever a crash leaves is known: a part that was `sending` is `unknown`, one that was not is free to go. Parts
that were sent stay sent when the rest is tried again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from uuid import UUID

import asyncpg
import structlog

from parley.channels.contract import (
    Account,
    AccountBroken,
    Adapter,
    Call,
    MediaSource,
    OutgoingMessage,
    RecipientGone,
    Rejected,
    SendError,
    Sent,
    Temporary,
    Uncertain,
    Unsupported,
)
from parley.contacts import find_identity
from parley.conversations import history
from parley.conversations.schemas import Message
from parley.conversations.store import lock_conversation
from parley.desk import delivery_store, inbox_store, intake_store, receipt_store, receipts
from parley.desk.accounts import Channels
from parley.desk.delivery_store import DELIVERIES
from parley.desk.ledger import MOVES, Move, record_move
from parley.desk.limiter import Turns
from parley.desk.outgoing import make_outgoing
from parley.desk.reach import note_reach
from parley.infra.db import Database, Tx
from parley.infra.failures import describe_failure, is_transient
from parley.infra.work import Claim, LeaseLost
from parley.kit.errors import ParleyError

MAX_TEMPORARY = 12
"""Tries of a delivery that the provider keeps refusing for now, before it is failed."""
WAIT_IN_PLACE_SECONDS = 3.0
"""A shorter wait for the limiter is slept through; for a longer one the lane is given back."""
BACKOFF_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300)

log = structlog.get_logger()


@dataclasses.dataclass
class _Plan:
    """What a claim amounts to: the calls, and which parts of it are still to be made."""

    inbox: asyncpg.Record
    adapter: Adapter
    account: Account
    chat: str
    identity_id: UUID
    calls: Sequence[Call]
    todo: list[int]


class Delivery:
    """Handles claims of the ledger."""

    def __init__(
        self, db: Database, channels: Channels, media: MediaSource, turns: Turns | None = None
    ) -> None:
        self._db = db
        self._channels = channels
        self._media = media
        self._turns = turns or Turns()

    async def handle(self, claim: Claim) -> None:
        """Carry out one delivery and record what became of it. Gives the verdict itself."""
        workspace_id = _workspace(claim)
        plan = await self._prepare(workspace_id, claim)
        if plan is None:
            return
        for place, ordinal in enumerate(plan.todo):
            call = plan.calls[ordinal]
            if not await self._wait_for_turn(workspace_id, claim, plan, call):
                return
            await self._begin_part(workspace_id, claim, ordinal)
            try:
                sent = await plan.adapter.perform(plan.account, call, self._media)
            except Uncertain as error:
                move = Move(to="unknown", error_code=error.code, error_text=error.message)
                await self._insist(claim, partial(self._close, claim, ordinal, move))
                return
            except Temporary as error:
                await self._insist(claim, partial(self._put_off, claim, plan, ordinal, error))
                return
            except SendError as error:
                await self._insist(claim, partial(self._refuse, claim, plan, ordinal, error))
                if isinstance(error, RecipientGone):
                    await self._note_gone(workspace_id, plan)
                return
            await self._insist(
                claim,
                partial(self._part_sent, claim, plan, ordinal, sent, is_last=place == len(plan.todo) - 1),
            )

    # ------------------------------------------------------------ before the call

    async def _prepare(self, workspace_id: UUID, claim: Claim) -> _Plan | None:
        """Plan the calls and write the parts; None when there is nothing (more) to do."""
        async with self._db.transaction(workspace_id) as tx:
            delivery = await _lock(tx, claim)
            if delivery is None or delivery["state"] != "queued":
                await DELIVERIES.finish(tx, claim)
                return None
            try:
                plan = await self._plan(tx, claim)
            except SendError as error:
                await record_move(
                    tx, delivery, Move(to="failed", error_code=_code(error), error_text=error.message)
                )
                await DELIVERIES.fail(tx, claim, error.message)
                return None
            if plan is None or not plan.todo:
                await record_move(tx, delivery, Move(to="sending"))
                await record_move(tx, {**delivery, "state": "sending"}, Move(to="sent"))
                await DELIVERIES.finish(tx, claim)
                return None
            return plan

    async def _plan(self, tx: Tx, claim: Claim) -> _Plan | None:
        row = claim.row
        inbox = await inbox_store.find_inbox(tx, row["inbox_id"])
        recipient = await delivery_store.find_recipient(tx, row["conversation_id"])
        if inbox is None or recipient is None or inbox["state"] == "disconnected":
            raise AccountBroken("The inbox is disconnected.")
        adapter, account = self._channels.adapter(inbox["channel"]), self._channels.account(inbox)
        message = await history.get_message(tx, row["conversation_id"], row["message_id"])
        calls = await self._calls(tx, claim, adapter, account, message, recipient["address"])
        await delivery_store.insert_parts(tx, _workspace(claim), claim.id, len(calls))
        parts = await delivery_store.list_parts(tx, claim.id)
        todo = [part["ordinal"] for part in parts if part["state"] != "sent" and part["ordinal"] < len(calls)]
        return _Plan(inbox, adapter, account, recipient["address"], recipient["identity_id"], calls, todo)

    async def _calls(
        self, tx: Tx, claim: Claim, adapter: Adapter, account: Account, message: Message, chat: str
    ) -> list[Call]:
        row = claim.row
        sent_ids = await delivery_store.list_sent_ids(tx, row["conversation_id"], row["message_id"])
        if row["action"] == "delete":
            return adapter.plan_delete(account, chat, sent_ids) if sent_ids else []
        outgoing: OutgoingMessage = await make_outgoing(tx, row["inbox_id"], message, chat)
        if row["action"] == "edit":
            return adapter.plan_edit(account, outgoing, sent_ids) if sent_ids else []
        return [] if message.deleted_at else adapter.plan(account, outgoing)

    async def _wait_for_turn(self, workspace_id: UUID, claim: Claim, plan: _Plan, call: Call) -> bool:
        """Wait for the limiter; False when the wait is long and the lane was given back."""
        while True:
            seconds = await self._turns.take(
                plan.adapter.limits, str(plan.inbox["id"]), plan.chat, call.weight
            )
            if seconds <= 0:
                return True
            if seconds > WAIT_IN_PLACE_SECONDS:
                async with self._db.transaction(workspace_id) as tx:
                    delivery = await _lock(tx, claim)
                    if delivery is not None and delivery["state"] == "sending":
                        await record_move(tx, delivery, Move(to="queued"))
                    due_at = tx.now + dt.timedelta(seconds=seconds)
                    # waiting is no try: the provider was not asked
                    await DELIVERIES.retry_later(
                        tx, claim, due_at, "waiting for the provider's limit", attempts=claim.attempts - 1
                    )
                return False
            await asyncio.sleep(seconds)

    async def _begin_part(self, workspace_id: UUID, claim: Claim, ordinal: int) -> None:
        """Commit that this call is under way, before it is. Raises: LeaseLost."""
        async with self._db.transaction(workspace_id) as tx:
            delivery = await _lock(tx, claim)
            if delivery is None or delivery["lease_token"] != claim.lease_token or not claim.is_good:
                raise LeaseLost(table=DELIVERIES.name, id=str(claim.id))
            if delivery["state"] == "queued":
                await record_move(tx, delivery, Move(to="sending"))
            await delivery_store.set_part(tx, claim.id, ordinal, "sending")

    # ------------------------------------------------------------ verdicts

    async def _insist(self, claim: Claim, write: Callable[[], Awaitable[None]]) -> None:
        """Write a verdict that only we know, again and again while the database does not take it and the lease holds."""
        pause = 0.1
        while True:
            try:
                await write()
                return
            except Exception as error:
                if not (is_transient(error) or isinstance(error, TimeoutError)) or not claim.is_good:
                    raise
                log.warning("delivery.verdict_not_written", id=str(claim.id), error=describe_failure(error))
                await asyncio.sleep(pause)
                pause = min(2.0, pause * 2)

    async def _part_sent(self, claim: Claim, plan: _Plan, ordinal: int, sent: Sent, *, is_last: bool) -> None:
        workspace_id = _workspace(claim)
        has_receipts = plan.adapter.features.has_receipts and claim.row["action"] == "send"
        async with self._db.transaction(workspace_id) as tx:
            if has_receipts:
                await receipt_store.lock_chat(tx, claim.row["inbox_id"], plan.chat)
            delivery = await _lock(tx, claim)
            if delivery is None:
                return
            await delivery_store.set_part(tx, claim.id, ordinal, "sent", provider_ids=sent.provider_ids)
            for provider_id in sent.provider_ids if claim.row["action"] == "send" else ():
                await intake_store.insert_source(
                    tx,
                    workspace_id=workspace_id,
                    inbox_id=claim.row["inbox_id"],
                    chat=plan.chat,
                    provider_id=provider_id,
                    conversation_id=claim.row["conversation_id"],
                    message_id=claim.row["message_id"],
                    direction="out",
                )
            if not is_last:
                return
            if "sent" in MOVES[delivery["state"]]:
                await record_move(tx, delivery, Move(to="sent"))
                if has_receipts:
                    await receipts.apply_parked(tx, {**delivery, "state": "sent"}, plan.chat)
            if delivery["lease_token"] == claim.lease_token:
                await DELIVERIES.finish(tx, claim)

    async def _close(self, claim: Claim, ordinal: int, move: Move) -> None:
        async with self._db.transaction(_workspace(claim)) as tx:
            await self._record_end(tx, claim, ordinal, move)

    async def _record_end(self, tx: Tx, claim: Claim, ordinal: int, move: Move) -> None:
        delivery = await _lock(tx, claim)
        if delivery is None:
            return
        part = "unknown" if move.to == "unknown" else "failed"
        await delivery_store.set_part(tx, claim.id, ordinal, part, code=move.error_code)
        await record_move(tx, delivery, move)
        if move.to == "unknown":
            await DELIVERIES.finish(tx, claim)
        else:
            await DELIVERIES.fail(tx, claim, move.error_text or move.error_code or move.to)

    async def _put_off(self, claim: Claim, plan: _Plan, ordinal: int, error: Temporary) -> None:
        """Nothing left us: queued again, after what the provider asked for or a growing pause."""
        if claim.attempts >= MAX_TEMPORARY:
            await self._close(
                claim, ordinal, Move(to="failed", error_code=error.code, error_text=error.message)
            )
            return
        pause = float(BACKOFF_SECONDS[min(claim.attempts, len(BACKOFF_SECONDS)) - 1])
        seconds = error.retry_after_seconds if error.retry_after_seconds is not None else pause
        chat = None if error.scope == "inbox" else plan.chat
        if error.retry_after_seconds:
            await self._turns.hold_back(plan.adapter.limits, str(plan.inbox["id"]), chat, seconds)
        workspace_id = _workspace(claim)
        async with self._db.transaction(workspace_id) as tx:
            delivery = await _lock(tx, claim)
            if delivery is None:
                return
            await delivery_store.set_part(tx, claim.id, ordinal, "queued", code=error.code)
            await record_move(tx, delivery, Move(to="queued"))
            await DELIVERIES.retry_later(tx, claim, tx.now + dt.timedelta(seconds=seconds), error.message)

    async def _refuse(self, claim: Claim, plan: _Plan, ordinal: int, error: SendError) -> None:
        """Failed for good; what the refusal says of the account is noted in the same transaction."""
        async with self._db.transaction(_workspace(claim)) as tx:
            move = Move(to="failed", error_code=_code(error), error_text=error.message)
            await self._record_end(tx, claim, ordinal, move)
            if isinstance(error, AccountBroken):
                await inbox_store.set_state(tx, plan.inbox["id"], "broken", error.message[:500])

    async def _note_gone(self, workspace_id: UUID, plan: _Plan) -> None:
        """Note that the contact cannot be written to. By itself: the contact is locked before conversations."""
        async with self._db.transaction(workspace_id) as tx:
            identity = await find_identity(tx, workspace_id, plan.identity_id)
            if identity is not None:
                await note_reach(tx, identity, is_reachable=False)


async def settle_broken(tx: Tx, claim: Claim, reason: str) -> None:
    """Decide about a delivery whose worker went silent or failed: `unknown` if a call was under way, else queued.

    Runs in a transaction of the caller and gives the verdict.
    """
    delivery = await _lock(tx, claim)
    if delivery is None:
        return
    parts = await delivery_store.list_parts(tx, claim.id)
    under_way = [part["ordinal"] for part in parts if part["state"] == "sending"]
    if delivery["state"] == "sending" and under_way:
        for ordinal in under_way:
            await delivery_store.set_part(tx, claim.id, ordinal, "unknown")
        text = "The server stopped while the provider was being asked."
        await record_move(tx, delivery, Move(to="unknown", error_code="interrupted", error_text=text))
        await DELIVERIES.finish(tx, claim)
        return
    if delivery["state"] == "sending":
        await record_move(tx, delivery, Move(to="queued"))
    if claim.attempts >= DELIVERIES.max_attempts:
        state = {**delivery, "state": "queued"}
        await record_move(tx, state, Move(to="failed", error_code="bug", error_text=reason))
        await DELIVERIES.fail(tx, claim, reason)
        return
    seconds = BACKOFF_SECONDS[min(max(claim.attempts, 1), len(BACKOFF_SECONDS)) - 1]
    await DELIVERIES.retry_later(tx, claim, tx.now + dt.timedelta(seconds=seconds), reason)


async def _lock(tx: Tx, claim: Claim) -> asyncpg.Record | None:
    """Lock conversation and delivery, in this order."""
    await lock_conversation(tx, _workspace(claim), claim.row["conversation_id"])
    return await delivery_store.lock_delivery(tx, claim.id)


def _code(error: ParleyError) -> str:
    if isinstance(error, Rejected | Unsupported):
        provider = error.fields.get("provider_code")
        return f"{error.code}:{provider}" if provider else error.code
    return error.code


def _workspace(claim: Claim) -> UUID:
    if claim.workspace_id is None:
        raise ValueError("a delivery without a workspace")
    return claim.workspace_id
