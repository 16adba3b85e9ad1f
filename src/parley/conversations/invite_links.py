"""Links by which whoever holds them joins a group or broadcast: users of the same workspace alone.

The token stands behind the ``#`` of the address, which reaches no server's log, and is stored as its hash: the address
is told once. Uses are counted under the conversation's lock, so that no link is used more often than it may be.
"""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import asyncpg

from parley.accounts import Caller
from parley.conversations import invite_links_store, members_store, store
from parley.conversations.chats import get_conversation
from parley.conversations.errors import InviteLinkInvalid, TooManyInviteLinks
from parley.conversations.group_schemas import CheckedLink, InviteLinkJson, NewInviteLink
from parley.conversations.joining import join
from parley.conversations.members import lock_group, require_group
from parley.conversations.preferences import require_moment
from parley.conversations.rights import DEFAULT_ROLE
from parley.conversations.schemas import ActorRef, Conversation
from parley.infra.crypto import hash_token, new_token
from parley.infra.db import Tx
from parley.kit.errors import Forbidden, Malformed
from parley.kit.ids import public_id, uuid7

LINKS_LIMIT = 100
"""Links of a conversation that are not revoked."""


async def create_invite_link(
    tx: Tx,
    caller: Caller,
    conversation_id: UUID,
    *,
    origin: str,
    expires_at: dt.datetime | None,
    max_uses: int | None,
) -> NewInviteLink:
    """Make a link; its address is told here and never again.

    Raises: ConversationNotFound, Forbidden, Malformed, TooManyInviteLinks.
    """
    await lock_group(tx, caller, conversation_id, "invite")
    if expires_at is not None:
        expires_at = require_moment(expires_at, "expires_at")
        if expires_at <= tx.now:
            raise Malformed("A link ends at a time to come.", expires_at="")
    if len(await invite_links_store.list_links(tx, conversation_id, LINKS_LIMIT)) >= LINKS_LIMIT:
        raise TooManyInviteLinks
    link_id, token = uuid7(), new_token()
    await invite_links_store.insert_link(
        tx,
        caller.workspace_id,
        conversation_id,
        link_id,
        digest=hash_token(token),
        created_by=caller.actor_id,
        expires_at=expires_at,
        max_uses=max_uses,
    )
    return NewInviteLink(
        id=public_id("lnk", link_id),
        url=f"{origin}/join#token={token}",
        expires_at=expires_at,
        max_uses=max_uses,
        use_count=0,
        created_by=ActorRef(public_id("act", caller.actor_id), caller.kind, caller.name),
        created_at=tx.now,
    )


async def list_invite_links(tx: Tx, caller: Caller, conversation_id: UUID) -> list[InviteLinkJson]:
    """Return the links that are not revoked, newest first, 100 at the most. Raises: ConversationNotFound, Forbidden."""
    await require_group(tx, caller, conversation_id, "invite")
    rows = await invite_links_store.list_links(tx, conversation_id, LINKS_LIMIT)
    return [_format(row) for row in rows]


async def revoke_invite_link(tx: Tx, caller: Caller, conversation_id: UUID, link_id: UUID) -> None:
    """Let nobody join by a link any more. Repeat: harmless. Raises: ConversationNotFound, Forbidden."""
    await lock_group(tx, caller, conversation_id, "invite")
    await invite_links_store.revoke_link(tx, conversation_id, link_id)


async def check_invite_link(tx: Tx, caller: Caller, token: str) -> CheckedLink:
    """Return where a link leads. Raises: Forbidden for API keys that may not chat, InviteLinkInvalid."""
    link = await _get_link(tx, caller, token)
    rows = await members_store.get_conversations(tx, [link["conversation_id"]], caller.actor_id)
    row = rows[0]
    return CheckedLink(
        kind=row["kind"],
        title=row["title"],
        description=row["description"],
        member_count=row["member_count"],
        conversation_id=public_id("cnv", row["id"]) if row["role"] else None,
    )


async def join_by_link(tx: Tx, caller: Caller, token: str) -> Conversation:
    """Become a member. Who is one already is answered the same, and uses nothing up.

    Raises: Forbidden for API keys that may not chat, InviteLinkInvalid, Banned.
    """
    conversation_id = (await _get_link(tx, caller, token))["conversation_id"]
    conversation = await store.lock_conversation(tx, caller.workspace_id, conversation_id)
    if conversation is None:
        raise InviteLinkInvalid
    if await members_store.find_member(tx, conversation_id, caller.actor_id) is None:
        await join(tx, caller, conversation_id, {caller.actor_id: DEFAULT_ROLE[conversation["kind"]]})
        if not await invite_links_store.use_link(tx, hash_token(token)):
            raise InviteLinkInvalid
    return await get_conversation(tx, caller, conversation_id)


async def _get_link(tx: Tx, caller: Caller, token: str) -> asyncpg.Record:
    if not caller.may_chat:
        raise Forbidden("The API key lacks a scope.", scope="chat")
    link = await invite_links_store.find_link(tx, caller.workspace_id, hash_token(token))
    if link is None:
        raise InviteLinkInvalid
    return link


def _format(row: asyncpg.Record) -> InviteLinkJson:
    return InviteLinkJson(
        id=public_id("lnk", row["id"]),
        expires_at=row["expires_at"],
        max_uses=row["max_uses"],
        use_count=row["use_count"],
        created_by=ActorRef(public_id("act", row["created_by"]), row["kind"], row["name"]),
        created_at=row["created_at"],
    )
