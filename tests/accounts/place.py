"""A small server with the accounts' routes alone, over a clock that tests move."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, cast

import httpx2
from litestar import Litestar, route
from litestar.di import Provide
from litestar.params import FromPath

from parley.accounts import GivenCaller, provide_caller
from parley.accounts.api import routes
from parley.infra.http import EXCEPTION_HANDLERS
from parley.infra.runtime import Runtime
from parley.infra.settings import Settings
from parley.kit.events import Hint

ORIGIN = "http://127.0.0.1:8000"
PASSWORD = "correct horse battery"
EMAIL = "owner@example.org"


@route("/v1/media/{name:str}", http_method=["GET", "POST"], status_code=200, include_in_schema=False)
async def media_route(name: FromPath[str], caller: GivenCaller) -> str:
    """Stands where media is served."""
    return f"{name} for {caller.name}"


class StillClock:
    """Time that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = dt.datetime.now(dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, **parts: float) -> None:
        self.now += dt.timedelta(**parts)


class Place:
    """The server as tests use it."""

    def __init__(self, runtime: Runtime, clock: StillClock) -> None:
        self.runtime = runtime
        self.db = runtime.db
        self.clock = clock
        self.hints: list[Hint] = []
        runtime.bus.subscribe(self.hints.extend)
        self.app = Litestar(
            [*routes, media_route],
            dependencies={
                "runtime": Provide(lambda: self.runtime, sync_to_thread=False),
                "caller": Provide(provide_caller),
            },
            exception_handlers=EXCEPTION_HANDLERS,
            debug=False,
        )

    def use(self, settings: Settings) -> None:
        """Have other settings from now on."""
        self.runtime = dataclasses.replace(self.runtime, settings=settings)

    def client(self, token: str | None = None, *, address: str = "10.0.0.1") -> httpx2.AsyncClient:
        """Return a client of its own: no cookies yet, and a bearer token if one is given."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx2.ASGITransport(app=cast("Any", self.app), client=(address, 4000))
        return httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)

    async def sign_in(
        self, email: str = EMAIL, password: str = PASSWORD, *, address: str = "10.0.0.1", **more: Any
    ) -> httpx2.Response:
        """Sign in as a program does."""
        body = {"email": email, "password": password, "refresh_in_body": True, **more}
        async with self.client(address=address) as client:
            return await client.post("/v1/auth/sign-in", json=body)

    async def signed_in(self, email: str = EMAIL, password: str = PASSWORD) -> httpx2.AsyncClient:
        """Return a client with the access token of a new session."""
        answer = await self.sign_in(email, password)
        assert answer.status_code == 200, answer.text
        return self.client(answer.json()["access_token"])

    async def join(self, admin: httpx2.AsyncClient, role: str, email: str) -> httpx2.AsyncClient:
        """Invite a user, accept, and return their client."""
        answer = await admin.post("/v1/users", json={"name": role.title(), "email": email, "role": role})
        assert answer.status_code == 201, answer.text
        token = token_of(answer.json()["invite_url"])
        async with self.client() as client:
            joined = await client.post("/v1/invitations/accept", json={"token": token, "password": PASSWORD})
        assert joined.status_code == 200, joined.text
        return self.client(joined.json()["access_token"])


def token_of(link: str) -> str:
    """Return the token behind the `#` of a link."""
    return link.partition("#token=")[2]
