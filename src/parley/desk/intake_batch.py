"""Plain messages of several lanes in one transaction.

Most of what comes in is a text from a contact we know, into a conversation that is open. Those that come while a batch
is committed go together in the next: nine round trips for all of them instead of a dozen for each. Whatever is not
plain, or makes a batch fail, is handled by itself (`parley.desk.intake`), so there is one place for all other cases.
The worker runs a lane's items one after another, so a batch has one of each at the most and order is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
import structlog

from parley.channels.contract import Account, IncomingMessage
from parley.contacts import name_person
from parley.conversations import Posted, post_messages
from parley.desk import inbox_store, intake_store
from parley.desk.accounts import Channels
from parley.desk.incoming_draft import make_draft
from parley.desk.intake_store import JOURNAL
from parley.infra.batches import Batches
from parley.infra.crypto import KeyMismatch
from parley.infra.db import Database, Tx
from parley.infra.failures import describe_failure
from parley.infra.work import Claim
from parley.kit.ids import parse_id

BATCH_LIMIT = 64
"""Items in one commit: enough to spread its cost, few enough to hold locks for some milliseconds only."""
PARALLEL_BATCHES = 1
"""Batches under way. With two they are smaller, make twice the commits, and webhooks wait for them: a fifth fewer are
answered, and no more are worked off."""

log = structlog.get_logger()


class BatchUndone(Exception):
    """Another was quicker with one of these: the whole batch is undone, each goes by itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Plain:
    claim: Claim
    inbox: asyncpg.Record
    item: IncomingMessage


class IntakeBatches:
    """Takes claims of the journal that are plain messages."""

    def __init__(self, db: Database, channels: Channels) -> None:
        self._db = db
        self._channels = channels
        self._batches = Batches(self._commit, limit=BATCH_LIMIT, parallel=PARALLEL_BATCHES)

    async def take(self, claim: Claim) -> bool:
        """Return whether the item became a message and is done; False: nothing has happened."""
        return await self._batches.take(claim)

    async def _commit(self, claims: Sequence[Claim]) -> Sequence[bool]:
        try:
            done = await self._in_one_transaction(claims)
        except Exception as error:  # noqa: BLE001 - each goes by itself, and says itself what is wrong with it
            log.info("intake.batch_undone", size=len(claims), error=describe_failure(error))
            done = set()
        return [claim.id in done for claim in claims]

    async def _in_one_transaction(self, claims: Sequence[Claim]) -> set[UUID]:
        workspaces = {claim.workspace_id for claim in claims if claim.workspace_id}
        async with self._db.transaction(*workspaces) as tx:
            plain = await self._find_plain(tx, claims)
            return await _post(tx, plain) if plain else set()

    async def _find_plain(self, tx: Tx, claims: Sequence[Claim]) -> list[_Plain]:
        inboxes = await inbox_store.get_inboxes(tx, list({claim.row["inbox_id"] for claim in claims}))
        accounts = self._open_accounts(inboxes)
        found: list[_Plain] = []
        for claim in claims:
            account = accounts.get(claim.row["inbox_id"])
            if account is None:
                continue
            inbox = inboxes[claim.row["inbox_id"]]
            if inbox["workspace_id"] != claim.workspace_id:
                continue
            item = self._parse_plain(inbox["channel"], account, claim.row["body"])
            if item is not None:
                found.append(_Plain(claim, inbox, item))
        return found

    def _open_accounts(self, inboxes: Mapping[UUID, asyncpg.Record]) -> dict[UUID, Account]:
        """Return the accounts of those inboxes whose secrets open; items of the others fail by themselves."""
        found: dict[UUID, Account] = {}
        for key, inbox in inboxes.items():
            with contextlib.suppress(KeyMismatch):
                found[key] = self._channels.account(inbox)
        return found

    def _parse_plain(self, channel: str, account: Account, body: bytes) -> IncomingMessage | None:
        """Return the plain message that a body is; None for anything else, also for what cannot be parsed."""
        try:
            parsed = self._channels.adapter(channel).parse(account, body)
        except Exception:  # noqa: BLE001 - it goes by itself, where it says what is wrong, and spoils no batch
            return None
        item = parsed[0] if len(parsed) == 1 else None
        return item if isinstance(item, IncomingMessage) and _is_plain(item) else None


def _is_plain(item: IncomingMessage) -> bool:
    return bool(item.text) and not item.attachments and not item.group_id


async def _post(tx: Tx, plain: Sequence[_Plain]) -> set[UUID]:
    """Post what goes the plain way and finish its items; return their ids. Raises: BatchUndone."""
    known = await intake_store.lock_known(
        tx,
        [
            (
                one.inbox["id"],
                one.item.chat,
                one.item.provider_id,
                one.item.person.address,
                one.item.reply_to.provider_id if one.item.reply_to else None,
            )
            for one in plain
        ],
    )
    wanted = [(one, row) for one, row in zip(plain, known, strict=True) if _is_known(one.item, row)]
    if not wanted:
        return set()
    drafts = [
        make_draft(
            one.inbox,
            one.item,
            conversation_id=row["conversation_id"],
            contact_id=row["contact_id"],
            reply_to_id=row["reply_id"] if row["reply_conversation_id"] == row["conversation_id"] else None,
        )
        for one, row in wanted
    ]
    outcomes = await post_messages(tx, drafts)
    posted = [
        (one, row, parse_id("msg", outcome.message.id))
        for (one, row), outcome in zip(wanted, outcomes, strict=True)
        if isinstance(outcome, Posted)
    ]
    return await _settle(tx, posted) if posted else set()


async def _settle(tx: Tx, posted: Sequence[tuple[_Plain, asyncpg.Record, UUID]]) -> set[UUID]:
    noted = await intake_store.insert_sources(
        tx,
        [
            (
                one.inbox["workspace_id"],
                one.inbox["id"],
                one.item.chat,
                one.item.provider_id,
                row["conversation_id"],
                message_id,
            )
            for one, row, message_id in posted
        ],
    )
    if noted != len(posted):
        raise BatchUndone("the same message came through another lane at the same moment")
    done = await JOURNAL.finish_many(tx, [one.claim for one, _, _ in posted], outcome=intake_store.MESSAGE)
    if len(done) != len(posted):
        raise BatchUndone("a lease was lost")
    return done


def _is_known(item: IncomingMessage, row: asyncpg.Record) -> bool:
    """Whether contact and conversation are there and as they should be, and the message is new."""
    return (
        row["source_id"] is None
        and row["status"] in ("open", "pending")
        and row["is_reachable"]
        and (row["name"], row["username"]) == name_person(item.person)
    )
