"""The texts of tokens; pure but for chance.

A refresh token is ``<session>.<secret>.<signature>``. Each next one, and the access token beside it, follow from it
by the installation's key: whoever repeats a refresh within its grace gets the same answer, so two tabs, or a client
whose answer was lost, stay in step although only hashes are stored. The signature proves that a token was ours once:
an old one that comes again is known for what it is, without its hash having been kept.
"""

from __future__ import annotations

from uuid import UUID

from parley.infra.crypto import Keys, new_token
from parley.kit.errors import Malformed
from parley.kit.ids import parse_id, public_id

ACCESS_PREFIX = "at_"
KEY_PREFIX = "pk_"
MAX_LENGTH = 256
"""Characters of any token at the most; longer ones are none of ours."""


def new_refresh_token(keys: Keys, session_id: UUID) -> str:
    """Return the first refresh token of a session."""
    return _seal(keys, session_id, new_token())


def next_refresh_token(keys: Keys, refresh_token: str) -> str:
    """Return the one that follows; the same at every call. The token must have passed `find_session_id`."""
    head, secret, _ = refresh_token.split(".")
    return _seal(keys, parse_id("ses", head), keys.sign("refresh.next", secret))


def access_token_of(keys: Keys, refresh_token: str) -> str:
    """Return the access token handed out beside a refresh token; the same at every call."""
    return ACCESS_PREFIX + keys.sign("access", refresh_token)


def find_session_id(keys: Keys, refresh_token: str) -> UUID | None:
    """Return whose refresh token this is or once was; None when it was never ours."""
    if len(refresh_token) > MAX_LENGTH or not refresh_token.isascii():
        return None
    body, _, signature = refresh_token.rpartition(".")
    if not keys.is_signed("refresh", body, signature):
        return None
    try:
        return parse_id("ses", body.partition(".")[0])
    except Malformed:
        return None


def new_api_key() -> str:
    """Return a new API key."""
    return KEY_PREFIX + new_token()


def _seal(keys: Keys, session_id: UUID, secret: str) -> str:
    body = f"{public_id('ses', session_id)}.{secret}"
    return f"{body}.{keys.sign('refresh', body)}"
