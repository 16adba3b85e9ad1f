"""One click from nothing to a working inbox: a bot at the sandbox's Telegram, connected like any other."""

from __future__ import annotations

import msgspec

from parley.accounts import Caller
from parley.desk.accounts import Channels
from parley.desk.inboxes import connect_inbox
from parley.desk.schemas import Inbox
from parley.infra.runtime import Runtime
from parley.kit.errors import Unavailable


class _Bot(msgspec.Struct):
    token: str


async def connect_sandbox(runtime: Runtime, channels: Channels, caller: Caller) -> Inbox:
    """Make a bot at the sandbox and connect it. Raises: Forbidden, Unavailable, and as `connect_inbox`."""
    caller.require_admin()
    answer = await runtime.http.request(
        "POST",
        f"{channels.sandbox_url}/control/bots",
        json={"name": "Sandbox desk"},
        headers=channels.sandbox_headers,
    )
    if answer.status not in (200, 201):
        raise Unavailable("The sandbox did not answer.")
    token = msgspec.json.decode(answer.body, type=_Bot).token
    return await connect_inbox(
        runtime.db,
        channels,
        caller,
        channel="telegram",
        secrets={"token": token},
        name=None,
        config={"sandbox": True},
    )
