"""HTTP as this dialect speaks it: its routes, envelopes and status codes over our doors.

An application of its own beside the REST of ``/v1``: its paths, its errors and its bodies are not ours.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import structlog
from litestar import Litestar, Request, Response, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import ClientException, HTTPException, NotFoundException
from litestar.exceptions import MethodNotAllowedException as WrongMethod
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ExceptionHandlersMap

from parley.accounts import Client
from parley.accounts.authentication import read_address
from parley.compat.chatapp import dialogs, sign_in, store
from parley.compat.chatapp.errors import BadRequest, NoSuchUser, NoToken
from parley.compat.chatapp.messages import CONTENT_LIMIT, Messages
from parley.compat.chatapp.people import Person, find_people, find_user
from parley.compat.chatapp.shapes import user_json
from parley.compat.chatapp.tokens import ChatUser, read_token
from parley.conversations.chat3 import Json, iso
from parley.infra.failures import is_transient
from parley.infra.runtime import Runtime
from parley.kit.errors import Kind, ParleyError, Unavailable
from parley.kit.text import clean_name

BODY_LIMIT_BYTES = 128 * 1024
PAGE_LIMIT = 100

log = structlog.get_logger()

_Runtime = NamedDependency[Runtime]
_User = NamedDependency[ChatUser]
_Messages = NamedDependency[Messages]
_Page = Annotated[int, QueryParameter(ge=1, le=1_000_000)]
_Limit = Annotated[int, QueryParameter(ge=1)]
_Search = Annotated[str, QueryParameter(max_length=200)]
_Kind = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class AskCode(msgspec.Struct):
    """Body of request-code."""

    phone: str = ""
    name: str | None = None


class CheckCode(msgspec.Struct):
    """Body of verify-code."""

    phone: str = ""
    code: str = ""


class NewDialog(msgspec.Struct, rename="camel"):
    """Body of a new dialog."""

    name: str = ""
    member_ids: list[str] = []


class NewMember(msgspec.Struct, rename="camel"):
    """Body of a new member."""

    user_id: str = ""


class NewMessage(msgspec.Struct):
    """Body of a message."""

    content: str = ""
    type: _Kind = "text"
    meta: Json = {}


class NewReaction(msgspec.Struct):
    """Body of a reaction."""

    reaction: str = ""


# ---------------------------------------------------------------- who


@post("/api/auth/request-code", status_code=200)
async def request_code(runtime: _Runtime, request: Request[Any, Any, Any], data: JSONBody[AskCode]) -> Json:
    """Send a code by SMS."""
    if not data.phone:
        raise BadRequest("Phone number is required")
    with _any_failure_is_400():
        return await sign_in.request_code(runtime, _client(request), phone=data.phone, name=data.name or "")


@post("/api/auth/verify-code", status_code=200)
async def verify_code(runtime: _Runtime, request: Request[Any, Any, Any], data: JSONBody[CheckCode]) -> Json:
    """Exchange a code for a token."""
    if not data.phone or not data.code:
        raise BadRequest("Phone and code are required")
    with _any_failure_is_400():
        return await sign_in.verify_code(runtime, _client(request), phone=data.phone, code=data.code)


@get("/api/auth/me")
async def get_me(user: _User) -> Json:
    """Who the token is for."""
    return {"success": True, "user": {"userId": user.user_id, "phone": user.phone, "name": user.caller.name}}


@get("/api/users")
async def list_users(runtime: _Runtime, user: _User, search: _Search = "", limit: _Limit = 50) -> Json:
    """People to write to: others of the workspace whose name contains the text; no phone numbers."""
    caller = user.caller
    async with runtime.db.transaction(caller.workspace_id) as tx:
        rows = await store.list_users(
            tx,
            caller.workspace_id,
            but=caller.actor_id,
            search=clean_name(search),
            limit=min(limit, PAGE_LIMIT),
        )
        people = await find_people(tx, caller.workspace_id, [row["id"] for row in rows])
    data = [user_json(people[row["id"]], created_at=row["created_at"]) for row in rows]
    return {"success": True, "data": data, "total": len(data)}


@get("/api/users/{user_id:str}")
async def get_user(runtime: _Runtime, user: _User, user_id: FromPath[str]) -> Json:
    """One user; the phone number is one's own."""
    async with runtime.db.transaction(user.caller.workspace_id) as tx:
        row = await find_user(tx, user.caller.workspace_id, user_id)
    if row is None:
        raise NoSuchUser
    phone = user.phone if row["id"] == user.caller.actor_id else ""
    person = Person(row["external_id"], row["name"])
    return {"success": True, "data": user_json(person, phone=phone, created_at=row["created_at"])}


# ---------------------------------------------------------------- dialogs


@get("/api/dialogs")
async def list_dialogs(
    runtime: _Runtime,
    user: _User,
    page: _Page = 1,
    limit: _Limit = 10,
    last: Annotated[str, QueryParameter(name="includeLastMessage")] = "",
) -> Json:
    """One's dialogs, most lately spoken in first."""
    found = await dialogs.list_dialogs(
        runtime.db, user.caller, page=page, limit=min(limit, PAGE_LIMIT), last=last == "true"
    )
    return {"success": True, **found}


@post("/api/dialogs", status_code=201)
async def create_dialog(runtime: _Runtime, user: _User, data: JSONBody[NewDialog]) -> Json:
    """Open a dialog with these members."""
    if not data.name:
        raise BadRequest("Dialog name is required")
    made = await dialogs.create_dialog(runtime.db, user.caller, name=data.name, member_ids=data.member_ids)
    return {"success": True, "data": made}


@get("/api/dialogs/{dialog_id:str}")
async def get_dialog(runtime: _Runtime, user: _User, dialog_id: FromPath[str]) -> Json:
    """One dialog."""
    found = await dialogs.get_dialog(runtime.db, user.caller, dialog_id)
    return {"success": True, "dialog": found, "data": found}


@delete("/api/dialogs/{dialog_id:str}", status_code=200)
async def delete_dialog(runtime: _Runtime, user: _User, dialog_id: FromPath[str]) -> Json:
    """Take everybody out of one's own dialog."""
    await dialogs.delete_dialog(runtime.db, user.caller, dialog_id)
    return {"success": True, "message": "Dialog deleted"}


@post("/api/dialogs/{dialog_id:str}/members", status_code=200)
async def add_member(
    runtime: _Runtime, user: _User, dialog_id: FromPath[str], data: JSONBody[NewMember]
) -> Json:
    """Add a member."""
    if not data.user_id:
        raise BadRequest("User ID is required")
    await dialogs.add_member(runtime.db, user.caller, dialog_id, data.user_id)
    return {"success": True, "message": "Member added"}


@delete("/api/dialogs/{dialog_id:str}/members/{user_id:str}", status_code=200)
async def remove_member(
    runtime: _Runtime, user: _User, dialog_id: FromPath[str], user_id: FromPath[str]
) -> Json:
    """Take a member out, or leave."""
    await dialogs.remove_member(runtime.db, user.caller, dialog_id, user_id)
    return {"success": True, "message": "Member removed"}


# ---------------------------------------------------------------- messages


@get("/api/messages/dialog/{dialog_id:str}")
async def list_messages(
    messages: _Messages, user: _User, dialog_id: FromPath[str], page: _Page = 1, limit: _Limit = 50
) -> Json:
    """A dialog's messages, newest first."""
    found = await messages.read_page(user, dialog_id, page=page, limit=min(limit, PAGE_LIMIT))
    return {"success": True, **found}


@post("/api/messages/dialog/{dialog_id:str}", status_code=201)
async def send_message(
    messages: _Messages,
    user: _User,
    request: Request[Any, Any, Any],
    dialog_id: FromPath[str],
    data: JSONBody[NewMessage],
) -> Json:
    """Send a message. With a header Idempotency-Key a repeat is harmless."""
    if not data.content and not data.meta.get("url"):
        raise BadRequest("Message content is required")
    if len(data.content) > CONTENT_LIMIT:
        raise BadRequest(f"Message content has {CONTENT_LIMIT} characters at the most")
    sent = await messages.send(
        user, dialog_id, content=data.content, kind=data.type, meta=data.meta, repeat_key=_repeat_key(request)
    )
    return {"success": True, "message": sent, "data": sent}


@get("/api/messages/{message_id:str}")
async def get_message(messages: _Messages, user: _User, message_id: FromPath[str]) -> Json:
    """One message."""
    found = await messages.get(user, message_id)
    return {"success": True, "message": found, "data": found}


@post("/api/messages/{message_id:str}/status/{status:str}", status_code=200)
async def set_status(
    messages: _Messages, user: _User, message_id: FromPath[str], status: FromPath[str]
) -> Json:
    """Say that a message was delivered, which nobody is told of, or read."""
    if status not in ("read", "delivered"):
        raise BadRequest('Invalid status. Must be "read" or "delivered"')
    await (messages.mark_read if status == "read" else messages.require)(user, message_id)
    return {"success": True, "message": "Status updated"}


@get("/api/messages/{message_id:str}/reactions")
async def list_reactions(messages: _Messages, user: _User, message_id: FromPath[str]) -> Json:
    """Reactions to a message."""
    return {"success": True, "reactions": await messages.list_reactions(user, message_id)}


@post("/api/messages/{message_id:str}/reactions", status_code=200)
async def add_reaction(
    messages: _Messages, user: _User, message_id: FromPath[str], data: JSONBody[NewReaction]
) -> Json:
    """Put one's reaction, in place of another."""
    if not data.reaction.strip():
        raise BadRequest("Reaction is required")
    await messages.react(user, message_id, data.reaction)
    return {"success": True, "message": "Reaction added"}


@delete("/api/messages/{message_id:str}/reactions/{reaction:str}", status_code=200)
async def remove_reaction(
    messages: _Messages, user: _User, message_id: FromPath[str], reaction: FromPath[str]
) -> Json:
    """Take one's reaction away."""
    await messages.take_back(user, message_id, reaction)
    return {"success": True, "message": "Reaction removed"}


@get("/health")
async def get_health(runtime: _Runtime) -> Json:
    """That the server answers."""
    return {"status": "ok", "timestamp": iso(runtime.clock().astimezone(dt.UTC)), "environment": "production"}


routes = [
    request_code, verify_code, get_me, list_users, get_user,
    list_dialogs, create_dialog, get_dialog, delete_dialog, add_member, remove_member,
    list_messages, send_message, get_message, set_status, list_reactions, add_reaction, remove_reaction,
    get_health,
]  # fmt: skip


def build_api(runtime: Runtime, messages: Messages) -> Litestar:
    """Return the application of these routes."""

    async def provide_user(request: Request[Any, Any, Any]) -> ChatUser:
        header = request.headers.get("authorization", "")
        if not header.startswith("Bearer "):
            raise NoToken
        return await read_token(runtime, header.removeprefix("Bearer ").strip())

    return Litestar(
        routes,
        dependencies={
            "runtime": Provide(lambda: runtime, sync_to_thread=False),
            "messages": Provide(lambda: messages, sync_to_thread=False),
            "user": Provide(provide_user),
        },
        exception_handlers=_HANDLERS,
        request_max_body_size=BODY_LIMIT_BYTES,
        openapi_config=None,
        debug=False,
        logging_config=None,
        pdb_on_exception=False,
    )


# ---------------------------------------------------------------- errors


@contextlib.contextmanager
def _any_failure_is_400() -> Iterator[None]:
    """This dialect's sign-in answers 400 to whatever is refused."""
    try:
        yield
    except ParleyError as error:
        if error.kind is Kind.BUG:
            raise
        raise BadRequest(error.message, **error.fields) from error


def _answer(status: int, message: str, headers: dict[str, str] | None = None) -> Response[Json]:
    return Response({"success": False, "error": message}, status_code=status, headers=headers)


def _refused(_: Request[Any, Any, Any], error: ParleyError) -> Response[Json]:
    if error.kind is Kind.BUG:
        log.error("chatapp.error", code=error.code, exc_info=error)
        return _answer(500, "Internal server error")
    status = 400 if error.kind is Kind.MALFORMED else error.kind.value
    retry = error.fields.get("retry_after_seconds")
    return _answer(status, error.message, {"Retry-After": str(max(1, int(retry)))} if retry else None)


def _no_route(_: Request[Any, Any, Any], __: HTTPException) -> Response[Json]:
    return _answer(404, "Route not found")


def _bad_request(_: Request[Any, Any, Any], error: HTTPException) -> Response[Json]:
    status = error.status_code if error.status_code == 413 else 400
    return _answer(status, "Request is too large" if status == 413 else "Invalid request")


def _unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[Json]:
    if is_transient(error) or isinstance(error, TimeoutError):
        log.warning("chatapp.unavailable", method=request.method, exc_info=error)
        return _refused(request, Unavailable(retry_after_seconds=1))
    if isinstance(error, RecursionError | UnicodeDecodeError):
        return _answer(400, "Invalid request")
    log.error("chatapp.bug", method=request.method, exc_info=error)
    return _answer(500, "Internal server error")


_HANDLERS: ExceptionHandlersMap = {
    ParleyError: _refused,
    NotFoundException: _no_route,
    WrongMethod: _no_route,
    ClientException: _bad_request,
    HTTPException: _bad_request,
    Exception: _unforeseen,
}


# ---------------------------------------------------------------- reading


def _client(request: Request[Any, Any, Any]) -> Client:
    return Client(address=read_address(request), user_agent=request.headers.get("user-agent", ""))


def _repeat_key(request: Request[Any, Any, Any]) -> str | None:
    key = request.headers.get("idempotency-key", "").strip()
    if len(key) > 128 or not key.isprintable():
        raise BadRequest("Idempotency-Key has 128 visible characters at the most")
    return key or None
