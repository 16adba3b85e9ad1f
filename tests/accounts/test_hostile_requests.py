"""Whatever is sent, the answer is a 4xx in the one error shape, and what is stored stays clean."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from parley.accounts import sweep_accounts
from tests.accounts.place import EMAIL, PASSWORD, Place

pytestmark = pytest.mark.anyio

ROUTES = [
    ("POST", "/v1/setup/check"),
    ("POST", "/v1/setup"),
    ("POST", "/v1/auth/sign-in"),
    ("POST", "/v1/auth/refresh"),
    ("POST", "/v1/auth/sign-out"),
    ("POST", "/v1/invitations/check"),
    ("POST", "/v1/invitations/accept"),
    ("PATCH", "/v1/me"),
    ("POST", "/v1/me/password"),
    ("PATCH", "/v1/workspace"),
    ("POST", "/v1/users"),
    ("PATCH", "/v1/users/act_00000000000000000000000000"),
    ("POST", "/v1/api-keys"),
]
BODIES = [
    b"null!",
    b"[]",
    b"7",
    b'"text"',
    b"{",
    b"\xff\xfe",
    b'{"email": "\\ud800"}',
    b'{"unknown_field": 1}',
    b'{"token": 1, "email": [], "name": {}, "password": 1e999}',
    b"[" * 50_000,
    b'{"name":' * 50_000,
    b'{"token": {"a": [[[[]]]]}}',
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_body_of_any_shape_gets_a_4xx(
    place: Place, owner: httpx2.AsyncClient, method: str, path: str
) -> None:
    for body in BODIES:
        answer = await owner.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, (body[:40], answer.text)
        assert set(answer.json()["error"]) == {"code", "message", "fields"}


STRANGE = [
    "\x00",
    "a\x00b",
    "\u202e\u2066",
    " ",
    "😀" * 60,
    "'; DROP TABLE login; --",
    "\ufffe",
    "İ",
    "x" * 201,
    "%s{}",
]


def _bodies(strange: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        ("POST", "/v1/setup/check", {"token": strange}),
        (
            "POST",
            "/v1/setup",
            {
                "token": strange,
                "workspace_name": strange,
                "name": strange,
                "email": strange,
                "password": PASSWORD,
            },
        ),
        ("POST", "/v1/auth/sign-in", {"email": strange, "password": PASSWORD}),
        ("POST", "/v1/auth/sign-in", {"email": EMAIL, "password": strange}),
        ("POST", "/v1/auth/sign-in", {"email": EMAIL, "password": PASSWORD, "workspace_id": strange}),
        ("POST", "/v1/auth/refresh", {"refresh_token": strange}),
        ("POST", "/v1/invitations/accept", {"token": strange, "password": PASSWORD}),
        ("PATCH", "/v1/me", {"name": strange}),
        ("PATCH", "/v1/me", {"locale": strange}),
        ("PATCH", "/v1/workspace", {"name": strange}),
        ("POST", "/v1/me/password", {"current_password": strange, "new_password": strange * 10}),
        ("POST", "/v1/users", {"name": strange, "email": f"u{len(strange)}@example.org", "role": "agent"}),
        ("POST", "/v1/users", {"name": "N", "email": strange, "role": "agent"}),
        ("POST", "/v1/users", {"name": "N", "email": "n@example.org", "role": strange}),
        ("POST", "/v1/api-keys", {"name": strange, "scopes": ["chat"]}),
        ("POST", "/v1/api-keys", {"name": "K", "scopes": [strange]}),
        ("POST", "/v1/api-keys", {"name": "K", "scopes": []}),
    ]


@pytest.mark.parametrize("strange", STRANGE)
async def test_strange_texts_are_refused_or_stored_clean(
    place: Place, owner: httpx2.AsyncClient, strange: str
) -> None:
    for method, path, body in _bodies(strange):
        answer = await owner.request(method, path, content=json.dumps(body).encode())
        assert answer.status_code < 500, (path, body, answer.text)
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"code", "message", "fields"}
        assert "\\u0000" not in answer.text
    for path in ("/v1/users", "/v1/api-keys", "/v1/audit", "/v1/me", "/v1/sessions"):
        assert (await owner.get(path)).status_code == 200


async def test_strange_queries_and_headers_get_a_4xx(place: Place, owner: httpx2.AsyncClient) -> None:
    deep = "W1tb" * 100
    for query in (
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=" + "9" * 40,
        "cursor=%00",
        "cursor=é",
        f"cursor={deep}",
    ):
        for path in ("/v1/users", "/v1/audit"):
            assert (await owner.get(f"{path}?{query}")).status_code == 422, query
    for path in ("/v1/users/%00", "/v1/users/act_%ff", "/v1/users/" + "a" * 3000):
        assert 400 <= (await owner.patch(path, json={"name": "N"})).status_code < 500
    async with place.client() as client:
        answer = await client.post(
            "/v1/auth/sign-in",
            json={"email": EMAIL, "password": PASSWORD},
            headers={b"User-Agent": b"\xff\x01" * 2000, b"Cookie": b"parley_refresh=\xff; =;;"},
        )
        assert answer.status_code == 200
        refused = await client.post("/v1/auth/refresh", headers={b"Cookie": b"parley_refresh=\xff\xfe.a.b"})
        assert refused.status_code == 401


async def test_the_sweep_takes_what_has_ended_and_nothing_else(
    place: Place, owner: httpx2.AsyncClient
) -> None:
    await place.sign_in(password="wrong password")
    await owner.post("/v1/users", json={"name": "A", "email": "a@example.org", "role": "agent"})
    assert await sweep_accounts(place.db) == 0
    place.clock.move(days=2)
    assert await sweep_accounts(place.db) == 3  # the three counters of the wrong password
    place.clock.move(days=60)
    assert await sweep_accounts(place.db) == 2  # the session and the invitation


async def test_every_route_is_described(place: Place) -> None:
    document = place.app.openapi_schema.to_schema()
    operations = [
        operation
        for path, item in document["paths"].items()
        if path.startswith("/v1/")
        for operation in item.values()
    ]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["tags"] and operation["summary"] for operation in operations)
