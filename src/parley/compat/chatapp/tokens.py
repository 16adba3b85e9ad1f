"""This dialect's tokens: JWTs of 48 hours with ``userId`` and ``phone``, which name a session of ours.

Signed by a secret of the installation, so every process reads them; what they are good for is asked of the session at
each use, so they end with it.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

import msgspec

from parley.accounts import Caller, authenticate, lasting_token
from parley.compat.chatapp.errors import InvalidToken
from parley.infra.crypto import Keys
from parley.infra.runtime import Runtime
from parley.kit.errors import Malformed, Unauthenticated
from parley.kit.ids import parse_id, public_id

LASTS = dt.timedelta(hours=48)
MAX_LENGTH = 2048
"""Characters of a token at the most; ours have some 300."""
_ALGORITHM = "HS256"


class ChatUser(msgspec.Struct, frozen=True, kw_only=True):
    """Who a request is from. ``token``: our own of the same session, for `parley.realtime`."""

    caller: Caller
    user_id: str
    phone: str
    token: str


class _Claims(msgspec.Struct):
    userId: str  # noqa: N815 - the dialect's name
    phone: str
    sid: str
    exp: int


def issue_token(keys: Keys, *, user_id: str, phone: str, session_id: UUID, now: dt.datetime) -> str:
    """Return the JWT of a session that began now."""
    claims = {
        "userId": user_id,
        "phone": phone,
        "sid": public_id("ses", session_id),
        "iat": int(now.timestamp()),
        "exp": int((now + LASTS).timestamp()),
    }
    jwt, key = _open(keys)
    token: str = jwt.encode({"alg": _ALGORITHM, "typ": "JWT"}, claims, key, algorithms=[_ALGORITHM])
    return token


def is_token(text: object) -> bool:
    """Whether a text has the form of a JWT, which no token of ours has. Pure; says nothing about its signature."""
    return isinstance(text, str) and text.startswith("eyJ") and text.count(".") == 2


async def read_token(runtime: Runtime, token: str) -> ChatUser:
    """Return whose token it is. Raises: InvalidToken, also for a session that ended and a user who was deactivated."""
    try:
        claims = _read_claims(runtime.keys, token)
        own = lasting_token(runtime.keys, parse_id("ses", claims.sid))
        if claims.exp <= runtime.clock().timestamp():
            raise InvalidToken
        caller = await authenticate(runtime.db, own)
    except (Malformed, Unauthenticated) as error:
        raise InvalidToken from error
    return ChatUser(caller=caller, user_id=claims.userId, phone=claims.phone, token=own)


def _read_claims(keys: Keys, token: str) -> _Claims:
    if len(token) > MAX_LENGTH or not token.isascii() or not is_token(token):
        raise InvalidToken
    from joserfc.errors import JoseError

    jwt, key = _open(keys)
    try:
        return msgspec.convert(jwt.decode(token, key, algorithms=[_ALGORITHM]).claims, _Claims)
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidToken from error


def _open(keys: Keys) -> tuple[Any, Any]:
    """Return the library, loaded where the dialect is spoken (it takes 0.2 s), and the key."""
    from joserfc import jwt
    from joserfc.jwk import OctKey

    return jwt, OctKey.import_key(keys.secret_for("chatapp.jwt"))
