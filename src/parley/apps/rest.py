"""The REST application: every slice's routes, what they are given, how errors leave."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any
from uuid import UUID

from litestar import Litestar, Request, get
from litestar.config.compression import CompressionConfig
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

import parley
from parley.accounts import Caller, people_api, provide_caller
from parley.accounts import api as accounts_api
from parley.accounts.people_api import FindSeen, Seen
from parley.apps.openapi import describe_api
from parley.contacts import api as contacts_api
from parley.conversations import (
    Collector,
    access_api,
    chats_api,
    fields_api,
    groups_api,
    list_visible_inboxes,
    may_see_media,
    messages_api,
    scheduling_api,
    search_api,
)
from parley.conversations import api as conversations_api
from parley.desk import api as desk_api
from parley.desk.accounts import Channels
from parley.desk.reach import touch_contact
from parley.infra.http import EXCEPTION_HANDLERS
from parley.infra.runtime import Runtime
from parley.media import Pictures
from parley.media import api as media_api
from parley.realtime import api as realtime_api
from parley.realtime.presence import find_presence

BODY_LIMIT_BYTES = 256 * 1024
"""JSON bodies: a message of 20 000 characters with its entities fits; uploads and webhooks have their own."""

_PACKED = CompressionConfig("gzip", minimum_size=2000, gzip_compress_level=4, exclude=[r"^/v1/media"])
"""Files are packed already, and their ranges are counted in their own bytes. Level 4: a megabyte in 15 ms."""

ROUTES = [
    *accounts_api.routes,
    *people_api.routes,
    *conversations_api.routes,
    *search_api.routes,
    *fields_api.routes,
    *messages_api.routes,
    *groups_api.routes,
    *access_api.routes,
    *chats_api.routes,
    *scheduling_api.routes,
    *contacts_api.routes,
    *media_api.routes,
    *desk_api.routes,
    *realtime_api.routes,
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parts:
    """What handlers are given beside the runtime."""

    runtime: Runtime
    channels: Channels
    collector: Collector
    pictures: Pictures


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def openapi_json(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    return describe_api(request.app)


def build_rest(parts: Parts) -> Litestar:
    """Return the REST application."""
    given: dict[str, Any] = {
        "runtime": parts.runtime,
        "channels": parts.channels,
        "collector": parts.collector,
        "pictures": parts.pictures,
        "media_access": may_see_media,
        "visible_inboxes": list_visible_inboxes,
        "touch_contact": touch_contact,
        "find_seen": _make_find_seen(parts.runtime),
    }
    return Litestar(
        [*ROUTES, openapi_json],
        dependencies={
            **{name: _provide(value) for name, value in given.items()},
            "caller": Provide(provide_caller),
        },
        exception_handlers=EXCEPTION_HANDLERS,
        compression_config=_PACKED,
        openapi_config=_describe(),
        request_max_body_size=BODY_LIMIT_BYTES,
        debug=False,
        logging_config=None,
        pdb_on_exception=False,
    )


def _make_find_seen(runtime: Runtime) -> FindSeen:
    async def find_seen(caller: Caller, actors: Collection[UUID]) -> dict[UUID, Seen]:
        pairs = [(caller.actor_id, actor) for actor in actors]
        found = await find_presence(runtime.db, runtime.presence, caller.workspace_id, pairs)
        return {actor: Seen(one.is_online, one.last_seen_at) for (_, actor), one in found.items()}

    return find_seen


def _provide(value: Any) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


def _describe() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Parley",
        version=parley.__version__,
        description="Sign in, or make an API key in the settings, and send it as `Authorization: Bearer ...`. "
        'Every error has the shape `{"error": {"code", "message", "fields"}}`.',
        components=Components(security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer")}),
        security=[{"bearer": []}],
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
    )
