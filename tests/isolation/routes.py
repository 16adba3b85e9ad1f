"""Every route of the OpenAPI document: who it is for, and a request that only the right can be missing for."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx2

from parley.apps.openapi import describe_api, list_operations
from tests.house import House, Person
from tests.isolation.furnished import Furnished

PUBLIC = "whoever comes, without a token"
OWN = "everybody, about themselves and what they are part of"
CONVERSATION = "those who see the conversation"
GROUP = "owners and moderators of the group"
DESK = "those who work in the inbox"
STAFF = "the people at the desk, of their own inboxes"
ADMIN = "admins"

CLASSES: dict[str, str] = {
    "POST /v1/setup/check": PUBLIC,
    "POST /v1/setup": PUBLIC,
    "POST /v1/auth/sign-in": PUBLIC,
    "GET /v1/auth/ways": PUBLIC,
    "POST /v1/auth/code": PUBLIC,
    "POST /v1/auth/code/check": PUBLIC,
    "POST /v1/auth/second-factor": PUBLIC,
    "POST /v1/auth/second-factor/passkey": PUBLIC,
    "POST /v1/auth/passkey/begin": PUBLIC,
    "POST /v1/auth/passkey/finish": PUBLIC,
    "POST /v1/auth/refresh": PUBLIC,
    "POST /v1/auth/sign-out": PUBLIC,
    "POST /v1/invitations/check": PUBLIC,
    "POST /v1/invitations/accept": PUBLIC,
    "POST /webhooks/{channel}/{inbox_id}": PUBLIC,
    "GET /v1/me": OWN,
    "PATCH /v1/me": OWN,
    "POST /v1/me/password": OWN,
    "GET /v1/me/factors": OWN,
    "POST /v1/me/proof-code": OWN,
    "POST /v1/me/totp": OWN,
    "POST /v1/me/totp/confirm": OWN,
    "POST /v1/me/totp/remove": OWN,
    "POST /v1/me/recovery-codes": OWN,
    "POST /v1/me/passkeys/begin": OWN,
    "POST /v1/me/passkeys": OWN,
    "POST /v1/me/passkeys/{passkey_id}/remove": OWN,
    "POST /v1/me/second-factor": OWN,
    "POST /v1/me/phone": OWN,
    "POST /v1/me/phone/check": OWN,
    "POST /v1/me/phone/remove": OWN,
    "GET /v1/sessions": OWN,
    "GET /v1/presence": OWN,
    "DELETE /v1/sessions/{session_id}": OWN,
    "GET /v1/workspace": OWN,
    "PATCH /v1/workspace": ADMIN,
    "GET /v1/users": OWN,
    "POST /v1/users": ADMIN,
    "PATCH /v1/users/{user_id}": ADMIN,
    "POST /v1/users/{user_id}/invitation": ADMIN,
    "GET /v1/users/by-external-id/{external_id}": ADMIN,
    "PUT /v1/users/by-external-id/{external_id}": ADMIN,
    "GET /v1/users/{user_id}/fields": ADMIN,
    "PUT /v1/users/{user_id}/fields": ADMIN,
    "PUT /v1/users/{user_id}/integration": ADMIN,
    "POST /v1/users/{user_id}/sessions": ADMIN,
    "DELETE /v1/users/{user_id}/sessions": ADMIN,
    "GET /v1/api-keys": ADMIN,
    "POST /v1/api-keys": ADMIN,
    "DELETE /v1/api-keys/{key_id}": ADMIN,
    "GET /v1/audit": ADMIN,
    "POST /v1/sync": OWN,
    "GET /v1/people": OWN,
    "GET /v1/chats": OWN,
    "GET /v1/conversations": OWN,
    "POST /v1/conversations": OWN,
    "GET /v1/conversations/{conversation_id}": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/fields": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/fields": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/messages/{message_id}/fields": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/events": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/members": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/members": CONVERSATION,
    "PATCH /v1/conversations/{conversation_id}": GROUP,
    "POST /v1/conversations/{conversation_id}/members/batch": GROUP,
    "PATCH /v1/conversations/{conversation_id}/members/{actor_id}": GROUP,
    "DELETE /v1/conversations/{conversation_id}/members/{actor_id}": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/leave": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/preferences": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/bans": GROUP,
    "POST /v1/conversations/{conversation_id}/bans": GROUP,
    "DELETE /v1/conversations/{conversation_id}/bans/{actor_id}": GROUP,
    "GET /v1/conversations/{conversation_id}/invite-links": GROUP,
    "POST /v1/conversations/{conversation_id}/invite-links": GROUP,
    "DELETE /v1/conversations/{conversation_id}/invite-links/{link_id}": GROUP,
    "POST /v1/invite-links/check": OWN,
    "POST /v1/invite-links/join": OWN,
    "GET /v1/drafts": OWN,
    "GET /v1/conversations/{conversation_id}/draft": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/draft": CONVERSATION,
    "DELETE /v1/conversations/{conversation_id}/draft": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/messages": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/messages": CONVERSATION,
    "PATCH /v1/conversations/{conversation_id}/messages/{message_id}": CONVERSATION,
    "DELETE /v1/conversations/{conversation_id}/messages/{message_id}": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/messages/{message_id}/versions": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/messages/{message_id}/reactions/{emoji}": CONVERSATION,
    "DELETE /v1/conversations/{conversation_id}/messages/{message_id}/reactions/{emoji}": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/read": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/forward": CONVERSATION,
    "GET /v1/scheduled": OWN,
    "GET /v1/conversations/{conversation_id}/messages/{message_id}/readers": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/scheduled": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/scheduled": CONVERSATION,
    "PATCH /v1/conversations/{conversation_id}/scheduled/{scheduled_id}": CONVERSATION,
    "DELETE /v1/conversations/{conversation_id}/scheduled/{scheduled_id}": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/scheduled/{scheduled_id}/send": CONVERSATION,
    "GET /v1/conversations/{conversation_id}/pins": CONVERSATION,
    "PUT /v1/conversations/{conversation_id}/pins/{message_id}": CONVERSATION,
    "DELETE /v1/conversations/{conversation_id}/pins/{message_id}": CONVERSATION,
    "POST /v1/conversations/{conversation_id}/messages/{message_id}/delivery": DESK,
    "GET /v1/search/messages": OWN,
    "GET /v1/channels": OWN,
    "GET /v1/inboxes": STAFF,
    "POST /v1/inboxes": ADMIN,
    "POST /v1/sandbox/inboxes": ADMIN,
    "GET /v1/inboxes/{inbox_id}": DESK,
    "PATCH /v1/inboxes/{inbox_id}": ADMIN,
    "DELETE /v1/inboxes/{inbox_id}": ADMIN,
    "POST /v1/inboxes/{inbox_id}/reconnect": ADMIN,
    "GET /v1/inboxes/{inbox_id}/members": DESK,
    "PUT /v1/inboxes/{inbox_id}/members/{actor_id}": ADMIN,
    "DELETE /v1/inboxes/{inbox_id}/members/{actor_id}": ADMIN,
    "GET /v1/desk/conversations": STAFF,
    "GET /v1/desk/conversations/changes": STAFF,
    "GET /v1/desk/counts": STAFF,
    "GET /v1/desk/conversations/{conversation_id}": DESK,
    "PATCH /v1/desk/conversations/{conversation_id}": DESK,
    "GET /v1/desk/journal": ADMIN,
    "POST /v1/desk/journal/{item_id}/replay": ADMIN,
    "GET /v1/contacts": STAFF,
    "GET /v1/contacts/{contact_id}": DESK,
    "PATCH /v1/contacts/{contact_id}": DESK,
    "POST /v1/media": OWN,
    "GET /v1/media/{media_id}": CONVERSATION,
    "GET /v1/media/{media_id}/content": CONVERSATION,
    "GET /v1/media/{media_id}/thumbnail": CONVERSATION,
}

PASSWORD = "correct horse battery"
PROOF = {"proof": {"password": PASSWORD}}


def bodies(ids: Mapping[str, str], link_token: str) -> dict[str, Any]:
    """A body for every route that takes one: well formed, so that only the right is in question."""
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
    start = {"number": 0, "tag": 0}
    return {
        "POST /v1/setup/check": {"token": "x"},
        "POST /v1/setup": {
            "token": "x", "workspace_name": "W", "name": "N", "email": "n@example.org", "password": PASSWORD,
        },
        "POST /v1/auth/sign-in": {"email": "n@example.org", "password": PASSWORD},
        "POST /v1/auth/code": {"phone": "+79995550101"},
        "POST /v1/auth/code/check": {"phone": "+79995550101", "code": "123456"},
        "POST /v1/auth/second-factor": {"challenge": "x", "code": "123456"},
        "POST /v1/auth/second-factor/passkey": {"challenge": "x"},
        "POST /v1/auth/passkey/finish": {"challenge": "x", "credential": {}},
        "POST /v1/me/proof-code": {},
        "POST /v1/me/totp": PROOF,
        "POST /v1/me/totp/confirm": {"code": "123456"},
        "POST /v1/me/totp/remove": PROOF,
        "POST /v1/me/recovery-codes": PROOF,
        "POST /v1/me/passkeys/begin": PROOF,
        "POST /v1/me/passkeys": {"challenge": "x", "name": "N", "credential": {}},
        "POST /v1/me/passkeys/{passkey_id}/remove": PROOF,
        "POST /v1/me/second-factor": {"needs_passkey": True, **PROOF},
        "POST /v1/me/phone": {"phone": "+79995550101", **PROOF},
        "POST /v1/me/phone/check": {"phone": "+79995550101", "code": "123456"},
        "POST /v1/me/phone/remove": PROOF,
        "POST /v1/auth/refresh": {"refresh_token": "x"},
        "POST /v1/auth/sign-out": {},
        "POST /v1/invitations/check": {"token": "x"},
        "POST /v1/invitations/accept": {"token": "x", "password": PASSWORD},
        "POST /webhooks/{channel}/{inbox_id}": {"update_id": 1},
        "PATCH /v1/me": {"name": "New"},
        "POST /v1/me/password": {"current_password": PASSWORD + "?", "new_password": PASSWORD + "!"},
        "PATCH /v1/workspace": {"name": "New"},
        "POST /v1/users": {"name": "N", "email": "n@example.org", "role": "agent"},
        "PATCH /v1/users/{user_id}": {"name": "New"},
        "PUT /v1/users/by-external-id/{external_id}": {"name": "New"},
        "PUT /v1/users/{user_id}/fields": {"fields": {"a": 1}},
        "PUT /v1/users/{user_id}/integration": {"is_enabled": False},
        "POST /v1/users/{user_id}/sessions": {},
        "PUT /v1/conversations/{conversation_id}/fields": {"fields": {"a": 1}},
        "PUT /v1/conversations/{conversation_id}/messages/{message_id}/fields": {"fields": {"a": 1}},
        "POST /v1/api-keys": {"name": "K", "scopes": ["chat"]},
        "POST /v1/sync": {"conversations": {ids["conversation_id"]: start}, "personal": start},
        "POST /v1/conversations": {"kind": "group", "members": [ids["actor_id"]]},
        "PATCH /v1/conversations/{conversation_id}": {"title": "New", "description": "intruding"},
        "POST /v1/conversations/{conversation_id}/members/batch": {"actor_ids": [ids["actor_id"]]},
        "PATCH /v1/conversations/{conversation_id}/members/{actor_id}": {"role": "reader"},
        "PUT /v1/conversations/{conversation_id}/preferences": {"is_pinned": True},
        "POST /v1/conversations/{conversation_id}/bans": {"actor_id": ids["actor_id"]},
        "POST /v1/conversations/{conversation_id}/invite-links": {"max_uses": 1},
        "POST /v1/invite-links/check": {"token": link_token},
        "POST /v1/invite-links/join": {"token": link_token},
        "PUT /v1/conversations/{conversation_id}/draft": {"text": "intruding"},
        "POST /v1/conversations/{conversation_id}/members": {"actor_id": ids["actor_id"]},
        "POST /v1/conversations/{conversation_id}/messages": {"client_id": "1", "text": "intruding"},
        "PATCH /v1/conversations/{conversation_id}/messages/{message_id}": {"text": "intruding"},
        "PUT /v1/conversations/{conversation_id}/read": {"number": 1},
        "POST /v1/conversations/{conversation_id}/scheduled": {
            "client_id": "another", "text": "intruding", "send_at": tomorrow,
        },
        "PATCH /v1/conversations/{conversation_id}/scheduled/{scheduled_id}": {"text": "intruding"},
        "POST /v1/conversations/{conversation_id}/forward": {
            "client_id": "1", "conversation_id": ids["conversation_id"],
            "message_ids": [ids["message_id"]],
        },
        "POST /v1/conversations/{conversation_id}/messages/{message_id}/delivery": {"action": "cancel"},
        "POST /v1/inboxes": {"channel": "none", "secrets": {"token": "x"}},
        "PATCH /v1/inboxes/{inbox_id}": {"name": "New"},
        "POST /v1/inboxes/{inbox_id}/reconnect": {},
        "PATCH /v1/desk/conversations/{conversation_id}": {"status": "resolved"},
        "PATCH /v1/contacts/{contact_id}": {"name": "New"},
    }  # fmt: skip


QUERIES = {
    "GET /v1/search/messages": {"query": "asks"},
    "GET /v1/conversations/{conversation_id}/events": {"after": "0", "tag": "0"},
    "GET /v1/desk/conversations/changes": {"since": "0"},
    "GET /v1/desk/conversations": {"status": "all", "limit": "100"},
}
BYTES = {"POST /v1/media": b"abc"}


def narrowing(ids: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Parameters that name things, for every list that can be narrowed to some."""
    return {
        "GET /v1/people": {"id": ids["actor_id"]},
        "GET /v1/presence": {"actor_ids": ids["actor_id"]},
        "GET /v1/search/messages": {
            "query": "", "conversation_id": ids["conversation_id"], "from": ids["actor_id"],
        },
        "GET /v1/desk/conversations": {"inbox_id": ids["inbox_id"], "contact_id": ids["contact_id"]},
    }  # fmt: skip


ECHOES = {"POST /v1/sync": "streams", "GET /v1/presence": "items"}
"""Answers that repeat the ids they were asked for, and under which key."""


def operations(house: House) -> dict[str, dict[str, Any]]:
    """Every operation of the document, by method and path."""
    document = describe_api(house.rest)
    return {f"{method.upper()} {path}": operation for method, path, operation in list_operations(document)}


async def request(
    house: House,
    name: str,
    who: Person | None,
    thing: Furnished,
    ids: Mapping[str, str] | None = None,
    *,
    is_narrowed: bool = False,
    body: Any = None,
) -> httpx2.Response:
    """Ask for a route with the ids of a workspace's things in its path, its body and, if narrowed, its query."""
    method, path = name.split(" ")
    ids = ids or thing.ids
    url = re.sub(r"\{(\w+)\}", lambda match: ids[match[1]].replace("+", "%2B"), path)
    query = QUERIES.get(name, {}) | (narrowing(ids).get(name, {}) if is_narrowed else {})
    told = body if body is not None else bodies(ids, thing.link_token).get(name)
    async with house.client(who) as client:
        return await client.request(method, url, json=told, content=BYTES.get(name), params=query)


def require_error(answer: httpx2.Response, *statuses: int) -> None:
    """Fail unless the answer is an error of one of these statuses."""
    assert answer.status_code in statuses, (answer.request.method, answer.request.url, answer.text)
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "fields"}


def require_empty_echo(name: str, answer: httpx2.Response, stranger: Person) -> None:
    """Fail unless an answer that repeats ids says nothing about them."""
    assert answer.status_code == 200, (name, answer.text)
    for item in answer.json()[ECHOES[name]]:
        key = item.pop("stream", None) or item.pop("actor_id")
        if key != stranger.public:  # one's own stream
            assert set(map(str, item.values())) <= {"None", "gone", "[]"}, (name, item)


_OF_LOGINS = """SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) AS told FROM {table} t
    WHERE {key} IN (SELECT login_id FROM actor WHERE workspace_id = $1)"""


async def digest(house: House, workspace: UUID) -> dict[str, str]:
    """What every table holds of a workspace, and of the logins of its people."""
    tables = await house.sql(
        """SELECT table_name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name = 'workspace_id' ORDER BY table_name"""
    )
    found = {}
    for row in tables:
        table = row["table_name"]
        [told] = await house.sql(
            f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) AS told FROM {table} t WHERE workspace_id = $1",
            workspace,
        )
        found[table] = told["told"]
    for table in ("login", "passkey", "totp", "recovery_code"):
        key = "id" if table == "login" else "login_id"
        [told] = await house.sql(_OF_LOGINS.format(table=table, key=key), workspace)
        found[table] = told["told"]
    return found
