"""Messages of dialogs: history by page number, sending by the one door, statuses, reactions."""

from __future__ import annotations

from uuid import UUID

import msgspec

from parley.accounts import Caller
from parley.compat.chatapp import store
from parley.compat.chatapp.dialogs import named_members, parse_dialog, require_dialog
from parley.compat.chatapp.errors import BadRequest, NoSuchMessage
from parley.compat.chatapp.people import UserIds
from parley.compat.chatapp.shapes import Reader, Viewer, pagination, personal_json, reactions_json
from parley.compat.chatapp.tokens import ChatUser
from parley.conversations import Collector, Draft, editing, history, reading
from parley.conversations.chat3 import EXTRA, Json, Kept, message_json
from parley.conversations.fields import MESSAGE_KEY
from parley.conversations.schemas import Conversation, Message
from parley.infra.db import Database, Tx
from parley.kit.errors import Malformed
from parley.kit.fields import require_fields
from parley.kit.ids import parse_id, public_id

CONTENT_LIMIT = 4096
REACTION_LIMIT = 32
URL_LIMIT = 2048


class Messages:
    """What handlers do with messages, over what a process has open."""

    def __init__(self, db: Database, collector: Collector, user_ids: UserIds) -> None:
        self._db = db
        self._collector = collector
        self._user_ids = user_ids

    async def read_page(self, user: ChatUser, dialog_id: str, *, page: int, limit: int) -> Json:
        """Return a page of history, newest first, with ``pagination``. Raises: NoSuchDialog."""
        caller, key = user.caller, parse_dialog(dialog_id)
        async with self._db.transaction(caller.workspace_id) as tx:
            dialog = await require_dialog(tx, caller, key)
            found = await _read_page(tx, caller, dialog, page, limit)
        data = await self._show(user, key, found[::-1])
        return {"data": data, "pagination": pagination(page, limit, dialog.last_number)}

    async def send(
        self, user: ChatUser, dialog_id: str, *, content: str, kind: str, meta: Json, repeat_key: str | None
    ) -> Json:
        """Post a message; its ``meta`` are kept as its fields. With a ``repeat_key`` used before, the message of that time is returned.

        Raises: BadRequest, Malformed, TooLarge, NoSuchDialog, Forbidden for those who only read.
        """
        caller, key = user.caller, parse_dialog(dialog_id)
        async with self._db.transaction(caller.workspace_id) as tx:
            await require_dialog(tx, caller, key)
        posted = await self._collector.post(
            Draft(
                workspace_id=caller.workspace_id,
                conversation_id=key,
                sender_id=caller.actor_id,
                text=content or _link_of(meta),
                extra=_extra(content, kind, meta),
                client_id=repeat_key,
                may_chat=caller.may_chat,
            )
        )
        return (await self._show(user, key, [posted.message]))[0]

    async def get(self, user: ChatUser, message_id: str) -> Json:
        """Return a message of a dialog that the caller is in. Raises: NoSuchMessage."""
        async with self._db.transaction(user.caller.workspace_id) as tx:
            key, message = await _get_message(tx, user.caller, message_id)
        return (await self._show(user, key, [message]))[0]

    async def mark_read(self, user: ChatUser, message_id: str) -> None:
        """Move the caller's reading on to a message; all before it are read then too. Raises: NoSuchMessage."""
        async with self._db.transaction(user.caller.workspace_id) as tx:
            key, message = await _get_message(tx, user.caller, message_id)
            if message.number is not None:
                await reading.mark_read(tx, user.caller, key, message.number)

    async def require(self, user: ChatUser, message_id: str) -> None:
        """Raises: NoSuchMessage unless the caller sees it."""
        async with self._db.transaction(user.caller.workspace_id) as tx:
            await _get_message(tx, user.caller, message_id)

    async def list_reactions(self, user: ChatUser, message_id: str) -> Json:
        """Return the reactions to a message. Raises: NoSuchMessage."""
        async with self._db.transaction(user.caller.workspace_id) as tx:
            _, message = await _get_message(tx, user.caller, message_id)
        actors = {parse_id("act", actor) for one in message.reactions for actor in one.actor_ids}
        return reactions_json(message, await self._user_ids.get(user.caller.workspace_id, actors))

    async def react(self, user: ChatUser, message_id: str, reaction: str) -> None:
        """Put the caller's one reaction to a message, in place of another. Raises: NoSuchMessage, BadRequest, Conflict."""
        if len(reaction) > REACTION_LIMIT:
            raise BadRequest(f"Reaction has {REACTION_LIMIT} characters at the most")
        caller = user.caller
        async with self._db.transaction(caller.workspace_id) as tx:
            key, message = await _get_message(tx, caller, message_id)
            own, message_key = public_id("act", caller.actor_id), parse_id("msg", message.id)
            for one in message.reactions:
                if own in one.actor_ids and one.emoji != reaction:
                    await editing.remove_reaction(tx, caller, key, message_key, one.emoji)
            await editing.add_reaction(tx, caller, key, message_key, reaction)

    async def take_back(self, user: ChatUser, message_id: str, reaction: str) -> None:
        """Take the caller's reaction away. Repeat: harmless. Raises: NoSuchMessage, BadRequest."""
        async with self._db.transaction(user.caller.workspace_id) as tx:
            key, message = await _get_message(tx, user.caller, message_id)
            await editing.remove_reaction(tx, user.caller, key, parse_id("msg", message.id), reaction)

    async def _show(self, user: ChatUser, key: UUID, messages: list[Message]) -> list[Json]:
        workspace_id = user.caller.workspace_id
        async with self._db.transaction(workspace_id) as tx:
            rows = (await named_members(tx, workspace_id, [key], user.caller.actor_id)).get(key, [])
        readers = [Reader(row["external_id"], row["read_number"]) for row in rows]
        senders = {parse_id("act", message.sender.id) for message in messages}
        user_ids = await self._user_ids.get(workspace_id, senders)
        viewer = Viewer(public_id("act", user.caller.actor_id), user.user_id)
        tenant_id = public_id("ws", workspace_id)
        return [
            personal_json(message_json(msgspec.to_builtins(one), user_ids, tenant_id), one, viewer, readers)
            for one in messages
        ]


async def _get_message(tx: Tx, caller: Caller, message_id: str) -> tuple[UUID, Message]:
    try:
        key = parse_id("msg", message_id)
    except Malformed as error:
        raise NoSuchMessage from error
    conversation_id = await store.find_message(tx, caller.workspace_id, key, caller.actor_id)
    if conversation_id is None or not caller.may_chat:
        raise NoSuchMessage
    return conversation_id, await history.get_message(tx, conversation_id, key)


async def _read_page(tx: Tx, caller: Caller, dialog: Conversation, page: int, limit: int) -> list[Message]:
    """Return the messages of a page ascending: pages are cut by number, so that each has the same place for everybody."""
    key = parse_id("cnv", dialog.id)
    highest = dialog.last_number - (page - 1) * limit
    lowest = max(0, highest - limit)
    before = await store.find_position(tx, key, highest + 1) if page > 1 else None
    found: list[Message] = []
    while highest > 0:
        part = await history.read_page(tx, caller, key, before=before, limit=limit)
        # notices have no number; with one in between, a second look brings the rest
        found = [
            one for one in part.items if one.number is not None and lowest < one.number <= highest
        ] + found
        if (
            not part.has_before
            or not part.items
            or any((one.number or lowest + 1) <= lowest for one in part.items)
        ):
            break
        if found and (found[0].number or 0) == lowest + 1:
            break
        before = part.items[0].position
    return found


def _extra(content: str, kind: str, meta: Json) -> Json | None:
    kept = Kept(type=kind, content=None if content else "")
    extra = {EXTRA: msgspec.to_builtins(kept)} if kept != Kept() else {}
    return {**extra, MESSAGE_KEY: require_fields(meta)} if meta else extra or None


def _link_of(meta: Json) -> str:
    """Return what a message without content reads elsewhere: the address of what it shows. Raises: BadRequest."""
    url = meta.get("url")
    if not isinstance(url, str) or not 0 < len(url) <= URL_LIMIT:
        raise BadRequest("Message content is required")
    return url
