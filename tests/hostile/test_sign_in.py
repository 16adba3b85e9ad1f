"""Abuse of signing in, refreshing and links, at a whole program; and nothing of it is in the log.

What each limit and token is worth over time stands in tests/accounts, on a clock that moves.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
from typing import Any

import httpx2
import pytest

from tests.hostile.wire import bounded, others_served, require_calm
from tests.programs import PASSWORD, Server

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("hostile_sign_in")]

OWNER = "olga@example.org"
HASHES_MB = 140
"""Two argon2 hashes at a time are 92 MB; the rest is what a burst of requests leaves behind."""


def nobody(server: Server, **headers: str) -> httpx2.AsyncClient:
    """Return a client with no token and cookies of its own."""
    return httpx2.AsyncClient(base_url=server.url, timeout=60, trust_env=False, headers=headers)


async def sign_in(server: Server, email: str = OWNER, password: str = PASSWORD) -> dict[str, Any]:
    """Sign in as a program does."""
    async with nobody(server) as client:
        answer = await client.post(
            "/v1/auth/sign-in", json={"email": email, "password": password, "refresh_in_body": True}
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def refresh(server: Server, token: str) -> httpx2.Response:
    """Refresh as a program does."""
    async with nobody(server) as client:
        return await client.post("/v1/auth/refresh", json={"refresh_token": token})


async def join(server: Server, email: str, role: str = "agent") -> tuple[dict[str, Any], str]:
    """Invite somebody; return the user and the link's token."""
    made = await server.call("POST", "/v1/users", {"name": "Newcomer", "email": email, "role": role})
    return made, made["invite_url"].partition("#token=")[2]


async def test_two_tabs_at_once_stay_in_step_and_a_stranger_token_is_worth_nothing(server: Server) -> None:
    opened = await sign_in(server)
    answers = await asyncio.gather(*(refresh(server, opened["refresh_token"]) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    token = answers[0].json()["refresh_token"]
    second = (await refresh(server, token)).json()
    assert second["refresh_token"] == token  # within the grace a session moves on once
    for wrong in (token[:-1], token + "x", "x" + token, token.swapcase(), "a.b.c", "." * 200, "\0", "é" * 50):
        assert (await refresh(server, wrong)).status_code in (401, 422), wrong
    assert (await refresh(server, token)).status_code == 200  # what was forged has ended nobody's session


async def test_tokens_of_other_makes_are_nobody(server: Server) -> None:
    """A JWT without a signature, one signed by somebody else, an access token changed by one character."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    opened = await sign_in(server)
    claims = {"sub": opened["me"]["actor"]["id"], "role": "owner", "exp": 9_999_999_999}
    access = opened["access_token"]
    changed = access[:-1] + ("A" if access[-1] != "A" else "B")
    for token in (
        f"{part({'alg': 'none'})}.{part(claims)}.", f"{part({'alg': 'HS256'})}.{part(claims)}.{secrets.token_urlsafe(32)}",
        changed, access.upper(), opened["refresh_token"], f"at_{secrets.token_urlsafe(32)}", f"pk_{access[3:]}",
    ):  # fmt: skip
        async with nobody(server, Authorization=f"Bearer {token}") as client:
            assert (await client.get("/v1/me")).status_code == 401


async def test_a_browser_signs_in_with_strict_cookies_and_from_our_own_page_only(server: Server) -> None:
    body = {"email": OWNER, "password": PASSWORD}
    async with nobody(server) as client:
        client.cookies.set("parley_refresh", "planted")  # a session cannot be given to somebody
        answer = await client.post("/v1/auth/sign-in", json=body)
        cookies = answer.headers.get_list("set-cookie")
        assert len(cookies) == 2
        for cookie in cookies:
            assert "httponly" in cookie.lower()
            assert "samesite=strict" in cookie.lower()
            assert "planted" not in cookie
        assert "refresh_token" not in answer.json()
        for headers in (
            {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
            {"Origin": f"{server.url}.evil.example"}, {"Origin": "http://127.0.0.1"},
        ):  # fmt: skip
            for path, json_body in (
                ("/v1/auth/refresh", {}),
                ("/v1/auth/sign-out", {}),
                ("/v1/auth/sign-in", body),
            ):
                refused = await client.post(path, json=json_body or None, headers=headers)
                assert refused.status_code == 403, (path, headers, refused.text)


async def test_of_many_who_accept_one_invitation_at_once_one_joins(server: Server) -> None:
    _, token = await join(server, "once@example.org")
    body = {"token": token, "password": PASSWORD}

    async def accept() -> int:
        async with nobody(server) as client:
            return (await client.post("/v1/invitations/accept", json=body)).status_code

    codes = await asyncio.gather(*(accept() for _ in range(10)))
    assert codes.count(200) == 1
    assert set(codes) <= {200, 401, 409, 410}, codes
    assert await accept() == 410


async def test_who_was_deactivated_is_out_by_every_token(server: Server) -> None:
    made, token = await join(server, "leaver@example.org")
    async with nobody(server) as client:
        joined = await client.post("/v1/invitations/accept", json={"token": token, "password": PASSWORD})
        assert joined.status_code == 200
    opened = await sign_in(server, "leaver@example.org")
    await server.call("PATCH", f"/v1/users/{made['user']['id']}", {"is_deactivated": True})
    assert (await refresh(server, opened["refresh_token"])).status_code == 401
    async with nobody(server, Authorization=f"Bearer {opened['access_token']}") as client:
        assert (await client.get("/v1/me")).status_code == 401


async def test_guesses_are_limited_tell_nothing_and_cost_bounded_memory(server: Server) -> None:
    """Last in the file: the address is held up afterwards."""

    async def guess(client: httpx2.AsyncClient, number: int) -> tuple[int, str]:
        email = OWNER if number % 2 else f"nobody{number}@example.org"
        answer = await client.post(
            "/v1/auth/sign-in", json={"email": email, "password": f"guess-{number}-hunter2"}
        )
        return answer.status_code, re.sub(r"\d+(\.\d+)?", "", answer.text)

    # one client: to make one costs this process more than a guess costs the server
    async with others_served(server, slowest_seconds=5), nobody(server) as client:
        with bounded(server, HASHES_MB):
            told = await asyncio.gather(*(guess(client, number) for number in range(200)))
    assert {status for status, _ in told} <= {401, 429, 503}
    assert len({text for status, text in told if status == 401}) == 1  # known and unknown are told the same
    assert sum(status == 401 for status, _ in told) <= 101
    assert sum(status == 401 for number, (status, _) in enumerate(told) if number % 2) <= 10


async def test_nothing_secret_is_in_the_log(server: Server) -> None:
    """Of all that the tests above have sent."""
    opened = server.log()
    log = re.sub(r"\S+/setup#token=\S+", "", opened)  # the one link that is printed for people
    for secret in (PASSWORD, "hunter2", server.token, "at_", "pk_", "ses_", "planted", "Bearer"):
        assert secret not in log, secret
    require_calm(server)
