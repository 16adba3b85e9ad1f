"""What the routes of coming in share: where a request comes from, and the answer that carries a session."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response

from parley.accounts.authentication import read_address
from parley.accounts.cookies import make_cookies
from parley.accounts.schemas import SignedIn
from parley.accounts.sessions import Client, OpenSession
from parley.accounts.users import get_me
from parley.infra.runtime import Runtime

Http = Request[Any, Any, Any]


def read_client(request: Http) -> Client:
    """Return where a request comes from."""
    return Client(address=read_address(request), user_agent=request.headers.get("user-agent", "")[:1000])


def read_party(request: Http) -> str:
    """Return the host that was asked, for whom a passkey may be."""
    return request.headers.get("host", "")[:300]


async def answer_session(
    runtime: Runtime, session: OpenSession, status: int, *, is_refresh_in_body: bool = False
) -> Response[SignedIn]:
    """Return the answer that hands a session over: in cookies, or the refresh token in the body."""
    async with runtime.db.transaction(session.caller.workspace_id) as tx:
        me = await get_me(tx, session.caller)
    return Response(
        SignedIn(
            access_token=session.access_token,
            expires_in_seconds=session.expires_in_seconds,
            refresh_token=session.refresh_token if is_refresh_in_body else msgspec.UNSET,
            me=me,
        ),
        status_code=status,
        headers={"Cache-Control": "no-store"},
        cookies=[] if is_refresh_in_body else make_cookies(runtime.settings, session),
    )
