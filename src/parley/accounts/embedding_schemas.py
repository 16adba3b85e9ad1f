"""What goes over the wire between Parley and an application that embeds it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from parley.accounts.schemas import Actor, Answer, Locale, Name, Request

SESSION_SECONDS = 3600
SESSION_LIMIT_SECONDS = 86_400


class PutExternalUser(Request, kw_only=True):
    """A user as the embedding application has it. What is left out stays as it is, or is empty in a new one."""

    name: Name
    locale: Locale | UnsetType = UNSET
    fields: dict[str, Any] | UnsetType = UNSET
    has_integration: bool | UnsetType = UNSET
    is_deactivated: bool | UnsetType = UNSET


class ExternalUser(Actor, kw_only=True):
    """A user by the embedding application's own id. `has_integration`: their updates are published to the broker."""

    external_id: str
    locale: str | None
    fields: dict[str, Any]
    has_integration: bool
    created_at: dt.datetime
    deactivated_at: dt.datetime | None


class FieldsBody(Request, kw_only=True):
    """The values that the embedding application keeps here, all of them; at most 8 kB of JSON."""

    fields: dict[str, Any]


class SetIntegration(Request, kw_only=True):
    """Whether a user's updates are published to the broker."""

    is_enabled: bool


class AskSession(Request, kw_only=True):
    """For how long the token is to be good."""

    lasts_seconds: Annotated[int, Meta(ge=60, le=SESSION_LIMIT_SECONDS)] = SESSION_SECONDS


class IssuedSession(Answer, kw_only=True):
    """An access token for the user's browser. It is shown this once, and cannot be renewed: ask for the next."""

    access_token: str
    expires_in_seconds: int
    session_id: str
