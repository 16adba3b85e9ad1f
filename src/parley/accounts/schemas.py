"""What goes over the wire. Ids are public ones, times RFC 3339 in UTC."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from parley.accounts.caller import Role, Scope

Name = Annotated[str, Meta(min_length=1, max_length=200, description="A name people read.")]
Email = Annotated[
    str, Meta(min_length=1, max_length=320, description="An e-mail address; case does not matter.")
]
Password = Annotated[str, Meta(min_length=10, max_length=200, description="A new password.")]
GivenPassword = Annotated[str, Meta(min_length=1, max_length=200, description="The present password.")]
Token = Annotated[str, Meta(min_length=1, max_length=300, description="The token of a link or a session.")]
Locale = Annotated[
    str,
    Meta(max_length=20, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="Such as `ru` or `en-GB`."),
]


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A request's body: fields that are not known are refused."""


class Answer(msgspec.Struct, kw_only=True):
    """An answer's body."""


# ---------------------------------------------------------------- who


class Actor(Answer, kw_only=True):
    """Whoever can speak in a workspace: a user, a contact or a bot."""

    id: str
    kind: Literal["user", "contact", "bot"]
    name: str
    role: Role | None


class Person(Actor, kw_only=True):
    """Somebody to talk with. Null: not known, or not for you to know."""

    last_seen_at: dt.datetime | None = None
    is_online: bool | None = None


class User(Actor, kw_only=True):
    """A person who signs in, as admins see it. `has_joined`: the invitation was accepted."""

    email: str | None
    phone: str | None
    has_joined: bool
    created_at: dt.datetime
    deactivated_at: dt.datetime | None


class WorkspaceName(Answer, kw_only=True):
    """A workspace, by id and name."""

    id: str
    name: str


class Workspace(WorkspaceName, kw_only=True):
    """A workspace: the unit of isolation."""

    created_at: dt.datetime


class LoginName(Answer, kw_only=True):
    """How somebody signs in."""

    email: str | None
    phone: str | None


class Me(Answer, kw_only=True):
    """Who you are here. `login` and `session_id` are null for API keys; `scopes` is empty for users."""

    workspace: WorkspaceName
    actor: Actor
    login: LoginName | None
    session_id: str | None
    scopes: list[str]
    locale: str | None
    shows_last_seen: bool


# ---------------------------------------------------------------- signing in


class LinkToken(Request, kw_only=True):
    """The token behind the `#` of a one-time link."""

    token: Token


class SetUp(Request, kw_only=True):
    """The first workspace and its owner."""

    token: Token
    workspace_name: Name
    name: Name
    email: Email
    password: Password
    locale: Locale | None = None


class SignIn(Request, kw_only=True):
    """Credentials. `refresh_in_body`: for programs, which keep no cookies."""

    email: Email
    password: GivenPassword
    workspace_id: str | None = None
    refresh_in_body: bool = False


Phone = Annotated[
    str, Meta(min_length=1, max_length=40, description="A phone number, with `+` and its country's code.")
]
Code = Annotated[
    str, Meta(min_length=1, max_length=20, description="A code; blanks and dashes do not matter.")
]


class AskCode(Request, kw_only=True):
    """Where to send a code, and in which language."""

    phone: Phone
    locale: Locale | None = None


class CheckCode(Request, kw_only=True):
    """A number and the code it was sent. `name`: for those who are new here."""

    phone: Phone
    code: Code
    name: Name | None = None
    workspace_id: str | None = None
    refresh_in_body: bool = False


class CodeAsked(Answer, kw_only=True):
    """A code was sent, if the number may have one: this answer is the same for every number."""

    digits: int
    expires_in_seconds: int


class SignInWays(Answer, kw_only=True):
    """How people sign in to this server."""

    has_phone: bool
    has_passkeys: bool


class Refresh(Request, kw_only=True):
    """The refresh token, unless the cookie carries it."""

    refresh_token: Token | None = None


class SignedIn(Answer, kw_only=True):
    """A session. `refresh_token` is here only when it was asked for in the body; else it is in a cookie."""

    access_token: str
    expires_in_seconds: int
    refresh_token: str | UnsetType = UNSET
    me: Me


class Invitation(Answer, kw_only=True):
    """What an invitation is to. `has_login`: the e-mail has a password on this server, and that one is asked for."""

    workspace_name: str
    name: str
    email: str
    has_login: bool


class AcceptInvitation(Request, kw_only=True):
    """The link's token, and the password: a new one, or the present one where the e-mail has a login already."""

    token: Token
    password: Password


# ---------------------------------------------------------------- oneself


class ChangeMe(Request, kw_only=True):
    """What to change of yourself."""

    name: Name | UnsetType = UNSET
    locale: Locale | UnsetType = UNSET
    shows_last_seen: bool | UnsetType = UNSET


class ChangePassword(Request, kw_only=True):
    """The present password and the new one."""

    current_password: GivenPassword
    new_password: Password


class Session(Answer, kw_only=True):
    """One place where you are signed in."""

    id: str
    user_agent: str
    address: str
    created_at: dt.datetime
    last_used_at: dt.datetime
    is_current: bool


class Sessions(Answer, kw_only=True):
    """All of them, the last used first."""

    items: list[Session]


# ---------------------------------------------------------------- administration


class ChangeWorkspace(Request, kw_only=True):
    """What to change of the workspace."""

    name: Name


class AddUser(Request, kw_only=True):
    """Whom to invite."""

    name: Name
    email: Email
    role: Role


class AddedUser(Answer, kw_only=True):
    """The user, and the link to hand over. The link is shown once."""

    user: User
    invite_url: str | None


class InviteLink(Answer, kw_only=True):
    """The link to hand over; the one before it works no longer."""

    invite_url: str


class ChangeUser(Request, kw_only=True):
    """What to change of a user."""

    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    is_deactivated: bool | UnsetType = UNSET


class AddApiKey(Request, kw_only=True):
    """A key's name, under which its bot speaks, and what it may do."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=10)]


class ApiKey(Answer, kw_only=True):
    """A key, without its secret: `hint` is the end of it."""

    id: str
    name: str
    hint: str
    scopes: list[str]
    actor_id: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None


class AddedApiKey(ApiKey, kw_only=True):
    """A new key with its secret, which is shown this once."""

    key: str


class ApiKeys(Answer, kw_only=True):
    """The live keys, newest first."""

    items: list[ApiKey]


class AuditEntry(Answer, kw_only=True):
    """One administrative act. `about`: to whom it was done, if to somebody, by the name they have now. `by_id`: the bot
    whose API key did it in the actor's name; null for the actor's own.
    """

    id: str
    at: dt.datetime
    actor: Actor | None
    action: str
    target: str
    about: Actor | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str
    by_id: str | None
