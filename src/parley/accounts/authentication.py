"""From a token to a `Caller`, for every request and every socket.

What a token stands for is remembered in the process for `CACHE_SECONDS`. A revoked session, changed role or deactivated
user is told to all processes at once (`CallerHint`); where the hint is lost, it is believed for so long and no longer.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec
from asyncpg import Record
from litestar import Request
from litestar.di import NamedDependency

from parley.accounts import store
from parley.accounts.acting import ACTOR_HEADER, find_acted
from parley.accounts.caller import Caller
from parley.accounts.tokens import ACCESS_PREFIX, KEY_PREFIX, MAX_LENGTH
from parley.infra.crypto import hash_token
from parley.infra.db import Database, Tx
from parley.infra.runtime import Runtime
from parley.kit.errors import Unauthenticated
from parley.kit.events import CallerHint, Hint

CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000
"""Tokens remembered at the most, about 10 MB; the oldest make room."""
KEY_TOUCH = dt.timedelta(minutes=1)
"""How exact an API key's last use is known."""
MEDIA_COOKIE = "parley_media"
MEDIA_PATH = "/v1/media"

GivenRuntime = NamedDependency[Runtime]
GivenCaller = NamedDependency[Caller]
"""How a handler asks for the two dependencies that `parley.apps` provides under `runtime` and `caller`."""


class TokenCache:
    """Callers by token hash. Hashes, so that a dump of the memory's keys signs nobody in."""

    def __init__(self, size: int = CACHE_SIZE) -> None:
        self._size = size
        self._entries: dict[bytes, tuple[float, Caller]] = {}
        self._by_id: dict[UUID, set[bytes]] = {}
        """Which of them go when what has this id changes (`Caller.ids`)."""
        self.version = 0
        """How often something was forgotten: what was read before the last time is not kept."""

    def find(self, digest: bytes) -> Caller | None:
        """Return the caller if it is still believed."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if entry[0] <= time.monotonic():
            self._drop(digest)
            return None
        return entry[1]

    def keep(self, digest: bytes, caller: Caller, seconds: float, version: int) -> None:
        """Believe it for so long, unless something was forgotten since ``version``."""
        if version != self.version:
            return
        self._drop(digest)
        while len(self._entries) >= self._size:
            self._drop(next(iter(self._entries)))
        self._entries[digest] = (time.monotonic() + seconds, caller)
        for key in filter(None, caller.ids):
            self._by_id.setdefault(key, set()).add(digest)

    def forget(self, key: UUID) -> None:
        """Drop the callers of a session, an actor or a login."""
        self.version += 1
        for digest in tuple(self._by_id.get(key, ())):
            self._drop(digest)

    def on_hints(self, hints: Sequence[Hint]) -> None:
        """Take a batch from the bus: what was changed, in whatever process, is looked up anew."""
        for hint in hints:
            if isinstance(hint, CallerHint):
                self.forget(hint.id)

    def _drop(self, digest: bytes) -> None:
        entry = self._entries.pop(digest, None)
        # some of them may be the same
        for key in {key for key in entry[1].ids if key} if entry else ():
            digests = self._by_id[key]
            digests.discard(digest)
            if not digests:
                del self._by_id[key]


# One cache for each opened database; it goes when the database goes.
_caches: WeakKeyDictionary[Database, TokenCache] = WeakKeyDictionary()


def _cache_of(db: Database) -> TokenCache:
    cache = _caches.get(db)
    if cache is None:
        cache = _caches[db] = TokenCache()
        db.bus.subscribe(cache.on_hints)
    return cache


async def authenticate(db: Database, token: str) -> Caller:
    """Return who a token (access token or API key) stands for; `Caller.expires_at` says until when.

    Promise: a session, key or user that was revoked is refused at once in this process, in others as soon as the bus
    tells them, and 5 s later at the latest.
    Raises: Unauthenticated.
    """
    if len(token) > MAX_LENGTH or not token.startswith((ACCESS_PREFIX, KEY_PREFIX)):
        raise Unauthenticated
    cache = _cache_of(db)
    digest = hash_token(token)
    caller = cache.find(digest)
    if caller is not None:
        return caller
    version = cache.version
    async with db.system() as tx:
        find = _find_bot if token.startswith(KEY_PREFIX) else _find_user
        caller = await find(tx, digest)
        seconds = CACHE_SECONDS
        if caller is not None and caller.expires_at is not None:
            seconds = min(seconds, (caller.expires_at - tx.now).total_seconds())
    if caller is None:
        raise Unauthenticated
    cache.keep(digest, caller, seconds, version)
    return caller


async def authenticate_actor(db: Database, token: str, reference: str | None) -> Caller:
    """As `authenticate`; with a reference (`acting.ACTOR_HEADER`) the actor that the token's API key speaks as.

    Raises: Unauthenticated, and as `acting.find_acted`.
    """
    key = await authenticate(db, token)
    if reference is None:
        return key
    cache = _cache_of(db)
    digest = hash_token(f"{token} {reference}")
    caller = cache.find(digest)
    if caller is None:
        version = cache.version
        async with db.transaction(key.workspace_id) as tx:
            caller = await find_acted(tx, key, reference)
        cache.keep(digest, caller, CACHE_SECONDS, version)
    return caller


async def find_callers(db: Database, tokens: Collection[str]) -> dict[str, Caller]:
    """Return who each of these tokens stands for at this moment, by token; the cache is not asked.

    For those who hold tokens for long, such as open sockets: two statements, whatever their number. A token that is
    missing from the answer is good no longer.
    """
    by_digest = {hash_token(token): token for token in tokens}
    found: dict[str, Caller] = {}
    async with db.system() as tx:
        for row in await store.find_sessions(tx, list(by_digest)):
            caller = _user(row, tx.now)
            if caller is not None:
                found[by_digest[row["token_hash"]]] = caller
        for row in await store.find_api_keys(tx, list(by_digest)):
            found[by_digest[row["token_hash"]]] = _bot(row)
    return found


def forget_callers(
    db: Database,
    *,
    session_id: UUID | None = None,
    actor_id: UUID | None = None,
    login_id: UUID | None = None,
) -> None:
    """Have the tokens of a session, an actor or a login looked up anew, here on return and by all others soon.

    Call it after the commit that changed it. An actor's: also those of whom its key acts for, and of the sessions that
    its key opened.
    """
    hints = [CallerHint(id=key) for key in (session_id, actor_id, login_id) if key is not None]
    _cache_of(db).on_hints(hints)
    db.bus.publish(hints)


async def provide_caller(request: Request[Any, Any, Any], runtime: GivenRuntime) -> Caller:
    """Litestar dependency: the caller by bearer token or, for ``GET /v1/media/...`` alone, by the media cookie.

    With the header ``X-Parley-Actor``: the actor that an API key acts for. Raises: Unauthenticated, Forbidden, NotFound.
    """
    token = read_bearer(request)
    if token is None and request.method == "GET" and request.url.path.startswith(f"{MEDIA_PATH}/"):
        token = request.cookies.get(MEDIA_COOKIE)
    if not token:
        raise Unauthenticated
    caller = await authenticate_actor(runtime.db, token, request.headers.get(ACTOR_HEADER))
    return msgspec.structs.replace(caller, address=read_address(request))


def read_bearer(request: Request[Any, Any, Any]) -> str | None:
    """Return the bearer token, None without an Authorization header. Raises: Unauthenticated for other schemes."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()


def read_address(request: Request[Any, Any, Any]) -> str:
    """Return the address a request came from; the server has resolved trusted proxies already."""
    return request.client.host[:64] if request.client else ""


async def _find_user(tx: Tx, digest: bytes) -> Caller | None:
    row = await store.find_session(tx, digest)
    return None if row is None else _user(row, tx.now)


async def _find_bot(tx: Tx, digest: bytes) -> Caller | None:
    row = await store.find_api_key(tx, digest)
    if row is None:
        return None
    if row["last_used_at"] is None or row["last_used_at"] < tx.now - KEY_TOUCH:
        await store.touch_api_key(tx, row["workspace_id"], row["id"])
    return _bot(row)


def _user(row: Record, now: dt.datetime) -> Caller | None:
    expires_at = min(row["expires_at"], row["session_expires_at"])
    if expires_at <= now:
        return None
    return Caller(
        workspace_id=row["workspace_id"],
        actor_id=row["actor_id"],
        kind="user",
        role=row["role"],
        scopes=frozenset(),
        session_id=row["id"],
        name=row["name"],
        login_id=row["login_id"],
        expires_at=expires_at,
        by_id=row["issued_by"],
    )


def _bot(row: Record) -> Caller:
    return Caller(
        workspace_id=row["workspace_id"],
        actor_id=row["actor_id"],
        kind="bot",
        role=None,
        scopes=frozenset(row["scopes"]),
        session_id=None,
        name=row["name"],
    )
