"""REST of what is live."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from parley.accounts import Caller
from parley.infra.runtime import Runtime
from parley.kit.errors import Malformed
from parley.kit.ids import parse_id
from parley.realtime.presence import PresenceJson, find_presence

ASKED_LIMIT = 100


class Presences(msgspec.Struct, kw_only=True):
    """Presence of everybody asked for, in their order."""

    items: list[PresenceJson]


@get("/v1/presence", tags=["People"], operation_id="list_presence")
async def list_presence(
    runtime: NamedDependency[Runtime],
    caller: NamedDependency[Caller],
    actor_ids: Annotated[
        str, QueryParameter(max_length=4000, description="Ids of users, with commas; 100 at most.")
    ] = "",
) -> Presences:
    """Who is online, and when they were last seen. Null for whom you share no direct conversation or group with, and for
    who does not show it.
    """
    actors = [parse_id("act", text) for text in actor_ids.split(",") if text]
    if len(actors) > ASKED_LIMIT:
        raise Malformed(f"{ASKED_LIMIT} at the most.")
    pairs = [(caller.actor_id, actor) for actor in actors]
    found = await find_presence(runtime.db, runtime.presence, caller.workspace_id, pairs)
    return Presences(items=[found[pair] for pair in pairs])


routes = [list_presence]
